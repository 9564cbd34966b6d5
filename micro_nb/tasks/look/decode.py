"""Maps to objects: every foreground pixel votes for its object's centre; where votes gather there is an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.measure import label
from skimage.segmentation import watershed

from ...analysis.split import merged

_NEAR = (
    (0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 2), (2, 0), (0, -2), (-2, 0),
)  # fmt: skip
"""Steps to the pixels not farther than 2, the nearest first."""


@dataclass(frozen=True)
class Decoding:
    """How maps become objects, in map pixels; chosen on validation images.

    Attributes
    ----------
    foreground : least probability of an object's pixels.
    sigma : smoothing of the votes.
    votes : least number of votes, in the peak of their smoothed map, that make an object.
    neck : two peaks are one object where the votes between them are more than this share of the lower peak.
    reach : two centres nearer than this are one.
    smallest : least area.
    small, faint : objects of at most this area are let out to this probability.
    """

    foreground: float = 0.55
    sigma: float = 1.25
    votes: float = 4.0
    neck: float = 0.85
    reach: int = 2
    smallest: int = 4
    small: int = 24
    faint: float = 0.2


def objects_of(geometry: np.ndarray, decoding: Decoding) -> np.ndarray:
    """Objects of a window.

    Parameters
    ----------
    geometry : ``(4, h, w)``: foreground probability, distance, offsets y and x in map pixels.

    Returns
    -------
    ``(h, w) int32``, 0 is background.

    References
    ----------
    Centres by votes: H. Cheng et al., Panoptic-DeepLab, CVPR 2020; D. Neven et al., CVPR 2019.
    """
    shape = geometry.shape[1:]
    labels = np.zeros(shape, np.int32)
    inside = np.flatnonzero(geometry[0].ravel() > decoding.foreground)
    if inside.size == 0:
        return labels
    place = np.divmod(inside, shape[1])
    for_y, for_x = (
        np.rint(at + offset.ravel()[inside].astype(np.float32)).astype(np.int64).clip(0, n - 1)
        for at, offset, n in zip(place, geometry[2:], shape, strict=True)
    )
    choice = for_y * shape[1] + for_x
    votes = np.bincount(choice, minlength=labels.size).reshape(shape).astype(np.float32)
    labels.ravel()[inside] = _gathered(votes, decoding).ravel()[choice]
    return _grown(_whole(labels, decoding.smallest), geometry[0], decoding)


def _grown(labels: np.ndarray, foreground: np.ndarray, decoding: Decoding) -> np.ndarray:
    """Small objects let out to where they are faintly seen: a few map pixels wide, they are nowhere as sure as larger ones."""
    small = np.bincount(labels.ravel()) <= decoding.small
    small[0] = False
    if not small.any():
        return labels
    wide = labels.shape[1] + 4
    framed = np.pad(np.where(small[labels], labels, 0), 2).ravel()
    y, x = np.nonzero((labels == 0) & (foreground > decoding.faint))
    nearest = np.zeros(y.size, np.int32)
    for dy, dx in _NEAR:
        nearest = np.where(nearest == 0, framed[(y + 2 + dy) * wide + x + 2 + dx], nearest)
    labels[y, x] = nearest
    return labels


def _gathered(votes: np.ndarray, decoding: Decoding) -> np.ndarray:
    """Basins of the smoothed votes, one for each peak that is high enough."""
    smooth = ndi.gaussian_filter(votes, decoding.sigma, truncate=3.0)
    peaks = (smooth == ndi.maximum_filter(smooth, 2 * decoding.reach + 1)) & (
        smooth * 2 * np.pi * decoding.sigma**2 > decoding.votes
    )
    seeds, count = ndi.label(peaks, np.ones((3, 3)))
    basins = np.asarray(watershed(-smooth, seeds, mask=smooth > 0), np.int32)  # type: ignore[no-untyped-call]
    return merged(basins, smooth, decoding.neck) if count > 1 else basins


def _whole(labels: np.ndarray, smallest: int) -> np.ndarray:
    """The largest piece of each object, stray pixels given to the object around them, specks dropped; numbered from 1."""
    pieces = _pieces(labels)
    inside = np.flatnonzero(pieces.ravel())
    number = pieces.ravel()[inside]
    size = np.bincount(number, minlength=1)
    owner = np.zeros(size.size, np.int64)
    owner[number] = labels.ravel()[inside]
    largest = np.zeros(int(labels.max()) + 1, np.int64)
    np.maximum.at(largest, owner, size)
    main = (size > 0) & (size == largest[owner]) & (size >= smallest)
    kept = np.where(main[pieces], labels, 0)
    stray = (labels > 0) & (kept == 0)
    if stray.any():
        near = ndi.binary_dilation(stray) & (labels > 0)  # what lies elsewhere gives nothing to strays
        given = watershed(np.zeros(labels.shape, np.uint8), np.where(near, kept, 0), mask=near)  # type: ignore[no-untyped-call]
        kept = np.where(stray, given, kept)
    present = np.bincount(kept.ravel()) > 0
    present[0] = False
    return (np.cumsum(present) * present).astype(np.int32)[kept]


def _pieces(labels: np.ndarray) -> np.ndarray:
    """Connected pieces of equal label, numbered from 1; 0 stays 0."""
    return np.asarray(label(labels, background=0, connectivity=1))  # type: ignore[no-untyped-call]
