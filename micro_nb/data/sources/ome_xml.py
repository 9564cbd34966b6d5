"""What an OME-XML block says about one image: pixel size, channels and instrument. Entities and document types are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

from ...errors import CorruptImageError, UnsafeImageError
from ..axes import is_length_unit, to_um
from ..source import Channel

Element = ElementTree.Element
_COLOR = re.compile(r"-?\d+")


@dataclass(frozen=True)
class OmeImage:
    """One ``Image`` of an OME-XML block; ``pixel_size`` in µm by axis, None where y and x are not both given."""

    name: str | None
    pixel_size: dict[str, float] | None
    channels: tuple[Channel, ...]
    facts: dict[str, Any]


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
        return ElementTree.fromstring(xml.encode())
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
    for element in _all(root, "BinaryOnly"):
        return element.get("MetadataFile")
    return None


def describe(root: Element, index: int) -> OmeImage:
    """The ``index``-th image; empty where there are fewer."""
    images = [image for image in _all(root, "Image") if next(_all(image, "Pixels"), None) is not None]
    if index >= len(images):
        return OmeImage(None, None, (), {})
    image = images[index]
    pixels = next(_all(image, "Pixels"))
    return OmeImage(image.get("Name"), _pixel_size(pixels), tuple(_channels(pixels)), _facts(root, image))


def _all(element: Element, tag: str) -> Iterator[Element]:
    """Descendants by local name: the namespace changes with the schema's year."""
    return (e for e in element.iter() if isinstance(e.tag, str) and e.tag.rsplit("}", 1)[-1] == tag)


def _pixel_size(pixels: Element) -> dict[str, float] | None:
    sizes = {}
    for axis in "zyx":
        name = f"PhysicalSize{axis.upper()}"
        value, unit = _number(pixels.get(name)), pixels.get(f"{name}Unit", "µm")
        if value is not None and value > 0 and is_length_unit(unit):
            sizes[axis] = to_um(value, unit)
    return sizes if {"y", "x"} <= set(sizes) else None


def _channels(pixels: Element) -> Iterator[Channel]:
    for i, channel in enumerate(_all(pixels, "Channel")):
        yield Channel(
            name=channel.get("Name") or channel.get("Fluor") or f"channel {i}",
            color=_color(channel.get("Color")),
            emission_nm=_wavelength(channel, "EmissionWavelength"),
            excitation_nm=_wavelength(channel, "ExcitationWavelength"),
        )


def samples_per_channel(root: Element, index: int) -> list[int]:
    """Colour samples of each channel of an image."""
    images = [image for image in _all(root, "Image") if next(_all(image, "Pixels"), None) is not None]
    return [int(c.get("SamplesPerPixel", 1)) for c in _all(images[index], "Channel")] if index < len(images) else []


def _color(text: str | None) -> str | None:
    """OME stores RGBA as one signed 32-bit integer; -1, opaque white, is also its default."""
    if text is None or not _COLOR.fullmatch(text) or text == "-1":
        return None
    rgba = int(text) & 0xFFFFFFFF
    return f"#{rgba >> 8:06x}"


def _wavelength(channel: Element, name: str) -> float | None:
    value, unit = _number(channel.get(name)), channel.get(f"{name}Unit", "nm")
    return round(to_um(value, unit) * 1000, 3) if value and is_length_unit(unit) else None


def _facts(root: Element, image: Element) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": image.get("Name")}
    for element in _all(image, "AcquisitionDate"):
        facts["acquired"] = element.text
    for element in _all(image, "Description"):
        facts["description"] = (element.text or "").strip() or None
    settings = next(_all(image, "ObjectiveSettings"), None)
    objectives = list(_all(root, "Objective"))
    wanted = [o for o in objectives if settings is not None and o.get("ID") == settings.get("ID")] or objectives[:1]
    if wanted and (settings is not None or len(objectives) == 1):
        facts |= {
            "objective": wanted[0].get("Model"), "magnification": _number(wanted[0].get("NominalMagnification")),
            "na": _number(wanted[0].get("LensNA")), "immersion": wanted[0].get("Immersion"),
        }  # fmt: skip
    for microscope in _all(root, "Microscope"):
        facts["microscope"] = " ".join(filter(None, (microscope.get(k) for k in ("Manufacturer", "Model", "Type")))) or None
    pixels = next(_all(image, "Pixels"))
    facts["interval_s"] = _number(pixels.get("TimeIncrement")) if pixels.get("TimeIncrementUnit", "s") == "s" else None
    facts["significant_bits"] = int(b) if (b := pixels.get("SignificantBits", "")).isdigit() else None
    return {k: v for k, v in facts.items() if v is not None}


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < float("inf") else None
