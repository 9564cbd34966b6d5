"""Conditions on objects, as they stand in ``having``: ``area > 80 um2 and not border``; read into a tree, never executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ...errors import LanguageError

FLAGS = ("border", "touching", "in_focus", "saturated")
_TOKEN = re.compile(
    r'\s*(?:(?P<number>[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?)|(?P<text>"[^"]*"|\'[^\']*\')|(?P<op>>=|<=|==|!=|>|<)|(?P<sign>[()*+\-%,])|'
    r"(?P<word>[A-Za-zµ_][\w²]*))"
)
_UNITS = ("nm", "um", "mm", "cm", "px", "nm2", "um2", "mm2", "cm2", "px2", "um3", "%", "grey", "deg", "s", "min", "h")
_STATISTICS = ("median", "mean", "sd", "min", "max")
_WORDS = {"largest": "top", "highest": "top", "brightest": "top", "lowest": "bottom", "smallest": "bottom"}


@dataclass(frozen=True, slots=True)
class Limit:
    """What is compared with: ``value`` in ``unit``, or ``value`` times a statistic of the set, plus ``spread`` standard
    deviations."""

    value: float
    unit: str = ""
    of: str = ""
    spread: float = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A quantity against a limit; ``op`` is a comparison, or ``"top"`` / ``"bottom"`` for a place among the others."""

    quantity: str
    op: str
    limit: Limit
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """What is either so or not: ``border``, ``touching``, ``in_focus``, ``saturated``."""

    name: str


@dataclass(frozen=True, slots=True)
class Is:
    """A look, state or kind in words."""

    text: str


@dataclass(frozen=True, slots=True)
class Color:
    """A colour, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """What does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """Parts that hold together (``and``) or one of which holds (``or``)."""

    parts: tuple[Condition, ...]
    how: Literal["and", "or"]


Condition = Comparison | Flag | Is | Color | Not | Both


def parse_condition(text: str) -> Condition:
    """The tree of a condition.

    Raises
    ------
    LanguageError : it cannot be read; says where.

    Examples
    --------
    >>> parse_condition("area > 80 um2 and not border").parts[0]
    Comparison(quantity='area', op='>', limit=Limit(value=80.0, unit='um2', of='', spread=0.0), channel='')
    >>> parse_condition("area in top 5 %").op
    'top'
    """
    reader = _Reader(text, list(_tokens(text)))
    condition = reader.either()
    if reader.rest:
        raise reader.wrong("something is left over")
    return condition


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            where = repr(text[at : at + 12])
            raise LanguageError(f"the condition {text!r} cannot be read at {where}; write for example area > 80 um2")
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


@dataclass
class _Reader:
    text: str
    rest: list[tuple[str, str]]
    last: Comparison | None = None

    def wrong(self, what: str) -> LanguageError:
        why, example = f"{what} at {' '.join(t for _, t in self.rest)[:30]!r}", "area > 80 um2 and not border"
        return LanguageError(f"the condition {self.text!r} cannot be read: {why}; write for example {example}")

    def take(self, *values: str) -> str | None:
        if self.rest and self.rest[0][1].lower() in values:
            return self.rest.pop(0)[1].lower()
        return None

    def either(self) -> Condition:
        return self._row("or", self.all)

    def all(self) -> Condition:
        return self._row("and", self.one)

    def _row(self, how: Literal["and", "or"], part) -> Condition:  # type: ignore[no-untyped-def]
        parts = [part()]
        while self.take(how):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), how)

    def one(self) -> Condition:
        if self.take("not"):
            return Not(self.one())
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise self.wrong("a bracket is not closed")
            return inner
        if not self.rest:
            raise self.wrong("something is missing")
        kind, word = self.rest.pop(0)
        if kind == "op" and self.last is not None:  # "area > 80 um2 and < 140 um2"
            return Comparison(self.last.quantity, word, self._limit(), self.last.channel)
        if kind == "text":
            return Is(word[1:-1])
        if word == "is":
            return Not(Is(self._word())) if self.take("not") else Is(self._word())
        if word in FLAGS and not (self.rest and self.rest[0][0] == "op"):
            return Flag(word)
        if word in ("color", "colour"):
            op = self._op()
            found = Color(self._word())
            return Not(found) if op == "!=" else found
        return self._test(word)

    def _test(self, quantity: str) -> Condition:
        channel = ""
        if self.take("("):
            channel = self._name()
        if self.take("in"):
            end = self.take("top", "bottom", *_WORDS)
            if end is None:
                raise self.wrong("top or bottom is missing")
            limit = self._limit()
            return Comparison(quantity, _WORDS.get(end, end), limit, channel)
        if self.take("between"):
            low = self._limit()
            self.take("and")
            high = self._limit()
            low = low if low.unit or low.of else replace(low, unit=high.unit)  # "between 80 and 140 um2"
            return Both((Comparison(quantity, ">=", low, channel), Comparison(quantity, "<=", high, channel)), "and")
        if not self.rest or self.rest[0][0] != "op":
            return Is(quantity)
        op = self._op()
        if self.rest and self.rest[0][0] == "text":
            return Is(self._word())
        test = self.last = Comparison(quantity, op if op != "!=" else "==", self._limit(), channel)
        return Not(test) if op == "!=" else test

    def _op(self) -> str:
        if not self.rest or self.rest[0][0] != "op":
            raise self.wrong("a comparison is missing")
        return self.rest.pop(0)[1]

    def _word(self) -> str:
        words = []
        if self.rest and self.rest[0][0] == "text":
            return self.rest.pop(0)[1][1:-1]
        while self.rest and self.rest[0][0] in ("word", "number") and self.rest[0][1] not in ("and", "or"):
            words.append(self.rest.pop(0)[1])
        if not words:
            raise self.wrong("a word is missing")
        return " ".join(words)

    def _name(self) -> str:
        """The name of a channel, up to the bracket."""
        parts = []
        while self.rest and self.rest[0][1] != ")":
            parts.append(self.rest.pop(0)[1].strip("\"'"))
        self.take(")")
        return " ".join(parts)

    def _limit(self) -> Limit:
        factor, of, spread = 1.0, "", 0.0
        if self.rest and self.rest[0][0] == "number":
            factor = float(self.rest.pop(0)[1])
            unit = self.take(*_UNITS)
            if unit:
                return Limit(factor, unit)
            if not self.take("*"):
                return Limit(factor)
        of = self.take(*_STATISTICS) or ""
        if not of:
            raise self.wrong("a number is missing")
        sign = self.take("+", "-")
        if sign:
            times = float(self.rest.pop(0)[1]) if self.rest and self.rest[0][0] == "number" else 1.0
            self.take("*")
            if not self.take("sd"):
                raise self.wrong("only standard deviations are added to a statistic")
            spread = times if sign == "+" else -times
        return Limit(factor, "", of, spread)
