"""Reads bands of chunks and cuts tiles from them, so that each stored chunk is decoded once however the tiles overlap.

A piece is a run of whole chunks. It is read when the first tile needs it and forgotten when the last one has.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from ..data.image import MicroImage
from ..data.region import Region
from ..data.source import Source
from ..errors import PlanError
from .plan import Block, Tile, TileGrid

Box = tuple[slice, slice]
Put = Callable[[np.ndarray, np.ndarray], int]
"""Writes grey values ``(c, y, x)`` into a part of a tile; returns how many pixels were not finite."""

LANE_BYTES = 96 << 20
_CELL = 256  # chunks smaller than this are read in whole groups, or the calls would cost more than the pixels


@dataclass(frozen=True)
class Plane:
    """One level of an image as ``(c, y, x)``, whatever axes it has; safe to read from several threads.

    Attributes
    ----------
    source : axes c, y, x or y, x.
    level : which of its levels.
    """

    source: Source
    level: int = 0

    def __post_init__(self) -> None:
        levels = len(self.source.info.levels)
        if not 0 <= self.level < levels:
            raise PlanError(f"level={self.level} does not exist; the image has levels 0..{levels - 1}")

    @classmethod
    def of(cls, img: MicroImage, *, level: int = 0, channels: Any = None, project: Any = None) -> Plane:
        """A level of an image; AxesError where z or t is longer than one and no projection was named."""
        return cls((img if channels is None else img.sel(c=channels)).plane(project=project).source, level)

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` pixels."""
        y, x = self.source.info.levels[self.level].shape[-2:]
        return y, x

    @property
    def chunk(self) -> tuple[int, int]:
        """``(y, x)`` edges of a stored chunk."""
        y, x = self.source.info.levels[self.level].chunks[-2:]
        return y, x

    @property
    def origin(self) -> tuple[int, int]:
        """``(y, x)`` of the first pixel inside its chunk."""
        return self.source.origin(self.level)

    @property
    def channels(self) -> int:
        """How many."""
        return self.source.info.sizes.get("c", 1)

    @property
    def rgb(self) -> bool:
        """Whether they are the red, green and blue of one picture."""
        return self.source.info.rgb

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""
        return np.dtype(self.source.info.dtype)

    @property
    def pixel_bytes(self) -> int:
        """Bytes a pixel, all channels together."""
        return self.dtype.itemsize * self.channels

    def read(self, box: Box) -> np.ndarray:
        """``(c, y, x)`` pixels of a box, stored dtype."""
        index = box if "c" not in self.source.info.axes else (slice(0, self.channels), *box)
        data = self.source.read(self.level, index)
        return data if data.ndim == 3 else data[None]

    def coarsest(self, max_pixels: int) -> Plane:
        """The finest level of at most ``max_pixels``, this one if it is; the coarsest where none is."""
        levels = self.source.info.levels
        small = (k for k in range(self.level, len(levels)) if levels[k].shape[-1] * levels[k].shape[-2] <= max_pixels)
        return replace(self, level=next(small, len(levels) - 1))

    def grid(self, *, tile: int, halo: int, region: Region | str | None = None) -> TileGrid:
        """The plan over this plane; with a region only the tiles whose cores meet its box."""
        grid = TileGrid(self.shape, tile=tile, halo=halo, level=self.level)
        return grid if region is None else grid.within(self.place(region))

    def place(self, region: Region | str) -> Region:
        """A region (pixels of level 0, µm, or a named part) in pixels of this level, clipped to it."""
        info = self.source.info
        level, full = info.levels[self.level], info.levels[0].shape[-2:]
        wanted = Region.part(region, (full[0], full[1])) if isinstance(region, str) else region
        box = wanted.to("px", info.pixel_size)
        (sy, sx), (ty, tx) = level.scale[-2:], level.translation[-2:]
        rows, cols = Region(box.y0 - ty, box.x0 - tx, box.y1 - ty, box.x1 - tx).at((sy, sx))
        return Region(rows.start, cols.start, rows.stop, cols.stop).clip(self.shape)


@dataclass(frozen=True, eq=False)
class Piece:
    """A box of whole chunks, clipped to the plane, and its pixels ``(c, y, x)`` once they are read."""

    box: Box
    pixels: Future[np.ndarray]


class Bands:
    """Hands out the pieces that a block needs, each read once while blocks arrive in the order of their plan.

    Parameters
    ----------
    plane : what is read.
    readers : where reading happens.
    """

    def __init__(self, plane: Plane, readers: Executor) -> None:
        self.plane, self._readers = plane, readers
        self._cell = tuple(c * max(1, _CELL // c) for c in plane.chunk)
        self._live: dict[tuple[int, int], Piece] = {}
        self._last: Block | None = None

    def pieces(self, block: Block) -> tuple[Piece, ...]:
        """The pieces that hold the block's tiles; those not read yet are on their way."""
        self._forget(block)
        needed = sorted({cell for tile in block.tiles for cell in self._cells(tile.read)})
        for row, cells in groupby((c for c in needed if c not in self._live), key=lambda cell: cell[0]):
            for _, run in groupby(enumerate(col for _, col in cells), key=lambda pair: pair[1] - pair[0]):
                cols = [col for _, col in run]
                piece = self._read(row, cols[0], cols[-1])
                self._live |= {(row, col): piece for col in cols}
        pieces = tuple(dict.fromkeys(self._live[cell] for cell in needed))
        self._drop(lambda rows, cols: rows.stop <= block.done[0] and cols.stop <= block.done[1])
        return pieces

    def _forget(self, block: Block) -> None:
        last, self._last = self._last, block
        if last is not None and block.lane != last.lane:
            self._live.clear()
        elif last is not None and block.row != last.row:
            self._drop(lambda rows, cols: rows.stop <= last.done[0])

    def _drop(self, unneeded: Callable[[slice, slice], bool]) -> None:
        self._live = {cell: piece for cell, piece in self._live.items() if not unneeded(*piece.box)}

    def _read(self, row: int, first: int, last: int) -> Piece:
        spans = zip(((row, row), (first, last)), self.plane.origin, self._cell, self.plane.shape, strict=True)
        rows, cols = (slice(max(0, a * c - o), min(n, (b + 1) * c - o)) for (a, b), o, c, n in spans)
        return Piece((rows, cols), self._readers.submit(self.plane.read, (rows, cols)))

    def _cells(self, read: Box) -> list[tuple[int, int]]:
        rows, cols = (
            range((s.start + o) // c, (s.stop - 1 + o) // c + 1)
            for s, o, c in zip(read, self.plane.origin, self._cell, strict=True)
        )
        return [(row, col) for row in rows for col in cols]


def shut(*pools: Executor) -> None:
    """Stops pools: what has not begun is called off; returns when all of their threads have ended."""
    for wait in (False, True):
        for pool in pools:
            pool.shutdown(wait=wait, cancel_futures=True)


def lane_tiles(plane: Plane, grid: TileGrid) -> int:
    """How many tiles wide a lane may be: about two and a quarter rows of chunks of it are in memory at a time.

    A lane's borders are read twice: two columns of chunks a lane. At 512 x 512 chunks and 4 bytes a pixel that is 5 %.
    """
    band = max(grid.padded, plane.chunk[0] * max(1, _CELL // plane.chunk[0]) * 9 // 4)
    return max(1, LANE_BYTES // (band * plane.pixel_bytes) // grid.tile)


def cut(tile: Tile, pieces: tuple[Piece, ...], out: np.ndarray, put: Put) -> int:
    """Fills ``out (c, tile + 2 halo, tile + 2 halo)`` from the pieces; rims are mirrored. Returns how many were not finite."""
    (top, left), bad = (tile.pad[0][0], tile.pad[1][0]), 0
    rows, cols = tile.read
    for piece in pieces:
        y, x = _meet(rows, piece.box[0]), _meet(cols, piece.box[1])
        if y is not None and x is not None:
            src = piece.pixels.result()[:, _within(y, piece.box[0].start), _within(x, piece.box[1].start)]
            bad += put(src, out[:, _within(y, rows.start - top), _within(x, cols.start - left)])
    _mirror(out, tile)
    return bad


def _mirror(out: np.ndarray, tile: Tile) -> None:
    """Fills what lies outside the plane with its mirror image about the rim pixel; past what was read, with the edge.

    Within a halo of the rim the mirrored pixel is always among those read, so neighbours of core pixels never depend on ``tile``.
    """
    for axis, (before, after) in zip((2, 1), reversed(tile.pad), strict=True):
        n = out.shape[axis]
        first, last = before, n - 1 - after
        take = np.arange(n)
        for place, source in ((take < first, 2 * first - take), (take > last, 2 * last - take)):
            if place.any():
                into = (slice(None),) * axis + (place,)
                out[into] = np.take(out, np.clip(source[place], first, last), axis=axis)


def _meet(a: slice, b: slice) -> slice | None:
    start, stop = max(a.start, b.start), min(a.stop, b.stop)
    return slice(start, stop) if stop > start else None


def _within(s: slice, start: int) -> slice:
    return slice(s.start - start, s.stop - start)
