"""The costly look at an image, taken once: objects of each layer with their pooled embeddings, features of the image itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
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
from ...progress import Progress
from ...settings import settings
from ...tiles.assemble import LabelSink, TiledMaps, assemble
from ...tiles.labels import MemoryLabels, ZarrLabels, open_labels
from ...tiles.plan import Slices
from .agree import agreed, second_pitch
from .decode import Decoding, objects_of
from .familiar import stain_of, unfamiliar
from .haematoxylin import haematoxylin_above
from .network import HALO, WINDOW, Tiled, TileMaps, plane_bounds
from .scale import Scale, find_scales
from .second import Found, closer_pitch, look_closer

_KEEP_BYTES = 1 << 28
_THUMBNAIL = 1 << 20
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
    decodings: Mapping[str, Decoding] = field(default_factory=dict)
    _maps: dict[int, TileMaps] = field(default_factory=dict, init=False)
    _windows: dict[int, TiledMaps] = field(default_factory=dict, init=False)

    def run(self) -> Seen:
        """Finds everything."""
        names = self.model.config.layers
        self.bounds, strange = plane_bounds(self.plane), unfamiliar(self.plane)
        decodings = {name: self.decodings.get(name, Decoding()) for name in names}
        known = self.diameter_px
        if strange and known is None:
            known = find_recipe(self.plane).diameter_px
        target = self.model.config.diameter_px
        scales = find_scales(self.maps_at, decodings, shape=self.plane.plane_shape, target=target, diameter_px=known)
        scale = scales[names[0]]
        layers, moments = {}, _Moments(scale.pitch, self.plane.plane_shape)
        with Progress("looking", len(names), "layers") if len(self.maps_at(scale.pitch).grid) == 1 else nullcontext() as progress:
            for k, name in enumerate(names):
                layer = self.layer(k, name, scales[name], moments if k == 0 else None)
                stain = haematoxylin_above(self.plane, layer.labels, len(layer), layer.scale.diameter_px)
                layers[name] = replace(layer, haematoxylin=stain)
                if progress is not None:
                    progress.advance()
        self._maps.clear()
        self._windows.clear()
        return Seen(
            layers, scale, *moments.summary(), self.thumbnail(), self.bounds, self.model.weights_id, self.plane.content_id,
            strange, stain_of(self.plane)[0] or "",
        )  # fmt: skip

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

    def layer(self, k: int, name: str, scale: Scale, moments: _Moments | None) -> Layer:
        """Objects of layer ``k``."""
        maps = self.maps_at(scale.pitch)
        read, decoding = self.windows_at(scale.pitch).read, self.decodings.get(name, Decoding())
        part = slice(4 * k, 4 * k + 4)
        run = partial(
            assemble,
            lambda place: read(place, part),
            maps.shape,
            lambda g: objects_of(torch.from_numpy(g).float().numpy(), decoding),
            window=WINDOW,
            margin=HALO,
        )
        if self.folder is None:
            sink = MemoryLabels(self.plane.plane_shape, factor=maps.pitch, smooth=True)
            pooling = _Pooling(sink, maps, 4 * k, moments)
            run(sink=pooling, threads=settings.threads)
            found = Layer(sink.labels, *pooling.means(), scale)
            return self.closer(found, k, decoding) if k == 0 else found
        path = self.folder / f"{name}.zarr"
        with writing(Location.of(os.fspath(path)), overwrite=True) as store:
            zarred = ZarrLabels(store, self.plane.plane_shape, factor=maps.pitch, smooth=True, threads=settings.threads)
            pooling = _Pooling(zarred, maps, 4 * k, moments)
            run(sink=pooling, threads=settings.threads)
            zarred.finish(name, pixel_size=self.plane.pixel_size, attrs={})
        return Layer(open_labels(path), *pooling.means(), scale)

    def closer(self, layer: Layer, k: int, decoding: Decoding) -> Layer:
        """Layer ``k`` with what a second, finer look shows of its smallest objects."""
        pitch, read = layer.scale.pitch, self.windows_at(layer.scale.pitch).read
        if closer_pitch(pitch) == pitch:
            return layer
        first, finer = self.maps_at(pitch), self.maps_at(closer_pitch(pitch))
        more = look_closer(
            layer.labels, layer.scale.diameter_px, lambda place: read(place, slice(4 * k, 4 * k + 1))[0], first, finer, decoding
        )
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
    embedding = seen.embedding.reshape(len(seen.embedding), -1)[:, used]
    summed: np.ndarray = (weights @ embedding.T.astype(np.float32)) * seen.unit
    return summed


def _cells(shape: tuple[int, ...]) -> np.ndarray:
    """Which embedding cell each map pixel lies in."""
    across = -(-shape[1] // 2)
    return (np.arange(shape[0])[:, None] // 2 * across + np.arange(shape[1])[None] // 2).ravel()
