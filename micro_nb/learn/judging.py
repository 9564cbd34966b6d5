"""One picture: what is labelled in it, what was found in it, and what of both can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..data.image import MicroImage
from ..errors import PlanError
from ..tiles.objects import Objects
from .metrics.boxes import Boxes, detections
from .metrics.instances import Overlap, Score, score
from .sample import nearest

Parse = Callable[[MicroImage, list[str] | None], Objects]
"""What is evaluated: an image and prompts (None: everything) to Objects."""
BOX = ["bbox_y0_px", "bbox_x0_px", "bbox_y1_px", "bbox_x1_px"]


@dataclass(frozen=True)
class Truth:
    """What is labelled in one image: label image, its prompt, boxes, points ``(n, 2)`` y, x, and how complete they are."""

    masks: np.ndarray | None = None
    prompt: str | None = None
    boxes: Boxes | None = None
    points: np.ndarray | None = None
    incomplete: tuple[str, ...] = ()

    @property
    def size_px(self) -> float:
        """Median diameter of what is labelled: of discs of the masks' areas, or the boxes' mean edge; nan for points."""
        sizes = np.zeros(0)
        if self.masks is not None:
            areas = np.bincount(self.masks[self.masks > 0].ravel())
            sizes = 2 * np.sqrt(areas[areas > 0] / np.pi)
        elif self.boxes is not None:
            b = self.boxes.boxes
            sizes = np.sqrt((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]))
        return float(np.median(sizes)) if sizes.size else float("nan")

    def scaled(self, shape: tuple[int, int], factor: float) -> Truth:
        """The labels of the picture resized to ``shape``, ``factor`` times as large."""
        masks, boxes, points = self.masks, self.boxes, self.points
        if masks is not None:
            masks = nearest(masks, shape)
        if boxes is not None:
            boxes = replace(boxes, boxes=boxes.boxes * factor)
        return replace(self, masks=masks, boxes=boxes, points=None if points is None else points * factor)


@dataclass(frozen=True)
class Compared:
    """What was found in one image beside what is labelled.

    Attributes
    ----------
    truth : what is labelled.
    layers : found label images ``(layer, y, x)`` of what answers to its prompt; None where neither masks nor points are labelled.
    scores : layer and number of each of these objects -> score.
    boxes : detections, named by prompt; None where no boxes are labelled.
    """

    truth: Truth
    layers: np.ndarray | None
    scores: Mapping[tuple[int, int], float]
    boxes: Boxes | None

    @classmethod
    def of(cls, truth: Truth, found: Objects, asked: Sequence[str] | None) -> Compared:
        """Of what was found in this image, asked for these prompts (None: for everything).

        Raises
        ------
        PlanError : label images are to be compared and none were kept.
        """
        layers, scores = None, dict[tuple[int, int], float]()
        if truth.masks is not None or truth.points is not None:
            layers, scores = chosen_labels(found, truth.prompt, asked)
        return cls(truth, layers, scores, None if truth.boxes is None else found_boxes(found, asked))

    @property
    def kinds(self) -> set[str]:
        """What there is to compare: ``masks`` or ``points``, their ``counts`` where all are labelled, and ``boxes``."""
        kinds = {"boxes"} if self.boxes is not None else set[str]()
        if self.truth.masks is not None:
            return kinds | {"masks", "counts"}
        if self.truth.points is not None:
            return kinds | {"points", "counts" if self.truth.prompt not in self.truth.incomplete else "points"}
        return kinds

    @cached_property
    def overlap(self) -> Overlap:
        """Of the masks."""
        assert self.truth.masks is not None
        assert self.layers is not None
        return Overlap.of(self.truth.masks, self.layers)

    @cached_property
    def half(self) -> Score:
        """Of the masks at IoU 0.5."""
        return self.at(0.5)

    def at(self, iou: float, *, lenient: bool = False) -> Score:
        """Of the masks at an IoU; leniently without what was found where nothing is known."""
        return score(self.overlap, iou=iou, ignore_unknown=lenient)

    @cached_property
    def classes(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Class of the boxes -> which detections are hits at IoU 0.5, which wrong as far as labels tell, and labelled boxes."""
        if self.truth.boxes is None or self.boxes is None:
            return {}
        found = {n: detections([self.truth.boxes], [self.boxes], n) for n in self.truth.boxes.judged or ()}
        return {n: (d.hit, ~d.hit & ~(d.stray & (n in self.truth.incomplete)), d.true) for n, d in found.items()}

    @property
    def n_true(self) -> int:
        """Objects that are labelled: masks, else points, else boxes of all classes."""
        if self.truth.masks is not None:
            return self.half.tp + self.half.fn
        return sum(int(true.sum()) for *_, true in self.classes.values()) if self.truth.points is None else len(self.truth.points)

    @property
    def n_found(self) -> int:
        """Objects that were found, of those that are compared with these."""
        if self.truth.masks is not None:
            return self.half.tp + self.half.fp
        if self.layers is not None:
            return sum(np.unique(layer[layer > 0]).size for layer in self.layers)
        return sum(hit.size for hit, *_ in self.classes.values())

    @property
    def points_hit(self) -> int:
        """Points that lie in a found object of their own."""
        assert self.layers is not None
        assert self.truth.points is not None
        at = np.clip(self.truth.points.round().astype(int), 0, np.array(self.layers.shape[1:]) - 1)
        hit = self.layers[:, at[:, 0], at[:, 1]].max(0, initial=0)
        return int(np.unique(hit[hit > 0]).size)

    @property
    def sure(self) -> np.ndarray:
        """``(n, 2)``: score of each object that is compared with masks, and whether it is right (1) or not (0)."""
        if self.truth.masks is None or not len(self.overlap.found):
            return np.zeros((0, 2))
        right = np.zeros(len(self.overlap.found))
        right[self.overlap.matched()[:, 1]] = 1
        return np.stack([[self.scores[int(k), int(n)] for k, n in self.overlap.found], right], 1)


def chosen_labels(
    found: Objects, prompt: str | None, asked: Sequence[str] | None
) -> tuple[np.ndarray, dict[tuple[int, int], float]]:
    """The label images of what answers to ``prompt``, and the score of each object by layer and number.

    Where one prompt was asked all objects answer to it. Where everything was looked for, whole objects (layer ``object``) are
    taken, as what lies inside of them would be counted twice.
    """
    if found.labels is None:
        raise PlanError("these Objects hold a table without label images, which are needed to compare masks; keep the labels")
    labels, table = np.asarray(found.labels.values), found.table
    names = [str(v) for v in found.labels["layer"].values] if labels.ndim == 3 and "layer" in found.labels.coords else None
    if asked is None:
        whole = table["layer"] == "object"
        table = table[whole] if whole.any() else table
    elif len(asked) > 1:
        table = table[table["name"] == prompt]
    kept, scores = [], dict[tuple[int, int], float]()
    for k, layer in enumerate(labels[None] if labels.ndim == 2 else labels):
        mine = table[table["layer"] == names[k]] if names is not None else table
        numbers = mine["label"].to_numpy(int)
        keep = np.zeros(max(int(layer.max(initial=0)), int(numbers.max(initial=0))) + 1, np.int32)
        keep[numbers] = numbers
        kept.append(keep[layer])
        scores |= {(k, int(n)): float(s) for n, s in zip(numbers, mine["score"], strict=True)}
    return np.stack(kept), scores


def found_boxes(found: Objects, asked: Sequence[str] | None) -> Boxes:
    """Detections of all objects, named by prompt (all of them by the only prompt, where only one was asked)."""
    table = found.table
    if not len(table):
        return Boxes(np.zeros((0, 4)), np.zeros(0, object), np.zeros(0))
    names = table["name"].to_numpy() if asked is None or len(asked) > 1 else np.full(len(table), asked[0], object)
    return Boxes(table[BOX].to_numpy(float), names, table["score"].to_numpy(float))


def brightness(pixels: np.ndarray) -> float:
    """Mean grey value as a share of the data type's range, 0..1 (of the largest value for floats)."""
    top: Any = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else max(pixels.max(initial=0), 1e-12)
    return float(pixels.mean()) / float(top)
