"""Where objects lie: points of a jittered lattice, each derived from the seed and its own cell, so any part can be planned alone.

A point depends on its cell and a few neighbouring cells only, through correctly rounded arithmetic, so that planning a
window and planning the whole scene give the same points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Box = tuple[int, int, int, int]
"""``(y0, y1, x0, x1)`` in pixels of level 0, ends exclusive."""
Density = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Probability 0..1 that a point at ``(y, x)`` exists."""

_NEIGHBOURS = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))
_K1, _K2, _K3 = (np.uint64(k) for k in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def around(box: Box, by: int) -> Box:
    """The box with ``by`` px more on every side."""
    return box[0] - by, box[1] + by, box[2] - by, box[3] + by


def hash_uniform(seed: int, stream: int, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """Uniform numbers in [0, 1) that depend on nothing but their arguments (the finaliser of SplitMix64, Steele 2014).

    >>> bool(hash_uniform(0, 1, np.arange(3), np.arange(3))[1] == hash_uniform(0, 1, np.array(1), np.array(1)))
    True
    """
    start = np.uint64((seed * 0x632BE59BD9B4E019 + stream * 0xD1342543DE82EF95) & 0xFFFFFFFFFFFFFFFF)
    with np.errstate(over="ignore"):
        z = np.asarray(row).astype(np.int64).view(np.uint64) * _K1 + np.asarray(col).astype(np.int64).view(np.uint64) * _K2
        z = _mix(z ^ start)
        z = _mix(z + start)
    return np.asarray((z >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * _K2
    z = (z ^ (z >> np.uint64(27))) * _K3
    return np.asarray(z ^ (z >> np.uint64(31)))


@dataclass(frozen=True)
class SmoothNoise:
    """A smooth random field in [0, 1] over the whole plane: value noise of one wavelength (Perlin 1985's lattice idea).

    Attributes
    ----------
    seed, stream : what it is derived from.
    wavelength : distance of independent values, px.
    octaves : finer copies added at half the wavelength and half the weight each.
    """

    seed: int
    stream: int
    wavelength: float
    octaves: int = 1

    def __call__(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Values at points ``y``, ``x`` (px, any shape that broadcasts)."""
        total, weight, norm = np.zeros(()), 1.0, 0.0
        for k in range(self.octaves):
            total = total + weight * self._octave(y, x, k)
            norm, weight = norm + weight, weight / 2
        return np.asarray(total / norm)

    def _octave(self, y: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
        step = self.wavelength / 2**k
        v, u = np.asarray(y, float) / step, np.asarray(x, float) / step
        i, j = np.floor(v), np.floor(u)
        fy, fx = (t * t * (3 - 2 * t) for t in (v - i, u - j))
        stream = self.stream * 31 + k
        a, b, c, d = (hash_uniform(self.seed, stream, i + di, j + dj) for di, dj in ((0, 0), (0, 1), (1, 0), (1, 1)))
        top, bottom = a + (b - a) * fx, c + (d - c) * fx
        return np.asarray(top + (bottom - top) * fy)


@dataclass(frozen=True)
class Points:
    """Points of a lattice: their cell and their place in px, all ``(n,)``, ordered by row then column of the cell."""

    row: np.ndarray
    col: np.ndarray
    y: np.ndarray
    x: np.ndarray


@dataclass(frozen=True)
class Lattice:
    """A jittered lattice whose points push each other apart.

    Attributes
    ----------
    seed, stream : what it is derived from; other streams are independent.
    pitch : edge of a cell in px.
    jitter : how far a point may start from its cell's middle, in cells, 0..0.5.
    repel : distance in px below which points push each other apart.
    rounds : how often they push.
    apart : no two points of the result are closer than this, in px; of such a pair one is left out.
    """

    seed: int
    stream: int
    pitch: float
    jitter: float = 0.45
    repel: float = 0.0
    rounds: int = 2
    apart: float = 0.0

    def points(self, box: Box, density: Density | None = None) -> Points:
        """The points inside ``box``; the same whatever box they are asked through."""
        reach = self.rounds + 4
        y0, y1, x0, x1 = box
        rows = np.arange(int(y0 // self.pitch) - reach, int(y1 // self.pitch) + reach + 1)
        cols = np.arange(int(x0 // self.pitch) - reach, int(x1 // self.pitch) + reach + 1)
        row, col = np.meshgrid(rows, cols, indexing="ij")
        y = (row + 0.5 + self.jitter * (2 * self.uniform(1, row, col) - 1)) * self.pitch
        x = (col + 0.5 + self.jitter * (2 * self.uniform(2, row, col) - 1)) * self.pitch
        alive = self.uniform(3, row, col) < density(y, x) if density else np.ones(row.shape, bool)
        for _ in range(self.rounds if self.repel else 0):
            y, x = self._push(y, x, alive)
        y, x = np.rint(y), np.rint(x)
        alive = self._thin(y, x, alive, self.uniform(4, row, col)) if self.apart else alive
        alive &= (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
        return Points(row[alive], col[alive], y[alive].astype(np.int64), x[alive].astype(np.int64))

    def uniform(self, stream: int, row: np.ndarray, col: np.ndarray) -> np.ndarray:
        """Further uniform numbers of cells, one independent set a stream (1..4 are taken by the points themselves)."""
        return hash_uniform(self.seed, self.stream * 101 + stream, row, col)

    def _push(self, y: np.ndarray, x: np.ndarray, alive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dy_sum, dx_sum = np.zeros_like(y), np.zeros_like(x)
        for shift in _NEIGHBOURS:
            dy, dx = y - np.roll(y, shift, (0, 1)), x - np.roll(x, shift, (0, 1))
            d = np.sqrt(dy * dy + dx * dx) + 1e-6
            pull = np.maximum(self.repel - d, 0) * np.roll(alive, shift, (0, 1)) * 0.45 / d
            dy_sum, dx_sum = dy_sum + dy * pull, dx_sum + dx * pull
        limit = self.pitch * 0.3
        return y + np.clip(dy_sum, -limit, limit), x + np.clip(dx_sum, -limit, limit)

    def _thin(self, y: np.ndarray, x: np.ndarray, alive: np.ndarray, rank: np.ndarray) -> np.ndarray:
        keep = alive.copy()
        for i in range(-2, 3):
            for j in range(-2, 3):
                if (i, j) == (0, 0):
                    continue
                dy, dx = y - np.roll(y, (i, j), (0, 1)), x - np.roll(x, (i, j), (0, 1))
                near = dy * dy + dx * dx < self.apart**2
                keep &= ~(near & np.roll(alive, (i, j), (0, 1)) & (np.roll(rank, (i, j), (0, 1)) < rank))
        return keep
