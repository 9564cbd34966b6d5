"""Sentences whose numbers are stated facts: a template is filled with measured values, and nothing else may hold a number.

Places in a template: ``{0}`` is the first fact with its unit, ``{1.value}`` the second without, ``{0.interval}`` its interval
in brackets or nothing, ``{0:objects}`` the number with its noun ("32 nuclei", "1 cell", "no mitochondria"), ``{0:is|are}`` a word
for one or for several of it, ``{objects}`` the objects in the plural, ``{object}`` in the singular, ``{caveat}`` what is worth
saying of how they were taken, ``{where}`` the place, ``{what}`` what was measured, ``{of0.0}`` and ``{of0.what}`` the same of the
first inner result, and any name of ``Found.more``, whose own numbers must stand in the expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import EvidenceError
from ..measures.measurement import Measurement
from ..measures.results import Result
from .phrases import objects_phrase, place_phrase
from .printing import print_number, unit_words

_PLACE = re.compile(r"\{(?:of(\d+)\.)?(\w+)(?:\.(\w+(?:\.\w+)*))?(?::([^{}]+))?\}")
_NUMERAL = re.compile(r"(?<![\w.])[-+−]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
_WORDS = (
    "three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|"
    "seventy|eighty|ninety|hundred|hundreds|thousand|thousands|million|millions|billion|dozen|dozens"
)
_NUMBER_WORD = re.compile(rf"\b(?:{_WORDS})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Stated:
    """A number, or words, of a fact; its ``field`` is ``value``, ``value.0``, ``interval.1``, ``found.threshold`` ..."""

    fact: Measurement
    field: str = "value"

    @property
    def text(self) -> str:
        """As it is printed."""
        value = self.fact.value if self.field == "value" else _field(self.fact, self.field)
        if isinstance(value, bool) or value is None:
            raise EvidenceError(f"{self.field} of {self.fact.quantity!r} is {value}, which cannot stand in prose")
        return print_number(value) if isinstance(value, int | float) else str(value)


@dataclass(frozen=True)
class Quoted:
    """A number that the expression itself holds, e.g. a limit."""

    text: str


Part = str | Stated | Quoted


def sentence(result: Result) -> list[Part]:
    """What a result says, as words and stated facts."""
    return list(fill(result.template, result))


def fill(template: str, result: Result, *, quoting: bool = False) -> Iterator[Part]:
    """A template with its places filled; with ``quoting``, its own numbers are those of the expression."""
    at, words = 0, quoted if quoting else _words
    for match in _PLACE.finditer(template):
        yield from words(template[at : match.start()])
        yield from _filled(match, result)
        at = match.end()
    yield from words(template[at:])


def _words(text: str) -> Iterator[Part]:
    if numerals(text):
        raise EvidenceError(f"a number stands in the words {text!r}, where only facts may state one")
    if text:
        yield text


def _filled(match: re.Match[str], result: Result) -> Iterator[Part]:
    inner, name, path, how = match.groups()
    if inner is not None:
        result = result.inner[int(inner)]
    if name.isdigit():
        yield from _fact(result, int(name), path, how)
    elif name in ("objects", "object"):
        yield from quoted(_objects(result, 1 if name == "object" else 2))
    elif name == "where":
        where = place_phrase(result.call.get("where"))
        yield from quoted(f" {where}" if where else "")
    elif name == "what":
        yield from quoted(result.main.quantity)
    elif name == "caveat":
        yield result.selection.caveat if result.selection is not None else ""
    elif name in result.found.more:
        yield from fill(result.found.more[name], result, quoting=True)
    else:
        raise EvidenceError(f"{result.call.name} knows no {name!r} to say")


def _fact(result: Result, k: int, path: str | None, how: str | None) -> Iterator[Part]:
    if k >= len(result.measured):
        raise EvidenceError(f"{result.call.name} measured {len(result.measured)} facts, so there is no number {k}")
    fact = result.measured[k]
    if path == "interval":
        if fact.interval is not None:
            yield from (" (", Stated(fact, "interval.0"), "–", Stated(fact, "interval.1"), ")")
    elif how is not None and "|" in how:
        yield how.split("|")[fact.number != 1]
    elif how in ("objects", "object"):
        n, phrase = fact.number, _objects(result, fact.number)
        yield "no" if n == 0 else Stated(fact)
        yield from quoted(f" {phrase.removeprefix(f'{n:g} ')}")
    elif path in (None, "value"):
        yield Stated(fact)
        yield from quoted(unit_words(fact.unit) if path is None and not isinstance(fact.value, str) else "")
    else:
        yield Stated(fact, path)


def _objects(result: Result, n: float) -> str:
    if result.selection is None:
        raise EvidenceError(f"{result.call.name} is about no objects")
    return objects_phrase(result.selection.call, n)


def quoted(text: str) -> Iterator[Part]:
    """Words with the numbers of the expression in them."""
    at = 0
    for start, end in numerals(text):
        yield text[at:start]
        yield Quoted(text[start:end])
        at = end
    if text[at:]:
        yield text[at:]


def _field(fact: Measurement, path: str) -> object:
    head, *rest = path.split(".")
    value: Any = getattr(fact, head, None)
    for key in rest:
        value = value.get(key) if isinstance(value, Mapping) else value[int(key)] if isinstance(value, tuple | list) else None
    if value is None:
        raise EvidenceError(f"{fact.quantity!r} has no field {path!r}")
    return value


def plain(parts: Sequence[Part]) -> str:
    """The text that parts make."""
    return "".join(p if isinstance(p, str) else p.text for p in parts)


def numerals(text: str) -> list[tuple[int, int]]:
    """Where numbers stand in a text, number words from three up included.

    >>> numerals("I see 12 or thirteen")
    [(6, 8), (12, 20)]
    """
    found = [m.span() for pattern in (_NUMERAL, _NUMBER_WORD) for m in pattern.finditer(text)]
    return sorted(found)
