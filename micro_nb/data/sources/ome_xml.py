"""What an OME-XML block says about one image: pixel size, channels and instrument. Entities and document types are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

from ...errors import CorruptImageError, UnsafeImageError
from ..axes import is_length_unit, positive, stage_of, to_number, to_seconds, to_um
from ..source import Channel

Element = ElementTree.Element
_COLOR = re.compile(r"-?\d+")


@dataclass
class Found:
    """What was found in metadata: pixel size in µm by axis with what said so, channels, facts, cautions."""

    pixel_size: dict[str, float] | None = None
    pixel_size_source: str | None = None
    channels: tuple[Channel, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    cautions: list[str] = field(default_factory=list)


def parse_ome(xml: str, *, uri: str) -> Element:
    """The root element.

    Raises
    ------
    UnsafeImageError : it declares a document type or entities, which OME-XML never needs.
    CorruptImageError : it is not well formed.
    """
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise UnsafeImageError(f"{uri}: its OME-XML declares a document type or entities; refused, as OME-XML needs neither")
    try:
        return ElementTree.fromstring(xml)  # a text: whatever encoding it declares was that of its bytes
    except ElementTree.ParseError as error:
        raise CorruptImageError(f"{uri}: its OME-XML is not well formed ({error})") from None


def named_files(root: Element, *, uri: str) -> list[str]:
    """Names of the files of a multi-file set; UnsafeImageError where one points outside the folder."""
    names = [f for e in _all(root, "UUID") if (f := e.get("FileName"))]
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise UnsafeImageError(f"{uri}: its OME-XML names the file {name!r}, which lies outside its folder; refused")
    return list(dict.fromkeys(names))


def companion_name(root: Element) -> str | None:
    """The metadata file that a ``BinaryOnly`` block points to, if it is one."""
    return next((element.get("MetadataFile") for element in _all(root, "BinaryOnly")), None)


def xml_text(data: bytes) -> str:
    """The text of an XML file in the encoding that it declares, UTF-8 where it declares none."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    declared = re.match(rb"""(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding=["']([\w.-]+)["']""", data[:200])
    try:
        return data.decode(declared[1].decode() if declared else "utf-8-sig", "replace").removeprefix("\ufeff")
    except LookupError:  # no such encoding
        return data.decode("utf-8-sig", "replace")


def images_with_pixels(root: Element) -> list[Element]:
    """The ``Image`` elements that say something of pixels, whether these are in this file or not."""
    return [image for image in _all(root, "Image") if next(_all(image, "Pixels"), None) is not None]


def image_of_page(root: Element, file: str, page: int, *, name: str = "", shape: tuple[int, int] | None = None) -> Element | None:
    """The ``Image`` whose pixels are in a page of a file: by what its ``TiffData`` say, never by its position.

    Parameters
    ----------
    file, page : name of the file and number of the page (IFD) in it.
    name, shape : of the image and ``(y, x)``, which decide where several images claim the page.
    """
    images = images_with_pixels(root)
    claimed = [image for image in images if any(page in _pages(e, root, file) for e in _all(image, "TiffData"))]
    found = claimed or images
    for same in (lambda i: declared_plane(i) == shape, lambda i: i.get("Name", "") == name):
        if len(found) > 1:
            found = [image for image in found if same(image)] or found
    return found[0] if len(found) == 1 or (claimed and found) else None


def first_page(image: Element, root: Element, file: str) -> int | None:
    """The first page of ``file`` that an image claims; None where it claims none, or all."""
    pages = [_pages(e, root, file) for e in _all(image, "TiffData")]
    return min((p.start for p in pages if p), default=None)


def _pages(data: Element, root: Element, file: str) -> range:
    """Pages of ``file`` that a ``TiffData`` names."""
    for uuid in _all(data, "UUID"):
        named = PurePosixPath(uuid.get("FileName", "").replace("\\", "/")).name.lower()
        own = root.get("UUID") is not None and uuid.text == root.get("UUID")
        if not own and named != file.lower():
            return range(0)
    first, count = (int(to_number(data.get(k)) or 0) for k in ("IFD", "PlaneCount"))
    count = count or int(to_number(data.get("NumPlanes")) or 0) or (1 if data.get("IFD") is not None else 1 << 62)
    return range(first, first + count)


def declared_plane(image: Element) -> tuple[int, int]:
    """``(y, x)`` that an image declares."""
    pixels = next(_all(image, "Pixels"))
    return int(to_number(pixels.get("SizeY")) or 0), int(to_number(pixels.get("SizeX")) or 0)


def redeclare_planes(image: Element, pages: int) -> str | None:
    """Shortens the slowest axis of an image that declares more planes than its file has pages; says where the counts differ.

    Only where the planes simply follow each other; planes that are listed one by one keep their places.
    """
    pixels, listed = next(_all(image, "Pixels")), list(_all(image, "TiffData"))
    sizes = {a: int(to_number(pixels.get(f"Size{a}")) or 1) for a in "ZCT"}
    spp = samples_per_channel(image)
    planes = sizes["Z"] * sizes["T"] * (sizes["C"] // (spp[0] if spp else 1) or 1)
    placed = len(listed) > 1 or any(e.get(f"First{a}") is not None or list(_all(e, "UUID")) for e in listed for a in "ZCT")
    slowest = next((a for a in reversed(pixels.get("DimensionOrder", "XYZCT")) if sizes.get(a, 1) > 1), None)
    coloured = slowest == "C" and max(spp, default=1) > 1
    if planes < pages:
        return f"its OME-XML declares {planes} planes where the TIFF holds {pages}; the others are left out"
    if planes == pages or placed or slowest is None or (pages * sizes[slowest]) % planes or coloured:
        return None
    pixels.set(f"Size{slowest}", str(pages * sizes[slowest] // planes))
    for e in listed:
        e.set("PlaneCount", str(pages))
    return f"its OME-XML declares {planes} planes where the TIFF holds {pages}; {slowest.lower()} is as long as what is there"


def redeclare_plane(image: Element, shape: tuple[int, int]) -> None:
    """States another ``(y, x)``."""
    pixels = next(_all(image, "Pixels"))
    pixels.set("SizeY", str(shape[0]))
    pixels.set("SizeX", str(shape[1]))


def describe(root: Element, image: Element | None) -> Found:
    """What is said of one image; nothing, and why, where it is not known which."""
    if image is None:
        n = len(images_with_pixels(root))
        return Found(cautions=[f"its OME-XML describes {n} images and does not say which of them this is; none is used"])
    pixels = next(_all(image, "Pixels"))
    said = [(k, v) for k, v in pixels.items() if k.startswith("PhysicalSize")]
    odd = [f"{k}={v!r}" for k, v in said if not (is_length_unit(v) if k.endswith("Unit") else positive(v))]
    cautions = [f"what is no length above zero in its pixel size ({', '.join(odd)}) is not used"] if odd else []
    source = "OME-XML PhysicalSizeX, PhysicalSizeY"
    return Found(_pixel_size(pixels), source, tuple(_channels(pixels)), _facts(root, image, pixels), cautions)


def _all(element: Element, tag: str) -> Iterator[Element]:
    """Descendants by local name: the namespace changes with the schema's year."""
    return (e for e in element.iter() if isinstance(e.tag, str) and e.tag.rsplit("}", 1)[-1] == tag)


def _pixel_size(pixels: Element) -> dict[str, float]:
    said = {a: (positive(pixels.get(f"PhysicalSize{a}")), pixels.get(f"PhysicalSize{a}Unit", "µm")) for a in "ZYX"}
    return {a.lower(): to_um(value, unit) for a, (value, unit) in said.items() if value and is_length_unit(unit)}


def _channels(pixels: Element) -> Iterator[Channel]:
    for i, channel in enumerate(_all(pixels, "Channel")):
        yield Channel(
            name=channel.get("Name") or channel.get("Fluor") or f"channel {i}",
            color=_color(channel.get("Color")),
            emission_nm=_wavelength(channel, "EmissionWavelength"),
            excitation_nm=_wavelength(channel, "ExcitationWavelength"),
        )


def samples_per_channel(image: Element) -> list[int]:
    """Colour samples of each channel of an image."""
    return [max(int(to_number(c.get("SamplesPerPixel", "1")) or 1), 1) for c in _all(image, "Channel")]


def _color(text: str | None) -> str | None:
    """OME stores RGBA as one signed 32-bit integer; -1, opaque white, is also its default."""
    if text is None or not _COLOR.fullmatch(text) or text == "-1":
        return None
    rgba = int(text) & 0xFFFFFFFF
    return f"#{rgba >> 8:06x}"


def _wavelength(channel: Element, name: str) -> float | None:
    value, unit = positive(channel.get(name)), channel.get(f"{name}Unit", "nm")
    return round(to_um(value, unit) * 1000, 3) if value and is_length_unit(unit) else None


def _facts(root: Element, image: Element, pixels: Element) -> dict[str, Any]:
    texts = (("acquired", "AcquisitionDate"), ("description", "Description"))
    facts: dict[str, Any] = {name: (e.text or "").strip() for name, tag in texts for e in _all(image, tag)}
    settings, objectives = next(_all(image, "ObjectiveSettings"), None), list(_all(root, "Objective"))
    wanted = [o for o in objectives if settings is not None and o.get("ID") == settings.get("ID")] or objectives[:1]
    lens = wanted[0].attrib if wanted and (settings is not None or len(objectives) == 1) else {}
    instruments, told = list(_all(root, "Instrument")), [e.get("ID") for e in _all(image, "InstrumentRef")]
    own = [i for i in instruments if i.get("ID") in told] or (instruments if len(instruments) == 1 else [])
    for microscope in (m for i in own for m in _all(i, "Microscope")):
        facts["microscope"] = " ".join(filter(None, (microscope.get(k) for k in ("Manufacturer", "Model", "Type"))))
    plane = next((e for e in _all(image, "Plane") if e.get("PositionX")), None)
    if plane is not None:
        at = (plane.get(f"Position{axis}") for axis in "XYZ")
        facts["stage"] = stage_of(at, plane.get("PositionXUnit", "reference frame"))
    interval, bits = to_number(pixels.get("TimeIncrement")), pixels.get("SignificantBits", "")
    return facts | {
        "name": image.get("Name"), "objective": lens.get("Model"), "magnification": to_number(lens.get("NominalMagnification")),
        "na": to_number(lens.get("LensNA")), "immersion": lens.get("Immersion"),
        "interval_s": to_seconds(interval, pixels.get("TimeIncrementUnit", "s")) if interval else None,
        "significant_bits": int(bits) if bits.isdigit() else None,
    }  # fmt: skip
