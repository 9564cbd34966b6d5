"""``open_image``: one verb for every path, address and array; and ``da.micro``, an ``xarray.DataArray`` as an image."""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import xarray as xr

from ..errors import AxesError, UnknownFormatError
from .axes import canonical, check_axes, resolve_pixel_size
from .formats import open_source
from .image import MicroImage
from .location import Location
from .region import Region
from .source import Source, SourceOver
from .sources.arrays import ArraySource

_FIELDS = "micro_nb.data.sources.zarr:open_field"


def open_image(
    path: Any, *, pixel_size: float | Mapping[str, float] | None = None, axes: str | Sequence[str] | None = None, series: int = 0,
    well: str | None = None, field: int | None = None,
) -> MicroImage:  # fmt: skip
    """Opens an image of any size; reads metadata only.

    Parameters
    ----------
    path : a file, a zarr store, an ``http(s)://`` or ``s3://`` address, an array (NumPy, Dask, xarray, zarr, torch; what bioio,
        spatialdata and napari hand out; ``(y, x, 3)`` and ``(y, x, 4)`` bytes are RGB), or a MicroImage.
    pixel_size : µm per pixel at level 0, a number for y and x or a mapping axis -> µm; replaces what the file says.
    axes : meaning of each dimension, e.g. ``"cyx"``, where the file or array does not say it; replaces what it says.
    series : which image of a file that holds several.
    well, field : which well of an OME-Zarr plate (``"B/3"``, ``"B3"`` or ``"b03"``), and which of its fields, from 0 on.

    Raises
    ------
    ImageNotFoundError, UnknownFormatError, CorruptImageError, UnsafeImageError, AxesError, UnitsError

    Examples
    --------
    >>> import numpy as np
    >>> open_image(np.zeros((64, 64), "uint8"), pixel_size=0.25).pixel_size["x"]
    0.25
    """
    if hasattr(path, "store_path") and not hasattr(path, "dtype"):  # a zarr group
        path = str(path.store_path)
    if isinstance(path, str | os.PathLike | Location):
        place, stated, series = Location.of(path), tuple(axes) if axes else None, series if field is None else field
        door = pkgutil.resolve_name(_FIELDS) if well is not None else None  # loads zarr
        source = door(place, well, series, stated) if door else open_source(place, series=series, axes=stated)
        axes = None
    elif well is not None or field is not None:
        raise UnknownFormatError("well= and field= choose from an OME-Zarr plate, which is opened by its path or address")
    elif isinstance(path, MicroImage):
        source = path.source
    else:
        source = ArraySource.of(path, axes=axes)
        axes = None
    sizes = resolve_pixel_size(pixel_size)
    if sizes or axes:
        source = Restated(source, sizes, tuple(axes) if axes else None)
    return MicroImage(source)


@dataclass(frozen=True)
class Restated(SourceOver):
    """A source whose pixel size or axes the user states; the pixels are the same."""

    base: Source
    sizes: Mapping[str, float] | None
    axes: tuple[str, ...] | None

    def __post_init__(self) -> None:
        info = self.base.info
        if self.axes is not None:
            if set(check_axes(self.axes, info.shape)) != set(info.axes) and self.axes != canonical(self.axes):
                raise AxesError(
                    f"{self.base.uri}: axes {''.join(self.axes)!r} reorder {''.join(info.axes)!r} of shape {info.shape}; "
                    "name them in the order t c z y x"
                )
            info = replace(info, axes=self.axes, channels=(), rgb=info.rgb and self.axes == info.axes)
        if self.sizes is not None:
            info = replace(info, pixel_size=self.sizes, pixel_size_source="argument")
        self._show(info)


@xr.register_dataarray_accessor("micro")  # type: ignore[no-untyped-call, unused-ignore]
class MicroAccessor:
    """What a DataArray with dims from ``t c z y x`` gains; coordinates in a length unit give the pixel size.

    Examples
    --------
    >>> import numpy as np, micro_nb as mnb
    >>> da = mnb.open_image(np.zeros((64, 48), "uint16"), pixel_size=0.5).data
    >>> da.micro.pixel_size
    {'y': 0.5, 'x': 0.5}
    >>> da.micro.sel(region="left half").shape
    (64, 24)
    """

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    @cached_property
    def image(self) -> MicroImage:
        """This array as an image of one level; lazy where the array is."""
        return MicroImage(ArraySource.of(self._array))

    @property
    def pixel_size(self) -> Mapping[str, float] | None:
        """µm per pixel by axis, from the coordinates; None where they have no length unit."""
        size = self.image.pixel_size
        return dict(size) if size else None

    def sel(self, *, region: Region | str) -> xr.DataArray:
        """The array inside a region's bounding box.

        Parameters
        ----------
        region : a :class:`Region` in pixels of this array or in µm, or a named part such as ``"top left"``.

        Raises
        ------
        RegionError : it lies outside the image.
        UnitsError : it is in µm and the array has no pixel size.
        """
        shape = self._array.sizes["y"], self._array.sizes["x"]
        place = Region.part(region, shape) if isinstance(region, str) else region
        rows, cols = place.to("px", self.pixel_size).clip(shape).at()
        return self._array.isel(y=rows, x=cols)
