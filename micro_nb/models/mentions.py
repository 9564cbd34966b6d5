"""Reading names of concepts in text: a whole prompt, or all that a caption or a question names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from .wording import Token, edits, key, sound, squashed, tokens

How = Literal["name", "synonym", "included", "adjective", "typing error"]
_STRENGTH: tuple[How, ...] = ("name", "synonym", "included", "adjective")
_LEADING = {key(w) for w in ("a", "an", "the", "any", "all", "some", "every", "each", "of", "these", "those", "many", "several")}
_NO = {
    key(w) for w in (
        "no", "not", "without", "lacking", "lacks", "lack", "non", "neither", "nor", "except", "exclude", "excluding", "never",
        "devoid", "absent", "absence", "ignoring", "ignore", "isn't", "aren't", "don't", "doesn't", "can't", "cannot", "hasn't",
        "haven't", "won't",
    )
}  # fmt: skip
_JOIN = {"or", "nor", "and"}
_SPAN = 4
"""Words that may stand between a negation and what it denies: "no clearly visible white cells"."""
_BREAK = {
    key(w) for w in (
        "but", "however", "only", "just", "with", "in", "on", "is", "are", "there", "see", "many", "few", "several", "sure",
    )
}  # fmt: skip
_RETRACTED = re.compile(r"[\s.,…]+(?:no|nope|sorry|i mean|rather)\b\s*,", re.IGNORECASE)
_STOP = re.compile(r"[.,;:!?()]")
_SHORTEST = 5
"""Words below this length are never corrected: "RBC" is one letter from "WBC"."""


@dataclass(frozen=True)
class Match:
    """A concept named in a text.

    Attributes
    ----------
    id : the concept.
    how : by its ``name`` (the id), a ``synonym``, a narrower name it ``includes``, an ``adjective``, or despite a
        ``typing error``. Case, plural, hyphens and British spelling are no errors.
    wording : the listed wording that was met.
    text, start, end : the words of the text, and where they stand in it (``text[start:end]``).
    others : further concepts these words may mean, the likeliest first.
    """

    id: str
    how: How
    wording: str
    text: str
    start: int
    end: int
    others: tuple[str, ...] = ()


class Wording(NamedTuple):
    """A listed wording of a concept; ``cased`` ones are read only in capitals."""

    id: str
    text: str
    how: How
    cased: bool = False


class Reader:
    """Finds listed wordings in text.

    Parameters
    ----------
    wordings : all wordings of all concepts; earlier ones of the same strength are preferred.
    ambiguous : wording -> concepts it may mean, the usual one first.
    words : real words that are no typing errors.
    near : the concepts that speak for a meaning of an ambiguous word (ancestors, and what it goes with).
    """

    def __init__(
        self, wordings: Iterable[Wording], ambiguous: Mapping[str, Sequence[str]], words: Iterable[str],
        near: Callable[[str], frozenset[str]],
    ) -> None:  # fmt: skip
        self.near = near
        self.table: dict[str, list[Wording]] = defaultdict(list)
        ranks = {squashed(t.key for t in tokens(word)): list(ids) for word, ids in ambiguous.items()}
        for w in sorted(wordings, key=lambda w: _STRENGTH.index(w.how)):
            self.table[squashed(t.key for t in tokens(w.text))].append(w)
        for phrase, ids in ranks.items():
            self.table[phrase].sort(key=lambda w, ids=ids: ids.index(w.id) if w.id in ids else len(ids))  # type: ignore[misc]
        self.table = dict(self.table)
        listed = [t for ws in self.table.values() for w in ws for t in tokens(w.text)]
        self.known = {t.key for t in listed} | {key(w) for w in words} | _LEADING | _NO | _BREAK
        targets = sorted({t.key for t in listed if len(t.key) >= _SHORTEST and t.key.isalpha() and not t.text.isupper()})
        self.targets = {letter: [(t, sound(t)) for t in targets if t[0] == letter] for letter in {t[0] for t in targets}}
        self._right: dict[str, str] = {}
        self.longest = max(len(tokens(w.text)) for ws in self.table.values() for w in ws)

    def find(self, text: str) -> Match | None:
        """The concept that the whole text names, or None; see :meth:`Ontology.find`."""
        words = tokens(text)
        while len(words) > 1 and words[0].key in _LEADING and squashed(t.key for t in words) not in self.table:
            words = words[1:]
        if not words:
            return None
        return self._listed(text, words) or self._misspelled(text, words)

    def mentions(self, text: str) -> list[Match]:
        """All concepts that a text names; see :meth:`Ontology.sentence_concepts`."""
        words = tokens(text)
        found = self._longest_first(text, words)
        kept = [(k, m) for k, m in found if not _RETRACTED.match(text, m.end)]
        denied = _denied(text, words, [(k, k + len(tokens(m.text))) for k, m in kept])
        matches = [m for (k, m) in kept if k not in denied]
        return [self._meant(m, [o for o in matches if o is not m]) for m in matches]

    def _longest_first(self, text: str, words: tuple[Token, ...]) -> list[tuple[int, Match]]:
        """``(first word, match)``, the longest chosen first, non-overlapping; from left to right."""
        found: dict[int, tuple[int, Match]] = {}
        free = [t.key not in _LEADING for t in words]
        for n in range(min(self.longest, len(words)), 0, -1):
            for k in range(len(words) - n + 1):
                part = words[k : k + n]
                if not (free[k] and free[k + n - 1] and not _interrupted(text, part)):
                    continue
                match = self._listed(text, part) or self._by_word(text, part)
                if match is not None:
                    found[k] = n, match
                    free[k : k + n] = [False] * n
        for k, (n, _) in list(found.items()):
            first = self._elliptic(text, words, k, n, free)
            if first is not None:
                found[k - 2] = 1, first
        return [(k, found[k][1]) for k in sorted(found)]

    def _elliptic(self, text: str, words: tuple[Token, ...], k: int, n: int, free: Sequence[bool]) -> Match | None:
        """ "red" of "red and white blood cells", the name at word ``k`` being ``n`` words long."""
        if n < 2 or k < 2 or words[k - 1].key not in _JOIN or not free[k - 2]:
            return None
        found = self.table.get(squashed((words[k - 2].key, *(t.key for t in words[k + 1 : k + n]))))
        return _match(found, text, words[k - 2 : k - 1], None) if found else None

    def _listed(self, text: str, words: Sequence[Token]) -> Match | None:
        raw = text[words[0].start : words[-1].end]
        found = self.table.get(squashed(t.key for t in words), ())
        capitals = raw.rstrip("s").isupper()
        found = [w for w in found if capitals or not w.cased]
        same = [w for w in found if w.text == raw or (w.cased and capitals)]
        return _match([*same, *(w for w in found if w not in same)], text, words, None) if found else None

    def _misspelled(self, text: str, words: Sequence[Token]) -> Match | None:
        return self._by_word(text, words) or self._by_phrase(text, words)

    def _by_word(self, text: str, words: Sequence[Token]) -> Match | None:
        """Every unknown word replaced by the known one it is a typing error of."""
        if all(t.key in self.known for t in words):
            return None
        found = [w for w in self.table.get(squashed(self.corrected(t) for t in words), ()) if not w.cased]
        return _match(found, text, words, "typing error") if found else None

    def _by_phrase(self, text: str, words: Sequence[Token]) -> Match | None:
        """One slip in a phrase whose words are divided otherwise: "redblod cells"."""
        typed = squashed(t.key for t in words)
        if len(typed) < 8 or typed.isdigit() or all(t.key in self.known for t in words):
            return None
        close = [p for p in self.table if p[0] == typed[0] and len(p) >= 8 and edits(p, typed, limit=1) == 1]
        found = [w for p in close for w in self.table[p] if not w.cased]
        return _match(found, text, words, "typing error") if len({w.id for w in found}) == 1 else None

    def corrected(self, token: Token) -> str:
        """The key that a word is a typing error of; its own if it is known, short, or close to several."""
        if token.key in self.known or len(token.key) < _SHORTEST or not token.key.isalpha():
            return token.key
        if token.plain not in self._right:
            forms = (token.key, token.plain)  # the last letter of "nuclues" makes no plural
            self._right[token.plain] = next((r for form in forms if (r := self._nearest(form)) != form), token.key)
        return self._right[token.plain]

    def _nearest(self, word: str) -> str:
        """The one target within the edits that a word of this length may hold, the first letter being right.

        Words on -cyte differ in few letters, so they may hold one error only.
        """
        most = 2 if len(word) >= 8 and not word.endswith("cyte") else 1
        heard = sound(word)
        near = [(0.5 if s == heard else edits(word, t, limit=most), t) for t, s in self.targets.get(word[0], ())]
        least = min((n for n, _ in near), default=most + 1)
        best = [t for n, t in near if n == least]
        return best[0] if least <= most and len(best) == 1 else word

    def _meant(self, match: Match, context: Sequence[Match]) -> Match:
        """The meaning of an ambiguous word that the rest of the text speaks for."""
        if not match.others:
            return match
        around = frozenset().union(*(self.near(m.id) for m in context))
        choices = (match.id, *match.others)
        best = max(choices, key=lambda c: (len(self.near(c) & around), -choices.index(c)))
        others = tuple(c for c in choices if c != best)
        return Match(best, match.how, match.wording, match.text, match.start, match.end, others)


def _interrupted(text: str, words: Sequence[Token]) -> bool:
    """Whether a sentence or a clause ends between the words; the point of "E. coli" ends none."""
    gaps = ((a, _STOP.search(text[a.end : b.start])) for a, b in pairwise(words))
    return any(stop and not (stop.group() == "." and len(a.text) == 1) for a, stop in gaps)


def _match(found: Sequence[Wording], text: str, words: Sequence[Token], how: How | None) -> Match:
    first, start, end = found[0], words[0].start, words[-1].end
    others = tuple(dict.fromkeys(w.id for w in found[1:] if w.id != first.id))
    return Match(first.id, how or first.how, first.text, text[start:end], start, end, others)


def _denied(text: str, words: tuple[Token, ...], spans: list[tuple[int, int]]) -> set[int]:
    """The first words of the mentions that a negation denies; "or", "nor" and "and" carry it on to the next."""
    starts, denied = dict(spans), set()
    inside = {i for first, last in spans for i in range(first, last)}
    for k, token in enumerate(words):
        if token.key not in _NO or k in inside:
            continue
        at = next((i for i in range(k + 1, min(k + 2 + _SPAN, len(words))) if i in starts), None)
        if at is None or any(words[i].key in _BREAK for i in range(k + 1, at)) or _STOP.search(text[token.end : words[at].start]):
            continue
        denied.add(at)
        while (after := _carried(words, starts[at], starts)) is not None:
            denied.add(at := after)
    return denied


def _carried(words: tuple[Token, ...], k: int, starts: Mapping[int, int]) -> int | None:
    """The mention right after a joining word at ``k``."""
    if k >= len(words) or words[k].key not in _JOIN:
        return None
    return next(
        (
            i
            for i in (k + 1, k + 2)
            if i in starts and all(words[j].key in _LEADING - {"many", "several"} for j in range(k + 1, i))
        ),
        None,
    )
