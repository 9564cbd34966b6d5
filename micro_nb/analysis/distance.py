"""Distance to the background, exact; several times faster than the general way where objects are mostly thin."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

_FAR = 127
"""Widest reach of the fast way; twice its square fits 16 bits."""
_BAND = 32


def distance(mask: np.ndarray) -> np.ndarray:
    """``(y, x) float32``: from each pixel of ``mask`` to the nearest pixel outside it, 0 outside; the rim is no background.

    References
    ----------
    Columns first, then rows: T. Saito and J. Toriwaki, Pattern Recognit. 27 (1994) 1551-1565.
    """
    squared = _along_columns(mask)
    for top in range(0, len(squared), _BAND):
        band = squared[top : top + _BAND]
        if band.any():
            _along_rows(band)
    if int(squared.max(initial=0)) >= _FAR * _FAR // 2:
        return ndi.distance_transform_edt(mask).astype(np.float32)  # type: ignore[no-any-return]
    return np.sqrt(squared, dtype=np.float32)  # type: ignore[no-any-return]


def _along_rows(band: np.ndarray) -> None:
    """Lowers squared distances, in place, by what columns to the left and right offer; ends where no step can help."""
    wide = np.pad(band, ((0, 0), (_FAR, _FAR)), constant_values=_FAR * _FAR)
    shifted, width = np.empty_like(band), band.shape[1]
    for step in range(1, _FAR):
        if step % 2 and step * step >= int(band.max()):
            return
        for start in (_FAR - step, _FAR + step):
            np.add(wide[:, start : start + width], np.int16(step * step), out=shifted)
            np.minimum(band, shifted, out=band)


def _along_columns(mask: np.ndarray) -> np.ndarray:
    """Squared distance within the column, ``int16``, at most ``_FAR ** 2``."""
    near = np.where(mask, np.int16(_FAR), np.int16(0))
    further = np.empty_like(near[0])
    for downwards in (near, near[::-1]):
        for y in range(1, len(near)):
            np.add(downwards[y - 1], np.int16(1), out=further)
            np.minimum(downwards[y], further, out=downwards[y])
    return near * near
