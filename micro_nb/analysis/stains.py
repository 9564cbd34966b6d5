"""One number a pixel that rises towards objects: brightness, darkness, texture, or the absorbance of a stain.

Every function works pixel by pixel in a fixed order (tables for integers, sums without BLAS), so that a pixel has the same
value whichever block it is read in.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy import ndimage as ndi
from skimage.color import hed_from_rgb, rgb_from_hed
from skimage.filters import threshold_otsu

Kind = Literal["fluorescence", "particles", "brightfield", "phase", "histology", "ihc", "blood"]
Polarity = Literal["bright", "dark", "texture"]

TEXTURE_SIGMA = 5.0
_BESIDE_DAB = np.linalg.pinv(rgb_from_hed[[0, 2]].T)[0]
"""Haematoxylin in a pixel that holds it and diaminobenzidine (brown) alone."""
_DARK_LUMINANCE, _GREY_CHROMA = 80.0, 12.0


def signal(pixels: np.ndarray, kind: Kind, polarity: Polarity, top: float) -> np.ndarray:
    """The signal of a plane.

    Parameters
    ----------
    pixels : ``(y, x)`` or, for a colour picture, ``(3, y, x)``; any real dtype.
    kind, polarity : what the picture is, see :func:`grey_kind` and :func:`color_kind`.
    top : grey value that counts as white: the dtype's maximum, or the largest value of a floating-point image.

    Returns
    -------
    ``(y, x) float32``, higher towards objects.

    References
    ----------
    Haematoxylin: A. C. Ruifrok and D. A. Johnston, Anal. Quant. Cytol. Histol. 23 (2001) 291-299.
    """
    if kind == "histology":
        return np.asarray(np.sqrt(_stain(pixels, hed_from_rgb[:, 0], top)))
    if kind == "ihc":
        return _stain(pixels, _BESIDE_DAB, top)
    if kind == "blood":
        return np.asarray(np.sqrt(absorbance(pixels[1], top)))
    grey = mean_grey(pixels)
    if kind == "phase":
        return _texture(grey, top)
    if polarity == "dark":
        grey = np.float32(top) - grey
    return np.sqrt(np.maximum(grey, 0)) if kind == "fluorescence" else grey


def mean_grey(pixels: np.ndarray) -> np.ndarray:
    """``(y, x) float32``: the plane itself, or the mean of the three colours."""
    if pixels.ndim == 2:
        return np.nan_to_num(pixels.astype(np.float32), posinf=0.0, neginf=0.0)
    planes = [np.nan_to_num(p.astype(np.float32), posinf=0.0, neginf=0.0) for p in pixels]
    return (planes[0] + planes[1] + planes[2]) / np.float32(3)  # type: ignore[no-any-return]


def color_kind(pixels: np.ndarray, top: float) -> Kind | None:
    """What a colour picture ``(3, y, x)`` shows: ``"histology"``, ``"ihc"``, ``"blood"``, or None where its colours say nothing.

    Haemoglobin absorbs green and blue alike and thinly; stained tissue is deep, and eosin and haematoxylin let blue through;
    the brown of immunohistochemistry does not.
    """
    rgb = pixels.astype(np.float32) * np.float32(255 / top)
    chroma = float((rgb.max(0) - rgb.min(0)).mean())
    if chroma < _GREY_CHROMA or float(np.median(rgb)) < _DARK_LUMINANCE:
        return None
    od = np.stack([absorbance(plane, top) for plane in pixels])
    above = np.maximum(od - np.percentile(od, 5, axis=(1, 2), keepdims=True), 0)
    green = od[1]
    inside = green > threshold_otsu(green)  # type: ignore[no-untyped-call]
    red, depth, blue = (float(np.median(plane[inside])) for plane in above)
    if depth > 0 and all(0.85 < ratio < 1.15 for ratio in (red / depth, blue / depth)):
        return None
    if blue > 1.1 * depth and red > 0.5 * depth:
        return "ihc"
    return "blood" if depth < 0.26 and blue > 0.35 * depth and blue < 1.2 * depth else "histology"


def grey_kind(pixels: np.ndarray) -> tuple[Kind, Polarity]:
    """What a grey plane ``(y, x)`` shows, from the place of its background (the mode) between its darkest and brightest grey."""
    smooth = ndi.gaussian_filter(mean_grey(pixels), 1)
    low, high = np.percentile(smooth, [0.1, 99.9])
    unit = np.clip((smooth - low) / max(float(high - low), 1e-9), 0, 1)
    counts = np.bincount((unit * 63).astype(np.intp).ravel(), minlength=64)
    mode = float(ndi.gaussian_filter1d(counts.astype(float), 1.5).argmax()) / 63
    above, below = float(np.percentile(unit, 99)) - mode, mode - float(np.percentile(unit, 1))
    if mode < 0.2:
        return "fluorescence", "bright"
    if mode > 0.85:
        return "brightfield", "dark"
    if float(np.median(np.abs(unit - mode))) < 0.05 and min(above, below) > 0.12:
        return "phase", "texture"
    return "particles", "bright" if above >= below else "dark"


def white_of(dtype: np.dtype[Any], samples: list[np.ndarray]) -> float:
    """The grey value that counts as white."""
    if dtype.kind in "ui":
        return float(np.iinfo(dtype).max)
    return 1.0 if dtype.kind == "b" else max((float(s[np.isfinite(s)].max(initial=0.0)) for s in samples), default=0.0) or 1.0


def _stain(pixels: np.ndarray, weights: np.ndarray, top: float) -> np.ndarray:
    parts = [absorbance(plane, top) * np.float32(w) for plane, w in zip(pixels, weights, strict=True)]
    return np.maximum(parts[0] + parts[1] + parts[2], 0)  # type: ignore[no-any-return]


def absorbance(plane: np.ndarray, top: float) -> np.ndarray:
    """Optical density relative to white, ``float32``, 0 at white and 1 at 1/10 of it."""
    if plane.dtype.kind == "u" and plane.dtype.itemsize <= 2:
        grey = np.arange(np.iinfo(plane.dtype).max + 1, dtype=np.float64)
        return (-np.log10((grey + top / 255) / (top + top / 255))).astype(np.float32)[plane]  # type: ignore[no-any-return]
    clean = np.clip(np.nan_to_num(plane.astype(np.float64)), 0, top)
    return (-np.log10((clean + top / 255) / (top + top / 255))).astype(np.float32)


def _texture(grey: np.ndarray, top: float) -> np.ndarray:
    """Logarithm of the local standard deviation: cells in phase contrast are rough, the medium is smooth."""
    wide = grey.astype(np.float64) * (255 / top)
    mean = ndi.gaussian_filter(wide, TEXTURE_SIGMA)
    power = ndi.gaussian_filter(wide * wide, TEXTURE_SIGMA)
    return np.log1p(np.sqrt(np.maximum(power - mean * mean, 0))).astype(np.float32)  # type: ignore[no-any-return]
