"""Tiles of an image for the browser: grey values of each channel as one small picture, coloured there.

A tile of step ``k`` covers ``512 * 2**k`` pixels of level 0 on 512 pixels, whatever levels are stored. Values are sent as the
square root of their place in a range, so that dark tones keep their steps when a person changes the contrast.
"""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from ...data.image import MicroImage
from ...render.composite import channel_colors
from ...render.contrast import Window, find_window, is_sane
from ...render.frame import Frame
from ...render.look import Look

TILE = 512
MOST_SHOWN = 6
PROJECTED = -1
"""In place of a position in z: the brightest of all."""
_BINS, _BLOCK, _BRIGHT = 96, 256, 6
_QUALITY = 92


@dataclass(frozen=True)
class Spec:
    """What tiles are made of: the plane, the channels, and the range of grey values that is sent of each."""

    t: int
    z: int
    channels: tuple[int, ...]
    ranges: tuple[Window, ...]


class Pixels:
    """Reads and encodes tiles of one image; safe to call from several threads.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> pixels = Pixels(mnb.open_image(np.zeros((40, 60), "uint8")))
    >>> pixels.steps, pixels.channel(0)["window"]
    (1, (0.0, 1.0))
    """

    def __init__(self, img: MicroImage) -> None:
        self.image = img
        self.sizes = {axis: img.sizes.get(axis, 1) for axis in ("t", "z")}
        self.middle = {"t": 0, "z": self.sizes["z"] // 2}
        self.rgb = img.rgb
        self._looks: dict[tuple[int, int], tuple[MicroImage, Look]] = {}
        self._lock = threading.Lock()

    @property
    def steps(self) -> int:
        """How many times the picture is halved until it fits into one tile, and one."""
        return max(0, math.ceil(math.log2(max(self.image.plane_shape) / TILE))) + 1

    @property
    def colors(self) -> tuple[tuple[int, int, int], ...]:
        """A colour a channel."""
        return ((255, 0, 0), (0, 255, 0), (0, 0, 255)) if self.rgb else channel_colors(self.image.channels)

    def plane(self, t: int, z: int) -> MicroImage:
        """One plane; ``z = -1`` is the brightest of all slices."""
        return self._look(t, z)[0]

    def look(self, t: int, z: int) -> Look:
        """How that plane is read."""
        return self._look(t, z)[1]

    def _look(self, t: int, z: int) -> tuple[MicroImage, Look]:
        with self._lock:
            if (t, z) not in self._looks:
                img = self.image.isel(t=t) if "t" in self.image.axes else self.image
                if "z" in self.image.axes:
                    img = img.sel(project="max") if z == PROJECTED else img.isel(z=z)
                if len(self._looks) > 64:
                    self._looks.pop(next(iter(self._looks)))
                self._looks[t, z] = img, Look.of(img)
            return self._looks[t, z]

    def channel(self, k: int) -> dict[str, Any]:
        """How a channel is shown at first: its window, the range that is sent, the bounds of its values and their histogram."""
        _, look = self._look(self.middle["t"], self.middle["z"])
        kind = self.image.dtype.kind
        if self.rgb:
            window = look.windows[0]
            return _described(window, window, look.sample(k), kind)
        values = look.sample(k)
        stored = self.image.channels[k].window
        if stored is not None and is_sane(stored, values):
            window = (float(stored[0]), float(stored[1]))
        else:
            bright = self._bright(look, k, values)
            low, high = find_window(values)
            window = low, max(high, _high(values, 99.97), _high(bright, 99.9))
        reach = (0.0, 255.0) if self.image.dtype == np.uint8 else sent_range(window, values)
        return _described(window, reach, values, kind)

    def _bright(self, look: Look, k: int, coarse: np.ndarray) -> np.ndarray:
        """Pixels of level 0 where the coarse picture is brightest, so that nothing burns out when one zooms in."""
        plane: Any = coarse.reshape(coarse.shape[-2:]) if coarse.ndim >= 2 and coarse.size > 1 else None
        h, w = look.plane.plane_shape
        if plane is None or plane.shape == (h, w):
            return coarse
        cell = max(1, round(_BLOCK * plane.shape[0] / h))
        ny, nx = max(plane.shape[0] // cell, 1), max(plane.shape[1] // cell, 1)
        cut = plane[: ny * cell, : nx * cell] if plane.shape[0] >= cell <= plane.shape[1] else plane
        peaks = cut.reshape(ny, cut.shape[0] // ny, nx, -1).max(axis=(1, 3)) if cut.size == ny * nx * cell**2 else cut
        found = []
        for at in np.argsort(peaks, axis=None)[::-1][:_BRIGHT]:
            row, col = np.unravel_index(at, peaks.shape)
            y, x = int(row * h / peaks.shape[0]), int(col * w / peaks.shape[1])
            frame = Frame(y, x, min(y + _BLOCK, h), min(x + _BLOCK, w), (min(_BLOCK, h - y), min(_BLOCK, w - x)))
            found.append(look.read(slice(k, k + 1), frame)[0].ravel())
        return np.concatenate(found)

    def tile(self, spec: Spec, k: int, row: int, col: int) -> bytes:
        """JPEG of a tile: the channels one below the other in grey; a colour picture in colour."""
        _, look = self._look(spec.t, spec.z)
        frame = frame_of(self.image.plane_shape, k, row, col)
        if self.rgb:
            pixels, inner = look.read(slice(0, 3), frame)
            planes = [_fitted(p, inner, frame.shape, r) for p, r in zip(pixels, spec.ranges, strict=False)]
            return jpeg(np.ascontiguousarray(np.stack(planes, axis=-1)))
        planes = []
        for channel, reach in zip(spec.channels, spec.ranges, strict=True):
            pixels, inner = look.read(slice(channel, channel + 1), frame)
            planes.append(_fitted(pixels[0], inner, frame.shape, reach))
        return jpeg(np.concatenate(planes))

    def values(self, t: int, z: int, y: int, x: int) -> list[float]:
        """The raw values of one pixel of level 0, a channel each."""
        plane = self.plane(t, z)
        lead = (slice(0, plane.sizes["c"]),) if "c" in plane.axes else ()
        return [float(v) for v in plane.read(0, (*lead, slice(y, y + 1), slice(x, x + 1))).ravel()]


def frame_of(shape: tuple[int, int], k: int, row: int, col: int) -> Frame:
    """What a tile covers, cut at the rim of the plane.

    >>> frame_of((1000, 600), 0, 1, 1)
    Frame(y0=512, x0=512, y1=1000, x1=600, shape=(488, 88))
    """
    edge, step = TILE << k, 1 << k
    y0, x0 = row * edge, col * edge
    y1, x1 = min(y0 + edge, shape[0]), min(x0 + edge, shape[1])
    if min(k, row, col) < 0 or y1 <= y0 or x1 <= x0:
        raise ValueError(f"tile {row}, {col} of step {k} lies outside a plane of {shape[0]} x {shape[1]} px")
    return Frame(y0, x0, y1, x1, (math.ceil((y1 - y0) / step), math.ceil((x1 - x0) / step)))


def sent_range(window: Window, values: np.ndarray) -> Window:
    """The grey values that are sent for a window: some below, and as much again above."""
    low, high = window
    least = float(np.nanmin(values)) if values.size else low
    return min(low, max(least, low - 0.5 * (high - low))), high + 0.8 * (high - low)


def jpeg(picture: np.ndarray) -> bytes:
    """JPEG bytes of ``(y, x)`` or ``(y, x, 3)`` uint8: a tenth of the time that WebP takes, at the same look."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue()


def codes(values: np.ndarray, reach: Window) -> np.ndarray:
    """Grey values as uint8: the square root of their place in the range; uint8 over its full range as they are.

    >>> codes(np.array([0.0, 25.0, 100.0]), (0.0, 100.0))
    array([  0, 128, 255], dtype=uint8)
    """
    if values.dtype == np.uint8 and reach == (0.0, 255.0):
        return values
    if values.dtype in (np.uint8, np.uint16) and values.size > 1 << 14:
        coded: np.ndarray = _table(values.dtype.str, reach)[values]
        return coded
    low, high = reach
    with np.errstate(over="ignore", invalid="ignore"):
        share = (values.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1e-30))
    np.nan_to_num(share, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    out: np.ndarray = (np.sqrt(np.clip(share, 0, 1)) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return out


@lru_cache(maxsize=64)
def _table(dtype: str, reach: Window) -> np.ndarray:
    return codes(np.arange(np.iinfo(dtype).max + 1, dtype=np.float32), reach)


def _fitted(pixels: np.ndarray, inner: Sequence[float], shape: tuple[int, int], reach: Window) -> np.ndarray:
    coded = np.ascontiguousarray(codes(pixels, reach))
    left, upper, right, lower = inner
    if coded.shape == shape and (left, upper, right, lower) == (0, 0, shape[1], shape[0]):
        return coded
    down = right - left > shape[1] or lower - upper > shape[0]
    how = Image.Resampling.BOX if down else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(coded).resize((shape[1], shape[0]), how, box=(left, upper, right, lower)))


def _high(values: np.ndarray, percent: float) -> float:
    flat = np.asarray(values).ravel()
    flat = flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat
    return float(np.percentile(flat, percent)) if flat.size else 0.0


def _described(window: Window, reach: Window, values: np.ndarray, kind: str) -> dict[str, Any]:
    flat = np.asarray(values).ravel()
    flat = flat[np.isfinite(flat)] if kind == "f" else flat
    low = float(flat.min()) if flat.size else 0.0
    high = max(float(flat.max()) if flat.size else 1.0, window[1])
    bounds = min(low, window[0]), high if high > low else low + 1
    counts, _ = np.histogram(flat, bins=_BINS, range=(bounds[0], min(bounds[1], window[1] + 0.6 * (window[1] - window[0]))))
    shown = np.log1p(counts.astype(float))
    return {
        "window": (float(window[0]), float(window[1])), "range": (float(reach[0]), float(reach[1])),
        "bounds": (bounds[0], min(bounds[1], window[1] + 0.6 * (window[1] - window[0]))), "most": bounds[1],
        "histogram": [round(float(v), 3) for v in shown / max(shown.max(), 1e-9)],
    }  # fmt: skip
