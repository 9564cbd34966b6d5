"""How objects lie: clustered or even, packed, aligned, touching, odd ones out; and how far apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from ...analysis.spatial import LEAST, pattern
from ...errors import EvidenceError
from ..words.printing import print_number
from .contact import groups
from .frame import pixel_box, place_words
from .measurement import Measurement, facts
from .objects import coverage, places_table
from .quantities import box, robust_deviation, statistic
from .registry import measurement
from .results import Found, Result
from .selection import Selection

DENSE, SPARSE, CLOSE = 45.0, 12.0, 50.0  # % of the area covered; % of the objects that touch another
_ALIKE_CV = 15.0  # % of the diameter below which objects are called alike
_OUTLIER = 3.5  # robust deviations beyond which a value is an outlier (Iglewicz & Hoaglin 1993)
_LEAST_ALIKE = 4
_ALIGNED = 0.5
_PARTS = {
    "area": ("larger", "smaller"),
    "aspect_ratio": ("more elongated", "rounder"),
    "solidity": ("smoother in outline", "more indented in outline"),
    "intensity": ("brighter", "darker"),
}
_LEAST_SPREAD = {"area": 0.05, "aspect_ratio": 0.03, "solidity": 0.01, "intensity": 0.02}


def _says_pattern(result: Result) -> str:
    return result.found.says or "{what}: {0.value}."


@measurement(
    "pattern", says=_says_pattern,
    examples={"Are the nuclei clustered?": 'pattern("nucleus", how="clustering")',
              "are the fibres aligned": 'pattern("fibre", how="alignment")',
              "any odd ones out?": 'pattern("object", how="outliers")'},
)  # fmt: skip
def arrangement(
    objects: Selection,
    *,
    how: Literal["clustering", "touching", "packing", "alignment", "evenness", "outliers", "alike"] = "clustering",
) -> Found:
    """How objects lie: clustered, random or even; touching in groups; dense or sparse; aligned; whether some are unlike the
    others."""
    objects.need_all("how all of them lie")
    return _KINDS[how](objects)


def _clustering(objects: Selection) -> Found:
    seen, found = _spread(objects)
    words = {"clustered": "lie in clusters", "random": "lie as if at random", "regular": "are spread more evenly than chance"}[
        seen.spread
    ]
    measured = facts(
        found,
        ("spread", seen.spread),
        ("index of Clark and Evans", seen.index),
        ("index by chance", 1.0, "", seen.chance),
        ("p-value", seen.p_value),
        (f"number of {objects.many}", seen.n, "count"),
        ("place of most", _most(objects)),
    )
    densest = ", most in the {5.value}" if seen.spread == "clustered" else ""
    return Found(
        measured,
        f"The {{objects}} {words}{densest}: "
        f"neighbours are {{1.value}} times as far apart as chance would give (n = {{4.value}}).",
    )


def _most(objects: Selection) -> str:
    """The ninth of the picture in which most of them lie, in words."""
    y, x = objects.centres
    where = [place_words(objects.image, a, b) for a, b in zip(y, x, strict=True)]
    return max(sorted(set(where)), key=where.count)


def _spread(objects: Selection):  # type: ignore[no-untyped-def]
    if len(objects) < LEAST:
        raise EvidenceError(f"I find too few {objects.many} there to tell how they are spread")
    rows, cols = pixel_box(objects.image, objects.place.region)
    size = objects.image.pixel_size
    py, px, _ = (size["y"], size["x"], "um") if size else (1.0, 1.0, "px")
    y, x = objects.centres
    seen = pattern(
        (y - rows.start) * py, (x - cols.start) * px, height=(rows.stop - rows.start) * py, width=(cols.stop - cols.start) * px
    )
    return seen, {**objects.found, "simulations": seen.simulations, "seed": seen.seed, "confidence_percent": 95}


def _evenness(objects: Selection) -> Found:
    seen, found = _spread(objects)
    even = bool(seen.even)
    p = [("p-value over parts", seen.p_uneven)] if seen.p_uneven is not None else []
    says = (
        "Yes, the {objects} are spread evenly over the field."
        if even
        else "No, the {objects} are not spread evenly over the field; most lie in the {1.value}."
    )
    return Found(
        facts(
            found, ("evenly spread", even), ("place of most", _most(objects)), (f"number of {objects.many}", seen.n, "count"), *p
        ),
        says,
    )


def _touching(objects: Selection) -> Found:
    together = groups(replace(objects.objects, table=objects.table))
    measured = facts(
        objects.found,
        (f"{objects.many} that touch another", sum(map(len, together)), "count"),
        ("groups", len(together), "count"),
        ("in the largest group", max(map(len, together), default=1), "count"),
        (f"number of {objects.many}", len(objects), "count"),
    )
    return Found(
        measured,
        "{0.value} of {3:objects} touch another, in {1.value} groups; the largest holds {2.value}."
        if together
        else "None of the {objects} touch one another.",
    )


def _packing(objects: Selection) -> Found:
    if not len(objects):
        return Found((Measurement("packing", "sparse", found=objects.found), objects.number), "There are no {objects} there.")
    covered = coverage(objects).number
    near = (
        100
        * sum(len(objects.labels & set(g)) for g in groups(objects.objects) if len(objects.labels & set(g)) > 1)
        / len(objects)
    )
    dense = covered >= DENSE or (near >= CLOSE and covered > SPARSE)
    word = "dense" if dense else "sparse" if covered < SPARSE else "moderately dense"
    measured = facts(
        {**objects.found, "dense_percent": DENSE, "sparse_percent": SPARSE},
        ("packing", word),
        ("covered share", covered, "%"),
        ("share that touches another", near, "%"),
        (f"number of {objects.many}", len(objects), "count"),
    )
    return Found(
        measured,
        f"They lie {'densely' if dense else 'sparsely' if word == 'sparse' else 'moderately densely'}: {{3:objects}} cover "
        f"{{1}} of the area, and {{2}} of them touch another.",
    )


def _alignment(objects: Selection) -> Found:
    long = objects.rows(objects.values("aspect_ratio")[0] >= 1.3)
    if len(long) < _LEAST_ALIKE:
        raise EvidenceError(f"I find too few elongated {objects.many} there to tell a direction")
    angles = np.radians(2 * long.values("orientation")[0])
    vector = np.exp(1j * angles).mean()
    order, direction = float(abs(vector)), float(np.degrees(np.angle(vector)) / 2)
    aligned = order >= _ALIGNED
    measured = facts(
        {**objects.found, "aligned_from": _ALIGNED},
        ("aligned", aligned),
        ("order parameter", order),
        ("direction from the vertical", direction, "deg"),
        (f"number of elongated {objects.many}", len(long), "count"),
    )
    return Found(
        measured,
        f"{'Yes, the {objects} are aligned' if aligned else 'No, the {objects} point in various directions'}: the order "
        f"parameter is {{1.value}}, where one means parallel (n = {{3.value}}).",
    )


def _alike(objects: Selection) -> Found:
    measured, _, over = objects.finite("diameter")
    if len(measured) < _LEAST_ALIKE:
        raise EvidenceError(f"I find too few {objects.many} there to tell whether they are alike")
    cv, round_cv = statistic(measured, "cv"), statistic(over.values("aspect_ratio")[0], "cv")
    alike = cv <= _ALIKE_CV and round_cv <= _ALIKE_CV
    facts_ = facts(
        {**objects.found, "alike_below_percent": _ALIKE_CV},
        ("alike", alike),
        ("variation of the diameter", cv, "%"),
        ("variation of the ratio of length to width", round_cv, "%"),
        (f"number of {objects.many}", len(measured), "count"),
    )
    return Found(
        facts_,
        f"{'Yes, the {objects} are much alike' if alike else 'No, the {objects} differ'}: their diameter varies by {{1}} and "
        f"the ratio of length to width by {{2}}.",
    )


def _outliers(objects: Selection) -> Found:
    whole = objects.whole
    if len(whole) < 8:
        raise EvidenceError(f"I find too few whole {objects.many} there to say which of them is unusual")
    scores = np.stack([_deviation(whole, name) for name in _PARTS])
    worst, most = np.abs(scores).argmax(axis=0), np.abs(scores).max(axis=0)
    ranked = [int(k) for k in np.argsort(-most, kind="stable") if most[k] > _OUTLIER]
    number = facts(
        {**objects.found, "least_deviations": _OUTLIER},
        ("unusual ones", len(ranked), "count"),
        (f"number of whole {objects.many}", len(whole), "count"),
    )
    if not ranked:
        return Found(
            number,
            "No, none of the {1.value} whole {objects} stands out in size, shape, outline or brightness.",
            value=False,
            unit="",
        )
    first = ranked[0]
    name = list(_PARTS)[int(worst[first])]
    how = _PARTS[name][0 if scores[worst[first], first] > 0 else 1]
    chosen = whole.rows(np.isin(np.arange(len(whole)), ranked))
    row = whole.table.iloc[first]
    place = place_words(objects.image, float(row["centroid_y_px"]), float(row["centroid_x_px"]))
    more = facts(
        {**objects.found, "label": int(row["label"])},
        ("box", box(row), "px"),
        ("place of the most unusual", place),
        ("how it differs", how),
    )
    return Found(
        (*number, *more),
        "{0.value} of {1.value} whole {objects} stand out; the most unusual, {4.value} than the others, lies at the {3.value}.",
        value=True,
        unit="",
        shown=chosen,
        table=places_table(chosen),
    )


def _deviation(whole: Selection, quantity: str) -> np.ndarray:
    """Signed robust deviations from the median; of areas and ratios on a logarithmic scale, and never finer than a few per
    cent."""
    values = whole.values(quantity)[0]
    if quantity in ("area", "aspect_ratio"):
        values = np.log(np.maximum(values, 1e-9))
    scale = 1.0 if quantity != "intensity" else max(abs(float(np.nanmedian(values))), 1e-9)
    own = robust_deviation(values)
    spread = 1.4826 * float(np.nanmedian(np.abs(values - np.nanmedian(values))))
    least = _LEAST_SPREAD[quantity] * scale
    return own if spread >= least else np.nan_to_num((values - np.nanmedian(values)) / least)


_KINDS: Mapping[str, Callable[[Selection], Found]] = {
    "clustering": _clustering, "touching": _touching, "packing": _packing, "alignment": _alignment, "evenness": _evenness,
    "outliers": _outliers, "alike": _alike,
}  # fmt: skip


def _says_distance(result: Result) -> str:
    edge = "edge to edge" if result.call.get("edge") is True else "center to center"
    to = "to the nearest {other}" if result.call.get("to") is not None else "to their nearest neighbour"
    if result.measured[0].found.get("of_one"):
        return f"The {{object}} lies {{0}} from the nearest {{other}}, {edge}."
    return f"From the {{objects}} {to} it is {{0}} ({{name}}, {edge}; n = {{1.value}})."


@measurement(
    "distance", says=_says_distance,
    examples={"How far apart are neighbouring nuclei?": 'distance("nucleus")',
    "mean distance from the foci to the border of the nearest nucleus": 'distance("focus", to="nucleus", S="mean", edge=True)'},
)  # fmt: skip
def distance(
    objects: Selection, *, to: Selection | None = None, S: str = "median", edge: bool = False
) -> Found:  # the language's name
    """How far objects lie from their nearest neighbour, or from the nearest of another kind; between centres, or with ``edge``
    between outlines."""
    objects.need_all("which is the nearest")
    others = to if to is not None else objects
    objects.need_some(1 if to is not None else 2)
    others.need_some()
    pixels = _edges(objects, others, to is None) if edge else _centres(objects, others, to is None)
    unit, scale = ("um", objects.pixel_um or 1.0) if objects.image.pixel_size else ("px", 1.0)
    values = pixels[np.isfinite(pixels)] * scale
    if not len(values):
        raise EvidenceError(f"I find no other {others.many} there, so no distance can be measured")
    name = {"value": "median", "average": "mean"}.get(S.lower(), S.lower())
    found = {**objects.found, "between": "outlines" if edge else "centres", "of_one": len(objects) == 1, "to": str(others.call)}
    words = {"sd": "standard deviation", "min": "smallest", "max": "largest"}.get(
        name, name if not name.startswith("p") else f"percentile {print_number(float(name[1:]))}"
    )
    measured = (
        Measurement(
            f"distance between {objects.phrase()} and the nearest {others.phrase(1)}",
            statistic(values, name),
            "%" if name == "cv" else unit,
            found=found,
        ),
        *facts(objects.found, (f"number of {objects.many} measured", len(values), "count")),
    )
    return Found(measured, more={"other": others.one if to is not None else "neighbour", "name": words})


def _centres(objects: Selection, others: Selection, same: bool) -> np.ndarray:
    tree = cKDTree(np.stack(others.centres, axis=1))
    near, _ = tree.query(np.stack(objects.centres, axis=1), k=2 if len(others) > 1 else 1)
    near = near.reshape(len(objects), -1)
    if not same:
        return np.asarray(near[:, 0])
    return np.asarray(near[:, 1]) if near.shape[1] > 1 else np.full(len(objects), np.nan)


def _edges(objects: Selection, others: Selection, same: bool) -> np.ndarray:
    """Shortest way between outlines: 0 where they touch. Candidates are the nearest few by centre."""
    from ...render.contours import outline

    own, their = objects.label_plane(), others.label_plane()

    def contour(sel: Selection, plane: np.ndarray, k: int) -> np.ndarray:
        row = sel.table.iloc[k]
        x0, y0, x1, y1 = (int(v) for v in box(row))
        mask = np.pad(plane[y0:y1, x0:x1] == int(row["label"]), 1)
        y, x = np.nonzero(outline(mask.astype(np.int32)) if mask.any() else mask)
        return np.stack([y + y0 - 1, x + x0 - 1], axis=1).astype(float)

    shapes = {k: contour(others, their, k) for k in range(len(others))}
    tree = cKDTree(np.stack(others.centres, axis=1))
    _, near = tree.query(np.stack(objects.centres, axis=1), k=min(6, len(others)))
    out = np.full(len(objects), np.nan)
    for i, candidates in enumerate(np.asarray(near).reshape(len(objects), -1)):
        mine = contour(objects, own, i)
        rest = [
            int(j)
            for j in candidates
            if not (same and others.table.iloc[int(j)]["label"] == objects.table.iloc[i]["label"]) and len(shapes[int(j)])
        ]
        if rest and len(mine):
            out[i] = min(max(float(cKDTree(shapes[j]).query(mine)[0].min()) - 1.0, 0.0) for j in rest)
    return out
