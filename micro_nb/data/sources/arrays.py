"""Arrays in memory as sources: NumPy, xarray, Dask, zarr, torch, and what bioio, spatialdata and napari hand out.

Neighbours are known by what they can do, never by their class, so none of them is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...errors import AxesError
from ..axes import NAMES, PLANE, canonical, check_axes, is_length_unit, positive, to_um
from ..source import Channel, ImageInfo, Index, Level, Source

_CHUNK = 512
_PICTURES = ("1", "L", "P", "I", "F", "I;16", "I;16B", "I;16L", "I;16N", "RGB", "RGBA")
_MEANS: dict[str, str] = {word: axis for axis, words in NAMES["dimensions"].items() for word in words}


@dataclass
class _Given:
    """An array with what its library says of it."""

    array: Any
    dims: tuple[str, ...] | None = None
    pixel_size: dict[str, float] | None = None
    says_size: str = "array coordinates"
    channels: tuple[str, ...] | None = None
    rgb: bool = False
    cautions: list[str] = field(default_factory=list)
    dtype: np.dtype[Any] | None = None


@dataclass(frozen=True)
class ArraySource(Source):
    """Anything with ``shape``, ``dtype`` and NumPy indexing, one array a level, axes already canonical."""

    arrays: tuple[Any, ...]
    described: ImageInfo
    uri: str | None = None
    format: str = "array"

    @classmethod
    def of(cls, array: Any, *, axes: str | Sequence[str] | None = None) -> ArraySource:
        """From one array. Two dimensions are y x, ``(y, x, 3)`` bytes are RGB, named ones say what they are; else ``axes`` must.

        Raises
        ------
        AxesError : nobody says what the dimensions are (a guessed channel axis measures wrong), or they are not numbers.
        """
        given = _unmasked(_given(array))
        data, facts = given.array, dict[str, Any]()
        shape = _shape(data)
        names, rgb = _axes(given, shape, tuple(axes) if axes else None)
        kept = [k for k, name in enumerate(names) if name]
        data = data[tuple(slice(None) if name else 0 for name in names)] if len(kept) < len(names) else data
        order = tuple(n for n in names if n)
        if rgb and data.shape[order.index("c")] == 4:
            data = data[tuple(slice(0, 3) if a == "c" else slice(None) for a in order)]
            facts["alpha"] = "the alpha channel is left out"
        data = _transposed(data, [order.index(a) for a in canonical(order)])
        shape, sizes = tuple(int(n) for n in data.shape), {a: n for a, n in (given.pixel_size or {}).items() if a in order}
        chunks = tuple(min(n, _CHUNK) if a in PLANE else 1 for a, n in zip(canonical(order), shape, strict=True))
        level = Level(shape, chunks, (1.0,) * len(shape), (0.0,) * len(shape))
        count = dict(zip(canonical(order), shape, strict=True)).get("c", 1)
        named = given.channels if given.channels and not rgb and len(given.channels) == count else None
        info = ImageInfo(
            axes=canonical(order), dtype=given.dtype or np.dtype(data.dtype).newbyteorder("="), levels=(level,), rgb=rgb,
            pixel_size=sizes, pixel_size_source=given.says_size,
            channels=tuple(Channel(n) for n in named) if named else (),
            facts=facts | {"cautions": given.cautions},
        )  # fmt: skip
        return cls((data,), info)

    @property
    def info(self) -> ImageInfo:
        return self.described

    def read(self, level: int, index: Index) -> np.ndarray:
        part = self.arrays[level][self.check(level, index)]
        part = part.compute() if hasattr(part, "compute") else part  # Dask, which hands out no masks otherwise
        found = np.array(part, self.info.dtype, subok=True)  # a copy: it belongs to the caller
        return found.filled(np.nan) if isinstance(found, np.ma.MaskedArray) else found

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        *lead, height, width = self.info.shape
        side = _CHUNK if full else _CHUNK // 2
        few = (sorted({int(i) for i in np.linspace(0, max(n - side, 0), 4)}) for n in (height, width))
        rows, cols = (range(0, height, side), range(0, width, side)) if full else few
        for at in np.ndindex(*(lead if full else [min(n, 3) for n in lead])):
            for y in rows:
                for x in cols:
                    place = tuple(slice(i, i + 1) for i in at) + (slice(y, y + side), slice(x, x + side))
                    yield np.ascontiguousarray(self.read(0, place)).tobytes()


def _given(array: Any) -> _Given:
    """What was handed over, whoever made it."""
    if hasattr(array, "xarray_dask_data"):  # bioio, aicsimageio
        found = _given(array.xarray_dask_data)
        sizes = getattr(array, "physical_pixel_sizes", None)
        found.pixel_size = _positive({a: getattr(sizes, a.upper(), None) for a in "zyx"}) or found.pixel_size
        found.says_size = "physical_pixel_sizes of the image"
        return found
    if all(hasattr(array, name) for name in ("scale", "translate", "data")):
        if not (hasattr(array, "rgb") or hasattr(array, "selected_label")):
            raise AxesError(f"a layer of {type(array).__name__.lower()} is no image; pass a layer of pixels or labels")
        return _layer(array)
    if hasattr(array, "children") and hasattr(array, "to_dataset"):  # a tree of levels, as spatialdata keeps them
        finest = next((array[k] for k in ("scale0", "s0", "0") if k in array.children), None)
        return _given((finest or next(iter(array.children.values()), array)).to_dataset())
    if hasattr(array, "data_vars"):
        if len(array.data_vars) != 1:
            raise AxesError(
                f"this Dataset holds {', '.join(map(str, array.data_vars)) or 'nothing'}; pass the variable that you mean"
            )
        return _given(next(iter(array.data_vars.values())))
    if hasattr(array, "detach") and hasattr(array, "cpu"):  # a tensor, on whatever device; NumPy knows no bfloat16
        tensor = array.detach().cpu()
        return _Given((tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy())
    if hasattr(array, "__cuda_array_interface__"):  # CuPy
        return _given(array.get())
    if hasattr(array, "getbands") and array.mode not in _PICTURES:  # Pillow
        raise AxesError(f"a picture of mode {array.mode} is neither grey nor RGB; pass its convert('L') or convert('RGB')")
    if hasattr(array, "dims") and hasattr(array, "transpose"):
        return _labelled(array)
    if hasattr(array, "metadata") and hasattr(array, "store_path"):
        names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
        return _Given(array, tuple(names) if names and all(names) else None, cautions=scaled_values(array.attrs))
    if isinstance(array, list | tuple) and len({np.shape(level) for level in array}) == len(array) > 1:  # levels, finest first
        return _given(array[0])
    if isinstance(array, tuple) and len(array) > 1 and isinstance(array[1], Mapping):  # a layer as napari's readers give it
        return _layer(SimpleNamespace(**{"scale": (), "rgb": False} | dict(array[1]), data=array[0]))
    if not isinstance(getattr(array, "dtype", None), np.dtype):
        try:
            array = np.asarray(array)
        except (TypeError, ValueError) as error:
            raise AxesError(f"{type(array).__name__} is no array of numbers ({error}); pass what holds the pixels") from error
    return _Given(array)


def _labelled(array: Any) -> _Given:
    """An xarray DataArray or Variable."""
    attrs, coords = dict(getattr(array, "attrs", {})), getattr(array, "coords", {})
    dims = tuple(str(d) for d in array.dims)
    unnamed = len(dims) == 2 and all(d.startswith("dim_") for d in dims)
    channel = next((d for d in array.dims if _MEANS.get(str(d).lower()) == "c" and d in coords), None)
    names = tuple(str(v) for v in np.atleast_1d(coords[channel].values)) if channel is not None else None
    cautions = scaled_values(attrs)
    moved = [str(k) for k, v in (attrs.get("transform") or {}).items() if type(v).__name__ != "Identity"] if isinstance(
        attrs.get("transform"), Mapping) else []  # fmt: skip
    if moved:
        cautions.append(f"its place in the coordinate system {', '.join(moved)} is not applied: pixels are as stored")
    spatial = {str(d): coords[d].values for d in array.dims if d in coords and _MEANS.get(str(d).lower()) in ("y", "x")}
    back = [d for d, v in spatial.items() if v.size > 1 and v.dtype.kind in "iuf" and v[-1] < v[0]]
    if back:
        cautions.append(f"coordinates along {', '.join(back)} run backwards: pixels are in the order of the array")
    return _Given(
        array.variable if hasattr(array, "variable") else array, None if unnamed else dims, _scale_of(array), channels=names,
        rgb=bool(attrs.get("rgb")), cautions=cautions,
    )  # fmt: skip


def _layer(layer: Any) -> _Given:
    """A napari layer: the finest level of its data, and its scale where that has a unit of length."""
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    found, rgb = _given(data), bool(getattr(layer, "rgb", False))
    names = [str(n).lower() for n in getattr(layer, "axis_labels", ())]
    n = len(layer.scale)
    if len(names) == n and all(n in _MEANS for n in names):
        found.dims = (*names, "s") if rgb else tuple(names)
    elif rgb and n == 2:
        found.dims = ("y", "x", "s")
    units = [str(u) for u in getattr(layer, "units", ()) or ()]
    if len(units) == n:
        spatial = ("z", "y", "x")[-min(n, 3) :] if not found.dims else [_MEANS.get(d, "") for d in found.dims[:n]]
        found.pixel_size = _positive({
            a: to_um(float(s), u) for a, s, u in zip(spatial, layer.scale[-len(spatial) :], units[-len(spatial) :], strict=True)
            if a in ("z", "y", "x") and is_length_unit(u)
        })  # fmt: skip
        found.says_size = "scale of the layer"
    found.rgb = rgb
    return found


def _unmasked(given: _Given) -> _Given:
    """Masked pixels, of NumPy or Dask, become NaN as they are read: they are no data."""
    array = given.array
    if not isinstance(getattr(array, "_meta", array), np.ma.MaskedArray) or array.dtype.kind not in "buif":
        return given
    masked = f"{int(np.ma.getmaskarray(array).sum())} " if isinstance(array, np.ma.MaskedArray) else ""
    if masked == "0 ":
        given.array = array.data
        return given
    given.dtype = np.result_type(array.dtype, np.float32)
    given.cautions.append(f"{masked}masked pixels are no data (NaN) and are left out of what is measured")
    return given


def _shape(data: Any) -> tuple[int, ...]:
    if any(n != n for n in data.shape):
        raise AxesError(f"this array does not know its shape {data.shape}; call its compute_chunk_sizes() first")
    if np.dtype(data.dtype).kind not in "buif":
        raise AxesError(f"pixels must be numbers, not dtype {data.dtype}")
    if 0 in data.shape:
        raise AxesError(f"the array is empty: shape {data.shape}")
    return tuple(int(n) for n in data.shape)


def _axes(given: _Given, shape: tuple[int, ...], stated: tuple[str, ...] | None) -> tuple[tuple[str, ...], bool]:
    """The meaning of each dimension ("" is dropped), and whether c holds the samples of a colour picture."""
    bytes_ = (given.dtype or given.array.dtype) == np.uint8
    if stated is not None:
        order = check_axes(stated, shape)
        picture = given.rgb or (order[-1] == "c" and bytes_)
        return order, picture and dict(zip(order, shape, strict=True)).get("c") == 3
    if given.dims is None:
        if len(shape) == 2:
            return ("y", "x"), False
        if len(shape) == 3 and bytes_ and shape[-1] in (3, 4) and shape[0] not in (3, 4):
            return ("y", "x", "c"), True
        likely = ("yxc" if shape[-1] in (3, 4) else "cyx") if len(shape) == 3 else "tczyx"[-len(shape) :]
        raise AxesError(f"shape {shape} has {len(shape)} dimensions; say what they are, e.g. axes={likely!r}")
    means = [_MEANS.get(d.lower(), "") for d in given.dims]
    if "s" in means:  # colour samples, beside a channel axis of one
        means = ["" if m == "c" and n == 1 else "c" if m == "s" else m for m, n in zip(means, shape, strict=True)]
    lost = [d for d, m, n in zip(given.dims, means, shape, strict=True) if not m and n > 1]
    if lost or len(means) != len(shape) or not {"y", "x"} <= set(means) or len({m for m in means if m}) < sum(map(bool, means)):
        raise AxesError(
            f"dimensions {', '.join(given.dims)} of shape {shape} must each mean one of t c z y x, with y and x; "
            "rename them, or state them, e.g. axes='" + "tczyx"[-min(len(shape), 5) :] + "'"
        )
    length = shape[means.index("c")] if "c" in means else 1
    samples = any(_MEANS.get(d.lower()) == "s" for d in given.dims) or (given.dims[-1].lower() == "c" and bytes_)
    return tuple(means), (length == 3 and (given.rgb or samples)) or (length == 4 and samples and bytes_)


def _transposed(data: Any, order: list[int]) -> Any:
    if order == list(range(len(order))):
        return data
    if not hasattr(data, "transpose"):  # zarr and HDF5 arrays
        data = np.asarray(data)
    return data.transpose(*([data.dims[i] for i in order] if hasattr(data, "dims") else order))


def scaled_values(attrs: Mapping[str, Any]) -> list[str]:
    """What attributes say of values that nobody applied: scale, offset and fill value, as CF and others write them."""
    found = {str(k): v for k, v in dict(attrs).items() if k in ("scale_factor", "add_offset", "_FillValue", "missing_value")}
    neutral = (("scale_factor", 1), ("add_offset", 0))
    said = {k: v for k, v in found.items() if (k, v) not in neutral}
    return [f"values are as stored; {', '.join(f'{k}={v}' for k, v in said.items())} is not applied"] if said else []


def _positive(sizes: Mapping[str, Any]) -> dict[str, float] | None:
    known = {a: number for a, v in sizes.items() if (number := positive(v))}
    return known if {"y", "x"} <= set(known) else None


def _scale_of(array: Any) -> dict[str, float] | None:
    """Pixel size from coordinates in a length unit; None where a spatial axis says none."""
    sizes, coords = {}, getattr(array, "coords", {})
    for dim in array.dims:
        axis, coord = _MEANS.get(str(dim).lower()), coords.get(dim)
        unit = str(coord.attrs.get("units", "")) if coord is not None else ""
        if axis in ("z", "y", "x") and coord is not None and coord.size > 1 and is_length_unit(unit):
            steps = np.diff(np.asarray(coord.values, float))
            if steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-3):  # one size for all pixels, or none at all
                sizes[axis] = to_um(float(steps.mean()), unit)
    return {a: sizes[a] for a in ("z", "y", "x") if a in sizes} if {"y", "x"} <= set(sizes) else None
