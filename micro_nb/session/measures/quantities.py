"""Quantities of objects: one number an object, and its unit; and the statistics that sum them up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...errors import EvidenceError, UnitsError
from ..words.tables import table
from .units import TELL, convert

COLUMNS: Mapping[str, str] = table("quantities")["column"]
ALIASES: Mapping[str, str] = table("quantities")["alias"]
POWER: Mapping[str, int] = table("quantities")["power"]
STATISTIC_WORDS: Mapping[str, str] = table("quantities")["statistic"]
_PLACES = ("distance_to_border", "distance_to_centre", "x", "y")
_GREY = ("intensity", "integrated", "contrast")
QUANTITIES = (*COLUMNS, "aspect_ratio", "roundness", *_GREY, *_PLACES, "volume", "oddness")
_UNLIKE = ("area", "solidity", "mean_intensity")
SPREAD = 1.4826
"""Median absolute deviation of a normal distribution, in standard deviations."""

STATISTICS: Mapping[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean, "median": np.median, "min": np.min, "max": np.max, "sum": np.sum, "range": np.ptp,
    "sd": lambda v: np.std(v, ddof=1) if len(v) > 1 else 0.0, "iqr": lambda v: np.subtract(*np.percentile(v, (75, 25))),
    "cv": lambda v: 100 * (np.std(v, ddof=1) if len(v) > 1 else 0.0) / abs(np.mean(v)), "mode": lambda v: mode(v),
}  # fmt: skip


def named(quantity: str) -> str:
    """How a quantity is called in prose."""
    return str(table("quantities")["called"].get(quantity, quantity.replace("_", " ")))


def plain_quantity(text: str) -> tuple[str, str]:
    """The quantity that a text names, and the channel it is meant in.

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
    """A statistic of values: one of ``STATISTICS`` or a percentile ``p90``."""
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
    objects: pd.DataFrame, quantity: str, *, img: MicroImage, unit: str = "", channel: str | None = None
) -> tuple[np.ndarray, str]:
    """One number an object, and its unit.

    Parameters
    ----------
    unit : of the result, ``""`` for the natural one: µm where the pixel size is known, else px.
    channel : whose grey values are meant.
    """
    name, own = plain_quantity(quantity)
    measured, natural = _measured(objects, name, img, own or channel)
    if unit in ("", natural) or (name not in POWER and unit == "grey"):
        return measured, natural
    if name not in POWER:
        raise UnitsError(f"{named(name)} cannot be given in {unit}")
    pixel = float(np.sqrt(img.pixel_size["y"] * img.pixel_size["x"])) if img.pixel_size else None
    if pixel is None and not unit.startswith("px"):
        raise UnitsError(f"{img.name} has no pixel size, so {named(name)} cannot be given in {unit}; {TELL}")
    return measured * convert(1.0, natural, unit, pixel), unit


def _measured(objects: pd.DataFrame, name: str, img: MicroImage, channel: str | None) -> tuple[np.ndarray, str]:
    base, power = "um" if img.pixel_size else "px", POWER.get(name, 0)
    if name in _PLACES:
        values = _placed(objects, name, img)
    elif name == "aspect_ratio":
        major, minor = (column(objects, n) for n in ("major_axis", "minor_axis"))
        values = np.where(minor > 0, major / np.maximum(minor, 1e-9), np.nan)  # a single pixel has no shape
    elif name == "roundness":
        values = np.clip(4 * np.pi * column(objects, "area") / np.maximum(column(objects, "perimeter"), 1e-9) ** 2, 0, 1)
    elif name == "volume":
        values = np.pi / 6 * column(objects, "equivalent_diameter") ** 3
    elif name == "oddness":
        values = unlikeness(objects)
    elif name == "contrast":
        values = column(objects, "max_intensity", channel) - column(objects, "min_intensity", channel)
    elif name in _GREY:
        values = column(objects, "mean_intensity" if name == "intensity" else "sum_intensity", channel)
    else:
        values = column(objects, COLUMNS[name])
    unit = f"{base}{power if power > 1 else ''}" if power else "grey value" if name in _GREY else ""
    return np.asarray(values), "deg" if name == "orientation" else unit


def _placed(objects: pd.DataFrame, name: str, img: MicroImage) -> np.ndarray:
    y, x = objects["centroid_y_px"].to_numpy(float), objects["centroid_x_px"].to_numpy(float)
    height, width = img.plane_shape
    py, px = (img.pixel_size["y"], img.pixel_size["x"]) if img.pixel_size else (1.0, 1.0)
    if name in ("x", "y"):
        return x * px if name == "x" else y * py
    if name == "distance_to_centre":
        return np.asarray(np.hypot((y - height / 2) * py, (x - width / 2) * px))
    return np.asarray(np.min([y * py, (height - y) * py, x * px, (width - x) * px], axis=0))


def column(objects: pd.DataFrame, stem: str, channel: str | None = None) -> np.ndarray:
    """The column of this stem, whatever the unit in its name; the mean over channels for intensities without a channel."""
    names = [c for c in objects.columns if c == stem or c.startswith(stem + "_")]
    if not names:
        raise EvidenceError(f"objects have no column {stem!r}; they have {', '.join(objects.columns)}")
    own = [c for c in names if channel is not None and c[len(stem) + 1 :].lower() == channel.lower()]
    return np.asarray(objects[own[:1] or names].to_numpy(float).mean(axis=1))


def unlikeness(objects: pd.DataFrame) -> np.ndarray:
    """How far each object lies from the typical one, in robust standard deviations of area, outline and brightness together."""
    columns = [c for stem in _UNLIKE for c in objects.columns if c == stem or c.startswith(stem + "_")]
    off = [
        robust_deviation(np.log(np.maximum(v, 1e-9)) if c.startswith("area") else v)
        for c in columns
        if len(v := objects[c].to_numpy(float))
    ]
    return np.asarray(np.sqrt(np.mean(np.square(off), axis=0))) if off else np.zeros(len(objects))


def robust_deviation(values: np.ndarray) -> np.ndarray:
    """Deviations from the median in robust standard deviations."""
    middle = np.nanmedian(values)
    spread = SPREAD * np.nanmedian(np.abs(values - middle)) or float(np.nanstd(values)) or 1.0
    return np.asarray(np.nan_to_num((values - middle) / spread))


def box(row: pd.Series) -> tuple[float, float, float, float]:
    """``(x0, y0, x1, y1)`` of an object in pixels of level 0."""
    return tuple(float(row[f"bbox_{k}_px"]) for k in ("x0", "y0", "x1", "y1"))  # type: ignore[return-value]
