"""What a measurement is given where that is a measurement itself, what it gives back, and what evaluating an expression gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from ...errors import EvidenceError
from ..language import Call, Node
from ..language.forms import as_objects, kind_of, objects_at, of_kind, with_objects
from .measurement import Fact, Measurement, Value, facts
from .registry import Measure
from .scene import Scene
from .selection import Selection


@dataclass(frozen=True)
class Found:
    """What a measurement found, where there is more to tell than the facts.

    Attributes
    ----------
    measured : the facts, the main one first.
    says : which of its sentences is said, or a template of its own, in place of the declared one.
    value, unit : the answer as data, where it is not the first fact's.
    shown : the objects the answer speaks of, where they are not those it was asked about.
    table : what it lists, a row a thing.
    declined : why it is not answered; None where it is. ``remedy`` : what would make it answerable.
    more : words for the template, by name.
    """

    measured: tuple[Measurement, ...] = ()
    says: str | None = None
    value: Value = None
    unit: str | None = None
    shown: Selection | None = None
    table: pd.DataFrame | None = None
    declined: str | None = None
    remedy: str | None = None
    more: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        how: Mapping[str, Any],
        /,
        *rows: Fact | Measurement,
        says: str | None = None,
        value: Value = None,
        unit: str | None = None,
        shown: Selection | None = None,
        table: pd.DataFrame | None = None,
        more: Mapping[str, str] | None = None,
        **words: str,
    ) -> Found:
        """Facts ``(quantity, value, unit, interval)`` that were all found in one way, the main one first; further words are
        those for the template.

        >>> Found.of({"seed": 0}, ("radius", 2.5, "um"), says="is", of="them").measured[0].found
        {'seed': 0}
        """
        return cls(facts(how, *rows), says, value, unit, shown, table, more={**(more or {}), **words})


@dataclass(frozen=True)
class Result:
    """An evaluated expression.

    Attributes
    ----------
    call : the expression. ``measure`` : its declaration.
    scene : what it was evaluated on.
    found : what it found.
    selection : the objects it is about; None where it is about none.
    inner : the results it was made from, in order.
    """

    call: Call
    measure: Measure
    scene: Scene = field(repr=False)
    found: Found = field(repr=False)
    selection: Selection | None = field(default=None, repr=False)
    inner: tuple[Result, ...] = field(default=(), repr=False)

    @property
    def measured(self) -> tuple[Measurement, ...]:
        """Its own facts, the main one first."""
        return self.found.measured

    @property
    def value(self) -> Value:
        """The answer as data."""
        return self.measured[0].value if self.found.value is None and self.measured else self.found.value

    @property
    def unit(self) -> str:
        """The unit of the value."""
        return self.found.unit if self.found.unit is not None else self.measured[0].unit if self.measured else ""

    @property
    def main(self) -> Measurement:
        """The fact that is the answer."""
        if self.found.declined is not None or not self.measured:
            raise EvidenceError(self.found.declined or f"{self.call} measures nothing")
        return self.measured[0]

    @property
    def template(self) -> str:
        """The template of its sentence; see :mod:`micro_nb.session.words.prose`."""
        says = self.found.says if self.found.says is not None else self.measure.says
        text = says(self) if callable(says) else says
        return self.measure.sentences.get(text, text) or "{what}: {0}."

    def every(self) -> list[Result]:
        """This result and those it was made from, outermost first, each once."""
        parts = (part for inner in self.inner for part in inner.every())
        return list({id(r): r for r in (self, *parts)}.values())


Evaluate = Callable[[Call, Scene], Result]


@dataclass(frozen=True)
class Term:
    """An argument that is a measurement itself, or a number: to evaluate, as it is or on another place, image or plane.

    Attributes
    ----------
    node : a call, a number or text.
    scene : what it is evaluated on. ``evaluate`` : what evaluates it.
    """

    node: Node
    scene: Scene = field(repr=False)
    evaluate: Evaluate = field(repr=False)

    @property
    def result(self) -> Result:
        """The result of the call."""
        if not isinstance(self.node, Call):
            raise EvidenceError(f'{self.node!r} is no measurement; write for example count("nucleus")')
        return self.evaluate(self.node, self.scene)

    @property
    def main(self) -> Measurement:
        """The fact that is its answer; of a number, that number."""
        if isinstance(self.node, int | float) and not isinstance(self.node, bool):
            return Measurement("number given", self.node)
        return self.result.main

    @property
    def results(self) -> tuple[Result, ...]:
        """Its result, where it is a call."""
        return (self.result,) if isinstance(self.node, Call) else ()

    def on(self, image: str) -> Term:
        """The same on another image."""
        return replace(self, scene=self.scene.on(image))

    def at(self, place: Node) -> Term:
        """The same at another plane: ``z(5)``, ``t(3)``."""
        return replace(self, scene=self.scene.at(place))

    def where(self, place: Node) -> Term:
        """The same at a place: of the objects in it, or of its pixels."""
        return self._changed(lambda call: placed(call, place))

    def of_kind(self, kind: str) -> Term:
        """The same of another kind of objects."""

        def change(call: Call) -> Call:
            own = call.name == "obj" or objects_at(call) is not None
            return of_kind(call, kind) if own and kind_of(call) else call

        return self._changed(lambda call: call.map(change))

    def of(self, objects: Call) -> Term:
        """The same of other objects."""
        return self._changed(lambda call: with_objects(call, lambda _: objects))

    def having(self, condition: str) -> Term:
        """The same of those of its objects that meet a condition."""

        def narrowed(objects: Call) -> Call:
            had = objects.get("having")
            return objects.but(having=condition if had is None else f"({had}) and {condition}")

        return self._changed(lambda call: with_objects(call, narrowed))

    def in_channel(self, name: str) -> Term:
        """The same of one channel: of its pixels, or of objects looked for there."""

        def change(call: Call) -> Call:
            own = with_objects(call, lambda objects: objects.but(channel=name))
            return own.but(channel=name) if own.name in ("pixels", "quality", "profile") else own

        return self._changed(lambda call: call.map(change))

    def _changed(self, change: Callable[[Call], Call]) -> Term:
        return replace(self, node=change(self.node)) if isinstance(self.node, Call) else self


def placed(call: Call, place: Node) -> Call:
    """The call with its objects, or its pixels, narrowed to a place.

    >>> from micro_nb.session.language import parse
    >>> str(placed(parse('compare(count("cell"), pixels("mean"))'), Call.of("z", 3)))
    'compare(count(obj("cell", where=z(3))), pixels("mean", where=z(3)))'
    """

    def narrowed(part: Call) -> Call:
        return part.but(where=_both(part.get("where"), place))

    at = objects_at(call)
    if at is not None and as_objects(call.args[at]) is not None and call.args[at] != "image":
        changed, whole = with_objects(call, narrowed), as_objects(call.get("of"))
        return changed.but(of=narrowed(whole)) if call.name == "share" and whole is not None else changed
    inside = call.with_args(*(placed(a, place) if isinstance(a, Call) else a for a in call.args))
    return inside if inside != call or (at is not None and call.args[at] != "image") else narrowed(call)


def _both(a: Node, b: Node) -> Node:
    b = b[0] if isinstance(b, tuple) and len(b) == 1 else b
    return b if a is None else (*(a if isinstance(a, tuple) else (a,)), *(b if isinstance(b, tuple) else (b,)))
