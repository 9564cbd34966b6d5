"""PNG and JPEG block by block: what holds pixels and colour is copied as it is stored, texts and EXIF stay behind."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import ExifTags, Image

from ..errors import WriteError
from .atomic import writing_file
from .deidentify_tiff import LISTED

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
