"""Profiles: how a quantity changes along a line, from the middle outwards, through the slices of a stack, or in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...errors import EvidenceError
from ..language import Call, Node
from ..words.prose import numerals
from .evaluation import evaluate, selection, term
from .facts import interval
from .measurement import facts
from .pixels import of_channel, one_plane, read_greys
from .places import Place
from .quantities import named, plain_quantity
from .registry import measurement
from .results import Found
from .scene import PLANES, Scene, need_planes
from .selecting import channel_named, place_of
from .selection import Selection

_MOST_PLANES, _RINGS, _STEPS, _BINS = 200, 20, 10, 5
_WIDE = 5  # px, width of the line that is averaged
_STEADY = 5.0  # change in % up to which something stays about the same
_MOST_PIXELS = 1 << 26
_ALONG = {
    **dict.fromkeys(("line", "axis", "length"), "line"), **dict.fromkeys(("radius", "radial", "centre", "center"), "radius"),
    **dict.fromkeys(("depth", "z", "slices"), "z"), **dict.fromkeys(("time", "t", "frames"), "t"),
}  # fmt: skip
Point = tuple[float, float]


@dataclass(frozen=True)
class Course:
    """Values along positions.

    Attributes
    ----------
    at, values : ``(n,)``; nan where nothing could be measured.
    at_name, at_unit : what the positions are, e.g. ``"slice"`` and nothing, or ``"distance"`` and ``"um"``.
    what, unit : what the values are.
    start, end : how the two ends are called.
    how : how it was measured.
    """

    at: np.ndarray
    values: np.ndarray
    at_name: str
    at_unit: str
    what: str
    unit: str
    start: str
    end: str
    how: dict[str, Any]


@dataclass(frozen=True)
class _Asked:
    """What is followed: the objects, the place and the channel that are meant."""

    scene: Scene
    of: Node
    where: Node
    channel: str | None

    @property
    def objects(self) -> Selection:
        """All where none are named."""
        node = self.of if isinstance(self.of, Call) else Call.of("obj", str(self.of if self.of is not None else "object"))
        given = {"where": self.where, "channel": self.channel}
        return selection(node.but(**{k: v for k, v in given.items() if v is not None and node.get(k) is None}), self.scene)

    @property
    def place(self) -> Place:
        """Where to look."""
        return place_of(self.where, self.scene, evaluate)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """``(y0, x0, y1, x1)`` of that place, px."""
        region, (height, width) = self.place.region, self.scene.image.plane_shape
        return region.clip((height, width)).box if region is not None else (0.0, 0.0, float(height), float(width))

    @property
    def plane(self) -> np.ndarray:
        """Grey values ``(y, x)``, the mean of the channels."""
        img = one_plane(self.scene.image)
        if img.plane_shape[0] * img.plane_shape[1] > _MOST_PIXELS:
            why = "this image is too large for a profile across all of it"
            raise EvidenceError(f"{why}; ask about a part: Session(img.sel(region=...))")
        pixels = of_channel(img, self.channel).read().astype(float)
        return np.asarray(pixels.reshape(-1, *pixels.shape[-2:]).mean(axis=0))


def planes_of(scene: Scene, axis: str, most: int = _MOST_PLANES) -> list[tuple[int, Scene]]:
    """The planes along ``"z"`` or ``"t"``, at most so many of them evenly: ``(number from one, the scene there)``."""
    need_planes(scene.image, axis)
    n = scene.image.sizes[axis]
    numbers = np.unique(np.linspace(1, n, min(n, most)).round().astype(int))
    return [(int(k), scene.at(Call.of(axis, int(k)))) for k in numbers]


@measurement("profile")
def profile(
    scene: Scene,
    quantity: Call | str = "intensity",
    *,
    along: str = "line",
    of: Node = None,
    where: Node = None,
    channel: str | None = None,
) -> Found:
    """How a quantity of the pixels, of objects, or any measurement changes along a line, radius, depth or time, a row a
    position."""
    way = _ALONG.get(along.strip().lower())
    if way is None:
        raise EvidenceError(f"I cannot follow {along!r}; I measure along a line, along the radius, in depth or in time")
    name, own = ("", "") if isinstance(quantity, Call) else plain_quantity(quantity)
    channel = channel_named(own or channel or "", scene.image) if own or channel is not None else None
    asked = _Asked(scene, of, where, channel)
    if way in PLANES:
        course = _through(asked, quantity, name, way)
    elif isinstance(quantity, Call):
        raise EvidenceError(f"{quantity.name} is followed in depth or in time only; ask for a part of the picture otherwise")
    elif name != "intensity":
        course = _by_distance(asked.objects, name)
    elif way == "line":
        course = _along_line(asked)
    else:
        course = _outwards(asked) if of is None else _inside_out(asked)
    return _as_found(course, way)


def _through(asked: _Asked, quantity: Call | str, name: str, axis: str) -> Course:
    """The value in each slice or frame."""
    at, values, unit, what, word = [], [], "", "", PLANES[axis][0]
    for number, there in planes_of(asked.scene, axis):
        value, unit_here, what_here = _value(_Asked(there, asked.of, asked.where, asked.channel), quantity, name)
        at.append(number)
        values.append(value)
        unit, what = unit_here or unit, what_here or what
    if not np.isfinite(values).any():
        raise EvidenceError("nothing was found in any of them, so there is no course to follow")
    step = interval(asked.scene.image, axis)
    how: dict[str, Any] = {"planes": len(at), "axis": axis, "channel": asked.channel or "all"}
    how |= {"interval": step[0], "interval_unit": step[1]} if step else {}
    ends = (f"in the first {word}", f"in the last {word}")
    return Course(np.array(at, float), np.array(values, float), word, "", what, unit, *ends, how)


def _value(asked: _Asked, quantity: Call | str, name: str) -> tuple[float, str, str]:
    """``(value, unit, what)`` on one plane; nan where there is nothing."""
    if isinstance(quantity, Call):
        main = term(quantity, asked.scene).main
        return main.number, main.unit, main.quantity
    if name == "intensity" and asked.of is None:
        return read_greys(asked.scene.image, asked.place, asked.channel).mean, "grey value", "mean grey value"
    found = asked.objects
    if not len(found):
        return float("nan"), "", ""
    values, unit = found.values(name)
    return float(np.nanmedian(values)), unit, f"median {named(name)} of the {found.many}"


def _along_line(asked: _Asked) -> Course:
    """Grey values along the long axis of an object, or through the middle of the place along its longer side."""
    from skimage.measure import profile_line

    if asked.of is not None:
        found = _Asked(asked.scene, asked.of, asked.where, None).objects
        if len(found) != 1:
            which = "say which, for example the largest"
            raise EvidenceError(f"a line follows one object, and {len(found)} {found.many} are meant; {which}")
        first, last, start = *_axis_of(found), "left end"
    else:
        y0, x0, y1, x1 = asked.box
        y, x, across = (y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2, x1 - x0 >= y1 - y0
        first, last = ((y, x0), (y, x1 - 1)) if across else ((y0, x), (y1 - 1, x))
        start = "left end" if across else "upper end"
    values = profile_line(asked.plane, first, last, linewidth=_WIDE, mode="nearest")  # type: ignore[no-untyped-call]
    pixel, unit = asked.scene.pixel
    how = {"from_px": [*first[::-1]], "to_px": [*last[::-1]], "width_px": _WIDE, "channel": asked.channel or "all"}
    at = np.arange(len(values)) * pixel
    return Course(at, np.asarray(values, float), "distance", unit, "grey value", "grey value", start, "other end", how)


def _axis_of(found: Selection) -> tuple[Point, Point]:
    """Both ends ``(y, x)`` of the long axis of an object, the left one first."""
    angle, half = np.radians(found.values("orientation")[0][0]), found.values("length", "px")[0][0] / 2
    y, x = (float(v[0]) for v in found.centres)
    dy, dx = half * np.cos(angle), half * np.sin(angle)
    ends = sorted([(y - dy, x - dx), (y + dy, x + dx)], key=lambda p: p[1])
    height, width = found.image.plane_shape
    first, last = ((float(np.clip(a, 0, height - 1)), float(np.clip(b, 0, width - 1))) for a, b in ends)
    return first, last


def _outwards(asked: _Asked) -> Course:
    """Grey values in rings around the middle of the place."""
    plane, (y0, x0, y1, x1), (pixel, unit) = asked.plane, asked.box, asked.scene.pixel
    radius = min(y1 - y0, x1 - x0) / 2
    y, x = np.ogrid[0 : plane.shape[0], 0 : plane.shape[1]]
    away = np.hypot(y + 0.5 - (y0 + y1) / 2, x + 0.5 - (x0 + x1) / 2)
    rings = int(min(_RINGS, max(radius // 2, 1)))
    ring, inside = (away / radius * rings).astype(int), away < radius
    at = (np.arange(rings) + 0.5) * radius / rings * pixel
    how = {"centre_px": [(x0 + x1) / 2, (y0 + y1) / 2], "radius_px": radius, "rings": rings, "channel": asked.channel or "all"}
    ends, values = ("in the middle", "at the rim"), means(ring[inside], plane[inside], rings)
    return Course(at, values, "distance", unit, "mean grey value", "grey value", *ends, how)


def _inside_out(asked: _Asked) -> Course:
    """The mean over objects of their grey values in steps from the middle to the rim; each object counts alike."""
    from scipy.ndimage import distance_transform_edt, find_objects

    found, plane = _Asked(asked.scene, asked.of, asked.where, None).objects, asked.plane
    found.need_some()
    found.need_all("the profile of each of them")
    labels, rows = found.label_plane(), []
    for label, place in enumerate(find_objects(labels), 1):
        if place is not None and label in found.labels:
            inside = labels[place] == label
            deep = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
            out = np.minimum(((1 - deep[inside] / deep.max()) * _STEPS).astype(int), _STEPS - 1)
            rows.append(means(out, plane[place][inside], _STEPS))
    with np.errstate(all="ignore"):
        values = np.asarray(np.nanmean(rows, axis=0))
    what = f"mean grey value of the {found.many}{f' in {asked.channel}' if asked.channel else ''}"
    how = {"objects": len(rows), "steps": _STEPS, "channel": asked.channel or "all", **found.found}
    at, ends = (np.arange(_STEPS) + 0.5) * 100 / _STEPS, ("in their middle", "at their rim")
    return Course(at, values, "way from the middle to the rim", "%", what, "grey value", *ends, how)


def means(which: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Mean of the values of each of ``n`` groups; nan of empty ones."""
    count = np.bincount(which, minlength=n)[:n]
    return np.where(count > 0, np.bincount(which, values, minlength=n)[:n] / np.maximum(count, 1), np.nan)


def _by_distance(found: Selection, name: str) -> Course:
    """The median of a quantity of objects by their distance from the middle of the picture."""
    found.need_some(2 * _BINS)
    found.need_all(f"how their {named(name)} changes outwards")
    (values, unit), (away, away_unit) = found.values(name), found.values("distance_to_centre")
    edges = np.linspace(0, float(away.max()) * (1 + 1e-9), _BINS + 1)
    ring = np.where(np.isfinite(values), np.clip(np.digitize(away, edges) - 1, 0, _BINS - 1), -1)
    medians = np.array([np.median(values[ring == k]) if (ring == k).any() else np.nan for k in range(_BINS)])
    what, how = f"median {named(name)} of the {found.many}", {"objects": len(found), "rings": _BINS, **found.found}
    at, ends = (edges[:-1] + edges[1:]) / 2, ("in the middle", "at the rim")
    return Course(at, medians, "distance from the middle", away_unit, what, unit, *ends, how)


def _as_found(course: Course, way: str) -> Found:
    """The change from one end to the other, the extremes and their places; all values as a table and for a plot."""
    has = np.isfinite(course.values)
    at, values = course.at[has], course.values[has]
    if not len(values):
        raise EvidenceError("nothing could be measured at any place along it")
    first, last, high, low = float(values[0]), float(values[-1]), int(values.argmax()), int(values.argmin())
    change, unit = (100 * (last - first) / abs(first), "%") if first else (last - first, course.unit)
    size = abs(change) if first else 0.0 if last == first else 100.0
    verdict = "stays" if size <= _STEADY else "rises" if last > first else "falls"
    plot = {"x": at.round(4).tolist(), "y": values.round(6).tolist(), "x_name": course.at_name, "x_unit": course.at_unit}
    rows = facts(
        {**course.how, "profile": {**plot, "y_name": course.what, "y_unit": course.unit}},
        (f"change of the {course.what}", change, unit),
        ("value at the start", first, course.unit),
        ("value at the end", last, course.unit),
        ("least value", float(values[low]), course.unit),
        ("greatest value", float(values[high]), course.unit),
        ("place of the greatest value", float(at[high]), course.at_unit),
        ("place of the least value", float(at[low]), course.at_unit),
        ("course", verdict),
    )
    table = pd.DataFrame({course.at_name + (f"_{course.at_unit}" if course.at_unit else ""): at, course.what: values})
    what = course.what if not numerals(course.what) else "value"
    more = {"what_runs": what, "start": course.start, "end": course.end, "highest": _spot(course, 5), "lowest": _spot(course, 6)}
    return Found(rows, "line" if way == "line" and course.at_name == "distance" else verdict, table=table, more=more)


def _spot(course: Course, k: int) -> str:
    """Where an extreme lies, as a template."""
    if course.at_name in ("slice", "frame"):
        return f" in {course.at_name} {{{k}.value}}"
    return f" {{{k}}} of the way out" if course.at_unit == "%" else f" {{{k}}} from the middle"
