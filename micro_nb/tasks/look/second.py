"""A second, finer look where something much smaller than the other objects shows: fragments among nuclei, platelets among cells.

An image is looked at in the scale of its typical objects. What is less than half as wide covers a few map pixels there, too few
for an outline. Where small objects, or faint signs of them, lie apart from the others, the network looks again at these places,
at a third of the pitch; what it then finds there, and is small, replaces what was found of it at first. In a stained picture the
colour tells what is believed: a small object that is stained may be blurred, and one that is not is dust.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.segmentation import expand_labels

from ...tiles.labels import enlarge
from ...tiles.plan import Slices, TileGrid
from .decode import Decoding, objects_of
from .network import TileMaps
from .stained import STAINED, colours, is_stained

FINER = 3
"""How many times finer the second look is."""
SMALL = 0.5
"""Small objects are less wide than this share of the typical diameter."""
_FAINT, _LIKELY, _RIM = 0.3, 0.5, 3
"""A sign of an object: foreground of the first probability that somewhere reaches the second, farther than this many map pixels
from a larger object."""
_SURE, _BLURRED, _APART, _SAME = 0.87, 0.75, 0.1, 0.4
"""Mean probability of what is kept, and of what is stained in a stained picture; how much of it may lie on a larger object; how
much of an object it covers to replace it."""
_SEEN, _NOTHING, _OUT = 0.5, 0.1, 2
"""Mean probability of what is judged by its colour; probability below which a map pixel shows nothing; map pixels that an
object is let out by at most."""
_BLOCK, _MARGIN, _LEAST = 64, 24, 6
"""Map pixels: of the first look, along what is looked at again in one piece at most; of the finer look, seen around it, and the
least area of an object."""
_ROUND, _STRIDE = np.ones((3, 3), bool), 8


@dataclass(frozen=True)
class Found:
    """Objects of the second look.

    Attributes
    ----------
    patches : place in the plane and numbers from 1 there, 0 elsewhere; -1 where something is seen to be no object.
    pooled : ``(N, D) float32``, see :class:`micro_nb.tasks.look.seen.Layer`.
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
    closer = _Closer(labels, large, limit, finer, first.pitch, decoding, is_stained(finer.plane, labels, large))
    found = [part for place, signs in _signs(labels, large, read, first) if (part := closer.look(place, signs)) is not None]
    if not found:
        return None
    hit, count, patches = np.zeros(len(areas), int), 0, []
    for part in found:
        [(place, numbers)] = part.patches
        patches.append((place, np.where(numbers > 0, numbers + count, 0)))
        count += len(part.certainty)
        hit += np.bincount(labels[place][numbers != 0], minlength=len(areas))
    kept = large | (hit < _SAME * np.maximum(areas, 1))
    kept[0] = True
    return kept, Found(patches, np.concatenate([f.pooled for f in found]), np.concatenate([f.certainty for f in found]))


def _signs(
    labels: np.ndarray, large: np.ndarray, read: Callable[[Slices], np.ndarray], first: TileMaps
) -> Iterator[tuple[Slices, np.ndarray]]:
    """Where something small may lie: places of the first look, and which of their map pixels are on or near signs of it."""
    step, half = first.pitch, first.pitch // 2
    for tile in first.grid:
        rows, cols = (slice(s.start * step + half, s.stop * step, step) for s in tile.core)
        of_large = large[labels[rows, cols]]
        seen = read(tile.core)[: of_large.shape[0], : of_large.shape[1]]
        signs, count = ndi.label((seen > _FAINT) & ~ndi.binary_dilation(of_large, iterations=_RIM), _ROUND)
        peaks = ndi.maximum(seen, signs, np.arange(count + 1))
        likely = (signs > 0) & (peaks > _LIKELY)[signs]
        near = ndi.binary_dilation(likely, _ROUND, iterations=_RIM)
        for block in TileGrid(near.shape, tile=_BLOCK):
            groups, _ = ndi.label(near[block.core], _ROUND)
            for k, (y, x) in enumerate(ndi.find_objects(groups), 1):
                place = _moved((y, x), (block.core[0].start, block.core[1].start))
                if likely[place].any():
                    yield _moved(place, (tile.core[0].start, tile.core[1].start)), groups[y, x] == k


def _moved(place: Slices, by: tuple[int, int]) -> Slices:
    (y, x), (dy, dx) = place, by
    return slice(y.start + dy, y.stop + dy), slice(x.start + dx, x.stop + dx)


@dataclass(frozen=True)
class _Closer:
    """The finer look at places of a first one of pitch ``step``.

    Attributes
    ----------
    labels, large : objects of the first look, and which of them are not small.
    limit : area in pixels of level 0 that small objects stay below.
    stained : whether the picture shows coloured objects on a lighter background.
    """

    labels: np.ndarray
    large: np.ndarray
    limit: float
    maps: TileMaps
    step: int
    decoding: Decoding
    stained: bool

    def look(self, place: Slices, signs: np.ndarray) -> Found | None:
        """Small objects whose middle lies on or near the signs at a place."""
        pitch = self.maps.pitch
        rows, cols = (_around(s, self.step / pitch, n) for s, n in zip(place, self.maps.shape, strict=True))
        seen = self.maps.look((rows, cols), 0)
        geometry = seen.geometry[:4].astype(np.float32)
        found = objects_of(geometry, self.decoding)
        beside = self.large[self.labels[tuple(slice(s.start * pitch, s.stop * pitch, pitch) for s in (rows, cols))]]
        area, certainty, on_large, y, x = _means(found, geometry[0], beside, *np.indices(found.shape))
        good = (area >= _LEAST) & (area * pitch**2 < self.limit) & (on_large < _APART)
        good &= certainty > (_SEEN if self.stained else _SURE)
        middles = (((at + s.start + 0.5) * pitch / self.step) for at, s in zip((y, x), (rows, cols), strict=True))
        good &= _on(signs, *(middle - s.start for middle, s in zip(middles, place, strict=True)))
        good[0] = False
        dust = self.dust((rows, cols), found, good, (geometry[0] < _NOTHING) & ~beside)
        good &= ~dust & (certainty > (_BLURRED if self.stained else _SURE))
        if not (good | dust).any():
            return None
        pooled = _pooled(_numbered(good, found), seen.embedding.astype(np.float32) * seen.unit[:, None, None])
        numbers = np.where(dust[found], -1, _numbered(good, self.wider(found, area, geometry[0]))).astype(np.int32)
        patch = enlarge((rows, cols), numbers, pitch, self.labels.shape, smooth=True)
        return Found([patch], pooled, certainty[good].astype(np.float32))

    def dust(self, place: Slices, found: np.ndarray, asked: np.ndarray, background: np.ndarray) -> np.ndarray:
        """``(N + 1,) bool``: which of the objects ``asked`` after are not stained in a stained picture."""
        dust = np.zeros(len(asked), bool)
        if self.stained and asked.any():
            pixels = self.maps.pixels(place)[0].numpy()
            pixels = pixels.reshape(3, found.shape[0], 2, found.shape[1], 2).mean((2, 4))
            dust[asked] = colours(pixels, _numbered(asked, found), background) < STAINED
        return dust

    def wider(self, found: np.ndarray, area: np.ndarray, foreground: np.ndarray) -> np.ndarray:
        """Objects let out to where they are faintly seen; the smallest have been already."""
        wide = expand_labels(found, _OUT)  # type: ignore[no-untyped-call]
        return np.where((found == 0) & (foreground > self.decoding.faint) & (area[wide] > self.decoding.small), wide, found)


def _numbered(good: np.ndarray, found: np.ndarray) -> np.ndarray:
    """``(h, w)`` numbers from 1 of the good objects, 0 elsewhere."""
    numbers: np.ndarray = (np.cumsum(good) * good)[found]
    return numbers


def _means(labels: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Area of each label, at least 1, and the mean of each of ``values`` under it."""
    area = np.maximum(np.bincount(labels.ravel()), 1)
    return area, *(np.bincount(labels.ravel(), v.ravel()) / area for v in values)


def _around(span: slice, times: float, n: int) -> slice:
    """A span of the first look in map pixels of the finer one, with a margin; it begins at a multiple of the network's stride."""
    start = int(span.start * times - _MARGIN) // _STRIDE * _STRIDE
    return slice(max(0, start), min(n, int(np.ceil(span.stop * times)) + _MARGIN))


def _on(signs: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Which places lie on a sign."""
    row, col = np.floor(y).astype(int), np.floor(x).astype(int)
    inside = (row >= 0) & (row < signs.shape[0]) & (col >= 0) & (col < signs.shape[1])
    found: np.ndarray = inside & signs[row.clip(0, signs.shape[0] - 1), col.clip(0, signs.shape[1] - 1)]
    return found


def _pooled(numbers: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """``(N, D)`` means of the embedding ``(D, h / 2, w / 2)`` under each object."""
    y, x = np.nonzero(numbers)
    row, values = numbers[y, x], embedding[:, y // 2, x // 2]
    count = np.bincount(row)[1:]
    return np.stack([np.bincount(row, v)[1:] / count for v in values], 1).astype(np.float32)
