"""What lies at the rim of a picture: bands along an edge, and corners that the light does not reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from .whole import Whole

_SIDE = 400
_REACH = 0.3  # how far from its edge a band may lie, of the picture
_SPANS = 0.85  # share of the edge along which a band must be seen
_CORNER = 0.06  # edge of the square in a corner that is looked at, of the picture
_DARK, _LIT = 0.45, 0.6  # brightness of a dark corner and of the middle, of the lit field


@dataclass(frozen=True)
class Band:
    """A dark band along an edge: ``edge``, its ``box`` ``(x0, y0, x1, y1)`` in pixels of level 0, its ``contrast`` (share of the
    brightness of the rest by which it is darker), and the share of the edge along which it is seen (``spans``, 0 to 1)."""

    edge: str
    box: tuple[float, float, float, float]
    contrast: float
    spans: float


@dataclass(frozen=True)
class Corners:
    """Corners that are dark (``names``), and the brightness there as a share of that of the lit field (``ratio``)."""

    names: tuple[str, ...]
    ratio: float


def edge_bands(seen: Whole) -> tuple[Band, ...]:
    """Dark bands that run along an edge of the picture, the most conspicuous first."""
    grey, factor = seen.small(_SIDE)
    turned = {"top": grey, "bottom": grey[::-1], "left": grey.T, "right": grey.T[::-1]}
    found = []
    for edge, plane in turned.items():
        band = _band(plane)
        if band is not None:
            start, stop, contrast, spans = band
            found.append(Band(edge, _box(edge, start, stop, grey.shape, seen.factor * factor), contrast, spans))
    return tuple(sorted(found, key=lambda b: -b.contrast * b.spans))


def _band(plane: np.ndarray) -> tuple[int, int, float, float] | None:
    """First and last row, contrast and span of a dark band near the first row of ``plane``."""
    smooth = ndi.gaussian_filter1d(plane, 2, axis=1)
    reach = int(_REACH * len(plane))
    rest = smooth[reach:]
    typical, spread = float(np.median(rest)), float(np.percentile(rest, 50) - np.percentile(rest, 2))
    if typical < 0.15:
        return None  # on a dark background nothing dark can be seen
    floor = typical - max(1.5 * spread, 0.3 * typical)
    dark = smooth[:reach] < floor
    spans = float(dark.any(axis=0).mean())
    rows = dark.mean(axis=1)
    if spans < _SPANS or float(rows.max(initial=0)) < 0.3:
        return None
    at = np.flatnonzero(rows > 0.15)
    inside = smooth[:reach][dark]
    return int(at[0]), int(at[-1]) + 1, float(1 - inside.mean() / typical), spans


def _box(edge: str, start: int, stop: int, shape: tuple[int, ...], factor: float) -> tuple[float, float, float, float]:
    height, width = shape
    far = {"bottom": height, "right": width}.get(edge)
    first, last = (far - stop, far - start) if far is not None else (start, stop)
    box = (0, first, width, last) if edge in ("top", "bottom") else (first, 0, last, height)
    return tuple(float(v * factor) for v in box)  # type: ignore[return-value]


def dark_corners(seen: Whole) -> Corners:
    """Corners that lie outside a bright field: vignetting, a field stop, the rim of a well or of an aperture."""
    grey, _ = seen.small(_SIDE)
    height, width = grey.shape
    rows, cols = max(2, int(_CORNER * height)), max(2, int(_CORNER * width))
    middle = grey[height // 4 : -(height // 4), width // 4 : -(width // 4)]
    lit = float(np.percentile(middle, 75))
    corners = {
        "top left": grey[:rows, :cols], "top right": grey[:rows, -cols:],
        "bottom left": grey[-rows:, :cols], "bottom right": grey[-rows:, -cols:],
    }  # fmt: skip
    if lit < 0.25 or float(np.median(middle)) < _LIT * lit:
        return Corners((), 1.0)
    ratio = {name: float(np.percentile(part, 60)) / lit for name, part in corners.items()}
    dark = tuple(name for name, r in ratio.items() if r < _DARK)
    return Corners(dark, min(ratio.values()))
