"""Changes in time: objects followed from frame to frame, how fast they move, what they divide into, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...analysis.statistics import bootstrap
from ...errors import EvidenceError
from ..language import Call
from .evaluation import selection
from .facts import interval
from .measurement import Measurement, facts
from .profiles import planes_of
from .registry import measurement
from .results import Found
from .scene import Scene
from .selection import Selection

_REACH = 1.5  # diameters that an object may move from one frame to the next
_MOST_FRAMES = 100
_SHARED = 0.8  # largest area of a daughter, of that of its mother
What = Literal["speed", "path", "division", "lineage", "fate"]


@dataclass
class Track:
    """One object followed: its frames (from one), centres ``(y, x)`` in px, areas in px², and the track that it came from."""

    number: int
    frames: list[int] = field(default_factory=list)
    centres: list[tuple[float, float]] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    mother: int | None = None
    divided: bool = False

    def add(self, frame: int, centre: tuple[float, float], area: float) -> None:
        """Where it is in one more frame."""
        self.frames.append(frame)
        self.centres.append(centre)
        self.areas.append(area)

    @property
    def steps(self) -> np.ndarray:
        """Distance moved from frame to frame, px."""
        return np.hypot(*np.diff(np.array(self.centres), axis=0).T) if len(self.centres) > 1 else np.zeros(0)

    @property
    def net(self) -> float:
        """Distance from its first to its last place, px."""
        (a, b), (c, d) = self.centres[0], self.centres[-1]
        return float(np.hypot(c - a, d - b))


@dataclass(frozen=True)
class Tracks:
    """All objects followed through ``frames`` frames; ``first`` are those of the first frame; ``reach`` px was the farthest
    step."""

    tracks: tuple[Track, ...]
    frames: int
    first: Selection
    reach: float
    per: tuple[float, str]

    @property
    def moved(self) -> list[Track]:
        """Those that were seen in at least two frames."""
        return [t for t in self.tracks if len(t.frames) > 1]

    @property
    def how(self) -> dict[str, Any]:
        """How they were followed."""
        linked = {"linking": "nearest neighbour, both ways", "reach_px": round(self.reach, 2), "frames": self.frames}
        return {**self.first.found, **linked}

    @property
    def table(self) -> pd.DataFrame:
        """A row a track."""
        (pixel, unit), (step, per) = self.first.scene.pixel, self.per
        rows = [
            {
                "first_frame": t.frames[0],
                "last_frame": t.frames[-1],
                f"speed_{unit}_per_{per}": float(t.steps.mean()) * pixel / step if len(t.steps) else np.nan,
                f"path_{unit}": float(t.steps.sum()) * pixel,
                f"net_{unit}": t.net * pixel,
                "mother": t.mother,
                "divided": t.divided,
            }
            for t in self.tracks
        ]
        return pd.DataFrame(rows, index=pd.Index([t.number for t in self.tracks], name="track"))

    def summed(self, name: str, values: np.ndarray, unit: str) -> Measurement:
        """The median over tracks with its interval."""
        made = bootstrap(values, np.median) if len(values) > 2 else None
        return Measurement(name, float(np.median(values)), unit, made.interval if made else None, self.how)

    def found(self, says: str, main: Measurement, *rows: tuple[Any, ...]) -> Found:
        """The answer: its main fact, how many were followed how long, and further facts."""
        followed = (f"number of {self.first.many} followed", len(self.moved), "count")
        measured = (main, *facts(self.how, followed, ("number of frames", self.frames, "count"), *rows))
        return Found(measured, says, shown=self.first, table=self.table)


def follow(scene: Scene, objects: Call | str) -> Tracks:
    """Objects found in every frame, and linked to the nearest one of the next frame where each is the other's nearest.

    A new object beside one that shrank in the same frame is one daughter, what is left of the other the second; the mother's
    track ends.
    """
    found = [selection(objects, there) for _, there in planes_of(scene, "t", _MOST_FRAMES)]
    sizes = np.concatenate([s.values("diameter", "px")[0] for s in found])
    if not len(sizes):
        raise EvidenceError(f"I find no {found[0].many} in any of the frames, so there is nothing to follow")
    reach, tracks, living = _REACH * float(np.median(sizes)), list[Track](), dict[int, Track]()
    for frame, there in enumerate(found, 1):
        living = _linked(tracks, living, frame, there, reach)
    step, unit = interval(scene.image, "t") or (1.0, "frame")
    return Tracks(tuple(tracks), len(found), found[0], reach, (step / 60, "min") if unit == "s" and step >= 60 else (step, unit))


def _linked(tracks: list[Track], living: dict[int, Track], frame: int, found: Selection, reach: float) -> dict[int, Track]:
    """The tracks of this frame by row; those of the frame before are carried on, others begin."""
    places, areas = np.stack(found.centres, axis=1), found.values("area", "px2")[0]
    before, out = list(living.values()), dict[int, Track]()
    ends = np.array([t.centres[-1] for t in before]).reshape(-1, 2)
    away = np.hypot(*np.moveaxis(places[None] - ends[:, None], 2, 0))  # (before, now)
    for row, track in enumerate(before):
        if len(places) and away[row].min() <= reach and int(away[:, away[row].argmin()].argmin()) == row:
            out[int(away[row].argmin())] = track
    was = {id(t): t.areas[-1] for t in before}
    for k in [*out, *(set(range(len(places))) - set(out))]:
        new = k not in out
        track = out.setdefault(k, Track(len(tracks) + 1))
        track.add(frame, (float(places[k, 0]), float(places[k, 1])), float(areas[k]))
        if new:
            tracks.append(track)
            mother = _mother_of(track, before, away[:, k], was, reach)
            if mother is not None:
                sister = _ended(mother, tracks)
                track.mother = sister.mother = mother.number
                out[next(row for row, t in out.items() if t is mother)] = sister
    return out


def _mother_of(track: Track, before: list[Track], away: np.ndarray, was: dict[int, float], reach: float) -> Track | None:
    """The mother of a new object: one beside it that shrank as it appeared."""
    if not len(away) or away.min() > reach:
        return None
    mother = before[int(away.argmin())]
    shrank = track.frames[0] == mother.frames[-1] and max(mother.areas[-1], track.areas[0]) <= _SHARED * was[id(mother)]
    return mother if shrank and not mother.divided else None


def _ended(mother: Track, tracks: list[Track]) -> Track:
    """Ends the track of a mother in the frame before; what followed it there is her other daughter."""
    sister = Track(len(tracks) + 1)
    sister.add(mother.frames.pop(), mother.centres.pop(), mother.areas.pop())
    tracks.append(sister)
    mother.divided = True
    return sister


@measurement("track")
def track(scene: Scene, objects: Call | str, *, what: What = "speed") -> Found:
    """Objects followed from frame to frame by nearest neighbours: their speed, path, divisions, lineage or fate."""
    if "t" not in scene.image.axes:
        why = (
            "This image has no frames in time, so nothing in it can be followed; one moment shows no movement, division or fate."
        )
        return Found(declined=why, remedy='open a time series: a stack with a t axis, open_image(path, axes="tyx")')
    followed = follow(scene, objects)
    if what in ("speed", "path") and not followed.moved:
        why = f"no {followed.first.kind} could be followed from one frame to the next"
        raise EvidenceError(f"{why}; they move farther than they are large")
    return _WHAT[what](followed)


def _speed(followed: Tracks) -> Found:
    (pixel, unit), (step, per), many = followed.first.scene.pixel, followed.per, followed.first.many
    speeds = np.array([t.steps.mean() * pixel / step for t in followed.moved])
    main = followed.summed(f"median speed of the {many}", speeds, f"{unit}/{per}")
    ends = (("slowest", float(speeds.min()), main.unit), ("fastest", float(speeds.max()), main.unit))
    return followed.found("speed" if len(speeds) > 1 else "speed_of_one", main, *ends)


def _path(followed: Tracks) -> Found:
    (pixel, unit), many = followed.first.scene.pixel, followed.first.many
    paths, nets = np.array([(float(t.steps.sum()) * pixel, t.net * pixel) for t in followed.moved]).T
    main, straight = followed.summed(f"median path of the {many}", paths, unit), float(np.median(nets / np.maximum(paths, 1e-9)))
    rest = (("median distance from start to end", float(np.median(nets)), unit), ("straightness", 100 * straight, "%"))
    return followed.found("path" if len(paths) > 1 else "path_of_one", main, *rest)


def _division(followed: Tracks) -> Found:
    times = sorted(t.frames[-1] + 1 for t in followed.tracks if t.divided)
    main = Measurement("number of divisions", len(times), "count", found=followed.how)
    first = (("frame of the first division", times[0], ""),) if times else ()
    return followed.found("no_division" if not times else "division" if len(times) == 1 else "divisions", main, *first)


def _lineage(followed: Tracks) -> Found:
    by_number = {t.number: t for t in followed.tracks}

    def generation(t: Track) -> int:
        return 1 if t.mother is None else 1 + generation(by_number[t.mother])

    daughters = sum(t.mother is not None for t in followed.tracks)
    founders = sum(t.mother is None and t.frames[0] == 1 for t in followed.tracks)
    main = Measurement("number of daughters", daughters, "count", found=followed.how)
    depth = ("number of generations", max(map(generation, followed.tracks)), "count")
    says = "no_lineage" if not daughters else "lineage" if founders > 1 else "lineage_of_one"
    return followed.found(says, main, ("number of founders", founders, "count"), depth)


def _fate(followed: Tracks) -> Found:
    at_first, many = [t for t in followed.tracks if t.frames[0] == 1], followed.first.many
    if not at_first:
        raise EvidenceError(f"I find no {many} in the first frame, so nothing is known of what becomes of them")
    stay, divide = sum(t.frames[-1] == followed.frames for t in at_first), sum(t.divided for t in at_first)
    share = 100 * stay / len(at_first)
    main = Measurement(f"share of the {many} that are there to the end", share, "%", found=followed.how)
    counted = {f"number of {many} at first": len(at_first), "number that stay": stay, "number that divide": divide}
    counted["number lost from sight"] = len(at_first) - stay - divide
    rest = facts(followed.how, *((name, n, "count") for name, n in counted.items()))
    return Found((main, *rest), "fate", shown=followed.first, table=followed.table)


_WHAT: Mapping[What, Callable[[Tracks], Found]] = {
    "speed": _speed, "path": _path, "division": _division, "lineage": _lineage, "fate": _fate,
}  # fmt: skip
