"""Objects as polygons and back, without loss: outlines run between pixel centres, so filling them gives the same pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage as ndi
from skimage.draw import polygon2mask
from skimage.measure import find_contours, points_in_poly

Ring = np.ndarray
"""``(n, 2) float``: y, x in pixels of level 0, pixel centres at whole numbers; the last point repeats the first."""

BOX = ("bbox_y0_px", "bbox_x0_px", "bbox_y1_px", "bbox_x1_px")


@dataclass(frozen=True)
class Cutout:
    """One object: ``mask`` lies at ``origin`` (y, x) in the plane."""

    mask: np.ndarray
    origin: tuple[int, int]


def cutouts(table: pd.DataFrame, labels: Any) -> Iterator[Cutout | None]:
    """The pixels of each row's object in the order of ``table``; None where the label image holds none.

    ``labels`` is ``(layer, y, x)`` or ``(y, x)``; only boxes are read where the table has them.
    """
    if labels is None:
        yield from (None for _ in range(len(table)))
        return
    layers = layer_names(labels)
    boxed = set(BOX) <= set(table.columns)
    found: dict[str, dict[int, tuple[slice, ...]]] = {}
    for row in table.to_dict("records"):
        layer, label = str(row["layer"]), int(row["label"])
        plane = labels if labels.ndim == 2 else labels[layers.index(layer) if layer in layers else 0]
        if boxed:
            place = tuple(slice(int(row[a]), int(row[b])) for a, b in ((BOX[0], BOX[2]), (BOX[1], BOX[3])))
        else:
            if layer not in found:
                found[layer] = boxes(np.asarray(plane))
            if label not in found[layer]:
                yield None
                continue
            place = found[layer][label]
        mask = np.asarray(plane[place]) == label
        yield Cutout(mask, (place[0].start, place[1].start)) if mask.any() else None


def boxes(plane: np.ndarray) -> dict[int, tuple[slice, ...]]:
    """Bounding boxes of labels ``(y, x)`` by label; in memory that goes with the objects, not with the largest label."""
    ids, numbers = numbered(plane)
    return dict(zip(ids.tolist(), ndi.find_objects(numbers), strict=True))


def numbered(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels above 0, ascending, and ``plane`` with the place of each among them, counted from 1; 0 is background."""
    ids, numbers = np.unique(plane, return_inverse=True)
    first = int(np.searchsorted(ids, 0, side="right"))
    return ids[first:], np.maximum(numbers.reshape(plane.shape) + 1 - first, 0)


def label_dtype(table: pd.DataFrame) -> np.dtype[Any]:
    """What holds the labels of a table: 32 bits where they suffice."""
    most = int(table["label"].max()) if len(table) else 0
    return next(np.dtype(t) for t in ("i4", "i8", "u8") if most <= np.iinfo(t).max)


def layer_names(labels: Any) -> list[str]:
    """Names of the layers of ``(layer, y, x)`` labels; a single ``"object"`` for a plane without a name."""
    if "layer" in getattr(labels, "coords", {}):
        return [str(v) for v in np.atleast_1d(labels.coords["layer"].values)]
    return ["object"] if labels.ndim == 2 else [f"object {k}" for k in range(labels.shape[0])]


def rings(cutout: Cutout) -> list[list[Ring]]:
    """Polygons of an object: for each part its outer ring, then its holes."""
    contours = find_contours(np.pad(cutout.mask, 1).astype(float), 0.5)  # type: ignore[no-untyped-call]
    outer = [c for c in contours if _area(c) > 0]
    parts: list[list[Ring]] = [[c] for c in outer]
    for hole in (c for c in contours if _area(c) < 0):
        inside = [k for k, ring in enumerate(outer) if points_in_poly(hole[:1], ring)[0]]  # type: ignore[no-untyped-call]
        parts[min(inside, key=lambda k: _area(outer[k]))].append(hole)
    return [[ring - 1 + np.array(cutout.origin) for ring in part] for part in parts]


def fill(parts: list[list[Ring]]) -> Cutout:
    """The pixels whose centres lie inside the polygons."""
    points = np.concatenate([ring for part in parts for ring in part])
    y0, x0 = np.floor(points.min(0)).astype(int)
    y1, x1 = np.ceil(points.max(0)).astype(int) + 1
    mask = np.zeros((y1 - y0, x1 - x0), bool)
    for part in parts:
        inside = np.zeros_like(mask)
        for ring in part:
            inside ^= polygon2mask(mask.shape, ring - (y0, x0))  # type: ignore[no-untyped-call]
        mask |= inside
    return Cutout(mask, (int(y0), int(x0)))


def box_ring(row: Any) -> Ring:
    """The outline of a box ``bbox_*_px``."""
    y0, x0, y1, x1 = (float(row[k]) - 0.5 for k in BOX)
    return np.array([(y0, x0), (y0, x1), (y1, x1), (y1, x0), (y0, x0)])


def paint(plane: np.ndarray, cutout: Cutout, label: int) -> None:
    """Writes ``label`` into ``plane`` where the object lies; what falls outside the plane is left out."""
    (y0, x0), (h, w) = cutout.origin, cutout.mask.shape
    top, left = max(0, -y0), max(0, -x0)
    target = plane[y0 + top : y0 + h, x0 + left : x0 + w]
    source = cutout.mask[top : top + target.shape[0], left : left + target.shape[1]]
    target[source] = label


def _area(ring: Ring) -> float:
    y, x = ring[:, 0], ring[:, 1]
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)
