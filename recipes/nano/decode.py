"""Maps to objects: every foreground pixel votes for its object's centre; where votes gather there is an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.measure import label
from skimage.segmentation import watershed


@dataclass(frozen=True)
class Decoding:
    """How maps become objects, in map pixels.

    Attributes
    ----------
    foreground : least probability of an object's pixels.
    sigma : smoothing of the votes.
    votes : least number of votes in a peak that make an object.
    neck : two peaks are one object where the votes between them are more than this share of the lower peak.
    seam : how much a pixel that is likely on a seam counts less as a voter, 0 to 1.
    hill : how much a seed under a vote adds to it.
    smallest : least area.
    """

    foreground: float = 0.5
    sigma: float = 1.25
    votes: float = 3.0
    neck: float = 0.85
    seam: float = 0.5
    hill: float = 0.0
    smallest: int = 4


def objects_of(geometry: np.ndarray, decoding: Decoding | None = None) -> np.ndarray:
    """Objects of a window.

    Parameters
    ----------
    geometry : ``(6, h, w)``: foreground probability, distance, offsets y and x in map pixels, probabilities of seam and seed.

    Returns
    -------
    ``(h, w) int32``, 0 is background.
    """
    how = decoding or Decoding()
    shape = geometry.shape[1:]
    labels = np.zeros(shape, np.int32)
    inside = np.flatnonzero(geometry[0].ravel() > how.foreground)
    if not inside.size:
        return labels
    place = np.divmod(inside, shape[1])
    to = [
        np.rint(at + way.ravel()[inside]).astype(np.int64).clip(0, n - 1)
        for at, way, n in zip(place, geometry[2:4], shape, strict=True)
    ]
    choice = to[0] * shape[1] + to[1]
    weight = 1 - how.seam * geometry[4].ravel()[inside]
    votes = np.bincount(choice, weight, labels.size).reshape(shape) * (1 + how.hill * geometry[5])
    labels.ravel()[inside] = gathered(votes.astype(np.float32), how).ravel()[choice]
    return whole(labels, how.smallest)


def gathered(votes: np.ndarray, how: Decoding) -> np.ndarray:
    """Basins of the smoothed votes, one for each peak that is high enough and parted from higher ones by a neck."""
    smooth = ndi.gaussian_filter(votes, how.sigma, truncate=3.0)
    peaks = (smooth == ndi.maximum_filter(smooth, 5)) & (smooth * 2 * np.pi * how.sigma**2 > how.votes)
    seeds, count = ndi.label(peaks, np.ones((3, 3)))
    basins = np.asarray(watershed(-smooth, seeds, mask=smooth > 0), np.int32)
    return joined(basins, smooth, how.neck) if count > 1 else basins


def joined(basins: np.ndarray, smooth: np.ndarray, neck: float) -> np.ndarray:
    """Basins joined where the highest saddle between them is above ``neck`` times the lower of their peaks."""
    peak = ndi.maximum(smooth, basins, np.arange(int(basins.max()) + 1))
    saddles: dict[tuple[int, int], float] = {}
    for turn in (np.asarray, np.transpose):
        both, height = turn(basins), turn(smooth)
        meet = (both[1:] != both[:-1]) & (both[1:] > 0) & (both[:-1] > 0)
        a, b, saddle = both[1:][meet], both[:-1][meet], np.minimum(height[1:], height[:-1])[meet]
        for i, j, s in zip(np.minimum(a, b).tolist(), np.maximum(a, b).tolist(), saddle.tolist(), strict=True):
            saddles[i, j] = max(saddles.get((i, j), 0.0), s)
    owner = np.arange(len(peak))
    for (i, j), s in sorted(saddles.items(), key=lambda pair: -pair[1]):
        i, j = _root(owner, i), _root(owner, j)
        if i != j and s > neck * min(peak[i], peak[j]):
            low, high = (i, j) if peak[i] < peak[j] else (j, i)
            owner[low] = high
    return np.asarray([_root(owner, k) for k in range(len(owner))], np.int32)[basins]


def _root(owner: np.ndarray, k: int) -> int:
    while owner[k] != k:
        k = int(owner[k])
    return k


def whole(labels: np.ndarray, smallest: int) -> np.ndarray:
    """The largest piece of each object, stray pixels given to the object around them, specks dropped; numbered from 1."""
    pieces = np.asarray(label(labels, background=0, connectivity=1))
    size = np.bincount(pieces.ravel())
    size[0] = 0
    owner = np.zeros(size.size, np.int64)
    owner[pieces.ravel()] = labels.ravel()
    largest = np.zeros(int(labels.max()) + 1, np.int64)
    np.maximum.at(largest, owner, size)
    main = (size > 0) & (size == largest[owner]) & (size >= smallest)
    kept = np.where(main[pieces], labels, 0)
    stray = (labels > 0) & (kept == 0)
    if stray.any():
        near = ndi.binary_dilation(stray) & (labels > 0)
        given = watershed(np.zeros(labels.shape, np.uint8), np.where(near, kept, 0), mask=near)
        kept = np.where(stray, given, kept)
    present = np.bincount(kept.ravel()) > 0
    present[0] = False
    return (np.cumsum(present) * present).astype(np.int32)[kept]
