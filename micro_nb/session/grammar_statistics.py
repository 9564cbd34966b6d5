"""The grammar of statistics over objects: how they lie, how a quantity is spread, which stand out, how far to trust a number."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, cast

from .query import Filter, Pick, Query, Task
from .reading import Clause
from .slots import OBJECT_QUANTITIES, Shape

Rule = Callable[[Query, Clause, Shape], Query | None]
_SIZED = {"size": "area", "shape": "aspect_ratio", "grey": "intensity"}
_ORDINAL = frozenset(["th", "st", "nd", "rd"])
_SIDES = {
    "above": "above", "over": "above", "below": "below", "under": "below", "beneath": "below", "left": "left", "right": "right",
}  # fmt: skip
_BESIDE = re.compile(r"\b(?:(above|over|below|under|beneath)|(?:to )?the (left|right) of|(left|right) of) (?:the|that|this)\b")
_AROUND = re.compile(
    r"\b(?:around|near|surrounding|surrounds?|surrounded by|next to|beside|adjacent to|close to|neighbou?rs of|of neighbou?rs)\b"
)
_NEAR = (
    "near", "surrounding", "surround", "surrounds", "surrounded", "next", "beside", "adjacent", "close", "neighbours",
    "neighbors",
)  # fmt: skip
_PERCENT = re.compile(r"\bd(\d{1,2})\b")
_TAUGHT = re.compile(r"(?:what (?:is|are|does) (?!the\b|their\b|its\b)|explain|define|why|how (?:do i|should|would)|should i)")
_TOP = re.compile(r"\btop \d+\b")
_WAYS: dict[tuple[str, Literal["max", "min"]], tuple[str, ...]] = {
    ("area", "max"): ("large", "big", "larger", "bigger", "huge"), ("area", "min"): ("small", "tiny", "smaller"),
    ("intensity", "max"): ("bright", "brighter"), ("intensity", "min"): ("dark", "dim", "darker"),
    ("aspect_ratio", "max"): ("elongated",),
}  # fmt: skip
ALL = 1000
"""Rows of a table that is to hold everything."""
_PLACES = ("tiles", "tile", "areas", "parts", "regions", "corners", "part", "area", "region")


def statistics_of(q: Query, c: Clause, shape: Shape) -> Query | None:
    """The Query of a clause that asks for statistics over objects; None for any other clause."""
    if c.has("topic", "diagnosis", "time", "significance", "elsewhere") or not _mine(c):
        return None
    return next((found for found in (rule(q, c, shape) for rule in _RULES) if found is not None), None)


def unspoken(q: Query, c: Clause) -> Query:
    """Words of statistics that no rule took up narrow the question, so they are asked back."""
    if q.task not in ("count", "fraction", "measure", "compare", "locate", "presence"):
        return q
    told = ("crowding", "clustering") if c.has("division") or q.quantity == "busiest" else ("crowding",)
    lost = tuple(w for i in c.items if i.meanings and {k for k, _ in i.meanings} == {"statistics"}
                 for w in i.words if not any(v in told for _, v in i.meanings))  # fmt: skip
    return replace(q, unread=(*q.unread, *lost))


def measured_of(q: Query, c: Clause, default: str = "area") -> str:
    """The object quantity that a clause names, "size" being an area; a length where its unit is one."""
    named = next((v for v in c.values("quantity") if v in OBJECT_QUANTITIES | {"grey"}), None)
    if named is None and c.says("brightness", "intensity", "intensities", "bright"):
        named = "intensity"
    if named in (None, "size") and q.unit in ("um", "nm", "mm"):
        return "diameter"
    return _SIZED.get(named or default, named or default)


def _mine(c: Clause) -> bool:
    text = " ".join(c.words)
    unfit = c.has("quantity", "focus", "saturation") and c.says(*_PLACES, "where")
    return c.has("statistics") or unfit or any(p.search(text) for p in (_BESIDE, _AROUND, _PERCENT, _TOP))


def _read(q: Query, c: Clause, *also: str) -> tuple[str, ...]:
    """What is still unread, without ordinals and the words this rule has read itself."""
    return tuple(w for w in q.unread if w not in _ORDINAL and w not in ("among", *also))


def _taught(c: Clause) -> bool:
    """Whether the meaning of a word is asked for, not a measurement."""
    text = " ".join(c.words)
    no_objects = not c.has("target") and not c.has("reference")
    return no_objects and _TAUGHT.match(text) is not None


def _colocalisation(q: Query, c: Clause, shape: Shape) -> Query | None:
    if not c.has("statistics", "colocalisation") or _taught(c) or c.says("should", "how"):
        return None
    channels = tuple(w for w in c.words if w in ("red", "green", "blue"))[:2]
    return Query(
        "measure", q.target, "colocalisation", region=q.region, topic=" ".join(channels) or None, unread=_read(q, c, *channels)
    )


def _compartments(q: Query, c: Clause, shape: Shape) -> Query | None:
    if not c.has("statistics", "compartments") or _taught(c):
        return None
    return Query("measure", "nucleus", "compartments", region=q.region, unread=_read(q, c))


def _gated(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Count without the blurry parts", "which tiles are out of focus?"."""
    unfit = c.has("quantity", "focus", "saturation") and c.says(*_PLACES, "where") and not c.has("unit") and not c.has("part")
    if not c.has("statistics", "gate") and not (unfit and not c.starts_yes_no and not c.has("ask", "count", "fraction")):
        return None
    counting = c.has("ask", "count", "total") or c.has("negation") or (c.has("target") and not c.has("ask", "locate"))
    filters = tuple(f for f in q.filters if f.quantity != "touches_border")
    return Query("count" if counting else "locate", q.target, "gated", filters=filters, unread=_read(q, c, *_PLACES))


def _plausible(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Does that size make sense?", "is the pixel size right?"."""
    sized = c.has("quantity", "pixel_size", "size", "area", "diameter") or c.has("reference") or c.says("scale", "calibration")
    if not c.has("statistics", "plausible") or not (sized or c.has("target")) or c.numbers or c.has("ask", "count"):
        return None
    return Query("presence", q.target, "plausible", unread=_read(q, c, "scale", "calibration"))


def _outliers(q: Query, c: Clause, shape: Shape) -> Query | None:
    if not c.has("statistics", "outliers") or c.has("superlative") or c.has("topic", "cell cycle"):
        return None
    named = next((v for v in c.values("quantity") if v in OBJECT_QUANTITIES), None)
    way = next((w for w in _WAYS if c.says(*_WAYS[w])), None)
    task = "count" if c.has("ask", "count") else "locate" if c.has("ask", "locate") else "presence"
    return Query(
        cast(Literal["count"], task), q.target, "outliers", region=q.region, filters=q.filters,
        topic=_SIZED.get(named, named) if named else None, pick=Pick(*way) if way else None, unread=_read(q, c),
    )  # fmt: skip


def _ranking(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "List the five largest with their positions", "top 5 by area", "a table of all nuclei by size"."""
    listed = c.has("statistics", "ranking")
    top = _TOP.search(" ".join(c.words)) is not None
    if not (listed or top) or c.has("ask", "compare") or (listed and not (c.has("target") or c.has("reference") or c.numbers)):
        return None
    among = next((f for f in q.filters if f.op in ("max", "min")), None)
    number = c.numbers[0] if c.numbers else None
    if among is not None:
        by, order = among.quantity, among.op
    else:
        rising: Literal["max", "min"] = "min" if c.says("ascending", "smallest") else "max"
        by, order = (q.pick.by, q.pick.order) if q.pick else (measured_of(q, c), rising)
    number = float(ALL) if number is None and c.says("all", "every", "each", "full") else number
    rest = tuple(f for f in q.filters if f.op not in ("max", "min") and not (top and isinstance(f.value, float)))
    region = None if top and q.region is not None and (q.region.name or "").startswith("top") else q.region
    return Query(
        "locate", q.target, "ranking", region=region, filters=rest, unit=q.unit, amount=number,
        pick=Pick(by, cast(Literal["max", "min"], order)), unread=_read(q, c, "top", "positions", "order"),
    )  # fmt: skip


def _percentile(q: Query, c: Clause, shape: Shape) -> Query | None:
    text = " ".join(c.words)
    marks = [float(m) for m in _PERCENT.findall(text)]
    named = c.has("statistics", "percentile")
    if not (marks or named) or _taught(c):
        return None
    if named and not marks:
        marks = list(c.numbers) or ([25.0, 75.0] if c.says("quartile", "quartiles", "iqr", "interquartile") else [])
    measured = measured_of(q, c, "diameter" if marks or q.unit == "px" else "area")
    unread = _read(q, c, *(w for w in c.words if _PERCENT.fullmatch(w)))
    base = replace(_over(q, c, "measure", "percentile"), topic=measured, unit=q.unit, unread=unread)
    if not marks:
        return replace(base, quantity="distribution")
    first, *others = (replace(base, amount=m) for m in marks)
    return replace(first, also=tuple(others))


def _variation(q: Query, c: Clause, shape: Shape) -> Query | None:
    about = c.has("target") or c.has("reference") or c.has("quantity")
    if not c.has("statistics", "variation") or _taught(c) or not about:
        return None
    return replace(_over(q, c, "measure", "variation"), topic=measured_of(q, c))


def _populations(q: Query, c: Clause, shape: Shape) -> Query | None:
    if not c.has("statistics", "populations") or _taught(c):
        return None
    return replace(_over(q, c, "presence", "populations"), topic=measured_of(q, c))


def _distribution(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Histogram of the areas", "how are the sizes distributed?"; of the grey values where no object is named."""
    sized = c.has("quantity", *OBJECT_QUANTITIES) or c.says("size", "sizes", "area", "areas")
    if not c.has("statistics", "distribution") or _taught(c) or c.has("division") or (c.has("ask", "even") and not sized):
        return None
    of_pixels = not c.has("target") and not c.has("reference") and c.has("quantity", "grey") and not sized
    if of_pixels:
        return Query("measure", None, "grey histogram", region=q.region, channel=q.channel, unread=_read(q, c))
    return replace(_over(q, c, "measure", "distribution"), topic=measured_of(q, c), unit=q.unit)


def _clustering(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Are they spread evenly?", "clustered or random?"."""
    spatial = c.has("statistics", "clustering")
    elsewhere = c.has("division") or c.has("ask", "locate", "count") or len(c.values("part")) > 1
    about_size = c.has("quantity", "size", "area", "diameter", "intensity", "grey", "shape") or c.says("stained", "sized")
    if not spatial or elsewhere or about_size or _taught(c):
        return None
    even = c.says("evenly", "even", "uniformly", "uniform", "homogeneously", "regularly")
    either = "or" in c.words or not (c.starts_yes_no or c.tag)
    topic = None if either else "even" if even else "random" if c.says("random", "randomly") else "clustered"
    return replace(_over(q, c, "presence" if topic else "describe", "clustering"), topic=topic)


def _packing(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Is it crowded?", "dense or sparse?"."""
    other = c.has("division") or c.has("ask", "locate", "count", "classify", "fraction") or len(c.values("part")) > 1
    if not c.has("statistics", "crowding") or other or c.has("topic") or c.has("operator") or not (c.question or c.starts_yes_no):
        return None
    if c.has("quantity", *OBJECT_QUANTITIES - {"spacing"}) or c.says("which", "where", "most", "per"):
        return None
    both = "or" in c.words or not c.starts_yes_no
    topic = None if both else "sparse" if c.says("sparse", "sparsely", "loosely") else "dense"
    return replace(_over(q, c, "presence" if topic else "describe", "packing"), topic=topic)


def _per_part(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "How many in each quadrant?"."""
    if not c.has("statistics", "per part") or not (c.has("target") or c.has("ask", "count") or c.has("reference")):
        return None
    parts = "sides" if c.says("half", "halves", "side", "sides") else "quadrants"
    return Query("count", q.target, "per part", topic=parts, filters=_plain(q), unread=_read(q, c))


def _distance(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "How far is the white cell from the nearest platelet?", "distance between the two largest"."""
    named = list(dict.fromkeys(c.values("target")))
    if not c.has("statistics", "distance") or c.has("part") or c.has("border"):
        return None
    among = next((f for f in q.filters if f.op in ("max", "min") and f.value == 2.0), None)
    picks = [cast(tuple[str, str], tuple(v.split())) for v in dict.fromkeys(c.values("superlative"))]
    base = Query("measure", named[0] if named else q.target, "distance", channel=q.channel, unread=_read(q, c))
    if among is not None:
        return replace(base, pick=Pick(among.quantity, cast(Literal["max", "min"], among.op)), amount=2.0)
    if len(named) == 2:
        return replace(base, rival=named[1], pick=_pick(picks, q))
    if q.pick is not None and (c.says("nearest", "closest", "next", "neighbour", "neighbor", "others", "other")):
        return replace(base, pick=q.pick)
    return None


def _around(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "How many red cells around the white one?", "how many nuclei lie above the largest?"."""
    text, named = " ".join(c.words), list(dict.fromkeys(c.values("target")))
    beside, near = _BESIDE.search(text), _AROUND.search(text)
    side = _SIDES[next(g for g in beside.groups() if g)] if beside else None
    single = q.pick is not None or len(named) == 2
    if not (beside or near) or not single or c.numbers or not c.has("ask", "count", "presence", "describe"):
        return None
    if beside and c.has("division"):
        return None
    target, centre = named[0] if named else None, named[1] if len(named) == 2 else None
    filters = tuple(f for f in q.filters if not isinstance(f.value, float))
    read = (*_SIDES, *_NEAR)
    return Query("count", target, "around", rival=centre, pick=q.pick or Pick("area"), topic=side, filters=filters,
                 unread=_read(q, c, *read))  # fmt: skip


def _over(q: Query, c: Clause, task: Task, quantity: str) -> Query:
    """A query over the objects of a place that meet the clause's conditions."""
    return Query(task, q.target, quantity, region=q.region, filters=_plain(q), unread=_read(q, c))


def _pick(picks: list[tuple[str, str]], q: Query) -> Pick | None:
    return Pick(picks[0][0], cast(Literal["max", "min"], picks[0][1])) if picks else None


def _plain(q: Query) -> tuple[Filter, ...]:
    """Conditions without those that a number of this question made by mistake."""
    return tuple(f for f in q.filters if f.op not in ("max", "min"))


_RULES: tuple[Rule, ...] = (
    _colocalisation, _compartments, _gated, _plausible, _per_part, _outliers, _ranking, _percentile, _populations, _variation,
    _distribution, _clustering, _packing, _distance, _around,
)  # fmt: skip
