"""What was found, drawn over the picture: outlines of labelled objects and marks of points, visible on dark and on bright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..data.image import MicroImage
from ..errors import AxesError
from .composite import parse_color
from .frame import Frame, LevelBox, level_for
from .png import Color

_COLORS = ("#ffe14d", "#4dd8ff", "#ff7ac8", "#8dff6a", "#ff9a4d", "#b79bff", "#ffffff", "#ff5a5a")
LAYER_COLORS: tuple[Color, ...] = tuple(parse_color(c) for c in _COLORS)
_DARK: Color = (12, 14, 18)
_MOST_MARKS = 4000
_READ = 1 << 26
_FINER = 2
_CROWDED = 0.55


@dataclass(frozen=True)
class LabelLayer:
    """A label image on the grid of the image it belongs to, and how it is drawn.

    Attributes
    ----------
    only : numbers of the objects that are drawn; None for all.
    """

    image: MicroImage
    color: Color = LAYER_COLORS[0]
    name: str = "objects"
    only: tuple[int, ...] | None = None

    def check(self, plane_shape: tuple[int, int]) -> LabelLayer:
        """This layer, or an AxesError where it was not made on a plane of this shape."""
        if self.image.plane_shape != plane_shape or set(self.image.axes) != {"y", "x"}:
            raise AxesError(
                f"labels {self.name!r} are {self.image.sizes}, but the image's plane is y {plane_shape[0]} x {plane_shape[1]}; "
                "give labels made on this very image or region"
            )
        if self.image.dtype.kind not in "bui":
            raise AxesError(f"labels {self.name!r} hold {self.image.dtype}; labels are whole numbers, 0 = background")
        return self

    def read(self, frame: Frame) -> np.ndarray:
        """Labels ``(y, x)`` at the frame's display pixels, nearest neighbour; read in bands, so memory stays bounded."""
        info = self.image.info
        box = LevelBox.find(info, frame, level_for(info, frame))
        left, top, right, bottom = box.inner
        rows = _nearest(top, bottom, frame.shape[0], box.shape[0])
        cols = _nearest(left, right, frame.shape[1], box.shape[1])
        out = np.empty(frame.shape, self.image.dtype)
        band = max(1, _READ // (8 * box.shape[1]))
        for start in range(0, box.shape[0], band):
            a, b = np.searchsorted(rows, (start, start + band))
            if a == b:
                continue
            low, high = int(rows[a]), int(rows[b - 1]) + 1
            pixels = self.image.source.read(box.level, (slice(box.rows.start + low, box.rows.start + high), box.cols))
            out[a:b] = pixels[np.ix_(rows[a:b] - low, cols)]
        if self.only is not None:
            out[~np.isin(out, np.array(self.only, out.dtype))] = 0
        return out


def paint_labels(picture: np.ndarray, layer: LabelLayer, frame: Frame) -> None:
    """Draws a layer onto ``(y, x, 3)`` uint8 in place: a thin bright line in a dark halo; a tint where objects are specks."""
    labels = layer.read(frame.finer(_FINER))
    inside = labels != 0
    if not inside.any():
        return
    edge = outline(labels)
    if edge.sum() > _CROWDED * inside.sum():
        _blend(picture, layer.color, 0.6 * _coverage(inside))
        return
    line = _coverage(edge)
    _blend(picture, _DARK, 0.6 * _coverage(_grow(edge)) * (1 - line))
    _blend(picture, layer.color, line * 1.8)


def outline(labels: np.ndarray) -> np.ndarray:
    """Pixels of objects that touch another label or the background, 4-connected.

    >>> outline(np.pad(np.ones((3, 3), int), 1)).sum()
    np.int64(8)
    """
    edge = np.zeros(labels.shape, bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    inner: np.ndarray = edge & (labels != 0)
    return inner


def paint_points(picture: np.ndarray, y: np.ndarray, x: np.ndarray, frame: Frame, *, color: Color = LAYER_COLORS[0]) -> None:
    """Marks points (level-0 pixel-centre coordinates) in place: dots, or a density tint where there are thousands."""
    rows, cols = frame.to_display(y, x)
    seen = (rows >= 0) & (rows < frame.shape[0]) & (cols >= 0) & (cols < frame.shape[1])
    rows, cols = rows[seen].astype(np.intp), cols[seen].astype(np.intp)
    if rows.size > _MOST_MARKS:
        counts = np.bincount(rows * frame.shape[1] + cols, minlength=frame.shape[0] * frame.shape[1]).reshape(frame.shape)
        paint_density(picture, counts, color=color)
        return
    for radius, tint, alpha in ((3.6, _DARK, 0.7), (2.4, color, 1.0)):
        _blend(picture, tint, alpha * _stamped(rows, cols, frame.shape, radius))


def paint_density(picture: np.ndarray, counts: np.ndarray, *, color: Color = LAYER_COLORS[0]) -> None:
    """Tints ``(y, x, 3)`` uint8 in place by ``(y, x)`` counts a display pixel, on a logarithmic scale."""
    most = counts.max()
    if most:
        shade = np.log1p(counts.astype(np.float32)) / np.log1p(most)
        _blend(picture, color, np.where(counts > 0, 0.25 + 0.7 * shade, 0))


def _stamped(rows: np.ndarray, cols: np.ndarray, shape: tuple[int, int], radius: float) -> np.ndarray:
    """Soft discs at the given display pixels, 0..1."""
    r = int(np.ceil(radius))
    dy, dx = np.mgrid[-r : r + 1, -r : r + 1]
    disc = np.clip(radius + 0.5 - np.hypot(dy, dx), 0, 1).astype(np.float32)
    padded = np.zeros((shape[0] + 2 * r, shape[1] + 2 * r), np.float32)
    for j, i, strength in zip(dy.ravel() + r, dx.ravel() + r, disc.ravel(), strict=True):
        if strength:
            np.maximum.at(padded, (rows + j, cols + i), strength)
    return padded[r : shape[0] + r, r : shape[1] + r]


def _blend(picture: np.ndarray, color: Color, alpha: np.ndarray) -> None:
    mask = Image.fromarray((np.clip(alpha, 0, 1) * 255 + 0.5).astype(np.uint8))
    image = Image.fromarray(picture)
    image.paste(color, mask=mask)
    np.copyto(picture, np.asarray(image))


def _coverage(mask: np.ndarray) -> np.ndarray:
    """Share of each display pixel that a ``_FINER`` times finer mask covers."""
    small = Image.fromarray(mask.view(np.uint8) * np.uint8(255)).reduce(_FINER)
    return np.asarray(small, np.float32) / 255


def _grow(mask: np.ndarray) -> np.ndarray:
    grown = mask.copy()
    for k in (1, 2):
        grown[k:] |= mask[:-k]
        grown[:-k] |= mask[k:]
        grown[:, k:] |= mask[:, :-k]
        grown[:, :-k] |= mask[:, k:]
    return grown


def _nearest(low: float, high: float, n: int, size: int) -> np.ndarray:
    return np.clip(np.floor(low + (np.arange(n) + 0.5) * (high - low) / n).astype(np.intp), 0, size - 1)
