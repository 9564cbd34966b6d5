"""The language as other programs are told it: a listing to read and JSON schemas, both derived from the declarations."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Sequence
from inspect import Parameter
from typing import Any, Literal

from ..language.forms import PARTS
from .places import Place
from .quantities import QUANTITIES, STATISTICS
from .registry import Measure
from .selection import Selection
from .terms import Term

GRAMMAR = f"""An expression is a call, written like Python, of the measurements below. Nothing else is understood.
objects: a kind in the singular, "nucleus", or obj("nucleus", where=, having=, by=, order="max"|"min", n=, channel=, image=);
  "object" where no kind is named. obj(..., by="area") is the largest one, n=3 the three largest.
where: "left" "right" "top" "bottom" "top left" ... "center" "border", box(x0, y0, x1, y1) in px, inside(objects),
  outside(objects), near(objects, "20 um"), holding(objects, ">= 1"), z(5), t("first"), image("control"); several as a list.
having: conditions, "area > 80 um2 and not border", "touching", "in_focus", "area in top 5 %", 'color == "blue"'.
a, b: another expression, or a number. quantities: {" ".join(QUANTITIES)}; intensity(GFP) names a channel.
statistics: {" ".join(STATISTICS)} p90 ...; "value" of a single object. Units: um um2 px px2 nm mm % grey."""
LONGEST = 600
"""Characters of an expression that another program may write."""

Json = dict[str, Any]
_PLAIN: dict[Any, Json] = {
    str: {"type": "string"},
    float: {"type": "number"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
}


def listing(chosen: Sequence[Measure]) -> str:
    """Measurements on a line each: how it is called, what it answers, an example.

    >>> from micro_nb.session.measures.registry import get
    >>> print(listing([get("exists")]))
    - exists(objects): Whether there is at least one such object, and how many there are. Example: exists("mitochondrion")
    """
    return "\n".join(_line(m) for m in chosen)


def signature(measure: Measure) -> str:
    """How a measurement is called.

    >>> from micro_nb.session.measures.registry import get
    >>> signature(get("pattern"))
    'pattern(objects, how="clustering"|"touching"|"packing"|"alignment"|"evenness"|"outliers"|"alike")'
    """
    return f"{measure.name}({', '.join(_parameter(measure, k, p) for k, p in measure.parameters.items())})"


def tool(chosen: Sequence[Measure]) -> Json:
    """The one tool that another program is given: ``measure(expression)``, with the language in its description."""
    form = {
        "type": "object",
        "properties": {"call": {"enum": [m.name for m in chosen]}, "args": {"type": "array"}},
        "required": ["call"],
    }
    expression = {
        "description": "an expression as text, or the same as JSON",
        "anyOf": [{"type": "string", "maxLength": LONGEST}, form],
    }
    return {
        "name": "measure",
        "description": f"Measures in the image what an expression means.\n{GRAMMAR}\n{listing(chosen)}",
        "parameters": {
            "type": "object",
            "properties": {"expression": expression},
            "required": ["expression"],
            "additionalProperties": False,
        },
    }


def schema(chosen: Sequence[Measure]) -> Json:
    """JSON schema of an expression in its JSON form, ``Call.to_dict()``, each measurement with the types of its parameters."""
    parts = {name: _part(name, keywords) for name, keywords in PARTS.items()}
    whole = {m.name: _measure(m) for m in chosen}
    anything: Json = {
        "anyOf": [
            {"type": ["string", "number", "boolean"]},
            {"type": "array", "items": {"$ref": "#/$defs/node"}},
            {"$ref": "#/$defs/call"},
        ]
    }
    objects: Json = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/obj"}]}
    place: Json = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/place"}}, {"$ref": "#/$defs/call"}]}
    term: Json = {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/call"}, {"type": "array", "items": {"$ref": "#/$defs/term"}}]}
    names = dict.fromkeys((*whole, *parts))
    inner = {
        "type": "object",
        "properties": {"call": {"enum": list(names)}, "args": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
        "required": ["call"],
    }
    return {
        "anyOf": list(whole.values()),
        "$defs": {"node": anything, "objects": objects, "place": place, "term": term, "call": inner, "obj": parts["obj"]},
    }


def _line(measure: Measure) -> str:
    says = re.split("[;:]", measure.describes)[0].rstrip(".")
    example = next((e for e in measure.examples.values() if e), "")
    return f"- {signature(measure)}: {says}.{f' Example: {example}' if example else ''}"


def _parameter(measure: Measure, name: str, given: Parameter) -> str:
    if given.kind is Parameter.VAR_KEYWORD:
        return "name=value, ..."
    choices = [f'"{c}"' if isinstance(c, str) else str(c) for c in _choices(measure.hints.get(name, Any))]
    if given.kind is Parameter.KEYWORD_ONLY or given.default is not Parameter.empty:
        return f"{name}={'|'.join(choices)}"
    return "|".join(choices) or name


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def _choices(hint: Any) -> tuple[Any, ...]:
    return tuple(c for o in _options(hint) if typing.get_origin(o) is Literal for c in typing.get_args(o))


def _type(hint: Any) -> Json:
    """The JSON schema of an argument of a type; another expression may stand for any value."""
    found: list[Json] = []
    for option in _options(hint):
        if option is Selection:
            found.append({"$ref": "#/$defs/objects"})
        elif option is Term:
            found.append({"$ref": "#/$defs/term"})
        elif option is Place:
            found.append({"$ref": "#/$defs/place"})
        elif typing.get_origin(option) is Literal:
            found.append({"enum": list(typing.get_args(option))})
        elif option in _PLAIN:
            found.append(_PLAIN[option])
        elif option is not type(None):
            return {"$ref": "#/$defs/node"}
    return found[0] if len(found) == 1 else {"anyOf": found}


def _measure(measure: Measure) -> Json:
    given = measure.parameters
    positional = [k for k, p in given.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    args: Json = {"type": "array", "maxItems": len(positional)} | (
        {"prefixItems": [_type(measure.hints.get(k, Any)) for k in positional]} if positional else {}
    )
    named = {k: _type(measure.hints.get(k, Any)) for k, p in given.items() if p.kind is not p.VAR_KEYWORD}
    common = {"where": {"$ref": "#/$defs/place"}, "image": {"type": "string"}}
    return {
        "type": "object",
        "description": measure.describes,
        "required": ["call"],
        "additionalProperties": measure.free,
        "properties": {"call": {"const": measure.name}, "args": args, **common, **named},
    }


def _part(name: str, keywords: frozenset[str]) -> Json:
    plain: Json = {"type": ["string", "number", "boolean"]}
    named = {k: {"$ref": "#/$defs/place"} if k == "where" else plain for k in sorted(keywords)}
    args = {"type": "array", "items": {"$ref": "#/$defs/node"}}
    properties = {"call": {"const": name}, "args": args, **named}
    return {"type": "object", "properties": properties, "required": ["call"], "additionalProperties": False}
