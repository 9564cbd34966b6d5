"""Intervals of figures over images: a bootstrap that draws whole images, or whole groups of images that belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...analysis.statistics import Estimate
from ...errors import PlanError

RESAMPLES = 1000
Statistic = Callable[[np.ndarray], float]
"""A figure as a function of how often each image counts, ``(images,)`` whole numbers."""


def draws(n: int, *, groups: Sequence[Any] | None = None, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """How often each of ``n`` images is drawn, with replacement.

    Parameters
    ----------
    groups : ``(n,)`` what belongs together (one slide, one specimen); its images are drawn together, as they are not independent.
    seed : makes the draws reproducible.

    Returns
    -------
    ``(resamples, n)`` int32; without groups each row sums to ``n``.

    Raises
    ------
    PlanError : there are no images, or not as many groups.
    """
    if n < 1 or (groups is not None and len(groups) != n):
        many = "no" if groups is None else str(len(groups))
        raise PlanError(f"a bootstrap needs at least 1 image and a group for each; got {n} images and {many} groups")
    member = np.arange(n) if groups is None else np.unique(np.asarray(groups, str), return_inverse=True)[1]
    sets = int(member.max()) + 1
    counts = np.random.default_rng(seed).multinomial(sets, np.full(sets, 1 / sets), size=resamples)
    return counts[:, member].astype(np.int32)


def interval(statistic: Statistic, weights: np.ndarray, *, confidence: float = 0.95) -> Estimate:
    """A figure with its percentile bootstrap interval (Efron 1979).

    Draws in which the figure is not defined (no positives, say) are left out. With fewer than about 15 independent images the
    interval is too narrow, as any bootstrap's.

    Parameters
    ----------
    statistic : of ``(images,)`` counts; see :data:`Statistic`.
    weights : from :func:`draws`. confidence : 0..1.

    Returns
    -------
    ``n`` is the number of images; the limits are nan where the figure is not defined in any draw.
    """
    if not 0 < confidence < 1:
        raise PlanError(f"confidence={confidence} must lie between 0 and 1")
    images = weights.shape[1]
    value = float(statistic(np.ones(images, np.int32)))
    found = statistic.many(weights) if isinstance(statistic, AllDraws) else np.array([statistic(w) for w in weights])
    found = found[np.isfinite(found)]
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2]) if found.size else (float("nan"),) * 2
    method = f"percentile bootstrap over images, {len(weights)} resamples"
    return Estimate(value, float(low), float(high), images, None, "", confidence, method)


@dataclass(frozen=True)
class AllDraws:
    """A :data:`Statistic` that is computed for all draws ``(draws, images)`` at once."""

    many: Callable[[np.ndarray], np.ndarray]

    def __call__(self, weights: np.ndarray) -> float:
        return float(self.many(weights[None])[0])


def weighted_mean(values: np.ndarray) -> AllDraws:
    """The mean of ``(images,)`` values; images without one (nan) are left out.

    >>> weighted_mean(np.array([1.0, 3.0, np.nan]))(np.array([3, 1, 5]))
    1.5
    """
    known = np.isfinite(values)
    return AllDraws(lambda weights: ratio(weights @ np.where(known, values, 0.0), weights @ known.astype(float)))


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a / b``; nan where ``b`` is 0."""
    return np.asarray(np.divide(a, b, out=np.full(len(b), np.nan), where=b > 0))
