"""Words as they are compared: one spelling, singular, without accents; typing errors are put right."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

_STOP = """
    a about actually all also am an and any anything are around as at be because been being but by can could did do does
    doing done dear else for from get give go got had has have having he hello here hey hi how however i if in into is
    it its just kind kindly let like lot make many may maybe me might mine more most much must my need needed no not now
    of off oh ok okay on one only or other our out over please pls quick quickly quite rather really s same say see
    should show simple simply so some something sort still such sure take tell than thank thanks that the their them
    then there these they thing this those though through to too try u up ur us use used using very want was we well
    were what whats when where whether which while who whose why will with without word words would yes yet you your
    line short sentence briefly exactly general generally usually normally typically always ever actually basically
    first second again back between vs versus mean means meant meaning call called name named term define definition
    explain difference different differ compare compared type work works happen happens look looks seem question answer
    opinion recommend better best good bad ok fine important matter point purpose idea know think guess wonder
    understand understood cell image picture microscope microscopy sample data result thing
"""
STOP = frozenset(_STOP.split())
"""Words that tell nothing of what a question is about."""
_BRITISH = (
    (re.compile("haem|hæm"), "hem"),
    (re.compile("aem(?=ia)"), "em"),
    (re.compile("colour"), "color"),
    (re.compile("centre"), "center"),
    (re.compile("fibre"), "fiber"),
    (re.compile("^grey"), "gray"),
    (re.compile("artefact"), "artifact"),
    (re.compile("leuco"), "leuko"),
    (re.compile("labell"), "label"),
    (re.compile("is(?=(?:e|ed|es|ing|ation|ations|er|ers)$)"), "iz"),
    (re.compile("ys(?=(?:e|ed|ing)$)"), "yz"),
    (re.compile("neighbour"), "neighbor"),
    (re.compile("mould"), "mold"),
)
_ENDS = (("sses", "ss"), ("ies", "y"), ("xes", "x"), ("clei", "cleus"))
_TOKEN = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")


def fold(text: str) -> list[str]:
    """The words of a text as they are compared.

    >>> fold("Which colours? Köhler's nuclei, bleed-through!")
    ['which', 'color', 'kohler', 'nucleus', 'bleed', 'through']
    """
    plain = unicodedata.normalize("NFKD", text.lower().replace("µ", "u").replace("μ", "u").replace("γ", "gamma "))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"['’]s\b", "", plain).replace("'", "").replace("’", "")
    return [_one(w) for w in _TOKEN.findall(plain)]


@lru_cache(maxsize=8192)
def _one(word: str) -> str:
    for pattern, american in _BRITISH:
        word = pattern.sub(american, word)
    for end, instead in _ENDS:
        if word.endswith(end) and len(word) > len(end) + 1:
            return word[: -len(end)] + instead
    plain = len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is"))
    return word if plain else word[:-1]


def corrected(words: Sequence[str], known: frozenset[str]) -> list[str]:
    """The words, typing errors in long ones replaced by the known word they resemble."""
    return [w if len(w) < 5 or w in known or w in STOP or not w.isalpha() else _closest(w, known) for w in words]


@lru_cache(maxsize=4096)
def _closest(word: str, known: frozenset[str]) -> str:
    swapped = (word[:k] + word[k + 1] + word[k] + word[k + 2 :] for k in range(len(word) - 1))
    twisted = next((w for w in swapped if w in known), None)
    if twisted is not None:
        return twisted
    near = [w for w in known if w[:1] == word[:1] and abs(len(w) - len(word)) <= 2 and len(w) > 3]
    return next(iter(difflib.get_close_matches(word, near, n=1, cutoff=0.85)), word)


def content(words: Iterable[str]) -> list[str]:
    """The words that tell what it is about."""
    return [w for w in words if w not in STOP and not w.replace(".", "").isdigit()]


def stands_in(name: Sequence[str], words: Sequence[str]) -> float:
    """How well a name stands in a text: 0 not at all; its length where all its words are there, more where together."""
    if not all(w in words for w in name):
        return 0.0
    n = len(name)
    for start in (k for k, w in enumerate(words) if w == name[0]):
        at = start
        for w in name[1:]:
            step = next(
                (j for j in range(1, 4) if words[at + j : at + j + 1] == [w] and all(x in STOP for x in words[at + 1 : at + j])),
                0,
            )
            if not step:
                break
            at += step
        else:
            return n + 0.5
    return 0.8 * n if n > 1 else float(n)
