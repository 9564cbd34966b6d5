"""How many there are, whether there are any, their share, the area they cover, how dense they lie, where, and which."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from ...errors import EvidenceError, UnitsError
from ...models.wording import plural
from ..words.printing import print_number
from .eyes import FLOOR, concept_of, made_by
from .finding import everything
from .frame import pixel_box, place_words
from .measurement import Measurement, facts
from .places import ANYWHERE, Place
from .quantities import box, plain_quantity
from .quantities import named as quantity_words
from .registry import measurement
from .results import Found, Result
from .scene import Scene
from .selecting import filled
from .selection import TILES_ONLY, Selection, spread
from .units import plain_unit

_AREAS = {"px2": "px2", "um2": "um2", "mm2": "mm2", "nm2": "nm2", "cm2": "cm2", "field": "field", "image": "field", "px": "px2"}
_IN_UM2 = {"um2": 1.0, "mm2": 1e6, "nm2": 1e-6, "cm2": 1e8}
_LISTED, _FEW = 12, 4


CAVEATS = (
    " I have not learned this kind by name, so I took every object that is outlined.",
    " I took nuclei for cells, for these are what shows.",
    " They were outlined without a trained model, so they are not told apart by kind.",
)  # fmt: skip
"""What is said once of how objects were taken."""


def caveat(result: Result) -> str:
    """What is worth saying once of how the objects were taken; empty where nothing is."""
    found = result.selection
    if found is None:
        return ""
    taken, asked = str(found.found.get("kind", "")), concept_of(found.kind) or found.kind
    if found.found.get("not_learned"):
        return CAVEATS[0]
    if asked == "cell" and taken == "nucleus":
        return CAVEATS[1]
    if found.found.get("method") == "weight-free segmentation" and asked not in ("object", "particle", "cell", "nucleus", "spot"):
        return CAVEATS[2]
    return ""


def _says_count(result: Result) -> str:
    if result.value == 0:
        return "I see no {objects}."
    about = "About " if result.measured[0].interval else "I count "
    return f"{about}{{0:objects}}{{0.interval}}.{caveat(result)}"


@measurement(
    "count", unit="count", says=_says_count,
    examples={"How many nuclei are there?": 'count("nucleus")',
              "count the cells in the left half": 'count(obj("cell", where="left"))',
              "number of particles larger than 80 µm²": 'count(obj("particle", having="area > 80 um2"))'},
)  # fmt: skip
def count(objects: Selection) -> tuple[Measurement, ...]:
    """How many objects there are: those whose centre lies at the place and that meet the conditions."""
    return objects.number, *boxes_of(objects)


def boxes_of(objects: Selection) -> tuple[Measurement, ...]:
    """The boxes of a few objects, so that they can be pointed at; none of many."""
    if objects.drawn is not None or len(objects) > _FEW:
        return ()
    names = ["box"] if len(objects) == 1 else [f"box, number {k}" for k in range(1, len(objects) + 1)]
    return facts(objects.found, *((name, box(row), "px") for name, (_, row) in zip(names, objects.table.iterrows(), strict=True)))


def _says_exists(result: Result) -> str:
    if not result.value:
        return "No, I see no {objects}."
    return "Yes, {1:objects}." + caveat(result)


@measurement(
    "exists", says=_says_exists,
    examples={"Are there any mitochondria?": 'exists("mitochondrion")',
              "do any touch the border?": 'exists(obj("object", having="border"))'},
)  # fmt: skip
def exists(objects: Selection) -> tuple[Measurement, ...]:
    """Whether there is at least one such object, and how many there are."""
    number = objects.number
    p = {k: objects.found[k] for k in ("presence", "p_value") if k in objects.found}
    return (
        Measurement(f"{objects.phrase()} present", bool(number.value), found={**objects.found, **p}),
        number,
        *boxes_of(objects),
    )


@measurement(
    "share", unit="%", says="{0}{0.interval} of the {whole}: {1.value} of {2.value}.",
    examples={"What percentage of the nuclei touch the border?": 'share(obj("nucleus", having="border"), of="nucleus")',
              "share of round particles": 'share(obj("particle", having="is \\"round\\""), of="particle")'},
)  # fmt: skip
def share(objects: Selection, *, of: Selection) -> Found:
    """How many per cent of some objects are such ones, by number, with the two numbers."""
    if not len(of):
        raise EvidenceError(f"I find no {of.many} there, so there is no share of them")
    found = {**objects.found, "of": str(of.call)}
    if objects.drawn is not None and of.drawn is not None:
        meets = of.table.index.isin(objects.table.index).astype(float)
        made = of.drawn.mean(of.table, 100 * meets)
        percent = Measurement(
            f"share of {objects.phrase()}",
            made.value,
            "%",
            (max(made.low, 0.0), min(made.high, 100.0)),
            found | spread(made, TILES_ONLY),
        )
    else:
        percent = Measurement(f"share of {objects.phrase()}", 100 * len(objects) / len(of), "%", found=found)
    whole = facts(
        found,
        (f"number of {objects.phrase()}", objects.number.value, "count"),
        (f"number of {of.phrase()}", of.number.value, "count"),
    )
    return Found((percent, *whole), more={"whole": of.phrase()})


def _says_coverage(result: Result) -> str:
    if result.call.get("rest") is True:
        return "{0}{0.interval} of the area is free of {objects}."
    return "The {objects} cover {0}{0.interval} of the area." + caveat(result)


@measurement(
    "coverage", unit="%", says=_says_coverage,
    examples={"How confluent are the cells?": 'coverage("cell")',
              "what fraction of the image is empty?": 'coverage("object", rest=True)'},
)  # fmt: skip
def coverage(objects: Selection, *, rest: bool = False, of: Selection | None = None, where: Place = ANYWHERE) -> Measurement:
    """Share of the area that objects cover, in %: of the place, or of the area of other objects; with ``rest``, what they
    leave free."""
    name = f"area free of {objects.phrase()}" if rest else f"area covered by {objects.phrase()}"
    if objects.drawn is not None:
        return _estimated(objects, name, rest)
    inside = filled(objects)
    ground = _ground(objects, of)
    percent = 100 * float((inside & ground).sum()) / max(int(ground.sum()), 1)
    return Measurement(name, 100 - percent if rest else percent, "%", found=objects.found)


def _ground(objects: Selection, of: Selection | None) -> np.ndarray:
    """The pixels of which a share is asked: those of other objects, of the place, or all."""
    if of is not None:
        return filled(of)
    ground = np.zeros(objects.image.plane_shape, bool)
    rows, cols = pixel_box(objects.image, objects.place.region)
    ground[rows, cols] = True
    if objects.place.region is not None and objects.place.region.polygon:
        y, x = np.mgrid[0 : ground.shape[0], 0 : ground.shape[1]]
        ground &= objects.place.region.contains(y.ravel() + 0.5, x.ravel() + 0.5).reshape(ground.shape)
    return ground & objects.place.mask if objects.place.mask is not None else ground


def _estimated(objects: Selection, name: str, rest: bool) -> Measurement:
    assert objects.drawn is not None
    total, whole = objects.drawn.total(objects.table, objects.values("area", "px2")[0]), objects.drawn.area_px
    percent, low, high = (100 * v / whole for v in (total.value, total.low, total.high))
    if rest:
        percent, low, high = 100 - percent, 100 - high, 100 - low
    return Measurement(name, percent, "%", (low, high), {**objects.found, **spread(total, TILES_ONLY)})


def _says_density(result: Result) -> str:
    unscaled = result.call.get("per") is None and result.measured[0].unit.endswith("px2")
    return "{0}{0.interval}: {1:objects} on {2}." + (" No pixel size is known, so areas are in pixels." if unscaled else "")


@measurement(
    "density", unit="per mm2", says=_says_density,
    examples={"How many nuclei per mm²?": 'density("nucleus", per="mm2")', "how densely do the cells lie?": 'density("cell")'},
)  # fmt: skip
def density(objects: Selection, *, per: str = "", where: Place = ANYWHERE) -> tuple[Measurement, ...]:
    """Objects per area: ``per`` is mm2, um2, cm2, px2 or a multiple such as "100 um2"; without a pixel size and a unit, per
    px²."""
    times, unit = _per(per or ("mm2" if objects.image.pixel_size else "1000000 px2"))
    if unit != "field" and not unit.startswith("px") and objects.image.pixel_size is None:
        raise UnitsError(
            f"{objects.image.name} has no pixel size, so there is no density per {per}; "
            f"tell me, for example: one pixel is half a micrometre"
        )
    ground = int(_ground(objects, None).sum())
    area = 1.0 if unit == "field" else float(ground) if unit == "px2" else ground * (objects.pixel_um or 1.0) ** 2 / _IN_UM2[unit]
    n = objects.number
    name = f"per {unit}" if times == 1 else f"per {print_number(times)} {unit}"
    interval = (n.interval[0] / area * times, n.interval[1] / area * times) if n.interval else None
    shown = Measurement("area looked at", area, "" if unit == "field" else unit)
    return (
        Measurement(f"density of {objects.phrase()}", n.number / area * times, name, interval, {**n.found, "per": times}),
        n,
        shown,
    )


def _per(text: str) -> tuple[float, str]:
    number, _, unit = text.strip().rpartition(" ")
    plain = _AREAS.get(plain_unit(unit))
    if plain is None:
        raise UnitsError(f"objects are counted per mm2, um2, cm2 or px2, not per {text!r}")
    return (float(number) if number else 1.0), plain


def _says_locate(result: Result) -> str:
    n = len(result.selection) if result.selection is not None else 0
    if n == 0:
        return "I see no {objects}."
    if n == 1:
        return (
            "The {object} is at the {2.value}, with its centre at ({1.value.0}, {1.value.1}) px."
            if result.measured[2].value != "center"
            else "The {object} is near the center, at ({1.value.0}, {1.value.1}) px."
        )
    return "There are {0:objects}; most lie in the {1.value}. The table lists where each is."


@measurement(
    "locate", says=_says_locate,
    examples={"Where is the largest nucleus?": 'locate(obj("nucleus", by="area"))',
              "where are the platelets?": 'locate("platelet")'},
)  # fmt: skip
def locate(objects: Selection) -> Found:
    """Where objects are: of a single one its box, centre and place in words; of several their number, where most are, and a
    table."""
    objects.need_all("where each of them is")
    if len(objects) == 1:
        row = objects.table.iloc[0]
        y, x = float(row["centroid_y_px"]), float(row["centroid_x_px"])
        found = {**objects.found, "label": int(row["label"])}
        place = place_words(objects.image, y, x)
        measured = facts(found, ("box", box(row), "px"), ("centre", (round(x, 1), round(y, 1)), "px"), ("place", place))
        return Found(measured, table=places_table(objects))
    if not len(objects):
        return Found((objects.number,), declined=None)
    where = pd.Series([place_words(objects.image, y, x) for y, x in zip(*objects.centres, strict=True)])
    measured = (objects.number, *facts(objects.found, ("place of most", str(where.value_counts().index[0]))))
    boxes = facts(
        objects.found,
        *((f"box, number {k}", box(row), "px") for k, (_, row) in enumerate(objects.table.head(_LISTED).iterrows(), 1)),
    )
    return Found((*measured, *boxes), value=str(where.value_counts().index[0]), unit="", table=places_table(objects))


def places_table(objects: Selection, by: str | None = None, unit: str = "") -> pd.DataFrame:
    """A row an object: value, centre, place."""
    y, x = objects.centres
    out: dict[str, object] = {}
    for quantity in [by] if by else ["area"]:
        values, unit = objects.values(quantity, unit)
        out[f"{plain_quantity(quantity)[0]}{'_' + unit.replace(' ', '_') if unit else ''}"] = values
    out |= {
        "x_px": x.round(1),
        "y_px": y.round(1),
        "place": [place_words(objects.image, a, b) for a, b in zip(y, x, strict=True)],
    }
    if "name" in objects.table and objects.table["name"].nunique() > 1:
        out["kind"] = objects.table["name"].to_numpy()
    return pd.DataFrame(out, index=pd.RangeIndex(1, len(objects) + 1, name="number"))


def _says_table(result: Result) -> str:
    return (
        "Listed: {0:objects}, by {by}; the first has {1} and lies at the {2.value}."
        if result.value
        else "I see no {objects} to list."
    )


@measurement(
    "table", says=_says_table,
    examples={"list the five largest particles": 'table("particle", by="area", n=5)',
              "rank the nuclei by brightness": 'table("nucleus", by="intensity")'},
)  # fmt: skip
def table(objects: Selection, *, by: str = "area", n: float = 5, order: Literal["max", "min"] = "max", unit: str = "") -> Found:
    """The objects that rank first by a quantity, a row each: value, centre and place."""
    objects.need_all("which of all objects come first")
    quantity = plain_quantity(by)[0]
    measured, _ = objects.values(by, unit)
    if not len(measured):
        return Found((objects.number,))
    first = objects.ranked(measured, order)[: max(int(n), 1)]
    chosen = objects.rows(np.isin(np.arange(len(objects)), first))
    order_of = chosen.ranked(chosen.values(by, unit)[0], order)
    chosen = replace(chosen, table=chosen.table.iloc[order_of])
    listed, unit = chosen.values(by, unit)
    y, x = chosen.centres
    number = Measurement(
        f"number of {objects.many} listed", len(chosen), "count", found={**objects.found, "by": by, "order": order}
    )
    rows = facts(
        objects.found,
        (f"{quantity_words(quantity)} of the first", float(listed[0]), unit),
        ("place of the first", place_words(objects.image, float(y[0]), float(x[0]))),
    )
    boxes = facts(
        objects.found,
        *((f"box, number {k}", box(row), "px") for k, (_, row) in enumerate(chosen.table.head(_LISTED).iterrows(), 1)),
    )
    values = facts(objects.found, *((f"{quantity_words(quantity)}, number {k}", float(v), unit) for k, v in enumerate(listed, 1)))
    return Found(
        (number, *rows, *values, *boxes),
        shown=chosen,
        table=places_table(chosen, by, unit),
        more={"by": quantity_words(quantity)},
    )


def _says_kinds(result: Result) -> str:
    named_ones = [k for k, m in enumerate(result.measured) if k > 0]
    if not named_ones:
        return "I see nothing here that I have a name for."
    listed = [f"{{{k}.value}} {{{k}.found.called}}" for k in named_ones[:6]]
    return f"I see {', '.join(listed[:-1]) + ' and ' if len(listed) > 1 else ''}{listed[-1]}."


@measurement(
    "kinds",
    says=_says_kinds,
    examples={"What kinds of cells are there, and how many of each?": "kinds()", "what is in here": "kinds()"},
)
def kinds(scene: Scene, *, where: Place = ANYWHERE) -> Found:
    """Which kinds of objects there are, the most frequent first, and how many of each."""
    eyes = scene.look.eyes
    if eyes == FLOOR:
        raise EvidenceError(
            "without a trained model I outline objects but cannot tell kinds apart; use eyes='micro_d1' on a single plane"
        )
    found = everything(scene.image, eyes)
    rows = found.table
    rows = rows[where.holds(rows["centroid_y_px"].to_numpy(float), rows["centroid_x_px"].to_numpy(float))]
    counts = {str(n): int(k) for n, k in rows["name"].value_counts().head(_LISTED).items() if str(n) not in ("", "object")}
    how = {**made_by(eyes, found), "eyes": eyes}
    each = tuple(
        Measurement(f"number of {plural(n)}", k, "count", found={**how, "kind": n, "called": n if k == 1 else plural(n)})
        for n, k in counts.items()
    )
    total = Measurement("number of named objects", sum(counts.values()), "count", found=how)
    table = pd.DataFrame({"count": list(counts.values())}, index=pd.Index(list(counts), name="kind"))
    return Found((total, *each), table=table, value=next(iter(counts), None), unit="")
