"""Objects: how many there are, whether there are any, their share, the area they cover, how dense they lie, where, and which; how
they lie to one another, clustered or even, packed, aligned, touching, odd ones out; and how far apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ...analysis.spatial import LEAST, pattern
from ...errors import EvidenceError, UnitsError
from ...models.wording import plural
from ..language import Call
from ..words.phrases import kind_phrase, objects_phrase, quantity_phrase
from ..words.printing import print_number
from ..words.tables import listed as in_a_row
from .appearance import FILLED
from .evaluation import evaluate, selection
from .eyes import FLOOR, everything, is_large, made_by
from .measurement import Fact, Measurement
from .quantities import TELL, box, convert, plain_quantity, plain_unit, robust_deviation, statistic, without_channel
from .registry import measurement
from .results import Found
from .scene import ANYWHERE, Place, Scene, pixel_box
from .selecting import nearest_to
from .selection import Selection

_AREAS = ("px2", "um2", "mm2", "nm2", "cm2")
_LISTED, _FEW, _SAID = 12, 4, 6
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


@measurement("count")
def count(objects: Selection) -> Found:
    """How many objects there are: those whose centre lies at the place and that meet the conditions."""
    number = objects.number
    says = "none" if number.value == 0 else "about" if number.interval else "is"
    made_of = {} if objects.call.given else objects.found.get("made_of", {})
    if len(made_of) > 1 and number.value == sum(made_of.values()) > 0:  # of several kinds together: how many of each
        each = [Measurement(f"number of {plural(kind)}", n, "count", found=objects.found) for kind, n in made_of.items()]
        said = in_a_row([f"{{{k}.value}} {kind_phrase(kind, n)}" for k, (kind, n) in enumerate(made_of.items(), 1)])
        return Found((number, *each), f"I count {{0:objects}}: {said}.")
    return Found((number, *few_boxes(objects)), says)


def few_boxes(objects: Selection) -> tuple[Measurement, ...]:
    """The boxes of a few objects, so that they can be pointed at; none of many."""
    return objects.boxes(_FEW) if objects.drawn is None and len(objects) <= _FEW else ()


@measurement("exists")
def exists(objects: Selection) -> Found:
    """Whether there is at least one such object, and how many there are; of what ranks first, whether it is so."""
    number = objects.number
    present = (f"{objects.phrase()} present", bool(number.value))
    says = "is" if number.value else "none"
    if isinstance(first := objects.call.args[0], Call):  # of what ranks first
        return Found.of(objects.found, present, number, *few_boxes(objects), says=f"first_{says}", first=objects_phrase(first))
    return Found.of(objects.found, present, number, *few_boxes(objects), says=says)


@measurement("share")
def share(objects: Selection, *, of: Selection) -> Found:
    """How many per cent of some objects are such ones, by number, with the two numbers."""
    if not len(of):
        raise EvidenceError(f"I find no {of.many} there, so there is no share of them")
    how, percent, interval = {**objects.found, "of": str(of.call)}, 100 * len(objects) / len(of), None
    if objects.drawn is not None and of.drawn is not None:
        made = of.drawn.mean(of.table, 100.0 * of.table.index.isin(objects.table.index))
        percent, interval = made.value, (max(made.low, 0.0), min(made.high, 100.0))
        how |= objects.spread(made)
    numbers = ((f"number of {o.phrase()}", o.number.value, "count") for o in (objects, of))
    own, whole = (set(zip(*o.centres, strict=True)) for o in (objects, of))
    says = "apart" if own and not own & whole else "is"
    return Found.of(how, (f"share of {objects.phrase()}", percent, "%", interval), *numbers, says=says, whole=of.phrase())


@measurement("coverage")
def coverage(objects: Selection, *, rest: bool = False, of: Selection | None = None, where: Place = ANYWHERE) -> Found:
    """Share of the area that objects cover, in %: of the place, or of the area of other objects; with ``rest``, what they
    leave free."""
    single = "rest_of" in objects.found or objects.found.get("look") == FILLED  # background and tissue
    says = "rest" if rest else "ground" if single else "is"
    return Found((covered(objects, rest=rest, of=of),), says)


def covered(objects: Selection, *, rest: bool = False, of: Selection | None = None) -> Measurement:
    """That share as a fact."""
    name, how, interval = f"area {'free of' if rest else 'covered by'} {objects.phrase()}", objects.found, None
    if objects.drawn is not None:
        total, whole = objects.drawn.sample.total(objects.table, objects.values("area", "px2")[0]), objects.area_px
        percent, low, high = (100 * v / whole for v in (total.value, total.low, total.high))
        interval, how = (100 - high, 100 - low) if rest else (low, high), {**how, **objects.spread(total)}
    elif of is None and objects.place.mask is None and is_large(objects.image):
        percent = 100 * float(objects.values("area", "px2")[0].sum()) / objects.area_px
    else:
        ground = of.filled() if of is not None else objects.place.over(objects.image)
        percent = 100 * float((objects.filled() & ground).sum()) / max(int(ground.sum()), 1)
    return Measurement(name, 100 - percent if rest else percent, "%", interval, how)


@measurement("density")
def density(objects: Selection, *, per: str = "", where: Place = ANYWHERE) -> Found:
    """Objects per area: ``per`` is mm2, um2, cm2, px2 or a multiple such as "100 um2"; without a pixel size and a unit, per
    px²."""
    pixel = objects.scene.pixel_um
    number, _, unit = (per or ("mm2" if pixel else "1000000 px2")).strip().rpartition(" ")
    times, plain = float(number) if number else 1.0, {"px": "px2", "image": "field"}.get(plain_unit(unit), plain_unit(unit))
    if plain not in (*_AREAS, "field"):
        raise UnitsError(f"objects are counted per mm2, um2, cm2 or px2, or a multiple of these, not per {unit or per!r}")
    if plain not in ("px2", "field") and pixel is None:
        raise UnitsError(f"{objects.image.name} has no pixel size, so there is no density per {per}; {TELL}")
    ground, n = float(objects.place.over(objects.image).sum()), objects.number
    if not ground:
        raise EvidenceError(f"there is no area {objects.place.words}, so there is no density on it")
    area = 1.0 if plain == "field" else convert(ground, "px2", plain, pixel)
    name = f"per {plain}" if times == 1 else f"per {print_number(times)} {plain}"
    interval = (n.interval[0] / area * times, n.interval[1] / area * times) if n.interval else None
    main = Measurement(f"density of {objects.phrase()}", n.number / area * times, name, interval, {**n.found, "per": times})
    looked_at = Measurement("area looked at", area, "" if plain == "field" else plain)
    return Found((main, n, looked_at), "unscaled" if not per and plain == "px2" else "is")


@measurement("locate")
def locate(objects: Selection) -> Found:
    """Where objects are: of a single one its box, centre and place in words; of several their number, where most are, and a
    table."""
    objects.need_all("where each of them is")
    if not len(objects):
        return Found((objects.number,), "none")
    shown = places_table(objects)
    if len(objects) > 1:
        place, boxes = objects.commonest_spot, objects.boxes(_LISTED)
        most = ("place of most", place)
        if len(objects) <= _FEW:
            each = in_a_row([f"{'in' if spot == 'center' else 'at'} the {spot}" for spot in objects.spots])
            return Found.of(objects.found, objects.number, most, *boxes, says="few", value=place, unit="", table=shown, each=each)
        one, so = nearest_to(objects.call, objects, objects.scene, evaluate), list[Fact]()
        for y, x in zip(*one.centres, strict=True) if len(one) == 1 else ():
            so = [("centre of the one that is most so", (round(float(x), 1), round(float(y), 1)), "px")]
        says = "several, one most so" if so else "several"
        return Found.of(objects.found, objects.number, most, *so, *boxes, says=says, value=place, unit="", table=shown)
    (y,), (x,), (place,) = *objects.centres, objects.spots
    centre = ("centre", (round(float(x), 1), round(float(y), 1)), "px")
    says = "center" if place == "center" else "is"
    how = {**objects.found, "label": int(objects.own[0])}
    return Found.of(how, *objects.boxes(1), centre, ("place", place), says=says, table=shown)


def places_table(objects: Selection, by: str = "area", unit: str = "") -> pd.DataFrame:
    """A row an object: value, centre, place."""
    values, unit = objects.values(by, unit)
    y, x = objects.centres
    name = plain_quantity(by)[0] + (f"_{unit.replace(' ', '_')}" if unit else "")
    out: dict[str, object] = {name: values, "x_px": x.round(1), "y_px": y.round(1), "place": objects.spots}
    if "name" in objects.table and objects.table["name"].nunique() > 1:
        out["kind"] = objects.table["name"].to_numpy()
    return pd.DataFrame(out, index=pd.RangeIndex(1, len(objects) + 1, name="number"))


@measurement("table")
def table(objects: Selection, *, by: str = "area", n: float = 5, order: Literal["max", "min"] = "max", unit: str = "") -> Found:
    """The objects that rank first by a quantity, a row each: value, centre and place."""
    objects.need_all("which of all objects come first")
    if not len(objects):
        return Found((objects.number,), "none")
    ranked = objects.ranked(objects.values(by, unit)[0], order)
    chosen = replace(objects, table=objects.table.iloc[ranked[: max(int(n), 1)]])
    listed, unit = chosen.values(by, unit)
    name = quantity_phrase(without_channel(by))
    how = {**objects.found, "by": by, "order": order}
    number = Measurement(f"number of {objects.many} listed", len(chosen), "count", found=how)
    first = ((f"{name} of the first", float(listed[0]), unit), ("place of the first", chosen.spots[0]))
    rows = (*first, *((f"{name}, number {k}", float(v), unit) for k, v in enumerate(listed, 1)))
    shown = places_table(chosen, by, unit)
    return Found.of(objects.found, number, *rows, *chosen.boxes(_LISTED), shown=chosen, table=shown, by=name)


@measurement("kinds")
def kinds(scene: Scene, *, where: Place = ANYWHERE) -> Found:
    """Which kinds of objects there are, the most frequent first, and how many of each."""
    eyes = scene.look.eyes
    if eyes == FLOOR:
        why = "without a trained model I outline objects but cannot tell kinds apart"
        raise EvidenceError(f"{why}; use eyes='micro_d1' on a single plane")
    found = everything(scene.image, scene.look)
    rows, how = found.table, {**made_by(found), "eyes": eyes}
    rows = rows[where.holds(rows["centroid_y_px"].to_numpy(float), rows["centroid_x_px"].to_numpy(float))]
    counts = {str(n): int(k) for n, k in rows["name"].value_counts().head(_LISTED).items() if str(n) not in ("", "object")}
    if scene.look.tiles is not None:  # the table is of some of the tiles
        estimates = [selection(name, scene).number for name in counts]
        counts = {name: int(n.value) for name, n in zip(counts, estimates, strict=True)}  # type: ignore[arg-type]
        how |= {k: v for n in estimates for k, v in n.found.items() if k.startswith("tiles_")}
    measured = [Measurement("number of named objects", sum(counts.values()), "count", found=how)]
    for name, n in counts.items():
        told = {**how, "kind": name, "called": name if n == 1 else plural(name)}
        measured.append(Measurement(f"number of {plural(name)}", n, "count", found=told))
    shown = pd.DataFrame({"count": list(counts.values())}, index=pd.Index(list(counts), name="kind"))
    said = in_a_row([f"{{{k}.value}} {{{k}.found.called}}" for k in range(1, len(measured))][:_SAID])
    return Found(tuple(measured), f"I see {said}." if counts else "none", next(iter(counts), None), "", table=shown)


@measurement("pattern", group="space")
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
    varies = (("variation of the diameter", size, "%"), ("variation of the ratio of length to width", form, "%"))
    how = {**objects.found, "alike_below_percent": _ALIKE_CV}
    return Found.of(how, ("alike", alike), *varies, over.n(), says="alike" if alike else "unlike")


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


@measurement("distance", group="space")
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
