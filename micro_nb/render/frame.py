"""``Frame``: which part of a plane is shown, and on how many pixels. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.region import Region
from ..data.source import ImageInfo

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Frame:
    """A box of level-0 pixels drawn on ``shape`` display pixels.

    Attributes
    ----------
    y0, x0, y1, x1 : edges in px of level 0.
    shape : ``(y, x)`` display pixels.

    Examples
    --------
    >>> frame = Frame.fit((0, 0, 2000, 1000), width=800, height=800)
    >>> frame.shape, frame.scale
    ((800, 400), (2.5, 2.5))
    """

    y0: float
    x0: float
    y1: float
    x1: float
    shape: tuple[int, int]

    @classmethod
    def fit(cls, box: Box, *, width: int, height: int, max_zoom: float = 8.0) -> Frame:
        """The largest frame of ``box`` inside ``width`` x ``height`` with square pixels, enlarged ``max_zoom`` times at most."""
        y0, x0, y1, x1 = box
        zoom = min(width / (x1 - x0), height / (y1 - y0), max_zoom)
        shape = max(1, round((y1 - y0) * zoom)), max(1, round((x1 - x0) * zoom))
        return cls(y0, x0, y1, x1, shape)

    @classmethod
    def of_region(cls, region: Region, *, width: int, height: int, max_zoom: float = 8.0) -> Frame:
        """:meth:`fit` for a region in px."""
        return cls.fit(region.box, width=width, height=height, max_zoom=max_zoom)

    @property
    def scale(self) -> tuple[float, float]:
        """Level-0 pixels a display pixel, ``(y, x)``."""
        return (self.y1 - self.y0) / self.shape[0], (self.x1 - self.x0) / self.shape[1]

    @property
    def box(self) -> Box:
        """``(y0, x0, y1, x1)``."""
        return self.y0, self.x0, self.y1, self.x1

    def finer(self, times: int) -> Frame:
        """The same box on ``times`` as many display pixels each way."""
        return Frame(*self.box, (self.shape[0] * times, self.shape[1] * times))

    def to_display(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Level-0 pixel-centre coordinates (the first pixel's centre is 0) as continuous display positions."""
        sy, sx = self.scale
        return (np.asarray(y) + 0.5 - self.y0) / sy, (np.asarray(x) + 0.5 - self.x0) / sx


@dataclass(frozen=True)
class LevelBox:
    """The pixels of one level that a frame needs: integer slices that cover it, and the exact box inside them.

    Attributes
    ----------
    level : pyramid level.
    rows, cols : slices at that level.
    inner : ``(left, upper, right, lower)`` of the frame inside the slices, in pixels of the level.
    """

    level: int
    rows: slice
    cols: slice
    inner: tuple[float, float, float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` pixels to read."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    @classmethod
    def find(cls, info: ImageInfo, frame: Frame, level: int) -> LevelBox:
        """What ``frame`` needs of ``level``."""
        at = info.levels[level]
        (rows, top, bottom), (cols, left, right) = (
            _span(low, high, at.shape[k], at.scale[k], at.translation[k])
            for low, high, k in ((frame.y0, frame.y1, -2), (frame.x0, frame.x1, -1))
        )
        return cls(level, rows, cols, (left, top, right, bottom))


def level_for(info: ImageInfo, frame: Frame) -> int:
    """The coarsest level that still has a pixel for every display pixel; level 0 where none has."""
    scale = min(frame.scale)
    fitting = [k for k, level in enumerate(info.levels) if max(level.scale[-2:]) <= scale * 1.001]
    return max(fitting, default=0)


def _span(low: float, high: float, size: int, scale: float, move: float) -> tuple[slice, float, float]:
    a, b = (low - move) / scale, (high - move) / scale
    start = min(max(int(np.floor(a + 1e-6)), 0), size - 1)
    stop = min(max(int(np.ceil(b - 1e-6)), start + 1), size)
    left = min(max(a - start, 0.0), stop - start - 1e-3)
    return slice(start, stop), left, min(max(b - start, left + 1e-3), float(stop - start))
