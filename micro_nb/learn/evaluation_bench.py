"""The bench of an evaluation: images are parsed and judged one by one, and what the figures need is kept, never all pixels."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..data.image import MicroImage
from ..progress import track
from .evaluation_failures import Failure, picture, words
from .evaluation_images import Judged, Parse, Truth, brightness, judge, typical_size
from .evaluation_presence import PER_SET, Answer, Presence, foreign_answers, own_answers, summarised
from .evaluation_robustness import robustness as curves
from .evaluation_strata import Judgements
from .labelled_set import LabelledImage, LabelledSet
from .metrics.boxes import Boxes, box_score

_RANKED = ("f1", "box_f1", "point_recall")


@dataclass
class Bench:
    """Judges images one by one and keeps what the figures need, never all pixels."""

    data: LabelledSet
    parse: Parse
    keep: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    truths: list[Boxes] = field(default_factory=list)
    founds: list[Boxes] = field(default_factory=list)
    sure: list[np.ndarray] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    failures: list[tuple[float, int, LabelledImage, Judged, dict[str, Any]]] = field(default_factory=list)

    def run(self, trained_on: np.ndarray) -> None:
        """Parses and judges all images; ``trained_on`` ``(n,) bool`` says of each whether the model was trained on it."""
        work = list(zip(self.data.images, trained_on, strict=True))
        for item, seen in track(work, f"evaluating on {self.data.name}", unit="images"):
            self.add(item, trained=bool(seen))

    def add(self, item: LabelledImage, *, trained: bool) -> None:
        """Parses and judges one image."""
        img, truth, asked = item.open(), self.truth(item), self.data.prompts
        start = time.perf_counter()
        found = self.parse(img, asked)
        seconds = time.perf_counter() - start
        judged = judge(truth, found, asked)
        row = self.facts(item, img, truth) | {"seconds": seconds, "trained_on": trained} | dict(judged.row)
        self.answers += own_answers(self.data, item, found)
        self.sure.append(np.column_stack([np.full(len(judged.sure), len(self.rows)), judged.sure]))
        none = Boxes(np.zeros((0, 4)), np.zeros(0, object), np.zeros(0), judged=())
        self.truths.append(truth.boxes or none)
        self.founds.append(judged.boxes or none)
        self.remember(item, judged, row)
        self.rows.append(row)

    def truth(self, item: LabelledImage) -> Truth:
        notes = self.data.notes
        return Truth(item.masks(notes.rim_px), item.prompt, item.boxes, item.points, item.coverage, notes.incomplete)

    def facts(self, item: LabelledImage, img: MicroImage, truth: Truth) -> dict[str, Any]:
        """What images are told apart by."""
        height, width = img.plane_shape
        base = {"image": item.name, "group": item.group, "megapixels": height * width / 1e6, **item.facts}
        return base | {"brightness": brightness(np.asarray(img.read())), "size_px": typical_size(truth)}

    def remember(self, item: LabelledImage, judged: Judged, row: dict[str, Any]) -> None:
        """Keeps what was found in this image if it is among the worst so far."""
        score = next((float(row[k]) for k in _RANKED if k in row and row[k] == row[k]), None)
        if score is not None and self.keep > 0:
            self.failures.append((score, len(self.rows), item, judged, row))
            self.failures = sorted(self.failures, key=lambda kept: kept[:2])[: self.keep]

    def worst(self) -> tuple[Failure, ...]:
        """Pictures of the worst images, the worst first."""
        return tuple(
            Failure(item.name, score, words(row), picture(item.open(), self.truth(item), judged))
            for score, _, item, judged, row in self.failures
        )

    def judgements(self) -> Judgements:
        classes, incomplete = list(self.data.classes), self.data.notes.incomplete
        half = finer = None
        if classes:
            half, finer = (
                box_score(self.truths, self.founds, iou=iou, names=classes, incomplete=incomplete) for iou in (0.5, 0.75)
            )
        return Judgements(pd.DataFrame(self.rows), self.data.groups, half, finer, np.concatenate(self.sure))

    def robustness(self, n: int, main: str, *, seed: int) -> pd.DataFrame | None:
        """The main figure of ``n`` images made worse; None where none are to be."""
        if n <= 0:
            return None
        few = self.data.few(min(n, len(self.data.images)))
        jobs = [(item.open(), self.truth(item), self.data.prompts) for item in few.images]
        return curves(jobs, self.parse, main, seed=seed)

    def presence(self, others: list[LabelledSet]) -> Presence | None:
        """Answers of the main run, and with other folders what each says of the prompts of all others."""
        if others and self.answers:
            sets = [self.data, *others]
            work = [(s, i) for s in sets for i in s.few(PER_SET).images]
            for s, item in track(work, "asking what is not there", unit="images"):
                if s is not self.data and s.prompts:
                    self.answers += own_answers(s, item, self.parse(item.open(), s.prompts))
                self.answers += foreign_answers(s, item, sets, self.parse)
        return summarised(self.answers)
