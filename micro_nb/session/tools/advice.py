"""Tools that measure the situation advice depends on; what cannot be measured on an image is left out, never guessed."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from ...data.image import MicroImage
from ...errors import MicroNBError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .chosen import select
from .contact import plane_of
from .counting import coverage
from .found import is_large
from .quality import quality

Facts = tuple[Measurement, ...]
_GRID = 4  # tiles along each side when the scatter within a field is measured
_MARGIN = 10.0  # % of the mean to which a count should be known
_Z = 1.96
_NEAR = 2  # px between two outlines that count as touching


def as_far_as_possible(function: Callable[..., Facts]) -> Callable[..., Facts]:
    """A tool that gives no facts where the image does not allow them (several planes, too large, nothing found)."""

    @functools.wraps(function)
    def careful(img: MicroImage, **parameters: Any) -> Facts:
        try:
            return function(img, **parameters)
        except MicroNBError:
            return ()

    return careful


@tool("otsu_fit", quantity="how well a global threshold agrees with the objects")
@as_far_as_possible
def otsu_fit(img: MicroImage, *, target: str = "objects", eyes: str = FLOOR) -> Facts:
    """IoU of Otsu's global threshold with the objects found, the threshold, and the share (%) of objects that its mask joins
    with a neighbour. Nothing where fewer than two objects are found.
    """
    labels = _labels(img, target, eyes)
    if labels is None:
        return ()
    grey = _grey(img)
    limit = float(threshold_otsu(grey))  # type: ignore[no-untyped-call]
    masks = (grey > limit, grey <= limit)
    inside = labels > 0
    scores = [float((m & inside).sum() / max((m | inside).sum(), 1)) for m in masks]
    mask = masks[int(np.argmax(scores))]
    found = {"method": "Otsu", "objects": len(np.unique(labels)) - 1}
    return (
        Measurement("IoU of a global threshold with the objects", max(scores), found=found),
        Measurement("global threshold", limit, "grey value", found=found),
        Measurement("objects joined by the threshold", 100 * _joined(mask, labels), "%", found=found),
    )


def _joined(mask: np.ndarray, labels: np.ndarray) -> float:
    """Share of the objects that lie in one connected part of the mask with another."""
    parts, _ = ndimage.label(mask)
    both = (labels > 0) & (parts > 0)
    pairs, n = np.unique(np.stack([labels[both], parts[both]]), axis=1, return_counts=True)
    main = {int(obj): int(part) for obj, part in pairs[:, np.argsort(n)].T}  # the last one written is the largest share
    shared = np.bincount(list(main.values())) if main else np.zeros(1, int)
    return float(sum(shared[part] > 1 for part in main.values()) / max(len(main), 1))


@tool("touching", unit="%", quantity="share of the objects that touch another")
@as_far_as_possible
def touching(img: MicroImage, *, target: str = "objects", eyes: str = FLOOR) -> Facts:
    """Share (%) and number of objects whose outline lies within 2 px of another's, of how many."""
    labels = _labels(img, target, eyes)
    if labels is None:
        return ()
    close: set[int] = set()
    for axis in (0, 1):
        for step in range(1, _NEAR + 1):
            a, b = (np.take(labels, range(s, labels.shape[axis] - step + s), axis) for s in (0, step))
            met = (a > 0) & (b > 0) & (a != b)
            close |= set(np.unique(a[met])) | set(np.unique(b[met]))
    n = len(np.unique(labels)) - 1
    found = {"within_px": _NEAR}
    return (
        Measurement("share of touching objects", 100 * len(close) / n, "%", found=found),
        Measurement("number of touching objects", len(close), "count", found=found),
        Measurement("number of objects looked at", n, "count", found=found),
    )


@tool("cut_by_border", unit="count", quantity="objects cut by the border")
@as_far_as_possible
def cut_by_border(img: MicroImage, *, target: str = "objects", eyes: str = FLOOR) -> Facts:
    """How many objects touch the border of the image."""
    filters = [{"quantity": "touches_border", "op": "is", "value": True}]
    return (Measurement("objects at the border", len(select(img, filters=filters, target=target, eyes=eyes)), "count"),)


@tool("field_variation", quantity="scatter of the count within the field, and fields needed")
@as_far_as_possible
def field_variation(img: MicroImage, *, target: str = "objects", eyes: str = FLOOR, margin_percent: float = _MARGIN) -> Facts:
    """Counts on a 4 x 4 grid of tiles: their mean and SD, the half width (%) of the 95 % interval of one field's count,
    and the fields needed to bring it to `margin_percent`: (half width / margin)². It holds the scatter within this field only.
    """
    table = select(img, target=target, eyes=eyes).table
    height, width = img.plane_shape
    rows = (table["centroid_y_px"].to_numpy() * _GRID / height).astype(int).clip(0, _GRID - 1)
    cols = (table["centroid_x_px"].to_numpy() * _GRID / width).astype(int).clip(0, _GRID - 1)
    counts = np.bincount(rows * _GRID + cols, minlength=_GRID**2)
    mean, sd = float(counts.mean()), float(counts.std(ddof=1))
    if mean == 0:
        return ()
    half = 100 * _Z * sd / mean / _GRID
    found = {"tiles": _GRID**2, "z": _Z, "wanted_percent": margin_percent, "source": "Cochran, Sampling Techniques"}
    return (
        Measurement("objects per tile", mean, found=found),
        Measurement("SD between tiles", sd, found=found),
        Measurement("half width of the interval of the count", half, "%", found=found),
        Measurement("fields needed", max(1, math.ceil((half / margin_percent) ** 2)), "count", found=found),
    )


@tool("how_many", unit="count", quantity="number of objects, with the error of counting")
@as_far_as_possible
def how_many(img: MicroImage, *, target: str = "objects", eyes: str = FLOOR) -> Facts:
    """How many objects, and the error (%) that counting so many brings: 100 / sqrt(N)."""
    counted = select(img, target=target, eyes=eyes).number
    n = float(counted.value or 0)  # type: ignore[arg-type]
    again = Measurement("objects found", counted.value, "count", counted.interval, counted.found)
    return (again, Measurement("counting error", 100 / math.sqrt(n), "%")) if n else (again,)


@tool("area_share", unit="%", quantity="share of the area that objects cover")
@as_far_as_possible
def area_share(img: MicroImage, *, target: str = "objects", eyes: str = FLOOR) -> Facts:
    """Share of the area (%) that the objects cover."""
    return (coverage(select(img, target=target, eyes=eyes)),)


@tool("span", unit="px", quantity="median diameter in pixels")
@as_far_as_possible
def span(img: MicroImage, *, target: str = "objects", eyes: str = FLOOR) -> Facts:
    """Median diameter of the objects in pixels, whatever the scale."""
    chosen = select(img, target=target, eyes=eyes)
    if not len(chosen):
        return ()
    across, _ = chosen.values("diameter", "px")
    return (Measurement("pixels across a typical object", float(np.median(across)), "px"),)


@tool("fitness", quantity="technical quality, as far as it can be measured")
@as_far_as_possible
def fitness(img: MicroImage) -> Facts:
    """Focus, noise, background and emptiness, as in `quality`."""
    judged = quality(img)
    return judged if isinstance(judged, tuple) else (judged,)


@tool("scale_of", quantity="whether the pixel size is known")
def scale_of(img: MicroImage) -> Facts:
    """Whether the pixel size is known, and the pixel size (µm)."""
    if img.pixel_size is None:
        return (Measurement("pixel size known", False),)
    return Measurement("pixel size known", True), Measurement("pixel size", img.pixel_size["x"], "um")


def _labels(img: MicroImage, target: str, eyes: str) -> np.ndarray | None:
    """The label image ``(y, x)`` of the objects; None where fewer than two are found, or only a sample was looked at."""
    if is_large(img):
        return None
    chosen = select(img, target=target, eyes=eyes)
    if chosen.objects.labels is None or len(chosen) < 2:
        return None
    plane = plane_of(chosen.objects)
    return np.where(np.isin(plane, chosen.table["label"].to_numpy()), plane, 0)


def _grey(img: MicroImage) -> np.ndarray:
    """Brightness ``(y, x)``: the mean of the channels."""
    pixels = img.plane().read().astype(np.float32)
    return pixels if pixels.ndim == 2 else pixels.reshape(-1, *pixels.shape[-2:]).mean(axis=0)
