"""A Wright-Giemsa blood smear under oil immersion: red cells, white cells by type, platelets (RGB uint8)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy import ndimage

from ..source import Channel
from .lattice import Box, Lattice, SmoothNoise, around
from .scene import RGB, Model, maker
from .sprites import BLOCK, Library, Placed, Sprite, add, block_nodes, grain, normal_block, outline, polar, spread

RED_CELLS, PLATELETS, WHITE_CELLS = (0, 64), (64, 88), (88, 148)
_HAEMOGLOBIN = (0.12, 0.50, 0.50)
_AZURE = (0.92, 1.55, 0.62)  # nuclei: purple
_MIX = {"neutrophil": 30, "lymphocyte": 16, "monocyte": 6, "eosinophil": 5, "basophil": 3}  # of 60

Rng = np.random.Generator


@lru_cache(maxsize=4)
def blood_library(pixel_size: float) -> Library:
    """64 red cells, 24 platelets, 60 white cells in about the proportions of a differential count."""
    rng = np.random.default_rng(1674)
    sprites = [_red_cell(rng, pixel_size) for _ in range(64)]
    sprites += [_platelet(rng, pixel_size) for _ in range(24)]
    for name, count in _MIX.items():
        sprites += [_white_cell(rng, pixel_size, name) for _ in range(count)]
    return Library(sprites)


def _grid(px: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the middle in µm, and angle."""
    r, theta = polar(2 * int(np.ceil((radius + 1.0) / px)) + 1)
    return r * px, theta


def _stain(amount: np.ndarray, colour: tuple[float, float, float]) -> np.ndarray:
    return np.asarray(amount[None] * np.array(colour, float)[:, None, None])


def _finish(density: np.ndarray, mask: np.ndarray, name: str, px: float) -> Sprite:
    soft = ndimage.gaussian_filter(density, (0, 0.11 / px, 0.11 / px))
    return Sprite(soft.astype(np.float32), mask, name)


def _red_cell(rng: Rng, px: float) -> Sprite:
    """A biconcave disc: thick ring, pale middle, a bright line of refraction around it."""
    radius = 3.75 * np.exp(rng.normal(0, 0.045))
    r, theta = _grid(px, 5.6)
    stretch = 1 + abs(rng.normal(0, 0.06))
    edge = outline(theta, rng, axes=(radius * stretch, radius / stretch), rough=0.018)
    q = np.clip(r / edge, 0, 1)
    thick = np.sqrt(1 - q**2) * (0.207 + 2.003 * q**2 - 1.123 * q**4)  # Evans & Fung 1972, relative to the rim
    profile = np.clip(thick / 0.70, 0, None)
    pallor = rng.uniform(0.8, 1.0)
    shade = (1 - pallor) * np.clip(1.4 * np.sqrt(1 - q**2), 0, 1) + pallor * profile
    shade = shade * (1 + 0.03 * grain(len(r), rng, shortest=0.3 / px, longest=2 / px))
    inside = np.clip((edge - r) / px + 0.5, 0, 1)
    halo = -0.05 * np.exp(-(((r - edge - 0.28) / 0.2) ** 2)) + 0.20 * np.exp(-(((r - edge + 0.1) / 0.22) ** 2))
    return _finish(_stain(inside * (0.06 + 0.94 * shade) + halo, _HAEMOGLOBIN), r < edge, "red blood cell", px)


def _platelet(rng: Rng, px: float) -> Sprite:
    r, theta = _grid(px, 2.8)
    edge = outline(theta, rng, axes=(rng.uniform(1.0, 1.6), rng.uniform(0.8, 1.2)), rough=0.13)
    inside = np.clip((edge - r) / 0.35 + 0.5, 0, 1)
    grains = np.clip(0.55 + 0.45 * grain(len(r), rng, shortest=0.25 / px, longest=1.0 / px), 0, 2)
    middle = inside * grains * np.exp(-((r / edge / 0.75) ** 4))
    body = _stain(0.45 * inside, (0.30, 0.42, 0.16)) + _stain(middle, (0.42, 0.70, 0.24))
    return _finish(body, r < edge, "platelet", px)


def _white_cell(rng: Rng, px: float, name: str) -> Sprite:
    sizes = {"neutrophil": 6.2, "lymphocyte": 4.4, "monocyte": 7.6, "eosinophil": 6.6, "basophil": 5.8}
    radius = sizes[name] * np.exp(rng.normal(0, 0.05))
    r, theta = _grid(px, 10.5)
    edge = outline(theta, rng, axes=(radius * 1.04, radius / 1.04), rough=0.03 if name != "monocyte" else 0.055)
    inside = np.clip((edge - r) / (2 * px) + 0.5, 0, 1)
    y, x = r * np.sin(theta), r * np.cos(theta)
    nucleus = np.clip(_NUCLEUS[name](rng, y, x, radius) / 0.25 + 0.5, 0, 1) * inside
    n = len(r)
    chromatin = 0.92 + 0.17 * grain(n, rng, shortest=0.6 / px, longest=2.5 / px)
    chromatin = chromatin + 0.05 * grain(n, rng, shortest=0.25 / px, longest=1 / px)
    rim = 1 + 0.5 * np.exp(-(((edge - r) / 0.35) ** 2))
    cytoplasm, speck, amount = _CYTOPLASM[name]
    granules = np.clip(grain(n, rng, shortest=0.35 / px, longest=0.9 / px) - 0.3, 0, 2)
    plasma = inside * (1 - 0.9 * nucleus) * rim * (1 + 0.08 * grain(n, rng, shortest=0.5 / px, longest=4 / px))
    density = _stain(plasma, cytoplasm) + _stain(inside * (1 - 0.75 * nucleus) * amount * granules, speck)
    return _finish(density + _stain(nucleus * chromatin, _AZURE), r < edge, name, px)


def _blob(y: np.ndarray, x: np.ndarray, at: tuple[float, float], size: float) -> np.ndarray:
    return np.asarray(size - np.hypot(y - at[0], x - at[1]))


def _lobes(count: tuple[int, int], size: float, ring: float) -> Callable[[Rng, np.ndarray, np.ndarray, float], np.ndarray]:
    """A nucleus of lobes along an arc, joined by thin bridges; positive inside (µm)."""

    def shape(rng: Rng, y: np.ndarray, x: np.ndarray, radius: float) -> np.ndarray:
        n = int(rng.integers(*count))
        start, sweep = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.05) * np.pi * 2 * (n - 1) / 5 + 0.5
        angles = start + sweep * np.linspace(0, 1, n) + rng.normal(0, 0.08, n)
        far = radius * ring * rng.uniform(0.85, 1.15, n)
        at = [(f * np.sin(a), f * np.cos(a)) for f, a in zip(far, angles, strict=True)]
        inside = np.full(y.shape, -9.0)
        for place in at:
            stretch = rng.uniform(0.85, 1.2)
            size_um = radius * size * rng.uniform(0.85, 1.15)
            lobe = _blob(y * stretch, x / stretch, (place[0] * stretch, place[1] / stretch), size_um)
            inside = np.maximum(inside, lobe)
        for a, b in itertools.pairwise(at):
            inside = np.maximum(inside, 0.50 - _to_segment(y, x, a, b))
        return inside

    return shape


def _to_segment(y: np.ndarray, x: np.ndarray, a: tuple[float, float], b: tuple[float, float]) -> np.ndarray:
    dy, dx = b[0] - a[0], b[1] - a[1]
    t = np.clip(((y - a[0]) * dy + (x - a[1]) * dx) / (dy * dy + dx * dx + 1e-9), 0, 1)
    return np.asarray(np.hypot(y - a[0] - t * dy, x - a[1] - t * dx))


def _round_nucleus(rng: Rng, y: np.ndarray, x: np.ndarray, radius: float) -> np.ndarray:
    a, shift = rng.uniform(0, 2 * np.pi), 0.10 * radius
    r, theta = np.hypot(y - shift * np.sin(a), x - shift * np.cos(a)), np.arctan2(y, x)
    return np.asarray(outline(theta, rng, axes=(0.88 * radius, 0.80 * radius), rough=0.03) - r)


def _kidney_nucleus(rng: Rng, y: np.ndarray, x: np.ndarray, radius: float) -> np.ndarray:
    a = rng.uniform(0, 2 * np.pi)
    v, u = y * np.cos(a) - x * np.sin(a), y * np.sin(a) + x * np.cos(a)
    theta = np.arctan2(v, u)
    body = outline(theta, rng, axes=(0.74 * radius, 0.60 * radius), rough=0.05, tilt=0.0) - np.hypot(v, u)
    return np.asarray(np.minimum(body, -_blob(v, u, (0.75 * radius, 0.0), 0.48 * radius)))


_NUCLEUS: dict[str, Callable[[Rng, np.ndarray, np.ndarray, float], np.ndarray]] = {
    "neutrophil": _lobes((3, 6), 0.30, 0.47), "eosinophil": _lobes((2, 3), 0.40, 0.45), "basophil": _lobes((2, 4), 0.40, 0.32),
    "lymphocyte": _round_nucleus, "monocyte": _kidney_nucleus,
}  # fmt: skip
_CYTOPLASM = {  # colour of the cytoplasm, colour of the granules, how many
    "neutrophil": ((0.16, 0.26, 0.16), (0.14, 0.30, 0.12), 0.35),
    "lymphocyte": ((0.46, 0.36, 0.12), (0.0, 0.0, 0.0), 0.0),
    "monocyte": ((0.36, 0.36, 0.17), (0.10, 0.16, 0.05), 0.3),
    "eosinophil": ((0.10, 0.34, 0.30), (0.10, 0.62, 0.66), 0.9),
    "basophil": ((0.22, 0.30, 0.12), (0.95, 1.35, 0.55), 1.1),
}


_WHITE = (243.0, 239.0, 233.0)
_STEPS = 4000


@dataclass(frozen=True, kw_only=True)
class Smear(Model):
    """A blood smear with exact truth for every cell.

    Parameters
    ----------
    shape : ``(y, x)`` px, any size.
    seed : same seed, same scene.
    pixel_size : µm per px; a red cell is 7.5 µm wide, 60 px at 0.125.
    crowding : how full of red cells the smear is, 0..1; the fuller, the more they overlap.
    white_cells : how many white cells there are, 0..1 (0.5: about one in 110 µm; far more than in health, to have some to see).

    Returns
    -------
    Scene of classes ``red blood cell``, ``platelet``, ``neutrophil``, ``lymphocyte``, ``monocyte``, ``eosinophil`` and
    ``basophil``, uint8 ``(c, y, x)`` RGB.

    Notes
    -----
    Stains absorb and add up where cells overlap. In the truth white cells lie on top; of two red cells the later one does.
    A red cell's profile is the biconcave disc of Evans & Fung 1972 (Microvasc Res 4:335).

    Examples
    --------
    >>> blood((64, 64)).image.pixel_size["x"]
    0.125
    """

    pixel_size: float = 0.125
    crowding: float = 0.7
    white_cells: float = 0.5

    kind: ClassVar[str] = "blood"
    dtype: ClassVar[type] = np.uint8
    rgb: ClassVar[bool] = True
    channels: ClassVar[tuple[Channel, ...]] = RGB
    limits = (("crowding", 0, 1), ("white_cells", 0, 1))

    @property
    def library(self) -> Library:
        return blood_library(self.pixel_size)

    def plan(self, box: Box) -> Placed:
        far = int(self.px(16.0))
        whites = self._white(around(box, far))
        reds = _clear_of(self._red(box), whites, self.px(9.3))
        plates = _clear_of(self._platelets(box), whites, self.px(9.0))
        return Placed.join([reds, plates, whites.inside(box)])

    def paint(self, level: int, row: int, col: int) -> np.ndarray:
        density = np.zeros((3, BLOCK, BLOCK), np.float32)
        add(density, self.library.views(level), self.around(level, row, col), (row * BLOCK, col * BLOCK), level)
        y, x = block_nodes(level, row, col)
        plasma = spread(0.012 + 0.022 * SmoothNoise(self.seed, 80, self.px(90.0), 3)(y, x))
        grain = normal_block(self.seed, 81, level, row, col) * np.float32(0.009 * 0.5**level)
        out = np.empty((3, BLOCK, BLOCK), np.uint8)
        for c, (weight, table) in enumerate(zip((0.5, 1.0, 0.8), _brightness(), strict=True)):
            density[c] += plasma * np.float32(weight) + (grain if c == 1 else grain[:: c - 1, ::-1])
            steps = np.clip((density[c] + np.float32(0.1)) * np.float32(1500), 0, _STEPS - 1).astype(np.uint16)
            np.take(table, steps, out=out[c], mode="clip")
        return out

    @property
    def _reds(self) -> Lattice:
        pitch = self.px(10.6 - 2.6 * self.crowding)
        return Lattice(self.seed, 5, pitch, jitter=0.5, repel=self.px(7.9 - 1.2 * self.crowding), rounds=2, apart=self.px(3.2))

    def _red(self, box: Box) -> Placed:
        def full(y: np.ndarray, x: np.ndarray) -> np.ndarray:
            crowd = SmoothNoise(self.seed, 82, self.px(60.0), 3)(y, x)
            return np.asarray(np.clip(0.25 + 0.75 * self.crowding + 1.3 * (crowd - 0.5), 0, 0.98) * (self.crowding > 0))

        return self._placed(self._reds, self._reds.points(box, full), RED_CELLS, 0)

    def _platelets(self, box: Box) -> Placed:
        lattice = Lattice(self.seed, 6, self.px(17.0), jitter=0.5, apart=self.px(4.0))
        points = lattice.points(box, lambda y, x: 0.34 * np.ones(y.shape))
        return self._placed(lattice, points, PLATELETS, self._room(self._reds))

    def _white(self, box: Box) -> Placed:
        lattice = self._whites
        offset = self._room(self._reds) + self._room(Lattice(self.seed, 6, self.px(17.0)))
        points = lattice.points(box, lambda y, x: 0.8 * self.white_cells * np.ones(y.shape))
        return self._placed(lattice, points, WHITE_CELLS, offset)

    @property
    def _whites(self) -> Lattice:
        return Lattice(self.seed, 7, self.px(68.0), jitter=0.38, apart=self.px(18.0))

    def _room(self, lattice: Lattice) -> int:
        rows, cols = (int(n / lattice.pitch) + 24 for n in self.shape)
        return rows * cols

    def _placed(self, lattice: Lattice, p, variants: tuple[int, int], offset: int) -> Placed:  # type: ignore[no-untyped-def]
        u = [lattice.uniform(k, p.row, p.col) for k in (10, 11, 12)]
        label = offset + (p.row + 12) * (int(self.shape[1] / lattice.pitch) + 24) + p.col + 13
        variant = variants[0] + (u[0] * (variants[1] - variants[0])).astype(np.int64)
        strength = (0.86 + 0.28 * u[2]).astype(np.float32)
        return Placed(label.astype(np.int32), p.y, p.x, variant, (u[1] * 8).astype(np.int64), strength)


blood = maker(Smear)


def _clear_of(placed: Placed, others: Placed, distance: float) -> Placed:
    """The objects at least ``distance`` px away from all ``others``."""
    keep = np.ones(len(placed), bool)
    for y, x in zip(others.y, others.x, strict=True):
        keep &= (placed.y - y) ** 2 + (placed.x - x) ** 2 >= distance**2
    return placed.where(keep)


@lru_cache(maxsize=1)
def _brightness() -> tuple[np.ndarray, ...]:
    """Grey value by optical density step, for red, green and blue."""
    density = np.arange(_STEPS) / 1500 - 0.1
    return tuple(np.clip(np.rint(w * np.exp(-density)), 0, 255).astype(np.uint8) for w in _WHITE)
