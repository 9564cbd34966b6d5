"""Facts of the image that need no measuring: size, scale, bits, channels, planes, and what the file records of the microscope."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...data.image import MicroImage
from ...data.persons import without_persons
from ...errors import EvidenceError
from .measurement import Measurement, facts
from .pixels import EVERYWHERE, read_greys, storable
from .registry import measurement
from .results import Found
from .scene import Scene
from .selecting import channel_named
from .units import convert, plain_unit

_TELL = (
    "tell me, for example: one pixel is half a micrometre; or give it when you open the image: open_image(path, pixel_size=0.5)"
)
_MM_FROM = 2000.0
"""A field wider than so many µm is given in mm."""


def _size(scene: Scene, unit: str) -> Found:
    img = scene.image
    if unit not in ("", "px"):
        return _field(scene, unit)
    height, width = img.plane_shape
    rows = facts({}, ("width", width, "px"), ("height", height, "px"))
    if img.pixel_size is None:
        return Found(rows, says="The image is {0} wide and {1} high.")
    return Found((*rows, *_physical(img, "")), says="The image is {0} wide and {1} high, that is {2} by {3}.")


def _physical(img: MicroImage, unit: str) -> tuple[Measurement, ...]:
    """Width and height of the field in a physical unit."""
    if img.pixel_size is None:
        raise EvidenceError(f"the pixel size of {img.name} is not known, so I cannot give its field in a physical unit")
    sizes = [n * img.pixel_size[a] for n, a in zip(img.plane_shape[::-1], "xy", strict=True)]
    unit = unit or ("mm" if max(sizes) >= _MM_FROM else "um")
    told = {"pixel_size_um": [img.pixel_size["x"], img.pixel_size["y"]], "source": img.pixel_size_source or "unknown"}
    return facts(
        told,
        *(
            (name, convert(v, "um", unit, None), unit)
            for name, v in zip(("width of the field", "height of the field"), sizes, strict=True)
        ),
    )


def _field(scene: Scene, unit: str) -> Found:
    img, unit = scene.image, plain_unit(unit)
    if unit in ("px", "px2"):
        height, width = img.plane_shape
        return Found(facts({}, ("area of the field", height * width, "px2")), says="The field is {0} large.")
    if img.pixel_size is None:
        return Found(declined="I cannot say how large the field is, for the pixel size of this image is not known.", remedy=_TELL)
    area = unit.endswith("2")
    wide, high = _physical(img, unit.removesuffix("2"))
    square = facts(wide.found, ("area of the field", wide.number * high.number, f"{wide.unit}2"))
    if area:
        return Found((*square, wide, high), says="The field has an area of {0}: it is {1} wide and {2} high.")
    return Found((wide, high, *square), says="The field is {0} wide and {1} high.")


def _pixel_size(scene: Scene, unit: str) -> Found:
    img = scene.image
    if img.pixel_size is None:
        return Found(
            declined="The pixel size of this image is not known: nothing in the file that can be trusted says it.", remedy=_TELL
        )
    y, x = img.pixel_size["y"], img.pixel_size["x"]
    told = {"source": img.pixel_size_source or "unknown"}
    unit = unit or "um"
    rows = facts(told, *((n, convert(v, "um", unit, None), unit) for n, v in (("pixel size", x), ("pixel size in y", y))))
    source = Measurement("source of the pixel size", told["source"])
    depth = facts(told, ("distance of the slices", img.pixel_size["z"], "um")) if "z" in img.pixel_size else ()
    says = "A pixel is {0} wide" + ("" if np.isclose(x, y) else " and {1} high") + ("; the slices are {3} apart" if depth else "")
    return Found((*rows, source, *depth), says=f"{says} (from {{2.value}}).")


def _bit_depth(scene: Scene, unit: str) -> Found:
    img = scene.image
    bits, used = np.dtype(img.dtype).itemsize * 8, img.metadata.get("significant_bits")
    rows = facts({}, ("bits per sample", bits, "bit"), ("dtype", str(img.dtype)))
    if isinstance(used, int) and 0 < used < bits:
        return Found(
            (*rows, *facts({}, ("bits used", used, "bit"))), says="Each sample is stored with {0}, of which the camera uses {2}."
        )
    kind = "floating-point numbers" if img.dtype.kind == "f" else "whole numbers" if img.dtype.kind in "iu" else "values"
    return Found(rows, says=f"Each sample is stored with {{0}}, as {kind}.")


def _range(scene: Scene, unit: str, channel: str | None = None) -> Found:
    greys, img = read_greys(scene.image, EVERYWHERE, channel), scene.image
    rows = (
        ("range of grey values", (greys.low, greys.high), "grey value"),
        ("largest storable grey value", storable(img), "grey value"),
        ("mean grey value", greys.mean, "grey value"),
    )
    room = "; up to {1} could be stored" if img.dtype.kind in "iu" else ""
    return Found(facts({"samples": greys.n}, *rows), says=f"The grey values run from {{0.value.0}} to {{0.value.1}}{room}.")


def _channels(scene: Scene, unit: str) -> Found:
    img = scene.image
    names = ", ".join(c.name for c in img.channels)
    rows = facts(
        {},
        ("number of channels", len(img.channels), "count"),
        ("names of the channels", names),
        ("colour picture", bool(img.rgb)),
    )
    if img.rgb:
        return Found(rows, says="The image has {0} channels, the colours of one picture: {1}.")
    if len(img.channels) == 1:
        return Found(rows, says="The image has a single channel, so it is a grey picture.")
    return Found(rows, says="The image has {0} channels: {1}.")


def _axis(axis: str) -> Callable[[Scene, str], Found]:
    one, many = ("slice in depth", "slices in depth") if axis == "z" else ("frame", "frames")

    def count(scene: Scene, unit: str) -> Found:
        img = scene.open_image or scene.image
        n = img.sizes.get(axis, 1)
        rows = facts({}, (f"number of {many}", n, "count"))
        step, says = (img.pixel_size or {}).get(axis) if axis == "z" else img.metadata.get("interval_s"), ""
        if n > 1 and isinstance(step, int | float) and step > 0:
            unit = "um" if axis == "z" else "s"
            rows = (*rows, *facts({}, (f"distance of the {many}", float(step), unit), ("extent", float(step) * (n - 1), unit)))
            says = ", {1} apart, {2} from the first to the last"
        return Found(
            rows,
            says=f"The image has {{0}} {many}{says}."
            if n > 1
            else f"The image is a single {one.split()[0]}: it has no {'depth' if axis == 'z' else 'course in time'}.",
        )

    return count


def _levels(scene: Scene, unit: str) -> Found:
    n = len(scene.image.info.levels)
    rows = facts({}, ("number of pyramid levels", n, "count"))
    return Found(
        rows,
        says="The file holds the image at {0} resolutions." if n > 1 else "The file holds the image at one resolution alone.",
    )


def _format(scene: Scene, unit: str) -> Found:
    return Found(facts({}, ("format", scene.image.source.format)), says="The file format is {0.value}.")


def _name(scene: Scene, unit: str) -> Found:
    return Found(facts({}, ("name", scene.image.name)), says="The image is called {0.value}.")


def _well(scene: Scene, unit: str) -> Found:
    wells = {n: str(img.metadata[k]) for n, img in scene.images.items() for k in ("well", "well_id") if k in img.metadata}
    if not wells:
        return Found(
            declined="Nothing in this session says which well an image is from.",
            remedy='name the images by their wells: Session({"B03": image, ...})',
        )
    rows = facts({}, ("number of wells", len(set(wells.values())), "count"), ("wells", ", ".join(dict.fromkeys(wells.values()))))
    return Found(
        rows, says="There {are} {0}: {1.value}.", more={"are": "is one well," if len(set(wells.values())) == 1 else "are wells,"}
    )


_RECORDED: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "objective": (("objective",), "objective", ""), "magnification": (("magnification",), "magnification", "times"),
    "na": (("na",), "numerical aperture", ""),
    "date": (("acquired", "date"), "date of acquisition", ""),
}  # fmt: skip


def _recorded(fact: str) -> Callable[[Scene, str], Found]:
    keys, called, unit_of = _RECORDED[fact]

    def read(scene: Scene, unit: str) -> Found:
        for said, known in (("told", scene.told), ("file", scene.image.metadata)):
            key = next((k for k in (*keys, fact) if known.get(k) not in (None, "")), None)
            if key is not None:
                value = without_persons(known[key], key)
                number = isinstance(value, int | float) and not isinstance(value, bool)
                one = Measurement(
                    called, value if number else str(value), unit_of if number else "", found={"source": said, "key": key}
                )
                source = "you told me" if said == "told" else "recorded in the file"
                return Found((one,), says=f"The {called} is {{0{'.value' if unit_of != 'times' else ''}}} ({source}).")
        return Found(
            declined=f"The file does not record the {called}, and it cannot be told from the pixels.",
            remedy=f"tell me the {called} if you know it",
        )

    return read


FACTS: Mapping[str, Callable[[Scene, str], Found]] = {
    "size": _size, "pixel_size": _pixel_size, "field": _field, "bit_depth": _bit_depth, "range": _range, "channels": _channels,
    "z": _axis("z"), "t": _axis("t"),
    "levels": _levels, "format": _format, "name": _name, "well": _well, **{fact: _recorded(fact) for fact in _RECORDED},
}  # fmt: skip
_OTHER_WORDS = {
    "width": "size", "height": "size", "dimensions": "size", "resolution": "pixel_size", "scale": "pixel_size", "area": "field",
    "fov": "field", "dtype": "bit_depth",
    "bits": "bit_depth", "slices": "z", "depth": "z", "frames": "t", "time": "t", "wells": "well", "file": "name",
    "filename": "name", "lens": "objective",
    "numerical_aperture": "na", "acquired": "date", "pyramid": "levels",
}  # fmt: skip


@measurement(
    "image",
    examples={"How large is the image?": 'image("size")', "What is the pixel size?": 'image("pixel_size")',
              "how wide is the field of view": 'image("field")',
              "is it 8 or 16 bit?": 'image("bit_depth")', "How many channels are there?": 'image("channels")',
              "which objective was used?": 'image("objective")'},
)  # fmt: skip
def image(scene: Scene, fact: str = "size", *, unit: str = "", channel: str | None = None) -> Found:
    """What is known of the image without measuring: size, pixel size, field, bit depth, range, channels, slices, frames,
    levels, format, objective, date, name."""
    asked = fact.strip().lower().replace(" ", "_")
    key = _OTHER_WORDS.get(asked, asked)
    if key == "range" and channel is not None:
        return _range(scene, unit, channel_named(channel, scene.image))
    if key in FACTS:
        found = FACTS[key](scene, unit if unit or asked != "area" else "um2")
        return (
            Found(found.measured[1:2] + found.measured[:1] + found.measured[2:], says=_turned(found.says))
            if asked == "height" and found.measured
            else found
        )
    if key in scene.image.metadata:
        value = without_persons(scene.image.metadata[key], key)
        one = Measurement(
            key.replace("_", " "),
            value if isinstance(value, int | float | str) else str(value),
            found={"source": "file", "key": key},
        )
        return Found((one,), says="{what}: {0.value} (recorded in the file).")
    raise EvidenceError(
        f"the file records no {fact.replace('_', ' ')}; I can tell its {', '.join(k.replace('_', ' ') for k in FACTS)}"
    )


def _turned(says: str | None) -> str | None:
    """The sentence with its first two facts the other way round, as the height comes first where it was asked for."""
    return says.replace("{0}", "{#}").replace("{1}", "{0}").replace("{#}", "{1}") if says else says
