"""Display windows: which grey values become black and white. For looking only; nothing that is measured passes through here."""

from __future__ import annotations

import functools

import numpy as np

Window = tuple[float, float]
LOW, HIGH = 0.1, 99.8
_ENOUGH = 1 << 18
_LARGEST = 1e30


def find_window(values: np.ndarray, *, low: float = LOW, high: float = HIGH) -> Window:
    """``(black, white)`` from percentiles of the finite ``values`` (any shape, any numeric dtype).

    A constant image becomes black (0) or stays as bright as it is; an image without a finite value gets ``(0, 1)``.

    >>> find_window(np.arange(1001), low=10, high=90)
    (100.0, 900.0)
    """
    flat = np.asarray(values).ravel()
    flat = flat[:: max(1, flat.size // _ENOUGH)]
    if flat.dtype.kind == "b":
        return 0.0, 1.0
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)].clip(-_LARGEST, _LARGEST)
    if flat.size == 0:
        return 0.0, 1.0
    black, white = (float(v) for v in np.percentile(flat, (low, high)))
    if white <= black:
        black, white = float(flat.min()), float(flat.max())
    elif low == LOW:
        black = _dark_ground(flat, black, white)
    if white <= black:
        return (min(black, 0.0), max(black, 0.0)) if black else (0.0, 1.0)
    return black, white


def _dark_ground(flat: np.ndarray, black: float, white: float) -> float:
    """Black raised to the tenth percentile where most pixels are dark ground, whose noise would else tint a composite."""
    tenth, middle = np.percentile(flat, (10, 50))
    return float(tenth) if middle - black < 0.2 * (white - black) else black


def is_sane(window: Window | None, values: np.ndarray) -> bool:
    """Whether a window stored in a file shows these pixels: neither nearly black nor burnt out.

    >>> is_sane((0, 65535), np.arange(200)), is_sane((0, 250), np.arange(200))
    (False, True)
    """
    if window is None or not np.all(np.isfinite(window)) or window[1] <= window[0]:
        return False
    black, white = find_window(values, low=50, high=99.5)
    span = window[1] - window[0]
    return (white - window[0]) / span >= 0.25 and (black - window[0]) / span <= 0.95


def stretch(values: np.ndarray, window: Window) -> np.ndarray:
    """``values`` as uint8, ``window[0]`` and below -> 0, ``window[1]`` and above -> 255; NaN -> 0.

    >>> stretch(np.array([0, 50, 100, np.nan]), (0, 100))
    array([  0, 128, 255,   0], dtype=uint8)
    """
    black, white = window
    if values.dtype == np.uint8 and (black, white) == (0, 255):
        return values
    if values.dtype in (np.uint8, np.uint16) and values.size > 1 << 16:
        shown: np.ndarray = _table(np.dtype(values.dtype), window)[values]
        return shown
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values.astype(np.float32) - np.float32(black)) * np.float32(255.0 / (white - black))
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    return (np.clip(scaled, 0, 255, out=scaled) + np.float32(0.5)).astype(np.uint8)


@functools.lru_cache(maxsize=32)
def _table(dtype: np.dtype[np.unsignedinteger], window: Window) -> np.ndarray:
    return stretch(np.arange(np.iinfo(dtype).max + 1, dtype=np.float32), window)
