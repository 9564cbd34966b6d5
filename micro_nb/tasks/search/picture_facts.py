"""Light, colour and sharpness of a picture as people see it, from a small version of it. No model and no objects are needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from skimage.color import rgb2hsv

from ...analysis.focus import luminance, typical_sharpness
from ...data.image import MicroImage
from ...data.region import Region
from ...render.frame import Frame
from ...render.look import Look

_SIDE = 256
_SHARPNESS_PX = 1 << 20
_COLORS = ("red", "brown", "yellow", "green", "blue", "purple", "pink")
_HUES = (15, 48, 70, 165, 250, 315, 345)
"""Degrees at which each colour ends and the next begins; what lies beyond is red again."""
_COLORFUL, _SEEN = 0.16, 0.12
"""Least saturation and value of a pixel that has a colour."""
_PALE = 0.5
_ALIKE = 0.93
"""Two channels that correlate more say the same."""


def picture_facts(img: MicroImage) -> dict[str, Any]:
    """Facts of a whole plane.

    Returns
    -------
    ``mean_intensity`` and ``background`` (most frequent grey) 0..1 of the display range; ``<colour>_percent`` for red, pink,
    purple, blue, green, yellow and brown (share of all colour, 0 in a grey picture) and ``gray_percent`` (of the pixels);
    ``n_colors`` (channels that differ); ``edge_width_px`` and ``snr`` (:func:`~micro_nb.analysis.focus.typical_sharpness`).
    """
    look, picture = Look.of(img), small_picture(img, _SIDE)[0]
    return light_facts(picture) | color_facts(picture) | {"n_colors": _channels(look, picture)} | _sharpness(look)


def small_picture(img: MicroImage, side: int) -> tuple[np.ndarray, tuple[float, float]]:
    """``(y, x, 3) uint8``, at most ``side`` wide and high, and how many pixels of level 0 lie along one of its, ``(y, x)``."""
    frame = Frame.of_region(Region.part("whole image", img.plane_shape), width=side, height=side, max_zoom=1.0)
    return Look.of(img).draw(frame), frame.scale


def light_facts(picture: np.ndarray) -> dict[str, float]:
    """``mean_intensity`` and ``background`` of a ``(y, x, 3)`` uint8 picture, 0..1."""
    grey = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return {"mean_intensity": float(grey.mean() / 255), "background": _most_frequent(grey, 32, (0, 256)) / 255}


def color_facts(picture: np.ndarray) -> dict[str, float]:
    """Shares of the colours of a ``(y, x, 3)`` uint8 picture as people name them, in percent: pale red is pink.

    >>> green = np.zeros((8, 8, 3), np.uint8); green[..., 1] = 200
    >>> color_facts(green)["green_percent"], color_facts(green)["gray_percent"]
    (100.0, 0.0)
    """
    hue, saturation, value = np.moveaxis(rgb2hsv(picture), -1, 0)
    colorful = (saturation >= _COLORFUL) & (value >= _SEEN)
    weight = np.where(colorful, saturation * value, 0.0)
    named = np.digitize(hue * 360, _HUES) % len(_COLORS)
    named[(named == _COLORS.index("red")) & (saturation < _PALE) & (value > 0.6)] = _COLORS.index("pink")
    total = max(float(weight.sum()), 0.005 * weight.size)  # a few stray pixels do not colour a grey picture
    shares = np.bincount(named.ravel(), weight.ravel(), minlength=len(_COLORS)) / total
    facts = {f"{name}_percent": round(100 * float(share), 2) for name, share in zip(_COLORS, shares, strict=True)}
    return facts | {"gray_percent": round(100 * float((~colorful).mean()), 2)}


def _channels(look: Look, picture: np.ndarray) -> int:
    """Channels that are not copies of one another; of a picture, colours that vary by themselves."""
    if not look.rgb:
        return len(look.plane.channels)
    different: list[np.ndarray] = []
    for plane in (picture[..., k].astype(float).ravel() for k in range(3)):
        if plane.std() > 3 and all(abs(np.corrcoef(plane, other)[0, 1]) < _ALIKE for other in different):
            different.append(plane)
    return max(len(different), 1)


def _sharpness(look: Look) -> dict[str, float]:
    """Of a window in the middle, at level 0."""
    side = int(_SHARPNESS_PX**0.5)
    rows, cols = (slice(max((n - side) // 2, 0), min((n + side) // 2, n)) for n in look.plane.plane_shape)
    pixels = look.plane.read(0, (*[slice(None)] * (len(look.plane.axes) - 2), rows, cols))
    grey = pixels.astype(np.float32) if pixels.ndim == 2 else luminance(pixels) if look.rgb else pixels.mean(0, dtype=np.float32)
    found = typical_sharpness(grey)
    return {"edge_width_px": found.edge_px, "snr": found.snr}


def object_contrast(img: MicroImage, table: pd.DataFrame) -> np.ndarray:
    """How far objects stand out: mean grey value over the background's, in shares of the display range; dark ones are negative.

    Parameters
    ----------
    table : with ``mean_intensity_<channel>``; channels that were not measured are left out.

    Returns
    -------
    ``(len(table),)``, -1..1; NaN where no grey values were measured.
    """
    look, found = Look.of(img), []
    for position, channel in enumerate(look.plane.channels):
        values = look.sample(position)
        values = values[np.isfinite(values)].astype(np.float32)
        low, high = (float(v) for v in np.quantile(values, (0.005, 0.995))) if values.size else (0.0, 0.0)
        column = f"mean_intensity_{channel.name}"
        if column in table.columns and high > low:
            found.append((table[column].to_numpy(float) - _most_frequent(values, 64, (low, high))) / (high - low))
    return np.clip(np.mean(found, axis=0), -1, 1) if found else np.full(len(table), np.nan)


def _most_frequent(values: np.ndarray, bins: int, reach: tuple[float, float]) -> float:
    """The middle of the fullest of a histogram's bins, each counted with its neighbours."""
    counts, edges = np.histogram(values, bins=bins, range=reach)
    best = int(np.convolve(counts, (1, 2, 1), mode="same").argmax())
    return float((edges[best] + edges[best + 1]) / 2)
