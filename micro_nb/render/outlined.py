"""A small picture of an image with outlines of label images and rectangles over it, in few colours and so in few bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from ..data.image import MicroImage
from ..data.open import open_image
from .contours import LabelLayer, paint_labels
from .frame import Frame
from .look import Look
from .png import Color

_COLORS = 96


def outlined(
    img: MicroImage,
    *,
    labels: Iterable[tuple[np.ndarray, Color]] = (),
    boxes: Iterable[tuple[np.ndarray, Color]] = (),
    width: int = 320,
) -> bytes:
    """A PNG of at most ``width`` px each way.

    Parameters
    ----------
    labels : label images ``(y, x)`` of the size of the image, each with its colour; later ones on top.
    boxes : ``(n, 4)`` y0, x0, y1, x1 in px, half open, each group with its colour.
    """
    frame = Frame.fit((0, 0, *img.plane_shape), width=width, height=width, max_zoom=2.0)
    drawn = Look.of(img).draw(frame)
    for plane, color in labels:
        paint_labels(drawn, LabelLayer(open_image(np.maximum(plane, 0).astype(np.int32), axes="yx"), color), frame)
    image = Image.fromarray(drawn)
    draw, (sy, sx) = ImageDraw.Draw(image), frame.scale
    for group, color in boxes:
        for y0, x0, y1, x1 in group:
            draw.rectangle((x0 / sx, y0 / sy, max(x0, x1 - 1) / sx, max(y0, y1 - 1) / sy), outline=color)
    out = io.BytesIO()
    image.quantize(_COLORS, dither=Image.Dither.NONE).save(out, "PNG")
    return out.getvalue()
