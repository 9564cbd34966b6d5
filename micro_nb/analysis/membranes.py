"""Membranes of heavy-metal stained sections: dark lines on a brighter ground."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from .whole import Whole

SIGMA, GROUND, DEVIATIONS = 1.5, 20.0, 0.7
"""Smoothing, and size of the ground around a pixel (px); by how many deviations of the ground a membrane is darker."""


def membranes(seen: Whole) -> np.ndarray:
    """``(y, x) bool``: pixels darker than the ground around them; dark organelles count as well, as grey alone cannot tell."""
    grey = seen.grey
    ground, power = ndi.gaussian_filter(grey, GROUND), ndi.gaussian_filter(grey * grey, GROUND)
    deviation = np.sqrt(np.maximum(power - ground * ground, 1e-9))
    return np.asarray(ndi.gaussian_filter(grey, SIGMA) < ground - DEVIATIONS * deviation)
