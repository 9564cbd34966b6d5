"""Soft conditions on a measured value: 1 where it is met, 0 where it is far from met, one half at the threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["above", "below", "some_below", "near", "within", "level_above", "level_below", "highest", "lowest"]
_COUNT = 0.5  # added to values and thresholds, so that counts of 0 and 1 are a finite factor apart


@dataclass(frozen=True)
class Grade:
    """A soft condition; called with ``(n,)`` values it gives ``(n,)`` grades 0..1, NaN for NaN.

    Attributes
    ----------
    kind : see the functions of this module.
    at, to : threshold, or the two ends of a range.
    soft : factor (``level_*``: difference) that turns one half into nine tenths; for ``near`` and ``within`` the factor
        at which one half is left.
    """

    kind: Kind
    at: float = 0.0
    to: float = 0.0
    soft: float = 1.3

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Grades of ``(n,)`` values."""
        return _HOW[self.kind](self, np.asarray(values, float))


def above(at: float, soft: float = 1.25) -> Grade:
    """Rising; one half at ``at``. Of counts give the border between two: "at least 3" is ``above(2.5)``.

    >>> [round(float(g), 2) for g in above(9.5)(np.array([5, 9, 10, 20]))]
    [0.0, 0.38, 0.62, 1.0]
    """
    return Grade("above", at, soft=soft)


def below(at: float, soft: float = 1.25) -> Grade:
    """Falling; one half at ``at``.

    >>> [round(float(g), 2) for g in below(9.5)(np.array([5, 9, 10, 20]))]
    [1.0, 0.62, 0.38, 0.0]
    """
    return Grade("below", at, soft=soft)


def some_below(at: float, soft: float = 1.25) -> Grade:
    """:func:`below`, but "fewer than ten" still speaks of some: nothing at all is graded 0.3."""
    return Grade("some_below", at, soft=soft)


def near(at: float, soft: float = 1.3) -> Grade:
    """About ``at``; one half a factor ``soft`` away.

    >>> [round(float(g), 2) for g in near(2)(np.array([0, 1, 2, 3]))]
    [0.0, 0.07, 1.0, 0.32]
    """
    return Grade("near", at, soft=soft)


def within(at: float, to: float, soft: float = 1.3) -> Grade:
    """Between ``at`` and ``to``, ends included; one half a factor ``soft`` outside."""
    return Grade("within", at, to, soft)


def level_above(at: float, soft: float) -> Grade:
    """Rising along a linear scale: one half at ``at``, nine tenths at ``at + soft``."""
    return Grade("level_above", at, soft=soft)


def level_below(at: float, soft: float) -> Grade:
    """Falling along a linear scale: one half at ``at``, nine tenths at ``at - soft``."""
    return Grade("level_below", at, soft=soft)


def highest() -> Grade:
    """The share of the other values that lie below."""
    return Grade("highest")


def lowest() -> Grade:
    """The share of the other values that lie above."""
    return Grade("lowest")


def _logistic(steps: np.ndarray) -> np.ndarray:
    """One half at 0, nine tenths at 1."""
    return np.asarray(1 / (1 + np.exp(-np.log(9) * np.clip(steps, -20, 20))))


def _factors(values: np.ndarray, at: float, soft: float) -> np.ndarray:
    """How many times ``soft`` values lie above ``at``; of counts and shares alike, as both start at 0."""
    shift = _COUNT if at >= 1 else at / 2
    return np.asarray((np.log(np.maximum(values, 0) + shift) - np.log(at + shift)) / np.log(soft))


def _above(g: Grade, values: np.ndarray) -> np.ndarray:
    return _logistic(_factors(values, g.at, g.soft))


def _below(g: Grade, values: np.ndarray) -> np.ndarray:
    return _logistic(-_factors(values, g.at, g.soft))


def _some_below(g: Grade, values: np.ndarray) -> np.ndarray:
    return np.where(values < 0.5, 0.3, _below(g, values))


def _near(g: Grade, values: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 ** (_factors(values, g.at, g.soft) ** 2))


def _within(g: Grade, values: np.ndarray) -> np.ndarray:
    low, high = _factors(values, g.at, g.soft), _factors(values, g.to, g.soft)
    outside = np.maximum(np.maximum(-low, high), 0)
    return np.asarray(0.5 ** (outside**2) + 0 * values)  # NaN stays NaN


def _level_above(g: Grade, values: np.ndarray) -> np.ndarray:
    return _logistic((values - g.at) / g.soft)


def _level_below(g: Grade, values: np.ndarray) -> np.ndarray:
    return _logistic((g.at - values) / g.soft)


def _highest(g: Grade, values: np.ndarray) -> np.ndarray:
    known = np.sort(values[np.isfinite(values)])
    share = np.searchsorted(known, values, side="left") / max(len(known) - 1, 1)
    return np.where(np.isfinite(values), np.minimum(share, 1.0), np.nan)


def _lowest(g: Grade, values: np.ndarray) -> np.ndarray:
    return _highest(g, -values)


_HOW: dict[str, Callable[[Grade, np.ndarray], np.ndarray]] = {
    "above": _above, "below": _below, "some_below": _some_below, "near": _near, "within": _within,
    "level_above": _level_above, "level_below": _level_below, "highest": _highest, "lowest": _lowest,
}  # fmt: skip
