"""The accessor ``da.micro``: an ``xarray.DataArray`` as a :class:`MicroImage`, and a choice of places in it by region."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import xarray as xr

from .image import MicroImage
from .region import Region
from .sources.arrays import ArraySource


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
