"""Maps to objects: every foreground pixel votes for its object's centre; where votes gather there is an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.measure import label
from skimage.segmentation import watershed

from ...analysis.split import merged

_REACH = 2  # two centres nearer than this many map pixels are one
_FEW = 5  # pixels whose brightness says nothing


@dataclass(frozen=True)
class Decoding:
    """How maps become objects, in map pixels.

    Attributes
    ----------
    foreground : least probability of the pixels that vote.
    rim : an object ends where the probability is less than this share of the mean over its pixels that vote.
    edge, clear : within a pixel of there, it ends where the brightness has come this share of the way from what is around it to
        what is in it, where the two differ by so many standard deviations.
    sigma : smoothing of the votes.
    votes : least number of votes in a peak that make an object.
    neck : two peaks are one object where votes times depth between them are more than this share of the lower peak.
    certainty : least mean probability of an object.
    evidence : least sum over its pixels of how far they are from doubt, 0 at a probability of 0.5 and 1 at 1.
    """

    foreground: float = 0.5
    rim: float = 0.55
    edge: float = 0.43
    clear: float = 2.5
    sigma: float = 1.5
    votes: float = 5.0
    neck: float = 0.8
    certainty: float = 0.75
    evidence: float = 8.0


def objects_of(geometry: np.ndarray, decoding: Decoding, grey: np.ndarray | None = None) -> np.ndarray:
    """Objects of a window ``(h, w) int32``, 0 is background.

    ``geometry (4, h, w)`` holds probability of the foreground, distance, offsets y and x in map pixels; more is not looked at.
    ``grey (h, w)`` is the brightness of the map pixels, where outlines are to follow it.
    Centres by votes: H. Cheng et al., Panoptic-DeepLab, CVPR 2020; D. Neven et al., CVPR 2019.
    """
    shape = geometry.shape[1:]
    labels = np.zeros(shape, np.int32)
    inside = np.flatnonzero(geometry[0].ravel() > decoding.rim * decoding.foreground)
    if inside.size == 0:
        return labels
    place = np.divmod(inside, shape[1])
    for_y, for_x = (
        np.rint(at + offset.ravel()[inside].astype(np.float32, copy=False)).astype(np.int64).clip(0, n - 1)
        for at, offset, n in zip(place, geometry[2:4], shape, strict=True)
    )
    choice = for_y * shape[1] + for_x
    voting = choice[geometry[0].ravel()[inside] > decoding.foreground]
    votes = np.bincount(voting, minlength=labels.size).reshape(shape).astype(np.float32)
    labels.ravel()[inside] = _gathered(votes, geometry[1].astype(np.float32, copy=False), decoding).ravel()[choice]
    mean, _ = _seen(labels, geometry[0], decoding)
    labels[geometry[0] < decoding.rim * mean[labels]] = 0
    labels = _whole(labels if grey is None else _edged(labels, grey, decoding))
    mean, sure = _seen(labels, geometry[0], decoding)
    kept = (mean >= decoding.certainty) & (sure >= decoding.evidence)
    return np.asarray((np.cumsum(kept) * kept).astype(np.int32)[labels])


def _edged(labels: np.ndarray, grey: np.ndarray, decoding: Decoding) -> np.ndarray:
    """The same objects, whose outlines have moved by a pixel at most to where the brightness changes, where it clearly does."""
    rim = np.zeros(labels.shape, bool)
    for a, b in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = labels[a] != labels[b]
        rim[a] |= differ
        rim[b] |= differ
    near, light, count, filled = labels.ravel().copy(), grey.ravel(), int(labels.max()) + 1, labels > 0
    core, rings = np.flatnonzero(filled & ~rim), [np.flatnonzero(filled & rim)]
    for _ in range(3):
        rings.append(_ring(near, rings[-1], labels.shape[1]))
    place, around = np.concatenate(rings[:2]), np.concatenate(rings[2:])
    (inside, spread), (out, spread_out) = (_brightness(near[at], light[at], count) for at in (core, around))
    contrast, own = inside - out, near[place]
    clear = np.abs(contrast) > decoding.clear * np.maximum(spread, spread_out)
    place, own = place[clear[own]], own[clear[own]]
    labels.ravel()[place] = np.where((light[place] - out[own]) / contrast[own] > decoding.edge, own, 0)
    return labels


def _ring(near: np.ndarray, at: np.ndarray, width: int) -> np.ndarray:
    """The pixels beside some that are nobody's yet, and from now on theirs."""
    x, found = at % width, []
    for step, there in ((-width, at >= width), (width, at < near.size - width), (-1, x > 0), (1, x < width - 1)):
        of = at[there]
        of = of[near[of + step] == 0]
        near[of + step] = near[of]
        found.append(of + step)
    return np.concatenate(found)


def _brightness(number: np.ndarray, value: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the brightness of each object; of too few pixels the latter is without end."""
    n, total, squares = (np.bincount(number, v, count) for v in (None, value, value * value))
    mean = total / np.maximum(n, 1)
    return mean, np.where(n < _FEW, np.inf, np.sqrt(np.maximum(squares / np.maximum(n, 1) - mean**2, 0)))


def _seen(labels: np.ndarray, foreground: np.ndarray, decoding: Decoding) -> tuple[np.ndarray, np.ndarray]:
    """Of each label, by its pixels that vote, the mean probability and the sum of how far they are from doubt; 0 of none."""
    numbers, p = np.where(foreground > decoding.foreground, labels, 0).ravel(), foreground.ravel()
    total, sure, n = (np.bincount(numbers, v, int(labels.max()) + 1) for v in (p, np.maximum(2 * p - 1, 0), None))
    total[0] = 0
    return total / np.maximum(n, 1), sure


def _gathered(votes: np.ndarray, depth: np.ndarray, decoding: Decoding) -> np.ndarray:
    """Basins of the smoothed votes, one for each peak that is high enough."""
    smooth = ndi.gaussian_filter(votes, decoding.sigma, truncate=3.0)
    peaks = (smooth == ndi.maximum_filter(smooth, 2 * _REACH + 1)) & (smooth * 2 * np.pi * decoding.sigma**2 > decoding.votes)
    seeds, count = ndi.label(peaks, np.ones((3, 3)))
    basins = _flooded(smooth, seeds, count)
    return merged(basins, smooth * depth.clip(0), decoding.neck) if count > 1 else basins


def _flooded(smooth: np.ndarray, seeds: np.ndarray, count: int) -> np.ndarray:
    """Basins of the ``seeds`` where ``smooth`` is above 0; a part that one seed has to itself needs no watershed."""
    parts, n = ndi.label(smooth > 0)
    at = np.flatnonzero(seeds)
    part, seed = np.divmod(np.unique(parts.ravel()[at].astype(np.int64) * (count + 1) + seeds.ravel()[at]), count + 1)
    several = np.bincount(part, minlength=n + 1) > 1
    alone = np.zeros(n + 1, np.int32)
    alone[part] = np.where(several[part], 0, seed)
    shared = several[parts]
    basins = watershed(-smooth, seeds, mask=shared) if shared.any() else 0  # type: ignore[no-untyped-call]
    return np.asarray(alone[parts] + basins, np.int32)


def _whole(labels: np.ndarray) -> np.ndarray:
    """The largest piece of each object, stray pixels given to the object around them."""
    pieces = np.asarray(label(labels, background=0, connectivity=1))  # type: ignore[no-untyped-call]
    inside = np.flatnonzero(pieces.ravel())
    number = pieces.ravel()[inside]
    size = np.bincount(number, minlength=1)
    owner = np.zeros(size.size, np.int64)
    owner[number] = labels.ravel()[inside]
    largest = np.zeros(int(labels.max()) + 1, np.int64)
    np.maximum.at(largest, owner, size)
    main = (size > 0) & (size == largest[owner])
    kept = np.where(main[pieces], labels, 0)
    stray = (labels > 0) & (kept == 0)
    if stray.any():
        near = ndi.binary_dilation(stray) & (labels > 0)  # what lies elsewhere gives nothing to strays
        given = watershed(np.zeros(labels.shape, np.uint8), np.where(near, kept, 0), mask=near)  # type: ignore[no-untyped-call]
        kept = np.where(stray, given, kept)
    return np.asarray(kept, np.int32)
