"""What the network learns to say of each pixel: foreground, distance to the object's rim, and the way to its centre."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from .sample import UNKNOWN

OFFSET_UNIT = 16.0
"""Offsets are learned in units of this many pixels of the map."""
KNOWN = 4
"""The channel that says where the others hold, and how much they count."""
_ORDINARY, _MOST = 95.0, 4.0
"""Objects of less than this area, in map pixels, count more, by the square root of how much smaller they are, up to a limit."""


def geometry(labels: np.ndarray) -> np.ndarray:
    """Targets of one layer.

    Parameters
    ----------
    labels : ``(h, w) int32``; 0 background, -1 not known.

    Returns
    -------
    ``(5, h, w) float32``: foreground 0/1; distance to the object's rim, 1 at its deepest pixel; offsets y and x to its centre
    (the mean of its pixels weighed by squared depth: where it is widest) in units of :data:`OFFSET_UNIT`; how much each pixel
    counts: 0 where it is not known, else 1, and more in and around small objects, which have few pixels to be learned from.
    """
    fore = labels > 0
    out = np.zeros((5, *labels.shape), np.float32)
    out[0], out[KNOWN] = fore, labels != UNKNOWN
    if not fore.any():
        return out
    depth = np.where(fore, ndi.distance_transform_edt(fore & ~_touching(labels)) + 0.5, 0).astype(np.float32)
    out[KNOWN] *= _weights(labels)
    flat, inside = labels.ravel(), np.flatnonzero(labels.ravel() > 0)
    ids, d = flat[inside], depth.ravel()[inside]
    deepest = ndi.maximum(d, ids, np.arange(ids.max() + 1))
    out[1].ravel()[inside] = d / deepest[ids]
    y, x = np.divmod(inside, labels.shape[1])
    weight = np.bincount(ids, d * d)
    for channel, at in ((2, y), (3, x)):
        centre = np.bincount(ids, d * d * at) / np.maximum(weight, 1e-9)
        out[channel].ravel()[inside] = (centre[ids] - at) / OFFSET_UNIT
    return out


def _weights(labels: np.ndarray) -> np.ndarray:
    """At least 1; more in and two pixels around small objects."""
    areas = np.bincount(np.maximum(labels, 0).ravel())
    each = np.clip(np.sqrt(_ORDINARY / np.maximum(areas, 1)), 1, _MOST).astype(np.float32)
    each[0] = 1
    return np.asarray(ndi.maximum_filter(each[np.maximum(labels, 0)], 5))


def _touching(labels: np.ndarray) -> np.ndarray:
    """Pixels of an object beside another object."""
    found = np.zeros(labels.shape, bool)
    later, sooner, every = slice(1, None), slice(None, -1), slice(None)
    for a, b in (((later, every), (sooner, every)), ((every, later), (every, sooner))):
        meet = (labels[a] != labels[b]) & (labels[a] > 0) & (labels[b] > 0)
        found[a] |= meet
        found[b] |= meet
    return found
