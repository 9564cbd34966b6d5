"""The tools a conversation may use: typed functions that measure, each registered under a name.

A tool takes an image (None where it needs none) and JSON-able keyword arguments, and returns one or several
:class:`Measurement`. Other packages add tools with an entry point in the group ``micro_nb.tools`` that loads to a module or to
a function made with :func:`tool`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Literal

import numpy as np

from ..data.image import MicroImage
from ..data.region import Region
from ..errors import EvidenceError

Value = float | int | bool | str | tuple[float, ...] | None
Function = Callable[..., "Measurement | tuple[Measurement, ...]"]

_BUILTIN = "micro_nb.session.tools"
_tools: dict[str, Tool] = {}


@dataclass(frozen=True)
class Measurement:
    """What a tool measured, before it is tied to an image and a version.

    Attributes
    ----------
    quantity : what it is, e.g. ``"count of nuclei"``; unique among the measurements of one call.
    value, unit, interval : as in :class:`~micro_nb.session.evidence.Evidence`.
    found : what the method chose or found on the way (thresholds, scales, sample sizes); JSON values.
    level : pyramid level that was read.
    """

    quantity: str
    value: Value
    unit: str = ""
    interval: tuple[float, float] | None = None
    found: Mapping[str, Any] = field(default_factory=dict)
    level: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _plain(self.value))
        if self.interval is not None:
            object.__setattr__(self, "interval", _plain(self.interval))


def facts(found: Mapping[str, Any], *rows: tuple[Any, ...]) -> tuple[Measurement, ...]:
    """Measurements ``(quantity, value, unit, interval)`` that were found in one way; a row may end after its value.

    >>> [m.unit for m in facts({"seed": 0}, ("spread", "random"), ("radius", 2.5, "um"))]
    ['', 'um']
    """
    return tuple(Measurement(*row, found=found) for row in rows)  # type: ignore[misc] # no row is so long


@dataclass(frozen=True)
class Tool:
    """A registered function and what may be known of it without calling it."""

    name: str
    function: Function
    unit: str
    quantity: str
    needs_image: bool = True

    @property
    def arguments(self) -> dict[str, inspect.Parameter]:
        """Keyword arguments beside the image and the region."""
        given = list(inspect.signature(self.function).parameters.values())[1:]
        return {p.name: p for p in given if p.name != "region"}

    @property
    def takes_region(self) -> bool:
        """Whether it can be told to look at a part only."""
        return "region" in inspect.signature(self.function).parameters

    def schema(self) -> dict[str, Any]:
        """JSON schema of a call, in the form language models are given."""
        hints = typing.get_type_hints(self.function)
        properties = {name: _json_type(hints[name]) for name in self.arguments}
        if self.takes_region:
            properties["region"] = _REGION_SCHEMA
        required = [name for name, p in self.arguments.items() if p.default is inspect.Parameter.empty]
        described = inspect.getdoc(self.function) or ""
        return {
            "name": self.name, "description": described, "quantity": self.quantity, "unit": self.unit,
            "parameters": {"type": "object", "properties": properties, "required": required, "additionalProperties": False},
        }  # fmt: skip


def tool(name: str, *, unit: str = "", quantity: str = "", needs_image: bool = True) -> Callable[[Function], Function]:
    """Registers a function ``(img, *, region=None, ...) -> Measurement`` (or a tuple of them) as a tool.

    Parameters
    ----------
    name : how plans and evidence call it.
    unit : of its main value; ``""`` where it depends on the arguments.
    quantity : what it measures, in a few words.
    needs_image : whether it can run on no image.

    Examples
    --------
    >>> @tool("example_width", unit="px", quantity="width of the image")
    ... def width(img: MicroImage) -> Measurement:
    ...     "Pixels along x."
    ...     return Measurement("width of the image", img.sizes["x"], "px")
    >>> get("example_width").schema()["description"]
    'Pixels along x.'
    >>> forget("example_width")
    """

    def register(function: Function) -> Function:
        known = _tools.get(name)
        if known is not None and known.function.__module__ != function.__module__:
            raise EvidenceError(
                f"a tool named {name!r} is already registered by {known.function.__module__}; choose another name"
            )
        _tools[name] = Tool(name, function, unit, quantity or name.replace("_", " "), needs_image)
        return function

    return register


def forget(name: str) -> None:
    """Takes a tool out of the registry."""
    _tools.pop(name, None)


def get(name: str) -> Tool:
    """The tool of this name.

    Raises
    ------
    EvidenceError : none is registered under it; names those that are.
    """
    _load()
    try:
        return _tools[name]
    except KeyError:
        raise EvidenceError(f"no tool is called {name!r}; there are {', '.join(sorted(_tools))}") from None


def describe() -> list[dict[str, Any]]:
    """JSON schemas of all tools, by name."""
    _load()
    return [_tools[name].schema() for name in sorted(_tools)]


def run(name: str, img: MicroImage | None = None, *, region: Region | None = None, **parameters: Any) -> tuple[Measurement, ...]:
    """Calls a tool.

    Parameters
    ----------
    name : of the tool.
    img : the image; None for tools that need none.
    region : where to look; None for the whole image.
    parameters : the tool's own arguments.

    Raises
    ------
    EvidenceError : the tool, or one of its arguments, does not exist; or a measured value is not finite.
    """
    called = get(name)
    unknown = set(parameters) - set(called.arguments)
    if unknown or (region is not None and not called.takes_region):
        wrong = ", ".join(sorted(unknown)) or "region"
        raise EvidenceError(f"tool {name!r} takes no argument {wrong}; it takes {', '.join(called.arguments) or 'none'}")
    if called.needs_image and img is None:
        raise EvidenceError(f"tool {name!r} measures an image and none was given")
    where = {"region": region} if called.takes_region else {}
    result = called.function(img, **where, **parameters)
    measured = result if isinstance(result, tuple) else (result,)
    for m in measured:
        if isinstance(m.value, float) and not math.isfinite(m.value):
            raise EvidenceError(f"{m.quantity}: the measured value is {m.value}; a fact must be finite")
    return measured


def _plain(value: Any) -> Any:
    """NumPy scalars as Python's own, so that facts survive JSON as they are."""
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value


@functools.cache
def _load() -> None:
    """Registers the built-in tools, then those of other packages, once."""
    importlib.import_module(_BUILTIN)
    for point in entry_points(group="micro_nb.tools"):
        loaded = point.load()
        if callable(loaded) and not any(t.function is loaded for t in _tools.values()):
            raise EvidenceError(f"entry point {point.name!r} of micro_nb.tools must be a module or a function made with @tool")


_REGION_SCHEMA = {
    "type": "object",
    "description": "part of the image: a box in pixels of level 0 (or um), end exclusive",
    "properties": {k: {"type": "number"} for k in ("y0", "x0", "y1", "x1")} | {"unit": {"enum": ["px", "um"]}},
    "required": ["y0", "x0", "y1", "x1"],
}
_SIMPLE: dict[Any, str] = {float: "number", int: "integer", bool: "boolean", str: "string"}


def _json_type(hint: Any) -> dict[str, Any]:
    """JSON schema of a type annotation."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (types.UnionType, typing.Union):
        choices = [_json_type(a) for a in args if a is not type(None)]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if hint is Region:
        return _REGION_SCHEMA
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return {"type": "object"}
    if args:
        return {"type": "array", "items": _json_type(args[0])}
    return {}
