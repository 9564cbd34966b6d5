"""Tools that state what is known of the image without measuring its content: size, scale, depth, channels, planes, metadata."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ...data.image import MicroImage
from ...data.persons import without_persons
from ...errors import EvidenceError, UnitsError
from ..registry import Measurement, tool

_PER_UM = {"nm": 1e3, "um": 1.0, "mm": 1e-3}


@tool("image_size", unit="px", quantity="width and height of the image")
def image_size(img: MicroImage, *, unit: Literal["px", "nm", "um", "mm"] = "px") -> tuple[Measurement, ...]:
    """Width and height of the picture in pixels, or of the field of view in a physical unit."""
    height, width = img.plane_shape
    if unit == "px":
        return Measurement("width", width, "px"), Measurement("height", height, "px")
    if img.pixel_size is None:
        raise UnitsError(f"{img.name} has no pixel size, so its field of view is not known in {unit}")
    scale = _PER_UM[unit]
    return (
        Measurement("width", width * img.pixel_size["x"] * scale, unit),
        Measurement("height", height * img.pixel_size["y"] * scale, unit),
        Measurement("pixel size", img.pixel_size["x"], "um"),
    )


@tool("field_area", quantity="area of the field of view")
def field_area(img: MicroImage, *, unit: Literal["px2", "nm2", "um2", "mm2"] = "px2") -> Measurement:
    """Area of the whole field, in square pixels or a physical unit."""
    height, width = img.plane_shape
    if unit == "px2":
        return Measurement("area of the field", height * width, "px2")
    if img.pixel_size is None:
        raise UnitsError(f"{img.name} has no pixel size, so its area is not known in {unit}")
    area = height * width * img.pixel_size["y"] * img.pixel_size["x"]
    return Measurement("area of the field", area * _PER_UM[unit[:2]] ** 2, unit)


@tool("pixel_size", unit="um", quantity="size of a pixel")
def pixel_size(img: MicroImage) -> tuple[Measurement, ...]:
    """µm per pixel in x and y, and what said so."""
    if img.pixel_size is None:
        raise UnitsError(f"{img.name} has no pixel size; pass pixel_size= to open_image")
    return (
        Measurement("pixel size", img.pixel_size["x"], "um"),
        Measurement("pixel size in y", img.pixel_size["y"], "um"),
        Measurement("source of the pixel size", img.pixel_size_source or "unknown"),
    )


@tool("bit_depth", unit="bit", quantity="bits per sample")
def bit_depth(img: MicroImage) -> tuple[Measurement, ...]:
    """Bits per stored sample, and the dtype."""
    return Measurement("bits per sample", np.dtype(img.dtype).itemsize * 8, "bit"), Measurement("dtype", str(img.dtype))


@tool("channels", unit="count", quantity="number of channels")
def channels(img: MicroImage) -> tuple[Measurement, ...]:
    """How many channels, their names, and whether they are the red, green and blue of one colour picture."""
    names = ", ".join(c.name for c in img.channels)
    return (
        Measurement("number of channels", len(img.channels), "count"),
        Measurement("names of the channels", names),
        Measurement("colour picture", bool(img.rgb)),
    )


@tool("planes", unit="count", quantity="number of planes")
def planes(img: MicroImage) -> tuple[Measurement, ...]:
    """How many z-slices and time points."""
    return (
        Measurement("number of z-slices", img.sizes.get("z", 1), "count"),
        Measurement("number of time points", img.sizes.get("t", 1), "count"),
    )


@tool("levels", unit="count", quantity="number of pyramid levels")
def levels(img: MicroImage) -> Measurement:
    """How many resolutions the file holds."""
    return Measurement("number of pyramid levels", len(img.levels), "count")


@tool("format", quantity="file format")
def file_format(img: MicroImage) -> Measurement:
    """Name of the file format."""
    return Measurement("format", img.source.format)


@tool("metadata", quantity="a fact the file holds")
def metadata(img: MicroImage, *, key: str) -> Measurement:
    """A fact from the file's metadata by its name, e.g. objective, magnification, na, acquired."""
    if key not in img.metadata:
        known = ", ".join(sorted(img.metadata)) or "nothing"
        raise EvidenceError(f"{img.name} does not record {key!r}; its metadata hold {known}")
    value = without_persons(img.metadata[key], key)
    return Measurement(key, value if isinstance(value, int | float | bool | str) else str(value))
