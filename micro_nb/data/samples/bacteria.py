"""Rod-shaped bacteria in growing colonies as a phase contrast microscope sees them (uint16)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import inf
from typing import ClassVar

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ...errors import PlanError
from ..source import Channel
from .lattice import Box, Lattice, SmoothNoise, around
from .scene import NOTHING, Model, maker
from .sprites import BLOCK, Library, Placed, Sprite, add, block_nodes, normal_block, spread, turn_points

_SIZES = (0.08, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
"""Cells of the colonies, as shares of the largest."""
_BLUR_UM, _GLOW = 0.09, 0.9
"""Of the optics; the halo reaches so many widths of a rod."""


@dataclass(frozen=True, kw_only=True)
class Colonies(Model):
    """Rods side by side with exact truth: dark bodies, paler where many lie together, in a bright halo.

    Parameters
    ----------
    shape : ``(y, x)`` px, any size.
    seed : same seed, same scene.
    pixel_size : µm per px.
    width, length : of a rod, and its length when it divides, µm; at least 4 px wide and 1.5 times as long as wide.
    cells : of the largest colony, 2..400; the smallest have a tenth.
    density : share of the places for a colony that are taken, 0..1.
    halo : brightness of the halo, against the darkness of a lone rod, 0..1.
    noise : standard deviation, against the same.

    Returns
    -------
    Scene of class ``bacterium``, uint16 ``(y, x)``. Rods touch and hardly overlap; see :func:`~.colonies.grown`.

    Notes
    -----
    A phase object is dark by its thickness; what the phase ring lets through of its coarse detail is the halo (Pluta 1989,
    Advanced Light Microscopy 2). Both add up, so that cells inside a colony look paler than at its rim.

    Examples
    --------
    >>> bacteria((64, 64)).image.channels[0].name
    'phase contrast'
    """

    pixel_size: float = 0.065
    width: float = 0.9
    length: float = 3.2
    cells: int = 60
    density: float = 0.8
    halo: float = 0.7
    noise: float = 0.03

    kind: ClassVar[str] = "bacteria"
    dtype: ClassVar[type] = np.uint16
    channels: ClassVar[tuple[Channel, ...]] = (Channel("phase contrast", "#ffffff"),)
    limits = (("density", 0, 1), ("halo", 0, 1), ("cells", 2, 400), ("noise", 0, inf))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 4 * self.pixel_size or self.length < 1.5 * self.width:
            said = f"width={self.width} µm must be at least 4 px of {self.pixel_size} µm"
            raise PlanError(f"{said}, and length={self.length} at least 1.5 widths")

    @property
    def library(self) -> Library:
        return self._grown.library

    @property
    def _grown(self) -> _Grown:
        return _grown(self.px(self.width), self.px(self.length), self.cells, _BLUR_UM / self.pixel_size)

    @property
    def _lattice(self) -> Lattice:
        far = self._grown.reach
        return Lattice(self.seed, 17, 1.9 * far, jitter=0.5, repel=2.0 * far, rounds=2, apart=1.7 * far)

    def plan(self, box: Box) -> Placed:
        far = int(self._grown.reach) + 2
        p = self._lattice.points(around(box, far), lambda y, x: np.full(np.shape(y), self.density))
        u = [self._lattice.uniform(k, p.row, p.col) for k in (10, 11)]
        wide = int(self.shape[1] / self._lattice.pitch) + 40
        first = ((p.row + 8) * wide + p.col + 9) * self._grown.most
        which, turned = (u[0] * len(_SIZES)).astype(int), (u[1] * 8).astype(int)
        colonies = zip(which, turned, p.y, p.x, first, strict=True)
        return Placed.join([self._grown.placed(*colony) for colony in colonies] or [NOTHING]).inside(box)

    def paint(self, level: int, row: int, col: int) -> np.ndarray:
        canvas = np.zeros((2, BLOCK, BLOCK), np.float32)
        add(canvas, self.library.views(level), self.around(level, row, col), (row * BLOCK, col * BLOCK), level)
        y, x = block_nodes(level, row, col)
        agarose = spread(0.07 * (SmoothNoise(self.seed, 70, self.px(9.0), 2)(y, x) - 0.5))
        image = agarose - np.minimum(canvas[0], 1) + self.halo * canvas[1]
        image += normal_block(self.seed, 71, level, row, col) * np.float32(self.noise * 0.5**level)
        return np.asarray(np.clip(30000 + 12000 * image + 0.5, 0, 65535), np.uint16)


bacteria = maker(Colonies)


@dataclass(frozen=True)
class _Grown:
    """Colonies that were grown once: of each its rods, and where its first sprite is in the library."""

    colonies: tuple[Rods, ...]
    library: Library

    @cached_property
    def most(self) -> int:
        """Rods of the largest."""
        return max(len(c) for c in self.colonies)

    @cached_property
    def reach(self) -> float:
        """From a colony's middle to the end of its farthest rod, px."""
        return max(float((np.hypot(c.y, c.x) + c.length / 2).max()) for c in self.colonies)

    def placed(self, which: int, turned: int, y: int, x: int, first: int) -> Placed:
        """A colony in one of its eight orientations with its middle at a pixel; labels run from ``first``."""
        rods = self.colonies[which]
        dy, dx = turn_points(np.rint(rods.y).astype(np.int64), np.rint(rods.x).astype(np.int64), turned)
        n = np.arange(len(rods), dtype=np.int64)
        variant = n + sum(len(c) for c in self.colonies[:which])
        return Placed(n + first, y + dy, x + dx, variant, 0 * n + turned, np.ones(len(n), np.float32))


@lru_cache(maxsize=4)
def _grown(width: float, length: float, cells: int, blur: float) -> _Grown:
    rng = np.random.default_rng(1884)
    colonies = tuple(grown(rng, max(1, round(cells * share)), width=width, length=length) for share in _SIZES)
    return _Grown(colonies, Library([_rod(rng, rods, k, width, blur) for rods in colonies for k in range(len(rods))]))


def _rod(rng: np.random.Generator, rods: Rods, k: int, width: float, blur: float) -> Sprite:
    """One rod at its angle, slightly bent: layers are darkness and halo."""
    glow, long = _GLOW * width, rods.length[k]
    n = 2 * int(np.ceil(long / 2 + 3 * glow + 2)) + 1
    y, x = np.mgrid[0:n, 0:n] - float(n // 2)
    y, x = y - (rods.y[k] - np.rint(rods.y[k])), x - (rods.x[k] - np.rint(rods.x[k]))
    along = y * np.sin(rods.angle[k]) + x * np.cos(rods.angle[k])
    across = y * np.cos(rods.angle[k]) - x * np.sin(rods.angle[k])
    straight = max(long - width, 0) / 2
    across = across - rng.normal(0, 0.12) / long * (along**2 - straight**2 / 3)
    from_axis = np.hypot(across, np.maximum(np.abs(along) - straight, 0)) / (width / 2 * rng.uniform(0.94, 1.02))
    thick = np.sqrt(np.clip(1 - from_axis**2, 0, 1))
    layers = np.stack([ndimage.gaussian_filter(thick, max(blur, 0.6)), ndimage.gaussian_filter(thick, glow)])
    return Sprite(layers.astype(np.float32), from_axis < 1, "bacterium")


_GROWTH = 0.09
"""Of a rod's length at division, a step."""
_WHILE_GROWING, _AT_THE_END = 6, 25
_DIGITS = 4
"""Places are rounded to these in every step, so that processors which differ in the last bit grow the same colony."""


@dataclass(frozen=True)
class Rods:
    """Rods around the middle of their colony, all ``(n,)``: middles, angle of the axis (radians), length with its caps."""

    y: np.ndarray
    x: np.ndarray
    angle: np.ndarray
    length: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


def grown(rng: np.random.Generator, cells: int, *, width: float, length: float) -> Rods:
    """A colony grown from one rod until it has at least ``cells``.

    Parameters
    ----------
    width, length : of a rod, and its length at division, px.

    Notes
    -----
    Rods are chains of discs half a width apart that repel where they overlap, moved and turned by the mean of the pushes, after
    T. J. Rudge et al., ACS Synth. Biol. 1 (2012) 345-352, without their constraint solver.
    """
    middle, angle = np.zeros((1, 2)), rng.uniform(0, np.pi, 1)
    long, divides = rng.uniform(0.55, 1, 1) * length, length * rng.uniform(0.9, 1.1, 1)
    while len(middle) < cells:
        long = long + length * _GROWTH * rng.uniform(0.7, 1.3, len(long))
        ready = np.flatnonzero(long > divides)
        along = np.stack([np.sin(angle[ready]), np.cos(angle[ready])], 1) * (long[ready] / 4)[:, None]
        middle = np.concatenate([np.delete(middle, ready, 0), middle[ready] + along, middle[ready] - along])
        turned = np.concatenate([angle[ready]] * 2) + rng.normal(0, 0.12, 2 * len(ready))
        angle = np.concatenate([np.delete(angle, ready), turned])
        long = np.concatenate([np.delete(long, ready), long[ready] / 2, long[ready] / 2])
        divides = np.concatenate([np.delete(divides, ready), length * rng.uniform(0.85, 1.2, 2 * len(ready))])
        middle, angle = _apart(middle, angle, long, width, _WHILE_GROWING)
    middle, angle = _apart(middle, angle, long, width, _AT_THE_END)
    middle = middle - np.round(middle.mean(0))
    return Rods(middle[:, 0], middle[:, 1], angle, long)


def _apart(
    middle: np.ndarray, angle: np.ndarray, long: np.ndarray, width: float, rounds: int
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Middles and angles after the rods have pushed each other at most so often."""
    for _ in range(rounds):
        discs, owner = _discs(middle, angle, long, width)
        pairs = cKDTree(discs).query_pairs(width, output_type="ndarray")
        pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
        if not len(pairs):
            break
        away = discs[pairs[:, 0]] - discs[pairs[:, 1]]
        gap = np.hypot(away[:, 0], away[:, 1]) + 1e-6
        push = away * (0.3 * (width - gap) / gap)[:, None]
        shift, turn, pushes = np.zeros_like(middle), np.zeros(len(middle)), np.full(len(middle), 1e-9)
        for sign, side in ((1, 0), (-1, 1)):
            rod = owner[pairs[:, side]]
            arm = discs[pairs[:, side]] - middle[rod]
            np.add.at(shift, rod, sign * push)
            np.add.at(pushes, rod, 1)
            np.add.at(turn, rod, sign * 6 * (arm[:, 1] * push[:, 0] - arm[:, 0] * push[:, 1]) / long[rod] ** 2)
        middle = np.round(middle + shift / np.sqrt(pushes)[:, None], _DIGITS)
        angle = np.round(angle + np.clip(turn, -0.15, 0.15), _DIGITS)
    return middle, angle


def _discs(middle: np.ndarray, angle: np.ndarray, long: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """The chains of discs ``(m, 2)``, and whose each is."""
    straight = np.maximum(long - width, 0)
    count = np.maximum(2, np.ceil(straight / (width / 2)).astype(int) + 1)
    owner = np.repeat(np.arange(len(middle)), count)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    at = (nth / (count[owner] - 1) - 0.5) * straight[owner]
    return middle[owner] + np.stack([np.sin(angle[owner]) * at, np.cos(angle[owner]) * at], 1), owner
