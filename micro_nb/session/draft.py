"""An answer being worded: the prose so far, the answer as data, and the words for its subject."""

from __future__ import annotations

import operator
from dataclasses import dataclass

from .dimensions import named
from .evidence import Evidence
from .lexicon import target
from .printing import unit_words
from .prose import Fact, Parts, Prose
from .query import Query
from .registry import Value

_HOLDS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_AGREES = 0.1  # a stated count counts as right within this share, or within one object


@dataclass
class Draft:
    """An answer being worded: the prose, and the answer as data."""

    prose: Prose
    value: Value = None
    unit: str = ""
    main: int = 0

    def take(self, index: int) -> None:
        """Makes evidence ``index`` the answer's value."""
        fact = self.prose.evidence[index]
        self.value, self.unit, self.main = fact.value, fact.unit, index


@dataclass(frozen=True)
class Subject:
    """What a sentence speaks about."""

    query: Query
    evidence: tuple[Evidence, ...]

    @property
    def one(self) -> str:
        """Singular."""
        return target(self.query.target).one

    @property
    def many(self) -> str:
        """Plural."""
        return target(self.query.target).many

    @property
    def where(self) -> str:
        """``" in the left half"`` or nothing."""
        region = self.query.region
        return f" in the {region.name or 'marked region'}" if region is not None else ""

    def number(self, index: int) -> float:
        """The value of evidence ``index`` as a number; 0 where it is none."""
        value = self.evidence[index].value
        return float(value) if isinstance(value, int | float) else 0.0

    def unit(self, index: int) -> str:
        """The unit of evidence ``index`` as read, with the space before it."""
        return unit_words(self.evidence[index].unit)

    def noun(self, n: float) -> str:
        """Singular or plural."""
        return self.one if n == 1 else self.many

    def index(self, quantity: str) -> int:
        """Position of the first evidence whose quantity starts so."""
        return next(i for i, e in enumerate(self.evidence) if e.quantity.startswith(quantity))

    def find(self, quantity: str) -> int | None:
        """Position of the evidence of this quantity; None where it was not measured."""
        return next((i for i, e in enumerate(self.evidence) if e.quantity == quantity), None)

    def narrowed(self, at: int) -> Parts:
        """ " larger than 80 µm², not touching the border" as words and facts of evidence ``at``."""
        parts: list[str | Fact] = []
        for k, f in enumerate(self.evidence[at].parameters.get("filters", ())):
            joint = " and" if k else ""
            if f["quantity"] == "touches_border":
                parts.append(f"{joint} touching the border" if f["value"] else f"{joint} not touching the border")
            elif f["quantity"] == "touches_other":
                parts.append(f"{joint} touching another" if f["value"] else f"{joint} touching no other")
            elif f["op"] in ("max", "min"):
                end = "greatest" if f["op"] == "max" else "least"
                parts += [
                    f"{joint} among those of {end} {named(f['quantity'])} (",
                    Fact(at, f"parameters.filters.{k}.value"),
                    ")",
                ]
            else:
                words = {">": "above", ">=": "of at least", "<": "below", "<=": "of at most", "==": "of exactly"}[f["op"]]
                parts += [f"{joint} with {article(f['quantity'])} {words} ",
                          Fact(at, f"parameters.filters.{k}.value"), unit_words(f.get("unit", ""))]  # fmt: skip
        return tuple(parts)


def verdict(measured: float, s: Subject, unit: str = "count") -> bool | None:
    """Whether the person's claim holds; None without one."""
    claim = s.query.claim
    if claim is None:
        return None
    if claim.op == "==":
        return abs(measured - claim.value) <= max(1.0 if unit == "count" else 0.0, _AGREES * abs(claim.value))
    return bool(_HOLDS[claim.op](measured, claim.value))


def article(quantity: str) -> str:
    """ "an area", "a distance to the nearest neighbour"."""
    name = named(quantity)
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def lead(holds: bool | None) -> str:
    """How a sentence starts that confirms or denies a claim."""
    return "" if holds is None else "Yes, by my measurement: " if holds else "No, by my measurement: "
