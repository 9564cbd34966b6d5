"""Whether what is seen in a stained picture is stained: dust, bubbles and shadows darken all colours alike, a dye does not."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from ...data.image import MicroImage
from ...tiles.plan import Slices

STAINED, _PICTURE = 0.5, 0.25
"""Least colour of a small object that is stained, and of the large objects of a stained picture together."""
_AROUND, _ENOUGH = 5, 12
"""Pixels around an object whose background is taken for its own, and how many of them are enough."""
_COARSE = 1 << 19


def colours(pixels: np.ndarray, numbers: np.ndarray, background: np.ndarray) -> np.ndarray:
    """``(N,) float`` 0..1 of each object: 0 where it takes as much from every colour of the light, 1 where it leaves one whole.

    Parameters
    ----------
    pixels : ``(3, h, w)``, brighter is larger. numbers : ``(h, w) int``, 0 or 1..N.
    background : ``(h, w) bool``. An object that is not darker than it has colour 0.

    Examples
    --------
    >>> picture = np.full((3, 4, 8), 0.9)
    >>> picture[:, 1:3, 1:3], picture[:2, 1:3, 5:7] = 0.5, 0.5
    >>> numbers = np.zeros((4, 8), int)
    >>> numbers[1:3, 1:3], numbers[1:3, 5:7] = 1, 2
    >>> colours(picture, numbers, numbers == 0).tolist()
    [0.0, 1.0]
    """
    everywhere, found = pixels[:, background], []
    for k, place in enumerate(ndi.find_objects(numbers), start=1):
        around = _around(place)
        near = pixels[:, *around][:, background[around]]
        light = near if near.shape[1] >= _ENOUGH else everywhere
        found.append(_colour(light, pixels[:, *place][:, numbers[place] == k]))
    return np.array(found)


def is_stained(plane: MicroImage, labels: np.ndarray, large: np.ndarray) -> bool:
    """Whether a picture shows coloured objects on a lighter background.

    Parameters
    ----------
    plane : ``(y, x)`` or a colour picture. labels : ``(y, x) int``, its objects.
    large : ``(N + 1,) bool``, which of them are looked at.
    """
    if "c" not in plane.axes:
        return False
    pixels = plane.read(plane.level_for(_COARSE))
    at = np.ix_(*(np.arange(n) * full // n for n, full in zip(pixels.shape[1:], labels.shape, strict=True)))
    small = labels[at]
    return _colour(pixels[:, small == 0], pixels[:, large[small]]) >= _PICTURE


def _colour(light: np.ndarray, seen: np.ndarray) -> float:  # (3, n), (3, m)
    if not light.size or not seen.size:
        return 0.0
    taken = np.median(light, axis=1) - np.median(seen, axis=1)
    return float(np.clip(1 - taken.min() / taken.max(), 0, 1)) if taken.max() > 0 else 0.0


def _around(place: Slices) -> Slices:
    rows, cols = (slice(max(0, s.start - _AROUND), s.stop + _AROUND) for s in place)
    return rows, cols
