"""Which images go into an index: paths, folders, images in memory; found again by address and content."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...data.location import Location
from ...data.open import open_image
from ...errors import MicroNBError
from ...progress import track
from .concept_space import ConceptSpace
from .manifest import MANIFEST, Of
from .rows import ImageRows, rows_of
from .store import CONCEPTS, Batch
from .vectors import as_stored

SUFFIXES = (".tif", ".tiff", ".svs", ".ndpi", ".scn", ".qptiff", ".btf", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".zarr", ".ozx")
_SAMPLE = "sample:"


def opened_source(item: Any) -> MicroImage:
    """An image from a MicroImage, a path or an array.

    Raises
    ------
    TypeError : it is something else.
    """
    if isinstance(item, MicroImage):
        return item
    if isinstance(item, str | os.PathLike) or hasattr(item, "dtype"):
        return open_image(item)
    raise TypeError(f"an image is a MicroImage, a path or an array; got {type(item).__name__}")


def names_a_file(text: str) -> bool:
    """Whether a query is an address and no words: it exists, or says where with ``://`` or ``sample:``."""
    if "://" in text or text.startswith(_SAMPLE):
        return True
    try:
        return bool(text) and len(text) < 4096 and Path(text).expanduser().exists()
    except (OSError, ValueError):
        return False


def listed(images: Any) -> tuple[list[Any], bool]:
    """The items to index, and whether they were found in a folder rather than named."""
    if isinstance(images, str | os.PathLike) and not _is_zarr(images) and Path(images).expanduser().is_dir():
        return list(_below(Path(images).expanduser())), True
    if isinstance(images, str | os.PathLike | MicroImage | np.ndarray) or hasattr(images, "dtype"):
        return [images], False
    items: list[Any] = []
    found = False
    for item in images:
        more, from_folder = listed(item) if isinstance(item, str | os.PathLike) else ([item], False)
        items += more
        found = found or from_folder
    return items, found


def gathered(
    images: Any, of: Of, *, model: Any, space: ConceptSpace, known: Iterable[str] = (), diameter_px: float | None = None
) -> tuple[Batch, dict[str, MicroImage], tuple[Mapping[str, str], ...]]:
    """Rows of all images whose content is not ``known``; the images that have no address, by content id; what was passed over.

    Raises
    ------
    MicroNBError : an image that was named cannot be read. What was found in a folder is passed over, with a warning.
    """
    items, from_folder = listed(images)
    done, rows, sources, kept, skipped = set(known), list[ImageRows](), list[dict[str, Any]](), dict[str, MicroImage](), []
    for item in track(items, f"indexing {of}", unit="images"):
        try:
            img = opened_source(item)
            if img.content_id in done:
                continue
            rows.append(rows_of(img, of, model=model, space=space, diameter_px=diameter_px))
        except MicroNBError as error:
            if not from_folder:
                raise
            skipped.append({"path": str(item), "reason": str(error)})
            continue
        done.add(img.content_id)
        sources.append(_described(img, item))
        if sources[-1]["path"] is None:
            kept[img.content_id] = img
    if skipped:
        warnings.warn(f"{len(skipped)} of {len(items)} files were passed over, such as {skipped[0]['reason']}", stacklevel=3)
    return _joined(rows, sources), kept, tuple(skipped)


def reopened(source: Mapping[str, Any]) -> MicroImage:
    """The image that was indexed.

    Raises
    ------
    MicroNBError : it is not there any more, or was indexed from memory.
    """
    if source["path"] is None:
        raise MicroNBError(f"{source['name']} was indexed from memory; it cannot be opened again")
    return open_image(source["path"], pixel_size=source["stated_pixel_size"])


def _described(img: MicroImage, item: Any) -> dict[str, Any]:
    stated = dict(img.pixel_size) if img.pixel_size and img.pixel_size_source == "argument" else None
    height, width = img.plane_shape
    source = {
        "path": _address(img), "name": img.name, "content_id": img.content_id, "height_px": height, "width_px": width,
        "pixel_size": dict(img.pixel_size) if img.pixel_size else None, "stated_pixel_size": stated,
    }  # fmt: skip
    if isinstance(item, MicroImage) and source["path"] is not None:
        try:
            if reopened(source).content_id != img.content_id:  # a channel or a part of what lies there
                source["path"] = None
        except MicroNBError:
            source["path"] = None
    return source


def _address(img: MicroImage) -> str | None:
    if img.uri is None or img.uri.startswith(_SAMPLE):
        return img.uri
    return Location.of(img.uri).absolute.uri


def _joined(rows: list[ImageRows], sources: list[dict[str, Any]]) -> Batch:
    """The rows of all images as one batch; thumbnails up to :data:`~micro_nb.tasks.search.thumbnails.MOST_FILES` an image."""
    if not rows:
        return Batch(np.zeros((0, 0), np.float16), pd.DataFrame(), [])
    pictures: dict[int, bytes] = {}
    first = 0
    for one in rows:
        pictures |= {first + k: data for k, data in one.thumbnails.items()}
        first += len(one.table)
    table = pd.concat([one.table.assign(source=k) for k, one in enumerate(rows)], ignore_index=True)
    counts = [c for c in table.columns if c.startswith("n_")]
    table = table.fillna(dict.fromkeys(counts, 0)).astype(dict.fromkeys(counts, "int64"))
    few = [one.exemplars for one in rows if one.exemplars is not None]
    joined = np.concatenate(few) if len(few) == len(rows) else None
    return Batch(as_stored(np.concatenate([one.vectors for one in rows])), table, sources, pictures, joined)


def _below(folder: Path, above: frozenset[Path] = frozenset()) -> Iterable[Path]:
    """Images in a folder and below, in order of name; a zarr store is one image.

    Not looked into: hidden folders, folders that lead back up, and indices, whose thumbnails are no images.
    """
    here = folder.resolve()
    if here in above or all((folder / name).is_file() for name in (MANIFEST, CONCEPTS)):
        return
    for entry in sorted(folder.iterdir(), key=lambda p: p.name):
        if entry.name.startswith("."):
            continue
        if entry.name.lower().endswith(SUFFIXES):
            yield entry
        elif entry.is_dir():
            yield from _below(entry, above | {here})


def _is_zarr(path: str | os.PathLike[str]) -> bool:
    folder = Path(path)
    return folder.name.lower().endswith(".zarr") or any(
        (folder / f).exists() for f in ("zarr.json", ".zattrs", ".zgroup", ".zarray")
    )
