"""Objects of a plane of any size from maps computed tile by tile: shared by every segmenter.

Two plans meet here. Maps are computed on the caller's tiles, each with the halo it needs, so they do not depend on the tiling.
Objects are decoded in windows of the algorithm's own grid, anchored at the origin; what two neighbouring windows both see at
their common seam is joined, and objects are numbered in raster order of their first pixel. The caller's ``tile`` and threads
change speed and memory, never the labels.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ..progress import Progress
from .plan import Slices, Tile, TileGrid

T = TypeVar("T")
R = TypeVar("R")


class LabelSink(Protocol):
    """Where labels go. ``write`` comes once per window in order; then ``relabel`` once with the final numbers."""

    def write(self, place: Slices, labels: np.ndarray) -> None:
        """Stores provisional labels of a window."""

    def relabel(self, numbers: np.ndarray) -> None:
        """Replaces every stored label ``k`` by ``numbers[k]``."""


@dataclass
class TiledMaps:
    """Maps of a plane, computed tile by tile when first needed and kept while there is room.

    Attributes
    ----------
    grid : the caller's plan; only its cores matter here, the halo is the business of ``compute``.
    compute : core slices -> ``(k, h, w)``, exact for these pixels.
    keep_bytes : how much is kept; the least recently used tile is computed again where it is needed once more.
    """

    grid: TileGrid
    compute: Callable[[Slices], np.ndarray]
    keep_bytes: int = 1 << 26
    _kept: OrderedDict[int, Future[np.ndarray]] = field(default_factory=OrderedDict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _bytes: int = field(default=0, init=False, repr=False)

    def read(self, place: Slices) -> np.ndarray:
        """``(k, h, w)`` maps of any window inside the plane."""
        rows, cols = place
        out: np.ndarray | None = None
        for tile in self._meeting(place):
            part, (cy, cx) = self._tile(tile), tile.core
            y0, y1 = max(rows.start, cy.start), min(rows.stop, cy.stop)
            x0, x1 = max(cols.start, cx.start), min(cols.stop, cx.stop)
            if out is None:
                out = np.empty((len(part), rows.stop - rows.start, cols.stop - cols.start), part.dtype)
            out[:, y0 - rows.start : y1 - rows.start, x0 - cols.start : x1 - cols.start] = part[
                :, y0 - cy.start : y1 - cy.start, x0 - cx.start : x1 - cx.start
            ]
        assert out is not None
        return out

    def _meeting(self, place: Slices) -> Iterator[Tile]:
        edge, (rows, cols) = self.grid.tile, place
        for row in range(rows.start // edge, (rows.stop - 1) // edge + 1):
            for col in range(cols.start // edge, (cols.stop - 1) // edge + 1):
                yield self.grid.at(row * self.grid.cols + col)

    def _tile(self, tile: Tile) -> np.ndarray:
        with self._lock:
            future = self._kept.get(tile.index)
            mine = future is None
            if future is None:
                future = self._kept[tile.index] = Future()
            self._kept.move_to_end(tile.index)
        if mine:
            self._fill(tile, future)
        return future.result()

    def _fill(self, tile: Tile, future: Future[np.ndarray]) -> None:
        try:
            part = self.compute(tile.core)
        except BaseException as error:
            with self._lock:
                self._kept.pop(tile.index, None)
            future.set_exception(error)
            raise
        future.set_result(part)
        with self._lock:
            self._bytes += part.nbytes
            for index in list(self._kept):
                if self._bytes <= self.keep_bytes:
                    break
                old = self._kept[index]
                if index != tile.index and old.done():
                    self._bytes -= old.result().nbytes
                    del self._kept[index]


@dataclass(frozen=True)
class Window:
    """Labels of one window, and where it lies.

    Attributes
    ----------
    tile : its core, and what was read around it.
    labels : ``(h, w) int32`` of what was read; objects that reach into the core are numbered from 1, others are 0.
    first : raster position in the plane of each number's first pixel in the core, ``(n,) int64``.
    """

    tile: Tile
    labels: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, tile: Tile, width: int) -> Window:
        """The window of what was decoded, in a plane ``width`` pixels wide."""
        (cy, cx), core = tile.core, labels[tile.within_read]
        inside = np.flatnonzero(core)
        present, at = np.unique(core.ravel()[inside], return_index=True)
        numbers = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
        numbers[present] = np.arange(1, present.size + 1)
        row, col = np.divmod(inside[at], core.shape[1])
        return cls(tile, numbers[labels], (row + cy.start).astype(np.int64) * width + col + cx.start)

    @property
    def core(self) -> np.ndarray:
        """Labels of the core."""
        return self.labels[self.tile.within_read]

    def edges(self) -> dict[str, np.ndarray]:
        """Side -> ``(2, length)`` numbers on the last line inside and the first line outside, 0 where there is none."""
        (rows, cols), labels = self.tile.within_read, self.labels
        y, x = ((slice(max(s.start - 1, 0), s.start + 1), slice(s.stop - 1, s.stop + 1)) for s in (rows, cols))
        ends = {"top": labels[y[0], cols], "left": labels[rows, x[0]].T}
        ends |= {"bottom": labels[y[1], cols], "right": labels[rows, x[1]].T}
        return {side: lines for side, lines in ends.items() if len(lines) == 2}


def assemble(
    read: Callable[[Slices], np.ndarray],
    shape: tuple[int, int],
    decode: Callable[[np.ndarray], np.ndarray],
    sink: LabelSink,
    *,
    window: int = 1024,
    margin: int = 128,
    threads: int = 1,
) -> int:
    """Decodes the objects of a plane window by window and writes their labels to ``sink``.

    Parameters
    ----------
    read : maps of any window of the plane, e.g. :meth:`TiledMaps.read`.
    shape : ``(y, x)`` of the plane.
    decode : maps of a window ``(k, h, w)`` -> labels ``(h, w) int32``, 0 is background; called once a window, it must depend on
        nothing but its argument.
    window, margin : the algorithm's own grid: edge of a window's core, and what it sees around it. An object narrower than
        ``margin`` is seen whole by every window it touches; a larger one is joined across seams.
    threads : windows decoded at the same time.

    Returns
    -------
    Number of objects; labels run from 1 to it, in raster order of each object's first pixel.
    """
    grid = TileGrid(shape, tile=window, halo=margin)
    joined, megapixels = Joined(grid), shape[0] * shape[1] / 1e6
    strips = (tile for block in grid.blocks(shape=(1, 8), lane=8) for tile in block.tiles)  # kept maps do not grow with the width
    with Progress("finding objects", len(grid), "windows", scale=megapixels / len(grid), rate_unit="MPx") as progress:
        for _, seen in ordered(lambda t: Window.of(decode(read(t.read)), t, shape[1]), strips, threads=threads):
            joined.write(seen, sink)
            progress.advance()
    numbers, count = joined.numbers()
    sink.relabel(numbers)
    return count


def ordered(fn: Callable[[T], R], items: Iterable[T], *, threads: int) -> Iterator[tuple[T, R]]:
    """``(item, fn(item))`` in the order of ``items``, computed by ``threads`` at a time and never more than one round ahead."""
    with ThreadPoolExecutor(max(1, threads)) as pool:
        waiting: deque[tuple[T, Future[R]]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(fn, item)))
                if len(waiting) > threads:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


class _Seams:
    """Waiting edges: each seam is compared once, when the second of its two windows has been decoded."""

    def __init__(self, grid: TileGrid) -> None:
        self.grid = grid
        self.waiting: dict[tuple[int, int], np.ndarray] = {}

    def meet(self, tile: Tile, edges: dict[str, np.ndarray]) -> Iterator[tuple[int, int]]:
        """Pairs of provisional labels to join."""
        steps = {"top": -self.grid.cols, "bottom": self.grid.cols, "left": -1, "right": 1}
        for side, mine in edges.items():
            there = tile.index + steps[side]
            key = (min(tile.index, there), max(tile.index, there))
            other = self.waiting.pop(key, None)
            if other is None:
                self.waiting[key] = mine
            else:
                yield from _matches(mine, other)


def _matches(mine: np.ndarray, other: np.ndarray) -> Iterator[tuple[int, int]]:
    """Objects that two windows see at the same pixels of a seam and of which each is the other's best match."""
    both = (mine > 0) & (other > 0)
    pairs, counts = np.unique(np.stack([mine[both], other[both]]), axis=1, return_counts=True)
    best: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for k in np.argsort(counts, kind="stable"):
        for side in (0, 1):
            best[side][int(pairs[side, k])] = int(pairs[1 - side, k])
    for a, b in best[0].items():
        if best[1][b] == a:
            yield a, b


class Joined:
    """Objects of the windows of a plane, numbered through and joined across seams: connected components of provisional labels."""

    def __init__(self, grid: TileGrid) -> None:
        self.seams, self.count = _Seams(grid), 0
        self.pairs: list[tuple[int, int]] = []
        self.first = [np.array([-1])]  # the background is before all

    def add(self, seen: Window) -> int:
        """Takes in a window, in any order; returns what to add to its numbers."""
        start, self.count = self.count, self.count + seen.first.size
        self.first.append(seen.first)
        self.pairs += self.seams.meet(seen.tile, {side: np.where(e > 0, e + start, 0) for side, e in seen.edges().items()})
        return start

    def write(self, seen: Window, sink: LabelSink) -> None:
        """Takes in a window and writes its core under provisional numbers, by which ``numbers`` gives the final ones."""
        start, core = self.add(seen), seen.core
        sink.write(seen.tile.core, np.where(core > 0, core + start, 0).astype(np.int32))

    def numbers(self) -> tuple[np.ndarray, int]:
        """Final number of each provisional label, and how many there are."""
        a, b = np.array(self.pairs, int).reshape(-1, 2).T
        joins = sparse.coo_array((np.ones(a.size, bool), (a, b)), (self.count + 1, self.count + 1))
        parts, part = connected_components(joins, directed=False)
        earliest = np.full(parts, np.iinfo(np.int64).max)
        np.minimum.at(earliest, part, np.concatenate(self.first))
        return np.argsort(np.argsort(earliest)).astype(np.int32)[part], parts - 1
