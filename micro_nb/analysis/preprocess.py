"""Preparation that is fixed once from a coarse level and then applied tile by tile, so that results do not depend on tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from ..data.image import MicroImage
from ..errors import AxesError
from .background import smooth_surface, surface_terms
from .focus import noise_sd

_COARSE_PX = 1 << 22
_GRID, _WINDOW = 24, 128


@dataclass(frozen=True)
class Illumination:
    """The smooth light of a plane: a quadratic surface over the whole image.

    Attributes
    ----------
    shape : ``(y, x)`` px of level 0.
    terms : coefficients of ``1, y, x, y², yx, x²``, y and x from -1 to 1, scaled so that the brightest place is 1.
    offset : grey value of no light (a camera's offset), taken off before dividing.
    """

    shape: tuple[int, int]
    terms: tuple[float, ...]
    offset: float = 0.0

    def at(self, rows: slice, cols: slice) -> np.ndarray:
        """Relative light over pixels of level 0, ``(y, x)`` float32, 0.05..1."""
        y = 2 * (np.arange(rows.start, rows.stop) + 0.5) / self.shape[0] - 1
        x = 2 * (np.arange(cols.start, cols.stop) + 0.5) / self.shape[1] - 1
        a, b, c, d, e, f = self.terms
        y, x = y[:, None], x[None]
        return np.asarray(np.clip(a + b * y + c * x + d * y * y + e * y * x + f * x * x, 0.05, 1.0), np.float32)

    @property
    def unevenness_percent(self) -> float:
        """Fall from the brightest to the darkest place, % of the brightest."""
        light = _light(self.terms)
        return float(100 * (light.max() - light.min()) / light.max())

    def flatten(self, pixels: np.ndarray, rows: slice, cols: slice) -> np.ndarray:
        """``(..., y, x)`` pixels read at these places of level 0, as float32 with the light evened out."""
        return np.asarray((pixels.astype(np.float32) - self.offset) / self.at(rows, cols) + self.offset)


def estimate_illumination(
    img: MicroImage, *, channel: int | str | None = None, offset: float = 0.0, background: Literal["dark", "bright"] = "dark"
) -> Illumination:
    """The smooth light of a plane, from its coarse level: a quadratic surface fitted robustly to local backgrounds.

    Parameters
    ----------
    img : one plane; several channels need ``channel``, RGB takes the mean of its colours.
    offset : the camera's offset in grey values, where it is known; without it dark images seem more even than they are.
    background : whether the ground between objects is the dark or the bright part.

    Notes
    -----
    A local background is the 10 % (90 %) quantile of one of 24 x 24 fields. The surface follows BaSiC's aim with a simpler model
    (Peng et al. 2017, Nat Commun 8:14836); it needs background in most fields.

    Raises
    ------
    AxesError : z or t is longer than one, or a channel must be chosen.
    """
    plane = img.plane()
    plane = plane.sel(c=channel) if channel is not None else plane
    if "c" in plane.axes and not plane.rgb:
        raise AxesError(f"{img.name} has channels {', '.join(c.name for c in plane.channels)}; say which: channel=...")
    share = 0.1 if background == "dark" else 0.9
    fields = [(y, x, float(np.quantile(pixels, share)) - offset) for y, x, pixels in _fields(plane)]
    y, x, values = (np.array(v) for v in zip(*fields, strict=True))
    terms = smooth_surface(y, x, values)
    brightest = float(_light(tuple(terms)).max())
    return Illumination(plane.plane_shape, tuple(float(t) / max(brightest, 1e-9) for t in terms), offset)


def denoise(
    plane: np.ndarray, *, method: Literal["gaussian", "median", "nl_means"] = "gaussian", strength: float = 1.0
) -> np.ndarray:
    """A ``(y, x)`` plane with less noise, float32 in the same grey values.

    Parameters
    ----------
    method : ``"gaussian"`` (sigma = strength px), ``"median"`` (radius = strength px) or ``"nl_means"`` (non-local means, filter
        strength times the noise found in the plane; Buades et al. 2005). The first two see ``4 * strength`` px around a pixel and
        suit tiles with such a halo; the last estimates the plane's noise and belongs on whole planes.
    """
    from scipy import ndimage
    from skimage import restoration

    a = np.asarray(plane, np.float32)
    if method == "gaussian":
        return np.asarray(ndimage.gaussian_filter(a, strength))
    if method == "median":
        return np.asarray(ndimage.median_filter(a, size=2 * max(1, round(strength)) + 1))
    sigma = noise_sd(a)
    return np.asarray(restoration.denoise_nl_means(a, h=0.8 * strength * sigma, sigma=sigma, fast_mode=True), np.float32)


def _light(terms: tuple[float, ...]) -> np.ndarray:
    y, x = (a.ravel() for a in np.meshgrid(np.linspace(-1, 1, 33), np.linspace(-1, 1, 33), indexing="ij"))
    return np.asarray(surface_terms(y, x) @ np.array(terms))


def _fields(plane: MicroImage) -> Iterator[tuple[float, float, np.ndarray]]:
    """Where each field of a coarse level lies (-1..1), and the pixels at its middle; a few windows, however large the image."""
    level = plane.level_for(_COARSE_PX)
    h, w = plane.info.levels[level].shape[-2:]
    lead = (slice(None),) * (len(plane.axes) - 2)
    rows, cols = (np.linspace(0, n, min(_GRID, n) + 1).astype(int) for n in (h, w))
    for top, bottom in pairwise(rows.tolist()):
        for left, right in pairwise(cols.tolist()):
            y, x = (
                slice(max((a + b - _WINDOW) // 2, a), min((a + b + _WINDOW) // 2, b)) for a, b in ((top, bottom), (left, right))
            )
            pixels = plane.read(level, (*lead, y, x)).astype(np.float32)
            yield (top + bottom) / h - 1, (left + right) / w - 1, pixels.mean(0) if pixels.ndim == 3 else pixels
