"""The costly look at an image, taken once: objects of each layer with their pooled embeddings, features of the image itself."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage as ndi
from zarr.abc.store import Store
from zarr.storage import LocalStore, MemoryStore

from ...data.image import MicroImage
from ...data.region import Region
from ...models.network import MicroD1
from ...models.pictures import normalise, planes
from ...tiles.assemble import Joined
from ...tiles.kept import Kept
from ...tiles.labels import ZarrLabels
from ...tiles.plan import TileGrid
from .fast import Compiled
from .network import HALO, WINDOW, TileMaps, plane_bounds
from .parts import fill, window_of
from .scale import Scale, find_scale, pitch_for

_THUMBNAIL, _LARGEST, _BAND = 1 << 20, 2048, 1024
KEEP_BYTES = 1 << 26
"""What is worked out of a look is kept in memory up to this size."""


@dataclass(frozen=True)
class Layer:
    """Objects of one layer.

    Attributes
    ----------
    labels : ``(y, x) int32`` on the plane, a zarr array, or one in memory; objects are 1..N.
    pooled : ``(N, D) float32``, mean pixel embedding of each object.
    certainty : ``(N,) float32``, mean foreground probability of each object's pixels.
    """

    labels: Any
    pooled: np.ndarray
    certainty: np.ndarray

    def __len__(self) -> int:
        return len(self.pooled)


@dataclass(frozen=True)
class Seen:
    """What Micro-D1 saw in an image.

    Attributes
    ----------
    layers : name -> objects.
    scale : at which scale it looked.
    detail : ``(2 D,) float32``: mean and deviation of the pixel embeddings.
    tiles : ``(T, 2 D) float32``: the same of each tile, of ``boxes (T, 4)``: y0, x0, y1, x1 in pixels of level 0.
    thumbnail : ``(M, 1280) float32`` features of the whole image, small.
    bounds : grey values that were 0 and 1 to the network.
    weights_id, image_id : whose weights, which image.
    coloured : whether it is a colour picture.
    drawn : of a plane that was looked at in part the windows, in pixels of level 0.
    engine : what ran the tile network.
    folder : of the cache that holds it; None where it is in memory alone.
    derived : what was worked out of it and does not depend on what is asked, by name.
    """

    layers: Mapping[str, Layer]
    scale: Scale
    detail: np.ndarray
    tiles: np.ndarray
    boxes: np.ndarray
    thumbnail: np.ndarray
    bounds: tuple[float, float]
    weights_id: str
    image_id: str
    coloured: bool = False
    drawn: TileGrid | None = None
    engine: str = "torch"
    folder: Path | None = None
    derived: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """How it was looked at, as JSON values, for evidence."""
        return {
            "model": "micro_d1", "weights": self.weights_id, "scale": self.scale.to_dict(), "grey_bounds": list(self.bounds),
            "window": WINDOW, "halo": HALO, **({} if self.engine == "torch" else {"engine": self.engine}),
            **({"tile_px": self.drawn.tile, "tiles_drawn": len(self.drawn)} if self.drawn is not None else {}),
        }  # fmt: skip


@dataclass(frozen=True)
class Draw:
    """Which windows of a plane are looked at, where it is not all of them: ``n``, drawn at random among those that meet a region
    (in pixels; None for the whole plane)."""

    n: int
    region: Region | None = None
    seed: int = 0

    def of(self, grid: TileGrid) -> TileGrid:
        """The windows of a plan in pixels of level 0."""
        return (grid.within(self.region) if self.region is not None else grid).sample(self.n, seed=self.seed)


@dataclass
class Look:
    """One look at a plane.

    Attributes
    ----------
    plane : ``(y, x)`` or a colour picture.
    diameter_px : object diameter in pixels of level 0, where it is known.
    folder : what is seen is written there, window by window, and labels as zarr; None keeps all in memory.
    fast : the tile network compiled, where there is one.
    draw : looks at a part of the windows only.
    client : a ``dask.distributed.Client`` whose workers look.
    """

    model: MicroD1
    plane: MicroImage
    diameter_px: float | None = None
    folder: Path | None = None
    fast: Compiled | None = None
    draw: Draw | None = None
    client: Any = None

    def run(self) -> Seen | None:
        """Finds everything; what was seen before, by a look that was interrupted or a draw, is not looked at again.

        None where the draw is half of the windows or more: then all are worth a look.
        """
        self.bounds = plane_bounds(self.plane)
        scale = self.scale()
        maps, thumbnail = self.maps_at(scale.pitch), self.thumbnail()
        drawn = self.draw.of(TileGrid(self.plane.plane_shape, tile=WINDOW * scale.pitch)) if self.draw is not None else None
        if drawn is not None and 2 * len(drawn) >= drawn.rows * drawn.cols:
            return None
        windows = maps.grid if drawn is None else replace(maps.grid, chosen=drawn.chosen)
        parts = Kept(self.folder and self.folder / f"parts {scale.pitch}")
        fill(parts, maps, windows, self.client)
        layers = {name: self.layer(name, windows, parts, maps) for name in self.model.config.layers}
        return Seen(
            layers, scale, *_moments(parts, windows), thumbnail, self.bounds, self.model.weights_id, self.plane.content_id,
            self.plane.rgb, drawn, self.fast.name if self.fast else "torch",
        )  # fmt: skip

    def scale(self) -> Scale:
        """The scale to look at: that of a known diameter, else what glances say."""
        if self.diameter_px is not None:
            return Scale(pitch_for(self.diameter_px, self.model.config.diameter_px), float(self.diameter_px), "argument")
        return find_scale(self.maps_at, self.plane, self.model)

    def maps_at(self, pitch: int) -> TileMaps:
        """The plane as the network sees it at a pitch."""
        return TileMaps(self.model, self.plane, pitch, self.bounds, self.fast)

    def layer(self, name: str, windows: TileGrid, parts: Kept, maps: TileMaps) -> Layer:
        """Objects of a layer: joined across seams, or, of drawn windows, those whose middle lies in one."""
        whole = windows.chosen is None
        numbers, count = (_joined if whole else _owned)(name, windows, parts)
        sink = ZarrLabels(self.store(name if whole else None), self.plane.plane_shape, factor=maps.pitch, smooth=True)
        sums = np.zeros((count + 1, self.model.config.embed_dim + 2), np.float32)
        for tile, own in zip(windows, numbers, strict=True):
            part = parts[tile.index]
            seen = window_of(part, name, tile)
            sink.write(tile.core if whole else tile.read, own[seen.core if whole else seen.labels], over=not whole)
            np.add.at(sums, own, np.concatenate([sums[:1], part[f"{name}/sums"]]))
        sums = sums[1:]
        sums[:, :-1] /= np.maximum(sums[:, -1:], 1)
        return Layer(sink.labels, sums[:, :-2], sums[:, -2])

    def store(self, name: str | None) -> Store:
        """Where labels go: memory, where they are compressed, or, of a layer by its name, the folder."""
        if self.folder is None or name is None:
            return MemoryStore()
        shutil.rmtree(self.folder / f"{name}.zarr", ignore_errors=True)
        return LocalStore(self.folder / f"{name}.zarr")

    def thumbnail(self) -> np.ndarray:
        """``(M, 1280)``: of a level that is small, or of every so many pixels of the last one, read in bands."""
        level = self.plane.level_for(_THUMBNAIL)
        height, width = self.plane.info.levels[level].shape[-2:]
        step = max(1, -(-max(height, width) // _LARGEST))
        band, lead = step * max(1, _BAND // step), (slice(None),) * (len(self.plane.axes) - 2)
        places = ((*lead, slice(y, min(y + band, height)), slice(0, width)) for y in range(0, height, band))
        image = np.concatenate([self.plane.read(level, place)[..., ::step, ::step] for place in places], axis=-2)
        small = torch.from_numpy(planes(normalise(image, self.bounds)))[None]
        with torch.inference_mode():
            seen = self.model.thumb.look(self.model.processor.thumbnail(small).expand(-1, 3, -1, -1))
        return np.asarray(seen[0].numpy().astype(np.float16), np.float32)  # as it is kept in the cache


def _joined(name: str, windows: TileGrid, parts: Kept) -> tuple[list[np.ndarray], int]:
    """Of each window the final numbers of its objects, 0 first; and how many objects there are."""
    joined = Joined(windows)
    starts = [joined.add(window_of(parts[tile.index], name, tile)) for tile in windows]
    numbers, count = joined.numbers()
    ends = [*starts[1:], len(numbers) - 1]
    return [np.concatenate([numbers[:1], numbers[a + 1 : b + 1]]) for a, b in zip(starts, ends, strict=True)], count


def _owned(name: str, windows: TileGrid, parts: Kept) -> tuple[list[np.ndarray], int]:
    """The same of windows that are not joined: an object is that of the window that its middle lies in."""
    numbers, count = [], 0
    for tile in windows:
        seen, core = window_of(parts[tile.index], name, tile), tile.within_read
        middles = np.reshape(ndi.center_of_mass(seen.labels > 0, seen.labels, range(1, len(seen.first) + 1)), (-1, 2))
        low, high = ([getattr(s, end) - 0.5 for s in core] for end in ("start", "stop"))
        own = np.concatenate([[False], ((middles >= low) & (middles < high)).all(1)])
        numbers.append(((np.cumsum(own) + count) * own).astype(np.int32))
        count += int(own.sum())
    return numbers, count


def _moments(parts: Kept, windows: TileGrid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and deviation of the embeddings of what was seen ``(2 D,)``, of its tiles ``(T, 2 D)``, and their boxes ``(T, 4)``."""
    each = [[part[f"tiles/{k}"] for k in ("sums", "squares", "cells", "boxes")] for part in (parts[t.index] for t in windows)]
    sums, squares, cells, boxes = map(np.concatenate, zip(*each, strict=True))
    return _spread(sums.sum(0), squares.sum(0), cells.sum()), _spread(sums, squares, cells[:, None]), boxes


def _spread(total: np.ndarray, squares: np.ndarray, count: np.ndarray) -> np.ndarray:
    mean = total / count
    return np.concatenate([mean, np.sqrt(np.maximum(squares / count - mean**2, 0))], axis=-1).astype(np.float32)
