"""From characters to known words: clauses, tokens, numbers, typing errors, and which phrase fills which slot."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from .lexicon import Meaning, filler, longest, phrases, restricting, vocabulary

MAX_CHARACTERS = 2000  # of a question; more is not a question and would be slow to match
_SPLIT = re.compile(
    r"\.(?=\s|$)|\.{2,}|[!?;\n]+|(?<=[a-z0-9])\s[-–—]\s(?=[a-z])|,?\s+(?=(?:and|but)\s+(?:are|is|what|where|which|how|do|does)\b)"
)
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[a-z][a-z0-9']*|%|[<>]=?|=")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_TAG = re.compile(r",?\s*(?:right|correct|yes|no|ok|isn't it|is that right|true)\s*\?*\s*$")
_IS = re.compile(r"\b(where|what|there|who|how|which|that)(?:'s|s)\b(?<!thats)")
_UNIT_GLUED = re.compile(r"(?<=\d)(?=(?:um|nm|mm|px|x)\d?\b)")
_PER = re.compile(r"/\s*(?=\d[\d.,]*\s*(?:x\s*\d[\d.,]*\s*)?(?:[unm]m|px)2?\b)")
_ORDINALS = {"1": "first", "2": "second", "3": "third"}
_ORDINAL = re.compile(r"\b([123])(?:st|nd|rd)\b")
_CLOSE = 0.86
_YES_NO = frozenset(["is", "are", "do", "does", "did", "has", "have", "any", "was", "were"])
_ASKING = frozenset(["what", "how", "which", "where"])
_SPELLED = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
    "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100, "thousand": 1000,
}  # fmt: skip
_REPLACE = (
    ("µ", "u"), ("μ", "u"), ("²", "2"), ("^2", "2"), ("’", "'"), ("h&e", "h and e"), ("i.e.", " "), ("e.g.", " "), ("×", "x"),
    ("c. elegans", "worm"), ("e. coli", "e coli"), ("/mm2", " per mm2"), ("/um2", " per um2"), ("um/px", "um per pixel"),
    ("um/pixel", "um per pixel"), ("/", " "), ("per cent", "percent"), ("in focus", "in focus"), ("p-value", "p value"),
    ("'re ", " are "), ("i've ", "i have "), ("i'm ", "i am "),
)  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A phrase (or a number) of a clause, at word ``at``, and what it may mean; no meaning where it is unknown."""

    words: tuple[str, ...]
    meanings: tuple[Meaning, ...] = ()
    number: float | None = None
    at: int = 0


@dataclass(frozen=True)
class Clause:
    """One clause, read.

    Attributes
    ----------
    items : its phrases in order, filler left out.
    tag : it ended in ", right?" or the like.
    question : it ended in a question mark.
    words : all its words, filler included.
    """

    items: tuple[Item, ...]
    tag: bool = False
    question: bool = False
    words: tuple[str, ...] = ()

    def values(self, kind: str) -> tuple[str, ...]:
        """The values of a slot, in the order of the words."""
        return tuple(v for item in self.items for k, v in item.meanings if k == kind)

    def first(self, kind: str) -> str | None:
        """The first value of a slot."""
        return next(iter(self.values(kind)), None)

    def has(self, kind: str, *wanted: str) -> bool:
        """Whether the slot holds one of these values, or any."""
        held = self.values(kind)
        return any(w in held for w in wanted) if wanted else bool(held)

    def says(self, *words: str) -> bool:
        """Whether one of these words occurs."""
        return any(w in self.words for w in words)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers, in order."""
        return tuple(item.number for item in self.items if item.number is not None)

    @property
    def unread(self) -> tuple[str, ...]:
        """Words no phrase covers."""
        return tuple(w for item in self.items if not item.meanings and item.number is None for w in item.words)

    @property
    def starts_yes_no(self) -> bool:
        """Whether it starts as questions do that want a yes or no."""
        return bool(self.words) and self.words[0] in _YES_NO

    @property
    def asks(self) -> bool:
        """Whether it starts with a question word."""
        return bool(self.words) and self.words[0] in _ASKING

    def without(self, items: tuple[Item, ...]) -> Clause:
        """The clause as if these items were not there."""
        return replace(self, items=tuple(i for i in self.items if i not in items))

    @property
    def restricting(self) -> bool:
        """Whether an unread word may narrow the question, so that leaving it out would change the answer."""
        return any(w in restricting() for w in self.words)


def clauses(text: str) -> tuple[Clause, ...]:
    """The clauses of a question, in order.

    >>> [c.values("ask") for c in clauses("Hi! How many nuclei are there?")]
    [('count', 'presence')]
    >>> clauses("How many nucelei?")[0].values("target")
    ('nucleus',)
    """
    plain = _plain(text[:MAX_CHARACTERS])
    return tuple(c for c in (_read(part, asked) for part, asked in _parts(plain)) if c.items or c.tag)


def _plain(text: str) -> str:
    text = "".join(c for c in unicodedata.normalize("NFC", text) if c == "\n" or unicodedata.category(c)[0] != "C").lower()
    for old, new in _REPLACE:
        text = text.replace(old, new) if old != "/" else _PER.sub(" per ", text).replace(old, new)
    text = _ORDINAL.sub(lambda m: _ORDINALS[m.group(1)], text)
    return _IS.sub(r"\1 is", text)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    start = 0
    for cut in _SPLIT.finditer(text):
        yield text[start : cut.start()], "?" in cut.group()
        start = cut.end()
    yield text[start:], False


def _read(text: str, asked: bool) -> Clause:
    tag = _TAG.search(text) if asked else None
    if (tag and (tag.start() > 0 or tag.group().strip(" ,?") != "right") and tag.group().lstrip().startswith(",")) or (
        tag and tag.group().strip() in ("correct", "is that right", "true")
    ):
        text = text[: tag.start()]
    else:
        tag = None
    tokens = _tokens(text)
    return Clause(tuple(_match(tokens)), bool(tag), asked, tuple(tokens))


def _tokens(text: str) -> list[str]:
    return [_known(_bare(t.rstrip("'"))) for t in _TOKEN.findall(_UNIT_GLUED.sub(" ", text))]


def _bare(word: str) -> str:
    """ "nucleus's" is the nucleus; "it's" and its like stay."""
    bare = word.removesuffix("'s")
    return bare if bare != word and len(bare) > 3 and word not in vocabulary() else word


@lru_cache(maxsize=4096)
def _known(word: str) -> str:
    """The word, or the known word it is a typing error of."""
    if (
        len(word) < 4
        or not word.isalpha()
        or word in _SPELLED
        or word in vocabulary()
        or (word.endswith("s") and word[:-1] in vocabulary())
    ):
        return word
    swapped = (word[:k] + word[k + 1] + word[k] + word[k + 2 :] for k in range(len(word) - 1))
    twisted = next((w for w in swapped if w in vocabulary()), None)
    if twisted is not None:
        return twisted
    close = difflib.get_close_matches(word, [w for w in vocabulary() if w[0] == word[0] and len(w) > 3], n=1, cutoff=_CLOSE)
    return close[0] if close else word


def _match(tokens: list[str]) -> Iterator[Item]:
    """The longest known phrase at every place; numbers as numbers; filler dropped."""
    table, at = phrases(), 0
    while at < len(tokens):
        for n in range(min(longest(), len(tokens) - at), 0, -1):
            words = tuple(tokens[at : at + n])
            meanings = table.get(words) or (table.get((words[0][:-1],)) if n == 1 and words[0].endswith("s") else None)
            if meanings:
                if meanings[0][0] != "noise":
                    yield Item(words, meanings, at=at)
                break
        else:
            n, item = 1, _single(tokens[at])
            if item is not None:
                yield replace(item, at=at)
        at += n


def _single(token: str) -> Item | None:
    if _NUMBER.fullmatch(token):
        return Item((token,), number=_value(token))
    if token in _SPELLED:
        return Item((token,), number=float(_SPELLED[token]))
    return (
        None
        if token in filler() or token.replace("'", "") in filler() or token.removesuffix("'s") in filler()
        else Item((token,))
    )


def _value(token: str) -> float:
    """A number as people write it: 1,000 and 1,000.5 group; 0,5 is a decimal comma."""
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", token):
        return float(token.replace(",", ""))
    head, *tail = re.split(r"[.,]", token)
    return min(float(f"{head}.{''.join(tail)}") if tail else float(head), 1e300)
