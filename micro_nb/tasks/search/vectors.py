"""Vectors of an index on disk: the nearest of all rows by cosine, a million in under a second; and a few of each row's objects.

By these few an image of a hundred cells is found by the two that are targets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .grades import geometric_mean, standing_out

KEPT = 16
"""Vectors kept of a row's objects: 4 KB a row at 128 dimensions."""
_CHUNK = 1 << 15
_SHARE = 0.1
_NO_OBJECT = 0.02


def unit(vectors: np.ndarray) -> np.ndarray:
    """``(D,)`` or ``(n, D)`` of any length as ``float32`` of length 1; a zero vector stays zero."""
    wide = np.asarray(vectors, np.float32)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1e-9))


class Rows:
    """Parts of vectors ``(n_k, D) float16`` as one, read in pieces, so that memory-mapped files stay on disk.

    >>> rows = Rows([np.eye(2, dtype=np.float16), np.ones((1, 2), np.float16)])
    >>> len(rows), rows.take(np.array([2, 0])).tolist()
    (3, [[1.0, 1.0], [1.0, 0.0]])
    """

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self.parts = [p for p in parts if len(p)]
        self.starts = np.cumsum([0, *(len(p) for p in self.parts)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """``(len(rows), D) float32`` (of parts ``(n_k, E, D)`` the same with an axis more), in the order asked for."""
        rows = np.asarray(rows, np.int64)
        out = np.zeros((len(rows), *(self.parts[0].shape[1:] if self.parts else (0,))), np.float32)
        for part, start in zip(self.parts, self.starts, strict=False):
            mine = (rows >= start) & (rows < start + len(part))
            if mine.any():
                out[mine] = part[rows[mine] - start]
        return out

    def sample(self, most: int) -> np.ndarray:
        """:meth:`take` of all rows, or of ``most`` of them, always the same ones."""
        n = len(self)
        return self.take(np.arange(n) if n <= most else np.sort(np.random.default_rng(0).choice(n, most, replace=False)))

    def cosines(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """``(len(rows),)`` cosines with a unit vector ``query (D,)``."""
        pieces = [self.take(rows[k : k + _CHUNK]) @ query for k in range(0, len(rows), _CHUNK)]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    def nearest(self, query: np.ndarray, rows: np.ndarray, most: int) -> np.ndarray:
        """All of ``rows``, or the ``most`` of them with the largest cosine, in their order."""
        if len(rows) <= most:
            return rows
        return np.asarray(rows[np.sort(np.argpartition(-self.cosines(query, rows), most)[:most])])


def exemplars(objects: np.ndarray, kept: int = KEPT) -> np.ndarray:
    """``(kept, D) float16`` of unit vectors ``(N, D)``, each farthest from those before it, so that what is rare is kept; else 0.

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
    """``(n,)`` 0..1 how far the objects ``kept (n, E, D)`` of rows are what a text says of single objects.

    Geometric mean over ``queries (q, D)``, the words for each concept that the model tells apart among objects; one half where
    objects stand one deviation above the ``usual (m, E, D)`` of the index, or of a sample of it.
    """
    known = best_cosines(usual, queries)
    known = known[np.isfinite(known).all(1)] if np.isfinite(known).any() else np.zeros((1, len(queries)))
    grades = standing_out(best_cosines(kept, queries), known.mean(0), known.std(0))
    return geometric_mean(np.nan_to_num(grades, nan=_NO_OBJECT).T, _NO_OBJECT)
