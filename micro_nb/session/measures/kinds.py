"""States and kinds in words ("budding", "mitotic", "neutrophil"): what the model has learned, or an honest no."""

from __future__ import annotations

import numpy as np

from ...errors import EvidenceError
from .eyes import FLOOR, concept_of, knows, load, named
from .finding import everything
from .selection import Selection

_NEITHER = ("not ", "un")


def of_state(found: Selection, text: str) -> np.ndarray:
    """Which of the objects are what a word says, where the model has learned it.

    Raises
    ------
    EvidenceError : it has not: no pixels are asked, and nothing is guessed.
    """
    if "name" in found.table and _of_name(found, text).any():
        return _of_name(found, text)
    eyes = str(found.found.get("eyes", FLOOR))
    for name in (f"{text} {found.kind}", text):
        concept = concept_of(name)
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
