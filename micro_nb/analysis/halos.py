"""Bright halos around dark bodies, as phase contrast makes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from .focus import sharpness
from .whole import Whole

_SIDE = 1024  # pixels along the longer side of what is looked at
_SIGMA = 1.0
_RINGS = (3, 6, 12)  # widths of the surroundings that are tried, px
_DEEP = 0.5  # darker than this share of the way from the background to the darkest: a body
_DARK = 0.3  # least share of the contrast that lies below the background
_COVERED = (5e-4, 0.4)  # share of the picture that bodies may cover


@dataclass(frozen=True)
class Halo:
    """How bright the surroundings of dark bodies are.

    Attributes
    ----------
    percent : by how much they exceed the background, in % of how much the bodies fall below it; 0 where there are no bodies.
    covered : share of the picture that the bodies cover, 0 to 1.
    noise : whether nothing stands out from the noise.
    """

    percent: float
    covered: float
    noise: bool


def halo_of(seen: Whole) -> Halo:
    """Bright halos of a picture.

    The background is the median; dark bodies lie below the middle between it and the darkest parts. Of rings of several widths
    around
    them the brightest counts.

    >>> import numpy as np, micro_nb as mnb
    >>> from micro_nb.analysis.whole import whole
    >>> noise = np.random.default_rng(0).normal(100, 10, (128, 128)).astype("uint8")
    >>> halo_of(whole(mnb.open_image(noise))).noise
    True
    """
    grey, _ = seen.small(_SIDE)
    if sharpness(grey * 1000).empty:
        return Halo(0.0, 0.0, True)
    smooth = ndi.gaussian_filter(grey, _SIGMA)
    darkest, ground, brightest = (float(v) for v in np.percentile(smooth, (0.5, 50, 99.5)))
    if ground - darkest < _DARK * (brightest - darkest):
        return Halo(0.0, 0.0, False)  # bright things on a dark ground
    bodies = ndi.binary_opening(smooth < ground - _DEEP * (ground - darkest), iterations=1)
    covered = float(bodies.mean())
    if not _COVERED[0] <= covered <= _COVERED[1]:
        return Halo(0.0, covered, False)
    away = ndi.distance_transform_edt(~bodies)
    far = smooth[away > 1 + 2 * _RINGS[-1]]
    usual = float(np.percentile(far, 75)) - ground if far.size > 100 else 0.0
    depth = ground - float(smooth[bodies].mean())
    rings = [smooth[(away > 1) & (away <= 1 + width)] for width in _RINGS]
    above = max((float(np.percentile(r, 75)) for r in rings if r.size), default=ground) - ground
    return Halo(max(100 * (above - usual) / max(depth, 1e-9), 0.0), covered, False)
