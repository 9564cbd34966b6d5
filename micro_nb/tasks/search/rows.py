"""What an index keeps of an image: a row for the image, for each of its tiles, or for each of its objects."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...data.region import Region
from ...render.frame import Frame
from ...render.look import Look
from .concept_space import EXCLUSIVE, ConceptSpace
from .exemplars import exemplars
from .manifest import Of
from .object_facts import BOX, main_layer, view_facts, with_derived
from .picture_facts import color_facts, light_facts, object_contrast, picture_facts
from .thumbnails import OBJECT_CONTEXT, evenly, thumbnail

PLACE = ("y0", "x0", "y1", "x1")
_COARSE = 2048


@dataclass(frozen=True)
class ImageRows:
    """Rows of one image: vectors ``(n, D)``, a table of n rows, thumbnails by row, exemplars ``(n, E, D)`` of their objects."""

    vectors: np.ndarray
    table: pd.DataFrame
    thumbnails: Mapping[int, bytes]
    exemplars: np.ndarray | None = None


def embedded(img: MicroImage, model: Any, diameter_px: float | None = None) -> Any:
    """``micro_nb.embed``; the module that holds it needs torch and is loaded when it is used."""
    known = {} if diameter_px is None else {"diameter_px": diameter_px}
    return pkgutil.resolve_name("micro_nb.tasks:embed")(img, model=model, **known)


def rows_of(img: MicroImage, of: Of, *, model: Any, space: ConceptSpace, diameter_px: float | None = None) -> ImageRows:
    """Looks at an image, at a known object diameter where it is given, and keeps what ``of`` says.

    Notes
    -----
    Columns of images and tiles: those of :func:`~micro_nb.tasks.search.object_facts.view_facts`,
    :func:`.picture_facts.picture_facts` (tiles: light and colour, from a coarse picture), ``object_contrast``
    and ``object_visibility`` (medians), ``modality``, ``stain``, ``specimen`` of the image with their probabilities (empty
    where none stands out), and ``concepts``. Of objects: their measurements and
    :func:`~micro_nb.tasks.search.object_facts.with_derived`.
    """
    seen = embedded(img, model, diameter_px)
    found = with_derived(seen.found.table.reset_index(drop=True), pixel_size=img.pixel_size)
    found["object_contrast"] = object_contrast(img, found)
    found["object_visibility"] = found["object_contrast"].abs()
    return {"images": _image, "tiles": _tiles, "objects": _objects}[of](img, seen, found, space)


def _image(img: MicroImage, seen: Any, found: pd.DataFrame, space: ConceptSpace) -> ImageRows:
    height, width = img.plane_shape
    vectors = np.atleast_2d(np.asarray(seen.image, np.float32))
    facts = view_facts(found, shape=img.plane_shape, pixel_size=img.pixel_size) | _contrasts(found) | picture_facts(img)
    table = pd.DataFrame([{"name": img.name, "height_px": height, "width_px": width, **facts}])
    few = exemplars(np.asarray(seen.objects))[None]
    return ImageRows(vectors, table.assign(**_kind_of_picture(seen), concepts=space.listed(vectors)), {0: thumbnail(img)}, few)


def _tiles(img: MicroImage, seen: Any, found: pd.DataFrame, space: ConceptSpace) -> ImageRows:
    boxes, vectors = np.asarray(seen.boxes, float).reshape(-1, 4), np.asarray(seen.tiles, np.float32)
    picture, scale = _coarse(img)
    found, inside = _by_place(found)
    objects = np.asarray(seen.objects)[found.index]
    rows, few = [], []
    for y0, x0, y1, x1 in boxes:
        here = inside(y0, x0, y1, x1)
        mine = found.iloc[here]
        few.append(exemplars(objects[here]))
        part = picture[_span(y0, y1, scale[0], len(picture)), _span(x0, x1, scale[1], picture.shape[1])]
        facts = view_facts(mine, shape=(y1 - y0, x1 - x0), pixel_size=img.pixel_size)
        rows.append({"name": img.name, **facts, **_contrasts(mine), **light_facts(part), **color_facts(part)})
    table = pd.concat([_placed(boxes), _filled(pd.DataFrame(rows))], axis=1)
    table = table.assign(**_kind_of_picture(seen), concepts=space.listed(vectors))
    return ImageRows(vectors, table, _pictures(img, boxes, 0.0), np.stack(few))


def _objects(img: MicroImage, seen: Any, found: pd.DataFrame, space: ConceptSpace) -> ImageRows:
    boxes, vectors = found[list(BOX)].to_numpy(float), np.asarray(seen.objects, np.float32)
    if len(vectors) != len(found):
        raise ValueError(f"{img.name}: {len(vectors)} vectors of {len(found)} objects; they must be one a row of found.table")
    return ImageRows(vectors, pd.concat([_placed(boxes), found], axis=1), _pictures(img, boxes, OBJECT_CONTEXT))


def _kind_of_picture(seen: Any) -> dict[str, Any]:
    """What the whole image was recognised as; ``""`` and NaN where it was as nothing."""
    said = seen.found.made_by.get("recognised", {})
    names = {kind: said.get(kind, {}).get("name", "") for kind in EXCLUSIVE}
    return names | {f"{kind}_probability": said.get(kind, {}).get("probability", float("nan")) for kind in EXCLUSIVE}


def _placed(boxes: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(boxes, columns=list(PLACE))


def _filled(table: pd.DataFrame) -> pd.DataFrame:
    """A name that a tile lacks is there 0 times."""
    counts = [c for c in table.columns if c.startswith("n_")]
    return table.fillna(dict.fromkeys(counts, 0)).astype(dict.fromkeys(counts, "int64"))


def _contrasts(found: pd.DataFrame) -> dict[str, float]:
    values = main_layer(found)["object_contrast"].dropna()
    middle = float(values.median()) if len(values) else float("nan")
    return {"object_contrast": middle, "object_visibility": abs(middle)}


def _by_place(found: pd.DataFrame) -> tuple[pd.DataFrame, Callable[[float, float, float, float], np.ndarray]]:
    """The objects from top to bottom, and which of them have their centre in a box; looks at the box's rows only."""
    y0, x0, y1, x1 = (found[c].to_numpy(float) for c in BOX)
    order = np.argsort(y0 + y1, kind="stable")
    y, x = ((y0 + y1) / 2)[order], ((x0 + x1) / 2)[order]

    def inside(top: float, left: float, bottom: float, right: float) -> np.ndarray:
        first, last = np.searchsorted(y, (top, bottom))
        return np.asarray(first + np.flatnonzero((x[first:last] >= left) & (x[first:last] < right)))

    return found.iloc[order], inside


def _coarse(img: MicroImage) -> tuple[np.ndarray, tuple[float, float]]:
    """The picture on at most 2048 pixels, and pixels of level 0 along one of its."""
    place = Region.part("whole image", img.plane_shape)
    frame = Frame.of_region(place, width=_COARSE, height=_COARSE, max_zoom=1.0)
    return Look.of(img).draw(frame), frame.scale


def _span(low: float, high: float, scale: float, size: int) -> slice:
    start = min(int(low / scale), size - 1)
    return slice(start, max(start + 1, min(round(high / scale), size)))


def _pictures(img: MicroImage, boxes: np.ndarray, context: float) -> dict[int, bytes]:
    return {int(k): thumbnail(img, boxes[k], context=context) for k in evenly(len(boxes))}
