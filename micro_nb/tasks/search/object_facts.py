"""Numbers of the objects in a view (a picture, a tile): how many, how large, how long, how crowded. From their table alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

BOX = ("bbox_y0_px", "bbox_x0_px", "bbox_y1_px", "bbox_x1_px")
_NAMELESS = ("object", "unknown", "")
_MOST_ELONGATED = 50.0


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


def main_layer(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of whole objects; of the fullest layer where none are whole."""
    layers = table["layer"].value_counts()
    return table if layers.empty else table[table["layer"] == ("object" if "object" in layers.index else layers.index[0])]


def with_derived(table: pd.DataFrame, *, pixel_size: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Adds what search texts speak of to a table with a row an object, as :func:`micro_nb.measure` makes it.

    Parameters
    ----------
    pixel_size : µm per pixel, where lengths are in µm.

    Returns
    -------
    The table with ``diameter_px`` (of a disc of the same area), ``elongation`` (major over minor axis), ``relative_size``
    (diameter over the median of its layer) and ``spacing`` (distance to the nearest neighbour in diameters).
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
    table : objects in the view, with the columns of :func:`with_derived`.
    shape : ``(y, x)`` of the view, px.
    pixel_size : µm per pixel; adds ``median_diameter_um``.

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
        **{name: _median(whole, name) for name in ("elongation", "solidity", "spacing")},
        "density_per_mpx": 1e6 * len(whole) / pixels,
    }
    if pixel_size:
        facts["median_diameter_um"] = diameter * _um(pixel_size)
    names = table["name"].value_counts()  # over all layers
    return facts | {count_column(str(name)): int(n) for name, n in names.items() if str(name) not in _NAMELESS}


def _um(pixel_size: Mapping[str, float] | None) -> float:
    """Geometric mean of the pixel's sides; 1 where unknown."""
    return float(np.sqrt(pixel_size["y"] * pixel_size["x"])) if pixel_size else 1.0


def _median(table: pd.DataFrame, column: str) -> float:
    values = table[column].replace([np.inf, -np.inf], np.nan).dropna()
    return float(values.median()) if len(values) else float("nan")
