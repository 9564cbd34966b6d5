"""What a prompt asks for: the concept that it names, and the words that narrow it down to what no concept stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from ..models.mentions import Match
from ..models.ontology import ontology
from ..models.wording import Token, key, tokens
from .names import Vocabulary

_EVERYTHING = frozenset(("everything", "anything", "all", "all objects", "all of them"))
_LINKS = {key(w) for w in ("of", "in", "on", "under", "with", "within", "inside", "from", "at", "by", "for", "that", "which")}
"""What stands before these is asked for; what stands behind them says where or how."""
_JOIN = re.compile(r"[,;/+&]|\b(and|or|nor)\b", re.IGNORECASE)
_SIGN = re.compile(r"(?<=[^\W_])[+−-](?=[\s,;)]|$)")  # a stain that the objects asked for have or lack: "CD4+", "Ki-67-"
_AROUND = ("stain", "specimen", "material", "modality")
"""Kinds of concepts that say how the sample was made and imaged, not which of its objects are meant."""


@dataclass(frozen=True)
class Asked:
    """One prompt, read.

    Attributes
    ----------
    prompt : as it was written.
    concept : what it names in the ontology, or one that the model was fine-tuned on; None where nothing was recognised.
    words : what stands for it in the joint space.
    known : whether the model was trained on it or on a kind of it.
    unread : words that narrow it down ("large", "apoptotic") and that no concept stands for: all of its kind are candidates; or
        the several things that one prompt names.
    """

    prompt: str
    concept: str | None
    words: str
    known: bool
    unread: tuple[str, ...] = ()


def read(prompt: str, vocabulary: Vocabulary) -> Asked:
    """The concept that a prompt names, by itself or among words around it.

    "HeLa nuclei", "segment the DAPI-stained nuclei" and "nuclei in this image" ask for nuclei; "large nuclei" does as well,
    with a word unread. A prompt that names two things ("nuclei and mitochondria") names none: give it as two prompts.
    """
    name = prompt.strip().lower()
    if name in vocabulary.place:
        return Asked(prompt, name, prompt, True)
    if name in _EVERYTHING:
        return Asked(prompt, "object", "object", _trained("object", vocabulary))
    match = ontology().find(prompt)
    if match is not None:
        return Asked(prompt, match.id, prompt, _trained(match.id, vocabulary))
    mentions = ontology().sentence_concepts(prompt)
    head = _misspelled(prompt, mentions) or _head(prompt, mentions)
    if head is None:
        things = tuple(m.text for m in mentions if ontology().layer(m.id))
        return Asked(prompt, None, prompt, False, things if len(things) > 1 else ())
    return Asked(prompt, head.id, head.text, _trained(head.id, vocabulary), tuple(_unread(prompt, head, mentions)))


@cache
def _plain() -> frozenset[str]:
    """Words that leave the objects asked for as they are."""
    return frozenset(_LINKS | {key(w) for w in ontology().plain})


def _trained(concept: str, vocabulary: Vocabulary) -> bool:
    known = ontology()
    return any(name == concept or (known.find(name) and known.is_a(name, concept)) for name in vocabulary.concepts)


def _misspelled(prompt: str, mentions: Sequence[Match]) -> Match | None:
    """What the first part names as a whole, behind words of the request: "segment the white blod cells in this smear"."""
    start, end = next((p for p in _parts(prompt, mentions) if prompt[slice(*p)].strip()), (0, 0))
    for token in tokens(prompt[start:end]):
        at = start + token.start
        match = ontology().find(prompt[at:end])
        if match is not None and ontology().layer(match.id):
            return replace(match, start=at + match.start, end=at + match.end)
        if token.key not in _plain() or any(m.start <= at < m.end for m in mentions):
            return None
    return None


def _head(prompt: str, mentions: Sequence[Match]) -> Match | None:
    """The one thing asked for: the last that is named before the first word that links on, in the first part that names any."""
    things = [m for m in mentions if ontology().layer(m.id)]
    for start, end in _parts(prompt, mentions):
        here = [m for m in things if start <= m.start and m.end <= end]
        if any(_JOIN.search(prompt[a.end : b.start]) and a.id != b.id for a, b in pairwise(here)):
            return None
        if here:
            return here[-1]
    return None


def _parts(prompt: str, mentions: Sequence[Match]) -> Iterator[tuple[int, int]]:
    """Parts of a prompt between its linking words; a name that holds such a word is not cut."""
    start = 0
    for token in _outside(prompt, mentions):
        if token.key in _LINKS:
            yield start, token.start
            start = token.end
    yield start, len(prompt)


def _outside(prompt: str, mentions: Sequence[Match]) -> list[Token]:
    return [t for t in tokens(prompt) if not any(m.start <= t.start and t.end <= m.end for m in mentions)]


def _unread(prompt: str, head: Match, mentions: Sequence[Match]) -> Iterator[str]:
    covered = (head, *(m for m in mentions if m.end <= head.start or head.end <= m.start))
    signs = {sign.start(): sign.group() for sign in _SIGN.finditer(prompt)}
    for token in _outside(prompt, covered):
        if token.key not in _plain() or token.end in signs:
            yield token.text + signs.get(token.end, "")
    for m in covered:
        if m.end in signs or (m.id != head.id and not _around(m, head)):
            yield m.text + signs.get(m.end, "")


def _around(other: Match, head: Match) -> bool:
    """Whether a further concept leaves the objects as they are: how the sample was made, or what every such object lies in."""
    known = ontology()
    line = known[other.id].kind == "cell type" and not known.descendants(other.id) and known.is_a(other.id, "adherent cell")
    return known[other.id].kind in _AROUND or line or known.is_a(head.id, other.id) or other.id in known[head.id].part_of
