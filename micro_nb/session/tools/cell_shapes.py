"""Tools on the look of blood cells: the nucleus of a white cell, the pale centre of red cells, how even cells are stained."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...analysis.white_cells import kind, nucleus
from ...analysis.whole import whole
from ...data.image import MicroImage
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, facts, run, tool
from .chosen import select
from .marks import placed
from .quantities import box

SOURCE = "B. J. Bain, Blood Cells: A Practical Guide, 5th ed."
PALE = 0.12
"""Pallor from which a pale centre can be seen."""


@tool("white_cell_type", quantity="what the nucleus of a white cell is consistent with")
def white_cell_type(
    img: MicroImage, *, eyes: str = FLOOR, x: float | None = None, y: float | None = None
) -> tuple[Measurement, ...]:
    """Of the largest white blood cell, or of that nearest to a point: the type its nucleus is consistent with, the segments of
    the nucleus, the share of its convex outline that it fills, the share of the cell that it fills (%), and how red the rest is.
    """
    row, seen = _white_cell(img, eyes, x, y), whole(img)
    place = box(row)
    margin = 0.15 * max(place[2] - place[0], place[3] - place[1])
    x0, y0, x1, y1 = (
        round(v / seen.factor) for v in (place[0] - margin, place[1] - margin, place[2] + margin, place[3] + margin)
    )
    found = nucleus(seen.colours[:, max(y0, 0) : y1, max(x0, 0) : x1], np.percentile(seen.colours, 80, axis=(1, 2)))
    if found is None:
        raise EvidenceError("the nucleus of the white cell does not stand out, so its type cannot be judged")
    name, why = kind(found)
    how = {"source": SOURCE, "score": round(float(row.get("score", 0.0)), 3)}
    rows = (
        ("type of the white cell", name),
        ("reason", why),
        ("segments of the nucleus", found.segments, "count"),
        ("share of its convex outline", found.solidity),
        ("share of the cell that is nucleus", 100 * found.share, "%"),
        ("redness of the cytoplasm", found.eosin),
    )
    return *facts(how, *rows), *placed(img, place, how)


def _white_cell(img: MicroImage, eyes: str, x: float | None, y: float | None) -> pd.Series:
    """The white cell nearest to a point; without one, the largest."""
    table = select(img, eyes=eyes, target="white blood cells").table
    if not len(table):
        raise EvidenceError("I find no white blood cell in this picture, so there is no nucleus to judge by")
    if x is not None and y is not None:
        away = (table["centroid_x_px"] - x) ** 2 + (table["centroid_y_px"] - y) ** 2
        return table.iloc[int(np.argmin(away.to_numpy()))]
    size = (table["bbox_x1_px"] - table["bbox_x0_px"]) * (table["bbox_y1_px"] - table["bbox_y0_px"])
    return table.iloc[int(np.argmax(size.to_numpy()))]


@tool("central_pallor", quantity="the pale centre of red cells")
def central_pallor(img: MicroImage, *, eyes: str = FLOOR) -> tuple[Measurement, ...]:
    """Median pallor of the red cells: 1 - absorbance of the centre over that of the ring around it, so 0 where there is no pale
    centre, towards 1 in a ring; and how many cells were looked at.
    """
    measured = {m.quantity: m for m in run("red_cell_shape", img, eyes=eyes)}
    how = {"pale_from": PALE, "source": SOURCE}
    pale, number = measured["median central pallor"], measured["red cells looked at"]
    return Measurement(pale.quantity, pale.value, found=how), Measurement(number.quantity, number.value, "count", found=how)


@tool("even_stain", quantity="how evenly cells are stained and how well they are separated")
def even_stain(img: MicroImage, *, eyes: str = FLOOR) -> tuple[Measurement, ...]:
    """Deviation of the mean brightness of the cells, in % of their contrast with the background, and the share of cells (%) whose
    nearest neighbour's centre is more than a diameter away.
    """
    table = select(img, eyes=eyes, target="cells").table
    if len(table) < 3:
        raise EvidenceError("too few cells were found to say how evenly they are stained")
    grey = table[[c for c in table.columns if c.startswith("mean_intensity")]].to_numpy(float).mean(axis=1)
    seen = whole(img)
    top = float(np.iinfo(img.dtype).max) if img.dtype.kind in "iu" else 1.0
    contrast = abs(float(np.median(grey)) / top - float(np.percentile(seen.grey, 80)))
    spread = 1.4826 * float(np.median(np.abs(grey - np.median(grey)))) / top
    near = next(c for c in table.columns if c.startswith("nearest_neighbour"))
    size = next(c for c in table.columns if c.startswith("equivalent_diameter"))
    free = float(np.mean(table[near].to_numpy(float) > 1.05 * table[size].to_numpy(float)))
    return (
        Measurement("deviation of the brightness of cells", 100 * spread / max(contrast, 1e-3), "%"),
        Measurement("cells that lie apart", 100 * free, "%"),
        Measurement("number of cells", len(table), "count"),
    )
