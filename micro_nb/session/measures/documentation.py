"""The language as it is told: a reference (``python -m micro_nb.session.measures.documentation > docs/measurements.md``), a
listing and JSON schemas for other programs, all derived from the declarations."""

from __future__ import annotations

import re
import typing
from collections.abc import Sequence
from inspect import Parameter
from typing import Any, Literal

from ..language.forms import PARTS
from .quantities import QUANTITIES, STATISTICS
from .registry import Measure, choices, measures, options
from .results import Term
from .scene import Place
from .selection import Selection

GRAMMAR = f"""An expression is a call, written like Python, of the measurements below. Nothing else is understood.
objects: a kind in the singular, "nucleus", or obj("nucleus", where=, having=, by=, order="max"|"min", n=, channel=, image=);
  "object" where no kind is named. obj(..., by="area") is the largest one, n=3 the three largest.
  "red blood cell and platelet" is both as one set, "group of cell" what touching cells form together.
where: "left" "right" "top" "bottom" "top left" "left third" ... "center" "border", box(x0, y0, x1, y1) in px, inside(objects),
  outside(objects), near(objects, "20 um") ("0 um": in contact), holding(objects, ">= 1"), z(5), t("first"), image("control");
  several as a list.
having: conditions, "area > 80 um2 and not border", "touching", "in_focus", "area in top 5 %", 'color == "blue"'.
a, b: another expression, or a number. quantities: {" ".join(QUANTITIES)}; intensity(GFP) names a channel;
  count(spot), coverage(nucleus) in %, distance(vessel) are what an object has of another kind.
statistics: {" ".join(STATISTICS)} p90 ...; "value" of a single object. Units: um um2 px px2 nm mm % grey."""
LONGEST = 600
"""Characters of an expression that another program may write."""

_HEADS = {
    "objects": "Objects", "statistics": "Quantities over objects", "space": "How objects lie",
    "combining": "Measurements of measurements", "pixels": "Grey values", "profiles": "Along a line, a radius, a depth, a time",
    "facts": "Facts of the image", "quality": "Quality", "recognition": "What it is", "channels": "Channels",
    "knowing": "Knowledge and calculators", "talking": "The conversation itself",
}  # fmt: skip
Json = dict[str, Any]
_PLAIN: dict[Any, Json] = {
    t: {"type": name} for t, name in ((str, "string"), (float, "number"), (int, "integer"), (bool, "boolean"))
}


def reference(own: bool = True) -> str:
    """All measurements as Markdown, by group; those of other packages too where ``own`` is False."""
    groups: dict[str, list[Measure]] = {head: [] for head in _HEADS}
    for m in measures().values():
        if m.own or not own:
            groups.setdefault(m.group, []).append(m)
    how = "Written from their declarations by `python -m micro_nb.session.measures.documentation`. How they combine:"
    parts = [f"# The measurements\n\n{how} [language.md](language.md)."]
    for group, declared in groups.items():
        parts += [f"## {_HEADS.get(group, group)}", *map(entry, declared)]
    return "\n\n".join(parts) + "\n"


def entry(m: Measure) -> str:
    """One measurement: its call, what it measures, and questions that ask for it."""
    asked = "\n".join(f"- {question} → `{expression}`" for question, expression in m.examples.items())
    return f"### `{signature(m)}`\n\n{m.describes}{f' In {m.unit}.' if m.unit else ''}\n\n{asked}"


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
    written = {"anyOf": [{"type": "string", "maxLength": LONGEST}, form]}
    properties = {"expression": {"description": "an expression as text, or the same as JSON", **written}}
    parameters = {"type": "object", "properties": properties, "required": ["expression"], "additionalProperties": False}
    about = f"Measures in the image what an expression means.\n{GRAMMAR}\n{listing(chosen)}"
    return {"name": "measure", "description": about, "parameters": parameters}


def schema(chosen: Sequence[Measure]) -> Json:
    """JSON schema of an expression in its JSON form, ``Call.to_dict()``, each measurement with the types of its parameters."""
    parts = {name: _part(name, keywords) for name, keywords in PARTS.items()}
    whole = {m.name: _measure(m) for m in chosen}
    names = list(dict.fromkeys((*whole, *parts)))
    call = {"type": "object", "properties": {"call": {"enum": names}, "args": _row("node")}, "required": ["call"]}
    kinds: Json = {
        "node": {"anyOf": [{"type": ["string", "number", "boolean"]}, _row("node"), _ref("call")]},
        "objects": {"anyOf": [{"type": "string"}, _ref("obj")]},
        "place": {"anyOf": [{"type": "string"}, _row("place"), _ref("call")]},
        "term": {"anyOf": [{"type": "number"}, _ref("call"), _row("term")]},
    }
    return {"anyOf": list(whole.values()), "$defs": {**kinds, "call": call, "obj": parts["obj"]}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _row(name: str) -> Json:
    return {"type": "array", "items": _ref(name)}


def _line(measure: Measure) -> str:
    says = re.split("[;:]", measure.describes)[0].rstrip(".")
    example = next((e for e in measure.examples.values() if e), "")
    return f"- {signature(measure)}: {says}.{f' Example: {example}' if example else ''}"


def _parameter(measure: Measure, name: str, given: Parameter) -> str:
    if given.kind is Parameter.VAR_KEYWORD:
        return "name=value, ..."
    known = "|".join(f'"{c}"' if isinstance(c, str) else str(c) for c in choices(measure.hints.get(name, Any)))
    if given.kind is Parameter.KEYWORD_ONLY or given.default is not Parameter.empty:
        return f"{name}={known}"
    return known or name


def _type(hint: Any) -> Json:
    """The JSON schema of an argument of a type; another expression may stand for any value."""
    named = {Selection: _ref("objects"), Term: _ref("term"), Place: _ref("place"), **_PLAIN}
    found: list[Json] = []
    for option in options(hint):
        if typing.get_origin(option) is Literal:
            found.append({"enum": list(typing.get_args(option))})
        elif option in named:
            found.append(named[option])
        elif option is not type(None):
            return _ref("node")
    return found[0] if len(found) == 1 else {"anyOf": found}


def _measure(measure: Measure) -> Json:
    given = measure.parameters
    positional = [k for k, p in given.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    args: Json = {"type": "array", "maxItems": len(positional)}
    args |= {"prefixItems": [_type(measure.hints.get(k, Any)) for k in positional]} if positional else {}
    named = {k: _type(measure.hints.get(k, Any)) for k, p in given.items() if p.kind is not p.VAR_KEYWORD}
    properties = {"call": {"const": measure.name}, "args": args, "where": _ref("place"), "image": {"type": "string"}, **named}
    told = {"type": "object", "description": measure.describes, "required": ["call"]}
    return {**told, "additionalProperties": measure.free, "properties": properties}


def _part(name: str, keywords: frozenset[str]) -> Json:
    plain: Json = {"type": ["string", "number", "boolean"]}
    named = {k: _ref("place") if k == "where" else plain for k in sorted(keywords)}
    properties = {"call": {"const": name}, "args": _row("node"), **named}
    return {"type": "object", "properties": properties, "required": ["call"], "additionalProperties": False}


if __name__ == "__main__":
    print(reference(), end="")
