"""A MicroImage as an ``xarray.DataTree`` and back: sibling nodes ``s0``, ``s1``, ... under the root, variable ``image``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import AxesError
from .source import Channel, ImageInfo, Level
from .sources.arrays import ArraySource

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
