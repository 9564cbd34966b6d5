"""Pictures to PNG bytes, and text in the bundled typeface (Inter, SIL Open Font License; see ``fonts/OFL.txt``)."""

from __future__ import annotations

import functools
import io
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Weight = Literal["Regular", "SemiBold"]
Color = tuple[int, int, int]
FONTS = Path(__file__).parent / "fonts"
_BEYOND_LATIN1 = "–—‘’“”•…€™−"


def encode_png(picture: np.ndarray | Image.Image, *, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    """PNG bytes of a ``(y, x)`` or ``(y, x, 3)`` uint8 picture; a picture without colour is stored in one channel.

    ``zlib.Z_RLE`` makes less of grain, in two thirds of the time, and more of drawings and words.

    >>> encode_png(np.zeros((2, 2), np.uint8))[:4]
    b'\\x89PNG'
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    if image.mode == "RGB":
        pixels = np.asarray(image)
        if np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2]):
            image = Image.fromarray(np.ascontiguousarray(pixels[..., 0]))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3, compress_type=strategy)
    return out.getvalue()


@functools.cache
def font(size: float, weight: Weight = "Regular") -> ImageFont.FreeTypeFont:
    """The bundled typeface at ``size`` px."""
    return ImageFont.truetype(str(FONTS / f"Inter-{weight}.woff"), size=size)


def printable(text: str) -> str:
    """``text`` with characters the typeface lacks replaced by ``?``, on one line."""
    line = " ".join(text.split())
    return "".join(ch if ch < "\u0100" or ch in _BEYOND_LATIN1 else "?" for ch in line)


def text_width(text: str, size: float, weight: Weight = "Regular") -> float:
    """Width in px of one line."""
    return font(size, weight).getlength(text)


def shorten(text: str, width: float, size: float, weight: Weight = "Regular") -> str:
    """``text`` cut in the middle to fit ``width`` px.

    >>> shorten("a_very_long_file_name_indeed.ome.zarr", 120, 12)
    'a_very_long…me.zarr'
    """
    if text_width(text, size, weight) <= width:
        return text
    keep = len(text)
    while keep > 2 and text_width(_cut(text, keep), size, weight) > width:
        keep -= 1
    return _cut(text, keep)


def _cut(text: str, keep: int) -> str:
    head = (keep * 3 + 4) // 5
    return f"{text[:head]}…{text[len(text) - (keep - head) :]}"


def draw_text(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    *,
    size: float = 12,
    color: Color = (70, 70, 70),
    weight: Weight = "Regular",
    anchor: str = "ls",
) -> float:
    """Draws one line and returns its width; ``anchor`` as in Pillow (``ls``: left, baseline)."""
    draw.text(at, text, font=font(size, weight), fill=color, anchor=anchor)
    return text_width(text, size, weight)
