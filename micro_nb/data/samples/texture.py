"""Periodic textures and noise, made once and cut into windows; anchored in image coordinates, never in a tile's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

BLOCK = 512
"""Edge in px of the blocks that scenes are painted in, at every level."""


@dataclass(frozen=True, eq=False)
class Texture:
    """A square periodic field with its coarser copies.

    Attributes
    ----------
    levels : ``(n, n)`` float32 arrays, each the 2 x 2 mean of the one before.
    """

    levels: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, field: np.ndarray) -> Texture:
        """From level 0; its edge is a multiple of :data:`BLOCK`."""
        levels = [np.ascontiguousarray(field, np.float32)]
        while levels[-1].shape[0] % 2 == 0 and levels[-1].shape[0] > 2:
            a = levels[-1]
            levels.append(a.reshape(a.shape[0] // 2, 2, a.shape[1] // 2, 2).mean((1, 3)))
        return cls(tuple(levels))

    def window(self, level: int, row: int, col: int) -> np.ndarray:
        """Block ``(row, col)`` of a level, ``(BLOCK, BLOCK)``; a view where the period allows."""
        field = self.levels[min(level, len(self.levels) - 1)]
        n = field.shape[0]
        y, x = row * BLOCK % n, col * BLOCK % n
        if y + BLOCK <= n and x + BLOCK <= n:
            return field[y : y + BLOCK, x : x + BLOCK]
        return np.asarray(np.take(np.take(field, np.arange(y, y + BLOCK) % n, 0), np.arange(x, x + BLOCK) % n, 1))


@lru_cache(maxsize=64)
def spectral(n: int, seed: int, *, slope: float, shortest: float = 2.0, longest: float = 256.0) -> np.ndarray:
    """A periodic random field ``(n, n)`` float32 with power ~ f^-slope between two wavelengths (px), mean 0, variance 1."""
    f = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None])
    power = np.where((f >= 1 / longest) & (f <= 1 / shortest), np.maximum(f, 1e-9) ** (-slope / 2), 0)
    return _random_phases(power, (n, seed))


def fibres(n: int, seed: int, *, angle: float, length: float, width: float, waviness: float) -> np.ndarray:
    """A periodic field ``(n, n)`` float32, mean 0, variance 1, of wavy strands along ``angle`` (radians).

    ``length`` and ``width`` are those of the finest strands, ``waviness`` how far they swing, in px.
    """
    fy, fx = np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]
    along, across = fx * np.cos(angle) + fy * np.sin(angle), -fx * np.sin(angle) + fy * np.cos(angle)
    across_um = np.abs(across * width)
    envelope = np.exp(-6 * (along * length) ** 2) * np.exp(-8 * across_um**2) / np.maximum(across_um, 0.13)
    strands = _random_phases(envelope, (n, seed, 7))
    rows, cols = np.mgrid[0:n, 0:n].astype(np.float32)
    shift = [spectral(n, seed + k, slope=4.0, shortest=length, longest=length * 12) * waviness for k in (1, 2)]
    warped = ndimage.map_coordinates(strands, [rows + shift[0], cols + shift[1]], order=1, mode="grid-wrap")
    return np.asarray((warped - warped.mean()) / warped.std(), np.float32)


def _random_phases(amplitude: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
    """A real field with these Fourier amplitudes (the half plane of ``rfft2``), mean 0, variance 1."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(amplitude.shape, np.float32) + 1j * rng.standard_normal(amplitude.shape, np.float32)
    amplitude = amplitude.astype(np.float32)
    amplitude[0, 0] = 0
    field = fft.irfft2(amplitude * white.astype(np.complex64), (amplitude.shape[0],) * 2)
    return np.asarray(field / field.std(), np.float32)


@lru_cache(maxsize=1)
def _normals() -> np.ndarray:
    return np.random.default_rng(20_240_607).standard_normal((2048, 2048), np.float32)


def normal_block(seed: int, stream: int, level: int, row: int, col: int) -> np.ndarray:
    """Standard normal noise ``(BLOCK, BLOCK)`` float32 for a block: a window of one fixed field at a hashed place."""
    field = _normals()
    y, x = np.random.default_rng((seed, stream, level, row, col)).integers(0, field.shape[0] - BLOCK, 2)
    return field[y : y + BLOCK, x : x + BLOCK]


def block_box(level: int, row: int, col: int) -> tuple[int, int, int, int]:
    """``(y0, y1, x0, x1)`` of a block in pixels of level 0."""
    span = BLOCK << level
    return row * span, (row + 1) * span, col * span, (col + 1) * span


def block_nodes(level: int, row: int, col: int, *, nodes: int = 33) -> tuple[np.ndarray, np.ndarray]:
    """Level-0 coordinates ``y (nodes, 1)``, ``x (1, nodes)`` of a coarse grid over a block, edges included."""
    span = BLOCK * 2.0**level
    at = np.linspace(0, span, nodes)
    return (row * span + at)[:, None], (col * span + at)[None]


def spread(grid: np.ndarray) -> np.ndarray:
    """A smooth field given at the nodes of a block, interpolated linearly to ``(BLOCK, BLOCK)`` float32."""
    step = BLOCK // (grid.shape[0] - 1)
    weight = ((np.arange(step) + 0.5) / step).astype(np.float32)
    g = np.broadcast_to(grid, (grid.shape[0],) * 2).astype(np.float32)
    rows = (g[:-1, None] + (g[1:, None] - g[:-1, None]) * weight[:, None]).reshape(BLOCK, -1)
    out = (rows[:, 1:] - rows[:, :-1])[..., None] * weight
    out += rows[:, :-1, None]
    return np.asarray(out.reshape(BLOCK, BLOCK))
