"""Areas that hold nothing: the gap of a scratched cell layer, holes in a lawn, glass beside tissue; by texture alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu

from .whole import Whole

_SIDE = 512  # pixels along the longer side of the map
_SIGMA = 4.0  # of the window in which texture is measured, in pixels of the map
_LEAST = 0.002  # least area of a gap, of the picture
_SMOOTH = 0.5  # share of the typical texture below which a place is smooth


@dataclass(frozen=True)
class Gaps:
    """Where a picture is empty.

    Attributes
    ----------
    mask : ``(y, x) bool``, empty places, on a map of ``factor`` pixels of level 0 each.
    contrast : texture of the rest, as a multiple of that of the empty places.
    factor : pixels of level 0 along one pixel of the map.
    """

    mask: np.ndarray
    contrast: float
    factor: float

    @property
    def percent(self) -> float:
        """Share of the picture that is empty."""
        return 100 * float(self.mask.mean())

    def areas(self) -> list[tuple[float, tuple[slice, slice]]]:
        """``(% of the picture, place on the map)`` of each connected gap, largest first."""
        labels, n = ndi.label(self.mask)
        sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
        found = [(100 * size / labels.size, place) for size, place in zip(sizes, ndi.find_objects(labels), strict=True)]
        return sorted(found, key=lambda f: -f[0])

    def box(self, place: tuple[slice, slice]) -> tuple[float, float, float, float]:
        """``(x0, y0, x1, y1)`` in pixels of level 0."""
        rows, cols = place
        return tuple(float(v * self.factor) for v in (cols.start, rows.start, cols.stop, rows.stop))  # type: ignore[return-value]

    def widths_px(self, place: tuple[slice, slice]) -> np.ndarray:
        """Widths of a gap across its long axis, a value a row (or column) of the map, in pixels of level 0."""
        labels, _ = ndi.label(self.mask)
        part = labels[place]
        own = part == np.bincount(part[part > 0]).argmax()
        across = 1 if own.shape[0] >= own.shape[1] else 0
        return np.asarray(own.sum(axis=across) * self.factor)


def gaps(seen: Whole, *, least: float = _LEAST) -> Gaps:
    """The smooth areas of a picture, where smooth and rough areas can be told apart.

    Parameters
    ----------
    least : area of the smallest gap, as a share of the picture.

    Notes
    -----
    Texture is the logarithm of the local standard deviation; Otsu's threshold parts smooth from rough. Small things inside a gap
    (single cells, dust) are counted to it, small smooth places inside the layer are not.
    """
    grey, factor = _small(seen.grey, _SIDE)
    rough = np.log(_deviation(grey) + 1e-3)
    at = float(threshold_otsu(rough))  # type: ignore[no-untyped-call]
    low = rough < min(at, float(np.percentile(rough, 80)) + np.log(_SMOOTH))
    contrast = float(np.exp(rough[~low].mean() - rough[low].mean())) if low.any() and not low.all() else 1.0
    open_ = ndi.binary_opening(low, iterations=2)
    labels, n = ndi.label(open_)
    kept = np.bincount(labels.ravel(), minlength=n + 1) >= least * grey.size
    kept[0] = False
    filled = ~_small_removed(~kept[labels], least * grey.size)
    return Gaps(filled, contrast, seen.factor * factor)


def _small_removed(mask: np.ndarray, least: float) -> np.ndarray:
    labels, n = ndi.label(mask)
    kept = np.bincount(labels.ravel(), minlength=n + 1) >= least
    kept[0] = False
    return np.asarray(kept[labels])


def _small(grey: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """Grey values at about ``side`` pixels along the longer side, and the factor."""
    factor = max(grey.shape) / side
    if factor <= 1:
        return grey, 1.0
    fine = ndi.gaussian_filter(grey, factor / 4)
    rows, cols = (np.minimum((np.arange(int(n / factor)) + 0.5) * factor, n - 1).astype(int) for n in grey.shape)
    return np.asarray(fine[np.ix_(rows, cols)]), factor


def _deviation(grey: np.ndarray) -> np.ndarray:
    mean, power = ndi.gaussian_filter(grey, _SIGMA), ndi.gaussian_filter(grey * grey, _SIGMA)
    return np.asarray(np.sqrt(np.maximum(power - mean * mean, 0)))


def specimen(seen: Whole) -> tuple[np.ndarray, float]:
    """Where something lies on empty glass: ``(y, x) bool`` on a small map, and how far its colour is from the glass (0 to 1).

    The glass is the commonest colour; what differs from it by more than Otsu's threshold of all distances is specimen.
    """
    planes = [_small(ndi.gaussian_filter(plane, 2), _SIDE)[0] for plane in seen.colours]
    small = np.stack(planes)
    steps = np.minimum(small * 32, 31).astype(int)
    codes = (steps[0] * 32 + steps[1]) * 32 + steps[2]
    commonest = np.bincount(codes.ravel()).argmax()
    glass = small[:, codes == commonest].mean(axis=1)
    distance = np.sqrt(((small - glass[:, None, None]) ** 2).sum(axis=0))
    at = float(threshold_otsu(distance))  # type: ignore[no-untyped-call]
    mask = ndi.binary_opening(distance > at, iterations=1)
    apart = float(distance[mask].mean()) if mask.any() else 0.0
    return mask, apart
