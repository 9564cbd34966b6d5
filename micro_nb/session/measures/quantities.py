"""Quantities of objects: one number an object, and its unit; and the statistics that sum them up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...errors import EvidenceError, UnitsError
from .units import convert

COLUMNS = {
    "area": "area", "perimeter": "perimeter", "diameter": "equivalent_diameter", "length": "major_axis", "width": "minor_axis",
    "feret": "feret_max", "nearest_neighbour": "nearest_neighbour", "eccentricity": "eccentricity", "solidity": "solidity",
    "orientation": "orientation", "score": "score",
}  # fmt: skip
QUANTITIES = (
    *COLUMNS,
    "aspect_ratio",
    "roundness",
    "intensity",
    "integrated",
    "contrast",
    "distance_to_border",
    "distance_to_centre",
    "x",
    "y",
    "volume",
    "oddness",
)
ALIASES = {
    "size": "diameter", "equivalent_diameter": "diameter", "thickness": "width", "calibre": "diameter",
    "circularity": "roundness", "sphericity": "roundness",
    "brightness": "intensity", "mean_intensity": "intensity", "elongation": "aspect_ratio", "spacing": "nearest_neighbour",
    "angle": "orientation",
    "height": "length", "confidence": "score", "convexity": "solidity", "compactness": "solidity",
    "distance_to_center": "distance_to_centre",
    "radius": "diameter", "total_intensity": "integrated", "circumference": "perimeter", "breadth": "width", "caliper": "feret",
}  # fmt: skip
WORDS = {
    "length": "length", "width": "width", "feret": "Feret diameter", "nearest_neighbour": "distance to the nearest neighbour",
    "aspect_ratio": "ratio of length to width", "intensity": "intensity", "integrated": "integrated intensity",
    "oddness": "deviation from the typical one",
    "distance_to_border": "distance to the nearest edge of the image",
    "distance_to_centre": "distance to the middle of the image",
    "score": "certainty", "x": "x", "y": "y", "volume": "volume of a sphere of the same profile", "orientation": "orientation",
}  # fmt: skip
_LENGTHS = {
    "diameter",
    "perimeter",
    "length",
    "width",
    "feret",
    "nearest_neighbour",
    "distance_to_border",
    "distance_to_centre",
    "x",
    "y",
}
POWER = {"area": 2, "volume": 3} | dict.fromkeys(_LENGTHS, 1)
_UNLIKE = ("area", "solidity", "mean_intensity")
_SPREAD = 1.4826  # median absolute deviation of a normal distribution, in standard deviations

STATISTICS: Mapping[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean, "median": np.median, "min": np.min, "max": np.max, "sum": np.sum, "range": np.ptp,
    "sd": lambda v: np.std(v, ddof=1) if len(v) > 1 else 0.0, "iqr": lambda v: np.subtract(*np.percentile(v, (75, 25))),
    "cv": lambda v: 100 * (np.std(v, ddof=1) if len(v) > 1 else 0.0) / abs(np.mean(v)), "mode": lambda v: mode(v),
}  # fmt: skip
STATISTIC_WORDS = {
    "sd": "standard deviation of the", "cv": "coefficient of variation of the", "iqr": "interquartile range of the",
    "sum": "total", "min": "smallest",
    "max": "largest", "mode": "most frequent", "range": "range of the", "value": "",
}  # fmt: skip


def named(quantity: str) -> str:
    """How a quantity is called in prose."""
    return WORDS.get(quantity, quantity.replace("_", " "))


def plain_quantity(text: str) -> tuple[str, str]:
    """The quantity that a text names, and the channel it is meant in.

    Raises
    ------
    EvidenceError : objects have no such quantity.

    >>> plain_quantity("intensity(GFP)"), plain_quantity("circularity")
    (('intensity', 'GFP'), ('roundness', ''))
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(\s*[\"']?([^)\"']*)[\"']?\s*\))?\s*", text)
    name = (match[1].lower() if match else text).strip()
    name = ALIASES.get(name, name)
    if name not in QUANTITIES:
        raise EvidenceError(f"objects have no quantity {text!r}; measure {', '.join(QUANTITIES)}")
    return name, (match[2] or "").strip() if match else ""


def statistic(values: np.ndarray, name: str) -> float:
    """A statistic of values: one of ``STATISTICS`` or a percentile ``p90``.

    Raises
    ------
    EvidenceError : no such statistic.
    """
    if re.fullmatch(r"p\d{1,2}(\.\d+)?", name):
        return float(np.percentile(values, float(name[1:])))
    if name not in STATISTICS:
        raise EvidenceError(f"there is no statistic {name!r}; ask for {', '.join(STATISTICS)} or a percentile such as p90")
    return float(STATISTICS[name](values))


def mode(values: np.ndarray) -> float:
    """The middle of the fullest bin of a histogram (after Freedman and Diaconis)."""
    if np.ptp(values) == 0:
        return float(values[0])
    counts, edges = np.histogram(values, "fd")
    k = int(counts.argmax())
    return float((edges[k] + edges[k + 1]) / 2)


def values_of(
    table: pd.DataFrame, quantity: str, *, img: MicroImage, unit: str = "", channel: str | None = None
) -> tuple[np.ndarray, str]:
    """One number an object, and its unit.

    Parameters
    ----------
    unit : of the result, ``""`` for the natural one: µm where the pixel size is known, else px.
    channel : whose grey values are meant.

    Raises
    ------
    UnitsError : a physical unit on an image without a pixel size, or one that the quantity cannot have.
    EvidenceError : no such quantity.
    """
    name, own = plain_quantity(quantity)
    measured, natural = _measured(table, name, img, own or channel)
    if name not in POWER or not unit or unit == natural:
        if unit and name not in POWER and unit not in (natural, "grey", ""):
            raise UnitsError(f"{named(name)} cannot be given in {unit}")
        return measured, natural
    pixel = float(np.sqrt(img.pixel_size["y"] * img.pixel_size["x"])) if img.pixel_size else None
    if pixel is None and not unit.startswith("px"):
        raise UnitsError(
            f"{img.name} has no pixel size, so {named(name)} cannot be given in {unit}; "
            f"tell me, for example: one pixel is half a micrometre"
        )
    return measured * convert(1.0, natural, unit, pixel), unit


def _measured(table: pd.DataFrame, name: str, img: MicroImage, channel: str | None) -> tuple[np.ndarray, str]:
    base = "um" if img.pixel_size else "px"
    if name in ("distance_to_border", "distance_to_centre", "x", "y"):
        return _placed(table, name, img), base
    if name == "aspect_ratio":
        major, minor = (column(table, n) for n in ("major_axis", "minor_axis"))
        return np.where(minor > 0, major / np.maximum(minor, 1e-9), np.nan), ""  # a single pixel has no shape
    if name == "roundness":
        area, around = column(table, "area"), column(table, "perimeter")
        return np.clip(4 * np.pi * area / np.maximum(around, 1e-9) ** 2, 0, 1), ""
    if name == "volume":
        return np.pi / 6 * column(table, "equivalent_diameter") ** 3, f"{base}3"
    if name == "oddness":
        return unlikeness(table), ""
    if name in ("intensity", "integrated", "contrast"):
        return _grey(table, name, channel), "grey value"
    unit = {"orientation": "deg", "score": "", "eccentricity": "", "solidity": ""}.get(
        name, f"{base}2" if name == "area" else base
    )
    return column(table, COLUMNS[name]), unit


def _grey(table: pd.DataFrame, name: str, channel: str | None) -> np.ndarray:
    if name == "contrast":
        return np.asarray(column(table, "max_intensity", channel) - column(table, "min_intensity", channel))
    return column(table, "mean_intensity" if name == "intensity" else "sum_intensity", channel)


def _placed(table: pd.DataFrame, name: str, img: MicroImage) -> np.ndarray:
    y, x = table["centroid_y_px"].to_numpy(float), table["centroid_x_px"].to_numpy(float)
    height, width = img.plane_shape
    py, px = (img.pixel_size["y"], img.pixel_size["x"]) if img.pixel_size else (1.0, 1.0)
    if name in ("x", "y"):
        return x * px if name == "x" else y * py
    if name == "distance_to_centre":
        return np.asarray(np.hypot((y - height / 2) * py, (x - width / 2) * px))
    return np.asarray(np.min([y * py, (height - y) * py, x * px, (width - x) * px], axis=0))


def column(table: pd.DataFrame, stem: str, channel: str | None = None) -> np.ndarray:
    """The column of this stem, whatever the unit in its name; the mean over channels for intensities without a channel."""
    if channel is not None:
        own = [c for c in table.columns if c.startswith(f"{stem}_") and c[len(stem) + 1 :].lower() == channel.lower()]
        if own:
            return table[own[0]].to_numpy(float)
    names = [c for c in table.columns if c == stem or c.startswith(stem + "_")]
    if not names:
        raise EvidenceError(f"objects have no column {stem!r}; they have {', '.join(table.columns)}")
    return table[names].to_numpy(float).mean(axis=1) if len(names) > 1 else table[names[0]].to_numpy(float)


def unlikeness(table: pd.DataFrame) -> np.ndarray:
    """How far each object lies from the typical one, in robust standard deviations of area, outline and brightness together."""
    columns = [c for stem in _UNLIKE for c in table.columns if c == stem or c.startswith(stem + "_")]
    off = [
        robust_deviation(np.log(np.maximum(v, 1e-9)) if c.startswith("area") else v)
        for c in columns
        if len(v := table[c].to_numpy(float))
    ]
    return np.asarray(np.sqrt(np.mean(np.square(off), axis=0))) if off else np.zeros(len(table))


def robust_deviation(values: np.ndarray) -> np.ndarray:
    """Deviations from the median in robust standard deviations."""
    middle = np.nanmedian(values)
    spread = _SPREAD * np.nanmedian(np.abs(values - middle)) or float(np.nanstd(values)) or 1.0
    return np.asarray(np.nan_to_num((values - middle) / spread))


def box(row: pd.Series) -> tuple[float, float, float, float]:
    """``(x0, y0, x1, y1)`` of an object in pixels of level 0."""
    return tuple(float(row[f"bbox_{k}_px"]) for k in ("x0", "y0", "x1", "y1"))  # type: ignore[return-value]
