"""What is classified, and what examples are, as vectors: images, crops, objects, rows of their table, or vectors themselves."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..data.image import MicroImage
from ..data.open import open_image
from ..tiles.objects import Objects
from ..tiles.polygons import BOX
from .embed import Embedding, embed

_KEYS = ("layer", "label")


@dataclass(frozen=True)
class Subjects:
    """Rows to classify.

    Attributes
    ----------
    vectors : ``(n, D) float64``.
    rows : what says which row is which: ``image`` and ``id``, or ``label`` and ``layer``, or ``id``.
    kind : ``"object"`` or ``"image"``: whose vectors they are.
    """

    vectors: np.ndarray
    rows: pd.DataFrame
    kind: Literal["object", "image"]


def subjects(what: Any, *, embedding: Embedding | None = None, model: Any = None, diameter_px: float | None = None) -> Subjects:
    """The rows of ``what``; images are looked at with a known object diameter where it is given.

    TypeError or ValueError where it is none of the things that can be classified, or Objects without their embedding.
    """
    if isinstance(what, Embedding):
        return _of_objects(what.found, what)
    if isinstance(what, Objects):
        return _of_objects(what, embedding)
    if isinstance(what, np.ndarray):
        return _of_vectors(what)
    if isinstance(what, MicroImage | str | os.PathLike | list | tuple):
        return _of_images(what if isinstance(what, list | tuple) else [what], model, diameter_px)
    raise TypeError(
        "what is classified is an image, a list of images, Objects, their Embedding, or vectors (n, D); "
        f"got {type(what).__name__}"
    )


def example_vectors(
    given: Any, kind: Literal["object", "image"], *, embedding: Embedding | None, model: Any, diameter_px: float | None = None
) -> np.ndarray:
    """``(n, D)`` vectors of the examples of one class.

    Parameters
    ----------
    given : vectors ``(n, D)``; or one of, or a list of: images, paths, crops ``(h, w)`` or ``(h, w, 3)``, vectors ``(D,)``,
        Objects or rows of their table (looked up in ``embedding``), or an Embedding (all its objects, or its image).
    kind : what is to be classified; for objects, an example image gives the object at its middle.
    """
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return _finite(given)
    items = given if isinstance(given, list | tuple) else [given]
    parts = [_example(item, kind, embedding, model, diameter_px) for item in items]
    widths = {part.shape[1] for part in parts}
    if len(widths) > 1:
        raise ValueError(f"examples of one class have {sorted(widths)} dimensions; they must come from the same model")
    return np.concatenate(parts) if parts else np.empty((0, 0))


def _example(item: Any, kind: str, embedding: Embedding | None, model: Any, diameter_px: float | None) -> np.ndarray:
    if isinstance(item, np.ndarray) and item.ndim == 1:
        return _finite(item[None])
    if isinstance(item, Objects | pd.DataFrame | pd.Series):
        if embedding is None:
            raise ValueError("examples are rows of objects, whose vectors are in their embedding: give embedding=embed(img)")
        table = item.table if isinstance(item, Objects) else item.to_frame().T if isinstance(item, pd.Series) else item
        return _finite(embedding.objects[_matched(table, embedding.found.table)])
    seen = item if isinstance(item, Embedding) else embed(_image(item), model=model, diameter_px=diameter_px)
    if kind == "image":
        return _finite(seen.image[None])
    return _finite(seen.objects if isinstance(item, Embedding) else seen.objects[[_middle(seen.found, _image(item))]])


def _of_objects(found: Objects, embedding: Embedding | None) -> Subjects:
    if embedding is None:
        raise ValueError("Objects hold no embeddings: give embedding=embed(img), or classify embed(img) itself")
    known = {embedding.image_id, embedding.found.image_id} - {None}  # of the image, of the plane of it that was looked at
    if found.image_id and known and found.image_id not in known:
        raise ValueError(f"the objects are of image {found.image_id!r}, the embedding of {embedding.image_id!r}")
    vectors = embedding.objects[_matched(found.table, embedding.found.table)]
    return Subjects(_finite(vectors), found.table[["label", "layer"]].copy(), "object")


def _matched(table: pd.DataFrame, all_objects: pd.DataFrame) -> np.ndarray:
    """Row numbers in ``all_objects``, by layer and label; boxes must agree, lest numbers of another segmentation are taken."""
    missing = [c for c in _KEYS if c not in table.columns]
    if missing:
        raise ValueError(f"rows of objects need the columns {list(_KEYS)}; {missing} missing")
    place = {key: k for k, key in enumerate(zip(all_objects["layer"], all_objects["label"], strict=True))}
    keys = list(zip(table["layer"], table["label"], strict=True))
    unknown = [key for key in keys if key not in place]
    at = np.array([place.get(key, 0) for key in keys], dtype=int)
    boxes = [c for c in BOX if c in table.columns and c in all_objects.columns]
    apart = not unknown and (table[boxes].to_numpy(float) != all_objects[boxes].to_numpy(float)[at]).any()
    if unknown or apart:
        which = f"{unknown[0][0]} {unknown[0][1]} is not in it" if unknown else "boxes differ"
        raise ValueError(f"the objects are not those of the embedding ({which}); take them from embedding.found")
    return at


def _of_vectors(vectors: np.ndarray) -> Subjects:
    if vectors.ndim != 2:
        hint = "open it with open_image first" if vectors.ndim == 3 else "give (n, D)"
        raise ValueError(f"an array is taken as vectors (n, D); got {vectors.shape}: {hint}")
    return Subjects(_finite(vectors), pd.DataFrame({"id": np.arange(len(vectors))}), "object")


def _of_images(items: Iterable[Any], model: Any, diameter_px: float | None) -> Subjects:
    images = [_image(item) for item in items]
    if not images:
        raise ValueError("the list of images to classify is empty")
    seen = [embed(image, model=model, diameter_px=diameter_px) for image in images]
    rows = pd.DataFrame({"image": [image.name for image in images], "id": [e.image_id for e in seen]})
    return Subjects(_finite(np.stack([e.image for e in seen])), rows, "image")


def _image(item: Any) -> MicroImage:
    rgb = isinstance(item, np.ndarray) and item.ndim == 3 and item.shape[-1] == 3
    if isinstance(item, MicroImage | str | os.PathLike) or rgb or (isinstance(item, np.ndarray) and item.ndim == 2):
        return open_image(item, axes="yxc" if rgb else None)
    got = f"array {item.shape}" if isinstance(item, np.ndarray) else type(item).__name__
    raise TypeError(f"an image is a MicroImage, a path, or an array (h, w) or (h, w, 3); got {got}")


def _middle(found: Objects, image: MicroImage) -> int:
    """The row of the smallest object whose box holds the middle of the image."""
    y, x = (n / 2 for n in image.plane_shape)
    y0, x0, y1, x1 = (found.table[c].to_numpy(float) for c in BOX)
    holds = np.flatnonzero((y0 <= y) & (y < y1) & (x0 <= x) & (x < x1))
    if not holds.size:
        raise ValueError(
            f"no object was found at the middle of the example {image.name!r}; give rows of embed(img).found.table as examples"
        )
    return int(holds[np.argmin(((y1 - y0) * (x1 - x0))[holds])])


def _finite(vectors: np.ndarray) -> np.ndarray:
    checked = np.asarray(vectors, np.float64)
    if checked.ndim != 2 or not np.isfinite(checked).all():
        raise ValueError(f"vectors are (n, D) finite numbers; got {checked.shape}, {int((~np.isfinite(checked)).sum())} are not")
    return checked
