"""One form for one meaning: narrowings stand inside ``obj``, what a default says is left out, keywords are sorted."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .calls import Call, Node

OBJECTS_FIRST = frozenset(
    [
        "count",
        "exists",
        "share",
        "coverage",
        "density",
        "locate",
        "table",
        "shape",
        "pattern",
        "distance",
        "show",
        "describe",
        "similar",
        "classify",
        "track",
    ]
)
OBJECTS_AT: dict[str, int] = {"stat": 2, "distribution": 1, "compartments": 1, "relate": 2}
NARROWING = ("where", "having", "by", "order", "n", "rank", "channel", "image")
PARTS = {
    "obj": frozenset(NARROWING), "box": frozenset(),
    "point": frozenset(), "inside": frozenset(), "outside": frozenset(),
    "near": frozenset({"within"}), "holding": frozenset(), "z": frozenset(), "t": frozenset(), "well": frozenset(),
    "image": frozenset({"image"}),
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
    at = 0 if call.name in OBJECTS_FIRST else OBJECTS_AT.get(call.name)
    if at is not None and len(call.args) > at:
        call = _narrowed(call, at)
    args = call.args
    if call.name == "obj" and call.given == () and args and isinstance(args[0], Call):
        return args[0]
    kept = [(k, _spaced(v)) for k, v in call.given if not _is_default(call.name, k, v)]
    return Call(call.name, tuple(_bare(_spaced(a)) for a in args), tuple(sorted(kept, key=lambda kv: kv[0])))


def _narrowed(call: Call, at: int) -> Call:
    """The call with what narrows its objects moved inside ``obj``."""
    objects, own = call.args[at], _OWN.get(call.name, ())
    moved = tuple((k, v) for k, v in call.given if k in NARROWING and k not in own)
    if not moved or objects == "image":
        return call
    if isinstance(objects, str):
        objects = Call("obj", (objects,), moved)
    elif isinstance(objects, Call) and objects.name == "obj":
        had = {k for k, _ in moved}
        objects = Call("obj", objects.args, (*((k, v) for k, v in objects.given if k not in had), *moved))
    else:
        return call
    rest = tuple((k, v) for k, v in call.given if (k, v) not in moved)
    return Call(call.name, (*call.args[:at], _in_form(objects), *call.args[at + 1 :]), rest)


def _bare(node: Node) -> Node:
    """A kind alone instead of ``obj(kind)``."""
    plain = isinstance(node, Call) and node.name == "obj" and not node.given and len(node.args) == 1
    return node.args[0] if plain and isinstance(node.args[0], str) else node


def _spaced(node: Node) -> Node:
    return re.sub(r"\s+", " ", node.strip()) if isinstance(node, str) else node


def _is_default(name: str, key: str, value: Node) -> bool:
    default = DEFAULTS.get((name, key))
    return default is not None and value == default and not isinstance(value, bool)
