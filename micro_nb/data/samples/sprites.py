"""Small pictures of single objects, drawn once and stamped many times, whose masks are the truth; and periodic textures and
noise, made once and cut into windows, anchored in image coordinates, never in a tile's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import fft, ndimage

from .lattice import Box

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


@dataclass(frozen=True, eq=False)
class Sprite:
    """One object.

    Attributes
    ----------
    layers : ``(k, n, n)`` float32, n odd, the object's centre in the middle pixel; what the layers mean is the scene's matter.
    mask : ``(n, n)`` bool, the object's true extent.
    name : class name.
    """

    layers: np.ndarray
    mask: np.ndarray
    name: str

    def coarse(self, level: int) -> np.ndarray:
        """The layers averaged over squares of ``2**level`` px, ``(k, m, m)`` with m odd."""
        if level == 0:
            return self.layers
        s, n = 2**level, self.layers.shape[-1]
        half = max(-(-(n // 2 + 1 - s // 2) // s), 0)
        m = 2 * half + 1
        lead = half * s + s // 2 - n // 2
        pad = ((0, 0), (lead, m * s - n - lead), (lead, m * s - n - lead))
        return np.asarray(np.pad(self.layers, pad).reshape(-1, m, s, m, s).mean((2, 4), dtype=np.float32))


class Library:
    """Sprites to draw from, in all eight orientations and at every level.

    Parameters
    ----------
    sprites : the variants; an object names one by position.
    """

    def __init__(self, sprites: Sequence[Sprite]) -> None:
        self.sprites = tuple(sprites)
        self._views: dict[int, list[np.ndarray]] = {}

    @cached_property
    def reach(self) -> int:
        """Half the edge of the largest sprite, px."""
        return 1 + max(int(s.layers.shape[-1]) // 2 for s in self.sprites)

    @cached_property
    def names(self) -> np.ndarray:
        """Class name of each variant."""
        return np.array([s.name for s in self.sprites], dtype=object)

    @cached_property
    def masks(self) -> list[np.ndarray]:
        """Masks in all orientations; variant ``v`` turned by ``t`` is entry ``8 * v + t``."""
        return [turn(s.mask, t) for s in self.sprites for t in range(8)]

    def views(self, level: int) -> list[np.ndarray]:
        """Layers in all orientations, ordered as :attr:`masks`."""
        if level not in self._views:
            coarse = [s.coarse(level) for s in self.sprites]
            self._views[level] = [turn(c, t) for c in coarse for t in range(8)]
        return self._views[level]


def turn(a: np.ndarray, t: int) -> np.ndarray:
    """One of the eight orientations of a square array (last two axes); a view."""
    a = np.rot90(a, t % 4, (-2, -1))
    return a[..., ::-1] if t >= 4 else a


def turn_points(y: np.ndarray, x: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Where points ``(y, x)`` relative to the middle go when their picture is turned by ``t``."""
    for _ in range(t % 4):
        y, x = -x, y
    return (y, -x) if t >= 4 else (y, x)


@dataclass(frozen=True)
class Placed:
    """Objects in painting order, all ``(n,)``: label (unique, > 0), place in level-0 px, variant, orientation and strength."""

    label: np.ndarray
    y: np.ndarray
    x: np.ndarray
    variant: np.ndarray
    turn: np.ndarray
    strength: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def where(self, keep: np.ndarray) -> Placed:
        """The objects where ``keep`` is True (or at these positions), in that order."""
        return Placed(*(getattr(self, f)[keep] for f in self.__dataclass_fields__))

    def inside(self, box: Box) -> Placed:
        """The objects whose middle pixel lies in ``box``, in that order."""
        return self.where((self.y >= box[0]) & (self.y < box[1]) & (self.x >= box[2]) & (self.x < box[3]))

    @classmethod
    def join(cls, parts: Sequence[Placed]) -> Placed:
        """All of them, in the given order."""
        return cls(*(np.concatenate([getattr(p, f) for p in parts]) for f in cls.__dataclass_fields__))


def add(canvas: np.ndarray, views: list[np.ndarray], placed: Placed, origin: tuple[int, int], level: int) -> None:
    """Adds objects times their strength onto ``(k, h, w)``: light that adds up, or stain that absorbs."""
    for part, view, strength in _each(canvas, views, placed, origin, level):
        part += view * strength


def cover(canvas: np.ndarray, views: list[np.ndarray], placed: Placed, origin: tuple[int, int], level: int) -> None:
    """Lays objects over ``(k, h, w)``: the sprites' last layer is their opacity, premultiplied into the others."""
    for part, view, strength in _each(canvas, views, placed, origin, level):
        part *= 1 - view[-1]
        part += view[:-1] * strength


def paint_labels(canvas: np.ndarray, masks: list[np.ndarray], placed: Placed, origin: tuple[int, int]) -> None:
    """Writes each object's label where its mask is True; later objects lie on top."""
    for part, mask, label in _each(canvas, masks, placed, origin, 0, field="label"):
        part[mask] = label


def _each(
    canvas: np.ndarray, views: list[np.ndarray], placed: Placed, origin: tuple[int, int], level: int, field: str = "strength"
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """The part of the canvas that an object meets, what of its picture lies there, and its strength (or another field)."""
    height, width = canvas.shape[-2:]
    y, x = (placed.y >> level) - origin[0], (placed.x >> level) - origin[1]
    pictures, values = (placed.variant * 8 + placed.turn).tolist(), getattr(placed, field).tolist()
    for picture, cy, cx, value in zip(pictures, y.tolist(), x.tolist(), values, strict=True):
        view, edge = views[picture], views[picture].shape[-1]
        top, left = cy - edge // 2, cx - edge // 2
        y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + edge, height), min(left + edge, width)
        if y1 > y0 and x1 > x0:
            yield canvas[..., y0:y1, x0:x1], view[..., y0 - top : y1 - top, x0 - left : x1 - left], value


def polar(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the middle pixel and angle, both ``(n, n)``, n odd."""
    y, x = np.mgrid[0:n, 0:n] - float(n // 2)
    return np.hypot(y, x), np.arctan2(y, x)


def outline(
    theta: np.ndarray, rng: np.random.Generator, *, axes: tuple[float, float], rough: float = 0.05, tilt: float | None = None
) -> np.ndarray:
    """Radius of a lumpy ellipse with semi-axes ``axes`` in direction ``theta``.

    ``rough`` is the relative bumpiness, ``tilt`` the direction of the first axis (random without one).
    """
    a, b = axes
    tilt = rng.uniform(0, np.pi) if tilt is None else tilt
    r = a * b / np.sqrt((b * np.cos(theta - tilt)) ** 2 + (a * np.sin(theta - tilt)) ** 2)
    bumps = sum(rng.normal(0, rough / k) * np.cos(k * theta + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4, 5))
    return np.asarray(r * (1 + bumps))


def grain(n: int, rng: np.random.Generator, *, shortest: float, longest: float, slope: float = 2.0) -> np.ndarray:
    """A random texture ``(n, n)``, mean about 0 and variance about 1, with details between two wavelengths in px."""
    edge = 1 << max(int(np.ceil(np.log2(n))) + 1, 8)
    field = spectral(edge, 11, slope=slope, shortest=max(shortest, 2.0), longest=max(longest, 5.0))
    y, x = rng.integers(0, edge - n, 2)
    return turn(field[y : y + n, x : x + n], int(rng.integers(8)))
