"""Tools about how a quantity is spread over objects: percentiles, histogram, variation, and a ranking of single objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from ...analysis.statistics import bootstrap
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..registry import Measurement, facts, tool
from .chosen import Selection, spread
from .frame import place_words
from .object_tool import object_tool
from .pixels import read_greys
from .quantities import box, centre

Weight = Literal["number", "area", "volume"]
LEAST = 5
"""Fewer objects than these have no distribution."""
_BINS = (6, 24)


@object_tool("distribution", quantity="how a quantity is spread over objects")
def distribution(
    chosen: Selection, *, quantity: str = "area", weight: Weight = "number", unit: str = ""
) -> tuple[Measurement, ...]:
    """Percentiles 10, 50 and 90 of a quantity over objects (D10, D50, D90 of a diameter), its quartiles, mean, standard
    deviation, coefficient of variation (%) and span, (D90 - D10) / D50; the counts of a histogram are among the parameters.
    `weight` counts objects by number, or by the area or volume (of a sphere) that each stands for.
    """
    measured, given, unit = _weighed(chosen, quantity, weight, unit)
    if len(measured) < LEAST:
        raise EvidenceError(f"too few {chosen.target} were found there to give a distribution of them")
    shares = {p: weighted(measured, p, given) for p in (10, 25, 50, 75, 90)}
    mean = float(np.average(measured, weights=given))
    deviation = float(np.sqrt(np.average((measured - mean) ** 2, weights=given)))
    found = {**chosen.found, "histogram": histogram(measured, given), "weight": weight, "quantity": quantity}
    cv = [("coefficient of variation", 100 * deviation / abs(mean), "%")] if mean else []
    span = [("span", (shares[90] - shares[10]) / shares[50])] if shares[50] else []
    return (
        *(Measurement(f"percentile {p}", v, unit, found=found | {"percent": p}) for p, v in shares.items()),
        *facts(found, (f"mean {quantity}", mean, unit), (f"std {quantity}", deviation, unit)),
        *facts(chosen.found, (f"number of {chosen.target} measured", len(measured), "count")),
        *facts(found, *cv, *span),
    )


@object_tool("percentile", quantity="a percentile of a quantity over objects")
def percentile(
    chosen: Selection, *, percent: float, quantity: str = "diameter", weight: Weight = "number", unit: str = ""
) -> tuple[Measurement, ...]:
    """The value that `percent` % of the objects do not exceed, with its bootstrap interval (by number)."""
    if not 0 <= percent <= 100:
        raise EvidenceError("a percentile lies between nothing and all of the objects, in per cent")
    measured, given, unit = _weighed(chosen, quantity, weight, unit)
    if not len(measured):
        raise EvidenceError(f"no {chosen.target} were found there, so there is no percentile of their {quantity}")
    found, interval = {**chosen.found, "quantity": quantity}, None
    if weight == "number" and len(measured) >= LEAST:
        made = bootstrap(measured, lambda v, axis=-1: np.percentile(v, percent, axis=axis))
        found, interval = found | spread(made, chosen.between_objects), made.interval
    return (
        *facts(found, (f"percentile {percent:g}", weighted(measured, percent, given), unit, interval)),
        *facts(chosen.found, (f"number of {chosen.target} measured", len(measured), "count")),
    )


@object_tool("ranking", quantity="the objects that rank first by a quantity, with their places",
             all_for="which of all objects come first")  # fmt: skip
def ranking(
    chosen: Selection, *, by: str = "area", order: Literal["max", "min"] = "max", top: int = 5, unit: str = ""
) -> tuple[Measurement, ...]:
    """The `top` objects with the largest (smallest) value of a quantity: value, centre (x, y) and place of each, as rows of a
    table; the first measurement is their number.
    """
    measured, unit = chosen.values(by, unit)
    if not len(measured):
        raise EvidenceError(f"I find no {chosen.target} there, so none can be listed")
    first = [int(k) for k in chosen.by_value(measured, order) if np.isfinite(measured[k])][: max(int(top), 1)]
    return (
        *facts({**chosen.found, "by": by, "order": order}, ("listed", len(first), "count")),
        *facts(chosen.found, (f"number of {chosen.target}", len(chosen), "count")),
        *(m for rank, k in enumerate(first, 1) for m in listed(chosen, k, rank, {by: (measured[k], unit)})),
    )


@tool("grey_histogram", unit="grey value", quantity="how grey values are spread over pixels")
def grey_histogram(img: MicroImage, *, region: Region | None = None, channel: str | None = None) -> tuple[Measurement, ...]:
    """Mean, standard deviation, least and greatest grey value; the counts of a histogram over pixels are among the parameters."""
    greys = read_greys(img, region, channel)
    bins = np.linspace(greys.low, greys.high, _BINS[1] + 1) if greys.high > greys.low else np.array([greys.low, greys.low + 1.0])
    counts, edges = np.histogram(greys.values, bins, weights=greys.counts)
    shown = {"edges": [float(f"{e:.6g}") for e in edges], "counts": counts.astype(float).tolist()}
    found = {"histogram": shown, "quantity": "grey value"}
    rows = {"mean": greys.mean, "std": greys.std, "least": greys.low, "greatest": greys.high}
    return facts(found, *((f"{name} grey value", float(v), "grey value") for name, v in rows.items()))


def listed(chosen: Selection, at: int, rank: int, more: Mapping[str, tuple[float, str]]) -> tuple[Measurement, ...]:
    """The row of a table about one object: what was measured of it, its centre, place and box."""
    row = chosen.table.iloc[at]
    y, x = centre(row)
    cells = {name: (float(v), unit) for name, (v, unit) in more.items()}
    cells |= {"x": (round(x, 1), "px"), "y": (round(y, 1), "px")}
    found = {"row": rank, "label": int(row["label"])}
    return (
        *(Measurement(f"{name}, rank {rank}", v, unit, found=found | {"column": name}) for name, (v, unit) in cells.items()),
        *facts(found | {"column": "place"}, (f"place, rank {rank}", place_words(chosen.img, y, x))),
        *facts(found, (f"box, rank {rank}", box(row), "px")),
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


def _weighed(chosen: Selection, quantity: str, weight: Weight, unit: str) -> tuple[np.ndarray, np.ndarray, str]:
    """A number of each object that has one, what the object counts for, and the unit of the numbers."""
    measured, unit = chosen.values(quantity, unit)
    has = np.isfinite(measured)
    return measured[has], _weights(chosen, weight)[has], unit


def _weights(chosen: Selection, weight: Weight) -> np.ndarray:
    if weight == "number":
        return np.ones(len(chosen))
    return chosen.values("diameter", "px")[0] ** (3 if weight == "volume" else 2)
