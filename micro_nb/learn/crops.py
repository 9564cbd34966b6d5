"""Batches of crops, drawn so that step ``n`` of a seed is always the same batch, whenever and wherever it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .augment import recolour, sample_image, sample_labels, sampling_grid
from .recipe import Recipe
from .sample import UNKNOWN, Sample, relabelled, resized
from .targets import CHANNELS, targets

_CONTEXT = 32
"""Pixels around a crop that targets are computed with, so that what the crop cuts has its true centre and depth."""
_OBJECTS = 32
"""At most so many objects of a layer of a crop are asked for their name."""


@dataclass
class Batch:
    """Crops and what is known of them.

    Attributes
    ----------
    pixels : ``(B, 3, H, W) float32``.
    targets : ``(B, L, 8, H/2, W/2) float32``, see :func:`micro_nb.learn.targets.targets`.
    labels : ``(B, L, H/2, W/2) int32``. names : ``(crop, layer, object number, concept)`` a row.
    """

    pixels: torch.Tensor
    targets: torch.Tensor
    labels: torch.Tensor
    names: list[tuple[int, int, int, str]]


def bounds(image: np.ndarray) -> tuple[float, float]:
    """Grey values that become 0 and 1: the 0.5 and 99.5 percentiles of ``(h, w, 3)``, as the processor has it."""
    low, high = np.percentile(image[:: max(1, image.shape[0] // 512), :: max(1, image.shape[1] // 512)], [0.5, 99.5])
    return float(low), float(max(high, low + 1))


class Crops:
    """Draws crops of samples: posed, scaled so that objects have about ``diameter`` pixels, and recoloured.

    Parameters
    ----------
    samples : all training images. weights : share of each source; a source is the data set, or ``dataset/type``.
    layers : names of the geometry layers. edge : pixels of a crop.
    diameter : centre of the log-normal distribution of object diameters in crops, px; ``spread`` its width.
    seed : batches are a function of it, of their step and of nothing else.

    Raises
    ------
    ValueError : a source with a weight has no sample.
    """

    def __init__(
        self, samples: Sequence[Sample], weights: Mapping[str, float], layers: Sequence[str], *,
        edge: int = 256, diameter: float = 22.0, spread: float = 0.35, seed: int = 0,
    ) -> None:  # fmt: skip
        self.layers, self.edge, self.diameter, self.spread, self.seed = tuple(layers), edge, diameter, spread, seed
        self.sources: dict[str, list[Sample]] = {}
        for sample in samples:
            typed = f"{sample.dataset}/{sample.facts.get('type', '')}"
            key = typed if typed in weights else sample.dataset
            if key in weights:
                self.sources.setdefault(key, []).append(sample)
        if missing := sorted(set(weights) - set(self.sources)):
            there = sorted({s.dataset for s in samples})
            raise ValueError(
                f"weights name {', '.join(missing)}, of which there is no training image; there is {', '.join(there)}"
            )
        self.names = sorted(self.sources)
        share = np.array([weights[name] for name in self.names], float)
        self.share = share / share.sum()
        self._copies: dict[tuple[int, int], tuple[np.ndarray, float, float]] = {}

    @classmethod
    def of(cls, recipe: Recipe, samples: Sequence[Sample], layers: Sequence[str], **changes: float) -> Crops:
        """Crops as a recipe wants them, with changes."""
        wanted = {k: getattr(recipe, k) for k in ("edge", "diameter", "spread", "seed")}
        return cls(samples, recipe.weights, layers, **(wanted | changes))

    def batch(self, step: int, size: int) -> Batch:
        """Batch ``step`` of ``size`` crops."""
        crops = [self.crop(np.random.default_rng([self.seed, step, k])) for k in range(size)]
        names = [(k, *row) for k, (_, _, _, rows) in enumerate(crops) for row in rows]
        stacked = [torch.from_numpy(np.stack([c[i] for c in crops])) for i in range(3)]
        return Batch(stacked[0], stacked[1], stacked[2], names)

    def crop(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[int, int, str]]]:
        """One crop: pixels, targets, labels, names."""
        source = self.sources[self.names[rng.choice(len(self.names), p=self.share)]]
        sample = source[rng.integers(len(source))]
        wanted = self.diameter * np.exp(np.clip(rng.normal(0, self.spread), -0.8, 0.8))
        scale = wanted / sample.diameter_px
        y, x = (rng.uniform(low, n - low) for n in sample.image.shape[:2] for low in [min(self.edge / 2 / scale, n / 2)])
        grid = sampling_grid(rng, self.edge + 2 * _CONTEXT, scale, (y, x))
        inner = slice(_CONTEXT, _CONTEXT + self.edge)
        pixels = recolour(rng, self.pixels(sample, scale, grid[:, inner, inner]))
        maps = np.zeros((len(self.layers), len(CHANNELS), self.edge // 2, self.edge // 2), np.float32)
        labels = np.full((len(self.layers), self.edge // 2, self.edge // 2), UNKNOWN, np.int32)
        rows: list[tuple[int, int, str]] = []
        half = slice(_CONTEXT // 2, (_CONTEXT + self.edge) // 2)
        for k, layer in enumerate(self.layers):
            if layer in sample.labels:
                coarse = sample_labels(sample.labels[layer], grid[:, ::2, ::2])
                maps[k] = targets(relabelled(coarse))[0][:, half, half]
                labels[k] = coarse[half, half]
                seen = rng.permutation(np.unique(labels[k][labels[k] > 0]))[:_OBJECTS]
                rows += [(k, int(n), name) for n in seen if (name := sample.names.get(layer, {}).get(int(n)))]
        return pixels, maps, labels, rows

    def pixels(self, sample: Sample, scale: float, grid: np.ndarray) -> np.ndarray:
        """``(3, h, w)`` normalised pixels at a grid, from a reduced copy where the crop is coarser than the image."""
        halvings = max(0, int(np.floor(np.log2(1 / max(scale, 1e-6)) + 0.25)))
        if (id(sample), halvings) not in self._copies:
            shape = [max(1, n >> halvings) for n in sample.image.shape[:2]]
            small = resized(sample.image, (shape[0], shape[1])) if halvings else sample.image
            self._copies[id(sample), halvings] = (small, *bounds(small))
        image, low, high = self._copies[id(sample), halvings]
        ratio = np.array(image.shape[:2]) / sample.image.shape[:2]
        return (sample_image(image, (grid + 0.5) * ratio[:, None, None] - 0.5) - low) / (high - low)
