"""What an expression asks for, in words: ``stat("area", "mean", "nucleus")`` is "the mean area of nuclei"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...errors import MicroNBError
from ..language import Call, Node
from ..language.forms import as_objects, objects_at
from ..measures.evaluation import bound
from ..measures.registry import get, options
from ..measures.selection import Selection
from .phrases import objects_phrase, place_phrase, statistic_phrase
from .tables import listed, table

_PLACE = re.compile(r"\{(\w+)\}")


def asked(calls: Sequence[Call]) -> str:
    """What expressions ask for; one that no measurement takes any more as it is written.

    >>> from micro_nb.session.language import parse
    >>> asked([parse('count(obj("nucleus", having="area > 80 um2"))'), parse('density("nucleus")')])
    'the number of nuclei larger than 80 µm² and the density of nuclei'
    """
    said = []
    for call in calls:
        try:
            said.append(_asked(call))
        except MicroNBError:
            said.append(str(call))
    return listed(said)


def _asked(call: Call) -> str:
    measure = get(call.name)
    given, at = bound(call, measure), objects_at(call)
    objects = as_objects(call.args[at]) if at is not None else None

    def words(match: re.Match[str]) -> str:
        name = match[1]
        if name == "objects":
            return objects_phrase(objects) if objects is not None and objects.args != ("image",) else "the image"
        if name == "summed":
            return _statistic(str(given["statistic_name"]).lower(), given["quantity"])
        node = given[name] if name in given else measure.parameters[name].default
        return objects_phrase(node) if node is not None and Selection in options(measure.hints.get(name)) else _said(node)

    text = _PLACE.sub(words, measure.asks or call.name)
    where = place_phrase(call.get("where")) if objects is None else ""
    return " ".join(f"{text} {where}".replace("()", "").split()).replace(" :", ":").removesuffix(":")


def _statistic(name: str, quantity: Node) -> str:
    """A statistic with its quantity: "mean area", "90th percentile of the diameter"."""
    plain = table("quantities")["statistic_alias"].get(name, name)
    return f"{plain} of {_said(quantity)}" if isinstance(quantity, Call) else statistic_phrase(plain, str(quantity))


def _said(node: Node) -> str:
    """An argument in words; nothing for what was left out."""
    if isinstance(node, Call):
        return objects_phrase(node) if node.name == "obj" else _asked(node)
    if isinstance(node, tuple):
        return listed([_said(n) for n in node])
    operator = table("quantities")["operator"].get(str(node))
    return operator if operator is not None else "" if node is None else str(node).replace("_", " ")
