"""Nuclei of stained tissue are told by their stain: where haematoxylin is not denser than around it, there is a gap.

Fat, lumen and the white between fibres are as round and as sharply bounded as nuclei are, and a network of shapes takes them for
such; pieces of red fibres and red cells are as dark. Nuclei of a section are blue alike: what is far redder than most of them is
none. What the haematoxylin says of each object is measured once, on the pixels. Where the colours mislead the network often, it
is shown the haematoxylin alone, as a grey picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage as ndi

from ...analysis.stains import absorbance, signal
from ...data.image import MicroImage
from ...data.source import Channel, ImageInfo, Index, Level, Source
from ...tiles.plan import TileGrid
from .familiar import Stain, stain_of

DENSER = 0.02
"""Root of the density of haematoxylin, by which nuclei are denser than what is around them at least."""
_ALIKE, _FEW, _PALE = 0.65, 10, 0.05
"""An object that absorbs less red light, for the green it absorbs, than this share of the median of stained objects is red; of
fewer objects than these no median is taken; what is added to both absorbances, as there may be no dye."""
_TILE, _RING = 1024, 1 / 6
"""Pixels of level 0 looked at together; width of what is around an object, of the typical diameter."""


def haematoxylin_above(plane: MicroImage, labels: Any, count: int, diameter_px: float, stain: Stain) -> np.ndarray | None:
    """``(count,) float32``: root of the density of haematoxylin of each object, less that of what is around it.

    Parameters
    ----------
    plane : a colour picture.
    labels : ``(y, x) int32`` on it, an array or a lazy one; objects are 1..count.
    diameter_px : typical diameter of an object in pixels of level 0.
    stain : what the picture's colours show, see :func:`.familiar.stain_of`.

    Returns
    -------
    None where the picture is not stained tissue. An object that others leave no surroundings has 0 around it. An object that
    is redder than nuclei of this picture are has 0 at most, however dark it is.

    References
    ----------
    Haematoxylin: A. C. Ruifrok and D. A. Johnston, Anal. Quant. Cytol. Histol. 23 (2001) 291-299.
    """
    kind, white = stain
    if kind != "histology" or not count:
        return None
    ring = max(2, round(diameter_px * _RING))
    sums, dyes = np.zeros((4, count + 1)), np.zeros((2, count + 1))
    for tile in TileGrid(plane.plane_shape, tile=_TILE, halo=ring):
        seen = np.asarray(labels[tile.read])
        if not seen.any():
            continue
        pixels = plane.read(0, (slice(0, 3), *tile.read))
        density = signal(pixels, "histology", "dark", white)
        around = np.where(seen == 0, ndi.maximum_filter(seen, 2 * ring + 1), 0)
        core = tuple(slice(c.start - r.start, c.stop - r.start) for c, r in zip(tile.core, tile.read, strict=True))
        for k, numbers in enumerate((seen[core], around[core])):
            sums[2 * k] += np.bincount(numbers.ravel(), density[core].ravel(), count + 1)
            sums[2 * k + 1] += np.bincount(numbers.ravel(), minlength=count + 1)
        for dye, plane_of_light in zip(dyes, pixels, strict=False):  # red and green light
            dye += np.bincount(seen[core].ravel(), absorbance(plane_of_light[core], white).ravel(), count + 1)
    inside, outside = (total / np.maximum(size, 1) for total, size in (sums[:2], sums[2:]))
    above = (inside - outside)[1:].astype(np.float32)
    red, green = (dyes / np.maximum(sums[1], 1))[:, 1:] + _PALE
    return np.asarray(np.where(_reddish(red / green, above >= DENSER), np.minimum(above, 0), above))


def _reddish(blueness: np.ndarray, stained: np.ndarray) -> np.ndarray:
    """Which objects are far redder than most of those that are stained."""
    if stained.sum() < _FEW:
        return np.zeros(len(blueness), bool)
    return np.asarray(blueness < _ALIKE * np.median(blueness[stained]))


class HaematoxylinSource(Source):
    """The root of the density of haematoxylin of a colour picture ``(c, y, x)``, as a grey picture ``(y, x) float32``."""

    format = "haematoxylin"

    def __init__(self, plane: MicroImage) -> None:
        self.plane, self.white = plane, stain_of(plane)[1]
        levels = tuple(Level(v.shape[1:], v.chunks[1:], v.scale[1:], v.translation[1:]) for v in plane.info.levels)
        self._info = replace(
            plane.info, axes=("y", "x"), dtype=np.dtype(np.float32), levels=levels, channels=(Channel("haematoxylin"),), rgb=False
        )

    @property
    def info(self) -> ImageInfo:
        return self._info

    def read(self, level: int, index: Index) -> np.ndarray:
        return signal(self.plane.read(level, (slice(0, 3), *self.check(level, index))), "histology", "dark", self.white)

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        yield b"haematoxylin"
        yield from self.plane.source.stored_bytes(full=full)
