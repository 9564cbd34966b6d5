"""The whole plane at a size that can be looked at in one piece: colours from 0 to 1, read in bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi

from ..data.image import MicroImage
from .foreground import shrink

PIXELS = 1 << 22
_BAND_PIXELS = 1 << 22


@dataclass(frozen=True)
class Whole:
    """A plane seen whole.

    Attributes
    ----------
    colours : ``(3, y, x) float32`` from 0 to 1: red, green and blue, or one grey thrice.
    factor : pixels of level 0 along one pixel of ``colours``.
    coloured : whether the picture has colours.
    """

    colours: np.ndarray
    factor: float
    coloured: bool

    @property
    def grey(self) -> np.ndarray:
        """``(y, x) float32``, mean of the colours."""
        return np.asarray(self.colours.mean(axis=0))

    @property
    def chroma(self) -> np.ndarray:
        """``(y, x) float32``, largest less smallest of the colours; 0 where a pixel is grey."""
        return np.asarray(self.colours.max(axis=0) - self.colours.min(axis=0))

    def small(self, side: int) -> tuple[np.ndarray, float]:
        """:attr:`grey` at about ``side`` pixels along the longer side, where it is larger; pixels of it along one of these."""
        grey, factor = self.grey, max(self.colours.shape[1:]) / side
        if factor <= 1:
            return grey, 1.0
        fine = ndi.gaussian_filter(grey, factor / 4)
        rows, cols = (np.minimum((np.arange(int(n / factor)) + 0.5) * factor, n - 1).astype(int) for n in grey.shape)
        return np.asarray(fine[np.ix_(rows, cols)]), factor

    def box(self, rows: slice, cols: slice) -> tuple[float, float, float, float]:
        """``(x0, y0, x1, y1)`` in pixels of level 0."""
        return tuple(float(v * self.factor) for v in (cols.start, rows.start, cols.stop, rows.stop))  # type: ignore[return-value]


def whole(img: MicroImage, pixels: int = PIXELS) -> Whole:
    """A plane at about ``pixels`` pixels at most; block means where it is larger. Several channels are averaged.

    Grey values are scaled so that the dtype's range, or for more than 8 bits and floats the range from the 0.1 to the 99.9
    percentile, goes from 0 to 1.
    """
    flat = img.isel(**{axis: img.sizes[axis] // 2 for axis in ("t", "z") if axis in img.axes})  # type: ignore[arg-type]
    level = flat.level_for(pixels)
    shape, full = flat.info.levels[level].shape, flat.plane_shape
    height, width = shape[-2:]
    factor = max(1, int(np.ceil((height * width / pixels) ** 0.5)))
    step = max(1, _BAND_PIXELS // (width * factor)) * factor
    bands = [_band(flat, level, shape, top, min(top + step, height), factor) for top in range(0, height, step)]
    planes = _scaled(np.concatenate(bands, axis=1), flat.dtype)
    if not flat.rgb:
        planes = np.repeat(planes.mean(axis=0, keepdims=True), 3, axis=0)
    coloured = bool(flat.rgb) and float((planes.max(0) - planes.min(0)).max()) > 0.02
    return Whole(planes, factor * full[1] / width, coloured)


def _band(img: MicroImage, level: int, shape: tuple[int, ...], top: int, stop: int, factor: int) -> np.ndarray:
    index = (*(slice(0, n) for n in shape[:-2]), slice(top, stop), slice(0, shape[-1]))
    read = np.nan_to_num(img.read(level, index).astype(np.float32), posinf=0.0, neginf=0.0)
    planes = read.reshape(-1, *read.shape[-2:])
    return np.stack([shrink(plane, factor) for plane in planes])


def _scaled(planes: np.ndarray, dtype: np.dtype[np.generic]) -> np.ndarray:
    if dtype == np.uint8:
        return planes / np.float32(255)
    low, high = np.percentile(planes, (0.1, 99.9))
    return np.asarray(np.clip((planes - np.float32(low)) / np.float32(max(high - low, 1e-9)), 0, 1))
