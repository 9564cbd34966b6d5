"""The judgements: what each is called, what it compares, how it is said, and its function; over images and over parts of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..analysis.statistics import Estimate
from .judging import Compared
from .labelled_set import FACTS
from .metrics.boxes import Boxes, Detections, detections
from .metrics.instances import THRESHOLDS, dice, jaccard
from .metrics.intervals import RESAMPLES, Statistic, draws, interval, weighted_mean
from .metrics.ranking import calibration_error

QUANTILES = {"brightness": ("dark", "medium", "bright"), "size_px": ("small", "medium", "large")}
FEWEST = 3
"""A stratum of fewer images is listed and never called the worst."""
_STRATUM_DRAWS = 300
_NO_BOXES = Boxes(np.zeros((0, 4)), np.zeros(0, object), np.zeros(0), judged=())


@dataclass(frozen=True)
class Judgement:
    """One figure of merit.

    Attributes
    ----------
    name : of its column and in JSON. said : how it is said.
    compares : ``masks``, ``points``, ``counts`` or ``boxes`` of one image, the figure being the mean over images; or ``classes``
        of boxes or ``scores`` of objects, over all images at once.
    of : a number of a :class:`~micro_nb.learn.judging.Compared`; or of :class:`Judged` a function of how often each image counts.
    """

    name: str
    said: str
    compares: Literal["masks", "points", "counts", "boxes", "classes", "scores"]
    of: Callable[[Any], Any]


def _box_f1(c: Compared) -> float:
    tp, fp, n = (sum(int(v[k].sum()) for v in c.classes.values()) for k in range(3))
    return 2 * tp / (tp + fp + n) if tp + fp + n else 1.0


def _over_classes(judged: Judged, iou: float, figure: Callable[[str, Detections, np.ndarray], float]) -> Statistic:
    def mean(weights: np.ndarray) -> float:
        values = np.array([figure(name, found, weights) for name, found in judged.boxes[iou].items()])
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    return mean


def _box_map(judged: Judged, iou: float = 0.5) -> Statistic:
    return _over_classes(judged, iou, lambda _, found, w: found.average_precision(w))


def _box_map_lenient(judged: Judged) -> Statistic | None:
    open_ = set(judged.incomplete) & set(judged.classes)
    return _over_classes(judged, 0.5, lambda n, found, w: found.average_precision(w, ignore_stray=n in open_)) if open_ else None


def _calibration(judged: Judged) -> Statistic | None:
    sure = judged.all_sure
    if np.unique(sure[:, 1]).size < 2:
        return None
    image = sure[:, 0].astype(int)
    return lambda weights: calibration_error(sure[:, 2], sure[:, 1], weights=weights[image])


JUDGEMENTS: dict[str, Judgement] = {
    j.name: j for j in (
        Judgement("ap50", "AP at IoU 0.5", "masks", lambda c: c.half.ap),
        Judgement("ap50_lenient", "AP at IoU 0.5, unknown parts ignored", "masks", lambda c: c.at(0.5, lenient=True).ap),
        Judgement("ap75", "AP at IoU 0.75", "masks", lambda c: c.at(0.75).ap),
        Judgement("ap", "AP over IoU 0.5:0.95", "masks", lambda c: np.mean([c.at(t).ap for t in THRESHOLDS])),
        Judgement("f1", "F1 at IoU 0.5", "masks", lambda c: c.half.f1),
        Judgement("precision", "precision at IoU 0.5", "masks", lambda c: c.half.precision),
        Judgement("recall", "recall at IoU 0.5", "masks", lambda c: c.half.recall),
        Judgement("pq", "panoptic quality", "masks", lambda c: c.half.pq),
        Judgement("sq", "segmentation quality", "masks", lambda c: c.half.sq),
        Judgement("dice", "Dice", "masks", lambda c: dice(c.overlap)),
        Judgement("iou", "foreground IoU", "masks", lambda c: jaccard(c.overlap)),
        Judgement("point_recall", "recall of points", "points", lambda c: c.points_hit / c.n_true if c.n_true else np.nan),
        Judgement("box_f1", "box F1 at IoU 0.5", "boxes", _box_f1),
        Judgement(
            "relative_count_error", "relative count error", "counts",
            lambda c: abs(c.n_found - c.n_true) / c.n_true if c.n_true else np.nan,
        ),
        Judgement("count_error", "count error (found - labelled)", "counts", lambda c: c.n_found - c.n_true),
        Judgement("box_map50", "box mAP at IoU 0.5", "classes", _box_map),
        Judgement("box_recall", "box recall", "classes", lambda j: _over_classes(j, 0.5, lambda _, d, w: d.recall(w))),
        Judgement(
            "box_map50_lenient", "box mAP at IoU 0.5, strays of incomplete classes ignored", "classes",
            _box_map_lenient,
        ),
        Judgement("box_map75", "box mAP at IoU 0.75", "classes", partial(_box_map, iou=0.75)),
        Judgement("calibration_error", "calibration error of object scores", "scores", _calibration),
    )
}  # fmt: skip
MAIN = ("ap50", "box_map50", "point_recall")
"""By the first of these that there is, images and strata are told apart."""


def row_of(c: Compared) -> dict[str, Any]:
    """Counts and the judgements of one image, and the counts of each class of boxes."""
    kinds, row = c.kinds, dict[str, Any]()
    row |= {"n_true": c.n_true, "n_found": c.n_found}
    row |= {
        j.name: value if isinstance(value := j.of(c), int) else float(value) for j in JUDGEMENTS.values() if j.compares in kinds
    }
    for name, (hit, _, true) in c.classes.items():
        row |= {f"n_true {name}": int(true.sum()), f"n_found {name}": hit.size}
        row |= {} if name in c.truth.incomplete else {f"count_error {name}": hit.size - int(true.sum())}
    return row


@dataclass(eq=False)
class Judged:
    """Images as they were judged, and their figures; it keeps what these need, never pixels.

    Attributes
    ----------
    classes, incomplete : of the boxes, and which of them are not labelled everywhere.
    rows : of the table of images. truths, founds : boxes of each. sure : see :attr:`Compared.sure`, each.
    """

    classes: Sequence[str] = ()
    incomplete: Sequence[str] = ()
    groups: Sequence[str] | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    truths: list[Boxes] = field(default_factory=list)
    founds: list[Boxes] = field(default_factory=list)
    sure: list[np.ndarray] = field(default_factory=list)

    def add(self, compared: Compared, **facts: Any) -> dict[str, Any]:
        """Judges one more image; its row."""
        self.rows.append(facts | row_of(compared))
        self.truths.append(compared.truth.boxes or _NO_BOXES)
        self.founds.append(compared.boxes or _NO_BOXES)
        self.sure.append(compared.sure)
        return self.rows[-1]

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row an image."""
        return pd.DataFrame(self.rows)

    @cached_property
    def all_sure(self) -> np.ndarray:
        """``(n, 3)``: position of the image, score of an object, whether it is right."""
        return np.concatenate([np.column_stack([np.full(len(s), k), s]) for k, s in enumerate(self.sure)])

    @cached_property
    def boxes(self) -> dict[float, dict[str, Detections]]:
        """IoU -> class -> matches of its boxes over all images."""
        return {i: {n: detections(self.truths, self.founds, n, iou=i) for n in self.classes} for i in (0.5, 0.75)}

    @cached_property
    def statistics(self) -> dict[str, Statistic]:
        """Every figure that these images have, the main one first, as a function of how often each image counts."""
        found: dict[str, Statistic] = {}
        for j in JUDGEMENTS.values():
            if j.compares in ("classes", "scores"):
                over_all = j.of(self) if self.classes or j.compares == "scores" else None
                found |= {} if over_all is None else {j.name: over_all}
            elif j.name in self.table and self.table[j.name].notna().any():
                found[j.name] = weighted_mean(self.table[j.name].to_numpy(float))
        if "ap50_lenient" in found and self.table["ap50_lenient"].equals(self.table["ap50"]):
            del found["ap50_lenient"]  # everything is known, so it says nothing more
        main = next(name for name in MAIN if name in found)
        return {main: found[main], **found}

    @property
    def main(self) -> str:
        """The name of the main figure."""
        return next(iter(self.statistics))

    def figures(self, *, seed: int = 0, resamples: int = RESAMPLES, names: Sequence[str] | None = None) -> dict[str, Estimate]:
        """Figures over all images with their intervals, all of them by default."""
        weights = draws(len(self.rows), groups=self.groups, seed=seed, resamples=resamples)
        return {name: interval(self.statistics[name], weights) for name in names or self.statistics}

    def class_table(self, *, seed: int = 0) -> pd.DataFrame | None:
        """Boxes class by class: AP at IoU 0.5 (strict and lenient, with intervals) and 0.75, recall, precision, numbers."""
        if not self.classes:
            return None
        weights, rows = draws(len(self.rows), groups=self.groups, seed=seed), []
        for name, found in self.boxes[0.5].items():
            open_ = name in self.incomplete
            strict = interval(found.average_precision, weights)
            lenient = interval(partial(found.average_precision, ignore_stray=True), weights) if open_ else strict
            rows.append({
                "class": name, **spread("ap50", strict), **spread("ap50_lenient", lenient),
                "ap75": self.boxes[0.75][name].average_precision(), "recall": found.recall(),
                "precision": found.precision(ignore_stray=open_), "n_true": int(found.true.sum()), "n_found": found.hit.size,
                "n_stray": int(found.stray.sum()), "labels": "incomplete" if open_ else "complete",
            })  # fmt: skip
        return pd.DataFrame(rows)

    def strata(self, *, seed: int = 0) -> pd.DataFrame:
        """The same figures over parts of the images.

        Returns
        -------
        A row a stratum: ``by`` (column of index.csv, ``brightness`` or ``size_px``), ``value``, ``images``, then each figure with
        ``_low`` and ``_high``. Brightness and object size are cut into thirds where there are 6 images or more.
        """
        rows = []
        for by, value, member in _parts(self.table):
            places = np.flatnonzero(member)
            weights = np.zeros((_STRATUM_DRAWS, len(member)), np.int32)
            groups = None if self.groups is None else [self.groups[int(k)] for k in places]
            weights[:, places] = draws(places.size, groups=groups, resamples=_STRATUM_DRAWS, seed=seed)
            row: dict[str, Any] = {"by": by, "value": value, "images": places.size}
            for name, statistic in ((n, s) for n, s in self.statistics.items() if n != "calibration_error"):
                row |= spread(name, interval(statistic, weights)) | {name: statistic(member.astype(np.int32))}
            rows.append(row)
        return pd.DataFrame(rows)


def spread(name: str, figure: Estimate) -> dict[str, float]:
    """Three columns: the figure and the ends of its interval."""
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}


def _parts(table: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray]]:
    for by in (c for c in FACTS if c in table and table[c].nunique() > 1):
        yield from ((by, str(v), (table[by] == v).to_numpy()) for v in sorted(table[by].dropna().unique()))
    for by, words in QUANTILES.items():
        values = table[by].to_numpy(float)
        if np.isfinite(values).sum() < 2 * len(words) or np.nanmin(values) == np.nanmax(values):
            continue
        cuts = np.nanquantile(values, np.linspace(0, 1, len(words) + 1))
        for k, word in enumerate(words):
            member = (values > cuts[k] if k else values >= cuts[k]) & (values <= cuts[k + 1])
            if member.any():
                yield by, f"{word} ({cuts[k]:.3g} to {cuts[k + 1]:.3g})", member


def worst(table: pd.DataFrame, main: str, overall: float) -> Mapping[str, object] | None:
    """The stratum of at least :data:`FEWEST` images with the lowest main figure.

    Returns
    -------
    ``by``, ``value``, ``images``, the figure with its interval, ``overall``, ``gap`` (overall minus it), and ``clear``: whether
    its whole interval lies below. The lowest of many strata is low by chance as well. None where none is lower.
    """
    below = table[(table["images"] >= FEWEST) & (table[main] < overall)] if len(table) else table
    if not len(below):
        return None
    row = below.sort_values(main, kind="stable").iloc[0]
    value, low, high = (float(row[main + end]) for end in ("", "_low", "_high"))
    return {
        "by": str(row["by"]), "value": str(row["value"]), "images": int(row["images"]), "figure": main, "_low": low,
        "_high": high, main: value, "overall": overall, "gap": overall - value, "clear": high < overall,
    }  # fmt: skip
