"""Whether objects are spread at random, evenly or in clusters: one verdict over three tests, each against simulated chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

from ..errors import PlanError
from .statistics import clark_evans

Spread = Literal["clustered", "random", "regular"]
LEAST = 8
"""Fewer points than these show no pattern."""
_SIMULATIONS, _SEED, _RADII, _FEW, _MOST = 199, 0, 8, 300, 2000
_PER_CELL, _RARE = 5, 0.025


@dataclass(frozen=True)
class Pattern:
    """How points lie in a rectangle.

    Attributes
    ----------
    spread : the verdict: ``"clustered"``, ``"random"`` or ``"regular"`` (evenly spaced).
    index : of Clark and Evans; below 1 clustered, above 1 regular.
    chance : 95 % interval of that index over points placed at random, simulated in the same rectangle.
    p_value : two-sided, of that index under chance.
    radius : distance at which Ripley's L exceeds its mean under chance the most, unit of the points; None where not tested.
    excess : by how much, same unit.
    p_excess : share of random patterns that exceed as much at any distance; None where not tested.
    p_uneven : that counts in equal cells differ as much by chance (chi-squared); None below 20 points.
    n, simulations, seed : how many points, and how chance was simulated.
    """

    spread: Spread
    index: float
    chance: tuple[float, float]
    p_value: float
    radius: float | None
    excess: float | None
    p_excess: float | None
    p_uneven: float | None
    n: int
    simulations: int = _SIMULATIONS
    seed: int = _SEED

    @property
    def even(self) -> bool:
        """Whether nothing speaks against an even spread: no clusters, and no part that holds more than others."""
        return self.spread != "clustered" and (self.p_uneven is None or self.p_uneven >= 0.05)


def pattern(y: np.ndarray, x: np.ndarray, *, height: float, width: float) -> Pattern:
    """Whether points are clustered, random or regular.

    Parameters
    ----------
    y, x : ``(n,)`` positions from 0 to ``height`` and ``width``, any unit; at least 8.

    Notes
    -----
    The rim shortens no distance unfairly: chance is simulated in the same rectangle, for the index of Clark & Evans (1954) and
    for Ripley's L (1977) with the largest excess over all distances as test statistic (Baddeley et al. 2014, Ecol Monogr 84:477).

    Raises
    ------
    PlanError : fewer than 8 points.

    Examples
    --------
    >>> at = np.arange(5, 100, 10.0)
    >>> y, x = (a.ravel() for a in np.meshgrid(at, at, indexing="ij"))
    >>> pattern(y, x, height=100, width=100).spread
    'regular'
    """
    points = np.stack([np.asarray(y, float), np.asarray(x, float)], 1)
    if len(points) < LEAST:
        raise PlanError(f"a pattern needs at least {LEAST} points, got {len(points)}")
    rng = np.random.default_rng(_SEED)
    index = clark_evans(y, x, height=height, width=width).index
    drawn = [rng.random(points.shape) * (height, width) for _ in range(_SIMULATIONS)] if len(points) <= 20_000 else []
    by_chance = np.array([clark_evans(*p.T, height=height, width=width).index for p in drawn]) if drawn else np.ones(1)
    low, high = (float(v) for v in np.quantile(by_chance, (0.025, 0.975)))
    p = _two_sided(index, by_chance)
    radius, excess, p_excess = _excess(points, drawn, height, width)
    crowded = p_excess is not None and p_excess < _RARE
    unusual = p <= 0.05 or not drawn
    spread: Spread = "clustered" if crowded or (unusual and index < low) else "regular" if unusual and index > high else "random"
    return Pattern(spread, index, (low, high), p, radius, excess, p_excess, _uneven(points, height, width), len(points))


def _two_sided(value: float, by_chance: np.ndarray) -> float:
    above, below = int((by_chance >= value).sum()), int((by_chance <= value).sum())
    return min(1.0, 2 * (1 + min(above, below)) / (1 + len(by_chance)))


def _excess(
    points: np.ndarray, drawn: list[np.ndarray], height: float, width: float
) -> tuple[float | None, float | None, float | None]:
    """Where L exceeds its mean under chance most, by how much, and how often chance does as much."""
    if not drawn or len(points) > _MOST:
        return None, None, None
    radii = np.linspace(0.03, 0.2, _RADII) * min(height, width)
    used = drawn if len(points) <= _FEW else drawn[: len(drawn) // 3]
    curves = np.array([_l(p, radii, height, width) for p in (points, *used)])
    over = curves - curves[1:].mean(axis=0)
    scaled = over / np.maximum(curves[1:].std(axis=0), 1e-12)
    at = int(np.argmax(scaled[0]))
    p = float((scaled.max(axis=1) >= scaled[0].max()).mean())
    return float(radii[at]), float(over[0, at]), p


def _l(points: np.ndarray, radii: np.ndarray, height: float, width: float) -> np.ndarray:
    """Ripley's L at each radius; the rim is left to the simulation, which has the same."""
    tree = cKDTree(points)
    pairs = np.asarray(tree.count_neighbors(tree, radii), float) - len(points)
    return np.sqrt(pairs * height * width / (math.pi * len(points) * (len(points) - 1)))


def _uneven(points: np.ndarray, height: float, width: float) -> float | None:
    """p-value that cells of equal size hold as different counts by chance."""
    n = len(points)
    cells = min(int(math.sqrt(n / _PER_CELL)), 4)
    if cells < 2:
        return None
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=cells, range=((0, height), (0, width)))
    dispersion = float(((counts - n / cells**2) ** 2).sum() / (n / cells**2))
    return float(stats.chi2.sf(dispersion, cells**2 - 1))
