"""TIFF and its relatives as a source: OME-TIFF, ImageJ, SVS, NDPI, SCN, QPTIFF and what else tifffile understands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import PurePath
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from ...errors import CorruptImageError
from ..location import Location
from ..source import Channel, ImageInfo, Index, Level, Source, factor
from ..view import turned
from . import ome_xml
from .library import brief, chosen, reading
from .tiff_frames import Frames
from .tiff_metadata import find_metadata, format_name, is_signed_imagej
from .tiff_parts import Dim, Layout, OpenFiles, arrange, header_file

_ALPHA = (1, 2)
_SAMPLE_SEGMENTS, _SAMPLE_BYTES, _BLOCK = 64, 1 << 16, 1 << 20
_CHECKED_IMAGES = 256
_KINDS = ("ome", "imagej", "svs", "scn", "ndpi", "qpi", "bif", "philips", "lsm", "stk", "fluoview", "sis", "mmstack", "scanimage")
_SPACES = {5: "inks (CMYK)", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab"}
_JPEG = (6, 7, 33003, 33005, 34892, 33007, 34712)


def open_tiff(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> Source:
    """A TIFF file, local or remote; reads headers only.

    Parameters
    ----------
    location : the file, or the ``.companion.ome`` of a multi-file OME-TIFF.
    series : which image of the file; label, macro and thumbnail images come after the main one.
    axes : what each dimension of the series means, where the file does not say it.

    Raises
    ------
    CorruptImageError : truncated, mislabelled, or not decodable.
    UnsafeImageError : a strip or tile that would unpack to more than 1 GiB, or XML that declares entities.
    AxesError : neither the file nor ``axes`` says what a dimension is.
    """
    with reading(location.uri, "TIFF") as notes:
        source = TiffSource(location, series, axes, notes)
    return turned(source, source.orientation, "TIFF")


class TiffSource(Source):
    """One series of a TIFF file with its pyramid levels."""

    def __init__(self, location: Location, series: int, axes: tuple[str, ...] | None, notes: list[str]) -> None:
        self.uri = location.uri
        location, text = _companion(location)
        self._tif, self._ome, text_facts = _open(location, text)
        pages = _choose(self._tif, series, self.uri, notes)
        self._files = OpenFiles(location)
        self.format = format_name(pages)
        page = pages.keyframe
        self.orientation = int(page.tags.valueof(274, 1)) if str(page.tags.valueof(274, 1)).isdigit() else 1
        self._image = self._image_of(page) if self._ome is not None else None
        self._lut = None if axes else _color_table(pages)
        self._keep, self._rgb = _samples(pages, palette=self._lut is not None)
        arranged = [self._arrange(level, axes) for level in (pages, *pages.levels[1:])]
        self._levels = [lv for lv in arranged if _same_but_size(arranged[0][0], lv[0])]
        self._levels = self._levels[: _monotone([layout.sizes for layout, _ in self._levels])]
        for _, frames in self._levels:
            frames.check()
        self.transform = pages.transform
        dtype = np.dtype(np.uint8) if self._lut is not None or pages.dtype.kind == "b" else np.dtype(pages.dtype)
        if dtype.kind not in "uif":
            raise CorruptImageError(f"{self.uri}: pixels of type {pages.dtype} are not intensities")
        self._signed = dtype == np.uint16 and is_signed_imagej(self._tif)
        dtype = np.dtype(np.int16) if self._signed else dtype
        self._info = self._describe(page, pages, series, dtype, text_facts, notes)

    @property
    def info(self) -> ImageInfo:
        return self._info

    def read(self, level: int, index: Index) -> np.ndarray:
        layout, frames = self._levels[level]
        wanted = dict(zip(self._info.axes, self.check(level, index), strict=True))
        cuts, rest = _cuts(layout, wanted)
        box = tuple(cuts.get(k, slice(0, n)) for k, n in zip(("sep", "depth", "y", "x"), frames.shaped[:4], strict=True))
        lead = [(d, cut) for d, cut in zip(layout.dims, rest, strict=True) if d.kind == "lead"]
        out: np.ndarray | None = None
        counts = [cut.stop - cut.start for _, cut in lead]
        for at in product(*(range(n) for n in counts)):
            frame = sum((cut.start + i) * d.stride for (d, cut), i in zip(lead, at, strict=True))
            plane = frames.read(frame, box)[..., cuts.get("contig", slice(None))]  # type: ignore[arg-type]
            if not lead:
                out = plane
                break
            if out is None:
                out = np.empty((*counts, *plane.shape), plane.dtype)
            out[at] = plane
        assert out is not None
        return self._finished(out, layout, rest, wanted)

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        main = self._files.main
        tag = None if full else main.location.etag()
        if tag:
            yield tag.encode()
            return
        if full:
            for source in self._all_files():
                for at in range(0, source.size, _BLOCK):
                    yield source.read(at, min(_BLOCK, source.size - at))
            return
        layout, frames = self._levels[0]
        yield str(main.size).encode()
        for frame in _spread(layout.frames, 8):
            stored = list(frames.segments(frame))
            for k in _spread(len(stored), _SAMPLE_SEGMENTS // 8):
                source, offset, n = stored[k]
                for at in {0, max(n // 2, 0), max(n - _SAMPLE_BYTES, 0)} if n > 3 * _SAMPLE_BYTES else {0}:
                    yield source.read(offset + at, min(_SAMPLE_BYTES, n - at))

    def close(self) -> None:
        self._tif.close()
        self._files.close()

    def _image_of(self, page: Any) -> ome_xml.Element | None:
        """What the OME-XML says of the image that holds ``page``."""
        assert self._ome is not None
        shape = int(page.imagelength), int(page.imagewidth)
        return ome_xml.image_of_page(self._ome, page.parent.filename, int(page.index), shape=shape)

    def _arrange(self, level: Any, axes: tuple[str, ...] | None) -> tuple[Layout, Frames]:
        layout = arrange(level, axes, samples=self._keep, palette=self._lut is not None, uri=str(self.uri))
        return layout, Frames(level, self._files, layout.frames, str(self.uri))

    def _all_files(self) -> Iterator[Any]:
        paths: set[str] = set()
        for page in self._levels[0][1].series if not self._levels[0][1].series.is_truncated else ():
            if page is not None and page.parent.filehandle is not self._tif.filehandle:
                paths.add(page.parent.filehandle.path)
        yield self._files.main
        yield from (self._files.of(path) for path in sorted(paths))

    def _finished(self, out: np.ndarray, layout: Layout, rest: list[slice], wanted: Mapping[str, slice]) -> np.ndarray:
        """From stored order to canonical order, colours applied."""
        lead = [d for d in layout.dims if d.kind == "lead"]
        kept = {d.kind for d in layout.dims}
        for position, kind in reversed(list(enumerate(("sep", "depth", "y", "x", "contig"), start=len(lead)))):
            if kind not in kept:
                out = out.squeeze(position)
        if out.dtype.kind == "b":
            out = out.view(np.uint8)
        if self._lut is not None:
            out = self._lut[out][..., wanted["c"]]
        if self.transform is not None:
            out = self.transform(out)
        if self._signed:
            out = (out ^ np.uint16(0x8000)).view(np.int16)
        names = [d.axis for d in layout.dims]
        order = sorted(range(len(names)), key=lambda i: (self._info.axes.index(names[i]), i))
        out = out.transpose(order)
        if names.count("c") == 2:
            at, inner = self._info.axes.index("c"), [d.size for d in layout.dims if d.axis == "c"][1]
            out = out.reshape(*out.shape[:at], -1, *out.shape[at + 2 :])
            first = wanted["c"].start - wanted["c"].start // inner * inner
            out = out[(slice(None),) * at + (slice(first, first + wanted["c"].stop - wanted["c"].start),)]
        return np.ascontiguousarray(out)

    def _describe(self, page: Any, pages: Any, series: int, dtype: Any, facts: dict[str, Any], notes: list[str]) -> ImageInfo:
        found = find_metadata(self._tif, pages, self._ome, self._image)
        layout = self._levels[0][0]
        n = layout.sizes.get("c", 1)
        channels = () if self._rgb else _channels(found.channels, n, self._image)
        cautions = [*found.cautions, *facts.get("cautions", ())]
        facts = found.facts | facts | _other_images(self._tif, series, pages)
        if found.channels and not (channels or self._rgb):
            cautions.append(f"{len(found.channels)} channels are described where the image has {n}; their names are not used")
        if self._keep is not None and page.samplesperpixel > self._keep:
            facts["alpha"] = "the alpha channel is left out"
        if not self._rgb and (space := _SPACES.get(int(page.photometric))) and page.samplesperpixel > 2:
            cautions.append(f"its samples are {space} as stored, not amounts of light, and are not converted")
        if self._lut is not None:
            facts["palette"] = "indices are shown as the colours of the file's table"
            cautions.append(facts["palette"] + "; axes='yx' gives the indices")
        missing = 0 if pages.is_truncated else sum(p is None for p in pages)
        cautions += [f"{missing} of its {len(pages)} planes are not there"] if missing else []
        facts |= {"missing_planes": missing or None, "warnings": notes[:10], "cautions": cautions}
        return ImageInfo(
            axes=layout.axes, dtype=dtype, levels=tuple(self._level(k) for k in range(len(self._levels))), channels=channels,
            rgb=self._rgb and n == 3, pixel_size=found.pixel_size, pixel_size_source=found.pixel_size_source, facts=facts,
        )  # fmt: skip

    def _level(self, k: int) -> Level:
        (first, _), (layout, frames) = self._levels[0], self._levels[k]
        sizes, rows = layout.sizes, dict(zip(("y", "x"), frames.chunk, strict=True))
        kinds = {d.axis: d.kind for d in layout.dims}
        chunks = {a: rows.get(kinds[a], sizes[a] if kinds[a] in ("contig", "palette") else 1) for a in layout.axes}
        scale = {a: factor(first.sizes[a], sizes[a]) for a in layout.axes}
        axes = layout.axes
        return Level(
            tuple(sizes[a] for a in axes), tuple(chunks[a] for a in axes), tuple(scale[a] for a in axes), (0.0,) * len(axes)
        )


def _companion(location: Location) -> tuple[Location, str | None]:
    """For a ``.companion.ome``: its first TIFF and its text; any other location comes back as it is."""
    if not location.name.endswith(".companion.ome"):
        return location, None
    with location.open() as file:
        text = ome_xml.xml_text(file.read())
    names = ome_xml.named_files(ome_xml.parse_ome(text, uri=location.uri), uri=location.uri)
    if not names:
        raise CorruptImageError(f"{location.uri}: this OME companion names no TIFF file")
    return Location.of(location.uri.rsplit("/", 1)[0] + "/" + names[0] if "/" in location.uri else names[0]), text


def _open(location: Location, text: str | None) -> tuple[tifffile.TiffFile, ome_xml.Element | None, dict[str, Any]]:
    """The parsed file, its OME-XML, and facts about a multi-file set."""
    tif = _parsed(location, text)
    xml = tif.ome_metadata
    if not tif.pages:
        raise CorruptImageError(f"{location.uri}: this TIFF holds no image")
    if not xml or tif.pages.first.is_shaped:
        cut = "<OME" in tif.pages.first.description[:2000] and not xml
        return tif, None, {"cautions": ["its OME-XML is cut short and not used"] if cut else []}
    try:
        root = ome_xml.parse_ome(xml, uri=location.uri)
    except CorruptImageError as error:
        return tif, None, {"cautions": [str(error)]}
    ome_xml.named_files(root, uri=location.uri)
    beside = ome_xml.companion_name(root)
    if beside is None or text is not None:
        corrected = _as_stored(tif, root)
        if corrected:
            tif.close()
            tif = _parsed(location, ElementTree.tostring(root, "unicode"))
        return tif, root, {"cautions": corrected}
    if location.is_local and PurePath(beside).name == beside and (found := location.path.parent / beside).is_file():
        tif.close()
        return _open(location, ome_xml.xml_text(found.read_bytes()))
    return tif, None, {"set": f"part of a multi-file OME-TIFF whose metadata file {beside} is missing; this is one file of it"}


def _parsed(location: Location, omexml: str | None) -> tifffile.TiffFile:
    return tifffile.TiffFile(header_file(location), omexml=omexml, name=None if location.is_local else location.name)


def _as_stored(tif: tifffile.TiffFile, root: ome_xml.Element) -> list[str]:
    """Puts the sizes of the pages where images declare others (as after a crop); says so in sentences."""
    said: list[str] = []
    images = ome_xml.images_with_pixels(root)[:_CHECKED_IMAGES]
    if len(images) == 1 and (shorter := ome_xml.redeclare_planes(images[0], len(tif.pages))):
        said.append(shorter)
    for image in images:
        first = ome_xml.first_page(image, root, tif.filename)
        if first is None or not 0 <= first < len(tif.pages):
            continue
        page: Any = tif.pages[first].keyframe
        declared = ome_xml.declared_plane(image)
        stored = int(page.imagelength), int(page.imagewidth)
        if declared != stored:
            ome_xml.redeclare_plane(image, stored)
            said.append(
                f"its OME-XML declares {declared[1]} x {declared[0]} pixels (x, y) where the TIFF holds "
                f"{stored[1]} x {stored[0]}; the TIFF counts"
            )
    return said


def _choose(tif: tifffile.TiffFile, series: int, uri: str, notes: list[str]) -> Any:
    try:
        tif.series  # noqa: B018
    except Exception as error:  # what some software says of its pages cannot be; the pages may be sound
        flags = {f"is_{name}": False for name in _KINDS if getattr(tif, f"is_{name}")}
        if not flags:
            raise
        kinds = ", ".join(k[3:] for k in flags)
        notes.append(f"what {kinds} metadata say of the pages cannot be ({brief(error)}); pages are as stored")
        for flag in flags:
            setattr(tif, flag, False)
    pages = chosen(tif.series, series, uri)
    if pages.keyframe.dtype is None or not all(pages.shape):
        raise CorruptImageError(f"{uri}: a {pages.shape} image of unsupported or damaged pixel type")
    return pages


def _other_images(tif: tifffile.TiffFile, series: int, pages: Any) -> dict[str, Any]:
    others = [f"{k}: {s.name or 'image'} {'x'.join(map(str, s.shape))}" for k, s in enumerate(tif.series) if k != series]
    return {"associated" if pages.kind in ("svs", "ndpi", "scn", "qpi", "bif") else "series": others[:100]} if others else {}


def _color_table(series: Any) -> np.ndarray | None:
    """``(n, 3) uint8``; None for microscope software, whose tables colour the display of measured values."""
    page = series.keyframe
    if int(page.photometric) != 3 or page.colormap is None or page.bitspersample > 8 or page.samplesperpixel != 1:
        return None
    table = (page.colormap.T >> 8).astype(np.uint8)
    if series.kind in ("imagej", "ome", "lsm", "stk", "mmstack") or (table == table[:, :1]).all():
        return None
    full = np.zeros((256, 3), np.uint8)
    full[: len(table)] = table
    return full


def _samples(series: Any, *, palette: bool) -> tuple[int | None, bool]:
    """How many samples to keep (None: all), and whether they are one colour picture."""
    page = series.keyframe
    n, extra = page.samplesperpixel, tuple(int(e) for e in page.extrasamples)
    photometric = int(page.photometric)
    color = (photometric == 2 or (photometric == 6 and int(page.compression) in _JPEG)) and n - len(extra) == 3
    if n > 1 and len(extra) == 1 and extra[0] in _ALPHA:
        return n - 1, color or palette
    return None, (color and n == 3) or palette


def _channels(found: tuple[Channel, ...], n: int, image: ome_xml.Element | None) -> tuple[Channel, ...]:
    """One entry per channel; a channel of several samples is spread; nothing where the counts do not agree."""
    if image is not None and found and len(found) != n:
        per = ome_xml.samples_per_channel(image)
        found = tuple(Channel(f"{c.name} {k}") for c, m in zip(found, per, strict=True) for k in range(m))
    return found if len(found) == n else ()


def _same_but_size(a: Layout, b: Layout) -> bool:
    def key(d: Dim) -> tuple[Any, ...]:
        return d.axis, d.kind, None if d.kind in ("y", "x") else d.size

    return [key(d) for d in a.dims] == [key(d) for d in b.dims]


def _monotone(sizes: list[dict[str, int]]) -> int:
    """How many levels get smaller one after the other, neither side growing."""
    n = 1
    while n < len(sizes):
        before, now = sizes[n - 1], sizes[n]
        if now == before or any(now[a] > before[a] for a in now):
            break
        n += 1
    return n


def _cuts(layout: Layout, wanted: Mapping[str, slice]) -> tuple[dict[str, slice], list[slice]]:
    """Slices by kind inside a page, and one slice per stored dimension."""
    cuts: dict[str, slice] = {}
    rest: list[slice] = []
    double = [d for d in layout.dims if d.axis == "c"]
    for d in layout.dims:
        cut = wanted[d.axis]
        if len(double) == 2 and d is double[0]:  # channels that each have colour samples: read whole channels
            cut = slice(cut.start // double[1].size, -(-cut.stop // double[1].size))
        elif len(double) == 2 and d is double[1]:
            cut = slice(0, d.size)
        if d.kind not in ("lead", "palette"):
            cuts[d.kind] = cut
        rest.append(cut)
    return cuts, rest


def _spread(n: int, most: int) -> list[int]:
    return sorted({int(i) for i in np.linspace(0, n - 1, min(n, most))}) if n else []
