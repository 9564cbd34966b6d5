"""Channels to colours: a palette by fluorophore name, and the additive composite."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..data.source import Channel
from .png import Color

_BY_NAME = (
    (r"dapi|hoechst|405|draq5|nuclei|nucleus|dna|461", "#3b6cff"),
    (r"gfp|fitc|488|alexa ?488|egfp|calcein|phalloidin|actin|509|525", "#22d34f"),
    (r"mcherry|rfp|tritc|dsred|594|568|555|561|texas|cy3|rhod|tdtomato|mito", "#ff4b3a"),
    (r"cy5|647|640|far.?red|633|draq|apc", "#ff43e0"),
    (r"yfp|514|venus|citrine", "#ffd92e"),
    (r"cfp|cerulean|445|turquoise", "#20d5e8"),
    (r"bright|trans|phase|dic|\bbf\b|\bpc\b|tl\b", "#ffffff"),
)
_PALETTE = ("#3b6cff", "#22d34f", "#ff4b3a", "#20d5e8", "#ff43e0", "#ffd92e", "#ffffff", "#ff8c2e")
GREY: Color = (255, 255, 255)


def parse_color(text: str) -> Color:
    """``#rrggbb`` as three 0..255 numbers.

    >>> parse_color("#0080ff")
    (0, 128, 255)
    """
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def channel_colors(channels: Sequence[Channel]) -> tuple[Color, ...]:
    """A colour for each channel: grey for one; else the file's colours where they tell channels apart, else by name.

    >>> channel_colors([Channel("DAPI"), Channel("GFP")])
    ((59, 108, 255), (34, 211, 79))
    >>> channel_colors([Channel("DAPI", color="#0000ff")])
    ((255, 255, 255),)
    """
    if len(channels) == 1:
        return (GREY,)
    stored = [c.color for c in channels if c.color and re.fullmatch(r"#[0-9a-fA-F]{6}", c.color) and c.color != "#000000"]
    if len(stored) == len(channels) and len(set(stored)) == len(channels):
        return tuple(parse_color(s) for s in stored)
    taken: list[str] = []
    for channel in channels:
        named = next((color for pattern, color in _BY_NAME if re.search(pattern, channel.name.lower())), None)
        free = [color for color in _PALETTE if color not in taken]
        taken.append(named if named and named not in taken else (free or list(_PALETTE))[0])
    return tuple(parse_color(t) for t in taken)


def composite(planes: Sequence[np.ndarray], colors: Sequence[Color]) -> np.ndarray:
    """Additive composite.

    Parameters
    ----------
    planes : one ``(y, x)`` uint8 a channel, already stretched.
    colors : one colour a channel.

    Returns
    -------
    ``(y, x, 3)`` uint8.
    """
    if len(planes) == 1 and tuple(colors[0]) == GREY:
        return np.repeat(planes[0][..., None], 3, axis=2)
    shape = planes[0].shape
    total = np.zeros((*shape, 3), np.uint16)
    grey = np.arange(256, dtype=np.uint32)
    for plane, color in zip(planes, colors, strict=True):
        for k, strength in enumerate(color):
            if strength:
                total[..., k] += ((grey * strength + 127) // 255).astype(np.uint16)[plane]
    return np.minimum(total, 255, out=total).astype(np.uint8)
