"""What can be summed up about labelled objects block by block: moments, extents, outlines, grey values.

Blocks are turned into runs of equal label along the rows, which are some ten times fewer than their pixels. Everything here adds
up over blocks (sums, minima, maxima), so an object may lie across any number of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
    """Running totals of the objects ``1..n``; row ``i`` belongs to label ``i + 1``.

    Attributes
    ----------
    sums : ``(n, 7) float64``: area, first and second moments about the image's origin, perimeter; in px.
    low, high : ``(n, 2) int64``: first and last ``(y, x)``.
    reach : ``(n, DIRECTIONS) float32``: how far the middles of the pixels' sides reach in each direction (the support function).
    grey : for each channel ``(n, 4) float64``: sum, sum of squares, minimum, maximum.
    """

    channels: int
    sums: np.ndarray = field(default_factory=lambda: np.zeros((0, len(_SUMS))))
    low: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    high: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    reach: np.ndarray = field(default_factory=lambda: np.zeros((0, DIRECTIONS), np.float32))
    grey: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.grey = [np.zeros((0, 4)) for _ in range(self.channels)]

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
        first = np.flatnonzero(np.diff(label_sorted, prepend=0))
        at = label_sorted[first].astype(np.int64) - 1
        self._grow(int(at[-1]) + 1)
        y, x0 = np.divmod(start, core.shape[1])
        y, x0, length = y + origin[0], x0 + origin[1], stop - start
        x1 = x0 + length - 1
        self._add_moments(at, first, y.astype(float), x0.astype(float), x1.astype(float))
        self._add_extent(at, first, y, x0, x1)
        self.sums[:, 6] += outline(labels, inner, len(self.sums))
        for grey, channel in zip(self.grey, pixels, strict=True):
            _add_grey(grey, at, first, channel, start, stop)

    def _grow(self, n: int) -> None:
        more = n - len(self.sums)
        if more <= 0:
            return
        more = max(more, len(self.sums) // 2)
        big = np.iinfo(np.int64).max
        self.sums = _append(self.sums, more, 0.0)
        self.low, self.high = _append(self.low, more, big), _append(self.high, more, -1)
        self.reach = _append(self.reach, more, -np.inf)
        self.grey = [_append(g, more, np.array([0.0, 0.0, np.inf, -np.inf])) for g in self.grey]

    def _add_moments(self, at: np.ndarray, first: np.ndarray, y: np.ndarray, x0: np.ndarray, x1: np.ndarray) -> None:
        n = x1 - x0 + 1
        sx = n * (x0 + x1) / 2
        sxx = (x1 * (x1 + 1) * (2 * x1 + 1) - (x0 - 1) * x0 * (2 * x0 - 1)) / 6
        for k, values in enumerate((n, y * n, sx, y * y * n, sxx, y * sx)):
            self.sums[at, k] += np.add.reduceat(values, first)

    def _add_extent(self, at: np.ndarray, first: np.ndarray, y: np.ndarray, x0: np.ndarray, x1: np.ndarray) -> None:
        for k, (low, high) in enumerate(((y, y), (x0, x1))):
            self.low[at, k] = np.minimum(self.low[at, k], np.minimum.reduceat(low, first))
            self.high[at, k] = np.maximum(self.high[at, k], np.maximum.reduceat(high, first))
        for k, angle in enumerate(ANGLES):
            sin, cos = np.sin(angle), np.cos(angle)
            far = y * sin + (x1 if cos > 0 else x0) * cos + max(abs(sin), abs(cos)) / 2
            self.reach[at, k] = np.maximum(self.reach[at, k], np.maximum.reduceat(far, first))


def runs(core: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, end and label of every run of equal label along the rows of ``(y, x)``, as flat positions."""
    flat = core.ravel()
    change = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=change[1:])
    change[:: core.shape[1]] = True
    start = np.flatnonzero(change)
    return start, np.append(start[1:], flat.size), flat[start]


def outline(labels: np.ndarray, inner: tuple[slice, slice], n: int) -> np.ndarray:
    """``(n,)`` length of the objects' outlines inside ``inner``, in px; needs ``HALO`` px around it."""
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
    return np.bincount(label.astype(np.int64) - 1, weights=_LENGTH_OF[np.minimum(code, 49)], minlength=n)


def _add_grey(
    grey: np.ndarray, at: np.ndarray, first: np.ndarray, pixels: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> None:
    flat = np.append(pixels.ravel(), pixels.dtype.type(0))
    bounds = np.stack((start, stop), axis=1)
    order = np.argsort(start)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    ends = bounds[order].ravel()
    wide = flat.astype(np.float64)
    for k, (ufunc, values) in enumerate(((np.add, wide), (np.add, wide * wide), (np.minimum, flat), (np.maximum, flat))):
        each = ufunc.reduceat(values, ends)[::2][back]
        total = ufunc.reduceat(each.astype(np.float64), first)
        grey[at, k] = ufunc(grey[at, k], total)


def _append(array: np.ndarray, more: int, value: object) -> np.ndarray:
    rest = np.empty((more, array.shape[1]), array.dtype)
    rest[:] = value
    return np.concatenate((array, rest))
