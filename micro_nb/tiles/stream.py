"""``stream``: batches of tiles as torch tensors, read ahead by threads, each stored chunk decoded once."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any

import numpy as np
import torch

from ..data.image import MicroImage
from ..data.open import open_image
from ..data.region import Region
from ..data.view import Projection
from ..errors import PlanError
from ..progress import Progress
from ..settings import settings
from .bands import Bands, Piece, Plane, cut, lane_tiles, shut
from .normalise import Kind, Normalisation, fix
from .plan import Tile, TileGrid

_BLOCK_PX = 8192  # width of a read: wide enough that its cost is decoding, narrow enough that the first batch comes at once


@dataclass(frozen=True)
class TileBatch:
    """Tiles that were read together.

    Attributes
    ----------
    pixels : ``(B, C, H, W)`` float32, ``H = W = tile + 2 * halo``; yours to keep and to change.
    tiles : where each of them lies.
    normalisation : what was done to the grey values.
    not_finite : NaN or infinite pixels in each tile (halo included); they are 0 in ``pixels``.
    """

    pixels: torch.Tensor
    tiles: tuple[Tile, ...]
    normalisation: Normalisation
    not_finite: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tiles)


@dataclass(frozen=True)
class Recipe:
    """Everything a stream does, without doing it; travels to another process where the image has an address."""

    plane: Plane
    grid: TileGrid
    normalisation: Normalisation
    batch_size: int = 8
    prefetch: int = 2
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("prefetch", 0), ("threads", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise PlanError(f"{name}={value} must be at least {least}")


class TileStream:
    """The batches of an image; iterate it as often as you like. ``close`` (or leaving a ``with``) stops what is running.

    Attributes
    ----------
    grid : the plan.
    normalisation : what is done to grey values, fixed before the first tile.
    """

    def __init__(self, recipe: Recipe, *, progress: bool = False) -> None:
        self.recipe, self.grid, self.normalisation = recipe, recipe.grid, recipe.normalisation
        self._progress = progress
        self._running: weakref.WeakSet[_Run] = weakref.WeakSet()

    def __len__(self) -> int:
        """How many batches."""
        return -(-len(self.grid) // self.recipe.batch_size)

    def __iter__(self) -> Iterator[TileBatch]:
        run = _Run(self.recipe)
        self._running.add(run)
        bar = Progress("streaming", len(self.grid), "tiles", scale=self.grid.tile**2 / 1e6, rate_unit="MPx")
        with closing(run), bar if self._progress else nullcontext():
            for batch in run.batches():
                yield batch
                if self._progress:
                    bar.advance(len(batch))

    def __enter__(self) -> TileStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stops every iteration of this stream that still runs; returns when its threads have ended."""
        for run in list(self._running):
            run.close()

    def __repr__(self) -> str:
        edge = self.grid.padded
        return (
            f"<TileStream: {len(self.grid):,} tiles in {len(self):,} batches of ({self.recipe.batch_size}, "
            f"{self.recipe.plane.channels}, {edge}, {edge}) float32, normalised by {self.normalisation.kind}>"
        )


def stream(
    img: MicroImage | Any,
    *,
    tile: int = 512,
    halo: int = 64,
    batch_size: int = 8,
    channels: int | str | list[int | str] | None = None,
    normalise: Kind | Normalisation = "percentile",
    region: Region | str | None = None,
    grid: TileGrid | None = None,
    level: int = 0,
    prefetch: int = 2,
    threads: int | None = None,
    project: Projection | None = None,
    progress: bool = False,
) -> TileStream:
    """Batches of tiles of an image of any size.

    Memory is a few batches and about two rows of chunks (of at most 96 MB), whatever the image. Tiles come row by row, in
    very wide images lane by lane; ``batch.tiles`` says where each lies. Outside of the image a tile shows its mirror image.

    Parameters
    ----------
    img : a MicroImage, or what :func:`open_image` takes.
    tile, halo : pixels of a core's edge, and read around it.
    batch_size : tiles a batch; the last batch may hold fewer.
    channels : names or positions; all of them without.
    normalise : ``"percentile"`` (0.1 and 99.9 % of a coarse level become 0 and 1), ``"dtype"``, ``"none"``, or a
        :class:`Normalisation`, such as ``other_stream.normalisation``.
    region : only the tiles whose cores meet its box.
    grid : a plan of your own, such as ``TileGrid(...).sample(64)``, in place of tile, halo, level and region.
    level : pyramid level.
    prefetch : batches made ahead of the one in use.
    threads : threads that read, and as many that cut and normalise; ``settings.threads`` without.
    project : ``"max"`` or ``"mean"`` over z and t.
    progress : show a progress bar.

    Raises
    ------
    AxesError : z or t is longer than one and neither selected nor projected.
    PlanError, RegionError : the plan is impossible or empty.
    CorruptImageError : while iterating, once, from whichever thread met it.

    Examples
    --------
    >>> import numpy as np
    >>> for batch in stream(np.arange(64.0).reshape(8, 8), tile=4, halo=1, normalise="none"):
    ...     print(tuple(batch.pixels.shape), batch.tiles[0].core, batch.pixels[0, 0, 0, :3].tolist())
    (4, 1, 6, 6) (slice(0, 4, None), slice(0, 4, None)) [9.0, 8.0, 9.0]
    """
    plane = Plane.of(open_image(img), level=level if grid is None else grid.level, channels=channels, project=project)
    plan = plane.grid(tile=tile, halo=halo, region=region) if grid is None else grid
    if plan.shape != plane.shape:
        raise PlanError(f"the grid is for a plane of {plan.shape} but level {plan.level} of this image is {plane.shape}")
    recipe = Recipe(plane, plan, fix(plane, normalise), batch_size=batch_size, prefetch=prefetch, threads=threads)
    return TileStream(recipe, progress=progress)


class _Run:
    """One iteration: its threads, and the batches on their way."""

    def __init__(self, recipe: Recipe) -> None:
        threads = recipe.threads or settings.threads
        self._recipe = recipe
        self._readers = ThreadPoolExecutor(threads, "micro_nb-read")
        self._cutters = ThreadPoolExecutor(threads, "micro_nb-cut")
        self._buffers = _Buffers((recipe.batch_size, recipe.plane.channels, recipe.grid.padded, recipe.grid.padded))

    def batches(self) -> Generator[TileBatch, None, None]:
        work = self._started()
        ahead = deque(islice(work, self._recipe.prefetch + 1))
        while ahead:
            tiles, buffer, futures = ahead.popleft()
            bad = tuple(future.result() for future in futures)
            ahead.extend(islice(work, 1))
            yield TileBatch(torch.from_numpy(buffer)[: len(tiles)], tiles, self._recipe.normalisation, bad)
            del buffer

    def _started(self) -> Iterator[tuple[tuple[Tile, ...], np.ndarray, list[Future[int]]]]:
        """Batches whose reading and cutting has been asked for."""
        put, tiles = self._recipe.normalisation.put, self._tiles()
        while batch := list(islice(tiles, self._recipe.batch_size)):
            buffer = self._buffers.take()
            futures = [
                self._cutters.submit(cut, tile, pieces, out, put) for (tile, pieces), out in zip(batch, buffer, strict=False)
            ]
            yield tuple(tile for tile, _ in batch), buffer, futures

    def _tiles(self) -> Iterator[tuple[Tile, tuple[Piece, ...]]]:
        grid, bands = self._recipe.grid, Bands(self._recipe.plane, self._readers)
        wide = max(1, _BLOCK_PX // grid.tile)
        for block in grid.blocks(shape=(1, wide), lane=lane_tiles(self._recipe.plane, grid)):
            pieces = bands.pieces(block)
            yield from ((tile, pieces) for tile in block.tiles)

    def close(self) -> None:
        shut(self._readers, self._cutters)


class _Buffers:
    """Memory for batches. A batch's memory is used again only after the last tensor or array on it is gone.

    Tensors must be made from the very array that :meth:`take` lends: NumPy lets a slice of it skip the loan and hold the memory.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape, self._free = shape, deque[np.ndarray]()

    def take(self) -> np.ndarray:
        try:
            memory = self._free.pop()
        except IndexError:
            memory = np.empty(self._shape, np.float32)
        lent = memory.view()
        weakref.finalize(lent, self._free.append, memory).atexit = False
        return lent
