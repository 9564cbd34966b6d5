"""``open_image``: one verb for every path, address and array."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import AxesError
from . import accessor as accessor  # registers da.micro
from .axes import check_axes, resolve_pixel_size
from .formats import open_source
from .image import MicroImage
from .location import Location
from .source import Index, Source, SourceOver
from .sources.arrays import ArraySource


def open_image(
    path: Any, *, pixel_size: float | Mapping[str, float] | None = None, axes: str | Sequence[str] | None = None, series: int = 0
) -> MicroImage:
    """Opens an image of any size; reads metadata only.

    Parameters
    ----------
    path : a file, a zarr store, an ``http(s)://`` or ``s3://`` address, an array (NumPy, Dask, xarray, zarr, torch; what bioio,
        spatialdata and napari hand out; ``(y, x, 3)`` and ``(y, x, 4)`` bytes are RGB), or a MicroImage.
    pixel_size : µm per pixel at level 0, a number for y and x or a mapping axis -> µm; replaces what the file says.
    axes : meaning of each dimension, e.g. ``"cyx"``, where the file or array does not say it; replaces what it says.
    series : which image of a file that holds several.

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
    if isinstance(path, MicroImage):
        source = path.source
    elif isinstance(path, str | os.PathLike | Location):
        source = open_source(Location.of(path), series=series, axes=tuple(axes) if axes else None)
        axes = None
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
            if set(check_axes(self.axes, info.shape)) != set(info.axes) and self.axes != tuple(
                a for a in ("t", "c", "z", "y", "x") if a in self.axes
            ):
                raise AxesError(
                    f"{self.base.uri}: axes {''.join(self.axes)!r} reorder {''.join(info.axes)!r} of shape {info.shape}; "
                    "name them in the order t c z y x"
                )
            info = replace(info, axes=self.axes, channels=(), rgb=info.rgb and self.axes == info.axes)
        if self.sizes is not None:
            info = replace(info, pixel_size=self.sizes, pixel_size_source="argument")
        self._show(info)

    def read(self, level: int, index: Index) -> np.ndarray:
        return self.base.read(level, index)

    def __reduce__(self) -> tuple[Any, ...]:
        return Restated, (self.base, dict(self.sizes) if self.sizes else None, self.axes)
