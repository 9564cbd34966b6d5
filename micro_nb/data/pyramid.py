"""Pyramids in bounded memory: a depth-first walk that reads every pixel of level 0 once and writes every shard once.

A shard of a level is made of four finished shards of the level below, halved, so only one shard a level is ever held, and
nothing that was written is read again. What is written depends neither on threads nor on timing.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import google_crc32c
import numcodecs
import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.codecs import BloscCodec

from ..errors import PlanError
from ..settings import settings
from .sources.stores import join, put_bytes
from .sources.zarr_source import with_plain_codecs

Reduce = Literal["mean", "nearest"]
Block = tuple[slice, ...]
_STRIP = 128  # rows at a time: what is added stays in the processor's cache


@dataclass(frozen=True)
class PyramidPlan:
    """Shapes of all levels and the grid of shards they share; levels halve in y and x, rounding up.

    Attributes
    ----------
    shape : level 0, y and x last.
    chunk, shard : edges in y and x in pixels; ``shard`` is an even multiple of ``chunk``.
    levels : how many.
    together : leading dimensions read and written in one go (``c`` of a colour picture), by position.
    """

    shape: tuple[int, ...]
    chunk: int
    shard: int
    levels: int
    together: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        shape: Sequence[int],
        *,
        chunk: int = 512,
        shard: int | None = None,
        levels: int | None = None,
        together: Sequence[int] = (),
    ) -> PyramidPlan:
        """A plan; without ``levels``, as many as it takes for the coarsest to fit one chunk.

        >>> PyramidPlan.of((3, 16384, 10000)).levels
        6
        """
        shard = 4 * chunk if shard is None else shard
        if chunk < 16 or shard < chunk or shard % chunk or shard % 2:
            raise PlanError(f"chunk={chunk}, shard={shard}: shard must be an even multiple of chunk, and chunk at least 16")
        enough = 1 + max(0, math.ceil(math.log2(max(shape[-2:]) / chunk)))
        if levels is not None and not 1 <= levels <= 64:
            raise PlanError(f"levels={levels} must be 1 to 64")
        return cls(tuple(shape), chunk, shard, levels or enough, tuple(together))

    def level_shape(self, level: int) -> tuple[int, ...]:
        """Shape of a level."""
        return self.shape[:-2] + tuple(-(-n // 2**level) for n in self.shape[-2:])

    def array_chunks(self, level: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Chunks and shards of a level's array; shards no larger than the level needs."""
        plane = self.level_shape(level)[-2:]
        lead = (1,) * (len(self.shape) - 2)
        shards = tuple(min(self.shard, -(-n // self.chunk) * self.chunk) for n in plane)
        return lead + (self.chunk,) * 2, lead + shards

    def block(self, level: int, at: tuple[int, int]) -> tuple[slice, slice]:
        """Pixels of a level that a shard holds."""
        y, x = self.level_shape(level)[-2:]
        s = self.shard
        return slice(at[0] * s, min((at[0] + 1) * s, y)), slice(at[1] * s, min((at[1] + 1) * s, x))

    def grid(self, level: int) -> tuple[int, int]:
        """Shards of a level along y and x."""
        y, x = self.level_shape(level)[-2:]
        return -(-y // self.shard), -(-x // self.shard)

    def leads(self) -> list[Block]:
        """Leading parts of the blocks: one plane each, or all samples of a colour picture."""
        spans = [
            [slice(0, n)] if i in self.together else [slice(k, k + 1) for k in range(n)] for i, n in enumerate(self.shape[:-2])
        ]
        return list(itertools.product(*spans))

    def leaves(self, level: int, at: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Shards of level 0 below a shard, in the order the walk needs them."""
        if level == 0:
            yield at
            return
        for child in self.below(level, at):
            yield from self.leaves(level - 1, child)

    def below(self, level: int, at: tuple[int, int]) -> list[tuple[int, int]]:
        """The up to four shards of the next finer level that make up one shard."""
        rows, cols = self.grid(level - 1)
        return [(i, j) for i in (2 * at[0], 2 * at[0] + 1) for j in (2 * at[1], 2 * at[1] + 1) if i < rows and j < cols]


def create_level_array(
    store: Store, path: str, *, shape: Sequence[int], dtype: Any, chunks: Sequence[int], shards: Sequence[int] | None = None,
    axes: Sequence[str] | None = None, attributes: Mapping[str, Any] | None = None,
) -> zarr.Array[Any]:  # fmt: skip
    """A new zarr v3 array, blosc-zstd, fill value 0, for :func:`write_shards`; equal pixels give equal bytes."""
    kind = np.dtype(dtype)
    array = zarr.create_array(
        store, name=path, shape=tuple(shape), dtype=kind, chunks=tuple(chunks), shards=tuple(shards) if shards else None,
        compressors=compressor(kind),
        fill_value=0, dimension_names=list(axes) if axes else None, attributes=dict(attributes or {}), zarr_format=3,
    )  # fmt: skip
    return with_plain_codecs(array)


def halve(block: np.ndarray, how: Reduce = "mean") -> np.ndarray:
    """Half the pixels in y and x, rounding sizes up; the last row or column of an odd block stands for itself.

    ``mean`` is over the 2 x 2 (at odd rims 2 x 1 or 1 x 1) pixels: exact integer arithmetic, halves rounded up; floats in their
    own precision, over those of the four that are not NaN. ``nearest`` keeps the first of each four.

    >>> halve(np.array([[0, 1, 7], [0, 1, 7]], "uint8"))
    array([[1, 7]], dtype=uint8)
    """
    if how == "nearest":
        return np.ascontiguousarray(block[..., ::2, ::2])
    if block.dtype.kind == "b":
        return halve(block.astype(np.uint8)).astype(bool)
    h, w = block.shape[-2:]
    out = np.empty((*block.shape[:-2], -(-h // 2), -(-w // 2)), block.dtype.newbyteorder("="))
    for y in range(0, h, _STRIP):
        out[..., y // 2 : (y + _STRIP) // 2, :] = _mean_of_four(_even(block[..., y : y + _STRIP, :]))
    return out


def _even(block: np.ndarray) -> np.ndarray:
    """``block`` with its last row and column repeated where their number is odd."""
    h, w = block.shape[-2:]
    if h % 2 == 0 and w % 2 == 0:
        return block
    return np.pad(block, [(0, 0)] * (block.ndim - 2) + [(0, h % 2), (0, w % 2)], mode="edge")


def _mean_of_four(block: np.ndarray) -> np.ndarray:
    if block.dtype.kind == "f":
        wide = np.float64 if block.dtype.itemsize == 8 else np.float32
        pairs = np.add(block[..., 0::2, :], block[..., 1::2, :], dtype=wide)
        quarter: np.ndarray = (pairs[..., 0::2] + pairs[..., 1::2]) * wide(0.25)
        lost = np.isnan(quarter)
        if lost.any():
            quarter[lost] = _mean_of_known(block, lost, wide)
        return quarter
    if block.dtype.itemsize == 8:  # no wider integer: divide each before adding, then add what that dropped
        q = [block[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]
        exact: np.ndarray = sum((v >> 2 for v in q[1:]), q[0] >> 2) + ((sum((v & 3 for v in q[1:]), q[0] & 3) + 2) >> 2)
        return exact
    wider = np.dtype(f"{block.dtype.kind}{block.dtype.itemsize * 2}")
    rows = np.add(block[..., 0::2, :], block[..., 1::2, :], dtype=wider)
    total: np.ndarray = np.add(rows[..., 0::2], rows[..., 1::2])
    total += wider.type(2)
    total >>= wider.type(2)
    return total


def _mean_of_known(block: np.ndarray, at: np.ndarray, wide: Any) -> np.ndarray:
    """``(n,)`` means over what is not NaN of the 2 x 2 pixels of ``block`` where ``at`` is True; NaN where all four are."""
    four = np.stack([block[..., i::2, j::2][at] for i in (0, 1) for j in (0, 1)]).astype(wide)
    known = ~np.isnan(four)
    with np.errstate(invalid="ignore"):  # 0 / 0: none of the four is known; inf - inf
        mean: np.ndarray = np.where(known, four, 0).sum(axis=0) / known.sum(axis=0)
    return mean


@dataclass
class PyramidWalk:
    """Builds all levels of one image.

    Attributes
    ----------
    plan : shapes and shards.
    read : gives the pixels of a block of level 0 (slices over all dimensions).
    arrays : one a level.
    how : ``mean`` for images, ``nearest`` for labels.
    advance : told the pixels finished at level 0.
    """

    plan: PyramidPlan
    read: Callable[[Block], np.ndarray]
    arrays: Sequence[zarr.Array[Any]]
    how: Reduce = "mean"
    advance: Callable[[float], None] = lambda pixels: None

    def run(self, *, threads: int | None = None) -> None:
        """Reads and writes with ``threads`` threads; whatever stops it stops all of them before it is raised."""
        n = threads or settings.threads
        stop = threading.Event()
        pool = ThreadPoolExecutor(n, thread_name_prefix="pyramid")
        try:
            for lead in self.plan.leads():
                rows, cols = self.plan.grid(self.plan.levels - 1)
                for top in itertools.product(range(rows), range(cols)):
                    finished = self._finished_leaves(pool, lead, top, n + 1, stop)
                    self._build(lead, self.plan.levels - 1, top, finished)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _finished_leaves(
        self, pool: ThreadPoolExecutor, lead: Block, top: tuple[int, int], ahead: int, stop: threading.Event
    ) -> Iterator[np.ndarray]:
        """Leaves in order, ``ahead`` of them under way: the bound on memory."""
        waiting: deque[Future[np.ndarray]] = deque()
        for at in self.plan.leaves(self.plan.levels - 1, top):
            waiting.append(pool.submit(self._leaf, lead, at, stop))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _leaf(self, lead: Block, at: tuple[int, int], stop: threading.Event) -> np.ndarray:
        if stop.is_set():
            return np.empty(0)
        place = lead + self.plan.block(0, at)
        pixels = self.read(place)
        write_shards(self.arrays[0], place, pixels)
        self.advance(pixels.size)
        return halve(pixels, self.how) if self.plan.levels > 1 else pixels[..., :0, :0]

    def _build(self, lead: Block, level: int, at: tuple[int, int], finished: Iterator[np.ndarray]) -> np.ndarray:
        """Writes one shard and everything below it; returns it halved."""
        if level == 0:
            return next(finished)
        rows, cols = self.plan.block(level, at)
        half = self.plan.shard // 2
        out: np.ndarray | None = None
        for child in self.plan.below(level, at):
            part = self._build(lead, level - 1, child, finished)
            if out is None:
                out = np.empty((*part.shape[:-2], rows.stop - rows.start, cols.stop - cols.start), part.dtype)
            y, x = (child[0] % 2) * half, (child[1] % 2) * half
            out[..., y : y + part.shape[-2], x : x + part.shape[-1]] = part
        assert out is not None
        write_shards(self.arrays[level], lead + (rows, cols), out)
        return halve(out, self.how) if level < self.plan.levels - 1 else out[..., :0, :0]


def create_levels(store: Store, plan: PyramidPlan, *, dtype: Any, axes: Sequence[str], root: str = "") -> list[zarr.Array[Any]]:
    """Empty arrays for all levels, at the paths ``0``, ``1``, ... below ``root``."""
    out = []
    for level in range(plan.levels):
        chunks, shards = plan.array_chunks(level)
        shape, path = plan.level_shape(level), join(root, str(level))
        out.append(create_level_array(store, path, shape=shape, dtype=dtype, chunks=chunks, shards=shards, axes=axes))
    return out


_ABSENT = np.uint64(2**64 - 1)
LEVEL = 1  # of zstd: 3 halves the speed for 2 % of the size on camera images


def compressor(dtype: np.dtype[Any]) -> BloscCodec:
    """How chunks are compressed, as zarr's metadata say it."""
    size = np.dtype(dtype).itemsize
    return BloscCodec(cname="zstd", clevel=LEVEL, shuffle="shuffle" if size > 1 else "bitshuffle", typesize=size)


def write_shards(array: zarr.Array[Any], place: tuple[slice, ...], pixels: np.ndarray) -> None:
    """Writes ``pixels`` to ``place``, which covers whole shards of ``array`` (the rim of the array ends the last ones).

    Shards of nothing but zeros, the fill value, are left out.

    Raises
    ------
    ValueError : ``place`` begins or ends inside a shard.
    """
    shards = array.shards or array.chunks
    if not all(s.start % edge == 0 and (s.stop % edge == 0 or s.stop == n)
               for s, n, edge in zip(place, array.shape, shards, strict=True)):  # fmt: skip
        raise ValueError(f"{place} is not made of whole shards {shards} of an array of shape {array.shape}")
    for at in itertools.product(*(range(s.start // e, -(-s.stop // e)) for s, e in zip(place, shards, strict=True))):
        box = tuple(slice(i * e - s.start, min((i + 1) * e, s.stop) - s.start) for i, e, s in zip(at, shards, place, strict=True))
        data = b"".join(encode_shard(pixels[box], shards, array.chunks))
        if data:
            put_bytes(array.store, join(array.path, array.metadata.encode_chunk_key(at)), data)


def encode_shard(pixels: np.ndarray, shard: tuple[int, ...], chunk: tuple[int, ...]) -> Iterator[bytes]:
    """The parts of a shard of shape ``shard`` in chunks of shape ``chunk``, in order; none where every pixel is zero.

    What ``pixels`` lack is zero; a chunk of zeros is left out.
    """
    codec = numcodecs.Blosc(cname="zstd", clevel=LEVEL, shuffle=numcodecs.Blosc.SHUFFLE if pixels.itemsize > 1 else
                            numcodecs.Blosc.BITSHUFFLE)  # fmt: skip
    grid = tuple(s // c for s, c in zip(shard, chunk, strict=True))
    index = np.full((*grid, 2), _ABSENT, "<u8")
    offset = 0
    for at in np.ndindex(*grid):
        block = pixels[tuple(slice(i * c, (i + 1) * c) for i, c in zip(at, chunk, strict=True))]
        if block.size == 0 or not (block.flat[0] or block.any()):
            continue
        encoded = codec.encode(_filled(block, chunk))
        index[at] = offset, len(encoded)
        offset += len(encoded)
        yield encoded
    if offset:
        table = index.tobytes()
        yield table + np.uint32(google_crc32c.value(table)).astype("<u4").tobytes()


def _filled(block: np.ndarray, chunk: tuple[int, ...]) -> np.ndarray:
    """``block`` as contiguous little-endian pixels of shape ``chunk``, zero where it is smaller."""
    plain = np.ascontiguousarray(block, block.dtype.newbyteorder("<"))
    if plain.shape == chunk:
        return plain
    whole = np.zeros(chunk, plain.dtype)
    whole[tuple(slice(0, n) for n in plain.shape)] = plain
    return whole
