"""A second, finer look where something much smaller than the other objects shows: fragments among nuclei, platelets among cells.

An image is looked at in the scale of its typical objects. What is less than half as wide covers a few map pixels there, too few
for an outline. Where small objects, or faint signs of them, lie apart from the others, the network looks again, at a third of the
pitch; what it then finds, and is small, replaces what was found of it at first. The rest of the image is not looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from ..tiles.labels import enlarge
from ..tiles.plan import Slices, TileGrid
from .decode import Decoding, objects_of
from .network import TileMaps

FINER = 3
"""How many times finer the second look is."""
SMALL = 0.5
"""Small objects are less wide than this share of the typical diameter."""
_FAINT, _RIM = 0.3, 3
"""Foreground probability that is a sign of an object, farther than this many map pixels from a larger one."""
_SURE, _APART, _SAME = 0.87, 0.1, 0.4
"""Mean probability of what is kept; how much of it may lie on a larger object; how much of an object it covers to replace it."""
_WINDOW, _MARGIN, _LEAST = 256, 32, 6
"""Map pixels: windows of the finer look, what is seen around them, and the least area of an object."""


@dataclass(frozen=True)
class Found:
    """Objects of the second look.

    Attributes
    ----------
    patches : place in the plane and numbers from 1 there, 0 elsewhere.
    pooled : ``(N, D) float32``, see :class:`micro_nb.tasks.seen.Layer`.
    certainty : ``(N,) float32``.
    """

    patches: list[tuple[Slices, np.ndarray]]
    pooled: np.ndarray
    certainty: np.ndarray


def closer_pitch(pitch: int) -> int:
    """The pitch of the second look; the same where there is no finer one."""
    return max(1, round(pitch / FINER))


def look_closer(
    labels: np.ndarray,
    diameter_px: float,
    read: Callable[[Slices], np.ndarray],
    first: TileMaps,
    finer: TileMaps,
    decoding: Decoding,
) -> tuple[np.ndarray, Found] | None:
    """What the second look adds to the objects of a layer, and which of them it replaces.

    Parameters
    ----------
    labels : ``(y, x) int32`` of the first look, on the plane.
    diameter_px : typical diameter in pixels of level 0.
    read : foreground probability ``(h, w)`` of map pixels of the first look.
    first, finer : the plane as the network sees it in both looks.
    decoding : how objects are found.

    Returns
    -------
    ``(N + 1,) bool``, which objects are kept, and what is added; None where nothing small shows.
    """
    limit = np.pi / 4 * (SMALL * diameter_px) ** 2
    areas = np.bincount(labels.ravel())
    large = areas >= limit
    large[0] = False
    grid = TileGrid(finer.shape, tile=_WINDOW)
    wanted = sorted(set(_signs(labels, large, read, first, finer.pitch)))
    cores = [grid.at(row * grid.cols + col).core for row, col in wanted]
    found = [part for core in cores if (part := _looked(finer, core, labels, large, limit, decoding)) is not None]
    if not found:
        return None
    hit, count, patches = np.zeros(len(areas), int), 0, []
    for part in found:
        [(place, numbers)] = part.patches
        patches.append((place, np.where(numbers > 0, numbers + count, 0)))
        count += len(part.certainty)
        hit += np.bincount(labels[place][numbers > 0], minlength=len(areas))
    kept = large | (hit < _SAME * np.maximum(areas, 1))
    kept[0] = True
    return kept, Found(patches, np.concatenate([f.pooled for f in found]), np.concatenate([f.certainty for f in found]))


def _signs(
    labels: np.ndarray, large: np.ndarray, read: Callable[[Slices], np.ndarray], first: TileMaps, pitch: int
) -> Iterator[tuple[int, int]]:
    """Row and column of the finer look's windows in which something small may lie."""
    step, half = first.pitch, first.pitch // 2
    for tile in first.grid:
        rows, cols = (slice(s.start * step + half, s.stop * step, step) for s in tile.core)
        of_large = large[labels[rows, cols]]
        faint = read(tile.core)[: of_large.shape[0], : of_large.shape[1]] > _FAINT
        y, x = np.nonzero(faint & ~ndi.binary_dilation(of_large, iterations=_RIM))
        places = [((at + s.start) * step + half) // (pitch * _WINDOW) for at, s in zip((y, x), tile.core, strict=True)]
        yield from zip(*(p.tolist() for p in places), strict=True)


def _looked(
    maps: TileMaps, core: Slices, labels: np.ndarray, large: np.ndarray, limit: float, decoding: Decoding
) -> Found | None:
    """Small objects whose middle lies in a window."""
    rows, cols = (slice(max(0, s.start - _MARGIN), min(n, s.stop + _MARGIN)) for s, n in zip(core, maps.shape, strict=True))
    seen, step = maps.look((rows, cols), _MARGIN), maps.pitch
    foreground = seen.geometry[0].astype(np.float32)
    found = objects_of(seen.geometry[:4].astype(np.float32), decoding)
    area = np.maximum(np.bincount(found.ravel()), 1)
    beside = large[labels[tuple(slice(s.start * step, s.stop * step, step) for s in (rows, cols))]]
    at = np.indices(found.shape) + np.array([rows.start, cols.start])[:, None, None]
    certainty, on_large, y, x = (np.bincount(found.ravel(), v.ravel()) / area for v in (foreground, beside, *at))
    good = (area >= _LEAST) & (area * step**2 < limit) & (certainty > _SURE) & (on_large < _APART)
    for middle, s in zip((y, x), core, strict=True):
        good &= (middle >= s.start) & (middle < s.stop)
    good[0] = False
    if not good.any():
        return None
    numbers = (np.cumsum(good) * good)[found].astype(np.int32)
    pooled = _pooled(numbers, seen.embedding.astype(np.float32) * seen.unit[:, None, None])
    patch = enlarge((rows, cols), numbers, step, labels.shape, smooth=True)
    return Found([patch], pooled, certainty[good].astype(np.float32))


def _pooled(numbers: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """``(N, D)`` means of the embedding ``(D, h / 2, w / 2)`` under each object."""
    y, x = np.nonzero(numbers)
    row, values = numbers[y, x], embedding[:, y // 2, x // 2]
    count = np.bincount(row)[1:]
    return np.stack([np.bincount(row, v)[1:] / count for v in values], 1).astype(np.float32)
