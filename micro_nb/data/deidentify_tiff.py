"""TIFF, OME-TIFF and SVS made anew: the listed tags and the stored pixels are copied, all else stays behind, known or not."""

from __future__ import annotations

import re
import struct
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

import tifffile

from ..errors import WriteError
from .atomic import writing_file
from .sources.ome_xml import parse_ome

LISTED = tomllib.loads(files(__package__).joinpath("deidentify.toml").read_text(encoding="utf-8"))
_KEPT, _OME = frozenset(LISTED["tiff_tags"]), LISTED["ome"]
_PIXELS = {273: 279, 324: 325}
_DESCRIPTION, _SUBIFDS = 270, 330
_KINDS = ("ome", "svs", "imagej", "shaped", "uniform", "generic")
_PRIVATE = ("ndpi", "scn", "bif", "philips", "qpi", "lsm", "stk", "fluoview", "sis", "avs")
_IMAGEJ = re.compile(r"-?[\d.E+-]+|true|false|composite|color|grayscale|micron|um|nm|mm|\\u00B5m|µm|pixel|sec|inch|cm")
_SIDE_PICTURES = ("label", "macro")
_REMEDY = "write it as OME-Zarr, which is made anew from pixels, scale and channels: give a name that ends in .ome.zarr"


_Entry = tuple[int, int, int, bytes]
"""Tag, type, count and value."""


@dataclass
class _Said:
    """What is left out and what is kept, by name."""

    removed: dict[str, None] = field(default_factory=dict)
    kept: dict[str, None] = field(default_factory=dict)


def clean_tiff(path: Path, target: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Writes the copy; names of what was removed, and of what was kept.

    Raises
    ------
    WriteError : a variety that cannot be read without its private tags, a file of a set, or old JPEG; nothing was written.
    """
    said = _Said()
    with tifffile.TiffFile(path) as tif, path.open("rb") as source:
        _refuse(tif, path)
        sides = _side_pages(tif, said)
        pages = [page for k, page in enumerate(tif.pages) if k not in sides]
        texts = [_description(tif, page, k == 0, said) for k, page in enumerate(pages)]
        with writing_file(target) as partial, partial.open("wb") as out:
            _Copy(tif, source, out, said).write(pages, texts)
    return tuple(said.removed), ("pixels", *said.kept)


def _refuse(tif: tifffile.TiffFile, path: Path) -> None:
    kind = tif.series[0].kind if tif.series else "generic"
    private = next((name for name in _PRIVATE if getattr(tif, f"is_{name}", False)), None)
    if private or kind not in _KINDS:
        raise WriteError(f"{path}: {private or kind} files keep what is needed to read them in private tags; {_REMEDY}")
    if any(int(getattr(page, "compression", 1)) == 6 for page in tif.pages):
        raise WriteError(f"{path}: old-style JPEG cannot be copied part by part; {_REMEDY}")
    if tif.ome_metadata:
        names = {e.get("FileName") for e in parse_ome(tif.ome_metadata, uri=str(path)).iter() if e.get("FileName")}
        if len(names) > 1 or "BinaryOnly" in tif.ome_metadata:
            raise WriteError(f"{path}: is one file of a set, which would have to be cleaned together; {_REMEDY}")


def _side_pages(tif: tifffile.TiffFile, said: _Said) -> set[int]:
    """Positions of label and macro pictures: they show the slide's label, and what is written on it."""
    found: set[int] = set()
    for series in tif.series:
        name = str(series.name).lower()
        if series is not tif.series[0] and any(word in name for word in _SIDE_PICTURES):
            found |= {page.index for page in series.pages if page is not None}
            said.removed[f"{name} picture"] = None
    return found


def _description(tif: tifffile.TiffFile, page: Any, first: bool, said: _Said) -> str:
    """What is kept of the text of a page."""
    text = getattr(page, "description", "") or ""
    if tif.is_ome and first:
        return _ome(text, said)
    if tif.is_svs:
        return _aperio(text, said)
    if tif.is_imagej and first:
        return _lines(text, said)
    if tif.is_shaped and first and re.fullmatch(r"\{\"shape\": \[[\d, ]+\][^{}]*\}", text):
        return re.sub(r",(?!\s*\d)[^{}\]]*(?=\})", "", text)
    if text:
        said.removed["description"] = None
    return ""


def _aperio(text: str, said: _Said) -> str:
    head, *pairs = text.split("|")
    kept = []
    for pair in pairs:
        name = pair.partition("=")[0].strip()
        (said.kept if name in LISTED["aperio"] else said.removed)[f"Aperio {name}"] = None
        kept += [pair] if name in LISTED["aperio"] else []
    lines = head.splitlines() or [""]
    size = next((m[0] for line in lines[1:] if (m := re.search(r"\d+x\d+.*", line))), "")
    return "|".join(["\r\n".join(filter(None, (re.sub(r"[^\w .]", "", lines[0]), size))), *kept])


def _lines(text: str, said: _Said) -> str:
    """ImageJ's own lines, which are numbers and flags."""
    kept = []
    for line in text.splitlines():
        name, _, value = line.partition("=")
        plain = (name == "ImageJ" and re.fullmatch(r"[\w.]+", value)) or _IMAGEJ.fullmatch(value.strip())
        (said.kept if plain else said.removed)[f"ImageJ {name.strip()[:40]}"] = None
        kept += [line] if plain else []
    return "\n".join(kept) + "\n"


def _ome(text: str, said: _Said) -> str:
    root = parse_ome(text, uri="OME-XML")
    names = {value for e in root.iter() if _tag(e) == "Experimenter" for value in e.attrib.values() if len(value) > 2}
    _strip(root, said, names)
    space = re.match(r"\{([^}]*)\}", root.tag)
    if space:
        ElementTree.register_namespace("", space[1])
    return '<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(root, encoding="unicode")


def _strip(element: ElementTree.Element, said: _Said, names: set[str]) -> None:
    """Leaves the listed elements and attributes; a channel named after a person loses its name."""
    tag, element.text, element.tail = _tag(element), None, None
    for name in list(element.attrib):
        personal = any(n.lower() in element.attrib[name].lower() for n in names) and name not in ("ID",)
        if name.rsplit("}", 1)[-1] not in _OME[tag] or personal:
            if not name.startswith("{"):
                said.removed[f"OME {tag} {name}"] = None
            del element.attrib[name]
    for child in list(element):
        if _tag(child) in _OME:
            said.kept[f"OME {_tag(child)}"] = None
            _strip(child, said, names)
        else:
            said.removed[f"OME {_tag(child)}"] = None
            element.remove(child)


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


class _Copy:
    """Writes pages of one TIFF into another, in the same byte order and offset size."""

    def __init__(self, tif: tifffile.TiffFile, source: IO[bytes], out: IO[bytes], said: _Said) -> None:
        self.tif, self.source, self.out, self.said = tif, source, out, said
        self.order, self.big = tif.byteorder, tif.is_bigtiff
        self.inline = 8 if self.big else 4

    def write(self, pages: list[Any], texts: list[str]) -> None:
        """Header, the pixels of all pages, then their directories one after another."""
        mark = b"II" if self.order == "<" else b"MM"
        head = struct.pack(f"{self.order}HHH", 43, 8, 0) if self.big else struct.pack(f"{self.order}H", 42)
        self.out.write(mark + head + self._words(0))
        entries = [self._entries(page, text) for page, text in zip(pages, texts, strict=True)]
        places = [self._directory(some, more=k < len(pages)) for k, some in enumerate(entries, 1)]
        self.out.seek(len(mark + head))
        self.out.write(self._words(places[0]))

    def _entries(self, page: Any, text: str) -> list[_Entry]:
        """What the directory of a page holds; its pixels, and the pages below it, are written."""
        page = getattr(page, "aspage", lambda: page)()
        entries: list[_Entry] = []
        for tag in page.tags:
            if tag.code in _KEPT and tag.code not in (_SUBIFDS, *_PIXELS, *_PIXELS.values()):
                self.source.seek(tag.valueoffset)
                size = struct.calcsize(tifffile.TIFF.DATA_FORMATS[int(tag.dtype)]) * tag.count
                entries.append((tag.code, int(tag.dtype), tag.count, self.source.read(size)))
            elif tag.code not in _KEPT and tag.code != _DESCRIPTION:
                self.said.removed[f"tag {tag.name}"] = None
        if text:
            data = text.encode("utf-8") + b"\0"
            entries.append((_DESCRIPTION, 2, len(data), data))
        code, kind = 324 if 324 in page.tags else 273, 16 if self.big else 4
        parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        lists = {code: [self._copied(*part) for part in parts], _PIXELS[code]: [size for _, size in parts]}
        if page.subifds:
            lists[_SUBIFDS] = [self._directory(self._entries(sub, "")) for sub in page.pages]
        return entries + [(code, kind, len(values), self._words(*values)) for code, values in lists.items()]

    def _copied(self, at: int, size: int) -> int:
        """Where a strip or tile was copied to, as it is stored; 0 for one that is not there."""
        place = self._even() if size else 0
        self.source.seek(at)
        while size:
            block = self.source.read(min(size, 1 << 22))
            if not block:
                raise WriteError(f"{self.tif.filename}: is cut short, so it cannot be copied")
            self.out.write(block)
            size -= len(block)
        return place

    def _directory(self, entries: list[_Entry], *, more: bool = False) -> int:
        """Where a directory was written, its values behind it; ``more``: another one follows it."""
        at = self._even()
        head, values = [struct.pack(f"{self.order}{'Q' if self.big else 'H'}", len(entries))], []
        end = at + len(head[0]) + len(entries) * (4 + 2 * self.inline) + self.inline
        for code, kind, count, data in sorted(entries):
            head.append(struct.pack(f"{self.order}HH", code, kind) + self._words(count))
            if len(data) <= self.inline:
                head.append(data.ljust(self.inline, b"\0"))
            else:
                head.append(self._words(end))
                values.append(data + b"\0" * (len(data) % 2))
                end += len(values[-1])
        self.out.write(b"".join((*head, self._words(end if more else 0), *values)))
        return at

    def _words(self, *values: int) -> bytes:
        if not self.big and max(values) >= 1 << 32:
            raise WriteError(f"{self.tif.filename}: the copy would not fit a classic TIFF; {_REMEDY}")
        return struct.pack(f"{self.order}{len(values)}{'Q' if self.big else 'I'}", *values)

    def _even(self) -> int:
        """The next even place, which is where the file goes on."""
        self.out.write(b"\0" * (self.out.tell() % 2))
        return self.out.tell()
