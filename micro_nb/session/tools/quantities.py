"""Quantities of objects: one number an object, and its unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...errors import EvidenceError, UnitsError
from .placing import FROM, distance, ranks_among, unlikeness

_OPS = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "==": np.equal, "is": np.equal}
RANKS = ("max", "min")
"""Operators that ask for a place among the others instead of a limit."""
_LENGTHS = {"equivalent_diameter", "perimeter", "major_axis", "minor_axis", "nearest_neighbour"}
_POWER = {"um": 1.0, "nm": 1e-3, "mm": 1e3, "um2": 1.0, "nm2": 1e-6, "mm2": 1e6}
_NAMES = {"diameter": "equivalent_diameter", "spacing": "nearest_neighbour", "length": "major_axis", "width": "minor_axis"}


def values(
    table: pd.DataFrame, quantity: str, *, img: MicroImage, unit: str = "", channel: str | None = None
) -> tuple[np.ndarray, str]:
    """One number an object, and its unit.

    Parameters
    ----------
    quantity : ``area diameter perimeter length width spacing eccentricity solidity roundness aspect_ratio intensity oddness``, or
        a distance from the middle or an edge of the image, ``from_top from_bottom from_left from_right from_center from_border``.
    unit : of the result: um um2 nm nm2 mm mm2 px px2, or ``""`` for the natural one.

    Raises
    ------
    UnitsError : a physical unit on an image without a pixel size.
    EvidenceError : no such quantity.
    """
    name = _NAMES.get(quantity, quantity)
    if name in FROM:
        return distance(table, name, img), "px"
    if name == "oddness":
        return unlikeness(table), ""
    if name == "area" or name in _LENGTHS:
        return _sized(table, name, img, unit)
    if name == "aspect_ratio":
        major, minor = (_column(table, n) for n in ("major_axis", "minor_axis"))
        return np.where(minor > 0, major / np.maximum(minor, 1e-9), np.nan), ""  # a single pixel has no shape
    if name == "roundness":
        area, around = _column(table, "area"), _column(table, "perimeter")
        return np.clip(4 * np.pi * area / np.maximum(around, 1e-9) ** 2, 0, 1), ""
    if name == "intensity":
        return _column(table, "mean_intensity", channel), "grey value"
    if name in ("eccentricity", "solidity"):
        return table[name].to_numpy(float), ""
    raise EvidenceError(f"objects have no quantity {quantity!r}")


def meets(table: pd.DataFrame, condition: Mapping[str, Any], img: MicroImage) -> np.ndarray:
    """Which rows meet a condition ``{"quantity", "op", "value", "unit"}``.

    Raises
    ------
    UnitsError, EvidenceError : as :func:`values`; no such operator.
    """
    quantity, op, value = condition["quantity"], condition["op"], condition["value"]
    if op not in _OPS and op not in RANKS:
        raise EvidenceError(f"filter operator {op!r} is not one of {', '.join(_OPS)}")
    if quantity == "touches_border":
        return np.asarray(table["touches_border"].to_numpy(bool) == bool(value))
    measured, _ = values(table, quantity, img=img, unit=condition.get("unit", "") if op not in RANKS else "")
    if op in RANKS:
        return ranks_among(measured, op, float(value))
    return np.asarray(_OPS[op](measured, float(value)))


def box(row: pd.Series) -> tuple[float, float, float, float]:
    """``(x0, y0, x1, y1)`` of an object in pixels of level 0."""
    return tuple(float(row[f"bbox_{k}_px"]) for k in ("x0", "y0", "x1", "y1"))  # type: ignore[return-value]


def centre(row: pd.Series) -> tuple[float, float]:
    """``(y, x)`` of an object in pixels of level 0."""
    return float(row["centroid_y_px"]), float(row["centroid_x_px"])


def _sized(table: pd.DataFrame, name: str, img: MicroImage, unit: str) -> tuple[np.ndarray, str]:
    power = 2 if name == "area" else 1
    suffix = "2" if power == 2 else ""
    natural = ("um" if img.pixel_size else "px") + suffix
    unit = unit or natural
    raw = _column(table, name)
    if unit.startswith("px"):
        if img.pixel_size is None:
            return raw, "px" + suffix
        edge = (img.pixel_size["y"] * img.pixel_size["x"]) ** 0.5
        return raw / edge**power, "px" + suffix
    if unit not in _POWER or (unit.endswith("2") != (power == 2)):
        raise UnitsError(f"{name} cannot be given in {unit!r}")
    if img.pixel_size is None:
        raise UnitsError(f"{img.name} has no pixel size, so {name} cannot be given in {unit}; pass pixel_size= to open_image")
    return raw / _POWER[unit], unit


def _column(table: pd.DataFrame, stem: str, channel: str | None = None) -> np.ndarray:
    """The column of this stem, whatever the unit in its name; the mean over channels for intensities without a channel."""
    if channel is not None and f"{stem}_{channel}" in table.columns:
        return table[f"{stem}_{channel}"].to_numpy(float)
    names = [c for c in table.columns if c == stem or c.startswith(stem + "_")]
    if not names:
        raise EvidenceError(f"objects have no column {stem!r}; they have {', '.join(table.columns)}")
    return table[names].to_numpy(float).mean(axis=1) if len(names) > 1 else table[names[0]].to_numpy(float)
