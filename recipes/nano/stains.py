"""Stains as what they absorb: optical densities add, so that one stain can be taken for another."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

STAINS = {
    "haematoxylin": (0.65, 0.70, 0.29), "eosin": (0.07, 0.99, 0.11), "dab": (0.27, 0.57, 0.78), "aec": (0.27, 0.80, 0.54),
    "fast red": (0.21, 0.85, 0.48), "methylene blue": (0.74, 0.61, 0.27), "azure": (0.62, 0.74, 0.25),
    "schiff": (0.17, 0.97, 0.16), "light green": (0.94, 0.16, 0.30), "aniline blue": (0.85, 0.50, 0.13),
    "methyl green": (0.92, 0.28, 0.27), "haemoglobin": (0.14, 0.74, 0.66), "nickel dab": (0.58, 0.58, 0.57),
}  # fmt: skip
"""Absorption of red, green and blue (Ruifrok & Johnston 2001, and pictures of the stains)."""
BROWNS = ("dab", "dab", "dab", "aec", "fast red", "nickel dab")
"""Chromogens of immunohistochemistry, the usual one more often."""


def vector(rng: np.random.Generator, stain: str, spread: float = 0.06) -> np.ndarray:
    """Absorption ``(3,)`` of a stain, of length 1, a little different each time."""
    found = np.clip(np.array(STAINS[stain]) + rng.normal(0, spread, 3), 0.01, None)
    return np.asarray(found / np.linalg.norm(found))


def density(picture: np.ndarray) -> np.ndarray:
    """Optical density of ``(3, h, w)`` in 0..1; the glass, its 99th percentile in each channel, has none."""
    glass = np.percentile(picture.reshape(3, -1), 99, axis=1)[:, None, None]
    return np.maximum(-np.log(np.clip(picture / np.maximum(glass, 0.05), 0.004, 1)), 0)


def separated(absorbed: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """How much there is of each of ``vectors (n, 3)`` in an optical density ``(3, h, w)``: ``(n, h, w)``, not below 0."""
    return np.maximum(np.einsum("nc,chw->nhw", np.linalg.pinv(vectors).T, absorbed), 0)


def mixed(amounts: np.ndarray, vectors: np.ndarray, glass: np.ndarray | float = 0.95) -> np.ndarray:
    """The picture ``(3, h, w)`` of amounts ``(n, h, w)`` of stains ``(n, 3)`` on glass of this brightness."""
    light = np.exp(-np.einsum("nhw,nc->chw", amounts, vectors))
    return np.asarray(np.reshape(glass, (-1, 1, 1)) * light)


def jittered(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """A stained picture stained a little otherwise: its two stains and the rest, each stronger or weaker and of another hue."""
    absorbed = density(picture)
    old = np.stack([vector(rng, "haematoxylin", 0.0), vector(rng, "eosin", 0.0)])
    amounts = separated(absorbed, old)
    rest = absorbed - np.einsum("nhw,nc->chw", amounts, old)
    new = np.stack([vector(rng, "haematoxylin", 0.1), vector(rng, "eosin", 0.1)])
    amounts *= np.exp(rng.normal(0, 0.35, (2, 1, 1)))
    light = np.exp(-np.einsum("nhw,nc->chw", amounts, new) - rest * rng.uniform(0.5, 1.1))
    return np.asarray(rng.uniform(0.8, 1.0, (3, 1, 1)) ** 0.5 * light)


def browned(rng: np.random.Generator, picture: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """H&E as immunohistochemistry: eosin fades, a chromogen is laid on nuclei, membranes or cytoplasm, haematoxylin stays.

    Parameters
    ----------
    picture : ``(3, h, w)`` in 0..1.
    nuclei : ``(h, w)`` labels; 0 and below are not nuclei.
    """
    old = np.stack([vector(rng, "haematoxylin", 0.0), vector(rng, "eosin", 0.0)])
    amounts = separated(density(picture), old)
    where = (on_nuclei, on_membranes, on_cytoplasm)[rng.choice(3, p=[0.4, 0.3, 0.3])]
    brown = where(rng, nuclei, amounts) * rng.uniform(0.5, 2.2)
    new = np.stack([vector(rng, "haematoxylin"), vector(rng, BROWNS[rng.integers(len(BROWNS))])])
    blue = amounts[0] * rng.uniform(0.4, 1.2) + amounts[1] * rng.uniform(0.0, 0.25)
    brown = ndi.gaussian_filter(brown, rng.uniform(0.4, 1.0)) + amounts[1] * rng.uniform(0, 0.15)
    return mixed(np.stack([blue, brown]), new, rng.uniform(0.88, 1.0, 3))


def on_nuclei(rng: np.random.Generator, nuclei: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Chromogen in some of the nuclei, as strong as chance has it for each."""
    count = int(nuclei.max(initial=0)) + 1
    strength = np.where(rng.random(count) < rng.uniform(0.1, 1.0), rng.gamma(3.0, 0.3, count), 0.0)
    strength[0] = 0
    texture = 0.5 + amounts[0] / max(float(np.percentile(amounts[0], 98)), 1e-3)
    return np.asarray(strength[np.maximum(nuclei, 0)] * texture)


def on_membranes(rng: np.random.Generator, nuclei: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Chromogen on the lines half-way between nuclei, where these are not far."""
    away, nearest = ndi.distance_transform_edt(nuclei <= 0, return_indices=True)
    owner = np.maximum(nuclei, 0)[tuple(nearest)]
    edge = ndi.maximum_filter(owner, 3) != ndi.minimum_filter(owner, 3)
    reach = rng.uniform(6, 16)
    ring = edge & (away < reach) | (np.abs(away - reach) < 0.8) & (owner > 0)
    strength = np.where(rng.random(int(owner.max()) + 1) < rng.uniform(0.3, 1.0), 1.0, 0.15)
    return np.asarray(ndi.gaussian_filter(ring * 1.8 * strength[owner], rng.uniform(0.5, 1.2)))


def on_cytoplasm(rng: np.random.Generator, nuclei: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Chromogen around nuclei, grainy, and a little over them."""
    away, nearest = ndi.distance_transform_edt(nuclei <= 0, return_indices=True)
    owner = np.maximum(nuclei, 0)[tuple(nearest)]
    strength = np.where(rng.random(int(owner.max()) + 1) < rng.uniform(0.2, 1.0), rng.gamma(3.0, 0.3, int(owner.max()) + 1), 0.0)
    grain = ndi.gaussian_filter(rng.random(nuclei.shape), rng.uniform(0.6, 2.0))
    body = np.where(nuclei > 0, rng.uniform(0, 0.4), np.exp(-((away / rng.uniform(4, 14)) ** 2)))
    return np.asarray(strength[owner] * body * grain / max(float(grain.mean()), 1e-6) * (0.3 + np.minimum(amounts.sum(0), 1)))
