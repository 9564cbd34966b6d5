"""Zarr images as sources: OME-Zarr 0.1 to 0.5 (zarr v2 and v3, sharded, labels, zipped), series, wells, and bare arrays.

Local chunks are decoded by the zarrs pipeline, everything else by zarr-python's own. Chunks a store leaves out are the fill
value, as zarr defines; chunks that are there but damaged are errors.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore

from ...errors import AxesError, CorruptImageError, ImageNotFoundError, MicroNBError, UnknownFormatError, UnsafeImageError
from ..axes import canonical, check_axes
from ..location import Location
from ..source import Channel, ImageInfo, Level, Source
from .arrays import scaled_values
from .ngff import Multiscale, inactive_channels, is_rgb, ome_of, parse_channels, parse_multiscale, surplus_channels
from .ngff_attrs import own_of, restore
from .stores import children, join, open_store
from .zarr_source import ZarrSource, with_fast_codecs

MAX_CHUNK_BYTES = 2 * 2**30
_LISTED, _WELLS = 12, 96


def open_zarr(location: Location, *, series: int = 0, axes: Sequence[str] | None = None) -> Source:
    """The image in a zarr store: a multiscale group, one of its arrays, a bioformats2raw series or a well's field.

    Raises
    ------
    UnknownFormatError : the node holds no image (a plate, a group of other things); says what it holds.
    AxesError : a bare array with more than two dimensions, no dimension names and no ``axes``.
    CorruptImageError, UnsafeImageError : the metadata break their promise, or promise what nobody can read.
    ImageNotFoundError : nothing there, or no such series.
    """
    return _open_at(location, None, tuple(axes) if axes else None, series)


@dataclass(frozen=True)
class _At:
    """What stays the same while a store is walked."""

    location: Location
    store: Store
    root: str
    axes: tuple[str, ...] | None

    def where(self, path: str) -> str:
        """Path or address of a node for people to read."""
        inner = path.removeprefix(self.root).strip("/")
        return "/".join(p for p in (self.location.uri, inner) if p)


def _open_at(location: Location, path: str | None, axes: tuple[str, ...] | None, series: int) -> Source:
    """A node of a store opened anew; ``path`` None is the store's root."""
    store, root = open_store(location)
    return _open_node(_At(location, store, root, axes), root if path is None else path, series)


def _labels(at: _At, path: str) -> dict[str, Source]:
    """Label images below an image; each opens the store for itself, so that each is closed for itself."""
    group = _node_or_none(at, join(path, "labels"))
    if not isinstance(group, zarr.Group):
        return {}
    listed = ome_of(group.attrs.asdict()).get("labels")
    names = [n for n in listed if isinstance(n, str) and n] if isinstance(listed, list) else children(group)
    found: dict[str, Source] = {}
    for name in names:
        try:
            found[name] = _open_at(at.location, join(path, "labels", name), None, 0)
        except MicroNBError as error:
            warnings.warn(f"label image {name!r} is left out: {error}", stacklevel=4)
    return found


def _source(
    at: _At, path: str, info: ImageInfo, format: str, arrays: tuple[zarr.Array[Any], ...], order: tuple[int, ...], series: int = 0
) -> ZarrSource:
    return ZarrSource(
        uri=at.where(path), format=format, described=info, arrays=arrays, order=order, where=at.where,
        recipe=(_open_at, (at.location.absolute, path, at.axes, series)), open_labels=partial(_labels, at, path),
    )  # fmt: skip


def _open_node(at: _At, path: str, series: int) -> ZarrSource:
    node = _node(at, path)
    if isinstance(node, zarr.Array):
        return _bare(at, path, node)
    ome = ome_of(node.attrs.asdict())
    where = at.where(path)
    if "multiscales" in ome:
        return _multiscale(at, path, node, ome, series)
    if "plate" in ome:
        raise UnknownFormatError(_plate_message(ome["plate"], where))
    if "well" in ome:
        well = ome["well"] if isinstance(ome["well"], Mapping) else {}
        fields = [str(f["path"]) for f in well.get("images", []) if isinstance(f, Mapping) and "path" in f]
        source = _open_node(at, join(path, _choose(fields, series, where, "field")), 0)
        return source.with_facts(well="/".join(where.rsplit("/", 2)[-2:]), field=series)
    if "bioformats2raw.layout" in ome:
        return _open_node(at, join(path, _choose(_series_paths(at, path, node), series, where, "series")), 0)
    inside = ", ".join(children(node)[:_LISTED])
    raise UnknownFormatError(
        f"{where}: a zarr group without an image (no multiscales); it holds {inside or 'nothing that can be listed'}; "
        "open one of these by its path"
    )


def _node(at: _At, path: str) -> zarr.Array[Any] | zarr.Group:
    node = _node_or_none(at, path)
    if node is None:
        raise ImageNotFoundError(f"{at.where(path)}: no zarr metadata there (zarr.json, .zgroup or .zarray); check the path")
    return node


def _node_or_none(at: _At, path: str) -> zarr.Array[Any] | zarr.Group | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = zarr.open(store=at.store, path=path, mode="r")
            return with_fast_codecs(node) if isinstance(node, zarr.Array) else node
    except FileNotFoundError:
        return None
    except (MemoryError, KeyboardInterrupt, MicroNBError):
        raise
    except Exception as error:
        raise CorruptImageError(
            f"{at.where(path)}: its zarr metadata cannot be understood ({type(error).__name__}: {str(error).strip():.200})"
        ) from error


def _bare(at: _At, path: str, array: zarr.Array[Any]) -> ZarrSource:
    where = at.where(path)
    _check_array(array, where)
    axes = at.axes or _array_axes(array)
    if axes is None:
        raise AxesError(
            f"{where}: shape {array.shape} has {array.ndim} dimensions without names; "
            f"say what they are, e.g. axes={'tczyx'[-array.ndim :]!r}"
        )
    axes = check_axes(axes, array.shape, where)
    order = tuple(axes.index(a) for a in canonical(axes))
    shape, chunks = (tuple(min(values[i], array.shape[i]) for i in order) for values in (array.shape, array.chunks))
    level = Level(shape, chunks, (1.0,) * array.ndim, (0.0,) * array.ndim)
    facts = {"cautions": scaled_values(array.attrs)}
    info = ImageInfo(axes=canonical(axes), dtype=array.dtype.newbyteorder("="), levels=(level,), facts=facts)
    return _source(at, path, info, f"Zarr v{array.metadata.zarr_format} array", (array,), order)


def _array_axes(array: zarr.Array[Any]) -> tuple[str, ...] | None:
    """What an array says of its dimensions; two without names are y x."""
    names: Any = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if names and all(names):
        return tuple(str(n).lower() for n in names)
    return ("y", "x") if array.ndim == 2 else None


def _multiscale(at: _At, path: str, group: zarr.Group, ome: Mapping[str, Any], series: int) -> ZarrSource:
    where = at.where(path)
    if series and isinstance(entries := ome.get("multiscales"), list):
        _choose([str(k) for k in range(len(entries))], series, where, "image")
    if series and ome.get("omero"):
        ome = {k: v for k, v in ome.items() if k != "omero"}  # it describes the first
    ms = parse_multiscale(ome, series, where, axes=at.axes)
    found = _level_arrays(at, path, ms.paths)
    if found[0].ndim != len(ms.axes) and at.axes is None and (own := _array_axes(found[0])):
        said = f"axes {''.join(ms.axes)!r} do not fit the shape {found[0].shape}; {''.join(own)!r} of the array counts"
        ms = parse_multiscale(ome, series, where, axes=own)
        ms = replace(ms, cautions=(*ms.cautions, said) if ome["multiscales"][series].get("axes") else ms.cautions)
    if found[0].ndim != len(ms.axes):
        raise AxesError(
            f"{where}: axes {''.join(ms.axes)!r} do not fit the shape {found[0].shape}; say axes=... of {found[0].ndim}"
        )
    stored = check_axes(ms.axes, found[0].shape, where)
    kept, cautions = _coarsening(ms, found)
    order = tuple(stored.index(a) for a in canonical(stored))
    cautions = [*ms.cautions, *cautions, *scaled_values(found[0].attrs)]
    of_levels: dict[str, Any] = {name: tuple(getattr(ms, name)[k] for k in kept) for name in ("paths", "scales", "translations")}
    ms = replace(ms, **of_levels, cautions=tuple(cautions))
    arrays = tuple(found[k] for k in kept)
    levels = ms.levels([a.shape for a in arrays], [a.chunks for a in arrays])
    info = _info(group.attrs.asdict(), ome, ms, levels, arrays[0].dtype.newbyteorder("="))
    return _source(at, path, info, f"OME-Zarr {ms.version}", arrays, order, series)


def _level_arrays(at: _At, path: str, paths: tuple[str, ...]) -> dict[int, zarr.Array[Any]]:
    """Arrays by position of their level; the finest must be there, a coarser one may be missing or broken."""

    def one(k: int) -> zarr.Array[Any] | None:
        where = at.where(join(path, paths[k]))
        try:
            node = _node_or_none(at, join(path, paths[k]))
            if not isinstance(node, zarr.Array):
                raise CorruptImageError(f"{where}: this level is listed but there is no array; open a coarser one by its path")
            _check_array(node, where)
            return node
        except (CorruptImageError, AxesError):
            if k == 0:
                raise
            return None

    if isinstance(at.store, LocalStore):
        found = [one(k) for k in range(len(paths))]
    else:
        with ThreadPoolExecutor(8) as pool:  # a round trip a level
            found = list(pool.map(one, range(len(paths))))
    return {k: array for k, array in enumerate(found) if array is not None}


def _check_array(array: zarr.Array[Any], where: str) -> None:
    if array.dtype.kind not in "buif":
        raise CorruptImageError(f"{where}: pixels must be numbers, not {array.dtype}")
    if not 2 <= array.ndim <= 5:
        raise AxesError(f"{where}: shape {array.shape} has {array.ndim} dimensions; an image has 2 to 5 of t c z y x")
    if min(array.shape) < 1:
        raise CorruptImageError(f"{where}: the array is empty: shape {array.shape}")
    chunk = math.prod(array.chunks) * array.dtype.itemsize
    if chunk > MAX_CHUNK_BYTES and math.prod(array.shape) * array.dtype.itemsize > MAX_CHUNK_BYTES:
        raise UnsafeImageError(
            f"{where}: chunks of {array.chunks} {array.dtype} are {chunk / 2**30:,.1f} GiB each, decoded whole for any pixel; "
            f"rechunk the image (at most {MAX_CHUNK_BYTES // 2**30} GiB a chunk)"
        )


def _coarsening(ms: Multiscale, arrays: Mapping[int, zarr.Array[Any]]) -> tuple[list[int], list[str]]:
    """Positions of the levels that form a pyramid (level 0, then each coarser than the one before), and why others do not."""
    y, x = ms.axes.index("y"), ms.axes.index("x")
    first, kept, left = arrays[0], [0], []
    for k, name in enumerate(ms.paths[1:], start=1):
        array = arrays.get(k)
        if array is None:
            left.append(f"level {name!r} is listed and cannot be opened; it is left out")
        elif array.dtype != first.dtype or len(array.shape) != len(first.shape) or any(
            n > m or (n < m and axis in "tc") for axis, n, m in zip(ms.axes, array.shape, first.shape, strict=True)
        ):  # fmt: skip
            left.append(
                f"level {name!r} ({array.dtype} {array.shape}) is no coarser copy of {first.dtype} {first.shape}; it is left out"
            )
        elif array.shape[y] * array.shape[x] < arrays[kept[-1]].shape[y] * arrays[kept[-1]].shape[x]:
            kept.append(k)
    return kept, left


def _info(
    attrs: Mapping[str, Any], ome: Mapping[str, Any], ms: Multiscale, levels: tuple[Level, ...], dtype: np.dtype[Any]
) -> ImageInfo:
    axes = canonical(ms.axes)
    n = dict(zip(axes, levels[0].shape, strict=True)).get("c", 1)
    channels, size = parse_channels(ome, n), ms.pixel_size()
    own = own_of(attrs)
    if isinstance(layers := own.get("layers"), list) and len(layers) == n:
        channels = tuple(Channel(str(name)) for name in layers)
    channels, said = restore(channels, own), own.get("pixel_size_source")
    facts: dict[str, Any] = {"interval_s": ms.interval_s()} | dict(own.get("facts") or {})
    facts["cautions"] = list(dict.fromkeys([*facts.get("cautions", ()), *ms.cautions, *surplus_channels(ome, n)]))
    said_here = {"name": ms.name, "inactive_channels": inactive_channels(ome, n)}
    facts |= {k: v for k, v in said_here.items() if v}
    return ImageInfo(
        axes=axes, dtype=dtype, levels=levels, facts=facts, channels=channels,
        pixel_size=size[0] if size else None,
        pixel_size_source=(said if isinstance(said, str) else size[1]) if size else None,
        rgb=n == 3 and (own["rgb"] is True if "rgb" in own else is_rgb(channels, dtype.name)),
    )  # fmt: skip


def _choose(paths: Sequence[str], series: int, where: str, what: str) -> str:
    if not 0 <= series < len(paths):
        raise ImageNotFoundError(
            f"{where}: there is no {what} {series}; the file holds {len(paths)}: {', '.join(paths[:_LISTED])}"
        )
    return paths[series]


def _series_paths(at: _At, path: str, group: zarr.Group) -> list[str]:
    """Paths of a bioformats2raw store's images: listed in the group OME, else numbered from 0."""
    ome_group = _node_or_none(at, join(path, "OME"))
    if isinstance(ome_group, zarr.Group):
        listed = ome_of(ome_group.attrs.asdict()).get("series")
        if isinstance(listed, list) and all(isinstance(p, str) and p for p in listed):
            return listed
    numbered = sorted((name for name in children(group) if name.isdigit()), key=int)
    return numbered or (["0"] if _node_or_none(at, join(path, "0")) is not None else [])


def open_field(location: Location, well: str, field: int, axes: Sequence[str] | None = None) -> Source:
    """A field of a well of an OME-Zarr plate.

    Parameters
    ----------
    well : row and column as people write them: ``"B/3"``, ``"B3"``, ``"b03"``.

    Raises
    ------
    UnknownFormatError : no plate is there.
    ImageNotFoundError : it has no such well, or the well has no such field; says which there are.
    """
    store, root = open_store(location)
    at = _At(location, store, root, tuple(axes) if axes else None)
    plate = ome_of(_node(at, root).attrs.asdict()).get("plate")
    if not isinstance(plate, Mapping):
        raise UnknownFormatError(f"{location.uri}: well={well!r} was asked for, but no OME-Zarr plate is there; leave well= out")
    wells = _wells(plate)
    path = next((w for w in wells if _well_key(w) == _well_key(well)), None)
    if path is None:
        some = ", ".join(wells[:_WELLS]) + (", ..." if len(wells) > _WELLS else "")
        raise ImageNotFoundError(f"{location.uri}: there is no well {well!r}; the plate has {len(wells)} wells: {some}")
    source = _open_node(at, join(root, path), field)
    if not root:  # inside a zip no other address leads there
        source.opened = (location.absolute.child(path).uri, field, at.axes)
    return source


def _wells(plate: Any) -> list[str]:
    listed = plate.get("wells") if isinstance(plate, Mapping) else None
    return [str(w["path"]) for w in listed if isinstance(w, Mapping) and "path" in w] if isinstance(listed, list) else []


def _well_key(name: str) -> tuple[str, str]:
    """Row and column, however they are joined and filled up with zeros."""
    parts = re.fullmatch(r"([^\W\d_]+|\d+(?=\W))\W*0*(\d+)", name.strip())
    return (parts[1].upper(), parts[2]) if parts else (name.strip(), "")


def _plate_message(plate: Any, where: str) -> str:
    wells = _wells(plate)
    some = ", ".join(wells[:_LISTED]) + (", ..." if len(wells) > _LISTED else "")
    return (
        f"{where}: a plate with {len(wells)} wells ({some}); say which: open_image(path, well={(wells or ['A/1'])[0]!r}, field=0)"
    )
