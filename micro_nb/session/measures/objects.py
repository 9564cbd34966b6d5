"""How many there are, whether there are any, their share, the area they cover, how dense they lie, where, and which."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pandas as pd

from ...errors import EvidenceError, UnitsError
from ...models.wording import plural
from ..words.printing import print_number
from ..words.tables import listed as in_a_row
from .eyes import FLOOR, everything, made_by
from .measurement import Measurement
from .quantities import TELL, convert, named, plain_quantity, plain_unit
from .registry import measurement
from .results import Found
from .scene import ANYWHERE, Place, Scene
from .selection import TILES_ONLY, Selection, spread

_AREAS = ("px2", "um2", "mm2", "nm2", "cm2")
_LISTED, _FEW, _SAID = 12, 4, 6


@measurement("count")
def count(objects: Selection) -> Found:
    """How many objects there are: those whose centre lies at the place and that meet the conditions."""
    number = objects.number
    says = "none" if number.value == 0 else "about" if number.interval else "is"
    return Found((number, *few_boxes(objects)), says)


def few_boxes(objects: Selection) -> tuple[Measurement, ...]:
    """The boxes of a few objects, so that they can be pointed at; none of many."""
    return objects.boxes(_FEW) if objects.drawn is None and len(objects) <= _FEW else ()


@measurement("exists")
def exists(objects: Selection) -> Found:
    """Whether there is at least one such object, and how many there are."""
    number = objects.number
    present = (f"{objects.phrase()} present", bool(number.value))
    return Found.of(objects.found, present, number, *few_boxes(objects), says="is" if number.value else "none")


@measurement("share")
def share(objects: Selection, *, of: Selection) -> Found:
    """How many per cent of some objects are such ones, by number, with the two numbers."""
    if not len(of):
        raise EvidenceError(f"I find no {of.many} there, so there is no share of them")
    how, percent, interval = {**objects.found, "of": str(of.call)}, 100 * len(objects) / len(of), None
    if objects.drawn is not None and of.drawn is not None:
        made = of.drawn.mean(of.table, 100.0 * of.table.index.isin(objects.table.index))
        percent, interval = made.value, (max(made.low, 0.0), min(made.high, 100.0))
        how |= spread(made, TILES_ONLY)
    numbers = ((f"number of {o.phrase()}", o.number.value, "count") for o in (objects, of))
    return Found.of(how, (f"share of {objects.phrase()}", percent, "%", interval), *numbers, whole=of.phrase())


@measurement("coverage")
def coverage(objects: Selection, *, rest: bool = False, of: Selection | None = None, where: Place = ANYWHERE) -> Found:
    """Share of the area that objects cover, in %: of the place, or of the area of other objects; with ``rest``, what they
    leave free."""
    return Found((covered(objects, rest=rest, of=of),), "rest" if rest else "is")


def covered(objects: Selection, *, rest: bool = False, of: Selection | None = None) -> Measurement:
    """That share as a fact."""
    name, how, interval = f"area {'free of' if rest else 'covered by'} {objects.phrase()}", objects.found, None
    if objects.drawn is not None:
        total, whole = objects.drawn.total(objects.table, objects.values("area", "px2")[0]), objects.drawn.area_px
        percent, low, high = (100 * v / whole for v in (total.value, total.low, total.high))
        interval, how = (100 - high, 100 - low) if rest else (low, high), {**how, **spread(total, TILES_ONLY)}
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
        raise UnitsError(f"objects are counted per mm2, um2, cm2 or px2, not per {per!r}")
    if plain not in ("px2", "field") and pixel is None:
        raise UnitsError(f"{objects.image.name} has no pixel size, so there is no density per {per}; {TELL}")
    ground, n = float(objects.place.over(objects.image).sum()), objects.number
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
        return Found.of(objects.found, objects.number, most, *boxes, says="several", value=place, unit="", table=shown)
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
    name = named(plain_quantity(by)[0])
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
    found = everything(scene.image, eyes)
    rows, how = found.table, {**made_by(eyes, found), "eyes": eyes}
    rows = rows[where.holds(rows["centroid_y_px"].to_numpy(float), rows["centroid_x_px"].to_numpy(float))]
    counts = {str(n): int(k) for n, k in rows["name"].value_counts().head(_LISTED).items() if str(n) not in ("", "object")}
    measured = [Measurement("number of named objects", sum(counts.values()), "count", found=how)]
    for name, n in counts.items():
        told = {**how, "kind": name, "called": name if n == 1 else plural(name)}
        measured.append(Measurement(f"number of {plural(name)}", n, "count", found=told))
    shown = pd.DataFrame({"count": list(counts.values())}, index=pd.Index(list(counts), name="kind"))
    said = in_a_row([f"{{{k}.value}} {{{k}.found.called}}" for k in range(1, len(measured))][:_SAID])
    return Found(tuple(measured), f"I see {said}." if counts else "none", next(iter(counts), None), "", table=shown)
