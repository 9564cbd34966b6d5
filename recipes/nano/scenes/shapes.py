"""Single shapes as stamps: small boolean masks, ``(n, n)``, to be laid into a scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage as ndi

Stamp = Callable[[np.random.Generator, float], np.ndarray]
"""Draws a shape whose area is about that of a disc of this diameter."""


def plane(reach: float) -> tuple[np.ndarray, np.ndarray]:
    """y and x of a square that reaches so far from its middle."""
    n = int(np.ceil(reach)) + 2
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    return y.astype(float), x.astype(float)


def turned(rng: np.random.Generator, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same plane turned by a random angle."""
    angle = rng.uniform(0, 2 * np.pi)
    return y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)


def blob(rng: np.random.Generator, diameter: float, aspect: float = 1.6, rough: float = 0.08) -> np.ndarray:
    """A disc, drawn out up to ``aspect``, its radius waved by up to ``rough``."""
    ratio = np.exp(rng.uniform(0, np.log(aspect)))
    long = diameter / 2 * np.sqrt(ratio)
    y, x = turned(rng, *plane(1.4 * long))
    angle, away = np.arctan2(y * ratio, x), np.hypot(y * ratio, x)
    wave = sum(rng.normal(0, rough / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(2, 7))
    return np.asarray(away < long * (1 + wave))


def disc(rng: np.random.Generator, diameter: float) -> np.ndarray:
    """A circle."""
    y, x = plane(diameter / 2)
    return np.asarray(np.hypot(y, x) < diameter / 2)


def spindle(rng: np.random.Generator, diameter: float) -> np.ndarray:
    """An ellipse two to five times as long as wide, sharper at its ends."""
    return blob(rng, diameter, aspect=5.0, rough=0.04) if rng.random() < 0.5 else rod(rng, diameter, long=(2, 5), taper=0.7)


def rod(rng: np.random.Generator, diameter: float, long: tuple[float, float] = (1.3, 5), taper: float = 0.0) -> np.ndarray:
    """A rod with round ends, often bent, sometimes with the waist of a division."""
    ratio = np.exp(rng.uniform(*np.log(long)))
    width = diameter * np.sqrt(np.pi / 4 / ratio)
    half = width * (ratio - 1) / 2
    y, x = turned(rng, *plane(half + width))
    bend = rng.normal(0, 0.25) / max(half, width)
    y = y - bend * x**2
    along = np.clip(x, -half, half)
    share = np.abs(x) / max(half + width / 2, 1)
    waist = rng.uniform(0.2, 0.7) if rng.random() < 0.3 and ratio > 2 else 0.0
    narrow = 1 - waist * np.exp(-((x / (0.35 * width)) ** 2)) - taper * np.clip(share, 0, 1) ** 2
    return np.asarray(np.hypot(y / np.maximum(narrow, 0.1), x - along) < width / 2)


def thread(rng: np.random.Generator, diameter: float) -> np.ndarray:
    """A long bent strip."""
    return rod(rng, diameter, long=(6, 16))


def facet(rng: np.random.Generator, diameter: float) -> np.ndarray:
    """A convex polygon, as crystals and grains are."""
    y, x = turned(rng, *plane(0.9 * diameter))
    stretch = np.exp(rng.uniform(0, 0.5))
    inside = np.ones(y.shape, bool)
    for angle in np.arange(n := int(rng.integers(4, 9))) * 2 * np.pi / n + rng.normal(0, 0.25, n):
        inside &= y / stretch * np.sin(angle) + x * stretch * np.cos(angle) < diameter / 2 * rng.uniform(0.75, 1.05)
    return inside


def lobes(rng: np.random.Generator, diameter: float) -> np.ndarray:
    """Two to five lobes held together, as in the nuclei of neutrophils; or a kidney."""
    y, x = plane(1.2 * diameter)
    inside, angle = np.zeros(y.shape, bool), rng.uniform(0, 2 * np.pi)
    count = int(rng.integers(2, 6))
    ring, width = rng.uniform(0.28, 0.42) * diameter, rng.uniform(0.5, 0.75) * diameter / np.sqrt(count / 2)
    for k in range(count):
        at = angle + k * rng.uniform(0.9, 1.5)
        inside |= np.hypot(y - ring * np.sin(at), x - ring * np.cos(at)) < width / 2 * rng.uniform(0.8, 1.2)
    return np.asarray(ndi.binary_closing(inside, iterations=max(1, int(diameter / 12))))


def spread(rng: np.random.Generator, diameter: float) -> np.ndarray:
    """A cell that holds to the glass: a body with one to five arms."""
    y, x = plane(1.6 * diameter)
    inside = np.hypot(y, x) < diameter * rng.uniform(0.25, 0.45)
    for angle in rng.uniform(0, 2 * np.pi, rng.integers(1, 6)):
        along, across = y * np.sin(angle) + x * np.cos(angle), y * np.cos(angle) - x * np.sin(angle)
        long, wide = diameter * rng.uniform(0.5, 1.4), diameter * rng.uniform(0.15, 0.5)
        inside |= (along > 0) & (along < long) & (np.abs(across) < wide * (1 - along / long) + 0.5)
    smooth = ndi.gaussian_filter(inside.astype(float), max(0.8, diameter / 14)) > 0.45
    return np.asarray(ndi.binary_opening(smooth) | (np.hypot(y, x) < diameter * 0.2))


def crescent(rng: np.random.Generator, diameter: float) -> np.ndarray:
    """A sickle, or a bite taken out of a disc."""
    y, x = turned(rng, *plane(0.8 * diameter))
    bite = rng.uniform(0.4, 0.8) * diameter
    return np.asarray((np.hypot(y, x) < 0.6 * diameter) & (np.hypot(y, x - bite) > 0.45 * diameter))


STAMPS: dict[str, Stamp] = {
    "blob": blob, "disc": disc, "spindle": spindle, "rod": rod, "facet": facet, "spread": spread, "thread": thread,
    "lobes": lobes, "crescent": crescent,
}  # fmt: skip
