"""A row's objects by a few of their vectors, so that an image of a hundred cells is found by the two that are targets."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from .concept_space import narrower, said_words
from .grades import geometric_mean, standing_out

KEPT = 16
"""Vectors kept of a row's objects: 4 KB a row at 128 dimensions."""
_SHARE = 0.1
_NO_OBJECT = 0.02


def exemplars(objects: np.ndarray, kept: int = KEPT) -> np.ndarray:
    """``(kept, D) float16`` of unit vectors ``(N, D)``: each farthest from those before it.

    So what is rare is among them. Rows that are left over are 0.

    >>> exemplars(np.eye(4)[[0, 0, 0, 1]], 2)[:, :2].tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    vectors = np.asarray(objects, np.float32)
    out = np.zeros((kept, vectors.shape[1]), np.float16)
    if not len(vectors):
        return out
    far = ((vectors - vectors.mean(0)) ** 2).sum(1)
    for k in range(min(kept, len(vectors))):
        chosen = int(far.argmax())
        out[k] = vectors[chosen]
        distance = ((vectors - vectors[chosen]) ** 2).sum(1)
        far = distance if k == 0 else np.minimum(far, distance)
    return out


def best_cosines(kept: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """``(n, q)`` mean cosine of queries ``(q, D)`` with the nearest tenth of ``kept (n, E, D)``; NaN without objects."""
    wide = kept.astype(np.float32)
    there = (wide**2).sum(2) > 0.25  # (n, E)
    cosine = np.where(there[..., None], wide @ np.asarray(queries, np.float32).T, -np.inf)  # (n, E, q)
    count = there.sum(1)
    nearest = np.maximum(np.ceil(_SHARE * count), 1).astype(int)
    ranked = -np.sort(-cosine, axis=1)
    counted = np.arange(kept.shape[1])[None, :, None] < nearest[:, None, None]
    total = np.where(counted & np.isfinite(ranked), ranked, 0).sum(1)
    return np.asarray(np.where(count[:, None] > 0, total / nearest[:, None], np.nan))


def object_grades(kept: np.ndarray, usual: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """How far the objects of rows are what a text says of single objects.

    Parameters
    ----------
    kept : ``(n, E, D)`` of the rows.
    usual : ``(m, E, D)`` of the index, or of a sample of it.
    queries : ``(q, D)`` of the words for each concept that the model tells apart among objects.

    Returns
    -------
    ``(n,)`` 0..1: geometric mean over the words; one half where objects stand one deviation above the usual.
    """
    known = best_cosines(usual, queries)
    known = known[np.isfinite(known).all(1)] if np.isfinite(known).any() else np.zeros((1, len(queries)))
    grades = standing_out(best_cosines(kept, queries), known.mean(0), known.std(0))
    return geometric_mean(np.nan_to_num(grades, nan=_NO_OBJECT).T, _NO_OBJECT)


def told_apart(text: str, vocabulary: Collection[str], without: Sequence[str] = ()) -> tuple[str, ...]:
    """The words of a text for concepts that a model tells apart among objects, or that some of those are kinds of."""
    said = said_words(text)
    known = set(vocabulary)
    return tuple(words for id, words in said.items() if id not in without and known & {id, *narrower(id)})
