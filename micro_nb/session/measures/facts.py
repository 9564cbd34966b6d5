"""Facts of the image that need no measuring: size, scale, bits, channels, planes, and what the file records of the microscope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ...data.image import MicroImage
from ...data.persons import without_persons
from ...errors import EvidenceError
from ..words.tables import table
from .measurement import Measurement, facts
from .pixels import read_greys, storable
from .registry import measurement
from .results import Found
from .scene import PLANES, Scene
from .selecting import channel_named
from .units import TELL, convert, plain_unit

_TELL = f"{TELL}; or give it when you open the image: open_image(path, pixel_size=0.5)"
_MM_FROM = 2000.0
"""A field wider than so many µm is given in mm."""


def _size(scene: Scene, unit: str) -> Found:
    if unit not in ("", "px"):
        return _field(scene, unit)
    img, (height, width) = scene.image, scene.image.plane_shape
    rows = facts({}, ("width", width, "px"), ("height", height, "px"))
    return Found(rows, "size") if img.pixel_size is None else Found((*rows, *_physical(img, "")), "size_um")


def _physical(img: MicroImage, unit: str) -> tuple[Measurement, ...]:
    """Width and height of the field in a physical unit."""
    if img.pixel_size is None:
        raise EvidenceError(f"the pixel size of {img.name} is not known, so I cannot give its field in a physical unit")
    wide, high = (n * img.pixel_size[a] for n, a in zip(img.plane_shape[::-1], "xy", strict=True))
    unit = unit or ("mm" if max(wide, high) >= _MM_FROM else "um")
    told = {"pixel_size_um": [img.pixel_size["x"], img.pixel_size["y"]], "source": img.pixel_size_source or "unknown"}
    rows = (("width of the field", wide), ("height of the field", high))
    return facts(told, *((name, convert(v, "um", unit, None), unit) for name, v in rows))


def _field(scene: Scene, unit: str) -> Found:
    img, unit = scene.image, plain_unit(unit)
    if unit in ("px", "px2"):
        return Found(facts({}, ("area of the field", img.plane_shape[0] * img.plane_shape[1], "px2")), "field_px")
    if img.pixel_size is None:
        return Found(declined="I cannot say how large the field is, for the pixel size of this image is not known.", remedy=_TELL)
    wide, high = _physical(img, unit.removesuffix("2"))
    square = facts(wide.found, ("area of the field", wide.number * high.number, f"{wide.unit}2"))
    return Found((*square, wide, high), "area") if unit.endswith("2") else Found((wide, high, *square), "field")


def _pixel_size(scene: Scene, unit: str) -> Found:
    img = scene.image
    if img.pixel_size is None:
        why = "The pixel size of this image is not known: nothing in the file that can be trusted says it."
        return Found(declined=why, remedy=_TELL)
    size, unit = img.pixel_size, unit or "um"
    told = {"source": img.pixel_size_source or "unknown"}
    sizes = {name: convert(size[a], "um", unit, None) for name, a in (("pixel size", "x"), ("pixel size in y", "y"))}
    rows = facts(told, *((name, value, unit) for name, value in sizes.items()))
    depth = facts(told, ("distance of the slices", size["z"], "um")) if "z" in size else ()
    more = {"high": "" if np.isclose(size["y"], size["x"]) else " and {1} high"}
    more["apart"] = "; the slices are {3} apart" if depth else ""
    return Found((*rows, Measurement("source of the pixel size", told["source"]), *depth), "pixel_size", more=more)


def _bit_depth(scene: Scene, unit: str) -> Found:
    img = scene.image
    bits, used = np.dtype(img.dtype).itemsize * 8, img.metadata.get("significant_bits")
    rows = facts({}, ("bits per sample", bits, "bit"), ("dtype", str(img.dtype)))
    if isinstance(used, int) and 0 < used < bits:
        return Found((*rows, *facts({}, ("bits used", used, "bit"))), "bits_used")
    kind = {"f": "floating-point numbers", "i": "whole numbers", "u": "whole numbers"}.get(img.dtype.kind, "values")
    return Found(rows, "bits", more={"kind": kind})


def _range(scene: Scene, unit: str, channel: str | None = None) -> Found:
    greys, img = read_greys(scene.image, channel=channel), scene.image
    rows = facts(
        {"samples": greys.n},
        ("range of grey values", (greys.low, greys.high), "grey value"),
        ("largest storable grey value", storable(img), "grey value"),
        ("mean grey value", greys.mean, "grey value"),
    )
    return Found(rows, "range", more={"room": "; up to {1} could be stored" if img.dtype.kind in "iu" else ""})


def _channels(scene: Scene, unit: str) -> Found:
    img = scene.image
    names = ("names of the channels", ", ".join(c.name for c in img.channels))
    rows = facts({}, ("number of channels", len(img.channels), "count"), names, ("colour picture", bool(img.rgb)))
    return Found(rows, "colours" if img.rgb else "channel" if len(img.channels) == 1 else "channels")


def _planes(scene: Scene, unit: str, axis: str) -> Found:
    img, many = scene.open_image or scene.image, "slices in depth" if axis == "z" else "frames"
    n = img.sizes.get(axis, 1)
    rows, step = facts({}, (f"number of {many}", n, "count")), interval(img, axis)
    if n > 1 and step is not None:
        apart, extent = (f"distance of the {many}", step[0], step[1]), ("extent", step[0] * (n - 1), step[1])
        return Found((*rows, *facts({}, apart, extent)), "planes_apart", more={"many": many})
    lacks = "depth" if axis == "z" else "course in time"
    return Found(rows, "planes" if n > 1 else "plane", more={"many": many, "one": PLANES[axis][0], "lacks": lacks})


def interval(img: MicroImage, axis: str) -> tuple[float, str] | None:
    """How far two planes lie apart, with the unit; None where it is not known."""
    step = (img.pixel_size or {}).get("z") if axis == "z" else img.metadata.get("interval_s")
    return (float(step), "um" if axis == "z" else "s") if isinstance(step, int | float) and step > 0 else None


def _plainly(scene: Scene, unit: str, fact: str) -> Found:
    """The format, the name, the number of resolutions."""
    img = scene.image
    value = {"format": img.source.format, "name": img.name, "levels": len(img.info.levels)}[fact]
    if fact != "levels":
        return Found(facts({}, (fact, value)), fact)
    return Found(facts({}, ("number of pyramid levels", value, "count")), "levels" if len(img.info.levels) > 1 else "level")


def _well(scene: Scene, unit: str) -> Found:
    wells = dict.fromkeys(str(img.metadata[k]) for img in scene.images.values() for k in ("well", "well_id") if k in img.metadata)
    if not wells:
        remedy = 'name the images by their wells: Session({"B03": image, ...})'
        return Found(declined="Nothing in this session says which well an image is from.", remedy=remedy)
    return Found(facts({}, ("number of wells", len(wells), "count"), ("wells", ", ".join(wells))), "wells")


def _recorded(scene: Scene, unit: str, fact: str) -> Found:
    called, unit_of, *keys = table("facts")["recorded"][fact]
    for said, known in (("you told me", scene.told), ("recorded in the file", scene.image.metadata)):
        key = next((k for k in keys if known.get(k) not in (None, "")), None)
        if key is not None:
            found = {"source": "told" if known is scene.told else "file", "key": key}
            return _stated(called, without_persons(known[key], key), unit_of, found, "recorded", said)
    why = f"The file does not record the {called}, and it cannot be told from the pixels."
    return Found(declined=why, remedy=f"tell me the {called} if you know it")


def _stated(called: str, value: Any, unit: str, found: Mapping[str, str], says: str, source: str) -> Found:
    """What is recorded, as a fact."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fact = Measurement(called, value if number else str(value), unit if number else "", found=found)
    return Found((fact,), says, more={"source": source, "called": called})


FACTS: Mapping[str, Callable[[Scene, str], Found]] = {
    "size": _size, "pixel_size": _pixel_size, "field": _field, "bit_depth": _bit_depth, "range": _range, "channels": _channels,
    **{axis: partial(_planes, axis=axis) for axis in PLANES},
    **{fact: partial(_plainly, fact=fact) for fact in ("levels", "format", "name")}, "well": _well,
    **{fact: partial(_recorded, fact=fact) for fact in table("facts")["recorded"]},
}  # fmt: skip


@measurement("image")
def image(scene: Scene, fact: str = "size", *, unit: str = "", channel: str | None = None) -> Found:
    """What is known of the image without measuring: size, pixel size, field, bit depth, range, channels, slices, frames,
    levels, format, objective, date, name."""
    asked, recorded = fact.strip().lower().replace(" ", "_"), scene.image.metadata
    key = table("facts")["alias"].get(asked, asked)
    if key == "range" and channel is not None:
        return _range(scene, unit, channel_named(channel, scene.image))
    if key in FACTS:
        found = FACTS[key](scene, "um2" if asked == "area" and not unit else unit)
        if asked != "height" or len(found.measured) < 2:
            return found
        return Found((found.measured[1], found.measured[0], *found.measured[2:]), "height")
    if key in recorded:
        value, source = without_persons(recorded[key], key), {"source": "file", "key": key}
        return _stated(key.replace("_", " "), value, "", source, "metadata", "recorded in the file")
    known = ", ".join(k.replace("_", " ") for k in FACTS)
    raise EvidenceError(f"the file records no {fact.replace('_', ' ')}; I can tell its {known}")
