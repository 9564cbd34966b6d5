"""Which topic a question asks for, and which side of it; nothing where no topic covers the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from .topics import Topic, all_words, known_words, topic, topics
from .words import STOP, content, corrected, fold, stands_in

_COVERED = 0.6  # share of the telling words that a topic has to explain
_FACETS = (
    (
        "fails",
        "fail fails failing limit limits limitation limitations drawback drawbacks disadvantage disadvantages "
        "pitfall pitfalls weakness "
        "weaknesses caveat caveats wrong problem problems problematic downside downsides break breaks con cons "
        "danger dangers risk risks",
    ),
    (
        "how",
        "how check test avoid reduce prevent correct fix measure control verify detect calculate compute determine improve "
        "do solve remove "
        "protocol steps quantify choose set",
    ),
    (
        "why",
        "why purpose benefit benefits advantage advantages matter matters important need needed reason point good "
        "help helps useful pro pros",
    ),
    (
        "advice",
        "should ok okay allowed fine may opinion recommend recommended advise better acceptable safe advisable sensible yes no",
    ),
    ("alternative", "alternative alternatives instead else"),
)
_ASKED = {w: facet for facet, listed in _FACETS for w in listed.split()}
_MEASURES = frozenset(["many", "much", "big", "large", "long", "fast", "far", "wide", "small", "old", "often"])
_COMPARING = frozenset(
    ["difference", "differences", "differ", "vs", "versus", "or", "compared", "compare", "better", "distinguish", "between"]
)


@dataclass(frozen=True)
class Found:
    """What a question asks of which topics.

    Attributes
    ----------
    keys : the topic; two where they are compared.
    facets : the sides of it that are asked for, in order.
    covered : share of the telling words of the question that the topic explains, 0 to 1.
    alone : the question names the topic and nothing else.
    """

    keys: tuple[str, ...]
    facets: tuple[str, ...]
    covered: float
    alone: bool = False


def recall(text: str) -> Found | None:
    """The topic of a question; None where no topic covers it.

    >>> recall("What is bleed-through, and how do I check for it?").keys
    ('bleed through',)
    >>> recall("difference between SEM and TEM?").keys
    ('sem vs tem',)
    >>> recall("Who won the football match?") is None
    True
    """
    words = corrected(fold(text), known_words())
    telling = content(words)
    ranked = _ranked(words, telling)
    if not ranked:
        return None
    best = ranked[0][1]
    keys: tuple[str, ...] = (best.key,)
    if _COMPARING & set(words) and " vs " not in best.key and len(_named(best, words)) < len(telling):
        other = next((t for _, t in ranked[1:] if not _named(t, words) & _named(best, words)), None)
        if other is not None:
            keys = tuple(t.key for t in sorted((best, other), key=lambda t: _at(t, words)))
    covered = _coverage(telling, keys, words)
    alone = all(any(w in _named(t, words) for t in map(topic, keys) if t is not None) for w in telling)
    return Found(keys, facets(text), covered, alone) if covered >= _COVERED else None


def described(text: str, area: str | None = None) -> str | None:
    """The topic whose looks a text describes ("a slit-like pale centre"); None where none is.

    >>> described("slit like pale centre in most cells"), described("the cells have spiky edges")
    ('stomatocyte', 'echinocyte')
    """
    words = corrected(fold(text), known_words())
    scored = [
        (max((stands_in(look, words) for look in t.looks), default=0.0), -k, t.key)
        for k, t in enumerate(topics())
        if area in (None, t.area)
    ]
    score, _, key = max(scored, default=(0.0, 0, ""))
    return key if score > 0 else None


def facets(text: str) -> tuple[str, ...]:
    """The sides of a topic a question asks for, in order of the words; empty where it just asks what it is."""
    plain = [w.strip(".,;:!?\"'()") for w in text.lower().replace("’", "'").split()]
    asked = list(dict.fromkeys(_ASKED[w] for w in plain if w in _ASKED))
    if "how" in asked and any(w == "how" and plain[k + 1 : k + 2] and plain[k + 1] in _MEASURES for k, w in enumerate(plain)):
        asked.remove("how")
    if "why" in asked and "how" in asked and "how" not in plain:
        asked.remove("how")
    if (
        "what" in plain
        and asked
        and asked != ["fails"]
        and any(plain[k : k + 2] in (["what", "is"], ["what", "are"]) for k in range(len(plain)))
    ):
        asked = ["what", *asked]
    return tuple(asked)


def _ranked(words: Sequence[str], telling: Sequence[str]) -> list[tuple[float, Topic]]:
    """Topics named in the words, the best first."""
    scored = []
    for k, t in enumerate(topics()):
        named = max(
            (stands_in(name, words) * _telling(name) for name in t.names if name[0] in words or name[-1] in words), default=0.0
        )
        if named:
            explained = sum(w in t.vocabulary for w in telling) / max(len(telling), 1)
            scored.append((named + 0.9 * explained, -k, t))
    return [(score, t) for score, _, t in sorted(scored, key=lambda s: s[:2], reverse=True)]


def _telling(name: Sequence[str]) -> float:
    """Share of a name's words that tell something, never nothing."""
    return max(sum(w not in STOP for w in name), 0.5) / len(name)


def _named(t: Topic, words: Sequence[str]) -> set[str]:
    """The words of the question by which a topic is named best."""
    best = max(t.names, key=lambda name: stands_in(name, words))
    return set(best)


def _at(t: Topic, words: Sequence[str]) -> int:
    return min((words.index(w) for w in _named(t, words) if w in words), default=0)


def _coverage(telling: Sequence[str], keys: Sequence[str], words: Sequence[str]) -> float:
    """How much of the telling words these topics explain; words other topics use count half."""
    if not telling:
        return 1.0
    known = frozenset().union(*(t.vocabulary for t in map(topic, keys) if t is not None))
    return sum(1.0 if w in known or w in _ASKED else 0.5 if w in _elsewhere() else 0.0 for w in telling) / len(telling)


@cache
def _elsewhere() -> frozenset[str]:
    return all_words()
