"""What a search text says of numbers, crowding, size, shape, light and colour, as graded scores over measured columns.

No model is asked. ``"several small round cells, not crowded"`` is read as four terms; each grades every image from 0 to 1 by what
was measured in it. Thresholds are relative to the view (an image or a tile; for rows that are objects, to the median object of
their image), because whoever says "large" means large in the picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from . import words as lexicon
from .grades import Grade, above, near, some_below, within
from .words import Parts, View

FLOOR = 0.05
"""The least a term can grade: one term that fails weakens a match and does not forbid it."""


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

    def grade(self, table: pd.DataFrame) -> np.ndarray | None:
        """``(rows,)`` 0..1; NaN where nothing was measured; None where the table lacks the columns."""
        graded = [grade(table[column].to_numpy(float)) for column, grade in self.parts if column in table.columns]
        if not graded:
            return None
        logs = np.log(np.maximum(np.stack(graded), 1e-6))
        known = np.isfinite(logs)
        total = np.where(known, logs, 0).sum(0) / np.maximum(known.sum(0), 1)
        score = np.where(known.any(0), np.exp(total), np.nan)
        score = 1 - score if self.negated else score
        return np.asarray(np.maximum(score, 0.5) if self.optional else score)

    def counted(self, column: str) -> Term:
        """The same over another column of counts."""
        return replace(self, parts=tuple((column if name == "n_objects" else name, grade) for name, grade in self.parts))


def read_terms(text: str, *, view: View = "field") -> tuple[Term, ...]:
    """The measurable terms of a text, in the order they are written.

    Parameters
    ----------
    text : e.g. ``"fewer than ten large nuclei, dark background"``.
    view : what a row is: a picture (``"field"``, also tiles) or one ``"object"``.

    Examples
    --------
    >>> [(t.words, t.noun) for t in read_terms("two leukocytes in a crowded field")]
    [('two', 'leukocytes'), ('crowded', None)]
    """
    return _Reader(text, view).terms()


def measured_score(
    terms: Sequence[Term], table: pd.DataFrame, *, column_of: Callable[[str], str | None] = lambda noun: None
) -> tuple[np.ndarray, tuple[Term, ...]]:
    """How well rows meet all terms.

    Parameters
    ----------
    table : measurements, a row a candidate.
    column_of : column that counts what a noun names; None where the noun is not known, then all objects are counted.

    Returns
    -------
    ``(rows,)`` geometric mean of the grades, each at least :data:`FLOOR` and 0.5 where not measured; and the terms graded.
    """
    logs, used = np.zeros(len(table)), []
    for term in terms:
        placed = _placed(term, column_of)
        graded = placed.grade(table) if placed is not None else None
        if graded is not None:
            logs += np.log(np.clip(np.nan_to_num(graded, nan=0.5), FLOOR, 1.0))
            used.append(term)
    return np.exp(logs / max(len(used), 1)), tuple(used)


def _placed(term: Term, column_of: Callable[[str], str | None]) -> Term | None:
    if term.noun is None:
        return term
    column = column_of(term.noun)
    if column is not None:
        return term.counted(column)
    return None if term.words in lexicon.NEGATIONS else term  # "without pale centre" is no count of all objects


class _Reader:
    """Reads words from left to right, the longest known phrase first."""

    def __init__(self, text: str, view: View) -> None:
        plain = text.lower().replace("colour", "color").replace("grey", "gray")
        self.words = re.findall(r"[a-zµ&]+|\d+(?:\.\d+)?|[,;:./()]", plain)
        self.view, self.at, self.found = view, 0, list[Term]()

    def terms(self) -> tuple[Term, ...]:
        while self.at < len(self.words):
            self.at += (
                self._number() or self._amount() or self._color() or self._light() or self._size() or self._description() or 1
            )
        return tuple(self.found)

    def _phrase(self, phrases: Sequence[str] | dict[str, Grade] | dict[str, Parts], at: int) -> str | None:
        """The longest of ``phrases`` that stands at ``at``."""
        for n in (3, 2, 1):
            said = " ".join(self.words[at : at + n])
            if len(self.words[at : at + n]) == n and said in phrases:
                return said
        return None

    def _value(self, at: int) -> float | None:
        if at >= len(self.words):
            return None
        word = self.words[at]
        return float(word) if word[0].isdigit() else float(lexicon.NUMBERS[word]) if word in lexicon.NUMBERS else None

    def _number(self) -> int:
        """``two``, ``fewer than ten``, ``between 3 and 7``, ``about 20 um``, ``three color``."""
        groups = (lexicon.FEWER, lexicon.MORE, lexicon.ABOUT, ("between",))
        lead = next((p for group in groups if (p := self._phrase(group, self.at))), None)
        start = self.at + (len(lead.split()) if lead else 0)
        start += self.words[start : start + 1] == ["a"] and self._value(start + 1) is not None  # a hundred, a single
        value = self._value(start)
        if value is None:
            return 0
        stop, grade = start + 1, _compared(lead, value)
        if lead == "between" and self.words[stop : stop + 1] == ["and"] and (upper := self._value(stop + 1)) is not None:
            stop, grade = stop + 2, within(value, upper)
        following = self.words[stop] if stop < len(self.words) else ""
        said = " ".join(self.words[self.at : stop])
        if following in lexicon.UNITS:
            return self._add(said + " " + following, ((f"median_diameter_{lexicon.UNITS[following]}", grade),), stop + 1)
        if following in ("color", "colors", "colored", "channel", "channels"):
            return self._add(said + " " + following, (("n_colors", near(value, 1.15)),), stop + 1)
        if following in lexicon.VIEW_NOUNS or re.fullmatch(r"[xd]|nm|mm|kv|mag|hours?|h|min|minutes?|days?|percent", following):
            return stop - self.at
        return self._add(said, (("n_objects", grade),), stop, noun=self._noun(stop))

    def _amount(self) -> int:
        said = self._phrase(lexicon.AMOUNTS, self.at)
        if said is None:
            return 0
        stop = self.at + len(said.split())
        noun = self._noun(stop)
        if (said in lexicon.NEGATIONS and noun is None) or (said == "the most" and self._phrase(lexicon.DESCRIPTIONS, stop)):
            return len(said.split())  # "sickle... no, long ones"
        return self._add(said, (("n_objects", lexicon.AMOUNTS[said]),), stop, noun=noun)

    def _color(self) -> int:
        word, following = self.words[self.at], self.words[self.at + 1 : self.at + 2]
        if (
            word not in lexicon.COLORS
            or (word != "gray" and set(following) & lexicon.NOT_A_COLOR)
            or set(following) & lexicon.GROUND
        ):
            return 0
        name = lexicon.SAME_COLOR.get(word, word)
        grade = above(60.0, 1.3) if name == "gray" else above(12.0, 2.0)
        return self._add(word, ((f"{name}_percent", grade),), self.at + 1)

    def _light(self) -> int:
        """``black background``."""
        word = self.words[self.at]
        if word not in lexicon.LIGHT or not set(self.words[self.at + 1 : self.at + 2]) & lexicon.GROUND:
            return 0
        return self._add(f"{word} background", (("background", lexicon.LIGHT[word]),), self.at + 2)

    def _size(self) -> int:
        word = self.words[self.at]
        if word not in lexicon.SIZE_WORDS:
            return 0
        return self._add(word, (("relative_size", lexicon.SIZES[self.view][lexicon.SIZE_WORDS[word]]),), self.at + 1)

    def _description(self) -> int:
        said = self._phrase(lexicon.DESCRIPTIONS, self.at)
        if said is None:
            return 0
        stop = self.at + len(said.split())
        if set(self.words[stop : stop + 1]) & lexicon.PARTS_OF_OBJECTS and of_light(lexicon.DESCRIPTIONS[said]):
            return stop - self.at
        return self._add(said, lexicon.DESCRIPTIONS[said], stop)

    def _add(self, words: str, parts: Parts, stop: int, *, noun: str | None = None) -> int:
        before, after = self.words[self.at - 1 : self.at], self.words[stop : stop + 1]
        negated = bool(before) and before[0] in ("not", "non", "hardly")
        self.found.append(Term(words, parts, noun, negated, optional=before == ["or"] or after == ["or"]))
        return stop - self.at

    def _noun(self, at: int) -> str | None:
        """What follows a number, less what :func:`read_terms` reads by itself: ``small``, ``bright``, ``in the frame``."""
        said: list[str] = []
        for word in self.words[at : at + 6]:
            if word in lexicon.END or (not said and word in lexicon.VIEW_NOUNS):
                break
            if said or not (word in lexicon.SIZE_WORDS or word in lexicon.DESCRIPTIONS or word == "the"):
                said.append(word)
        return " ".join(said) or None


def of_light(parts: Parts) -> bool:
    """Whether a term grades how bright, dark or faint objects are."""
    return any(column in lexicon.LIGHT_COLUMNS for column, _ in parts)


def _compared(lead: str | None, value: float) -> Grade:
    """A number is met by half a count more or less: "fewer than ten" has its border at 9.5."""
    if lead in lexicon.FEWER:
        return some_below(value + (0.5 if lead in lexicon.AT_MOST else -0.5), 1.15)
    if lead in lexicon.MORE:
        return above(value + (-0.5 if lead in lexicon.AT_LEAST else 0.5), 1.15)
    return near(value)
