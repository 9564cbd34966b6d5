"""H&E-stained colon as a slide scanner sees it: crypts, lamina propria, submucosa with fat, muscle, bare glass (RGB uint8)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import ClassVar

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..source import Channel
from .crypts import GLAND_NUCLEI, GLANDS, gland_library, gland_nuclei, tissue_library
from .lattice import Box, Lattice, SmoothNoise, around
from .scene import RGB, Model, maker
from .sprites import (
    BLOCK,
    Library,
    Placed,
    Texture,
    add,
    block_box,
    block_nodes,
    cover,
    fibres,
    normal_block,
    spectral,
    spread,
    turn,
)

_STAINS = ((0.65, 0.704, 0.286), (0.075, 0.80, 0.40))  # optical density of haematoxylin and eosin in red, green, blue
_WHITE = (246.0, 244.0, 247.0)
_STEPS = 96.0  # quantised grey steps per unit of stain
_KINDS = {"lymphocyte": (0, 24), "plasma cell": (24, 40), "fibroblast": (40, 72), "muscle": (72, 96)}
_EPITHELIUM = 96
_SAFE_UM = 7.0  # nuclei keep this far from the frayed rim
_BANDS = (0.47, 0.49, 0.76)  # where mucosa, muscularis mucosae and submucosa end, from the lumen (0) to the outside (1)


@dataclass(frozen=True, kw_only=True)
class Colon(Model):
    """H&E-like colon tissue with exact truth for every nucleus.

    Parameters
    ----------
    shape : ``(y, x)`` px, any size. From about 2 mm of height on, mucosa, submucosa and muscle all show; below, mucosa only.
    seed : same seed, same scene.
    pixel_size : µm per px; 0.25 is a 40x scan.
    stain : strength of both stains, 1.0 is usual.
    glass : whether the tissue ends inside the image, leaving bare glass around it.

    Returns
    -------
    Scene of classes ``epithelial``, ``lymphocyte``, ``plasma cell``, ``fibroblast`` and ``muscle``, uint8 ``(c, y, x)`` RGB.

    Notes
    -----
    Stains absorb by Beer-Lambert's law with colour vectors after Ruifrok & Johnston 2001 (Anal Quant Cytol Histol 23:291).

    Examples
    --------
    >>> histology((64, 64)).image.rgb
    True
    """

    pixel_size: float = 0.25
    stain: float = 1.0
    glass: bool = True

    kind: ClassVar[str] = "histology"
    dtype: ClassVar[type] = np.uint8
    rgb: ClassVar[bool] = True
    channels: ClassVar[tuple[Channel, ...]] = RGB

    @property
    def library(self) -> Library:
        return tissue_library(self.pixel_size)

    def plan(self, box: Box) -> Placed:
        return Placed.join([self._stroma(box), self._epithelium(box)])

    def paint(self, level: int, row: int, col: int) -> np.ndarray:
        y, x = block_nodes(level, row, col)
        inset = self._inset(*block_nodes(level, row, col, nodes=33 if level < 3 else 129))
        if inset.max() < -4:
            return self._develop(np.zeros((2, BLOCK, BLOCK), np.float32), level, row, col)
        textures = [t.window(level, row, col) for t in _textures(self.pixel_size)]
        canvas, origin = self._matrix(textures, y, x), (row * BLOCK, col * BLOCK)
        glands = gland_library(self.pixel_size)
        near = around(block_box(level, row, col), glands.reach + (2 << level))
        cover(canvas, glands.views(level), self._glands(near), origin, level)
        if inset.min() < 6:
            frayed = spread(inset) + 1.5 * textures[0] + 0.6 * textures[3]
            canvas *= np.clip(frayed / max(0.9, 1.5 * self.pixel_size * 2**level), 0, 1)
        add(canvas, self.library.views(level), self.around(level, row, col), origin, level)
        canvas *= np.float32(self.stain)
        return self._develop(canvas, level, row, col)

    def _matrix(self, textures: list[np.ndarray], y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Haematoxylin and eosin of everything that is no nucleus and no gland, ``(2, BLOCK, BLOCK)``."""
        waves, across, straight, fine, bubbles = textures
        mucosa, thin, loose, muscle = self._zones(y, x)
        eosin = spread(0.40 * mucosa + 0.66 * (thin + muscle) + 0.36 * loose) + np.float32(0.03) * fine
        if (1 - muscle).any():
            mix = np.pi / 2 * np.clip(3.0 * SmoothNoise(self.seed, 68, self.px(240.0), 2)(y, x) - 1.0, 0, 1)
            wavy = spread(np.cos(mix)) * waves
            wavy += spread(np.sin(mix)) * across  # two directions in turn: no repeat to be seen
            eosin += spread(0.10 * mucosa + 0.20 * loose) * wavy
            holes = np.clip(np.float32(0.25) + np.float32(0.8) * wavy + np.float32(0.10) * fine, -0.88, 0)
            eosin *= 1 + holes * spread(0.55 * mucosa + loose + 0.25 * muscle)
        if (thin + muscle).any():
            eosin += spread(0.085 * (thin + muscle)) * straight
        if (fat := self._fat(y, x) * loose).any():
            eosin *= 1 - spread(fat) * np.clip(np.float32(1.1) - np.float32(1.4) * bubbles, 0.0, 0.97)
        canvas = np.empty((2, BLOCK, BLOCK), np.float32)
        tone = spread(0.82 + 0.36 * SmoothNoise(self.seed, 60, self.px(420.0), 2)(y, x))
        np.multiply(np.maximum(eosin, np.float32(0.01)), tone, out=canvas[1])
        np.multiply(canvas[1], spread(0.10 * mucosa + 0.05), out=canvas[0])
        return canvas

    def _develop(self, canvas: np.ndarray, level: int, row: int, col: int) -> np.ndarray:
        """Stain to RGB; grain stands for the scanner's noise."""
        grain = normal_block(self.seed, 61, level, row, col) * np.float32(0.012 * 0.5**level)
        canvas[0] += grain
        canvas[1] += grain[::-1]
        canvas *= _STEPS
        canvas += np.float32(8.5)  # room below zero for the noise of bare glass
        np.clip(canvas, 0, 255, out=canvas)
        steps = canvas.astype(np.uint8)
        index = steps[0].astype(np.uint16) << 8 | steps[1]
        out = np.empty((3, BLOCK, BLOCK), np.uint8)
        for c, table in enumerate(_colours()):
            np.take(table, index, out=out[c], mode="clip")
        return out

    def _depth(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """From the lumen (0, top) to the outside of the gut (1, bottom); small images lie within the mucosa."""
        tall = max(self.shape[0], self.px(1900.0))
        wave = SmoothNoise(self.seed, 62, self.px(1500.0), 3)(y, x) - 0.5
        return np.asarray(y / tall + 0.16 * wave)

    def _zones(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Weights of mucosa, muscularis mucosae, submucosa and muscle; they add up to 1."""
        depth = self._depth(y, x)
        soft = 0.003
        s = [np.clip((depth - b) / soft + 0.5, 0, 1) for b in _BANDS]
        return 1 - s[0], s[0] - s[1], s[1] - s[2], s[2]

    def _inset(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """How far points lie inside the tissue, µm, clipped to -60..60; negative on glass and in tears."""
        if not self.glass:
            return np.full(np.broadcast_shapes(np.shape(y), np.shape(x)), 60.0)
        short = min(self.shape)
        wave = SmoothNoise(self.seed, 63, max(self.px(130.0), short / 8), 5)(y, x) - 0.5
        rim = np.minimum(np.minimum(y, self.shape[0] - y), np.minimum(x, self.shape[1] - x))
        inset = (rim - 0.045 * short + wave * 0.16 * short) * self.pixel_size
        tear = (0.84 - SmoothNoise(self.seed, 64, self.px(700.0), 4)(y, x)) * 500.0
        return np.asarray(np.clip(np.minimum(inset, tear), -60, 60))

    def _fat(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip((SmoothNoise(self.seed, 65, self.px(380.0), 4)(y, x) - 0.53) * 40, 0, 1))

    @property
    def _crypts(self) -> Lattice:
        return Lattice(self.seed, 2, self.px(92.0), jitter=0.30, repel=self.px(96.0), rounds=3, apart=self.px(84.0))

    def _gland_density(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        inside = self._zones(y, x)[0] * (self._inset(y, x) > _SAFE_UM)
        follicle = SmoothNoise(self.seed, 66, self.px(520.0), 2)(y, x)  # lymphoid follicles push crypts aside
        return np.asarray(np.where(inside >= 1, np.clip((0.74 - follicle) * 12, 0, 0.96), 0))

    def _glands(self, box: Box) -> Placed:
        step = 4096
        spans = (range(low // step, -(-high // step)) for low, high in (box[:2], box[2:]))
        return Placed.join([_crypt_district(self, r, c, step) for r, c in product(*spans)]).inside(box)

    def plan_crypts(self, box: Box) -> Placed:
        """The crypts whose middle lies in ``box``; they may lie outside the image and reach into it."""
        p = self._crypts.points(box, self._gland_density)
        u = [self._crypts.uniform(k, p.row, p.col) for k in (10, 11, 12)]
        strength = (0.88 + 0.24 * u[2]).astype(np.float32)
        wide = int(self.shape[1] / self._crypts.pitch) + 12
        label = (p.row + 5) * wide + p.col + 6
        return Placed(label, p.y, p.x, (u[0] * GLANDS).astype(np.int64), (u[1] * 8).astype(np.int64), strength)

    def _epithelium(self, box: Box) -> Placed:
        """Nuclei of the crypts; each crypt variant carries its own ring."""
        (y0, y1, x0, x1), reach = box, gland_library(self.pixel_size).reach
        glands = self._glands(around(box, reach))
        dy, dx, variant, turned, number = gland_nuclei(self.pixel_size)
        pick = glands.variant * 8 + glands.turn
        y, x = glands.y[:, None] + dy[pick], glands.x[:, None] + dx[pick]
        label = self._stroma_labels + glands.label[:, None] * GLAND_NUCLEI + np.arange(GLAND_NUCLEI)
        strength = np.broadcast_to(glands.strength[:, None], y.shape)
        keep = (number[pick] > 0) & (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
        keep[keep] = self._inset(y[keep], x[keep]) > _SAFE_UM
        return Placed(label[keep].astype(np.int32), y[keep], x[keep], variant[pick][keep] + _EPITHELIUM, turned[pick][keep],
                      strength[keep].astype(np.float32))  # fmt: skip

    @property
    def _cells(self) -> Lattice:
        return Lattice(self.seed, 3, self.px(8.2), jitter=0.5, repel=self.px(6.9), rounds=2, apart=self.px(4.2))

    @property
    def _stroma_labels(self) -> int:
        rows, cols = (int(n / self._cells.pitch) + 12 for n in self.shape)
        return rows * cols

    def _cell_density(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        mucosa, thin, loose, muscle = self._zones(y, x)
        crowd = SmoothNoise(self.seed, 67, self.px(110.0), 2)(y, x)
        follicle = np.clip((SmoothNoise(self.seed, 66, self.px(520.0), 2)(y, x) - 0.68) * 14, 0, 1)
        p = mucosa * np.maximum(0.24 + 0.66 * crowd, 0.98 * follicle) + thin * 0.22 + muscle * (0.10 + 0.16 * crowd)
        p = p + loose * (0.10 * crowd) * (1 - self._fat(y, x))
        return np.asarray(p * (self._inset(y, x) > _SAFE_UM))

    def _stroma(self, box: Box) -> Placed:
        p = self._cells.points(box, self._cell_density)
        u = [self._cells.uniform(k, p.row, p.col) for k in range(10, 14)]
        mucosa, _, loose, _ = self._zones(p.y, p.x)
        follicle = SmoothNoise(self.seed, 66, self.px(520.0), 2)(p.y, p.x) > 0.69 + (mucosa < 1)
        lymph, plasma = np.where(follicle, 0.97, 0.42 * mucosa), np.where(follicle, 0.97, 0.66 * mucosa)
        kind = np.select([u[0] < lymph, u[0] < plasma, u[0] < np.maximum(0.97 * mucosa, loose)], [0, 1, 2], 3)
        first, last = (np.array([span[k] for span in _KINDS.values()])[kind] for k in (0, 1))
        variant = first + (u[1] * (last - first)).astype(np.int64)
        angle = (u[2] * 8).astype(np.int64)
        turned = np.where(kind == 3, np.where(u[2] < 0.5, 0, np.where(u[2] < 0.75, 2, 4)), angle)  # muscle lies along x
        label = ((p.row + 4) * (int(self.shape[1] / self._cells.pitch) + 12) + p.col + 5).astype(np.int32)
        placed = Placed(label, p.y, p.x, variant, turned, (0.8 + 0.4 * u[3]).astype(np.float32))
        return placed.where(~self._in_gland(p.y, p.x, box))

    def _in_gland(self, y: np.ndarray, x: np.ndarray, box: Box) -> np.ndarray:
        """Whether points lie in a crypt: their place in the pictures of the crypts of the cells around them."""
        reach = gland_library(self.pixel_size).reach
        masks, pad = _gland_masks(self.pixel_size)
        glands = self._glands(around(box, reach))
        inside = np.zeros(len(y), bool)
        order = np.argsort(y, kind="stable")
        ys = y[order]
        for gy, gx, which in zip(glands.y.tolist(), glands.x.tolist(), (glands.variant * 8 + glands.turn).tolist(), strict=True):
            some = order[np.searchsorted(ys, gy - reach) : np.searchsorted(ys, gy + reach)]
            some = some[np.abs(x[some] - gx) < reach]
            inside[some] |= masks[which][y[some] - gy + pad, x[some] - gx + pad]
        return inside


histology = maker(Colon)


@lru_cache(maxsize=128)
def _crypt_district(model: Colon, row: int, col: int, step: int) -> Placed:
    return model.plan_crypts((row * step, (row + 1) * step, col * step, (col + 1) * step))


@lru_cache(maxsize=4)
def _gland_masks(pixel_size: float) -> tuple[list[np.ndarray], int]:
    """Masks of crypts in all orientations with a rim of 2 µm, and where their middle is."""
    library = gland_library(pixel_size)
    pad, margin = library.reach + 1, max(int(2.5 / pixel_size), 1)
    grown = [np.pad(ndimage.distance_transform_edt(~s.mask) <= margin, pad - s.mask.shape[0] // 2) for s in library.sprites]
    return [turn(g, t) for g in grown for t in range(8)], pad


@lru_cache(maxsize=4)
def _textures(pixel_size: float) -> tuple[Texture, ...]:
    """Wavy collagen in two directions, straight muscle, fine grain, and fat cells (0 in a droplet, 1 in its wall)."""
    um = 1 / pixel_size
    wavy = fibres(1536, 5, angle=0.5, length=22 * um, width=1.6 * um, waviness=7 * um)
    straight = fibres(1536, 6, angle=0.06, length=60 * um, width=2.2 * um, waviness=5 * um)
    fine = spectral(1024, 7, slope=1.6, shortest=1.4 * um, longest=14 * um)
    return tuple(Texture.of(f) for f in (wavy, wavy.T, straight, fine, _bubbles(1536, 52 * um, 1.6 * um)))


def _bubbles(n: int, pitch: float, wall: float) -> np.ndarray:
    """A periodic honeycomb of droplets: 0 inside, 1 in the walls between them."""
    k = max(int(n / pitch), 1)
    rng = np.random.default_rng(9)
    at = np.stack(np.meshgrid(np.arange(k), np.arange(k), indexing="ij"), -1).reshape(-1, 2) + rng.uniform(0.1, 0.9, (k * k, 2))
    tree = cKDTree(at * n / k % n, boxsize=n)
    y, x = np.mgrid[0:n:4, 0:n:4]
    d, _ = tree.query(np.stack([y.ravel(), x.ravel()], 1), k=2)
    edge = np.exp(-(((d[:, 1] - d[:, 0]) / (2 * wall)) ** 2)).reshape(n // 4, n // 4)
    return np.asarray(ndimage.zoom(edge, 4, order=1, mode="grid-wrap", grid_mode=True))


@lru_cache(maxsize=1)
def _colours() -> tuple[np.ndarray, ...]:
    """For red, green and blue: 65536 colours by haematoxylin step (high byte) and eosin step (low byte)."""
    h, e = (np.arange(256) - 8.0) / _STEPS, (np.arange(256) - 8.0) / _STEPS
    tables = []
    for c, white in enumerate(_WHITE):
        density = h[:, None] * _STAINS[0][c] + e[None] * _STAINS[1][c]
        tables.append(np.clip(np.rint(white * np.exp(-density)), 0, 255).astype(np.uint8).ravel())
    return tuple(tables)
