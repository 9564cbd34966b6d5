"""One picture judged: what was found in it against what is labelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..data.image import MicroImage
from ..errors import PlanError
from ..tiles.objects import Objects
from .metrics.boxes import Boxes, detections
from .metrics.instances import THRESHOLDS, Overlap, dice, jaccard, score

Parse = Callable[[MicroImage, list[str] | None], Objects]
"""What is evaluated: an image and prompts (None: everything) to Objects."""
BOX = ["bbox_y0_px", "bbox_x0_px", "bbox_y1_px", "bbox_x1_px"]
COUNTED = 0.95
"""Counts are compared where at least this share of the objects is labelled."""


@dataclass(frozen=True)
class Judged:
    """Figures of one image.

    Attributes
    ----------
    row : of the table of images.
    boxes : detections, named by prompt; None where no boxes are labelled.
    sure : ``(n, 2)`` score of each object and whether it is right (1) or not (0).
    layers : found label images ``(layer, y, x)`` that were compared; None where no masks were.
    """

    row: Mapping[str, Any]
    boxes: Boxes | None = None
    sure: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    layers: np.ndarray | None = None


@dataclass(frozen=True)
class Truth:
    """What is labelled in one image: label image, its prompt, boxes, points ``(n, 2)`` y, x, and how complete they are."""

    masks: np.ndarray | None = None
    prompt: str | None = None
    boxes: Boxes | None = None
    points: np.ndarray | None = None
    coverage: float | None = None
    incomplete: tuple[str, ...] = ()


def judge(truth: Truth, found: Objects, asked: Sequence[str] | None) -> Judged:
    """Compares what was found with what is labelled.

    Parameters
    ----------
    found : of this image. asked : the prompts it was asked for; None for everything.

    Raises
    ------
    PlanError : label images are to be compared and none were kept.
    """
    row: dict[str, Any] = {}
    boxes, sure, layers = None, np.zeros((0, 2)), None
    if truth.masks is not None or truth.points is not None:
        layers, scores = chosen_labels(found, truth.prompt, asked)
    if truth.masks is not None and layers is not None:
        overlap = Overlap.of(truth.masks, layers)
        row |= instance_row(overlap)
        sure = _sure(overlap, scores)
    elif truth.points is not None and layers is not None:
        row |= point_row(truth, layers)
    if truth.boxes is not None:
        boxes = found_boxes(found, asked)
        row |= box_row(truth, boxes, counted="n_true" not in row)
    return Judged(row, boxes, sure, layers)


def chosen_labels(
    found: Objects, prompt: str | None, asked: Sequence[str] | None
) -> tuple[np.ndarray, dict[tuple[int, int], float]]:
    """The label images of what answers to ``prompt``, and the score of each object by layer and number.

    Where one prompt was asked all objects answer to it. Where everything was looked for, whole objects (layer ``object``) are
    taken, as what lies inside of them would be counted twice.
    """
    if found.labels is None:
        raise PlanError("these Objects hold a table without label images, which are needed to compare masks; keep the labels")
    labels = np.asarray(found.labels.values)
    layers = labels[None] if labels.ndim == 2 else labels
    table = found.table
    names = [str(v) for v in found.labels["layer"].values] if labels.ndim == 3 and "layer" in found.labels.coords else None
    if asked is None:
        whole = table["layer"] == "object"
        table = table[whole] if whole.any() else table
    elif len(asked) > 1:
        table = table[table["name"] == prompt]
    kept: list[np.ndarray] = []
    scores: dict[tuple[int, int], float] = {}
    for k, layer in enumerate(layers):
        mine = table[table["layer"] == names[k]] if names is not None else table
        kept.append(_only(layer, mine["label"].to_numpy(int)))
        scores |= {(k, int(n)): float(s) for n, s in zip(mine["label"], mine["score"], strict=True)}
    return np.stack(kept), scores


def _only(labels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    keep = np.zeros(max(int(labels.max(initial=0)), int(numbers.max(initial=0))) + 1, np.int32)
    keep[numbers] = numbers
    only: np.ndarray = keep[labels]
    return only


def instance_row(overlap: Overlap) -> dict[str, Any]:
    """Figures of masks: AP at IoU 0.5, at 0.75 and averaged over 0.5:0.95, F1, PQ, Dice, counts."""
    half = score(overlap)
    every = [score(overlap, iou=t).ap for t in THRESHOLDS]
    n, m = half.tp + half.fn, half.tp + half.fp
    return {
        "n_true": n, "n_found": m, "ap50": half.ap, "ap50_lenient": score(overlap, ignore_unknown=True).ap, "ap75": every[5],
        "ap": float(np.mean(every)), "f1": half.f1, "precision": half.precision, "recall": half.recall, "sq": half.sq,
        "pq": half.pq,
        "dice": dice(overlap), "iou": jaccard(overlap), "count_error": m - n,
        "relative_count_error": abs(m - n) / n if n else float("nan"),
    }  # fmt: skip


def _sure(overlap: Overlap, scores: Mapping[tuple[int, int], float]) -> np.ndarray:
    right = np.zeros(len(overlap.found))
    right[overlap.matched()[:, 1]] = 1
    held = [scores[int(k), int(n)] for k, n in overlap.found]
    return np.stack([np.asarray(held, float), right], 1) if held else np.zeros((0, 2))


def point_row(truth: Truth, layers: np.ndarray) -> dict[str, Any]:
    """Figures of points: share that lies in a found object of its own, and, where nearly all are labelled, the count."""
    assert truth.points is not None
    height, width = layers.shape[1:]
    at = np.clip(truth.points.round().astype(int), 0, [height - 1, width - 1])
    hit = layers[:, at[:, 0], at[:, 1]].max(0, initial=0)
    n, m = len(at), sum(np.unique(layer[layer > 0]).size for layer in layers)
    alone = np.unique(hit[hit > 0]).size
    row: dict[str, Any] = {"n_true": n, "n_found": m, "point_recall": alone / n if n else float("nan")}
    if n and (truth.coverage is None or truth.coverage >= COUNTED):
        row |= {"count_error": m - n, "relative_count_error": abs(m - n) / n}
    return row


def found_boxes(found: Objects, asked: Sequence[str] | None) -> Boxes:
    """Detections of all objects, named by prompt (all of them by the only prompt, where only one was asked)."""
    table = found.table
    names = table["name"].to_numpy() if asked is None or len(asked) > 1 else np.full(len(table), asked[0], object)
    if not len(table):
        return Boxes(np.zeros((0, 4)), np.zeros(0, object), np.zeros(0))
    return Boxes(table[BOX].to_numpy(float), names, table["score"].to_numpy(float))


def box_row(truth: Truth, found: Boxes, *, counted: bool) -> dict[str, Any]:
    """Figures of boxes at IoU 0.5 and any score: F1 of all classes, and numbers of each."""
    assert truth.boxes is not None
    names = list(truth.boxes.judged or [])
    tp = fp = n = 0
    row: dict[str, Any] = {}
    for name in names:
        one = detections([truth.boxes], [found], name)
        excused = one.stray if name in truth.incomplete else np.zeros(one.hit.size, bool)
        tp, fp, n = tp + int(one.hit.sum()), fp + int((~one.hit & ~excused).sum()), n + int(one.true.sum())
        row |= {f"n_true {name}": int(one.true.sum()), f"n_found {name}": int(one.hit.size)}
        if name not in truth.incomplete:
            row[f"count_error {name}"] = int(one.hit.size) - int(one.true.sum())
    row["box_f1"] = 2 * tp / (tp + fp + n) if tp + fp + n else 1.0
    if counted:
        row |= {"n_true": n, "n_found": sum(v for k, v in row.items() if k.startswith("n_found "))}
    return row


def typical_size(truth: Truth) -> float:
    """Median diameter in px of what is labelled: of discs of the masks' areas, or the boxes' mean edge; nan for points."""
    if truth.masks is not None:
        areas = np.bincount(truth.masks[truth.masks > 0].ravel())
        areas = areas[areas > 0]
        return float(np.median(2 * np.sqrt(areas / np.pi))) if areas.size else float("nan")
    if truth.boxes is not None and len(truth.boxes.boxes):
        b = truth.boxes.boxes
        return float(np.median(np.sqrt((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]))))
    return float("nan")


def brightness(pixels: np.ndarray) -> float:
    """Mean grey value as a share of the data type's range, 0..1 (of the largest value for floats)."""
    top = float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind in "iu" else float(max(pixels.max(initial=0), 1e-12))
    return float(pixels.mean()) / top


def asked_presence(found: Objects, prompt: str, asked: Sequence[str]) -> pd.Series | None:
    """The row of ``found.presence`` on a prompt; None where the segmenter says nothing of presence."""
    if found.presence is None:
        return None
    if len(found.presence) == len(asked):  # a row a prompt, in their order, whatever each is called there
        return found.presence.iloc[list(asked).index(prompt)]
    mine = found.presence[found.presence["name"] == prompt]
    return mine.iloc[0] if len(mine) else None
