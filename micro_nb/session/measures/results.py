"""What a measurement gives back, and what evaluating an expression gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import EvidenceError
from ..language import Call
from .measurement import Measurement, Value
from .registry import Measure
from .scene import Scene
from .selection import Selection

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Found:
    """What a measurement found, where there is more to tell than the facts.

    Attributes
    ----------
    measured : the facts, the main one first.
    says : its sentence here, in place of the declared one.
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
        if self.found.value is not None or not self.measured:
            return self.found.value
        return self.measured[0].value

    @property
    def unit(self) -> str:
        """The unit of the value."""
        if self.found.unit is not None:
            return self.found.unit
        return self.measured[0].unit if self.measured else ""

    @property
    def main(self) -> Measurement:
        """The fact that is the answer.

        Raises
        ------
        EvidenceError : there is none.
        """
        if self.found.declined is not None:
            raise EvidenceError(self.found.declined)
        if not self.measured:
            raise EvidenceError(f"{self.call} measures nothing")
        return self.measured[0]

    def every(self) -> list[Result]:
        """This result and those it was made from, outermost first, each once."""
        seen: dict[int, Result] = {}

        def gather(result: Result) -> None:
            if id(result) not in seen:
                seen[id(result)] = result
                for part in result.inner:
                    gather(part)

        gather(self)
        return list(seen.values())
