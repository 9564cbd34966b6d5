"""Objects over an image for the browser: which object each pixel belongs to, where points are, and the colour of every row."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ...data.image import MicroImage
from ...render.composite import parse_color
from ...render.contours import LabelLayer
from ...render.frame import Frame
from ...render.heat import RAMP
from ...render.points import PointIndex
from ...render.scalebar import show_number
from ...tiles.objects import Objects
from ..layers import label_layers, positions
from .pixels import frame_of

# Okabe and Ito's colours, which colour-blind people tell apart; the order suits the ground.
_ON_DARK = ("#f0e442", "#56b4e9", "#e69f00", "#cc79a7", "#2fd3a0", "#d55e00", "#ffffff", "#7aa7ff")
_ON_BRIGHT = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#000000", "#56b4e9", "#7a3fb0")
_OTHER = (150, 150, 150)
_MOST_POINTS = 3000
_SHOWN_FIRST = ("name", "label", "layer", "score")
_MOST_FACTS = 10
_UNITS = {"_um2": "µm²", "_um": "µm", "_px2": "px²", "_px": "px", "_deg": "°"}
_HIDDEN = ("bbox_", "centroid_y_px", "centroid_x_px", "sum_intensity", "std_intensity", "min_intensity")


@dataclass(frozen=True)
class Palette:
    """A colour a row, and what the colours mean.

    Attributes
    ----------
    colors : ``(rows, 3)`` uint8.
    keys : ``(text, #rrggbb, rows)`` of each name; empty for a scale.
    scale : ``(low, high)`` of a column of numbers; None for names.
    by : the column; empty where all are alike.
    """

    colors: np.ndarray
    keys: tuple[tuple[str, str, int], ...] = ()
    scale: tuple[float, float] | None = None
    by: str = ""


class Shapes:
    """One layer of objects on the plane of an image; rows are those of its table.

    Parameters
    ----------
    objects : :class:`Objects`, a table with centroids, or ``(n, 2)`` positions ``(y, x)`` in px.
    """

    def __init__(self, img: MicroImage, objects: Any) -> None:
        self.image = img
        self.objects = objects if isinstance(objects, Objects) else None
        self.table = objects.table if self.objects is not None else _table(img, objects)
        self.table = self.table.reset_index(drop=True)
        self.labels: tuple[LabelLayer, ...] = ()
        if self.objects is not None and self.objects.labels is not None:
            self.labels = label_layers(img, self.objects.labels)
        self._given = objects

    def __len__(self) -> int:
        return len(self.table)

    @property
    def columns(self) -> list[str]:
        """Columns that rows can be coloured by."""
        return [str(c) for c in self.table.columns if not str(c).startswith("bbox_") and c != "label"]

    @cached_property
    def _rows(self) -> list[np.ndarray]:
        """For each layer of labels: label -> row + 1, 0 for what is no row."""
        found = []
        layers = self.table["layer"].astype(str).to_numpy()
        labels = self.table["label"].to_numpy(np.int64)
        for layer in self.labels:
            mine = np.flatnonzero(layers == layer.name) if len(self.labels) > 1 else np.arange(len(labels))
            rows = np.zeros(int(labels[mine].max(initial=0)) + 1, np.uint32)
            rows[labels[mine]] = mine + 1
            found.append(rows)
        return found

    @cached_property
    def _order(self) -> list[int]:
        """Layers from the one with the largest objects to the one with the smallest, which lies on top."""
        column = next((c for c in self.table.columns if str(c).startswith("area_")), None)
        if column is None or len(self.labels) < 2:
            return list(range(len(self.labels)))
        names = self.table["layer"].astype(str)
        size = [float(self.table[column][names == layer.name].mean()) for layer in self.labels]
        return sorted(range(len(size)), key=lambda k: -np.nan_to_num(size[k]))

    def ids(self, k: int, row: int, col: int) -> np.ndarray:
        """Row + 1 of the object at each pixel of a tile and one pixel around it, ``(y + 2, x + 2)`` uint32; 0 for none."""
        shape, step = self.image.plane_shape, 1 << k
        inner = frame_of(shape, k, row, col)
        h, w = inner.shape
        top, left, bottom, right = (
            int(inner.y0 > 0), int(inner.x0 > 0), int(inner.y1 + step <= shape[0]), int(inner.x1 + step <= shape[1])
        )  # fmt: skip
        frame = Frame(
            inner.y0 - top * step, inner.x0 - left * step, inner.y1 + bottom * step, inner.x1 + right * step,
            (h + top + bottom, w + left + right),
        )  # fmt: skip
        out = np.zeros((h + 2, w + 2), np.uint32)
        place = out[1 - top : 1 + h + bottom, 1 - left : 1 + w + right]
        np.copyto(place, self.at(frame))
        return out

    def at(self, frame: Frame) -> np.ndarray:
        """Row + 1 of the object at each display pixel of a frame, uint32; 0 for none."""
        out = np.zeros(frame.shape, np.uint32)
        for n in self._order:
            labels, rows = self.labels[n].read(frame), self._rows[n]
            labels = labels.astype(np.int64, copy=False)
            found = rows[np.where((labels < len(rows)) & (labels > 0), labels, 0)]
            np.copyto(out, found, where=found > 0)
        return out

    def tile(self, k: int, row: int, col: int) -> tuple[dict[str, Any], list[bytes]]:
        """A tile of labels as PNG (the row in 24 bits), of points as coordinates, or of very many points as a density."""
        if self.labels:
            return {"form": "ids"}, [_png(self.ids(k, row, col))]
        frame = frame_of(self.image.plane_shape, k, row, col)
        if self.index.count_within(frame) > _MOST_POINTS:
            counts = self.index.density(frame) if self.index.is_coarse(frame) else self._counted(frame)
            shade = np.log1p(counts) / max(float(np.log1p(self.index.counts.max() * (1 << 2 * k) / self.index.edge**2)), 1e-6)
            return {"form": "density"}, [_png((np.clip(shade, 0, 1) * 255).astype(np.uint8))]
        at = self.index.positions(frame)
        y, x = self.index.y[at], self.index.x[at]
        mine = (y >= frame.y0) & (y < frame.y1) & (x >= frame.x0) & (x < frame.x1)
        places = np.stack((x[mine], y[mine]), axis=1).astype("<f4")
        return {"form": "points"}, [places.tobytes(), self.index.order[at][mine].astype("<u4").tobytes()]

    def _counted(self, frame: Frame) -> np.ndarray:
        y, x = self.index.within(frame)
        (h, w), (sy, sx) = frame.shape, frame.scale
        rows, cols = ((y - frame.y0) / sy).astype(np.int64), ((x - frame.x0) / sx).astype(np.int64)
        ok = (rows >= 0) & (rows < h) & (cols >= 0) & (cols < w)
        return np.bincount(rows[ok] * w + cols[ok], minlength=h * w).reshape(h, w).astype(np.float32)

    @cached_property
    def index(self) -> PointIndex:
        """The centroids, sorted into cells."""
        y, x = self.places
        return PointIndex.build(y, x, self.image.plane_shape)

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """``(y, x)`` of the centroids in px of level 0, pixel centres at whole numbers."""
        return positions(self.image, self.table)

    def palette(self, by: str | None, *, bright: bool) -> Palette:
        """Colours by a column: a scale for numbers, a colour a name for text; all alike for None.

        Raises
        ------
        ValueError : there is no such column.
        """
        n = len(self.table)
        order = [parse_color(c) for c in (_ON_BRIGHT if bright else _ON_DARK)]
        if by is None:
            return Palette(np.tile(np.array(order[0], np.uint8), (n, 1)))
        if by not in self.table.columns:
            raise ValueError(f"there is no column {by!r} to colour by; there are {', '.join(self.columns)}")
        values = self.table[by]
        if values.dtype.kind in "iuf" and values.nunique() > len(order):
            numbers = values.to_numpy(np.float64)
            known = numbers[np.isfinite(numbers)]
            low, high = (float(v) for v in np.percentile(known, (1, 99))) if known.size else (0.0, 1.0)
            share = np.nan_to_num((numbers - low) / max(high - low, 1e-12), nan=0.0)
            colors = RAMP[(np.clip(share, 0, 1) * 255).astype(np.uint8)]
            colors = np.where(np.isfinite(numbers)[:, None], colors, np.array(_OTHER, np.uint8)).astype(np.uint8)
            return Palette(colors, scale=(low, high), by=by)
        names = values.astype(str)
        counts = names.value_counts()
        colors = np.tile(np.array(_OTHER, np.uint8), (n, 1))
        keys = []
        for k, (name, rows) in enumerate(counts.items()):
            color = order[k] if k < len(order) else _OTHER
            colors[(names == name).to_numpy()] = color
            if k < len(order):
                keys.append((str(name), "#{:02x}{:02x}{:02x}".format(*color), int(rows)))
        return Palette(colors, tuple(keys), by=by)

    def facts(self, row: int) -> list[tuple[str, str]]:
        """What is known of an object, as plain texts."""
        record = self.table.iloc[row]
        first = [c for c in _SHOWN_FIRST if c in record.index and (c != "layer" or len(self.labels) > 1)]
        rest = [c for c in record.index if c not in (*first, "layer") and not str(c).startswith(_HIDDEN)]
        return [_fact(str(c), record[c]) for c in [*first, *rest][:_MOST_FACTS]]

    def outline(self, row: int) -> np.ndarray | None:
        """``(n, 2)`` vertices (y, x) around an object with labels, a little outside its pixels' centres; None without labels."""
        if self.objects is None or self.objects.labels is None:
            return None
        from ...tiles.polygons import cutouts, rings  # loads scikit-image

        cutout = next(iter(cutouts(self.table.iloc[row : row + 1], self.objects.labels)), None)
        ring = max((part[0] for part in rings(cutout)), key=len) if cutout is not None else ()
        return np.asarray(ring[:-1]) if len(ring) > 3 else None

    def box(self, row: int) -> tuple[float, float, float, float]:
        """``(y0, x0, y1, x1)`` of an object in px; a small square around a point."""
        record = self.table.iloc[row]
        names = [f"bbox_{e}_px" for e in ("y0", "x0", "y1", "x1")]
        if set(names) <= set(record.index):
            y0, x0, y1, x1 = (float(record[n]) for n in names)
            return y0, x0, y1, x1
        y, x = (float(v[row]) for v in self.places)
        return y - 8, x - 8, y + 8, x + 8


def _table(img: MicroImage, objects: Any) -> pd.DataFrame:
    if isinstance(objects, pd.DataFrame):
        return objects
    y, x = positions(img, objects)
    return pd.DataFrame({"centroid_y_px": y, "centroid_x_px": x})


def _png(picture: np.ndarray) -> bytes:
    """PNG of grey uint8, or of rows in 24 bits."""
    if picture.dtype == np.uint32:
        picture = np.ascontiguousarray(picture.astype("<u4").view(np.uint8).reshape(*picture.shape, 4)[..., :3])
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _fact(column: str, value: Any) -> tuple[str, str]:
    """A column and its value for people: the unit stands behind the value."""
    for suffix, unit in _UNITS.items():
        if column.endswith(suffix):
            return column.removesuffix(suffix).replace("_", " "), f"{_said(value)} {unit}"
    return column.replace("_", " "), _said(value)


def _said(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if not isinstance(value, int | float | np.number):
        return str(value)
    return show_number(float(f"{value:.4g}")) if np.isfinite(value) else "–"
