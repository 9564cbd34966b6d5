"""Beam search over well-formed expressions: what the network holds for the likeliest readings of a question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ...errors import LanguageError
from ..language import Call, same_form
from .network import Memory, Network, Past
from .pieces import END, PAD, SEPARATOR, START, UNKNOWN
from .vocabulary import Row, Vocabulary
from .writing import CLOSE, FALSE, LIST, NEXT, TEXT, TRUE, UNLIST, UNTEXT, calls_of

_NEVER = frozenset((PAD, UNKNOWN, START, SEPARATOR))
_LONGEST = 110


@dataclass(frozen=True)
class State:
    """Where a row of tokens stands: the brackets that are open, and what may come next in the innermost.

    ``open`` holds names of calls, ``"["`` and ``"text"``; ``keyword``: a value must follow; ``named``: keywords have begun;
    ``empty``: nothing was written in it yet.
    """

    open: tuple[str, ...] = ()
    named: tuple[bool, ...] = ()
    keyword: bool = False
    empty: bool = True

    def after(self, token: str) -> State:
        """The state behind one more token."""
        if self.open and self.open[-1] == "text" and token != UNTEXT:
            return State(self.open, self.named, empty=False)
        if token in (CLOSE, UNLIST, UNTEXT):
            return State(self.open[:-1], self.named[:-1], empty=False)
        if token.endswith("(") or token in (LIST, TEXT):
            name = token[:-1] if token.endswith("(") and len(token) > 1 else "[" if token == LIST else "text"
            return State((*self.open, name), (*self.named, False))
        if _is_keyword(token) and self.open and self.open[-1] != "text":
            return State(self.open, (*self.named[:-1], True), keyword=True, empty=False)
        return State(self.open, self.named, empty=token == NEXT)


@dataclass
class Law:
    """Which tokens may follow: a mask over the vocabulary for every state.

    Parameters
    ----------
    vocabulary : the tokens.
    keywords : the keywords that each call takes; calls that are not in it are written by nobody.
    inner : names that stand inside other calls only.
    """

    vocabulary: Vocabulary
    keywords: Mapping[str, frozenset[str]]
    inner: frozenset[str]
    _masks: dict[tuple[object, ...], Tensor] = field(default_factory=dict, repr=False)

    def mask(self, state: State, numbers: int) -> Tensor:
        """True where a token may follow."""
        inside = state.open[-1] if state.open else ""
        key = (inside, bool(state.open) and state.named[-1], state.keyword, state.empty, numbers)
        if key not in self._masks:
            signs, words = self._signs
            mask = words.clone() if inside == "text" else torch.zeros_like(words)
            mask[signs] = torch.tensor([self._may(self.vocabulary.names[k], state, inside, numbers) for k in signs])
            self._masks[key] = mask
        return self._masks[key]

    def _may(self, token: str, state: State, inside: str, numbers: int) -> bool:
        if token in _NEVER:
            return False
        pointer = re.fullmatch(r"<(\d+)%?>", token)
        if pointer and int(pointer[1]) >= numbers:
            return False
        if inside == "text":
            return (token == UNTEXT and not state.empty) or bool(pointer) or token in self._words
        if not inside:
            return token in (NEXT, "[END]") if not state.empty else self._opens(token) and token[:-1] not in self.inner
        value = (
            self._opens(token)
            or token in (TEXT, TRUE, FALSE)
            or bool(pointer)
            or (token.startswith("#") and not token.startswith("##"))
        )
        if inside == "[":
            return value or (token == UNLIST and not state.empty)
        if state.keyword:
            return value or token == LIST
        if _is_keyword(token):
            return token[:-1] in self.keywords.get(inside, frozenset())
        return token == CLOSE or (not state.named[-1] and (value or token == LIST))

    def _opens(self, token: str) -> bool:
        return token.endswith("(") and token[:-1] in self.keywords

    @cached_property
    def _signs(self) -> tuple[list[int], Tensor]:
        """The tokens that are no mere words, few of many, and a mask of those that are words."""
        names = self.vocabulary.names
        return [k for k, n in enumerate(names) if n not in self._words or len(n) == 1], torch.tensor(
            [n in self._words for n in names]
        )

    @cached_property
    def _words(self) -> frozenset[str]:
        form = re.compile(r"#-?[\d.]+|<\d+%?>|<text>|</text>|\[END\]|True|False|\w+\(|\w+=")
        return frozenset(n for n in self.vocabulary.names if not form.fullmatch(n) or len(n) == 1) - _NEVER


def _is_keyword(token: str) -> bool:
    return token.endswith("=") and len(token) > 1 and token[:-1].isidentifier()


@dataclass(frozen=True)
class Reading:
    """Expressions that a question may mean, and their log-probability."""

    calls: tuple[Call, ...]
    logp: float


@torch.no_grad()
def read(network: Network, law: Law, row: Row, width: int = 5) -> tuple[list[Reading], Memory]:
    """The likeliest well-formed readings, best first, each meaning once; and what the encoder made of the sentence."""
    network.eval()
    vocabulary, numbers = law.vocabulary, len(row.source.numbers)
    memory = network.encode(torch.tensor([row.ids]), torch.tensor([row.parts]))
    beams: list[tuple[float, list[int], State]] = [(0.0, [vocabulary.ids[START]], State())]
    done: list[tuple[float, list[int]]] = []
    past: Past | None = None
    while beams and len(beams[0][1]) < _LONGEST:
        wide = Memory(*(m.expand(len(beams), *m.shape[1:]) for m in memory))
        logp, past = network.step(torch.tensor([[ids[-1]] for _, ids, _ in beams]), wide, past)
        logp = logp.masked_fill(~torch.stack([law.mask(s, numbers) for _, _, s in beams]), -1e9)
        total = logp + torch.tensor([[score] for score, _, _ in beams])
        best, at = total.flatten().topk(min(2 * width, total.numel()))
        kept: list[tuple[float, list[int], State]] = []
        parents: list[int] = []
        for score, k in zip(best.tolist(), at.tolist(), strict=True):
            parent, token = divmod(k, total.shape[1])
            if score < -1e8:
                continue
            ids = [*beams[parent][1], token]
            if vocabulary.names[token] == END:
                done.append((score, ids))
            elif len(kept) < width:
                kept.append((score, ids, beams[parent][2].after(vocabulary.names[token])))
                parents.append(parent)
        beams = kept
        past = [(k[parents], v[parents]) for k, v in past]
        if len(done) >= width and (not beams or sorted(d[0] for d in done)[-width] > beams[0][0]):
            break
    return _readings(done, row, vocabulary), memory


def _readings(done: list[tuple[float, list[int]]], row: Row, vocabulary: Vocabulary) -> list[Reading]:
    found: dict[tuple[Call, ...], float] = {}
    for score, ids in sorted(done, key=lambda d: -d[0]):
        try:
            calls = tuple(same_form(c) for c in calls_of([vocabulary.names[k] for k in ids[1:]], row.source))
        except LanguageError:
            continue
        found.setdefault(calls, score)
    return [Reading(calls, score) for calls, score in found.items()]
