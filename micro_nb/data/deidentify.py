"""Copies of images without personal data. What is copied is named; everything else stays behind, known or not."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import ExifTags, Image

from ..errors import WriteError
from .atomic import writing_file
from .deidentify_tiff import LISTED, clean_tiff
from .formats import PICTURE_MAGIC, TIFF_MAGIC
from .image import MicroImage
from .location import Location
from .open import open_image
from .persons import without_persons
from .save import save_image
from .source import Source, SourceOver

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
    if source.is_local and target.exists() and source.path.exists() and os.path.samefile(source.path, target):
        raise WriteError(f"{target}: the copy would replace the original; give another name")
    if target.exists() and not overwrite:
        raise WriteError(f"{target}: already exists; choose another name or say overwrite=True")
    if source.is_local and not source.exists():
        raise WriteError(f"{source.uri}: nothing is there; check the path")
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

    def labels(self) -> Mapping[str, Source]:
        return {name: _Bare(source) for name, source in self.base.labels().items()}


_PNG = b"\x89PNG\r\n\x1a\n"
_PROFILE, _JFIF, _ADOBE = b"ICC_PROFILE\0", b"JFIF\0", b"Adobe"
_ALONE = (0x01, *range(0xD0, 0xD8))


def clean_picture(path: Path, target: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Writes the copy; names of what was removed, and of what was kept.

    Raises
    ------
    WriteError : the file is damaged, or the copy has the suffix of another format; nothing was written.
    """
    data = path.read_bytes()
    png = data.startswith(_PNG)
    if png != (target.suffix.lower() == ".png"):
        raise WriteError(f"{target}: the copy keeps the format of {path.name}; give it the same suffix")
    removed: dict[str, None] = {}
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1)
        blocks = list(_png(data, turned, removed) if png else _jpeg(data, turned, removed))
    except (struct.error, IndexError, ValueError, OSError, SyntaxError):
        raise WriteError(f"{path}: is cut short or damaged, so it cannot be cleaned") from None
    with writing_file(target) as partial:
        partial.write_bytes(b"".join(blocks))
    return tuple(removed), ("pixels", *(["orientation"] if turned != 1 else []))


def _png(data: bytes, turned: int, removed: dict[str, None]) -> Iterator[bytes]:
    yield _PNG
    at = len(_PNG)
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        block = data[at : at + 12 + size]
        if len(block) < 12 + size:
            raise IndexError
        if kind.decode("latin-1") in LISTED["png_chunks"]:
            yield block
            if kind == b"IHDR" and turned != 1:
                exif = _orientation(turned)
                yield struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
        else:
            removed[f"PNG {kind.decode('latin-1')}"] = None
        at += 12 + size
        if kind == b"IEND":
            break
    if at < len(data):
        removed["bytes behind the picture"] = None


def _jpeg(data: bytes, turned: int, removed: dict[str, None]) -> Iterator[bytes]:
    yield data[:2]
    if turned != 1:
        exif = b"Exif\0\0" + _orientation(turned)
        yield b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    at = 2
    while True:
        while data[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = data[at + 1]
        if data[at] != 0xFF:
            raise IndexError
        if marker == 0xD9:
            yield b"\xff\xd9"
            if at + 2 < len(data):
                removed["bytes behind the picture"] = None
            return
        end = at + 2 + (0 if marker in _ALONE else struct.unpack_from(">H", data, at + 2)[0])
        body = data[at + 4 : end]
        application = 0xE0 <= marker <= 0xEF
        if (not application and marker != 0xFE) or body.startswith((_PROFILE, _JFIF, _ADOBE)):
            jfif = b"\xff\xe0\x00\x10" + body[:12] + b"\0\0"  # without its thumbnail
            yield jfif if marker == 0xE0 else data[at:end]
        else:
            removed["JPEG comment" if marker == 0xFE else f"JPEG {_name(body)}"] = None
        at = end
        if marker == 0xDA:
            stop = _scan_end(data, at)
            yield data[at:stop]
            at = stop


def _name(body: bytes) -> str:
    return body.split(b"\0")[0][:24].decode("latin-1") or "application data"


def _scan_end(data: bytes, at: int) -> int:
    """Where the entropy-coded data end: at a marker that is neither stuffing nor a restart."""
    at = data.index(b"\xff", at)
    while data[at + 1] in (0, 0xFF, *_ALONE):
        at = data.index(b"\xff", at + (1 if data[at + 1] == 0xFF else 2))
    return at


def _orientation(turned: int) -> bytes:
    """EXIF that holds the orientation alone."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turned
    return exif.tobytes().removeprefix(b"Exif\0\0")
