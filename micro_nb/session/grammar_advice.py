"""Questions that ask for advice on the image at hand: which piece of advice, by the words of the question or what it follows."""

from __future__ import annotations

import re
from functools import cache

from .knowledge.recall import recall
from .knowledge.topics import Topic, known_words, topics
from .knowledge.words import corrected, fold, stands_in
from .memory import Context
from .query import Query

_FORM = re.compile(
    r"\b(?:how|what|which|would|should|can|could|shall|when|where|why|do|does|will) (?:\w+ ){0,3}?(?:should|would|"
    r"can|could|shall|i|we|you|one)\b|\bshould\b|\brecommend|\badvi[sc]e|\bbest way|\bnext time|\bwhat to do|"
    r"\bhow to\b|\benough\b|\bsuitable\b|\bready\b|\bgood idea|\bok to\b|\bwould\b|\bany (?:tips|ideas|"
    r"suggestions?)|\bsuggest|\bbetter\b|\bwhich\b|\bwhat .{0,30}(?:method|approach|preprocessing|filter)|"
    r"\bneed(?:ed)?\b|\bnecessary\b|\bsufficient\b|\badequate\b|\bappropriate\b|\boption\b|\bpossible\b|\bmissing\b|"
    r"\bworks?\b|\bbest (?:way|approach|method|tool|strategy)|\bright (?:way|tool|method|choice)|\bhelp\b|"
    r"\badvisable\b|\busable\b|\bwhy\b|\bworth\b|\bhow (?:accurate|reliable|uncertain|exact)|\bcan i\b|\bcould i\b|"
    r"\bis (?:it|this|that) (?:enough|ok|usable|fine)"
)
_IT = re.compile(r"\b(?:it|that|this|them|those|these)\b")
_REMEDY = re.compile(
    r"\b(?:avoid|prevent|fix|do about|improve|reduce|solve|repair|rescue|correct|help|handle|"
    r"next time|what to do|remedy|better)\b"
)
_AFTER = {  # what was asked before -> the advice on it
    "saturation": "avoid saturation",
    "share_at": "avoid saturation",
    "focus": "refocus",
    "noise": "noise here",
    "exposure": "exposure here",
    "quality": "improve image",
    "empty": "empty regions",
    "confluent": "passage here",
    "coverage": "passage here",
    "pixel_size": "what is needed",
    "count": "separate touching",
    "sampling": "sampling here",
}
_WIDE = ("improve image", "artefact here", "noise here", "refocus", "retake")  # what "improve it next time" may be taken for
_SPECIFIC = (
    "packed bacteria",
    "membrane signal",
    "spots per nucleus",
    "closure over time",
    "comet scoring",
    "stain scoring",
    "passage here",
)
_MEASURES = re.compile(r"^(?:so |ok |and |please )*(?:how many|how much|where|count|is there|are there)\b")


def advised(query: Query, text: str, context: Context) -> Query | None:
    """The advice a question asks for; None where it asks for none."""
    plain = text.lower().replace("’", "'")
    if not _FORM.search(plain) or _asks_a_measurement(query, plain):
        return None
    key = _remedy(plain, context.previous) or _by_words(plain)
    if key is None or (context.shape is None and _knows_better(text)):
        return None
    return Query("advise", target=query.target, topic="advise", quantity=key, given=_told(context.previous))


def _asks_a_measurement(query: Query, plain: str) -> bool:
    """ "How many nuclei touch each other?" is measured; "how should I ..." is not, whatever else it names."""
    understood = query.task not in ("unknown", "knowledge", "advise") and not query.unread
    wish = re.search(
        r"\b(?:should|would|recommend|advi[sc]e|can i|could i|do i|next time|best way|how do i|how to|what to do|"
        r"why|good enough for|suitable|ok to|use this|ready|sufficient|adequate|"
        r"option|possible|missing|usable|best (?:approach|method|tool)|how should|affect|disturb|enough)\b",
        plain,
    )
    if (
        understood
        and query.task == "quality"
        and not re.search(r"\b(?:should|would|recommend|next time|can i|how|why|for|do about)\b", plain)
    ):
        return True
    return understood and (
        not wish or (_MEASURES.search(plain) is not None and not re.search(r"\b(?:should|would|do) (?:i|we|you|one)\b", plain))
    )


def _by_words(plain: str) -> str | None:
    """The advice of which a phrase of every group stands in the text; the one with most words wins."""
    words = corrected(fold(plain), known_words() | _trigger_words())
    scored = [(score, -k, t.key) for k, t in enumerate(_advice()) if (score := _score(t, words)) > 0]
    return max(scored)[2] if scored else None


def _score(t: Topic, words: list[str]) -> float:
    groups = [max((_together(phrase, words) for phrase in group), default=0.0) for group in t.when]
    if not groups or min(groups) <= 0:
        return 0.0
    return (sum(groups) + groups[0] + (t.key in _SPECIFIC)) * (0.4 if t.key in _WIDE else 1.0)


def _together(phrase: tuple[str, ...], words: list[str]) -> float:
    """The length of a phrase whose words stand together; 0 where they do not."""
    length = stands_in(phrase, words)
    return length if length >= len(phrase) else 0.0


def _remedy(plain: str, before: Query | None) -> str | None:
    """ "How can I avoid that next time?" speaks of what was asked before."""
    if before is None or not _REMEDY.search(plain) or len(plain.split()) > 12:
        return None
    pointed = _IT.search(plain) or "next time" in plain
    if not pointed or _by_words(_IT.sub(" ", plain)) not in (None, *_WIDE):
        return None
    if before.topic == "advise":
        return before.quantity if _by_words(plain) is None else None
    return _AFTER.get(before.quantity or before.task)


def _knows_better(text: str) -> bool:
    """Without an image a note that covers the question is the answer."""
    found = recall(text)
    return found is not None and found.covered >= 0.75


def _told(before: Query | None) -> tuple[tuple[str, float | str], ...]:
    """What the turn before was about, for advice that answers to it."""
    if before is None:
        return ()
    said = {"before": before.topic or before.task, "unit": before.unit or "", "quantity": before.quantity or ""}
    return tuple((k, v) for k, v in said.items() if v)


@cache
def _advice() -> tuple[Topic, ...]:
    return tuple(t for t in topics() if t.when)


@cache
def _trigger_words() -> frozenset[str]:
    return frozenset(w for t in _advice() for group in t.when for phrase in group for w in phrase)
