"""How well found boxes match true ones: COCO's average precision per class, also where labels are not complete."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

TOUCH = 0.1
"""A detection that overlaps no labelled box by this much stands on what nobody labelled (as in TIDE, Bolya et al., ECCV 2020)."""
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Boxes:
    """Boxes of one image.

    Attributes
    ----------
    boxes : ``(n, 4)`` y0, x0, y1, x1 in px, half open. names : ``(n,)`` class of each.
    scores : ``(n,)`` 0..1; None for true boxes.
    judged : classes that were labelled in this image; None for all. Detections of others are left out.
    """

    boxes: np.ndarray
    names: np.ndarray
    scores: np.ndarray | None = None
    judged: Collection[str] | None = None

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, float).reshape(-1, 4)
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "names", np.asarray(self.names, dtype=object).reshape(-1))
        if self.scores is not None:
            object.__setattr__(self, "scores", np.asarray(self.scores, float).reshape(-1))
        if len(self.names) != len(boxes) or (self.scores is not None and len(self.scores) != len(boxes)):
            raise ValueError(f"{len(boxes)} boxes need as many names and scores; there are {len(self.names)} names")


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes ``(n, 4)`` and ``(m, 4)`` of y0, x0, y1, x1: ``(n, m)``, 0..1.

    >>> box_iou(np.array([[0, 0, 2, 2]]), np.array([[0, 1, 2, 3], [5, 5, 6, 6]])).round(3)
    array([[0.333, 0.   ]])
    """
    a, b = np.asarray(a, float).reshape(-1, 4), np.asarray(b, float).reshape(-1, 4)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1)[None] - shared
    iou: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


@dataclass(frozen=True)
class Detections:
    """All detections of one class over a set of images, best first; the figures are functions of how often images count.

    Attributes
    ----------
    image, scores : ``(n,)`` position of the image, and score. hit : ``(n,)`` whether it matched a true box.
    stray : ``(n,)`` whether it matched none and stands on what nobody labelled.
    true : ``(images,)`` labelled boxes of each image.
    """

    image: np.ndarray
    scores: np.ndarray
    hit: np.ndarray
    stray: np.ndarray
    true: np.ndarray

    def average_precision(self, weights: np.ndarray | None = None, *, ignore_stray: bool = False) -> float:
        """COCO's: the mean over 101 recalls of the best precision from there on; nan where nothing is labelled.

        Parameters
        ----------
        weights : ``(images,)`` how often each image counts; once by default.
        ignore_stray : leave stray detections out; else they are false positives.
        """
        w = self._counts(weights)
        total, mine = float(w @ self.true), w[self.image] * ~(self.stray & ignore_stray)
        if total == 0:
            return float("nan")
        right, wrong = np.cumsum(mine * self.hit), np.cumsum(mine * ~self.hit)
        with np.errstate(invalid="ignore"):
            precision = np.nan_to_num(right / (right + wrong))
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(right / total, _RECALLS, side="left")
        return float(np.append(precision, 0.0)[np.minimum(at, precision.size)].mean())

    def recall(self, weights: np.ndarray | None = None) -> float:
        """Share of the labelled boxes that were found at any score; nan where nothing is labelled."""
        w = self._counts(weights)
        total = float(w @ self.true)
        return float(w[self.image] @ self.hit) / total if total else float("nan")

    def precision(self, weights: np.ndarray | None = None, *, ignore_stray: bool = False) -> float:
        """Share of all detections that match a labelled box; nan where there are none."""
        mine = self._counts(weights)[self.image] * ~(self.stray & ignore_stray)
        return float(mine @ self.hit) / float(mine.sum()) if mine.sum() else float("nan")

    def _counts(self, weights: np.ndarray | None) -> np.ndarray:
        return np.ones(self.true.size) if weights is None else np.asarray(weights, float)


def detections(truths: Sequence[Boxes], founds: Sequence[Boxes], name: str, *, iou: float = 0.5) -> Detections:
    """Matches the boxes of one class, image by image, as COCO does, without its limit of 100 detections an image: best score
    first, each to the free true box it overlaps most.

    Parameters
    ----------
    truths, founds : a :class:`Boxes` an image each; the found ones with scores.
    iou : a match overlaps by at least this much. One that overlaps a labelled box of any class by less is a bad outline, a
        second detection or a wrong name, and is never excused as stray.

    Examples
    --------
    >>> true = Boxes(np.array([[0, 0, 9, 9]]), np.array(["cell"]))
    >>> found = Boxes(np.array([[50, 50, 60, 60], [0, 0, 9, 8]]), np.array(["cell", "cell"]), np.array([0.9, 0.8]))
    >>> matched = detections([true], [found], "cell")
    >>> matched.average_precision(), matched.average_precision(ignore_stray=True)
    (0.5, 1.0)
    """
    if len(truths) != len(founds):
        raise ValueError(f"{len(truths)} images have true boxes and {len(founds)} found ones; there must be as many")
    parts = [_match(t, f, name, iou) for t, f in zip(truths, founds, strict=True)]
    image = np.concatenate([np.full(p[0].size, k) for k, p in enumerate(parts)] or [np.zeros(0)]).astype(int)
    scores, hit, stray = (np.concatenate([p[k] for p in parts] or [np.zeros(0)]) for k in range(3))
    order = np.argsort(-scores, kind="stable")
    true = np.array([int((t.names == name).sum()) for t in truths])
    return Detections(image[order], scores[order], hit[order].astype(bool), stray[order].astype(bool), true)


def _match(truth: Boxes, found: Boxes, name: str, iou: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of one image's detections, best first; which are hits; which are stray."""
    if truth.judged is not None and name not in truth.judged:
        return np.zeros(0), np.zeros(0, bool), np.zeros(0, bool)
    mine = np.flatnonzero(found.names == name)
    scores = np.ones(mine.size) if found.scores is None else found.scores[mine]
    order = np.argsort(-scores, kind="stable")
    boxes, scores = found.boxes[mine][order], scores[order]
    overlap = box_iou(boxes, truth.boxes[truth.names == name])
    hit, free = np.zeros(mine.size, bool), np.ones(overlap.shape[1], bool)
    for k in range(mine.size):
        fits = np.where(free, overlap[k], 0.0)
        if fits.size and fits.max() >= iou:
            free[fits.size - 1 - int(np.argmax(fits[::-1]))] = False  # of equal overlaps COCO takes the last
            hit[k] = True
    near = box_iou(boxes, truth.boxes).max(1, initial=0.0)
    return scores, hit, ~hit & (near < TOUCH)
