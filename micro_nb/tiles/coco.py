"""``Objects`` as COCO JSON: masks as uncompressed run lengths, which lose nothing; measurements as attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .geojson import layered, made
from .objects import Objects
from .polygons import BOX, Cutout, box_ring, cutouts, fill, label_dtype, layer_names, paint
from .records import about, described, plain, typed


def to_coco(objects: Objects) -> dict[str, Any]:
    """A COCO document of one image.

    Raises
    ------
    ValueError : the objects have no labels, so the size of the image is not known.
    """
    table, labels = objects.table, objects.labels
    if labels is None:
        raise ValueError("COCO needs masks, and these objects have no labels; save them as .csv")
    height, width = (int(n) for n in labels.shape[-2:])
    names = sorted(set(map(str, table["name"])))
    annotations = []
    for number, (row, cutout) in enumerate(zip(table.to_dict("records"), cutouts(table, labels), strict=True), 1):
        entry = {
            "id": number, "image_id": 1, "category_id": names.index(str(row["name"])) + 1, "iscrowd": 0,
            "score": plain(row["score"]), "attributes": {str(k): plain(v) for k, v in row.items()},
        }  # fmt: skip
        annotations.append(entry | _mask(cutout, (height, width)))
    return {
        "info": {"description": "objects", "micro_nb": about(objects) | {
            "dtypes": described(table), "layers": layer_names(labels), "planar": labels.ndim == 2}},
        "images": [{"id": 1, "width": width, "height": height, "file_name": objects.image_id or "image"}],
        "categories": [{"id": k, "name": name} for k, name in enumerate(names, 1)],
        "annotations": annotations,
    }  # fmt: skip


def from_coco(document: Mapping[str, Any]) -> Objects:
    """Objects of the first image of a COCO document, ours or another's (polygons and uncompressed run lengths).

    Raises
    ------
    ValueError, KeyError : it is not a COCO document, or its masks are compressed.
    """
    image = document["images"][0]
    note = (document.get("info") or {}).get("micro_nb") or {}
    names = {c["id"]: c["name"] for c in document["categories"]}
    entries = [a for a in document["annotations"] if a["image_id"] == image["id"]]
    rows = [_row(entry, k, names) for k, entry in enumerate(entries, 1)]
    dtypes = note.get("dtypes", {})
    table = typed(
        pd.DataFrame(rows, columns=list(dtypes) or ["label", "layer", "name", "score", *BOX] if not rows else None), dtypes
    )
    layers = list(note.get("layers") or sorted(set(map(str, table["layer"]))) or ["object"])
    planes = np.zeros((len(layers), int(image["height"]), int(image["width"])), label_dtype(table))
    for row, entry in zip(table.to_dict("records"), entries, strict=True):
        cutout = _cutout(entry, planes.shape[1:])
        if cutout is not None:
            paint(planes[layers.index(str(row["layer"])) if str(row["layer"]) in layers else 0], cutout, int(row["label"]))
    labels: xr.DataArray = layered(planes, layers, planar=bool(note.get("planar")))
    return Objects(table, labels, **made(note))


def _mask(cutout: Cutout | None, shape: tuple[int, int]) -> dict[str, Any]:
    if cutout is None:
        return {"segmentation": {"size": list(shape), "counts": [shape[0] * shape[1]]}, "bbox": [0, 0, 0, 0], "area": 0}
    (y, x), (h, w) = cutout.origin, cutout.mask.shape
    rows, cols = np.nonzero(cutout.mask)
    order = np.lexsort((rows, cols))
    at = (cols[order] + x) * shape[0] + rows[order] + y  # COCO counts down the columns
    cuts = np.flatnonzero(np.diff(at) != 1)
    starts, stops = at[np.append(0, cuts + 1)], at[np.append(cuts, at.size - 1)] + 1
    edges = np.stack([starts, stops], axis=1).ravel()
    counts = np.diff(np.concatenate([[0], edges, [shape[0] * shape[1]]]))
    return {
        "segmentation": {"size": list(shape), "counts": [int(c) for c in counts]},
        "bbox": [int(x), int(y), int(w), int(h)], "area": int(at.size),
    }  # fmt: skip


def _cutout(entry: Mapping[str, Any], shape: tuple[int, ...]) -> Cutout | None:
    what = entry.get("segmentation")
    if isinstance(what, Mapping):
        counts = what["counts"]
        if not isinstance(counts, list):
            raise ValueError("its masks are compressed run lengths; write them uncompressed or as polygons")
        if sum(counts) != shape[0] * shape[1]:
            raise ValueError(f"run lengths add up to {sum(counts)} pixels, the image has {shape[0] * shape[1]}")
        flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return Cutout(flat.reshape(shape[1], shape[0]).T, (0, 0)) if flat.any() else None
    if what:
        return fill([[np.asarray(ring, float).reshape(-1, 2)[:, ::-1] - 0.5] for ring in what])
    x, y, w, h = entry["bbox"]
    return fill([[box_ring(dict(zip(BOX, (y, x, y + h, x + w), strict=True)))]]) if w and h else None


def _row(entry: Mapping[str, Any], number: int, names: Mapping[Any, str]) -> dict[str, Any]:
    x, y, w, h = entry.get("bbox") or (0, 0, 0, 0)
    own = {"label": number, "layer": "object", "name": names[entry["category_id"]], "score": entry.get("score", 1.0)}
    box = dict(zip(BOX, (y, x, y + h, x + w), strict=True))
    attributes = entry.get("attributes")
    return own | box | dict(attributes) if isinstance(attributes, Mapping) else own | box
