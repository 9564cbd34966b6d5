"""Numbers of a view (a picture, a tile) and of its objects, as people speak of them.

Of objects, from their table alone: how many, how large, how long, how crowded. Of the picture, from a small version of it:
light, colour and sharpness. No model is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from skimage.color import rgb2hsv

from ...analysis.focus import luminance, typical_sharpness
from ...data.image import MicroImage
from ...data.region import Region
from ...render.frame import Frame
from ...render.look import Look

_NAMELESS = ("object", "unknown", "")
_MOST_ELONGATED = 50.0
_SIDE, _SHARP = 256, 1024
"""Pixels along the small picture, and along the window in the middle of level 0 whose sharpness is told."""
_COLORS = ("red", "brown", "yellow", "green", "blue", "purple", "pink")
_HUES = (15, 48, 70, 165, 250, 315, 345)
"""Degrees at which each colour ends and the next begins; what lies beyond is red again."""
_COLORFUL, _SEEN = 0.16, 0.12  # least saturation and value of a pixel that has a colour
_PALE = 0.5
_ALIKE = 0.93  # two channels that correlate more say the same


def count_column(name: str) -> str:
    """The column that counts objects of a name.

    >>> count_column("white blood cell")
    'n_white_blood_cell'
    """
    return "n_" + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def filled(table: pd.DataFrame) -> pd.DataFrame:
    """A table that was put together from several: a name that one of them did not count is there 0 times."""
    counts = [c for c in table.columns if c.startswith("n_")]
    return table.fillna(dict.fromkeys(counts, 0)).astype(dict.fromkeys(counts, "int64"))


def with_derived(table: pd.DataFrame, *, pixel_size: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Adds what search texts speak of to a table with a row an object, as :func:`micro_nb.measure` makes it.

    The table gets ``diameter_px`` (of a disc of the same area; from lengths in µm where there is a pixel size), ``elongation``
    (major over minor axis), ``relative_size`` (diameter over the median of its layer) and ``spacing`` (distance to the nearest
    neighbour in diameters).
    """
    unit = "um" if pixel_size else "px"
    diameter, least = table[f"equivalent_diameter_{unit}"], 1e-9
    typical = diameter.groupby(table["layer"].to_numpy()).transform("median") if len(table) else diameter
    elongation: pd.Series = table[f"major_axis_{unit}"] / np.maximum(table[f"minor_axis_{unit}"], least)
    return table.assign(
        diameter_px=diameter / _um(pixel_size),
        elongation=np.minimum(elongation, _MOST_ELONGATED),
        relative_size=diameter / np.maximum(typical, least),
        spacing=table[f"nearest_neighbour_{unit}"] / np.maximum(diameter, least),
    )


def view_facts(
    table: pd.DataFrame, *, shape: tuple[float, float], pixel_size: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Numbers of one view.

    Parameters
    ----------
    table : objects in the view, with the columns of :func:`with_derived`, and :func:`object_contrast`.
    shape : ``(y, x)`` of the view, px.
    pixel_size : µm per pixel; adds ``median_diameter_um``.

    Returns
    -------
    ``n_objects``, ``n_<name>`` for each name, ``median_diameter_px`` (``_um``), ``relative_size`` (median diameter over the
    shorter side), ``area_percent``, ``elongation``, ``solidity``, ``spacing``, ``object_contrast`` (medians),
    ``object_visibility`` (how large the contrast is), ``density_per_mpx``.
    """
    layers = table["layer"].value_counts()  # whole objects; the fullest layer where none are whole
    whole = table if layers.empty else table[table["layer"] == ("object" if "object" in layers.index else layers.index[0])]
    pixels = max(shape[0] * shape[1], 1.0)
    diameter, contrast = _median(whole, "diameter_px"), _median(whole, "object_contrast")
    facts: dict[str, Any] = {
        "n_objects": len(whole),
        "median_diameter_px": diameter,
        "relative_size": diameter / max(min(shape), 1.0),
        "area_percent": min(100 * float((np.pi / 4 * whole["diameter_px"] ** 2).sum()) / pixels, 100.0),
        **{name: _median(whole, name) for name in ("elongation", "solidity", "spacing")},
        "density_per_mpx": 1e6 * len(whole) / pixels,
        "object_contrast": contrast,
        "object_visibility": abs(contrast),
    }
    if pixel_size:
        facts["median_diameter_um"] = diameter * _um(pixel_size)
    names = table["name"].value_counts()  # over all layers
    return facts | {count_column(str(name)): int(n) for name, n in names.items() if str(name) not in _NAMELESS}


def picture_facts(img: MicroImage) -> dict[str, Any]:
    """Facts of a whole plane.

    ``mean_intensity`` and ``background`` (most frequent grey) 0..1 of the display range; ``<colour>_percent`` for red, pink,
    purple, blue, green, yellow and brown (share of all colour, 0 in a grey picture) and ``gray_percent`` (of the pixels);
    ``n_colors`` (channels that differ); ``edge_width_px`` and ``snr`` (:func:`~micro_nb.analysis.focus.typical_sharpness`).
    """
    look, picture = Look.of(img), small_picture(img, _SIDE)[0]
    rows, cols = (slice(max((n - _SHARP) // 2, 0), min((n + _SHARP) // 2, n)) for n in look.plane.plane_shape)
    pixels = look.plane.read(0, (*[slice(None)] * (len(look.plane.axes) - 2), rows, cols))
    grey = pixels.astype(np.float32) if pixels.ndim == 2 else luminance(pixels) if look.rgb else pixels.mean(0, dtype=np.float32)
    found = typical_sharpness(grey)
    return look_facts(picture) | {"n_colors": _channels(look, picture), "edge_width_px": found.edge_px, "snr": found.snr}


def small_picture(img: MicroImage, side: int) -> tuple[np.ndarray, tuple[float, float]]:
    """``(y, x, 3) uint8``, at most ``side`` wide and high, and how many pixels of level 0 lie along one of its, ``(y, x)``."""
    frame = Frame.of_region(Region.part("whole image", img.plane_shape), width=side, height=side, max_zoom=1.0)
    return Look.of(img).draw(frame), frame.scale


def look_facts(picture: np.ndarray) -> dict[str, float]:
    """Light and colours of a ``(y, x, 3)`` uint8 picture: ``mean_intensity background <colour>_percent gray_percent``.

    >>> green = np.zeros((8, 8, 3), np.uint8); green[..., 1] = 200
    >>> look_facts(green)["green_percent"], look_facts(green)["gray_percent"]
    (100.0, 0.0)
    """
    grey = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    facts = {"mean_intensity": float(grey.mean() / 255), "background": _most_frequent(grey, 32, (0, 256)) / 255}
    hue, saturation, value = np.moveaxis(rgb2hsv(picture), -1, 0)
    colorful = (saturation >= _COLORFUL) & (value >= _SEEN)
    weight = np.where(colorful, saturation * value, 0.0)
    named = np.digitize(hue * 360, _HUES) % len(_COLORS)
    named[(named == _COLORS.index("red")) & (saturation < _PALE) & (value > 0.6)] = _COLORS.index("pink")  # as people name it
    total = max(float(weight.sum()), 0.005 * weight.size)  # a few stray pixels do not colour a grey picture
    shares = np.bincount(named.ravel(), weight.ravel(), minlength=len(_COLORS)) / total
    facts |= {f"{name}_percent": round(100 * float(share), 2) for name, share in zip(_COLORS, shares, strict=True)}
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


def object_contrast(img: MicroImage, table: pd.DataFrame) -> np.ndarray:
    """How far objects stand out: mean grey value over the background's, in shares of the display range; dark ones are negative.

    ``(len(table),)``, -1..1, by ``mean_intensity_<channel>``; NaN where no grey values were measured.
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


def _um(pixel_size: Mapping[str, float] | None) -> float:
    """Geometric mean of the pixel's sides; 1 where unknown."""
    return float(np.sqrt(pixel_size["y"] * pixel_size["x"])) if pixel_size else 1.0


def _median(table: pd.DataFrame, column: str) -> float:
    values = table[column].replace([np.inf, -np.inf], np.nan).dropna()
    return float(values.median()) if len(values) else float("nan")
