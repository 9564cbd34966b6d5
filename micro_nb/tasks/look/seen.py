"""The costly look at an image, taken once: objects of each layer with their pooled embeddings, features of the image itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ...data.atomic import writing
from ...data.image import MicroImage
from ...data.location import Location
from ...models.network import MicroD1
from ...models.pictures import normalise, planes
from ...settings import settings
from ...tiles.assemble import LabelSink, TiledMaps, assemble_layers
from ...tiles.labels import MemoryLabels, ZarrLabels, open_labels
from ...tiles.plan import Slices
from .decode import Decoding, objects_of
from .fast import Compiled
from .network import CHANNELS, HALO, WINDOW, Tiled, TileMaps, plane_bounds
from .scale import Scale, find_scale, pitch_for

_KEEP_BYTES = 340 << 20
_THUMBNAIL = 1 << 20
DECODING = Decoding()
KEEP_BYTES = 1 << 26
"""What is worked out of a look is kept in memory up to this size."""
TILE = 256
"""Map pixels along a tile that has an embedding of its own."""


@dataclass(frozen=True)
class Layer:
    """Objects of one layer.

    Attributes
    ----------
    labels : ``(y, x) int32`` on the plane, an array or a lazy zarr array; objects are 1..N.
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
    engine: str = "torch"
    folder: Path | None = None
    derived: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """How it was looked at, as JSON values, for evidence."""
        return {
            "model": "micro_d1", "weights": self.weights_id, "scale": self.scale.to_dict(), "grey_bounds": list(self.bounds),
            "window": WINDOW, "halo": HALO, **({} if self.engine == "torch" else {"engine": self.engine}),
        }  # fmt: skip


@dataclass
class Look:
    """One look at a plane.

    Attributes
    ----------
    plane : ``(y, x)`` or a colour picture.
    diameter_px : object diameter in pixels of level 0, where it is known.
    folder : labels are written there as zarr, where they should not be kept in memory.
    fast : the tile network compiled, where there is one.
    """

    model: MicroD1
    plane: MicroImage
    diameter_px: float | None = None
    folder: Path | None = None
    fast: Compiled | None = None

    def run(self) -> Seen:
        """Finds everything."""
        self.bounds = plane_bounds(self.plane)
        scale = self.scale()
        maps, moments = self.maps_at(scale.pitch), _Moments(scale.pitch, self.plane.plane_shape)
        return Seen(
            self.layers(maps, moments), scale, *moments.summary(), self.thumbnail(), self.bounds, self.model.weights_id,
            self.plane.content_id, self.plane.rgb, engine=self.fast.name if self.fast else "torch",
        )  # fmt: skip

    def scale(self) -> Scale:
        """The scale to look at: that of a known diameter, else what glances say."""
        if self.diameter_px is not None:
            return Scale(pitch_for(self.diameter_px, self.model.config.diameter_px), float(self.diameter_px), "argument")
        return find_scale(self.maps_at, self.plane, self.model)

    def maps_at(self, pitch: int) -> TileMaps:
        """The plane as the network sees it at a pitch."""
        return TileMaps(self.model, self.plane, pitch, self.bounds, self.fast)

    def layers(self, maps: TileMaps, moments: _Moments) -> dict[str, Layer]:
        """Objects of all layers, found together: maps of a large plane are not kept, and are costly."""
        names = self.model.config.layers
        windows = TiledMaps(maps.grid, maps.geometry, keep_bytes=_KEEP_BYTES)
        with ExitStack() as stack:
            sinks = [self.sink(name, maps.pitch, stack) for name in names]
            poolings = [_Pooling(sink, maps, CHANNELS * k, None if k else moments) for k, sink in enumerate(sinks)]
            assemble_layers(
                windows.read, maps.shape, [partial(_decoded, k) for k in range(len(names))], poolings, window=WINDOW, margin=HALO,
                threads=settings.threads, area=maps.pitch**2, what="looking",
            )  # fmt: skip
            for name, sink in zip(names, sinks, strict=True):
                if isinstance(sink, ZarrLabels):
                    sink.finish(name, pixel_size=self.plane.pixel_size, attrs={})
        found = {}
        for name, sink, pooling in zip(names, sinks, poolings, strict=True):
            labels = sink.labels if isinstance(sink, MemoryLabels) else open_labels(self.written(name))
            found[name] = Layer(labels, *pooling.means())
        return found

    def sink(self, name: str, pitch: int, stack: ExitStack) -> MemoryLabels | ZarrLabels:
        """Where labels of a layer go: memory, or a store of the folder, which is whole once ``stack`` is left."""
        shape = self.plane.plane_shape
        if self.folder is None:
            return MemoryLabels(shape, factor=pitch, smooth=True)
        store = stack.enter_context(writing(Location.of(os.fspath(self.written(name))), overwrite=True))
        return ZarrLabels(store, shape, factor=pitch, smooth=True, threads=settings.threads)

    def written(self, name: str) -> Path:
        """Where the labels of a layer are written."""
        assert self.folder is not None
        return self.folder / f"{name}.zarr"

    def thumbnail(self) -> np.ndarray:
        """``(M, 1280)``."""
        image = self.plane.read(self.plane.level_for(_THUMBNAIL))
        small = torch.from_numpy(planes(normalise(_shrunk(image), self.bounds)))[None]
        with torch.inference_mode():
            seen = self.model.thumb.look(self.model.processor.thumbnail(small).expand(-1, 3, -1, -1))
        return np.asarray(seen[0].numpy().astype(np.float16), np.float32)  # as it is kept in the cache


def _shrunk(image: np.ndarray, largest: int = 2048) -> np.ndarray:
    step = max(1, -(-max(image.shape[-2:]) // largest))
    return image[..., ::step, ::step]


def _decoded(k: int, geometry: np.ndarray) -> np.ndarray:
    """Objects of layer ``k`` of a window of maps."""
    return objects_of(geometry[CHANNELS * k : CHANNELS * (k + 1)].astype(np.float32), DECODING)


class _Moments:
    """Mean and deviation of the pixel embeddings of a plane and of its tiles."""

    def __init__(self, pitch: int, shape: tuple[int, int]) -> None:
        self.pitch, self.shape = pitch, shape
        self.found: list[tuple[np.ndarray, np.ndarray, int]] = []
        self.boxes: list[tuple[int, int, int, int]] = []

    def add(self, place: Slices, seen: Tiled) -> None:
        """Takes in a window, tile by tile."""
        step, embedding = TILE // 2, torch.from_numpy(seen.embedding)  # (D, h / 2, w / 2)
        for y in range(0, embedding.shape[1], step):
            for x in range(0, embedding.shape[2], step):
                cells = embedding[:, y : y + step, x : x + step].float()
                sums, squares = cells.sum((1, 2)).double().numpy(), (cells * cells).sum((1, 2)).double().numpy()
                self.found.append((sums * seen.unit, squares * seen.unit.astype(np.float64) ** 2, cells[0].numel()))
                top, left = (place[0].start + 2 * y) * self.pitch, (place[1].start + 2 * x) * self.pitch
                height, width = (2 * n * self.pitch for n in cells.shape[1:])
                self.boxes.append((top, left, min(top + height, self.shape[0]), min(left + width, self.shape[1])))

    def summary(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the plane ``(2 D,)``, of the tiles ``(T, 2 D)``, and their boxes ``(T, 4)``."""
        sums, squares, counts = zip(*self.found, strict=True)
        tiles = np.stack([_spread(*part) for part in self.found])
        return _spread(np.sum(sums, 0), np.sum(squares, 0), int(np.sum(counts))), tiles, np.array(self.boxes, np.int64)


def _spread(total: np.ndarray, squares: np.ndarray, count: int) -> np.ndarray:
    mean = total / count
    return np.concatenate([mean, np.sqrt(np.maximum(squares / count - mean**2, 0))]).astype(np.float32)


class _Pooling:
    """A label sink that also pools the embeddings under each object before it passes the labels on."""

    def __init__(self, sink: LabelSink, maps: TileMaps, foreground: int, moments: _Moments | None) -> None:
        self.sink, self.maps, self.foreground, self.moments = sink, maps, foreground, moments
        self.parts: list[tuple[np.ndarray, np.ndarray]] = []
        self.total = np.zeros((0, maps.model.config.embed_dim + 2))

    def write(self, place: Slices, labels: np.ndarray) -> None:
        """Stores a window and the sums of its objects."""
        self.sink.write(place, labels)
        inside = np.flatnonzero(labels)
        if inside.size == 0 and self.moments is None:
            return
        seen = self.maps.at(place)
        if self.moments is not None:
            self.moments.add(place, seen)
        if inside.size:
            numbers = labels.ravel()[inside]
            least, row = int(numbers.min()), numbers - numbers.min()
            count = np.bincount(row)
            certain = np.bincount(row, seen.geometry[self.foreground].ravel()[inside].astype(np.float32))
            sums = np.column_stack([_summed(seen, row, _cells(labels.shape)[inside]), certain, count])
            self.parts.append((least + np.flatnonzero(count), sums[count > 0]))

    def relabel(self, numbers: np.ndarray) -> None:
        """Joins what lies on both sides of seams."""
        self.sink.relabel(numbers)
        self.total = np.zeros((int(numbers.max(initial=0)), self.total.shape[1]))
        for present, sums in self.parts:
            np.add.at(self.total, numbers[present] - 1, sums)

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Pooled embeddings ``(N, D)`` and certainties ``(N,)``."""
        means = self.total[:, :-1] / np.maximum(self.total[:, -1:], 1)
        return means[:, :-1].astype(np.float32), means[:, -1].astype(np.float32)


def _summed(seen: Tiled, row: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """``(N, D)`` sums of the embeddings of ``cell``, one a map pixel, for each ``row``."""
    used = np.zeros(seen.embedding[0].size, bool)
    used[cell] = True
    weights = sparse.csr_array((np.ones(row.size, np.float32), (row, (np.cumsum(used) - 1)[cell])))
    embedding = seen.embedding.transpose(1, 2, 0).reshape(used.size, -1)[used]
    summed: np.ndarray = (weights @ embedding.astype(np.float32)) * seen.unit
    return summed


def _cells(shape: tuple[int, ...]) -> np.ndarray:
    """Which embedding cell each map pixel lies in."""
    across = -(-shape[1] // 2)
    return (np.arange(shape[0])[:, None] // 2 * across + np.arange(shape[1])[None] // 2).ravel()
