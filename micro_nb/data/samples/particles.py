"""Particles on a carbon tape as a scanning electron microscope's secondary-electron detector sees them (uint8)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.special import ndtri

from ...errors import PlanError
from ..source import Channel
from .lattice import Box, Lattice, SmoothNoise, around, hash_uniform
from .scene import Model, maker
from .sprites import (
    BLOCK,
    Library,
    Placed,
    Sprite,
    Texture,
    block_nodes,
    cover,
    grain,
    normal_block,
    outline,
    polar,
    spectral,
    spread,
)

_VARIANTS, _SATELLITES, _CLASSES = 96, 24, 8


@dataclass(frozen=True, kw_only=True)
class Powder(Model):
    """Nearly round powder particles with exact truth: bright edges, shadows, a size distribution, shot noise.

    Parameters
    ----------
    shape : ``(y, x)`` px, any size.
    seed : same seed, same scene.
    pixel_size : µm per px.
    diameter : median diameter, µm.
    spread_of_sizes : standard deviation of the logarithm of the diameter, 0..0.6.
    coverage : how full the tape is, 0..1.
    satellites : share of particles with a small one stuck to them, 0..1.
    dose : electrons counted for a fully bright pixel; the fewer, the noisier.

    Returns
    -------
    Scene of classes ``particle`` and ``satellite``, uint8 ``(y, x)``. Smaller particles lie on top of larger ones.

    Notes
    -----
    The yield of secondary electrons grows with the tilt of the surface as its secant (Reimer 1998, Scanning Electron Microscopy).

    Examples
    --------
    >>> particles((64, 64)).image.channels[0].name
    'secondary electrons'
    """

    pixel_size: float = 0.02
    diameter: float = 1.2
    spread_of_sizes: float = 0.22
    coverage: float = 0.5
    satellites: float = 0.15
    dose: float = 300.0

    kind: ClassVar[str] = "particles"
    dtype: ClassVar[type] = np.uint8
    channels: ClassVar[tuple[Channel, ...]] = (Channel("secondary electrons", "#ffffff"),)
    limits = (("spread_of_sizes", 0, 0.6), ("coverage", 0, 1), ("satellites", 0, 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.diameter < 6 * self.pixel_size or self.dose <= 0:
            raise PlanError(
                f"diameter={self.diameter} µm must be at least 6 px of {self.pixel_size} µm, and dose={self.dose} above 0"
            )

    @property
    def library(self) -> Library:
        return _library(self.px(self.diameter), self.spread_of_sizes)

    def plan(self, box: Box) -> Placed:
        far = 2 * self.library.reach
        parents = self._particles(around(box, 2 * far))
        return Placed.join([parents, self._stuck(parents)]).inside(box)

    def paint(self, level: int, row: int, col: int) -> np.ndarray:
        y, x = block_nodes(level, row, col)
        tape = spread(0.13 + 0.10 * SmoothNoise(self.seed, 90, 9 * self.px(self.diameter), 3)(y, x))
        canvas = (tape * (1 + 0.16 * _tape().window(level, row, col)))[None]
        cover(canvas, self.library.views(level), self.around(level, row, col), (row * BLOCK, col * BLOCK), level)
        line = hash_uniform(self.seed, 91, np.arange(BLOCK) + row * BLOCK, np.array(level)).astype(np.float32) - 0.5
        noise = normal_block(self.seed, 92, level, row, col) * np.float32(0.5**level)
        image = canvas[0] + noise * np.sqrt(np.maximum(canvas[0], 0.01) / self.dose) + 0.012 * line[:, None]
        return np.asarray(np.clip(image * 255 + 0.5, 0, 255), np.uint8)

    @property
    def _lattice(self) -> Lattice:
        d = self.px(self.diameter)
        return Lattice(self.seed, 8, 1.12 * d, jitter=0.5, repel=0.98 * d, rounds=2, apart=0.55 * d)

    def _particles(self, box: Box) -> Placed:
        def full(y: np.ndarray, x: np.ndarray) -> np.ndarray:
            heap = SmoothNoise(self.seed, 93, 7 * self.px(self.diameter), 3)(y, x)
            return np.asarray(np.clip(self.coverage + 2.4 * (heap - 0.5), 0, 1) * (self.coverage > 0))

        p = self._lattice.points(box, full)
        u = [self._lattice.uniform(k, p.row, p.col) for k in (10, 11)]
        variant = (u[0] * _VARIANTS).astype(np.int64)
        label = (variant * _CLASSES // _VARIANTS) * self._room + (p.row + 8) * self._wide + p.col + 9
        return Placed(label, p.y, p.x, variant, 0 * variant, (0.85 + 0.3 * u[1]).astype(np.float32))

    @property
    def _wide(self) -> int:
        return int(self.shape[1] / self._lattice.pitch) + 40

    @property
    def _room(self) -> int:
        return self._wide * (int(self.shape[0] / self._lattice.pitch) + 40)

    def _stuck(self, parents: Placed) -> Placed:
        """Satellites at the rims of their parents, none of them on top of another."""
        u = [hash_uniform(self.seed, k, parents.label, np.zeros(1, int)) for k in (94, 95, 96)]
        radius = _radii(self.px(self.diameter), self.spread_of_sizes)[parents.variant]
        angle = np.rint(u[1] * 360) * (np.pi / 180)
        y, x = np.rint(parents.y + radius * np.sin(angle)), np.rint(parents.x + radius * np.cos(angle))
        cell = parents.label % self._room
        variant = _VARIANTS + (u[2] * _SATELLITES).astype(np.int64)
        label, y, x = cell + _CLASSES * self._room, y.astype(np.int64), x.astype(np.int64)
        placed = Placed(label, y, x, variant, 0 * variant, parents.strength).where(u[0] < self.satellites)
        close = cKDTree(np.stack([placed.y, placed.x], 1)).query_pairs(0.45 * self.px(self.diameter), output_type="ndarray")
        later = np.where(placed.label[close[:, 0]] > placed.label[close[:, 1]], close[:, 0], close[:, 1])
        return placed.where(~np.isin(np.arange(len(placed)), later))


particles = maker(Powder)


def _radii(diameter_px: float, spread_of_sizes: float) -> np.ndarray:
    """Radius of each variant in px, largest first: quantiles of the log-normal law, so that the law holds exactly."""
    quantiles = (np.arange(_VARIANTS)[::-1] + 0.5) / _VARIANTS
    return np.asarray(diameter_px / 2 * np.exp(spread_of_sizes * ndtri(quantiles)))


@lru_cache(maxsize=4)
def _library(diameter_px: float, spread_of_sizes: float) -> Library:
    rng = np.random.default_rng(1937)
    sprites = [_ball(rng, radius, "particle") for radius in _radii(diameter_px, spread_of_sizes)]
    small = diameter_px / 2 * np.exp(rng.normal(-1.35, 0.15, _SATELLITES))
    return Library(sprites + [_ball(rng, max(radius, 1.5), "satellite") for radius in small])


def _ball(rng: np.random.Generator, radius: float, name: str) -> Sprite:
    """A ball lit by its own electrons: layers are brightness (premultiplied) and opacity."""
    n = 2 * int(np.ceil(radius * 1.6 + 4)) + 1
    r, theta = polar(n)
    stretch = 1 + abs(rng.normal(0, 0.04))
    edge = outline(theta, rng, axes=(radius * stretch, radius / stretch), rough=0.014)
    q = np.clip(r / edge, 0, 0.999)
    secant = 1 / np.sqrt(1 - q**2)
    coarse = 2.0 ** (np.round(2 * np.log2(radius)) / 2)  # few steps, so that few textures serve all sizes
    rough = grain(n, rng, shortest=coarse / 14, longest=coarse / 1.5, slope=2.4)
    value = 0.36 + 0.115 * np.minimum(secant - 1, 4.2) + 0.035 * rough * (1 + q)
    value += 0.13 * q * np.cos(theta + 2.2) + 0.06 * (1 - q) * np.cos(theta + 2.2)  # the detector stands to one side
    for _ in range(rng.integers(0, 4)):  # pits and grains on the surface
        d, a = radius * 0.8 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        spot = np.hypot(r * np.sin(theta) - d * np.sin(a), r * np.cos(theta) - d * np.cos(a)) / (radius * rng.uniform(0.05, 0.12))
        value += rng.choice([-0.16, 0.2]) * np.exp(-(spot**2))
    inside = np.clip(edge - r + 0.5, 0, 1)
    shadow = 0.55 * np.exp(-np.maximum(r - edge, 0) / (0.22 * radius)) * np.clip(1.6 - r / (1.6 * radius) * 1.0, 0, 1)
    shadow *= np.clip((n // 2 - r) / 4, 0, 1)
    layers = np.stack([np.clip(value, 0.02, 1.1) * inside, np.maximum(inside, shadow)])
    return Sprite(ndimage.gaussian_filter(layers, (0, 0.6, 0.6)).astype(np.float32), r < edge, name)


@lru_cache(maxsize=1)
def _tape() -> Texture:
    return Texture.of(spectral(1024, 21, slope=2.2, shortest=4, longest=200))
