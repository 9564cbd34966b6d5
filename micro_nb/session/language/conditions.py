"""Conditions on objects, as they stand in ``having``: ``area > 80 um2 and not border``; read into a tree, never executed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ...errors import LanguageError

FLAGS = ("border", "touching", "in_focus", "saturated")
_TOKEN = re.compile(
    r'\s*(?:(?P<number>[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?)|(?P<text>"[^"]*"|\'[^\']*\')|(?P<op>>=|<=|==|!=|>|<)|(?P<sign>[()*+\-%,])|'
    r"(?P<word>[A-Za-zµ_][\w²]*))"
)
_UNITS = ("nm", "um", "mm", "cm", "px", "nm2", "um2", "mm2", "cm2", "px2", "um3", "%", "grey", "deg", "s", "min", "h")
_STATISTICS = ("median", "mean", "sd", "min", "max", *(f"p{n:02}" for n in range(1, 100)))
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
    """Reads tokens from left to right; ``last`` is the comparison before, whose quantity "and < 140 um2" takes over."""

    text: str
    rest: list[tuple[str, str]]
    last: Comparison | None = None

    def wrong(self, what: str) -> LanguageError:
        why, example = f"{what} at {' '.join(t for _, t in self.rest)[:30]!r}", "area > 80 um2 and not border"
        return LanguageError(f"the condition {self.text!r} cannot be read: {why}; write for example {example}")

    @property
    def kind(self) -> str:
        """What comes next: ``"number" "text" "op" "sign" "word"``; nothing at the end."""
        return self.rest[0][0] if self.rest else ""

    def pop(self, *kinds: str, what: str = "something") -> str:
        """The next token, which is of one of these kinds."""
        if self.kind not in kinds:
            raise self.wrong(f"{what} is missing")
        return self.rest.pop(0)[1]

    def take(self, *values: str) -> str:
        """The next token where it is one of these; else nothing."""
        return self.rest.pop(0)[1].lower() if self.rest and self.rest[0][1].lower() in values else ""

    def either(self) -> Condition:
        return self.row("or", lambda: self.row("and", self.one))

    def row(self, how: Literal["and", "or"], part: Callable[[], Condition]) -> Condition:
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
        kind, word = self.kind, self.pop("number", "text", "op", "sign", "word")
        if kind == "op" and self.last is not None:  # "area > 80 um2 and < 140 um2"
            return replace(self.last, op=word, limit=self.limit())
        if kind == "text":
            return Is(word[1:-1])
        if word == "is":
            return Not(Is(self.words())) if self.take("not") else Is(self.words())
        if word in FLAGS and self.kind != "op":
            return Flag(word)
        if word in ("color", "colour"):
            denied = self.pop("op", what="a comparison") == "!="
            found = Color(self.words())
            return Not(found) if denied else found
        return self.test(word)

    def test(self, quantity: str) -> Condition:
        channel = self.name() if self.take("(") else ""
        if self.take("in"):
            end = self.take("top", "bottom", *_WORDS)
            if not end:
                raise self.wrong("top or bottom is missing")
            return Comparison(quantity, _WORDS.get(end, end), self.limit(), channel)
        if self.take("between"):
            low = self.limit()
            self.take("and")
            high = self.limit()
            low = low if low.unit or low.of else replace(low, unit=high.unit)  # "between 80 and 140 um2"
            return Both((Comparison(quantity, ">=", low, channel), Comparison(quantity, "<=", high, channel)), "and")
        if self.kind != "op":
            return Is(quantity)
        op = self.pop("op")
        if self.kind == "text":
            return Is(self.words())
        self.last = Comparison(quantity, op if op != "!=" else "==", self.limit(), channel)
        return Not(self.last) if op == "!=" else self.last

    def words(self) -> str:
        if self.kind == "text":
            return self.pop("text")[1:-1]
        words = []
        while self.kind in ("word", "number") and self.rest[0][1] not in ("and", "or"):
            words.append(self.pop(self.kind))
        if not words:
            raise self.wrong("a word is missing")
        return " ".join(words)

    def name(self) -> str:
        """The name of a channel, up to the bracket."""
        parts = []
        while self.rest and self.rest[0][1] != ")":
            parts.append(self.rest.pop(0)[1].strip("\"'"))
        self.take(")")
        return " ".join(parts)

    def limit(self) -> Limit:
        factor = 1.0
        if self.kind == "number":
            factor = float(self.pop("number"))
            unit = self.take(*_UNITS)
            if unit or not self.take("*"):
                return Limit(factor, unit)
        of = self.take(*_STATISTICS)
        if not of:
            raise self.wrong("a number is missing")
        sign, spread = self.take("+", "-"), 0.0
        if sign:
            spread = float(self.pop("number") if self.kind == "number" else 1.0) * (1 if sign == "+" else -1)
            self.take("*")
            if not self.take("sd"):
                raise self.wrong("only standard deviations are added to a statistic")
        return Limit(factor, "", of, spread)
