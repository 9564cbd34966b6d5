"""Changes in time: objects followed from frame to frame, how fast they move, what they divide into, and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...analysis.statistics import bootstrap
from ...errors import EvidenceError
from ..language import Call
from .evaluation import selection
from .measurement import Measurement, facts
from .profiles import interval, planes_of
from .registry import measurement
from .results import Found
from .scene import Scene
from .selection import Selection

_REACH = 1.5  # diameters that an object may move from one frame to the next
_MOST_FRAMES = 100
_SHARED = 0.8  # largest area of a daughter, of that of its mother
_WHAT = Literal["speed", "path", "division", "lineage", "fate"]


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

    @property
    def moved(self) -> list[Track]:
        """Those that were seen in at least two frames."""
        return [t for t in self.tracks if len(t.frames) > 1]

    @property
    def how(self) -> dict[str, Any]:
        """How they were followed."""
        return {
            **self.first.found,
            "linking": "nearest neighbour, both ways",
            "reach_px": round(self.reach, 2),
            "frames": self.frames,
        }


def follow(scene: Scene, objects: Call | str) -> Tracks:
    """Objects found in every frame, and linked to the nearest one of the next frame where each is the other's nearest.

    A new object beside one that shrank in the same frame is one daughter, what is left of the other the second; the mother's
    track ends.

    Raises
    ------
    AxesError : the image has no frames.
    EvidenceError : there are none of these objects.
    """
    found = [selection(objects, there) for _, there in planes_of(scene, "t", _MOST_FRAMES)]
    sizes = np.concatenate([s.values("diameter", "px")[0] for s in found])
    if not len(sizes):
        raise EvidenceError(f"I find no {found[0].many} in any of the frames, so there is nothing to follow")
    reach, tracks, living = _REACH * float(np.median(sizes)), list[Track](), dict[int, Track]()
    for frame, there in enumerate(found, 1):
        living = _linked(tracks, living, frame, there, reach)
    return Tracks(tuple(tracks), len(found), found[0], reach)


def _linked(tracks: list[Track], living: dict[int, Track], frame: int, found: Selection, reach: float) -> dict[int, Track]:
    """The tracks of this frame by row; those of the frame before are carried on, others begin."""
    y, x = found.centres
    areas = found.values("area", "px2")[0]
    before, out = list(living.values()), dict[int, Track]()
    away = np.array(
        [[np.hypot(y[k] - t.centres[-1][0], x[k] - t.centres[-1][1]) for k in range(len(y))] for t in before]
    ).reshape(len(before), len(y))
    for row, track in enumerate(before):
        if away.shape[1] and away[row].min() <= reach and int(away[:, away[row].argmin()].argmin()) == row:
            out[int(away[row].argmin())] = track
    was = {id(t): t.areas[-1] for t in before}
    for k, track in out.items():
        track.add(frame, (float(y[k]), float(x[k])), float(areas[k]))
    for k in set(range(len(y))) - set(out):
        track = Track(len(tracks) + 1)
        track.add(frame, (float(y[k]), float(x[k])), float(areas[k]))
        tracks.append(track)
        out[k] = track
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


@measurement(
    "track",
    examples={"How fast do the cells move?": 'track("cell", what="speed")',
              "did any of the bacteria divide?": 'track("bacterium", what="division")',
              "how far do the neutrophils travel": 'track("neutrophil", what="path")',
              "what becomes of the droplets": 'track("droplet", what="fate")'},
)  # fmt: skip
def track(scene: Scene, objects: Call | str, *, what: _WHAT = "speed") -> Found:
    """Objects followed from frame to frame by nearest neighbours: their speed, path, divisions, lineage or fate."""
    if "t" not in scene.image.axes:
        return Found(
            declined="This image has no frames in time, so nothing in it can be followed; one moment shows no movement, "
            "division or fate.",
            remedy='open a time series: a stack with a t axis, open_image(path, axes="tyx")',
        )
    followed = follow(scene, objects)
    if what in ("speed", "path") and not followed.moved:
        raise EvidenceError(
            f"no {followed.first.one} could be followed from one frame to the next; they move farther than they are large"
        )
    made = {"speed": _speed, "path": _path, "division": _division, "lineage": _lineage, "fate": _fate}[what](scene, followed)
    return made


def _table(scene: Scene, followed: Tracks) -> pd.DataFrame:
    """A row a track."""
    pixel, unit = _pixel(scene)
    step, per = _per(scene)
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
        for t in followed.tracks
    ]
    return pd.DataFrame(rows, index=pd.Index([t.number for t in followed.tracks], name="track"))


def _pixel(scene: Scene) -> tuple[float, str]:
    size = scene.image.pixel_size
    return (float(np.sqrt(size["y"] * size["x"])), "um") if size else (1.0, "px")


def _per(scene: Scene) -> tuple[float, str]:
    """Time between frames and its unit: seconds or minutes where known, else one frame."""
    known = interval(scene, "t")
    if known is None:
        return 1.0, "frame"
    return (known[0] / 60, "min") if known[0] >= 60 else (known[0], "s")


def _summed(name: str, values: np.ndarray, unit: str, followed: Tracks) -> Measurement:
    """The median over tracks with its interval."""
    made = bootstrap(values, np.median) if len(values) > 2 else None
    return Measurement(name, float(np.median(values)), unit, made.interval if made else None, followed.how)


def _followed(followed: Tracks) -> tuple[Measurement, Measurement]:
    a, b = facts(
        followed.how,
        (f"number of {followed.first.many} followed", len(followed.moved), "count"),
        ("number of frames", followed.frames, "count"),
    )
    return a, b


def _speed(scene: Scene, followed: Tracks) -> Found:
    (pixel, unit), (step, per) = _pixel(scene), _per(scene)
    speeds = np.array([t.steps.mean() * pixel / step for t in followed.moved])
    main = _summed(f"median speed of the {followed.first.many}", speeds, f"{unit}/{per}", followed)
    ends = facts(followed.how, ("slowest", float(speeds.min()), main.unit), ("fastest", float(speeds.max()), main.unit))
    says = (
        "The {objects} move at {0}{0.interval} in the median; I followed {1:object} through {2} frames, the slowest at "
        "{3} and the fastest at {4}."
    )
    if len(speeds) == 1:
        says = "The {object} moves at {0}; I followed it through {2} frames."
    return Found((main, *_followed(followed), *ends), says=says, shown=followed.first, table=_table(scene, followed))


def _path(scene: Scene, followed: Tracks) -> Found:
    pixel, unit = _pixel(scene)
    paths, nets = (np.array([v(t) * pixel for t in followed.moved]) for v in (lambda t: float(t.steps.sum()), lambda t: t.net))
    main = _summed(f"median path of the {followed.first.many}", paths, unit, followed)
    straight = float(np.median(nets / np.maximum(paths, 1e-9)))
    rest = facts(
        followed.how, ("median distance from start to end", float(np.median(nets)), unit), ("straightness", 100 * straight, "%")
    )
    says = (
        "The {objects} travel {0}{0.interval} in the median, and end {3} from where they began; I followed {1:object} "
        "through {2} frames."
    )
    if len(paths) == 1:
        says = "The {object} travels {0}, and ends {3} from where it began; I followed it through {2} frames."
    return Found((main, *_followed(followed), *rest), says=says, shown=followed.first, table=_table(scene, followed))


def _division(scene: Scene, followed: Tracks) -> Found:
    divided = [t for t in followed.tracks if t.divided]
    times = sorted(t.frames[-1] + 1 for t in divided)
    main = Measurement("number of divisions", len(times), "count", found=followed.how)
    first = facts(followed.how, ("frame of the first division", times[0], "")) if times else ()
    one = "I see {0} division, in frame {3}, among {1:object} followed through {2} frames."
    many = "I see {0} divisions, the first in frame {3}, among {1:object} followed through {2} frames."
    none = "I see no division among {1:object} followed through {2} frames."
    return Found(
        (main, *_followed(followed), *first),
        says=none if not times else one if len(times) == 1 else many,
        shown=followed.first,
        table=_table(scene, followed),
    )


def _lineage(scene: Scene, followed: Tracks) -> Found:
    by_number = {t.number: t for t in followed.tracks}

    def generation(t: Track) -> int:
        return 1 if t.mother is None else 1 + generation(by_number[t.mother])

    founders = [t for t in followed.tracks if t.mother is None and t.frames[0] == 1]
    depth = max(map(generation, followed.tracks))
    daughters = sum(t.mother is not None for t in followed.tracks)
    main = Measurement("number of daughters", daughters, "count", found=followed.how)
    rest = facts(followed.how, ("number of founders", len(founders), "count"), ("number of generations", depth, "count"))
    founded = "one founder" if len(founders) == 1 else "{3} founders"
    says = (
        f"From {founded} {{0}} daughters come, over {{4}} generations, in {{2}} frames."
        if daughters
        else "No {object} has a daughter in the {2} frames, so there is no lineage to draw."
    )
    return Found((main, *_followed(followed), *rest), says=says, shown=followed.first, table=_table(scene, followed))


def _fate(scene: Scene, followed: Tracks) -> Found:
    at_first = [t for t in followed.tracks if t.frames[0] == 1]
    if not at_first:
        raise EvidenceError(f"I find no {followed.first.many} in the first frame, so nothing is known of what becomes of them")
    stay = sum(t.frames[-1] == followed.frames for t in at_first)
    divide = sum(t.divided for t in at_first)
    main = Measurement(
        f"share of the {followed.first.many} that are there to the end", 100 * stay / len(at_first), "%", found=followed.how
    )
    counted = {
        f"number of {followed.first.many} at first": len(at_first),
        "number that stay": stay,
        "number that divide": divide,
        "number lost from sight": len(at_first) - stay - divide,
    }
    rest = facts(followed.how, *((name, n, "count") for name, n in counted.items()))
    says = "Of {1:object} in the first frame {2} ({0}) can be followed to the last; divided: {3}, lost from sight: {4}."
    return Found((main, *rest), says=says, shown=followed.first, table=_table(scene, followed))
