"""The words people use and what they mean, read from ``lexicon.toml``: slots of a question, and phrases that fill them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Meaning = tuple[str, str]
_ROWS, _COLS = {"top": ("top", "upper"), "bottom": ("bottom", "lower")}, ("left", "right")
_TOUCHES = (
    "touch", "touches", "touching", "hit", "hits", "hitting", "cut by", "cut off by", "cut off at", "cut at", "at", "on", "reach",
    "reaching", "clipped by", "crossing", "cross", "overlapping",
)  # fmt: skip
_EDGES = tuple(f"{edge}{s}" for edge in ("border", "edge", "boundary", "frame", "margin") for s in ("", "s"))
_OF = ("", " of the image", " of the picture", " of the frame", " of the field", " of the slide", " of the field of view")
_BEFORE = ("", "image ", "picture ", "frame ", "slide ")
_TAILS = ("", " quarter", " quadrant", " corner", " part", " hand corner")


@dataclass(frozen=True)
class Target:
    """What a question may be about.

    Attributes
    ----------
    one, many : how it is called.
    known : whether segmentation without trained weights may answer for it: ``"any"`` word for an object, ``"main"`` objects of
        pictures that show little else (stated as an assumption), ``"no"`` one kind among others, which it cannot tell apart.
    """

    one: str
    many: str
    known: Literal["any", "main", "no"]


@cache
def filler() -> frozenset[str]:
    """Words that carry no meaning of their own in a question."""
    return frozenset(_data()["filler"])


@cache
def restricting() -> frozenset[str]:
    """Words after which an unread word would narrow the question."""
    return frozenset(_data()["restricting"])


@cache
def parts() -> frozenset[str]:
    """Names of the parts of an image."""
    return frozenset(value for kind, value, _ in _entries() if kind == "part")


@cache
def phrases() -> Mapping[tuple[str, ...], tuple[Meaning, ...]]:
    """Every phrase as words, and what it may mean; a phrase may fill several slots.

    >>> phrases()[("upper", "left", "corner")]
    (('part', 'top left'),)
    """
    table: dict[tuple[str, ...], tuple[Meaning, ...]] = {}
    for kind, value, phrase in _entries():
        words = tuple(phrase.split())
        table[words] = table.get(words, ()) + ((kind, value),)
    return table


@cache
def longest() -> int:
    """Words in the longest phrase."""
    return max(len(words) for words in phrases())


@cache
def vocabulary() -> frozenset[str]:
    """Every word any phrase uses, and the filler."""
    return filler() | {word for words in phrases() for word in words}


def target(key: str | None) -> Target:
    """How a target is called and whether it may be measured without trained weights; "objects" where none is named."""
    entry = _data()["target"][key or "object"]
    return Target(entry["one"], entry["many"], entry["known"])


def _entries() -> Iterator[tuple[str, str, str]]:
    """``(kind, value, phrase)`` of the whole lexicon."""
    data = _data()
    for key, entry in data["target"].items():
        yield from (("target", key, phrase) for phrase in entry["words"])
    for kind, values in data.items():
        if isinstance(values, dict) and kind != "target":
            yield from ((kind, value, phrase) for value, listed in values.items() for phrase in listed)
    for row, names in _ROWS.items():
        yield from (("part", f"{row} {col}", f"{name} {col}{tail}") for name in names for col in _COLS for tail in _TAILS)
    yield from (("superlative", f"from_{place} min", phrase) for place, phrase in _nearest())
    odd = [(key, f"odd {word} out") for key, e in data["target"].items() for word in e["words"]]
    yield from (meaning for key, phrase in odd for meaning in (("superlative", "oddness max", phrase), ("target", key, phrase)))
    wholly = ("entirely", "completely", "fully", "wholly", "totally", "entire", "whole")
    frames = ("frame", "image", "picture", "field", "view", "field of view")
    inside = (f"{how} {where} the {what}" for how in wholly for where in ("inside", "within", "in") for what in frames)
    yield from (("border", "inside", phrase) for phrase in inside)
    edges = [f"{det}{kind}{edge}{of}" for det in ("", "the ", "an ") for kind in _BEFORE for edge in _EDGES for of in _OF]
    yield from (("border", "touch", f"{verb} {edge}") for verb in _TOUCHES for edge in edges)


def _nearest() -> Iterator[tuple[str, str]]:
    """ "Nearer the top", "closest to the left edge" and their like, with the place they name."""
    called = {"top": ("top", "upper"), "bottom": ("bottom", "lower"), "left": ("left",), "right": ("right",)}
    names = {
        place: (place, *(f"{word} {edge}" for word in words for edge in ("edge", "border", "side", "rim")))
        for place, words in called.items()
    }
    names |= {"center": ("center", "centre", "middle", "image center", "image centre")}
    names |= {"border": ("border", "edge", "rim", "frame", "image border", "image edge")}
    for near in ("nearer", "nearest", "closer", "closest"):
        for place, named in names.items():
            yield from ((place, f"{near} {to}{word}") for word in named for to in ("the ", "to the ", "to ", ""))


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("lexicon.toml").read_text(encoding="utf8"))
