"""The costly look at an image, taken once: objects of each layer with their pooled embeddings, features of the image itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ...analysis.scale import find_recipe
from ...data.atomic import writing
from ...data.image import MicroImage
from ...data.location import Location
from ...models.micro_d1 import MicroD1Model
from ...models.micro_d1.processing_micro_d1 import normalise, three_channels
from ...settings import settings
from ...tiles.assemble import LabelSink, TiledMaps, assemble_layers
from ...tiles.labels import MemoryLabels, ZarrLabels, open_labels
from ...tiles.plan import Slices
from .agree import agreed, second_pitch
from .decode import Decoding, objects_of
from .familiar import Stain, stain_of, unfamiliar
from .haematoxylin import haematoxylin_above
from .network import HALO, WINDOW, Tiled, TileMaps, plane_bounds
from .places import telling
from .scale import Scale, find_scales
from .second import Found, closer_pitch, look_closer
from .sizes import sizes_px

_KEEP_BYTES = 340 << 20
_THUMBNAIL = 1 << 20
DECODING = Decoding()
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
    scale : at which scale they were looked at.
    haematoxylin : ``(N,) float32``, how much denser than around it, see :mod:`.haematoxylin`; None where it is no stained tissue.
    """

    labels: Any
    pooled: np.ndarray
    certainty: np.ndarray
    scale: Scale
    haematoxylin: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.pooled)

    def joined(self, kept: np.ndarray, more: Found) -> Layer:
        """The objects ``kept (N + 1,)``, and those of a second look where none of them lies; numbered from 1."""
        numbers = (np.cumsum(kept) - 1) * kept
        count = int(numbers.max())
        labels = numbers.astype(np.int32)[self.labels]
        for place, patch in more.patches:
            free = (patch > 0) & (labels[place] == 0)
            labels[place][free] = patch[free] + count
        pooled = np.concatenate([self.pooled[kept[1:]], more.pooled])
        return Layer(labels, pooled, np.concatenate([self.certainty[kept[1:]], more.certainty]), self.scale)


@dataclass(frozen=True)
class Seen:
    """What Micro-D1 saw in an image.

    Attributes
    ----------
    layers : name -> objects.
    scale : at which scale it looked; a layer of much smaller objects may have one of its own.
    detail : ``(2 D,) float32``: mean and deviation of the pixel embeddings.
    tiles : ``(T, 2 D) float32``: the same of each tile, of ``boxes (T, 4)``: y0, x0, y1, x1 in pixels of level 0.
    thumbnail : ``(M, 1280) float32`` features of the whole image, small.
    bounds : grey values that were 0 and 1 to the network.
    weights_id, image_id : whose weights, which image.
    unfamiliar : why the model's names cannot be relied on here, see :func:`.familiar.unfamiliar`; ``""`` where
        nothing speaks against them.
    stain : what its colours show, see :func:`~micro_nb.analysis.stains.color_kind`; ``""`` where they say nothing.
    looked_at : what of the picture was shown to the network: ``"colours"`` (or grey values as they are), or ``"haematoxylin"``.
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
    unfamiliar: str = ""
    stain: str = ""
    looked_at: str = "colours"

    def to_dict(self) -> dict[str, Any]:
        """How it was looked at, as JSON values, for evidence."""
        return {
            "model": "micro_d1", "weights": self.weights_id, "scale": self.scale.to_dict(), "grey_bounds": list(self.bounds),
            "window": WINDOW, "halo": HALO, "unfamiliar": self.unfamiliar, "looked_at": self.looked_at,
            "finer_layers": {k: v.scale.to_dict() for k, v in self.layers.items() if v.scale != self.scale},
        }  # fmt: skip


@dataclass
class Look:
    """One look at a plane.

    Attributes
    ----------
    plane : ``(y, x)`` or a colour picture.
    diameter_px : object diameter in pixels of level 0, where it is known.
    folder : labels are written there as zarr, where they should not be kept in memory.
    """

    model: MicroD1Model
    plane: MicroImage
    diameter_px: float | None = None
    folder: Path | None = None
    _maps: dict[int, TileMaps] = field(default_factory=dict, init=False)
    _windows: dict[int, TiledMaps] = field(default_factory=dict, init=False)

    def run(self) -> Seen:
        """Finds everything."""
        stain = stain_of(self.plane)
        self.bounds, strange = plane_bounds(self.plane), unfamiliar(stain)
        by_floor = strange and self.diameter_px is None
        scales = self.scales(stain, find_recipe(self.plane).diameter_px if by_floor else self.diameter_px)
        first = scales[self.model.config.layers[0]]
        moments, found = _Moments(first.pitch, self.plane.plane_shape), dict[str, Layer]()
        for scale in dict.fromkeys(scales.values()):
            found |= self.found({k: v for k, v in scales.items() if v == scale}, moments if scale == first else None)
        layers = {
            name: replace(v, haematoxylin=haematoxylin_above(self.plane, v.labels, len(v), v.scale.diameter_px, stain))
            for name in scales
            for v in (found[name],)
        }
        self._maps.clear()
        self._windows.clear()
        return Seen(
            layers, first, *moments.summary(), self.thumbnail(), self.bounds, self.model.weights_id, self.plane.content_id,
            strange, stain[0] or "",
        )  # fmt: skip

    def scales(self, stain: Stain, diameter_px: float | None) -> dict[str, Scale]:
        """The scale of each layer."""
        decodings = dict.fromkeys(self.model.config.layers, DECODING)
        known: dict[str, Any] = {"diameter_px": diameter_px}
        if diameter_px is None:
            trained = self.model.calibration.get("object_concepts", ())
            known = {"places": telling(self.plane), "sizes": sizes_px(self.plane.pixel_size, stain[0], trained)}
        return find_scales(self.maps_at, decodings, shape=self.plane.plane_shape, target=self.model.config.diameter_px, **known)

    def maps_at(self, pitch: int) -> TileMaps:
        """The plane as the network sees it at a pitch."""
        if pitch not in self._maps:
            self._maps[pitch] = TileMaps(self.model, self.plane, pitch, self.bounds)
        return self._maps[pitch]

    def windows_at(self, pitch: int) -> TiledMaps:
        """The same, window by window."""
        if pitch not in self._windows:
            maps, second = self.maps_at(pitch), second_pitch(pitch, self.plane.plane_shape)
            compute = maps.geometry if second is None else partial(agreed, maps, self.maps_at(second))
            self._windows[pitch] = TiledMaps(maps.grid, compute, keep_bytes=_KEEP_BYTES)
        return self._windows[pitch]

    def found(self, scales: Mapping[str, Scale], moments: _Moments | None) -> dict[str, Layer]:
        """Objects of layers of one scale, found together: maps of a large plane are not kept, and are costly."""
        names = self.model.config.layers
        scale = next(iter(scales.values()))
        maps, windows = self.maps_at(scale.pitch), self.windows_at(scale.pitch)
        signs = _Foreground(windows, maps.shape) if self.folder is None and names[0] in scales else None
        with ExitStack() as stack:
            sinks = {name: self.sink(name, maps.pitch, stack) for name in scales}
            poolings = []
            for name, sink in sinks.items():
                extra = (moments, signs) if name == names[0] else (None, None)
                poolings.append(_Pooling(sink, maps, 4 * names.index(name), *extra))
            assemble_layers(
                windows.read,
                maps.shape,
                [partial(_decoded, names.index(name)) for name in scales],
                poolings,
                window=WINDOW,
                margin=HALO,
                threads=settings.threads,
                area=scale.pitch**2,
                what="looking",
            )
            for name, sink in sinks.items():
                if isinstance(sink, ZarrLabels):
                    sink.finish(name, pixel_size=self.plane.pixel_size, attrs={})
        found = {
            name: Layer(
                sink.labels if isinstance(sink, MemoryLabels) else open_labels(self.written(name)), *pooling.means(), scale
            )
            for (name, sink), pooling in zip(sinks.items(), poolings, strict=True)
        }
        if signs is not None:
            found[names[0]] = self.closer(found[names[0]], signs)
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

    def closer(self, layer: Layer, signs: _Foreground) -> Layer:
        """A layer with what a second, finer look shows of its smallest objects."""
        pitch = layer.scale.pitch
        if closer_pitch(pitch) == pitch:
            return layer
        first, finer = self.maps_at(pitch), self.maps_at(closer_pitch(pitch))
        more = look_closer(layer.labels, layer.scale.diameter_px, signs.read, first, finer, DECODING)
        return layer if more is None else layer.joined(*more)

    def thumbnail(self) -> np.ndarray:
        """``(M, 1280)``."""
        image = self.plane.read(self.plane.level_for(_THUMBNAIL))
        small = three_channels(normalise(_shrunk(image), self.bounds))
        with torch.inference_mode():
            seen = self.model.thumb.look(self.model.processor.thumbnail(torch.from_numpy(small)[None]))
        return np.asarray(seen[0].numpy().astype(np.float16), np.float32)  # as it is kept in the cache


def _shrunk(image: np.ndarray, largest: int = 2048) -> np.ndarray:
    step = max(1, -(-max(image.shape[-2:]) // largest))
    return image[..., ::step, ::step]


def _decoded(k: int, geometry: np.ndarray) -> np.ndarray:
    """Objects of layer ``k`` of a window of maps."""
    return objects_of(geometry[4 * k : 4 * k + 4].astype(np.float32), DECODING)


class _Foreground:
    """Foreground of a plane's first layer, in steps of 1 / 255: where signs of small objects are is asked once all are found."""

    def __init__(self, windows: TiledMaps, shape: tuple[int, int]) -> None:
        self.windows, self.kept = windows, np.zeros(shape, np.uint8)

    def keep(self, place: Slices) -> None:
        """Keeps what windows show at a place."""
        self.kept[place] = np.rint(self.windows.read(place, slice(0, 1))[0].astype(np.float32) * 255)

    def read(self, place: Slices) -> np.ndarray:
        """``(h, w)`` of any place."""
        return self.kept[place].astype(np.float32) / np.float32(255)


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

    def __init__(
        self, sink: LabelSink, maps: TileMaps, foreground: int, moments: _Moments | None, signs: _Foreground | None
    ) -> None:
        self.sink, self.maps, self.foreground, self.moments, self.signs = sink, maps, foreground, moments, signs
        self.parts: list[tuple[np.ndarray, np.ndarray]] = []
        self.total = np.zeros((0, maps.model.config.embed_dim + 2))

    def write(self, place: Slices, labels: np.ndarray) -> None:
        """Stores a window and the sums of its objects."""
        self.sink.write(place, labels)
        if self.signs is not None:
            self.signs.keep(place)
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
    embedding = seen.embedding.reshape(len(seen.embedding), -1)[:, used]
    summed: np.ndarray = (weights @ embedding.T.astype(np.float32)) * seen.unit
    return summed


def _cells(shape: tuple[int, ...]) -> np.ndarray:
    """Which embedding cell each map pixel lies in."""
    across = -(-shape[1] // 2)
    return (np.arange(shape[0])[:, None] // 2 * across + np.arange(shape[1])[None] // 2).ravel()
