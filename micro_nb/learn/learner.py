"""What learns: the tile network beside a point for every name, as recipes train it; or held to what it knows, for fine-tuning."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..models.micro_d1.configuration_micro_d1 import MicroD1Config
from ..models.network import fast_bfloat16
from ..models.ontology import ontology
from ..models.tile_network import TileNetwork
from .crops import Batch, Crops
from .initial import start
from .loop import Loop, device, write_tensors
from .losses import WEIGHTS as SHARES
from .losses import geometry_losses, pooled, sigmoid_contrastive
from .recipe import Recipe
from .sample import Sample
from .targets import KNOWN

WEIGHTS, CONCEPTS = "tile.safetensors", "concepts.json"
_NAMING, _KEEP_GEOMETRY, _KEEP_EMBEDDING = 0.3, 0.5, 2.0


class Learner(nn.Module):
    """Crops to losses.

    Parameters
    ----------
    config : sizes of the network.
    concepts : names that objects may have; what the ontology says one is a kind of, the other implies.
    bfloat16 : compute the network in bfloat16; losses are always float32.
    """

    def __init__(self, config: MicroD1Config, concepts: Sequence[str], *, bfloat16: bool = False) -> None:
        super().__init__()
        self.network = TileNetwork(config.sizes)
        self.concepts = nn.Parameter(torch.randn(len(concepts), config.embed_dim))
        self.scale, self.bias = nn.Parameter(torch.tensor(2.3)), nn.Parameter(torch.tensor(-3.0))
        self.names, self.layers, self.narrow = tuple(concepts), tuple(config.layers), bfloat16
        known = {name: {*ontology().ancestors(name)} if name in ontology() else set() for name in concepts}
        self.implied = torch.tensor([[b == a or b in known[a] for b in concepts] for a in concepts]).float()

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Losses of a batch, each weighed as it is to be summed."""
        pixels = batch.pixels.to(self.concepts.device, memory_format=torch.channels_last)
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.narrow):
            geometry, seen = self.network(pixels)
        losses = outlining(geometry, batch.targets.to(pixels.device))
        return losses | {"name": _NAMING * self.naming(seen.float(), batch)}

    def naming(self, seen: torch.Tensor, batch: Batch) -> torch.Tensor:
        """How badly objects are told apart by name: each against all concepts. A wide name says nothing of its kinds."""
        place = {name: k for k, name in enumerate(self.names)}
        rows = torch.tensor([place[name] for *_, name in batch.names], dtype=torch.long)
        positive, kinds = self.implied[rows].to(seen.device), self.implied.T[rows].to(seen.device)
        vectors = pooled(seen, batch.labels.to(seen.device), [row[:3] for row in batch.names])
        known = 1 - kinds + kinds * positive
        return sigmoid_contrastive(vectors, self.concepts, positive, known, self.scale, self.bias)


class Tuner(nn.Module):
    """A tile network that starts from another's weights and is held to it where nothing is known (Li & Hoiem 2016).

    Layers without labels, pixels that are not known and the embeddings, which prompts are matched with, are pulled to what the
    base says of the same crop. Statistics of normalisation stay the base's, as a few images say too little of them.

    Parameters
    ----------
    base : the network to start from; it is not changed.
    """

    def __init__(self, config: MicroD1Config, base: nn.Module, *, bfloat16: bool = False) -> None:
        super().__init__()
        self.network = TileNetwork(config.sizes)
        self.network.load_state_dict({k: v.float() for k, v in base.state_dict().items()})
        teacher = TileNetwork(config.sizes)
        teacher.load_state_dict(self.network.state_dict())
        self._base = (teacher.eval().requires_grad_(False),)  # in a tuple: its weights are not of this module
        self.layers, self.narrow = tuple(config.layers), bfloat16

    def train(self, mode: bool = True) -> Tuner:
        """As always, but normalisation keeps its statistics."""
        super().train(mode)
        for part in self.network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Losses of a batch."""
        device = next(self.network.parameters()).device
        pixels = batch.pixels.to(device, memory_format=torch.channels_last)
        targets = batch.targets.to(device)
        teacher = self._base[0].to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.narrow):
            geometry, seen = self.network(pixels)
            with torch.no_grad():
                old_geometry, old_seen = teacher(pixels)
        losses = outlining(geometry, targets)
        kept = 1 - targets[:, :, KNOWN].clamp(max=1)
        drift = F.mse_loss(_told(geometry.float()), _told(old_geometry.float()), reduction="none").sum(2) * kept
        losses["keep"] = _KEEP_GEOMETRY * drift.sum() / kept.sum().clamp(min=1)
        turned = 1 - F.cosine_similarity(seen.float(), old_seen.float(), dim=1)
        return losses | {"embedding": _KEEP_EMBEDDING * turned.mean()}


def outlining(geometry: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Losses of maps, weighed as they are to be summed."""
    return {k: SHARES[k] * loss for k, loss in geometry_losses(geometry.float(), targets).items()}


def _told(geometry: torch.Tensor) -> torch.Tensor:
    """Logits as probabilities, so that how sure the base was beyond doubt does not matter; the rest as it is."""
    return torch.cat([torch.sigmoid(geometry[:, :, :1]), geometry[:, :, 1:4], torch.sigmoid(geometry[:, :, 4:])], dim=2)


def fresh(recipe: Recipe, samples: Sequence[Sample]) -> Learner:
    """A learner before its first step."""
    names = sorted({name for s in samples for ids in s.names.values() for name in ids.values()})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        narrow = recipe.bfloat16 and fast_bfloat16(device())
        learner = Learner(MicroD1Config(**recipe.config), names, bfloat16=narrow)
    start(learner.network, recipe.initial)
    return learner


def teaching(
    recipe: Recipe, samples: Sequence[Sample], folder: str | os.PathLike[str], *, learner: nn.Module | None = None
) -> Loop:
    """The loop of a recipe in a folder.

    Parameters
    ----------
    learner : a module with ``network`` and ``layers`` whose call takes a :class:`~micro_nb.learn.crops.Batch`; by default a
        fresh one.
    """
    model: Any = fresh(recipe, samples) if learner is None else learner
    model = model.to(device(), memory_format=torch.channels_last)
    crops = Crops.of(recipe, samples, model.layers)
    early = list(model.network.encoder.parameters())
    ids = set(map(id, early))
    groups = (([p for p in model.parameters() if id(p) not in ids], recipe.rate), (early, recipe.encoder_rate))
    what = f"training {recipe.name}"
    return Loop(model, lambda k: crops.batch(k, recipe.batch), recipe, groups, folder=folder, recipe=recipe.fixed(), what=what)


def export(loop: Loop, folder: str | os.PathLike[str]) -> None:
    """Writes the averaged weights of the tile network, ``tile.safetensors``, and the points of names, ``concepts.json``."""
    learner: Learner = loop.model  # type: ignore[assignment]
    write_tensors(loop.averaged("network."), Path(folder) / WEIGHTS)
    points = F.normalize(loop.average["concepts"].cpu(), dim=-1).tolist()
    named = {name: [round(v, 5) for v in point] for name, point in zip(learner.names, points, strict=True)}
    (Path(folder) / CONCEPTS).write_text(json.dumps(named), encoding="utf-8")
