"""The tokens of questions and expressions, and rows of their ids for the network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..language import Call
from .pieces import NUMBERS, PAD, SEPARATOR, START, UNKNOWN, Pieces
from .writing import LITERALS, POINTERS, STRUCTURE, Source, tokens_of

_NUMERAL = re.compile(r"(?<![A-Za-z0-9_.\"])-?\d+(?:\.\d+)?(?:e-?\d+)?")
LONGEST_QUESTION, LONGEST_ROW = 90, 158


@dataclass(frozen=True)
class Row:
    """A question as the network reads it: ids, which part each is of, and the numbers that may be pointed at."""

    ids: tuple[int, ...]
    parts: tuple[int, ...]
    source: Source


@dataclass(frozen=True, eq=False)
class Vocabulary(Pieces):
    """What gives expressions their form, names of calls and keywords, word pieces that expressions use, and those only read.

    The first ``written`` of them may be written; the others only copied.
    """

    written: int

    @classmethod
    def of(cls, calls: Sequence[str], keywords: Sequence[str], written: Sequence[str], read: Sequence[str]) -> Vocabulary:
        """The vocabulary of these names of calls, keywords, and word pieces."""
        pointers = [form.format(k) for form, _ in POINTERS for k in range(NUMBERS)]
        own = [PAD, UNKNOWN, START, SEPARATOR, *STRUCTURE, *pointers, *(f"#{v}" for v in LITERALS)]
        rest = [f"{c}(" for c in calls] + [f"{k}=" for k in keywords]
        first = dict.fromkeys([*own, *rest, *written])
        return cls((*first, *(w for w in dict.fromkeys(read) if w not in first)), len(first))

    def row(self, question: str, before: Sequence[Sequence[Call]] = ()) -> Row:
        """A question and the expressions of the turns before it, the last one first."""
        tokens, numbers = self.marked(question)
        said = [n.value for n in numbers]
        earlier = [float(m) for calls in before for call in calls for m in _NUMERAL.findall(str(call))]
        fresh = [v for v in dict.fromkeys(earlier) if v not in said and v not in LITERALS]
        source = Source((*said, *fresh)[:NUMBERS])
        ids = [self.ids[START], *(self.ids.get(t, self.ids[UNKNOWN]) for t in tokens[:LONGEST_QUESTION]), self.ids[SEPARATOR]]
        own = len(ids)
        for calls in before:
            try:
                ids += [self.ids.get(t, self.ids[UNKNOWN]) for t in tokens_of(calls, self, source)]
            except ValueError:
                continue
        ids = ids[:LONGEST_ROW]
        return Row(tuple(ids), tuple(int(k >= own) for k in range(len(ids))), source)

    def target(self, calls: Sequence[Call], source: Source) -> list[int]:
        """Ids of the tokens that write these expressions.

        Raises
        ------
        LanguageError : they hold a number that nobody said.
        KeyError : they hold a name that is not in the vocabulary.
        """
        return [self.ids[t] for t in tokens_of(calls, self, source)]
