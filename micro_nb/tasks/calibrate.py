"""Scores to probabilities and p-values: temperature, and ranks among a null sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

_TEMPERATURES = (1e-3, 1e3)


def p_value(score: float, null: Sequence[float] | np.ndarray) -> float:
    """How often a score this high comes up where nothing is there: ``(1 + #null >= score) / (1 + n)``.

    In (0, 1]. A higher score speaks against the null, of which ``null (n,)`` are a sample; where score and null are exchangeable,
    it is at most p with probability at most p, for any p.

    Raises
    ------
    ValueError : the null sample is empty, or not all are numbers, or the score is none.

    References
    ----------
    Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World (conformal p-values); Phipson & Smyth 2010 (the 1 +).

    Examples
    --------
    >>> p_value(2.0, [0.0, 1.0, 2.0, 3.0])
    0.6
    """
    sample = np.asarray(null, float)
    missing = int(np.isnan(sample).sum())
    if sample.ndim != 1 or not sample.size or missing:
        raise ValueError(f"a null sample is a row of one or more numbers; got {sample.shape}, {missing} not numbers")
    if math.isnan(score):
        raise ValueError("a score is not a number")
    return (1 + int((sample >= score).sum())) / (1 + len(sample))


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The number that ``logits (n, K)`` are divided by so that their softmax says how often it is right.

    They are of examples that were not trained on; ``truth (n,) int`` are the columns that are right. Guo et al. 2017, with
    Platt's smoothed targets, ``(n + 1) / (n + K)`` for the truth, so that a few separable examples do not end in certainty.

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

    from scipy.optimize import minimize_scalar  # costs a fresh process more than all that reads p-values alone

    def loss(log_temperature: float) -> float:
        return -float((target * log_softmax(scores / math.exp(log_temperature), axis=1)).sum())

    low, high = (math.log(t) for t in _TEMPERATURES)
    return math.exp(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x)
