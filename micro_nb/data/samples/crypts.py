"""Crypts of the colon and the nuclei of its tissue, drawn once: the pictures that the histology scene is built from."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

from .sprites import Library, Sprite, grain, outline, polar, turn_points

GLANDS = 10
GLAND_NUCLEI = 64
_EPITHELIAL = 96  # twelve directions of eight variants, so that nuclei can point to the lumen


@lru_cache(maxsize=4)
def tissue_library(pixel_size: float) -> Library:
    """Nuclei: 24 lymphocytes, 16 plasma cells, 32 fibroblasts, 24 muscle cells, then 96 epithelial ones by direction.

    Layers are haematoxylin and eosin.
    """
    rng = np.random.default_rng(1876)
    px = pixel_size
    sprites = [_nucleus(rng, px, "lymphocyte", _round(rng, 3.0, 0.10), dark=1.35, clumps=0.30) for _ in range(24)]
    sprites += [_nucleus(rng, px, "plasma cell", _round(rng, 3.3, 0.12), dark=1.15, clumps=0.45) for _ in range(16)]
    sprites += [_nucleus(rng, px, "fibroblast", (rng.uniform(5.0, 7.5), rng.uniform(1.3, 2.0)), dark=0.95, clumps=0.18)
                for _ in range(32)]  # fmt: skip
    for _ in range(24):
        size = (rng.uniform(6.5, 9.5), rng.uniform(1.2, 1.7))
        sprites.append(_nucleus(rng, px, "muscle", size, dark=0.85, clumps=0.15, tilt=rng.normal(0.06, 0.05)))
    for k in range(_EPITHELIAL):
        size = (rng.uniform(3.9, 4.9), rng.uniform(2.4, 3.0))
        sprites.append(_nucleus(rng, px, "epithelial", size, dark=0.92, clumps=0.30, tilt=np.pi * (k // 8) / 12))
    return Library(sprites)


def _round(rng: np.random.Generator, radius: float, spread: float) -> tuple[float, float]:
    stretch = 1 + abs(rng.normal(0, 0.09))
    size = radius * np.exp(rng.normal(0, spread))
    return size * stretch, size / stretch


def _nucleus(
    rng: np.random.Generator, px: float, name: str, axes: tuple[float, float], *, dark: float, clumps: float,
    tilt: float | None = None,
) -> Sprite:  # fmt: skip
    """A nucleus with semi-axes in µm: membrane, clumped chromatin, now and then a nucleolus."""
    n = 2 * int(np.ceil((max(axes) * 1.3 + 1.0) / px)) + 1
    r, theta = polar(n)
    direction = rng.uniform(0, np.pi) if tilt is None else tilt
    edge = outline(theta, rng, axes=(axes[0] / px, axes[1] / px), rough=0.035, tilt=direction)
    soft = np.clip((edge - r) * min(px / 0.35, 1.0) + 0.5, 0, 1)
    rim = np.exp(-(((edge - r) * px / 0.45) ** 2))
    chromatin = ndimage.gaussian_filter(grain(n, rng, shortest=0.5 / px, longest=2.4 / px), 0.4)
    stain = dark * (0.72 + 0.30 * rim + clumps * chromatin)
    if rng.random() < 0.5:
        d, a = 0.35 * min(axes) / px * rng.random(), rng.uniform(0, 2 * np.pi)
        spot = np.hypot(r * np.sin(theta) - d * np.sin(a), r * np.cos(theta) - d * np.cos(a))
        stain = stain + 0.5 * clumps * 2 * np.exp(-((spot * px / 0.55) ** 2))
    h = ndimage.gaussian_filter(soft * np.clip(stain, 0.25, 2.2), 0.22 / px)
    return Sprite(np.stack([h, 0.10 * h]).astype(np.float32), r < edge, name)


@lru_cache(maxsize=4)
def gland_library(pixel_size: float) -> Library:
    """Cross-sections of crypts without their nuclei. Layers are haematoxylin, eosin (both premultiplied) and opacity."""
    return Library([_gland(k, pixel_size)[0] for k in range(GLANDS)])


@lru_cache(maxsize=4)
def gland_nuclei(pixel_size: float) -> tuple[np.ndarray, ...]:
    """Nuclei of each crypt picture, ``(8 * GLANDS, GLAND_NUCLEI)`` each: dy, dx in px, variant, orientation, 1 where one is."""
    dy, dx, variant, there = (np.zeros((8 * GLANDS, GLAND_NUCLEI), np.int64) for _ in range(4))
    for k in range(GLANDS):
        ring = _gland(k, pixel_size)[1]
        pick = np.random.default_rng((77, k)).integers(0, 8, len(ring))
        for t in range(8):
            y, x = turn_points(ring[:, 0], ring[:, 1], t)
            lean = np.rint(np.arctan2(y, x) % np.pi * 12 / np.pi).astype(int) % 12
            at = slice(0, len(ring))
            dy[8 * k + t, at], dx[8 * k + t, at] = np.rint(y), np.rint(x)
            variant[8 * k + t, at], there[8 * k + t, at] = lean * 8 + pick, 1
    return dy, dx, variant, np.zeros_like(dy), there


@lru_cache(maxsize=64)
def _gland(k: int, px: float) -> tuple[Sprite, np.ndarray]:
    """Crypt ``k``: its picture, and the middles of its nuclei ``(n, 2)`` relative to its own middle, px."""
    rng = np.random.default_rng((1628, k))
    n = 2 * int(np.ceil(45.0 / px)) + 1
    r, theta = polar(n)
    r, theta = (r * px).astype(np.float32), theta.astype(np.float32)
    angles = np.linspace(-np.pi, np.pi, 720, endpoint=False)
    axes = (rng.uniform(37, 40), rng.uniform(33, 37))
    state = rng.bit_generator.state
    wall = outline(theta, rng, axes=axes, rough=0.032)
    rng.bit_generator.state = state
    wall_line = outline(angles, rng, axes=axes, rough=0.032)
    lumen = outline(theta, rng, axes=(rng.uniform(6, 12), rng.uniform(2.5, 6)), rough=0.22)
    h, e = _cytoplasm(rng, r, theta, wall, lumen, px)
    alpha = np.clip((wall - r) / 0.8 + 0.5, 0, 1)
    layers = np.stack([h * alpha, e * alpha, alpha])
    layers = ndimage.gaussian_filter(layers, (0, 0.25 / px, 0.25 / px)).astype(np.float32)
    return Sprite(layers, r < wall, "crypt"), _ring(rng, angles, wall_line) / px


def _cytoplasm(
    rng: np.random.Generator, r: np.ndarray, theta: np.ndarray, wall: np.ndarray, lumen: np.ndarray, px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Haematoxylin and eosin of the epithelium: granular cytoplasm, goblets of pale mucin, brush border, open lumen."""
    n = len(r)
    h = 0.20 + 0.035 * grain(n, rng, shortest=0.7 / px, longest=5 / px)
    e = 0.46 + 0.05 * grain(n, rng, shortest=0.7 / px, longest=6 / px)
    e += 0.22 * np.exp(-(((wall - r) / 0.9) ** 2))
    height = (r - lumen) / (wall - lumen)
    count = rng.integers(11, 19)
    for a in 2 * np.pi * (np.arange(count) + rng.uniform(-0.45, 0.45, count)) / count:
        at, deep, wide, tint = rng.uniform(0.36, 0.58), rng.uniform(0.18, 0.32), rng.uniform(2.8, 5.2), rng.random()
        middle, box = (6 + 30 * at) / px, int(17 / px)
        y, x = (int(n // 2 + middle * f(a)) for f in (np.sin, np.cos))
        near = (slice(max(y - box, 0), y + box), slice(max(x - box, 0), x + box))
        away = np.abs((theta[near] - a + np.pi) % (2 * np.pi) - np.pi)
        d = (away * np.maximum(r[near], 6) / wide) ** 2 + ((height[near] - at) / deep) ** 2
        pale = np.clip((1.12 - d) * 3.0, 0, 1)
        h[near] += pale * (0.115 - h[near])
        e[near] += pale * (0.10 + 0.05 * tint - e[near])
    borders = 0.5 + 0.5 * np.cos(theta * rng.integers(34, 40) + 3 * np.sin(2 * theta))
    e += 0.10 * borders**6 * (height > 0.3)
    e += 0.20 * np.exp(-(((r - lumen) / 0.8) ** 2))
    empty = np.clip((lumen - r) / 0.7 + 0.5, 0, 1)
    mucus = np.clip(0.05 + 0.05 * grain(n, rng, shortest=1.5 / px, longest=9 / px), 0.0, 0.3)
    return np.clip(h, 0.02, 1) * (1 - empty) + 0.4 * mucus * empty, np.clip(e, 0.02, 1.4) * (1 - empty) + mucus * empty


def _ring(rng: np.random.Generator, angles: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Middles of nuclei along the wall, ``(n, 2)`` in µm: evenly spaced, set at slightly different heights."""
    basal = wall - 6.4
    y, x = basal * np.sin(angles), basal * np.cos(angles)
    steps = np.hypot(np.diff(y, append=y[:1]), np.diff(x, append=x[:1]))
    walked = np.cumsum(steps)
    count = min(int(walked[-1] / 5.9), GLAND_NUCLEI)
    at = np.searchsorted(walked, (np.arange(count) + rng.uniform(-0.16, 0.16, count)) % count * walked[-1] / count) % len(angles)
    lift = np.where(rng.random(count) < 0.15, rng.uniform(1, 3.5, count), rng.uniform(-1.0, 1.0, count))
    radius = basal[at] - lift
    return np.stack([radius * np.sin(angles[at]), radius * np.cos(angles[at])], 1)
