"""How objects lie: clustered or even, packed, aligned, touching, odd ones out; and how far apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from scipy.spatial import cKDTree

from ...analysis.spatial import LEAST, pattern
from ...errors import EvidenceError
from ..words.printing import print_number
from .measurement import Fact
from .objects import covered, places_table
from .quantities import box, robust_deviation, statistic
from .registry import measurement
from .results import Found
from .scene import pixel_box
from .selection import Selection

_DENSE, _SPARSE, _CLOSE = 45.0, 12.0, 50.0  # % of the area covered; % of the objects that touch another
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
    seen, how = _spread(objects)
    index = (("index of Clark and Evans", seen.index), ("index by chance", 1.0, "", seen.chance), ("p-value", seen.p_value))
    most = ("place of most", objects.commonest_spot)
    return Found.of(how, ("spread", seen.spread), *index, objects.n(), most, says=seen.spread)


def _spread(objects: Selection) -> tuple[Any, dict[str, Any]]:
    objects.need_some(LEAST, "to tell how they are spread")
    rows, cols = pixel_box(objects.image, objects.place.region)
    size = objects.image.pixel_size or {"y": 1.0, "x": 1.0}
    (y, x), height, width = objects.centres, (rows.stop - rows.start) * size["y"], (cols.stop - cols.start) * size["x"]
    seen = pattern((y - rows.start) * size["y"], (x - cols.start) * size["x"], height=height, width=width)
    return seen, {**objects.found, "simulations": seen.simulations, "seed": seen.seed, "confidence_percent": 95}


def _evenness(objects: Selection) -> Found:
    seen, how = _spread(objects)
    rows: list[Fact] = [("evenly spread", bool(seen.even)), ("place of most", objects.commonest_spot), objects.n()]
    rows += [("p-value over parts", seen.p_uneven)] if seen.p_uneven is not None else []
    return Found.of(how, *rows, says="even" if seen.even else "uneven")


def _touching(objects: Selection) -> Found:
    sizes = [len(group) for group in objects.groups(objects.table)]
    touch, largest = (f"{objects.many} that touch another", sum(sizes), "count"), max(sizes, default=1)
    rows = (touch, ("groups", len(sizes), "count"), ("in the largest group", largest, "count"), objects.n())
    return Found.of(objects.found, *rows, says="touching" if sizes else "apart")


def _packing(objects: Selection) -> Found:
    if not len(objects):
        return Found.of(objects.found, ("packing", "sparse"), objects.number, says="nothing")
    share, near = covered(objects).number, 100 * float(objects.touching.mean())
    dense = share >= _DENSE or (near >= _CLOSE and share > _SPARSE)
    word = "dense" if dense else "sparse" if share < _SPARSE else "moderately dense"
    how = {**objects.found, "dense_percent": _DENSE, "sparse_percent": _SPARSE}
    rows = (("packing", word), ("covered share", share, "%"), ("share that touches another", near, "%"), objects.n())
    return Found.of(how, *rows, says="packed", densely=f"{word.removesuffix('e')}ely")


def _alignment(objects: Selection) -> Found:
    long = objects.rows(objects.values("aspect_ratio")[0] >= _LONG)
    if len(long) < _LEAST_ALIKE:
        raise EvidenceError(f"I find too few elongated {objects.many} there to tell a direction")
    vector = np.exp(1j * np.radians(2 * long.values("orientation")[0])).mean()
    order, aligned = float(abs(vector)), bool(abs(vector) >= _ALIGNED)
    direction = ("direction from the vertical", float(np.degrees(np.angle(vector)) / 2), "deg")
    rows = (("aligned", aligned), ("order parameter", order), direction)
    number = (f"number of elongated {objects.many}", len(long), "count")
    says = "aligned" if aligned else "unaligned"
    return Found.of({**objects.found, "aligned_from": _ALIGNED}, *rows, number, says=says)


def _alike(objects: Selection) -> Found:
    measured, _, over = objects.finite("diameter")
    over.need_some(_LEAST_ALIKE, "to tell whether they are alike")
    size, form = statistic(measured, "cv"), statistic(over.values("aspect_ratio")[0], "cv")
    alike = size <= _ALIKE_CV and form <= _ALIKE_CV
    spread = (("variation of the diameter", size, "%"), ("variation of the ratio of length to width", form, "%"))
    how = {**objects.found, "alike_below_percent": _ALIKE_CV}
    return Found.of(how, ("alike", alike), *spread, over.n(), says="alike" if alike else "unlike")


def _outliers(objects: Selection) -> Found:
    whole = objects.whole
    if len(whole) < _LEAST_WHOLE:
        raise EvidenceError(f"I find too few whole {objects.many} there to say which of them is unusual")
    scores = np.stack([_deviation(whole, name) for name in _PARTS])
    worst, most = np.abs(scores).argmax(axis=0), np.abs(scores).max(axis=0)
    ranked = [int(k) for k in np.argsort(-most, kind="stable") if most[k] > _OUTLIER]
    number = (("unusual ones", len(ranked), "count"), (f"number of whole {objects.many}", len(whole), "count"))
    how = {**objects.found, "least_deviations": _OUTLIER}
    if not ranked:
        return Found.of(how, *number, says="none_odd", value=False, unit="")
    first = ranked[0]
    more, less, _ = list(_PARTS.values())[int(worst[first])]
    differs = ("how it differs", more if scores[worst[first], first] > 0 else less)
    rows = (("box", box(whole.table.iloc[first]), "px"), ("place of the most unusual", whole.spots[first]), differs)
    chosen = whole.rows(np.isin(np.arange(len(whole)), ranked))
    how["label"] = int(whole.own[first])
    return Found.of(how, *number, *rows, says="odd", value=True, unit="", shown=chosen, table=places_table(chosen))


def _deviation(whole: Selection, quantity: str) -> np.ndarray:
    """Signed robust deviations from the median; of areas and ratios on a logarithmic scale, and never finer than a few per
    cent."""
    values = whole.values(quantity)[0]
    if quantity in ("area", "aspect_ratio"):
        values = np.log(np.maximum(values, 1e-9))
    scale = max(abs(float(np.nanmedian(values))), 1e-9) if quantity == "intensity" else 1.0
    return robust_deviation(values, _PARTS[quantity][2] * scale)


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
    how = {**objects.found, "between": "outlines" if edge else "centres", "of_one": of_one, "to": str(others.call)}
    quantity = f"distance between {objects.phrase()} and the nearest {others.phrase(1)}"
    main = (quantity, statistic(values, name), "%" if name == "cv" else unit)
    percentile = f"percentile {print_number(float(name[1:]))}" if name.startswith("p") else name
    words = {"sd": "standard deviation", "min": "smallest", "max": "largest"}.get(name, percentile)
    more = {"other": others.kind if to is not None else "neighbour", "name": words}
    says = "one" if of_one else "is" if to is None else "to"
    between = "edge to edge" if edge else "center to center"
    return Found.of(how, main, objects.n("measured", len(values)), says=says, edge=between, more=more)


def _centres(objects: Selection, others: Selection, same: bool) -> np.ndarray:
    near, _ = cKDTree(np.stack(others.centres, axis=1)).query(np.stack(objects.centres, axis=1), k=[2 if same else 1])
    return np.asarray(near[:, 0])


def _edges(objects: Selection, others: Selection, same: bool) -> np.ndarray:
    """Shortest way between outlines: 0 where they touch."""
    mine, theirs = _outlines(objects), _outlines(others)
    tree, few = cKDTree(np.stack(others.centres, axis=1)), range(1, min(_NEIGHBOURS, len(others)) + 1)
    _, near = tree.query(np.stack(objects.centres, axis=1), k=few)
    out = np.full(len(objects), np.nan)
    for i, (label, candidates) in enumerate(zip(objects.own, others.own[near], strict=True)):
        rest = [theirs[k] for k in candidates if not (same and k == label)]
        if rest:
            out[i] = min(max(float(cKDTree(points).query(mine[label])[0].min()) - 1.0, 0.0) for points in rest)
    return out


def _outlines(objects: Selection) -> dict[int, np.ndarray]:
    """Points ``(n, 2)`` on the outline of each object, by its label."""
    from skimage.segmentation import find_boundaries

    plane = objects.label_plane()
    y, x = np.nonzero(find_boundaries(np.pad(plane, 1), mode="inner")[1:-1, 1:-1])  # type: ignore[no-untyped-call]
    order = np.argsort(plane[y, x], kind="stable")
    labels, starts = np.unique(plane[y, x][order], return_index=True)
    points = np.split(np.stack([y, x], axis=1)[order].astype(float), starts[1:])
    return dict(zip(labels.tolist(), points, strict=True))
