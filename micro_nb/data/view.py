"""Lazy views: a crop, a choice of planes or channels, a projection, or a turn of a source is again a source."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..errors import AxesError, RegionError
from .axes import PLANE
from .source import ImageInfo, Index, Level, Source, SourceOver, factor

Projection = Literal["max", "mean"]
Pick = int | tuple[int, ...] | slice
"""What a view takes of one axis: an int drops the axis, a tuple of ints picks channels, a slice crops."""


@dataclass(frozen=True)
class SourceView(SourceOver):
    """A source narrowed to ``picks`` (axis -> Pick in level-0 pixels); it reads only what is asked of it."""

    base: Source
    picks: Mapping[str, Pick]

    def __post_init__(self) -> None:
        base = self.base.info
        for axis, pick in self.picks.items():
            if axis not in base.axes:
                raise AxesError(f"axis {axis!r} is not one of {''.join(base.axes)!r}")
            _check_pick(axis, pick, base.sizes[axis])
        self._show(self._narrow(base), json.dumps({a: repr(p) for a, p in sorted(self.picks.items())}))

    def read(self, level: int, index: Index) -> np.ndarray:
        index = self.check(level, index)
        base, wanted = self.base.info, dict(zip(self.info.axes, index, strict=True))
        asked: list[slice] = []
        after: list[Any] = []
        for axis, size, scale in zip(base.axes, base.levels[level].shape, base.levels[level].scale, strict=True):
            pick, s = self.picks.get(axis), wanted.get(axis)
            if isinstance(pick, int):
                at = min(int(pick / scale), size - 1)
                asked.append(slice(at, at + 1))
                after.append(0)
            elif isinstance(pick, tuple):
                chosen = np.asarray(pick)[s]
                asked.append(slice(int(chosen.min()), int(chosen.max()) + 1))
                after.append(chosen - chosen.min())
            else:
                offset = _crop(pick, size, scale)[0] if pick is not None else 0
                assert s is not None
                asked.append(slice(s.start + offset, s.stop + offset))
                after.append(slice(None))
        out = self.base.read(level, tuple(asked))
        for position in reversed(range(len(after))):
            if not isinstance(after[position], slice):
                out = out[(slice(None),) * position + (after[position],)]
        return out

    def origin(self, level: int) -> tuple[int, int]:
        info, starts = self.base.info, self.base.origin(level)
        lv, moved = info.levels[level], []
        for axis, start in zip(("y", "x"), starts, strict=True):
            k, pick = info.axes.index(axis), self.picks.get(axis)
            offset = _crop(pick, lv.shape[k], lv.scale[k])[0] if isinstance(pick, slice) else 0
            moved.append((start + offset) % lv.chunks[k])
        return moved[0], moved[1]

    def labels(self) -> Mapping[str, Source]:
        kept = {a: p for a, p in self.picks.items() if a != "c"}
        views = {}
        for name, source in self.base.labels().items():
            usable = {a: _on_labels(p, self.base.info, source.info, a) for a, p in kept.items() if a in source.info.axes}
            views[name] = SourceView(source, usable) if usable else source
        return views

    def _narrow(self, base: ImageInfo) -> ImageInfo:
        axes = tuple(a for a in base.axes if not isinstance(self.picks.get(a), int))
        levels = tuple(self._narrow_level(base, level) for level in base.levels)
        channels, rgb, pick = base.channels, base.rgb, self.picks.get("c")
        if isinstance(pick, int):
            channels, rgb = (channels[pick],), False
        elif isinstance(pick, tuple):
            channels, rgb = tuple(channels[i] for i in pick), rgb and pick == (0, 1, 2)
        elif isinstance(pick, slice):
            channels, rgb = channels[pick], rgb and len(channels[pick]) == len(channels)
        return replace(base, axes=axes, levels=levels, channels=channels, rgb=rgb)

    def _narrow_level(self, base: ImageInfo, level: Level) -> Level:
        kept: list[tuple[Any, ...]] = []
        for axis, size, chunk, scale, move in zip(
            base.axes, level.shape, level.chunks, level.scale, level.translation, strict=True
        ):
            pick = self.picks.get(axis)
            if isinstance(pick, tuple):
                size = len(pick)
            elif isinstance(pick, slice):
                start, stop = _crop(pick, size, scale)
                size, move = stop - start, move + start * scale - pick.start
            if not isinstance(pick, int):
                kept.append((size, min(chunk, size), scale, move))
        return Level(*zip(*kept, strict=True))


@dataclass(frozen=True)
class ProjectionView(SourceOver):
    """A source whose ``axis`` (z or t) is projected by ``how``; planes are read one at a time."""

    base: Source
    axis: str
    how: Projection

    def __post_init__(self) -> None:
        if self.how not in ("max", "mean"):
            raise AxesError(f"project={self.how!r} must be 'max' or 'mean'")
        base, at = self.base.info, self.base.info.axes.index(self.axis)

        def cut(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return values[:at] + values[at + 1 :]

        levels = tuple(Level(cut(v.shape), cut(v.chunks), cut(v.scale), cut(v.translation)) for v in base.levels)
        dtype = np.dtype(np.float32) if self.how == "mean" else base.dtype
        facts = dict(base.facts)
        change = f"{self.how} over {self.axis}"
        if base.dtype.kind == "f":
            facts["cautions"] = [*base.cautions, f"the {change} is that of the planes that are not NaN"]
        self._show(replace(base, axes=cut(base.axes), levels=levels, dtype=dtype, facts=facts), change)

    def read(self, level: int, index: Index) -> np.ndarray:
        index, at = self.check(level, index), self.base.info.axes.index(self.axis)
        depth = self.base.info.levels[level].shape[at]
        out: np.ndarray | None = None
        count: Any = 0
        for k in range(depth):
            plane = self.base.read(level, index[:at] + (slice(k, k + 1),) + index[at:]).squeeze(at)
            if self.how == "mean":
                known = ~np.isnan(plane) if plane.dtype.kind == "f" else 1
                count = count + known
                plane = np.where(known, plane, 0).astype(np.float64) if plane.dtype.kind == "f" else plane.astype(np.float64)
            if out is None:
                out = plane
            elif self.how == "max":
                np.fmax(out, plane, out=out)
            else:
                out += plane
        assert out is not None
        with np.errstate(invalid="ignore"):
            return (out / count).astype(np.float32) if self.how == "mean" else out

    def labels(self) -> Mapping[str, Source]:
        return {}


def _on_labels(pick: Pick, image: ImageInfo, labels: ImageInfo, axis: str) -> Pick:
    """The same place in labels that may be coarser or finer than their image."""
    n, m = image.sizes[axis], labels.sizes[axis]
    if n == m or axis not in PLANE:
        return pick
    if isinstance(pick, slice):
        return slice(*_crop(pick, m, factor(n, m)))
    return min(int(pick / factor(n, m)), m - 1) if isinstance(pick, int) else pick


def _check_pick(axis: str, pick: Pick, size: int) -> None:
    if isinstance(pick, slice):
        if pick.step not in (None, 1) or not (0 <= pick.start < pick.stop <= size):
            raise RegionError(f"{axis}={pick} selects nothing of 0..{size}")
    elif any(not 0 <= i < size for i in ((pick,) if isinstance(pick, int) else pick)) or pick == ():
        raise AxesError(f"{axis}={pick} is outside 0..{size - 1}")


def _crop(pick: slice, size: int, scale: float) -> tuple[int, int]:
    """Pixels of a level that cover ``pick`` (level-0 pixels); at least one."""
    start = min(int(pick.start / scale + 1e-9), size - 1)
    return start, min(max(math.ceil(pick.stop / scale - 1e-9), start + 1), size)


_FLIPS = {2: (False, False, True), 3: (False, True, True), 4: (False, True, False), 5: (True, False, False),
          6: (True, False, True), 7: (True, True, True), 8: (True, True, False)}  # fmt: skip
"""Orientation -> whether y and x change places, then whether y and x run backwards."""


def turned(source: Source, orientation: int, said_by: str) -> Source:
    """``source`` the way it is to be seen; itself where ``orientation`` is 1 or none of 1 to 8."""
    return Turned(source, orientation, said_by) if orientation in _FLIPS else source


class Turned(SourceOver):
    """Pixels of ``base``, turned or mirrored; the facts say so."""

    def __init__(self, base: Source, orientation: int, said_by: str) -> None:
        self.base = base
        self._swap, *self._flip = _FLIPS[orientation]
        said = f"{said_by} orientation {orientation} is applied"
        old = base.info
        seen = f"{said}: rows and columns are those of the picture, not of the file"
        facts = dict(old.facts) | {"orientation": said, "cautions": [*old.cautions, seen]}
        size = dict(old.pixel_size) if old.pixel_size else None
        if size and self._swap:
            size["y"], size["x"] = size["x"], size["y"]
        levels = tuple(self._level(lv) for lv in old.levels)
        self._show(replace(old, levels=levels, facts=facts, pixel_size=size), str(orientation))

    def read(self, level: int, index: Index) -> np.ndarray:
        index, n = self.check(level, index), self._info.levels[level].shape
        lead, asked = index[:-2], list(index[-2:])
        for k, flip in enumerate(self._flip):
            if flip:
                asked[k] = slice(n[k - 2] - asked[k].stop, n[k - 2] - asked[k].start)
        out = self.base.read(level, (*lead, *(reversed(asked) if self._swap else asked)))
        out = out.swapaxes(-1, -2) if self._swap else out
        return np.ascontiguousarray(out[(..., *(slice(None, None, -1) if flip else slice(None) for flip in self._flip))])

    def _level(self, level: Level) -> Level:
        def swapped(v: tuple[float, ...]) -> tuple[float, ...]:
            return (*v[:-2], v[-1], v[-2]) if self._swap else v

        shape, chunks, scale, move = (swapped(v) for v in (level.shape, level.chunks, level.scale, level.translation))
        return Level(shape, chunks, scale, move)  # type: ignore[arg-type]
