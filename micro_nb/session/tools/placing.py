"""Quantities of objects that depend on where they lie or on the others: distance from an edge, unlikeness to the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...data.image import MicroImage

FROM = ("from_top", "from_bottom", "from_left", "from_right", "from_center", "from_border")
_UNLIKE = ("area", "solidity", "mean_intensity")  # stems of the columns in which an object may stand out
_SPREAD = 1.4826  # median absolute deviation of a normal distribution, in standard deviations


def distance(table: pd.DataFrame, name: str, img: MicroImage) -> np.ndarray:
    """px from the centre of each object to an edge of the image, to its centre, or to the nearest edge; ``name`` of FROM."""
    y, x = table["centroid_y_px"].to_numpy(float), table["centroid_x_px"].to_numpy(float)
    height, width = img.plane_shape
    edges = {"from_top": y, "from_bottom": height - y, "from_left": x, "from_right": width - x}
    if name == "from_center":
        return np.asarray(np.hypot(y - height / 2, x - width / 2))
    return edges[name] if name in edges else np.min(list(edges.values()), axis=0)


def unlikeness(table: pd.DataFrame) -> np.ndarray:
    """How far each object lies from the typical one, in robust standard deviations of area, outline and brightness together."""
    columns = [c for stem in _UNLIKE for c in table.columns if c == stem or c.startswith(stem + "_")]
    off = [
        _deviation(np.log(np.maximum(v, 1e-9)) if c.startswith("area") else v)
        for c in columns
        if len(v := table[c].to_numpy(float))
    ]
    return np.asarray(np.sqrt(np.mean(np.square(off), axis=0))) if off else np.zeros(len(table))


def ranks_among(measured: np.ndarray, op: str, k: float) -> np.ndarray:
    """Which are among the ``k`` largest (op "max") or smallest ("min"); ties go to the first."""
    order = np.argsort(-measured if op == "max" else measured, kind="stable")
    chosen = np.zeros(len(measured), bool)
    chosen[order[: max(int(k), 0)]] = True
    return chosen


def _deviation(values: np.ndarray) -> np.ndarray:
    middle = np.nanmedian(values)
    spread = _SPREAD * np.nanmedian(np.abs(values - middle)) or float(np.nanstd(values)) or 1.0
    return np.asarray(np.nan_to_num((values - middle) / spread))
