"""Scores to probabilities and p-values: temperature, Platt, isotonic, and ranks among a null sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

Numbers = Sequence[float] | np.ndarray
_TEMPERATURES = (1e-3, 1e3)
_ENOUGH = 20
"""Of a null sample, as many of its highest must lie above a quantile for it to be read off."""


@overload
def p_value(score: float, null: Numbers) -> float: ...
@overload
def p_value(score: np.ndarray, null: Numbers) -> np.ndarray: ...
def p_value(score: float | np.ndarray, null: Numbers) -> float | np.ndarray:
    """How often a score this high comes up where nothing is there: ``(1 + #null >= score) / (1 + n)``.

    Parameters
    ----------
    score : one or an array; higher speaks against the null.
    null : ``(n,)`` scores where the null holds.

    Returns
    -------
    In (0, 1], of the shape of ``score``. Where score and null are exchangeable, it is at most p
    with probability at most p, for any p.

    Raises
    ------
    ValueError : the null sample is empty, or not all are numbers.

    References
    ----------
    Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World (conformal p-values); Phipson & Smyth 2010 (the 1 +).

    Examples
    --------
    >>> p_value(2.0, [0.0, 1.0, 2.0, 3.0])
    0.6
    """
    ordered = np.sort(_sample(null))
    asked = np.asarray(score, float)
    if np.isnan(asked).any():
        raise ValueError("a score is not a number")
    found = (1 + len(ordered) - np.searchsorted(ordered, asked, side="left")) / (1 + len(ordered))
    return float(found) if asked.ndim == 0 else np.asarray(found)


def null_threshold(null: Numbers, alpha: float = 0.05, *, tries: int = 1) -> float:
    """The score that the best of ``tries`` draws from the null exceeds with probability ``alpha``.

    Parameters
    ----------
    null : ``(n,)`` scores where the null holds, of one try each.
    alpha : 0..1.
    tries : how many scores the best is taken of; each is held to ``1 - (1 - alpha) ** (1 / tries)`` (Šidák 1967).

    Notes
    -----
    Where fewer than 20 of the sample lie above, the tail is taken as exponential with the mean excess of the highest 20 (peaks
    over threshold, Pickands 1975, shape 0), which is careful for samples with lighter tails.

    Examples
    --------
    >>> round(null_threshold(np.arange(1001) / 1000, 0.1), 3)
    0.9
    """
    sample = _sample(null)
    if not 0 < alpha < 1 or tries < 1:
        raise ValueError(f"alpha lies between 0 and 1 and tries is at least 1; got {alpha} and {tries}")
    level = -math.expm1(math.log1p(-alpha) / tries)
    tail = max(level, min(_ENOUGH / len(sample), 0.5))
    start = float(np.quantile(sample, 1 - tail))
    above = sample[sample > start] - start
    return start + (float(above.mean()) * math.log(tail / level) if above.size else 0.0)


def null_sample(scores: Numbers, size: int = 1001) -> list[float]:
    """``size`` evenly spaced quantiles of a null sample, or all of a smaller one: short enough to keep with a model."""
    sample = np.sort(_sample(scores))
    return [float(v) for v in (sample if len(sample) <= size else np.quantile(sample, np.linspace(0, 1, size)))]


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The number that ``logits`` are divided by so that their softmax says how often it is right.

    Parameters
    ----------
    logits : ``(n, K)`` of examples that were not trained on.
    truth : ``(n,) int`` columns that are right.

    Notes
    -----
    Guo et al. 2017, with Platt's smoothed targets, ``(n + 1) / (n + K)`` for the truth, so that a few separable examples do not
    end in certainty.

    Examples
    --------
    >>> fit_temperature(np.array([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0]]), np.array([0, 1, 1])) > 5
    True
    """
    scores, right = np.asarray(logits, float), np.asarray(truth, int)
    if scores.ndim != 2 or right.shape != scores.shape[:1] or not scores.size:
        raise ValueError(f"logits are (n, K) and truth (n,), n at least 1; got {scores.shape} and {right.shape}")
    n, classes = scores.shape
    target = np.full(scores.shape, 1 / (n + classes))
    target[np.arange(n), right] = (n + 1) / (n + classes)

    def loss(log_temperature: float) -> float:
        return -float((target * log_softmax(scores / math.exp(log_temperature), axis=1)).sum())

    low, high = (math.log(t) for t in _TEMPERATURES)
    return math.exp(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x)


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """``(n, K)`` logits to probabilities that sum to 1 along the last axis."""
    return np.asarray(softmax(np.asarray(logits, float) / temperature, axis=-1))


@dataclass(frozen=True)
class Platt:
    """``sigmoid(slope * score + offset)``; :func:`fit_platt` finds them.

    Examples
    --------
    >>> Platt(2.0, -1.0)(np.array([0.5])).tolist()
    [0.5]
    """

    slope: float
    offset: float

    def __call__(self, scores: Numbers) -> np.ndarray:
        return np.asarray(expit(self.slope * np.asarray(scores, float) + self.offset))


def fit_platt(scores: Numbers, truth: Numbers) -> Platt:
    """A sigmoid from scores to the probability of ``truth`` (Platt 1999, with his smoothed targets).

    Parameters
    ----------
    scores : ``(n,)`` of examples that were not trained on.
    truth : ``(n,)`` bool; both values must occur.
    """
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # slow to import: when asked for

    x, yes = _paired(scores, truth)
    middle, spread = float(x.mean()), float(x.std()) or 1.0
    high, low = (yes.sum() + 1) / (yes.sum() + 2), 1 / ((~yes).sum() + 2)
    share = np.where(yes, high, low)
    twice = np.tile((x - middle) / spread, 2)[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    model.fit(twice, np.repeat([1, 0], len(x)), sample_weight=np.concatenate([share, 1 - share]))
    slope = float(model.coef_[0, 0]) / spread
    return Platt(slope, float(model.intercept_[0]) - slope * middle)


@dataclass(frozen=True)
class Isotonic:
    """A rising line through ``(score, probability)``; :func:`fit_isotonic` finds them. Constant beyond its ends."""

    score: tuple[float, ...]
    probability: tuple[float, ...]

    def __call__(self, scores: Numbers) -> np.ndarray:
        return np.asarray(np.interp(np.asarray(scores, float), self.score, self.probability))


def fit_isotonic(scores: Numbers, truth: Numbers) -> Isotonic:
    """The rising function from scores to the probability of ``truth`` with the least squared error (Zadrozny & Elkan 2002).

    Needs some hundreds of examples; below that :func:`fit_platt` errs less.
    """
    from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped]

    x, yes = _paired(scores, truth)
    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(x, yes.astype(float))
    return Isotonic(tuple(float(v) for v in model.X_thresholds_), tuple(float(v) for v in model.y_thresholds_))


def _sample(values: Numbers) -> np.ndarray:
    sample = np.asarray(values, float)
    if sample.ndim != 1 or not sample.size or np.isnan(sample).any():
        raise ValueError(
            f"a null sample is a row of one or more numbers; got {sample.shape}, {int(np.isnan(sample).sum())} not numbers"
        )
    return sample


def _paired(scores: Numbers, truth: Numbers) -> tuple[np.ndarray, np.ndarray]:
    x, yes = np.asarray(scores, float), np.asarray(truth, bool)
    if x.ndim != 1 or x.shape != yes.shape or yes.all() or not yes.any():
        raise ValueError(
            f"scores and truth are equally long, truth with both values; got {x.shape}, {yes.shape}, {int(yes.sum())} true"
        )
    return x, yes
