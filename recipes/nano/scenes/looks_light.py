"""How a scene looks in light that is emitted, delayed or bent: fluorescence, phase contrast, DIC, brightfield."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from .bodies import Body
from .fields import Fields, noise, octaves


def fluorescence(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Nuclei, whole cells, membranes or what lies inside shine; some are dim, some out of focus; light is scarce."""
    whole = Fields(rng, body.layers["object"])
    style = rng.choice(["filled", "rim", "hollow"], p=[0.75, 0.15, 0.1])
    shape = whole.depth ** rng.uniform(0.1, 0.8) if rng.random() < 0.5 else whole.mask * (0.55 + 0.45 * whole.dome)
    texture = np.clip(1 + rng.uniform(0.02, 0.3) * whole.grain(body.diameter / 2, 1.5), 0.1, None)
    spots = np.clip(octaves(rng, whole.edge, body.diameter / 4, 1.5) - rng.uniform(1.0, 2.0), 0, None) * rng.uniform(0, 0.8)
    strength = whole.each(0.5, 1.0, spread=rng.uniform(0, 0.9))
    if style == "rim":
        light = whole.rim(rng.uniform(0.7, 1.6)) * (0.5 + 0.5 * texture) + 0.15 * strength * shape
    else:
        light = strength * shape * (texture + spots)
    if "nucleus" in body.layers and body.layers["nucleus"] is not body.layers["object"]:
        core = Fields(rng, body.layers["nucleus"])
        factor = rng.uniform(0.0, 0.5) if style == "hollow" else rng.uniform(1.2, 3.0)
        light = np.where(core.mask, light * factor if style == "hollow" else light + core.each(0.4, 1.0, 0.3) * factor, light)
    if "organelle" in body.layers:
        light = light + Fields(rng, body.layers["organelle"]).each(0.2, 1.5)
    light = light + ghosts(rng, light, body.diameter)
    return exposed(rng, light, dark=True)


def ghosts(rng: np.random.Generator, light: np.ndarray, diameter: float) -> np.ndarray:
    """What lies above and below the focus, haze, and the camera's own level."""
    away = ndi.gaussian_filter(np.roll(light[::-1], int(rng.integers(len(light))), 1), diameter * rng.uniform(0.15, 0.6))
    haze = ndi.gaussian_filter(light, diameter * rng.uniform(0.5, 2))
    cloud = np.clip(1 + 0.5 * noise(rng, len(light), len(light) / 3), 0.2, None)
    faint = rng.random(3) < [0.3, 0.7, 0.6]
    amounts = rng.uniform([0.05, 0.03, 0.0], [0.35, 0.3, 0.2]) * faint
    return np.asarray(amounts[0] * away + amounts[1] * haze + amounts[2] * cloud)


def exposed(rng: np.random.Generator, light: np.ndarray, *, dark: bool = False) -> np.ndarray:
    """Blur of the lens, uneven light, photons and electronics; 0..1."""
    light = ndi.gaussian_filter(light, np.exp(rng.uniform(np.log(0.4), np.log(2.0))))
    y, x = np.mgrid[-1 : 1 : len(light) * 1j, -1 : 1 : len(light) * 1j]
    fall = 1 + rng.normal(0, 0.1) * y + rng.normal(0, 0.1) * x - rng.uniform(0, 0.3) * (y**2 + x**2) / 2
    light = np.clip(light * fall, 0, None)
    if dark:
        light = light / max(float(np.percentile(light, 99.7)), 1e-6)
        photons = np.exp(rng.uniform(np.log(8), np.log(2000)))
        light = rng.poisson(np.clip(light, 0, 3) * photons + rng.uniform(0, 4)) / photons
    return np.clip(light + rng.normal(0, np.exp(rng.uniform(np.log(0.002), np.log(0.05))), light.shape), 0, 1.3)


def thickness(rng: np.random.Generator, body: Body) -> np.ndarray:
    """How much matter light has passed: domes or slabs, nuclei, grains, dust."""
    whole = Fields(rng, body.layers["object"])
    flat = rng.uniform(0, 0.7)
    height = whole.each(0.6, 1.0, rng.uniform(0, 0.5)) * (flat * np.clip(whole.depth_px / 2, 0, 1) + (1 - flat) * whole.dome)
    grains = np.clip(octaves(rng, whole.edge, max(3.0, body.diameter / 8), 1.2), -2, 3) * np.clip(whole.depth_px / 3, 0, 1)
    height = height + rng.uniform(0, 0.15) * grains
    for layer, most in (("nucleus", 0.4), ("organelle", 0.4)):
        if layer in body.layers and body.layers[layer] is not body.layers["object"]:
            part = Fields(rng, body.layers[layer])
            height = height + part.each(0.3, 1) * part.dome * rng.uniform(-0.2, most)
            if layer == "nucleus" and part.count:
                height = height + 0.3 * (noise(rng, whole.edge, body.diameter / 6) > 1.6) * (part.depth > 0.3)
    if body.shell is not None:
        height = height + rng.uniform(0.5, 1.2) * body.shell
    return np.asarray(height + rng.uniform(0, 0.03) * noise(rng, whole.edge, rng.uniform(3, 40)))


def phase(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Phase contrast: matter is dark (or bright) against a halo that fades over a cell's width; shade-off inside."""
    delay = ndi.gaussian_filter(thickness(rng, body), rng.uniform(0.4, 1.0))
    wide = body.diameter * np.exp(rng.uniform(np.log(0.12), np.log(0.8)))
    halo = ndi.gaussian_filter(delay, wide) * rng.uniform(0.4, 1.1)
    sign = 1 if rng.random() < 0.8 else -1
    edges = np.clip(ndi.gaussian_filter(delay, 2.0) - ndi.gaussian_filter(delay, 1.0), -1, 1) * rng.uniform(0, 3)
    light = 0.5 - sign * rng.uniform(0.05, 0.6) * (delay - halo) + edges * 0.5
    own = Fields(rng, body.layers["object"])
    glow = np.exp(-own.away / (body.diameter * rng.uniform(0.03, 0.15))) * ~own.mask
    light = light + sign * rng.uniform(0, 0.4) * ndi.gaussian_filter(glow, 1.0) * (1 + 0.4 * noise(rng, own.edge, body.diameter))
    light = light - sign * rng.uniform(0, 0.25) * own.rim(rng.uniform(0.7, 1.5)) * own.mask
    grains = octaves(rng, own.edge, max(4.0, body.diameter / 6), 1.2) * np.clip(own.depth_px / 3, 0, 1)
    light = light + rng.uniform(0, 0.1) * grains
    if rng.random() < 0.4:  # cells that round up to divide or die shine
        shine = rng.random(own.count + 1) < rng.uniform(0.02, 0.25)
        light = light + rng.uniform(0.3, 0.9) * np.where(shine[own.labels], own.dome, 0)
    return exposed(rng, light + 0.01 * noise(rng, len(light), rng.uniform(2, 60)))


def relief(rng: np.random.Generator, body: Body) -> np.ndarray:
    """DIC: the slope of what was passed, seen from one side."""
    delay = ndi.gaussian_filter(thickness(rng, body), rng.uniform(0.6, 1.5))
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.sin(angle) * ndi.sobel(delay, 0) + np.cos(angle) * ndi.sobel(delay, 1)
    return exposed(rng, 0.5 + slope * rng.uniform(0.08, 0.3) + 0.05 * (delay - delay.mean()))


def brightfield(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Unstained in plain light: what absorbs little is seen by its edges, dark or bright as the focus lies."""
    matter = thickness(rng, body)
    focus = rng.uniform(0.7, 2.5)
    bent = ndi.gaussian_laplace(matter, focus) * focus**1.5 * rng.choice([-1, 1]) * rng.uniform(0.2, 0.8)
    light = rng.uniform(0.55, 0.9) * np.exp(-matter * rng.uniform(0.0, 0.6)) + 0.3 * bent
    return exposed(rng, light)
