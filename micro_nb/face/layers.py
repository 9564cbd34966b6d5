"""Whatever a user lays over a picture (objects, labels, tables, quality) as layers the renderer knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..data.image import MicroImage
from ..data.open import open_image
from ..errors import AxesError, UnitsError
from ..models.wording import plural
from ..render.contours import LAYER_COLORS, LabelLayer
from ..render.heat import ValueMap
from ..render.overview import Layers, PointLayer
from ..tiles.objects import Objects

_UNITS = {"_px": "px", "_um": "µm", "_percent": "%"}


def layers_of(img: MicroImage, *, objects: Any = None, labels: Any = None, quality: Any = None) -> Layers:
    """What is drawn over an image.

    Parameters
    ----------
    objects : :class:`Objects`, a table with ``centroid_y_px`` and ``centroid_x_px`` (or ``_um``), or ``(n, 2)`` positions
        ``(y, x)`` of pixel centres in px of level 0.
    labels : the name of labels stored with the image, an integer array, DataArray or MicroImage on the image's plane.
    quality : the result of :func:`micro_nb.quality`, or a DataArray with one value a tile.

    Raises
    ------
    AxesError, UnitsError : what was given does not fit the image; says what it was and what would.
    """
    found, points = _objects(img, objects) if objects is not None else ((), ())
    found += label_layers(img, labels, len(found) + len(points)) if labels is not None else ()
    return Layers(value_map(img, quality) if quality is not None else None, found, points)


def _objects(img: MicroImage, objects: Any) -> tuple[tuple[LabelLayer, ...], tuple[PointLayer, ...]]:
    if not isinstance(objects, Objects):
        return (), (_points(img, objects),)
    if objects.labels is not None:
        return _by_name(label_layers(img, objects.labels, 0, name=_name(objects)), objects), ()
    return (), (replace(_points(img, objects.table), name=_name(objects)),)


def _name(objects: Objects) -> str:
    names = objects.table["name"].unique()
    return _counted(len(objects), str(names[0]) if len(names) == 1 else "object")


def _by_name(layers: tuple[LabelLayer, ...], objects: Objects) -> tuple[LabelLayer, ...]:
    """A layer a name, each with its colour, where one of labels holds several; the rarest names share the last colour."""
    table, labels = objects.table, objects.labels
    given = [str(v) for v in labels["layer"].values] if labels is not None and "layer" in labels.dims else [""]
    if len(given) != len(layers) or table["name"].nunique() < 2:
        return layers
    found: list[tuple[LabelLayer, str, Any, bool]] = []
    for layer, kind in zip(layers, given, strict=True):
        mine = table if len(given) == 1 else table[table["layer"] == kind]
        names = mine["name"].value_counts().index
        shown = names[: max(1, len(LAYER_COLORS) // len(given))]
        groups = [(str(name), mine[mine["name"] == name]) for name in shown]
        groups += [("of other names", mine[~mine["name"].isin(shown)])] if len(shown) < len(names) else []
        found += [(layer, name, rows, len(groups) > 1) for name, rows in groups or [(kind, mine)]]
    return tuple(
        replace(layer, color=LAYER_COLORS[k % len(LAYER_COLORS)], name=_counted(len(rows), name),
                only=tuple(int(n) for n in rows["label"]) if several else layer.only)
        for k, (layer, name, rows, several) in enumerate(found)
    )  # fmt: skip


def _counted(n: int, name: str) -> str:
    return f"{n:,} {name if n == 1 or name.startswith('of ') else plural(name)}"


def _points(img: MicroImage, table: Any) -> PointLayer:
    y, x = positions(img, table)
    return PointLayer(y, x, LAYER_COLORS[0], _counted(len(y), "object"))


def positions(img: MicroImage, table: Any) -> tuple[np.ndarray, np.ndarray]:
    """``(y, x)`` of pixel centres in px of level 0, from a table with centroids or ``(n, 2)`` positions."""
    if isinstance(table, pd.DataFrame):
        return _column(img, table, "y"), _column(img, table, "x")
    places = np.asarray(table)
    if places.ndim != 2 or places.shape[1] != 2:
        raise AxesError(f"objects of shape {places.shape}: give Objects, a table with centroids, or (n, 2) positions (y, x)")
    return places[:, 0], places[:, 1]


def _column(img: MicroImage, table: pd.DataFrame, axis: str) -> np.ndarray:
    px, um = f"centroid_{axis}_px", f"centroid_{axis}_um"
    if px in table.columns:
        return table[px].to_numpy(np.float64)
    if um not in table.columns:
        raise AxesError(f"the table has no {px} or {um}; it has {', '.join(map(str, table.columns))}")
    if img.pixel_size is None:
        raise UnitsError(f"{img.name} has no pixel size, so {um} cannot be placed; pass pixel_size= to open_image")
    return table[um].to_numpy(np.float64) / img.pixel_size[axis]


def label_layers(img: MicroImage, labels: Any, taken: int = 0, *, name: str | None = None) -> tuple[LabelLayer, ...]:
    """The layers of label images, by the names of their ``layer`` axis, in the colours after those that are ``taken``.

    Raises
    ------
    AxesError : they were not made on the plane of this image, or none are stored under the name.
    """
    if isinstance(labels, str):
        if labels not in img.labels:
            raise AxesError(f"{img.name} holds no labels {labels!r}; it holds {', '.join(img.labels) or 'none'}")
        name, labels = name or labels, img.labels[labels]
    if isinstance(labels, Mapping):
        each = list(labels.items())
    elif "layer" in getattr(labels, "dims", ()):
        given = labels.coords["layer"].values if "layer" in labels.coords else range(labels.sizes["layer"])
        single = labels.sizes["layer"] == 1
        each = [(name if single and name else str(layer), labels.isel(layer=k)) for k, layer in enumerate(given)]
    else:
        each = [(name or "objects", labels)]
    return tuple(
        LabelLayer(_as_image(item), LAYER_COLORS[(taken + k) % len(LAYER_COLORS)], text).check(img.plane_shape)
        for k, (text, item) in enumerate(each)
    )


def _as_image(labels: Any) -> MicroImage:
    if isinstance(labels, MicroImage):
        return labels.plane()
    if hasattr(labels, "dims"):
        labels = labels.reset_coords(drop=True)
    return open_image(labels).plane()


def value_map(img: MicroImage, given: Any, metric: str = "focus") -> ValueMap:
    """The map of a :class:`Quality` or an :class:`Explanation`, or one value a tile ``(row, col)``, named with its unit.

    Raises
    ------
    AxesError : it is not one value a tile, or has no such metric.
    """
    values = getattr(given, "map", given)
    if isinstance(values, Mapping) or hasattr(values, "data_vars"):
        values = values[metric if metric in values else str(next(iter(values)))]
    if "metric" in getattr(values, "dims", ()):
        if metric not in values["metric"].values:
            raise AxesError(f"this map has no {metric!r}; it has {', '.join(map(str, values['metric'].values))}")
        values = values.sel(metric=metric).rename(metric)
    if "channel" in getattr(values, "dims", ()):
        values = values.isel(channel=0)
    grid = np.asarray(values, np.float64)
    if grid.ndim != 2 or not grid.size:
        raise AxesError(f"a map needs one value a tile, (row, col); this one has shape {grid.shape}")
    attrs = getattr(values, "attrs", {})
    told = (attrs.get("tile"), attrs.get("tile_px"), getattr(given, "tile", None), getattr(given, "step", None))
    tile = next((t for t in told if t), max(n / m for n, m in zip(img.plane_shape, grid.shape, strict=True)))
    name = str(getattr(given, "prompt", None) or getattr(values, "name", None) or "quality")
    for end, unit in _UNITS.items():
        name = f"{name.removesuffix(end)} ({unit})" if name.endswith(end) else name
    return ValueMap(grid, float(tile), name.replace("_", " "))
