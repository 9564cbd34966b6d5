"""Fluorescent nuclei as a widefield microscope with a scientific camera sees them (DAPI, uint16)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy import ndimage

from ..source import Channel
from .lattice import Box, Lattice, SmoothNoise
from .scene import Model, maker
from .sprites import BLOCK, Library, Placed, Sprite, add, block_nodes, grain, normal_block, outline, polar, spread

_VARIANTS = 96
_BLUR_UM, _DEFOCUS_UM, _HALO_UM = 0.25, 2.0, 2.6
_OFFSET, _GAIN, _READ = 100.0, 3.0, 6.0  # camera: grey values, grey values per photoelectron, grey values


@dataclass(frozen=True, kw_only=True)
class Nuclei(Model):
    """Fluorescent nuclei with exact truth: blur, shot and read noise, uneven illumination, touching clusters.

    Parameters
    ----------
    shape : ``(y, x)`` px, any size.
    seed : same seed, same scene.
    pixel_size : µm per px; a nucleus is about 10 µm wide.
    density : how full the dish is, 0..1.
    brightness : grey values of a typical nucleus above the background.
    background : grey values of the background above the camera's offset of 100.
    uneven : relative loss of light from the middle to the corners, 0..1.
    out_of_focus : share of the area whose nuclei are blurred, 0..1.

    Returns
    -------
    Scene of classes ``interphase``, ``mitotic`` and ``apoptotic``, uint16 ``(y, x)``.

    Notes
    -----
    Shot noise is Gaussian with the variance of the Poisson law (3 grey values per photoelectron); a nucleus is the extent of its
    outline before blur. The recipe follows simulators such as SIMCEP (Lehmussola et al. 2007, IEEE TMI 26:1010).

    Examples
    --------
    >>> fluorescence((128, 128)).image.dtype
    dtype('uint16')
    """

    pixel_size: float = 0.325
    density: float = 0.7
    brightness: float = 4000.0
    background: float = 250.0
    uneven: float = 0.15
    out_of_focus: float = 0.0

    kind: ClassVar[str] = "fluorescence"
    dtype: ClassVar[type] = np.uint16
    channels: ClassVar[tuple[Channel, ...]] = (Channel("DAPI", "#4d8dff", None, 461.0, 358.0),)
    limits = (("density", 0, 1), ("uneven", 0, 1), ("out_of_focus", 0, 1))

    @property
    def library(self) -> Library:
        return _library(self.pixel_size)

    @property
    def lattice(self) -> Lattice:
        """Cells about 12 µm apart that push each other away like cells in a dish, but still touch."""
        return Lattice(self.seed, 1, self.px(12.5), jitter=0.5, repel=self.px(9.8), rounds=2, apart=self.px(5.0))

    def plan(self, box: Box) -> Placed:
        p = self.lattice.points(box, self._occupied)
        u = [self.lattice.uniform(k, p.row, p.col) for k in range(10, 16)]
        variant = (u[0] * _VARIANTS).astype(np.int64)
        variant += _VARIANTS * (self._blurred(p.y, p.x))
        strength = self.brightness * np.exp(0.55 * (u[1] + u[2] + u[3] - 1.5)) * np.where(u[4] < 0.2, 1.5, 1.0)
        wide = int(self.shape[1] / self.lattice.pitch) + 8
        label = ((p.row + 4) * wide + p.col + 5).astype(np.int32)
        return Placed(label, p.y, p.x, variant, (u[5] * 8).astype(np.int64), strength.astype(np.float32))

    def paint(self, level: int, row: int, col: int) -> np.ndarray:
        signal = np.zeros((1, BLOCK, BLOCK), np.float32)
        add(signal, self.library.views(level), self.around(level, row, col), (row * BLOCK, col * BLOCK), level)
        y, x = block_nodes(level, row, col)
        light = self.background * (0.93 + 0.14 * SmoothNoise(self.seed, 40, self.px(180.0), 2)(y, x))
        image = (signal[0] + spread(light)) * spread(self._illumination(y, x))
        noise = normal_block(self.seed, 41, level, row, col) * np.sqrt(_GAIN * image + _READ**2) * np.float32(0.5**level)
        image += noise + np.float32(_OFFSET + 0.5)
        return np.asarray(np.clip(image, 0, 65535), np.uint16)

    def _occupied(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        crowd = SmoothNoise(self.seed, 42, self.px(170.0), 3)(y, x)
        return np.clip(self.density + 2.2 * (crowd - 0.5), 0.02 * (self.density > 0), 0.98 if self.density < 1 else 1.0)

    def _blurred(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Whether a nucleus lies in the band at the right that is out of focus."""
        if self.out_of_focus == 0:
            return np.zeros(np.shape(y), np.int64)
        edge = self.shape[1] * (1 - self.out_of_focus)
        wave = self.px(60.0) * (SmoothNoise(self.seed, 43, self.px(300.0))(y, 0 * y) - 0.5)
        return np.asarray(x > edge + wave * (self.out_of_focus < 1), np.int64)

    def _illumination(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        v, u = (2 * a / n - 1 for a, n in zip((y, x), self.shape, strict=True))
        return np.asarray(1 - self.uneven * np.minimum(((v + 0.1) ** 2 + (u - 0.15) ** 2) / 2.0, 1.0))


fluorescence = maker(Nuclei)


@lru_cache(maxsize=4)
def _library(pixel_size: float) -> Library:
    rng = np.random.default_rng(1958)
    names = ["mitotic"] * 3 + ["apoptotic"] * 2 + ["interphase"] * (_VARIANTS - 5)
    flat = [_NUCLEUS[name](rng, pixel_size) for name in names]
    edge = max(f.shape[0] for f, _ in flat)
    drawn = [tuple(np.pad(a, (edge - len(a)) // 2) for a in pair) for pair in flat]
    sprites = []
    for blur in (_BLUR_UM, _DEFOCUS_UM):
        for name, (light, mask) in zip(names, drawn, strict=True):
            sharp = ndimage.gaussian_filter(light, blur / pixel_size)
            haze = ndimage.gaussian_filter(light, _HALO_UM / pixel_size)
            sprites.append(Sprite((0.88 * sharp + 0.12 * haze)[None].astype(np.float32), mask > 0, name))
    return Library(sprites)


def _canvas(pixel_size: float, radius_um: float) -> tuple[np.ndarray, np.ndarray]:
    return polar(2 * int(np.ceil((radius_um + 6.0) / pixel_size)) + 1)


def _interphase(rng: np.random.Generator, px: float) -> tuple[np.ndarray, np.ndarray]:
    size = 4.9 * np.exp(rng.normal(0, 0.13)) / px
    stretch = np.exp(abs(rng.normal(0, 0.16)))
    r, theta = _canvas(px, 2.2 * size * px)
    edge = outline(theta, rng, axes=(size * stretch**0.5, size / stretch**0.5), rough=0.045)
    inside = np.clip(edge - r + 0.5, 0, 1)
    dome = np.sqrt(np.clip(1 - (r / edge) ** 4, 0, 1)) * 0.35 + 0.65
    chromatin = 1 + 0.13 * grain(len(r), rng, shortest=0.8 / px, longest=3.0 / px)
    chromatin += 0.45 * np.clip(grain(len(r), rng, shortest=0.9 / px, longest=2.0 / px) - 1.9, 0, 1)
    light = inside * dome * np.clip(chromatin, 0.3, 2)
    for _ in range(rng.integers(1, 4)):  # nucleoli hold little DNA
        light *= 1 - 0.5 * np.exp(-((_off(r, theta, rng, 0.5 * size) * px / rng.uniform(0.6, 1.0)) ** 2))
    return light, r < edge


def _mitotic(rng: np.random.Generator, px: float) -> tuple[np.ndarray, np.ndarray]:
    r, theta = _canvas(px, 7.0)
    edge = outline(theta, rng, axes=(5.0 / px, 1.9 / px), rough=0.10)
    light = np.clip(edge - r + 0.5, 0, 1) * (1.9 + 0.3 * grain(len(r), rng, shortest=0.6 / px, longest=2.0 / px))
    return light, r < edge


def _apoptotic(rng: np.random.Generator, px: float) -> tuple[np.ndarray, np.ndarray]:
    r, theta = _canvas(px, 7.0)
    light, mask = np.zeros(r.shape), np.zeros(r.shape, bool)
    for k in range(rng.integers(2, 5)):
        d, size = _off(r, theta, rng, 1.6 / px * (k > 0)), rng.uniform(0.8, 1.5) / px
        light = np.maximum(light, 2.3 * np.clip(size - d + 0.5, 0, 1))
        mask |= d < size
    return light, mask


def _off(r: np.ndarray, theta: np.ndarray, rng: np.random.Generator, far: float) -> np.ndarray:
    """Distance from a random point at most ``far`` from the middle."""
    d, a = far * np.sqrt(rng.random()), rng.uniform(-np.pi, np.pi)
    return np.asarray(np.hypot(r * np.sin(theta) - d * np.sin(a), r * np.cos(theta) - d * np.cos(a)))


_NUCLEUS = {"interphase": _interphase, "mitotic": _mitotic, "apoptotic": _apoptotic}
