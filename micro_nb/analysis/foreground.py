"""Where objects are, pixel by pixel: background, smoothing, a global floor and a local half-height edge.

The maps of a block are exact: they equal the maps of the whole plane, because the block is read with a halo that covers
everything a pixel depends on and coarse grids are anchored at the plane's origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

GUIDE = 100
"""Grey value of the guide map where a pixel is as bright as the objects around it."""


@dataclass(frozen=True)
class Edges:
    """How the foreground is found, in working pixels; fixed once for an image.

    Attributes
    ----------
    floor : signal above background below which nothing is an object.
    background : signal of the background.
    share : an object ends where the signal falls to this share of the objects around.
    diameter : of a typical object.
    sigma : smoothing of the signal.
    flatten : whether the background is uneven and is taken off locally.
    opening : whether one-pixel threads are cut.
    """

    floor: float
    background: float
    share: float
    diameter: float
    sigma: float
    flatten: bool
    opening: bool

    @property
    def cell(self) -> int:
        """Edge of a cell of the coarse grid on which slow maps are computed: an eighth of a diameter."""
        return max(2, round(self.diameter / 8))

    @property
    def halo(self) -> int:
        """Pixels around a block on which its maps depend."""
        slow = self.cell * (_NEAR_REACH + 3 + (2 * _REACH + 3 if self.flatten else 0))
        return math.ceil(slow + 4 * self.sigma + 3)


def maps(signal: np.ndarray, edges: Edges, origin: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Foreground and guide of a plane or of a block of it.

    Parameters
    ----------
    signal : ``(y, x) float32``, starting at ``origin``, a multiple of ``edges.cell`` in each direction.

    Returns
    -------
    ``(2, y, x) uint8``: foreground 0 or 1; guide, 100 where a pixel is as bright as the objects around it, at most 150.
    """
    if edges.flatten:
        signal = signal - uneven(signal, edges.cell, origin)
    level = _gauss(signal, edges.sigma) - np.float32(edges.background)
    sure = level > edges.floor
    if not sure.any():
        return np.zeros((2, *signal.shape), np.uint8)
    around = neighbours(level, sure, edges.cell, origin)
    mask = sure & (level > edges.share * around)
    if edges.opening:
        mask = _opened(mask)
    guide = np.clip(level / np.maximum(around, 1e-6), 0, 1.5) * GUIDE
    return np.stack([mask, np.where(sure, guide, 0)]).astype(np.uint8)


def neighbours(level: np.ndarray, inside: np.ndarray, cell: int, origin: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Mean of ``level`` over the pixels of ``inside`` near each pixel, by a Gaussian of half a diameter on the coarse grid."""
    total = _gauss(shrink(np.where(inside, level, np.float32(0)), cell), _NEAR, truncate=_NEAR_REACH / _NEAR)
    weight = _gauss(shrink(inside.astype(np.float32), cell), _NEAR, truncate=_NEAR_REACH / _NEAR)
    return _enlarge(total / np.maximum(weight, np.float32(1e-3)), level.shape, cell, origin)


def uneven(signal: np.ndarray, cell: int, origin: tuple[int, int] = (0, 0)) -> np.ndarray:
    """The slowly varying background: the least block mean within two diameters, smoothed; a cell is an eighth of a diameter."""
    lowest = ndi.minimum_filter(shrink(signal, cell), size=2 * _REACH + 1, mode="nearest")
    return _enlarge(_gauss(lowest, _REACH / 2, truncate=2.0, mode="nearest"), signal.shape, cell, origin)


def shrink(plane: np.ndarray, factor: int) -> np.ndarray:
    """Block means over ``factor x factor`` pixels; rims that are not whole blocks are continued by their last pixel."""
    if factor == 1:
        return plane
    short = [(-n) % factor for n in plane.shape]
    if any(short):
        plane = np.pad(plane, [(0, s) for s in short], mode="edge")
    rows = plane[0::factor].astype(np.float32)
    for k in range(1, factor):
        rows = rows + plane[k::factor]
    out = rows[:, 0::factor]
    for k in range(1, factor):
        out = out + rows[:, k::factor]
    return out / np.float32(factor * factor)  # type: ignore[no-any-return]


_REACH = 16
_NEAR, _NEAR_REACH = 4.0, 12
"""Cells of the coarse grid: how far the background is sought, and the Gaussian (and its end) of an object's neighbourhood."""


def _gauss(plane: np.ndarray, sigma: float, *, truncate: float = 4.0, mode: str = "reflect") -> np.ndarray:
    return ndi.gaussian_filter(plane, sigma, truncate=truncate, mode=mode) if sigma > 0 else plane  # type: ignore[no-any-return]


def _opened(mask: np.ndarray) -> np.ndarray:
    """Binary opening by a cross of 5 pixels; outside the block there is nothing."""
    wide = np.pad(mask, 2)
    inner = wide[1:-1, 1:-1] & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    kept = inner[1:-1, 1:-1] | inner[:-2, 1:-1] | inner[2:, 1:-1] | inner[1:-1, :-2] | inner[1:-1, 2:]
    return kept  # type: ignore[no-any-return]


def _enlarge(coarse: np.ndarray, shape: tuple[int, ...], cell: int, origin: tuple[int, int]) -> np.ndarray:
    rows = _between(coarse, shape[0], cell, origin[0], axis=0)
    return _between(rows, shape[1], cell, origin[1], axis=1)


def _between(coarse: np.ndarray, length: int, cell: int, start: int, axis: int) -> np.ndarray:
    """Linear interpolation along one axis from cell centres; weights from whole numbers, so that blocks agree."""
    place = 2 * (np.arange(length) + start) + 1 - cell
    low = place // (2 * cell) - start // cell
    weight = ((place % (2 * cell)) / (2 * cell)).astype(np.float32)
    last = coarse.shape[axis] - 1
    first, second = (np.take(coarse, np.clip(low + k, 0, last), axis=axis) for k in (0, 1))
    shape = [1, 1]
    shape[axis] = length
    weight = weight.reshape(shape)
    return first * (1 - weight) + second * weight
