"""How objects lie: clustered or even, packed, aligned, touching, odd ones out; and how far apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from scipy.spatial import cKDTree

from ...analysis.spatial import LEAST, pattern
from ...errors import EvidenceError
from ..words.printing import print_number
from .measurement import Measurement, facts
from .objects import covered, places_table
from .places import pixel_box
from .quantities import SPREAD, box, robust_deviation, statistic
from .registry import measurement
from .results import Found
from .selection import Selection

DENSE, SPARSE, CLOSE = 45.0, 12.0, 50.0  # % of the area covered; % of the objects that touch another
_ALIKE_CV = 15.0  # % of the diameter below which objects are called alike
_OUTLIER = 3.5  # robust deviations beyond which a value is an outlier (Iglewicz & Hoaglin 1993)
_LEAST_ALIKE, _LEAST_WHOLE = 4, 8
_LONG, _ALIGNED = 1.3, 0.5  # ratio of length to width from which an object has a direction; order parameter
_NEIGHBOURS = 6  # candidates, by their centres, for the nearest outline
_PARTS = {  # of an odd one: how it differs, and the spread that all have at least
    "area": ("larger", "smaller", 0.05),
    "aspect_ratio": ("more elongated", "rounder", 0.03),
    "solidity": ("smoother in outline", "more indented in outline", 0.01),
    "intensity": ("brighter", "darker", 0.02),
}
How = Literal["clustering", "touching", "packing", "alignment", "evenness", "outliers", "alike"]


@measurement("pattern")
def arrangement(objects: Selection, *, how: How = "clustering") -> Found:
    """How objects lie: clustered, random or even; touching in groups; dense or sparse; aligned; whether some are unlike the
    others."""
    objects.need_all("how all of them lie")
    return _KINDS[how](objects)


def _clustering(objects: Selection) -> Found:
    seen, found = _spread(objects)
    measured = facts(
        found,
        ("spread", seen.spread),
        ("index of Clark and Evans", seen.index),
        ("index by chance", 1.0, "", seen.chance),
        ("p-value", seen.p_value),
        (f"number of {objects.many}", seen.n, "count"),
        ("place of most", objects.commonest_spot),
    )
    return Found(measured, seen.spread)


def _spread(objects: Selection) -> tuple[Any, dict[str, Any]]:
    if len(objects) < LEAST:
        raise EvidenceError(f"I find too few {objects.many} there to tell how they are spread")
    rows, cols = pixel_box(objects.image, objects.place.region)
    size = objects.image.pixel_size or {"y": 1.0, "x": 1.0}
    (y, x), height, width = objects.centres, (rows.stop - rows.start) * size["y"], (cols.stop - cols.start) * size["x"]
    seen = pattern((y - rows.start) * size["y"], (x - cols.start) * size["x"], height=height, width=width)
    return seen, {**objects.found, "simulations": seen.simulations, "seed": seen.seed, "confidence_percent": 95}


def _evenness(objects: Selection) -> Found:
    seen, found = _spread(objects)
    rows = [("evenly spread", bool(seen.even)), ("place of most", objects.commonest_spot)]
    rows += [(f"number of {objects.many}", seen.n, "count")]  # type: ignore[list-item]
    rows += [("p-value over parts", seen.p_uneven)] if seen.p_uneven is not None else []
    return Found(facts(found, *rows), "even" if seen.even else "uneven")


def _touching(objects: Selection) -> Found:
    together = objects.groups(objects.table)
    measured = facts(
        objects.found,
        (f"{objects.many} that touch another", sum(map(len, together)), "count"),
        ("groups", len(together), "count"),
        ("in the largest group", max(map(len, together), default=1), "count"),
        (f"number of {objects.many}", len(objects), "count"),
    )
    return Found(measured, "touching" if together else "apart")


def _packing(objects: Selection) -> Found:
    if not len(objects):
        return Found((Measurement("packing", "sparse", found=objects.found), objects.number), "nothing")
    share = covered(objects).number
    touch = sum(n for g in objects.groups() if (n := len(objects.labels & set(g))) > 1)
    near = 100 * touch / len(objects)
    dense = share >= DENSE or (near >= CLOSE and share > SPARSE)
    word = "dense" if dense else "sparse" if share < SPARSE else "moderately dense"
    measured = facts(
        {**objects.found, "dense_percent": DENSE, "sparse_percent": SPARSE},
        ("packing", word),
        ("covered share", share, "%"),
        ("share that touches another", near, "%"),
        (f"number of {objects.many}", len(objects), "count"),
    )
    return Found(measured, "packed", more={"densely": f"{word.removesuffix('e')}ely"})


def _alignment(objects: Selection) -> Found:
    long = objects.rows(objects.values("aspect_ratio")[0] >= _LONG)
    if len(long) < _LEAST_ALIKE:
        raise EvidenceError(f"I find too few elongated {objects.many} there to tell a direction")
    vector = np.exp(1j * np.radians(2 * long.values("orientation")[0])).mean()
    aligned = float(abs(vector)) >= _ALIGNED
    measured = facts(
        {**objects.found, "aligned_from": _ALIGNED},
        ("aligned", aligned),
        ("order parameter", float(abs(vector))),
        ("direction from the vertical", float(np.degrees(np.angle(vector)) / 2), "deg"),
        (f"number of elongated {objects.many}", len(long), "count"),
    )
    return Found(measured, "aligned" if aligned else "unaligned")


def _alike(objects: Selection) -> Found:
    measured, _, over = objects.finite("diameter")
    if len(measured) < _LEAST_ALIKE:
        raise EvidenceError(f"I find too few {objects.many} there to tell whether they are alike")
    size, form = statistic(measured, "cv"), statistic(over.values("aspect_ratio")[0], "cv")
    alike = size <= _ALIKE_CV and form <= _ALIKE_CV
    rows = facts(
        {**objects.found, "alike_below_percent": _ALIKE_CV},
        ("alike", alike),
        ("variation of the diameter", size, "%"),
        ("variation of the ratio of length to width", form, "%"),
        (f"number of {objects.many}", len(measured), "count"),
    )
    return Found(rows, "alike" if alike else "unlike")


def _outliers(objects: Selection) -> Found:
    whole = objects.whole
    if len(whole) < _LEAST_WHOLE:
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
        return Found(number, "none_odd", value=False, unit="")
    first = ranked[0]
    more, less, _ = list(_PARTS.values())[int(worst[first])]
    found = {**objects.found, "label": int(whole.table["label"].iloc[first])}
    rows = (
        ("box", box(whole.table.iloc[first]), "px"),
        ("place of the most unusual", whole.spots[first]),
        ("how it differs", more if scores[worst[first], first] > 0 else less),
    )
    chosen = whole.rows(np.isin(np.arange(len(whole)), ranked))
    return Found((*number, *facts(found, *rows)), "odd", True, "", shown=chosen, table=places_table(chosen))


def _deviation(whole: Selection, quantity: str) -> np.ndarray:
    """Signed robust deviations from the median; of areas and ratios on a logarithmic scale, and never finer than a few per
    cent."""
    values = whole.values(quantity)[0]
    if quantity in ("area", "aspect_ratio"):
        values = np.log(np.maximum(values, 1e-9))
    middle = np.nanmedian(values)
    least = _PARTS[quantity][2] * (max(abs(float(middle)), 1e-9) if quantity == "intensity" else 1.0)
    if SPREAD * float(np.nanmedian(np.abs(values - middle))) >= least:
        return robust_deviation(values)
    return np.asarray(np.nan_to_num((values - middle) / least))


_KINDS: Mapping[How, Callable[[Selection], Found]] = {
    "clustering": _clustering, "touching": _touching, "packing": _packing, "alignment": _alignment, "evenness": _evenness,
    "outliers": _outliers, "alike": _alike,
}  # fmt: skip


@measurement("distance")
def distance(objects: Selection, *, to: Selection | None = None, S: str = "median", edge: bool = False) -> Found:
    """How far objects lie from their nearest neighbour, or from the nearest of another kind; between centres, or with ``edge``
    between outlines."""
    objects.need_all("which is the nearest")
    others = to if to is not None else objects
    objects.need_some(1 if to is not None else 2)
    others.need_some()
    scale, unit = objects.scene.pixel
    values = (_edges if edge else _centres)(objects, others, to is None) * scale
    values = values[np.isfinite(values)]
    if not len(values):
        raise EvidenceError(f"I find no other {others.many} there, so no distance can be measured")
    name = {"value": "median", "average": "mean"}.get(S.lower(), S.lower())
    of_one = len(objects) == 1
    found = {**objects.found, "between": "outlines" if edge else "centres", "of_one": of_one, "to": str(others.call)}
    quantity = f"distance between {objects.phrase()} and the nearest {others.phrase(1)}"
    main = Measurement(quantity, statistic(values, name), "%" if name == "cv" else unit, found=found)
    number = facts(objects.found, (f"number of {objects.many} measured", len(values), "count"))
    percentile = f"percentile {print_number(float(name[1:]))}" if name.startswith("p") else name
    words = {"sd": "standard deviation", "min": "smallest", "max": "largest"}.get(name, percentile)
    more = {"other": others.kind if to is not None else "neighbour", "name": words}
    more |= {"edge": "edge to edge" if edge else "center to center"}
    return Found((main, *number), "one" if of_one else "is" if to is None else "to", more=more)


def _centres(objects: Selection, others: Selection, same: bool) -> np.ndarray:
    tree = cKDTree(np.stack(others.centres, axis=1))
    near, _ = tree.query(np.stack(objects.centres, axis=1), k=2 if len(others) > 1 else 1)
    near = near.reshape(len(objects), -1)
    if not same:
        return np.asarray(near[:, 0])
    return np.asarray(near[:, 1]) if near.shape[1] > 1 else np.full(len(objects), np.nan)


def _edges(objects: Selection, others: Selection, same: bool) -> np.ndarray:
    """Shortest way between outlines: 0 where they touch."""
    mine, theirs = _outlines(objects), _outlines(others)
    tree = cKDTree(np.stack(others.centres, axis=1))
    _, near = tree.query(np.stack(objects.centres, axis=1), k=min(_NEIGHBOURS, len(others)))
    own, other = (s.table["label"].to_numpy(int) for s in (objects, others))
    out = np.full(len(objects), np.nan)
    for i, candidates in enumerate(np.asarray(near).reshape(len(objects), -1)):
        rest = [theirs[j] for j in candidates if not (same and own[i] == other[j]) and len(theirs[j])]
        if rest and len(mine[i]):
            out[i] = min(max(float(cKDTree(points).query(mine[i])[0].min()) - 1.0, 0.0) for points in rest)
    return out


def _outlines(objects: Selection) -> list[np.ndarray]:
    """Points ``(n, 2)`` on the outline of each object."""
    from ...render.contours import outline

    plane, out = objects.label_plane(), []
    for _, row in objects.table.iterrows():
        x0, y0, x1, y1 = (int(v) for v in box(row))
        mask = np.pad(plane[y0:y1, x0:x1] == int(row["label"]), 1)
        y, x = np.nonzero(outline(mask.astype(np.int32)) if mask.any() else mask)
        out.append(np.stack([y + y0 - 1, x + x0 - 1], axis=1).astype(float))
    return out
