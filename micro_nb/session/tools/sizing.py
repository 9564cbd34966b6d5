"""Tools about the size, shape, brightness and place of objects: of all of them, or of one that stands out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ...analysis.statistics import Estimate, bootstrap
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, facts
from .chosen import TILES_ONLY, Selection, spread
from .frame import place_words
from .object_tool import object_tool
from .pixels import read_greys
from .quantities import box, centre
from .typical import expected, fits_typical, typical_size

Order = Literal["max", "min"]
Statistic = Literal["mean", "median", "min", "max", "sum", "std"]
_STATISTICS: Mapping[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean,
    "median": np.median,
    "min": np.min,
    "max": np.max,
    "sum": np.sum,
    "std": np.std,
}


@object_tool("object_statistic", quantity="a statistic of a quantity over objects")
def object_statistic(
    chosen: Selection, *, quantity: str, statistic: Statistic = "mean", unit: str = ""
) -> tuple[Measurement, ...]:
    """Mean, median, min, max, sum or std over objects of: area, diameter (of the circle of equal area), perimeter, length and
    width (axes of the fitted ellipse), aspect_ratio, eccentricity, solidity, roundness, intensity, spacing (centre to centre,
    nearest neighbour). `unit` "" takes µm where a pixel size is known, else px. The mean comes with its 95 % interval.
    """
    if statistic in ("min", "max"):
        chosen.need_all(f"the {statistic}")
    measured, unit = chosen.values(quantity, unit)
    finite = np.isfinite(measured)
    measured, over = measured[finite], replace(chosen, table=chosen.table[finite])
    if not len(over):
        raise EvidenceError(f"no {chosen.target} were found there, so there is no {statistic} {quantity}")
    estimate, found = _estimate(over, measured, statistic), dict(chosen.found)
    if estimate:
        found |= spread(estimate, chosen.between_objects if chosen.drawn is None else TILES_ONLY)
    value, interval = (estimate.value, estimate.interval) if estimate else (float(_STATISTICS[statistic](measured)), None)
    return (
        *facts(found | implausible(chosen), (f"{statistic} {quantity} of {chosen.target}", value, unit, interval)),
        *facts(chosen.found, (f"number of {chosen.target} measured", len(over), "count")),
    )


def _estimate(over: Selection, measured: np.ndarray, statistic: str) -> Estimate | None:
    """The statistic with its interval, where it has one: a mean, or a sum over a sample of the tiles."""
    if statistic == "sum" and over.drawn is not None:
        return over.drawn.total(over.table, measured)
    if statistic != "mean" or len(measured) < 2:
        return None
    return bootstrap(measured) if over.drawn is None else over.drawn.mean(over.table, measured)


def implausible(chosen: Selection) -> dict[str, Any]:
    """The median size (µm) and what is typical, where it is far from what objects of their kind have; else nothing."""
    typical = typical_size(chosen.found, chosen.target)
    if typical is None or chosen.img.pixel_size is None or chosen.meant.filters:
        return {}
    size, _ = chosen.values("diameter" if typical.of == "diameter" else "width", "um")
    middle = float(np.nanmedian(size))
    return {} if fits_typical(middle, typical) else {"implausible_um": middle} | expected(typical)


@object_tool("locate", unit="px", quantity="the place of one object")
def locate(chosen: Selection, *, by: str = "area", order: Order = "max", rank: int = 1) -> tuple[Measurement, ...]:
    """Where the object with the largest (or smallest) value of a quantity is: box (x0, y0, x1, y1) in px, centre and place."""
    row, value, unit = chosen.ranked(by, order, rank)
    y, x = centre(row)
    return facts(
        {**chosen.found, "label": int(row["label"])},
        ("box", box(row), "px"),
        ("centre", (round(x, 1), round(y, 1)), "px"),
        ("place", place_words(chosen.img, y, x)),
        (by, value, unit),
        ("share of the convex outline", float(row["solidity"])),
    )


@object_tool("object_value", quantity="a quantity of one object")
def object_value(
    chosen: Selection, *, quantity: str, by: str = "area", order: Order = "max", rank: int = 1, unit: str = ""
) -> tuple[Measurement, ...]:
    """A quantity of the object that ranks first (second ...) by another, e.g. the diameter of the brightest; with its box."""
    row, _, _ = chosen.ranked(by, order, rank)
    (value,), unit = replace(chosen, table=chosen.table.loc[[row.name]]).values(quantity, unit)
    return facts({**chosen.found, "label": int(row["label"])}, (quantity, float(value), unit), ("box", box(row), "px"))


@object_tool("polarity", quantity="whether objects are darker or brighter than the background")
def polarity(chosen: Selection) -> Measurement:
    """Whether objects are "darker" or "brighter" than what surrounds them: as the segmentation found, or by their grey values."""
    kind = str(chosen.found.get("polarity", "")) if chosen.meant.eyes == FLOOR else _contrast(chosen)
    if kind not in ("bright", "dark"):
        raise EvidenceError(f"the segmentation did not record whether {chosen.target} are darker or brighter than the background")
    return Measurement(f"{chosen.target} are", "brighter" if kind == "bright" else "darker", found=chosen.found)


def _contrast(chosen: Selection) -> str:
    """ "bright" where the pixels of the objects are brighter on average than all pixels, so than the rest."""
    if not len(chosen):
        return ""
    (areas, _), (grey, _) = chosen.values("area", "px2"), chosen.values("intensity")
    overall = read_greys(chosen.img, None, chosen.meant.channel).mean
    return "bright" if float(np.average(grey, weights=areas)) > overall else "dark"


@object_tool(
    "object_ratio", unit="times", quantity="how many times one object exceeds another", takes=("filters", "target", "eyes")
)
def object_ratio(
    chosen: Selection, *, quantity: str = "area", by: str = "area", order: Order = "max", rank: int = 1,
    versus: Literal["median", "next"] = "median",
) -> tuple[Measurement, ...]:  # fmt: skip
    """A quantity of the object that ranks first, divided by that of the next in rank, or by the median over all objects."""
    row, _, _ = chosen.ranked(by, order, rank)
    measured, unit = chosen.values(quantity)
    mine = float(measured[chosen.table.index.get_loc(row.name)])
    if versus == "median":
        other = float(np.median(measured))
    else:
        second, _, _ = chosen.ranked(by, order, rank + 1)
        other = float(measured[chosen.table.index.get_loc(second.name)])
    return facts(
        chosen.found,
        (f"ratio of {quantity}", mine / other, "times"),
        (quantity, mine, unit),
        (f"{versus} {quantity}", other, unit),
    )
