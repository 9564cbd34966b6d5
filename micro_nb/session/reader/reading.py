"""The reader at work: the network loaded once, questions to readings, sentences to vectors of what they mean."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..language import Call, Node
from ..language.forms import PARTS

if TYPE_CHECKING:
    from .beam import Law, Reading
    from .network import Network
    from .vocabulary import Vocabulary

_BATCH = 64
_WORD = re.compile(r"[a-z]{5,}")
_SLIP = 0.9
"""Likeness from which a word that nobody wrote is a slip for one of the question; no plural, which begins alike, is one."""


@cache
def loaded(folder: Path | None = None) -> tuple[Network, Vocabulary]:
    """The network and its vocabulary; torch is loaded with the first question, not before."""
    from .weights import FOLDER, load

    return load(folder or FOLDER)


@cache
def weights_digest() -> str:
    """A hash that names the weights."""
    from .weights import FOLDER

    return hashlib.sha256((FOLDER / "reader.safetensors").read_bytes()).hexdigest()


@cache
def _law() -> Law:
    """Which tokens may follow which: the calls and keywords of the measurements that are declared."""
    from ..measures.registry import measures
    from .beam import Law

    _, vocabulary = loaded()
    free = frozenset(n[:-1] for n in vocabulary.names if n.endswith("=") and len(n) > 1)
    keywords = {m.name: free if m.free else m.keywords | {"where", "image"} for m in measures().values()}
    return Law(vocabulary, {**keywords, **PARTS}, frozenset(PARTS) - {"image"})


def readings(question: str, before: Sequence[Sequence[Call]] = (), width: int = 5) -> list[Reading]:
    """The likeliest readings of a question, best first.

    Parameters
    ----------
    before : the expressions of the turns before it, the last one first.
    width : how many readings are followed at a time.
    """
    from .beam import Reading, read

    network, vocabulary = loaded()
    found, _ = read(network, _law(), vocabulary.row(question, before), width)
    return [Reading(tuple(spelt(call, question, vocabulary.ids) for call in r.calls), r.logp) for r in found]


def spelt(call: Call, question: str, known: Container[str]) -> Call:
    """Its words as they were asked: one that was written piece by piece and is no word is the nearest of the question.

    >>> str(spelt(Call.of("classify", into=("H&E", "immunoforescence")), "H&E or immunofluorescence", ["classify"]))
    'classify(into=["H&E", "immunofluorescence"])'
    """
    said = _WORD.findall(question.lower())

    def nearest(match: re.Match[str]) -> str:
        word = match[0]
        near = [] if word in known or word in said else get_close_matches(word, said, 1, _SLIP)
        return near[0] if near and not near[0].startswith(word) and not word.startswith(near[0]) else word

    def words(node: Node) -> Node:
        if isinstance(node, tuple):
            return tuple(map(words, node))
        return _WORD.sub(nearest, node) if isinstance(node, str) else node

    return call.map(lambda c: Call(c.name, tuple(map(words, c.args)), tuple((k, words(v)) for k, v in c.given)))


def vectors(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors ``(n, width)`` of what texts mean: the nearer two are, the more alike their meanings.

    >>> a, b, c = vectors(["how sharp is it", "is the picture in focus", "count the cells"])
    >>> bool(a @ b > a @ c)
    True
    """
    import torch

    network, vocabulary = loaded()
    out = []
    for k in range(0, len(texts), _BATCH):
        rows = [vocabulary.row(t).ids for t in texts[k : k + _BATCH]]
        longest = max(map(len, rows))
        ids = torch.tensor([[*r, *[0] * (longest - len(r))] for r in rows])
        with torch.no_grad():
            out.append(network.embed(network.encode(ids, torch.zeros_like(ids))).numpy())
    return np.concatenate(out) if out else np.zeros((0, network.shape.width), np.float32)
