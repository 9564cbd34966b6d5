"""The topics: what each says, the names it goes by, and where it is written."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from .words import content, fold

_NO_TEXT = ("source", "term")
_FILES = ("optics", "cameras", "fluorescence", "analysis", "statistics", "cells", "haematology", "advice")
_NUMBER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Topic:
    """One thing worth knowing.

    Attributes
    ----------
    key : its name.
    names : phrases people call it by.
    texts : facet (``"what"``, ``"why"``, ``"how"``, ``"fails"``, ``"advice"``, ``"alternative"``; of advice others too) to one to
        three sentences; numbers stand in braces with their unit, ``{200 nm}``, names with digits in braces and quotes.
    source : where it is written.
    looks : how the thing looks, where people describe it and ask for its name.
    term : that name.
    area : the file it stands in.
    when : for advice, groups of phrases; a question that holds one of every group asks for it.
    facts : for advice, what is measured first.
    """

    key: str
    names: tuple[tuple[str, ...], ...]
    texts: Mapping[str, str]
    source: str
    looks: tuple[tuple[str, ...], ...] = ()
    term: str = ""
    area: str = ""
    when: tuple[tuple[tuple[str, ...], ...], ...] = ()
    facts: tuple[str, ...] = ()

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every word its names and texts use."""
        said = (w for text in self.texts.values() for w in content(fold(text)))
        return frozenset([*said, *(w for name in (*self.names, *self.looks) for w in name)])


@dataclass(frozen=True)
class Stated:
    """A number a topic states: value and unit, or a name with digits in it (then without unit)."""

    value: float | str
    unit: str = ""


def pieces(text: str) -> Iterator[str | Stated]:
    """A text as words and stated numbers.

    >>> list(pieces("Beads of {100 nm}, or {0.61}."))
    ['Beads of ', Stated(value=100, unit='nm'), ', or ', Stated(value=0.61, unit=''), '.']
    """
    for k, piece in enumerate(_NUMBER.split(text)):
        if k % 2 == 0:
            yield piece
        elif piece.startswith('"'):
            yield Stated(str(ast.literal_eval(piece)))
        else:
            number, _, unit = piece.partition(" ")
            yield Stated(float(number) if "." in number else int(number), unit)


@cache
def topics() -> tuple[Topic, ...]:
    """All topics."""
    return tuple(t for name in _FILES for t in _read(name))


@cache
def _by_key() -> Mapping[str, Topic]:
    return {t.key: t for t in topics()}


def topic(key: str) -> Topic | None:
    """The topic of this key; None where there is none."""
    return _by_key().get(key)


def _read(name: str) -> Iterator[Topic]:
    data = tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf8"))
    for key, entry in data.items():
        names, looks = (tuple(dict.fromkeys(tuple(fold(p)) for p in entry.get(k, ()))) for k in ("names", "looks"))
        texts = {facet: text for facet, text in entry.items() if isinstance(text, str) and facet not in _NO_TEXT}
        when = tuple(tuple(tuple(fold(p)) for p in group) for group in entry.get("when", ()))
        yield Topic(key, names, texts, entry["source"], looks, entry.get("term", ""), name, when, tuple(entry.get("facts", ())))


@cache
def known_words() -> frozenset[str]:
    """Every word a name or a look uses."""
    return frozenset(w for t in topics() for name in (*t.names, *t.looks) for w in name)


@cache
def all_words() -> frozenset[str]:
    """Every word that stands in any topic."""
    return frozenset(w for t in topics() for w in t.vocabulary)
