"""``Viewer``: an image of any size in the notebook. The browser asks for tiles, the kernel reads, encodes and answers.

Pixels never become widget state: they travel as binary messages and are forgotten. What stays in a saved notebook is one small
figure of what was seen last.
"""

from __future__ import annotations

import base64
import math
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import traitlets

from ...data.image import MicroImage
from ...data.open import open_image
from ...data.region import Region
from ...errors import AxesError, RegionError
from ...render.composite import parse_color
from ...render.heat import RAMP, ValueMap
from ...render.overview import place_of
from ...tiles.objects import Objects
from ...tiles.where import where as rows_where
from ..layers import value_map
from ..live import Live, web
from .drawings import Drawing, load_drawings, save_drawings, table_of
from .pixels import MOST_SHOWN, PROJECTED, TILE, Pixels, Spec
from .requests import Request, Requests
from .shapes import Palette, Shapes
from .still import Overlay, Shown, picture_png, visible_place

if TYPE_CHECKING:
    from ...session.answer import Answer
    from .corrections import Corrections

OBJECTS, ANSWER = "objects", "answer"
_MODULES = ("parts.js", "pixels.js", "shapes.js", "draw.js", "panel.js", "viewer.js")


class Viewer(Live):
    """Looks at an image of any size: pan, zoom, channels, planes, objects and drawings.

    Parameters
    ----------
    img : a MicroImage, or anything :func:`open_image` opens.
    objects : :class:`Objects`, a table with centroids, or ``(n, 2)`` positions ``(y, x)`` in px; drawn on top, to be hovered,
        selected and corrected.
    color_by : a column of the objects' table; by default their name where there are several.
    height : of the view in screen pixels.
    panel : whether the side panel is open at first.

    Raises
    ------
    MissingExtraError : anywidget is not installed.
    AxesError, UnitsError : the objects do not fit the image.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> viewer = Viewer(np.zeros((40, 60), "uint8"), np.array([[10.0, 20.0], [30.0, 5.0]]))
    >>> len(viewer.select(where="centroid_x_px > 10"))
    1
    >>> viewer.regions
    []
    """

    _esm = traitlets.Unicode(web(*_MODULES)).tag(sync=True)
    _css = traitlets.Unicode(web("viewer.css")).tag(sync=True)
    _height = traitlets.Int(480).tag(sync=True)
    _panel = traitlets.Bool(True).tag(sync=True)

    def __init__(
        self, img: Any, objects: Any = None, *, color_by: str | None = None, height: int = 480, panel: bool = True
    ) -> None:
        super().__init__(_height=int(height), _panel=bool(panel))
        self.image: MicroImage = img if isinstance(img, MicroImage) else open_image(img)
        self._pixels = Pixels(self.image)
        self._channels = self._first_channels()
        self._display: dict[str, Any] = {"t": self._pixels.middle["t"], "z": self._pixels.middle["z"], "view": None}
        self._layers: dict[str, _Layer] = {}
        self._maps: dict[str, _Map] = {}
        self._drawings: dict[str, Drawing] = {}
        self._pointed: tuple[str, Any] | None = None
        self._watchers: list[Callable[[str, Any], None]] = []
        self._group: str | None = None
        self._requests = Requests(self._answered)
        self._corrections: Corrections | None = None
        if objects is not None:
            self._lay(OBJECTS, objects, by=color_by)

    @property
    def objects(self) -> Objects | None:
        """The objects on top, as they are after all corrections; None without any."""
        if self._corrections is not None and self._corrections.steps:
            return self._corrections.objects
        layer = self._layers.get(OBJECTS)
        return layer.shapes.objects if layer else None

    @objects.setter
    def objects(self, objects: Any) -> None:
        self._corrections = None
        if objects is None:
            self._layers.pop(OBJECTS, None)
            self.tell("unlay", id=OBJECTS)
        else:
            self._lay(OBJECTS, objects)
        self._changed("objects", None)

    @property
    def selected(self) -> pd.DataFrame:
        """The rows of the objects that are selected."""
        layer = self._layers.get(OBJECTS)
        return layer.shapes.table.iloc[sorted(layer.selected)] if layer else pd.DataFrame()

    @property
    def view(self) -> Region:
        """The part of the plane that is in sight, in px."""
        return visible_place(self.image.plane_shape, self._display["view"])

    @property
    def regions(self) -> list[Region]:
        """What was drawn, as places in px: a point is its pixel, a line the band of one pixel along it."""
        return [d.region for d in self._drawings.values()]

    @property
    def drawings(self) -> pd.DataFrame:
        """What was drawn, a row each, with lengths and areas."""
        return table_of(self._drawings.values(), self.image.pixel_size)

    @property
    def pointed(self) -> Region | None:
        """The place a person points at: what was drawn or clicked last; None where that was taken back."""
        if self._pointed is None:
            return None
        kind, what = self._pointed
        if kind == "region":
            return self._drawings[what].region if what in self._drawings else None
        layer = self._layers.get(OBJECTS)
        return _around(layer.shapes, what, self.image.plane_shape) if layer and what < len(layer.shapes) else None

    @property
    def pointed_kind(self) -> str | None:
        """What the clicked object is called; None where none is pointed at."""
        if self._pointed is None or self._pointed[0] != "object" or self.pointed is None:
            return None
        return str(self._layers[OBJECTS].shapes.table.iloc[self._pointed[1]].get("name", "object")) or "object"

    def zoom(self, region: Region | str | None = None) -> Viewer:
        """Goes to a place, px or µm, or a named part such as ``"left half"``; to the whole image for None."""
        place = place_of(self.image, region)
        margin = 0.0 if region is None or isinstance(region, str) else 0.15
        self._go(place.box, margin)
        return self

    def select(self, rows: Iterable[int] | None = None, *, where: str | None = None) -> pd.DataFrame:
        """Selects objects by row, or by a condition on their columns such as ``"area_um2 > 80"``; none for neither.

        Raises
        ------
        ValueError : the condition cannot be read, or there are no objects.
        """
        layer = self._needed()
        if where is not None:
            chosen = np.flatnonzero(rows_where(layer.shapes.table, where).to_numpy())
        else:
            chosen = np.array(sorted({int(r) for r in (() if rows is None else rows)}), np.int64)
        self._choose(chosen)
        return self.selected

    def color_by(self, column: str | None) -> Viewer:
        """Colours the objects by a column of their table; all alike for None."""
        self._color(self._needed(), column)
        return self

    def channel(
        self, name: int | str, *, visible: bool | None = None, color: str | None = None,
        window: tuple[float, float] | None = None, gamma: float | None = None,
    ) -> Viewer:  # fmt: skip
        """Changes how one channel is shown.

        Parameters
        ----------
        name : or position.
        window : the grey values that become black and full colour.

        Raises
        ------
        AxesError : there is no such channel. ValueError : a colour that is not ``#rrggbb``, or an empty window.
        """
        names = [c.name for c in self.image.channels]
        k = names.index(name) if isinstance(name, str) and name in names else name
        if not isinstance(k, int) or not 0 <= k < len(names):
            raise AxesError(f"channel {name!r} is not one of {', '.join(names)} (0..{len(names) - 1})")
        new = {"visible": visible, "color": color, "window": list(window) if window else None, "gamma": gamma}
        self._set_channel(k, {key: v for key, v in new.items() if v is not None})
        self.tell("channel", k=k, **self._channels[k])
        self.settle()
        return self

    def plane(self, *, t: int | None = None, z: int | str | None = None) -> Viewer:
        """Shows another frame or slice; ``z="max"`` the brightest of all slices.

        Raises
        ------
        AxesError : there is no such plane.
        """
        self._set_plane(t, PROJECTED if z == "max" else z)
        self.tell("plane", t=self._display["t"], z=self._display["z"])
        self.settle()
        return self

    def add_map(self, values: Any, *, metric: str = "focus", name: str | None = None, opacity: float = 0.55) -> Viewer:
        """Lays values over the picture, from dark violet to yellow, with a legend; the cursor reads them.

        Parameters
        ----------
        values : what :func:`micro_nb.quality` or :func:`micro_nb.explain` gave, or one value a tile ``(row, col)``, NaN for none.
        metric : which of a quality's numbers.
        name : what it is, with its unit; a map of the same name is replaced.
        opacity : 0..1.

        Raises
        ------
        AxesError : it is not one value a tile, or there is no such metric.
        """
        made = value_map(self.image, values, metric)
        made = replace(made, name=name or made.name)
        self._maps[made.name] = _Map(made, min(max(float(opacity), 0.0), 1.0))
        self._tell_map(made.name)
        return self

    def clear_maps(self) -> Viewer:
        """Takes away all maps."""
        self._maps.clear()
        self.tell("unmap")
        self.settle()
        return self

    def add_regions(self, regions: Region | Iterable[Region] | str | os.PathLike[str]) -> Viewer:
        """Draws regions, or those of a ``.geojson`` of QuPath or a ``.zip`` of ImageJ; the last one is pointed at."""
        if isinstance(regions, str | os.PathLike):
            new = load_drawings(regions)
        else:
            each = [regions] if isinstance(regions, Region) else list(regions)
            new = [Drawing.of_region(r.to("px", self.image.pixel_size)) for r in each]
        self._drawings |= {d.id: d for d in new}
        self._tell_drawings()
        if new:
            self._point(("region", new[-1].id))
        return self

    def save_regions(self, path: str | os.PathLike[str]) -> Path:
        """Writes what was drawn as ``.geojson``, which QuPath opens, or as ``.zip`` of regions, which ImageJ and Fiji open."""
        return save_drawings(list(self._drawings.values()), path)

    def clear_regions(self) -> Viewer:
        """Takes away all that was drawn."""
        self._drawings.clear()
        self._tell_drawings()
        return self

    def show(self, answer: Answer, evidence: int | None = None) -> Viewer:
        """Outlines the objects of an answer, and goes to its place; of one of its measurements also to the whole image."""
        if answer.image is not None and answer.image.plane_shape != self.image.plane_shape:
            return self
        if answer.objects is not None and len(answer.objects):
            self._lay(ANSWER, answer.objects)
        place = _place(answer, evidence)
        if place is not None:
            near = place.y1 - place.y0 < self.image.plane_shape[0] / 4
            self._go(place.to("px", self.image.pixel_size).box, 0.25 if near else 0.05)
        elif evidence is not None:
            self._go((0, 0, *self.image.plane_shape), 0.0)
        return self

    def delete(self, rows: Iterable[int] | None = None) -> Viewer:
        """Deletes objects: those of the rows, or those that are selected."""
        return self._correct(lambda c, chosen: c.delete(chosen), rows)

    def merge(self, rows: Iterable[int] | None = None) -> Viewer:
        """Makes one object of several."""
        return self._correct(lambda c, chosen: c.merge(chosen), rows)

    def split(self, rows: Iterable[int] | None = None, *, line: Sequence[tuple[float, float]] | None = None) -> Viewer:
        """Cuts an object along a line ``[(y, x), ...]`` in px; without one at its waist."""
        return self._correct(lambda c, chosen: c.split(chosen, line), rows)

    def add(self, region: Region, name: str = "object") -> Viewer:
        """Adds an object: the pixels of a region that no other object holds."""
        place = region.to("px", self.image.pixel_size)
        return self._correct(lambda c, chosen: c.add(place, name), ())

    def rename(self, name: str, rows: Iterable[int] | None = None) -> Viewer:
        """Gives objects another name."""
        return self._correct(lambda c, chosen: c.rename(chosen, name), rows)

    def undo(self) -> Viewer:
        """Takes the last correction back."""
        return self._correct(lambda c, chosen: c.undo(), ())

    def _correct(self, act: Callable[[Corrections, list[int]], list[int]], rows: Iterable[int] | None) -> Viewer:
        from .corrections import Corrections  # measures, so it is loaded when something is corrected

        layer = self._layers.get(OBJECTS)
        if self._corrections is None:
            plane = self._pixels.plane(self._display["t"], self._display["z"])
            self._corrections = Corrections.of(plane, layer.shapes.objects if layer else None)
        chosen = sorted(layer.selected) if rows is None and layer else sorted({int(r) for r in (() if rows is None else rows)})
        left = act(self._corrections, chosen)
        by = layer.by if layer else None
        self._lay(OBJECTS, self._corrections.current, by=by if layer else "name", keep=True)
        self._choose(np.array(left, np.int64))
        self._point(("object", left[0]) if len(left) == 1 else None)
        self._changed("corrected", None)
        return self

    def watch(self, by: Callable[[str, Any], None]) -> None:
        """Calls ``by(what, of)`` when something is drawn, selected, pointed at or corrected here."""
        self._watchers.append(by)

    def join(self, group: str) -> None:
        """Shares place and plane with the viewers of a group."""
        self._group = group
        self.tell("link", group=group)

    def handlers(self) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
        return {
            "hello": self._hello, "want": self._want, "drop": lambda m: self._requests.drop(_whole(m["ids"])),
            "probe": self._probe, "facts": self._facts, "pick": self._pick, "display": self._displayed, "draw": self._drawn,
            "undraw": self._undrawn, "color": lambda m: self._color(self._layers[str(m["layer"])], m.get("by")),
            "layer": self._layer_set, "describe": self._describe, "export": self._export, "within": self._within,
            "correct": self._asked_to_correct, "unpoint": lambda m: self._point(None), "map": self._map_set,
        }  # fmt: skip

    def _hello(self, message: Mapping[str, Any]) -> None:
        h, w = self.image.plane_shape
        size = self.image.pixel_size
        self.tell(
            "info", name=self.image.name, shape=[h, w], tile=TILE, steps=self._pixels.steps, sizes=self._pixels.sizes,
            um=[size["y"], size["x"]] if size else None, rgb=self._pixels.rgb, channels=self._channels,
            integer=self.image.dtype.kind in "bui", still=self._name, group=self._group, **self._display,
        )  # fmt: skip
        for name in self._maps:
            self._tell_map(name)
        for name in self._layers:
            self._tell_layer(name)
        self._tell_drawings(told=False)

    def _want(self, message: Mapping[str, Any]) -> None:
        told = message["spec"]
        channels = tuple(_whole(told["channels"]))
        ranges = tuple((float(a), float(b)) for a, b in told["ranges"])
        t, z = int(told["t"]), int(told["z"])
        if not 0 <= t < self._pixels.sizes["t"] or not PROJECTED <= z < self._pixels.sizes["z"]:
            raise AxesError(f"there is no plane t {t}, z {z}")
        if any(not 0 <= c < len(self._channels) for c in channels) or len(channels) != len(ranges) or len(channels) > 32:
            raise AxesError(f"channels {channels} are not those of this image")
        self._requests.drop(_whole(message.get("drop", ())))
        spec = Spec(t, z, channels, ranges)
        self._requests.ask([self._request(spec, *tile) for tile in message["tiles"]])

    def _request(self, spec: Spec, number: int, layer: str, k: int, row: int, col: int) -> Request:
        number, k, row, col = _whole((number, k, row, col))
        if layer == "":
            return Request(number, (spec, k, row, col), lambda: ({}, [self._pixels.tile(spec, k, row, col)]))
        over = self._layers.get(str(layer))
        if over is None:
            return Request(number, ("none", number), lambda: ({"form": "none"}, []))
        return Request(number, (layer, over.version, k, row, col), lambda: over.shapes.tile(k, row, col))

    def _answered(self, number: int, end: str, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.tell("tile", buffers, id=number, end=end, **content)

    def _probe(self, message: Mapping[str, Any]) -> None:
        y, x = int(message["y"]), int(message["x"])
        h, w = self.image.plane_shape
        inside = 0 <= y < h and 0 <= x < w
        values = self._pixels.values(self._display["t"], self._display["z"], y, x) if inside else []
        self.tell("values", y=y, x=x, values=[v if math.isfinite(v) else None for v in values])

    def _facts(self, message: Mapping[str, Any]) -> None:
        layer, row = self._layers[str(message["layer"])], int(message["row"])
        if 0 <= row < len(layer.shapes):
            self.tell("facts", layer=message["layer"], row=row, facts=layer.shapes.facts(row))

    def _pick(self, message: Mapping[str, Any]) -> None:
        layer = self._layers.get(OBJECTS)
        if layer is None:
            return
        rows = {r for r in _whole(message["rows"]) if 0 <= r < len(layer.shapes)}
        chosen = layer.selected ^ rows if message.get("toggle") else rows
        self._choose(np.array(sorted(chosen), np.int64))
        self._point(("object", next(iter(rows))) if len(rows) == 1 and rows <= chosen else None)

    def _within(self, message: Mapping[str, Any]) -> None:
        layer = self._needed()
        region = Drawing.of({**message["shape"], "id": "lasso"}).region
        y, x = layer.shapes.places
        rows = np.flatnonzero(region.contains(y + 0.5, x + 0.5))
        self._choose(np.union1d(rows, sorted(layer.selected)).astype(np.int64) if message.get("add") else rows)

    def _displayed(self, message: Mapping[str, Any]) -> None:
        if "view" in message:
            self._display["view"] = {k: float(v) for k, v in message["view"].items() if k in ("y0", "x0", "y1", "x1")}
        self._set_plane(message.get("t"), message.get("z"))
        for k, told in (message.get("channels") or {}).items():
            self._set_channel(int(k), told)
        self.settle()

    def _drawn(self, message: Mapping[str, Any]) -> None:
        drawing = Drawing.of(message["shape"])
        self._drawings[drawing.id] = drawing
        self._point(("region", drawing.id))
        self._changed("drawn", drawing.region)
        self.settle()

    def _undrawn(self, message: Mapping[str, Any]) -> None:
        self._drawings.pop(str(message["id"]), None)
        if self._pointed == ("region", message["id"]):
            self._point(None)
        self._changed("drawn", None)
        self.settle()

    def _describe(self, message: Mapping[str, Any]) -> None:
        k = int(message["k"])
        self._channels[k] |= {"described": True, **self._pixels.channel(k)}
        self.tell("channel", k=k, **self._channels[k])

    def _layer_set(self, message: Mapping[str, Any]) -> None:
        layer = self._layers[str(message["layer"])]
        layer.opacity = min(max(float(message.get("opacity", layer.opacity)), 0.0), 1.0)
        layer.contour, layer.visible = bool(message.get("contour", layer.contour)), bool(message.get("visible", layer.visible))
        self.settle()

    def _map_set(self, message: Mapping[str, Any]) -> None:
        over = self._maps[str(message["id"])]
        over.opacity, over.visible = min(max(float(message["opacity"]), 0.0), 1.0), bool(message["visible"])
        self.settle()

    def _tell_map(self, name: str) -> None:
        over = self._maps[name]
        self.tell("map", [over.values.values.astype("<f4").tobytes(), RAMP.tobytes()], id=name, shape=over.values.values.shape,
                  tile=over.values.tile_px, window=over.values.window, opacity=over.opacity, visible=over.visible)  # fmt: skip
        self.settle()

    def _export(self, message: Mapping[str, Any]) -> None:
        suffix = {"geojson": ".geojson", "roi": ".zip", "png": ".png"}[str(message["form"])]
        if suffix == ".png":
            return self.tell("file", [self.png], name="view.png")
        with tempfile.TemporaryDirectory() as folder:
            path = self.save_regions(Path(folder) / f"regions{suffix}")
            self.tell("file", [path.read_bytes()], name=path.name)

    def _asked_to_correct(self, message: Mapping[str, Any]) -> None:
        what = str(message["what"])
        shape = Drawing.of(message["shape"]) if message.get("shape") else None
        if what == "split":
            self.split(line=shape.points if shape else None)
        elif what == "add" and shape is not None:
            self.add(shape.region, str(message.get("name") or "object"))
        elif what == "rename":
            self.rename(str(message.get("name", "")))
        elif what in ("delete", "merge", "undo"):
            getattr(self, what)()

    def _first_channels(self) -> list[dict[str, Any]]:
        return [
            {"name": channel.name, "color": "#{:02x}{:02x}{:02x}".format(*color), "visible": k < MOST_SHOWN, "gamma": 1.0,
             "described": k < MOST_SHOWN, **(self._pixels.channel(k) if k < MOST_SHOWN else {})}
            for k, (channel, color) in enumerate(zip(self.image.channels, self._pixels.colors, strict=True))
        ]  # fmt: skip

    def _set_channel(self, k: int, told: Mapping[str, Any]) -> None:
        if not 0 <= k < len(self._channels):
            return
        channel = self._channels[k]
        if not channel["described"]:
            channel |= {"described": True, **self._pixels.channel(k)}
        new: dict[str, Any] = {}
        if "window" in told:
            low, high = (float(v) for v in told["window"])
            if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
                raise ValueError(f"the window {low:g} to {high:g} is empty")
            new["window"] = (low, high)
        if "color" in told:
            if not re.fullmatch("#[0-9a-fA-F]{6}", str(told["color"])):
                raise ValueError(f"colour {told['color']!r} is not of the form #rrggbb")
            new["color"] = str(told["color"])
        if "gamma" in told:
            new["gamma"] = min(max(float(told["gamma"]), 0.1), 10.0)
        if "visible" in told:
            new["visible"] = bool(told["visible"])
        channel |= new

    def _set_plane(self, t: Any, z: Any) -> None:
        for axis, asked in (("t", t), ("z", z)):
            if asked is None:
                continue
            k = int(asked)
            if not (PROJECTED if axis == "z" and self._pixels.sizes["z"] > 1 else 0) <= k < self._pixels.sizes[axis]:
                raise AxesError(f"{self.image.name} has {self._pixels.sizes[axis]} in {axis}, so there is no number {k}")
            self._display[axis] = k

    def _lay(self, name: str, objects: Any, *, by: str | None = None, keep: bool = False) -> None:
        shapes = Shapes(self.image, objects)
        before = self._layers.get(name)
        if by is None and not keep and "name" in shapes.table and shapes.table["name"].nunique() > 1:
            by = "name"
        layer = _Layer(shapes, by if by in shapes.table.columns else None, version=uuid.uuid4().hex[:8])
        if before is not None and keep:
            layer.opacity, layer.contour, layer.visible = before.opacity, before.contour, before.visible
        if name == ANSWER:
            layer.opacity = 0.12
        layer.palette = self._palette(name, layer)
        self._layers[name] = layer
        self._tell_layer(name)

    def _palette(self, name: str, layer: _Layer) -> Palette:
        palette = layer.shapes.palette(layer.by, bright=self._pixels.rgb)
        if name == ANSWER and layer.by is None:
            color = np.array((0, 160, 255) if not self._pixels.rgb else (0, 60, 255), np.uint8)
            return Palette(np.tile(color, (len(layer.shapes), 1)))
        return palette

    def _tell_layer(self, name: str) -> None:
        layer = self._layers[name]
        self.tell(
            "layer", [np.ascontiguousarray(layer.palette.colors).tobytes(), np.array(sorted(layer.selected), "<u4").tobytes()],
            id=name, rows=len(layer.shapes), labels=bool(layer.shapes.labels), columns=layer.shapes.columns, by=layer.by,
            keys=[list(key) for key in layer.palette.keys], scale=layer.palette.scale, version=layer.version,
            opacity=layer.opacity, contour=layer.contour, visible=layer.visible,
            editable=name == OBJECTS and (layer.shapes.objects is None or bool(layer.shapes.labels)),
            undo=bool(self._corrections and self._corrections.steps),
        )  # fmt: skip
        self.settle()

    def _color(self, layer: _Layer, by: Any) -> None:
        layer.by = str(by) if by else None
        name = next(n for n, other in self._layers.items() if other is layer)
        layer.palette = self._palette(name, layer)
        self._tell_layer(name)

    def _needed(self) -> _Layer:
        if OBJECTS not in self._layers:
            raise ValueError("this viewer shows no objects; make one with mnb.Viewer(img, objects)")
        return self._layers[OBJECTS]

    def _choose(self, rows: np.ndarray) -> None:
        layer = self._needed()
        outside = [int(r) for r in rows if not 0 <= r < len(layer.shapes)]
        if outside:
            raise ValueError(f"row {outside[0]} is none of the {len(layer.shapes)} objects")
        layer.selected = {int(r) for r in rows}
        self.tell("selected", [rows.astype("<u4").tobytes()], layer=OBJECTS)
        self._changed("selected", self.selected)
        self.settle()

    def _point(self, at: tuple[str, Any] | None) -> None:
        self._pointed = at
        self._changed("pointed", self.pointed)

    def _tell_drawings(self, told: bool = True) -> None:
        self.tell("drawings", shapes=[d.to_dict() for d in self._drawings.values()])
        if told:
            self._changed("drawn", None)
            self.settle()

    def _go(self, box: tuple[float, float, float, float], margin: float) -> None:
        y0, x0, y1, x1 = box
        dy, dx = (y1 - y0) * margin, (x1 - x0) * margin
        y0, x0, y1, x1 = y0 - dy, x0 - dx, y1 + dy, x1 + dx
        self._display["view"] = {"y0": y0, "x0": x0, "y1": y1, "x1": x1}
        self.tell("go", y0=y0, x0=x0, y1=y1, x1=x1)
        self.settle()

    def _changed(self, what: str, of: Any) -> None:
        for watcher in self._watchers:
            watcher(what, of)

    @property
    def png(self) -> bytes:
        """A figure of what is shown, as PNG bytes."""
        channels = [(k, c) for k, c in enumerate(self._channels) if c["visible"] and c["described"]]
        shown = [Shown(k, parse_color(c["color"]), c["window"], c["gamma"]) for k, c in channels]
        layers = [each for each in self._layers.values() if each.visible]
        overlays = [Overlay(e.shapes, e.palette, e.opacity, e.contour, frozenset(e.selected)) for e in layers]
        return picture_png(
            self._pixels, self.view, shown, t=self._display["t"], z=self._display["z"], overlays=overlays,
            drawings=self._drawings.values(), maps=[(m.values, m.opacity) for m in self._maps.values() if m.visible],
        )  # fmt: skip

    def still(self) -> dict[str, Any]:
        return {"image/png": base64.b64encode(self.png).decode(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        y0, x0, y1, x1 = self.view.box
        more = f", {len(self._layers[OBJECTS].shapes):,} objects" if OBJECTS in self._layers else ""
        drawn = f", {len(self._drawings)} drawn" if self._drawings else ""
        return f"<Viewer of {self.image.name}: y {y0:.0f}..{y1:.0f}, x {x0:.0f}..{x1:.0f} px{more}{drawn}>"


class _Layer:
    """Objects with the way they are shown."""

    def __init__(self, shapes: Shapes, by: str | None, *, version: str) -> None:
        self.shapes, self.by, self.version = shapes, by, version
        self.selected: set[int] = set()
        self.opacity, self.contour, self.visible = 0.15, True, True
        self.palette: Palette


@dataclass
class _Map:
    """Values over the picture with the way they are shown."""

    values: ValueMap
    opacity: float
    visible: bool = True


def link(*viewers: Viewer) -> None:
    """Makes viewers show the same place and plane from now on; by µm where all pixel sizes are known, else by px.

    Raises
    ------
    TypeError : fewer than two viewers.
    """
    if len(viewers) < 2 or not all(isinstance(v, Viewer) for v in viewers):
        raise TypeError(f"link takes two viewers or more, not {', '.join(type(v).__name__ for v in viewers) or 'none'}")
    units = "um" if all(v.image.pixel_size for v in viewers) else "px"
    group = f"{units}-{uuid.uuid4().hex[:8]}"
    for viewer in viewers:
        viewer.join(group)


def _around(shapes: Shapes, row: int, shape: tuple[int, int]) -> Region:
    record = shapes.table.iloc[row]
    name = f"{record.get('name', 'object')} {record.get('label', row + 1)}"
    outline = shapes.outline(row)
    if outline is not None:
        return Region.from_polygon([(float(y) + 0.5, float(x) + 0.5) for y, x in outline], name=name)
    y0, x0, y1, x1 = shapes.box(row)
    return Region(y0, x0, y1, x1, name=name).clip(shape)


def _place(answer: Answer, evidence: int | None) -> Region | None:
    """The place of an answer: of the measurement, of the box it gives, or of its only object."""
    facts = [fact for k, fact in enumerate(answer.evidence) if evidence in (None, k)]
    for fact in facts:
        if fact.quantity == "box" and isinstance(fact.value, tuple):
            x0, y0, x1, y1 = fact.value
            return Region(y0, x0, y1, x1)
    if answer.objects is not None and len(answer.objects) == 1 and "bbox_y0_px" in answer.objects.table:
        row = answer.objects.table.iloc[0]
        y0, x0, y1, x1 = (float(row[f"bbox_{e}_px"]) for e in ("y0", "x0", "y1", "x1"))
        return Region(y0, x0, y1, x1)
    try:
        return next((fact.region for fact in facts if fact.region is not None), None)
    except RegionError:
        return None


def _whole(numbers: Iterable[Any]) -> list[int]:
    return [int(n) for n in numbers]
