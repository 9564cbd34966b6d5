"""Smooth random fields, and what labels say of each pixel: how deep it lies, whose it is, and a value of its own."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import ndimage as ndi


def noise(rng: np.random.Generator, edge: int, grain: float) -> np.ndarray:
    """``(edge, edge)`` of mean 0 and deviation 1, varying over about ``grain`` pixels."""
    step = max(1, int(grain / 3))
    coarse = ndi.gaussian_filter(rng.normal(size=(edge // step + 3,) * 2), max(grain / step / 2.5, 0.01), mode="wrap")
    found = ndi.zoom(coarse, step, order=1)[:edge, :edge] if step > 1 else coarse[:edge, :edge]
    return np.asarray((found - found.mean()) / max(float(found.std()), 1e-6))


def octaves(rng: np.random.Generator, edge: int, coarse: float, fine: float = 1.0, slope: float = 0.6) -> np.ndarray:
    """Noise of several grains, coarse ones stronger."""
    total, weight = np.zeros((edge, edge)), 1.0
    while coarse >= fine:
        total += weight * noise(rng, edge, coarse)
        coarse, weight = coarse / 2, weight * slope
    return np.asarray(total / max(float(total.std()), 1e-6))


def streaks(rng: np.random.Generator, edge: int, long: float, wide: float) -> np.ndarray:
    """Wavy threads that run about one way: noise drawn out along a bent direction."""
    angle = rng.uniform(0, np.pi) + 0.5 * noise(rng, edge, edge / 2)
    y, x = np.mgrid[:edge, :edge].astype(float)
    grainy = noise(rng, edge, wide)
    total = np.zeros((edge, edge))
    steps = np.arange(-long, long + 1, max(1.0, wide / 2))
    for t in steps + rng.uniform(-0.3, 0.3, steps.size):
        total += ndi.map_coordinates(grainy, [y + t * np.sin(angle), x + t * np.cos(angle)], order=1, mode="mirror")
    return np.asarray((total - total.mean()) / total.std())


class Fields:
    """What labels say of each pixel.

    Parameters
    ----------
    rng : where values of objects are drawn from.
    labels : ``(edge, edge)`` numbered from 1.
    """

    def __init__(self, rng: np.random.Generator, labels: np.ndarray) -> None:
        self.rng, self.labels, self.mask = rng, labels, labels > 0
        self.count, self.edge = int(labels.max(initial=0)), len(labels)

    @cached_property
    def depth_px(self) -> np.ndarray:
        """Pixels to the rim of one's own object, 0 outside."""
        meet = ndi.maximum_filter(self.labels, 3) != ndi.minimum_filter(self.labels, 3)
        return np.where(self.mask, ndi.distance_transform_edt(~(meet & self.mask) & self.mask), 0)

    @cached_property
    def depth(self) -> np.ndarray:
        """The same as a share of the deepest of the object, 0 to 1."""
        deepest = ndi.maximum(self.depth_px, self.labels, np.arange(self.count + 1))
        return np.where(self.mask, self.depth_px / np.maximum(np.asarray(deepest), 1)[self.labels], 0)

    @cached_property
    def dome(self) -> np.ndarray:
        """Height of a half sphere over each object, 0 to 1."""
        return np.asarray(np.sqrt(np.clip(1 - (1 - self.depth) ** 2, 0, 1)))

    @cached_property
    def away(self) -> np.ndarray:
        """Pixels to the nearest object, 0 within one."""
        return np.asarray(ndi.distance_transform_edt(~self.mask)) if self.count else np.full(self.labels.shape, 99.0)

    def each(self, low: float, high: float, spread: float = 0.0) -> np.ndarray:
        """A value for every object, uniform, times a log-normal one; 0 outside."""
        values = self.rng.uniform(low, high, self.count + 1) * np.exp(self.rng.normal(0, spread, self.count + 1))
        values[0] = 0
        return np.asarray(values[self.labels])

    def rim(self, width: float) -> np.ndarray:
        """1 on the rims of objects, falling off within about ``width`` pixels to both sides."""
        return np.asarray(np.exp(-(((self.depth_px - 0.5) * self.mask + self.away) ** 2) / (2 * width**2)))

    def grain(self, coarse: float, fine: float = 1.0) -> np.ndarray:
        """Noise of several grains."""
        return octaves(self.rng, self.edge, coarse, fine)
