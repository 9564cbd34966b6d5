"""Profiles: how a quantity changes along a line, from the middle outwards, through the slices of a stack, or in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...errors import AxesError, EvidenceError
from ..language import Call, Node
from ..words.prose import numerals
from .evaluation import evaluate, selection, term
from .measurement import facts
from .pixels import of_channel, one_plane, read_greys
from .places import Place
from .quantities import named, plain_quantity
from .registry import measurement
from .results import Found, Result
from .scene import Scene
from .selecting import channel_named, place_of
from .selection import Selection

_MOST_PLANES, _RINGS, _STEPS, _BINS = 200, 20, 10, 5
_WIDE = 5  # px, width of the line that is averaged
_STEADY = 5.0  # change in % up to which something stays about the same
_MOST_PIXELS = 1 << 26
_ALONG = {
    "line": "line", "axis": "line", "length": "line", "radius": "radius", "radial": "radius", "centre": "radius",
    "center": "radius", "depth": "depth", "z": "depth",
    "slices": "depth", "time": "time", "t": "time", "frames": "time",
}  # fmt: skip


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


def planes_of(scene: Scene, axis: str, most: int = _MOST_PLANES) -> list[tuple[int, Scene]]:
    """The planes along ``"z"`` or ``"t"``, at most so many of them evenly: ``(number from one, the scene there)``.

    Raises
    ------
    AxesError : there are none.
    """
    img = scene.image
    if axis not in img.axes:
        raise AxesError(f"{img.name} has no {'slices in z' if axis == 'z' else 'frames in time'}: it is a single plane")
    n = img.sizes[axis]
    numbers = np.unique(np.linspace(1, n, min(n, most)).round().astype(int))
    return [(int(k), scene.at(Call.of(axis, int(k)))) for k in numbers]


def interval(scene: Scene, axis: str) -> tuple[float, str] | None:
    """How far two planes lie apart, with the unit; None where it is not known."""
    img = scene.image
    step = (img.pixel_size or {}).get("z") if axis == "z" else img.metadata.get("interval_s")
    return (float(step), "um" if axis == "z" else "s") if isinstance(step, int | float) and step > 0 else None


def _says_profile(result: Result) -> str:
    if result.call.get("along", "line") in ("line", "axis", "length"):
        return "The {what_runs}{where} lies between {3} and {4} along the line; it is highest {5} from the {start}."
    verb = {"rises": "rises", "falls": "falls"}.get(str(result.measured[-1].value))
    change = (
        f"The {{what_runs}}{{where}} {verb} from {{1}} {{start}} to {{2}} {{end}}, a change of {{0}}"
        if verb
        else "The {what_runs}{where} stays about the same: {1} {start} and {2} {end}"
    )
    return f"{change}; it is highest{{highest}} and lowest{{lowest}}."


@measurement(
    "profile", says=_says_profile,
    examples={"How does the intensity change with depth?": 'profile("intensity", along="depth")',
              "is it bleaching over time?": 'profile("intensity", along="time")',
              "intensity from the centre outwards": 'profile("intensity", along="radius")',
              "grey values along a line": 'profile("intensity", along="line")'},
)  # fmt: skip
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
    if way in ("depth", "time"):
        course = _through(scene, quantity, name, "z" if way == "depth" else "t", of, where, channel)
    elif isinstance(quantity, Call):
        raise EvidenceError(f"{quantity.name} is followed in depth or in time only; ask for a part of the picture otherwise")
    elif name != "intensity":
        course = _by_distance(_objects(scene, of, where, channel), name)
    elif way == "radius":
        course = _outwards(scene, of, where, channel)
    else:
        course = _along_line(scene, of, where, channel)
    return _as_found(course, way)


def _objects(scene: Scene, of: Node, where: Node, channel: str | None) -> Selection:
    """The objects that are meant; all where none are named."""
    node = of if isinstance(of, Call) else Call.of("obj", str(of) if of is not None else "object")
    given = {"where": where} if where is not None and node.get("where") is None else {}
    return selection(node.but(**given, **({"channel": channel} if channel and node.get("channel") is None else {})), scene)


def _through(scene: Scene, quantity: Call | str, name: str, axis: str, of: Node, where: Node, channel: str | None) -> Course:
    """The value in each slice or frame."""
    at, values, unit, what = [], [], "", ""
    for number, there in planes_of(scene, axis):
        value, unit_here, what_here = _value(there, quantity, name, of, where, channel)
        at.append(number)
        values.append(value)
        unit, what = unit_here or unit, what_here or what
    if not np.isfinite(values).any():
        raise EvidenceError("nothing was found in any of them, so there is no course to follow")
    word = "slice" if axis == "z" else "frame"
    step = interval(scene, axis)
    how: dict[str, Any] = {"planes": len(at), "axis": axis, "channel": channel or "all"} | (
        {"interval": step[0], "interval_unit": step[1]} if step else {}
    )
    return Course(
        np.array(at, float), np.array(values, float), word, "", what, unit, f"in the first {word}", f"in the last {word}", how
    )


def _value(scene: Scene, quantity: Call | str, name: str, of: Node, where: Node, channel: str | None) -> tuple[float, str, str]:
    """``(value, unit, what)`` on one plane; nan where there is nothing."""
    if isinstance(quantity, Call):
        main = term(quantity, scene).main
        return main.number, main.unit, main.quantity
    if name == "intensity" and of is None:
        return read_greys(scene.image, place_of(where, scene, evaluate), channel).mean, "grey value", "mean grey value"
    found = _objects(scene, of, where, channel)
    if not len(found):
        return float("nan"), "", ""
    values, unit = found.values(name)
    return float(np.nanmedian(values)), unit, f"median {named(name)} of the {found.many}"


def _plane(scene: Scene, channel: str | None) -> np.ndarray:
    """Grey values ``(y, x)``, the mean of the channels.

    Raises
    ------
    EvidenceError : the image is too large to be read whole.
    """
    img = one_plane(scene.image)
    if img.plane_shape[0] * img.plane_shape[1] > _MOST_PIXELS:
        raise EvidenceError(
            "this image is too large for a profile across all of it; ask about a part: Session(img.sel(region=...))"
        )
    pixels = of_channel(img, channel).read().astype(float)
    return np.asarray(pixels.reshape(-1, *pixels.shape[-2:]).mean(axis=0))


def _scale(scene: Scene) -> tuple[float, str]:
    """Length of a pixel and its unit."""
    size = scene.image.pixel_size
    return (float(np.sqrt(size["y"] * size["x"])), "um") if size else (1.0, "px")


def _along_line(scene: Scene, of: Node, where: Node, channel: str | None) -> Course:
    """Grey values along the long axis of an object, or through the middle of the place along its longer side."""
    from skimage.measure import profile_line

    plane, (pixel, unit) = _plane(scene, channel), _scale(scene)
    if of is not None:
        found = _objects(scene, of, where, None)
        if len(found) != 1:
            raise EvidenceError(
                f"a line follows one object, and {len(found)} {found.many} are meant; say which, for example the largest"
            )
        first, last, start = _axis_of(found)
    else:
        first, last, start = _middle_line(place_of(where, scene, evaluate), plane.shape)
    values = profile_line(plane, first, last, linewidth=_WIDE, mode="nearest")  # type: ignore[no-untyped-call]
    at = np.arange(len(values)) * pixel
    how = {"from_px": [first[1], first[0]], "to_px": [last[1], last[0]], "width_px": _WIDE, "channel": channel or "all"}
    return Course(at, np.asarray(values, float), "distance", unit, "grey value", "grey value", start, "other end", how)


Point = tuple[float, float]


def _middle_line(place: Place, shape: tuple[int, ...]) -> tuple[Point, Point, str]:
    """``(first, last, name of the first end)`` of the line through the middle of a place; points are ``(y, x)``."""
    y0, x0, y1, x1 = (
        place.region.clip((shape[0], shape[1])).box if place.region is not None else (0.0, 0.0, float(shape[0]), float(shape[1]))
    )
    y, x = (y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2
    return ((y, x0), (y, x1 - 1), "left end") if x1 - x0 >= y1 - y0 else ((y0, x), (y1 - 1, x), "upper end")


def _axis_of(found: Selection) -> tuple[Point, Point, str]:
    """Both ends of the long axis of an object, the left one first."""
    angle, half = np.radians(found.values("orientation")[0][0]), found.values("length", "px")[0][0] / 2
    y, x = (float(v[0]) for v in found.centres)
    dy, dx = half * np.cos(angle), half * np.sin(angle)
    ends = sorted([(y - dy, x - dx), (y + dy, x + dx)], key=lambda p: p[1])
    height, width = found.image.plane_shape
    first, last = ((float(np.clip(a, 0, height - 1)), float(np.clip(b, 0, width - 1))) for a, b in ends)
    return first, last, "left end"


def _outwards(scene: Scene, of: Node, where: Node, channel: str | None) -> Course:
    """Grey values in rings around the middle of the place, or, of objects, from their middle to their rim."""
    plane = _plane(scene, channel)
    if of is not None:
        return _inside_out(_objects(scene, of, where, None), plane, channel)
    place, (pixel, unit) = place_of(where, scene, evaluate), _scale(scene)
    y0, x0, y1, x1 = (
        place.region.clip(scene.image.plane_shape).box if place.region is not None else (0.0, 0.0, *map(float, plane.shape))
    )
    radius = min(y1 - y0, x1 - x0) / 2
    y, x = np.ogrid[0 : plane.shape[0], 0 : plane.shape[1]]
    away = np.hypot(y + 0.5 - (y0 + y1) / 2, x + 0.5 - (x0 + x1) / 2)
    rings = int(min(_RINGS, max(radius // 2, 1)))
    ring, inside = (away / radius * rings).astype(int), away < radius
    values = _means(ring[inside], plane[inside], rings)
    at = (np.arange(rings) + 0.5) * radius / rings * pixel
    how = {"centre_px": [(x0 + x1) / 2, (y0 + y1) / 2], "radius_px": radius, "rings": rings, "channel": channel or "all"}
    return Course(at, values, "distance", unit, "mean grey value", "grey value", "in the middle", "at the rim", how)


def _inside_out(found: Selection, plane: np.ndarray, channel: str | None) -> Course:
    """The mean over objects of their grey values in steps from the middle to the rim; each object counts alike."""
    from scipy.ndimage import distance_transform_edt, find_objects

    found.need_some()
    found.need_all("the profile of each of them")
    labels, rows = found.label_plane(), []
    for label, place in enumerate(find_objects(labels), 1):
        if place is None or label not in found.labels:
            continue
        own = np.pad(labels[place] == label, 1)
        deep = distance_transform_edt(own)[1:-1, 1:-1]
        inside = own[1:-1, 1:-1]
        out = np.minimum(((1 - deep[inside] / deep.max()) * _STEPS).astype(int), _STEPS - 1)
        rows.append(_means(out, plane[place][inside], _STEPS))
    with np.errstate(all="ignore"):
        values = np.nanmean(rows, axis=0)
    at = (np.arange(_STEPS) + 0.5) * 100 / _STEPS
    how = {"objects": len(rows), "steps": _STEPS, "channel": channel or "all", **found.found}
    return Course(
        at,
        np.asarray(values),
        "way from the middle to the rim",
        "%",
        f"mean grey value of the {found.many}{f' in {channel}' if channel else ''}",
        "grey value",
        "in their middle",
        "at their rim",
        how,
    )


def _means(which: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Mean of the values of each group; nan of empty ones."""
    count = np.bincount(which, minlength=n)[:n]
    return np.where(count > 0, np.bincount(which, values, minlength=n)[:n] / np.maximum(count, 1), np.nan)


def _by_distance(found: Selection, name: str) -> Course:
    """The median of a quantity of objects by their distance from the middle of the picture."""
    found.need_some(2 * _BINS)
    found.need_all(f"how their {named(name)} changes outwards")
    values, unit = found.values(name)
    away, away_unit = found.values("distance_to_centre")
    edges = np.linspace(0, float(away.max()) * (1 + 1e-9), _BINS + 1)
    ring = np.clip(np.digitize(away, edges) - 1, 0, _BINS - 1)
    medians = np.array(
        [np.nanmedian(values[ring == k]) if np.isfinite(values[ring == k]).any() else np.nan for k in range(_BINS)]
    )
    how = {"objects": len(found), "rings": _BINS, **found.found}
    return Course(
        (edges[:-1] + edges[1:]) / 2,
        medians,
        "distance from the middle",
        away_unit,
        f"median {named(name)} of the {found.many}",
        unit,
        "in the middle",
        "at the rim",
        how,
    )


def _as_found(course: Course, way: str) -> Found:
    """The change from one end to the other, the extremes and their places; all values as a table and for a plot."""
    has = np.isfinite(course.values)
    at, values = course.at[has], course.values[has]
    if not len(values):
        raise EvidenceError("nothing could be measured at any place along it")
    first, last = float(values[0]), float(values[-1])
    high, low = int(values.argmax()), int(values.argmin())
    shown = {
        "x": at.round(4).tolist(),
        "y": values.round(6).tolist(),
        "x_name": course.at_name,
        "x_unit": course.at_unit,
        "y_name": course.what,
        "y_unit": course.unit,
    }
    how = {**course.how, "profile": shown}
    percent = 100 * (last - first) / abs(first) if first else None
    change = (
        (f"change of the {course.what}", percent, "%")
        if percent is not None
        else (f"change of the {course.what}", last - first, course.unit)
    )
    size = abs(percent) if percent is not None else (0.0 if last == first else 100.0)
    verdict = "stays" if size <= _STEADY else "rises" if last > first else "falls"
    rows = facts(
        how,
        change,
        ("value at the start", first, course.unit),
        ("value at the end", last, course.unit),
        ("least value", float(values[low]), course.unit),
        ("greatest value", float(values[high]), course.unit),
        ("place of the greatest value", float(at[high]), course.at_unit),
        ("place of the least value", float(at[low]), course.at_unit),
        ("course", verdict),
    )
    table = pd.DataFrame({course.at_name + (f"_{course.at_unit}" if course.at_unit else ""): at, course.what: values})
    places = {"highest": _spot(course, 5), "lowest": _spot(course, 6)}
    what = course.what if not numerals(course.what) else "value"
    return Found(rows, table=table, more={"what_runs": what, "start": course.start, "end": course.end, **places})


def _spot(course: Course, k: int) -> str:
    """Where an extreme lies, as a template."""
    if course.at_name in ("slice", "frame"):
        return f" in {course.at_name} {{{k}.value}}"
    return f" {{{k}}} of the way out" if course.at_unit == "%" else f" {{{k}}} from the middle"
