"""Word pieces: a text as ids of a fixed vocabulary (WordPiece, as BERT's), with a mark behind every number.

Wu et al., arXiv:1609.08144 (2016). Sentences, earlier expressions and answers are written in one vocabulary, so that an answer
can copy from what it answers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .numbers import Number, find_numbers

PAD, UNKNOWN, START, SEPARATOR, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[END]"
NUMBERS = 12
"""As many numbers of a sentence and what was said before can be pointed at."""
_TOKEN = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
_ALIKE = str.maketrans({
    "µ": "u", "μ": "u", "²": "2", "³": "3", "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "×": "x", "≥": ">",
    "≤": "<", "°": " deg ", "Ø": " diameter ", "ø": " diameter ",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Pieces:
    """A vocabulary: the id of a piece is its place in ``names``; pieces that go on a word begin with ``##``."""

    names: tuple[str, ...]

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of every piece."""
        return {name: k for k, name in enumerate(self.names)}

    def split(self, text: str) -> list[str]:
        """The pieces of a text without numbers' marks."""
        return [p for word in _TOKEN.findall(plain(text)) for p in self._word(word)]

    def marked(self, text: str, first: int = 0) -> tuple[list[str], list[Number]]:
        """The pieces of a text, ``<0>``, ``<1>`` ... behind its numbers (in the place of digits), and these numbers."""
        text = plain(text)
        out: list[str] = []
        at, found = 0, find_numbers(text)[: NUMBERS - first]
        for k, number in enumerate(found, first):
            out += self.split(text[at : number.start if number.digits else number.end])
            out.append(f"<{k}>")
            at = number.end
        return [*out, *self.split(text[at:])], found

    @lru_cache(maxsize=20_000)  # noqa: B019 # one vocabulary lives as long as the process
    def _word(self, word: str) -> tuple[str, ...]:
        out: list[str] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if not start else f"##{word[start:end]}"
                if piece in self.ids:
                    out.append(piece)
                    start = end
                    break
            else:
                return (UNKNOWN,)
        return tuple(out)


def plain(text: str) -> str:
    """A text in small letters without accents, signs of one meaning as one sign.

    >>> plain("Größe > 5 µm²")
    'grosse > 5 um2'
    """
    text = unicodedata.normalize("NFD", text.translate(_ALIKE).lower().replace("ß", "ss"))
    return "".join(c for c in text if unicodedata.category(c) != "Mn")


def joined(pieces: Sequence[str]) -> str:
    """The text that pieces write.

    >>> joined(["mast", "cell", "##s", "c", "-", "fo", "##s", "+"]), joined(["h", "&", "e"])
    ('mast cells c-fos+', 'h&e')
    """
    text = " ".join(pieces).replace(" ##", "").strip()
    text = re.sub(r"\s*([_/'^&-])\s*", r"\1", text)
    text = re.sub(r"\s+(\+(?!\s*\w)|[,.;:()\]])", r"\1", text)
    return re.sub(r"([(\[]|\d\.)\s+(?=\S)", r"\1", text)
