"""What a stream does to grey values: two numbers a channel, fixed once from a coarse level, so that no tile changes another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ..errors import PlanError
from ..settings import settings
from .bands import Box, Plane

Kind = Literal["percentile", "dtype", "none"]
PERCENTILES = (0.1, 99.9)
_COARSE = 1 << 18  # pixels of a level that may be read whole for its statistics
_WINDOWS, _STRIDE = 4, 4  # where no level is that coarse: 4 x 4 chunks over the plane, every fourth pixel of each
_ROWS = 128  # rows converted at a time: 128 x 640 float32 stay in a core's cache between the two passes


@dataclass(frozen=True)
class Normalisation:
    """``(grey - low) / (high - low)`` a channel, unclipped, as float32; pixels that are not finite become 0.

    Attributes
    ----------
    kind : ``"percentile"`` (low and high are percentiles of the image), ``"dtype"`` (0 and the largest value an integer dtype
        can hold; float images are left as they are) or ``"none"`` (grey values as they are).
    low, high : one a channel, in grey values.
    level : pyramid level the percentiles were taken from; None where none was read.
    pixels : how many pixels a channel they were taken from.
    percentiles : which ones.
    not_finite : how many of those pixels were NaN or infinite, all channels together.

    Examples
    --------
    >>> out = np.empty((1, 1, 2), np.float32)
    >>> Normalisation("none", (0.0,), (1.0,)).put(np.array([[[3.0, np.nan]]]), out), out.tolist()
    (1, [[[3.0, 0.0]]])
    """

    kind: Kind
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: int | None = None
    pixels: int = 0
    percentiles: tuple[float, float] | None = None
    not_finite: int = 0

    def put(self, src: np.ndarray, dst: np.ndarray) -> int:
        """Writes ``src (c, y, x)`` normalised into ``dst (c, y, x) float32``; returns how many pixels were not finite."""
        for grey, out, low, high in zip(src, dst, self.low, self.high, strict=True):
            if low == 0.0 and high == 1.0:
                np.copyto(out, grey, casting="unsafe")
            else:
                _scale(grey, out, low, np.float32(1.0 / (high - low)))
        if src.dtype.kind != "f":
            return 0
        bad = ~np.isfinite(dst)
        dst[bad] = 0.0
        return int(np.count_nonzero(bad))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def _scale(grey: np.ndarray, out: np.ndarray, low: float, factor: np.float32) -> None:
    if grey.dtype.itemsize >= 4:  # float32 keeps seven digits: large values are brought near 0 first
        with np.errstate(invalid="ignore", over="ignore"):
            np.multiply(grey - np.float64(low), factor, out=out, casting="unsafe")
        return
    shift = np.float32(low) * factor
    for top in range(0, len(out), _ROWS):
        rows = out[top : top + _ROWS]
        with np.errstate(invalid="ignore", over="ignore"):
            np.multiply(grey[top : top + _ROWS], factor, out=rows, dtype=np.float32, casting="unsafe")
            rows -= shift


def fix(plane: Plane, kind: Kind | Normalisation) -> Normalisation:
    """The normalisation of a plane; the same whatever tiles, batches or workers will use it.

    ``"percentile"`` reads the finest level of at most 512 x 512 pixels, or where there is none a fixed 4 x 4 sample of the
    coarsest level's chunks. The channels of a colour picture share their numbers, so that its hues stay.

    Raises
    ------
    PlanError : an unknown kind, or a Normalisation for another number of channels.
    """
    n = plane.channels
    if isinstance(kind, Normalisation):
        if len(kind.low) != n:
            raise PlanError(f"this normalisation is for {len(kind.low)} channels; the image has {n}")
        return kind
    if kind == "none":
        return Normalisation("none", (0.0,) * n, (1.0,) * n)
    if kind == "dtype":
        top = float(np.iinfo(plane.dtype).max) if plane.dtype.kind in "iu" else 1.0
        return Normalisation("dtype", (0.0,) * n, (top,) * n)
    if kind != "percentile":
        raise PlanError(f"normalise={kind!r} must be 'percentile', 'dtype', 'none', or a Normalisation")
    return _percentiles(plane.coarsest(_COARSE))


def _percentiles(plane: Plane) -> Normalisation:
    sample = _sample(plane)
    finite = np.isfinite(sample) if sample.dtype.kind == "f" else np.ones(sample.shape, bool)
    groups = [(sample, finite)] if plane.rgb else list(zip(sample, finite, strict=True))
    pairs = [_pair(grey[good]) for grey, good in groups] * (plane.channels if plane.rgb else 1)
    low, high = zip(*pairs, strict=True)
    return Normalisation(
        "percentile", low, high, level=plane.level, pixels=sample[0].size, percentiles=PERCENTILES,
        not_finite=int(finite.size - np.count_nonzero(finite)),
    )  # fmt: skip


def _pair(grey: np.ndarray) -> tuple[float, float]:
    if grey.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(grey.astype(np.float64 if grey.itemsize >= 4 else np.float32), PERCENTILES))
    return low, high if high > low else low + 1.0


def _sample(plane: Plane) -> np.ndarray:
    """``(c, n)`` grey values: the plane, or fixed windows of it where it is too large to be read whole."""
    if plane.shape[0] * plane.shape[1] <= _COARSE:
        return plane.read((slice(0, plane.shape[0]), slice(0, plane.shape[1]))).reshape(plane.channels, -1)
    boxes = list(_windows(plane))
    with ThreadPoolExecutor(max_workers=settings.threads) as pool:
        parts = pool.map(lambda box: plane.read(box)[:, ::_STRIDE, ::_STRIDE].reshape(plane.channels, -1), boxes)
        return np.concatenate(list(parts), axis=1)


def _windows(plane: Plane) -> Iterator[Box]:
    """Boxes of at most 512 x 512 pixels, each inside one stored chunk, spread evenly over the plane."""
    spans = []
    for n, chunk, start in zip(plane.shape, plane.chunk, plane.origin, strict=True):
        edges = [max(0, k * chunk - start) for k in range(-(-(n + start) // chunk))]
        picked = sorted({edges[min(len(edges) - 1, int((k + 0.5) * len(edges) / _WINDOWS))] for k in range(_WINDOWS)})
        spans.append([slice(e, min(e + min(512, chunk - (e + start) % chunk), n)) for e in picked])
    yield from ((y, x) for y in spans[0] for x in spans[1])
