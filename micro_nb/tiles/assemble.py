"""Objects of a plane of any size from maps computed tile by tile: shared by every segmenter.

Two plans meet here. Maps are computed on the caller's tiles, each with the halo it needs, so they do not depend on the tiling.
Objects are decoded in windows of the algorithm's own grid, anchored at the origin; what two neighbouring windows both see at
their common seam is joined by union-find, and objects are numbered in raster order of their first pixel. The caller's
``tile`` and threads change speed and memory, never the labels.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from ..progress import Progress
from .plan import Slices, Tile, TileGrid

Decode = Callable[[np.ndarray], np.ndarray]
"""Maps of a window ``(k, h, w)`` -> labels ``(h, w) int32``, 0 is background."""

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

    def read(self, place: Slices, which: slice = slice(None)) -> np.ndarray:
        """``(k, h, w)`` maps of any window inside the plane; all, or those meant by ``which``."""
        rows, cols = place
        out: np.ndarray | None = None
        for tile in self._meeting(place):
            part, (cy, cx) = self._tile(tile)[which], tile.core
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
class _Window:
    """Labels of one window: its core, and both sides of its seams as this window sees them.

    Attributes
    ----------
    core : ``(h, w) int32``, consecutive numbers from 1.
    first : raster position in the plane of each number's first pixel, ``(n,) int64``.
    edges : side -> ``(2, length)`` numbers on the last line inside and the first line outside, 0 where there is none.
    """

    core: np.ndarray
    first: np.ndarray
    edges: dict[str, np.ndarray]


def assemble(
    read: Callable[[Slices], np.ndarray],
    shape: tuple[int, int],
    decode: Decode,
    sink: LabelSink,
    *,
    window: int = 1024,
    margin: int = 128,
    threads: int = 1,
    what: str = "finding objects",
) -> int:
    """Decodes the objects of a plane window by window and writes their labels to ``sink``.

    Parameters
    ----------
    read : maps of any window of the plane, e.g. :meth:`TiledMaps.read`.
    shape : ``(y, x)`` of the plane.
    decode : called once a window; must depend on nothing but its argument.
    window, margin : the algorithm's own grid: edge of a window's core, and what it sees around it. An object narrower than
        ``margin`` is seen whole by every window it touches; a larger one is joined across seams.
    threads : windows decoded at the same time.

    Returns
    -------
    Number of objects; labels run from 1 to it, in raster order of each object's first pixel.
    """
    return assemble_layers(read, shape, [decode], [sink], window=window, margin=margin, threads=threads, what=what)[0]


def assemble_layers(
    read: Callable[[Slices], np.ndarray],
    shape: tuple[int, int],
    decode: Sequence[Decode],
    sinks: Sequence[LabelSink],
    *,
    window: int = 1024,
    margin: int = 128,
    threads: int = 1,
    area: float = 1.0,
    what: str = "finding objects",
) -> list[int]:
    """The same for layers that may lie over each other: each has its ``decode`` and its sink, and maps are read once for all.

    Parameters
    ----------
    area : pixels of the image in one of the plane, for the rate that is shown.

    Returns
    -------
    Number of objects of each layer.
    """
    grid = TileGrid(shape, tile=window, halo=margin)
    layers = [_Layer(grid, sink) for sink in sinks]

    def job(tile: Tile) -> list[_Window]:
        maps = read(tile.read)
        return list(hands.map(lambda found: _look(found(maps), tile, shape), decode))

    shown = Progress(what, len(grid), "windows", scale=shape[0] * shape[1] * area / 1e6 / len(grid), rate_unit="MPx")
    with shown as progress, ThreadPoolExecutor(max(1, threads)) as hands:  # layers side by side: a small plane is one window
        for tile, seen in ordered(job, _strips(grid), threads=threads):
            list(hands.map(lambda layer, labels, tile=tile: layer.take(tile, labels), layers, seen))
            progress.advance()
    return [layer.finish() for layer in layers]


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


def _strips(grid: TileGrid, width: int = 8) -> Iterator[Tile]:
    """All tiles, in strips of ``width`` columns from top to bottom, so that kept maps do not grow with the plane's width."""
    for left in range(0, grid.cols, width):
        for row in range(grid.rows):
            for col in range(left, min(left + width, grid.cols)):
                yield grid.at(row * grid.cols + col)


def _look(labels: np.ndarray, tile: Tile, shape: tuple[int, int]) -> _Window:
    (ry, rx), (cy, cx) = tile.read, tile.core
    y0, x0 = cy.start - ry.start, cx.start - rx.start
    y1, x1 = y0 + cy.stop - cy.start, x0 + cx.stop - cx.start
    core = labels[y0:y1, x0:x1]
    flat = core.ravel()
    inside = np.flatnonzero(flat)
    present, at = np.unique(flat[inside], return_index=True)
    numbers = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    numbers[present] = np.arange(1, present.size + 1)
    row, col = np.divmod(inside[at], core.shape[1])
    first = (row + cy.start).astype(np.int64) * shape[1] + col + cx.start
    edges = {}
    if cy.start > 0:
        edges["top"] = numbers[labels[y0 - 1 : y0 + 1, x0:x1]]
    if cx.start > 0:
        edges["left"] = numbers[labels[y0:y1, x0 - 1 : x0 + 1].T]
    if cy.stop < shape[0]:
        edges["bottom"] = numbers[labels[y1 - 1 : y1 + 1, x0:x1]]
    if cx.stop < shape[1]:
        edges["right"] = numbers[labels[y0:y1, x1 - 1 : x1 + 1].T]
    return _Window(numbers[core], first, edges)


class _Layer:
    """Windows of one layer, numbered through, joined across seams and passed on to its sink."""

    def __init__(self, grid: TileGrid, sink: LabelSink) -> None:
        self.sink, self.joins, self.seams = sink, _Joins(), _Seams(grid)

    def take(self, tile: Tile, seen: _Window) -> None:
        """Takes in the next window."""
        start = self.joins.add(seen.first)
        self.sink.write(tile.core, np.where(seen.core > 0, seen.core + start, 0).astype(np.int32))
        for a, b in self.seams.meet(tile, {side: np.where(e > 0, e + start, 0) for side, e in seen.edges.items()}):
            self.joins.join(a, b)

    def finish(self) -> int:
        """Numbers the objects finally; how many there are."""
        numbers, count = self.joins.numbers()
        self.sink.relabel(numbers)
        return count


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


class _Joins:
    """Union-find over provisional labels, each with the place of its first pixel."""

    def __init__(self) -> None:
        self.root: list[int] = [0]
        self.first: list[np.ndarray] = [np.zeros(1, np.int64)]

    def add(self, first: np.ndarray) -> int:
        """Takes in new objects; returns what to add to their numbers."""
        start = len(self.root) - 1
        self.root.extend(range(start + 1, start + 1 + first.size))
        self.first.append(first)
        return start

    def find(self, k: int) -> int:
        while self.root[k] != k:
            self.root[k] = self.root[self.root[k]]
            k = self.root[k]
        return k

    def join(self, a: int, b: int) -> None:
        a, b = self.find(a), self.find(b)
        self.root[max(a, b)] = min(a, b)

    def numbers(self) -> tuple[np.ndarray, int]:
        """Final number of each provisional label, and how many there are."""
        roots = np.array([self.find(k) for k in range(len(self.root))])
        first = np.concatenate(self.first)
        earliest = np.full(first.size, np.iinfo(np.int64).max)
        np.minimum.at(earliest, roots, first)
        heads = np.flatnonzero(roots[1:] == np.arange(1, roots.size)) + 1
        final = np.zeros(roots.size, np.int32)
        final[heads[np.argsort(earliest[heads], kind="stable")]] = np.arange(1, heads.size + 1)
        return final[roots], int(heads.size)
