"""Places of a large plane that stand for all of it: much of a slide is glass, and nothing can be learnt from that."""

from __future__ import annotations

import numpy as np

from ...data.image import MicroImage

LARGE = 1 << 22
"""Planes of more pixels than this are looked at where something shows; smaller ones at two fixed places."""
FIXED = ((0.3, 0.35), (0.7, 0.6))
_ACROSS, _SIDE, _CHOSEN, _SHOWS, _BEST = 6, 256, 4, 0.5, 90
"""Windows along each axis and pixels of level 0 along one; how many are chosen, among those whose contrast is this share of the
percentile of all contrasts."""


def windows(plane: MicroImage) -> list[tuple[tuple[float, float], np.ndarray]]:
    """Windows spread evenly over a plane: the middle of each, in shares of the plane, and its pixels ``(..., h, w)``."""
    lead = (slice(None),) * (len(plane.axes) - 2)
    starts = [np.linspace(0, n - min(n, _SIDE), _ACROSS).astype(int) for n in plane.plane_shape]
    height, width = plane.plane_shape
    return [
        (((y + _SIDE / 2) / height, (x + _SIDE / 2) / width), plane.read(0, (*lead, slice(y, y + _SIDE), slice(x, x + _SIDE))))
        for y in starts[0]
        for x in starts[1]
    ]


def telling(plane: MicroImage) -> tuple[tuple[float, float], ...]:
    """Middles of places where something shows, in shares of the plane: spread evenly over those of much contrast."""
    if plane.plane_shape[0] * plane.plane_shape[1] <= LARGE:
        return FIXED
    middles, seen = zip(*windows(plane), strict=True)
    contrast = np.array([_contrast(pixels) for pixels in seen])
    shows = np.flatnonzero(contrast >= _SHOWS * np.percentile(contrast, _BEST))
    chosen = shows[np.linspace(0, len(shows) - 1, _CHOSEN + 2).round().astype(int)[1:-1]]
    return tuple(middles[k] for k in dict.fromkeys(chosen.tolist()))


def _contrast(pixels: np.ndarray) -> float:
    """Standard deviation of the grey values of a window; where some are missing, of the others."""
    grey = pixels.astype(np.float32).reshape(-1, *pixels.shape[-2:]).mean(0)
    there = grey[np.isfinite(grey)]
    return float(there.std()) if there.size else 0.0
