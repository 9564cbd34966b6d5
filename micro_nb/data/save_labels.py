"""Label images as OME-Zarr labels: beside a new image, or added whole to one that stands."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.abc.store import Store

from ..errors import AxesError, WriteError
from ..progress import Progress
from .atomic import writing, writing_file
from .image import MicroImage
from .location import Location
from .open import open_image
from .pyramid import Block, PyramidPlan, PyramidWalk, create_levels
from .source import ImageInfo, factor
from .sources.arrays import ArraySource
from .sources.ngff_attrs import VERSION, label_attributes
from .sources.stores import put_group

if TYPE_CHECKING:
    import xarray as xr


def save_labels(
    labels: xr.DataArray, image_path: str | os.PathLike[str], *, name: str = "objects", overwrite: bool = False
) -> Path:
    """Adds a label image to an OME-Zarr 0.5 image on this machine; whole or absent.

    The pyramid keeps the first of each 2 x 2 labels: no label is invented, small objects vanish from coarse levels.

    Parameters
    ----------
    labels : integers ``(y, x)`` or ``(layer, y, x)``, 0 = background, in the pixels of level 0; may be lazy. The coordinate
        ``layer`` names the layers.
    image_path : the image's folder.
    name : of the labels; they are stored at ``labels/<name>``.
    overwrite : replace labels of that name; the old ones stay until the new ones are complete.

    Returns
    -------
    The folder of the labels.

    Raises
    ------
    WriteError : no OME-Zarr 0.5 image there, or the name is taken, or it could not be written.
    AxesError : not whole numbers, or not of the image's size.
    """
    target = Location.of(image_path)
    root = target.path
    if not target.is_local or not (root / "zarr.json").is_file():
        raise WriteError(
            f"{target.uri}: labels are added to a local OME-Zarr 0.5 folder, and there is none; "
            "make one with save_image(img, 'x.ome.zarr', labels={...})"
        )
    image = open_image(target)
    with contextlib.closing(image.source):
        label = LabelImage.of(labels, image, name)
        place = root / "labels" / name
        with writing(Location.of(place), overwrite=overwrite) as store:
            first = image.info.levels[0]
            chunk = max(16, first.chunks[-1] // 2 * 2)
            attributes = label.write(store, "", chunk=chunk, shard=None, levels=len(image.info.levels))
            put_group(store, "", attributes)
    _list_labels(root / "labels", name)
    return place


@dataclass(frozen=True)
class LabelImage:
    """Labels ready to be written: what they are, and how their pixels are read."""

    name: str
    info: ImageInfo
    layers: tuple[str, ...]
    read: Callable[[Block], np.ndarray]

    @classmethod
    def of(cls, value: Any, image: MicroImage, name: str) -> LabelImage:
        """From a label MicroImage or an array ``(y, x)`` or ``(layer, y, x)`` for ``image``.

        A MicroImage may be coarser or finer than ``image`` where it covers the same field; its pixels have their own size then.

        Raises
        ------
        AxesError : other dimensions, another field in y and x, or not whole numbers.
        WriteError : a name that is no file name.
        """
        if not name or name.startswith(".") or set(name) & set("/\\:\0"):
            raise WriteError(f"labels cannot be named {name!r}; use letters, digits, - and _")
        source = value.source if isinstance(value, MicroImage) else _array_source(value)
        info = source.info
        ratio = {a: factor(n, m) for a, n, m in zip(("y", "x"), image.plane_shape, info.shape[-2:], strict=True)}
        fits = info.shape[-2:] == image.plane_shape or (
            isinstance(value, MicroImage) and same_field(info.shape, image.plane_shape)
        )
        if np.dtype(info.dtype).kind not in "iub" or not fits:
            raise AxesError(
                f"labels {name!r} of shape {info.shape}, {info.dtype} do not fit the image: "
                f"whole numbers of shape {image.plane_shape} in y and x are needed"
            )
        layers = tuple(c.name for c in info.channels) if isinstance(value, MicroImage) else _layer_names(value)
        dtype = np.dtype("uint8") if np.dtype(info.dtype).kind == "b" else np.dtype(info.dtype)
        size = {a: s * ratio.get(a, 1.0) for a, s in (image.pixel_size or {}).items() if a in info.axes} or None
        described = replace(info, dtype=dtype, pixel_size=size, pixel_size_source=image.pixel_size_source, rgb=False, facts={})
        return cls(name, described, layers, lambda place: source.read(0, place).astype(dtype, copy=False))

    def write(self, store: Store, root: str, *, chunk: int, shard: int | None, levels: int | None) -> dict[str, Any]:
        """Writes ``levels`` levels below ``root`` (None: until the coarsest fits one chunk); returns their group's attributes."""
        plan = PyramidPlan.of(self.info.shape, chunk=chunk, shard=shard, levels=levels)
        arrays = create_levels(store, plan, dtype=self.info.dtype, axes=self.info.axes, root=root)
        with Progress(f"saving labels {self.name}", math.prod(self.info.shape) / 1e6, "MPx") as progress:
            PyramidWalk(plan, self.read, arrays, "nearest", lambda n: progress.advance(n / 1e6)).run()
        paths = [str(k) for k in range(plan.levels)]
        return label_attributes(self.info, paths=paths, factor=2, name=self.name, layers=self.layers)


def same_field(labels: tuple[int, ...], plane: tuple[int, int]) -> bool:
    """Whether labels cover the plane with pixels of another size, the last of them perhaps not whole."""
    by, bx = (factor(n, m) for n, m in zip(plane, labels[-2:], strict=True))
    return by == bx or abs(by - bx) * min(labels[-2:]) <= max(by, bx)


def _array_source(value: Any) -> ArraySource:
    dims = tuple(getattr(value, "dims", ()) or ("layer", "y", "x")[-np.ndim(value) :])
    if dims not in (("y", "x"), ("layer", "y", "x")):
        raise AxesError(f"labels have the dimensions {dims}; give (y, x) or (layer, y, x)")
    if hasattr(value, "coords"):
        value = value.drop_vars(list(value.coords)).rename({"layer": "c"} if "layer" in dims else {})
    return ArraySource.of(value, axes="cyx"[-len(dims) :])


def _layer_names(value: Any) -> tuple[str, ...]:
    if "layer" not in getattr(value, "coords", {}):
        return ()
    return tuple(str(v) for v in np.atleast_1d(value.coords["layer"].values))


def _list_labels(folder: Path, name: str) -> None:
    """Adds ``name`` to the list in the group ``labels``; the document is replaced whole."""
    document = folder / "zarr.json"
    node: dict[str, Any] = {"zarr_format": 3, "node_type": "group", "attributes": {}}
    if document.is_file():
        node = json.loads(document.read_text())
    ome = node.setdefault("attributes", {}).setdefault("ome", {"version": VERSION})
    if name not in ome.setdefault("labels", []):
        ome["labels"].append(name)
    with writing_file(document) as partial:
        partial.write_text(json.dumps(node, indent=2))
