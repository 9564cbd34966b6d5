"""``evaluate``: how good a model is on a labelled folder, with intervals, by strata, and only on pictures it has not seen."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from ..errors import PlanError
from ..progress import track
from .asked import Answer, Presence, own_answers, presence, summarised
from .evaluation import Contamination, Evaluation, Failure
from .judgements import Judged, worst
from .judging import Compared, Parse, Truth, brightness
from .labelled_set import LabelledImage, LabelledSet, Prompts, read_set
from .trained_on import TrainedOn, model_name
from .worsened import worsened as made_worse

_RANKED = ("f1", "box_f1", "point_recall")
"""By the first of these that there is, the worst images are chosen."""
_FEW = 15
_WORSENED = 8


def evaluate(
    data_dir: str | os.PathLike[str], *, model: Any = None, parse: Callable[..., Any] | None = None, prompts: Prompts = None,
    limit: int | None = None, against: Iterable[str | os.PathLike[str]] = (), robustness: bool = False, worsened: int = 0,
    failures: int = 4, force: bool = False, trained_on: str | os.PathLike[str] | None = None, seed: int = 0,
) -> Evaluation:  # fmt: skip
    """Measures how well a model finds what is labelled in a folder.

    Parameters
    ----------
    data_dir : a labelled folder, see :func:`~micro_nb.learn.labelled_set.read_set`.
    model : a loaded model, its folder or hub id; by default the one of the package.
    parse : something else to evaluate, called as ``parse(img, prompts)`` (prompts a list, or None for everything) and giving
        :class:`~micro_nb.Objects`; instead of ``model``.
    prompts : what is labelled, in words; see :func:`~micro_nb.learn.labelled_set.read_set`.
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
    others = [read_set(folder) for folder in against]
    run, by = parser(model, parse)
    listed = _list(model, parse, trained_on)
    held = listed.check([i.path for i in data.images], force=force, what=str(data_dir))
    judged, answers, bad = _judged(data, run, held, failures)
    figures, parts = judged.figures(seed=seed), judged.strata(seed=seed)
    few = data.few(worsened or _WORSENED).images if worsened > 0 or robustness else ()
    jobs = [(i.open(), _truth(data, i), data.prompts) for i in few]
    known = Contamination(listed.table is not None, listed.source, tuple(judged.table["image"][held]))
    present = presence([data, *others], run, known=answers) if others and answers else summarised(answers)
    return Evaluation(
        name=data.name, by=by, prompts=None if data.prompts is None else tuple(data.prompts), images=judged.table,
        main=judged.main, figures=figures, strata=parts, worst=worst(parts, judged.main, figures[judged.main].value),
        contamination=known, classes=judged.class_table(seed=seed), presence=present,
        robustness=made_worse(jobs, run, judged, seed=seed) if jobs else None, failures=bad,
        notes=tuple(_notes(data, known, present)),
    )  # fmt: skip


def parser(model: Any, parse: Callable[..., Any] | None) -> tuple[Parse, str]:
    """What is evaluated as a function of an image and prompts, and what it is called; refuses both together."""
    if parse is not None:
        if model is not None:
            raise ValueError("evaluate takes either model= or parse=, not both; bind the model into parse with functools.partial")
        return parse, str(getattr(parse, "__name__", type(parse).__name__))
    tasks = importlib.import_module("micro_nb.tasks")  # brings torch, so only when a model is evaluated
    loaded = tasks.load_model(model) if isinstance(model, str | os.PathLike) else model or tasks.load_model()
    return partial(tasks.parse, model=loaded), os.path.basename(model_name(loaded).rstrip("/")) or type(loaded).__name__


def _judged(data: LabelledSet, parse: Parse, held: np.ndarray, keep: int) -> tuple[Judged, list[Answer], tuple[Failure, ...]]:
    """All images parsed and judged one by one, what was said of presence, and pictures of the worst."""
    judged, answers, bad = Judged(data.classes, data.notes.incomplete, data.groups), list[Answer](), list[Any]()
    work = list(zip(data.images, held, strict=True))
    for k, (item, seen) in enumerate(track(work, f"evaluating on {data.name}", unit="images")):
        img, truth = item.open(), _truth(data, item)
        start = time.perf_counter()
        found = parse(img, data.prompts)
        seconds, (height, width) = time.perf_counter() - start, img.plane_shape
        compared = Compared.of(truth, found, data.prompts)
        row = judged.add(
            compared, image=item.name, group=item.group, megapixels=height * width / 1e6, **item.facts,
            brightness=brightness(np.asarray(img.read())), size_px=truth.size_px, seconds=seconds, trained_on=bool(seen),
        )  # fmt: skip
        answers += own_answers(data, item, found)
        score = next((float(row[name]) for name in _RANKED if row.get(name, np.nan) == row.get(name)), np.nan)
        if keep > 0 and score == score:
            bad = sorted([*bad, (score, k, item, compared, row)], key=lambda kept: kept[:2])[:keep]
    return judged, answers, tuple(Failure.of(item.open(), item.name, score, *rest) for score, _, item, *rest in bad)


def _truth(data: LabelledSet, item: LabelledImage) -> Truth:
    return Truth(item.masks(data.notes.rim_px), item.prompt, item.boxes, item.points, data.notes.incomplete)


def _list(model: Any, parse: Any, trained_on: Any) -> TrainedOn:
    if trained_on is not None:
        if (found := TrainedOn.of(os.fspath(trained_on))).table is None:
            raise PlanError(f"trained_on: {found.source}; give a CSV with the columns dataset, name, sha256")
        return found
    if parse is not None:
        return TrainedOn(None, "parse= was given and brings no list of training pictures; pass trained_on= where it was trained")
    return TrainedOn.of(model)


def _notes(data: LabelledSet, known: Contamination, present: Presence | None) -> Iterable[str]:
    if n := len(known.images):
        yield f"The model was trained on {n} of these images: the figures are marked and say nothing of new ones."
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
