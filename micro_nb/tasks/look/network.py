"""The tile network on a plane of any size: geometry and embeddings window by window, on a grid that belongs to the image.

Pixels are resampled so that one *map pixel*, the grid on which objects are decoded, is a whole number of pixels of level 0: the
``pitch``. The network sees two of its pixels along a map pixel. Windows are anchored at the origin and read with a halo; neither
the caller's ``tile`` nor threads change them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from ...data.image import MicroImage
from ...models.micro_d1 import MicroD1Model
from ...models.micro_d1.processing_micro_d1 import grey_bounds, normalise, padded, planes
from ...tiles.plan import Slices, TileGrid
from .places import windows

WINDOW = 768
"""Map pixels along a window's core."""
HALO = 64
"""Map pixels read around a core: 128 pixels of the network, beyond which a pixel changes the maps by less than their rounding."""
_KEPT = 24
_COARSE, _WHOLE = 1 << 19, 1 << 24


@dataclass(frozen=True)
class Tiled:
    """What the network says of one window's core.

    Attributes
    ----------
    geometry : ``(L * 4, h, w) float16``: foreground probability, distance, offsets y and x in map pixels, layer by layer.
    embedding : ``(D, h / 2, w / 2) int8``; times ``unit (D,)`` it is the embedding.
    """

    geometry: np.ndarray
    embedding: np.ndarray
    unit: np.ndarray


@dataclass
class TileMaps:
    """A plane seen through the tile network at one pitch.

    Attributes
    ----------
    model : Micro-D1.
    plane : ``(y, x)`` or a colour picture ``(c, y, x)``.
    pitch : pixels of level 0 along a map pixel.
    bounds : grey values that become 0 and 1.
    """

    model: MicroD1Model
    plane: MicroImage
    pitch: int
    bounds: tuple[float, float]
    _kept: OrderedDict[tuple[int, int], Tiled] = field(default_factory=OrderedDict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` map pixels."""
        height, width = self.plane.plane_shape
        return -(-height // self.pitch), -(-width // self.pitch)

    @property
    def grid(self) -> TileGrid:
        """The windows."""
        return TileGrid(self.shape, tile=WINDOW)

    def geometry(self, core: Slices) -> np.ndarray:
        """``(L * 4, h, w)`` of one core, as :class:`~micro_nb.tiles.assemble.TiledMaps` asks for it."""
        return self.at(core).geometry

    def at(self, core: Slices) -> Tiled:
        """One window; the last few are kept."""
        key = (core[0].start, core[1].start)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            self._kept[key] = found = self.look(core)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    def glance(self, core: Slices, halo: int) -> np.ndarray:
        """``(L * 4, h, w) float32`` geometry of a core, read with a small halo and not kept."""
        reads, inner = self._around(core, halo)
        return run(self.model, self.pixels(reads), embed=False)[0][(slice(None), *inner)].numpy()

    def _around(self, core: Slices, halo: int) -> tuple[Slices, Slices]:
        """A core with its halo, inside the plane, and where the core lies in that."""
        reads = [slice(max(0, s.start - halo), min(n, s.stop + halo)) for s, n in zip(core, self.shape, strict=True)]
        inner = [slice(c.start - r.start, c.stop - r.start) for c, r in zip(core, reads, strict=True)]
        return (reads[0], reads[1]), (inner[0], inner[1])

    def look(self, core: Slices, halo: int = HALO) -> Tiled:
        """Runs the network on a core and its halo."""
        reads, inner = self._around(core, halo)
        geometry, embedding = run(self.model, self.pixels(reads))
        half = tuple(slice(s.start // 2, -(-s.stop // 2)) for s in inner)
        return Tiled(geometry[(slice(None), *inner)].half().numpy(), *_coded(embedding[(slice(None), *half)]))

    def pixels(self, place: Slices) -> torch.Tensor:
        """``(1, 3, 2 h, 2 w)`` network pixels of map pixels ``place``; what leaves the plane repeats its rim."""
        height, width = self.plane.plane_shape
        box = tuple(slice(s.start * self.pitch, min(s.stop * self.pitch, n)) for s, n in zip(place, (height, width), strict=True))
        lead = (slice(None),) * (len(self.plane.axes) - 2)
        image = torch.from_numpy(planes(normalise(self.plane.read(0, (*lead, *box)), self.bounds)))[None]
        rows, cols = (s.stop - s.start for s in place)
        missing = rows * self.pitch - image.shape[2], cols * self.pitch - image.shape[3]
        image = F.pad(image, (0, missing[1], 0, missing[0]), mode="replicate") if any(missing) else image
        return resampled(image, self.pitch).expand(-1, 3, -1, -1)


def resampled(image: torch.Tensor, pitch: int) -> torch.Tensor:
    """``(1, C, pitch h, pitch w)`` to ``(1, C, 2 h, 2 w)``: area averages, or interpolation where the pitch is 1."""
    size = tuple(n // pitch * 2 for n in image.shape[2:])
    if pitch == 1:
        return F.interpolate(image, size=size, mode="bilinear", align_corners=False)
    return image if pitch == 2 else F.interpolate(image, size=size, mode="area")


def run(model: MicroD1Model, pixels: torch.Tensor, *, embed: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Geometry ``(L * 4, h, w)`` with foreground as a probability and offsets in map pixels; embedding ``(D, h / 2, w / 2)``.

    Without ``embed`` the embedding is empty, and the network is run as far as its geometry.
    """
    rows, cols = (n // 2 for n in pixels.shape[2:])
    fast = bool(torch.cpu._is_avx512_bf16_supported())
    ready = padded(pixels).to(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=fast):
        geometry, embedding = model.eyes[0](ready, embed=embed)
        maps = geometry[0, ..., :rows, :cols].float()
        maps[:, 0] = torch.sigmoid(maps[:, 0])
        maps[:, 2:] *= OFFSET_UNIT
    return maps.flatten(0, 1), embedding[0, :, : -(-rows // 2), : -(-cols // 2)].float()


OFFSET_UNIT = 16.0
"""Offsets were learned in this many map pixels; see :mod:`micro_nb.learn.targets`."""


def plane_bounds(plane: MicroImage) -> tuple[float, float]:
    """Grey values of the plane's percentiles: from the finest level that is small, else from windows spread over the plane."""
    level = plane.info.levels[plane.level_for(_COARSE)]
    if level.shape[-2] * level.shape[-1] <= _WHOLE:
        return grey_bounds(plane.read(plane.level_for(_COARSE)))
    return grey_bounds(np.concatenate([p.reshape(*p.shape[:-2], 1, -1) for _, p in windows(plane)], axis=-1))


def _coded(embedding: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    unit = embedding.abs().amax((1, 2)).clamp(min=1e-6) / 127
    return (embedding / unit[:, None, None]).round().to(torch.int8).numpy(), unit.numpy()
