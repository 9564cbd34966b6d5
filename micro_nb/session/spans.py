"""Whether a text says what evidence says: every span is printed as its field is, and no number stands outside of a span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import EvidenceError
from .answer import Span
from .evidence import Evidence
from .words.printing import print_number
from .words.prose import numerals

EXPRESSION = "parameters.expression"
"""The field of a number that is not measured but said: a limit, a rank."""


def field_value(evidence: Evidence, path: str) -> Any:
    """What a span's field holds, e.g. ``"interval.1"``, ``"parameters.threshold"``.

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
    """The one way a field is written in prose.

    Raises
    ------
    EvidenceError : it holds what no sentence can state.
    """
    value = field_value(evidence, path)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise EvidenceError(f"field {path!r} of {evidence.quantity!r} is {value}, which cannot stand in prose")
    return value if isinstance(value, str) else print_number(value)


def said_numbers(expression: str) -> dict[float, int]:
    """The numbers that an expression holds, and where each stands.

    >>> list(said_numbers('count(obj("nucleus", having="area > 80 um2"))'))
    [80.0]
    """
    found: dict[float, int] = {}
    for start, end in numerals(expression):
        text = expression[start:end].replace(",", "").replace("−", "-")
        try:
            found.setdefault(float(text), start)
        except ValueError:  # a number in words stands in no condition
            continue
    return found


def verify(text: str, spans: Sequence[Span], evidence: Sequence[Evidence]) -> None:
    """Refuses a text that states what evidence does not.

    Raises
    ------
    EvidenceError : a span whose evidence prints otherwise, or whose expression holds no such number; or a number outside every
    span.
    """
    for s in spans:
        if not 0 <= s.index < len(evidence):
            raise EvidenceError(f"a span points to evidence {s.index} of {len(evidence)}")
        fact, words = evidence[s.index], text[s.start : s.end]
        if not _said(fact, words) if s.field == EXPRESSION else print_field(fact, s.field) != words:
            raise EvidenceError(f"the text says {words!r}, which {s.field} of {fact.quantity!r} does not")
    for start, end in numerals(text):
        if not any(s.start <= start and end <= s.end for s in spans):
            raise EvidenceError(f"the number {text[start:end]!r} in {text!r} is not covered by evidence")


def _said(fact: Evidence, words: str) -> bool:
    """Whether the expression, or the name of the fact, holds a number of the words."""
    plain, expression = words.replace(",", "").replace("−", "-"), str(fact.parameters.get("expression", ""))
    if plain in expression or plain in fact.quantity.replace(",", ""):
        return True
    try:
        return float(plain) in said_numbers(expression)
    except ValueError:
        return False
