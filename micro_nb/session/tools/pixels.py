"""Tools that read grey values: exact statistics by streaming, one band of the image at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..registry import Measurement, tool
from .frame import pixel_box

_BAND_PIXELS = 1 << 22
_BINS = 1 << 16
Statistic = Literal["mean", "median", "min", "max", "std", "range"]


@dataclass(frozen=True)
class Greys:
    """What is known of the grey values of a region after reading it band by band.

    Attributes
    ----------
    n, low, high, mean, std : exact.
    values, counts : distinct grey values and how often each occurs, or the centres of 65,536 bins where there are more.
    """

    n: int
    low: float
    high: float
    mean: float
    std: float
    values: np.ndarray
    counts: np.ndarray

    @property
    def median(self) -> float:
        """The lower of two middle values."""
        return float(self.values[np.searchsorted(np.cumsum(self.counts), (self.n + 1) // 2)])

    @property
    def spread(self) -> tuple[float, float]:
        """``(low, high)``."""
        return self.low, self.high


@tool("intensity", unit="grey value", quantity="grey values of pixels")
def intensity(
    img: MicroImage, *, region: Region | None = None, statistic: Statistic = "mean", channel: str | None = None
) -> tuple[Measurement, ...]:
    """Mean, median, min, max, std or range of the stored grey values, over all channels together or in one of them; exact.
    Colour pictures are measured over their red, green and blue samples together unless a channel is named.
    """
    greys = read_greys(img, region, channel)
    n = Measurement("samples read", greys.n, "px")
    if statistic == "range":
        top = Measurement("largest storable grey value", storable(img), "grey value")
        return Measurement("range of grey values", greys.spread, "grey value"), n, top
    value = {"mean": greys.mean, "median": greys.median, "min": greys.low, "max": greys.high, "std": greys.std}[statistic]
    return Measurement(f"{statistic} grey value", value, "grey value"), n


@tool("share_at", unit="%", quantity="share of pixels at or beyond a grey value")
def share_at(
    img: MicroImage,
    *,
    value: float | None = None,
    op: Literal["==", ">=", "<=", ">", "<"] = "==",
    region: Region | None = None,
    channel: str | None = None,
) -> tuple[Measurement, ...]:
    """Share of pixels (%) whose grey value is equal to (or at least, at most, above, below) `value`; exact. Without a value: the
    largest grey value that the dtype can store, i.e. saturation. Colour samples are counted one by one.
    """
    limit = storable(img) if value is None else value
    compare = {"==": np.equal, ">=": np.greater_equal, "<=": np.less_equal, ">": np.greater, "<": np.less}[op]
    hits = total = 0
    for band in bands(img, region, channel):
        hits, total = hits + int(compare(band, limit).sum()), total + band.size
    return (
        Measurement("share of pixels", 100 * hits / total, "%"),
        Measurement("pixels", hits, "px"),
        Measurement("grey value", limit, "grey value"),
    )


def storable(img: MicroImage) -> float:
    """Largest grey value of an integer dtype; 1.0 for floats."""
    return int(np.iinfo(img.dtype).max) if img.dtype.kind in "iu" else 1.0


def bands(img: MicroImage, region: Region | None, channel: str | None) -> Iterator[np.ndarray]:
    """Arrays ``(..., rows, cols)`` of level 0 that cover the region once, top to bottom, at most a few MPx each."""
    seen = img.plane() if channel is None else _of_channel(img, channel).plane()
    rows, cols = pixel_box(img, region)
    step = max(1, _BAND_PIXELS // max(1, (cols.stop - cols.start) * len(seen.channels)))
    for top in range(rows.start, rows.stop, step):
        yield seen.isel(y=slice(top, min(top + step, rows.stop)), x=cols).read()


def _of_channel(img: MicroImage, channel: str) -> MicroImage:
    if "c" not in img.axes:
        return img
    return img.sel(c=int(channel) if channel.isdigit() and channel not in {c.name for c in img.channels} else channel)


def read_greys(img: MicroImage, region: Region | None, channel: str | None) -> Greys:
    """Exact statistics of the grey values of a region; two passes where they are not small integers.

    Raises
    ------
    EvidenceError : nothing finite is there, or the region is a polygon.
    """
    if region is not None and region.polygon is not None:
        raise EvidenceError("grey values inside a polygon are not measured; give a box")
    n, total, square, low, high = 0, 0.0, 0.0, np.inf, -np.inf
    for band in bands(img, region, channel):
        finite = band[np.isfinite(band)].astype(float) if band.dtype.kind == "f" else band.ravel().astype(float)
        if finite.size:
            n, total, square = n + finite.size, total + finite.sum(), square + np.dot(finite, finite)
            low, high = min(low, finite.min()), max(high, finite.max())
    if not n:
        raise EvidenceError(f"{img.name} holds no finite grey value there")
    mean = total / n
    values, counts = _histogram(img, region, channel, low, high)
    return Greys(n, _whole(low), _whole(high), mean, max(square / n - mean**2, 0.0) ** 0.5, values, counts)


def _histogram(
    img: MicroImage, region: Region | None, channel: str | None, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    whole = img.dtype.kind in "iub" and high - low < _BINS
    edges = np.arange(low, high + 2) - 0.5 if whole else np.linspace(low, np.nextafter(high, np.inf), _BINS + 1)
    counts = np.zeros(len(edges) - 1, np.int64)
    for band in bands(img, region, channel):
        if whole:
            counts += np.bincount((band.ravel().astype(np.int64) - int(low)), minlength=len(counts))
        else:
            counts += np.histogram(band[np.isfinite(band)], edges)[0]
    centres = np.arange(low, high + 1) if whole else (edges[:-1] + edges[1:]) / 2
    present = np.flatnonzero(counts)
    return centres[present], counts[present]


def _whole(value: float) -> float:
    """An int where the value is one, so that it prints as stored."""
    return int(value) if float(value).is_integer() else float(value)
