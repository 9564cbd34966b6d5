"""A quantity over objects: summed up, spread out, related to another, compared beyond chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...analysis.populations import populations
from ...analysis.statistics import Estimate, bootstrap
from ...errors import EvidenceError, LanguageError
from ...models.ontology import ontology
from ..language import Call
from ..words.phrases import kind_phrase, quantity_phrase, statistic_phrase
from ..words.tables import table
from .evaluation import between_images, evaluate
from .eyes import concept_of
from .measurement import Fact, Measurement
from .quantities import SPREADS, STATISTIC_WORDS, statistic, without_channel
from .registry import measurement
from .results import Found, Result, Term
from .scene import Scene
from .selection import Selection

_LEAST = 5
"""Fewer objects than these have no distribution."""
_BINS = (6, 24)
_FAR_OFF = 3.0
_ALPHA = 0.05
_APART = 0.2  # rank correlation below which two quantities hardly go together
Weight = Literal["number", "area", "volume"]


@measurement("stat")
def stat(
    quantity: str | Call,
    statistic_name: str,
    objects: Selection | None = None,
    *,
    scene: Scene,
    unit: str = "",
    weight: Weight = "number",
) -> Found:
    """A quantity summed up over objects (mean, median, min, max, sum, sd, cv in %, iqr, mode, range, p90 ...), or the value of
    a single one."""
    name = table("quantities")["statistic_alias"].get(statistic_name.lower(), statistic_name.lower())
    if isinstance(quantity, Call):
        return _over_rows(evaluate(quantity, scene), name)
    if objects is None:
        raise LanguageError(f'stat needs the objects: stat("{quantity}", "{name}", "nucleus")')
    plain = without_channel(quantity)
    if plain == "nearest_neighbour" or (name in ("min", "max") and objects.drawn is not None):
        objects.need_all(f"the {name}")
    measured, unit, over = objects.finite(quantity, unit)
    if len(measured) == 1:
        if name in SPREADS:
            raise EvidenceError(f"of a single {kind_phrase(objects.kind, 1)} there is no {statistic_phrase(name, plain)}")
        value = float(measured[0])
        how = {**objects.found, "label": int(over.own[0]), "of_one": True}
        called = quantity_phrase(plain)
        of = f"{called} of the {objects.phrase(1)}"
        return Found.of(how, (of, value, unit), *over.boxes(1), says="one", name=called)
    name = "median" if name == "value" else name
    estimate = _estimate(over, measured, name) if weight == "number" else None
    words, implausible = statistic_phrase(name, plain), _implausible(objects)
    how = {**objects.found, **implausible}
    if estimate:
        how |= objects.spread(estimate)
    if name[0] == "p" and name[1:].isdigit():
        how["percent"] = float(name[1:])
    value, interval = (estimate.value, estimate.interval) if estimate else (_value(measured, name, over, weight), None)
    main = Measurement(f"{words} of {objects.phrase()}", value, "%" if name == "cv" else unit, interval, how)
    return Found.of(objects.found, main, over.n("measured"), says="implausible" if implausible else "is", name=words)


def _over_rows(rows: Result, name: str) -> Found:
    """A statistic over the rows of ``each``: spots per cell, one number a cell."""
    values, of = _rows(rows)
    words = f"{STATISTIC_WORDS.get(name, name)} {of}".strip()
    main = (words, statistic(values, name), "%" if name == "cv" else rows.unit)
    return Found.of(rows.main.found, main, Measurement("rows", len(values), "count"), says="rows", name=words)


def _rows(rows: Result) -> tuple[np.ndarray, str]:
    """The numbers in the rows of ``each``, and what they are."""
    values = [v for v in rows.main.found.get("rows", {}).values() if v is not None]
    if not values:
        raise EvidenceError(f"{rows.call} gives no rows of numbers to sum up")
    of = rows.main.quantity.removeprefix("mean ")  # what the rows hold, not their mean
    return np.array(values, float), f"value {of}" if of.startswith("per ") else of


def _value(measured: np.ndarray, name: str, over: Selection | None, weight: Weight) -> float:
    """A statistic of values, each of which counts as much as the area or the volume of its object."""
    if weight == "number" or over is None:
        return statistic(measured, name)
    if name not in ("mean", "median") and not name.startswith("p"):
        raise EvidenceError(f"a {name} is not weighted by {weight}; ask for the mean, the median or a percentile")
    weights = over.values("diameter", "px")[0] ** (3 if weight == "volume" else 2)
    if name == "mean":
        return float(np.average(measured, weights=weights))
    percent = 50.0 if name == "median" else float(name[1:])
    return float(np.percentile(measured, percent, weights=weights, method="inverted_cdf"))


def _estimate(over: Selection, measured: np.ndarray, name: str) -> Estimate | None:
    """The statistic with its interval, where it has one: a mean or median, or a sum over a sample of the tiles."""
    if name == "sum" and over.drawn is not None:
        return over.drawn.sample.total(over.table, measured)
    if len(measured) < 3 or name not in ("mean", "median") or len(np.unique(measured)) < 4:
        return None
    if over.drawn is not None:
        return over.drawn.mean(over.table, measured) if name == "mean" else None
    return bootstrap(measured, np.median) if name == "median" else bootstrap(measured)


def _implausible(objects: Selection) -> Mapping[str, Any]:
    """What is typical of their kind, where the median is far from it; else nothing."""
    concept = concept_of(str(objects.found.get("kind") or objects.kind))
    typical = ontology().size_um(concept) if concept is not None and concept in ontology() else None
    if typical is None or objects.image.pixel_size is None or objects.narrowed or not len(objects):
        return {}
    middle = float(np.nanmedian(objects.values("diameter" if typical.of == "diameter" else "width", "um")[0]))
    if typical.low_um / _FAR_OFF <= middle <= typical.high_um * _FAR_OFF:
        return {}
    usual = {"typical_um": [typical.low_um, typical.high_um], "typical_of": typical.of, "source": typical.source}
    return {"median_um": middle, **usual}


@measurement("distribution")
def distribution(
    quantity: str | Call, objects: Selection | None = None, *, scene: Scene, weight: Weight = "number", unit: str = ""
) -> Found:
    """How a quantity is spread over objects, or over the rows of ``each``: median, D10 and D90, mean, deviation, a histogram, and
    whether it is one population or two."""
    if isinstance(quantity, Call):
        made, over = evaluate(quantity, scene), None
        measured, name = _rows(made)
        plain, unit, found = str(quantity), made.unit, made.main.found
    elif objects is not None:
        measured, unit, over = objects.finite(quantity, unit)
        plain, found = without_channel(quantity), objects.found
        name = quantity_phrase(plain)
    else:
        raise LanguageError(f'distribution needs the objects: distribution("{quantity}", "nucleus")')
    if len(measured) < _LEAST:
        raise EvidenceError(f"I find too few {over.many if over else 'rows'} to give a distribution of them")
    cuts = {p: _value(measured, f"p{p}", over, weight) for p in (10, 25, 50, 75, 90)}
    mean, deviation = float(np.mean(measured)), float(np.std(measured, ddof=1))
    two = populations(measured) if over is not None and len(measured) >= 20 else None
    how = {**found, "histogram": histogram(measured), "quantity": plain, "weight": weight}
    how |= {"populations": 2 if two.two else 1, "gain_of_two": two.gain, "apart": two.apart} if two is not None else {}
    rows: list[Fact] = [
        (f"median {name}", cuts[50], unit),
        ("percentile 10", cuts[10], unit),
        ("percentile 90", cuts[90], unit),
        over.n("measured") if over is not None else ("rows", len(measured), "count"),
        ("share between the two", 80.0, "%"),
        ("percentile 25", cuts[25], unit),
        ("percentile 75", cuts[75], unit),
        (f"mean {name}", mean, unit),
        (f"standard deviation of the {name}", deviation, unit),
    ]
    rows += [("coefficient of variation", 100 * deviation / abs(mean), "%")] if mean else []
    index = pd.Index([f"D{p}" for p in cuts], name="percentile")
    shown = pd.DataFrame({f"{name} ({unit})" if unit else name: list(cuts.values())}, index=index)
    return Found.of(
        how, *rows, says="rows" if over is None else "is" if two is None else "two" if two.two else "one", table=shown, name=name
    )


def histogram(measured: np.ndarray) -> dict[str, list[float]]:
    """Edges of equal bins (after Freedman and Diaconis, within bounds) and what lies in each, as JSON values."""
    bins = int(np.clip(len(np.histogram_bin_edges(measured, "fd")) - 1, *_BINS)) if np.ptp(measured) else 1
    counts, edges = np.histogram(measured, bins)
    return {"edges": [float(f"{e:.6g}") for e in edges], "counts": [float(c) for c in counts]}


@measurement("relate")
def relate(a: str, b: str, objects: Selection) -> Found:
    """How two quantities of objects go together: Spearman's rank correlation, with its p-value."""
    from scipy.stats import spearmanr

    values = np.stack([objects.values(q)[0] for q in (a, b)])
    has = np.isfinite(values).all(axis=0)
    objects.rows(has).need_some(_LEAST, "to relate two quantities of them")
    r, p = (float(v) for v in spearmanr(*values[:, has]))
    if not np.isfinite(r):
        raise EvidenceError(f"one of the two quantities is the same for all {objects.many}, so they cannot be related")
    first, second = (quantity_phrase(without_channel(q)) for q in (a, b))
    how = {**objects.found, "p_value": p, "method": "Spearman"}
    goes = "hardly go together" if abs(r) < _APART else "rise together" if r > 0 else "go opposite ways"
    correlation, number = (f"rank correlation of {first} and {second}", r), objects.n("measured", int(has.sum()))
    doubt = "" if p < _ALPHA else " That may be chance."
    more = {"a": first[:1].upper() + first[1:], "b": second, "how": goes, "doubt": doubt}
    return Found.of(how, correlation, number, ("beyond chance", p < _ALPHA), more=more)


@measurement("test")
def test(a: Term, b: Term) -> Found:
    """Whether two groups differ by more than chance: values of objects by Mann and Whitney, numbers by a Poisson test, shares
    by Fisher's.

    Where conditions of several images are compared, the images are the unit: their values by Welch's t-test.
    """
    welch = between_images(a.main, b.main)
    if welch is not None:
        numbers = [len(t.main.found["by_image"]) for t in (a, b)]
        p, method, n = float(welch.pvalue), "Welch's t-test over images", numbers
    else:
        p, method, n = _within(a.result, b.result)
    how, differ = {"p_value": p, "method": method, "n": n}, p < _ALPHA
    rows = (("differ by more than chance", differ), a.main, b.main, ("p-value", p))
    return Found.of(how, *rows, says="is" if differ else "none")


def _within(a: Result, b: Result) -> tuple[float, str, list[int]]:
    """The test over the objects of two results: its p-value, its name, and how many were compared."""
    from scipy.stats import binomtest, fisher_exact, mannwhitneyu

    of = {a.call.name, b.call.name}
    if of == {"share"}:
        numbers = [[int(r.measured[1].number), int(r.measured[2].number) - int(r.measured[1].number)] for r in (a, b)]
        return float(fisher_exact(numbers).pvalue), "Fisher's exact test", [sum(t) for t in numbers]
    if of in ({"count"}, {"density"}):
        dense = of == {"density"}
        counts = [int(r.measured[int(dense)].number) for r in (a, b)]
        areas = [r.measured[2].number if dense else 1.0 for r in (a, b)]
        if not sum(counts):
            raise EvidenceError("there is nothing in either of the two, so there is no difference to test")
        return float(binomtest(counts[0], sum(counts), areas[0] / sum(areas)).pvalue), "exact Poisson test", counts
    if of == {"stat"} and a.selection is not None and b.selection is not None:
        values = [s.finite(str(a.call.args[0]))[0] for s in (a.selection, b.selection)]
        if min(map(len, values)) < 3:
            raise EvidenceError("one of the two groups is too small for a test")
        return float(mannwhitneyu(*values).pvalue), "Mann-Whitney U test over objects", [len(v) for v in values]
    why = f"{a.call.name} and {b.call.name} cannot be tested against one another"
    raise EvidenceError(f"{why}; give counts, shares or statistics of objects")
