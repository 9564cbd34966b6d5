"""What is seen in one window of a plane: objects of each layer with the sums of their embeddings, and embeddings of tiles.

Windows know nothing of one another. They are looked at in any order, by this process or by the workers of a cluster, and kept one
by one, so that an interrupted look goes on where it was.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import torch
from numcodecs.blosc import Blosc
from scipy import sparse

from ...progress import Progress
from ...settings import settings
from ...tiles.assemble import Window, ordered
from ...tiles.kept import Kept
from ...tiles.plan import Tile, TileGrid
from ...tiles.work import must_travel, on_cluster
from .decode import Decoding, objects_of, outlined
from .network import CHANNELS, Tiled, TileMaps

DECODING = Decoding()
TILE = 256
"""Map pixels along a tile that has an embedding of its own."""
Part = dict[str, np.ndarray]
"""Of each layer ``labels`` (compressed), ``first``, and ``sums (n, D + 2)`` of embeddings, foreground and pixels; of the tiles
``sums`` and ``squares (t, D)`` of embeddings, ``cells (t,)``, and ``boxes (t, 4)``: y0, x0, y1, x1 in pixels of level 0."""


def fill(parts: Kept, maps: TileMaps, windows: TileGrid, client: Any = None) -> None:
    """Looks at the windows that are not kept yet, here or on the workers of a ``dask.distributed.Client``."""
    missing = [tile for tile in windows if tile.index not in parts]
    if client is None:
        work = (part for _, part in ordered(partial(part_of, maps), missing, threads=settings.threads))
    else:
        must_travel(maps.plane.source)
        work = on_cluster(client, part_of, maps, missing)
    megapixels = np.prod(maps.plane.plane_shape) / 1e6 / (windows.rows * windows.cols)
    with Progress("looking", len(missing), "windows", scale=megapixels, rate_unit="MPx") as progress, closing(work):
        for index, part in work:
            parts[index] = part
            progress.advance()


def part_of(maps: TileMaps, tile: Tile) -> tuple[int, Part]:
    """The index of a window and what is seen there."""
    seen, names = maps.look(tile), maps.model.config.layers

    def layer(k: int) -> Part:
        geometry = seen.geometry[CHANNELS * k : CHANNELS * (k + 1)].astype(np.float32)
        window = Window.of(objects_of(geometry, DECODING), tile, maps.shape[1])
        sums = _sums(seen, window, geometry[0][tile.within_read])
        labels = packed(_drawn(window, seen.grey))
        return {f"{names[k]}/labels": labels, f"{names[k]}/first": window.first, f"{names[k]}/sums": sums}

    with ThreadPoolExecutor(settings.threads) as hands:  # layers side by side: a small plane is one window
        parts = list(hands.map(layer, range(len(names))))
    return tile.index, dict(ChainMap(_tiles(seen, tile, maps), *parts))


def _drawn(window: Window, grey: np.ndarray) -> np.ndarray:
    """The labels of a window, outlined by the picture; as they were decoded along the border of its core, where windows join."""
    labels = outlined(window.labels, grey, DECODING)
    for axis, part in enumerate(window.tile.within_read):
        lines = np.r_[max(part.start - 1, 0) : part.start + 1, part.stop - 1 : min(part.stop + 1, labels.shape[axis])]
        np.moveaxis(labels, axis, 0)[lines] = np.moveaxis(window.labels, axis, 0)[lines]
    return labels


def window_of(part: Part, layer: str, tile: Tile) -> Window:
    """The labels of a layer of a window."""
    labels = unpacked(part[f"{layer}/labels"], [s.stop - s.start for s in tile.read])
    return Window(tile, labels, part[f"{layer}/first"])


def packed(labels: np.ndarray) -> np.ndarray:
    """Labels ``int32``, compressed: ``(n,) uint8``."""
    return np.frombuffer(Blosc("zstd", 1).encode(np.ascontiguousarray(labels)), np.uint8)


def unpacked(labels: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """What :func:`packed` compressed."""
    return np.frombuffer(Blosc().decode(labels.tobytes()), np.int32).reshape(shape)


def _tiles(seen: Tiled, tile: Tile, maps: TileMaps) -> Part:
    """Sums over the embeddings of each tile."""
    step, embedding = TILE // 2, torch.from_numpy(seen.embedding)  # (D, h / 2, w / 2)
    sums, squares, counts, boxes = [], [], [], []
    for y in range(0, embedding.shape[1], step):
        for x in range(0, embedding.shape[2], step):
            cells = embedding[:, y : y + step, x : x + step].float()
            sums.append(cells.sum((1, 2)).double().numpy() * seen.unit)
            squares.append((cells * cells).sum((1, 2)).double().numpy() * seen.unit.astype(np.float64) ** 2)
            counts.append(cells[0].numel())
            top, left = ((s.start + 2 * at) * maps.pitch for s, at in zip(tile.core, (y, x), strict=True))
            ends = (start + 2 * n * maps.pitch for start, n in zip((top, left), cells.shape[1:], strict=True))
            boxes.append((top, left, *map(min, ends, maps.plane.plane_shape)))
    told = {"sums": sums, "squares": squares, "cells": counts, "boxes": boxes}
    return {f"tiles/{name}": np.array(values) for name, values in told.items()}


def _sums(seen: Tiled, window: Window, foreground: np.ndarray) -> np.ndarray:
    """``(n, D + 2)``: of each object of a core the sum of its embeddings, of its foreground probability, and its pixels."""
    labels, n = window.core, len(window.first)
    inside = np.flatnonzero(labels)
    row, across = labels.ravel()[inside] - 1, seen.embedding.shape[2]
    y, x = np.divmod(inside, labels.shape[1])
    cell, at = np.unique(y // 2 * across + x // 2, return_inverse=True)
    weights = sparse.csr_array((np.ones(row.size, np.float32), (row, at)), shape=(n, cell.size))
    embedding = seen.embedding.transpose(1, 2, 0).reshape(-1, len(seen.embedding))[cell]
    certain = np.bincount(row, foreground.ravel()[inside], minlength=n)
    pooled = (weights @ embedding.astype(np.float32)) * seen.unit
    return np.column_stack([pooled, certain, np.bincount(row, minlength=n)]).astype(np.float32)
