"""States and kinds in words ("budding", "mitotic", "neutrophil"): what the model has learned, or an honest no."""

from __future__ import annotations

import re

import numpy as np

from ...errors import EvidenceError
from ...models.ontology import ontology
from ...models.wording import plural
from ..knowledge.notes import likenesses
from .eyes import FLOOR, concept_of, knows, load, named
from .finding import everything
from .selection import Selection

_NEAR, _LONGEST, _LONGER = 0.65, 5, 0.03
"""Likeness, a cosine, from which a few words are taken for the look of a kind; how many words at most; and what each more counts
among several."""


def of_state(found: Selection, text: str) -> np.ndarray:
    """Which of the objects are what a word says, where the model has learned it.

    Raises
    ------
    EvidenceError : it has not: no pixels are asked, and nothing is guessed.
    """
    if "name" in found.table and _of_name(found, text).any():
        return _of_name(found, text)
    eyes = str(found.found.get("eyes", FLOOR))
    for name in (f"{text} {found.kind}", text, by_look(found.kind, text)):
        concept = concept_of(name) if name else None
        if concept is None or eyes == FLOOR or not knows(load(eyes), name):
            continue
        own = named(found.table, concept)
        if own.any():
            return own
        return _overlapping(found, concept, eyes)
    raise EvidenceError(
        f"I cannot tell which {found.many} are {text}: that is neither a shape nor a brightness, and I have not learned it. "
        f"A condition that can be measured would do, for example larger than, brighter than or rounder than something"
    )


def by_look(kind: str, *said: str) -> str:
    """The narrower kind whose look is what is said ("spiky" of red cells: burr cell); empty where none is near.

    >>> by_look("red blood cell", "bullseye pattern"), by_look("red blood cell", "who made this")
    ('target cell', '')
    """
    known = ontology()
    looks = {look: name for name in known.descendants(concept_of(kind) or "cell") for look in known[name].looks}
    general = {*kind.split(), *plural(kind).split(), "cell", "cells", "type", "kind"}
    words = [re.findall(r"[\w'-]+", text.lower()) for text in said]
    parts = [w[k : k + n] for w in words for n in range(1, _LONGEST + 1) for k in range(len(w) - n + 1)]
    parts = [p for p in parts if not {p[0], p[-1]} & general]
    if not looks or not parts:
        return ""
    likeness = likenesses([" ".join(p) for p in parts], tuple(looks))
    length = np.array([[len(p)] for p in parts])
    at, best = np.unravel_index(int((likeness + _LONGER * length).argmax()), likeness.shape)
    return list(looks.values())[best] if likeness[at, best] >= _NEAR else ""


def _of_name(found: Selection, text: str) -> np.ndarray:
    """Objects whose own name is that word, as corrected or given tables have it."""
    names = found.table["name"].astype(str).str.lower()
    return np.asarray((names == text) | (names == f"{text} {found.kind}"))


def _overlapping(found: Selection, concept: str, eyes: str) -> np.ndarray:
    """Which objects hold the centre of something the model names so, or lie where it sees it."""
    seen = everything(found.image, eyes, found.channel)
    rows = seen.table[named(seen.table, concept)]
    held = np.zeros(len(found), bool)
    if not len(rows):
        return held
    plane = found.label_plane()
    y, x = (
        np.clip(np.round(rows[f"centroid_{a}_px"].to_numpy(float)).astype(int), 0, n - 1)
        for a, n in zip("yx", plane.shape, strict=True)
    )
    return np.asarray(found.table["label"].isin(set(plane[y, x].tolist()) - {0}))
