"""Maps to objects: every foreground pixel votes for its object's centre; where votes gather there is an object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.measure import label
from skimage.segmentation import expand_labels, watershed

from ..analysis.split import merged


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
    y, x = np.nonzero(geometry[0] > decoding.foreground)
    labels = np.zeros(shape, np.int32)
    if y.size == 0:
        return labels
    offset = geometry[2:, y, x].astype(np.float32)
    vy = np.rint(y + offset[0]).astype(np.int64).clip(0, shape[0] - 1)
    vx = np.rint(x + offset[1]).astype(np.int64).clip(0, shape[1] - 1)
    votes = np.bincount(vy * shape[1] + vx, minlength=labels.size).reshape(shape).astype(np.float32)
    labels[y, x] = _gathered(votes, decoding)[vy, vx]
    return _grown(_whole(labels, decoding.smallest), geometry[0], decoding)


def _grown(labels: np.ndarray, foreground: np.ndarray, decoding: Decoding) -> np.ndarray:
    """Small objects let out to where they are faintly seen: a few map pixels wide, they are nowhere as sure as larger ones."""
    small = (np.bincount(labels.ravel()) <= decoding.small)[labels] & (labels > 0)
    if not small.any():
        return labels
    wide = expand_labels(np.where(small, labels, 0), 2)  # type: ignore[no-untyped-call]
    return np.where((labels == 0) & (foreground > decoding.faint), wide, labels).astype(np.int32)


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
    """The largest piece of each object, stray pixels given to the object around them, specks dropped."""
    pieces = _pieces(labels)
    owner = np.zeros(int(pieces.max()) + 1, np.int64)
    owner[pieces.ravel()] = labels.ravel()
    size = np.bincount(pieces.ravel(), minlength=owner.size)
    size[0] = 0
    largest = np.zeros(int(labels.max()) + 1, np.int64)
    np.maximum.at(largest, owner, size)
    main = (size > 0) & (size == largest[owner]) & (size >= smallest)
    kept = np.where(main[pieces], labels, 0)
    stray = (labels > 0) & (kept == 0)
    if stray.any():
        kept = np.where(stray, watershed(np.zeros(labels.shape, np.uint8), kept, mask=labels > 0), kept)  # type: ignore[no-untyped-call]
    present, numbers = np.unique(kept, return_inverse=True)
    return (numbers.reshape(kept.shape) + (1 if present[0] > 0 else 0)).astype(np.int32)


def _pieces(labels: np.ndarray) -> np.ndarray:
    """Connected pieces of equal label, numbered from 1; 0 stays 0."""

    return np.asarray(label(labels, background=0, connectivity=1))  # type: ignore[no-untyped-call]
