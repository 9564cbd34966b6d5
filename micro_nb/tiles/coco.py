"""``Objects`` as COCO JSON: masks as uncompressed run lengths, which lose nothing; measurements as attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .geojson import made, painted
from .objects import Objects
from .polygons import BOX, Cutout, box_ring, cutouts, fill, layer_names
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
    """Objects of the first image of a COCO document, ours or another's (polygons, run lengths compressed or not, boxes).

    Raises
    ------
    ValueError, KeyError : it is not a COCO document.
    """
    image = document["images"][0]
    note = (document.get("info") or {}).get("micro_nb") or {}
    names = {c["id"]: c["name"] for c in document.get("categories") or ()}
    entries = [dict(a) for a in document["annotations"] if a["image_id"] == image["id"]]
    shape = int(image["height"]), int(image["width"])
    shapes = [_cutout(entry, shape) for entry in entries]
    for entry, cutout in zip(entries, shapes, strict=True):
        if not entry.get("bbox") and cutout is not None:
            rows_at, cols_at = (k + o for k, o in zip(np.nonzero(cutout.mask), cutout.origin, strict=True))
            entry["bbox"] = [cols_at.min(), rows_at.min(), np.ptp(cols_at) + 1, np.ptp(rows_at) + 1]
    rows = [_row(entry, k, names) for k, entry in enumerate(entries, 1)]
    dtypes = note.get("dtypes", {})
    columns = list(dtypes) or ["label", "layer", "name", "score", *BOX]
    table = typed(pd.DataFrame(rows, columns=None if rows else columns), dtypes)
    layers = list(note.get("layers") or sorted(set(map(str, table["layer"]))) or ["object"])
    return Objects(table, painted(table, shapes, {**note, "layers": layers, "shape": shape}), **made(note))


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
        counts = what["counts"] if isinstance(what["counts"], list) else _counts(str(what["counts"]))
        if sum(counts) != shape[0] * shape[1]:
            raise ValueError(f"run lengths add up to {sum(counts)} pixels, the image has {shape[0] * shape[1]}")
        flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return Cutout(flat.reshape(shape[1], shape[0]).T, (0, 0)) if flat.any() else None
    if what:
        return fill([[np.asarray(ring, float).reshape(-1, 2)[:, ::-1] - 0.5] for ring in what])
    x, y, w, h = entry.get("bbox") or (0, 0, 0, 0)
    return fill([[box_ring(dict(zip(BOX, (y, x, y + h, x + w), strict=True)))]]) if w and h else None


def _counts(text: str) -> list[int]:
    """Run lengths that COCO compresses: five bits a letter, low bits first; from the third on differences to the last but one."""
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            value -= (1 << shift) if bits & 0x10 else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return counts


def _row(entry: Mapping[str, Any], number: int, names: Mapping[Any, str]) -> dict[str, Any]:
    x, y, w, h = entry.get("bbox") or (0, 0, 0, 0)
    name = names.get(entry.get("category_id"), "object")
    own = {"label": number, "layer": "object", "name": name, "score": entry.get("score", 1.0)}
    box = dict(zip(BOX, (y, x, y + h, x + w), strict=True))
    attributes = entry.get("attributes")
    return own | box | dict(attributes) if isinstance(attributes, Mapping) else own | box
