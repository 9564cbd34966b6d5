"""Expressions as a row of tokens and back: names with their bracket, keywords, text as word pieces, numbers as pointers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...errors import LanguageError
from ..language import Call, Node, parse
from .pieces import END, Pieces, joined

CLOSE, LIST, UNLIST, TEXT, UNTEXT, NEXT, TRUE, FALSE = ")", "[", "]", "<text>", "</text>", ";", "True", "False"
LITERALS = (
    0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 20, 25, 50, 75, 80, 90, 95, 99, 100, 255, 256, 400, 500, 1000, 65535,
    0.5, 0.05, 0.01, 0.95, 0.8, 1000000,
)  # fmt: skip
STRUCTURE = (CLOSE, LIST, UNLIST, TEXT, UNTEXT, NEXT, TRUE, FALSE, END)
POINTERS = (("<{}>", 1.0), ("<{}%>", 100.0))
"""A pointer takes a number of the sentence as it is, or as a percentage ("a quarter": 25)."""
_NUMERAL = re.compile(r"(?<![A-Za-z0-9_.])-?\d+(?:\.\d+)?(?:e-?\d+)?")
_SPELT = re.compile(r"<(\d+)(%?)>")


@dataclass(frozen=True)
class Source:
    """What may be pointed at: the numbers of the sentence and of what was said before, in order."""

    numbers: tuple[float, ...] = ()

    def pointer(self, value: float) -> str | None:
        """The token that stands for a value; None where nobody said it."""
        for k, said in enumerate(self.numbers):
            for form, factor in POINTERS:
                if abs(said * factor - value) <= 1e-6 * max(1.0, abs(value)):
                    return form.format(k)
        return None


def tokens_of(calls: Sequence[Call], pieces: Pieces, source: Source) -> list[str]:
    """The tokens of a turn's expressions, closed by the end.

    Raises
    ------
    LanguageError : they hold a number that is neither said nor usual, or a word the vocabulary cannot write.
    """
    out: list[str] = []
    for k, call in enumerate(calls):
        out += [NEXT] if k else []
        out += _written(call, pieces, source)
    return [*out, END]


def _written(node: Node, pieces: Pieces, source: Source) -> Iterator[str]:
    if isinstance(node, Call):
        yield f"{node.name}("
        for arg in node.args:
            yield from _written(arg, pieces, source)
        for key, value in node.given:
            yield f"{key}="
            yield from _written(value, pieces, source)
        yield CLOSE
    elif isinstance(node, tuple):
        yield LIST
        for part in node:
            yield from _written(part, pieces, source)
        yield UNLIST
    elif isinstance(node, bool):
        yield TRUE if node else FALSE
    elif isinstance(node, str):
        yield TEXT
        yield from _text(node, pieces, source)
        yield UNTEXT
    else:
        yield _number(float(node), source)


def _number(value: float, source: Source) -> str:
    pointer = source.pointer(value) or next((f"#{v}" for v in LITERALS if v == value), None)
    if pointer is None:
        raise LanguageError(f"the number {value:g} was not said")
    return pointer


def _text(text: str, pieces: Pieces, source: Source) -> Iterator[str]:
    """Word pieces; numbers that were said are pointed at, others are spelt out."""
    at = 0
    for match in _NUMERAL.finditer(text):
        pointer = source.pointer(float(match.group()))
        if pointer is not None:
            yield from pieces.split(text[at : match.start()])
            yield pointer
            at = match.end()
    yield from pieces.split(text[at:])


def calls_of(tokens: Sequence[str], source: Source) -> tuple[Call, ...]:
    """The expressions that tokens write; :func:`tokens_of` reversed, but for capitals.

    Raises
    ------
    LanguageError : they are not well formed.
    """
    texts, words = [""], list[str]()
    inside = False
    for token in tokens:
        if token in (TEXT, UNTEXT):
            texts[-1] += f"{said(words, source)!r}, " if inside else ""
            words, inside = [], token == TEXT
        elif inside:
            words.append(token)
        elif token == NEXT:
            texts.append("")
        elif token.endswith(("(", "=", LIST)):
            texts[-1] += token
        elif token != END:
            texts[-1] += f"{_valued(token, source)}, "
    return tuple(_once(parse(text.rstrip(", "))) for text in texts)


def _valued(token: str, source: Source) -> str:
    """A token as an expression has it: numbers by their value, brackets and truths as they are."""
    match = _SPELT.fullmatch(token)
    return str(_plain(_value(match, source))) if match else token.removeprefix("#")


def _once(call: Call) -> Call:
    """Keywords that are written twice, as they were written last."""
    return call.map(lambda c: Call(c.name, c.args, tuple(dict(c.given).items())))


def said(pieces: Sequence[str], source: Source) -> str:
    """The text that pieces and pointers write; operators and units as the language spells them."""
    shown = [f"{_plain(_value(m, source))}" if (m := _SPELT.fullmatch(p)) else p for p in pieces]
    text = joined(shown)
    text = re.sub(r"([<>=!]) (?==)", r"\1", text)
    return re.sub(r'(")\s*([^"]*?)\s*(")', r"\1\2\3", text)


def _value(match: re.Match[str], source: Source) -> float:
    k = int(match[1])
    if k >= len(source.numbers):
        raise LanguageError(f"no number {k} was said")
    return source.numbers[k] * (100.0 if match[2] else 1.0)


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) and abs(value) < 1e15 else float(f"{value:.10g}")
