"""A MicroImage as an ``xarray.DataTree`` and back: sibling nodes ``s0``, ``s1``, ... under the root, variable ``image``."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from ..errors import AxesError
from .image import MicroImage
from .source import Channel, ImageInfo, Level
from .sources.arrays import ArraySource

_KEY = "micro_nb"


def to_datatree(img: MicroImage) -> xr.DataTree:
    """Lazy; the metadata travels as JSON in the root's attribute ``micro_nb``."""
    info = img.info.to_dict() | {
        "pixel_size_source": img.pixel_size_source, "facts": dict(img.metadata), "uri": img.uri, "format": img.source.format,
    }  # fmt: skip
    root = xr.Dataset(attrs={_KEY: json.dumps(info, default=str)})
    nodes = {f"s{k}": level.to_dataset(name="image") for k, level in enumerate(img.levels)}
    return xr.DataTree.from_dict({"/": root, **nodes}, name=img.name)


def from_datatree(tree: xr.DataTree) -> MicroImage:
    """The image whose levels are the nodes ``s0``, ``s1``, ...; AxesError where the tree is not of that form."""
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
    return MicroImage(ArraySource(arrays, info, uri=d["uri"], format=d["format"]))
