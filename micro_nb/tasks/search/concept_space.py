"""The ontology's concepts as vectors of the joint space, so that "leukocytes" finds what was recognised as white blood cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import softmax

from ...models.ontology import ontology
from ..text import encode_text
from .grades import standing_out
from .terms import read_terms
from .vectors import unit

EXCLUSIVE = ("modality", "stain", "specimen")
"""Kinds of which an image has one; the probabilities of their concepts sum to 1."""
_SHARPNESS = 20.0  # cosines times this are log odds; the training of the joint space ends near it
_LEAST_SPREAD = 0.05
_LISTED, _LEAST = 5, 0.2
_NAMES = 6
_ALIKE = 0.9  # how far a stain is believed where another of its group is recognised; which of them it is cannot be seen
_LOOKS = ("appearance", "artefact")
_BROAD = ("object", "microscopy", "material")  # named in any text about any image


@dataclass(frozen=True)
class ConceptSpace:
    """Concepts, the id and kind of each, and their text vectors, ``(C, D)`` unit float32."""

    concepts: tuple[tuple[str, str], ...]
    vectors: np.ndarray

    @classmethod
    def of(cls, model: Any) -> ConceptSpace:
        """All concepts of the ontology; each is the mean of how the model reads its first names."""
        known = ontology()
        names = [concept.names[:_NAMES] for concept in known.values()]
        vectors = encode_text([name for some in names for name in some], model=model)
        parts = np.split(vectors, np.cumsum([len(some) for some in names])[:-1])
        means = unit(np.stack([part.mean(0) for part in parts]))
        return cls(tuple((str(id), str(concept.kind)) for id, concept in known.items()), means)

    @cached_property
    def place(self) -> dict[str, int]:
        """Id -> row."""
        return {name: k for k, (name, _) in enumerate(self.concepts)}

    @cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """Kind -> rows; of an exclusive kind the narrowest alone, as "light microscopy" is no rival of "brightfield"."""
        rows: dict[str, list[int]] = {}
        for k, (name, kind) in enumerate(self.concepts):
            below = [self.place[other] for other in narrower(name) if other in self.place]
            if kind not in EXCLUSIVE or not any(self.concepts[row][1] == kind for row in below):
                rows.setdefault(kind, []).append(k)
        return {kind: np.array(mine, int) for kind, mine in rows.items()}

    def probabilities(self, vectors: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """``(n, len(names))`` how probable it is that each of ``vectors (n, D)`` shows each concept, or a kind of it.

        Of an exclusive kind a softmax over its narrowest concepts, summed over those of the concept; of others how far its
        cosine, or the largest of its kinds', stands out of all of that kind. 0.5 for a concept that is not known.
        """
        out = np.full((len(vectors), len(names)), 0.5, np.float32)
        for column, name in enumerate(names):
            if name not in self.place:
                continue
            kind = self.concepts[self.place[name]][1]
            family = {name, *narrower(name)}
            mine = [k for k, row in enumerate(self.rows[kind]) if self.concepts[row][0] in family]
            found = self._of_kind(vectors, kind)[:, mine]
            out[:, column] = np.minimum(found.sum(1), 1) if kind in EXCLUSIVE else found.max(1)
            if kind == "stain":
                out[:, column] = np.maximum(out[:, column], _ALIKE * self._alike(vectors, name))
        return out

    def _alike(self, vectors: np.ndarray, name: str) -> np.ndarray:
        """``(n,)`` probability of the group of stains that a stain is of: DAPI and Hoechst look the same."""
        parents = [p for p in getattr(ontology().get(name), "parents", ()) if p in self.place]
        return self.probabilities(vectors, parents).max(1) if parents else np.zeros(len(vectors), np.float32)

    def listed(self, vectors: np.ndarray) -> list[str]:
        """The most probable concepts of each of ``vectors (n, D)`` beside its kind of picture: ``"nucleus 0.93; ..."``."""
        kinds = [kind for kind in self.rows if kind not in (*EXCLUSIVE, *_LOOKS)]
        if not kinds:
            return [""] * len(vectors)
        rows = np.concatenate([self.rows[kind] for kind in kinds])
        p = np.concatenate([self._of_kind(vectors, kind) for kind in kinds], axis=1)
        lines = []
        for mine in p:
            best = [k for k in np.argsort(-mine, kind="stable")[:_LISTED] if mine[k] >= _LEAST]
            lines.append("; ".join(f"{self.concepts[rows[k]][0]} {mine[k]:.2f}" for k in best))
        return lines

    def _of_kind(self, vectors: np.ndarray, kind: str) -> np.ndarray:
        """``(n, rows of the kind)`` probabilities."""
        cosines = np.asarray(vectors, np.float32) @ self.vectors[self.rows[kind]].T
        if kind in EXCLUSIVE:
            return np.asarray(softmax(_SHARPNESS * cosines, axis=1))
        spread = np.maximum(cosines.std(1, keepdims=True), _LEAST_SPREAD)
        return standing_out(cosines, cosines.mean(1, keepdims=True), spread, slope=2.0)


def said_concepts(text: str) -> dict[str, str]:
    """Ids of the concepts that a text speaks of, each with all words that say it: ``"echinocytes / burr cells"`` is one.

    What it denies is not among them; appearances that are measured ("crowded", "round") are left to
    :mod:`~micro_nb.tasks.search.terms`.
    """
    known, found = ontology(), dict[str, str]()
    for match in known.sentence_concepts(text):
        measured = known[match.id].kind in _LOOKS and read_terms(match.text)
        if not measured and match.id not in _BROAD:
            found[str(match.id)] = f"{found.get(str(match.id), '')} {match.text}".strip()
    return found


def implied(names: Sequence[str], kind: str) -> tuple[str, ...]:
    """Concepts of a kind that said stains go with, where none is said: DAPI is a DNA stain; these go with fluorescence."""
    known = ontology()
    if any(name in known and known[name].kind == kind for name in names):
        return ()
    close = (c for n in names if n in known and known[n].kind == "stain" for c in (n, *known.ancestors(n)))
    return tuple(dict.fromkeys(g for c in close for g in known[c].goes_with if g in known and known[g].kind == kind))


def narrower(name: str) -> tuple[str, ...]:
    """Concepts that are a kind of a concept: a neutrophil is a white blood cell."""
    known = ontology()
    return tuple(known.descendants(name)) if name in known else ()
