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

SIDE_PX = 160
MOST_BYTES = 16_384
MOST_FILES = 2_000
"""Of tiles and objects of one image at most this many are kept; others are cut from the image when they are shown."""
OBJECT_CONTEXT = 0.35
"""An object is recognised by what is beside it: so much of its longer side is shown around it."""
Box = Sequence[float] | np.ndarray
_QUALITIES = (85, 70, 50, 30)


def thumbnail(img: MicroImage, box: Box | None = None, *, context: float = 0.0, side: int = SIDE_PX) -> bytes:
    """A JPEG of the image or of a part of it, at most :data:`MOST_BYTES` long.

    Parameters
    ----------
    box : ``(y0, x0, y1, x1)`` px of level 0; the whole image where None.
    context : share of the box's longer side that is shown around it.
    side : longest side of the picture, px; small things are enlarged at most 4 times.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> thumbnail(mnb.open_image(np.eye(64)))[:2] == bytes([0xFF, 0xD8])
    True
    """
    height, width = img.plane_shape
    place = Region.part("whole image", (height, width)) if box is None else _around(box, context).clip((height, width))
    frame = Frame.of_region(place, width=side, height=side, max_zoom=4.0 if box is not None else 1.0)
    return encoded(Look.of(img).draw(frame))


def encoded(picture: np.ndarray) -> bytes:
    """A ``(y, x, 3)`` uint8 picture as JPEG, coarser where it would be longer than :data:`MOST_BYTES`."""
    image = Image.fromarray(picture)
    data = b""
    for quality in _QUALITIES:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True)
        data = out.getvalue()
        if len(data) <= MOST_BYTES:
            return data
    return encoded(np.asarray(image.reduce(2)))


def evenly(count: int, most: int = MOST_FILES) -> np.ndarray:
    """Which of ``count`` rows get a thumbnail kept: all, or ``most`` spread evenly."""
    return np.arange(count) if count <= most else np.unique(np.linspace(0, count - 1, most).astype(int))


def montage(pictures: Sequence[bytes | None], *, across: int = 5, side: int = SIDE_PX, gap: int = 6) -> Image.Image:
    """Thumbnails side by side, row by row, on white; a missing one leaves its place pale."""
    rows = max(-(-len(pictures) // across), 1)
    columns = max(min(across, len(pictures)), 1)
    sheet = Image.new("RGB", (columns * (side + gap) - gap, rows * (side + gap) - gap), "white")
    for k, data in enumerate(pictures):
        at = (k % across) * (side + gap), (k // across) * (side + gap)
        picture = Image.open(io.BytesIO(data)).convert("RGB") if data else Image.new("RGB", (side, side), (240, 242, 245))
        picture.thumbnail((side, side))
        sheet.paste(picture, (at[0] + (side - picture.width) // 2, at[1] + (side - picture.height) // 2))
    return sheet


def _around(box: Box, context: float) -> Region:
    y0, x0, y1, x1 = (float(v) for v in box)
    more = context * max(y1 - y0, x1 - x0)
    return Region(y0 - more, x0 - more, y1 + more, x1 + more)
