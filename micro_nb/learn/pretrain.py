"""Self-supervised pre-training of the tile encoder on images without labels.

Two crops of one place, posed and recoloured anew, are to be told from crops of all other places of the batch, pair by pair, with
the sigmoid loss (SimCLR's task, Chen et al. 2020; SigLIP's loss, Zhai et al. 2023).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..models.network import fast_bfloat16
from ..models.tile_network import TILE_STAGES, Encoder
from .augment import recolour, sample_image, sampling_grid
from .crops import bounds
from .initial import start_encoder
from .loop import Loop, write_tensors
from .losses import sigmoid_contrastive
from .recipe import Pace

FEATURES = 112
_PROJECTED = 64
_SHIFT = 0.25
"""Two crops of one place have centres up to this share of a crop apart."""


@dataclass(frozen=True)
class Pretraining:
    """A pre-trained encoder.

    Attributes
    ----------
    encoder : in evaluation mode. losses : of every step.
    file : its weights, for ``initial:`` of a recipe; None where none was asked for.
    """

    encoder: Encoder
    losses: list[float] = field(repr=False)
    file: Path | None = None


def pretrain(
    images: Sequence[np.ndarray], *, steps: int = 200, batch: int = 32, edge: int = 64, initial: str = "random",
    rate: float = 1e-3, seed: int = 0, out: str | os.PathLike[str] | None = None,
) -> Pretraining:  # fmt: skip
    """Trains an encoder to know a place again.

    Parameters
    ----------
    images : ``(h, w, 3) uint8`` each, at the scale at which they will be looked at; no labels.
    steps, batch, edge, rate : length, places a step, pixels of a crop, learning rate.
    initial : where to start, see :func:`micro_nb.learn.initial.start_encoder`. seed : of weights and crops.
    out : a ``.safetensors`` to write.

    Raises
    ------
    ValueError : no images, or ones smaller than half a crop; ``out`` is no ``.safetensors``.
    """
    if out is not None and Path(out).suffix != ".safetensors":
        raise ValueError(f"{out}: weights are written as .safetensors")
    small = [im.shape for im in images if min(im.shape[:2]) < edge // 2]
    if not images or small:
        raise ValueError(
            f"{len(images)} images, {len(small)} smaller than half a crop ({edge} px); give larger ones, or a smaller edge"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Contrast()
    start_encoder(model.encoder, initial)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    levels = [bounds(image) for image in images]

    def draw(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        return _views(images, levels, np.random.default_rng([seed, step]), batch, edge)

    pace = Pace(steps=steps, warmup=max(1, steps // 5), cooldown=0.8, seed=seed)
    loop = Loop(model, draw, pace, [(model.parameters(), rate)], what="pre-training without labels", log_every=1)
    losses = [float(line["loss"]) for line in loop.run().lines]
    facts = {"steps": steps, "batch": batch, "edge": edge, "seed": seed}
    file = write_tensors(model.encoder.state_dict(), Path(out), {"pretrain": json.dumps(facts)}) if out else None
    return Pretraining(model.encoder.eval(), losses, file)


class Contrast(nn.Module):
    """Encoder, projection, and the loss between two views."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder(TILE_STAGES)
        self.project = nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.ReLU(), nn.Linear(FEATURES, _PROJECTED))
        self.scale, self.bias = nn.Parameter(torch.tensor(2.3)), nn.Parameter(torch.tensor(-5.0))

    def forward(self, views: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:  # (B, 3, H, W) each
        pixels = torch.cat(views).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16("cpu")):
            seen = self.encoder(pixels)[-1].mean((2, 3))
        a, b = self.project(seen.float()).chunk(2)
        same = torch.eye(len(a), device=a.device)
        return {"loss": sigmoid_contrastive(a, b, same, torch.ones_like(same), self.scale, self.bias)}


def _views(
    images: Sequence[np.ndarray], levels: Sequence[tuple[float, float]], rng: np.random.Generator, batch: int, edge: int
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Two crops of each of ``batch`` places, ``(B, 3, edge, edge)`` each."""
    views = []
    for k in rng.integers(len(images), size=batch):
        image, (low, high) = images[k], levels[k]
        place = [rng.uniform(min(edge / 2, n / 2), max(n - edge / 2, n / 2)) for n in image.shape[:2]]
        scale = float(np.exp(rng.normal(0, 0.25)))
        for _ in range(2):
            y, x = (p + rng.uniform(-_SHIFT, _SHIFT) * edge / scale for p in place)
            grid = sampling_grid(rng, edge, scale * float(np.exp(rng.normal(0, 0.15))), (y, x))
            views.append(recolour(rng, (sample_image(image, grid) - low) / (high - low)))
    stacked = torch.from_numpy(np.asarray(views, np.float32))
    return stacked[0::2], stacked[1::2]


def features(encoder: Encoder, crops: Sequence[np.ndarray], *, batch: int = 64) -> np.ndarray:
    """``(n, 112) float32``: the encoder's last stage, mean over each crop ``(h, w, 3) uint8``; all crops of one size."""
    found = [np.zeros((0, FEATURES), np.float32)]
    for k in range(0, len(crops), batch):
        some = [(c.astype(np.float32) - low) / (high - low) for c in crops[k : k + batch] for low, high in [bounds(c)]]
        with torch.inference_mode():
            found.append(encoder(torch.from_numpy(np.stack(some).transpose(0, 3, 1, 2)))[-1].mean((2, 3)).numpy())
    return np.concatenate(found)
