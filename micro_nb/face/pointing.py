"""What "this" and "it" mean: a question about what a person drew or clicked, written out for the measuring language."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..session.language import Call

_OBJECT = re.compile(
    r"\b(it|its)\b|\b(this|that)\b(?!\s+(image|picture|slide|region|area|place|part|box|polygon|channel|sample))", re.I
)
_REGION = re.compile(r"\b(this|that|these|here|in it|inside|marked|drawn|selected)\b(?!\s+(image|picture|slide|sample))", re.I)
_OBJECTS_AT = {
    "count": 0, "exists": 0, "stat": 2, "distribution": 1, "share": 0, "coverage": 0, "density": 0, "locate": 0, "table": 0,
    "shape": 0, "pattern": 0, "classify": 0,
}  # fmt: skip
_PLACED = ("pixels", "kinds", "color")


def about_pointed(question: str, calls: Sequence[Call], *, kind: str | None = None) -> tuple[Call, ...] | None:
    """The expressions narrowed to what was pointed at; None where the question does not mean it, or says so already.

    Parameters
    ----------
    kind : what the clicked object is called; None where a region was drawn.

    Examples
    --------
    >>> from micro_nb.session.language import parse
    >>> [str(c) for c in about_pointed("how large is it?", [parse('stat("area", "median", "cell")')], kind="nucleus")]
    ['stat("area", "value", obj("nucleus", where="this"))']
    >>> [str(c) for c in about_pointed("how many are here?", [parse('count("cell")')])]
    ['count(obj("cell", where="this"))']
    """
    if not (_OBJECT if kind else _REGION).search(question) or any(_says_this(c) for c in calls):
        return None
    new = tuple(call.map(lambda c: _narrowed(c, kind)) for call in calls)
    return new if new != tuple(calls) else None


def _narrowed(call: Call, kind: str | None) -> Call:
    if call.name in _PLACED:
        return call.but(where="this") if call.get("where") is None else call
    at = _OBJECTS_AT.get(call.name)
    if at is None or at >= len(call.args):
        return call
    given = call.args[at]
    if kind is not None:
        here = Call.of("obj", kind, where="this")
    elif isinstance(given, Call) and given.name == "obj":
        here = given.but(where="this") if given.get("where") is None else given
    else:
        here = Call.of("obj", given, where="this") if isinstance(given, str) else given
    args = [*call.args]
    args[at] = here
    if kind is not None and call.name == "stat":
        args[1] = "value"
    return call.with_args(*args)


def _says_this(call: Call) -> bool:
    return any(v == "this" or (isinstance(v, tuple) and "this" in v) for c in call.walk() for _, v in c.given)
