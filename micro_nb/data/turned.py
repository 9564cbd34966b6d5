"""A source whose rows and columns lie another way in the file than in the picture: TIFF and EXIF orientations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .source import Index, Level, Source, SourceOver

_FLIPS = {2: (False, False, True), 3: (False, True, True), 4: (False, True, False), 5: (True, False, False),
          6: (True, False, True), 7: (True, True, True), 8: (True, True, False)}  # fmt: skip
"""Orientation -> whether y and x change places, then whether y and x run backwards."""


def turned(source: Source, orientation: int, said_by: str) -> Source:
    """``source`` the way it is to be seen; itself where ``orientation`` is 1 or none of 1 to 8."""
    return Turned(source, orientation, said_by) if orientation in _FLIPS else source


class Turned(SourceOver):
    """Pixels of ``base``, turned or mirrored; the facts say so."""

    def __init__(self, base: Source, orientation: int, said_by: str) -> None:
        self.base, self.orientation = base, orientation
        self._swap, *self._flip = _FLIPS[orientation]
        said = f"{said_by} orientation {orientation} is applied"
        old, facts = base.info, dict(base.info.facts)
        facts |= {
            "orientation": said,
            "cautions": [*old.cautions, f"{said}: rows and columns are those of the picture, not of the file"],
        }
        size = dict(old.pixel_size) if old.pixel_size else None
        if size and self._swap:
            size["y"], size["x"] = size["x"], size["y"]
        self._show(replace(old, levels=tuple(self._level(lv) for lv in old.levels), facts=facts, pixel_size=size))

    def read(self, level: int, index: Index) -> np.ndarray:
        index, n = self.check(level, index), self._info.levels[level].shape
        lead, asked = index[:-2], list(index[-2:])
        for k, flip in enumerate(self._flip):
            if flip:
                asked[k] = slice(n[k - 2] - asked[k].stop, n[k - 2] - asked[k].start)
        out = self.base.read(level, (*lead, *(reversed(asked) if self._swap else asked)))
        out = out.swapaxes(-1, -2) if self._swap else out
        return np.ascontiguousarray(out[(..., *(slice(None, None, -1) if flip else slice(None) for flip in self._flip))])

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        yield str(self.orientation).encode()
        yield from self.base.stored_bytes(full=full)

    def _level(self, level: Level) -> Level:
        def swapped(v: tuple[float, ...]) -> tuple[float, ...]:
            return (*v[:-2], v[-1], v[-2]) if self._swap else v

        shape, chunks, scale, move = (swapped(v) for v in (level.shape, level.chunks, level.scale, level.translation))
        return Level(shape, chunks, scale, move)  # type: ignore[arg-type]
