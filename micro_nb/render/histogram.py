"""A histogram as PNG: bars over a scale, and marks where percentiles lie; in the typeface of the overview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from .composite import parse_color
from .figure import FAINT, INK
from .png import draw_text, encode_png, printable, shorten
from .scalebar import show_number, ticks

_BAR, _MARK, _GRID = parse_color("#2a7f9e"), parse_color("#c8553d"), (232, 234, 237)
_TOP, _FOOT, _LEFT, _RIGHT, _TICKS = 46, 44, 52, 20, 6


def histogram_png(
    edges: Sequence[float], counts: Sequence[float], *, title: str, unit: str = "", marks: Mapping[str, float] | None = None,
    width: int = 420, height: int = 240,
) -> bytes:  # fmt: skip
    """Bars of counts between edges.

    Parameters
    ----------
    edges : ``(n + 1,)`` ascending.
    counts : ``(n,)`` what lies between them.
    title : of the picture.
    unit : behind the numbers of the horizontal axis, as people read it.
    marks : name -> value, drawn as upright lines.

    Returns
    -------
    PNG bytes.

    Raises
    ------
    ValueError : there is not one edge more than there are counts.
    """
    if len(edges) != len(counts) + 1:
        raise ValueError(f"{len(counts)} counts need {len(counts) + 1} edges, got {len(edges)}")
    canvas = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(canvas)
    draw_text(draw, (14, 24), shorten(printable(title), width - 28, 13, "SemiBold"), size=13, color=INK, weight="SemiBold")
    low, high, most = edges[0], edges[-1] if edges[-1] > edges[0] else edges[0] + 1, max([*counts, 1e-9])
    ground = height - _FOOT

    def across(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (width - _LEFT - _RIGHT)

    def up(count: float) -> float:
        return ground - count / most * (ground - _TOP)

    for count in ticks(0, most, 4):
        draw.line((_LEFT, up(count), width - _RIGHT, up(count)), fill=_GRID)
        draw_text(draw, (_LEFT - 6, up(count)), show_number(count), size=11, color=FAINT, anchor="rm")
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            draw.rectangle((across(left) + 1, up(count), across(right) - 1, ground), fill=_BAR)
    draw.line((_LEFT, ground, width - _RIGHT, ground), fill=FAINT)
    for value in ticks(low, high, _TICKS):
        draw_text(draw, (across(value), ground + 15), show_number(value), size=11, color=FAINT, anchor="ms")
    draw_text(draw, (width - _RIGHT, height - 8), printable(unit), size=11, color=FAINT, anchor="rs")
    for name, value in (marks or {}).items():
        if low <= value <= high:
            draw.line((across(value), _TOP - 2, across(value), ground), fill=_MARK)
            draw_text(draw, (across(value), _TOP - 5), printable(name), size=11, color=_MARK, anchor="ms")
    return encode_png(canvas)
