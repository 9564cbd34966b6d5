"""Figures over images and over parts of them (stain, source, brightness, object size): where a model is good, and where worst."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from ..analysis.statistics import Estimate
from .labelled_set import FACTS
from .metrics.boxes import BoxScore
from .metrics.intervals import Statistic, WeightedMean, draws, interval
from .metrics.ranking import calibration_error

MEANS = (
    "ap50", "ap50_lenient", "ap75", "ap", "f1", "pq", "sq", "dice", "iou", "point_recall", "box_f1", "relative_count_error",
    "count_error",
)  # fmt: skip
"""Columns of the table of images whose means are figures."""
QUANTILES = {"brightness": ("dark", "medium", "bright"), "size_px": ("small", "medium", "large")}
FEWEST = 3
"""A stratum of fewer images is listed and never called the worst."""
_STRATUM_DRAWS = 300


@dataclass(frozen=True)
class Judgements:
    """What the figures of a set of images are computed from.

    Attributes
    ----------
    table : a row an image. groups : ``(images,)`` what is drawn together, or None.
    boxes : matches at IoU 0.5 of each class, None where no boxes are labelled; boxes75 : at 0.75.
    sure : ``(n, 3)``: position of the image, score of an object, whether it is right.
    """

    table: pd.DataFrame
    groups: Sequence[str] | None
    boxes: BoxScore | None = None
    boxes75: BoxScore | None = None
    sure: np.ndarray | None = None

    def statistics(self) -> dict[str, Statistic]:
        """Every figure that these images have, as a function of how often each image counts."""
        numbers = self.table.select_dtypes("number")
        means = [c for c in MEANS if c in numbers and numbers[c].notna().any()]
        found: dict[str, Statistic] = {c: WeightedMean(numbers[c].to_numpy(float)) for c in means}
        if "ap50_lenient" in found and self.table["ap50_lenient"].equals(self.table["ap50"]):
            del found["ap50_lenient"]  # everything is known, so it says nothing more
        if self.boxes is not None:
            found |= {"box_map50": _box_map(self.boxes), "box_recall": _box_recall(self.boxes)}
            if any(c.incomplete for c in self.boxes.classes):
                found["box_map50_lenient"] = _box_map(self.boxes, lenient=True)
        if self.boxes75 is not None:
            found["box_map75"] = _box_map(self.boxes75)
        if self.sure is not None and np.unique(self.sure[:, 1]).size > 1:
            found["calibration_error"] = _calibration(self.sure)
        return found

    @property
    def main(self) -> str:
        """The figure that images are told apart by: AP at IoU 0.5 of masks, else of boxes, else the recall of points."""
        names = self.statistics()
        return next(n for n in ("ap50", "box_map50", "point_recall") if n in names)

    def figures(self, *, seed: int = 0) -> dict[str, Estimate]:
        """All figures over all images with their intervals, the main one first."""
        weights, statistics = draws(len(self.table), groups=self.groups, seed=seed), self.statistics()
        names = sorted(statistics, key=lambda name: name != self.main)
        return {name: interval(statistics[name], weights) for name in names}


def _box_map(scored: BoxScore, *, lenient: bool = False) -> Statistic:
    incomplete = {c.name for c in scored.classes if c.incomplete} if lenient else set()
    return _over_classes(scored, lambda n, w: scored.matched[n].average_precision(w, ignore_stray=n in incomplete))


def _box_recall(scored: BoxScore) -> Statistic:
    return _over_classes(scored, lambda n, w: scored.matched[n].recall(w))


def _over_classes(scored: BoxScore, figure: Callable[[str, np.ndarray], float]) -> Statistic:
    def mean(weights: np.ndarray) -> float:
        values = np.array([figure(name, weights) for name in scored.matched])
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    return mean


def _calibration(sure: np.ndarray) -> Statistic:
    image = sure[:, 0].astype(int)
    return lambda weights: calibration_error(sure[:, 2], sure[:, 1], weights=weights[image])


def class_table(judged: Judgements, *, seed: int = 0) -> pd.DataFrame | None:
    """Boxes class by class: AP at IoU 0.5 (strict and lenient, with intervals) and 0.75, recall, precision, numbers."""
    if judged.boxes is None or judged.boxes75 is None:
        return None
    weights = draws(len(judged.table), groups=judged.groups, seed=seed)
    rows = []
    for one, finer in zip(judged.boxes.classes, judged.boxes75.classes, strict=True):
        found = judged.boxes.matched[one.name]
        strict = interval(found.average_precision, weights)
        lenient = interval(partial(found.average_precision, ignore_stray=True), weights) if one.incomplete else strict
        rows.append({
            "class": one.name, **spread("ap50", strict), **spread("ap50_lenient", lenient), "ap75": finer.ap,
            "recall": one.recall, "precision": one.precision, "n_true": one.n_true, "n_found": one.n_found,
            "n_stray": one.n_stray, "labels": "incomplete" if one.incomplete else "complete",
        })  # fmt: skip
    return pd.DataFrame(rows)


def spread(name: str, figure: Estimate) -> dict[str, float]:
    """Three columns: the figure and the ends of its interval."""
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def strata(judged: Judgements, *, seed: int = 0) -> pd.DataFrame:
    """The same figures over parts of the images.

    Returns
    -------
    A row a stratum: ``by`` (column of index.csv, ``brightness`` or ``size_px``), ``value``, ``images``, then each figure with
    ``_low`` and ``_high``. Brightness and object size are cut into thirds where there are 6 images or more.
    """
    statistics = {k: v for k, v in judged.statistics().items() if k != "calibration_error"}
    rows = []
    for by, value, member in _parts(judged.table):
        places = np.flatnonzero(member)
        weights = np.zeros((_STRATUM_DRAWS, len(member)), np.int32)
        groups = None if judged.groups is None else [judged.groups[int(k)] for k in places]
        weights[:, places] = draws(places.size, groups=groups, resamples=_STRATUM_DRAWS, seed=seed)
        row: dict[str, object] = {"by": by, "value": value, "images": places.size}
        for name, statistic in statistics.items():
            value_here = statistic(member.astype(np.int32))
            found = interval(statistic, weights)
            row |= {name: value_here, f"{name}_low": found.low, f"{name}_high": found.high}
        rows.append(row)
    return pd.DataFrame(rows)


def _parts(table: pd.DataFrame) -> list[tuple[str, str, np.ndarray]]:
    parts = []
    for by in (c for c in FACTS if c in table and table[c].nunique() > 1):
        parts += [(by, str(v), (table[by] == v).to_numpy()) for v in sorted(table[by].dropna().unique())]
    for by, words in QUANTILES.items():
        values = table[by].to_numpy(float) if by in table else np.zeros(0)
        if np.isfinite(values).sum() >= 2 * len(words) and np.nanmin(values) < np.nanmax(values):
            parts += _thirds(by, values, words)
    return parts


def _thirds(by: str, values: np.ndarray, words: Sequence[str]) -> list[tuple[str, str, np.ndarray]]:
    cuts = np.nanquantile(values, np.linspace(0, 1, len(words) + 1))
    out = []
    for k, word in enumerate(words):
        member = (values > cuts[k] if k else values >= cuts[k]) & (values <= cuts[k + 1])
        if member.any():
            out.append((by, f"{word} ({cuts[k]:.3g} to {cuts[k + 1]:.3g})", member))
    return out


def worst(table: pd.DataFrame, main: str, overall: float) -> Mapping[str, object] | None:
    """The stratum of at least :data:`FEWEST` images with the lowest main figure.

    Returns
    -------
    ``by``, ``value``, ``images``, the figure with its interval, ``overall``, ``gap`` (overall minus it), and ``clear``: whether
    its whole interval lies below the overall figure. The lowest of many strata is low by chance as well; None
    where no stratum lies below.
    """
    enough = table[(table["images"] >= FEWEST) & (table[main] < overall)] if len(table) else table
    if not len(enough):
        return None
    row = enough.sort_values(main, kind="stable").iloc[0]
    return {
        "by": str(row["by"]), "value": str(row["value"]), "images": int(row["images"]), "figure": main,
        **{k: float(row[main + k]) if k else float(row[main]) for k in ("_low", "_high")}, main: float(row[main]),
        "overall": overall, "gap": overall - float(row[main]), "clear": bool(row[f"{main}_high"] < overall),
    }  # fmt: skip
