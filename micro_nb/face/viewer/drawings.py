"""What a person draws: boxes, polygons, points and lines, as Regions, as a table, and as files of QuPath and ImageJ."""

from __future__ import annotations

import json
import math
import os
import uuid
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from ...data.region import Region, Vertex
from ...errors import CorruptImageError, MissingExtraError, RegionError, UnknownFormatError

Kind = Literal["box", "polygon", "point", "line"]
_LEAST = {"box": 2, "polygon": 3, "point": 1, "line": 2}
_OF_IMAGEJ = {"RECT": "box", "POINT": "point", "LINE": "line", "POLYLINE": "line", "FREELINE": "line"}
_MOST_VERTICES = 20_000
_LONGEST_NAME = 120


@dataclass(frozen=True)
class Drawing:
    """One thing that was drawn.

    Attributes
    ----------
    id : its name in the browser.
    kind : box, polygon, point or line.
    points : ``(y, x)`` in px of level 0, from the corner of the first pixel; of a box two opposite corners.
    name : what a person calls it.

    Examples
    --------
    >>> Drawing("a", "line", ((0.0, 0.0), (3.0, 4.0))).length
    5.0
    """

    id: str
    kind: Kind
    points: tuple[Vertex, ...]
    name: str = ""

    @classmethod
    def of(cls, d: Mapping[str, Any]) -> Drawing:
        """A drawing as the browser describes it.

        Raises
        ------
        RegionError : it is none: an unknown kind, too few or too many vertices, or no numbers.
        """
        kind = str(d.get("kind"))
        if kind not in get_args(Kind):
            raise RegionError(f"{kind!r} cannot be drawn; box, polygon, point and line can")
        points = tuple((float(y), float(x)) for y, x in d["points"])
        if not _LEAST[kind] <= len(points) <= _MOST_VERTICES or not np.isfinite(points).all():
            raise RegionError(f"a {kind} of {len(points)} points cannot be drawn")
        return cls(str(d.get("id") or new_id())[:64], kind, points, " ".join(str(d.get("name", "")).split())[:_LONGEST_NAME])  # type: ignore[arg-type]

    @classmethod
    def of_region(cls, region: Region) -> Drawing:
        """A region in px as a drawing."""
        corners = ((region.y0, region.x0), (region.y1, region.x1))
        return cls(new_id(), "polygon" if region.polygon else "box", region.polygon or corners, region.name or "")

    @property
    def region(self) -> Region:
        """The place: of a point its pixel, of a line the band of one pixel along it."""
        ys, xs = zip(*self.points, strict=True)
        name = self.name or None
        if self.kind == "box":
            return Region(min(ys), min(xs), max(ys), max(xs), name=name)
        if self.kind == "point":
            y, x = math.floor(ys[0]), math.floor(xs[0])
            return Region(y, x, y + 1, x + 1, name=name)
        return Region.from_polygon(self.points if self.kind == "polygon" else _band(self.points), name=name)

    @property
    def length(self) -> float:
        """Length of a line, or of the outline of an area, in px; 0 for a point."""
        ring = np.array(_ring(self))
        return float(np.hypot(*np.diff(ring, axis=0).T).sum()) if len(ring) > 1 else 0.0

    @property
    def area(self) -> float:
        """Area of a box or polygon in px²; 0 for points and lines."""
        if self.kind in ("point", "line"):
            return 0.0
        y, x = np.array(_ring(self)).T
        return abs(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))) / 2

    def to_dict(self) -> dict[str, Any]:
        """As the browser describes it."""
        return {"id": self.id, "kind": self.kind, "name": self.name, "points": [list(p) for p in self.points]}


def new_id() -> str:
    """A name for a drawing."""
    return uuid.uuid4().hex[:12]


def table_of(drawings: Iterable[Drawing], pixel_size: Mapping[str, float] | None) -> pd.DataFrame:
    """A row a drawing: name, kind, place, and length and area with their unit."""
    unit, size = ("um", math.sqrt(pixel_size["y"] * pixel_size["x"])) if pixel_size else ("px", 1.0)
    columns = ["name", "kind", f"length_{unit}", f"area_{unit}2", "bbox_y0_px", "bbox_x0_px", "bbox_y1_px", "bbox_x1_px"]
    rows = [(d.name, d.kind, d.length * size, d.area * size**2, *d.region.box) for d in drawings]
    return pd.DataFrame(rows, columns=columns)


def save_drawings(drawings: Sequence[Drawing], path: str | os.PathLike[str]) -> Path:
    """Writes ``.geojson`` as QuPath has it, or ``.zip`` of ImageJ's regions of interest.

    Raises
    ------
    UnknownFormatError : another suffix.
    """
    target = Path(path)
    if target.suffix.lower() not in (".geojson", ".zip"):
        raise UnknownFormatError(f"{target}: regions are written as .geojson or .zip (ImageJ), not {target.suffix or 'so'}")
    from ...data.atomic import writing_file  # loads zarr

    with writing_file(target) as partial:
        if target.suffix.lower() == ".geojson":
            partial.write_text(json.dumps(to_geojson(drawings), ensure_ascii=False), encoding="utf-8")
        else:
            _write_rois(drawings, partial)
    return target


def load_drawings(path: str | os.PathLike[str]) -> list[Drawing]:
    """Reads ``.geojson``, or ImageJ's ``.zip`` and ``.roi``.

    Raises
    ------
    UnknownFormatError : another suffix.
    CorruptImageError : it does not hold regions.
    """
    source = Path(path)
    readers = {".geojson": _read_geojson, ".json": _read_geojson, ".zip": _read_rois, ".roi": _read_rois}
    if source.suffix.lower() not in readers:
        raise UnknownFormatError(f"{source}: regions are read from .geojson, .zip and .roi, not {source.suffix or 'this'}")
    try:
        return readers[source.suffix.lower()](source)
    except (ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise CorruptImageError(f"{source}: does not hold regions ({type(error).__name__}: {error})") from error


def to_geojson(drawings: Iterable[Drawing]) -> dict[str, Any]:
    """A FeatureCollection, coordinates ``x, y`` in px from the corner of the image."""
    features = []
    for d in drawings:
        ring = [[x, y] for y, x in _ring(d)]
        geometry: dict[str, Any] = {"type": "Polygon", "coordinates": [ring]}
        if d.kind == "point":
            geometry = {"type": "Point", "coordinates": ring[0]}
        elif d.kind == "line":
            geometry = {"type": "LineString", "coordinates": ring}
        properties = {"objectType": "annotation", "name": d.name, "isLocked": False, "micro_nb": {"kind": d.kind}}
        features.append({"type": "Feature", "id": d.id, "geometry": geometry, "properties": properties})
    return {"type": "FeatureCollection", "features": features}


def _read_geojson(path: Path) -> list[Drawing]:
    document = json.loads(path.read_text(encoding="utf-8"))
    features = document["features"] if isinstance(document, Mapping) else document
    found = []
    for feature in features:
        geometry, told = feature["geometry"], feature.get("properties") or {}
        name = str(told.get("name") or (told.get("classification") or {}).get("name") or "")
        kind = (told.get("micro_nb") or {}).get("kind")
        for shape, points in _geometries(geometry):
            vertices = [(float(y), float(x)) for x, y, *_ in points]
            if shape == "polygon":
                vertices = vertices[:-1] if len(vertices) > 1 and vertices[0] == vertices[-1] else vertices
                if kind == "box" and len(vertices) == 4:
                    shape, vertices = "box", [vertices[0], vertices[2]]
            found.append(Drawing.of({"id": new_id(), "kind": shape, "points": vertices, "name": name}))
    return found


def _geometries(geometry: Mapping[str, Any]) -> list[tuple[str, Any]]:
    kind, at = str(geometry["type"]), geometry["coordinates"]
    if kind == "Point":
        return [("point", [at])]
    if kind == "MultiPoint":
        return [("point", [p]) for p in at]
    if kind == "LineString":
        return [("line", at)]
    if kind == "Polygon":
        return [("polygon", at[0])]
    if kind == "MultiPolygon":
        return [("polygon", part[0]) for part in at]
    raise ValueError(f"geometry {kind!r} is not known")


def _write_rois(drawings: Sequence[Drawing], path: Path) -> None:
    try:
        from roifile import ROI_TYPE, ImagejRoi
    except ImportError:
        raise MissingExtraError("regions of ImageJ need roifile; try pip install 'micro-nb[notebook]'") from None
    types = {"box": ROI_TYPE.RECT, "polygon": ROI_TYPE.POLYGON, "point": ROI_TYPE.POINT, "line": ROI_TYPE.POLYLINE}
    taken: dict[str, int] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for k, d in enumerate(drawings, 1):
            name = d.name.replace("/", "_") or f"{d.kind} {k}"
            taken[name] = taken.get(name, 0) + 1
            name = name if taken[name] == 1 else f"{name} ({taken[name]})"
            ring = _ring(d)[:-1] if d.kind in ("box", "polygon") else _ring(d)
            roi = ImagejRoi.frompoints([(x, y) for y, x in ring], name=name)
            roi.roitype = types[d.kind]
            if d.kind == "box":  # a rectangle: its edges are whole pixels
                roi.top, roi.left, roi.bottom, roi.right = map(round, d.region.box)
                roi.n_coordinates, roi.integer_coordinates, roi.subpixel_coordinates = 0, None, None
                roi.options &= ~128  # no sub-pixel coordinates
            out.writestr(f"{name}.roi", roi.tobytes())


def _read_rois(path: Path) -> list[Drawing]:
    import roifile

    read = roifile.roiread(path)
    found = []
    for roi in read if isinstance(read, list) else [read]:
        kind = _OF_IMAGEJ.get(roi.roitype.name, "polygon")
        points = [(float(y), float(x)) for x, y in np.atleast_2d(roi.coordinates())]
        if kind == "box":
            points = [(float(roi.top), float(roi.left)), (float(roi.bottom), float(roi.right))]
        each = [[p] for p in points] if kind == "point" else [points]
        found += [Drawing.of({"id": new_id(), "kind": kind, "points": vertices, "name": roi.name or ""}) for vertices in each]
    return found


def _ring(d: Drawing) -> list[Vertex]:
    """The vertices in order; of an area the first again at the end."""
    if d.kind == "box":
        (ya, xa), (yb, xb) = d.points[0], d.points[1]
        y0, y1, x0, x1 = min(ya, yb), max(ya, yb), min(xa, xb), max(xa, xb)
        return [(y0, x0), (y0, x1), (y1, x1), (y1, x0), (y0, x0)]
    return [*d.points, d.points[0]] if d.kind == "polygon" else list(d.points)


def _band(points: Sequence[Vertex]) -> list[Vertex]:
    """A polygon of one pixel width along a line."""
    line = np.array(points, float)
    steps = np.diff(line, axis=0)
    steps = steps / np.maximum(np.hypot(*steps.T)[:, None], 1e-9)
    along = np.concatenate([steps[:1], (steps[:-1] + steps[1:]) / 2, steps[-1:]])
    across = np.stack((-along[:, 1], along[:, 0]), axis=1) * 0.5
    return [(float(y), float(x)) for y, x in np.concatenate([line + across, (line - across)[::-1]])]
