"""Whether two channels show the same places: correlation and overlap of their grey values, against scrambled images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from skimage.filters import threshold_otsu
from skimage.measure import manders_coloc_coeff, pearson_corr_coeff

from ..errors import PlanError

Thresholding = Literal["costes", "otsu"]
_SCRAMBLES, _BLOCK, _SEED, _STEPS = 200, 16, 0, 256


@dataclass(frozen=True)
class Colocalisation:
    """How two channels agree.

    Attributes
    ----------
    pearson : correlation of the grey values, -1..1.
    m1, m2 : Manders: share of the signal of the first (second) channel that lies where the other is above its threshold, 0..1.
    thresholds : grey values above which a channel counts as signal.
    thresholding : how they were chosen.
    p_value : share of scrambled images that correlate at least as well.
    random : 95 % interval of the correlation of scrambled images.
    pixels : how many were compared.
    made : block size in px, number and seed of the scrambles.
    """

    pearson: float
    m1: float
    m2: float
    thresholds: tuple[float, float]
    thresholding: Thresholding
    p_value: float
    random: tuple[float, float]
    pixels: int
    made: Mapping[str, int]


def colocalisation(
    first: np.ndarray, second: np.ndarray, *, mask: np.ndarray | None = None, thresholding: Thresholding = "costes"
) -> Colocalisation:
    """Correlation and overlap of two planes.

    Parameters
    ----------
    first, second : ``(y, x)`` grey values of two channels.
    mask : ``(y, x)`` bool; only these pixels count.
    thresholding : ``"costes"``, the grey values below which the channels no longer correlate, or ``"otsu"``; where the first
        finds none, the second is taken and named.

    Notes
    -----
    Manders et al. 1993 (J Microsc 169:375); Costes et al. 2004 (Biophys J 86:3993), whose scrambling of blocks of about the size
    of the resolution keeps the texture of an image and destroys what it has in common with the other.

    Raises
    ------
    PlanError : the planes differ in shape, are too small, or one of them is constant.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    if a.shape != b.shape or a.ndim != 2:
        raise PlanError(f"two planes of one shape are needed, not {a.shape} and {b.shape}")
    inside = np.isfinite(a) & np.isfinite(b) & (True if mask is None else mask)
    if inside.sum() < 16 or np.ptp(a[inside]) == 0 or np.ptp(b[inside]) == 0:
        raise PlanError("one of the channels shows nothing but one grey value there, so nothing can be compared")
    r = float(pearson_corr_coeff(a, b, mask=inside)[0])  # type: ignore[no-untyped-call]
    limits, how = _thresholds(a[inside], b[inside], thresholding)
    m1, m2 = (_manders(u, v > limit, inside) for u, v, limit in ((a, b, limits[1]), (b, a, limits[0])))
    scrambled = _scrambled(a, b, inside)
    p = float((1 + (scrambled >= r).sum()) / (1 + len(scrambled)))
    low, high = (float(q) for q in np.quantile(scrambled, (0.025, 0.975)))
    made = {"block_px": _BLOCK, "scrambles": len(scrambled), "seed": _SEED}
    return Colocalisation(r, m1, m2, limits, how, p, (low, high), int(inside.sum()), made)


def _manders(signal: np.ndarray, other: np.ndarray, inside: np.ndarray) -> float:
    """Share of the signal over the background level where the other is above its threshold."""
    over = np.clip(signal - np.percentile(signal[inside], 5), 0, None)
    if over[inside].sum() <= 0:
        return 0.0
    return float(manders_coloc_coeff(over, other, mask=inside))  # type: ignore[no-untyped-call]


def _thresholds(a: np.ndarray, b: np.ndarray, how: Thresholding) -> tuple[tuple[float, float], Thresholding]:
    found = _costes(a, b) if how == "costes" else None
    if found:
        return found, "costes"
    return (float(threshold_otsu(a)), float(threshold_otsu(b))), "otsu"  # type: ignore[no-untyped-call]


def _costes(a: np.ndarray, b: np.ndarray) -> tuple[float, float] | None:
    """The highest pair of grey values on the orthogonal regression line below which the correlation is not positive."""
    va, vb, cov = float(a.var()), float(b.var()), float(np.cov(a, b)[0, 1])
    if cov <= 0:
        return None
    slope = (vb - va + np.hypot(vb - va, 2 * cov)) / (2 * cov)
    start = float(b.mean() - slope * a.mean())
    for t in np.linspace(a.max(), a.min(), _STEPS):
        below = (a < t) | (b < slope * t + start)
        if below.sum() < 3 or np.ptp(a[below]) == 0 or np.ptp(b[below]) == 0:
            return None
        if np.corrcoef(a[below], b[below])[0, 1] <= 0:
            return float(t), float(slope * t + start)
    return None


def _scrambled(a: np.ndarray, b: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Correlations after the blocks of the first channel changed places."""
    rows, cols = (n // _BLOCK for n in a.shape)
    if rows * cols < 4:
        raise PlanError(f"the region of {a.shape} px is too small to be scrambled in blocks of {_BLOCK} px")
    cut = (slice(0, rows * _BLOCK), slice(0, cols * _BLOCK))
    blocks = a[cut].reshape(rows, _BLOCK, cols, _BLOCK).swapaxes(1, 2).reshape(-1, _BLOCK, _BLOCK)
    held, other = inside[cut], b[cut]
    rng, out = np.random.default_rng(_SEED), []
    for _ in range(_SCRAMBLES):
        mixed = blocks[rng.permutation(len(blocks))].reshape(rows, cols, _BLOCK, _BLOCK).swapaxes(1, 2).reshape(held.shape)
        u, v = mixed[held], other[held]
        out.append(float(np.corrcoef(u, v)[0, 1]) if np.ptp(u) and np.ptp(v) else 0.0)
    return np.array(out)
