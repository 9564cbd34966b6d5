"""Touching objects apart: basins of the smoothed depth, merged again where the neck between them is wide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from .distance import distance
from .foreground import GUIDE


@dataclass(frozen=True)
class Parting:
    """How touching objects are parted, in working pixels; fixed once for an image.

    Attributes
    ----------
    diameter : of a typical object.
    neck : two basins stay apart where the saddle between them is below this share of the lower peak.
    smooth : smoothing of the depth in diameters; texture and ragged edges need more.
    brightness : how much brightness counts beside depth, 0 to 1; none where objects are pale in the middle.
    smallest : area in pixels below which an object is dropped.
    """

    diameter: float
    neck: float
    smooth: float
    brightness: float
    smallest: float


def split(mask: np.ndarray, guide: np.ndarray, parting: Parting) -> np.ndarray:
    """Objects of a window.

    Parameters
    ----------
    mask : ``(y, x) bool`` foreground.
    guide : ``(y, x) uint8``, see :func:`micro_nb.analysis.foreground.maps`.

    Returns
    -------
    ``(y, x) int32``, 0 is background.
    """
    mask = fill_holes(mask, largest=parting.diameter**2)
    parts, n = ndi.label(mask)
    if n == 0:
        return np.zeros(mask.shape, np.int32)
    labels = _drop_small(parts.astype(np.int32), parting.smallest)
    depth = _depth(labels > 0, guide, parting)
    seeds = _seeds(depth, parting.diameter)
    several = _many_peaked(labels, seeds)
    if several.any():
        basins = watershed(-depth, np.where(several, seeds, 0), mask=several).astype(np.int32)  # type: ignore[no-untyped-call]
        labels = np.where(several, merged(basins, depth, parting.neck) + labels.max(), labels)
    return _drop_small(labels, parting.smallest)


def fill_holes(mask: np.ndarray, *, largest: float) -> np.ndarray:
    """``mask`` without its enclosed holes of at most ``largest`` pixels."""
    holes, n = ndi.label(~mask)
    if n < 2:
        return mask
    sizes = np.bincount(holes.ravel(), minlength=n + 1)
    small = sizes <= largest
    small[0] = False
    small[np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])] = False
    return mask | small[holes]  # type: ignore[no-any-return]


def _depth(mask: np.ndarray, guide: np.ndarray, parting: Parting) -> np.ndarray:
    """Smoothed distance to the background, weighed by brightness; 0 outside."""
    depth = distance(mask)
    depth *= np.float32(1 - parting.brightness) + guide * np.float32(parting.brightness / GUIDE)
    smooth = ndi.gaussian_filter(depth, max(0.7, parting.smooth * parting.diameter), truncate=3.0)
    return np.where(mask, smooth, np.float32(0))  # type: ignore[no-any-return]


def _seeds(depth: np.ndarray, diameter: float) -> np.ndarray:
    """Numbered peaks, ``int32``."""
    reach = 2 * max(1, round(0.1 * diameter)) + 1
    peaks = (depth > 0) & (depth == ndi.maximum_filter(depth, reach))
    return ndi.label(peaks, np.ones((3, 3)))[0]  # type: ignore[no-any-return]


def _many_peaked(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The objects of ``labels`` with more than one seed, as a mask; only these need the watershed."""
    at = np.flatnonzero(seeds)
    owner = np.zeros(int(seeds.max(initial=0)) + 1, np.int64)
    owner[seeds.ravel()[at]] = labels.ravel()[at]
    counts = np.bincount(owner[1:], minlength=int(labels.max()) + 1)
    return (counts > 1)[labels] & (labels > 0)  # type: ignore[no-any-return]


def merged(basins: np.ndarray, depth: np.ndarray, neck: float) -> np.ndarray:
    """Joins neighbours over their highest saddles first, while a saddle exceeds ``neck`` of the lower peak."""
    n = int(basins.max())
    inside = np.flatnonzero(basins.ravel())
    peak = np.zeros(n + 1, depth.dtype)
    np.maximum.at(peak, basins.ravel()[inside], depth.ravel()[inside])
    first, second, saddle = _saddles(basins, depth)
    root = np.arange(n + 1)

    def find(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = int(root[k])
        return k

    ratio = saddle / np.maximum(np.minimum(peak[first], peak[second]), 1e-9)
    for i in np.argsort(-ratio, kind="stable"):
        a, b = find(int(first[i])), find(int(second[i]))
        if a != b and saddle[i] > neck * min(peak[a], peak[b]):
            a, b = (a, b) if peak[a] >= peak[b] else (b, a)
            root[b] = a
    return np.array([find(k) for k in range(n + 1)], np.int32)[basins]  # type: ignore[no-any-return]


def _saddles(basins: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of neighbouring basins and the highest depth on their common border."""
    keys, heights = [], []
    n = int(basins.max()) + 1
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        a, b = basins[here], basins[there]
        touch = np.flatnonzero((a != b) & (a > 0) & (b > 0))
        a, b = a.ravel()[touch].astype(np.int64), b.ravel()[touch].astype(np.int64)
        keys.append(np.minimum(a, b) * n + np.maximum(a, b))
        heights.append(np.minimum(depth[here].ravel()[touch], depth[there].ravel()[touch]))
    key, height = np.concatenate(keys), np.concatenate(heights)
    order = np.lexsort((-height, key))
    pairs, at = np.unique(key[order], return_index=True)
    return pairs // n, pairs % n, height[order][at]


def _drop_small(labels: np.ndarray, smallest: float) -> np.ndarray:
    """Consecutive labels of the objects of at least ``smallest`` pixels."""
    keep = np.bincount(labels.ravel()) >= max(smallest, 1)
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[labels]  # type: ignore[no-any-return]
