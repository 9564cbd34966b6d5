"""Batches of crops, drawn so that batch ``n`` of a seed is always the same batch, whenever and wherever it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from augment import recolour, sample_image, sample_labels, sampling_grid
from PIL import Image
from shards import UNKNOWN, Sample
from stains import browned, jittered
from torch.utils.data import Dataset

from micro_nb.learn.targets import CHANNELS, targets

MOST = 160
"""Objects of a layer of a crop that have a row of their own."""

_CONTEXT = 64
"""Pixels around a crop that targets are computed with, so that what the crop cuts has its true centre and depth."""
STAINED = ("dsb2018/histology", "tnbc_he_nuclei", "generated/tissue")
"""Sources of tissue in haematoxylin and eosin."""
_COVER = 0.8
"""Three in four crops are scaled so that their picture fills at least this share of their edge."""
_SMALL, _SPECK = 0.6, 3.0
"""Much smaller than typical, as a share of its diameter; too small to be looked at, px."""


class Batch(NamedTuple):
    """Crops and what is known of them.

    Attributes
    ----------
    pixels : ``(B, 3, H, W)``.
    maps : ``(B, L, 8, H/2, W/2)``, see :func:`micro_nb.learn.targets.targets`.
    labels : ``(B, L, H/2, W/2)``; object ``k + 1`` has row ``k`` of the next two.
    objects : ``(B, L, MOST, 3)`` y, x, diameter in map pixels; diameter 0 where there is none.
    names : ``(B, L, MOST)`` position of the concept, -1 where none is known.
    """

    pixels: torch.Tensor
    maps: torch.Tensor
    labels: torch.Tensor
    objects: torch.Tensor
    names: torch.Tensor


class Crops(Dataset[Batch]):
    """Batches of crops of samples: posed, scaled, recoloured.

    Parameters
    ----------
    samples : what to draw from.
    weights : share of each source; a source is ``dataset/kind``, or the data set for all its kinds that are not listed.
    layers, concepts : names of the geometry layers, and names that objects may have.
    size, edge : crops of a batch, pixels of a crop.
    diameter : what typical objects are scaled to; three in four crops within about a factor of two, one in four within four.
    small : share of crops drawn about an object much smaller than its image's typical one, in the scale of that object.
    """

    def __init__(
        self, samples: Sequence[Sample], weights: Mapping[str, float], layers: Sequence[str], concepts: Sequence[str], *,
        size: int = 8, edge: int = 256, diameter: float = 22.0, small: float = 0.1, seed: int = 0,
    ) -> None:  # fmt: skip
        self.layers, self.place = tuple(layers), {name: k for k, name in enumerate(concepts)}
        self.size, self.edge, self.diameter, self.small, self.seed = size, edge, diameter, small, seed
        self.sources: dict[str, list[Sample]] = {}
        for sample in samples:
            keys = [key for key in weights if sample.source == key or sample.source.startswith(f"{key}/")]
            if keys:
                self.sources.setdefault(max(keys, key=len), []).append(sample)
        self.names = sorted(self.sources)
        share = np.array([weights[name] for name in self.names], float)
        self.share = share / share.sum()
        self._copies: dict[tuple[int, int], np.ndarray] = {}
        self._specks: dict[int, np.ndarray] = {}
        self._bounds: dict[int, tuple[float, float]] = {}

    def __len__(self) -> int:
        return 1 << 30

    def __getitem__(self, step: int) -> Batch:
        crops = [self.crop(np.random.default_rng([self.seed, step, k])) for k in range(self.size)]
        return Batch(*(torch.from_numpy(np.stack(parts)) for parts in zip(*crops, strict=True)))

    def crop(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """One crop: the fields of :class:`Batch` without their first axis."""
        source = self.sources[self.names[rng.choice(len(self.names), p=self.share)]]
        sample = source[rng.integers(len(source))]
        scale, near = self.scale(rng, sample)
        centre = _centre(rng, sample.image.shape[:2], self.edge / 2 / scale, near)
        grid = sampling_grid(rng, self.edge + 2 * _CONTEXT, scale, centre)
        inner = slice(_CONTEXT, _CONTEXT + self.edge)
        known = {k: sample_labels(lab, grid[:, ::2, ::2]) for k, lab in sample.labels.items() if k in self.layers}
        pixels = self.pixels(rng, sample, scale, grid[:, inner, inner], known)
        layers = [self.layer(known.get(k), sample.names.get(k, {})) for k in self.layers]
        return recolour(rng, pixels), *(np.stack(parts) for parts in zip(*layers, strict=True))

    def scale(self, rng: np.random.Generator, sample: Sample) -> tuple[float, tuple[float, float] | None]:
        """Pixels of the crop along one of the image, and the place to look at, where there is one."""
        jitter = rng.normal(0, 0.6) if rng.random() < 0.75 else rng.uniform(-2, 2)
        wanted = self.diameter * 2 ** np.clip(jitter, -2, 2)
        if rng.random() < self.small and len(specks := self._small(sample)):
            y, x, diameter = specks[rng.integers(len(specks))]
            return float(min(self.diameter / diameter, 4 * self.diameter / sample.diameter_px)), (y, x)
        least = _COVER * self.edge / min(sample.image.shape[:2]) if rng.random() < 0.75 else 0.0
        return float(max(wanted / sample.diameter_px, min(least, 2 * self.diameter / sample.diameter_px))), None

    def layer(self, coarse: np.ndarray | None, names: Mapping[int, str]) -> tuple[np.ndarray, ...]:
        """Maps, labels, objects and names of one layer, without the context."""
        half = self.edge // 2
        inner = slice(_CONTEXT // 2, _CONTEXT // 2 + half)
        objects, said = np.zeros((MOST, 3), np.float32), np.full(MOST, -1, np.int64)
        if coarse is None:
            unknown = np.full((half, half), UNKNOWN, np.int32)
            return np.zeros((len(CHANNELS), half, half), np.float32), unknown, objects, said
        labels, numbers = numbered(coarse, inner)
        maps, found = targets(labels)
        found[:, :2] -= _CONTEXT // 2
        count = min(MOST, int((labels[inner, inner]).max(initial=0)))
        objects[:count] = found[:count]
        said[:count] = [self.place.get(names.get(int(k), ""), -1) for k in numbers[:count]]
        return maps[:, inner, inner], labels[inner, inner], objects, said

    def pixels(
        self, rng: np.random.Generator, sample: Sample, scale: float, grid: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """``(c, h, w)`` normalised pixels at a grid; stained pictures are stained anew now and then."""
        halvings = max(0, int(np.floor(np.log2(1 / max(scale, 1e-6)) + 0.25)))
        image = self._copy(sample, halvings)
        ratio = np.array(image.shape[:2]) / sample.image.shape[:2]
        raw = sample_image(image, (grid + 0.5) * ratio[:, None, None] - 0.5) / 255
        if len(raw) == 3 and sample.source.startswith(STAINED):
            raw, stained = self._stained(rng, raw, known)
            if stained:
                return _normalised(raw, *np.percentile(raw, [0.5, 99.5]))
        return _normalised(raw, *self._range(sample))

    def _stained(self, rng: np.random.Generator, raw: np.ndarray, known: Mapping[str, np.ndarray]) -> tuple[np.ndarray, bool]:
        chance = rng.random()
        if chance < 0.25 and "nucleus" in known:
            inner = slice(_CONTEXT // 2, -_CONTEXT // 2)
            nuclei = np.kron(known["nucleus"][inner, inner], np.ones((2, 2), np.int32))
            return browned(rng, raw, nuclei), True
        return (jittered(rng, raw), True) if chance < 0.7 else (raw, False)

    def _range(self, sample: Sample) -> tuple[float, float]:
        if id(sample) not in self._bounds:
            sparse = sample.image[:: max(1, sample.image.shape[0] // 512), :: max(1, sample.image.shape[1] // 512)]
            low, high = np.percentile(sparse, [0.5, 99.5])
            self._bounds[id(sample)] = float(low) / 255, float(max(high, low + 1)) / 255
        return self._bounds[id(sample)]

    def _copy(self, sample: Sample, halvings: int) -> np.ndarray:
        if not halvings:
            return sample.image
        if (id(sample), halvings) not in self._copies:
            h, w = sample.image.shape[:2]
            small = Image.fromarray(sample.image).resize((max(1, w >> halvings), max(1, h >> halvings)), Image.Resampling.BOX)
            self._copies[id(sample), halvings] = np.asarray(small)
        return self._copies[id(sample), halvings]

    def _small(self, sample: Sample) -> np.ndarray:
        """``(N, 3)``: y, x and diameter of the objects that are much smaller than typical ones."""
        if id(sample) not in self._specks:
            rows = [_measured(lab) for k, lab in sample.labels.items() if k in self.layers]
            found = np.concatenate([np.zeros((0, 3)), *rows])
            much = (found[:, 2] < _SMALL * sample.diameter_px) & (found[:, 2] >= _SPECK)
            self._specks[id(sample)] = found[much]
        return self._specks[id(sample)]


def numbered(coarse: np.ndarray, inner: slice) -> tuple[np.ndarray, np.ndarray]:
    """Consecutive numbers from 1, those in sight first; and the old number of each."""
    seen = np.unique(coarse[inner, inner])
    seen = seen[seen > 0]
    other = np.setdiff1d(np.unique(coarse[coarse > 0]), seen)
    numbers = np.concatenate([seen, other])
    table = np.zeros(int(coarse.max(initial=0)) + 2, np.int32)
    table[numbers] = np.arange(1, numbers.size + 1)
    table[-1] = UNKNOWN
    return np.asarray(table[coarse]), numbers


def _normalised(raw: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.asarray((raw - low) / max(high - low, 1 / 255))


def _centre(
    rng: np.random.Generator, shape: tuple[int, ...], reach: float, near: tuple[float, float] | None
) -> tuple[float, float]:
    """Of a crop that reaches ``reach`` pixels each way, inside its image; about a place, where there is one."""
    low = [min(reach, n / 2) for n in shape]
    if near is None:
        return rng.uniform(low[0], shape[0] - low[0]), rng.uniform(low[1], shape[1] - low[1])
    y, x = (at + rng.uniform(-0.6, 0.6) * reach for at in near)
    return float(np.clip(y, low[0], shape[0] - low[0])), float(np.clip(x, low[1], shape[1] - low[1]))


def _measured(labels: np.ndarray) -> np.ndarray:
    """y, x and diameter of each object."""
    y, x = np.nonzero(labels > 0)
    ids = labels[y, x].astype(np.int64)
    area = np.bincount(ids)
    present = np.flatnonzero(area)
    middle = [np.bincount(ids, at)[present] / area[present] for at in (y, x)]
    return np.stack([*middle, 2 * np.sqrt(area[present] / np.pi)], 1).reshape(-1, 3)
