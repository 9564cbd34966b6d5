"""What the network learns to say of a crop, from its labels: maps, centres and sizes of each layer."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from ..models.tile_network import OFFSET_UNIT
from .sample import UNKNOWN

CHANNELS = ("foreground", "distance", "offset_y", "offset_x", "boundary", "seed", "weight", "nearness")
KNOWN = CHANNELS.index("weight")
"""The channel that says where the others hold, and how much they count."""
_ORDINARY, _HEAVIEST = 95.0, 4.0
"""Objects of less than this area, in map pixels, count more, by the square root of how much smaller they are, up to a limit."""
_TYPICAL = 11.0
"""Diameter of typical objects in map pixels; offsets within larger ones are held to the same share of their size."""
_SEED_SIGMA = 0.15
"""Width of the hill over a centre, in diameters of the object."""
_SEAM = 1.5
"""Pixels nearer than this to two objects lie on the seam between them."""


def targets(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Targets of one layer.

    Parameters
    ----------
    labels : ``(h, w) int32``, numbered from 1; 0 background, -1 not known.

    Returns
    -------
    maps : ``(8, h, w) float32``, see :data:`CHANNELS`. Distance is 1 at an object's deepest pixel; offsets lead to the mean of
        its pixels weighed by squared depth, that is to where it is widest; the weight is 0 where nothing is known; nearness is
        how much a pixel of error in an offset counts: less in large objects.
    objects : ``(n, 3) float32``: y, x of each object's centre and its diameter, in map pixels.
    """
    fore = labels > 0
    out = np.zeros((len(CHANNELS), *labels.shape), np.float32)
    out[0], out[6] = fore, labels != UNKNOWN
    if not fore.any():
        return out, np.zeros((0, 3), np.float32)
    seam = seams(labels)
    depth = np.where(fore, ndi.distance_transform_edt(fore & ~_rims(labels)) + 0.5, 0).astype(np.float32)
    inside = np.flatnonzero(fore.ravel())
    ids, d = labels.ravel()[inside] - 1, depth.ravel()[inside]
    count = int(ids.max()) + 1
    area = np.bincount(ids, minlength=count)
    weight = np.maximum(np.bincount(ids, d * d, count), 1e-9)
    place = np.divmod(inside, labels.shape[1])
    centre = np.stack([np.bincount(ids, d * d * at, count) / weight for at in place])
    diameter = 2 * np.sqrt(np.maximum(area, 1) / np.pi)
    way = np.stack([centre[k][ids] - place[k] for k in (0, 1)])
    deepest = ndi.maximum(d, ids, np.arange(count))
    flat = out.reshape(len(CHANNELS), -1)
    flat[1, inside] = d / deepest[ids]
    flat[2:4, inside] = way / OFFSET_UNIT
    sigma = np.maximum(1.0, _SEED_SIGMA * diameter)[ids]
    flat[5, inside] = np.exp(-(way**2).sum(0) / (2 * sigma**2))
    flat[7, inside] = np.minimum(1.0, _TYPICAL / diameter)[ids]
    out[4] = seam
    out[6] *= _weights(labels, area)
    return out, np.concatenate([centre, diameter[None]]).T.astype(np.float32)


def _weights(labels: np.ndarray, area: np.ndarray) -> np.ndarray:
    """At least 1; more in and two pixels around small objects."""
    each = np.clip(np.sqrt(_ORDINARY / np.maximum(area, 1)), 1, _HEAVIEST).astype(np.float32)
    return np.asarray(ndi.maximum_filter(np.concatenate([[1.0], each])[np.maximum(labels, 0)], 5))


def _rims(labels: np.ndarray) -> np.ndarray:
    """Pixels of an object beside another object."""
    found = np.zeros(labels.shape, bool)
    later, sooner, every = slice(1, None), slice(None, -1), slice(None)
    for a, b in (((later, every), (sooner, every)), ((every, later), (every, sooner))):
        meet = (labels[a] != labels[b]) & (labels[a] > 0) & (labels[b] > 0)
        found[a] |= meet
        found[b] |= meet
    return found


def seams(labels: np.ndarray) -> np.ndarray:
    """Pixels within :data:`_SEAM` of two objects: the rims of those that touch, the narrow gap of those that nearly do."""
    reach = int(np.ceil(_SEAM))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = y**2 + x**2 <= _SEAM**2
    top = ndi.maximum_filter(np.maximum(labels, 0), footprint=disc)
    low = ndi.minimum_filter(np.where(labels > 0, labels, np.int32(1 << 30)), footprint=disc)
    return np.asarray((top > 0) & (low < top))
