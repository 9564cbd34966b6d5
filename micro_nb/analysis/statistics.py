"""From a sample to the whole, with an honest interval; and whether points cluster."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

from ..errors import PlanError

Numbers = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A quantity that was estimated, with its interval.

    Attributes
    ----------
    value, low, high : in ``unit``.
    n, N : how many units (tiles, objects) were looked at, of how many; None where the number is not limited.
    unit : e.g. ``"count"``, ``"per mm2"``.
    confidence : of the interval, e.g. 0.95.
    method : how, in a few words.

    Examples
    --------
    >>> print(estimate_total([10, 12, 8, 10], 4))
    40 count (all 4 looked at)
    """

    value: float
    low: float
    high: float
    n: int
    N: int | None
    unit: str = "count"
    confidence: float = 0.95
    method: str = ""

    @property
    def interval(self) -> tuple[float, float]:
        """``(low, high)``."""
        return self.low, self.high

    def contains(self, truth: float) -> bool:
        """Whether the interval covers ``truth``."""
        return self.low <= truth <= self.high

    def __str__(self) -> str:
        if self.n == self.N:
            return f"{self.value:,.4g} {self.unit} (all {self.N:,} looked at)"
        share = f"{self.confidence:.0%}"
        seen = f"{self.n:,}" if self.N is None else f"{self.n:,} of {self.N:,}"
        return f"{self.value:,.4g} {self.unit} ({share} interval {self.low:,.4g} to {self.high:,.4g}, {seen})"


def estimate_total(
    counts: Numbers,
    n_tiles_total: int,
    *,
    areas: Numbers | None = None,
    total_area: float | None = None,
    confidence: float = 0.95,
    unit: str = "count",
) -> Estimate:
    """The total over all tiles, from tiles drawn at random without replacement.

    Parameters
    ----------
    counts : ``(n,)`` what each drawn tile holds.
    n_tiles_total : how many tiles there are.
    areas : ``(n,)`` area of each drawn tile, where tiles differ (those at the rim are smaller); needs ``total_area``.
    total_area : area of all tiles, same unit.
    confidence : of the interval.
    unit : of the counts.

    Returns
    -------
    Estimate; its interval uses Student's t and the finite population correction, so it closes as the sample becomes the whole,
    and never goes below what was already counted.

    Notes
    -----
    Without areas the expansion estimator (Cochran 1977, Sampling Techniques, §2.5-2.9), with them the ratio estimator (§6.3).

    Raises
    ------
    PlanError : fewer than two tiles of several, more than there are, or areas without their total.

    Examples
    --------
    >>> e = estimate_total([10, 12, 8, 10], 100)
    >>> e.value, round(e.low), round(e.high)
    (1000.0, 745, 1255)
    """
    y = _sample(counts, n_tiles_total)
    _check_confidence(confidence)
    n, N = len(y), int(n_tiles_total)
    if (areas is None) != (total_area is None):
        raise PlanError("areas and total_area belong together: give both or neither")
    if areas is None or total_area is None:
        value, rest, method = N * float(y.mean()), y - y.mean(), "expansion, t interval, finite population"
    else:
        a = np.asarray(areas, float)
        if a.shape != y.shape or not (a > 0).all():
            raise PlanError(f"areas {a.shape} must be one positive number for each of the {n} counts")
        ratio = float(y.sum() / a.sum())
        value, rest, method = ratio * float(total_area), y - ratio * a, "ratio by area, t interval, finite population"
    half = _half(float((rest**2).sum()) / max(n - 1, 1), n, N, confidence)
    return Estimate(
        value, max(value - half, float(y.sum())) if y.min() >= 0 else value - half, value + half, n, N, unit, confidence, method
    )


def bootstrap(
    values: Numbers,
    statistic: Callable[..., Any] = np.mean,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    unit: str = "",
) -> Estimate:
    """Any statistic of a sample of objects with its BCa bootstrap interval (Efron 1987), seeded.

    Parameters
    ----------
    values : ``(n,)`` numbers; nan are left out.
    statistic : of an array, with ``axis=``.

    Raises
    ------
    PlanError : fewer than two values.
    """
    v = np.asarray(values, float)
    v = v[np.isfinite(v)]
    _check_confidence(confidence)
    if len(v) < 2:
        raise PlanError(f"a bootstrap needs at least 2 finite values, got {len(v)}")
    value = float(statistic(v))
    if np.ptp(v) == 0:
        return Estimate(value, value, value, len(v), None, unit, confidence, "all values are equal")
    method = "BCa" if len(v) <= 5000 else "percentile"  # BCa's jackknife is quadratic
    low, high = _resampled(v, statistic, confidence, resamples, seed, method)
    if not (math.isfinite(low) and math.isfinite(high)):  # BCa is not defined where leaving one value out changes nothing
        method = "percentile"
        low, high = _resampled(v, statistic, confidence, resamples, seed, method)
    return Estimate(value, low, high, len(v), None, unit, confidence, f"{method} bootstrap, {resamples} resamples, seed {seed}")


def _resampled(
    v: np.ndarray, statistic: Callable[..., Any], confidence: float, resamples: int, seed: int, method: str
) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (v,),
            statistic,
            confidence_level=confidence,
            n_resamples=resamples,
            rng=np.random.default_rng(seed),
            method=method,
            batch=max(1, 2_000_000 // len(v)),
        )
    return float(found.confidence_interval[0]), float(found.confidence_interval[1])


@dataclass(frozen=True)
class ClarkEvans:
    """Mean distance to the nearest neighbour over what chance would give: below 1 clustered, above 1 regular.

    Attributes
    ----------
    index : the ratio.
    p_value : two-sided, of complete spatial randomness.
    mean_distance : to the nearest neighbour, in the unit of the points.
    n : how many points.
    """

    index: float
    p_value: float
    mean_distance: float
    n: int


def clark_evans(y: Numbers, x: Numbers, *, height: float, width: float) -> ClarkEvans:
    """Whether points in a rectangle are clustered, random or regular.

    Parameters
    ----------
    y, x : ``(n,)`` positions, any unit.
    height, width : of the rectangle that was searched, same unit.

    Notes
    -----
    Clark & Evans 1954 (Ecology 35:445) with Donnelly's 1978 correction for the rim.

    Raises
    ------
    PlanError : fewer than 8 points, below which the normal law does not hold.
    """
    points = np.stack([np.asarray(y, float), np.asarray(x, float)], 1)
    n, area, rim = len(points), height * width, 2 * (height + width)
    if n < 8:
        raise PlanError(f"clark_evans needs at least 8 points, got {n}")
    nearest = float(cKDTree(points).query(points, k=2)[0][:, 1].mean())
    chance = 0.5 * math.sqrt(area / n) + (0.0514 + 0.041 / math.sqrt(n)) * rim / n
    error = math.sqrt(0.0703 * area / n**2 + 0.037 * rim * math.sqrt(area / n**5))
    p = 2 * float(stats.norm.sf(abs(nearest - chance) / error))
    return ClarkEvans(nearest / chance, p, nearest, n)


def _sample(counts: Numbers, n_tiles_total: int) -> np.ndarray:
    y = np.asarray(counts, float)
    if y.ndim != 1 or not np.isfinite(y).all():
        raise PlanError(f"counts must be a list of finite numbers, got shape {y.shape}")
    if len(y) > n_tiles_total or len(y) == 0 or (len(y) < 2 and n_tiles_total > 1):
        raise PlanError(f"{len(y)} tiles of {n_tiles_total} cannot be extrapolated; take at least 2, and no more than there are")
    return y


def _half(variance: float, n: int, N: int, confidence: float) -> float:
    """Half the interval of a total: t quantile times its standard error."""
    if n == N:
        return 0.0
    return float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * N * math.sqrt((1 - n / N) * variance / n)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise PlanError(f"confidence={confidence} must lie between 0 and 1")
