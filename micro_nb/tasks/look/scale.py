"""At which scale to look: where the network, run on a few places at several scales, is surest to see objects of its own size.

Training scales every object to about the same diameter. Seen too small or too large, objects are found with less certainty, or
are not of that diameter; the sum over objects of area x certainty x nearness to it has its maximum where the scale is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...tiles.plan import Slices
from .decode import Decoding, objects_of
from .network import TileMaps
from .places import FIXED

PITCHES = (1, 2, 4, 8, 16, 32, 64)
_SIDE = 176
"""Map pixels along a place that is looked at; the middle alone of a plane that is no wider than two."""
_HALO, _LEAST_SIDE = 8, 24
_SPREAD = 0.5
"""Of the nearness to the right diameter, in natural logarithms."""
_NOT_FAR, _NOT_FAR_PARTS, _LEVEL = 0.4, 0.1, 0.93
"""How much of the best a finer scale is worth at least: for whole objects, and for nuclei, which cover less; a scale is
a peak where it is worth this share of its neighbours."""
_FEW = 10.0
"""So many objects of the right size count half; a few large ones at a coarse scale are often clumps."""
_PARTS = ("nucleus",)
"""Layers that may have a scale of their own."""
_OWN, _SEEN, _BESIDE = 2.1, 0.004, 0.05
"""They have one where it is so much finer, worth at least this, and at least this share of what whole objects are worth."""


@dataclass(frozen=True)
class Scale:
    """The scale that an image was looked at.

    Attributes
    ----------
    pitch : pixels of level 0 along a map pixel; the network sees ``2 / pitch`` of its pixels along a pixel of level 0.
    diameter_px : typical object diameter in pixels of level 0.
    source : ``"argument"``, or ``"searched"`` over the ``tried`` pitches.
    tried : pitches that were looked at.
    scores : what each was worth; 0 too where objects found with it are larger or smaller than they can be.
    """

    pitch: int
    diameter_px: float
    source: str
    tried: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scale:
        """What :meth:`to_dict` gave."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)


def pitch_for(diameter_px: float, target: float) -> int:
    """The pitch at which objects of this diameter are nearest to ``target`` pixels of the network."""
    return int(np.clip(round(2 * diameter_px / target), 1, PITCHES[-1]))


def find_scales(
    maps_at: Callable[[int], TileMaps],
    decodings: Mapping[str, Decoding],
    *,
    shape: tuple[int, int],
    target: float,
    diameter_px: float | None = None,
    places: Sequence[tuple[float, float]] = FIXED,
    sizes: tuple[float, float] | None = None,
) -> dict[str, Scale]:
    """The scale of each layer for a plane: that of the first, or a finer one where a layer's objects are much smaller.

    Parameters
    ----------
    maps_at : pitch -> the plane as the network sees it.
    decodings : layer -> how its objects are found; in the order of the network's layers.
    shape : of the plane, pixels of level 0.
    target : diameter in pixels of the network that it was trained for.
    diameter_px : a known diameter in pixels of level 0, which ends the search.
    sizes : the least and the largest diameter that objects can have, see :func:`.sizes.sizes_px`; scales at which only others
        are found are worth nothing, unless all are.
    places : middles of the places that are looked at, in shares of the plane, see :func:`.places.telling`.
    """
    if diameter_px is not None:
        return dict.fromkeys(decodings, Scale(pitch_for(diameter_px, target), float(diameter_px), "argument"))
    tried = [p for p in PITCHES if p == 1 or min(shape) >= _LEAST_SIDE * p]
    glances = [_glances(maps_at(p), places) for p in tried]
    found: dict[str, Scale] = {}
    whole: Scale | None = None
    for k, (name, decoding) in enumerate(decodings.items()):
        if whole is not None and name not in _PARTS:
            found[name] = whole
            continue
        worth = [_worth([g[4 * k : 4 * k + 4] for g in seen], decoding, target) for seen in glances]
        worth = worth if sizes is None else _possible(worth, tried, sizes)
        best = _finest([score for score, _ in worth], _NOT_FAR if whole is None else _NOT_FAR_PARTS)
        own = _scale(tried, worth, best, target)
        found[name] = own if whole is None or _of_its_own(own, worth[best][0], whole) else whole
        whole = whole or own
    return found


def _possible(worth: list[tuple[float, float]], tried: list[int], sizes: tuple[float, float]) -> list[tuple[float, float]]:
    """The worth of pitches at which objects of a possible size are found; of all pitches where there are none."""
    found = [(score if sizes[0] <= d * p <= sizes[1] else 0.0, d) for (score, d), p in zip(worth, tried, strict=True)]
    return found if any(score > 0 for score, _ in found) else worth


def _scale(tried: list[int], worth: list[tuple[float, float]], best: int, target: float) -> Scale:
    diameter = worth[best][1] * tried[best]
    scores = tuple(round(score, 5) for score, _ in worth)
    return Scale(pitch_for(diameter, target), round(diameter, 2), "searched", tuple(tried), scores)


def _of_its_own(own: Scale, score: float, whole: Scale) -> bool:
    """Whether parts are so much smaller than the whole objects that they need a look of their own."""
    return own.pitch * _OWN <= whole.pitch and score >= max(_SEEN, _BESIDE * max(whole.scores))


def _finest(scores: list[float], not_far: float) -> int:
    """The finest scale that is better than its neighbours and not far below the best: what is large is made of what is small."""
    ends = [0.0, *scores, 0.0]
    peaks = [k for k, score in enumerate(scores) if score >= _LEVEL * max(ends[k], ends[k + 2])]
    return next(k for k in peaks if scores[k] >= not_far * max(scores))


def _glances(maps: TileMaps, places: Sequence[tuple[float, float]]) -> list[np.ndarray]:
    """Geometry ``(L * 4, h, w)`` of the places of a plane."""
    return [maps.glance(core, _HALO) for core in _cores(maps.shape, places)]


def _worth(places: list[np.ndarray], decoding: Decoding, target: float) -> tuple[float, float]:
    """What a pitch is worth for a layer, and the typical diameter that is found with it, in map pixels."""
    areas, certain, seen = [], [], 0
    for geometry in places:
        labels = objects_of(geometry, decoding)
        area = np.bincount(labels.ravel())[1:]
        areas.append(area)
        certain.append(np.bincount(labels.ravel(), geometry[0].ravel())[1:] / np.maximum(area, 1))
        seen += labels.size
    area, sure = np.concatenate(areas), np.concatenate(certain)
    if area.size == 0:
        return 0.0, target / 2
    diameters = 2 * np.sqrt(area / np.pi)
    near = np.exp(-(np.log(2 * diameters / target) ** 2) / (2 * _SPREAD**2))
    right = float((near > 0.3).sum())
    score = float((area * near * np.maximum(sure - 0.5, 0) * 2).sum() / seen) * right / (right + _FEW)
    return score, typical(diameters)


def typical(diameters: np.ndarray) -> float:
    """Their median, weighed by diameter, so that specks do not decide."""
    ordered = np.sort(diameters)
    weight = np.cumsum(ordered)
    return float(ordered[np.searchsorted(weight, weight[-1] / 2)])


def _cores(shape: tuple[int, int], places: Sequence[tuple[float, float]]) -> list[Slices]:
    """The middle of a small plane, else the places around these middles."""
    middles = ((0.5, 0.5),) if min(shape) < 2 * _SIDE else places
    return [(_around(y, shape[0]), _around(x, shape[1])) for y, x in middles]


def _around(share: float, n: int) -> slice:
    start = int(np.clip(share * n - _SIDE / 2, 0, max(0, n - _SIDE))) // 2 * 2
    return slice(start, min(n, start + _SIDE))
