"""What people would also have written: other kinds, mirrored places, slips of the fingers, fillers, other things said before."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from corpus import Example

from micro_nb.models.wording import plural
from micro_nb.session.language import Call

BEFORE = (
    "hi, ", "hello! ", "ok ", "ok so ", "so ", "please ", "pls ", "hey ", "and ", "now ", "um ", "well, ", "right, ", "sorry, ",
    "quick one: ", "could you tell me ",
    "can you say ", "i'd like to know ", "tell me: ", "next: ", "alright ", "hmm ", "also ", "then ", "just ", "- ", "q: ",
    "good morning. ", "dear assistant, ",
)  # fmt: skip
AFTER = (
    " please",
    " pls",
    " thanks",
    "?",
    "??",
    ".",
    " thx",
    ", please?",
    "!",
    " :)",
    " for me",
    " in this image",
    " here",
    " then",
    " now",
    " ...",
    ", thank you",
    " ok?",
    " if you can",
)
_MIRRORS = (
    {
        "left": "right",
        "right": "left",
        "lefthand": "righthand",
        "righthand": "lefthand",
        "lhs": "rhs",
        "rhs": "lhs",
        "leftmost": "rightmost",
        "rightmost": "leftmost",
    },
    {"top": "bottom", "bottom": "top", "upper": "lower", "lower": "upper", "uppermost": "lowermost", "lowermost": "uppermost"},
)
_SYLLABLES = [
    "ba",
    "co",
    "di",
    "fe",
    "ga",
    "hy",
    "ka",
    "lo",
    "mi",
    "no",
    "pa",
    "ri",
    "so",
    "ta",
    "ve",
    "xy",
    "zu",
    "ther",
    "plas",
    "cyt",
    "mor",
    "chon",
    "gran",
    "phil",
    "ster",
    "lym",
]
_BESIDE = {
    c: row[max(k - 1, 0) : k] + row[k + 1 : k + 2] for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm") for k, c in enumerate(row)
}


class Augmenter:
    """Draws variants of examples.

    Parameters
    ----------
    kinds : names of things that may stand for one another.
    talks : what else may have been said before.
    """

    def __init__(self, kinds: Sequence[str], others: Sequence[Example], seed: int = 0) -> None:
        self.kinds, self.others, self.rng = list(kinds), [e for e in others if e.calls], random.Random(seed)

    def __call__(self, example: Example) -> Example:
        """One variant."""
        chance = self.rng.random
        if example.first and chance() < 0.5:
            other = self.rng.choice(self.others)
            example = replace(example, before=(other.calls, *other.before)[:2])
        if chance() < 0.4:
            example = self.other_kind(example)
        if chance() < 0.15:
            example = self.mirrored(example)
        question = example.question
        if chance() < 0.25:
            question = self.filled(question)
        if chance() < 0.3:
            question = re.sub(r"[?.!]+$", "", question) or question
        if chance() < 0.08:
            question = re.sub(r"(?<!\d)[,;:?.!'](?!\d)", "", question) or question
        for _ in range(self.rng.choice((0, 0, 0, 1, 1, 2))):
            question = self.mistyped(question)
        return replace(example, question=question)

    def filled(self, question: str) -> str:
        """With a word or two before or behind it."""
        if self.rng.random() < 0.5:
            return self.rng.choice(BEFORE) + question
        return re.sub(r"[?.!]+$", "", question) + self.rng.choice(AFTER)

    def other_kind(self, example: Example) -> Example:
        """About another kind of thing, in the question, its meaning and what was said before."""
        kinds = sorted({k for c in (*example.calls, *(b for t in example.before for b in t)) for k in _kinds(c)}, key=len)[::-1]
        for kind in kinds:
            there = _form(kind, example.question)
            before = any(kind in _kinds(c) for t in example.before for c in t)
            if kind in ("object", "image") or (there is None and not before) or self.rng.random() < 0.2:
                continue
            new = self.kind()
            question = (
                example.question
                if there is None
                else re.sub(
                    rf"(?<!\w){re.escape(there[0])}(?!\w)", plural(new) if there[1] else new, example.question, flags=re.I
                )
            )
            if there is None and re.search(rf"(?<!\w){re.escape(kind.split()[-1][:4])}", question, re.I):
                continue  # named in some other way
            calls = tuple(_renamed(c, kind, new) for c in example.calls)
            example = replace(
                example,
                question=question,
                calls=calls,
                before=tuple(tuple(_renamed(c, kind, new) for c in t) for t in example.before),
            )
        return example

    def kind(self) -> str:
        """A name, now and then one that nobody has heard."""
        if self.rng.random() < 0.15:
            return "".join(self.rng.choice(_SYLLABLES) for _ in range(self.rng.choice((2, 3)))) + self.rng.choice(
                ("", " cell", " body", "ite", "some")
            )
        return self.rng.choice(self.kinds)

    def mirrored(self, example: Example) -> Example:
        """Left for right, or top for bottom, everywhere."""
        mirror = self.rng.choice(_MIRRORS)
        pattern = re.compile(rf"\b(?:{'|'.join(mirror)})\b", re.I)

        def swap(text):
            return pattern.sub(lambda m: mirror[m.group().lower()], text)

        side = set(mirror) & {w for c in example.calls for t in _places(c) for w in t.split()}
        said = {w.lower() for w in pattern.findall(example.question)} | {
            w for t in example.before for c in t for p in _places(c) for w in p.split()
        }
        if (
            any(c.name in ("left_of", "right_of") for call in example.calls for c in call.walk())
            or not side
            or not side <= said
            or re.search(r"right\s*\?|am i right|all right|right[,.]?$|the right (?:one|thing)", example.question, re.I)
        ):
            return example
        calls = tuple(_swapped(c, swap) for c in example.calls)
        return replace(
            example,
            question=swap(example.question),
            calls=calls,
            before=tuple(tuple(_swapped(c, swap) for c in t) for t in example.before),
        )

    def mistyped(self, text: str) -> str:
        """One slip of the fingers in a word of four letters or more."""
        words = list(re.finditer(r"[A-Za-z]{4,}", text))
        if not words:
            return text
        word = self.rng.choice(words)
        k = word.start() + self.rng.randrange(1, len(word.group()) - 1)
        letter, slip = text[k], self.rng.randrange(4)
        typed = ("", letter * 2, text[k + 1] + letter, self.rng.choice(_BESIDE.get(letter.lower()) or letter))[slip]
        return text[:k] + typed + text[k + (2 if slip == 2 else 1) :]


def together(examples: Sequence[Example], rng: random.Random) -> Example | None:
    """Two turns that follow one another said in one breath; None where they do not."""
    a, b = examples
    if (
        not b.before
        or b.before[0] != a.calls
        or len(a.calls) + len(b.calls) > 3
        or re.match(r"(?:no\b|undo|again|forget|scrap)", b.question, re.I)
    ):
        return None
    joint = rng.choice((" and ", ", and ", "; ", ". ", "? ", " also ", " ", "\n"))
    return Example(re.sub(r"[?.!]+$", "", a.question) + joint + b.question, (*a.calls, *b.calls), a.before, a.first)


def _kinds(call: Call) -> set[str]:
    from micro_nb.session.language.forms import OBJECTS_AT, OBJECTS_FIRST, SIDES

    out: set[str] = set()
    for c in call.walk():
        at = (
            0
            if c.name in OBJECTS_FIRST or c.name in ("obj", "inside", "outside", "near", "holding", *SIDES)
            else OBJECTS_AT.get(c.name)
        )
        named = [c.args[at]] if at is not None and len(c.args) > at else []
        named += [v for k, v in c.given if k in ("of", "to") and c.name in ("share", "distance", "coverage")]
        out |= {n for n in named if isinstance(n, str)}
    return out


def _form(kind: str, text: str) -> tuple[str, bool] | None:
    """How a text names a kind, and whether in the plural."""
    for form, many in ((plural(kind), True), (kind, False)):
        if re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text, re.I):
            return form, many
    return None


def _renamed(call: Call, old: str, new: str) -> Call:
    return _swapped(call, lambda text: new if text == old else text)


def _swapped(call: Call, change) -> Call:  # type: ignore[no-untyped-def]
    def node(n):  # type: ignore[no-untyped-def]
        return change(n) if isinstance(n, str) else tuple(map(node, n)) if isinstance(n, tuple) else n

    return call.map(lambda c: Call(c.name, tuple(map(node, c.args)), tuple((k, node(v)) for k, v in c.given)))


def _places(call: Call) -> set[str]:
    return {v for c in call.walk() for k, v in c.given if k == "where" and isinstance(v, str)} | {
        n for c in call.walk() for k, v in c.given if k == "where" and isinstance(v, tuple) for n in v if isinstance(n, str)
    }
