"""``measure``: a table of objects, a row each, with the unit in every column name. Any size, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ..data.image import MicroImage
from ..data.open import open_image
from ..data.save import same_field
from ..data.source import factor
from ..data.view import Projection
from ..errors import AxesError
from ..tiles.plan import TileGrid
from .moments import ANGLES, DIRECTIONS, HALO, Moments

Read = Callable[[slice, slice], np.ndarray]
_SQUARE = 1.1


def measure(
    img: MicroImage,
    labels: Any,
    *,
    channels: Sequence[int | str] | int | str | None = None,
    layer: str = "object",
    name: str = "object",
    tile: int = 2048,
    project: Projection | None = None,
) -> pd.DataFrame:
    """Shape, place, grey values and neighbours of every labelled object.

    Lengths are in µm where the image has a pixel size, else in px; the column names say which. Places are also given in px of
    level 0, pixel centres at whole numbers; boxes are half open.

    Parameters
    ----------
    img : a plane or colour picture of any size.
    labels : ``(y, x)`` or ``(layer, y, x)`` integers, 0 = background: a DataArray (lazy or not), an array, or a MicroImage, which
        may be coarser or finer than ``img`` where it covers the same field.
    channels : whose grey values are measured, by name or position; all by default.
    layer, name : what the columns ``layer`` and ``name`` say; a ``layer`` axis names its own layers.
    tile : edge of the blocks that are read; changes speed and memory only.
    project : ``"max"`` or ``"mean"`` over a longer z or t.

    Returns
    -------
    Columns ``label layer name score``, ``area_{u}2 perimeter_{u} equivalent_diameter_{u} major_axis_{u} minor_axis_{u}
    feret_max_{u} eccentricity solidity orientation_deg``, ``centroid_y_px centroid_x_px`` (and ``_um``),
    ``bbox_y0_px bbox_x0_px bbox_y1_px bbox_x1_px touches_border nearest_neighbour_{u}``, and for each channel
    ``mean_intensity_{ch} std_intensity_{ch} min_intensity_{ch} max_intensity_{ch} sum_intensity_{ch}``; u is um or px. Where an
    object holds pixels that are NaN, ``nan_px_{ch}`` says how many were left out.

    Raises
    ------
    AxesError : the labels are not integers on the image's plane.

    Notes
    -----
    Axes are those of the ellipse with the same second moments; the perimeter is that of Benkrid and Crookes (2000), NaN
    where pixels are not square (sides differ by more than a tenth), as no such rule is right there; solidity and Feret
    diameter use the hull of the middles of the pixels' sides, seen from 32 directions. Pixels that are NaN are left out
    of grey values.
    ``orientation_deg`` is the angle of the major axis from the y axis, -90..90, counter-clockwise.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((40, 40), "int32")
    >>> labels[5:15, 5:25] = 1
    >>> table = measure(open_image(labels, pixel_size=0.5), labels)
    >>> float(table.area_um2[0]), bool(table.touches_border[0])
    (50.0, False)
    """
    plane = open_image(img).plane(project=project)
    wanted: Any = [channels] if isinstance(channels, int | str) else channels
    seen = plane.sel(c=wanted if "c" in plane.axes or len(wanted) != 1 else wanted[0]) if wanted else plane
    names = [c.name for c in seen.channels] if wanted is None or wanted else []
    tables = []
    for layer_name, read, shape in _layers(labels, layer, plane.plane_shape):
        if shape != plane.plane_shape:
            raise AxesError(f"labels of shape {shape} do not lie on {plane.name}, whose plane is {plane.plane_shape} (y, x)")
        tables.append(_table(_total(seen, len(names), read, tile), plane, names, layer_name, name))
    return pd.concat(tables, ignore_index=True)


def _layers(labels: Any, layer: str, plane: tuple[int, int]) -> list[tuple[str, Read, tuple[int, int]]]:
    """Name, reader and ``(y, x)`` shape of each layer, in pixels of ``plane``."""
    if isinstance(labels, MicroImage):
        found = _layers(labels.plane().data, layer, plane)
        return [(name, _stretched(read, n, plane), plane) if n != plane and same_field(n, plane) else (name, read, n)
                for name, read, n in found]  # fmt: skip
    dims = tuple(str(d).lower() for d in labels.dims) if hasattr(labels, "dims") else None
    if dims is None:
        masked, lazy = isinstance(labels, np.ma.MaskedArray), hasattr(labels, "dtype") and hasattr(labels, "shape")
        labels = labels.filled(0) if masked else labels if lazy else np.asarray(labels)  # arrays on disk are read block by block
        dims = ("y", "x")[-labels.ndim :] if labels.ndim == 2 else ("layer", "y", "x")
    if np.dtype(labels.dtype).kind not in "biu" or len(dims) != labels.ndim or dims[-2:] != ("y", "x") or labels.ndim > 3:
        raise AxesError(f"labels must be integers (y, x) or (layer, y, x), got {labels.dtype} {dims} of shape {labels.shape}")
    shape = (int(labels.shape[-2]), int(labels.shape[-1]))
    if labels.ndim == 2:
        return [(layer, lambda y, x: np.asarray(labels[y, x]), shape)]
    names = [str(v) for v in labels.coords[dims[0]].values] if hasattr(labels, "coords") and dims[0] in labels.coords else None
    return [(names[k] if names else f"{layer} {k}", _reader(labels, k), shape) for k in range(labels.shape[0])]


def _stretched(read: Read, shape: tuple[int, int], plane: tuple[int, int]) -> Read:
    """Labels of another resolution in pixels of the plane: each takes the label that its centre lies in."""

    def nearest(rows: slice, cols: slice) -> np.ndarray:
        spans = [np.arange(s.start, s.stop) + 0.5 for s in (rows, cols)]
        at = [(span / factor(m, n)).astype(int) for span, n, m in zip(spans, shape, plane, strict=True)]
        y, x = (np.minimum(k, n - 1) for k, n in zip(at, shape, strict=True))
        return read(slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1))[np.ix_(y - y[0], x - x[0])]

    return nearest


def _reader(labels: Any, k: int) -> Read:
    return lambda y, x: np.asarray(labels[k, y, x])


def _total(plane: MicroImage, channels: int, read: Read, tile: int) -> Moments:
    totals, lead = Moments(channels), (slice(None),) * (len(plane.axes) - 2)
    for t in TileGrid(plane.plane_shape, tile=tile, halo=HALO):
        rows, cols = t.read
        labels = read(rows, cols)
        labels = labels.astype(np.int64, copy=False) if labels.dtype.itemsize < 8 else labels
        if labels.size and labels.min() < 0:
            raise AxesError(f"labels must not be negative, found {labels.min()}")
        if not labels.any():
            continue
        padded = np.zeros((rows.stop - rows.start + 2 * HALO, cols.stop - cols.start + 2 * HALO), labels.dtype)
        padded[HALO:-HALO, HALO:-HALO] = labels
        y, x = t.core[0].start - rows.start + HALO, t.core[1].start - cols.start + HALO
        height, width = t.core[0].stop - t.core[0].start, t.core[1].stop - t.core[1].start
        inner = (slice(y, y + height), slice(x, x + width))
        grey = list(plane.read(0, lead + t.core).reshape(-1, height, width)) if channels else []
        totals.add(padded, inner, (t.core[0].start, t.core[1].start), grey)
    return totals


def _table(totals: Moments, plane: MicroImage, channels: list[str], layer: str, name: str) -> pd.DataFrame:
    at = totals.rows
    size = plane.pixel_size
    unit, py, px = ("um", size["y"], size["x"]) if size else ("px", 1.0, 1.0)
    sums, reach, low, high = totals.by_label()
    n = sums[:, 0]
    y, x = sums[:, 1] / n, sums[:, 2] / n
    cy, cx = low[:, 0] + y, low[:, 1] + x
    ids = totals.ids if len(at) and totals.ids[-1] > np.iinfo(np.int64).max else totals.ids.astype(np.int64)
    table: dict[str, Any] = {"label": ids, "layer": layer, "name": name, "score": 1.0}
    table |= _shape(sums, reach, y, x, unit, py, px)
    table |= {"centroid_y_px": cy, "centroid_x_px": cx}
    if size:
        table |= {"centroid_y_um": cy * py, "centroid_x_um": cx * px}
    table |= {"bbox_y0_px": low[:, 0], "bbox_x0_px": low[:, 1], "bbox_y1_px": high[:, 0] + 1, "bbox_x1_px": high[:, 1] + 1}
    height, width = plane.plane_shape
    table["touches_border"] = (low == 0).any(axis=1) | (high[:, 0] == height - 1) | (high[:, 1] == width - 1)
    table[f"nearest_neighbour_{unit}"] = nearest(cy * py, cx * px)
    for channel, grey in zip(channels, totals.grey, strict=True):
        known, total, spread, least, most = grey[at].T
        seen = np.where(known > 0, known, np.nan)
        values = {"mean": total / seen, "std": np.sqrt(np.maximum(spread, 0) / seen)}
        values |= {k: np.where(known > 0, v, np.nan) for k, v in (("min", least), ("max", most), ("sum", total))}
        table |= {f"{k}_intensity_{channel}": v for k, v in values.items()}
        if (known < n).any():
            table[f"nan_px_{channel}"] = (n - known).astype(np.int64)
    return pd.DataFrame(table)


def _shape(
    sums: np.ndarray, reach: np.ndarray, cy: np.ndarray, cx: np.ndarray, unit: str, py: float, px: float
) -> dict[str, np.ndarray]:
    n, _, _, yy, xx, xy, perimeter = sums.T
    var_y = np.maximum(yy / n - cy**2, 0) * py**2
    var_x = np.maximum(xx / n - cx**2, 0) * px**2
    cov = (xy / n - cy * cx) * py * px
    middle, spread = (var_y + var_x) / 2, np.hypot((var_y - var_x) / 2, cov)
    large, small = middle + spread, np.maximum(middle - spread, 0)
    area, hull = n * py * px, _hull_area(reach.astype(float)) * py * px
    with np.errstate(divide="ignore", invalid="ignore"):
        eccentricity = np.where(large > 0, np.sqrt(np.maximum(1 - small / large, 0)), 0.0)
    return {
        f"area_{unit}2": area,
        f"perimeter_{unit}": perimeter * (np.sqrt(py * px) if max(py, px) <= _SQUARE * min(py, px) else np.nan),
        f"equivalent_diameter_{unit}": np.sqrt(4 * area / np.pi),
        f"major_axis_{unit}": 4 * np.sqrt(large),
        f"minor_axis_{unit}": 4 * np.sqrt(small),
        f"feret_max_{unit}": _feret(reach.astype(float), py, px),
        "eccentricity": eccentricity,
        "solidity": np.minimum(area / hull, 1.0),
        "orientation_deg": np.degrees(0.5 * np.arctan2(2 * cov, var_y - var_x)),
    }


def _hull_area(reach: np.ndarray) -> np.ndarray:
    """``(n,)`` area of the polygon whose sides touch the object from every direction."""
    step = 2 * np.pi / DIRECTIONS
    sides = (np.roll(reach, 1, axis=1) + np.roll(reach, -1, axis=1) - 2 * reach * np.cos(step)) / np.sin(step)
    return np.asarray((reach * sides).sum(axis=1) / 2)


def _feret(reach: np.ndarray, py: float, px: float) -> np.ndarray:
    """``(n,)`` largest caliper width; in anisotropic pixels each direction is stretched as the pixels are."""
    width = reach[:, : DIRECTIONS // 2] + reach[:, DIRECTIONS // 2 :]
    angles = ANGLES[: DIRECTIONS // 2]
    stretch = 1 / np.hypot(np.sin(angles) / py, np.cos(angles) / px)
    return np.asarray((width * stretch).max(axis=1)) if len(width) else np.zeros(0)


def nearest(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """``(n,)`` distance to the nearest other centroid; NaN for a single object."""
    if len(y) < 2:
        return np.full(len(y), np.nan)
    points = np.stack((y, x), axis=1)
    return np.asarray(cKDTree(points).query(points, k=2)[0][:, 1])
