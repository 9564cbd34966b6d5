"""Folds for cross-validation in which a group (a slide, a specimen) is never on both sides."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import MissingExtraError, PlanError


@dataclass(frozen=True)
class Fold:
    """One split: positions of the images to train on and to test on, ``(n,)`` and ``(m,)``."""

    number: int
    train: np.ndarray
    test: np.ndarray


def grouped_folds(groups: Sequence[Any], *, folds: int = 5, strata: Sequence[Any] | None = None, seed: int = 0) -> list[Fold]:
    """Splits images so that each is tested once and none beside others of its group.

    Parameters
    ----------
    groups : ``(n,)`` group of each image; images without one (None, nan) are groups of their own.
    folds : how many, 2 or more.
    strata : ``(n,)`` kinds that every fold should hold in like shares, as far as the groups allow.
    seed : of the order in which groups are dealt, where there are strata.

    Raises
    ------
    PlanError : there are fewer groups than folds, or not as many strata as groups.
    MissingExtraError : scikit-learn is not installed.

    References
    ----------
    ``GroupKFold`` and ``StratifiedGroupKFold`` of scikit-learn.

    Examples
    --------
    >>> [f.test.tolist() for f in grouped_folds(["a", "a", "b", "c"], folds=3)]
    [[0, 1], [3], [2]]
    """
    try:
        from sklearn.model_selection import GroupKFold, StratifiedGroupKFold  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("grouped folds need scikit-learn; try pip install 'micro-nb[models]'") from None
    names = np.array([f"alone {k}" if pd.isna(g) else f"group {g}" for k, g in enumerate(groups)])
    kinds = np.zeros(len(names), int) if strata is None else np.unique(np.asarray(strata, str), return_inverse=True)[1]
    if folds < 2 or np.unique(names).size < folds or len(kinds) != len(names):
        raise PlanError(
            f"{len(names)} images in {np.unique(names).size} groups, with {len(kinds)} strata, cannot be split into {folds} "
            "folds; give at least as many groups as folds"
        )
    split = GroupKFold(folds) if strata is None else StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    parts = split.split(np.zeros(len(names)), kinds, names)
    return [Fold(k, train, test) for k, (train, test) in enumerate(parts)]


def folds_of(folder: str | os.PathLike[str], *, folds: int = 5, strata: str | None = None) -> Iterator[tuple[Fold, pd.DataFrame]]:
    """Folds of a labelled folder by the column ``group`` of its index.csv (or each image alone where there is none).

    Parameters
    ----------
    strata : a column to keep in like shares, such as ``"type"``.

    Yields
    ------
    A fold and the rows of index.csv that it tests on.
    """
    index = pd.read_csv(Path(folder) / "index.csv", dtype={"group": str})
    if strata is not None and strata not in index:
        raise PlanError(f"{folder}: index.csv has no column {strata!r}; there are {', '.join(index.columns)}")
    groups = index["group"] if "group" in index else pd.Series([None] * len(index))
    for fold in grouped_folds(list(groups), folds=folds, strata=None if strata is None else list(index[strata])):
        yield fold, index.iloc[fold.test]
