"""The hands of ``map_tiles``: blocks are read ahead, their tiles evaluated by threads; who does a block's last tile writes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar

import numpy as np

from ..errors import PlanError
from ..settings import settings
from .bands import LANE_BYTES, Bands, Box, Piece, Plane, cut, lane_tiles, shut
from .normalise import Normalisation
from .plan import Block, Tile, TileGrid
from .stitch import shift, trim, where
from .workfolder import BlockWriter, Layout

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Job:
    """What is to be done to which pixels; travels to the workers of a cluster.

    Attributes
    ----------
    fn : the caller's function.
    plane, grid : what is read, and the plan.
    normalisation : None gives ``fn`` the stored grey values.
    box : of the plane, that the output covers.
    layout : of the output, once a result has been seen.
    known : results that are there already, by tile index.
    """

    fn: Callable[[np.ndarray], np.ndarray]
    plane: Plane
    grid: TileGrid
    normalisation: Normalisation | None
    box: Box
    layout: Layout | None = None
    known: Mapping[int, np.ndarray] = field(default_factory=dict)

    @property
    def output(self) -> Layout:
        """The layout, once it is known."""
        assert self.layout is not None
        return self.layout

    def blocks(self) -> Iterator[Block]:
        """Blocks of tiles, one a shard of the output."""
        return self.grid.blocks(shape=self.output.block, lane=lane_tiles(self.plane, self.grid))

    @property
    def memory(self) -> int:
        """Bytes that threads in this process will hold at a time, about."""
        block = int(np.prod(self.output.shard, dtype=np.int64)) * np.dtype(self.output.dtype).itemsize
        tile = self.grid.padded**2 * self.plane.channels * 8
        band = self.plane.pixel_bytes * self.plane.shape[1] * max(self.grid.padded, self.plane.chunk[0] * 9 // 4)
        return min(LANE_BYTES, band) + 4 * block + 2 * settings.threads * tile


@dataclass(frozen=True)
class Done:
    """A finished block: the line that the log keeps of it, and how many tiles it holds."""

    line: str
    tiles: int


class Writer(Protocol):
    """Takes whole blocks, from several threads."""

    def write(self, box: Box, data: np.ndarray, key: tuple[int, int]) -> str:
        """Writes a block of the output at ``box``."""


class MemoryWriter:
    """Writes into an array."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def write(self, box: Box, data: np.ndarray, key: tuple[int, int]) -> str:
        self.array[(..., *box)] = data
        return ""


class _Unfinished:
    """The output of one block while its tiles come in; whoever brings the last one writes it."""

    def __init__(self, job: Job, block: Block, writer: Writer) -> None:
        first, last = block.tiles[0].core, block.tiles[-1].core
        self._job, self._block, self._writer = job, block, writer
        self._box = slice(first[0].start, last[0].stop), slice(first[1].start, last[1].stop)
        self._left, self._lock = len(block.tiles), Lock()
        self._data: np.ndarray | None = None

    def add(self, tile: Tile, pieces: tuple[Piece, ...]) -> Done | None:
        job = self._job
        core = job.known[tile.index] if tile.index in job.known else _evaluate(job, tile, pieces)
        _agree(core, tile, job.output)
        with self._lock:
            if self._data is None:
                shape = (s.stop - s.start for s in self._box)
                self._data = np.empty((*job.output.shape[:-2], *shape), job.output.dtype)
        self._data[(..., *shift(tile.core, (self._box[0].start, self._box[1].start)))] = core
        with self._lock:
            self._left -= 1
            if self._left:
                return None
        box = shift(self._box, (job.box[0].start, job.box[1].start))
        return Done(self._writer.write(box, self._data, (self._block.row, self._block.col)), len(self._block.tiles))


def evaluate(job: Job, tile: Tile) -> np.ndarray:
    """The core of one tile's result, read on its own."""
    whole: Future[np.ndarray] = Future()
    whole.set_result(job.plane.read(tile.read))
    return _evaluate(job, tile, (Piece(tile.read, whole),))


def _evaluate(job: Job, tile: Tile, pieces: tuple[Piece, ...]) -> np.ndarray:
    edge, norm = job.grid.padded, job.normalisation
    pixels = np.empty((job.plane.channels, edge, edge), job.plane.dtype if norm is None else np.float32)
    cut(tile, pieces, pixels, _copy if norm is None else norm.put)
    try:
        result = np.asarray(job.fn(pixels))
    except Exception as error:
        error.add_note(f"The function met this at {where(tile)} of the plane.")
        raise
    return trim(result, tile, job.grid)


def _copy(src: np.ndarray, dst: np.ndarray) -> int:
    np.copyto(dst, src)
    return 0


def _agree(core: np.ndarray, tile: Tile, layout: Layout) -> None:
    """PlanError where a tile's result does not fit what the first one promised."""
    lead = layout.shape[:-2]
    if core.shape[:-2] != lead:
        raise PlanError(
            f"{where(tile)}: the function returned planes {core.shape[:-2]} but {lead} for the first tile; "
            "it must return as many for every tile"
        )
    if not np.can_cast(core.dtype, layout.dtype, "same_kind"):
        raise PlanError(
            f"{where(tile)}: the function returned {core.dtype}, which does not fit the output's {np.dtype(layout.dtype)}; "
            "return one dtype for every tile, or say dtype="
        )


def run_blocks(job: Job, blocks: Iterator[Block] | list[Block], writer: Writer, threads: int) -> Generator[Done, None, None]:
    """Does the blocks in order, at least two at a time, and tells of each that is written; closing it stops the threads."""
    readers, workers = ThreadPoolExecutor(threads, "micro_nb-read"), ThreadPoolExecutor(threads, "micro_nb-work")
    bands, pending = Bands(job.plane, readers), deque[list[Future[Done | None]]]()
    try:
        for block in blocks:
            unfinished, pieces = _Unfinished(job, block, writer), bands.pieces(block)
            pending.append([workers.submit(unfinished.add, tile, pieces) for tile in block.tiles])
            while len(pending) > 2 and sum(map(len, pending)) > 2 * threads:
                yield from _settled(pending.popleft())
        while pending:
            yield from _settled(pending.popleft())
    finally:
        shut(readers, workers)


def _settled(futures: list[Future[Done | None]]) -> Iterator[Done]:
    yield from [done for future in futures if (done := future.result()) is not None]


def run_on_cluster(client: Any, job: Job, blocks: list[Block], data: Path) -> Generator[Done, None, None]:
    """The same on the workers of a ``dask.distributed.Client``; each task is a run of blocks, so that chunks are shared."""
    slots = max(1, sum(client.nthreads().values()))
    per_task = max(1, -(-len(blocks) // (4 * slots)))
    runs = [blocks[i : i + per_task] for i in range(0, len(blocks), per_task)]
    with closing(on_cluster(client, partial(_run_here, str(data)), job, runs)) as work:
        for result in work:
            yield from result


def on_cluster(client: Any, fn: Callable[[Any, T], R], job: Any, items: list[T]) -> Generator[R, None, None]:
    """``fn(job, item)`` of every item on the workers of a cluster, as each is done; closing it calls off the rest."""
    from distributed import as_completed

    there = client.scatter(job, broadcast=True, hash=False)  # sent once to each worker
    tasks = [client.submit(fn, there, item, pure=False) for item in items]
    try:
        for _, result in as_completed(tasks, with_results=True):  # type: ignore[no-untyped-call]
            yield result
    finally:
        client.cancel(tasks)


def must_travel(source: Any) -> None:
    """PlanError where the workers of a cluster could not open an image."""
    while hasattr(source, "base"):
        source = source.base
    try:
        source.__reduce__()
    except TypeError as error:
        raise PlanError(f"the workers of a cluster cannot open this image: {error}") from None


def _run_here(data: str, job: Job, blocks: list[Block]) -> list[Done]:
    return list(run_blocks(job, blocks, BlockWriter(Path(data)), threads=1))
