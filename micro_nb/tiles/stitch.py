"""Putting results back: halos are trimmed, cores meet without overlap."""

from __future__ import annotations

import numpy as np

from ..errors import PlanError
from .plan import Slices, Tile, TileGrid


def trim(result: np.ndarray, tile: Tile, grid: TileGrid) -> np.ndarray:
    """The core ``(k, y, x)`` of what a function made of a padded tile ``(k, tile + 2 halo, tile + 2 halo)``; a view.

    ``(y, x)`` results stay two-dimensional.

    Raises
    ------
    PlanError : the result has another shape; names the tile and the shapes.
    """
    edge = grid.padded
    if result.ndim not in (2, 3) or result.shape[-2:] != (edge, edge):
        raise PlanError(
            f"{where(tile)}: the function returned shape {result.shape}; it must return ({edge}, {edge}) or (k, {edge}, {edge}), "
            f"the height and width it was given, halo included (tile {grid.tile} + 2 x halo {grid.halo})"
        )
    return result[(..., *tile.inner)]


def shift(box: Slices, origin: tuple[int, int]) -> Slices:
    """A box of the plane in coordinates that begin at ``origin``."""
    (y, x), (dy, dx) = box, origin
    return slice(y.start - dy, y.stop - dy), slice(x.start - dx, x.stop - dx)


def where(tile: Tile) -> str:
    """A tile in words for messages."""
    y, x = tile.core
    return f"tile {tile.index} (row {tile.row}, column {tile.col}; y {y.start}..{y.stop}, x {x.start}..{x.stop})"
