"""A tool that measures how red cells look, so that the look can be given its name; a description, never a diagnosis."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...data.image import MicroImage
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .chosen import select
from .contact import plane_of
from .found import is_large

_LONG = 1.25  # median axis ratio from which cells are called elliptocytes or ovalocytes
_VERY_LONG = 1.6
_TARGET = 0.1  # by which the centre is darker than the ring around it in a target cell
_MANY = 0.35  # share of such cells from which the look is called so
NO_PALLOR, _RING = 0.12, 0.65  # pallor below which there is none, and above which cells are rings
_LEAST, _MOST = 5, 400  # cells


@tool("red_cell_shape", quantity="commonest look of the red cells")
def red_cell_shape(img: MicroImage, *, eyes: str = FLOOR) -> tuple[Measurement, ...]:
    """The name of the commonest look of the red cells of a stained film, from their median axis ratio (long over short axis) and
    pallor: 1 - absorbance of the centre over that of the ring around it (0 no pale centre, towards 1 a ring). Cells at the border
    are left out.
    """
    ratios, pallors, bulls = _cells(img, eyes)
    if len(ratios) < _LEAST:
        raise EvidenceError("too few whole red cells were found to name their look")
    ratio, pallor = float(np.median(ratios)), float(np.median(pallors))
    found = {"cells": len(ratios), "source": "Bain, Blood Cells: A Practical Guide"}
    return (
        Measurement("name of the look", _name(ratio, pallor, float(np.mean(np.array(bulls) > _TARGET))), found=found),
        Measurement("median axis ratio", ratio, found=found),
        Measurement("median central pallor", pallor, found=found),
        Measurement("red cells looked at", len(ratios), "count", found=found),
    )


def _name(ratio: float, pallor: float, bull: float) -> str:
    if ratio >= _LONG:
        return "elliptocytes (elongated; ovalocytes where egg-shaped)" if ratio >= _VERY_LONG else "ovalocytes (elliptocytes)"
    if bull > _MANY:
        return "target cells (codocytes: a dark spot in the pale centre)"
    if pallor < NO_PALLOR:
        return "spherocytes (round, without a pale centre)"
    return "hypochromic cells (large pale centre)" if pallor > _RING else "discocytes (round, with a normal pale centre)"


def _cells(img: MicroImage, eyes: str) -> tuple[list[float], list[float], list[float]]:
    """Axis ratio, pallor and darkness of the very centre of every whole red cell."""
    if is_large(img):
        raise EvidenceError("this image is too large to measure every cell; ask about a part of it")
    chosen = select(
        img, target="red blood cells", eyes=eyes, filters=[{"quantity": "touches_border", "op": "is", "value": False}]
    )
    if chosen.objects.labels is None or not len(chosen):
        return [], [], []
    plane = plane_of(chosen.objects)
    dark = _absorbance(img, plane)
    wanted = set(chosen.table["label"].to_numpy(int)[:_MOST])
    ratios, pallors, bulls = [], [], []
    for label, box in enumerate(ndimage.find_objects(plane), start=1):
        if label in wanted and box is not None:
            mask = plane[box] == label
            if mask.sum() >= 50:
                ratios.append(_axis_ratio(mask))
                pallor, bull = _pallor(dark[box], mask)
                pallors.append(pallor)
                bulls.append(bull)
    return ratios, pallors, bulls


def _axis_ratio(mask: np.ndarray) -> float:
    """Long over short axis of the ellipse of the same second moments."""
    y, x = np.nonzero(mask)
    low, high = np.linalg.eigvalsh(np.cov(np.stack([y, x])) + np.eye(2) / 12)
    return float(np.sqrt(high / low))


def _pallor(dark: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """By depth below the outline: 1 - absorbance of the middle over that of the ring; and (centre - inner ring) / ring."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    depth = depth / max(float(depth.max()), 1.0)
    centre, inner, ring = (dark[(depth > low) & (depth <= high)] for low, high in ((0.85, 1.0), (0.5, 0.75), (0.25, 0.6)))
    middle, around = dark[depth > 0.8], max(float(np.median(ring)) if ring.size else 0.0, 1e-3)
    if not (middle.size and centre.size and inner.size):
        return 0.0, 0.0
    return float(np.clip(1 - np.median(middle) / around, -1, 1)), float((np.median(centre) - np.median(inner)) / around)


def _absorbance(img: MicroImage, labels: np.ndarray) -> np.ndarray:
    """-log10 of the green light passed, relative to the background."""
    pixels = img.plane().read().astype(np.float32)
    green = pixels if pixels.ndim == 2 else pixels[min(1, len(pixels) - 1)]
    clear = float(np.median(green[labels == 0])) if (labels == 0).any() else float(green.max())
    dark: np.ndarray = -np.log10(np.clip(green, 1, None) / max(clear, 1.0))
    return dark
