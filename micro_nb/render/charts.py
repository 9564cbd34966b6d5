"""Charts of figures as PNG: values with intervals, and curves; in the typeface of the overview, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from .composite import parse_color
from .figure import FAINT, INK, LINE
from .png import draw_text, encode_png, printable, shorten, text_width
from .scalebar import show_number, ticks

BLUE, RED = parse_color("#2a7f9e"), parse_color("#c8553d")
COLORS = (BLUE, RED, parse_color("#6a994e"), parse_color("#8d6bb0"))
_ROW, _NAME, _TOP, _FOOT, _RIGHT = 24, 330, 44, 34, 76
Point = tuple[str, float, float, float]


def interval_chart(title: str, rows: Sequence[Point], *, marked: str | None = None, width: int = 820) -> bytes:
    """Figures between 0 and 1 as dots with their intervals, a row each.

    Parameters
    ----------
    rows : name, value, low, high; rows that are not defined (nan) keep their name and show a dash.
    marked : the name of the row drawn in red, such as the worst stratum.

    Returns
    -------
    PNG bytes.
    """
    height = _TOP + _ROW * len(rows) + _FOOT
    image = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw_text(draw, (16, 26), shorten(printable(title), width - 32, 14, "SemiBold"), size=14, color=INK, weight="SemiBold")
    left, right = _NAME, width - _RIGHT
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + share * (right - left)
        draw.line((x, _TOP, x, height - _FOOT), fill=(232, 234, 237))
        draw_text(draw, (x, height - 14), f"{share:g}", size=11, color=FAINT, anchor="ms")
    for k, (name, value, low, high) in enumerate(rows):
        y, color = _TOP + _ROW * (k + 0.5), RED if name == marked else BLUE
        draw_text(draw, (left - 14, y), shorten(printable(name), _NAME - 30, 12), color=INK, anchor="rm")
        if not math.isfinite(value):
            draw_text(draw, (right + 14, y), "–", color=FAINT, anchor="lm")
            continue
        at, start, stop = (left + min(max(v, 0.0), 1.0) * (right - left) for v in (value, _or(low, value), _or(high, value)))
        draw.line((start, y, stop, y), fill=color, width=2)
        draw.ellipse((at - 4, y - 4, at + 4, y + 4), fill=color)
        draw_text(draw, (right + 14, y), f"{value:.3f}", color=INK, anchor="lm")
    return encode_png(image)


def curve_chart(title: str, curves: Mapping[str, Sequence[tuple[float, float, float, float]]], *, width: int = 760) -> bytes:
    """Small panels beside each other, one a curve; the interval is a pale band, y runs from 0 to 1.

    Parameters
    ----------
    curves : name -> points of x, value, low, high, in the order of x.

    Returns
    -------
    PNG bytes.
    """
    panel, tall = (width - 24) // max(len(curves), 1), 190
    image = Image.new("RGB", (width, tall + 66), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw_text(draw, (16, 26), shorten(printable(title), width - 32, 14, "SemiBold"), size=14, color=INK, weight="SemiBold")
    for k, (name, points) in enumerate(curves.items()):
        box = (12 + k * panel + 30, 44, 12 + (k + 1) * panel - 14, 44 + tall - 30)
        _panel(draw, box, name, points, COLORS[k % len(COLORS)])
    return encode_png(image)


def _panel(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    name: str,
    points: Sequence[tuple[float, float, float, float]],
    color: tuple[int, int, int],
) -> None:
    x0, y0, x1, y1 = box
    xs = [p[0] for p in points]
    low, high = min(xs), max(xs)
    span = high - low or 1.0

    def at(x: float, value: float) -> tuple[float, float]:
        return x0 + (x - low) / span * (x1 - x0), y1 - min(max(value, 0.0), 1.0) * (y1 - y0)

    for share in (0.0, 0.5, 1.0):
        y = y1 - share * (y1 - y0)
        draw.line((x0, y, x1, y), fill=(232, 234, 237))
        draw_text(draw, (x0 - 6, y), f"{share:g}", size=11, color=FAINT, anchor="rm")
    known = [(x, v, _or(a, v), _or(b, v)) for x, v, a, b in points if math.isfinite(v)]
    if len(known) > 1:
        band = [at(x, b) for x, _, _, b in known] + [at(x, a) for x, _, a, _ in reversed(known)]
        draw.polygon(band, fill=tuple(round(255 - (255 - c) * 0.2) for c in color))
        draw.line([at(x, v) for x, v, _, _ in known], fill=color, width=2)
    for x, v, _, _ in known:
        px, py = at(x, v)
        draw.ellipse((px - 3, py - 3, px + 3, py + 3), fill=color)
    draw.line((x0, y1, x1, y1), fill=LINE)
    for value in ticks(low, high, 3):
        draw_text(draw, (at(value, 0)[0], y1 + 16), show_number(value), size=11, color=FAINT, anchor="ms")
    words = shorten(printable(name), x1 - x0 + 20, 12, "SemiBold")
    draw_text(draw, ((x0 + x1 - text_width(words, 12, "SemiBold")) / 2, y1 + 38), words, color=INK, weight="SemiBold")


def _or(value: float, other: float) -> float:
    return value if math.isfinite(value) else other
