"""How figures fall as pictures get worse: blur, noise, brightness, scale."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import ndimage as ndi

from ..data.image import MicroImage
from ..data.open import open_image
from ..progress import Progress, about
from ..tiles.objects import Objects
from .evaluation_images import Judged, Parse, Truth, judge
from .metrics.boxes import Boxes, box_score
from .metrics.intervals import draws, interval, mean_interval

CURVES: dict[str, tuple[float, ...]] = {
    "blur": (0.0, 1.0, 2.0, 4.0),
    "noise": (0.0, 0.02, 0.05, 0.1),
    "brightness": (0.4, 0.7, 1.0, 1.4),
    "scale": (0.5, 0.75, 1.0, 1.5),
}
"""Levels: sigma of a Gaussian in px; standard deviation as a share of the picture's range; factor of the grey values; factor of
the size."""
PLAIN = {"blur": 0.0, "noise": 0.0, "brightness": 1.0, "scale": 1.0}
"""Where nothing is changed; judged once for all curves."""
Job = tuple[MicroImage, Truth, list[str] | None]
Spread = tuple[float, float, float]
_DRAWS = 200


def degraded(pixels: np.ndarray, kind: str, level: float, *, seed: int = 0) -> np.ndarray:
    """A picture ``(y, x)`` or ``(c, y, x)`` made worse; dtype is kept and values are cut to its range.

    Raises
    ------
    ValueError : ``kind`` is none of :data:`CURVES`.
    """
    if kind not in CURVES:
        raise ValueError(f"{kind!r} is not one of {', '.join(CURVES)}")
    values: np.ndarray = pixels.astype(np.float32)
    plane = (0,) * (pixels.ndim - 2)
    if kind == "blur":
        values = ndi.gaussian_filter(values, (*plane, level, level))
    elif kind == "noise":
        span = float(np.subtract(*np.percentile(values, (99.8, 0.2))))
        values = values + np.random.default_rng(seed).normal(0, level * max(span, 1e-6), values.shape)
    elif kind == "brightness":
        values = values * level
    elif level != 1:
        values = _resized(values, level)
    if pixels.dtype.kind not in "iu":
        return values.astype(pixels.dtype)
    limits = np.iinfo(pixels.dtype)
    return np.clip(np.round(values), limits.min, limits.max).astype(pixels.dtype)


def _resized(values: np.ndarray, factor: float) -> np.ndarray:
    """Linear interpolation; smoothed beforehand where it gets smaller."""
    plane = (0,) * (values.ndim - 2)
    shape = _shape(values.shape[-2:], factor)
    soft = ndi.gaussian_filter(values, (*plane, *[0.5 * max(0.0, 1 / factor - 1)] * 2)) if factor < 1 else values
    zoom = (*(1.0,) * len(plane), *(n / m for n, m in zip(shape, values.shape[-2:], strict=True)))
    out: np.ndarray = ndi.zoom(soft, zoom, order=1, mode="nearest", grid_mode=True)
    return out


def _shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def scaled(truth: Truth, factor: float) -> Truth:
    """The labels of a picture that was resized."""
    masks, boxes, points = truth.masks, truth.boxes, truth.points
    if masks is not None:
        rows, cols = (
            np.minimum(((np.arange(n) + 0.5) * m / n).astype(int), m - 1)
            for n, m in zip(_shape(masks.shape, factor), masks.shape, strict=True)
        )
        masks = masks[np.ix_(rows, cols)]
    if boxes is not None:
        boxes = Boxes(boxes.boxes * factor, boxes.names, boxes.scores, boxes.judged)
    return replace(truth, masks=masks, boxes=boxes, points=None if points is None else points * factor)


def robustness(jobs: list[Job], parse: Parse, main: str, *, seed: int = 0) -> pd.DataFrame:
    """The main figure at every level of every curve; how long that takes is said after the first picture.

    Parameters
    ----------
    jobs : image, truth and prompts of each picture. main : ``"ap50"``, ``"box_map50"`` or ``"point_recall"``.

    Returns
    -------
    ``kind``, ``level``, ``figure``, ``low``, ``high``, ``images``.
    """
    work = [("blur", PLAIN["blur"]), *((k, level) for k, levels in CURVES.items() for level in levels if level != PLAIN[k])]
    with Progress("making pictures worse", len(work) * len(jobs), "pictures") as progress:
        progress.what += f", {about(_seconds(jobs, parse, work, seed))}"
        made = {(k, level): _figure(jobs, parse, main, (k, level), seed, progress) for k, level in work}
    plain = made[work[0]]
    rows = [(k, level, *made.get((k, level), plain), len(jobs)) for k, levels in CURVES.items() for level in levels]
    return pd.DataFrame(rows, columns=["kind", "level", "figure", "low", "high", "images"])


def _seconds(jobs: list[Job], parse: Parse, work: list[tuple[str, float]], seed: int) -> float:
    """How long all will take, from one picture that is new to the model and the areas of the others."""
    start = time.perf_counter()
    _parsed(jobs[0], parse, work[1], seed)
    areas = [float(np.prod(img.plane_shape)) for img, *_ in jobs]
    passes = sum(level**2 if kind == "scale" else 1.0 for kind, level in work)
    return (time.perf_counter() - start) * passes * sum(areas) / areas[0]


def _parsed(job: Job, parse: Parse, change: tuple[str, float], seed: int) -> Objects:
    """What is found in a picture made worse."""
    img, _, asked = job
    factor = change[1] if change[0] == "scale" else 1.0
    size = None if img.pixel_size is None else {a: img.pixel_size[a] / factor for a in ("y", "x")}
    pixels = degraded(np.asarray(img.read()), *change, seed=seed)
    return parse(open_image(pixels, axes="".join(img.axes), pixel_size=size), asked)


def _figure(jobs: list[Job], parse: Parse, main: str, change: tuple[str, float], seed: int, progress: Progress) -> Spread:
    truths, judged = [], []
    for job in jobs:
        truths.append(scaled(job[1], change[1]) if change[0] == "scale" else job[1])
        judged.append(judge(truths[-1], _parsed(job, parse, change, seed), job[2]))
        progress.advance()
    return _map(truths, judged) if main == "box_map50" else _mean(judged, main)


def _mean(judged: list[Judged], main: str) -> Spread:
    found = mean_interval([float(j.row.get(main, np.nan)) for j in judged])
    return found.value, found.low, found.high


def _map(truths: list[Truth], judged: list[Judged]) -> Spread:
    pairs = [(t.boxes, j.boxes) for t, j in zip(truths, judged, strict=True) if t.boxes is not None and j.boxes is not None]
    scored = box_score([t for t, _ in pairs], [f for _, f in pairs])

    def mean(weights: np.ndarray) -> float:
        return float(np.nanmean([d.average_precision(weights) for d in scored.matched.values()]))

    found = interval(mean, draws(len(pairs), resamples=_DRAWS))
    return found.value, found.low, found.high
