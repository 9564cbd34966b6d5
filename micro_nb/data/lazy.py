"""Sources as lazy xarray objects, and back: a level is a DataArray that reads only what is indexed, an image a DataTree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from ..errors import AxesError
from .source import Channel, ImageInfo, Level, Source
from .sources.arrays import ArraySource


class SourceArray(BackendArray):
    """xarray's view of one level of a source."""

    def __init__(self, source: Source, level: int) -> None:
        self.source, self.level = source, level
        self.shape = source.info.levels[level].shape
        self.dtype = np.dtype(source.info.dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        """Reads the box that ints and slices touch, then takes every so many pixels of it."""
        spans = [range(n)[k] if isinstance(k, slice) else range(n)[k % n :][:1] for k, n in zip(key, self.shape, strict=True)]
        if not all(spans):
            return np.empty([len(s) for k, s in zip(key, spans, strict=True) if isinstance(k, slice)], self.dtype)
        out = self.source.read(self.level, tuple(slice(s[0], s[-1] + 1) for s in spans))
        return out[tuple(slice(None, None, s.step) if isinstance(k, slice) else 0 for k, s in zip(key, spans, strict=True))]


def level_coords(info: ImageInfo, level: int) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
    """Pixel-centre coordinates: z, y, x in µm where the pixel size is known, else in pixels of level 0; c by name.

    The first pixel of level 0 has its centre at 0 (as in OME-NGFF).
    """
    lv = info.levels[level]
    coords: dict[str, tuple[str, np.ndarray, dict[str, str]]] = {}
    for axis, n, scale, move in zip(info.axes, lv.shape, lv.scale, lv.translation, strict=True):
        if axis == "c":
            coords["c"] = ("c", np.array([channel.name for channel in info.channels], dtype=object), {})
        elif axis == "t":
            coords["t"] = ("t", np.arange(n), {})
        else:
            size = (info.pixel_size or {}).get(axis)
            px = (np.arange(n) + 0.5) * scale + move - 0.5
            coords[axis] = (axis, px * size if size else px, {"units": "micrometer" if size else "px"})
    return coords


def level_array(source: Source, level: int = 0) -> xr.DataArray:
    """One level as a lazy DataArray named ``image`` with physical coordinates; nothing is read."""
    info = source.info
    data = indexing.LazilyIndexedArray(SourceArray(source, level))
    encoding = {"preferred_chunks": dict(zip(info.axes, info.levels[level].chunks, strict=True))}
    variable = xr.Variable(info.axes, data, encoding=encoding)
    return xr.DataArray(variable, coords=level_coords(info, level), name="image", attrs={"rgb": info.rgb})


_KEY = "micro_nb"


def to_datatree(levels: Sequence[xr.DataArray], facts: Mapping[str, Any], name: str) -> xr.DataTree:
    """Lazy; what is known of the image travels as JSON in the root's attribute ``micro_nb``."""
    root = xr.Dataset(attrs={_KEY: json.dumps(dict(facts), default=str)})
    nodes = {f"s{k}": level.to_dataset(name="image") for k, level in enumerate(levels)}
    return xr.DataTree.from_dict({"/": root, **nodes}, name=name)


def from_datatree(tree: xr.DataTree) -> ArraySource:
    """The source whose levels are the nodes ``s0``, ``s1``, ...; AxesError where the tree is not of that form."""
    if _KEY not in tree.attrs or "s0" not in tree.children:
        raise AxesError(f"this DataTree (children {list(tree.children)}) was not made by MicroImage.to_datatree()")
    d: dict[str, Any] = json.loads(tree.attrs[_KEY])
    arrays = tuple(tree[f"s{k}"]["image"].variable for k in range(len(d["levels"])))
    levels = tuple(Level(*(tuple(level[k]) for k in ("shape", "chunks", "scale", "translation"))) for level in d["levels"])
    channels = tuple(Channel(**c | {"window": tuple(c["window"]) if c["window"] else None}) for c in d["channels"])
    info = ImageInfo(
        axes=tuple(d["axes"]), dtype=np.dtype(d["dtype"]), levels=levels, pixel_size=d["pixel_size"],
        pixel_size_source=d["pixel_size_source"], channels=channels, rgb=d["rgb"], facts=d["facts"],
    )  # fmt: skip
    return ArraySource(arrays, info, uri=d["uri"], format=d["format"])
