"""Which images go into an index: paths, folders, images in memory; found again by address and content."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...data.image import MicroImage
from ...data.location import Location
from ...data.open import open_image
from ...errors import MicroNBError
from ...progress import track
from .concept_space import ConceptSpace
from .rows import rows_of
from .store import CONCEPTS, MANIFEST, Batch, Of

SUFFIXES = (".tif", ".tiff", ".svs", ".ndpi", ".scn", ".qptiff", ".btf", ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".zarr", ".ozx")
_ZARR = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
_SAMPLE = "sample:"


def names_a_file(text: str) -> bool:
    """Whether a query is an address and no words: it exists, or says where with ``://`` or ``sample:``."""
    if "://" in text or text.startswith(_SAMPLE):
        return True
    try:
        return bool(text) and len(text) < 4096 and Path(text).expanduser().exists()
    except (OSError, ValueError):
        return False


def gathered(
    images: Any, of: Of, *, model: Any, space: ConceptSpace, known: Iterable[str] = (), diameter_px: float | None = None
) -> tuple[Batch, dict[str, MicroImage], tuple[Mapping[str, str], ...]]:
    """Rows of all images whose content is not ``known``; those that have no address, by content id; what was passed over.

    MicroNBError where an image that was named cannot be read. What was found in a folder is passed over, with a warning.
    """
    items = list(_listed(images))
    done, rows, kept, skipped = set(known), list[Batch](), dict[str, MicroImage](), []
    for item, named in track(items, f"indexing {of}", unit="images"):
        try:
            img = open_image(item)
            if img.content_id in done:
                continue
            one = rows_of(img, of, model=model, space=space, diameter_px=diameter_px)
        except MicroNBError as error:
            if named:
                raise
            skipped.append({"path": str(item), "reason": str(error)})
            continue
        done.add(img.content_id)
        rows.append(replace(one, sources=(_described(img, item),)))
        if rows[-1].sources[0]["path"] is None:
            kept[img.content_id] = img
    if skipped:
        warnings.warn(f"{len(skipped)} of {len(items)} files were passed over, such as {skipped[0]['reason']}", stacklevel=3)
    return Batch.joined(rows), kept, tuple(skipped)


def reopened(source: Mapping[str, Any]) -> MicroImage:
    """The image that was indexed; MicroNBError where it is not there any more, or was indexed from memory."""
    if source["path"] is None:
        raise MicroNBError(f"{source['name']} was indexed from memory; it cannot be opened again")
    return open_image(source["path"], pixel_size=source["stated_pixel_size"])


def _listed(images: Any) -> Iterator[tuple[Any, bool]]:
    """The items to index, and whether each was named rather than found in a folder."""
    if isinstance(images, str | os.PathLike) and _is_plain_folder(Path(images).expanduser()):
        yield from ((path, False) for path in _below(Path(images).expanduser()))
    elif isinstance(images, str | os.PathLike | MicroImage) or hasattr(images, "dtype"):
        yield images, True
    else:
        for item in images:
            yield from _listed(item)


def _described(img: MicroImage, item: Any) -> dict[str, Any]:
    size, (height, width), path = dict(img.pixel_size) if img.pixel_size else None, img.plane_shape, img.uri
    if path is not None and not path.startswith(_SAMPLE):
        path = Location.of(path).absolute.uri
    source = {
        "path": path, "name": img.name, "content_id": img.content_id, "height_px": height, "width_px": width,
        "pixel_size": size, "stated_pixel_size": size if img.pixel_size_source == "argument" else None,
    }  # fmt: skip
    return source | {"path": None} if isinstance(item, MicroImage) and not _found_again(source) else source


def _found_again(source: Mapping[str, Any]) -> bool:
    """Whether the address leads to the image, not to one of which it is a channel or a part."""
    try:
        return reopened(source).content_id == str(source["content_id"])
    except MicroNBError:
        return False


def _below(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
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


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.lower().endswith(".zarr") and not any((path / name).exists() for name in _ZARR)
