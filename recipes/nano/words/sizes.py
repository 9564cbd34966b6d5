"""How large objects are, learned from texture: labelled pictures and generated scenes, glanced at in every stride."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from augment import recolour
from data import STAINED
from scipy import ndimage as ndi
from shards import Sample
from stains import browned, jittered

from micro_nb.data.open import open_image
from micro_nb.learn.loop import Loop
from micro_nb.learn.recipe import Pace
from micro_nb.models.micro_d1 import MicroD1Model
from micro_nb.progress import Progress
from micro_nb.tasks.look.network import TileMaps, plane_bounds
from micro_nb.tasks.look.scale import glances, pitches, said, telling

_SOFT = 0.35
"""Octaves around the true size that are taught as nearly right."""
_JITTER = 0.1
"""Noise of the textures, in their spreads."""
_GENERATED = 6.0
"""How much more generated scenes count than one source of pictures."""

_ISLANDS, _EMPTY, _WIDEST = 0.4, 0.05, 2000
"""Share of the changed views that are clumps in an empty field; least share of a picture that holds nothing; widest field, px."""


@dataclass(frozen=True)
class Glanced:
    """A picture's source, its typical diameter in its pixels, and pitch -> the texture of its places ``(places, 352)``."""

    source: str
    diameter_px: float
    textures: dict[int, np.ndarray]


def some(samples: Iterable[Sample], part: str, *, most: int = 140, generated: int = 400) -> list[Sample]:
    """At most so many of each source of a part, and of what is generated, evenly spaced."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.part == part:
            found.setdefault("" if sample.dataset == "generated" else sample.source, []).append(sample)
    drawn = found.pop("", [])
    kept = [*((mine, most) for mine in found.values()), (drawn, generated)]
    return [s for mine, bound in kept for s in mine[:: -(-len(mine) // bound) or 1]]


def glanced(samples: Sequence[Sample], model: MicroD1Model, *, changed: int = 0) -> list[Glanced]:
    """What is seen of samples in passing: as they are, and in so many ``changed`` views."""
    found = []
    with Progress("glancing at training images", len(samples), "images") as progress:
        for k, sample in enumerate(samples):
            views = [sample.image, *(changed_view(np.random.default_rng([k, n]), sample) for n in range(changed))]
            for image in views:
                plane = open_image(np.ascontiguousarray(image))
                bounds, places = plane_bounds(plane), telling(plane)
                seen = {p: glances(TileMaps(model, plane, p, bounds), places) for p in pitches(plane)}
                found.append(Glanced("generated" if sample.dataset == "generated" else sample.source, sample.diameter_px, seen))
            progress.advance()
    return found


def changed_view(rng: np.random.Generator, sample: Sample) -> np.ndarray:
    """A sample in another stain where it is tissue, with other exposure, focus and noise."""
    raw = np.atleast_3d(island(rng, sample) if rng.random() < _ISLANDS else sample.image).transpose(2, 0, 1) / 255
    if len(raw) == 3 and sample.source.startswith(STAINED):
        brown = "nucleus" in sample.labels and rng.random() < 0.6
        brown = brown and raw.shape[1:] == sample.labels["nucleus"].shape
        raw = browned(rng, raw, sample.labels["nucleus"]) if brown else jittered(rng, raw)
    return (np.clip(recolour(rng, raw), 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)


def island(rng: np.random.Generator, sample: Sample) -> np.ndarray:
    """A sample as a clump in an empty field, as embryos, colonies and spheroids are: what is large there is not an object."""
    image, empty = sample.image, np.logical_and.reduce([labels == 0 for labels in sample.labels.values()])
    if empty.mean() < _EMPTY:
        return image
    ground, (h, w) = image[empty].reshape(empty.sum(), -1), image.shape[:2]
    more = min(rng.uniform(1.3, 3.0), max(1.0, _WIDEST / max(h, w)))
    shape = round(h * more), round(w * more)
    field = ground[rng.integers(len(ground), size=shape)].astype(np.float32)
    field = ndi.gaussian_filter(field, (1, 1, 0)) + rng.normal(0, 2, field.shape)
    y, x = (np.linspace(-1, 1, n) for n in (h, w))
    inside = np.hypot(y[:, None] / rng.uniform(0.5, 0.95), x[None] / rng.uniform(0.5, 0.95))
    share = (1 / (1 + np.exp((inside - 1) * rng.uniform(10, 60))))[..., None]
    top, left = rng.integers(shape[0] - h + 1), rng.integers(shape[1] - w + 1)
    place = field[top : top + h, left : left + w]
    place += share * (np.atleast_3d(image).astype(np.float32) - place)
    return field.clip(0, 255).astype(np.uint8).reshape(*shape, *image.shape[2:])


@dataclass(frozen=True, kw_only=True)
class Sizing(Pace):
    """How the size head is trained."""

    steps: int = 1500
    warmup: int = 50
    cooldown: float = 1.0
    decay: float = 0.05
    rate: float = 2e-3
    batch: int = 256


def train(model: MicroD1Model, seen: Sequence[Glanced], recipe: Sizing | None = None) -> None:
    """Fills ``model.size``."""
    recipe, head = recipe or Sizing(), model.size
    octaves = np.array(head.OCTAVES)
    count = {s: sum(g.source == s for g in seen) for s in {g.source for g in seen}}
    rows, true, share = [], [], []
    for g in seen:
        weight = (_GENERATED if g.source == "generated" else 1.0) / count[g.source]
        for pitch, textures in g.textures.items():
            rows.append(textures)
            true += [np.log2(g.diameter_px / model.config.diameter_px) - np.log2(pitch / 2)] * len(textures)
            share += [weight / len(textures)] * len(textures)
    x, t = torch.from_numpy(np.concatenate(rows)), np.clip(true, octaves[0], octaves[-1])
    head.middle.copy_(x.mean(0))
    head.spread.copy_(x.std(0) + 1e-3)
    soft = np.exp(-(((t[:, None] - octaves) / _SOFT) ** 2) / 2)
    truth, weights = torch.from_numpy(soft / soft.sum(1, keepdims=True)).float(), torch.tensor(share)

    def draw(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        chance = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        picked = torch.multinomial(weights, recipe.batch, replacement=True, generator=chance)
        noise = torch.randn(recipe.batch, x.shape[1], generator=chance) * _JITTER * head.spread
        return x[picked] + noise, truth[picked]

    head.requires_grad_(True)
    Loop(_Lesson(head), draw, recipe, [(head.layers.parameters(), recipe.rate)], what="learning sizes", log_every=100).run()
    head.eval().requires_grad_(False)


class _Lesson(torch.nn.Module):
    def __init__(self, head: torch.nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, batch: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"size": -(batch[1] * self.head(batch[0])).sum(1).mean()}


def right(seen: Iterable[Glanced], model: MicroD1Model) -> dict[str, float]:
    """Source -> share of pictures whose diameter is said right within half an octave."""
    found: dict[str, list[bool]] = {}
    for g in seen:
        found.setdefault(g.source, []).append(abs(np.log2(said(g.textures, model).diameter_px / g.diameter_px)) < 0.5)
    return {source: round(float(np.mean(hits)), 3) for source, hits in sorted(found.items())}
