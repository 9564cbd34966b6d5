"""Noise and sharpness of a plane, and the sharpest plane of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import ndimage

from ..data.image import MicroImage
from ..errors import AxesError
from ..progress import track
from ..tiles.plan import TileGrid

if TYPE_CHECKING:
    import pandas as pd

_SIGMA = 1.0
# White noise of variance 1 behind the Gaussian, by simulation: its 0.1..99.9 % range, the 99.9 % quantile of its gradient's
# length, and the variance of its Laplacian.
_NOISE_RANGE, _NOISE_SLOPE, _NOISE_LAPLACIAN = 1.76, 0.59, 0.112
_ROUNDING = 0.29  # 1 / sqrt(12): rounding to whole grey values is noise, too


def near_zero(plane: np.ndarray) -> np.ndarray:
    """A plane as ``float32``; of 32 bits or more less one of its values, as ``float32`` keeps seven digits."""
    if plane.dtype.itemsize < 4 or not plane.size:
        return np.asarray(plane, np.float32)
    return (plane - np.float64(plane.flat[plane.size // 2])).astype(np.float32)


def luminance(pixels: np.ndarray) -> np.ndarray:
    """``(3, y, x)`` RGB to ``(y, x)`` float32 by Rec. 601 weights."""
    red, green, blue = (pixels[c].astype(np.float32) for c in range(3))
    return np.asarray(0.299 * red + 0.587 * green + 0.114 * blue)


def noise_sd(plane: np.ndarray) -> float:
    """Standard deviation of the noise of a ``(y, x)`` plane, in its grey values.

    The plane is filtered with Immerkær's mask, which removes everything that varies slowly, and the spread of what is left
    is taken from its median, so that edges do not count (Immerkær 1996, CVIU 64:300; Donoho 1995 for the median).

    >>> rng = np.random.default_rng(0)
    >>> round(noise_sd(100 + 5 * rng.standard_normal((256, 256))), 1)
    5.0
    """
    a = near_zero(plane)
    if min(a.shape) < 3:
        return 0.0
    rows = a[:-2] - 2 * a[1:-1] + a[2:]
    left = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(left)) / (0.6745 * 6))


@dataclass(frozen=True)
class Sharpness:
    """How sharp a plane is.

    Attributes
    ----------
    edge_px : width of its sharpest edges in px: contrast over steepest slope, both behind a Gaussian of 1 px; nan where nothing
        stands out from the noise.
    contrast : between its darkest and brightest parts (0.1 % and 99.9 % quantiles), grey values.
    noise : standard deviation, grey values.
    """

    edge_px: float
    contrast: float
    noise: float

    @property
    def snr(self) -> float:
        """Contrast over noise."""
        return self.contrast / max(self.noise, _ROUNDING)

    @property
    def empty(self) -> bool:
        """Whether the contrast is no more than noise makes by itself."""
        return self.contrast < 2.2 * _NOISE_RANGE * max(self.noise, _ROUNDING)


def sharpness(plane: np.ndarray) -> Sharpness:
    """Edge width, contrast and noise of a ``(y, x)`` plane.

    The slope is corrected for what noise adds to it, so that grain does not pass for detail. A perfect step measures 3.1 px;
    a Gaussian blur of s px makes it ``2.5 * sqrt(1.57 + s**2)``.

    >>> step = np.zeros((64, 64), "float32"); step[:, 32:] = 100
    >>> round(sharpness(step).edge_px, 1)
    3.1
    """
    return _sharpness(*_smooth_and_steepness(plane), noise_sd(plane))


def typical_sharpness(plane: np.ndarray) -> Sharpness:
    """Contrast and noise of a plane, and the median edge width of those of its quarters that hold anything.

    A single sharp speck does not make a blurred plane sharp.
    """
    noise = noise_sd(plane)
    smooth, steep = _smooth_and_steepness(plane)
    h, w = smooth.shape
    if min(h, w) < 64:
        return _sharpness(smooth, steep, noise)
    halves = [(slice(0, n // 2), slice(n // 2, n)) for n in (h, w)]
    quarters = [_sharpness(smooth[y, x], steep[y, x], noise) for y in halves[0] for x in halves[1]]
    low, high = np.quantile(smooth[::2, ::2], (0.001, 0.999))
    contrast = float(high - low)
    widths = [q.edge_px for q in quarters if np.isfinite(q.edge_px) and q.contrast > 0.15 * contrast]
    return Sharpness(float(np.median(widths)) if widths else float("nan"), contrast, noise)


def _smooth_and_steepness(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The plane behind the Gaussian, and the squared length of its gradient, same shape."""
    smooth = ndimage.gaussian_filter(near_zero(plane), _SIGMA, truncate=3.0)
    steep = np.zeros_like(smooth)
    steep[1:-1] += (smooth[2:] - smooth[:-2]) ** 2
    steep[:, 1:-1] += (smooth[:, 2:] - smooth[:, :-2]) ** 2
    steep *= 0.25
    return smooth, steep


def _sharpness(smooth: np.ndarray, steep: np.ndarray, noise: float) -> Sharpness:
    low, high = np.quantile(smooth, (0.001, 0.999))
    found = Sharpness(float("nan"), float(high - low), noise)
    if found.empty or min(smooth.shape) < 8:
        return found
    slope = np.sqrt(max(float(np.quantile(steep, 0.999)) - (_NOISE_SLOPE * noise) ** 2, 1e-12))
    return Sharpness(found.contrast / float(slope), found.contrast, noise)


@dataclass(frozen=True)
class BestFocus:
    """The sharpest plane of a stack.

    Attributes
    ----------
    index : its position along ``axis``.
    axis : ``"z"`` or ``"t"``.
    table : a row a plane: ``index``, ``position_um`` (nan where unknown), ``score`` (1 = the sharpest), ``in_focus``.
    """

    index: int
    axis: str
    table: pd.DataFrame


def best_focus(
    img: MicroImage, *, axis: Literal["z", "t"] = "z", channel: int | str | None = None, windows: int = 16, seed: int = 0
) -> BestFocus:
    """The sharpest plane along ``axis``, from the same sample of windows in every plane.

    Parameters
    ----------
    img : has ``axis``; other axes than y, x and colour must be selected first.
    channel : name or position, where there are several and the image is not RGB.
    windows : how many windows of 512 px are looked at, at most.
    seed : of the choice of windows.

    Notes
    -----
    The score is the variance of the Laplacian behind a Gaussian of 1 px, less what the plane's noise adds, over the squared mean
    brightness (Pertuz et al. 2013, Pattern Recognition 46:1415, measure LAP4). Planes above half the best are in focus.

    Raises
    ------
    AxesError : the image lacks ``axis``, or a channel must be chosen.
    """
    import pandas as pd

    if axis not in img.axes:
        raise AxesError(f"{img.name} has no axis {axis!r}; its axes are {''.join(img.axes)!r}")
    stack = img.sel(c=channel) if channel is not None else img
    extra = [a for a in stack.axes if a not in (axis, "y", "x") and not (a == "c" and stack.rgb)]
    if extra:
        names = ", ".join(c.name for c in stack.channels)
        raise AxesError(f"{img.name} has {' and '.join(extra)} beside {axis}; select first, or say channel= (one of {names})")
    tiles = list(TileGrid(stack.plane_shape, tile=512).sample(windows, seed=seed))
    scores = []
    for k in track(range(stack.sizes[axis]), "looking for focus", unit="planes"):
        plane = stack.isel(z=k) if axis == "z" else stack.isel(t=k)
        lead = (slice(None),) * (len(plane.axes) - 2)
        scores.append(float(np.mean([_detail(plane.read(0, (*lead, *t.core))) for t in tiles])))
    score = np.maximum(scores, 0)
    best = int(np.argmax(score))
    relative = score / score[best] if score[best] > 0 else np.ones_like(score)
    step = (img.pixel_size or {}).get(axis, float("nan"))
    index = np.arange(len(score))
    table = pd.DataFrame({"index": index, "position_um": index * step, "score": relative, "in_focus": relative >= 0.5})
    return BestFocus(best, axis, table)


def _detail(pixels: np.ndarray) -> float:
    a = luminance(pixels) if pixels.ndim == 3 else pixels.astype(np.float32)
    laplacian = ndimage.laplace(ndimage.gaussian_filter(a, _SIGMA, truncate=3.0))
    grain = _NOISE_LAPLACIAN * noise_sd(a) ** 2
    return float((laplacian.var() - grain) / max(float(a.mean()) ** 2, 1e-9))
