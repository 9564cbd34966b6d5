"""From a :class:`Query` to typed tool calls, or to the reason why it is declined. Looks at no pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..data.image import MicroImage
from .declines import DECLINES, Decline, kinds_unknown, no_channel, not_trained, not_understood, wrong_dimension
from .dimensions import AREA_UNITS, LENGTH_UNITS, PHYSICAL_UNITS, QUANTITIES, fits, named
from .eyes import FLOOR, knows, load
from .hearing import heard
from .lexicon import target
from .planner_knowledge import consulted
from .planner_seen import seen
from .planner_several import is_nuclear, several
from .planner_statistics import statistical
from .plans import Call, Plan
from .plans import objects_given as _objects
from .plans import picked as _picked
from .query import Filter, Pick, Query
from .slots import IMAGE_QUANTITIES, OBJECT_QUANTITIES

_DIMENSION_OF = {"image_size": "width", "field": "width", "field_area": "area"}  # whose unit these take
_MORPHOLOGY = (("diameter", "median"), ("aspect_ratio", "mean"), ("solidity", "mean"))
_IN_UNITS = frozenset({"area", "diameter", "perimeter", "length", "width", "spacing", *_DIMENSION_OF})


def plan(query: Query, img: MicroImage | None, eyes: str = FLOOR) -> Plan | Decline:
    """The plan for a query on an image, looked at with these eyes.

    A query that has unread words, that lacks a task, or whose answer this image cannot hold, is declined.
    """
    known = consulted(query, img, eyes)
    if known is not None:
        return known
    if query.topic is not None and query.topic in DECLINES:
        return DECLINES[query.topic]
    if img is None:
        return DECLINES["no image"] if query.task != "unknown" else not_understood(query.unread)
    if query.unread or query.task == "unknown":
        return not_understood(query.unread, heard(query))
    fitted = _fitted(query, img)
    if isinstance(fitted, Decline):
        return fitted
    return _refused(fitted, img) or _unknown_kind(fitted, eyes) or _planned(fitted, img, eyes)


def _planned(query: Query, img: MicroImage, eyes: str) -> Plan | Decline:
    return (
        seen(query, img, eyes)
        or several(query)
        or statistical(query, img)
        or _seen(query, img, eyes)
        or _PLANNERS[query.task](query, img)
    )


def _fitted(query: Query, img: MicroImage) -> Query | Decline:
    """Quantity and unit that belong together: a size in µm is a diameter, in µm² an area; an area in µm is asked back."""
    quantity = _sized(query.quantity, query.unit)
    unit = "px2" if quantity in ("area", "field_area") and query.unit == "px" else query.unit
    if unit == "%" or quantity not in _IN_UNITS:
        unit = unit if quantity == "density" and unit and unit.startswith("per ") else None
    filters = tuple(_complete(f, img) for f in query.filters)
    for name, given in ((quantity, unit), *((f.quantity, f.unit) for f in filters)):
        if given and not fits(_DIMENSION_OF.get(name or "", name or ""), given):
            return wrong_dimension(named(_DIMENSION_OF.get(name or "", name or "")))
    return replace(query, quantity=quantity, unit=unit, filters=filters)


def _sized(quantity: str | None, unit: str | None) -> str | None:
    if quantity == "size":
        return "diameter" if unit in LENGTH_UNITS - {"px"} else "area"
    return "field_area" if quantity in ("image_size", "field") and unit in AREA_UNITS else quantity


def _complete(f: Filter, img: MicroImage) -> Filter:
    """A condition whose quantity and unit are said, so that the answer can say them."""
    quantity, unit = _sized(f.quantity, f.unit) or f.quantity, f.unit
    if f.op in ("max", "min"):
        return replace(f, quantity=quantity)
    if not unit and QUANTITIES.get(quantity) in ("length", "area"):
        unit = ("um" if img.pixel_size else "px") + ("2" if QUANTITIES[quantity] == "area" else "")
    return replace(f, quantity=quantity, unit=unit)


def _refused(query: Query, img: MicroImage) -> Decline | None:
    units = {query.unit, *(f.unit for f in query.filters)}
    if img.pixel_size is None and units & PHYSICAL_UNITS:
        return DECLINES["no pixel size"]
    known = query.channel is None or query.channel in {c.name for c in img.channels}
    if query.channel is not None and not known and not is_nuclear(query.channel, img):
        return no_channel(query.channel)
    if any(axis in img.axes for axis in ("t", "z")) and query.quantity not in IMAGE_QUANTITIES - {
        "focus",
        "saturation",
        "exposure",
        "noise",
    }:
        return DECLINES["planes"]
    return None


def _unknown_kind(query: Query, eyes: str) -> Decline | None:
    """One kind among others, where the eyes cannot tell it apart."""
    if query.task in ("describe", "quality") or query.quantity in IMAGE_QUANTITIES:
        return None
    for key in (query.target, query.rival):
        word = target(key)
        if eyes == FLOOR and (word.known == "no" or (key is not None and query.rival is not None)):
            return kinds_unknown(word.many)
        if word.known == "no" and not knows(load(eyes), word.many):
            return not_trained(word.many)
    return kinds_unknown(target(query.target).many) if query.quantity == "kind" and eyes == FLOOR else None


def _seen(query: Query, img: MicroImage, eyes: str) -> Plan | None:
    """What only a model answers, or answers better."""
    if query.rival is not None:
        quantity = query.quantity if query.quantity in OBJECT_QUANTITIES else "count"
        given = {"target": target(query.target).many, "against": target(query.rival).many, "quantity": quantity}
        return Plan((Call("compare_kinds", given, query.region),), "compare_kinds")
    if eyes == FLOOR or query.task not in ("classify", "describe"):
        return None
    if query.quantity == "kind":
        return Plan((Call("kinds", {"target": target(query.target).many}, query.region),), "kinds")
    if query.task == "classify":
        return Plan((Call("appearance"), Call("recognised")), "appearance")
    facts = (Call("appearance"), Call("image_size"), Call("bit_depth"), Call("channels"), Call("recognised"), Call("kinds"))
    return Plan(facts, "describe", tuple(_of_objects(q, s) for q, s in _MORPHOLOGY))


def _count(query: Query, img: MicroImage) -> Plan | Decline:
    return Plan((Call("count", _objects(query), query.region),), "count")


def _fraction(query: Query, img: MicroImage) -> Plan | Decline:
    if query.quantity == "colour_share":
        return Plan((Call("colour_share", {"colour": query.topic}),), "colour_share")
    if query.quantity in ("saturation", "share_at"):
        value: dict[str, Any] = {}
        if query.quantity == "share_at" and query.claim:
            value = {"value": query.claim.value} | ({"op": query.claim.op} if query.claim.op != "==" else {})
        return Plan((Call("share_at", value | _channel(query), query.region),), "share_at")
    if query.quantity == "share_of_objects":
        return Plan((Call("share_of_objects", _objects(query), query.region),), "share_of_objects")
    rest = {"rest": True} if query.quantity == "rest" else {}
    return Plan((Call("coverage", _objects(query) | rest, query.region),), "coverage")


def _measure(query: Query, img: MicroImage) -> Plan | Decline:
    quantity = query.quantity or "area"
    if quantity == "grey":
        return Plan((Call("intensity", {"statistic": _of_pixels(query)} | _channel(query), query.region),), "grey")
    if quantity == "density":
        return _density(query, img)
    if quantity == "polarity":
        return Plan((Call("polarity", _objects(query)),), "polarity")
    if quantity == "shape":
        means = tuple(_objects_call(q, "mean", query) for q in ("aspect_ratio", "solidity"))
        worst = (_objects_call("aspect_ratio", "max", query),) if query.topic == "all round" else ()
        return Plan((*means, *worst), "shape")
    if quantity in IMAGE_QUANTITIES:
        return _fact(query, img)
    if quantity not in OBJECT_QUANTITIES or quantity == "orientation":
        return DECLINES["unmeasured"]
    unit = {"unit": query.unit} if query.unit else {}
    if query.pick is not None:
        given = {"quantity": quantity} | _picked(query.pick) | unit | _objects(query)
        return Plan((Call("object_value", given, query.region),), "object_value")
    statistics = ("mean", "median") if query.statistic == "value" else (query.statistic,)
    calls = tuple(
        Call("object_statistic", {"quantity": quantity, "statistic": s} | unit | _objects(query), query.region)
        for s in statistics
    )
    return Plan(calls, "object_statistic")


def _objects_call(quantity: str, statistic: str, query: Query) -> Call:
    return Call("object_statistic", {"quantity": quantity, "statistic": statistic} | _objects(query), query.region)


def _density(query: Query, img: MicroImage) -> Plan | Decline:
    scale: dict[str, Any] = {} if img.pixel_size else {"per": 1e6, "unit": "px2"}
    if query.unit is not None and query.unit.startswith("per "):
        _, many, unit = query.unit.split()
        if img.pixel_size is None and unit != "px2":
            return DECLINES["no pixel size"]
        scale = {"per": float(many), "unit": unit}
    return Plan((Call("density", scale | _objects(query), query.region),), "density")


def _of_pixels(query: Query) -> str:
    return "mean" if query.statistic in ("value", "sum") else query.statistic


def _channel(query: Query) -> dict[str, Any]:
    return {"channel": query.channel} if query.channel else {}


def _fact(query: Query, img: MicroImage) -> Plan | Decline:
    quantity = query.quantity or ""
    if quantity == "pixel_size" and img.pixel_size is None:
        return DECLINES["pixel size unknown"]
    if quantity in ("image_size", "field"):
        return _extent(query, img)
    if quantity == "field_area":
        unit = query.unit or ("um2" if img.pixel_size else "px2")
        return Plan((Call("field_area", {"unit": unit}),), "field_area")
    if quantity == "magnification":
        key = next((k for k in ("magnification", "objective", "na") if k in img.metadata), None)
        return Plan((Call("metadata", {"key": key}),), "metadata") if key else DECLINES["metadata"]
    if quantity == "range":
        return Plan((Call("intensity", {"statistic": "range"} | _channel(query), query.region), Call("bit_depth")), "range")
    if quantity == "colour":
        return Plan((Call("appearance"),), "colour")
    return Plan((Call(quantity),), quantity)


def _extent(query: Query, img: MicroImage) -> Plan:
    """Width and height in the unit asked for; in px and in µm where none is named and both are known."""
    px, um = Call("image_size"), Call("image_size", {"unit": query.unit if query.unit not in (None, "px") else "um"})
    if query.unit is not None:
        return Plan((px if query.unit == "px" else um,), "image_size")
    calls = (um, px) if query.quantity == "field" else (px, um)
    return Plan(calls if img.pixel_size else (px,), "image_size")


def _compare(query: Query, img: MicroImage) -> Plan | Decline:
    if query.quantity == "ratio":
        pick = query.pick or Pick("area")
        versus = "median" if query.versus in ("median", None) else "next"
        given = {"by": pick.by, "order": pick.order, "rank": pick.rank, "versus": versus} | _objects(query)
        return Plan((Call("object_ratio", given),), "ratio")
    if query.against is None:
        return DECLINES["unmeasured"]
    quantity = query.quantity if query.quantity in OBJECT_QUANTITIES | {"coverage", "grey"} else "count"
    given = {"against": query.against.to_dict()} | _objects(query) | ({"quantity": quantity} if quantity != "count" else {})
    return Plan((Call("compare_regions", given, query.region),), "compare")


def _locate(query: Query, img: MicroImage) -> Plan | Decline:
    if query.quantity == "busiest":
        given: dict[str, Any] = {"parts": query.topic or "quadrants"} | _objects(query)
        if query.statistic == "min":
            given["least"] = True
        return Plan((Call("busiest_part", given),), "busiest")
    if query.pick is None:
        return Plan((Call("locate_each", _objects(query), query.region), Call("busiest_part", _objects(query))), "locate_all")
    return Plan((Call("locate", _picked(query.pick) | _objects(query), query.region),), "locate")


def _presence(query: Query, img: MicroImage) -> Plan | Decline:
    if query.quantity == "majority":
        return Plan((Call("share_of_objects", _objects(query), query.region),), "majority")
    if query.quantity == "colour_share":
        return _fraction(query, img)
    if query.quantity == "confluent":
        return Plan((Call("coverage", _objects(query), query.region),), "confluent")
    if query.quantity == "empty":
        return Plan((Call("count", _objects(query), query.region), Call("coverage", _objects(query), query.region)), "empty")
    return Plan((Call("count", _objects(query), query.region),), "presence")


def _classify(query: Query, img: MicroImage) -> Plan | Decline:
    return Plan((Call("appearance"),), "appearance")


def _describe(query: Query, img: MicroImage) -> Plan | Decline:
    facts = (Call("appearance"), Call("image_size"), Call("bit_depth"), Call("channels"), Call("count", {"target": "objects"}))
    return Plan(facts, "describe", (_of_objects(*_MORPHOLOGY[0]),))


def _of_objects(quantity: str, statistic: str) -> Call:
    return Call("object_statistic", {"quantity": quantity, "statistic": statistic})


def _quality(query: Query, img: MicroImage) -> Plan | Decline:
    if query.quantity == "saturation":
        return Plan((Call("share_at", _channel(query), query.region), Call("intensity", {"statistic": "range"})), "saturation")
    if query.quantity == "exposure":
        calls = (Call("intensity", {"statistic": "range"}), Call("intensity", {"statistic": "mean"}), Call("share_at"))
        return Plan(calls, "exposure")
    return Plan((Call("quality", _channel(query)),), {"focus": "focus", "noise": "noise"}.get(query.quantity or "", "quality"))


_PLANNERS: Mapping[str, Callable[[Query, MicroImage], Plan | Decline]] = {
    "count": _count, "filter": _count, "fraction": _fraction, "measure": _measure, "compare": _compare, "locate": _locate,
    "presence": _presence, "classify": _classify, "describe": _describe, "quality": _quality,
    "advise": lambda query, img: DECLINES["advice"], "knowledge": lambda query, img: DECLINES["knowledge"],
}  # fmt: skip
