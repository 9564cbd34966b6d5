"""Phrasings to learn from: those written down, with other objects, numbers and parts in their place, and typing errors."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..lexicon import parts, phrases
from ..query import Query
from ..slots import part
from .form import parts_of
from .pieces import words

_SHAPE = (100, 200)
_BEFORE = ("", "", "", "", "please ", "hi, ", "ok, ", "so ", "could you tell me ", "i want to know ", "hey ", "pls ")
_AFTER = ("", "", "", "", "?", " please", " pls", " thanks", "??", ".", " in this image", " here")


def sampled(families: Sequence[Mapping[str, Any]], n: int, seed: int = 0) -> Iterator[tuple[str, Query]]:
    """``n`` phrasings with their queries, drawn from families ``{"expect", "wordings"}``."""
    draw = random.Random(seed)
    known = _by_value()
    for _ in range(n):
        family = draw.choice(families)
        text, query = draw.choice(family["wordings"]), parts_of(family["expect"], _SHAPE)
        text, query = _other_target(text, query, known, draw)
        text, query = _other_part(text, query, known, draw)
        text, query = _other_numbers(text, query, draw)
        yield _mistyped(draw.choice(_BEFORE) + text + draw.choice(_AFTER), draw), query


def _by_value() -> dict[tuple[str, str], list[str]]:
    """The phrases of every target and part."""
    table: dict[tuple[str, str], list[str]] = {}
    for phrase, meanings in phrases().items():
        for meaning in meanings:
            if meaning[0] in ("target", "part") and len(meanings) == 1:
                table.setdefault(meaning, []).append(" ".join(phrase))
    return table


def _other_target(text: str, query: Query, known: Mapping[tuple[str, str], list[str]], draw: random.Random) -> tuple[str, Query]:
    """Another object in the place of the one that is named."""
    named = _found(text, known.get(("target", query.target or ""), []))
    if named is None:
        return text, query
    key = draw.choice([value for kind, value in known if kind == "target"])
    plural = named.endswith(("s", "i", "a"))
    spoken = [w for w in known[("target", key)] if w.endswith(("s", "i", "a")) == plural] or known[("target", key)]
    return re.sub(rf"\b{re.escape(named)}\b", draw.choice(spoken), text, flags=re.IGNORECASE), replace(query, target=key)


def _other_part(text: str, query: Query, known: Mapping[tuple[str, str], list[str]], draw: random.Random) -> tuple[str, Query]:
    if query.region is None or query.against is not None:
        return text, query
    named = _found(text, known.get(("part", query.region.name or ""), []))
    if named is None:
        return text, query
    name = draw.choice(sorted(parts() - {"whole image"}))
    return re.sub(rf"\b{re.escape(named)}\b", draw.choice(known[("part", name)]), text, flags=re.IGNORECASE), replace(
        query, region=part(name, _SHAPE)
    )


def _other_numbers(text: str, query: Query, draw: random.Random) -> tuple[str, Query]:
    """Other numbers in the place of those of filters and claims."""
    _, numbers = words(text)
    fresh = {n: float(draw.randint(2, 400)) for n in numbers}

    def other(value: Any) -> Any:
        return fresh.get(value, value) if isinstance(value, float) else value

    used = [f.value for f in query.filters] + ([query.claim.value] if query.claim else [])
    if not numbers or not set(numbers) <= {v for v in used if isinstance(v, float)} or len(fresh) > 1:
        return text, query
    other_text = re.sub(r"\d+(?:\.\d+)?", lambda m: f"{fresh.get(float(m.group()), float(m.group())):g}", text)
    if words(other_text)[1] != [fresh[n] for n in numbers]:  # a number is spelled out
        return text, query
    claim = replace(query.claim, value=other(query.claim.value)) if query.claim else None
    return other_text, replace(query, filters=tuple(replace(f, value=other(f.value)) for f in query.filters), claim=claim)


def _found(text: str, spoken: Sequence[str]) -> str | None:
    return next((w for w in sorted(spoken, key=len, reverse=True) if re.search(rf"\b{re.escape(w)}\b", text.lower())), None)


def _mistyped(text: str, draw: random.Random) -> str:
    """One in five texts with two letters swapped, one in ten with a letter lost."""
    at = draw.randrange(max(len(text) - 2, 1))
    if draw.random() < 0.2 and text[at : at + 2].isalpha():
        text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if draw.random() < 0.1 and text[at : at + 1].isalpha():
        text = text[:at] + text[at + 1 :]
    return text.upper() if draw.random() < 0.03 else text
