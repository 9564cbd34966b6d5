"""Two looks taken together: what the network says of a pixel at two pitches, averaged, is righter than what it says at one.

At another pitch the network sees objects in another size, and errs elsewhere: what only one look sees loses certainty, and
outlines are the mean of two. The second look is finer, as detail is what is missing; at the finest pitch it is coarser. It
costs more than the first one, so that it is taken of small planes alone, where that is fractions of a second.
"""

from __future__ import annotations

import numpy as np

from ...tiles.plan import Slices
from .network import HALO, WINDOW, TileMaps

FINER = 1.5
"""How many times finer the second look is, in whole pixels of level 0."""
_ANCHOR = 8
"""Places of the second look begin at multiples of so many map pixels, the network's coarsest stride."""


def second_pitch(pitch: int, shape: tuple[int, int]) -> int | None:
    """The pitch of the look that is taken together with one at ``pitch``; None where a plane of this shape is too large for it.

    Both looks see a small plane in one window.
    """
    second = max(1, round(pitch / FINER)) if pitch > 1 else 2
    return second if max(shape) <= min(pitch, second) * WINDOW else None


def agreed(first: TileMaps, second: TileMaps, core: Slices) -> np.ndarray:
    """``(L * 4, h, w) float16`` geometry of a core of ``first``: the mean of both looks, see :class:`.network.Tiled`."""
    ratio, shape = first.pitch / second.pitch, second.shape
    rows, cols = (_where(s, ratio, n) for s, n in zip(core, shape, strict=True))
    y, x = (_covering(low, n) for (low, _), n in zip((rows, cols), shape, strict=True))
    seen = second.glance((y, x), HALO)
    for axis, (low, share), start in ((1, rows, y.start), (2, cols, x.start)):
        seen = _between(seen, low - start, share, axis)
    seen.reshape(-1, 4, *seen.shape[1:])[:, 2:] /= ratio  # offsets are in map pixels
    return np.asarray((first.geometry(core) + seen) / 2, np.float16)


def _where(part: slice, ratio: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each map pixel of the first look along an axis: the map pixel of the second before it, and how far it is to the next."""
    at = np.clip((np.arange(part.start, part.stop) + 0.5) * ratio - 0.5, 0, n - 1)
    low = np.minimum(at.astype(int), max(0, n - 2))
    return low, (at - low).astype(np.float32)


def _covering(low: np.ndarray, n: int) -> slice:
    """What is read along an axis, so that all of ``low`` and what comes after them lies in it."""
    return slice(int(low[0]) // _ANCHOR * _ANCHOR, min(n, int(low[-1]) + 2))


def _between(seen: np.ndarray, low: np.ndarray, share: np.ndarray, axis: int) -> np.ndarray:
    """Values between neighbouring map pixels along an axis."""
    high = np.minimum(low + 1, seen.shape[axis] - 1)
    weight = share.reshape([-1 if k == axis else 1 for k in range(seen.ndim)])
    before = seen.take(low, axis)
    return np.asarray(before + (seen.take(high, axis) - before) * weight, np.float32)
