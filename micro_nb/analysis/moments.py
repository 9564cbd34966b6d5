"""What can be summed up about labelled objects block by block: moments, extents, outlines, grey values.

Blocks are turned into runs of equal label along the rows, which are some ten times fewer than their pixels. Everything here adds
up over blocks (sums, minima, maxima), so an object may lie across any number of them.
Sums are taken about each object's own place and mean, so that neither a far place nor a large grey value costs digits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

DIRECTIONS = 32
HALO = 2
"""Pixels around a block that its outlines depend on."""
ANGLES = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
_SUMS = ("area", "y", "x", "yy", "xx", "xy", "perimeter")

_LENGTH_OF = np.zeros(50)
_LENGTH_OF[[5, 7, 15, 17, 25, 27]] = 1.0
_LENGTH_OF[[21, 33]] = np.sqrt(2)
_LENGTH_OF[[13, 23]] = (1 + np.sqrt(2)) / 2
"""Outline length at a border pixel by its border neighbours (2 for each beside, 10 for each across): Benkrid and Crookes 2000."""


@dataclass
class Moments:
    """Running totals of labelled objects; they take as much memory as there are objects, whatever their labels are.

    Attributes
    ----------
    ids : ``(n,)`` labels, ascending; ``rows[i]`` is the row of ``ids[i]`` in what follows.
    near : ``(n, 2) int64``: the ``(y, x)`` near the object about which its moments are taken.
    sums : ``(n, 7) float64``: area, first and second moments about ``near``, perimeter; in px.
    low, high : ``(n, 2) int64``: first and last ``(y, x)``.
    reach : ``(n, DIRECTIONS) float64``: how far beyond ``near`` the middles of the pixels' sides reach in each direction (the
        support function).
    grey : for each channel ``(n, 5) float64``: pixels that are not NaN, their sum, their squared distances from their mean,
        minimum, maximum.
    """

    channels: int
    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    near: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    sums: np.ndarray = field(default_factory=lambda: np.zeros((0, len(_SUMS))))
    low: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    high: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    reach: np.ndarray = field(default_factory=lambda: np.zeros((0, DIRECTIONS)))
    grey: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.grey = [np.zeros((0, 5)) for _ in range(self.channels)]

    def add(self, labels: np.ndarray, inner: tuple[slice, slice], origin: tuple[int, int], pixels: list[np.ndarray]) -> None:
        """One block.

        Parameters
        ----------
        labels : ``(y, x)`` with the halo around ``inner``; 0 where the halo leaves the image.
        inner : the block's own pixels in ``labels``.
        origin : ``(y, x)`` of the first own pixel in the image.
        pixels : for each channel the block's own pixels.
        """
        core = labels[inner]
        start, stop, label = runs(core)
        keep = np.flatnonzero(label)
        if not len(keep):
            return
        order = keep[np.argsort(label[keep], kind="stable")]
        start, stop, label_sorted = start[order], stop[order], label[order]
        first = np.flatnonzero(np.append(True, label_sorted[1:] != label_sorted[:-1]))
        ids = label_sorted[first]
        y, x0 = np.divmod(start, core.shape[1])
        y, x0, length = y + origin[0], x0 + origin[1], stop - start
        at = self._rows_of(ids, np.stack((y[first], x0[first]), axis=1))
        x1 = x0 + length - 1
        each = np.diff(first, append=len(start))
        about_y, about_x = (np.repeat(self.near[at, k], each) for k in (0, 1))
        near = ((y - about_y).astype(float), (x0 - about_x).astype(float), (x1 - about_x).astype(float))
        self._add_moments(at, first, *near)
        self._add_extent(at, first, y, x0, x1, near)
        self.sums[at, 6] += outline(labels, inner, ids)
        for grey, channel in zip(self.grey, pixels, strict=True):
            _add_grey(grey, at, first, each, channel, start, stop)

    def by_label(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """``sums`` and ``reach`` about the first ``(y, x)`` of each object's box, ``low`` and ``high``, in the order of ``ids``.

        Sums of whole numbers are exact, so that they do not depend on the block in which an object was met first.
        """
        sums, low, high = self.sums[self.rows], self.low[self.rows], self.high[self.rows]
        dy, dx = (self.near[self.rows] - low).T.astype(float)
        n, y, x, yy, xx, xy, perimeter = sums.T
        first = n, y + n * dy, x + n * dx
        second = yy + 2 * dy * y + n * dy**2, xx + 2 * dx * x + n * dx**2, xy + dy * x + dx * y + n * dy * dx
        ahead = dy[:, None] * np.sin(ANGLES) + dx[:, None] * np.cos(ANGLES)
        return np.stack((*first, *second, perimeter), axis=1), np.round(self.reach[self.rows] + ahead, 9), low, high

    def _rows_of(self, ids: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Rows of labels, ascending; labels not met before get one, with ``place`` as what they are near to."""
        known = np.isin(ids, self.ids, assume_unique=True)
        new, n = ids[~known], len(self.ids)
        if len(new):
            self._grow(n + len(new))
            self.near[n : n + len(new)] = place[~known]
            where = np.searchsorted(self.ids, new)
            self.rows = np.insert(self.rows, where, np.arange(n, n + len(new)))
            self.ids = np.insert(self.ids.astype(ids.dtype), where, new)
        found: np.ndarray = self.rows[np.searchsorted(self.ids, ids)]
        return found

    def _grow(self, n: int) -> None:
        more = n - len(self.sums)
        if more <= 0:
            return
        more = max(more, len(self.sums) // 2)
        big = np.iinfo(np.int64).max
        self.sums, self.near = _append(self.sums, more, 0.0), _append(self.near, more, 0)
        self.low, self.high = _append(self.low, more, big), _append(self.high, more, -1)
        self.reach = _append(self.reach, more, -np.inf)
        self.grey = [_append(g, more, np.array([0.0, 0.0, 0.0, np.inf, -np.inf])) for g in self.grey]

    def _add_moments(self, at: np.ndarray, first: np.ndarray, y: np.ndarray, x0: np.ndarray, x1: np.ndarray) -> None:
        n = x1 - x0 + 1
        sx = n * (x0 + x1) / 2
        sxx = (x1 * (x1 + 1) * (2 * x1 + 1) - (x0 - 1) * x0 * (2 * x0 - 1)) / 6
        for k, values in enumerate((n, y * n, sx, y * y * n, sxx, y * sx)):
            self.sums[at, k] += np.add.reduceat(values, first)

    def _add_extent(
        self, at: np.ndarray, first: np.ndarray, y: np.ndarray, x0: np.ndarray, x1: np.ndarray, near: tuple[np.ndarray, ...]
    ) -> None:
        for k, (low, high) in enumerate(((y, y), (x0, x1))):
            self.low[at, k] = np.minimum(self.low[at, k], np.minimum.reduceat(low, first))
            self.high[at, k] = np.maximum(self.high[at, k], np.maximum.reduceat(high, first))
        for k, angle in enumerate(ANGLES):
            sin, cos = np.sin(angle), np.cos(angle)
            far = near[0] * sin + near[2 if cos > 0 else 1] * cos + max(abs(sin), abs(cos)) / 2
            self.reach[at, k] = np.maximum(self.reach[at, k], np.maximum.reduceat(far, first))


def runs(core: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, end and label of every run of equal label along the rows of ``(y, x)``, as flat positions."""
    flat = core.ravel()
    change = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=change[1:])
    change[:: core.shape[1]] = True
    start = np.flatnonzero(change)
    return start, np.append(start[1:], flat.size), flat[start]


def outline(labels: np.ndarray, inner: tuple[slice, slice], ids: np.ndarray) -> np.ndarray:
    """``(n,)`` length of the outlines of ``ids`` (ascending) inside ``inner``, in px; needs ``HALO`` px around it."""
    own = labels[1:-1, 1:-1]
    border = (own != labels[:-2, 1:-1]) | (own != labels[2:, 1:-1]) | (own != labels[1:-1, :-2]) | (own != labels[1:-1, 2:])
    border &= own != 0
    (ys, xs) = inner
    y, x = np.nonzero(border[ys.start - 1 : ys.stop - 1, xs.start - 1 : xs.stop - 1])
    y, x = y + ys.start - 1, x + xs.start - 1
    label, code = own[y, x], np.ones(len(y), np.int64)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy or dx:
                beside = border[y + dy, x + dx] & (own[y + dy, x + dx] == label)
                code += (10 if dy and dx else 2) * beside
    return np.bincount(np.searchsorted(ids, label), weights=_LENGTH_OF[np.minimum(code, 49)], minlength=len(ids))


def _add_grey(
    grey: np.ndarray, at: np.ndarray, first: np.ndarray, each: np.ndarray, pixels: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> None:
    """Adds the grey values of runs; two passes over the block, so that large values with a small spread keep their digits."""
    length = stop - start
    runs_begin = np.append(0, np.cumsum(length)[:-1])
    values = pixels.ravel()[np.repeat(start - runs_begin, length) + np.arange(int(length.sum()))]
    begin, size = runs_begin[first], np.add.reduceat(length, first)
    least, most = np.fmin.reduceat(values, begin).astype(np.float64), np.fmax.reduceat(values, begin).astype(np.float64)
    known: np.ndarray | None = None
    if values.dtype.kind == "f" and np.isnan(least + most + np.add.reduceat(values, begin)).any():
        known = ~np.isnan(values)
    offset: Any = 0.0
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8:  # beyond 2**53: differences are exact where values are not
        offset = values[begin].astype(np.float64)
        wide = (values - np.repeat(values[begin], size)).view(np.int64).astype(np.float64)
    else:
        wide = values.astype(np.float64)
    n = size.astype(np.float64)
    if known is not None:
        wide, n = np.where(known, wide, 0.0), np.add.reduceat(known.astype(np.float64), begin)
    total = np.add.reduceat(wide, begin)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = np.where(n > 0, total / n, 0.0)
        away = wide - np.repeat(mean, size)
        away = away if known is None else np.where(known, away, 0.0)
        spread = np.add.reduceat(away * away, begin) - np.add.reduceat(away, begin) ** 2 / np.maximum(n, 1)
        _merge(grey, at, n, total + n * offset, np.where(n > 0, spread, 0.0))
    grey[at, 3], grey[at, 4] = np.fmin(grey[at, 3], least), np.fmax(grey[at, 4], most)


def _merge(grey: np.ndarray, at: np.ndarray, n: np.ndarray, total: np.ndarray, spread: np.ndarray) -> None:
    """Adds counts, sums and squared distances from the mean of further pixels (Chan, Golub and LeVeque 1983)."""
    before = grey[at, 0]
    apart = total / np.maximum(n, 1) - grey[at, 1] / np.maximum(before, 1)
    both = (before > 0) & (n > 0)
    grey[at, 2] += spread + np.where(both, apart**2 * before * n / np.maximum(before + n, 1), 0.0)
    grey[at, 0] += n
    grey[at, 1] += total


def _append(array: np.ndarray, more: int, value: object) -> np.ndarray:
    rest = np.empty((more, array.shape[1]), array.dtype)
    rest[:] = value
    return np.concatenate((array, rest))
