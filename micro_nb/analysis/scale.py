"""What an image needs, found once from samples of it: kind, polarity, object diameter, threshold, background."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage as ndi
from skimage.filters import threshold_multiotsu, threshold_otsu

from ..data.image import MicroImage
from ..errors import PlanError
from .distance import distance
from .foreground import Edges, shrink, uneven
from .split import Parting
from .stains import TEXTURE_SIGMA, Kind, Polarity, color_kind, grey_kind, signal, white_of

_WHOLE_PX = 1 << 21
_WINDOW, _WINDOWS = 448, 9
_WORKING_DIAMETER = 30.0
_NESTED = 0.4
"""Dark objects below this share of the foreground's diameter lie inside it; nuclei measured 0.5 to 1 on glass, 0.3 in tissue."""
_NOISE_RATIO = 0.45
"""White noise keeps 0.24 of its variance when smoothed from 1 to 2 px; pictures with objects of 4 px and more keep above 0.6."""


@dataclass(frozen=True)
class Tuning:
    """What is fixed per kind; chosen on half of the public sets, reported on the other half.

    Attributes
    ----------
    gain : the floor as a share of Otsu's threshold above background.
    share : see :class:`~micro_nb.analysis.foreground.Edges`.
    sigma : smoothing of the signal in diameters; at least 0.7 px.
    neck, smooth, brightness : see :class:`~micro_nb.analysis.split.Parting`.
    smallest : least area as a share of a disc of the typical diameter.
    """

    gain: float = 0.8
    share: float = 0.62
    sigma: float = 0.04
    neck: float = 0.93
    smooth: float = 0.08
    brightness: float = 0.8
    smallest: float = 0.1


TUNING: dict[Kind, Tuning] = {
    "fluorescence": Tuning(),
    "histology": Tuning(share=0.66, sigma=0.03, neck=0.86, smooth=0.14, smallest=0.12),
    "ihc": Tuning(share=0.5, neck=0.86, smooth=0.14, smallest=0.15),
    "blood": Tuning(share=0.35, neck=0.8, smooth=0.1, brightness=0.0, smallest=0.2),
    "particles": Tuning(gain=1.25, share=0.3, sigma=0.0, neck=0.88, smooth=0.1, brightness=0.6, smallest=0.05),
    "brightfield": Tuning(gain=1.0, share=0.66, sigma=0.05, smooth=0.1),
    "phase": Tuning(gain=1.0, share=0.66, neck=0.8, smooth=0.1, brightness=0.6),
}


@dataclass(frozen=True)
class Recipe:
    """Everything about an image that segmentation needs to know; the same for every tile.

    Attributes
    ----------
    kind, polarity : what the picture is and which side of the background its objects lie.
    white : grey value of white.
    diameter_px : typical object diameter in pixels of level 0.
    reduction : pixels of level 0 along one working pixel; large objects are found on block means.
    edges : foreground parameters in working pixels.
    parting : how touching objects are parted, in working pixels.
    contrast : objects above background in standard deviations of the background.
    empty : whether the samples hold nothing that stands out of the noise.
    """

    kind: Kind
    polarity: Polarity
    white: float
    diameter_px: float
    reduction: int
    edges: Edges
    parting: Parting
    contrast: float
    empty: bool

    @property
    def halo(self) -> int:
        """Working pixels around a block on which its maps depend."""
        return self.edges.halo + (math.ceil(4 * TEXTURE_SIGMA / self.reduction) + 1 if self.kind == "phase" else 0)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, for evidence and attributes."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found | {"threshold": self.edges.background + self.edges.floor}


def find_recipe(img: MicroImage, *, kind: Kind | None = None) -> Recipe:
    """The recipe of a plane ``(y, x)`` or colour picture ``(c, y, x)``, from the whole of it or from windows spread over it."""
    samples = [pixels for pixels in spread_samples(img) if np.isfinite(pixels).any()]
    if not samples:
        raise PlanError(f"{img.name}: every pixel is NaN or infinite, so there is nothing to find objects in")
    white = white_of(img.dtype, samples)
    found, polarity = _kind_of(samples, white, kind)
    return _measure([signal(s, found, polarity, white) for s in samples], found, polarity, white)


def _kind_of(samples: list[np.ndarray], white: float, kind: Kind | None) -> tuple[Kind, Polarity]:
    if kind in ("histology", "ihc", "blood"):
        return kind, "dark"
    joined = np.concatenate([s.reshape(*s.shape[:-2], -1) for s in samples], axis=-1)[..., None]
    color = _color_of(samples, white) if joined.ndim == 3 and kind is None else None
    if color:
        return color, "dark"
    guess, polarity = grey_kind(joined)
    if kind is None or kind == guess:
        return guess, polarity
    fixed: dict[Kind, Polarity] = {"fluorescence": "bright", "brightfield": "dark", "phase": "texture"}
    return kind, fixed.get(kind, polarity if polarity != "texture" else "bright")


def _color_of(samples: list[np.ndarray], white: float) -> Kind | None:
    """What most windows of a colour picture show; tissue where a quarter of them does, as much of a slide is pale or empty."""
    votes = [color_kind(s, white) for s in samples]
    tissue: tuple[Kind, Kind] = ("histology", "ihc")
    if 4 * sum(votes.count(kind) for kind in tissue) >= len(votes):
        return max(tissue, key=votes.count)
    return "blood" if 2 * votes.count("blood") >= len(votes) else None


@dataclass(frozen=True)
class _Look:
    """Smoothed samples, and what they say about threshold and size."""

    smooth: list[np.ndarray]
    threshold: float
    background: float
    noise: float
    diameter: float

    @classmethod
    def at(cls, smooth: list[np.ndarray], kind: Kind) -> _Look:
        threshold, background, noise = _threshold(smooth, kind)
        look = cls(smooth, threshold, background, noise, _diameter(smooth, threshold))
        return look.inside() if kind == "histology" else look

    def inside(self) -> _Look:
        """Nuclei, where the threshold finds tissue on glass: the uppermost of three classes, if its objects are far smaller."""
        values = np.concatenate([s.ravel() for s in self.smooth])
        if np.unique(values[:: max(1, values.size // 4096)]).size < 3:
            return self
        low, high = (float(t) for t in threshold_multiotsu(values, classes=3))  # type: ignore[no-untyped-call]
        diameter = _diameter(self.smooth, high)
        if diameter > _NESTED * self.diameter:
            return self
        tissue = values[(values > low) & (values <= high)]
        background = float(np.median(tissue))
        noise = 1.4826 * float(np.median(np.abs(tissue - background)))
        return _Look(self.smooth, high, background, noise, diameter)

    def level(self, kind: Kind, cell: int) -> _Look:
        """The same with the uneven background taken off."""
        return _Look.at([s - uneven(s, cell) for s in self.smooth], kind)


def _measure(signals: list[np.ndarray], kind: Kind, polarity: Polarity, white: float) -> Recipe:
    tuning, noise_only = TUNING[kind], _looks_like_noise(signals)
    look = _first_look(signals, kind)
    reduction = max(1, int(look.diameter / _WORKING_DIAMETER))
    if reduction > 1:
        look = _first_look([shrink(s, reduction) for s in signals], kind)
    flatten = kind != "phase" and _is_uneven(look)
    if flatten:
        look = look.level(kind, max(2, round(look.diameter / 8)))
    diameter, height = look.diameter, look.threshold - look.background
    edges = Edges(
        floor=tuning.gain * height, background=look.background, share=tuning.share, diameter=diameter,
        sigma=max(0.7, tuning.sigma * diameter), flatten=flatten, opening=diameter >= 8,
    )  # fmt: skip
    return Recipe(
        kind=kind, polarity=polarity, white=white, diameter_px=diameter * reduction, reduction=reduction, edges=edges,
        parting=Parting(diameter, tuning.neck, tuning.smooth, tuning.brightness, tuning.smallest * math.pi / 4 * diameter**2),
        contrast=height / max(look.noise, 1e-9), empty=noise_only or height <= 0,
    )  # fmt: skip


def _first_look(signals: list[np.ndarray], kind: Kind) -> _Look:
    look = _Look.at([ndi.gaussian_filter(s, 1.0, truncate=3.0) for s in signals], kind)
    side = min(min(s.shape) for s in signals)
    if kind != "phase" and look.diameter > side / 4:  # a slope of the background, perhaps: look again without it
        for share in (64, 128):
            diameter = look.level(kind, max(2, side // share)).diameter
            if diameter < look.diameter / 3:
                return replace(look, diameter=diameter)
    return look


def _threshold(smooth: list[np.ndarray], kind: Kind) -> tuple[float, float, float]:
    """Threshold, background, and the background's standard deviation, over all samples."""
    values = np.concatenate([s.ravel() for s in smooth])
    if float(np.ptp(values)) == 0:
        return float(values[0]), float(values[0]), 0.0
    if kind == "brightfield":
        threshold = float(threshold_multiotsu(values, classes=3)[-1])  # type: ignore[no-untyped-call]
    else:
        threshold = float(threshold_otsu(values))  # type: ignore[no-untyped-call]
    low = values[values <= threshold][::4]
    background = float(np.median(low))
    return threshold, background, 1.4826 * float(np.median(np.abs(low - background)))


def _diameter(smooth: list[np.ndarray], threshold: float) -> float:
    """Twice the median depth of the foreground's peaks, weighed by area: the width of what most of the foreground is."""
    depths = []
    for s in smooth:
        depth = ndi.gaussian_filter(distance(s > threshold), 1, truncate=3.0)
        depths.append(depth[(depth == ndi.maximum_filter(depth, 7)) & (depth > 1.5)])
    found = np.sort(np.concatenate(depths))
    if found.size == 0:
        return 10.0
    weight = np.cumsum(found.astype(np.float64) ** 2)
    return float(np.clip(2 * found[np.searchsorted(weight, weight[-1] / 2)], 4.0, 2000.0))


def _is_uneven(look: _Look) -> bool:
    """Whether the background varies by more than a quarter of the objects' height."""
    cell = max(2, round(look.diameter / 8))
    grounds = np.concatenate([uneven(s, cell)[::cell, ::cell].ravel() for s in look.smooth])
    low, high = np.percentile(grounds, [5, 95])
    return bool(high - low > 0.25 * (look.threshold - look.background))


def _looks_like_noise(signals: list[np.ndarray]) -> bool:
    fine = coarse = 0.0
    for s in signals:
        part = s[:_WINDOW, :_WINDOW]
        slow = ndi.gaussian_filter(part, 16, truncate=2.0)
        fine += float((ndi.gaussian_filter(part, 1) - slow).var())
        coarse += float((ndi.gaussian_filter(part, 2) - slow).var())
    return coarse < _NOISE_RATIO * fine


def spread_samples(img: MicroImage) -> list[np.ndarray]:
    """The whole plane, or windows evenly spread over it at level 0: ``(y, x)`` or ``(3, y, x)``."""
    height, width = img.plane_shape
    lead = (slice(None),) * (len(img.axes) - 2)
    if height * width <= _WHOLE_PX:
        return [img.read(0)]
    side = round(math.sqrt(_WINDOWS))
    rows, cols = _starts(height, side), _starts(width, side)
    boxes = [(slice(y, min(y + _WINDOW, height)), slice(x, min(x + _WINDOW, width))) for y in rows for x in cols]
    return [img.read(0, (*lead, *box)) for box in boxes]


def _starts(length: int, count: int) -> list[int]:
    last = max(length - _WINDOW, 0)
    return sorted({int(last * (k + 0.5) / count) for k in range(count)})
