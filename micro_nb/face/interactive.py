"""The zoomable overview: one HoloViews DynamicMap that draws each view from the pyramid level that suits it."""

from __future__ import annotations

import base64
import re
import uuid
from typing import Any

import datashader
import holoviews as hv
import numpy as np
import pandas as pd
from holoviews.streams import PlotSize, RangeXY

from ..data.image import MicroImage
from ..data.region import Region
from ..render.contours import paint_density, paint_points
from ..render.frame import Frame
from ..render.look import Look
from ..render.overview import Layers, PointLayer
from ..render.points import PointIndex
from ..render.scalebar import Ruler

INDEXED = 20_000
_REMOTE_CSS = re.compile(r"https?://[^\s\"'\\]+\.css(?:\?[^\s\"'\\]*)?")  # decoration that is not fetched for one plot


class Scene:
    """Draws any view of one image with its layers; remembers the sorted points.

    Parameters
    ----------
    place : the part that is shown first, in px.
    size : ``(width, height)`` of the first view in screen pixels.
    """

    def __init__(self, img: MicroImage, look: Look, layers: Layers, place: Region, size: tuple[int, int]) -> None:
        self.image, self.look, self.place, self.size = img, look, place, size
        few = tuple(p for p in layers.points if len(p.y) <= INDEXED)
        self._many = [(p, PointIndex.build(p.y, p.x, img.plane_shape)) for p in layers.points if len(p.y) > INDEXED]
        self._layers = Layers(layers.values, layers.labels, few)
        w = place.x1 - place.x0
        self.across = Ruler.of(img.pixel_size, extent_px=w)
        self.down = self.across.per_px * (img.pixel_size["y"] / img.pixel_size["x"] if img.pixel_size else 1.0)

    def frame(self, x_range: Any, y_range: Any, width: int, height: int) -> Frame:
        """The part of the plane that a view in axis units shows, clipped to the plane, on as many screen pixels as it covers."""
        (h, w), x_per, y_per = self.image.plane_shape, self.across.per_px, self.down
        x0, x1 = sorted(v / x_per for v in x_range) if x_range else (self.place.x0, self.place.x1)
        y0, y1 = sorted(v / y_per for v in y_range) if y_range else (self.place.y0, self.place.y1)
        wide, high = max(x1 - x0, 1e-6), max(y1 - y0, 1e-6)
        left, right = _clip(x0, x1, w)
        top, bottom = _clip(y0, y1, h)
        shape = round(height * (bottom - top) / high), round(width * (right - left) / wide)
        return Frame(top, left, bottom, right, (min(max(shape[0], 1), 4096), min(max(shape[1], 1), 4096)))

    def draw(self, frame: Frame) -> np.ndarray:
        """``(y, x, 3)`` uint8."""
        picture = self.look.draw(frame)
        self._layers.paint(picture, frame)
        for layer, index in self._many:
            _paint_many(picture, layer, index, frame)
        return picture

    def view(
        self, x_range: Any = None, y_range: Any = None, width: int | None = None, height: int | None = None, scale: float = 1.0
    ) -> hv.RGB:
        """One view as a HoloViews element in axis units (µm, mm, nm or px; y down); ``scale`` is the screen's pixel density."""
        dense = min(max(scale or 1.0, 1.0), 2.0)
        frame = self.frame(x_range, y_range, round((width or self.size[0]) * dense), round((height or self.size[1]) * dense))
        bounds = (frame.x0 * self.across.per_px, frame.y0 * self.down, frame.x1 * self.across.per_px, frame.y1 * self.down)
        unit = self.across.unit
        axes = [hv.Dimension("x", unit=unit), hv.Dimension("y", unit=unit)]
        return hv.RGB(np.ascontiguousarray(self.draw(frame)[::-1]), kdims=axes, bounds=bounds)


class LiveOverview(hv.DynamicMap):  # type: ignore[misc]
    """A DynamicMap that also carries a still picture, for readers without a kernel."""

    still: bytes | None = None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        bundle = super()._repr_mimebundle_(include, exclude)
        if self.still is None or not isinstance(bundle, tuple):
            return bundle
        data, metadata = bundle
        return data | {"image/png": self.still, "text/html": _with_still(data.get("text/html", ""), self.still)}, metadata


def dynamic_map(scene: Scene, still: bytes) -> LiveOverview:
    """A DynamicMap over the streams RangeXY and PlotSize: every zoom and pan draws anew at the level that suits it."""
    if not hv.extension._loaded:
        hv.extension("bokeh", inline=True, logo=False)  # nothing from a network
    width, height = scene.size
    styled = hv.DynamicMap(scene.view, streams=[RangeXY(), PlotSize()]).opts(
        hv.opts.RGB(
            backend="bokeh",
            frame_width=width,
            frame_height=height,
            invert_yaxis=True,
            framewise=False,
            axiswise=True,
            active_tools=["wheel_zoom"],
            default_tools=["pan", "wheel_zoom", "box_zoom", "reset", "save"],
        )
    )
    live = LiveOverview(styled.callback, streams=styled.streams)
    live.still = still
    return live  # fmt: skip


def _with_still(live_html: str, still: bytes) -> str:
    """The live view's HTML after its picture, which the live view takes away; where scripts do not run, the picture stays."""
    name = f"still-{uuid.uuid4().hex[:12]}"
    live_html = _REMOTE_CSS.sub("data:text/css,", live_html)
    picture = f'<img id="{name}" alt="" src="data:image/png;base64,{base64.b64encode(still).decode()}">'
    return f'{picture}{live_html}<script>if (window.Bokeh) document.getElementById("{name}")?.remove()</script>'


def _paint_many(picture: np.ndarray, layer: PointLayer, index: PointIndex, frame: Frame) -> None:
    if index.is_coarse(frame):
        paint_density(picture, index.density(frame), color=layer.color)
        return
    y, x = index.within(frame)
    if y.size <= INDEXED // 4:
        paint_points(picture, y - 0.5, x - 0.5, frame, color=layer.color)
        return
    canvas = datashader.Canvas(frame.shape[1], frame.shape[0], x_range=(frame.x0, frame.x1), y_range=(frame.y0, frame.y1))
    counts = canvas.points(pd.DataFrame({"x": x, "y": y}, copy=False), "x", "y", datashader.count())
    paint_density(picture, counts.to_numpy(), color=layer.color)


def _clip(low: float, high: float, size: int) -> tuple[float, float]:
    low, high = max(low, 0.0), min(high, float(size))
    return (low, high) if high - low >= 1 else (min(max(low, 0.0), size - 1.0), min(max(low, 0.0), size - 1.0) + 1.0)
