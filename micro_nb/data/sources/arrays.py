"""Arrays in memory (NumPy, xarray, Dask) as sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import AxesError
from ..axes import canonical, check_axes, is_length_unit, to_um
from ..source import Channel, ImageInfo, Index, Level, Source

_CHUNK = 512


@dataclass(frozen=True)
class ArraySource(Source):
    """Anything with ``shape``, ``dtype`` and NumPy indexing, one array a level, axes already canonical."""

    arrays: tuple[Any, ...]
    described: ImageInfo
    uri: str | None = None
    format: str = "array"

    @classmethod
    def of(cls, array: Any, *, axes: str | Sequence[str] | None = None) -> ArraySource:
        """From one array. Two dimensions are y x; a DataArray says its own; else ``axes`` must.

        Raises
        ------
        AxesError : more than two dimensions and nobody says what they are (a guessed channel axis measures wrong).
        """
        if not isinstance(getattr(array, "dtype", None), np.dtype):
            array = np.asarray(array)
        if np.dtype(array.dtype).kind not in "buif":
            raise AxesError(f"pixels must be numbers, not dtype {array.dtype}")
        if 0 in array.shape:
            raise AxesError(f"the array is empty: shape {array.shape}")
        pixel_size, names = None, None
        if hasattr(array, "dims"):
            unnamed = array.ndim == 2 and all(str(d).startswith("dim_") for d in array.dims)
            axes = axes or (None if unnamed else array.dims)
            pixel_size, names = _scale_of(array), _channel_names(array)
            array = array.variable if hasattr(array, "variable") else array
        if axes is None:
            if array.ndim != 2:
                raise AxesError(
                    f"shape {array.shape} has {array.ndim} dimensions; say what they are, e.g. axes={_suggest(array.shape)!r}"
                )
            axes = "yx"
        order = check_axes(axes, tuple(array.shape))
        picture = bool(getattr(array, "attrs", {}).get("rgb")) or (order[-1] == "c" and array.dtype == np.uint8)
        rgb = picture and dict(zip(order, array.shape, strict=True)).get("c") == 3
        array = array.transpose(*[order.index(a) for a in canonical(order)] if not hasattr(array, "dims") else
                                [array.dims[order.index(a)] for a in canonical(order)])  # fmt: skip
        shape = tuple(int(n) for n in array.shape)
        chunks = tuple(min(n, _CHUNK) if a in "yx" else 1 for a, n in zip(canonical(order), shape, strict=True))
        level = Level(shape, chunks, (1.0,) * len(shape), (0.0,) * len(shape))
        info = ImageInfo(
            axes=canonical(order), dtype=np.dtype(array.dtype).newbyteorder("="), levels=(level,), rgb=rgb, pixel_size=pixel_size,
            pixel_size_source="array coordinates" if pixel_size else None,
            channels=tuple(Channel(n) for n in names) if names else (),
        )  # fmt: skip
        return cls((array,), info)

    @property
    def info(self) -> ImageInfo:
        return self.described

    def read(self, level: int, index: Index) -> np.ndarray:
        return np.array(
            self.arrays[level][self.check(level, index)], self.info.dtype
        )  # a copy: what is read belongs to the caller

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        *lead, height, width = self.info.shape
        side = _CHUNK if full else _CHUNK // 2
        rows, cols = (range(0, n, side) if full else _spread(n, side) for n in (height, width))
        for at in np.ndindex(*(lead if full else [min(n, 3) for n in lead])):
            for y in rows:
                for x in cols:
                    place = tuple(slice(i, i + 1) for i in at) + (slice(y, y + side), slice(x, x + side))
                    yield np.ascontiguousarray(self.read(0, place)).tobytes()


def _spread(n: int, side: int) -> list[int]:
    """Up to four starts of windows of ``side`` along ``n``, first and last included."""
    return sorted({int(i) for i in np.linspace(0, max(n - side, 0), 4)})


def _suggest(shape: tuple[int, ...]) -> str:
    if len(shape) == 3:
        return "yxc" if shape[-1] in (3, 4) else "cyx"
    return "tczyx"[-len(shape) :]


def _channel_names(array: Any) -> tuple[str, ...] | None:
    if "c" in array.dims and "c" in getattr(array, "coords", {}):
        return tuple(str(v) for v in array.coords["c"].values)
    return None


def _scale_of(array: Any) -> dict[str, float] | None:
    """Pixel size from coordinates in a length unit; None where a spatial axis says none."""
    sizes, coords = {}, getattr(array, "coords", {})
    for axis in ("z", "y", "x"):
        coord = coords.get(axis) if axis in array.dims else None
        unit = str(coord.attrs.get("units", "")) if coord is not None else ""
        if coord is not None and coord.size > 1 and is_length_unit(unit):
            steps = np.diff(np.asarray(coord.values, float))
            if steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-3):  # one size for all pixels, or none at all
                sizes[axis] = to_um(float(steps.mean()), unit)
    return sizes if {"y", "x"} <= set(sizes) else None
