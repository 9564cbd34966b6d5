"""Classes from a few examples each: prototypes or logistic regression on frozen embeddings, checked on examples left out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import softmax, stdtr

from .calibrate import fit_temperature

Method = Literal["prototype", "logistic"]
LEAVE_ONE_OUT_UP_TO, FOLDS, GROUP_FOLDS = 100, 10, 5
_PRIOR_EXAMPLES = 10  # as many examples as the common spread over all dimensions counts for, beside the spread of each
_STRENGTH = 0.1  # inverse penalty of the logistic regression: with far more dimensions than examples, a strong one
_LEAST_SPREAD = 0.05


@dataclass(frozen=True)
class Checked:
    """How well examples were classified when they were left out.

    Attributes
    ----------
    how : in words.
    n : examples that were left out and classified.
    accuracy : share that was right; None where none could be left out.
    interval : Wilson's 95 % interval of it.
    per_class : class -> share that was right, None where none could be left out.
    """

    how: str
    n: int
    accuracy: float | None
    interval: tuple[float, float] | None
    per_class: dict[str, float | None]


class FewShot:
    """A classifier of a few examples.

    Parameters
    ----------
    examples : class -> ``(n, D)``; two or more classes, one or more examples each.
    groups : class -> ``(n,)`` what each example belongs to (image, patient); examples of one group are left out together.
    method : ``"prototype"``: the nearest mean; ``"logistic"``: logistic regression; both on dimensions standardised
        within classes, with classes that weigh alike.

    Attributes
    ----------
    names : classes, by alphabet.
    checked : how well it does on examples left out: one at a time, in ten parts above 100 examples, or by groups in up to five.

    Raises
    ------
    ValueError : fewer than two classes, a class without examples, dimensions that differ, groups that do not fit.

    Notes
    -----
    Probabilities are a softmax whose temperature makes them right on the examples left out (see ``calibrate.fit_temperature``).
    Prototypical networks: Snell et al. 2017; with embeddings that are not trained further, a nearest mean.
    """

    def __init__(
        self, examples: Mapping[str, np.ndarray], *, groups: Mapping[str, Sequence[Hashable]] | None = None,
        method: Method = "logistic",
    ) -> None:  # fmt: skip
        if method not in ("prototype", "logistic"):
            raise ValueError(f"method is 'prototype' or 'logistic'; got {method!r}")
        _check_examples(examples)
        self.names = tuple(sorted(examples))
        x = np.concatenate([np.asarray(examples[name], np.float64) for name in self.names])
        y = np.repeat(np.arange(len(self.names)), [len(examples[name]) for name in self.names])
        self._fitted = _Fitted(x, y, method)
        fold, how = _folds(y, None if groups is None else _group_ids(examples, groups, self.names))
        scores, distance = _left_out(x, y, fold, method)
        seen = np.isfinite(distance)
        self.temperature = fit_temperature(scores[seen], y[seen]) if seen.any() else fit_temperature(self._fitted.scores(x), y)
        how = how if seen.any() else f"not checked: {how} leaves a class without examples"
        self.checked = _checked(scores[seen], y[seen], self.names, how)
        self._log_distance = np.log(distance[seen])

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """``(n, D)`` to ``(n, classes)``, columns as :attr:`names`, given that one of the classes holds."""
        if vectors.shape[1] != self._fitted.means.shape[1]:
            raise ValueError(f"vectors have {vectors.shape[1]} dimensions, examples {self._fitted.means.shape[1]}: use one model")
        return np.asarray(softmax(self._fitted.scores(vectors) / self.temperature, axis=-1))

    @property
    def knows_far(self) -> bool:
        """Whether enough examples were left out to say what is too far from all of them."""
        return len(self._log_distance) >= 3

    def typicality(self, vectors: np.ndarray) -> np.ndarray:
        """How often a member of the classes lies as far from the nearest prototype, or farther: ``(n,)`` in 0..1.

        Student's prediction interval of the log distances of examples left out; unlike a rank among them, it can be small with
        few examples. NaN with fewer than three.
        """
        if not self.knows_far:
            return np.full(len(vectors), np.nan)
        known = self._log_distance
        spread = max(float(known.std(ddof=1)), _LEAST_SPREAD) * np.sqrt(1 + 1 / len(known))
        return np.asarray(stdtr(len(known) - 1, (known.mean() - np.log(self._fitted.distance(vectors))) / spread))


class _Fitted:
    """Means of classes on standardised dimensions and, for ``"logistic"``, the regression."""

    def __init__(self, x: np.ndarray, y: np.ndarray, method: Method) -> None:
        self.classes = np.unique(y)
        self.centre, self.spread = x.mean(axis=0), _spread(x, y)
        z = self.standard(x)
        self.means = np.stack([z[y == k].mean(axis=0) for k in self.classes])  # (K, D)
        self.regression: Any = None
        if method == "logistic":
            from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # slow to import: when asked for

            self.regression = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=2000).fit(z, y)

    def standard(self, x: np.ndarray) -> np.ndarray:
        return np.asarray((np.asarray(x, np.float64) - self.centre) / self.spread)

    def squares(self, x: np.ndarray) -> np.ndarray:  # (n, K)
        z = self.standard(x)
        return np.stack([((z - mean) ** 2).sum(axis=1) for mean in self.means], axis=1)

    def scores(self, x: np.ndarray) -> np.ndarray:  # (n, K)
        if self.regression is None:
            return -self.squares(x) / 2
        return np.asarray(self.regression.predict_log_proba(self.standard(x))) if len(x) else np.empty((0, len(self.classes)))

    def distance(self, x: np.ndarray) -> np.ndarray:  # (n,)
        return np.asarray(np.sqrt(self.squares(x).min(axis=1)) + 1e-12)


def _spread(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(D,)`` deviation within classes, drawn to that common to all dimensions the fewer examples there are."""
    means = np.stack([x[y == k].mean(axis=0) for k in np.unique(y)])
    free = len(x) - len(means)
    within = x - means[np.unique(y, return_inverse=True)[1]] if free else x - x.mean(axis=0)
    variance = (within**2).sum(axis=0) / max(free, 1)
    common = float(variance.mean()) or 1.0
    share = _PRIOR_EXAMPLES / (_PRIOR_EXAMPLES + free)
    return np.asarray(np.sqrt(share * common + (1 - share) * variance) + 1e-12)


def _left_out(x: np.ndarray, y: np.ndarray, fold: np.ndarray, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Scores ``(n, K)`` and distances ``(n,)`` of examples by a classifier that has not seen their fold; NaN where leaving it out
    leaves a class without examples."""
    classes = len(np.unique(y))
    scores, distance = np.full((len(x), classes), np.nan), np.full(len(x), np.nan)
    for k in np.unique(fold):
        out = fold == k
        if len(np.unique(y[~out])) == classes:
            fitted = _Fitted(x[~out], y[~out], method)
            scores[out], distance[out] = fitted.scores(x[out]), fitted.distance(x[out])
    return scores, distance


def _folds(y: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, str]:
    """Which fold each example is left out with, and in words."""
    if groups is not None:
        from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

        n = min(GROUP_FOLDS, len(np.unique(groups)))
        fold = np.zeros(len(y), int)
        for k, (_, out) in enumerate(GroupKFold(n).split(y, y, groups) if n > 1 else ()):
            fold[out] = k
        return fold, f"groups in {n} parts"
    if len(y) <= LEAVE_ONE_OUT_UP_TO:
        return np.arange(len(y)), "leave-one-out"
    rng, fold = np.random.default_rng(0), np.empty(len(y), int)
    for k in np.unique(y):
        fold[rng.permutation(np.flatnonzero(y == k))] = np.arange((y == k).sum()) % FOLDS
    return fold, f"{FOLDS} parts, classes alike"


def _checked(scores: np.ndarray, y: np.ndarray, names: tuple[str, ...], how: str) -> Checked:
    right = scores.argmax(axis=1) == y
    per_class = {name: float(right[y == k].mean()) if (y == k).any() else None for k, name in enumerate(names)}
    if not right.size:
        return Checked(how, 0, None, None, per_class)
    from scipy.stats import binomtest  # costs a fresh process more than all else here

    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return Checked(how, len(right), float(right.mean()), (float(interval.low), float(interval.high)), per_class)


def _group_ids(
    examples: Mapping[str, np.ndarray], groups: Mapping[str, Sequence[Hashable]], names: tuple[str, ...]
) -> np.ndarray:
    if set(groups) != set(names):
        raise ValueError(f"groups name the classes {sorted(groups)}, examples {list(names)}")
    for name in names:
        if len(groups[name]) != len(examples[name]):
            raise ValueError(f"class {name!r} has {len(examples[name])} examples but {len(groups[name])} groups")
    flat = [group for name in names for group in groups[name]]
    number = {group: k for k, group in enumerate(dict.fromkeys(flat))}
    return np.array([number[group] for group in flat])


def _check_examples(examples: Mapping[str, np.ndarray]) -> None:
    if len(examples) < 2:
        raise ValueError(f"examples of at least two classes are needed; got {sorted(examples)}")
    empty = sorted(name for name, vectors in examples.items() if not len(vectors))
    if empty:
        raise ValueError(f"the classes {empty} have no examples; give at least one each, better five")
    widths = {name: np.shape(vectors)[1] for name, vectors in examples.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(f"examples differ in dimensions ({widths}); they must come from the same model")
