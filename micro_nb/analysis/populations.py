"""One population of sizes or two: mixtures of normal laws, compared by what they explain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..errors import PlanError

LEAST = 20
"""Fewer values than these cannot show two populations."""
_ROUNDS, _GAIN, _APART = 200, 6.0, 2.0


@dataclass(frozen=True)
class Populations:
    """What a sample of positive values looks like on a logarithmic scale.

    Attributes
    ----------
    two : whether two populations explain it better, and are apart.
    means : geometric mean of each of the two, smaller first, unit of the values.
    shares : their shares, 0..1.
    gain : by how much the Bayesian information criterion of two is lower than that of one; above 6 is strong evidence.
    apart : distance of the two means in units of their spread (Ashman's D); above 2 they are separate.
    n : how many values.
    """

    two: bool
    means: tuple[float, float]
    shares: tuple[float, float]
    gain: float
    apart: float
    n: int


def populations(values: np.ndarray) -> Populations:
    """Whether positive values form one population or two.

    Notes
    -----
    Normal mixtures of the logarithm by expectation maximisation; Bayesian information criterion (Schwarz 1978; Kass & Raftery
    1995 for its grades); separation D after Ashman, Bird & Zepf 1994 (Astron J 108:2348).

    Raises
    ------
    PlanError : fewer than 20 positive values.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> small, large = rng.normal(10, 1, 60), rng.normal(30, 2, 40)
    >>> populations(np.r_[small, large]).two, populations(small).two
    (True, False)
    """
    v = np.asarray(values, float)
    v = np.log(v[np.isfinite(v) & (v > 0)])
    n = len(v)
    if n < LEAST:
        raise PlanError(f"two populations cannot be told from one with {n} values; at least {LEAST} are needed")
    spread = max(float(v.std()), 1e-9)
    one = float(stats.norm.logpdf(v, v.mean(), spread).sum())
    mean, sd, share, two = _mixture(v, spread)
    gain = 2 * (two - one) - 3 * math.log(n)  # three parameters more
    apart = math.sqrt(2) * abs(float(mean[1] - mean[0])) / max(float(np.hypot(*sd)), 1e-9)
    order = np.argsort(mean)
    means, shares = np.exp(mean[order]), share[order]
    enough = float(shares.min()) * n >= LEAST / 4
    return Populations(
        gain > _GAIN and apart > _APART and enough, (float(means[0]), float(means[1])), (float(shares[0]), float(shares[1])),
        gain, apart, n,
    )  # fmt: skip


def _mixture(v: np.ndarray, spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Means, standard deviations and shares of two normal laws, and the log-likelihood."""
    mean, sd, share = np.quantile(v, (0.2, 0.8)), np.full(2, spread / 2), np.full(2, 0.5)
    floor = max(0.05 * spread, 1e-6)  # no law may shrink to a single value
    likelihood = -math.inf
    for _ in range(_ROUNDS):
        density = share[:, None] * stats.norm.pdf(v[None], mean[:, None], sd[:, None]) + 1e-300
        before, likelihood = likelihood, float(np.log(density.sum(axis=0)).sum())
        if likelihood - before < 1e-6:
            break
        belongs = density / density.sum(axis=0)
        weight = np.maximum(belongs.sum(axis=1), 1e-9)
        mean = (belongs * v).sum(axis=1) / weight
        sd = np.maximum(np.sqrt((belongs * (v - mean[:, None]) ** 2).sum(axis=1) / weight), floor)
        share = weight / len(v)
    return mean, sd, share, likelihood
