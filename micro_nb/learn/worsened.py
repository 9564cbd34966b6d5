"""How figures fall as pictures get worse: blur, noise, brightness, scale."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import ndimage as ndi

from ..data.image import MicroImage
from ..data.open import open_image
from ..progress import Progress, about
from .judgements import Judged
from .judging import Compared, Parse, Truth

CURVES: dict[str, tuple[float, ...]] = {
    "blur": (0, 1, 2, 4), "noise": (0, 0.02, 0.05, 0.1), "brightness": (0.4, 0.7, 1, 1.4), "scale": (0.5, 0.75, 1, 1.5),
}  # fmt: skip
"""Levels: sigma of a Gaussian in px; standard deviation as a share of the picture's range; factor of the grey values; factor of
the size."""
PLAIN = {"blur": 0.0, "noise": 0.0, "brightness": 1.0, "scale": 1.0}
"""Where nothing is changed; judged once for all curves."""
Job = tuple[MicroImage, Truth, list[str] | None]
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
        soft = ndi.gaussian_filter(values, (*plane, *[0.5 * max(0.0, 1 / level - 1)] * 2)) if level < 1 else values
        zoom = [max(1, round(n * level)) / n for n in values.shape[-2:]]
        values = ndi.zoom(soft, (*[1.0] * len(plane), *zoom), order=1, mode="nearest", grid_mode=True)
    if pixels.dtype.kind not in "iu":
        return values.astype(pixels.dtype)
    limits = np.iinfo(pixels.dtype)
    return np.clip(np.round(values), limits.min, limits.max).astype(pixels.dtype)


def worsened(jobs: Sequence[Job], parse: Parse, judged: Judged, *, seed: int = 0) -> pd.DataFrame:
    """The main figure at every level of every curve; how long that takes is said after the first picture.

    Parameters
    ----------
    jobs : image, truth and prompts of each picture. judged : the pictures as they are, whose main figure is taken.

    Returns
    -------
    ``kind``, ``level``, ``figure``, ``low``, ``high``, ``images``.
    """
    work = [("blur", PLAIN["blur"]), *((k, level) for k, levels in CURVES.items() for level in levels if level != PLAIN[k])]
    made: dict[tuple[str, float], Judged] = {}
    with Progress("making pictures worse", len(work) * len(jobs), "pictures") as progress:
        progress.what += f", {about(_seconds(jobs, parse, work, seed))}"
        for change in work:
            made[change] = worse = Judged(judged.classes, judged.incomplete)
            for img, truth, asked in jobs:
                changed, labels = _changed(img, truth, change, seed)
                worse.add(Compared.of(labels, parse(changed, asked), asked))
                progress.advance()
    rows = []
    for kind, levels in CURVES.items():
        for level in levels:
            figure = made.get((kind, level), made[work[0]]).figures(names=[judged.main], resamples=_DRAWS)[judged.main]
            rows.append((kind, level, figure.value, figure.low, figure.high, len(jobs)))
    return pd.DataFrame(rows, columns=["kind", "level", "figure", "low", "high", "images"])


def _seconds(jobs: Sequence[Job], parse: Parse, work: Sequence[tuple[str, float]], seed: int) -> float:
    """How long all will take, from one picture that is new to the model and the areas of the others."""
    start = time.perf_counter()
    img, truth, asked = jobs[0]
    parse(_changed(img, truth, work[1], seed)[0], asked)
    areas = [float(np.prod(img.plane_shape)) for img, *_ in jobs]
    passes = sum(level**2 if kind == "scale" else 1.0 for kind, level in work)
    return (time.perf_counter() - start) * passes * sum(areas) / areas[0]


def _changed(img: MicroImage, truth: Truth, change: tuple[str, float], seed: int) -> tuple[MicroImage, Truth]:
    """A picture made worse, and its labels."""
    factor = change[1] if change[0] == "scale" else 1.0
    size = None if img.pixel_size is None else {a: img.pixel_size[a] / factor for a in ("y", "x")}
    worse = open_image(degraded(np.asarray(img.read()), *change, seed=seed), axes="".join(img.axes), pixel_size=size)
    height, width = worse.plane_shape
    return worse, truth if factor == 1 else truth.scaled((height, width), factor)
