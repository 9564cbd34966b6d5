"""Grey values: exact statistics, shares and histograms of a place, of one channel or all, read one band of the image at a
time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import AxesError, EvidenceError
from ..language import Call, Node
from .evaluation import evaluate
from .measurement import Measurement, facts
from .places import ANYWHERE, Place, pixel_box
from .registry import measurement
from .results import Found
from .scene import PLANES, Scene
from .selecting import channel_named, place_of

_BAND_PIXELS = 1 << 22
_BINS, _BARS = 1 << 16, 24
_CEILINGS = (1023, 4095, 16383)
"""Largest values of cameras with 10, 12 and 14 bits, whose pictures are stored with 16."""
_OPS = {
    ">=": (np.greater_equal, "of at least"), "<=": (np.less_equal, "of at most"), ">": (np.greater, "above"),
    "<": (np.less, "below"), "==": (np.equal, "of exactly"),
}  # fmt: skip
_AT = re.compile(
    r"\s*(>=|<=|==|>|<)?\s*(?:([-+]?[\d.]+(?:e[-+]?\d+)?)|(mean|median))?\s*(?:([-+])\s*([\d.]+)?\s*\*?\s*sd)?\s*(?:grey)?\s*"
)
_WORDS: Mapping[str, str] = {
    "mean": "mean", "median": "median", "min": "smallest", "max": "largest", "sd": "standard deviation of the",
    "range": "range of the", "iqr": "interquartile range of the", "cv": "coefficient of variation of the",
    "mode": "most frequent", "sum": "sum of the",
}  # fmt: skip


@dataclass(frozen=True)
class Greys:
    """What is known of the grey values of a place.

    Attributes
    ----------
    n, low, high, mean, sd : exact.
    values, counts : distinct grey values and how often each occurs, or the centres of 65,536 bins where there are more.
    """

    n: int
    low: float
    high: float
    mean: float
    sd: float
    values: np.ndarray
    counts: np.ndarray

    def percentile(self, percent: float) -> float:
        """The grey value that so many per cent do not exceed; the lower of two."""
        at = np.searchsorted(np.cumsum(self.counts), max(percent / 100 * self.n, 0.5))
        return _whole(float(self.values[min(int(at), len(self.values) - 1)]))

    def statistic(self, name: str) -> float:
        """A statistic by its name, or a percentile ``p90``."""
        if re.fullmatch(r"p\d{1,2}(\.\d+)?", name):
            return self.percentile(float(name[1:]))
        if name == "cv" and not self.mean:
            raise EvidenceError("the mean grey value is zero, so nothing can be given in per cent of it")
        made = {
            "mean": self.mean,
            "median": self.percentile(50),
            "min": self.low,
            "max": self.high,
            "sd": self.sd,
            "range": self.high - self.low,
            "iqr": self.percentile(75) - self.percentile(25),
            "cv": 100 * self.sd / abs(self.mean) if self.mean else 0.0,
            "mode": _whole(float(self.values[self.counts.argmax()])),
            "sum": self.mean * self.n,
        }
        if name not in made:
            known = f"{', '.join(made)}, a percentile such as p90, share or histogram"
            raise EvidenceError(f"grey values have no statistic {name!r}; ask for {known}")
        return made[name]

    def share(self, op: str, limit: float) -> float:
        """How many per cent of the samples are so; exact for distinct values."""
        return 100 * float(self.counts[_OPS[op][0](self.values, limit)].sum()) / self.n

    def histogram(self, bars: int = _BARS) -> tuple[np.ndarray, np.ndarray]:
        """``(edges, counts)`` of equal bins."""
        top = self.high if self.high > self.low else self.low + 1
        counts, edges = np.histogram(self.values, np.linspace(self.low, top, bars + 1), weights=self.counts)
        return edges, counts


def bands(img: MicroImage, place: Place = ANYWHERE, channel: str | None = None) -> Iterator[np.ndarray]:
    """Samples ``(c, n)`` of the place at level 0, each pixel once, top to bottom, at most a few megapixels each."""
    seen = of_channel(one_plane(img), channel)
    rows, cols = pixel_box(img, place.region)
    step = max(1, _BAND_PIXELS // max(1, (cols.stop - cols.start) * len(seen.channels)))
    for top in range(rows.start, rows.stop, step):
        part = slice(top, min(top + step, rows.stop))
        band = seen.isel(y=part, x=cols).read()
        yield band.reshape(-1, *band.shape[-2:])[:, place.block(part, cols)]


def one_plane(img: MicroImage) -> MicroImage:
    """The image, where it is one plane."""
    for axis, (one, many) in PLANES.items():
        if axis in img.axes:
            how = f"say in which {one} I shall look: a number, the first or the last"
            raise AxesError(f"{img.name} has {img.sizes[axis]} {many}; {how}")
    return img.plane()


def of_channel(img: MicroImage, channel: str | None) -> MicroImage:
    """The image, or one of its channels."""
    name = channel_named(channel, img) if channel is not None else None
    return img.sel(c=name) if name is not None and "c" in img.axes else img


def read_greys(img: MicroImage, place: Place = ANYWHERE, channel: str | None = None) -> Greys:
    """Exact statistics of the grey values of a place, read twice."""
    n, total, spread, low, high = 0, 0.0, 0.0, np.inf, -np.inf
    for band in bands(img, place, channel):
        finite = _finite(band)
        if finite.size:
            own, before = float(finite.mean()), total / max(n, 1)
            spread += float(np.square(finite - own).sum()) + (own - before) ** 2 * n * finite.size / (n + finite.size)
            n, total = n + finite.size, total + float(finite.sum())
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not n:
        raise EvidenceError(f"no pixel with a grey value lies {place.words or 'there'}, so there is nothing to measure")
    values, counts = _counted(img, place, channel, low, high)
    return Greys(n, _whole(low), _whole(high), total / n, (spread / n) ** 0.5, values, counts)


def _finite(band: np.ndarray) -> np.ndarray:
    return np.asarray((band[np.isfinite(band)] if band.dtype.kind == "f" else band.ravel()).astype(float))


def _counted(img: MicroImage, place: Place, channel: str | None, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    whole = img.dtype.kind in "iub" and high - low < _BINS
    edges = np.arange(low, high + 2) - 0.5 if whole else np.linspace(low, np.nextafter(high, np.inf), _BINS + 1)
    counts = np.zeros(len(edges) - 1, np.int64)
    for band in bands(img, place, channel):
        if whole:
            counts += np.bincount(band.ravel().astype(np.int64) - int(low), minlength=len(counts))
        else:
            counts += np.histogram(_finite(band), edges)[0]
    centres, present = (edges[:-1] + edges[1:]) / 2, np.flatnonzero(counts)
    return centres[present], counts[present]


def _whole(value: float) -> float:
    """An int where the value is one, so that it prints as stored."""
    return int(value) if float(value).is_integer() else float(value)


def storable(img: MicroImage) -> float:
    """Largest grey value of an integer dtype; 1 for floats."""
    return int(np.iinfo(img.dtype).max) if img.dtype.kind in "iu" else 1.0


def ceiling(img: MicroImage, highest: float) -> float:
    """The grey value of a saturated pixel: the largest storable one, or that of a camera with fewer bits where the picture
    ends exactly there."""
    top = storable(img)
    return int(highest) if highest in _CEILINGS and top > highest else top


def limit_of(at: str, img: MicroImage, greys: Greys) -> tuple[str, float, bool]:
    """``(op, grey value, saturated)`` that a limit in words means; ``saturated`` where it stands for the top of the range.

    "Saturated", or 255 asked of a picture with more than 8 bits, is the grey value of its saturated pixels.
    """
    text, top = at.strip().lower(), ceiling(img, greys.high)
    match = _AT.fullmatch(text)
    of_bytes = match and match[2] == "255" and match[1] in (">=", "==") and img.dtype.kind in "iu" and top > 255
    if text in ("", "saturated", "max", "top") or of_bytes:
        return ">=", top, True
    if match is None or not (match[2] or match[3] or match[4]):
        raise EvidenceError(f"{at!r} is no limit for grey values; write for example >= 255, < 20 or > mean + 2 * sd")
    base = float(match[2]) if match[2] else {"mean": greys.mean, "median": greys.percentile(50)}.get(match[3] or "", 0.0)
    spread = float(match[5] or 1) * (1 if match[4] == "+" else -1) if match[4] else 0.0
    op, limit = match[1] or "==", _whole(base + spread * greys.sd)
    return op, limit, op in (">=", "==") and limit == top


@measurement("pixels")
def pixels(scene: Scene, statistic: str = "mean", *, where: Node = None, channel: str | None = None, at: str = "") -> Found:
    """Grey values of the pixels of a place, in one channel or all together: a statistic, the share beyond a limit (%), or a
    histogram.

    Exact: every pixel of level 0 is read. Colour pictures are measured over their red, green and blue samples together.
    """
    greys = read_greys(scene.image, _pixels_of(where, scene), channel)
    name = channel_named(channel, scene.image) if channel is not None else None
    more = {"channel": f" in{'' if name.lower().startswith('channel') else ' channel'} {{0.found.channel}}" if name else ""}
    how = {"method": "every pixel read", "samples": greys.n, "channel": name or "all"}
    if statistic == "share":
        return _share(scene.image, greys, at, how, more)
    if statistic == "histogram":
        return _histogram(greys, how, more)
    value, words = greys.statistic(statistic), _WORDS.get(statistic, statistic)
    percentile = statistic.startswith("p")
    main = facts(how, (f"{words} grey value", value, "%" if statistic == "cv" else "grey value"))
    read = Measurement("samples read", greys.n, "px", found=how | ({"percent": float(statistic[1:])} if percentile else {}))
    ends = facts(how, ("least grey value", greys.low, "grey value"), ("greatest grey value", greys.high, "grey value"))
    more |= {"words": words, "noun": "values" if "of the" in words else "value"}
    return Found((*main, read, *ends), "percentile" if percentile else "range" if statistic == "range" else "is", more=more)


def _pixels_of(where: Node, scene: Scene) -> Place:
    """The place that is read; of a point the one pixel it names, counted from zero."""
    if isinstance(where, Call) and where.name == "point" and len(where.args) == 2:
        x, y = (math.floor(float(v)) for v in where.args)
        return Place(Region(y, x, y + 1, x + 1).clip(scene.image.plane_shape), None, f"at ({x}, {y})")
    return place_of(where, scene, evaluate)


def _share(img: MicroImage, greys: Greys, at: str, how: Mapping[str, object], more: Mapping[str, str]) -> Found:
    op, limit, saturated = limit_of(at, img, greys)
    percent = greys.share(op, limit)
    rows = facts(
        {**how, "op": op, "limit": limit, "asked": at or "saturated"},
        ("share of pixels", percent, "%"),
        ("pixels", round(percent * greys.n / 100), "px"),
        ("grey value", limit, "grey value"),
    )
    several = (img.rgb or len(img.channels) > 1) and how["channel"] == "all"
    words = {"samples": "samples" if several else "pixels", "op": _OPS[op][1]}
    return Found(rows, "saturated" if saturated else "share", more={**more, **words})


def _histogram(greys: Greys, how: Mapping[str, object], more: Mapping[str, str]) -> Found:
    edges, counts = greys.histogram()
    shown = {"edges": [float(f"{e:.6g}") for e in edges], "counts": counts.astype(float).tolist()}
    rows = facts(
        {**how, "histogram": shown, "quantity": "grey value"},
        ("mean grey value", greys.mean, "grey value"),
        ("standard deviation of the grey values", greys.sd, "grey value"),
        ("least grey value", greys.low, "grey value"),
        ("greatest grey value", greys.high, "grey value"),
        ("most frequent grey value", greys.statistic("mode"), "grey value"),
    )
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "count": counts.astype(int), "percent": 100 * counts / greys.n})
    return Found(rows, "histogram", table=table, more=more)
