"""Notes: what a microscopist is expected to know, written down with its sources and found by meaning."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..words.tables import table

_FILES = (
    "optics", "cameras", "faults", "fluorescence", "analysis", "statistics", "cells", "biology", "haematology", "tissue",
    "materials", "advice",
)  # fmt: skip
_SIDES = ("what", "why", "how", "fails", "advice", "alternative", "do")
FLOOR, BOTH, SURE = 0.6, 0.48, 0.63
"""The least likeness, a cosine, at which a note is taken for what was asked: by its topic, or by topic and question, of which one
may say little; and that from which it is taken without a word on it."""
PHRASES = Path(__file__).parent / "phrases.safetensors"
"""What the reader makes of the phrases that ask for notes; ``recipes/reader/phrases.py`` writes it."""
_WORDS, _LEAN = 0.45, 0.05
"""Weight of words that are the same beside likeness of meaning; and how much nearer a note of the sort that is asked for, advice
or explanation, counts."""
_BEGINNING = 6
"""Words are the same whose first letters are."""


@dataclass(frozen=True)
class Note:
    """One thing worth knowing.

    Attributes
    ----------
    key : its name.
    asked : phrases that ask for it.
    texts : side (``"what" "why" "how" "fails" "advice" "alternative" "do"``, and the verdicts ``"yes" "no"``) to one to three
    sentences; numbers in braces, ``{200 nm}``.
    source : where it is written.
    area : the file it stands in.
    measure : for advice, an expression whose value on the open image is said with it.
    good : where a number is measured, the comparison, e.g. ``">= 70"``, at which ``yes`` is said, and else ``no``.
    """

    key: str
    asked: tuple[str, ...]
    texts: Mapping[str, str]
    source: str
    area: str
    measure: str = ""
    good: str = ""

    def side(self, *wanted: str) -> str:
        """The text of the first side that it has; else what it is, or what to do."""
        return next(self.texts[s] for s in (*wanted, *_SIDES) if s in self.texts)


@cache
def all_notes() -> tuple[Note, ...]:
    """All notes."""
    return tuple(note for name in _FILES for note in _read(name))


def _read(name: str) -> Iterator[Note]:
    for key, entry in table(name, __package__).items():
        texts = {side: entry[side] for side in (*_SIDES, "yes", "no") if side in entry}
        yield Note(key, tuple(entry["asked"]), texts, entry["source"], name, entry.get("measure", ""), entry.get("good", ""))


def look_up(*said: str, advice: bool = False, floor: float = FLOOR) -> list[tuple[float, Note]]:
    """The notes that are asked for, the likeliest first, each with its likeness; none where none is near.

    Parameters
    ----------
    said : the topic, and the question it is from where that is known.
    advice : whether what to do is asked, so that of notes equally near one on that comes first.
    """
    starts = np.cumsum([0, *(len(note.asked) for note in all_notes())])[:-1]
    lean = np.array([_LEAN if (note.area == "advice") == advice else 0.0 for note in all_notes()])
    topics = [t for t in said if t.strip()]
    meant = np.maximum.reduceat(_vectors(tuple(topics)) @ _phrased().T, starts, axis=1) if topics else ()
    by = [(1 - _WORDS) * m + _WORDS * _shared(t) for m, t in zip(meant, topics, strict=True)]
    likeness = np.mean(by, axis=0) + lean if by else lean
    least = floor if len(by) < 2 else floor - (FLOOR - BOTH)
    order = np.argsort(-likeness, kind="stable")[:3]
    return [(float(likeness[k]), all_notes()[k]) for k in order if likeness[k] >= least]


@cache
def phrases_of_notes() -> tuple[str, ...]:
    """The phrases that ask for notes, in their order."""
    return tuple(p for note in all_notes() for p in note.asked)


def _shared(text: str) -> np.ndarray:
    """How much of a text's words each note holds, 0 to 1; a word counts the more, the fewer notes hold it."""
    held, rarity = _vocabulary()
    weights = {word: rarity.get(word, rarity[""]) for word in _words(text)}
    return np.array([sum(weights[w] for w in weights.keys() & words) for words in held]) / max(sum(weights.values()), 1e-9)


@cache
def _vocabulary() -> tuple[list[frozenset[str]], dict[str, float]]:
    """The words of every note, and how rare each word is; of ``""``, how rare one is that none holds."""
    held = [_words(" ".join([note.key, *note.asked, *note.texts.values()])) for note in all_notes()]
    among = Counter(word for words in held for word in words)
    return held, {word: float(np.log((len(held) + 1) / (n + 0.5))) for word, n in [*among.items(), ("", 0)]}


def _words(text: str) -> frozenset[str]:
    """The beginnings of the words of a text."""
    return frozenset(word[:_BEGINNING] for word in re.findall(r"[^\W\d_]+", text.lower()))


def nearest(text: str, names: Sequence[str], floor: float = FLOOR) -> list[str]:
    """The name nearest in meaning to a text; none where none is near."""
    likeness = likenesses((text,), tuple(names))[0]
    best = int(likeness.argmax())
    return [names[best]] if likeness[best] >= floor else []


def likenesses(texts: Sequence[str], phrases: tuple[str, ...]) -> np.ndarray:
    """Cosines ``(texts, phrases)``."""
    return np.asarray(_vectors(tuple(texts)) @ _vectors(phrases).T)


@cache
def _vectors(texts: tuple[str, ...]) -> np.ndarray:
    """Unit vectors of texts, capitals aside."""
    from ..reader.reading import vectors  # it loads torch: with the first question, not before

    return vectors([t.lower() for t in texts])


@cache
def _phrased() -> np.ndarray:
    """Unit vectors of the notes' phrases: those that are shipped, where they are still theirs."""
    from safetensors import safe_open

    with safe_open(PHRASES, "numpy") as kept:
        if kept.metadata()["of"] != digest_of(phrases_of_notes()):
            return _vectors(phrases_of_notes())
        rows = kept.get_tensor("rows").astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def digest_of(phrases: tuple[str, ...]) -> str:
    """A hash that names phrases and the reader that made vectors of them."""
    from ..reader.reading import weights_digest

    return hashlib.sha256("\n".join([weights_digest(), *phrases]).encode()).hexdigest()
