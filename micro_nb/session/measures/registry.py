"""The declarations: what a measurement is called, takes, means in words, and which questions ask for it.

The words of our own stand in ``words/measures.toml``. Other packages add measurements with an entry point in the group
``micro_nb.measurements`` that loads to a module, or to a function made with :func:`measurement`.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Literal

from ...errors import LanguageError
from ..language.forms import takes_objects
from ..words.tables import table

Function = Callable[..., Any]
Says = str | Callable[[Any], str]

_BUILTIN = ("objects", "statistics", "combining", "pixels", "quality", "colours", "recognition", "profiles", "talking")
_declared: dict[str, Measure] = {}


@dataclass(frozen=True)
class Measure:
    """A declared measurement.

    Attributes
    ----------
    name : how expressions call it.
    function : what measures.
    unit : of its main value; ``""`` where it depends on the arguments.
    says : its sentence, a template, or a function of the result that gives one; see :mod:`micro_nb.session.words.prose`.
    examples : questions that ask for it, with the expressions they mean.
    group : heading under which it is documented.
    own : whether it is built in.
    asks : how it is said as what is asked: ``"how many {objects} there are"``.
    sentences : its sentences by the case that they are for.
    """

    name: str
    function: Function
    unit: str = ""
    says: Says = ""
    examples: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    own: bool = True
    asks: str = ""
    sentences: Mapping[str, str] = field(default_factory=dict)

    @functools.cached_property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its parameters but the scene, in order."""
        return {k: p for k, p in inspect.signature(self.function).parameters.items() if k != "scene"}

    @functools.cached_property
    def hints(self) -> dict[str, Any]:
        """Their types."""
        return typing.get_type_hints(self.function)

    @property
    def needs_scene(self) -> bool:
        """Whether it asks for the scene itself."""
        return "scene" in inspect.signature(self.function).parameters

    @property
    def keywords(self) -> frozenset[str]:
        """What may be given by name; of free keywords (``**given``) any."""
        return frozenset(k for k, p in self.parameters.items() if p.kind is not p.VAR_KEYWORD)

    @property
    def free(self) -> bool:
        """Whether any keyword may be given."""
        return any(p.kind is p.VAR_KEYWORD for p in self.parameters.values())

    @property
    def describes(self) -> str:
        """The first sentence of its documentation."""
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")


def measurement(
    name: str,
    *,
    unit: str = "",
    says: Says = "",
    examples: Mapping[str, str] | Sequence[str] = (),
    group: str = "",
    asks: str = "",
) -> Callable[[Function], Function]:
    """Declares a function as a measurement of the language.

    The function's parameters are the arguments of the call, read by their types: :class:`~.selection.Selection` (objects),
    :class:`~.results.Term` (another measurement, or a number), :class:`~.places.Place`, :class:`~.units.Length`, ``Literal``,
    ``str``, ``float``, ``bool``. It returns a :class:`~.measurement.Measurement`, several, a plain value, or a
    :class:`~.results.Found`.

    Parameters
    ----------
    name : how expressions call it.
    unit : of its main value.
    says : the sentence: ``{0}`` is the first measured value with its unit, ``{objects}`` names the objects; or a function of
        the result that gives such a template.
    examples : questions that ask for it, each with the expression it means; a question alone means the call without arguments
        but the kind that it names.
    group : heading under which it is documented.
    asks : how it is said as what is asked.

    Examples
    --------
    >>> from micro_nb.session.measures.selection import Selection
    >>> @measurement("example_heft", unit="px2", says="Together the {objects} weigh {0}.")
    ... def heft(objects: Selection) -> float:
    ...     "Sum of the areas, in pixels."
    ...     return float(objects.values("area", "px2")[0].sum())
    >>> get("example_heft").describes
    'Sum of the areas, in pixels.'
    >>> forget("example_heft")
    """

    def declare(function: Function) -> Function:
        known = _declared.get(name)
        if known is not None and known.function.__module__ != function.__module__:
            by = known.function.__module__
            raise LanguageError(f"a measurement named {name!r} is already declared by {by}; choose another name")
        if any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(function).parameters.values()):
            raise LanguageError(f"the measurement {name!r} takes *arguments; declare them one by one")
        if function.__module__.startswith(f"{__package__}.") and name in table("measures"):
            _declared[name] = _built_in(name, function, group)
            return function
        asked = dict(examples) if isinstance(examples, Mapping) else dict.fromkeys(examples, "")
        _declared[name] = Measure(name, function, unit, says, asked, group or function.__module__.rsplit(".", 1)[-1], False, asks)
        takes_objects(name, _objects_at(function), _declared[name].keywords)
        return function

    return declare


def _built_in(name: str, function: Function, group: str) -> Measure:
    """One of our own, with its words."""
    told: dict[str, Any] = table("measures")[name]
    says, group = told.get("says", {}), group or function.__module__.rsplit(".", 1)[-1]
    default = "is" if "is" in says else ""
    return Measure(name, function, told.get("unit", ""), default, told["examples"], group, True, told["asks"], says)


def _objects_at(function: Function) -> int | None:
    """The position of the argument that means objects; None where none does."""
    given = [p for p in inspect.signature(function).parameters.values() if p.name != "scene" and p.kind is not p.KEYWORD_ONLY]
    return next((k for k, p in enumerate(given) if "Selection" in str(p.annotation)), None)


def forget(name: str) -> None:
    """Takes a measurement out of the language."""
    known = _declared.pop(name, None)
    if known is not None and not known.own:
        takes_objects(name, None)


def get(name: str) -> Measure:
    """The measurement of this name.

    Raises
    ------
    LanguageError : none is declared under it; names the nearest.
    """
    load()
    if name in _declared:
        return _declared[name]
    near = difflib.get_close_matches(name, _declared, 3, 0.5)
    hint = f"did you mean {', '.join(near)}" if near else f"see {', '.join(sorted(_declared))}"
    raise LanguageError(f"nothing is measured by {name!r}; {hint}")


def measures() -> dict[str, Measure]:
    """All measurements, in the order they were declared."""
    load()
    return dict(_declared)


def options(hint: Any) -> tuple[Any, ...]:
    """The types that a type lets through."""
    return typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def choices(hint: Any) -> tuple[Any, ...]:
    """The values that a type names one by one."""
    return tuple(c for o in options(hint) if typing.get_origin(o) is Literal for c in typing.get_args(o))


@functools.cache
def load() -> None:
    """Declares the built-in measurements, then those of other packages, once."""
    for module in _BUILTIN:
        importlib.import_module(f"{__package__}.{module}")
    for point in entry_points(group="micro_nb.measurements"):
        loaded = point.load()
        if callable(loaded) and not any(m.function is loaded for m in _declared.values()):
            told = f"entry point {point.name!r} of micro_nb.measurements must be"
            raise LanguageError(f"{told} a module or a function made with @measurement")
