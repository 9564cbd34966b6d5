"""``TileDataset``: a stream as a torch ``IterableDataset``, shared out among the workers of a ``DataLoader``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from ..data.image import MicroImage
from ..data.region import Region
from ..data.view import Projection
from ..errors import PlanError
from .normalise import Kind, Normalisation
from .plan import TileGrid
from .stream import Recipe, TileBatch, TileStream, stream


class TileDataset(IterableDataset[TileBatch]):
    """Batches of tiles for ``torch.utils.data.DataLoader(dataset, batch_size=None)``; parameters as in :func:`stream`.

    Each worker takes a run of neighbouring tiles, so that together they visit every tile once; the grey values are
    normalised by numbers fixed here, so that workers cannot disagree. A stream reads with threads already; workers pay where
    what follows in Python is slow, such as augmentation. They open the image by its address, which needs
    ``DataLoader(..., num_workers=n, multiprocessing_context="spawn")``: readers run threads of their own, which a forked
    process would wait for in vain. An image in memory is the other way round: its workers must be forked.

    Raises
    ------
    PlanError : while iterating, in a forked worker, where the image is not in memory.

    Attributes
    ----------
    grid : the plan over all workers.
    normalisation : what is done to grey values.

    Examples
    --------
    >>> import numpy as np
    >>> from torch.utils.data import DataLoader
    >>> dataset = TileDataset(np.zeros((64, 64), "uint8"), tile=32, halo=8, batch_size=2)
    >>> [tuple(batch.pixels.shape) for batch in DataLoader(dataset, batch_size=None)]
    [(2, 1, 48, 48), (2, 1, 48, 48)]
    """

    def __init__(
        self,
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
    ) -> None:
        self._recipe: Recipe = stream(
            img, tile=tile, halo=halo, batch_size=batch_size, channels=channels, normalise=normalise, region=region, grid=grid,
            level=level, prefetch=prefetch, threads=threads, project=project,
        ).recipe  # fmt: skip
        self._process = os.getpid()

    @property
    def grid(self) -> TileGrid:
        """The plan over all workers."""
        return self._recipe.grid

    @property
    def normalisation(self) -> Normalisation:
        """What is done to grey values."""
        return self._recipe.normalisation

    def __len__(self) -> int:
        """How many batches without workers; each worker's last batch may be short, so with workers there may be more."""
        return len(TileStream(self._recipe))

    def __iter__(self) -> Iterator[TileBatch]:
        if self._process != os.getpid() and self._recipe.plane.source.uri is not None:
            raise PlanError(
                f"this worker was forked, where {self._recipe.plane.source.uri} cannot be read: the threads of its reader stayed "
                "behind; pass multiprocessing_context='spawn' to the DataLoader"
            )
        return iter(TileStream(_share(self._recipe)))

    def __getstate__(self) -> dict[str, Any]:
        return {"_recipe": self._recipe}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._recipe, self._process = state["_recipe"], os.getpid()


def _share(recipe: Recipe) -> Recipe:
    """The part of this worker; everything outside of a worker."""
    worker = get_worker_info()
    if worker is None:
        return recipe
    n = len(recipe.grid)
    part = slice(worker.id * n // worker.num_workers, (worker.id + 1) * n // worker.num_workers)
    torch.set_num_threads(1)
    return replace(recipe, grid=recipe.grid[part])
