"""Maps to objects: every foreground pixel votes for its object's centre; where votes gather there is an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.measure import label
from skimage.segmentation import watershed

from ...analysis.split import merged

_REACH = 2  # two centres nearer than this many map pixels are one
_SMALL, _FEW = 40, 5  # pixels along the inside of an object that is left as it is; and along its outside that say nothing


@dataclass(frozen=True)
class Decoding:
    """How maps become objects, in map pixels.

    Attributes
    ----------
    foreground : least probability of the pixels that vote.
    rim : an object ends where the probability is less than this share of the mean over its pixels that vote.
    edge, clear : within a pixel of there, it ends where the brightness has come this share of the way from just outside to just
        inside, where the two differ by so many standard deviations.
    sigma : smoothing of the votes.
    votes : least number of votes in a peak that make an object.
    neck : two peaks are one object where votes times depth between them are more than this share of the lower peak.
    certainty : least mean probability of an object.
    evidence : least sum over its pixels of how far they are from doubt, 0 at a probability of 0.5 and 1 at 1.
    """

    foreground: float = 0.5
    rim: float = 0.55
    edge: float = 0.43
    clear: float = 3.0
    sigma: float = 1.5
    votes: float = 5.0
    neck: float = 0.8
    certainty: float = 0.75
    evidence: float = 8.0


def objects_of(geometry: np.ndarray, decoding: Decoding) -> np.ndarray:
    """Objects of a window ``(h, w) int32``, 0 is background.

    ``geometry (4, h, w)`` holds probability of the foreground, distance, offsets y and x in map pixels; more is not looked at.
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
    labels = _whole(labels)
    mean, sure = _seen(labels, geometry[0], decoding)
    kept = (mean >= decoding.certainty) & (sure >= decoding.evidence)
    return np.asarray((np.cumsum(kept) * kept).astype(np.int32)[labels])


def outlined(labels: np.ndarray, grey: np.ndarray, decoding: Decoding) -> np.ndarray:
    """Objects ``(h, w)`` whose outlines have moved by a pixel at most to where the brightness ``grey (h, w)`` changes, where it
    clearly does; those that touch one another go on touching."""
    if not labels.any():
        return labels.copy()
    filled, wide = labels > 0, np.pad(labels, 1, mode="edge")
    beside = (wide[2:, 1:-1], wide[:-2, 1:-1], wide[1:-1, 2:], wide[1:-1, :-2])
    rim, shared = (np.any([(labels != w) & (w >= least) for w in beside], axis=0) for least in (0, 1))
    within, near = np.where(rim | ~filled, np.where(filled, labels, -1), 0), labels.copy()
    edge = np.flatnonzero(filled & rim)
    place = np.concatenate([np.flatnonzero(filled & rim & ~shared), beyond := _ring(near, edge)])
    (inside, spread), (out, spread_out) = _brightness(within, edge, grey, _SMALL), _brightness(near, beyond, grey, _FEW)
    contrast, own = inside - out, near.ravel()[place]
    clear = (np.abs(contrast) > decoding.clear * np.maximum(spread, spread_out))[own]
    place, own = place[clear], own[clear]
    moved = labels.copy()
    moved.ravel()[place] = np.where((grey.ravel()[place] - out[own]) / contrast[own] > decoding.edge, own, 0)
    return _whole(moved)


def _ring(owner: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The pixels beside some that are nobody's yet, and from now on theirs."""
    x, found, width, owner = at % owner.shape[1], [], owner.shape[1], owner.ravel()
    for step, there in ((-width, at >= width), (width, at < owner.size - width), (-1, x > 0), (1, x < width - 1)):
        of = at[there]
        of = of[owner[of + step] == 0]
        owner[of + step] = owner[of]
        found.append(of + step)
    return np.concatenate(found)


def _brightness(owner: np.ndarray, at: np.ndarray, grey: np.ndarray, few: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each object mean and standard deviation of the brightness of two rings; the latter without end of few pixels."""
    at = np.concatenate([first := _ring(owner, at), _ring(owner, first)])
    value, number, count = grey.ravel()[at], owner.ravel()[at], int(owner.max()) + 1
    n, total, squares = (np.bincount(number, v, count) for v in (None, value, value**2))
    mean = total / np.maximum(n, 1)
    return mean, np.where(n < few, np.inf, np.sqrt(np.maximum(squares / np.maximum(n, 1) - mean**2, 0)))


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
    basins = np.asarray(watershed(-smooth, seeds, mask=smooth > 0), np.int32)  # type: ignore[no-untyped-call]
    return merged(basins, smooth * depth.clip(0), decoding.neck) if count > 1 else basins


def _whole(labels: np.ndarray) -> np.ndarray:
    """The largest piece of each object."""
    pieces = np.asarray(label(labels, background=0, connectivity=1))  # type: ignore[no-untyped-call]
    inside = np.flatnonzero(pieces.ravel())
    number = pieces.ravel()[inside]
    size = np.bincount(number, minlength=1)
    owner = np.zeros(size.size, np.int64)
    owner[number] = labels.ravel()[inside]
    largest = np.zeros(int(labels.max()) + 1, np.int64)
    np.maximum.at(largest, owner, size)
    main = (size > 0) & (size == largest[owner])
    return np.where(main[pieces], labels, 0)
