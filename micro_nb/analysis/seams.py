"""Seams: straight lines across a whole picture at which the brightness jumps, as stitched fields have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.image import MicroImage
from .whole import Whole, whole

_PIXELS = 1 << 22
_STRONG = 9.0  # jump at a seam, in robust standard deviations of those between all neighbouring rows
_AGREE = 0.65  # share of the pixels along a seam that jump the same way
_RIM = 0.02  # as near to an edge of the picture no seam is looked for
_APART = 3  # rows between two seams, at least


@dataclass(frozen=True)
class Seams:
    """Where the brightness jumps along a whole row or column.

    Attributes
    ----------
    boxes : ``(x0, y0, x1, y1)`` of each, in pixels of level 0, the strongest first.
    strongest : the largest jump between any two rows or columns, in robust standard deviations.
    jump : the largest of the seams, as a share of the range from black to white; 0 where there is none.
    """

    boxes: tuple[tuple[float, float, float, float], ...]
    strongest: float
    jump: float


def seams_of(img: MicroImage) -> Seams:
    """The seams of a plane, looked for at about four megapixels.

    >>> import numpy as np, micro_nb as mnb
    >>> tiles = np.random.default_rng(0).normal(100, 5, (128, 128)); tiles[:, 64:] += 10
    >>> seams_of(mnb.open_image(tiles.astype("uint8"))).boxes
    ((64.0, 0.0, 65.0, 128.0),)
    """
    seen = whole(img, _PIXELS)
    grey = seen.grey.astype(np.float32)
    found: list[tuple[int, int, float, float]] = []
    strongest = 0.0
    for axis, plane in ((1, grey), (0, grey.T)):
        steps, z, agree = _steps(plane)
        rim = max(int(_RIM * plane.shape[1]), 2)
        inner = np.arange(rim, max(plane.shape[1] - 1 - rim, rim))
        strongest = max(strongest, float(z[inner].max(initial=0.0)))
        for at in sorted(inner[(z[inner] >= _STRONG) & (agree[inner] >= _AGREE)], key=lambda k: -z[k]):
            if all(a != axis or abs(at - k) > _APART for a, k, _, _ in found):
                found.append((axis, int(at), float(z[at]), float(steps[at])))
    ordered = sorted(found, key=lambda f: -f[2])
    return Seams(
        tuple(_box(seen, axis, at) for axis, at, _, _ in ordered), strongest, max((abs(f[3]) for f in ordered), default=0.0)
    )


def _steps(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean step from each column to the next, how far it stands out, and the share of rows that step the same way."""
    steps = np.diff(plane, axis=1)
    limit = float(np.percentile(np.abs(steps), 98)) or 1.0
    mean = np.clip(steps, -limit, limit).mean(axis=0)
    around = np.abs(mean)
    spread = 1.4826 * float(np.median(around)) or float(around.std()) or 1.0
    agree = np.maximum((steps > 0).mean(axis=0), (steps < 0).mean(axis=0))
    return steps.mean(axis=0), around / spread, agree


def _box(seen: Whole, axis: int, at: int) -> tuple[float, float, float, float]:
    height, width = seen.grey.shape
    line = slice(at + 1, at + 2)
    return seen.box(slice(0, height), line) if axis == 1 else seen.box(line, slice(0, width))
