"""Vectors on disk, and the nearest of them by cosine: all are compared, a million in under a second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_CHUNK = 1 << 15


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
