"""Where label images go: an array in memory where it fits, else an OME-Zarr label image, whole or absent."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.abc.store import Store

from ..data.lazy import level_array
from ..data.open import open_image
from ..data.source import ImageInfo, Level
from ..data.sources.arrays import ArraySource
from ..data.sources.ngff_attrs import label_attributes
from ..data.sources.stores import put_group
from .assemble import ordered
from .plan import Slices, TileGrid

MEMORY_BOUND = 1 << 31
_CHUNK = 1024
_FOUND = "found"
_PAIRS = tuple(combinations(range(4), 2))


class MemoryLabels:
    """Labels in one array."""

    def __init__(self, shape: tuple[int, int], *, factor: int = 1) -> None:
        self.labels, self.factor = np.zeros(shape, np.int32), factor

    def write(self, place: Slices, labels: np.ndarray) -> None:
        """Stores a window of working pixels; where there is none, 0 stays."""
        if labels.any():
            place, labels = enlarge(place, labels, self.factor, self.labels.shape)
            self.labels[place] = labels

    def relabel(self, numbers: np.ndarray) -> None:
        """Replaces label ``k`` by ``numbers[k]``, band by band."""
        for y in range(0, len(self.labels), _CHUNK):
            self.labels[y : y + _CHUNK] = numbers[self.labels[y : y + _CHUNK]]


class ZarrLabels:
    """Labels in a store that :func:`micro_nb.data.atomic.writing` handed out; :meth:`finish` writes the metadata, last."""

    def __init__(self, store: Store, shape: tuple[int, int], *, factor: int = 1, smooth: bool = False, threads: int = 1) -> None:
        self.store, self.factor, self.smooth, self.threads = store, factor, smooth, threads
        chunk = tuple(min(_CHUNK, n) for n in shape)
        self.labels = zarr.create_array(store, name="0", shape=shape, chunks=chunk, dtype="int32", dimension_names=("y", "x"))

    def write(self, place: Slices, labels: np.ndarray, *, over: bool = False) -> None:
        """Stores a window of working pixels; where there is none, 0, or with ``over`` what is there stays."""
        if over and not labels.any():
            return
        place, labels = enlarge(place, labels, self.factor, self.labels.shape, smooth=self.smooth)
        self.labels[place] = np.where(labels, labels, np.asarray(self.labels[place])) if over else labels

    def relabel(self, numbers: np.ndarray) -> None:
        """Replaces label ``k`` by ``numbers[k]``, chunk by chunk."""
        height, width = self.labels.shape
        grid = TileGrid((height, width), tile=_CHUNK)
        for tile, labels in ordered(lambda t: numbers[np.asarray(self.labels[t.core])], grid, threads=self.threads):
            self.labels[tile.core] = labels

    def finish(self, name: str, *, pixel_size: Mapping[str, float] | None, attrs: Mapping[str, Any]) -> None:
        """Writes OME-NGFF 0.5 metadata, and ``attrs`` beside it."""
        attributes = label_attributes(label_info(self.labels, pixel_size), paths=["0"], factor=2, name=name, layers=())
        attributes["ome"]["image-label"] = {}
        put_group(self.store, "", attributes | {_FOUND: dict(attrs)})


def layer_array(labels: Any, layers: Sequence[str], *, pixel_size: Mapping[str, float] | None) -> xr.DataArray:
    """Labels ``(layer, y, x)``, or ``(y, x)``, as a DataArray named ``labels`` with pixel-centre coordinates; zarr stays lazy."""
    out = level_array(ArraySource((labels,), label_info(labels, pixel_size)))
    if labels.ndim == 3:
        out = out.drop_vars("c", errors="ignore").rename({"c": "layer"})
        out = out.assign_coords(layer=list(layers)) if layers else out
    if isinstance(labels, np.ndarray):
        out = out.copy(data=labels)
    out.name, out.attrs = "labels", {}
    return out


def label_info(labels: Any, pixel_size: Mapping[str, float] | None) -> ImageInfo:
    """What is known of a label array ``(y, x)`` or ``(c, y, x)`` of one level."""
    shape, n = tuple(int(n) for n in labels.shape), labels.ndim
    level = Level(shape, tuple(getattr(labels, "chunks", None) or shape), (1.0,) * n, (0.0,) * n)
    size = {axis: float(pixel_size[axis]) for axis in ("y", "x")} if pixel_size else None
    return ImageInfo(axes=("c", "y", "x")[-n:], dtype=np.dtype(labels.dtype), levels=(level,), pixel_size=size)


def open_labels(path: str | os.PathLike[str]) -> xr.DataArray:
    """The labels that :class:`ZarrLabels` wrote, lazy, with their ``attrs``."""
    img = open_image(path)
    attrs: dict[str, Any] = dict(zarr.open_group(os.fspath(path), mode="r").attrs)
    out = img.data
    out.name, out.attrs = "labels", dict(attrs.get(_FOUND, {}))
    return out


def enlarge(
    place: Slices, labels: np.ndarray, factor: int, shape: tuple[int, ...], *, smooth: bool = False
) -> tuple[Slices, np.ndarray]:
    """A window of working pixels as a window of pixels, cut at the plane's rim; ``smooth`` rounds the steps of outlines."""
    if factor == 1:
        return place, labels
    rows, cols = (slice(s.start * factor, min(s.stop * factor, n)) for s, n in zip(place, shape, strict=True))
    big = _rounded(labels, factor) if smooth else labels.repeat(factor, axis=0).repeat(factor, axis=1)
    return (rows, cols), big[: rows.stop - rows.start, : cols.stop - cols.start]


def _rounded(labels: np.ndarray, factor: int) -> np.ndarray:
    """Each pixel takes the label that weighs most among the four working pixels around it, by bilinear weights."""
    padded = np.pad(labels, 1, mode="edge")
    around = [padded[dy : dy - 1 or None, dx : dx - 1 or None] for dy in (0, 1) for dx in (0, 1)]
    y, x = np.nonzero((around[3] != around[1]) | (around[2] != around[0]) | (around[3] != around[2]))  # elsewhere all are equal
    four = np.stack([corner[y, x] for corner in around])
    alike = np.sum([(four[i] == four[j]) << k for k, (i, j) in enumerate(_PAIRS)], axis=0)
    best: np.ndarray = padded.repeat(factor, axis=0).repeat(factor, axis=1)
    before, heaviest = _heaviest(factor)
    for r, s in np.ndindex(factor, factor):
        found = four[heaviest[r, s][alike], np.arange(y.size)]
        best[(y + 1 - before[r]) * factor + r, (x + 1 - before[s]) * factor + s] = found
    return best[factor:-factor, factor:-factor]


@cache
def _heaviest(factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Of pixels along a working pixel the corner before; of each pixel, by which corners are alike, the one that weighs most."""
    before = np.floor(at := (np.arange(factor) + 0.5) / factor + 0.5).astype(int)
    near = np.stack([1 - (at - before), at - before])
    weights = np.einsum("ay,bx->yxab", near, near).reshape(factor, factor, 4).astype(np.float32)
    total = np.zeros((factor, factor, 1 << len(_PAIRS), 4), np.float32)
    for i, j in np.ndindex(4, 4):
        bit = 0 if i == j else 1 << _PAIRS.index((min(i, j), max(i, j)))
        total[..., j] += weights[:, :, None, i] * ((np.arange(1 << len(_PAIRS)) & bit) == bit)
    return before, total.argmax(-1)
