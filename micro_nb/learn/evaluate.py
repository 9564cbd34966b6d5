"""``evaluate``: how good a model is on a labelled folder, with intervals, by strata, and only on pictures it has not seen."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..data.image import MicroImage
from ..errors import PlanError
from ..progress import track
from .evaluation import Contamination, Evaluation
from .evaluation_data import LabelledImage, LabelledSet, Prompts, read_set
from .evaluation_failures import Failure, picture, words
from .evaluation_guard import TrainedOn, model_name
from .evaluation_images import Judged, Parse, Truth, brightness, judge, typical_size
from .evaluation_presence import PER_SET, Answer, Presence, foreign_answers, own_answers, summarised
from .evaluation_robustness import Job
from .evaluation_robustness import robustness as curves
from .evaluation_strata import Judgements, class_table, strata, worst
from .metrics.boxes import Boxes, box_score

_FEW = 15
_WORSENED = 8
_RANKED = ("f1", "box_f1", "point_recall")


def evaluate(
    data_dir: str | os.PathLike[str],
    *,
    model: Any = None,
    parse: Callable[..., Any] | None = None,
    prompts: Prompts = None,
    limit: int | None = None,
    against: Iterable[str | os.PathLike[str]] = (),
    robustness: bool = False,
    worsened: int = 0,
    failures: int = 4,
    force: bool = False,
    trained_on: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Measures how well a model finds what is labelled in a folder.

    Parameters
    ----------
    data_dir : a labelled folder, see :func:`~micro_nb.learn.evaluation_data.read_set`.
    model : a loaded model, its folder or hub id; by default the one of the package.
    parse : something else to evaluate, called as ``parse(img, prompts)`` (prompts a list, or None for everything) and giving
        :class:`~micro_nb.Objects`; instead of ``model``.
    prompts : what is labelled, in words; see :func:`~micro_nb.learn.evaluation_data.read_set`.
    limit : at most so many images, evenly spaced.
    against : further labelled folders, for whether the model knows what is not there: their prompts are asked here and this
        folder's prompts are asked there.
    robustness : whether images are also judged worsened; 8 of them unless ``worsened`` says how many.
    worsened : so many images are also judged blurred, noisy, darker and brighter, smaller and larger; about 13 parses each.
    failures : so many of the worst images are kept as small pictures.
    force : evaluate although the model was trained on some of these pictures; the figures are then marked.
    trained_on : list of training pictures (CSV with the columns dataset, name, sha256), instead of the ``trained_on.csv`` in
        the model's folder.
    seed : of the bootstrap and of the noise.

    Returns
    -------
    Tables by image, stratum and class; figures with 95 % bootstrap intervals over images, or over groups of images where
    index.csv has a column ``group``.

    Raises
    ------
    ContaminationError : the model was trained on some of these pictures, and ``force`` was not said.
    ImageNotFoundError, CorruptImageError : the folder is not a labelled one.
    ValueError : both ``model`` and ``parse`` were given, or the prompts do not fit.

    References
    ----------
    AP of masks: TP / (TP + FP + FN) an image, Caicedo et al., Nature Methods 16 (2019) 1247-1253. AP of boxes: Lin et al. (COCO),
    ECCV 2014. PQ: Kirillov et al., CVPR 2019. Calibration: Guo et al., ICML 2017.
    """
    data = read_set(data_dir, prompts=prompts).few(limit)
    others = [read_set(folder).few(PER_SET) for folder in against]
    run, by = parser(model, parse)
    listed = _list(model, parse, trained_on)
    held = listed.check([i.path for i in data.images], force=force, what=str(data_dir))
    bench = _Bench(data, run, failures)
    for item, seen in track(list(zip(data.images, held, strict=True)), f"evaluating on {data.name}", unit="images"):
        bench.add(item, trained=bool(seen))
    judged = bench.judgements()
    figures = judged.figures(seed=seed)
    parts = strata(judged, seed=seed)
    worsened = worsened or _WORSENED * robustness
    table = None if worsened <= 0 else curves(bench.jobs(worsened), run, judged.main, seed=seed)
    known = Contamination(listed.table is not None, listed.source, tuple(judged.table["image"][held]))
    present = bench.presence(others)
    return Evaluation(
        data.name, by, None if data.prompts is None else tuple(data.prompts), judged.table, judged.main, figures, parts,
        worst(parts, judged.main, figures[judged.main].value), known, class_table(judged, seed=seed), present, table,
        bench.worst(), tuple(_notes(data, known, present)),
    )  # fmt: skip


def parser(model: Any, parse: Callable[..., Any] | None) -> tuple[Parse, str]:
    """What is evaluated as a function of an image and prompts, and what it is called.

    Raises
    ------
    ValueError : both were given.
    """
    if parse is not None:
        if model is not None:
            raise ValueError("evaluate takes either model= or parse=, not both; bind the model into parse with functools.partial")
        return parse, str(getattr(parse, "__name__", type(parse).__name__))
    tasks = importlib.import_module("micro_nb.tasks")  # brings torch, so only when a model is evaluated
    loaded = tasks.load_model(model) if isinstance(model, str | os.PathLike) else model or tasks.load_model()
    return partial(tasks.parse, model=loaded), os.path.basename(model_name(loaded).rstrip("/")) or type(loaded).__name__


def _list(model: Any, parse: Any, trained_on: Any) -> TrainedOn:
    if trained_on is not None:
        found = TrainedOn.of(os.fspath(trained_on))
        if found.table is None:
            raise PlanError(
                f"trained_on={os.fspath(trained_on)!r}: {found.source}; give a CSV with the columns dataset, name, sha256"
            )
        return found
    if parse is not None:
        return TrainedOn(None, "parse= was given and brings no list of training pictures; pass trained_on= where it was trained")
    return TrainedOn.of(model)


@dataclass
class _Bench:
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

    def jobs(self, n: int) -> list[Job]:
        few = self.data.few(min(n, len(self.data.images)))
        return [(item.open(), self.truth(item), self.data.prompts) for item in few.images]

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


def _notes(data: LabelledSet, known: Contamination, present: Presence | None) -> Iterable[str]:
    if known.images:
        yield (
            f"The model was trained on {len(known.images)} of these images: the figures are marked and say nothing of new ones."
        )
    elif not known.checked:
        yield f"It was not checked whether the model was trained on these images ({known.source})."
    if data.notes.incomplete and data.classes:
        missing = ", ".join(p for p in data.notes.incomplete if p in data.classes)
        yield (
            f"Not every {missing} is labelled: strict figures count detections without a label as wrong; the others ignore those "
            "that overlap no labelled box by 0.1 or more."
        )
    if data.notes.rim_px:
        yield (
            f"Objects cut by the frame are not labelled: strict figures count what is found there as wrong; the others ignore "
            f"found objects that lie by half or more within {data.notes.rim_px} px of it."
        )
    if data.prompts is None:
        yield "Everything was looked for, as no prompt is known for this folder; only whole objects are compared."
    if present is None:
        yield "What was evaluated says nothing of presence."
    independent = len(set(data.groups)) if data.groups else len(data.images)
    if independent < _FEW:
        yield f"{independent} independent images are few: the intervals are narrower than they should be."
