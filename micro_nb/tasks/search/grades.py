"""Soft conditions on a measured value: 1 where met, 0 where far from met, one half at the threshold; NaN stays NaN."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit

Grade = Callable[[np.ndarray], np.ndarray]
_COUNT = 0.5  # added to values and thresholds, so that counts of 0 and 1 are a finite factor apart
_LEAST_SPREAD = 0.01


def grade(kind: str, *numbers: float) -> Grade:
    """A soft condition: ``(n,)`` values to ``(n,)`` grades 0..1.

    Parameters
    ----------
    kind : one of :data:`KINDS`.
    numbers : what it takes beside the values: a threshold or the two ends of a range, then how soft it is.

    Examples
    --------
    >>> [round(float(g), 2) for g in grade("above", 9.5)(np.array([5, 9, 10, 20]))]
    [0.0, 0.38, 0.62, 1.0]
    """
    return lambda values: KINDS[kind](np.asarray(values, float), *numbers)


def _within(values: np.ndarray, at: float, to: float, soft: float = 1.3) -> np.ndarray:
    outside = np.maximum(np.maximum(-_factors(values, at, soft), _factors(values, to, soft)), 0)
    return np.asarray(0.5 ** (outside**2))


def _highest(values: np.ndarray) -> np.ndarray:
    known = np.sort(values[np.isfinite(values)])
    share = np.searchsorted(known, values, side="left") / max(len(known) - 1, 1)
    return np.where(np.isfinite(values), np.minimum(share, 1.0), np.nan)


KINDS: dict[str, Callable[..., np.ndarray]] = {
    # one half at ``at``, nine tenths a factor ``soft`` higher, or lower; of counts give the border: "at least 3" is 2.5
    "above": lambda values, at, soft=1.25: _nine_tenths_at_1(_factors(values, at, soft)),
    "below": lambda values, at, soft=1.25: _nine_tenths_at_1(-_factors(values, at, soft)),
    # "fewer than ten" still speaks of some: nothing at all is graded 0.3
    "some_below": lambda values, *at: np.where(values < 0.5, 0.3, KINDS["below"](values, *at)),
    # about ``at``, or between ``at`` and ``to``, ends included; one half a factor ``soft`` outside
    "near": lambda values, at, soft=1.3: _within(values, at, at, soft),
    "within": _within,
    # along a linear scale: one half at ``at``, nine tenths ``soft`` higher, or lower
    "level_above": lambda values, at, soft: _nine_tenths_at_1((values - at) / soft),
    "level_below": lambda values, at, soft: _nine_tenths_at_1((at - values) / soft),
    "highest": _highest,  # the share of the other values that lie below
    "lowest": lambda values: _highest(-values),
}


def standing_out(values: np.ndarray, mean: float | np.ndarray, spread: float | np.ndarray, *, slope: float = 1.5) -> np.ndarray:
    """Grades of cosines against their usual ``mean`` and standard deviation: one half where one stands a deviation above."""
    return np.asarray(expit(slope * ((values - mean) / np.maximum(spread, _LEAST_SPREAD) - 1)))


def geometric_mean(grades: Sequence[np.ndarray] | np.ndarray, least: float) -> np.ndarray:
    """``(n,)`` of grades ``(parts, n)``, each at least ``least``; what is NaN is left out, and NaN where nothing is known."""
    logs = np.log(np.maximum(grades, least))
    known = np.isfinite(logs)
    mean = np.where(known, logs, 0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known.any(0), np.exp(mean), np.nan)


def _nine_tenths_at_1(steps: np.ndarray) -> np.ndarray:
    """A logistic curve, one half at 0."""
    return np.asarray(expit(np.log(9) * np.clip(steps, -20, 20)))


def _factors(values: np.ndarray, at: float, soft: float) -> np.ndarray:
    """How many times ``soft`` values lie above ``at``; of counts and shares alike, as both start at 0."""
    shift = at / 2 if 0 < at < 1 else _COUNT
    return np.asarray((np.log(np.maximum(values, 0) + shift) - np.log(at + shift)) / np.log(soft))
