"""``Objects`` as GeoJSON the way QuPath writes and reads it: a feature an object, coordinates in pixels from the corner."""

from __future__ import annotations

import colorsys
import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .objects import Objects
from .polygons import BOX, Cutout, box_ring, cutouts, fill, label_dtype, layer_names, paint, rings
from .records import about, described, plain, typed

_KEPT = ("label", "layer", "name", "score")
OUTLINE = "outline_px"


def to_geojson(objects: Objects) -> dict[str, Any]:
    """A FeatureCollection; objects without labels are drawn as their boxes.

    Raises
    ------
    ValueError : neither labels nor boxes say where the objects are.
    """
    table, labels = objects.table, objects.labels
    if labels is None and not set(BOX) <= set(table.columns):
        raise ValueError("these objects have neither labels nor bbox columns, so there is nothing to draw; save them as .csv")
    features = []
    for row, cutout in zip(table.to_dict("records"), cutouts(table, labels), strict=True):
        record = {str(k): v for k, v in row.items()}
        kept = record.pop(OUTLINE, None)
        if cutout is not None:
            parts = rings(cutout)
        elif isinstance(kept, list):
            parts = [[np.asarray(ring, float) for ring in part] for part in kept]
        else:
            parts = [[box_ring(record)]] if set(BOX) <= set(record) else []
        features.append(_feature(record, parts, objects.image_id, drawn=cutout is not None))
    note = about(objects) | {"dtypes": described(table.drop(columns=OUTLINE, errors="ignore"))}
    if labels is not None:
        note |= {"shape": [int(n) for n in labels.shape[-2:]], "layers": layer_names(labels), "planar": labels.ndim == 2}
    return {"type": "FeatureCollection", "micro_nb": note, "features": features}


def from_geojson(document: Any) -> Objects:
    """Objects of a FeatureCollection, ours or QuPath's, or of a bare list of features, or one.

    Labels are filled in where the size of the plane is known; where it is not, each row keeps its outline in the column
    ``outline_px`` (polygons of rings of ``[y, x]``, pixel centres at whole numbers). Points and lines are no areas: they are left
    out, and ``made_by`` says how many.

    Raises
    ------
    ValueError, KeyError : it is not GeoJSON.
    """
    features, note = _features(document)
    rows: list[dict[str, Any]] = []
    shapes: list[Cutout | None] = []
    left = 0
    for feature in features:
        parts = _parts(feature.get("geometry"))
        if parts is None:
            left += 1
            continue
        row, drawn = _row(feature, len(rows) + 1)
        shapes.append(fill(parts) if parts and drawn else None)
        if "shape" not in note and parts:
            row = _place(shapes[-1] or fill(parts)) | row | {OUTLINE: [[ring.tolist() for ring in part] for part in parts]}
        rows.append(row)
    if left:
        note["made_by"] = {**(note.get("made_by") or {}), "left_out": f"{left} points or lines"}
    table = typed(pd.DataFrame(rows, columns=list(note.get("dtypes", {})) or None), note.get("dtypes", {}))
    for column in set(_KEPT) - set(table.columns):
        table[column] = pd.Series(dtype=object)
    labels = painted(table, shapes, note) if "shape" in note else None
    return Objects(table, labels, **made(note))


def _features(document: Any) -> tuple[list[Mapping[str, Any]], dict[str, Any]]:
    """The features of a document, and what we noted in it."""
    kind = document.get("type") if isinstance(document, Mapping) else None
    features = document["features"] if kind == "FeatureCollection" else [document] if kind == "Feature" else document
    if not isinstance(features, list) or not all(isinstance(f, Mapping) and f.get("type") == "Feature" for f in features):
        raise ValueError("it is not a GeoJSON FeatureCollection, nor a list of features")
    inner = [
        {"geometry": f["nucleusGeometry"], "properties": {"name": "nucleus", "micro_nb": {"layer": "nucleus", "label": k}}}
        for k, f in enumerate(features, 1) if f.get("nucleusGeometry")
    ]  # fmt: skip
    return features + inner, dict((document.get("micro_nb") if kind == "FeatureCollection" else None) or {})


def _place(cutout: Cutout) -> dict[str, Any]:
    """Where an object lies, as :func:`micro_nb.measure` says it."""
    (y0, x0), (rows, cols) = cutout.origin, np.nonzero(cutout.mask)
    if not len(rows):  # thinner than a pixel
        rows, cols = np.zeros(1, int), np.zeros(1, int)
    box = y0 + rows.min(), x0 + cols.min(), y0 + rows.max() + 1, x0 + cols.max() + 1
    middle = {"centroid_y_px": y0 + float(rows.mean()), "centroid_x_px": x0 + float(cols.mean())}
    return {"area_px2": float(cutout.mask.sum())} | middle | {column: int(v) for column, v in zip(BOX, box, strict=True)}


def _feature(row: dict[str, Any], parts: list[list[np.ndarray]], image_id: str | None, *, drawn: bool) -> dict[str, Any]:
    identity = uuid.UUID(hashlib.sha256(f"{image_id}/{row['layer']}/{row['label']}".encode()).hexdigest()[:32])
    polygons = [[[[float(x) + 0.5, float(y) + 0.5] for y, x in ring] for ring in part] for part in parts]
    geometry: dict[str, Any] | None = None
    if polygons:
        single = len(polygons) == 1
        geometry = {"type": "Polygon" if single else "MultiPolygon", "coordinates": polygons[0] if single else polygons}
    measured = {
        k: plain(v) for k, v in row.items() if k not in _KEPT and isinstance(v, int | float | np.number | bool | np.bool_)
    }
    other = {k: plain(v) for k, v in row.items() if k not in measured}
    return {
        "type": "Feature", "id": str(identity), "geometry": geometry,
        "properties": {
            "objectType": "detection",
            "classification": {"name": str(row["name"]), "color": _color(str(row["name"]))},
            "measurements": measured, "micro_nb": other | {"drawn": drawn},
        },
    }  # fmt: skip


def _row(feature: Mapping[str, Any], number: int) -> tuple[dict[str, Any], bool]:
    properties = feature.get("properties") or {}
    measured = properties.get("measurements") or {}
    if isinstance(measured, list):  # older QuPath
        measured = {m["name"]: m["value"] for m in measured}
    kept = dict(properties.get("micro_nb") or {})
    drawn = bool(kept.pop("drawn", True))
    told = properties.get("classification") or {}
    told = told if isinstance(told, Mapping) else {"names": [told] if isinstance(told, str) else told}
    named = told.get("name") or ": ".join(told.get("names") or ()) or properties.get("name") or "object"
    own = {"label": number, "layer": "object", "name": named, "score": 1.0} | kept
    return own | {k: v for k, v in measured.items() if k not in own or k not in _KEPT}, drawn


def _parts(geometry: Mapping[str, Any] | None) -> list[list[np.ndarray]] | None:
    """Polygons as rings of ``y, x``; None for a geometry that is no area."""
    if geometry is None:
        return []
    if geometry["type"] == "GeometryCollection":
        found = [p for g in geometry["geometries"] for p in _parts(g) or ()]
        return found or None
    if geometry["type"] not in ("Polygon", "MultiPolygon"):
        return None
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    found = [[np.asarray(ring, float)[:, 1::-1] - 0.5 for ring in part if ring] for part in polygons]
    if not all(np.isfinite(ring).all() for part in found for ring in part):
        raise ValueError("the coordinates of an outline are not finite numbers")
    return [part for part in found if part]


def painted(table: pd.DataFrame, shapes: list[Cutout | None], note: Mapping[str, Any]) -> xr.DataArray:
    """Labels ``(layer, y, x)`` of a table's objects, of the noted ``shape`` and ``layers``; ``(y, x)`` where noted ``planar``."""
    layers = list(note["layers"])
    planes = np.zeros((len(layers), *note["shape"]), label_dtype(table))
    for layer, label, cutout in zip(table["layer"], table["label"], shapes, strict=True):
        if cutout is not None:
            paint(planes[layers.index(str(layer)) if str(layer) in layers else 0], cutout, int(label))
    if note.get("planar"):
        return xr.DataArray(planes[0], dims=("y", "x"), name="labels")
    return xr.DataArray(planes, dims=("layer", "y", "x"), coords={"layer": layers}, name="labels")


def made(note: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`micro_nb.tiles.records.about` noted, as arguments of Objects."""
    return {"pixel_size": note.get("pixel_size"), "image_id": note.get("image_id"), "made_by": note.get("made_by") or {}}


def _color(name: str) -> list[int]:
    """A steady colour per class name."""
    hue = int(hashlib.sha256(name.encode()).hexdigest()[:4], 16) / 65536
    return [round(255 * v) for v in colorsys.hsv_to_rgb(hue, 0.75, 0.9)]
