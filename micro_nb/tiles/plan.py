"""``TileGrid``: which squares of a plane are read, with which halo, in which order. Pure arithmetic; knows no pixels.

Cores are anchored at the origin and cover the plane exactly once, rims included. Around each core a halo is read; where it
leaves the plane it is padded, so that every tile has the same shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import overload

import numpy as np

from ..data.region import Region
from ..errors import PlanError

Slices = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """One square of a plan, in pixels of the plan's level.

    Attributes
    ----------
    index : position in the full grid, row by row.
    row, col : place in the grid.
    core : ``(y, x)`` slices of the pixels that only this tile owns; smaller than ``tile`` at the far rims.
    read : core plus halo, clipped to the plane.
    pad : ``((top, bottom), (left, right))`` pixels to add to ``read`` so that every tile is ``tile + 2 * halo`` wide.
    """

    index: int
    row: int
    col: int
    core: Slices
    read: Slices
    pad: tuple[tuple[int, int], tuple[int, int]]

    @property
    def inner(self) -> Slices:
        """Slices of the core inside the padded ``(tile + 2 * halo)`` square."""
        (top, _), (left, _) = self.pad
        (ry, rx), (cy, cx) = self.read, self.core
        y, x = cy.start - ry.start + top, cx.start - rx.start + left
        return slice(y, y + cy.stop - cy.start), slice(x, x + cx.stop - cx.start)

    @property
    def within_read(self) -> Slices:
        """Slices of the core inside ``read``."""
        (cy, cx), (ry, rx) = self.core, self.read
        return slice(cy.start - ry.start, cy.stop - ry.start), slice(cx.start - rx.start, cx.stop - rx.start)


@dataclass(frozen=True)
class Block:
    """Neighbouring tiles that are read, and written, together.

    Attributes
    ----------
    row, col : place in the lattice of blocks, counted from the first tile that is visited.
    lane : which run of columns it belongs to; lanes are visited one after the other, each from top to bottom.
    tiles : those of its tiles that are to be visited, row by row.
    read : ``(y, x)`` slices of the plane that cover them with their halos.
    done : ``(y, x)``: once this block is read, no later block of the lane needs a pixel that is above ``y`` and left of ``x``.
    """

    row: int
    col: int
    lane: int
    tiles: tuple[Tile, ...]
    read: Slices
    done: tuple[int, int]


@dataclass(frozen=True)
class TileGrid:
    """A plan over a ``(y, x)`` plane.

    Attributes
    ----------
    shape : ``(y, x)`` pixels of the plane at ``level``.
    tile : edge of a core in pixels, >= 1.
    halo : pixels read around a core, >= 0.
    level : pyramid level the plan is for.
    chosen : indices of the tiles to visit, each once; None for all of them.

    Examples
    --------
    >>> grid = TileGrid((1000, 700), tile=512, halo=64)
    >>> len(grid), grid[3].core
    (4, (slice(512, 1000, None), slice(512, 700, None)))
    >>> grid[0].pad
    ((64, 0), (64, 0))
    """

    shape: tuple[int, int]
    tile: int = 512
    halo: int = 0
    level: int = 0
    chosen: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise PlanError(f"a plan needs a (y, x) shape of at least 1 x 1, got {self.shape}")
        if self.tile < 1 or self.halo < 0:
            raise PlanError(f"tile={self.tile} must be >= 1 and halo={self.halo} must be >= 0")
        if self.chosen is not None and any(not 0 <= i < self.rows * self.cols for i in self.chosen):
            raise PlanError(f"chosen tiles must lie in 0..{self.rows * self.cols - 1}")
        if self.chosen is not None and len(set(self.chosen)) != len(self.chosen):
            raise PlanError("a tile is chosen twice; each may be visited once")

    @property
    def rows(self) -> int:
        """Rows of the full grid."""
        return -(-self.shape[0] // self.tile)

    @property
    def cols(self) -> int:
        """Columns of the full grid."""
        return -(-self.shape[1] // self.tile)

    @property
    def padded(self) -> int:
        """Edge of what each tile reads: ``tile + 2 * halo``."""
        return self.tile + 2 * self.halo

    @property
    def indices(self) -> tuple[int, ...]:
        """Indices of the tiles to visit, in order."""
        return tuple(range(self.rows * self.cols)) if self.chosen is None else self.chosen

    def __len__(self) -> int:
        return self.rows * self.cols if self.chosen is None else len(self.chosen)

    def __iter__(self) -> Iterator[Tile]:
        return (self.at(i) for i in self.indices)

    @overload
    def __getitem__(self, item: int) -> Tile: ...
    @overload
    def __getitem__(self, item: slice) -> TileGrid: ...
    def __getitem__(self, item: int | slice) -> Tile | TileGrid:
        if isinstance(item, slice):
            return replace(self, chosen=self.indices[item])
        return self.at(self.indices[item])

    def at(self, index: int) -> Tile:
        """The tile with this index in the full grid."""
        row, col = divmod(index, self.cols)
        (cy, ry, py), (cx, rx, px) = (self._span(k, n) for k, n in zip((row, col), self.shape, strict=True))
        return Tile(index, row, col, (cy, cx), (ry, rx), (py, px))

    def within(self, region: Region) -> TileGrid:
        """Only the tiles whose cores meet ``region`` (pixels of this plan's level)."""
        rows, cols = (range(s.start // self.tile, -(-s.stop // self.tile)) for s in region.clip(self.shape).at())
        return replace(self, chosen=tuple(i for i in self.indices if i // self.cols in rows and i % self.cols in cols))

    def sample(self, n: int, *, seed: int = 0) -> TileGrid:
        """``n`` tiles drawn without replacement, in grid order, smaller draws among them; all where there are no more."""
        if n >= len(self):
            return self
        drawn = np.random.default_rng(seed).permutation(len(self))[:n]
        return replace(self, chosen=tuple(self.indices[i] for i in sorted(drawn)))

    def blocks(self, *, shape: tuple[int, int] = (1, 8), lane: int | None = None) -> Iterator[Block]:
        """The tiles to visit, in blocks of ``shape`` tiles, lane by lane, from top to bottom and left to right.

        A lane is ``lane`` tiles wide (whole blocks, at least one; None: the whole width), so that what a reader must keep in
        memory between two rows of blocks does not grow with the width of the plane. With one lane and blocks of one row the
        tiles come in the order of :attr:`indices`.

        >>> [len(block.tiles) for block in TileGrid((1024, 5120)).blocks(shape=(2, 4))]
        [8, 8, 4]
        """
        (high, wide), (row0, col0) = shape, self.first
        lanes = -(-self.cols // wide) if lane is None else max(1, lane // wide)
        for (band, row, col), run in groupby(self._ordered(shape, lanes), key=lambda item: item[0]):
            tiles = tuple(self.at(index) for _, index in run)
            below, right = (row0 + (row + 1) * high) * self.tile, (col0 + (col + 1) * wide) * self.tile
            last = (col + 1) % lanes == 0 or right >= self.shape[1]
            yield Block(row, col, band, tiles, _cover(tiles), (below - self.halo, self.shape[1] if last else right - self.halo))

    @property
    def first(self) -> tuple[int, int]:
        """``(row, col)`` of the top-left corner of the box that holds the tiles to visit."""
        if self.chosen is None:
            return 0, 0
        return min(self.chosen) // self.cols, min(i % self.cols for i in self.chosen)

    @property
    def box(self) -> Slices:
        """``(y, x)`` slices of the plane that hold the cores to visit."""
        if self.chosen is None:
            return slice(0, self.shape[0]), slice(0, self.shape[1])
        (row, col), last_row, last_col = self.first, max(self.chosen) // self.cols, max(i % self.cols for i in self.chosen)
        y, x = ((k + 1) * self.tile for k in (last_row, last_col))
        return slice(row * self.tile, min(y, self.shape[0])), slice(col * self.tile, min(x, self.shape[1]))

    def _ordered(self, shape: tuple[int, int], lanes: int) -> Iterator[tuple[tuple[int, int, int], int]]:
        """``((lane, block row, block col), index)`` in the order of :meth:`blocks`."""
        (high, wide), (row0, col0) = shape, self.first

        def key(index: int) -> tuple[int, int, int]:
            row, col = index // self.cols - row0, index % self.cols - col0
            return col // wide // lanes, row // high, col // wide

        if self.chosen is not None:
            yield from sorted((key(i), i) for i in self.chosen)
            return
        for left in range(0, self.cols, wide * lanes):
            for top in range(0, self.rows, high):
                for col in range(left, min(left + wide * lanes, self.cols), wide):
                    for row in range(top, min(top + high, self.rows)):
                        for index in range(row * self.cols + col, row * self.cols + min(col + wide, self.cols)):
                            yield key(index), index

    def _span(self, k: int, n: int) -> tuple[slice, slice, tuple[int, int]]:
        start, stop = k * self.tile, min((k + 1) * self.tile, n)
        low, high = start - self.halo, (k + 1) * self.tile + self.halo
        return slice(start, stop), slice(max(low, 0), min(high, n)), (max(-low, 0), max(high - n, 0))


def _cover(tiles: tuple[Tile, ...]) -> Slices:
    boxes = [tile.read for tile in tiles]
    return (
        slice(min(y.start for y, _ in boxes), max(y.stop for y, _ in boxes)),
        slice(min(x.start for _, x in boxes), max(x.stop for _, x in boxes)),
    )
