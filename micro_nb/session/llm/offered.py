"""The tools as a language model is shown them: typed so narrowly that an argument can say where and what, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...data.image import MicroImage
from .. import registry
from ..dimensions import AREA_UNITS, LENGTH_UNITS, QUANTITIES

PARTS = (
    "left half", "right half", "top half", "bottom half", "top left", "top right", "bottom left", "bottom right", "center",
    "whole image",
)  # fmt: skip
MEASURED = tuple(q for q in QUANTITIES if q not in ("count", "coverage", "height"))
UNITS = ("", "%", "grey value", *sorted(LENGTH_UNITS), *sorted(AREA_UNITS))
MOST_RANK = 20
_HIDDEN = frozenset(["eyes"])  # the person chooses what looks; a name of eyes may be a folder
_COLOURS = ("red", "orange", "brown", "yellow", "green", "cyan", "blue", "purple", "magenta", "pink")
_RECORDED = ("objective", "magnification", "na")  # metadata that name no one
_BOX = {k: {"type": "number"} for k in ("y0", "x0", "y1", "x1")}
_REGION = {
    "description": "part of the image: a name, or a box in pixels, end exclusive",
    "anyOf": [
        {"enum": list(PARTS)},
        {"type": "object", "properties": _BOX, "required": list(_BOX), "additionalProperties": False},
    ],
}
_TARGET = {
    "type": "string",
    "maxLength": 60,
    "description": "what is meant, in the plural, such as nuclei, red blood cells, objects",
}
_FILTERS = {
    "type": "array",
    "maxItems": 4,
    "description": "conditions on the objects, all to hold; a number must be one the person said or a measured one",
    "items": {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "quantity": {"enum": list(MEASURED)}, "op": {"enum": [">", ">=", "<", "<="]}, "value": {"type": "number"},
                    "unit": {"enum": list(UNITS)},
                },
                "required": ["quantity", "op", "value"], "additionalProperties": False,
            },
            {
                "type": "object",
                "properties": {
                    "quantity": {"const": "touches_border"}, "op": {"const": "is"}, "value": {"type": "boolean"},
                },
                "required": ["quantity", "op", "value"], "additionalProperties": False,
            },
        ]
    },
}  # fmt: skip


def offered(img: MicroImage | None) -> dict[str, dict[str, Any]]:
    """Name -> JSON schema of every tool that a model may ask for on this image.

    A tool with an argument of free text that is not known to be harmless is offered without that argument, or not at all where
    the argument is required: it might be a path or an address.
    """
    found = {}
    for schema in registry.describe():
        tool = registry.get(schema["name"])
        if tool.needs_image and img is None:
            continue
        narrowed = _narrowed(schema, img)
        if narrowed is not None:
            found[tool.name] = narrowed
    return found


def listing(tools: Mapping[str, Mapping[str, Any]]) -> str:
    """The tools on one line each, for models whose chat template knows none."""
    lines = []
    for name, schema in tools.items():
        given = schema["parameters"]
        arguments = ", ".join(k if k in given["required"] else f"{k}?" for k in given["properties"])
        lines.append(f"- {name}({arguments}): {schema.get('quantity') or schema['description'].splitlines()[0]}")
    return "\n".join(lines)


def _narrowed(schema: Mapping[str, Any], img: MicroImage | None) -> dict[str, Any] | None:
    given, properties = schema["parameters"], {}
    for name, old in given["properties"].items():
        new = None if name in _HIDDEN else _argument(schema["name"], name, old, img)
        if new is not None:
            properties[name] = new
        elif name in given["required"]:
            return None
    return {**schema, "parameters": {**given, "properties": properties}}


def _argument(tool: str, name: str, old: Mapping[str, Any], img: MicroImage | None) -> dict[str, Any] | None:
    """The schema of one argument; None where it is not offered."""
    if name == "region" or (name == "against" and old.get("type") == "object"):
        return _REGION if img is not None else None
    if name == "filters":
        return _FILTERS
    if name == "rank":
        return {"type": "integer", "minimum": 1, "maximum": MOST_RANK}
    if old.get("type") in ("number", "integer", "boolean"):
        return dict(old)
    if "enum" in old:
        return {"enum": list(old["enum"])}
    return _word(tool, name, img) if old.get("type") == "string" else None


def _word(tool: str, name: str, img: MicroImage | None) -> dict[str, Any] | None:
    """Text arguments take words from lists."""
    if name in ("target", "against"):
        return dict(_TARGET)
    if name == "channel":
        names = [c.name for c in img.channels] if img is not None else []
        return {"enum": names} if len(names) > 1 else None
    if name == "key":
        recorded = [k for k in _RECORDED if img is not None and k in img.metadata]
        return {"enum": recorded} if recorded else None
    words: dict[str, tuple[str, ...]] = {"unit": UNITS, "colour": _COLOURS, "by": MEASURED, "quantity": MEASURED}
    if name not in words:
        return None
    more = ("count", "coverage", "grey") if tool == "compare_regions" else ("count",) if tool == "compare_kinds" else ()
    return {"enum": [*words[name], *(more if name == "quantity" else ())]}
