"""How a query is read, and how well rows answer it: the joint space, the concepts recognised, and what was measured.

A text is scored by up to three parts, each from 0 to 1, and the score is their geometric mean:

- *joint*: the cosine of the text and the row in the joint space, against its distribution over the index: one half where a row
  stands one standard deviation above the mean; where the text names what the model tells apart among objects, the geometric mean
  with the same of those words and the row's objects (:mod:`~micro_nb.tasks.search.exemplars`);
- *concepts*: the probability of each concept that the ontology reads in the text, and of the modality that a stain implies; of
  objects also whether any was found;
- *measured*: numbers, crowding, size, shape, light, colour (:mod:`~micro_nb.tasks.search.terms`).

So "two leukocytes in one field" needs a smear by the joint space, white blood cells by concept, and a count near two.
An image or a crop is scored by its cosine alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .concept_space import ConceptSpace, encoded, implied, narrower, said_concepts, said_words
from .exemplars import told_apart
from .object_facts import count_column
from .terms import FLOOR, Term, measured_score, of_light, read_terms
from .words import NEGATIONS, View

_MINUS = 0.7
_SAMPLE, _SEED = 20_000, 0
_SLOPE = 1.5
_LEAST_SPREAD = 0.01


@dataclass(frozen=True)
class TextQuery:
    """A text as it is searched.

    Attributes
    ----------
    text : as written.
    vector : ``(D,)`` unit float32; what follows "minus" is taken off.
    concepts, without : concepts that are wanted, and that are not.
    terms : what can be measured.
    objects : ``(q, D)`` unit float32 of the words for what a model tells apart among objects.
    """

    text: str
    vector: np.ndarray
    concepts: tuple[str, ...]
    without: tuple[str, ...]
    terms: tuple[Term, ...]
    objects: np.ndarray | None = None


def read_text(
    text: str, encode: Callable[[Sequence[str]], np.ndarray], *, view: View = "field", vocabulary: Collection[str] = ()
) -> TextQuery:
    """Reads a text: ``"blood smear plus platelets minus white blood cells"``.

    Parameters
    ----------
    vocabulary : concepts that the model tells apart among objects.

    Raises
    ------
    ValueError : nothing is written there.
    """
    if not re.search(r"\w", text):
        raise ValueError(f"the query {text!r} holds no words; write what to look for, such as 'crowded small nuclei'")
    pieces = re.split(r"\b(plus|minus)\b", text)
    signs = (1.0, *(-_MINUS if sign == "minus" else 1.0 for sign in pieces[1::2]))
    signed = [(piece.strip(), sign) for piece, sign in zip(pieces[::2], signs, strict=True) if piece.strip()]
    vectors = encode([piece for piece, _ in signed])
    total = (vectors * np.array([[w] for _, w in signed])).sum(0)
    wanted = " ; ".join(piece for piece, weight in signed if weight > 0)
    terms = _apart_from_names(read_terms(wanted, view=view), wanted)
    refused = [piece for piece, weight in signed if weight < 0] + [t.noun for t in terms if t.words in NEGATIONS and t.noun]
    without = tuple(dict.fromkeys(c for piece in refused for c in said_concepts(piece)))
    concepts = tuple(c for c in said_concepts(wanted) if c not in without) if wanted else ()
    words = told_apart(wanted, vocabulary, without) if wanted and view == "field" else ()
    vector = total / max(float(np.linalg.norm(total)), 1e-9)
    return TextQuery(text, vector, concepts, without, terms, encode(words) if words else None)


def _apart_from_names(terms: Sequence[Term], text: str) -> tuple[Term, ...]:
    """Without looks of light that are part of a name: "pale erythrocytes" need no contrast to be meant."""
    named = {word for words in said_words(text).values() if len(words.split()) > 1 for word in words.lower().split()}
    return tuple(t for t in terms if not (of_light(t.parts) and set(t.words.split()) <= named))


def text_encoder(model: object) -> Callable[[Sequence[str]], np.ndarray]:
    """``encode`` for :func:`read_text`."""
    return lambda texts: encoded(texts, model)


@dataclass(frozen=True)
class Scores:
    """Of candidate rows: the score, the cosine, and the parts (NaN where the query has none)."""

    score: np.ndarray
    similarity: np.ndarray
    concepts: np.ndarray
    measured: np.ndarray
    used: tuple[Term, ...] = ()


def score_text(
    query: TextQuery, vectors: np.ndarray, table: pd.DataFrame, space: ConceptSpace, usual: tuple[float, float],
    objects: np.ndarray | None = None,
) -> Scores:  # fmt: skip
    """Scores rows.

    Parameters
    ----------
    vectors : ``(n, D) float32`` of the rows.
    table : their measurements.
    usual : mean and standard deviation of the query's cosine over the index, see :func:`usual_cosine`.
    objects : ``(n,)`` 0..1 how far the rows' objects are what the text names; None where it names none.
    """
    cosine = vectors @ query.vector
    joint = _joint(cosine, *usual)
    parts = [joint if objects is None else np.sqrt(joint * objects)]
    counts = _counts(table, (*query.concepts, *query.without), query.terms)
    concepts = _concepts(query, vectors, counts, space)
    measured, used = measured_score(query.terms, counts, column_of=lambda noun: _column(noun, counts))
    none = np.full(len(vectors), np.nan)
    parts += [concepts] if concepts is not None else []
    parts += [measured] if used else []
    score = np.exp(np.mean([np.log(np.maximum(p, FLOOR / 10)) for p in parts], axis=0))
    return Scores(score, cosine, concepts if concepts is not None else none, measured if used else none, used)


def usual_cosine(cosines: Callable[[np.ndarray], np.ndarray], rows: int) -> tuple[float, float]:
    """Mean and standard deviation over the index, or over a seeded sample of a large one; ``cosines`` takes row numbers."""
    values = cosines(sampled(rows, _SAMPLE))
    return (float(values.mean()), float(values.std())) if len(values) else (0.0, 1.0)


def sampled(rows: int, most: int) -> np.ndarray:
    """All row numbers, or ``most`` of them, always the same ones."""
    return np.arange(rows) if rows <= most else np.sort(np.random.default_rng(_SEED).choice(rows, most, replace=False))


def _joint(cosine: np.ndarray, mean: float, spread: float) -> np.ndarray:
    steps = (cosine - mean) / max(spread, _LEAST_SPREAD)
    return np.asarray(1 / (1 + np.exp(-_SLOPE * (steps - 1))))


def _concepts(query: TextQuery, vectors: np.ndarray, table: pd.DataFrame, space: ConceptSpace) -> np.ndarray | None:
    """Geometric mean over the concepts that the index knows; None where the text has none."""
    known = [(c, False) for c in query.concepts if c in space.place] + [(c, True) for c in query.without if c in space.place]
    if not known:
        return None
    p = space.probabilities(vectors, [c for c, _ in known]).astype(float)
    modality = [c for c in implied(query.concepts, "modality") if c in space.place]
    behind = space.probabilities(vectors, modality).max(1, keepdims=True) if modality else np.zeros((len(p), 0))
    for column, (name, refused) in enumerate(known):
        n = count_column(name)
        if n in table.columns:
            p[:, column] = (p[:, column] + 1 - 0.4 ** table[n].to_numpy(float)) / 2
        elif "name" in table.columns and "label" in table.columns:  # rows are objects, and have a name themselves
            p[:, column] = (p[:, column] + (table["name"] == name).to_numpy(float)) / 2
        if refused:
            p[:, column] = 1 - p[:, column]
    return np.asarray(np.exp(np.log(np.maximum(np.hstack([p, behind]), FLOOR)).mean(1)))


def _counts(table: pd.DataFrame, concepts: Sequence[str], terms: Sequence[Term]) -> pd.DataFrame:
    """The table, in which a concept is counted with all that lie below it: a neutrophil is a white blood cell."""
    said = dict.fromkeys([*concepts, *(c for t in terms if t.noun for c in said_concepts(t.noun))])
    more = {}
    for name in said:
        columns = [c for c in map(count_column, (name, *narrower(name))) if c in table.columns]
        if columns:
            more[count_column(name)] = table[columns].sum(axis=1)
    return table.assign(**more) if more else table


def _column(noun: str, table: pd.DataFrame) -> str | None:
    return next((c for c in map(count_column, said_concepts(noun)) if c in table.columns), None)
