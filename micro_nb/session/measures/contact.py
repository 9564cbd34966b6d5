"""Which objects touch: pairs of labels that meet, and the groups they form."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ...errors import EvidenceError
from ...tiles.objects import Objects

REACH_PX = 2  # objects touch where at most one background pixel lies between them
_LEAST_PIXELS = 3  # pairs of pixels that must meet, so that a single corner is no contact
_OFFSETS = [(dy, dx) for dy in range(REACH_PX + 1) for dx in range(-REACH_PX, REACH_PX + 1) if (dy, dx) > (0, 0)]


def plane_of(objects: Objects) -> np.ndarray:
    """The label plane ``(y, x)``.

    Raises
    ------
    EvidenceError : it was not kept.
    """
    if objects.labels is None:
        raise EvidenceError("the label image was not kept, so it cannot be seen which objects touch")
    labels = objects.labels
    return np.asarray((labels.isel(layer=0) if "layer" in labels.dims else labels).values)


def touching_pairs(labels: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of labels of a ``(y, x)`` label image that touch, smaller label first.

    >>> touching_pairs(np.repeat([[1, 1, 2, 2, 0, 0, 0, 3]], 4, axis=0))
    [(1, 2)]
    """
    met: Counter[tuple[int, int]] = Counter()
    for dy, dx in _OFFSETS:
        here, there = _shifted(labels, dy, dx)
        meets = (here != there) & (here > 0) & (there > 0)
        ordered = np.sort(np.stack([here[meets], there[meets]]), axis=0)
        pairs, counts = np.unique(ordered, axis=1, return_counts=True)
        met.update({(int(a), int(b)): int(n) for (a, b), n in zip(pairs.T, counts, strict=True)})
    return sorted(pair for pair, n in met.items() if n >= _LEAST_PIXELS)


def groups(objects: Objects) -> list[list[int]]:
    """Labels of the objects of the table that touch one another, directly or through others; the largest group first."""
    wanted = objects.table["label"].to_numpy(int)
    place = {int(label): k for k, label in enumerate(wanted)}
    pairs = [(place[a], place[b]) for a, b in touching_pairs(plane_of(objects)) if a in place and b in place]
    rows, cols = np.array(pairs, int).reshape(-1, 2).T
    _, group = connected_components(coo_array((np.ones(len(rows)), (rows, cols)), shape=(len(wanted), len(wanted))))
    members = [wanted[group == k].tolist() for k in range(int(group.max(initial=-1)) + 1)]
    return sorted((m for m in members if len(m) > 1), key=lambda m: (-len(m), m[0]))


def _shifted(labels: np.ndarray, dy: int, dx: int) -> tuple[np.ndarray, np.ndarray]:
    """The plane and itself moved by ``(dy, dx)``, cut to where both are."""
    height, width = labels.shape
    left, right = max(dx, 0), width + min(dx, 0)
    return labels[dy:, left:right], labels[: height - dy, left - dx : right - dx]
