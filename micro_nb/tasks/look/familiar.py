"""What the model was never shown, told from the picture itself before the model is asked: it would answer all the same."""

from __future__ import annotations

import numpy as np

from ...analysis.stains import Kind, color_kind, white_of
from ...data.image import MicroImage

_COARSE = 1 << 19
_SIDE = 1024


Stain = tuple[Kind | None, float]
"""What the colours of a picture show, and its white."""


def unfamiliar(stain: Stain) -> str:
    """Why a picture of these colours is not of a kind that Micro-D1 nano was trained on, ``""`` where nothing speaks against it.

    Brown immunohistochemistry is one: no training image shows it, and membranes stained brown are taken for outlines.
    """
    return "brown stain (DAB)" if stain[0] == "ihc" else ""


def stain_of(img: MicroImage) -> Stain:
    """What the colours of a picture show, see :func:`~micro_nb.analysis.stains.color_kind`, and its white."""
    if not img.rgb or any(axis in img.axes for axis in "tz"):
        return None, 1.0
    level = img.level_for(_COARSE)
    lead = (slice(None),) * (len(img.axes) - 2)
    spans = [slice(max(0, (n - _SIDE) // 2), (n + _SIDE) // 2) for n in img.info.levels[level].shape[-2:]]
    pixels = img.read(level, (*lead, *spans))[:3]
    white = white_of(img.dtype, [pixels])
    return (color_kind(pixels, white) if np.isfinite(pixels).all() else None), white
