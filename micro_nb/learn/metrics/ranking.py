"""Scores against truth: AUROC, average precision, calibration, and recall of a search."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

import numpy as np
import pandas as pd

from ...errors import MissingExtraError

try:
    from sklearn.metrics import average_precision_score, roc_auc_score  # type: ignore[import-untyped]
except ImportError:
    raise MissingExtraError("ranking figures need scikit-learn; try pip install 'micro-nb[models]'") from None

Numbers = Sequence[float] | np.ndarray


def auroc(truth: Numbers, scores: Numbers, *, weights: Numbers | None = None) -> float:
    """Area under the receiver operating characteristic; nan where one of the two classes is missing.

    Parameters
    ----------
    truth : ``(n,)`` 0 or 1. scores : ``(n,)``, larger means "more likely 1". weights : ``(n,)`` how much each counts.
    """
    return _of_both(roc_auc_score, truth, scores, weights)


def auroc_of_draws(truth: Numbers, scores: Numbers, weights: np.ndarray) -> np.ndarray:
    """:func:`auroc` for each row of weights ``(draws, n)`` at once, as a bootstrap needs it: the weighted share of pairs in
    which the true one scores higher, ties counted half (Hanley and McNeil 1982).
    """
    _, level = np.unique(np.asarray(scores, float), return_inverse=True)
    sums = np.eye(int(level.max(initial=0)) + 1)[level]  # (n, levels)
    right, wrong = ((weights * side) @ sums for side in (np.asarray(truth, bool), ~np.asarray(truth, bool)))
    pairs = (right * (wrong.cumsum(1) - wrong / 2)).sum(1)
    total = right.sum(1) * wrong.sum(1)
    found: np.ndarray = np.full(len(weights), np.nan)
    np.divide(pairs, total, out=found, where=total > 0)
    return found


def average_precision(truth: Numbers, scores: Numbers, *, weights: Numbers | None = None) -> float:
    """Area under precision over recall, without interpolation; nan where one of the two classes is missing.

    Parameters
    ----------
    truth, scores, weights : as for :func:`auroc`.
    """
    return _of_both(average_precision_score, truth, scores, weights)


def reliability(truth: Numbers, probabilities: Numbers, *, bins: int = 15, weights: Numbers | None = None) -> pd.DataFrame:
    """How often what was held probable was so.

    Parameters
    ----------
    truth : ``(n,)`` 0 or 1. probabilities : ``(n,)`` 0..1.
    bins : of equal width.

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


def recall_at_k(ranked: Sequence[Hashable], relevant: Collection[Hashable], k: int, *, capped: bool = True) -> float:
    """Share of what is relevant among the first ``k`` of a ranking; nan where nothing is relevant.

    Parameters
    ----------
    ranked : best first.
    capped : divide by ``min(k, relevant)``, so that 1 can be reached where more than ``k`` are relevant.

    Raises
    ------
    ValueError : ``k`` is below 1.

    Examples
    --------
    >>> recall_at_k(["a", "x", "b", "y"], {"a", "b", "c"}, 3)
    0.6666666666666666
    """
    if k < 1:
        raise ValueError(f"k={k} must be at least 1")
    wanted = set(relevant)
    if not wanted:
        return float("nan")
    hits = len(wanted & set(ranked[:k]))
    return hits / (min(k, len(wanted)) if capped else len(wanted))


def hit_at_k(ranked: Sequence[Hashable], relevant: Collection[Hashable], k: int) -> float:
    """1 where anything relevant is among the first ``k``, else 0; nan where nothing is relevant."""
    return float("nan") if not relevant else float(bool(set(relevant) & set(ranked[:k])))


def _of_both(figure: object, truth: Numbers, scores: Numbers, weights: Numbers | None) -> float:
    y, s = np.asarray(truth, int), np.asarray(scores, float)
    if y.shape != s.shape:
        raise ValueError(f"{y.shape[0]} true values and {s.shape[0]} scores; there must be as many")
    w = np.ones(y.size) if weights is None else np.asarray(weights, float)
    if not (w[y == 1].sum() > 0 and w[y == 0].sum() > 0):
        return float("nan")
    return float(figure(y, s, sample_weight=w))  # type: ignore[operator]
