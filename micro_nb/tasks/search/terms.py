"""What a search text says of numbers, crowding, size, shape, light and colour, as graded scores over measured columns.

No model is asked. ``"several small round cells, not crowded"`` is read as four terms; each grades every image from 0 to 1 by what
was measured in it. Thresholds are relative to the view (an image or a tile; for rows that are objects, to the median object of
their image), because whoever says "large" means large in the picture. The words, and what they ask of which column, lie in
``terms.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from .grades import Grade, geometric_mean, grade

View = Literal["field", "object"]
Parts = tuple[tuple[str, Grade], ...]
FLOOR = 0.05
"""The least a term can grade: one term that fails weakens a match and does not forbid it."""


def _asked(entries: Iterable[Mapping[str, Any]]) -> dict[str, Parts]:
    """What each word asks of which column."""
    return {
        word: tuple((column, grade(*how)) for column, how in entry.items() if column != "words")
        for entry in entries
        for word in entry["words"]
    }


_TOLD = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_WORDS = {name: frozenset(words) for name, words in _TOLD["words"].items()}
_AMOUNTS, _COLORS, _GROUNDS = (_asked(_TOLD[name]) for name in ("amount", "color", "ground"))
_LOOKS = {
    view: _asked([*_TOLD["look"], *({"words": size["words"], "relative_size": size[view]} for size in _TOLD["size"])])
    for view in ("field", "object")
}


@dataclass(frozen=True)
class Term:
    """One thing a text says that can be measured.

    Attributes
    ----------
    words : as they were written.
    parts : column of the measurements and how it grades; a term of several parts is their geometric mean.
    noun : what a number counts, as written (``"white blood cells"``); None for all objects.
    negated : ``"not crowded"``: the grade is turned round.
    optional : one side of an "or": a grade below one half counts as one half.
    """

    words: str
    parts: Parts
    noun: str | None = None
    negated: bool = False
    optional: bool = False

    @property
    def denies(self) -> bool:
        """Whether it says that something is not there: ``"without debris"``."""
        return self.words in _WORDS["none"]

    def grade(self, table: pd.DataFrame) -> np.ndarray | None:
        """``(rows,)`` 0..1; NaN where nothing was measured; None where the table lacks the columns."""
        graded = [grade(table[column].to_numpy(float)) for column, grade in self.parts if column in table.columns]
        if not graded:
            return None
        score = geometric_mean(graded, 1e-6)
        score = 1 - score if self.negated else score
        return np.asarray(np.maximum(score, 0.5) if self.optional else score)

    def counted(self, column_of: Callable[[str], str | None]) -> Term | None:
        """The same over the column that counts its noun; None where it denies something that is not counted."""
        column = column_of(self.noun) if self.noun is not None else None
        if column is None:
            return None if self.noun is not None and self.denies else self  # "without pale centre" is no count of all objects
        return replace(self, parts=tuple((column if name == "n_objects" else name, grade) for name, grade in self.parts))


def read_terms(text: str, *, view: View = "field") -> tuple[Term, ...]:
    """The measurable terms of a text such as ``"fewer than ten large nuclei, dark background"``, in the order they are written.

    ``view`` says what a row is: a picture (``"field"``, also tiles) or one ``"object"``.

    Examples
    --------
    >>> [(t.words, t.noun) for t in read_terms("two leukocytes in a crowded field")]
    [('two', 'leukocytes'), ('crowded', None)]
    """
    return _Reader(text, view).terms()


def measured_score(
    terms: Sequence[Term], table: pd.DataFrame, *, column_of: Callable[[str], str | None] = lambda noun: None
) -> tuple[np.ndarray, tuple[Term, ...]]:
    """How well the rows of a table of measurements meet all terms, and the terms that were graded.

    ``(rows,)`` geometric mean of the grades, each at least :data:`FLOOR` and 0.5 where not measured. ``column_of`` tells the
    column that counts what a noun names; None where the noun is not known, then all objects are counted.
    """
    placed = [(term, term.counted(column_of)) for term in terms]
    graded = [(term, over.grade(table)) for term, over in placed if over is not None]
    known = [(term, np.nan_to_num(grades, nan=0.5)) for term, grades in graded if grades is not None]
    score = geometric_mean([grades for _, grades in known], FLOOR) if known else np.ones(len(table))
    return score, tuple(term for term, _ in known)


class _Reader:
    """Reads words from left to right, the longest known phrase first."""

    def __init__(self, text: str, view: View) -> None:
        plain = text.lower().replace("colour", "color").replace("grey", "gray")
        self.words = re.findall(r"[a-zµ&]+|\d+(?:\.\d+)?|[,;:./()]", plain)
        self.looks, self.at, self.found = _LOOKS[view], 0, list[Term]()

    def terms(self) -> tuple[Term, ...]:
        while self.at < len(self.words):
            self.at += self._number() or self._amount() or self._color() or self._ground() or self._look() or 1
        return tuple(self.found)

    def _phrase(self, phrases: Container[str], at: int) -> str | None:
        """The longest of ``phrases`` that stands at ``at``."""
        for n in (3, 2, 1):
            said = " ".join(self.words[at : at + n])
            if len(self.words[at : at + n]) == n and said in phrases:
                return said
        return None

    def _word(self, at: int) -> str:
        return self.words[at] if at < len(self.words) else ""

    def _value(self, at: int) -> float | None:
        word = self._word(at)
        return float(word) if word[:1].isdigit() else _TOLD["numbers"].get(word)

    def _number(self) -> int:
        """``two``, ``fewer than ten``, ``between 3 and 7``, ``about 20 um``, ``three color``."""
        groups = (_WORDS["fewer"], _WORDS["more"], _WORDS["about"], ("between",))
        lead = next((p for group in groups if (p := self._phrase(group, self.at))), None)
        start = self.at + (len(lead.split()) if lead else 0)
        start += self._word(start) == "a" and self._value(start + 1) is not None  # a hundred, a single
        value = self._value(start)
        if value is None:
            return 0
        stop, graded = start + 1, _compared(lead, value)
        if lead == "between" and self._word(stop) == "and" and (upper := self._value(stop + 1)) is not None:
            stop, graded = stop + 2, grade("within", value, upper)
        following = self._word(stop)
        said = " ".join(self.words[self.at : stop])
        if following in _TOLD["units"]:
            column = f"median_diameter_{_TOLD['units'][following]}"
            return self._add(f"{said} {following}", ((column, graded),), stop + 1)
        if following in ("color", "colors", "colored", "channel", "channels"):
            return self._add(f"{said} {following}", (("n_colors", grade("near", value, 1.15)),), stop + 1)
        if following in _WORDS["views"] or re.fullmatch(r"[xd]|nm|mm|kv|mag|hours?|h|min|minutes?|days?|percent", following):
            return stop - self.at
        return self._add(said, (("n_objects", graded),), stop, noun=self._noun(stop))

    def _amount(self) -> int:
        said = self._phrase(_AMOUNTS, self.at)
        if said is None:
            return 0
        stop = self.at + len(said.split())
        noun = self._noun(stop)
        if (said in _WORDS["none"] and noun is None) or (said == "the most" and self._phrase(self.looks, stop)):
            return len(said.split())  # "sickle... no, long ones"
        return self._add(said, _AMOUNTS[said], stop, noun=noun)

    def _color(self) -> int:
        word, following = self._word(self.at), self._word(self.at + 1)
        if word not in _COLORS or (word != "gray" and following in _WORDS["named"]) or following in _WORDS["ground"]:
            return 0
        return self._add(word, _COLORS[word], self.at + 1)

    def _ground(self) -> int:
        """``black background``."""
        word = self._word(self.at)
        if word not in _GROUNDS or self._word(self.at + 1) not in _WORDS["ground"]:
            return 0
        return self._add(f"{word} background", _GROUNDS[word], self.at + 2)

    def _look(self) -> int:
        said = self._phrase(self.looks, self.at)
        if said is None:
            return 0
        stop = self.at + len(said.split())
        if self._word(stop) in _WORDS["parts"] and of_light(self.looks[said]):
            return stop - self.at
        return self._add(said, self.looks[said], stop)

    def _add(self, words: str, parts: Parts, stop: int, *, noun: str | None = None) -> int:
        before, after = self.words[self.at - 1 : self.at], self._word(stop)
        negated = before in (["not"], ["non"], ["hardly"])
        self.found.append(Term(words, parts, noun, negated, optional=before == ["or"] or after == "or"))
        return stop - self.at

    def _noun(self, at: int) -> str | None:
        """What follows a number, less what :func:`read_terms` reads by itself: ``small``, ``bright``, ``in the frame``."""
        said: list[str] = []
        for word in self.words[at : at + 6]:
            if word in _WORDS["end"] or (not said and word in _WORDS["views"]):
                break
            if said or not (word in self.looks or word == "the"):
                said.append(word)
        return " ".join(said) or None


def of_light(parts: Parts) -> bool:
    """Whether parts of a term grade how bright, dark or faint objects are."""
    return any(column in ("object_contrast", "object_visibility") for column, _ in parts)


def _compared(lead: str | None, value: float) -> Grade:
    """A number is met by half a count more or less: "fewer than ten" has its border at 9.5."""
    if lead in _WORDS["fewer"]:
        return grade("some_below", value + (0.5 if lead in _WORDS["at_most"] else -0.5), 1.15)
    if lead in _WORDS["more"]:
        return grade("above", value + (-0.5 if lead in _WORDS["at_least"] else 0.5), 1.15)
    return grade("near", value)
