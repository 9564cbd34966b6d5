"""How a query is read, and how well rows answer it: the joint space, the concepts recognised, and what was measured.

A text is scored by up to three parts, each from 0 to 1, and the score is their geometric mean:

- *joint*: the cosine of the text and the row in the joint space, against its distribution over the index: one half where a row
  stands one standard deviation above the mean; where the text names what the model tells apart among objects, the geometric mean
  with the same of those words and the row's objects (:func:`~micro_nb.tasks.search.vectors.object_grades`);
- *concepts*: the probability of each concept that the ontology reads in the text, and of the modality that a stain implies; of
  objects also whether any was found;
- *measured*: numbers, crowding, size, shape, light, colour (:mod:`~micro_nb.tasks.search.terms`).

So "two leukocytes in one field" needs a smear by the joint space, white blood cells by concept, and a count near two.
An image or a crop is scored by its cosine alone, and so is a place in the indexed image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...data.open import open_image
from ...data.region import Region
from ...errors import RegionError
from ...render.result_view import PLACE
from ...tiles.polygons import BOX
from ..embed import embed
from .concept_space import ConceptSpace, implied, narrower, said_concepts
from .facts import count_column
from .grades import geometric_mean, standing_out
from .store import Of
from .terms import FLOOR, Term, View, measured_score, of_light, read_terms
from .vectors import Rows, unit

_MINUS = 0.7


@dataclass(frozen=True)
class TextQuery:
    """A text as it is searched.

    Attributes
    ----------
    vector : ``(D,)`` unit float32; what follows "minus" is taken off.
    concepts, without : concepts that are wanted, and that are not.
    terms : what can be measured.
    objects : ``(q, D)`` unit float32 of the words for what a model tells apart among objects.
    """

    vector: np.ndarray
    concepts: tuple[str, ...]
    without: tuple[str, ...]
    terms: tuple[Term, ...]
    objects: np.ndarray | None = None


def read_text(
    text: str, encode: Callable[[Sequence[str]], np.ndarray], *, view: View = "field", vocabulary: Collection[str] = ()
) -> TextQuery:
    """Reads a text: ``"blood smear plus platelets minus white blood cells"``; ValueError where nothing is written there.

    ``vocabulary`` are concepts that the model tells apart among objects.
    """
    if not re.search(r"\w", text):
        raise ValueError(f"the query {text!r} holds no words; write what to look for, such as 'crowded small nuclei'")
    pieces = re.split(r"\b(plus|minus)\b", text)
    signs = (1.0, *(-_MINUS if sign == "minus" else 1.0 for sign in pieces[1::2]))
    signed = [(piece.strip(), sign) for piece, sign in zip(pieces[::2], signs, strict=True) if piece.strip()]
    vectors = encode([piece for piece, _ in signed])
    total = (vectors * np.array([[w] for _, w in signed])).sum(0)
    wanted = " ; ".join(piece for piece, weight in signed if weight > 0)
    named = {word for said in said_concepts(wanted).values() if len(said.split()) > 1 for word in said.lower().split()}
    terms = tuple(  # without looks of light that are part of a name: "pale erythrocytes" need no contrast to be meant
        t for t in read_terms(wanted, view=view) if not (of_light(t.parts) and set(t.words.split()) <= named)
    )
    refused = [piece for piece, weight in signed if weight < 0] + [t.noun for t in terms if t.denies and t.noun]
    without = tuple(dict.fromkeys(c for piece in refused for c in said_concepts(piece)))
    concepts = tuple(c for c in said_concepts(wanted) if c not in without) if wanted else ()
    words = told_apart(wanted, vocabulary, without) if wanted and view == "field" else ()
    vector = total / max(float(np.linalg.norm(total)), 1e-9)
    return TextQuery(vector, concepts, without, terms, encode(words) if words else None)


def told_apart(text: str, vocabulary: Collection[str], without: Sequence[str] = ()) -> tuple[str, ...]:
    """The words of a text for concepts that a model tells apart among objects, or that some of those are kinds of."""
    known = set(vocabulary)
    return tuple(words for id, words in said_concepts(text).items() if id not in without and known & {id, *narrower(id)})


def score_text(
    query: TextQuery, vectors: np.ndarray, table: pd.DataFrame, space: ConceptSpace, usual: tuple[float, float],
    objects: np.ndarray | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Scores rows, ``vectors (n, D) float32`` with their measurements in ``table``.

    Parameters
    ----------
    usual : mean and standard deviation of the query's cosine over the index, or a sample of it.
    objects : ``(n,)`` 0..1 how far the rows' objects are what the text names; None where it names none.

    Returns
    -------
    With the index of ``table``: ``score``, ``similarity`` (the cosine), ``concepts_score`` and ``measured_score`` (NaN where
    the text asks for none).
    """
    cosine = vectors @ query.vector
    joint = standing_out(cosine, *usual)
    joint = joint if objects is None else np.sqrt(joint * objects)
    counts = _counts(table, (*query.concepts, *query.without), query.terms)
    concepts = _concepts(query, vectors, counts, space)

    def column(noun: str) -> str | None:
        return next((c for c in map(count_column, said_concepts(noun)) if c in counts.columns), None)

    measured, used = measured_score(query.terms, counts, column_of=column)
    measured = measured if used else np.full(len(table), np.nan)
    score = geometric_mean([joint, concepts, measured], FLOOR / 10)
    columns = {"score": score, "similarity": cosine, "concepts_score": concepts, "measured_score": measured}
    return pd.DataFrame(columns, index=table.index)


def _concepts(query: TextQuery, vectors: np.ndarray, table: pd.DataFrame, space: ConceptSpace) -> np.ndarray:
    """``(n,)`` geometric mean over the concepts that the index knows; NaN where the text has none."""
    said = [(c, False) for c in query.concepts] + [(c, True) for c in query.without]
    known = [(c, refused) for c, refused in said if c in space.place]
    if not known:
        return np.full(len(vectors), np.nan)
    p = space.probabilities(vectors, [c for c, _ in known]).astype(float)
    for column, (name, refused) in enumerate(known):
        n = count_column(name)
        if n in table.columns:
            p[:, column] = (p[:, column] + 1 - 0.4 ** table[n].to_numpy(float)) / 2
        elif "label" in table.columns:  # rows are objects, and have a name themselves
            p[:, column] = (p[:, column] + (table["name"] == name).to_numpy(float)) / 2
        if refused:
            p[:, column] = 1 - p[:, column]
    modality = [c for c in implied(query.concepts, "modality") if c in space.place]
    behind = space.probabilities(vectors, modality).max(1, keepdims=True) if modality else np.zeros((len(p), 0))
    return geometric_mean(np.hstack([p, behind]).T, FLOOR)


def _counts(table: pd.DataFrame, concepts: Sequence[str], terms: Sequence[Term]) -> pd.DataFrame:
    """The table, in which a concept is counted with all that lie below it: a neutrophil is a white blood cell."""
    said = dict.fromkeys([*concepts, *(c for t in terms if t.noun for c in said_concepts(t.noun))])
    more = {}
    for name in said:
        columns = [c for c in map(count_column, (name, *narrower(name))) if c in table.columns]
        if columns:
            more[count_column(name)] = table[columns].sum(axis=1)
    return table.assign(**more) if more else table


def image_vector(query: Any, of: Of, model: Any) -> np.ndarray:
    """``(D,)`` unit float32 of an image or crop; for an index of objects, of the object nearest its middle, ValueError where
    none was found."""
    img = open_image(query)
    seen = embed(img, model=model)
    if of != "objects":
        return unit(seen.image)
    if not len(seen.found.table):
        raise ValueError(f"no object was found in {img.name}; give a crop with an object at its middle, or search by text")
    y0, x0, y1, x1 = (seen.found.table[c].to_numpy(float) for c in BOX)
    height, width = img.plane_shape
    distance = np.hypot((y0 + y1) / 2 - height / 2, (x0 + x1) / 2 - width / 2)
    return unit(seen.objects[int(distance.argmin())])


def region_vector(region: Region, of: Of, sources: Sequence[Mapping[str, Any]], table: pd.DataFrame, rows: Rows) -> np.ndarray:
    """``(D,)`` of a place, from what the index already holds: its objects' mean, or that of its tiles by how much they share.

    RegionError where rows are whole images, there are several images, or nothing of the index lies there.
    """
    if of == "images" or len(sources) != 1:
        raise RegionError(
            f"a Region names no image, and this is an index of {of} of {len(sources)}; search with a crop, img.sel(region=...)"
        )
    place = region.to("px", sources[0]["pixel_size"])
    y0, x0, y1, x1 = (table[c].to_numpy(float) for c in PLACE)
    if of == "objects":
        weight = place.contains((y0 + y1) / 2, (x0 + x1) / 2).astype(np.float32)
    else:
        height = np.minimum(y1, place.y1) - np.maximum(y0, place.y0)
        width = np.minimum(x1, place.x1) - np.maximum(x0, place.x0)
        weight = (np.maximum(height, 0) * np.maximum(width, 0)).astype(np.float32)
    chosen = np.flatnonzero(weight)
    if not len(chosen):
        raise RegionError(f"no {of} of the index lie in y {place.y0:g}..{place.y1:g}, x {place.x0:g}..{place.x1:g} px")
    return unit(weight[chosen] @ rows.take(chosen))
