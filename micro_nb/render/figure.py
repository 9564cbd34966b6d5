"""A picture as a figure: axes in µm, scale bar, legend and caption, set in one typeface on white."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from .frame import Frame
from .heat import RAMP, ValueMap
from .png import Color, draw_text, printable, shorten, text_width
from .scalebar import Ruler, nice_below, show_number, ticks

INK: Color = (38, 38, 38)
FAINT: Color = (118, 118, 118)
LINE: Color = (190, 190, 190)
LEFT, RIGHT, TOP, AXIS, FOOT, BAR = 54, 14, 32, 26, 26, 76
_NARROWEST = 380


@dataclass(frozen=True)
class Key:
    """One entry of a legend."""

    text: str
    color: Color


@dataclass(frozen=True)
class Caption:
    """The words around a picture.

    Attributes
    ----------
    title, facts : top left and top right.
    keys : legend, bottom left.
    note : bottom right.
    """

    title: str = ""
    facts: str = ""
    keys: tuple[Key, ...] = ()
    note: str = ""


def room(width: int, *, bar: bool = False) -> int:
    """Pixels that a figure of ``width`` leaves for its picture."""
    return max(width - LEFT - (BAR if bar else RIGHT), 64)


def compose(
    picture: np.ndarray,
    frame: Frame,
    *,
    pixel_size: Mapping[str, float] | None = None,
    caption: Caption | None = None,
    values: ValueMap | None = None,
) -> Image.Image:
    """The figure around ``(y, x, 3)`` uint8 pixels of ``frame``."""
    caption = caption or Caption()
    h, w = frame.shape
    width = max(LEFT + w + (BAR if values else RIGHT), _NARROWEST)
    canvas = Image.new("RGB", (width, TOP + h + AXIS + FOOT), (255, 255, 255))
    canvas.paste(Image.fromarray(picture), (LEFT, TOP))
    draw = ImageDraw.Draw(canvas, "RGBA")
    draw.rectangle((LEFT - 1, TOP - 1, LEFT + w, TOP + h), outline=LINE)
    _draw_axes(draw, frame, pixel_size)
    _draw_scalebar(draw, frame, pixel_size)
    if values is not None:
        _draw_colorbar(canvas, draw, LEFT + w + 14, h, values)
    _draw_words(draw, caption, width, TOP + h + AXIS)
    return canvas


def _draw_axes(draw: ImageDraw.ImageDraw, frame: Frame, pixel_size: Mapping[str, float] | None) -> None:
    (h, w), (sy, sx) = frame.shape, frame.scale
    across = Ruler.of(pixel_size, extent_px=frame.x1 - frame.x0, axis="x")
    marks = ticks(frame.x0 * across.per_px, frame.x1 * across.per_px, max(2, w // 105))
    for value in marks:
        x = LEFT + (value / across.per_px - frame.x0) / sx
        draw.line((x, TOP + h + 1, x, TOP + h + 5), fill=LINE)
        draw_text(draw, (x, TOP + h + 18), show_number(value), size=11, color=FAINT, anchor="ms")
    down = Ruler(across.unit, across.per_px * (pixel_size["y"] / pixel_size["x"] if pixel_size else 1.0))
    for value in ticks(frame.y0 * down.per_px, frame.y1 * down.per_px, max(2, h // 80)):
        y = TOP + (value / down.per_px - frame.y0) / sy
        draw.line((LEFT - 5, y, LEFT - 2, y), fill=LINE)
        draw_text(draw, (LEFT - 8, y), show_number(value), size=11, color=FAINT, anchor="rm")
    draw_text(draw, (LEFT - 22, TOP + h + 18), across.unit, size=11, color=FAINT, anchor="rs")


def _draw_scalebar(draw: ImageDraw.ImageDraw, frame: Frame, pixel_size: Mapping[str, float] | None) -> None:
    h, w = frame.shape
    if w < 90 or h < 60:
        return
    ruler = Ruler.of(pixel_size, extent_px=frame.x1 - frame.x0)
    length = nice_below(0.2 * (frame.x1 - frame.x0) * ruler.per_px)
    pixels = length / ruler.per_px / frame.scale[1]
    text = f"{show_number(length)} {ruler.unit}"
    half = max(pixels, text_width(text, 12, "SemiBold")) / 2
    x, y = LEFT + w - 22 - half, TOP + h - 20
    draw.rounded_rectangle((x - half - 10, y - 25, x + half + 10, y + 10), radius=6, fill=(0, 0, 0, 150))
    draw.rectangle((round(x - pixels / 2), y, round(x + pixels / 2), y + 3), fill=(255, 255, 255))
    draw_text(draw, (x, y - 8), text, size=12, color=(255, 255, 255), weight="SemiBold", anchor="ms")


def _draw_colorbar(canvas: Image.Image, draw: ImageDraw.ImageDraw, x: int, height: int, values: ValueMap) -> None:
    tall = max(min(height - 24, 260), 20)
    ramp = Image.fromarray(np.ascontiguousarray(RAMP[::-1][:, None])).resize((12, tall), Image.Resampling.BILINEAR)
    top = TOP + 22
    draw_text(draw, (x, TOP + 10), shorten(printable(values.name), BAR - 16, 11), size=11, color=INK)
    canvas.paste(ramp, (x, top))
    low, high = values.window
    for share in (0.0, 0.5, 1.0):
        at = top + tall - 1 - share * (tall - 1)
        draw.line((x + 12, at, x + 15, at), fill=LINE)
        draw_text(draw, (x + 19, at), f"{low + share * (high - low):.3g}", size=11, color=FAINT, anchor="lm")


def _draw_words(draw: ImageDraw.ImageDraw, caption: Caption, width: int, foot: int) -> None:
    facts = shorten(printable(caption.facts), width * 0.6, 12)
    right = width - RIGHT
    draw_text(draw, (right, 20), facts, color=FAINT, anchor="rs")
    free = right - LEFT - text_width(facts, 12) - 24
    draw_text(draw, (LEFT, 20), shorten(printable(caption.title), free, 13, "SemiBold"), size=13, color=INK, weight="SemiBold")
    note = shorten(printable(caption.note), width * 0.55, 12)
    draw_text(draw, (right, foot + 14), note, color=FAINT, anchor="rs")
    _draw_keys(draw, caption.keys, foot + 14, right - text_width(note, 12) - 16)


def _draw_keys(draw: ImageDraw.ImageDraw, keys: Sequence[Key], y: float, limit: float) -> None:
    x: float = LEFT
    for key in keys:
        text = shorten(printable(key.text), 170, 12)
        wide = 15 + text_width(text, 12)
        if x + wide > limit:
            draw_text(draw, (x, y), "…", color=FAINT)
            return
        draw.ellipse((x, y - 9, x + 9, y), fill=key.color, outline=(120, 120, 120) if min(key.color) > 200 else None)
        draw_text(draw, (x + 15, y), text, color=INK)
        x += wide + 16
