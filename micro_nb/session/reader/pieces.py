"""Byte pairs: the reader's own tokenizer, learned from its phrasings. Numbers become ``#``, so that they can be pointed at."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[a-zµμ²']+|[^\sa-z0-9]")
_SPELLED = {"two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0, "ten": 10.0}
PAD, UNKNOWN = 0, 1


def words(text: str) -> tuple[list[str], list[float]]:
    """Lower-case words with every number written ``#``, and the numbers in order.

    >>> words("Nuclei above 80 µm²?")
    (['nuclei', 'above', '#', 'µm²', '?'], [80.0])
    """
    out, numbers = [], []
    for word in _WORD.findall(text.lower()):
        value = float(word.replace(",", ".")) if re.fullmatch(r"\d+(?:[.,]\d+)?", word) else _SPELLED.get(word)
        out.append("#" if value is not None else word)
        numbers += [value] if value is not None else []
    return out, numbers


@dataclass(frozen=True)
class Pieces:
    """A vocabulary of byte pairs: characters, and merges in the order they were learned."""

    characters: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]

    @classmethod
    def learned(cls, texts: Iterable[str], merges: int = 600) -> Pieces:
        """The most frequent pairs of neighbours merged, again and again."""
        counts = Counter(word for text in texts for word in words(text)[0])
        split = {word: (*word, "_") for word in counts}
        done: list[tuple[str, str]] = []
        for _ in range(merges):
            pairs: Counter[tuple[str, str]] = Counter()
            for word, parts in split.items():
                for pair in itertools.pairwise(parts):
                    pairs[pair] += counts[word]
            if not pairs:
                break
            best = max(pairs, key=lambda p: (pairs[p], p))
            done.append(best)
            split = {word: _merged(parts, best) for word, parts in split.items()}
        return cls(tuple(sorted({c for word in counts for c in (*word, "_")})), tuple(done))

    @property
    def names(self) -> tuple[str, ...]:
        """All pieces; their position is their id, after padding and the unknown."""
        return ("<pad>", "<unknown>", *self.characters, *("".join(m) for m in self.merges))

    def ids(self, text: str) -> list[int]:
        """Piece ids of a text."""
        table = {name: k for k, name in enumerate(self.names)}
        return [table.get(p, UNKNOWN) for word in words(text)[0] for p in self._parts(word)]

    def _parts(self, word: str) -> Sequence[str]:
        parts: tuple[str, ...] = (*word, "_")
        for merge in self.merges:
            parts = _merged(parts, merge)
        return parts


def _merged(parts: Sequence[str], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for part in parts:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return tuple(out)
