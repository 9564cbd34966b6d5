"""One form for one meaning: narrowings stand inside ``obj``, what a default says is left out, keywords are sorted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from .calls import Call, Node

OBJECTS_FIRST = frozenset((
    "count", "exists", "share", "coverage", "density", "locate", "table", "shape", "pattern", "distance", "show", "describe",
    "similar", "classify", "track",
))  # fmt: skip
OBJECTS_AT: dict[str, int] = {"stat": 2, "distribution": 1, "compartments": 1, "relate": 2}
RANK = ("by", "order", "n", "rank")
NARROWING = ("where", "having", *RANK, "channel", "image")
AND, GROUP = " and ", "group of "
"""In the name of a kind: several kinds as one set; and what touching objects of a kind form together."""
SIDES = ("above", "below", "left_of", "right_of")
_PLACES = ("inside", "outside", "near", "holding", *SIDES)
PARTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("box", "point", "z", "t", "well", *_PLACES), frozenset()),
    "obj": frozenset(NARROWING), "near": frozenset({"within"}), "image": frozenset({"image"}),
}  # fmt: skip
"""Calls that stand inside others, with their keywords: objects and places."""
DEFAULTS = {
    ("density", "per"): "mm2", ("which", "order"): "max", ("obj", "order"): "max", ("obj", "n"): 1,
    ("table", "n"): 5, ("table", "order"): "max", ("compare", "how"): "difference",
}  # fmt: skip
_OWN: dict[str, tuple[str, ...]] = {"table": ("by", "n", "order")}


def takes_objects(name: str, at: int | None, keywords: Iterable[str] = ()) -> None:
    """Says of another package's measurement which of its arguments means objects, and what keywords are its own; None takes
    that back."""
    OBJECTS_AT.pop(name, None)
    _OWN.pop(name, None)
    if at is not None:
        OBJECTS_AT[name], _OWN[name] = at, tuple(k for k in keywords if k in NARROWING)


def objects_at(call: Call) -> int | None:
    """Which argument of a measurement means its objects; None where it has none."""
    at = 0 if call.name in OBJECTS_FIRST else OBJECTS_AT.get(call.name)
    return at if at is not None and len(call.args) > at else None


def kind_of(call: Call) -> str:
    """The kind of objects that a call names by itself; empty where it names none."""
    at = 0 if call.name in ("obj", *_PLACES) and call.args else objects_at(call)
    return call.args[at] if at is not None and isinstance(call.args[at], str) else ""


def is_made_of(kind: str) -> bool:
    """Whether the name of a kind is that of several, or of what touching objects form."""
    return kind.startswith(GROUP) or AND in kind


def is_contact(place: Call) -> bool:
    """Whether a place means what touches other objects: ``near(O, "0 um")``."""
    reach = str(place.args[1] if len(place.args) > 1 else place.get("within", ""))
    return place.name == "near" and re.fullmatch(r"\s*0(\.0*)?\s*[a-zµ]*\s*", reach) is not None


def of_kind(call: Call, kind: str) -> Call:
    """The call of another kind, which it names by itself."""
    at = objects_at(call) or 0
    return call.with_args(*call.args[:at], kind, *call.args[at + 1 :])


def with_objects(call: Call, change: Callable[[Call], Call]) -> Call:
    """The call with its objects, as ``obj``, changed; as it is where it has none."""
    at = objects_at(call)
    objects = as_objects(call.args[at]) if at is not None else None
    if at is None or objects is None:
        return call
    return call.with_args(*call.args[:at], change(objects), *call.args[at + 1 :])


def as_objects(node: Node) -> Call | None:
    """An argument for objects as ``obj``; None for another."""
    if isinstance(node, str):
        return Call("obj", (node,))
    return node if isinstance(node, Call) and node.name == "obj" else None


def same_form(call: Call) -> Call:
    """The one form of an expression: two that mean the same are equal in it.

    >>> from micro_nb.session.language import parse
    >>> str(same_form(parse('count("Nucleus", where="left")')))
    'count(obj("Nucleus", where="left"))'
    >>> str(same_form(parse('locate(obj("cell", n=1, order="max", by="area"))')))
    'locate(obj("cell", by="area"))'
    """
    return call.map(_in_form)


def _in_form(call: Call) -> Call:
    call = _narrowed(call)
    if call.name == "obj" and not call.given and call.args and isinstance(call.args[0], Call):
        return call.args[0]
    objects = as_objects(call.args[0]) if call.name == "share" and call.args and call.get("of") is None else None
    if objects is not None and kind_of(objects):
        call = call.but(of=kind_of(objects))  # of all of that kind
    if call.name == "exists" and call.args and isinstance(call.args[0], Call):
        call = call.with_args(_ranked_first(call.args[0]))
    kept = [(k, _spaced(v)) for k, v in call.given if not _is_default(call.name, k, v)]
    return Call(call.name, tuple(_bare(_spaced(a)) for a in call.args), tuple(sorted(kept, key=lambda kv: kv[0])))


def _narrowed(call: Call) -> Call:
    """The call with what narrows its objects moved inside ``obj``."""
    at, own = objects_at(call), _OWN.get(call.name, ())
    moved = {k: v for k, v in call.given if k in NARROWING and k not in own}
    if at is None or not moved or call.args[at] == "image" or as_objects(call.args[at]) is None:
        return call
    rest = Call(call.name, call.args, tuple((k, v) for k, v in call.given if k not in moved))
    return with_objects(rest, lambda objects: _in_form(objects.but(**moved)))


def _ranked_first(objects: Call) -> Call:
    """What narrows stands around what ranks: asked of the largest, whether it exists on the left means whether it is there."""
    narrowing = {k: v for k in ("where", "having") if (v := objects.get(k)) is not None}
    if objects.get("by") is None or not narrowing:
        return objects
    first, image = objects.but(**dict.fromkeys(narrowing)), objects.get("image")
    return Call.of("obj", first, **dict(sorted(narrowing.items()))).but(image=image)


def _bare(node: Node) -> Node:
    """A kind alone instead of ``obj(kind)``."""
    plain = isinstance(node, Call) and node.name == "obj" and not node.given and len(node.args) == 1
    return node.args[0] if plain and isinstance(node.args[0], str) else node


def _spaced(node: Node) -> Node:
    return re.sub(r"\s+", " ", node.strip()) if isinstance(node, str) else node


def _is_default(name: str, key: str, value: Node) -> bool:
    default = DEFAULTS.get((name, key))
    return default is not None and value == default and not isinstance(value, bool)
