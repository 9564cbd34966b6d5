"""Tools about the size, shape, brightness and place of objects: of all of them, or of one that stands out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...analysis.statistics import Estimate, bootstrap
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .found import TILES_ONLY, Selection, box, need_all, objects_only, select, spread, values
from .frame import place_words
from .pixels import intensity
from .typical import expected, fits_typical, typical_size

Filters = Sequence[Mapping[str, Any]]
Statistic = Literal["mean", "median", "min", "max", "sum", "std"]
_STATISTICS: Mapping[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean,
    "median": np.median,
    "min": np.min,
    "max": np.max,
    "sum": np.sum,
    "std": np.std,
}


@tool("object_statistic", quantity="a statistic of a quantity over objects")
def object_statistic(
    img: MicroImage,
    *,
    quantity: str,
    statistic: Statistic = "mean",
    region: Region | None = None,
    filters: Filters = (),
    unit: str = "",
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Mean, median, min, max, sum or std over objects of: area, diameter (of the circle of equal area), perimeter, length and
    width (axes of the fitted ellipse), aspect_ratio, eccentricity, solidity, roundness, intensity, spacing (centre to centre,
    nearest neighbour). `unit` "" takes µm where a pixel size is known, else px. The mean comes with its 95 % interval.
    """
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    if statistic in ("min", "max"):
        need_all(chosen, f"the {statistic}")
    measured, unit = values(chosen.table, quantity, img=img, unit=unit, channel=channel)
    finite = np.isfinite(measured)
    table, measured = chosen.table[finite], measured[finite]
    n = len(measured)
    if not n:
        raise EvidenceError(f"no {target} were found there, so there is no {statistic} {quantity}")
    estimate = _estimate(chosen, table, measured, statistic)
    covers = objects_only(chosen) if chosen.drawn is None else TILES_ONLY
    found = dict(chosen.found) | (spread(estimate, covers) if estimate else {})
    found |= implausible(chosen, img, target)
    value = estimate.value if estimate else float(_STATISTICS[statistic](measured))
    interval = estimate.interval if estimate else None
    return (
        Measurement(f"{statistic} {quantity} of {target}", value, unit, interval, found),
        Measurement(f"number of {target} measured", n, "count", found=chosen.found),
    )


def _estimate(chosen: Selection, table: pd.DataFrame, measured: np.ndarray, statistic: str) -> Estimate | None:
    """The statistic with its interval, where it has one: a mean, or a sum over a sample of the tiles."""
    if statistic == "sum" and chosen.drawn is not None:
        return chosen.drawn.total(table, measured)
    if statistic != "mean" or len(measured) < 2:
        return None
    return bootstrap(measured) if chosen.drawn is None else chosen.drawn.mean(table, measured)


def implausible(chosen: Selection, img: MicroImage, target: str) -> dict[str, Any]:
    """The median size (µm) and what is typical, where it is far from what objects of their kind have; else nothing."""
    typical = typical_size(chosen.found, target)
    if typical is None or img.pixel_size is None or chosen.filtered:
        return {}
    size, _ = values(chosen.table, "diameter" if typical.of == "diameter" else "width", img=img, unit="um")
    middle = float(np.nanmedian(size))
    return {} if fits_typical(middle, typical) else {"implausible_um": middle} | expected(typical)


@tool("locate", unit="px", quantity="the place of one object")
def locate(
    img: MicroImage,
    *,
    by: str = "area",
    order: Literal["max", "min"] = "max",
    rank: int = 1,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Where the object with the largest (or smallest) value of a quantity is: box (x0, y0, x1, y1) in px, centre and place."""
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    row, value, unit = ranked(chosen, img, by, order, rank, channel, target)
    y, x = float(row["centroid_y_px"]), float(row["centroid_x_px"])
    found = dict(chosen.found) | {"label": int(row["label"])}
    return (
        Measurement("box", box(row), "px", found=found),
        Measurement("centre", (round(x, 1), round(y, 1)), "px", found=found),
        Measurement("place", place_words(img, y, x), found=found),
        Measurement(by, value, unit, found=found),
        Measurement("share of the convex outline", float(row["solidity"]), "", found=found),
    )


@tool("object_value", quantity="a quantity of one object")
def object_value(
    img: MicroImage,
    *,
    quantity: str,
    by: str = "area",
    order: Literal["max", "min"] = "max",
    rank: int = 1,
    region: Region | None = None,
    filters: Filters = (),
    unit: str = "",
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """A quantity of the object that ranks first (second ...) by another, e.g. the diameter of the brightest; with its box."""
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    row, _, _ = ranked(chosen, img, by, order, rank, channel, target)
    one = chosen.table.loc[[row.name]]
    measured, unit = values(one, quantity, img=img, unit=unit, channel=channel)
    found = dict(chosen.found) | {"label": int(row["label"])}
    return (
        Measurement(quantity, float(measured[0]), unit, found=found),
        Measurement("box", box(row), "px", found=found),
    )


@tool("polarity", quantity="whether objects are darker or brighter than the background")
def polarity(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> Measurement:
    """Whether objects are "darker" or "brighter" than what surrounds them: as the segmentation found, or by their grey values."""
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    found = chosen.found
    kind = str(found.get("polarity", "")) if eyes == FLOOR else _contrast(chosen, img, channel)
    if kind not in ("bright", "dark"):
        raise EvidenceError(f"the segmentation did not record whether {target} are darker or brighter than the background")
    return Measurement(f"{target} are", "brighter" if kind == "bright" else "darker", found=found)


def _contrast(chosen: Selection, img: MicroImage, channel: str | None) -> str:
    """ "bright" where the pixels of the objects are brighter on average than all pixels, so than the rest."""
    if not len(chosen):
        return ""
    (areas, _), (grey, _) = (
        values(chosen.table, q, img=img, unit=u, channel=channel) for q, u in (("area", "px2"), ("intensity", ""))
    )
    overall = intensity(img, statistic="mean", channel=channel)
    mean = overall[0] if isinstance(overall, tuple) else overall
    return "bright" if float(np.average(grey, weights=areas)) > float(mean.value) else "dark"  # type: ignore[arg-type]


@tool("object_ratio", unit="times", quantity="how many times one object exceeds another")
def object_ratio(
    img: MicroImage,
    *,
    quantity: str = "area",
    by: str = "area",
    order: Literal["max", "min"] = "max",
    rank: int = 1,
    versus: Literal["median", "next"] = "median",
    filters: Filters = (),
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """A quantity of the object that ranks first, divided by that of the next in rank, or by the median over all objects."""
    chosen = select(img, filters=filters, eyes=eyes, target=target)
    row, _, _ = ranked(chosen, img, by, order, rank, None, target)
    measured, unit = values(chosen.table, quantity, img=img)
    mine = float(measured[chosen.table.index.get_loc(row.name)])
    if versus == "median":
        other = float(np.median(measured))
    else:
        second, _, _ = ranked(chosen, img, by, order, rank + 1, None, target)
        other = float(measured[chosen.table.index.get_loc(second.name)])
    return (
        Measurement(f"ratio of {quantity}", mine / other, "times", found=chosen.found),
        Measurement(quantity, mine, unit, found=chosen.found),
        Measurement(f"{versus} {quantity}", other, unit, found=chosen.found),
    )


def ranked(
    chosen: Selection, img: MicroImage, by: str, order: str, rank: int, channel: str | None, target: str
) -> tuple[pd.Series, float, str]:
    """The object that ranks so by a quantity, its value and unit."""
    need_all(chosen, "which of all objects that is")
    measured, unit = values(chosen.table, by, img=img, channel=channel)
    if not len(measured):
        raise EvidenceError(f"I find no {target} there, so none can be pointed at")
    if not 1 <= rank <= len(measured):
        raise EvidenceError(f"only {len(measured)} {target} were found, so none ranks {rank} by {by}")
    # ties go to the smaller label, so that the same object is meant every time
    keys = np.lexsort((chosen.table["label"].to_numpy(), -measured if order == "max" else measured))
    at = int(keys[rank - 1])
    return chosen.table.iloc[at], float(measured[at]), unit
