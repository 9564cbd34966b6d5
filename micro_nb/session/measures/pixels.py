"""The image itself: its grey values, exact statistics of every pixel of a place read one band at a time; and what is known of it
without measuring: size, scale, bits, channels, planes, and what the file records of the microscope."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...data.persons import without_persons
from ...data.region import Region
from ...errors import AxesError, EvidenceError
from ..language import Call, Node
from ..words.tables import table
from .evaluation import evaluate
from .measurement import Fact, Measurement
from .quantities import STATISTIC_WORDS, TELL, convert, plain_unit
from .registry import measurement
from .results import Found
from .scene import ANYWHERE, PLANES, Place, Scene, pixel_box
from .selecting import channel_named, place_of

_BAND_PIXELS = 1 << 22
_BINS, _BARS = 1 << 16, 24
_CEILINGS = (1023, 4095, 16383)
"""Largest values of cameras with 10, 12 and 14 bits, whose pictures are stored with 16."""
_OPS = {
    ">=": (np.greater_equal, "of at least"), "<=": (np.less_equal, "of at most"), ">": (np.greater, "above"),
    "<": (np.less, "below"), "==": (np.equal, "of exactly"),
}  # fmt: skip
_AT = re.compile(
    r"\s*(>=|<=|==|>|<)?\s*(?:([-+]?[\d.]+(?:e[-+]?\d+)?)|(mean|median))?\s*(?:([-+])\s*([\d.]+)?\s*\*?\s*sd)?\s*(?:grey)?\s*"
)
_TELL = f"{TELL}; or give it when you open the image: open_image(path, pixel_size=0.5)"
_MM_FROM = 2000.0
"""A field wider than so many µm is given in mm."""


@dataclass(frozen=True)
class Greys:
    """What is known of the grey values of a place.

    Attributes
    ----------
    n, low, high, mean, sd : exact.
    values, counts : distinct grey values and how often each occurs, or the centres of 65,536 bins where there are more.
    """

    n: int
    low: float
    high: float
    mean: float
    sd: float
    values: np.ndarray
    counts: np.ndarray

    def percentile(self, percent: float) -> float:
        """The grey value that so many per cent do not exceed; the lower of two."""
        at = np.searchsorted(np.cumsum(self.counts), max(percent / 100 * self.n, 0.5))
        return _whole(float(self.values[min(int(at), len(self.values) - 1)]))

    def statistic(self, name: str) -> float:
        """A statistic by its name, or a percentile ``p90``."""
        if re.fullmatch(r"p\d{1,2}(\.\d+)?", name):
            return self.percentile(float(name[1:]))
        if name == "cv" and not self.mean:
            raise EvidenceError("the mean grey value is zero, so nothing can be given in per cent of it")
        made: Mapping[str, Callable[[], float]] = {
            "mean": lambda: self.mean, "median": lambda: self.percentile(50), "min": lambda: self.low, "max": lambda: self.high,
            "sd": lambda: self.sd, "range": lambda: self.high - self.low, "cv": lambda: 100 * self.sd / abs(self.mean),
            "iqr": lambda: self.percentile(75) - self.percentile(25), "sum": lambda: self.mean * self.n,
            "mode": lambda: _whole(float(self.values[self.counts.argmax()])),
        }  # fmt: skip
        if name not in made:
            known = f"{', '.join(made)}, a percentile such as p90, share or histogram"
            raise EvidenceError(f"grey values have no statistic {name!r}; ask for {known}")
        return made[name]()

    def share(self, op: str, limit: float) -> float:
        """How many per cent of the samples are so; exact for distinct values."""
        return 100 * float(self.counts[_OPS[op][0](self.values, limit)].sum()) / self.n

    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """``(edges, counts)`` of equal bins."""
        top = self.high if self.high > self.low else self.low + 1
        counts, edges = np.histogram(self.values, np.linspace(self.low, top, _BARS + 1), weights=self.counts)
        return edges, counts


def read_greys(img: MicroImage, place: Place = ANYWHERE, channel: str | None = None) -> Greys:
    """Exact statistics of the grey values of a place."""

    def samples() -> Iterator[np.ndarray]:
        for band in _bands(img, place, channel):
            yield band[np.isfinite(band)] if band.dtype.kind == "f" else band.ravel()

    if img.dtype in ("u1", "i1", "u2", "i2"):
        low, high = float(np.iinfo(img.dtype).min), float(np.iinfo(img.dtype).max)
    else:
        ends = [v for part in samples() if part.size for v in (float(part.min()), float(part.max()))]
        low, high = min(ends, default=0.0), max(ends, default=0.0)
    single = img.dtype.kind in "iub" and high - low < _BINS  # a bin for every grey value
    edges = np.arange(low, high + 2) - 0.5 if single else np.linspace(low, np.nextafter(high, np.inf), _BINS + 1)
    counts, n, total, spread = np.zeros(len(edges) - 1, np.int64), 0, 0.0, 0.0
    for part in samples():
        above = part.astype(float) - low
        before, n, here = n, n + above.size, float(above.mean()) if above.size else 0.0
        spread += float(np.square(above - here).sum()) + (here - total / max(before, 1)) ** 2 * before * above.size / max(n, 1)
        total += float(above.sum())
        counts += np.bincount(above.astype(int), minlength=len(counts)) if single else np.histogram(part, edges)[0]
    if not n:
        raise EvidenceError(f"no pixel with a grey value lies {place.words or 'there'}, so there is nothing to measure")
    values, mean, sd = ((edges[:-1] + edges[1:]) / 2)[counts > 0], total / n, (spread / n) ** 0.5
    low, mean, high = (values[0], low + mean, values[-1]) if single else (low, low + mean, high)
    return Greys(n, _whole(low), _whole(high), mean, sd, values, counts[counts > 0])


def _bands(img: MicroImage, place: Place, channel: str | None) -> Iterator[np.ndarray]:
    """Samples ``(c, n)`` of the place at level 0, each pixel once, top to bottom, at most a few megapixels each."""
    seen = of_channel(one_plane(img), channel)
    rows, cols = pixel_box(img, place.region)
    step = max(1, _BAND_PIXELS // max(1, (cols.stop - cols.start) * len(seen.channels)))
    for top in range(rows.start, rows.stop, step):
        part = slice(top, min(top + step, rows.stop))
        band = seen.isel(y=part, x=cols).read()
        yield band.reshape(-1, *band.shape[-2:])[:, place.block(part, cols)]


def one_plane(img: MicroImage) -> MicroImage:
    """The image, where it is one plane."""
    for axis, (one, many) in PLANES.items():
        if axis in img.axes:
            how = f"say in which {one} I shall look: a number, the first or the last"
            raise AxesError(f"{img.name} has {img.sizes[axis]} {many}; {how}")
    return img.plane()


def of_channel(img: MicroImage, channel: str | None) -> MicroImage:
    """The image, or one of its channels."""
    name = channel_named(channel, img) if channel is not None else None
    return img.sel(c=name) if name is not None and "c" in img.axes else img


def means(which: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Mean of the values of each of ``n`` groups; nan of empty ones."""
    count = np.bincount(which, minlength=n)[:n]
    return np.where(count > 0, np.bincount(which, values, minlength=n)[:n] / np.maximum(count, 1), np.nan)


def _whole(value: float) -> float:
    """An int where the value is one, so that it prints as stored."""
    return int(value) if float(value).is_integer() else float(value)


def _storable(img: MicroImage) -> float:
    """Largest grey value of an integer dtype; 1 for floats."""
    return int(np.iinfo(img.dtype).max) if img.dtype.kind in "iu" else 1.0


def ceiling(img: MicroImage, highest: float) -> float:
    """The grey value of a saturated pixel: the largest storable one, or that of a camera with fewer bits where the picture
    ends exactly there."""
    top = _storable(img)
    return int(highest) if highest in _CEILINGS and top > highest else top


def _limit(at: str, img: MicroImage, greys: Greys) -> tuple[str, float, bool]:
    """``(op, grey value, saturated)`` that a limit in words means; ``saturated`` where it stands for the top of the range.

    "Saturated", or 255 asked of a picture with more than 8 bits, is the grey value of its saturated pixels.
    """
    text, top = at.strip().lower(), ceiling(img, greys.high)
    match = _AT.fullmatch(text)
    of_bytes = match and match[2] == "255" and match[1] in (">=", "==") and img.dtype.kind in "iu" and top > 255
    if text in ("", "saturated", "max", "top") or of_bytes:
        return ">=", top, True
    if match is None or not (match[2] or match[3] or match[4]):
        raise EvidenceError(f"{at!r} is no limit for grey values; write for example >= 255, < 20 or > mean + 2 * sd")
    base = float(match[2]) if match[2] else {"mean": greys.mean, "median": greys.percentile(50)}.get(match[3] or "", 0.0)
    spread = float(match[5] or 1) * (1 if match[4] == "+" else -1) if match[4] else 0.0
    op, limit = match[1] or "==", _whole(base + spread * greys.sd)
    return op, limit, op in (">=", "==") and limit == top


@measurement("pixels")
def pixels(scene: Scene, statistic: str = "mean", *, where: Node = None, channel: str | None = None, at: str = "") -> Found:
    """Grey values of the pixels of a place, in one channel or all together: a statistic, the share beyond a limit (%), or a
    histogram.

    Exact: every pixel of level 0 is read. Colour pictures are measured over their red, green and blue samples together.
    """
    greys = read_greys(scene.image, _pixels_of(where, scene), channel)
    name = channel_named(channel, scene.image) if channel is not None else None
    said = f" in{'' if name.lower().startswith('channel') else ' channel'} {{0.found.channel}}" if name else ""
    how = {"method": "every pixel read", "samples": greys.n, "channel": name or "all"}
    ends = (("least grey value", greys.low, "grey value"), ("greatest grey value", greys.high, "grey value"))
    if statistic == "share":
        return _share(scene.image, greys, at, how, said)
    if statistic == "histogram":
        return _histogram(greys, how, ends, said)
    value, words = greys.statistic(statistic), STATISTIC_WORDS.get(statistic, statistic)
    percentile = statistic.startswith("p")
    main: Fact = (f"{words} grey value", value, "%" if statistic == "cv" else "grey value")
    read = Measurement("samples read", greys.n, "px", found=how | ({"percent": float(statistic[1:])} if percentile else {}))
    says, noun = "percentile" if percentile else "range" if statistic == "range" else "is", "value"
    return Found.of(how, main, read, *ends, says=says, channel=said, words=words, noun=f"{noun}s" if "of the" in words else noun)


def _pixels_of(where: Node, scene: Scene) -> Place:
    """The place that is read; of a point the one pixel it names, counted from zero."""
    if isinstance(where, Call) and where.name == "point" and len(where.args) == 2:
        x, y = (math.floor(float(v)) for v in where.args)
        return Place(Region(y, x, y + 1, x + 1).clip(scene.image.plane_shape), None, f"at ({x}, {y})")
    return place_of(where, scene, evaluate)


def _share(img: MicroImage, greys: Greys, at: str, how: Mapping[str, object], said: str) -> Found:
    op, limit, saturated = _limit(at, img, greys)
    percent = greys.share(op, limit)
    how = {**how, "op": op, "limit": limit, "asked": at or "saturated"}
    count = ("pixels", round(percent * greys.n / 100), "count")
    rows = (("share of pixels", percent, "%"), count, ("grey value", limit, "grey value"))
    several = (img.rgb or len(img.channels) > 1) and how["channel"] == "all"
    more = {"samples": "samples" if several else "pixels", "op": _OPS[op][1], "channel": said}
    return Found.of(how, *rows, says="saturated" if saturated else "share", more=more)


def _histogram(greys: Greys, how: Mapping[str, object], ends: tuple[Fact, ...], said: str) -> Found:
    edges, counts = greys.histogram()
    bars = {"edges": [float(f"{e:.6g}") for e in edges], "counts": counts.astype(float).tolist()}
    middle = (("mean grey value", greys.mean, "grey value"), ("standard deviation of the grey values", greys.sd, "grey value"))
    mode = ("most frequent grey value", greys.statistic("mode"), "grey value")
    shown = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "count": counts.astype(int), "percent": 100 * counts / greys.n})
    how = {**how, "histogram": bars, "quantity": "grey value"}
    return Found.of(how, *middle, *ends, mode, says="histogram", table=shown, channel=said)


def _size(scene: Scene, unit: str) -> Found:
    if unit not in ("", "px"):
        return _field(scene, unit)
    img, (height, width) = scene.image, scene.image.plane_shape
    physical = _physical(img, "") if img.pixel_size is not None else ()
    return Found.of({}, ("width", width, "px"), ("height", height, "px"), *physical, says="size_um" if physical else "size")


def _physical(img: MicroImage, unit: str) -> tuple[Measurement, Measurement]:
    """Width and height of the field in a physical unit."""
    if img.pixel_size is None:
        raise EvidenceError(f"the pixel size of {img.name} is not known, so I cannot give its field in a physical unit")
    wide, high = (n * img.pixel_size[a] for n, a in zip(img.plane_shape[::-1], "xy", strict=True))
    unit = unit or ("mm" if max(wide, high) >= _MM_FROM else "um")
    how = {"pixel_size_um": [img.pixel_size["x"], img.pixel_size["y"]], "source": img.pixel_size_source or "unknown"}
    across, down = (convert(v, "um", unit, None) for v in (wide, high))
    return Measurement("width of the field", across, unit, found=how), Measurement("height of the field", down, unit, found=how)


def _field(scene: Scene, unit: str) -> Found:
    img, unit = scene.image, plain_unit(unit)
    if unit in ("px", "px2"):
        return Found.of({}, ("area of the field", img.plane_shape[0] * img.plane_shape[1], "px2"), says="field_px")
    if img.pixel_size is None:
        return Found(declined="I cannot say how large the field is, for the pixel size of this image is not known.", remedy=_TELL)
    wide, high = _physical(img, unit.removesuffix("2"))
    square = Measurement("area of the field", wide.number * high.number, f"{wide.unit}2", found=wide.found)
    return Found((square, wide, high), "area") if unit.endswith("2") else Found((wide, high, square), "field")


def _pixel_size(scene: Scene, unit: str) -> Found:
    size, source = scene.image.pixel_size, scene.image.pixel_size_source or "unknown"
    if size is None:
        why = "The pixel size of this image is not known: nothing in the file that can be trusted says it."
        return Found(declined=why, remedy=_TELL)
    wide, high = (convert(size[a], "um", unit or "um", None) for a in "xy")
    depth = (("distance of the slices", size["z"], "um"),) if "z" in size else ()
    sizes = (("pixel size", wide, unit or "um"), ("pixel size in y", high, unit or "um"))
    told = Measurement("source of the pixel size", source)
    more = {"high": "" if np.isclose(size["y"], size["x"]) else " and {1} high"}
    more["apart"] = "; the slices are {3} apart" if depth else ""
    return Found.of({"source": source}, *sizes, told, *depth, says="pixel_size", more=more)


def _bit_depth(scene: Scene, unit: str) -> Found:
    dtype, used = np.dtype(scene.image.dtype), scene.image.metadata.get("significant_bits")
    rows, bits = (("bits per sample", dtype.itemsize * 8, "bit"), ("dtype", str(dtype))), dtype.itemsize * 8
    if isinstance(used, int) and 0 < used < bits:
        return Found.of({}, *rows, ("bits used", used, "bit"), says="bits_used")
    kind = {"f": "floating-point numbers", "i": "whole numbers", "u": "whole numbers"}.get(dtype.kind, "values")
    return Found.of({}, *rows, says="bits", kind=kind)


def _range(scene: Scene, unit: str, channel: str | None = None) -> Found:
    greys, img = read_greys(scene.image, channel=channel), scene.image
    ends = ("range of grey values", (greys.low, greys.high), "grey value")
    top, mean = ("largest storable grey value", _storable(img), "grey value"), ("mean grey value", greys.mean, "grey value")
    room = "; up to {1} could be stored" if img.dtype.kind in "iu" else ""
    return Found.of({"samples": greys.n}, ends, top, mean, says="range", room=room)


def _channels(scene: Scene, unit: str) -> Found:
    img, n = scene.image, len(scene.image.channels)
    names = ("names of the channels", ", ".join(c.name for c in img.channels))
    rows = (("number of channels", n, "count"), names, ("colour picture", bool(img.rgb)))
    return Found.of({}, *rows, says="colours" if img.rgb else "channel" if n == 1 else "channels")


def _planes(scene: Scene, unit: str, axis: str) -> Found:
    img, many = scene.open_image or scene.image, "slices in depth" if axis == "z" else "frames"
    n, step = img.sizes.get(axis, 1), interval(img, axis)
    number = (f"number of {many}", n, "count")
    if n > 1 and step is not None:
        apart, extent = (f"distance of the {many}", step[0], step[1]), ("extent", step[0] * (n - 1), step[1])
        return Found.of({}, number, apart, extent, says="planes_apart", many=many)
    lacks = "depth" if axis == "z" else "course in time"
    return Found.of({}, number, says="planes" if n > 1 else "plane", many=many, one=PLANES[axis][0], lacks=lacks)


def interval(img: MicroImage, axis: str) -> tuple[float, str] | None:
    """How far two planes lie apart, with the unit; None where it is not known."""
    step = (img.pixel_size or {}).get("z") if axis == "z" else img.metadata.get("interval_s")
    return (float(step), "um" if axis == "z" else "s") if isinstance(step, int | float) and step > 0 else None


def _levels(scene: Scene, unit: str) -> Found:
    n = len(scene.image.info.levels)
    return Found.of({}, ("number of pyramid levels", n, "count"), says="levels" if n > 1 else "level")


def _well(scene: Scene, unit: str) -> Found:
    wells = dict.fromkeys(str(img.metadata[k]) for img in scene.images.values() for k in ("well", "well_id") if k in img.metadata)
    if not wells:
        remedy = 'name the images by their wells: Session({"B03": image, ...})'
        return Found(declined="Nothing in this session says which well an image is from.", remedy=remedy)
    return Found.of({}, ("number of wells", len(wells), "count"), ("wells", ", ".join(wells)), says="wells")


def _recorded(scene: Scene, unit: str, fact: str) -> Found:
    called, unit_of, *keys = table("facts")["recorded"][fact]
    for said, known in (("you told me", scene.told), ("recorded in the file", scene.image.metadata)):
        key = next((k for k in keys if known.get(k) not in (None, "")), None)
        if key is not None:
            how = {"source": "told" if known is scene.told else "file", "key": key}
            return _stated(called, without_persons(known[key], key), unit_of, how, "recorded", said)
    why = f"The file does not record the {called}, and it cannot be told from the pixels."
    return Found(declined=why, remedy=f"tell me the {called} if you know it")


def _stated(called: str, value: Any, unit: str, how: Mapping[str, str], says: str, source: str) -> Found:
    """What is recorded, as a fact."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fact = (called, value if number else str(value), unit if number else "")
    return Found.of(how, fact, says=says, source=source, called=called)


_FACTS: Mapping[str, Callable[[Scene, str], Found]] = {
    "size": _size, "pixel_size": _pixel_size, "field": _field, "bit_depth": _bit_depth, "range": _range, "channels": _channels,
    **{axis: partial(_planes, axis=axis) for axis in PLANES}, "levels": _levels,
    "format": lambda scene, unit: Found.of({}, ("format", scene.image.source.format), says="format"),
    "name": lambda scene, unit: Found.of({}, ("name", scene.image.name), says="name"), "well": _well,
    **{fact: partial(_recorded, fact=fact) for fact in table("facts")["recorded"]},
}  # fmt: skip


@measurement("image", group="facts")
def image(scene: Scene, fact: str = "size", *, unit: str = "", channel: str | None = None) -> Found:
    """What is known of the image without measuring: size, pixel size, field, bit depth, range, channels, slices, frames,
    levels, format, objective, date, name."""
    asked, recorded = fact.strip().lower().replace(" ", "_"), scene.image.metadata
    key = table("facts")["alias"].get(asked, asked)
    if key == "range" and channel is not None:
        return _range(scene, unit, channel_named(channel, scene.image))
    if key in _FACTS:
        found = _FACTS[key](scene, "um2" if asked == "area" and not unit else unit)
        if asked != "height" or len(found.measured) < 2:
            return found
        return Found((found.measured[1], found.measured[0], *found.measured[2:]), "height")
    if key in recorded:
        value, how = without_persons(recorded[key], key), {"source": "file", "key": key}
        return _stated(key.replace("_", " "), value, "", how, "metadata", "recorded in the file")
    known = ", ".join(k.replace("_", " ") for k in _FACTS)
    raise EvidenceError(f"the file records no {fact.replace('_', ' ')}; I can tell its {known}")
