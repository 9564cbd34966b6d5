"""The grammar of relations: objects that touch, are alike, are among the largest, lie near something; and densities per area."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

from .dimensions import AREA_UNITS
from .query import Claim, Filter, Pick, Query
from .reading import Clause, Item
from .slots import OBJECT_QUANTITIES, Shape

_ALIKE_WORDS = {"shape": ("shape", "shapes", "round", "shaped"), "intensity": ("bright", "brightness", "intensity", "dim")}
_PER = frozenset(["per", "every", "each"])
_SIDES = frozenset(["px", "um", "nm", "mm"])


def touching(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Is there a group of three or more touching?", "how many nuclei touch another?", "are the cells separated?"."""
    together, apart = c.has("relation", "touching", "group", "satellite"), c.has("relation", "separated")
    about_image = c.has("border") or c.has("topic") or c.has("ask", "most", "least", "compare")
    if not (together or apart) or about_image or c.has("relation", "alike"):
        return None
    query = replace(q, quantity="group", pick=None, unit=None, statistic="value", claim=_size_of_group(c), topic=None)
    if c.has("relation", "satellite"):
        return replace(query, task="presence" if c.starts_yes_no else "count", topic="satellites", claim=None)
    if c.has("ask", "count", "fraction") and not c.has("relation", "group"):
        named = Filter("touches_other", "is", together != c.has("negation"))
        task: Literal["count", "fraction"] = "fraction" if c.has("ask", "fraction") else "count"
        quantity = "share_of_objects" if task == "fraction" else None
        return replace(q, task=task, quantity=quantity, filters=(*q.filters, named), claim=None, pick=None)
    if c.has("ask", "count"):
        return replace(query, task="count")
    asked = c.starts_yes_no or c.has("ask", "presence", "even") or c.question
    if not asked or c.has("ask", "locate"):
        return None
    return replace(query, task="presence", topic="separated" if apart or c.has("negation") else None, unread=q.unread)


def separate(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "How many are well separated?" """
    return touching(q, c, shape) if c.has("relation", "separated") and c.has("ask", "count", "fraction") else None


def alike(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Are they the same size?", "do the nuclei vary in shape?"."""
    differ = (c.has("relation", "differ") or (c.says("same", "uniform") and c.starts_yes_no)) and c.has(
        "quantity", "size", "shape"
    )
    if not (c.has("relation", "alike") or differ) or not (c.starts_yes_no or c.question) or len(set(c.values("target"))) > 1:
        return None
    if c.asks or c.numbers or len([p for p in c.values("part") if p != "whole image"]) > 1:
        return None
    quantity = next((name for name, words in _ALIKE_WORDS.items() if c.says(*words)), "area")
    return replace(q, task="compare", quantity=quantity, topic="alike", claim=None, pick=None, statistic="value")


def edge(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Which edge cuts it?", "on which side is the white cell cut off?"."""
    cut = c.has("border", "touch") or c.has("relation", "cut")
    side = c.has("relation", "which edge") or (c.has("division", "sides") and cut)
    about_one = c.has("reference", "one") or c.has("target") or q.pick is not None
    if not side or not about_one or c.has("ask", "most", "count"):
        return None
    return replace(q, task="locate", quantity="edges", filters=(), topic=None)


def density_per(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Cells per 100 µm²", "per 50 x 50 µm"."""
    unit = _area_after_per(c)
    if unit is None or not (c.has("target") or c.has("ask", "count") or c.has("quantity", "density")):
        return None
    unread = tuple(w for w in q.unread if w != "x")
    return replace(
        q, task="measure", quantity="density", unit=unit, claim=None, filters=_without_sizes(q), statistic="value", unread=unread
    )


def placed(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Is the largest one in the left half?", "is it near the middle?"."""
    about_one = q.pick is not None or (c.has("reference", "one") and not c.has("target"))
    if not c.starts_yes_no or not about_one or q.quantity is not None or q.claim is not None:
        return None
    if q.region is None or c.has("ask", "count", "most", "least", "empty", "compare") or c.has("likeness"):
        return None
    return replace(q, task="presence", quantity="position", filters=())


def uncertain(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Why is your number uncertain?", "how reliable is this count?"."""
    if not c.has("relation", "uncertain") or c.has("ask", "sure") or c.numbers:
        return None
    return replace(q, task="describe", quantity="uncertainty", topic=None, filters=(), claim=None, pick=None)


def channel_contents(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "What's in each channel?" """
    if not c.has("relation", "in each") or c.has("target"):
        return None
    return replace(q, task="describe", quantity="channel contents", topic=None)


def counted(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Did you count it as a cell?" """
    if (
        not c.has("relation", "counted")
        or not (c.starts_yes_no or c.says("did", "have"))
        or c.numbers
        or c.has("pointing", "leave it")
    ):
        return None
    return replace(q, task="presence", quantity="counted", topic=None, claim=None, pick=None)


def lump(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Which side has the big irregular lump?" """
    if (
        not c.has("division")
        or c.has("ask", "most", "least", "compare", "count")
        or c.has("part")
        or not c.says("has", "holds", "contains")
    ):
        return None
    pick = q.pick or (Pick("area") if c.says("big", "large", "huge", "giant") else None)
    if pick is None or c.has("operator"):
        return None
    unread = tuple(w for w in q.unread if w not in ("irregular", "round", "odd"))
    return replace(q, task="locate", quantity=None, pick=pick, topic=None, unread=unread)


def off_edge(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "How far is the largest one from the edge?" """
    named = next((v for v in c.values("quantity") if v in ("from_border", "from_center")), None)
    asked = c.says("far", "distance") or c.has("statistic")
    if named is None or not asked or c.has("ask", "compare") or c.has("superlative", f"{named} min"):
        return None
    unread = tuple(w for w in q.unread if w not in ("how", "far", "is", "are", "distance", "away"))
    return replace(q, task="measure", quantity=named, region=None, unread=unread, topic=None)


def ranked_place(q: Query, c: Clause, shape: Shape) -> Query | None:
    """ "Which are the three brightest?", "show the 2 largest"."""
    ranked = any(f.op in ("max", "min") for f in q.filters)
    bare = (
        q.quantity is None
        and not (set(c.values("ask")) - {"locate", "describe"})
        and not c.has("statistic")
        and not c.numbers[1:]
    )
    return replace(q, task="locate", claim=None) if ranked and bare and q.unit is None and c.has("target") else None


def ranked_filter(c: Clause) -> Filter | None:
    """ "The three largest", "two are way bigger than the rest", "top 5 by area"."""
    for k, item in enumerate(c.items):
        if item.number is None or item.number < 2 or item.number != int(item.number) or _united(c.items, k):
            continue
        near = [*c.items[k + 1 : k + 3], *c.items[max(k - 1, 0) : k]]
        named = next((v for i in near for kind, v in i.meanings if kind == "superlative"), None)
        if named is None and k and c.items[k - 1].words == ("top",):
            named = f"{next((v for v in c.values('quantity') if v in OBJECT_QUANTITIES - {'size', 'shape'}), 'area')} max"
        if named is not None:
            by, order = named.split()
            return Filter(by, cast(Literal["max", "min"], order), item.number)
    return None


def _size_of_group(c: Clause) -> Claim | None:
    """Of how many objects the group is to be: "three or more" is at least three."""
    if not c.numbers or c.has("unit"):
        return None
    more = c.has("operator", ">")
    return Claim(">" if more and not c.says("or") else ">=", c.numbers[0])


def _area_after_per(c: Clause) -> str | None:
    items = c.items
    for k, item in enumerate(items):
        if item.number is None or not item.at or c.words[item.at - 1] not in _PER:
            continue
        unit, second = _unit(items, k + 1), _number(items, k + 1)
        if unit in AREA_UNITS:
            return f"per {item.number:g} {unit}"
        if second is None and items[k + 1 : k + 2] and items[k + 1].words == ("x",):
            k, second = k + 1, _number(items, k + 2)
        side = _unit(items, k + 2)
        if second is not None and side in _SIDES:
            return f"per {item.number * second:g} {side}2"
        if unit == "px":
            return f"per {item.number:g} px2"
    return None


def _unit(items: tuple[Item, ...], k: int) -> str | None:
    return next((v for i in items[k : k + 1] for kind, v in i.meanings if kind == "unit"), None)


def _number(items: tuple[Item, ...], k: int) -> float | None:
    return items[k].number if k < len(items) else None


def _united(items: tuple[Item, ...], k: int) -> bool:
    return _unit(items, k + 1) is not None


def _without_sizes(q: Query) -> tuple[Filter, ...]:
    return tuple(f for f in q.filters if not isinstance(f.value, float))
