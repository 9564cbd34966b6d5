"""Tools about how a quantity is spread over objects: percentiles, histogram, variation, and a ranking of single objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ...analysis.statistics import bootstrap
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .found import Selection, box, need_all, objects_only, select, spread, values
from .frame import place_words
from .pixels import read_greys

Filters = Sequence[Mapping[str, Any]]
Weight = Literal["number", "area", "volume"]
LEAST = 5
"""Fewer objects than these have no distribution."""
_BINS = (6, 24)


@tool("distribution", quantity="how a quantity is spread over objects")
def distribution(
    img: MicroImage,
    *,
    quantity: str = "area",
    weight: Weight = "number",
    region: Region | None = None,
    filters: Filters = (),
    unit: str = "",
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Percentiles 10, 50 and 90 of a quantity over objects (D10, D50, D90 of a diameter), its quartiles, mean, standard
    deviation, coefficient of variation (%) and span, (D90 - D10) / D50; the counts of a histogram are among the parameters.
    `weight` counts objects by number, or by the area or volume (of a sphere) that each stands for.
    """
    chosen, measured, unit = _measured(img, quantity, region, filters, unit, channel, target, eyes)
    given = _weights(img, chosen, weight, channel)[np.isfinite(measured)]
    measured = measured[np.isfinite(measured)]
    if len(measured) < LEAST:
        raise EvidenceError(f"too few {target} were found there to give a distribution of them")
    low, lower, middle, upper, high = (weighted(measured, p, given) for p in (10, 25, 50, 75, 90))
    mean = float(np.average(measured, weights=given))
    deviation = float(np.sqrt(np.average((measured - mean) ** 2, weights=given)))
    found = dict(chosen.found) | {"histogram": histogram(measured, given), "weight": weight, "quantity": quantity}
    shares = ((10, low), (25, lower), (50, middle), (75, upper), (90, high))
    more = [("span", (high - low) / middle, "")] if middle else []
    cv = [("coefficient of variation", 100 * deviation / abs(mean), "%")] if mean else []
    return (
        *(Measurement(f"percentile {p}", v, unit, found=found | {"percent": p}) for p, v in shares),
        Measurement(f"mean {quantity}", mean, unit, found=found),
        Measurement(f"std {quantity}", deviation, unit, found=found),
        Measurement(f"number of {target} measured", len(measured), "count", found=chosen.found),
        *(Measurement(name, v, u, found=found) for name, v, u in (*cv, *more)),
    )


@tool("percentile", quantity="a percentile of a quantity over objects")
def percentile(
    img: MicroImage,
    *,
    percent: float,
    quantity: str = "diameter",
    weight: Weight = "number",
    region: Region | None = None,
    filters: Filters = (),
    unit: str = "",
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """The value that `percent` % of the objects do not exceed, with its bootstrap interval (by number)."""
    if not 0 <= percent <= 100:
        raise EvidenceError("a percentile lies between nothing and all of the objects, in per cent")
    chosen, measured, unit = _measured(img, quantity, region, filters, unit, channel, target, eyes)
    given = _weights(img, chosen, weight, channel)[np.isfinite(measured)]
    measured = measured[np.isfinite(measured)]
    if not len(measured):
        raise EvidenceError(f"no {target} were found there, so there is no percentile of their {quantity}")
    value, found, interval = weighted(measured, percent, given), dict(chosen.found) | {"quantity": quantity}, None
    if weight == "number" and len(measured) >= LEAST:
        made = bootstrap(measured, lambda v, axis=-1: np.percentile(v, percent, axis=axis))
        found, interval = found | spread(made, objects_only(chosen)), made.interval
    return (
        Measurement(f"percentile {percent:g}", value, unit, interval, found),
        Measurement(f"number of {target} measured", len(measured), "count", found=chosen.found),
    )


@tool("ranking", quantity="the objects that rank first by a quantity, with their places")
def ranking(
    img: MicroImage,
    *,
    by: str = "area",
    order: Literal["max", "min"] = "max",
    top: int = 5,
    region: Region | None = None,
    filters: Filters = (),
    unit: str = "",
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """The `top` objects with the largest (smallest) value of a quantity: value, centre (x, y) and place of each, as rows of a
    table; the first measurement is their number.
    """
    chosen, measured, unit = _measured(img, by, region, filters, unit, channel, target, eyes)
    need_all(chosen, "which of all objects come first")
    if not len(measured):
        raise EvidenceError(f"I find no {target} there, so none can be listed")
    keys = np.lexsort((chosen.table["label"].to_numpy(), -measured if order == "max" else measured))
    first = [int(k) for k in keys if np.isfinite(measured[k])][: max(int(top), 1)]
    out = [Measurement("listed", len(first), "count", found=dict(chosen.found) | {"by": by, "order": order}),
           Measurement(f"number of {target}", len(chosen), "count", found=chosen.found)]  # fmt: skip
    return (*out, *(m for rank, k in enumerate(first, 1) for m in listed(img, chosen, k, rank, {by: (measured[k], unit)})))


@tool("grey_histogram", unit="grey value", quantity="how grey values are spread over pixels")
def grey_histogram(img: MicroImage, *, region: Region | None = None, channel: str | None = None) -> tuple[Measurement, ...]:
    """Mean, standard deviation, least and greatest grey value; the counts of a histogram over pixels are among the parameters."""
    greys = read_greys(img, region, channel)
    bins = np.linspace(greys.low, greys.high, _BINS[1] + 1) if greys.high > greys.low else np.array([greys.low, greys.low + 1.0])
    counts, edges = np.histogram(greys.values, bins, weights=greys.counts)
    shown = {"edges": [float(f"{e:.6g}") for e in edges], "counts": counts.astype(float).tolist()}
    found = {"histogram": shown, "quantity": "grey value"}
    facts = (("mean", greys.mean), ("std", greys.std), ("least", greys.low), ("greatest", greys.high))
    return tuple(Measurement(f"{name} grey value", float(v), "grey value", found=found) for name, v in facts)


def listed(
    img: MicroImage, chosen: Selection, at: int, rank: int, more: Mapping[str, tuple[float, str]]
) -> tuple[Measurement, ...]:
    """The row of a table about one object: what was measured of it, its centre, place and box."""
    row = chosen.table.iloc[at]
    y, x = float(row["centroid_y_px"]), float(row["centroid_x_px"])
    found = {"row": rank, "label": int(row["label"])}
    return (
        *(
            Measurement(f"{name}, rank {rank}", float(v), unit, found=found | {"column": name})
            for name, (v, unit) in more.items()
        ),
        Measurement(f"x, rank {rank}", round(x, 1), "px", found=found | {"column": "x"}),
        Measurement(f"y, rank {rank}", round(y, 1), "px", found=found | {"column": "y"}),
        Measurement(f"place, rank {rank}", place_words(img, y, x), found=found | {"column": "place"}),
        Measurement(f"box, rank {rank}", box(row), "px", found=found),
    )


def weighted(measured: np.ndarray, percent: float, weights: np.ndarray) -> float:
    """A percentile of values that stand for different amounts; the usual one where all weights are equal.

    >>> weighted(np.array([1.0, 2.0, 3.0]), 50, np.ones(3)), weighted(np.array([1.0, 2.0]), 50, np.array([1.0, 8.0]))
    (2.0, 2.0)
    """
    if np.ptp(weights) == 0:
        return float(np.percentile(measured, percent))
    order = np.argsort(measured)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(measured[order][min(int(np.searchsorted(reached, percent / 100)), len(measured) - 1)])


def histogram(measured: np.ndarray, weights: np.ndarray) -> dict[str, list[float]]:
    """Edges of equal bins (after Freedman and Diaconis, within bounds) and what lies in each, as JSON values."""
    few, many = _BINS
    bins = int(np.clip(len(np.histogram_bin_edges(measured, "fd")) - 1, few, many)) if np.ptp(measured) else 1
    counts, edges = np.histogram(measured, bins, weights=weights)
    return {"edges": [float(f"{e:.6g}") for e in edges], "counts": [float(f"{c:.6g}") for c in counts]}


def _measured(
    img: MicroImage,
    quantity: str,
    region: Region | None,
    filters: Filters,
    unit: str,
    channel: str | None,
    target: str,
    eyes: str,
) -> tuple[Selection, np.ndarray, str]:
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    measured, unit = values(chosen.table, quantity, img=img, unit=unit, channel=channel)
    return chosen, measured, unit


def _weights(img: MicroImage, chosen: Selection, weight: Weight, channel: str | None) -> np.ndarray:
    if weight == "number":
        return np.ones(len(chosen))
    power = 3 if weight == "volume" else 2
    return values(chosen.table, "diameter", img=img, unit="px", channel=channel)[0] ** power
