"""Corrections of objects by hand: delete, merge, split, add, rename, and undo. The image's objects are never changed in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage as ndi
from skimage.draw import line as drawn_line
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from ...analysis.measure import measure
from ...data.image import MicroImage
from ...data.region import Region
from ...tiles.objects import Objects
from ...tiles.polygons import layer_names

MOST_PIXELS = 1 << 28
_LONGEST_NAME = 80
Slices = tuple[slice, slice]


class Corrections:
    """Objects that are being corrected: a table and label planes of their own, and the steps back.

    Parameters
    ----------
    img : the plane they lie on; grey values of changed objects are measured on it.
    objects : with labels.

    Raises
    ------
    ValueError : the objects have no labels, or the plane is too large to be corrected at once.
    """

    def __init__(self, img: MicroImage, objects: Objects) -> None:
        if objects.labels is None:
            raise ValueError("these objects have no outlines, so they cannot be corrected; give Objects with labels")
        if objects.labels.size > MOST_PIXELS:
            raise ValueError(
                f"labels of {objects.labels.shape} are too many to be corrected at once; "
                "take a part of the image: img.sel(region=...)"
            )
        self.image, self._given = img, objects
        self._names = layer_names(objects.labels)
        values = np.array(objects.labels.values, np.int32)
        self._planes = values[None] if values.ndim == 2 else values
        self.table = objects.table.reset_index(drop=True)
        self._before: list[tuple[pd.DataFrame, list[tuple[int, Slices, np.ndarray]]]] = []
        self._measured: Objects | None = None
        self._count: dict[str, int] = {}

    @classmethod
    def of(cls, img: MicroImage, objects: Objects | None) -> Corrections:
        """Corrections of objects; of none, a plane to add some to."""
        if objects is None:
            nothing = np.zeros((1, *img.plane_shape), np.int32)
            empty = xr.DataArray(nothing, dims=("layer", "y", "x"), coords={"layer": ["object"]})
            return cls(img, Objects.from_labels(img, empty))
        return cls(img, objects)

    @property
    def steps(self) -> int:
        """How many corrections can be taken back."""
        return len(self._before)

    @property
    def current(self) -> Objects:
        """The objects now; of changed ones what depends on their neighbours is not measured yet."""
        return replace(self._given, table=self.table, labels=self._labels(), made_by=self._made_by())

    @property
    def objects(self) -> Objects:
        """The objects now, measured anew, with the names and scores they have."""
        if self._measured is None:
            fresh = measure(self.image, self._labels())
            keys = ["layer", "label"]
            kept = self.table[[*keys, "name", "score"]]
            table = fresh.drop(columns=["name", "score"]).merge(kept, on=keys, how="inner")
            other = [c for c in self.table.columns if c not in table.columns]
            table = table.merge(self.table[[*keys, *other]], on=keys, how="left")
            order = [c for c in self.table.columns if c in table.columns]
            table = table[[*order, *(c for c in table.columns if c not in order)]]
            self._measured = replace(self._given, table=table, labels=self._labels(), made_by=self._made_by())
        return self._measured

    def delete(self, rows: Sequence[int]) -> list[int]:
        """Takes objects away."""
        self._need(rows, 1)
        undo = [self._write(row, 0) for row in rows]
        self._step(undo, self.table.drop(index=list(rows)), "deleted", len(rows))
        return []

    def merge(self, rows: Sequence[int]) -> list[int]:
        """Makes the first of several objects of one layer out of all of them."""
        self._need(rows, 2)
        layers = set(self.table.loc[list(rows), "layer"])
        if len(layers) > 1:
            raise ValueError(f"objects of the layers {', '.join(map(str, sorted(layers)))} cannot be merged; choose those of one")
        first, others = rows[0], list(rows[1:])
        label = int(_at(self.table, first, "label"))
        undo = [self._write(row, label) for row in others]
        box = self._union(rows)
        table = self.table.copy()
        self._remeasure(table, first, box)
        self._step(undo, table.drop(index=others), "merged", len(rows))
        return [int(np.flatnonzero(self.table["label"].eq(label) & self.table["layer"].isin(layers))[0])]

    def split(self, rows: Sequence[int], line: Sequence[tuple[float, float]] | None = None) -> list[int]:
        """Cuts one object in two or more: along a line of vertices ``(y, x)``, or at its waist."""
        self._need(rows, 1)
        if len(rows) != 1:
            raise ValueError(f"{len(rows)} objects are selected; one can be split at a time")
        row = rows[0]
        k, box = self._place(row)
        label = int(_at(self.table, row, "label"))
        mask = self._planes[k][box] == label
        parts = _cut(mask, np.array(line, float) - (box[0].start, box[1].start)) if line is not None else _waist(mask)
        before = self._planes[k][box].copy()
        table = self.table.copy()
        labels = [label]
        for part in range(2, int(parts.max()) + 1):
            labels.append(self._free(k, labels))
            self._planes[k][box][parts == part] = labels[-1]
            table.loc[len(table)] = table.loc[row]
            table.loc[table.index[-1], "label"] = labels[-1]
        for at in (row, *range(len(self.table), len(table))):
            self._remeasure(table, at, box)
        self._step([(k, box, before)], table, "split", 1)
        return [row, *range(len(self.table) - len(labels) + 1, len(self.table))]

    def add(self, region: Region, name: str = "object") -> list[int]:
        """A new object: the pixels of a place that belong to no other of its layer.

        Raises
        ------
        ValueError : nothing is left of the place.
        """
        place = region.clip(self.image.plane_shape)
        rows, cols = place.at()
        mask = replace(place, polygon=region.polygon).mask()
        k = 0
        inside = self._planes[k][rows, cols]
        mask &= inside == 0
        if not mask.any():
            raise ValueError("other objects lie all over this place, so there is nothing to add")
        before, label = inside.copy(), self._free(k, [])
        inside[mask] = label
        table = self.table.copy()
        table = pd.DataFrame([{**self._measured_again(k, label, (rows, cols)), "label": label, "layer": self._names[k],
                               "name": _name(name), "score": 1.0}])  # fmt: skip
        if len(self.table):
            table = pd.concat([self.table, table[[c for c in self.table.columns if c in table.columns]]], ignore_index=True)
        self._step([(k, (rows, cols), before)], table, "added", 1)
        return [len(self.table) - 1]

    def rename(self, rows: Sequence[int], name: str) -> list[int]:
        """Gives objects another name."""
        self._need(rows, 1)
        if not name.strip():
            raise ValueError("an object needs a name; type one")
        table = self.table.copy()
        table.loc[list(rows), "name"] = _name(name)
        self._step([], table, "renamed", len(rows))
        return list(rows)

    def undo(self) -> list[int]:
        """Takes the last correction back."""
        if not self._before:
            raise ValueError("nothing was corrected, so there is nothing to take back")
        self.table, patches = self._before.pop()
        for k, box, values in reversed(patches):
            self._planes[k][box] = values
        self._measured = None
        return []

    def _need(self, rows: Sequence[int], least: int) -> None:
        if len(rows) < least:
            raise ValueError(f"{len(rows)} objects are selected; select {'one' if least == 1 else 'two or more'} first")
        if max(rows) >= len(self.table):
            raise ValueError(f"row {max(rows)} is none of the {len(self.table)} objects")

    def _step(self, patches: list[tuple[int, Slices, np.ndarray]], table: pd.DataFrame, what: str, n: int) -> None:
        self._before.append((self.table, patches))
        self.table = table.reset_index(drop=True)
        self._measured = None
        self._count[what] = self._count.get(what, 0) + n

    def _layer_of(self, table: pd.DataFrame, row: int) -> int:
        name = str(_at(table, row, "layer"))
        return self._names.index(name) if name in self._names else 0

    def _place(self, row: int) -> tuple[int, Slices]:
        """The layer of an object and the box around it."""
        k, label = self._layer_of(self.table, row), int(_at(self.table, row, "label"))
        names = [f"bbox_{e}_px" for e in ("y0", "x0", "y1", "x1")]
        if set(names) <= set(self.table.columns):
            y0, x0, y1, x1 = (int(_at(self.table, row, n)) for n in names)
            return k, (slice(y0, y1), slice(x0, x1))
        ys, xs = np.nonzero(self._planes[k] == label)
        if not len(ys):
            raise ValueError(f"object {label} has no pixels")
        return k, (slice(int(ys.min()), int(ys.max()) + 1), slice(int(xs.min()), int(xs.max()) + 1))

    def _union(self, rows: Sequence[int]) -> Slices:
        boxes = [self._place(row)[1] for row in rows]
        return (
            slice(min(b[0].start for b in boxes), max(b[0].stop for b in boxes)),
            slice(min(b[1].start for b in boxes), max(b[1].stop for b in boxes)),
        )

    def _write(self, row: int, label: int) -> tuple[int, Slices, np.ndarray]:
        """Gives an object's pixels another label, and says how it was."""
        k, box = self._place(row)
        before = self._planes[k][box].copy()
        self._planes[k][box][before == int(_at(self.table, row, "label"))] = label
        return k, box, before

    def _free(self, k: int, taken: Sequence[int]) -> int:
        mine = self.table["label"]
        if len(self._names) > 1:
            mine = mine[self.table["layer"].astype(str) == self._names[k]]
        return max([int(mine.max()) if len(mine) else 0, *taken]) + 1

    def _remeasure(self, table: pd.DataFrame, row: int, box: Slices) -> None:
        """Measures one object again, in place."""
        for column, value in self._measured_again(self._layer_of(table, row), int(_at(table, row, "label")), box).items():
            if column in table.columns:
                table.loc[row, column] = value

    def _measured_again(self, k: int, label: int, box: Slices) -> dict[str, Any]:
        """What is measured of one object, by column; of its neighbours nothing."""
        mask = (self._planes[k][box] == label).astype(np.int32)
        fresh = measure(self.image.isel(y=box[0], x=box[1]), mask).iloc[0]
        size, moved = self.image.pixel_size or {"y": 1.0, "x": 1.0}, {"y": box[0].start, "x": box[1].start}
        found: dict[str, Any] = {}
        for column, value in fresh.drop(["label", "layer", "name", "score"]).items():
            column = str(column)
            if column.startswith(("centroid_", "bbox_")):
                axis = "y" if "_y" in column else "x"
                value = value + moved[axis] * (size[axis] if column.endswith("_um") else 1)
            found[column] = np.nan if column.startswith("nearest_neighbour") else value
        h, w = self.image.plane_shape
        y0, x0, y1, x1 = (found[f"bbox_{e}_px"] for e in ("y0", "x0", "y1", "x1"))
        found["touches_border"] = bool(min(y0, x0) <= 0 or y1 >= h or x1 >= w)
        return found

    def _labels(self) -> xr.DataArray:
        given = self._given.labels
        assert given is not None
        values = self._planes[0] if given.ndim == 2 else self._planes
        return xr.DataArray(values.copy(), dims=given.dims, coords=given.coords, name="labels", attrs=dict(given.attrs))

    def _made_by(self) -> dict[str, Any]:
        return {**self._given.made_by, "corrected_by_hand": dict(self._count)}


def _cut(mask: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Parts 1, 2, ... of an object on the sides of a line of vertices ``(y, x)``."""
    wall = np.zeros(mask.shape, bool)
    for (ya, xa), (yb, xb) in pairwise(line):
        rows, cols = drawn_line(int(np.floor(ya)), int(np.floor(xa)), int(np.floor(yb)), int(np.floor(xb)))  # type: ignore[no-untyped-call]
        steep = abs(yb - ya) >= abs(xb - xa)
        for back in (0, 1):  # the pixels on either side of it
            y, x = rows - back * (not steep), cols - back * steep
            inside = (y >= 0) & (y < mask.shape[0]) & (x >= 0) & (x < mask.shape[1])
            wall[y[inside], x[inside]] = True
    parts, n = ndi.label(mask & ~wall)
    if n < 2:
        raise ValueError("the line does not cross the object from side to side; draw it through")
    nearest = ndi.distance_transform_edt(parts == 0, return_distances=False, return_indices=True)
    return np.where(mask, parts[tuple(nearest)], 0)


def _waist(mask: np.ndarray) -> np.ndarray:
    """Two parts of an object, cut where it is narrowest between its two widest places; without a waist across its middle."""
    depth = ndi.gaussian_filter(ndi.distance_transform_edt(np.pad(mask, 1)), 1.0)[1:-1, 1:-1]
    peaks = peak_local_max(depth, num_peaks=2, min_distance=3, exclude_border=False, labels=mask.astype(int))  # type: ignore[no-untyped-call]
    seeds = np.zeros(mask.shape, np.int32)
    if len(peaks) == 2:
        seeds[tuple(peaks.T)] = (1, 2)
        return np.asarray(watershed(-depth, seeds, mask=mask))  # type: ignore[no-untyped-call]
    places = np.argwhere(mask)
    if len(places) < 2:
        raise ValueError("an object of one pixel cannot be split")
    middle = places - places.mean(0)
    along = middle @ np.linalg.svd(middle, full_matrices=False)[2][0]
    seeds[tuple(places.T)] = np.where(along > np.median(along), 2, 1)
    return seeds


def _at(table: pd.DataFrame, row: int, column: str) -> Any:
    """One value of a table."""
    return table.at[row, column]


def _name(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_NAME] or "object"
