"""``overview``: an image of any size as a picture in the notebook, with what was found in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..data.atomic import writing_file
from ..data.image import MicroImage
from ..data.open import open_image
from ..data.region import Region
from ..errors import MissingExtraError, WriteError
from ..render.figure import room
from ..render.frame import Frame
from ..render.look import Look
from ..render.overview import TALLEST, Layers, overview_png, place_of
from ..render.scalebar import Ruler
from .layers import layers_of

Channels = Sequence[int | str] | int | str | None
_MANY = 20_000


def overview(
    img: Any, objects: Any = None, *, labels: Any = None, channels: Channels = None, region: Region | str | None = None,
    width: int = 900, quality: Any = None,
) -> Overview:  # fmt: skip
    """A look at an image of any size: a picture at once, straight from the pyramid level that suits it.

    It is shown as a picture, with a kernel and without; :class:`micro_nb.Viewer` is what one zooms and clicks in.

    Parameters
    ----------
    img : a MicroImage, or anything :func:`open_image` opens.
    objects : :class:`Objects`, a table of centroids, or ``(n, 2)`` positions ``(y, x)`` in px; thousands become a density.
    labels : name of labels stored with the image, or an integer array or MicroImage on its plane; drawn as outlines.
    channels : names or positions; default the picture's colours, else the first six channels.
    region : the part to show, px or µm, or a named part such as ``"left half"``.
    width : of the figure in px.
    quality : result of :func:`micro_nb.quality`, or one value a tile; drawn as a colour map with its legend.

    Raises
    ------
    AxesError, RegionError, UnitsError : what was given does not fit the image.

    Examples
    --------
    >>> import numpy as np
    >>> look = overview(np.eye(64), np.array([[10.0, 20.0]]), region="left half")
    >>> sorted(look._repr_mimebundle_())
    ['image/png', 'text/plain']
    """
    image = img if isinstance(img, MicroImage) else open_image(img)
    layers = layers_of(image, objects=objects, labels=labels, quality=quality)
    Look.of(image, channels)
    return Overview(image, place_of(image, region), layers, channels, width)


@dataclass(frozen=True)
class Overview:
    """A view of an image with layers on top; displays itself as a PNG, made when it is first asked for.

    Attributes
    ----------
    image : what is shown.
    region : the part that is shown, in px.
    layers : what is drawn on top.
    channels : the channels that were asked for; None for the default.
    width : of the figure in px.
    """

    image: MicroImage
    region: Region
    layers: Layers = field(default_factory=Layers)
    channels: Channels = None
    width: int = 900

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG bytes."""
        return overview_png(self.image, region=self.region, channels=self.channels, layers=self.layers, width=self.width)

    def zoom(self, region: Region | str) -> Overview:
        """The same view of another part; contrast and colours stay."""
        return replace(self, region=place_of(self.image, region))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the figure as a PNG file; see :func:`write`."""
        return write(path, self.png, ".png")

    @property
    def hv(self) -> Any:
        """The view as a HoloViews element, for those who compose plots: in µm (px where no pixel size is known), y down.

        Very many points are aggregated by datashader.

        Raises
        ------
        MissingExtraError : HoloViews or datashader is not installed.
        """
        try:
            import holoviews as hv
            from holoviews.operation.datashader import datashade
        except ImportError:
            raise MissingExtraError("this needs HoloViews and datashader; try pip install 'micro-nb[notebook]'") from None
        across = room(self.width)
        frame = Frame.of_region(self.region, width=across, height=int(across * TALLEST))
        picture = Look.of(self.image, self.channels).draw(frame)
        replace(self.layers, points=()).paint(picture, frame)
        ruler, size = Ruler.of(self.image.pixel_size, extent_px=self.image.plane_shape[1]), self.image.pixel_size
        per_x, per_y = ruler.per_px, ruler.per_px * (size["y"] / size["x"] if size else 1.0)
        axes = [hv.Dimension("x", unit=ruler.unit), hv.Dimension("y", unit=ruler.unit)]
        bounds = (frame.x0 * per_x, frame.y0 * per_y, frame.x1 * per_x, frame.y1 * per_y)
        shown = hv.RGB(np.ascontiguousarray(picture[::-1]), kdims=axes, bounds=bounds)
        for layer in self.layers.points:
            points = hv.Points(((layer.x + 0.5) * per_x, (layer.y + 0.5) * per_y), kdims=axes, label=layer.name)
            shown = shown * (datashade(points, dynamic=False) if len(layer.x) > _MANY else points)
        return shown

    def __repr__(self) -> str:
        y0, x0, y1, x1 = self.region.box
        keys = ", ".join(key.text for key in self.layers.keys)
        return f"<Overview of {self.image.name}: y {y0:g}..{y1:g}, x {x0:g}..{x1:g} px{', ' + keys if keys else ''}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"image/png": self.png, "text/plain": repr(self)}


def write(path: str | os.PathLike[str], data: bytes, suffix: str) -> Path:
    """Writes a file of one suffix, whole or not at all.

    Raises
    ------
    WriteError : another suffix, or the folder cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != suffix:
        raise WriteError(f"{target}: this is saved as {suffix}, not {target.suffix or 'without a suffix'}")
    with writing_file(target) as partial:
        partial.write_bytes(data)
    return target
