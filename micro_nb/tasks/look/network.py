"""The tile network on a plane of any size: geometry and embeddings window by window, on a grid that belongs to the image.

Pixels are resampled so that one *map pixel*, the grid on which objects are decoded, is a whole number of pixels of level 0: the
``pitch``. The network sees two of its pixels along a map pixel. Windows are anchored at the origin and read with a halo; neither
the caller's ``tile`` nor threads change them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from ...data.image import MicroImage
from ...data.source import Level
from ...models.network import MicroD1, fast_bfloat16
from ...models.pictures import grey_bounds, normalise, padded, planes
from ...models.tile_network import GEOMETRY, OFFSET_UNIT
from ...tiles.plan import Slices, Tile, TileGrid

WINDOW = 768
"""Map pixels along a window's core."""
HALO = 64
"""Map pixels read around a core: 128 pixels of the network, beyond which a pixel changes the maps by less than their rounding."""
CHANNELS = GEOMETRY.index("boundary")
"""Maps of a layer that objects are made of; boundaries and seeds are learned beside them, and not asked."""
_BLANK, _POOLED, _PIECE = 0.04, 8, 128
"""A window is blank where grey values, 0 to 1, means over so many network pixels, are this near to each other; a piece's edge."""
_STRIP = 16
Looks = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
_TURN = threading.Lock()  # one window at a time: the network has all threads, and the memory
_COARSE, _WHOLE = 1 << 19, 1 << 24
_ACROSS, _SIDE = 6, 256  # windows along each axis that stand for a large plane, and pixels of level 0 along one


@dataclass(frozen=True)
class Tiled:
    """What the network says of one window.

    Attributes
    ----------
    geometry : ``(L * 4, h, w) float16`` of all that was read, layer by layer: probability of the foreground, distance, offsets y
        and x in map pixels. What lies in the halo is less sure, the farther out.
    embedding : ``(D, h / 2, w / 2) int8`` of the core; times ``unit (D,)`` it is the embedding.
    grey : ``(h, w) float32``, brightness in the middle of each map pixel that was read, 0 to 1.
    """

    geometry: np.ndarray
    embedding: np.ndarray
    unit: np.ndarray
    grey: np.ndarray


@dataclass
class TileMaps:
    """A plane seen through the tile network at one pitch.

    Attributes
    ----------
    model : Micro-D1.
    plane : ``(y, x)`` or a colour picture ``(c, y, x)``.
    pitch : pixels of level 0 along a map pixel.
    bounds : grey values that become 0 and 1.
    eyes : the tile network as it looks; that of the model where none is given.
    """

    model: MicroD1
    plane: MicroImage
    pitch: int
    bounds: tuple[float, float]
    eyes: Looks | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` map pixels."""
        height, width = self.plane.plane_shape
        return -(-height // self.pitch), -(-width // self.pitch)

    @property
    def grid(self) -> TileGrid:
        """The windows, each with the halo that it is read with."""
        return TileGrid(self.shape, tile=WINDOW, halo=HALO)

    def glance(self, place: Slices) -> np.ndarray:
        """``(352,)``: the texture of map pixels ``place``, which tells how large objects are."""
        with looking(self.pixels(place, self.coarse)) as ready:
            return np.asarray(self.model.eyes[0].glance(ready)[0].numpy())

    def look(self, tile: Tile) -> Tiled:
        """Runs the network on what a window reads; where that is blank, on a piece of it, which stands for all of it."""
        eyes, pixels, (rows, cols) = self.eyes or self.model.eyes[0], self.pixels(tile.read), tile.within_read
        grey = pixels[0, :, ::2, ::2].mean(0).numpy()
        half = slice(rows.start // 2, -(-rows.stop // 2)), slice(cols.start // 2, -(-cols.stop // 2))
        with _TURN:
            if not is_blank(pixels):
                geometry, embedding = run(eyes, pixels)
                return Tiled(geometry.half().numpy(), *_coded(embedding[(slice(None), *half)]), grey)
            _, embedding = run(eyes, pixels[..., :_PIECE, :_PIECE])
        embedding = embedding.float().mean((1, 2), keepdim=True).expand(-1, *(s.stop - s.start for s in half))
        shape = CHANNELS * len(self.model.config.layers), *(n // 2 for n in pixels.shape[2:])
        return Tiled(np.zeros(shape, np.float16), *_coded(embedding), grey)

    def pixels(self, place: Slices, level: int = 0) -> torch.Tensor:
        """``(1, 3, 2 h, 2 w)`` network pixels of map pixels ``place``, from a level; what leaves the plane repeats its rim. Every
        second one is the middle of a map pixel, where labels are taken in training, so that what is seen lies where it is."""
        pitch = self.pitch // round(self.plane.info.levels[level].scale[-1])
        shape = self.plane.info.levels[level].shape[-2:]
        rows, cols = (slice(s.start * pitch, (s.stop + 1) * pitch) for s in place)
        box = tuple(slice(s.start, min(s.stop, n)) for s, n in zip((rows, cols), shape, strict=True))
        lead = (slice(None),) * (len(self.plane.axes) - 2)
        image = torch.from_numpy(planes(normalise(self.plane.read(level, (*lead, *box)), self.bounds)))[None]
        missing = rows.stop - rows.start - image.shape[2], cols.stop - cols.start - image.shape[3]
        image = F.pad(image, (0, missing[1], 0, missing[0]), mode="replicate") if any(missing) else image
        return resampled(image, pitch).expand(-1, 3, -1, -1)

    @cached_property
    def coarse(self) -> int:
        """The coarsest level that has two pixels or more along a map pixel, whole ones, aligned with those of level 0."""
        return max(k for k, v in enumerate(self.plane.info.levels) if k == 0 or self._fits(v))

    def _fits(self, level: Level) -> bool:
        height, width = level.scale[-2:]
        whole = height == width == round(height) and self.pitch % height == 0 and self.pitch >= 2 * height
        return whole and not any(level.translation[-2:])


def resampled(image: torch.Tensor, pitch: int) -> torch.Tensor:
    """``(1, C, pitch h, pitch w)`` to area averages ``(1, C, 2 h - 2, 2 w - 2)`` that begin a quarter of a pitch farther."""
    ends, at = torch.tensor([1.0, 3.0, 5.0]) * pitch / 4, torch.arange(-(-5 * pitch // 4))[:, None]
    shares = (torch.minimum(at + 1, ends[1:]) - torch.maximum(at, ends[:-1])).clamp(min=0) * 2 / pitch
    for axis in (2, 3):
        n = image.shape[axis] // pitch - 1
        halves = image.new_zeros((*image.shape[:axis], n, 2, *image.shape[axis + 1 :]))
        for first, both in enumerate(shares.tolist()):
            steps = slice(first, first + (n - 1) * pitch + 1, pitch)
            part = image[:, :, steps] if axis == 2 else image[..., steps]
            for k, share in ((k, v) for k, v in enumerate(both) if v):
                halves.select(axis + 1, k).add_(part, alpha=share)
        image = halves.flatten(axis, axis + 1)
    return image


def is_blank(pixels: torch.Tensor) -> bool:
    """Whether network pixels ``(1, 3, H, W)`` show nothing, as glass and dark do."""
    seen = F.avg_pool2d(pixels, _POOLED, ceil_mode=True, count_include_pad=False)
    return bool((seen.amax((2, 3)) - seen.amin((2, 3))).max() < _BLANK)


@contextmanager
def looking(pixels: torch.Tensor) -> Iterator[torch.Tensor]:
    """Pixels as the network takes them, computed with in bfloat16 where that is the faster."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
        yield padded(pixels).to(memory_format=torch.channels_last)


def run(eyes: Looks, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Geometry ``(L * 4, h, w)``, foreground a probability, offsets in map pixels; embedding ``(D, h / 2, w / 2)``."""
    rows, cols = (n // 2 for n in pixels.shape[2:])
    with looking(pixels) as ready:
        geometry, embedding = eyes(ready)
        maps = geometry[0, :, :CHANNELS, :rows, :cols].float()
        maps[:, 0] = torch.sigmoid(maps[:, 0])
        maps[:, 2:4] *= OFFSET_UNIT
    return maps.flatten(0, 1), embedding[0, :, : -(-rows // 2), : -(-cols // 2)]


def windows(plane: MicroImage) -> list[tuple[tuple[float, float], np.ndarray]]:
    """Windows spread evenly over a plane: the middle of each, in shares of the plane, and its pixels ``(..., h, w)``."""
    lead = (slice(None),) * (len(plane.axes) - 2)
    starts = [np.linspace(0, n - min(n, _SIDE), _ACROSS).astype(int) for n in plane.plane_shape]
    height, width = plane.plane_shape
    return [
        (((y + _SIDE / 2) / height, (x + _SIDE / 2) / width), plane.read(0, (*lead, slice(y, y + _SIDE), slice(x, x + _SIDE))))
        for y in starts[0]
        for x in starts[1]
    ]


def plane_bounds(plane: MicroImage) -> tuple[float, float]:
    """Grey values of the plane's percentiles: from the finest level that is small, else from windows spread over the plane."""
    level = plane.info.levels[plane.level_for(_COARSE)]
    if level.shape[-2] * level.shape[-1] <= _WHOLE:
        return grey_bounds(plane.read(plane.level_for(_COARSE)))
    return grey_bounds(np.concatenate([p.reshape(*p.shape[:-2], 1, -1) for _, p in windows(plane)], axis=-1))


def _coded(embedding: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """As int8 and its unit, a strip of rows at a time; channels stay beside each other in memory, as they are pooled by place."""
    most = [embedding[:, y : y + _STRIP].abs().amax((1, 2)) for y in range(0, embedding.shape[1], _STRIP)]
    unit = torch.stack(most).amax(0).float().clamp(min=1e-6) / 127
    coded = torch.empty((*embedding.shape[1:], len(unit)), dtype=torch.int8)
    for y in range(0, len(coded), _STRIP):
        coded[y : y + _STRIP] = (embedding[:, y : y + _STRIP].permute(1, 2, 0).float() / unit).round_()
    return coded.permute(2, 0, 1).numpy(), unit.numpy()
