"""Plans for statistics over objects: which tools answer, with which arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..data.image import MicroImage
from .declines import Decline
from .dimensions import fits
from .lexicon import target
from .plans import Call, Plan, objects_given, picked
from .query import Pick, Query

LISTED = 5
"""How many are listed where the question does not say."""
MOST_LISTED = 1000


def statistical(query: Query, img: MicroImage) -> Plan | Decline | None:
    """The plan for a query about statistics; None for any other."""
    made = _PLANS.get(query.quantity or "")
    return made(query, img) if made is not None else None


def _measured(query: Query) -> dict[str, Any]:
    """Which quantity, and in which unit where it can have it."""
    quantity = query.topic or "area"
    unit = f"{query.unit}2" if query.unit == "px" and quantity == "area" else query.unit
    return {"quantity": quantity} | ({"unit": unit} if unit and fits(quantity, unit) else {})


def _distribution(query: Query, img: MicroImage) -> Plan:
    return Plan((Call("distribution", _measured(query) | objects_given(query), query.region),), query.quantity or "")


def _percentile(query: Query, img: MicroImage) -> Plan:
    given = {"percent": query.amount} | _measured(query) | objects_given(query)
    return Plan((Call("percentile", given, query.region),), "percentile")


def _populations(query: Query, img: MicroImage) -> Plan:
    return Plan((Call("populations", _measured(query) | objects_given(query), query.region),), "populations")


def _ranking(query: Query, img: MicroImage) -> Plan:
    pick = query.pick or Pick("area")
    unit = {"unit": query.unit} if query.unit and fits(pick.by, query.unit) else {}
    top = min(int(query.amount or LISTED), MOST_LISTED)
    given = {"by": pick.by, "order": pick.order, "top": top} | unit | objects_given(query)
    return Plan((Call("ranking", given, query.region),), "ranking")


def _outliers(query: Query, img: MicroImage) -> Plan:
    one: dict[str, Any] = {"quantity": query.topic} if query.topic else {}
    if query.pick is not None:
        one = {"quantity": query.pick.by, "order": query.pick.order}
    return Plan((Call("outliers", one | objects_given(query), query.region),), "outliers")


def _over_objects(tool: str) -> Callable[[Query, MicroImage], Plan]:
    """A plan of one tool that takes the arguments all tools about objects share."""
    return lambda query, img: Plan((Call(tool, objects_given(query), query.region),), tool)


def _per_part(query: Query, img: MicroImage) -> Plan:
    return Plan((Call("busiest_part", {"parts": query.topic or "quadrants"} | objects_given(query)),), "per_part")


def _distance(query: Query, img: MicroImage) -> Plan:
    given = objects_given(query) | ({"against": target(query.rival).many} if query.rival else {})
    if query.pick is not None:
        given |= picked(query.pick)
    if query.amount == 2:
        given["versus"] = 2
    return Plan((Call("distance_between", given, query.region),), "distance_between")


def _around(query: Query, img: MicroImage) -> Plan:
    given = {"centre": target(query.rival or query.target).many} | picked(query.pick or Pick("area")) | objects_given(query)
    return Plan((Call("around", given | ({"side": query.topic} if query.topic else {})),), "around")


def _gated(query: Query, img: MicroImage) -> Plan:
    return Plan((Call("gated_count", objects_given(query)),), "gated")


def _plausible(query: Query, img: MicroImage) -> Plan:
    return Plan((Call("plausible_size", {"target": target(query.target).many}),), "plausible")


def _colocalisation(query: Query, img: MicroImage) -> Plan:
    named = [n for n in (query.topic or "").split() if n in {c.name.lower() for c in img.channels}]
    given = dict(zip(("first", "second"), [query.channel, *named] if query.channel else named, strict=False))
    within = {"within": target(query.target).many} if query.target else {}
    return Plan((Call("colocalisation", given | within, query.region),), "colocalisation")


def _compartments(query: Query, img: MicroImage) -> Plan:
    return Plan((Call("compartments", {"signal": query.channel} if query.channel else {}, query.region),), "compartments")


def _grey_histogram(query: Query, img: MicroImage) -> Plan:
    given = {"channel": query.channel} if query.channel else {}
    return Plan((Call("grey_histogram", given, query.region),), "grey_histogram")


_PLANS: Mapping[str, Callable[[Query, MicroImage], Plan]] = {
    "distribution": _distribution, "variation": _distribution, "percentile": _percentile, "populations": _populations,
    "ranking": _ranking, "outliers": _outliers, "clustering": _over_objects("clustering"), "packing": _over_objects("packing"),
    "per part": _per_part, "distance": _distance, "around": _around, "gated": _gated, "plausible": _plausible,
    "colocalisation": _colocalisation, "compartments": _compartments, "grey histogram": _grey_histogram,
}  # fmt: skip
