"""A quantity over objects: summed up, spread out, related to another, compared beyond chance."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from ...analysis.populations import populations
from ...analysis.statistics import Estimate, bootstrap
from ...errors import EvidenceError, LanguageError
from ...models.ontology import ontology
from ..language import Call
from ..words.phrases import statistic_phrase
from .evaluation import evaluate
from .eyes import concept_of
from .measurement import Measurement, facts
from .objects import caveat
from .quantities import STATISTIC_WORDS, box, named, plain_quantity, statistic
from .registry import measurement
from .results import Found, Result
from .scene import Scene
from .selection import TILES_ONLY, Selection, spread
from .terms import Term

LEAST = 5
"""Fewer objects than these have no distribution."""
_BINS = (6, 24)
_FAR_OFF = 3.0
_STATISTICS = {
    "std": "sd",
    "average": "mean",
    "total": "sum",
    "minimum": "min",
    "maximum": "max",
    "variance": "sd",
    "deviation": "sd",
    "se": "sem",
    "count": "sum",
}
_ALPHA = 0.05


def _says_stat(result: Result) -> str:
    if result.measured[0].found.get("of_one"):
        return f"The {{name}} of the {{object}} is {{0}}.{caveat(result)}"
    odd = result.measured[0].found.get("typical_um")
    doubt = " That is far from what such objects usually measure; the pixel size may be wrong." if odd else ""
    if result.selection is None:
        return "The {name} is {0} (n = {1.value})."
    return f"The {{name}} of the {{objects}} is {{0}}{{0.interval}} (n = {{1.value}}).{doubt or caveat(result)}"


@measurement(
    "stat", says=_says_stat,
    examples={"What is the mean area of the nuclei?": 'stat("area", "mean", "nucleus")',
              "typical diameter of the particles": 'stat("diameter", "median", "particle")',
              "D90?": 'stat("diameter", "p90", "particle")'},
)  # fmt: skip
def stat(
    quantity: str | Call,
    statistic_name: str,
    objects: Selection | None = None,
    *,
    scene: Scene,
    unit: str = "",
    weight: Literal["number", "area", "volume"] = "number",
) -> Found:
    """A quantity summed up over objects (mean, median, min, max, sum, sd, cv in %, iqr, mode, range, p90 ...), or the value of
    a single one."""
    name = _STATISTICS.get(statistic_name.lower(), statistic_name.lower())
    if isinstance(quantity, Call):
        return _over_rows(evaluate(quantity, scene), name)
    if objects is None:
        raise LanguageError(f'stat needs the objects: stat("{quantity}", "{name}", "nucleus")')
    if plain_quantity(quantity)[0] == "nearest_neighbour" or (name in ("min", "max") and objects.drawn is not None):
        objects.need_all(f"the {name}")
    measured, unit, over = objects.finite(quantity, unit)
    if name == "value" and len(measured) > 1:
        name = "median"
    words = statistic_phrase("" if name == "value" else name, plain_quantity(quantity)[0])
    if name == "value" or len(measured) == 1:
        row = over.table.iloc[0]
        found = {**objects.found, "label": int(row["label"]), "of_one": True}
        value = 0.0 if name in ("sd", "cv", "iqr", "range") else float(measured[0])
        return Found(
            facts(
                found, (f"{named(plain_quantity(quantity)[0])} of the {objects.phrase(1)}", value, unit), ("box", box(row), "px")
            ),
            more={"name": named(plain_quantity(quantity)[0])},
        )
    estimate = _estimate(over, measured, name) if weight == "number" else None
    value = estimate.value if estimate else _value(measured, name, over, weight)
    found = {
        **objects.found,
        **(spread(estimate, objects.between_objects if objects.drawn is None else TILES_ONLY) if estimate else {}),
        **_implausible(objects),
    }
    found |= {"percent": float(name[1:])} if name[0] == "p" and name[1:].isdigit() else {}
    main = Measurement(
        f"{words} of {objects.phrase()}", value, "%" if name == "cv" else unit, estimate.interval if estimate else None, found
    )
    return Found((main, *facts(objects.found, (f"number of {objects.many} measured", len(over), "count"))), more={"name": words})


def _over_rows(rows: Result, name: str) -> Found:
    """A statistic over the rows of ``each``: spots per cell, one number a cell."""
    values = [v for v in rows.main.found.get("rows", {}).values() if v is not None]
    if not values:
        raise EvidenceError(f"{rows.call} gives no rows of numbers to sum up")
    of = rows.main.quantity.removeprefix("mean ")  # what the rows hold, not their mean
    words = f"{STATISTIC_WORDS.get(name, name)} {f'values {of}' if of.startswith('per ') else of}".strip()
    unit = "%" if name == "cv" else rows.unit
    main = Measurement(words, statistic(np.array(values, float), name), unit, found=dict(rows.main.found))
    return Found((main, Measurement("rows", len(values), "count")), more={"name": words})


def _value(measured: np.ndarray, name: str, over: Selection, weight: str) -> float:
    if weight == "number":
        return float(np.std(measured, ddof=1) / np.sqrt(len(measured))) if name == "sem" else statistic(measured, name)
    weights = over.values("diameter", "px")[0] ** (3 if weight == "volume" else 2)
    if name == "mean":
        return float(np.average(measured, weights=weights))
    percent = 50.0 if name == "median" else float(name[1:]) if name.startswith("p") else None
    if percent is None:
        raise EvidenceError(f"a {name} is not weighted by {weight}; ask for the mean, the median or a percentile")
    order = np.argsort(measured)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(measured[order][min(int(np.searchsorted(reached, percent / 100)), len(measured) - 1)])


def _estimate(over: Selection, measured: np.ndarray, name: str) -> Estimate | None:
    """The statistic with its interval, where it has one: a mean or median, or a sum over a sample of the tiles."""
    if name == "sum" and over.drawn is not None:
        return over.drawn.total(over.table, measured)
    if len(measured) < 3 or name not in ("mean", "median") or len(np.unique(measured)) < 4:
        return None
    if name == "mean":
        return bootstrap(measured) if over.drawn is None else over.drawn.mean(over.table, measured)
    return bootstrap(measured, lambda v, axis=-1: np.median(v, axis=axis)) if over.drawn is None else None


def _implausible(objects: Selection) -> dict[str, object]:
    """What is typical of their kind, where the median is far from it; else nothing."""
    concept = concept_of(str(objects.found.get("kind") or objects.kind))
    typical = ontology().size_um(concept) if concept is not None and concept in ontology() else None
    if typical is None or objects.image.pixel_size is None or objects.narrowed or not len(objects):
        return {}
    size, _ = objects.values("diameter" if typical.of == "diameter" else "width", "um")
    middle = float(np.nanmedian(size))
    if typical.low_um / _FAR_OFF <= middle <= typical.high_um * _FAR_OFF:
        return {}
    return {
        "median_um": middle,
        "typical_um": [typical.low_um, typical.high_um],
        "typical_of": typical.of,
        "source": typical.source,
    }


def _says_distribution(result: Result) -> str:
    kinds = {1: "They are one population.", 2: "They look like two populations."}.get(
        int(result.measured[0].found.get("populations", 0)), ""
    )
    return (
        f"The median {{name}} of the {{objects}} is {{0}}; the middle {{middle}} lie between {{1}} and {{2}} (n = "
        f"{{3.value}}). {kinds}"
    ).strip()


@measurement(
    "distribution", says=_says_distribution,
    examples={"Show a histogram of the nuclear areas": 'distribution("area", "nucleus")',
              "D10, D50 and D90 of the particles?": 'distribution("diameter", "particle")',
              "one population or two?": 'distribution("diameter", "object")'},
)  # fmt: skip
def distribution(
    quantity: str, objects: Selection, *, weight: Literal["number", "area", "volume"] = "number", unit: str = ""
) -> Found:
    """How a quantity is spread over objects: median, D10 and D90, mean, deviation, a histogram, and whether it is one
    population or two."""
    measured, unit, over = objects.finite(quantity, unit)
    if len(measured) < LEAST:
        raise EvidenceError(
            f"I find {'only ' if len(measured) else 'no '}{'a few ' if len(measured) else ''}{objects.many} there, too few "
            f"to give a distribution of them"
        )
    cuts = {p: _value(measured, f"p{p}", over, weight) for p in (10, 25, 50, 75, 90)}
    two = populations(measured) if len(measured) >= 20 else None
    found = {**objects.found, "histogram": histogram(measured), "quantity": plain_quantity(quantity)[0], "weight": weight}
    found |= {"populations": 2 if two.two else 1, "gain_of_two": two.gain, "apart": two.apart} if two is not None else {}
    name = named(plain_quantity(quantity)[0])
    mean, deviation = float(np.mean(measured)), float(np.std(measured, ddof=1))
    rows: list[tuple[object, ...]] = [
        (f"median {name}", cuts[50], unit),
        ("percentile 10", cuts[10], unit),
        ("percentile 90", cuts[90], unit),
        (f"number of {objects.many} measured", len(measured), "count"),
        ("percentile 25", cuts[25], unit),
        ("percentile 75", cuts[75], unit),
        (f"mean {name}", mean, unit),
        (f"standard deviation of the {name}", deviation, unit),
    ]
    rows += [("coefficient of variation", 100 * deviation / abs(mean), "%")] if mean else []
    rows.append(("share between the two", 80.0, "%"))
    table = pd.DataFrame(
        {f"{name} ({unit})" if unit else name: list(cuts.values())}, index=pd.Index([f"D{p}" for p in cuts], name="percentile")
    )
    last = len(rows) - 1
    return Found(facts(found, *rows), table=table, more={"name": name, "middle": f"{{{last}}}"})


def histogram(measured: np.ndarray) -> dict[str, list[float]]:
    """Edges of equal bins (after Freedman and Diaconis, within bounds) and what lies in each, as JSON values."""
    bins = int(np.clip(len(np.histogram_bin_edges(measured, "fd")) - 1, *_BINS)) if np.ptp(measured) else 1
    counts, edges = np.histogram(measured, bins)
    return {"edges": [float(f"{e:.6g}") for e in edges], "counts": [float(c) for c in counts]}


def _says_relate(result: Result) -> str:
    r, clear = result.measured[0].number, bool(result.measured[2].value)
    how = "hardly go together" if abs(r) < 0.2 else ("rise together" if r > 0 else "go opposite ways")
    doubt = "" if clear else " That may be chance."
    return f"{{a}} and {{b}} of the {{objects}} {how}: rank correlation {{0}} (n = {{1.value}}).{doubt}"


@measurement(
    "relate",
    says=_says_relate,
    examples={
        "Are the bigger nuclei brighter?": 'relate("area", "intensity", "nucleus")',
        "does length go with width?": 'relate("length", "width", "object")',
    },
)
def relate(a: str, b: str, objects: Selection) -> Found:
    """How two quantities of objects go together: Spearman's rank correlation, with its p-value."""
    from scipy.stats import spearmanr

    x, y = objects.values(a)[0], objects.values(b)[0]
    has = np.isfinite(x) & np.isfinite(y)
    if has.sum() < LEAST:
        raise EvidenceError(f"I find too few {objects.many} there to relate two quantities of them")
    r, p = (float(v) for v in spearmanr(x[has], y[has]))
    if not np.isfinite(r):
        raise EvidenceError(f"one of the two quantities is the same for all {objects.many}, so they cannot be related")
    found = {**objects.found, "p_value": p, "method": "Spearman"}
    names = [named(plain_quantity(q)[0]) for q in (a, b)]
    measured = facts(
        found,
        (f"rank correlation of {names[0]} and {names[1]}", r),
        (f"number of {objects.many} measured", int(has.sum()), "count"),
        ("beyond chance", p < _ALPHA),
    )
    return Found(measured, more={"a": names[0][:1].upper() + names[0][1:], "b": names[1]})


def _says_test(result: Result) -> str:
    if result.measured[0].value:
        return "They differ by more than chance: {1} against {2} (p = {3.value})."
    return "No difference beyond chance: {1} against {2} (p = {3.value})."


@measurement(
    "test",
    says=_says_test,
    examples={
        "Is that difference significant?": 'test(stat("area", "mean", obj("nucleus", where="left")), stat("area", "mean", '
        'obj("nucleus", where="right")))'
    },
)
def test(a: Term, b: Term) -> Found:
    """Whether two groups differ by more than chance: values of objects by Mann and Whitney, numbers by a Poisson test, shares
    by Fisher's.

    Where conditions of several images are compared, the images are the unit: their values by Welch's t-test.
    """
    across = _across_images(a, b)
    p, how, n = across if across is not None else _within(a, b)
    found = {"p_value": p, "method": how, "n": n}
    first, second = a.main, b.main
    return Found(
        (
            Measurement("differ by more than chance", p < _ALPHA, found=found),
            first,
            second,
            Measurement("p-value", p, found=found),
        )
    )


def _across_images(a: Term, b: Term) -> tuple[float, str, list[int]] | None:
    """Welch's test over the values of the images of two conditions; None where these are no conditions of several images."""
    from scipy.stats import ttest_ind

    samples = [r.measured[0].found.get("by_image") for t in (a, b) for r in t.results]
    if len(samples) != 2 or not all(isinstance(s, dict) and len(s) > 1 for s in samples):
        return None
    values = [[float(v) for v in s.values()] for s in samples]  # type: ignore[union-attr] # all are mappings
    return float(ttest_ind(*values, equal_var=False).pvalue), "Welch's t-test over images", [len(v) for v in values]


def _within(a: Term, b: Term) -> tuple[float, str, list[int]]:
    from scipy.stats import binomtest, fisher_exact, mannwhitneyu

    ra, rb = a.result, b.result
    if ra.call.name == "share" and rb.call.name == "share":
        table = [[int(r.measured[1].number), int(r.measured[2].number) - int(r.measured[1].number)] for r in (ra, rb)]
        return float(fisher_exact(table).pvalue), "Fisher's exact test", [sum(t) for t in table]
    if ra.call.name in ("count", "density") and ra.call.name == rb.call.name:
        counts = [int(r.measured[0 if r.call.name == "count" else 1].number) for r in (ra, rb)]
        areas = [r.measured[2].number if r.call.name == "density" else 1.0 for r in (ra, rb)]
        if not sum(counts):
            raise EvidenceError("there is nothing in either of the two, so there is no difference to test")
        return float(binomtest(counts[0], sum(counts), areas[0] / sum(areas)).pvalue), "exact Poisson test", counts
    if ra.call.name == "stat" and rb.call.name == "stat" and ra.selection is not None and rb.selection is not None:
        quantity = str(ra.call.args[0])
        values = [s.finite(quantity)[0] for s in (ra.selection, rb.selection)]
        if min(map(len, values)) < 3:
            raise EvidenceError("one of the two groups is too small for a test")
        return float(mannwhitneyu(*values).pvalue), "Mann-Whitney U test over objects", [len(v) for v in values]
    raise EvidenceError(
        f"{ra.call.name} and {rb.call.name} cannot be tested against one another; give counts, shares or statistics of objects"
    )
