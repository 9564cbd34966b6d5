"""``Term``: an argument that is a measurement itself, or a number; what ``compare``, ``which``, ``check``, ``calc`` and
``each`` work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ...errors import EvidenceError
from ..language import Call, Node
from ..language.forms import OBJECTS_AT, OBJECTS_FIRST
from .measurement import Measurement
from .results import Result
from .scene import Scene

Evaluate = Callable[[Call, Scene], Result]


@dataclass(frozen=True)
class Term:
    """An argument to evaluate, as it is or on another place, image or plane.

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
        """The result of the call.

        Raises
        ------
        EvidenceError : it is no call.
        """
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
    def number(self) -> float:
        """Its value as a number."""
        return self.main.number

    @property
    def unit(self) -> str:
        """Its unit."""
        return self.main.unit

    @property
    def results(self) -> tuple[Result, ...]:
        """Its result, where it is a call."""
        return (self.result,) if isinstance(self.node, Call) else ()

    def where(self, place: Node) -> Term:
        """The same at a place: of the objects in it, or of its pixels."""
        if not isinstance(self.node, Call):
            return self
        return replace(self, node=_placed(self.node, place))

    def on(self, image: str) -> Term:
        """The same on another image."""
        return replace(self, scene=self.scene.on(image))

    def at(self, place: Node) -> Term:
        """The same at another plane: ``z(5)``, ``t(3)``."""
        return replace(self, scene=self.scene.at(place))

    def given(self, **changes: Node) -> Term:
        """The same with other keywords."""
        return replace(self, node=self.node.but(**changes)) if isinstance(self.node, Call) else self

    def of_kind(self, kind: str) -> Term:
        """The same of another kind of objects."""
        if not isinstance(self.node, Call):
            return self

        def change(call: Call) -> Call:
            at = 0 if call.name in (*OBJECTS_FIRST, "obj") else OBJECTS_AT.get(call.name)
            if at is None or len(call.args) <= at or not isinstance(call.args[at], str):
                return call
            return call.with_args(*call.args[:at], kind, *call.args[at + 1 :])

        return replace(self, node=self.node.map(change))


def _placed(call: Call, place: Node) -> Call:
    """The call with its objects, or its pixels, narrowed to a place."""
    at = 0 if call.name in OBJECTS_FIRST else OBJECTS_AT.get(call.name)
    if at is None or len(call.args) <= at:
        inner = tuple(_placed(a, place) if isinstance(a, Call) else a for a in call.args)
        own = call.with_args(*inner) if inner != call.args else call
        return own if inner != call.args else own.but(where=_both(call.get("where"), place))
    objects = call.args[at]
    if isinstance(objects, str):
        objects = Call.of("obj", objects)
    if not isinstance(objects, Call) or objects.name != "obj":
        return call.with_args(*(_placed(a, place) if isinstance(a, Call) else a for a in call.args))
    narrowed = objects.but(where=_both(objects.get("where"), place))
    changed = call.with_args(*call.args[:at], narrowed, *call.args[at + 1 :])
    of = call.get("of")
    if call.name == "share" and of is not None:
        whole = Call.of("obj", of) if isinstance(of, str) else of
        changed = changed.but(of=whole.but(where=_both(whole.get("where"), place)))
    return changed


def _both(a: Node, b: Node) -> Node:
    if a is None:
        return b
    return (*(a if isinstance(a, tuple) else (a,)), *(b if isinstance(b, tuple) else (b,)))
