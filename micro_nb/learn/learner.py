"""What is trained: the tile network and, beside it, a point of the embedding space for every concept of the training images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from ..models.micro_d1.configuration_micro_d1 import MicroD1Config
from ..models.micro_d1.modeling_micro_d1 import TileNetwork
from .crops import Batch
from .losses import geometry_loss, pooled, sigmoid_contrastive
from .shards import Sample

_RED = (
    "normal cell", "target cell", "ovalocyte", "spherocyte", "stomatocyte", "elliptocyte", "hypochromia", "schistocyte",
    "burr cell", "macrocyte", "microcyte", "teardrop", "uncategorised",
)  # fmt: skip
_WHITE = ("neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil")
KINDS = dict.fromkeys(_RED, "red blood cell") | dict.fromkeys(_WHITE, "white blood cell")
"""Concept -> its parent, for names that imply another."""
_NAMING = 0.3


def concepts_of(samples: Iterable[Sample]) -> list[str]:
    """Every name that an object of the samples has, and the parents of those names, sorted."""
    said = {name for s in samples for ids in s.names.values() for name in ids.values()}
    return sorted(said | {KINDS[name] for name in said if name in KINDS})


class Learner(nn.Module):
    """Crops to losses.

    Parameters
    ----------
    config : sizes of the network.
    concepts : names that objects may have.
    bfloat16 : compute the network in bfloat16; losses are always float32.
    """

    def __init__(self, config: MicroD1Config, concepts: Sequence[str], *, bfloat16: bool = False) -> None:
        super().__init__()
        self.network = TileNetwork(config)
        self.concepts = nn.Parameter(torch.randn(len(concepts), config.embed_dim))
        self.scale, self.bias = nn.Parameter(torch.tensor(2.3)), nn.Parameter(torch.tensor(-3.0))
        self.names, self.narrow = tuple(concepts), bfloat16
        self.parents = {k: v for k, v in KINDS.items() if k in self.names}

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Losses of a batch, each weighed as it is to be summed."""
        pixels = batch.pixels.to(self.concepts.device, memory_format=torch.channels_last)
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.narrow):
            geometry, seen = self.network(pixels)
        losses = geometry_loss(geometry.float(), batch.targets.to(pixels.device))
        return losses | {"name": _NAMING * self.naming(seen.float(), batch)}

    def naming(self, seen: torch.Tensor, batch: Batch) -> torch.Tensor:
        """How badly objects are told apart by name: each against all concepts. A parent's name says nothing of its kinds."""
        place = {name: k for k, name in enumerate(self.names)}
        positive = torch.zeros(len(batch.names), len(self.names))
        known = torch.ones_like(positive)
        kinds: dict[str, list[int]] = {}
        for kind, parent in self.parents.items():
            kinds.setdefault(parent, []).append(place[kind])
        for row, (*_, name) in enumerate(batch.names):
            positive[row, place[name]] = 1
            if name in self.parents:
                positive[row, place[self.parents[name]]] = 1
            known[row, kinds.get(name, [])] = 0
        vectors = pooled(seen, batch.labels.to(seen.device), [row[:3] for row in batch.names])
        where = (positive.to(seen.device), known.to(seen.device))
        return sigmoid_contrastive(vectors, self.concepts, *where, self.scale, self.bias)
