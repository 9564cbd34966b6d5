"""Sentences whose numbers are taken from evidence, printed in one way only, and verified before anyone reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import EvidenceError
from . import dimensions
from .answer import Span
from .evidence import Evidence
from .printing import UNIT_WORDS, print_number, unit_words

_PLACE = re.compile(r"\{([^{}]*)\}")
_NUMERAL = re.compile(r"[-+−]?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
_WORDS = (
    "three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|"
    "thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|hundreds|thousand|thousands|"
    "million|millions|billion|dozen|dozens"
)
_NUMBER_WORD = re.compile(rf"\b(?:{_WORDS})\b", re.IGNORECASE)


_SPREAD = re.compile(r"(?: to | x )[\d.,e+-]*\d")  # "5 to 7 µm": the unit stands behind the second number
_ANY_UNIT = re.compile(rf" (?:{'|'.join(re.escape(w) for w in UNIT_WORDS.values() if w)})(?![\w²])")
_OBJECT_QUANTITIES = [q for q in dimensions.QUANTITIES if q not in ("count", "coverage", "height")]
_QUANTITY_WORD = re.compile("|".join(sorted((re.escape(dimensions.named(q)) for q in _OBJECT_QUANTITIES), key=len)[::-1]))
_STATISTIC_WORD = re.compile("mean|median|total|standard deviation of the|smallest|largest")


@dataclass(frozen=True)
class Fact:
    """A number (or words) of evidence ``index``; its ``field`` is ``value``, ``value.0``, ``interval.1``, ..."""

    index: int
    field: str = "value"


Parts = tuple[str | Fact, ...]


@dataclass
class Prose:
    """Text under construction over a list of evidence."""

    evidence: Sequence[Evidence]
    text: str = ""
    spans: list[Span] = field(default_factory=list)

    def say(self, template: str, **words: str | Parts) -> None:
        """Adds a sentence. One that does not verify is refused.

        Parameters
        ----------
        template : words with places to fill: ``{0}`` is the value of evidence 0, ``{2.interval.1}`` a field of evidence 2, and
            ``{name}`` the keyword ``name``: plain words, or a tuple of words and facts.

        Raises
        ------
        EvidenceError : a number stands in the words, or a fact does not exist.
        """
        text, spans, start = "", [], len(self.text) + bool(self.text)
        for part in _filled(template, words):
            if isinstance(part, Fact):
                printed = print_field(self.evidence[part.index], part.field)
                spans.append(Span(start + len(text), start + len(text) + len(printed), part.index, part.field))
                text += printed
            else:
                text += part
        verify(text, [Span(s.start - start, s.end - start, s.index, s.field) for s in spans], self.evidence)
        self.text = f"{self.text} {text}".strip()
        self.spans += spans


def _filled(template: str, words: Mapping[str, str | Parts]) -> Iterator[str | Fact]:
    for k, piece in enumerate(_PLACE.split(template)):
        if k % 2 == 0:
            yield piece
        elif piece[:1].isdigit():
            index, _, path = piece.partition(".")
            yield Fact(int(index), path or "value")
        else:
            filling = words[piece]
            yield from (filling,) if isinstance(filling, str) else filling


def field_value(evidence: Evidence, path: str) -> Any:
    """What a span's field holds, e.g. ``"parameters.filters.0.value"``.

    Raises
    ------
    EvidenceError : the evidence has no such field.
    """
    head, *rest = path.split(".")
    try:
        value = getattr(evidence, head)
        for key in rest:
            value = value[key] if isinstance(value, Mapping) else value[int(key)]
    except (AttributeError, KeyError, IndexError, ValueError, TypeError):
        raise EvidenceError(f"evidence {evidence.quantity!r} has no field {path!r}") from None
    return value


def print_field(evidence: Evidence, path: str) -> str:
    """The one way a field is written in prose."""
    value = field_value(evidence, path)
    if isinstance(value, bool) or value is None:
        raise EvidenceError(f"field {path!r} of {evidence.quantity!r} is {value}, which cannot stand in prose")
    return print_number(value) if isinstance(value, int | float) else str(value)


def numerals(text: str) -> list[tuple[int, int]]:
    """Where numbers stand in a text, number words from three up included. A digit glued to letters ("um2") counts as well.

    >>> numerals("I see 12 or thirteen")
    [(6, 8), (12, 20)]
    """
    found = [m.span() for pattern in (_NUMERAL, _NUMBER_WORD) for m in pattern.finditer(text)]
    return sorted(found)


def verify(text: str, spans: Sequence[Span], evidence: Sequence[Evidence]) -> None:
    """Refuses a text in which a number, its unit or the quantity it is given for is not what evidence says.

    Raises
    ------
    EvidenceError : a span whose evidence prints otherwise; another unit behind it than the evidence has; a unit that does not
        belong to the quantity; another quantity or statistic named before it; or a number outside every span. Names both.
    """
    for s in spans:
        if not 0 <= s.index < len(evidence):
            raise EvidenceError(f"a span points to evidence {s.index} of {len(evidence)}")
        printed = print_field(evidence[s.index], s.field)
        if text[s.start : s.end] != printed:
            raise EvidenceError(f"the text says {text[s.start : s.end]!r} where {evidence[s.index].quantity!r} says {printed!r}")
    for start, end in numerals(text):
        if not any(s.start <= start and end <= s.end for s in spans):
            raise EvidenceError(f"the number {text[start:end]!r} in {text!r} is not covered by evidence")
    _verify_units(text, spans, evidence)
    _verify_names(text, spans, evidence)


def _verify_units(text: str, spans: Sequence[Span], evidence: Sequence[Evidence]) -> None:
    """Behind a number stands the unit its evidence has, which is one its quantity can have."""
    for s in spans:
        fact = evidence[s.index]
        measured, unit = dimensions.quantity_of(fact.quantity), _unit_at(fact, s.field)
        if measured and not dimensions.fits(measured[1], fact.unit):
            raise EvidenceError(f"{fact.quantity!r} cannot have the unit {fact.unit!r}")
        if unit is None:
            continue
        rest = text[s.end :]
        spread = _SPREAD.match(rest)
        rest, wanted = rest[spread.end() :] if spread else rest, unit_words(unit)
        follows = rest.startswith(wanted) and not rest[len(wanted) :][:1].isalnum()
        if wanted and not unit.startswith("per ") and not follows:
            raise EvidenceError(f"{text[s.start : s.end]!r} is followed by {rest[:12]!r} where {fact.quantity!r} has {wanted!r}")
        if not wanted and _ANY_UNIT.match(rest):
            raise EvidenceError(f"the text gives {fact.quantity!r} a unit, {rest[:6]!r}, which it does not have")


def _unit_at(fact: Evidence, path: str) -> str | None:
    """The unit of what a span states; None where it is no measured number."""
    if path.startswith(("value", "interval")):
        return None if isinstance(field_value(fact, path), str) else fact.unit
    if path.startswith("parameters.filters."):
        return str(_condition(fact, path).get("unit", ""))
    return None


def _verify_names(text: str, spans: Sequence[Span], evidence: Sequence[Evidence]) -> None:
    """The last quantity (and statistic) named before a number is the one its evidence holds; a filter uses up its own."""
    for sentence in _sentences(text):
        nouns = [(m.start(), m.group()) for m in _QUANTITY_WORD.finditer(text, *sentence)]
        plain = _QUANTITY_WORD.sub(lambda m: " " * len(m.group()), text)
        for s in sorted((s for s in spans if sentence[0] <= s.start < sentence[1]), key=lambda s: s.start):
            stated = _stated(evidence[s.index], s.field)
            if stated is None:
                continue
            statistic, quantity = stated
            before = [(at, noun) for at, noun in nouns if at < s.start]
            if before and before[-1][1] != dimensions.named(quantity):
                raise EvidenceError(f"the text calls {evidence[s.index].quantity!r} {before[-1][1]!r}")
            said = [m.group() for m in _STATISTIC_WORD.finditer(plain, sentence[0], s.start)]
            if statistic and said and said[-1] != dimensions.STATISTICS.get(statistic, statistic):
                raise EvidenceError(f"the text calls {evidence[s.index].quantity!r} {said[-1]!r}")
            if s.field.startswith("parameters.") and before:
                nouns.remove(before[-1])


def _stated(fact: Evidence, path: str) -> tuple[str, str] | None:
    """``(statistic, quantity)`` that a span gives a number of; None where its quantity is not one of objects."""
    if path.startswith("parameters.filters."):
        quantity = _condition(fact, path).get("quantity")
        return ("", str(quantity)) if quantity else None
    measured = dimensions.quantity_of(fact.quantity) if path == "value" else None
    if measured is None or measured[1] not in _OBJECT_QUANTITIES:
        return None
    return (measured[0] if fact.function == "object_statistic" else ""), measured[1]


def _condition(fact: Evidence, path: str) -> Mapping[str, Any]:
    """The filter whose number a field is."""
    return field_value(fact, path.rpartition(".")[0])  # type: ignore[no-any-return]


def _sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of every sentence."""
    ends = [m.end() for m in re.finditer(r"\.(?= |$)", text)]
    ends = ends if ends and ends[-1] == len(text) else [*ends, len(text)]
    return list(zip([0, *ends], ends, strict=False))
