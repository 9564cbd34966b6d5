"""Copies of images without personal data. What is copied is named; everything else stays behind, known or not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import WriteError
from .deidentify_picture import clean_picture
from .deidentify_tiff import clean_tiff
from .formats import PICTURE_MAGIC, TIFF_MAGIC
from .image import MicroImage
from .location import Location
from .open import open_image
from .persons import without_persons
from .save import save_image
from .source import Index, Source, SourceOver

_INSTRUMENT = ("objective", "magnification", "na", "immersion", "microscope", "interval_s", "significant_bits")

PICTURED = "text or faces in the pixels themselves are not looked for; look at the copy before you give it away"


@dataclass(frozen=True)
class Deidentified:
    """What became of an image.

    Attributes
    ----------
    path : the copy.
    removed : what it lacks, by name of the entry and never with its content, e.g. ``"Aperio: User, Date"``, ``"label picture"``.
    kept : what of the metadata was copied.
    note : what was not looked for.
    """

    path: Path
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    note: str = PICTURED


def deidentify(path: str | os.PathLike[str], out: str | os.PathLike[str], *, overwrite: bool = False) -> Deidentified:
    """Writes a copy of an image without personal data; the original is not touched.

    Pixels are copied as they are stored. Slides lose their label and macro pictures; TIFF and OME-TIFF keep what describes
    pixels, scale, channels and instrument; PNG and JPEG lose texts and EXIF but the orientation. Any image that can be opened
    can be written as OME-Zarr, which is made anew from pixels, scale and channels.

    Parameters
    ----------
    path : the image.
    out : the copy: a name of the same format, or ``.zarr``.
    overwrite : whether a copy that exists may be replaced.

    Raises
    ------
    WriteError : it cannot be cleaned in this format (says why, and what can be done), or the place is taken; nothing was written.
    """
    source, target = Location.of(path), Path(out)
    _check(source, target, overwrite)
    if target.suffix == ".zarr":
        return _as_zarr(source, target, overwrite)
    head = source.head(16) if source.is_local and not source.is_dir() else b""
    if head[:4] in TIFF_MAGIC and target.suffix.lower() in (".tif", ".tiff", ".svs"):
        return Deidentified(target, *clean_tiff(source.path, target))
    if head.startswith(PICTURE_MAGIC[:2]) and target.suffix.lower() in (".png", ".jpg", ".jpeg"):
        return Deidentified(target, *clean_picture(source.path, target))
    raise WriteError(
        f"{source.uri}: a copy named {target.name} cannot be cleaned; TIFF, SVS, PNG and JPEG are cleaned into their own format, "
        "and every image that opens into OME-Zarr: give a name that ends in .ome.zarr"
    )


def _check(source: Location, target: Path, overwrite: bool) -> None:
    if source.is_local and target.exists() and source.path.exists() and os.path.samefile(source.path, target):
        raise WriteError(f"{target}: the copy would replace the original; give another name")
    if target.exists() and not overwrite:
        raise WriteError(f"{target}: already exists; choose another name or say overwrite=True")
    if source.is_local and not source.exists():
        raise WriteError(f"{source.uri}: nothing is there; check the path")


def _as_zarr(source: Location, target: Path, overwrite: bool) -> Deidentified:
    """Pixels, scale, channels and label images, written anew."""
    img = open_image(source)
    if any(without_persons(c.name) != c.name for c in img.channels):
        raise WriteError(f"{source.uri}: a channel's name holds an address or a person; rename the channel first")
    save_image(MicroImage(_Bare(img.source)), target, overwrite=overwrite)
    removed = [f"metadata: {name.replace('_', ' ')}" for name in img.metadata if name not in _INSTRUMENT]
    kept = (*(n for n in _INSTRUMENT if n in img.metadata), *(f"labels {n}" for n in img.labels))
    removed += ["name of the file", "everything else that it holds"]
    return Deidentified(target, tuple(removed), ("pixels", "pixel size", "channels", *kept))


class _Bare(SourceOver):
    """A source that says of itself what its pixels need, and of the instrument what names no person."""

    format = "image"

    def __init__(self, base: Source) -> None:
        self.base = base
        facts = {k: without_persons(v, k) for k, v in base.info.facts.items() if k in _INSTRUMENT}
        self._info = replace(base.info, facts=facts)

    def read(self, level: int, index: Index) -> np.ndarray:
        return self.base.read(level, index)

    def labels(self) -> Mapping[str, Source]:
        return {name: _Bare(source) for name, source in self.base.labels().items()}
