"""The static overview: from an image to the bytes of a PNG, straight from the pyramid level that suits it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.image import MicroImage
from ..data.region import Region
from .contours import LabelLayer, paint_labels, paint_points
from .figure import Caption, Key, compose, room
from .frame import Frame
from .heat import ValueMap, paint_map
from .look import Look
from .png import Color, encode_png
from .scalebar import Ruler, show_number

TALLEST = 1.15


@dataclass(frozen=True)
class PointLayer:
    """Points in pixel-centre coordinates of level 0: ``y`` and ``x`` ``(n,)`` floats."""

    y: np.ndarray
    x: np.ndarray
    color: Color = (255, 225, 77)
    name: str = "objects"


@dataclass(frozen=True)
class Layers:
    """What is drawn over the picture, bottom to top: values, labels, points."""

    values: ValueMap | None = None
    labels: tuple[LabelLayer, ...] = ()
    points: tuple[PointLayer, ...] = ()

    def paint(self, picture: np.ndarray, frame: Frame) -> None:
        """Draws everything onto ``(y, x, 3)`` uint8 in place."""
        if self.values is not None:
            paint_map(picture, self.values, frame)
        for labels in self.labels:
            paint_labels(picture, labels, frame)
        for points in self.points:
            paint_points(picture, points.y, points.x, frame, color=points.color)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Their legend."""
        return tuple(Key(a.name, a.color) for a in self.labels) + tuple(Key(p.name, p.color) for p in self.points)


def overview_png(
    img: MicroImage,
    *,
    region: Region | str | None = None,
    channels: Sequence[int | str] | int | str | None = None,
    layers: Layers | None = None,
    width: int = 900,
    plain: bool = False,
) -> bytes:
    """A PNG of an image of any size, from the pyramid level that suits ``width``; level 0 is never read whole.

    A longer z shows its middle plane and a longer t its first: fine for looking, and the caption says so.

    Parameters
    ----------
    region : the part to show, px or µm, or a named part such as ``"left half"``; its box is taken.
    channels : names or positions; default the picture's colours, else the first six channels.
    layers : labels, points and values to draw on top.
    width : of the figure in px.
    plain : the pixels alone, without axes and words.

    Raises
    ------
    AxesError, RegionError, UnitsError

    Examples
    --------
    >>> import numpy as np, micro_nb as mnb
    >>> overview_png(mnb.open_image(np.eye(64)))[1:4]
    b'PNG'
    """
    look, layers = Look.of(img, channels), layers or Layers()
    place = place_of(img, region)
    across = width if plain else room(width, bar=layers.values is not None)
    frame = Frame.of_region(place, width=across, height=max(int(across * TALLEST), 1))
    picture = look.draw(frame)
    layers.paint(picture, frame)
    if plain:
        return encode_png(picture, strategy=zlib.Z_RLE)
    caption = describe(img, look, frame, layers, place)
    figure = compose(picture, frame, pixel_size=img.pixel_size, caption=caption, values=layers.values)
    return encode_png(figure, strategy=zlib.Z_RLE)


def place_of(img: MicroImage, region: Region | str | None) -> Region:
    """``region`` in px, clipped to the image; the whole image for None."""
    if region is None or isinstance(region, str):
        return Region.part(region or "whole image", img.plane_shape)
    return region.to("px", img.pixel_size).clip(img.plane_shape)


def describe(img: MicroImage, look: Look, frame: Frame, layers: Layers, place: Region) -> Caption:
    """The words around the picture: name, size, channels, and every choice that was made for looking."""
    h, w = img.plane_shape
    ruler = Ruler.of(img.pixel_size, extent_px=w)
    facts = [f"{w:,} × {h:,} px"]
    if img.pixel_size:
        facts.append(f"{img.pixel_size['x']:.4g} µm/px")
    chosen = [f"{axis} {k + 1} of {n}" for axis, (k, n) in look.chosen.items()]
    if len(look.shown) < len(look.plane.channels) and not look.rgb:
        chosen.append(f"{len(look.shown)} of {len(look.plane.channels)} channels")
    if len(img.info.levels) > 1:
        chosen.append(f"level {look.level(frame)} of {len(img.info.levels) - 1}")
    if look.sampled:
        chosen.append("coarse picture from a sample of chunks")
    if place.name and place.name != "whole image":
        chosen.insert(0, place.name)
    elif place.box != (0, 0, h, w):
        chosen.insert(0, f"{show_number(round((place.x1 - place.x0) * ruler.per_px, 2))} {ruler.unit} wide region")
    unnamed = len(look.plane.channels) == 1 and look.channels[0].name == "channel 0"
    named = () if look.rgb or unnamed else tuple(Key(c.name, color) for c, color in zip(look.channels, look.colors, strict=True))
    return Caption(img.name, " · ".join(facts), named + layers.keys, " · ".join(chosen))
