"""Numbers of the objects in a view (a picture, a tile): how many, how large, how long, how crowded. From their table alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

BOX = ("bbox_y0_px", "bbox_x0_px", "bbox_y1_px", "bbox_x1_px")
_MAIN = "object"
_NAMELESS = ("object", "unknown", "")


def count_column(name: str) -> str:
    """The column that counts objects of a name.

    >>> count_column("white blood cell")
    'n_white_blood_cell'
    """
    return "n_" + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def main_layer(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of whole objects; of the fullest layer where none are whole."""
    if table.empty or "layer" not in table.columns:
        return table
    layers = table["layer"].value_counts()
    return table[table["layer"] == (_MAIN if _MAIN in layers.index else layers.index[0])]


def with_derived(table: pd.DataFrame, *, pixel_size: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Adds what search texts speak of to a table with a row an object.

    Parameters
    ----------
    table : as :func:`micro_nb.measure` makes it; the box and ``area_{u}2`` are needed.
    pixel_size : µm per pixel, where areas are in µm².

    Returns
    -------
    The table with ``diameter_px`` (of a disc of the same area), ``elongation`` (major over minor axis; of the box where axes were
    not measured), ``relative_size`` (diameter over the median of its layer) and ``spacing`` (distance to the nearest neighbour in
    diameters).
    """
    out = table.copy()
    out["diameter_px"] = _diameter_px(table, pixel_size)
    out["elongation"] = _elongation(table)
    layer = table["layer"] if "layer" in table.columns else pd.Series(_MAIN, index=table.index)
    typical = out["diameter_px"].groupby(layer.to_numpy()).transform("median") if len(out) else out["diameter_px"]
    out["relative_size"] = out["diameter_px"] / np.maximum(typical, 1e-9)
    near = next((c for c in table.columns if c.startswith("nearest_neighbour_")), None)
    step = _um(pixel_size) if near is not None and near.endswith("um") else 1.0
    out["spacing"] = table[near] / step / np.maximum(out["diameter_px"], 1e-9) if near else np.nan
    return out


def view_facts(
    table: pd.DataFrame, *, shape: tuple[float, float], pixel_size: Mapping[str, float] | None = None, spaced: bool = True
) -> dict[str, Any]:
    """Numbers of one view.

    Parameters
    ----------
    table : objects in the view, with the columns of :func:`with_derived`.
    shape : ``(y, x)`` of the view, px.
    pixel_size : µm per pixel; adds ``median_diameter_um``.
    spaced : whether ``spacing`` is known; the distance to a neighbour outside the view is none of the view's.

    Returns
    -------
    ``n_objects``, ``n_<name>`` for each name, ``median_diameter_px`` (``_um``), ``relative_size`` (median diameter over the
    shorter side), ``area_percent``, ``elongation``, ``solidity``, ``spacing`` (medians), ``density_per_mpx``.
    """
    whole = main_layer(table)
    pixels = max(shape[0] * shape[1], 1.0)
    diameter = _median(whole, "diameter_px")
    facts: dict[str, Any] = {
        "n_objects": len(whole),
        "median_diameter_px": diameter,
        "relative_size": diameter / max(min(shape), 1.0),
        "area_percent": min(100 * float((np.pi / 4 * whole["diameter_px"] ** 2).sum()) / pixels, 100.0),
        "elongation": _median(whole, "elongation"),
        "solidity": _median(whole, "solidity"),
        "spacing": _median(whole, "spacing") if spaced else float("nan"),
        "density_per_mpx": 1e6 * len(whole) / pixels,
    }
    if pixel_size:
        facts["median_diameter_um"] = diameter * _um(pixel_size)
    return facts | counts(table)


def counts(table: pd.DataFrame) -> dict[str, int]:
    """``n_<name>`` of every name in a table, over all layers."""
    if "name" not in table.columns:
        return {}
    names = table["name"].value_counts()
    return {count_column(str(name)): int(n) for name, n in names.items() if str(name) not in _NAMELESS}


def _diameter_px(table: pd.DataFrame, pixel_size: Mapping[str, float] | None) -> np.ndarray:
    if "area_px2" in table.columns:
        area = table["area_px2"].to_numpy(float)
    elif "area_um2" in table.columns and pixel_size:
        area = table["area_um2"].to_numpy(float) / (pixel_size["y"] * pixel_size["x"])
    else:
        height, width = _box_sides(table)
        area = np.pi / 4 * height * width
    return np.asarray(np.sqrt(4 / np.pi * area))


def _elongation(table: pd.DataFrame) -> np.ndarray:
    axes = [next((c for c in table.columns if c.startswith(f"{which}_axis_")), None) for which in ("major", "minor")]
    if all(axes):
        major, minor = (table[c].to_numpy(float) for c in axes)
    else:
        sides = np.stack(_box_sides(table))
        major, minor = sides.max(0), sides.min(0)
    return np.asarray(np.minimum(major / np.maximum(minor, 1e-9), 50.0))


def _box_sides(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    y0, x0, y1, x1 = (table[c].to_numpy(float) for c in BOX)
    return y1 - y0, x1 - x0


def _um(pixel_size: Mapping[str, float] | None) -> float:
    """Geometric mean of the pixel's sides; 1 where unknown."""
    return float(np.sqrt(pixel_size["y"] * pixel_size["x"])) if pixel_size else 1.0


def _median(table: pd.DataFrame, column: str) -> float:
    values = table[column].to_numpy(float) if column in table.columns else np.zeros(0)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")
