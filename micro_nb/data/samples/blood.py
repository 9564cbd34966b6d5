"""A Wright-Giemsa blood smear under oil immersion: red cells, white cells by type, platelets (RGB uint8)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from ..source import Channel
from .blood_cells import PLATELETS, RED_CELLS, WHITE_CELLS, blood_library
from .lattice import Box, Lattice, SmoothNoise, around
from .scene import RGB, Model, maker
from .sprites import Library, Placed, add
from .texture import BLOCK, block_nodes, normal_block, spread

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
