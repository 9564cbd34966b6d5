"""Scores against truth: AUROC and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .intervals import ratio

Numbers = Sequence[float] | np.ndarray


def auroc_of_draws(truth: Numbers, scores: Numbers, weights: np.ndarray) -> np.ndarray:
    """Area under the receiver operating characteristic for each row of weights ``(draws, n)``, as a bootstrap needs it: the
    weighted share of pairs in which the true one scores higher, ties counted half (Hanley and McNeil 1982). nan where one of the
    two classes is missing.

    Parameters
    ----------
    truth : ``(n,)`` 0 or 1. scores : ``(n,)``, larger means "more likely 1".

    Examples
    --------
    >>> auroc_of_draws([1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1], np.ones((1, 4))).tolist()
    [0.75]
    """
    _, level = np.unique(np.asarray(scores, float), return_inverse=True)
    sums = np.eye(int(level.max(initial=0)) + 1)[level]  # (n, levels)
    right, wrong = ((weights * side) @ sums for side in (np.asarray(truth, bool), ~np.asarray(truth, bool)))
    return ratio((right * (wrong.cumsum(1) - wrong / 2)).sum(1), right.sum(1) * wrong.sum(1))


def reliability(truth: Numbers, probabilities: Numbers, *, bins: int = 15, weights: Numbers | None = None) -> pd.DataFrame:
    """How often what was held probable was so.

    Parameters
    ----------
    truth : ``(n,)`` 0 or 1. probabilities : ``(n,)`` 0..1. bins : of equal width.

    Returns
    -------
    A row a bin that holds something: ``low``, ``high``, ``n`` (sum of weights), ``confidence`` and ``accuracy`` (means).

    Raises
    ------
    ValueError : a probability outside of 0..1.
    """
    y, p = np.asarray(truth, float), np.asarray(probabilities, float)
    if p.size and (not np.isfinite(p).all() or p.min() < 0 or p.max() > 1):
        raise ValueError(f"probabilities must lie in 0..1, got {p.min():.3g} to {p.max():.3g}")
    w = np.ones(p.size) if weights is None else np.asarray(weights, float)
    place = np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)  # bins are open below, as in Guo et al. 2017
    n, sure, right = (np.bincount(place, w * v, bins) for v in (np.ones_like(p), p, y))
    held = n > 0
    edges = np.linspace(0, 1, bins + 1)
    columns = {"low": edges[:-1], "high": edges[1:], "n": n, "confidence": sure, "accuracy": right}
    table = pd.DataFrame(columns)[held].reset_index(drop=True)
    table[["confidence", "accuracy"]] = table[["confidence", "accuracy"]].div(table["n"], axis=0)
    return table


def calibration_error(truth: Numbers, probabilities: Numbers, *, bins: int = 15, weights: Numbers | None = None) -> float:
    """Expected calibration error (Guo et al., ICML 2017): mean distance of confidence and accuracy over the bins of
    :func:`reliability`; nan where there is nothing.

    Examples
    --------
    >>> calibration_error([1, 1, 0, 0], [0.75, 0.75, 0.75, 0.75], bins=10)
    0.25
    """
    table = reliability(truth, probabilities, bins=bins, weights=weights)
    if not len(table):
        return float("nan")
    return float(np.average((table["confidence"] - table["accuracy"]).abs(), weights=table["n"]))
