"""How well found instances match true ones: AP, F1, PQ, Dice and counts of one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from ...errors import AxesError

THRESHOLDS = tuple(round(0.5 + 0.05 * k, 2) for k in range(10))
"""IoU 0.5, 0.55, ... 0.95."""
UNKNOWN = -1
"""Number of true pixels of which nobody knows what they are."""


@dataclass(frozen=True)
class Overlap:
    """What true and found objects of one image share.

    Attributes
    ----------
    true : ``(n,)`` numbers of the true objects.
    found : ``(m, 2)``: position of the layer and number in it of each found object.
    iou : sparse ``(n, m)``, intersection over union of the pairs that touch, 0..1.
    known : ``(m,)`` share of each found object that lies where the truth is known, 0..1.
    pixels : of both foregrounds together, of the true one, of the found one where the truth is known.
    """

    true: np.ndarray
    found: np.ndarray
    iou: sparse.csr_array
    known: np.ndarray
    pixels: tuple[int, int, int]

    @classmethod
    def of(cls, truth: np.ndarray, found: np.ndarray) -> Overlap:
        """Counts the pixels that each pair shares.

        Parameters
        ----------
        truth : ``(y, x)`` integers; 0 is background, -1 is not known.
        found : ``(y, x)`` or ``(layer, y, x)`` integers, 0 is background; objects of different layers may overlap.

        Raises
        ------
        AxesError : the shapes differ, or these are not integers.
        """
        truth, given = np.asarray(truth), np.asarray(found)
        layers = given[None] if given.ndim == 2 else given
        kinds = {truth.dtype.kind, given.dtype.kind}
        if truth.ndim != 2 or layers.ndim != 3 or layers.shape[1:] != truth.shape or not kinds <= set("iub"):
            raise AxesError(
                f"true labels are {truth.dtype} {truth.shape}, found ones {given.dtype} {given.shape}; "
                "both must be integers (y, x) of one picture, the found ones perhaps (layer, y, x)"
            )
        true, numbers, iou, known = zip(*(_layer(truth, layer) for layer in layers), strict=True)
        names = [np.stack([np.full(f.size, k), f], 1) for k, f in enumerate(numbers)]
        covered = (layers > 0).any(0)
        pixels = int((covered & (truth > 0)).sum()), int((truth > 0).sum()), int((covered & (truth != UNKNOWN)).sum())
        return cls(true[0], np.concatenate(names), sparse.csr_array(sparse.hstack(iou)), np.concatenate(known), pixels)

    def matched(self, iou: float = 0.5) -> np.ndarray:
        """Pairs of true and found objects that overlap by more than ``iou``, one to one, as many as can be and then the best.

        Returns
        -------
        ``(k, 2)`` positions in :attr:`true` and :attr:`found`. From 0.5 on each object of a label image has one partner at
        most (Kirillov et al. 2019); below that, and between layers, the assignment is the best of all.
        """
        pairs = self.iou.tocoo()
        good = pairs.data > iou
        rows, cols, values = pairs.coords[0][good], pairs.coords[1][good], pairs.data[good]
        if np.unique(rows).size < rows.size or np.unique(cols).size < cols.size:
            worth = np.zeros(self.iou.shape)
            worth[rows, cols] = values + self.iou.shape[0]  # another pair is worth more than any better fit
            rows, cols = linear_sum_assignment(worth, maximize=True)
            real = worth[rows, cols] > 0
            rows, cols = rows[real], cols[real]
        return np.stack([rows, cols], 1)


def _layer(truth: np.ndarray, layer: np.ndarray) -> tuple[np.ndarray, np.ndarray, sparse.csr_array, np.ndarray]:
    """Numbers of true and found objects of one layer, their IoU, and the known share of each found one."""
    rows, cols = truth.ravel().astype(np.int64) + 1, layer.ravel().astype(np.int64)
    shape = (max(int(rows.max(initial=0)) + 1, 2), int(cols.max(initial=0)) + 1)
    counts = sparse.coo_array((np.ones(rows.size, np.int64), (rows, cols)), shape=shape).tocsr()
    height, width = np.asarray(counts.sum(1)).ravel(), np.asarray(counts.sum(0)).ravel()
    true, found = np.flatnonzero(height[2:]), np.flatnonzero(width[1:])
    shared = counts[2:, 1:][true][:, found].tocoo()
    y, x = shared.coords
    union = height[2:][true][y] + width[1:][found][x] - shared.data
    unknown = counts[[0]].toarray().ravel()[1:][found]
    iou = sparse.csr_array((shared.data / union, (y, x)), shape=shared.shape)
    return true + 1, found + 1, iou, 1 - unknown / width[1:][found]


@dataclass(frozen=True)
class Score:
    """Figures of one image at one IoU.

    Attributes
    ----------
    tp, fp, fn : objects found rightly, found wrongly, missed.
    sq : mean IoU of the matched pairs; nan where there are none.
    """

    tp: int
    fp: int
    fn: int
    sq: float

    @property
    def ap(self) -> float:
        """TP / (TP + FP + FN), as the Data Science Bowl 2018 counts; 1 where nothing was to be found and nothing was found."""
        return self.tp / total if (total := self.tp + self.fp + self.fn) else 1.0

    @property
    def precision(self) -> float:
        """TP / (TP + FP); nan where nothing was found."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else float("nan")

    @property
    def recall(self) -> float:
        """TP / (TP + FN); nan where there was nothing to find."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else float("nan")

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), which is also recognition quality (RQ); 1 where nothing was to be found and nothing was."""
        return 2 * self.tp / total if (total := 2 * self.tp + self.fp + self.fn) else 1.0

    @property
    def pq(self) -> float:
        """Panoptic quality, SQ x RQ (Kirillov et al., CVPR 2019)."""
        return self.f1 * self.sq if self.tp else self.f1


def score(overlap: Overlap, *, iou: float = 0.5, ignore_unknown: bool = False) -> Score:
    """Matches at ``iou`` (more than it, not equal) and counts.

    Parameters
    ----------
    ignore_unknown : leave out found objects without a partner that lie by half or more where the truth is not known; else
        they are false positives.
    """
    pairs = overlap.matched(iou)
    quality = np.asarray(overlap.iou[pairs[:, 0], pairs[:, 1]]).ravel()
    wrong = np.ones(len(overlap.found), bool)
    wrong[pairs[:, 1]] = False
    if ignore_unknown:
        wrong &= overlap.known > 0.5
    mean = float(quality.mean()) if len(pairs) else float("nan")
    return Score(len(pairs), int(wrong.sum()), overlap.true.size - len(pairs), mean)


def average_precision(truth: np.ndarray, found: np.ndarray, *, iou: float | Sequence[float] = 0.5) -> float:
    """TP / (TP + FP + FN) of one image, averaged over the thresholds where several are given.

    Parameters
    ----------
    truth, found : as for :meth:`Overlap.of`.
    iou : threshold(s) that a pair must exceed; :data:`THRESHOLDS` are those of the Data Science Bowl 2018 and of COCO.

    Examples
    --------
    >>> truth = np.repeat([[1, 0, 2, 2]], 4, axis=0)
    >>> found = np.repeat([[5, 0, 3, 0]], 4, axis=0)
    >>> average_precision(truth, found), average_precision(truth, found, iou=0.45)
    (0.3333333333333333, 1.0)
    """
    overlap = Overlap.of(truth, found)
    return float(np.mean([score(overlap, iou=t).ap for t in np.atleast_1d(iou)]))


def dice(overlap: Overlap) -> float:
    """2 |A and B| / (|A| + |B|) of the two foregrounds; 1 where both are empty."""
    both, true, found = overlap.pixels
    return 2 * both / (true + found) if true + found else 1.0


def jaccard(overlap: Overlap) -> float:
    """|A and B| / |A or B| of the two foregrounds; 1 where both are empty."""
    both, true, found = overlap.pixels
    return both / (true + found - both) if true + found else 1.0
