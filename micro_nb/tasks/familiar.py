"""What the model was never shown, told from the picture itself before the model is asked: it would answer all the same."""

from __future__ import annotations

import numpy as np

from ..analysis.stains import color_kind, white_of
from ..data.image import MicroImage

_COARSE = 1 << 19
_SIDE = 1024


def unfamiliar(img: MicroImage) -> str:
    """Why a picture is not of a kind that Micro-D1 nano was trained on, ``""`` where nothing speaks against it.

    Brown immunohistochemistry is one: no training image shows it, and membranes stained brown are taken for outlines.
    """
    if not img.rgb or any(axis in img.axes for axis in "tz"):
        return ""
    level = img.level_for(_COARSE)
    lead = (slice(None),) * (len(img.axes) - 2)
    spans = [slice(max(0, (n - _SIDE) // 2), (n + _SIDE) // 2) for n in img.info.levels[level].shape[-2:]]
    pixels = img.read(level, (*lead, *spans))[:3]
    if not np.isfinite(pixels).all():
        return ""
    return "brown stain (DAB)" if color_kind(pixels, white_of(img.dtype, [pixels])) == "ihc" else ""
