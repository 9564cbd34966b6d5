"""Courses: how a quantity changes along a line, from the middle outwards, through a stack or in time; and objects followed from
frame to frame: how fast they move, what they divide into, what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from ...analysis.statistics import bootstrap
from ...errors import EvidenceError
from ...tiles.polygons import boxes
from ..language import Call, Node
from ..words.prose import numerals
from .evaluation import evaluate, selection, term
from .measurement import Fact
from .pixels import interval, means, of_channel, one_plane, read_greys
from .quantities import named, plain_quantity
from .registry import measurement
from .results import Found
from .scene import PLANES, Place, Scene, need_planes
from .selecting import channel_named, place_of
from .selection import Selection

_MOST_PLANES, _MOST_FRAMES, _RINGS, _STEPS, _BINS = 200, 100, 20, 10, 5
_WIDE = 5  # px, width of the line that is averaged
_STEADY = 5.0  # change in % up to which something stays about the same
_MOST_PIXELS = 1 << 26
_ALONG = {
    **dict.fromkeys(("line", "axis", "length"), "line"), **dict.fromkeys(("radius", "radial", "centre", "center"), "radius"),
    **dict.fromkeys(("depth", "z", "slices"), "z"), **dict.fromkeys(("time", "t", "frames"), "t"),
}  # fmt: skip
_REACH = 1.5  # diameters that an object may move from one frame to the next
_SHARED = 0.8  # largest area of a daughter, of that of its mother
What = Literal["speed", "path", "division", "lineage", "fate"]


@dataclass(frozen=True)
class Course:
    """Values along positions.

    Attributes
    ----------
    at, values : ``(n,)``; nan where nothing could be measured.
    along : what the positions are, with their unit, e.g. ``("slice", "")`` or ``("distance", "um")``.
    what : what the values are, with their unit.
    ends : how the two ends are called.
    how : how it was measured.
    """

    at: np.ndarray
    values: np.ndarray
    along: tuple[str, str]
    what: tuple[str, str]
    ends: tuple[str, str]
    how: dict[str, Any]


@dataclass(frozen=True)
class _Asked:
    """What is followed: the objects, the place and the channel that are meant."""

    scene: Scene
    of: Node
    where: Node
    channel: str | None

    def objects(self, channel: str | None = None) -> Selection:
        """All where none are named."""
        node = self.of if isinstance(self.of, Call) else Call.of("obj", str(self.of if self.of is not None else "object"))
        given = {"where": self.where, "channel": channel}
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


def planes_of(scene: Scene, axis: str, most: int) -> list[tuple[int, Scene]]:
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
        return _told(_through(asked, quantity, name, way))
    if isinstance(quantity, Call):
        raise EvidenceError(f"{quantity.name} is followed in depth or in time only; ask for a part of the picture otherwise")
    if name != "intensity":
        return _told(_by_distance(asked.objects(channel), name))
    if way == "line":
        return _told(_along_line(asked), "line")
    return _told(_outwards(asked) if of is None else _inside_out(asked))


def _through(asked: _Asked, quantity: Call | str, name: str, axis: str) -> Course:
    """The value in each slice or frame."""
    planes, word = planes_of(asked.scene, axis, _MOST_PLANES), PLANES[axis][0]
    rows = [_value(_Asked(there, asked.of, asked.where, asked.channel), quantity, name) for _, there in planes]
    values = np.array([value for value, _ in rows], float)
    if not np.isfinite(values).any():
        raise EvidenceError("nothing was found in any of them, so there is no course to follow")
    what, step = [what for value, what in rows if np.isfinite(value)][-1], interval(asked.scene.image, axis)
    how: dict[str, Any] = {"planes": len(planes), "axis": axis, "channel": asked.channel or "all"}
    how |= {"interval": step[0], "interval_unit": step[1]} if step else {}
    ends = (f"in the first {word}", f"in the last {word}")
    return Course(np.array([number for number, _ in planes], float), values, (word, ""), what, ends, how)


def _value(asked: _Asked, quantity: Call | str, name: str) -> tuple[float, tuple[str, str]]:
    """The value on one plane, and what it is with its unit; nan where there is nothing."""
    if isinstance(quantity, Call):
        main = term(quantity, asked.scene).main
        return main.number, (main.quantity, main.unit)
    if name == "intensity" and asked.of is None:
        return read_greys(asked.scene.image, asked.place, asked.channel).mean, ("mean grey value", "grey value")
    found = asked.objects(asked.channel)
    values, unit = found.values(name)
    return float(np.nanmedian(values)) if len(found) else np.nan, (f"median {named(name)} of the {found.many}", unit)


def _along_line(asked: _Asked) -> Course:
    """Grey values along the long axis of an object, or through the middle of the place along its longer side."""
    from skimage.measure import profile_line

    if asked.of is not None:
        found = asked.objects()
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
    what, ends, at = ("grey value", "grey value"), (start, "other end"), np.arange(len(values)) * pixel
    return Course(at, np.asarray(values, float), ("distance", unit), what, ends, how)


def _axis_of(found: Selection) -> tuple[tuple[float, float], tuple[float, float]]:
    """Both ends ``(y, x)`` of the long axis of an object, the left one first."""
    angle, half = np.radians(found.values("orientation")[0][0]), found.values("length", "px")[0][0] / 2
    y, x = (float(v[0]) for v in found.centres)
    dy, dx = half * np.cos(angle), half * np.sin(angle)
    height, width = found.image.plane_shape
    ends = [(np.clip(y + k * dy, 0, height - 1), np.clip(x + k * dx, 0, width - 1)) for k in (-1, 1)]
    first, last = sorted(((float(a), float(b)) for a, b in ends), key=lambda p: p[1])
    return first, last


def _outwards(asked: _Asked) -> Course:
    """Grey values in rings around the middle of the place."""
    plane, (y0, x0, y1, x1), (pixel, unit) = asked.plane, asked.box, asked.scene.pixel
    radius = min(y1 - y0, x1 - x0) / 2
    y, x = np.ogrid[0 : plane.shape[0], 0 : plane.shape[1]]
    away = np.hypot(y + 0.5 - (y0 + y1) / 2, x + 0.5 - (x0 + x1) / 2)
    rings = int(min(_RINGS, max(radius // 2, 1)))
    ring, inside = (away / radius * rings).astype(int), away < radius
    how = {"centre_px": [(x0 + x1) / 2, (y0 + y1) / 2], "radius_px": radius, "rings": rings, "channel": asked.channel or "all"}
    at, values = (np.arange(rings) + 0.5) * radius / rings * pixel, means(ring[inside], plane[inside], rings)
    return Course(at, values, ("distance", unit), ("mean grey value", "grey value"), ("in the middle", "at the rim"), how)


def _inside_out(asked: _Asked) -> Course:
    """The mean over objects of their grey values in steps from the middle to the rim; each object counts alike."""
    from scipy.ndimage import distance_transform_edt

    found, plane = asked.objects(), asked.plane
    found.need_some()
    found.need_all("the profile of each of them")
    labels, rows = found.label_plane(), []
    for label, place in ((k, at) for k, at in boxes(labels).items() if k in found.labels):
        inside = labels[place] == label
        deep = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
        out = np.minimum(((1 - deep[inside] / deep.max()) * _STEPS).astype(int), _STEPS - 1)
        rows.append(means(out, plane[place][inside], _STEPS))
    with np.errstate(all="ignore"):
        values = np.asarray(np.nanmean(rows, axis=0))
    what = f"mean grey value of the {found.many}{f' in {asked.channel}' if asked.channel else ''}"
    how = {"objects": len(rows), "steps": _STEPS, "channel": asked.channel or "all", **found.found}
    at, ends = (np.arange(_STEPS) + 0.5) * 100 / _STEPS, ("in their middle", "at their rim")
    return Course(at, values, ("way from the middle to the rim", "%"), (what, "grey value"), ends, how)


def _by_distance(found: Selection, name: str) -> Course:
    """The median of a quantity of objects by their distance from the middle of the picture."""
    found.need_some(2 * _BINS)
    found.need_all(f"how their {named(name)} changes outwards")
    (values, unit), (away, away_unit) = found.values(name), found.values("distance_to_centre")
    edges = np.linspace(0, float(away.max()) * (1 + 1e-9), _BINS + 1)
    rings = pd.Series(values).groupby(np.digitize(away, edges) - 1).median()
    medians = rings.reindex(range(_BINS)).to_numpy(float)
    what, how = (f"median {named(name)} of the {found.many}", unit), {"objects": len(found), "rings": _BINS, **found.found}
    at, along = (edges[:-1] + edges[1:]) / 2, ("distance from the middle", away_unit)
    return Course(at, medians, along, what, ("in the middle", "at the rim"), how)


def _told(course: Course, says: str = "") -> Found:
    """The change from one end to the other, the extremes and their places; all values as a table and for a plot."""
    has, (along, along_unit), (what, unit) = np.isfinite(course.values), course.along, course.what
    at, values = course.at[has], course.values[has]
    if not len(values):
        raise EvidenceError("nothing could be measured at any place along it")
    first, last, high, low = float(values[0]), float(values[-1]), int(values.argmax()), int(values.argmin())
    change, change_unit = (100 * (last - first) / abs(first), "%") if first else (last - first, unit)
    steady = abs(change) <= _STEADY if first else last == first
    verdict = "stays" if steady else "rises" if last > first else "falls"
    plot = {"x": at.round(4).tolist(), "y": values.round(6).tolist(), "x_name": along, "x_unit": along_unit}
    rows = (
        (f"change of the {what}", change, change_unit),
        ("value at the start", first, unit),
        ("value at the end", last, unit),
        ("least value", float(values[low]), unit),
        ("greatest value", float(values[high]), unit),
        ("place of the greatest value", float(at[high]), along_unit),
        ("place of the least value", float(at[low]), along_unit),
        ("course", verdict),
    )
    how = {**course.how, "profile": {**plot, "y_name": what, "y_unit": unit}}
    shown = pd.DataFrame({along + (f"_{along_unit}" if along_unit else ""): at, what: values})
    more = {"start": course.ends[0], "end": course.ends[1], "highest": _spot(course, 5), "lowest": _spot(course, 6)}
    return Found.of(how, *rows, says=says or verdict, table=shown, what_runs=what if not numerals(what) else "value", more=more)


def _spot(course: Course, k: int) -> str:
    """Where an extreme lies, as a template."""
    along, unit = course.along
    if along in ("slice", "frame"):
        return f" in {along} {{{k}.value}}"
    return f" {{{k}}} of the way out" if unit == "%" else f" {{{k}}} from the middle"


@dataclass(frozen=True)
class Tracks:
    """All objects followed through ``frames`` frames.

    Attributes
    ----------
    table : a row a track: first and last frame, mean speed, path, distance from start to end (``net``), mother, divided.
    first : the objects of the first frame.
    unit : of length. ``per`` : of time.
    how : how they were followed.
    """

    table: pd.DataFrame
    frames: int
    first: Selection
    unit: str
    per: str
    how: Mapping[str, Any]

    @property
    def moved(self) -> pd.DataFrame:
        """Those that were seen in at least two frames."""
        return self.table[self.table["last_frame"] > self.table["first_frame"]]

    def median(self, name: str, column: str, unit: str) -> Fact:
        """The median over tracks with its interval."""
        values = self.moved[column].to_numpy(float)
        made = bootstrap(values, np.median) if len(values) > 2 else None
        return name, float(np.median(values)), unit, made.interval if made else None

    def found(self, says: str, main: Fact, *rows: Fact) -> Found:
        """The answer: its main fact, how many were followed how long, and further facts."""
        followed, frames = self.first.n("followed", len(self.moved)), ("number of frames", self.frames, "count")
        return Found.of(self.how, main, followed, frames, *rows, says=says, shown=self.first, table=self.named)

    @property
    def named(self) -> pd.DataFrame:
        """The table with units in its names."""
        units = {"speed": f"speed_{self.unit}_per_{self.per}", "path": f"path_{self.unit}", "net": f"net_{self.unit}"}
        return self.table.rename(columns=units)


def follow(scene: Scene, objects: Call | str) -> Tracks:
    """Objects found in every frame, and linked to the nearest one of the next frame where each is the other's nearest."""
    found = [selection(objects, there) for _, there in planes_of(scene, "t", _MOST_FRAMES)]
    sizes = np.concatenate([s.values("diameter", "px")[0] for s in found])
    if not len(sizes):
        raise EvidenceError(f"I find no {found[0].many} in any of the frames, so there is nothing to follow")
    reach = _REACH * float(np.median(sizes))
    seen, mothers = _linked(found, reach)
    step, per = interval(scene.image, "t") or (1.0, "frame")
    step, per = (step / 60, "min") if per == "s" and step >= 60 else (step, per)
    pixel, unit = found[0].scene.pixel
    rows = []
    for mother, (_, own) in zip(mothers, seen.groupby("track"), strict=True):
        steps = np.hypot(np.diff(own["y"]), np.diff(own["x"]))
        net = np.hypot(own["y"].iloc[-1] - own["y"].iloc[0], own["x"].iloc[-1] - own["x"].iloc[0])
        ends = {"first_frame": own["frame"].iloc[0], "last_frame": own["frame"].iloc[-1]}
        speed = float(steps.mean()) * pixel / step if len(steps) else np.nan
        rows.append({**ends, "speed": speed, "path": float(steps.sum()) * pixel, "net": float(net) * pixel, "mother": mother})
    table = pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="track"))
    table = table.assign(divided=table.index.isin([m for m in mothers if m is not None]))
    linked = {"linking": "nearest neighbour, both ways", "reach_px": round(reach, 2), "frames": len(found)}
    return Tracks(table, len(found), found[0], unit, per, {**found[0].found, **linked})


def _linked(found: list[Selection], reach: float) -> tuple[pd.DataFrame, list[int | None]]:
    """All objects of all frames, each with the number of its track; and the mother of every track.

    A new object beside one that shrank in the same frame is one daughter, what is left of the other the second; the mother's
    track ends.
    """
    mothers, frames = list[int | None](), list[pd.DataFrame]()
    for frame, there in enumerate(found, 1):
        y, x = there.centres
        now = pd.DataFrame({"frame": frame, "y": y, "x": x, "area": there.values("area", "px2")[0]})
        before = frames[-1] if frames else now[:0].assign(track=0)
        away = cdist(before[["y", "x"]], now[["y", "x"]])  # (before, now)
        track = np.zeros(len(now), int)
        if away.size:
            rows, here = np.arange(len(before)), away.argmin(axis=1)
            linked = (away[rows, here] <= reach) & (away.argmin(axis=0)[here] == rows)
            track[here[linked]] = np.asarray(before["track"])[linked]
        for k in np.flatnonzero(track == 0):
            mothers.append(None)
            track[k] = len(mothers)
            row = int(away[:, k].argmin()) if len(before) else 0
            if not len(before) or away[row, k] > reach:
                continue
            rest = np.flatnonzero(track == before["track"].iloc[row])  # what is left of what lay there
            if len(rest) and max(now["area"][rest[0]], now["area"][k]) <= _SHARED * before["area"].iloc[row]:
                mothers[-1] = int(before["track"].iloc[row])
                mothers.append(mothers[-1])
                track[rest[0]] = len(mothers)
        frames.append(now.assign(track=track))
    return pd.concat(frames), mothers


@measurement("track")
def track(scene: Scene, objects: Call | str, *, what: What = "speed") -> Found:
    """Objects followed from frame to frame by nearest neighbours: their speed, path, divisions, lineage or fate."""
    if "t" not in scene.image.axes:
        why = (
            "This image has no frames in time, so nothing in it can be followed; one moment shows no movement, division or fate."
        )
        return Found(declined=why, remedy='open a time series: a stack with a t axis, open_image(path, axes="tyx")')
    followed = follow(scene, objects)
    if what in ("speed", "path") and not len(followed.moved):
        why = f"no {followed.first.kind} could be followed from one frame to the next"
        raise EvidenceError(f"{why}; they move farther than they are large")
    return _WHAT[what](followed)


def _speed(followed: Tracks) -> Found:
    speeds, unit = followed.moved["speed"], f"{followed.unit}/{followed.per}"
    main = followed.median(f"median speed of the {followed.first.many}", "speed", unit)
    ends = (("slowest", float(speeds.min()), unit), ("fastest", float(speeds.max()), unit))
    return followed.found("speed" if len(speeds) > 1 else "speed_of_one", main, *ends)


def _path(followed: Tracks) -> Found:
    moved = followed.moved
    main = followed.median(f"median path of the {followed.first.many}", "path", followed.unit)
    straight = 100 * float((moved["net"] / moved["path"].clip(lower=1e-9)).median())
    ends = ("median distance from start to end", float(moved["net"].median()), followed.unit)
    return followed.found("path" if len(moved) > 1 else "path_of_one", main, ends, ("straightness", straight, "%"))


def _division(followed: Tracks) -> Found:
    times = sorted(followed.table["last_frame"][followed.table["divided"]] + 1)
    first = (("frame of the first division", times[0], ""),) if times else ()
    says = "no_division" if not times else "division" if len(times) == 1 else "divisions"
    return followed.found(says, ("number of divisions", len(times), "count"), *first)


def _lineage(followed: Tracks) -> Found:
    generation: dict[int, int] = {}
    for number, mother in zip(
        followed.table.index.tolist(), followed.table["mother"].tolist(), strict=True
    ):  # a mother stands before her daughters
        generation[number] = 1 + generation.get(mother, 0)
    born = followed.table["mother"].notna()
    founders = int((~born & (followed.table["first_frame"] == 1)).sum())
    says = "no_lineage" if not born.any() else "lineage" if founders > 1 else "lineage_of_one"
    rows = (("number of founders", founders, "count"), ("number of generations", max(generation.values()), "count"))
    return followed.found(says, ("number of daughters", int(born.sum()), "count"), *rows)


def _fate(followed: Tracks) -> Found:
    at_first, many = followed.table[followed.table["first_frame"] == 1], followed.first.many
    followed.first.need_some(what="in the first frame, so nothing is known of what becomes of them")
    n, stay, divide = len(at_first), int((at_first["last_frame"] == followed.frames).sum()), int(at_first["divided"].sum())
    counted = {f"number of {many} at first": n, "number that stay": stay, "number that divide": divide}
    counted["number lost from sight"] = n - stay - divide
    main, rest = (f"share of the {many} that are there to the end", 100 * stay / n, "%"), counted.items()
    rows = ((name, number, "count") for name, number in rest)
    return Found.of(followed.how, main, *rows, says="fate", shown=followed.first, table=followed.named)


_WHAT: Mapping[What, Callable[[Tracks], Found]] = {
    "speed": _speed, "path": _path, "division": _division, "lineage": _lineage, "fate": _fate,
}  # fmt: skip
