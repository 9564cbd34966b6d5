"""How a scene looks to electrons: sections that scatter them (TEM), and surfaces that send them back (SEM)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from .bodies import Body
from .fields import Fields, noise, octaves
from .looks_light import exposed
from .placing import scattered
from .shapes import disc


def transmission(rng: np.random.Generator, body: Body) -> np.ndarray:
    """A stained section: membranes, sheaths and mitochondria dark, cytoplasm grainy; or the same with contrast turned round."""
    own = Fields(rng, body.layers["object"])
    dark = own.each(0.08, 0.4, 0.2) + (~own.mask) * rng.uniform(0.1, 0.45)
    dark = dark + own.rim(rng.uniform(0.5, 1.3)) * rng.uniform(0.2, 0.7)
    specks = octaves(rng, own.edge, 5, 1.0) * rng.uniform(0.02, 0.12)
    dots = ndi.gaussian_filter((rng.random(own.labels.shape) < rng.uniform(0, 0.03)).astype(float), 0.7) * rng.uniform(0, 1.5)
    dark = dark + specks + dots * own.mask
    if body.shell is not None:
        layered = 1 + 0.15 * np.sin(own.away * rng.uniform(1, 3))
        dark = np.where(body.shell, rng.uniform(0.6, 1.0) * layered, dark)
    for layer in ("nucleus", "organelle"):
        part = body.layers.get(layer)
        if part is not None and part is not body.layers["object"] and part.any():
            dark = _organelles(rng, dark, part, body.diameter, folds=layer == "organelle")
    rings = scattered(rng, own.edge, disc, lambda: rng.uniform(3, 7), count=int(rng.choice([0, 0, 150])), pattern="clumps")
    vesicle = Fields(rng, np.where(own.mask, rings, 0))
    dark = np.where(vesicle.mask, 0.1, dark) + 0.4 * vesicle.rim(0.6) * vesicle.mask
    if rng.random() < 0.2:  # a knife mark, or a fold
        y, x = np.mgrid[: own.edge, : own.edge]
        line = np.abs((y - x * rng.normal(0, 0.5)) - rng.uniform(0, own.edge))
        dark = dark + rng.uniform(-0.2, 0.3) * np.exp(-((line / rng.uniform(1, 6)) ** 2))
    light = 1 - dark
    return exposed(rng, light if rng.random() < 0.75 else 1 - light)


def _organelles(rng: np.random.Generator, dark: np.ndarray, part: np.ndarray, diameter: float, *, folds: bool) -> np.ndarray:
    own = Fields(rng, part)
    inner = own.each(0.3, 0.75)
    if folds:
        angle, y, x = own.each(0, 3.1), *np.mgrid[: own.edge, : own.edge].astype(float)
        wave = np.sin((y * np.sin(angle) + x * np.cos(angle)) * rng.uniform(0.8, 1.8) + 2 * noise(rng, own.edge, 8))
        inner = inner + 0.15 * wave
    else:
        inner = inner * 0.8 + 0.15 * np.clip(octaves(rng, own.edge, diameter / 4, 1.5), -1, 2)
    return np.where(own.mask, inner, dark) + 0.35 * own.rim(0.8)


def scanning(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Surfaces: lit from a side, bright at edges, dark in the gaps; smooth, rough or faceted, on a plain or worked ground."""
    own = Fields(rng, body.layers["object"])
    rough = octaves(rng, own.edge, body.diameter / 2, 1.2) * rng.uniform(0, 0.15)
    height = (own.dome if rng.random() < 0.7 else np.clip(own.depth_px / 3, 0, 1)) + rough * own.mask
    height = height + rng.uniform(0, 0.1) * octaves(rng, own.edge, rng.uniform(4, 40), 1.2) * ~own.mask
    scale = body.diameter / 2 * rng.uniform(0.5, 1.2)
    dy, dx = np.gradient(ndi.gaussian_filter(height, 0.7) * scale)
    tilt = 1 / np.sqrt(1 + dy**2 + dx**2)
    angle = rng.uniform(0, 2 * np.pi)
    lit = (np.sin(angle) * dy + np.cos(angle) * dx) * tilt
    light = own.each(0.3, 0.6, rng.uniform(0, 0.3)) + (~own.mask) * rng.uniform(0.02, 0.4)
    light = light + rng.uniform(0.1, 0.5) * (1 - tilt) * own.mask + rng.uniform(0, 0.25) * lit
    light = light + rng.uniform(0, 0.6) * own.rim(1.0) * own.mask
    gap = np.exp(-own.away / (body.diameter * rng.uniform(0.05, 0.3)))
    light = light * np.where(own.mask, 1, 1 - rng.uniform(0, 0.8) * gap) + rough
    return exposed(rng, light)


def etched(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Polished and etched: particles brighter or darker than a ground that is worked, pitted, and of many grains."""
    own = Fields(rng, body.layers["object"])
    ground = rng.uniform(0.15, 0.5) + rng.uniform(0.03, 0.12) * octaves(rng, own.edge, body.diameter, 1.0, 0.9)
    ground = ground + rng.uniform(0, 0.1) * (noise(rng, own.edge, 4 * body.diameter) > 0)
    ground = ground + rng.uniform(0, 0.1) * noise(rng, own.edge, 2)
    phase = own.each(0.5, 0.9, 0.1) if rng.random() < 0.75 else own.each(0.0, 0.2)
    light = np.where(own.mask, phase + 0.03 * octaves(rng, own.edge, 6, 1.0), ground)
    light = light + rng.uniform(0, 0.4) * own.rim(0.8) * rng.choice([-1, 1])
    if body.shell is not None:
        light = np.where(body.shell, rng.uniform(0, 1), light)
    return exposed(rng, light)
