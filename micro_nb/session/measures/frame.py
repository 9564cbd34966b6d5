"""The frame a tool looks at: pixels of a region, their physical area, and places in words."""

from __future__ import annotations

import math

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import UnitsError

_ROWS = ("top", "", "bottom")
_COLS = ("left", "", "right")


def pixel_box(img: MicroImage, region: Region | None) -> tuple[slice, slice]:
    """``(y, x)`` slices of the pixels whose centres lie in the region's box, so that two halves add up to the whole."""
    if region is None:
        return slice(0, img.plane_shape[0]), slice(0, img.plane_shape[1])
    place = region.to("px", img.pixel_size).clip(img.plane_shape)
    rows, cols = _centres(place.y0, place.y1), _centres(place.x0, place.x1)
    return rows, cols


def area_um2(img: MicroImage, rows: slice, cols: slice) -> float:
    """Physical area of a block of pixels."""
    if img.pixel_size is None:
        raise UnitsError(f"{img.name} has no pixel size, so areas cannot be given in µm²; pass pixel_size= to open_image")
    pixels = (rows.stop - rows.start) * (cols.stop - cols.start)
    return float(pixels * img.pixel_size["y"] * img.pixel_size["x"])


def place_words(img: MicroImage, y: float, x: float) -> str:
    """Where a point lies, in words of a three by three grid: ``"top left"``, ``"right"``, ``"center"`` ...

    >>> import numpy as np, micro_nb as mnb
    >>> img = mnb.open_image(np.zeros((90, 90), "uint8"))
    >>> place_words(img, 10, 80), place_words(img, 45, 45)
    ('top right', 'center')
    """
    height, width = img.plane_shape
    row = _ROWS[min(int(3 * y / height), 2)]
    col = _COLS[min(int(3 * x / width), 2)]
    return f"{row} {col}".strip() or "center"


def _centres(start: float, stop: float) -> slice:
    first, last = math.ceil(start - 0.5), math.ceil(stop - 0.5)
    return slice(first, max(last, first + 1))
