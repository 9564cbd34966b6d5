"""``save_image`` and ``save_labels``: OME-NGFF 0.5, sharded, with a pyramid, in bounded memory; whole, or absent."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
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
from .sources.ngff_attrs import VERSION, image_attributes, label_attributes
from .sources.stores import put_group

if TYPE_CHECKING:
    import xarray as xr

_RANGE_PIXELS = 2**22


def save_image(
    img: Any,
    path: str | os.PathLike[str],
    *,
    chunk: int = 512,
    shard: int | None = None,
    levels: int | None = None,
    labels: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path | str:
    """Writes OME-NGFF 0.5: a file that is whole, or none.

    The pyramid is recomputed from level 0: each pixel is the mean of 2 x 2, integers rounded half up, NaN left out. Memory stays
    a few shards whatever the size, and equal input gives equal bytes on any number of threads.

    Parameters
    ----------
    img : a MicroImage, or whatever :func:`open_image` takes.
    path : folder to make (``x.ome.zarr``), or an address such as ``s3://bucket/x.ome.zarr``.
    chunk, shard : edges in pixels of the squares that are compressed, and of the files that hold them (default 4 chunks).
    levels : how many, level 0 included; by default until the coarsest fits one chunk.
    labels : label images by name, ``(y, x)`` or ``(layer, y, x)`` integers; None keeps the image's own, ``{}`` writes none.
    overwrite : replace an existing zarr store; the old one stays until the new one is complete.

    Returns
    -------
    The path, or the address where it is remote.

    Raises
    ------
    WriteError : the target exists or cannot be written; nothing half-written is left.
    PlanError : chunk and shard do not fit.

    Examples
    --------
    >>> import tempfile, micro_nb as mnb
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = mnb.save_image(np.zeros((64, 48), "uint16"), folder + "/a.ome.zarr")
    ...     mnb.open_image(out).sizes
    {'y': 64, 'x': 48}
    """
    image = img if isinstance(img, MicroImage) else open_image(img)
    target = Location.of(path)
    kept = {name: LabelImage.of(v, image, name) for name, v in (image.labels if labels is None else labels).items()}
    with writing(target, overwrite=overwrite) as store:
        together = (image.axes.index("c"),) if image.rgb else ()
        plan = PyramidPlan.of(image.shape, chunk=chunk, shard=shard, levels=levels, together=together)
        attributes = _write_pixels(image, store, plan)
        for name, label in kept.items():
            path_in, alike = f"labels/{name}", plan.levels if label.info.shape[-2:] == image.plane_shape else None
            put_group(store, path_in, label.write(store, path_in, chunk=chunk, shard=shard, levels=alike))
        if kept:
            put_group(store, "labels", {"ome": {"version": VERSION, "labels": list(kept)}})
        put_group(store, "", attributes)  # last: where there is no rename, nothing is seen before this
    return target.path if target.is_local else target.uri


def _write_pixels(image: MicroImage, store: Store, plan: PyramidPlan) -> dict[str, Any]:
    """Writes all levels; returns the attributes of their group."""
    info, arrays = image.info, create_levels(store, plan, dtype=image.dtype, axes=image.axes)
    with Progress(f"saving {image.name}", math.prod(image.shape) / 1e6, "MPx") as progress:
        PyramidWalk(plan, lambda place: image.read(0, place), arrays, "mean", lambda n: progress.advance(n / 1e6)).run()
    paths, name = [str(k) for k in range(plan.levels)], str(image.metadata.get("name") or _stem(image.name))
    ranges = list(_grey_ranges(info, arrays[-1])) if _says_channels(info) else None
    return image_attributes(info, paths=paths, factor=2, name=name, ranges=ranges)


def _says_channels(info: ImageInfo) -> bool:
    """Whether the channels say more than their count."""
    plain = all(replace(c, name="") == replace(c, name="", color=None, window=None, emission_nm=None, excitation_nm=None)
                and c.name == f"channel {i}" for i, c in enumerate(info.channels))  # fmt: skip
    return not plain or "c" in info.axes


def _grey_ranges(info: ImageInfo, coarsest: zarr.Array[Any]) -> Iterator[tuple[float, float]]:
    """Smallest and largest finite grey value per channel of the coarsest level (its first planes, where it is large)."""
    first = math.prod(coarsest.shape) > _RANGE_PIXELS
    most = {"t": 1 if first else None, "z": 1 if first else None, "y": 2048, "x": 2048}
    for i in range(len(info.channels)):
        index = tuple(slice(i, i + 1) if a == "c" else slice(0, most[a]) for a in info.axes)
        pixels = np.asarray(coarsest[index])
        finite = pixels[np.isfinite(pixels)]
        yield (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _stem(name: str) -> str:
    """A file's name without what only says its format.

    >>> _stem("slide.ome.zarr")
    'slide'
    """
    return name.split(".ome.")[0].removesuffix(".zarr") or name


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
