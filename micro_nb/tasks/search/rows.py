"""What an index keeps of an image: a row for the image, for each of its tiles, or for each of its objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...render.result_view import PLACE
from ...tiles.polygons import BOX
from ..embed import Embedding, embed
from .concept_space import EXCLUSIVE, ConceptSpace
from .facts import filled, look_facts, object_contrast, picture_facts, small_picture, view_facts, with_derived
from .store import Batch, Of
from .thumbnails import OBJECT_CONTEXT, evenly, thumbnail
from .vectors import exemplars

_COARSE = 2048


def rows_of(img: MicroImage, of: Of, *, model: Any, space: ConceptSpace, diameter_px: float | None = None) -> Batch:
    """Looks at an image, at a known object diameter where it is given, and keeps what ``of`` says.

    Columns of images and tiles: those of :func:`~micro_nb.tasks.search.facts.view_facts` and
    :func:`~micro_nb.tasks.search.facts.picture_facts` (tiles: light and colour, from a coarse picture), ``modality``,
    ``stain``, ``specimen`` of the image with their probabilities (empty where none stands out), and ``concepts``. Of objects:
    their measurements and :func:`~micro_nb.tasks.search.facts.with_derived`.
    """
    seen = embed(img, model=model, diameter_px=diameter_px)
    found = with_derived(seen.found.table.reset_index(drop=True), pixel_size=img.pixel_size)
    contrast = object_contrast(img, found)
    found = found.assign(object_contrast=contrast, object_visibility=np.abs(contrast))
    return {"images": _image, "tiles": _tiles, "objects": _objects}[of](img, seen, found, space)


def _image(img: MicroImage, seen: Embedding, found: pd.DataFrame, space: ConceptSpace) -> Batch:
    height, width = img.plane_shape
    vectors = np.atleast_2d(np.asarray(seen.image, np.float32))
    facts = view_facts(found, shape=img.plane_shape, pixel_size=img.pixel_size) | picture_facts(img)
    table = pd.DataFrame([{"name": img.name, "height_px": height, "width_px": width, **facts}])
    table = table.assign(**_kind_of_picture(seen), concepts=space.listed(vectors))
    return Batch(vectors, table, {0: thumbnail(img)}, exemplars(seen.objects)[None])


def _tiles(img: MicroImage, seen: Embedding, found: pd.DataFrame, space: ConceptSpace) -> Batch:
    boxes = np.asarray(seen.boxes, float).reshape(-1, 4)
    picture, scale = small_picture(img, _COARSE)
    found, inside = _by_place(found)
    objects = seen.objects[found.index]
    rows, few = [], []
    for y0, x0, y1, x1 in boxes:
        here = inside(y0, x0, y1, x1)
        few.append(exemplars(objects[here]))
        part = picture[_span(y0, y1, scale[0], len(picture)), _span(x0, x1, scale[1], picture.shape[1])]
        facts = view_facts(found.iloc[here], shape=(y1 - y0, x1 - x0), pixel_size=img.pixel_size)
        rows.append({"name": img.name, **facts, **look_facts(part)})
    table = pd.concat([pd.DataFrame(boxes, columns=list(PLACE)), filled(pd.DataFrame(rows))], axis=1)
    table = table.assign(**_kind_of_picture(seen), concepts=space.listed(seen.tiles))
    return Batch(seen.tiles, table, _pictures(img, boxes, 0.0), np.stack(few))


def _objects(img: MicroImage, seen: Embedding, found: pd.DataFrame, space: ConceptSpace) -> Batch:
    boxes = found[list(BOX)].to_numpy(float)
    table = pd.concat([pd.DataFrame(boxes, columns=list(PLACE)), found], axis=1)
    return Batch(seen.objects, table, _pictures(img, boxes, OBJECT_CONTEXT))


def _kind_of_picture(seen: Embedding) -> dict[str, Any]:
    """What the whole image was recognised as; ``""`` and NaN where it was as nothing."""
    said = seen.found.made_by.get("recognised", {})
    names = {kind: said.get(kind, {}).get("name", "") for kind in EXCLUSIVE}
    return names | {f"{kind}_probability": said.get(kind, {}).get("probability", float("nan")) for kind in EXCLUSIVE}


def _by_place(found: pd.DataFrame) -> tuple[pd.DataFrame, Callable[[float, float, float, float], np.ndarray]]:
    """The objects from top to bottom, and which of them have their centre in a box; looks at the box's rows only."""
    y0, x0, y1, x1 = (found[c].to_numpy(float) for c in BOX)
    order = np.argsort(y0 + y1, kind="stable")
    y, x = ((y0 + y1) / 2)[order], ((x0 + x1) / 2)[order]

    def inside(top: float, left: float, bottom: float, right: float) -> np.ndarray:
        first, last = np.searchsorted(y, (top, bottom))
        return np.asarray(first + np.flatnonzero((x[first:last] >= left) & (x[first:last] < right)))

    return found.iloc[order], inside


def _span(low: float, high: float, scale: float, size: int) -> slice:
    start = min(int(low / scale), size - 1)
    return slice(start, max(start + 1, min(round(high / scale), size)))


def _pictures(img: MicroImage, boxes: np.ndarray, context: float) -> dict[int, bytes]:
    return {int(k): thumbnail(img, boxes[k], context=context) for k in evenly(len(boxes))}
