"""A place in an image: a box or a polygon, in pixels of level 0 or in µm, convertible to any level."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ..errors import RegionError, UnitsError
from .axes import NAMES

Unit = Literal["px", "um"]
Vertex = tuple[float, float]

PARTS: dict[str, tuple[float, float, float, float]] = NAMES["parts"]
"""Named parts of an image: y0, x0, y1, x1 as shares of its height and width."""


@dataclass(frozen=True)
class Region:
    """A box ``[y0, y1) x [x0, x1)``, optionally narrowed to a polygon, with an optional name.

    Attributes
    ----------
    y0, x0, y1, x1 : edges, y down and x right, origin at the top-left corner of level 0; the end is exclusive.
    unit : ``"px"`` (pixels of level 0) or ``"um"``.
    polygon : vertices ``(y, x)`` in the same unit, inside the box; None for a box.
    name : how a person would call it, e.g. ``"left half"``.

    Examples
    --------
    >>> Region(0, 0, 100, 50).at(scale=(2.0, 2.0))
    (slice(0, 50, None), slice(0, 25, None))
    >>> Region.part("left half", (100, 200)).x1
    100.0
    >>> Region.around((50, 50), 20).box
    (40.0, 40.0, 60.0, 60.0)
    """

    y0: float
    x0: float
    y1: float
    x1: float
    unit: Unit = "px"
    polygon: tuple[Vertex, ...] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        edges = (self.y0, self.x0, self.y1, self.x1)
        if not all(math.isfinite(e) for e in edges) or self.y1 <= self.y0 or self.x1 <= self.x0:
            raise RegionError(f"region y {self.y0}..{self.y1}, x {self.x0}..{self.x1} is empty; ends must exceed starts")
        if self.unit not in ("px", "um"):
            raise RegionError(f"region unit {self.unit!r} must be 'px' or 'um'")

    @classmethod
    def from_polygon(cls, vertices: Sequence[Vertex], *, unit: Unit = "px", name: str | None = None) -> Region:
        """A polygon ``[(y, x), ...]`` of at least three vertices; it closes by itself."""
        points = tuple((float(y), float(x)) for y, x in vertices)
        if len(points) < 3:
            raise RegionError(f"a polygon needs at least 3 vertices, got {len(points)}")
        ys, xs = zip(*points, strict=True)
        return cls(min(ys), min(xs), max(ys), max(xs), unit=unit, polygon=points, name=name)

    @classmethod
    def part(cls, name: str, shape: tuple[int, int]) -> Region:
        """A named part of a ``(y, x)`` image: halves, thirds, quadrants, ``"center"``, ``"whole image"``.

        Halves meet at the middle edge exactly, so that two halves add up to the whole.
        """
        try:
            y0, x0, y1, x1 = PARTS[name]
        except KeyError:
            raise RegionError(f"part {name!r} is not one of {', '.join(PARTS)}") from None
        h, w = shape
        return cls(y0 * h, x0 * w, y1 * h, x1 * w, name=name)

    @classmethod
    def around(cls, center: Vertex, size: float, *, unit: Unit = "px", name: str | None = None) -> Region:
        """A square of edge ``size`` around ``(y, x)``."""
        (y, x), r = center, size / 2
        return cls(y - r, x - r, y + r, x + r, unit=unit, name=name)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """``(y0, x0, y1, x1)``."""
        return self.y0, self.x0, self.y1, self.x1

    @property
    def center(self) -> Vertex:
        """``(y, x)`` of the box."""
        return (self.y0 + self.y1) / 2, (self.x0 + self.x1) / 2

    def to(self, unit: Unit, pixel_size: Mapping[str, float] | None) -> Region:
        """The same place in another unit; UnitsError where the pixel size is needed and unknown."""
        if unit == self.unit:
            return self
        if pixel_size is None:
            raise UnitsError("this image has no pixel size, so px and µm cannot be converted; pass pixel_size= to open_image")
        fy, fx = pixel_size["y"], pixel_size["x"]
        if unit == "px":
            fy, fx = 1 / fy, 1 / fx
        polygon = tuple((y * fy, x * fx) for y, x in self.polygon) if self.polygon else None
        return Region(self.y0 * fy, self.x0 * fx, self.y1 * fy, self.x1 * fx, unit, polygon, self.name)

    def clip(self, shape: tuple[int, int]) -> Region:
        """The part inside a ``(y, x)`` image of level-0 pixels; RegionError where none is."""
        self._need_px()
        y0, x0, y1, x1 = max(self.y0, 0), max(self.x0, 0), min(self.y1, shape[0]), min(self.x1, shape[1])
        if y1 <= y0 or x1 <= x0:
            raise RegionError(f"region y {self.y0:g}..{self.y1:g}, x {self.x0:g}..{self.x1:g} lies outside the image {shape}")
        return Region(y0, x0, y1, x1, "px", self.polygon, self.name)

    def at(self, scale: tuple[float, float] = (1.0, 1.0)) -> tuple[slice, slice]:
        """Slices ``(y, x)`` that cover the box at a level whose pixels span ``scale`` level-0 pixels."""
        self._need_px()
        (sy, sx), eps = scale, 1e-9
        return (
            slice(math.floor(self.y0 / sy + eps), math.ceil(self.y1 / sy - eps)),
            slice(math.floor(self.x0 / sx + eps), math.ceil(self.x1 / sx - eps)),
        )

    def contains(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Whether points ``(n,)`` in this region's unit lie inside; half-open edges, even-odd rule for polygons."""
        y, x = np.asarray(y, float), np.asarray(x, float)
        inside = (y >= self.y0) & (y < self.y1) & (x >= self.x0) & (x < self.x1)
        if self.polygon is None:
            return inside
        odd = np.zeros(y.shape, bool)
        for (ya, xa), (yb, xb) in zip(self.polygon, self.polygon[1:] + self.polygon[:1], strict=True):
            if ya != yb:
                crosses = (ya > y) != (yb > y)
                odd ^= crosses & (x < (xb - xa) * (y - ya) / (yb - ya) + xa)
        return inside & odd

    def mask(self, scale: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
        """Boolean ``(y, x)`` over :meth:`at`; True where a pixel's centre lies inside."""
        rows, cols = self.at(scale)
        y = (np.arange(rows.start, rows.stop) + 0.5) * scale[0]
        x = (np.arange(cols.start, cols.stop) + 0.5) * scale[1]
        return self.contains(*np.meshgrid(y, x, indexing="ij"))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; :meth:`from_dict` reverses it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Region:
        """The region that :meth:`to_dict` described."""
        polygon = tuple((float(y), float(x)) for y, x in d["polygon"]) if d.get("polygon") else None
        return cls(**{**d, "polygon": polygon})

    def _need_px(self) -> None:
        if self.unit != "px":
            raise UnitsError("this region is in µm; convert it first with region.to('px', img.pixel_size)")
