"""Millions of points, ready to be zoomed: sorted into cells once, so that a zoom touches only what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from .frame import Frame

CELLS = 2048


@dataclass(frozen=True)
class PointIndex:
    """Points of a plane in a grid of at most 2048 x 2048 cells.

    Attributes
    ----------
    y, x : ``(n,)`` float32 pixel-edge coordinates of level 0, sorted by cell row, then cell column.
    edge : of a cell in px.
    first : ``(rows, cols + 1)`` where each cell's points begin; the last column closes a row.
    order : ``(n,)`` which of the given points each is.
    """

    y: np.ndarray
    x: np.ndarray
    edge: float
    first: np.ndarray
    order: np.ndarray

    @classmethod
    def build(cls, y: np.ndarray, x: np.ndarray, plane_shape: tuple[int, int]) -> PointIndex:
        """Sorts points given by the coordinates of pixel centres; those outside the plane are left out."""
        y, x = np.asarray(y, np.float32) + np.float32(0.5), np.asarray(x, np.float32) + np.float32(0.5)
        inside = (y >= 0) & (y < plane_shape[0]) & (x >= 0) & (x < plane_shape[1])
        given = np.flatnonzero(inside).astype(np.uint32)
        if not inside.all():
            y, x = y[inside], x[inside]
        edge = max(max(plane_shape) / CELLS, 1.0)
        rows, cols = (int(np.ceil(n / edge)) for n in plane_shape)
        row = np.minimum((y / np.float32(edge)).astype(np.uint16), rows - 1)
        col = np.minimum((x / np.float32(edge)).astype(np.uint16), cols - 1)
        order = np.argsort(col, kind="stable")  # 16-bit keys are sorted in linear time; the last key goes last
        order = order[np.argsort(row[order], kind="stable")]
        counts = np.bincount(row.astype(np.int64) * cols + col, minlength=rows * cols)
        ends = np.concatenate([[0], np.cumsum(counts)])
        first = np.lib.stride_tricks.sliding_window_view(ends, cols + 1)[::cols]
        return cls(y[order], x[order], edge, first, given[order])

    def __len__(self) -> int:
        return self.y.size

    @cached_property
    def counts(self) -> np.ndarray:
        """Points a cell, ``(rows, cols)`` float32."""
        return np.diff(self.first, axis=1).astype(np.float32)

    def within(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """``(y, x)`` of the points in the cells that meet the frame; a few lie just outside it."""
        at = self.positions(frame)
        return self.y[at], self.x[at]

    def positions(self, frame: Frame) -> slice | np.ndarray:
        """Where in the sorted points those lie that :meth:`within` gives."""
        rows, cols = self._cells(frame)
        spans = [slice(self.first[r, cols.start], self.first[r, cols.stop]) for r in range(rows.start, rows.stop)]
        if cols == slice(0, self.counts.shape[1]) and spans:
            spans = [slice(spans[0].start, spans[-1].stop)]
        pick = [s for s in spans if s.stop > s.start]
        if len(pick) < 2:
            return pick[0] if pick else slice(0, 0)
        return np.concatenate([np.arange(s.start, s.stop) for s in pick])

    def count_within(self, frame: Frame) -> int:
        """How many points :meth:`within` would give; cheap."""
        rows, cols = self._cells(frame)
        return int((self.first[rows, cols.stop] - self.first[rows, cols.start]).sum())

    def is_coarse(self, frame: Frame) -> bool:
        """Whether a display pixel covers a cell or more, so that the cells' counts say all there is to see."""
        return min(frame.scale) >= self.edge

    def density(self, frame: Frame) -> np.ndarray:
        """Points a display pixel, ``frame.shape`` float32, from the cells' counts by area."""
        box = tuple(v / self.edge for v in (frame.x0, frame.y0, frame.x1, frame.y1))
        (h, w), (rows, cols) = frame.shape, self.counts.shape
        inner = (max(box[0], 0), max(box[1], 0), min(box[2], cols), min(box[3], rows))
        mean = Image.fromarray(self.counts).resize((w, h), Image.Resampling.BOX, box=inner)
        return np.asarray(mean) * np.float32((inner[2] - inner[0]) * (inner[3] - inner[1]) / (h * w))

    def _cells(self, frame: Frame) -> tuple[slice, slice]:
        (low_y, high_y), (low_x, high_x) = (
            (min(max(int(low // self.edge), 0), n), max(min(int(np.ceil(high / self.edge)), n), 0))
            for low, high, n in zip((frame.y0, frame.x0), (frame.y1, frame.x1), self.counts.shape, strict=True)
        )
        return slice(low_y, max(high_y, low_y)), slice(low_x, max(high_x, low_x))
