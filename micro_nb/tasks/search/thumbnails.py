"""Small pictures of what an index holds: JPEG of capped size, cut with the contrast of the whole image."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ...data.image import MicroImage
from ...data.region import Region
from ...render.frame import Frame
from ...render.look import Look
from ...render.result_view import SIDE_PX

MOST_BYTES = 16_384
MOST_FILES = 2_000
"""Of tiles and objects of one image at most this many are kept; others are cut from the image when they are shown."""
OBJECT_CONTEXT = 0.35
"""An object is recognised by what is beside it: so much of its longer side is shown around it."""
Box = Sequence[float] | np.ndarray
_QUALITIES = (85, 70, 50, 30)


def thumbnail(img: MicroImage, box: Box | None = None, *, context: float = 0.0) -> bytes:
    """A JPEG of the image or of a part of it, at most :data:`SIDE_PX` wide and high and :data:`MOST_BYTES` long.

    Of a ``box (y0, x0, y1, x1)`` in px of level 0, enlarged at most 4 times, with a share of its longer side around it.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> thumbnail(mnb.open_image(np.eye(64)))[:2] == bytes([0xFF, 0xD8])
    True
    """
    place = Region.part("whole image", img.plane_shape) if box is None else _around(box, context).clip(img.plane_shape)
    frame = Frame.of_region(place, width=SIDE_PX, height=SIDE_PX, max_zoom=1.0 if box is None else 4.0)
    return encoded(Look.of(img).draw(frame))


def encoded(picture: np.ndarray) -> bytes:
    """A ``(y, x, 3)`` uint8 picture as JPEG, coarser where it would be longer than :data:`MOST_BYTES`."""
    image = Image.fromarray(picture)
    for quality in _QUALITIES:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= MOST_BYTES:
            return out.getvalue()
    return encoded(np.asarray(image.reduce(2)))


def evenly(count: int, most: int = MOST_FILES) -> np.ndarray:
    """Which of ``count`` rows get a thumbnail kept: all, or ``most`` spread evenly."""
    return np.arange(count) if count <= most else np.unique(np.linspace(0, count - 1, most).astype(int))


def _around(box: Box, context: float) -> Region:
    y0, x0, y1, x1 = (float(v) for v in box)
    more = context * max(y1 - y0, x1 - x0)
    return Region(y0 - more, x0 - more, y1 + more, x1 + more)
