"""At which scale to look: texture tells how large objects are, in a few cheap glances, each more strided than the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ...data.image import MicroImage
from ...models.network import MicroD1
from ...models.ontology import ontology
from .network import TileMaps, windows

PITCHES = (1, 2, 4, 8, 16, 32, 64)
LARGE = 1 << 22
"""Planes of more pixels than this are glanced at where something shows; smaller ones in the middle and two corners."""
_SIDE, _LEAST_SIDE = 128, 16  # map pixels along a glance, and along the smallest plane that is glanced at
_FIXED = ((0.25, 0.25), (0.5, 0.5), (0.75, 0.75))
_CHOSEN, _SHOWS, _BEST = 4, 0.5, 90
"""How many places of a large plane are chosen, among those whose contrast is this share of the percentile of all contrasts."""
_SIZES = np.arange(-3, 7.01, 0.05)
"""log2 of the diameters that are weighed against each other, over the one that the network knows."""
_DOUBT, _NEAR, _NEVER = 0.1, 0.5, 1e3
"""How often a glance may be wrong altogether, so that none has the last word; octaves that are near; log odds against a size that
nothing has."""
_WIDER, _LARGER = 1.5, 1.36
"""How far sizes of the ontology are widened; how much larger than in the middle of training objects are looked at: small ones and
thin rims gain, large ones lose little (chosen on training pictures)."""


@dataclass(frozen=True)
class Scale:
    """The scale that an image was looked at.

    Attributes
    ----------
    pitch : pixels of level 0 along a map pixel; the network sees ``2 / pitch`` of its pixels along a pixel of level 0.
    diameter_px : typical object diameter in pixels of level 0.
    source : ``"argument"``, or ``"predicted"`` from glances.
    sure : how probable it is that the diameter is right within half an octave, 0 to 1.
    """

    pitch: int
    diameter_px: float
    source: str
    sure: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def pitch_for(diameter_px: float, target: float) -> int:
    """The pitch at which objects of this diameter are nearest to a little more than ``target`` pixels of the network."""
    wanted = max(1.0, 2 * diameter_px / (target * _LARGER))
    finer = int(wanted)
    return min(finer + (wanted**2 > finer * (finer + 1)), PITCHES[-1])


def find_scale(maps_at: Callable[[int], TileMaps], plane: MicroImage, model: MicroD1) -> Scale:
    """The scale of a plane from glances at it; ``maps_at`` gives it as the network sees it at a pitch."""
    places = telling(plane)
    return said({p: glances(maps_at(p), places) for p in pitches(plane)}, model, possible(plane, model))


def possible(plane: MicroImage, model: MicroD1) -> tuple[float, float]:
    """The least and the largest diameter, in pixels of level 0, that what the model was trained on can have.

    They are known where the size of a pixel is; sizes of the ontology are widened both ways, as sections shrink and cells spread.
    """
    widths = [width for axis, width in (plane.pixel_size or {}).items() if axis in ("y", "x")]
    sizes = [s for c in model.calibration.get("object_concepts", ()) if (s := ontology().size_um(c)) is not None]
    if not widths or not sizes:
        return 0.0, np.inf
    return min(s.low_um for s in sizes) / _WIDER / max(widths), max(s.high_um for s in sizes) * _WIDER / min(widths)


def pitches(plane: MicroImage) -> list[int]:
    """Of the glances at a plane."""
    return [p for p in PITCHES if p == 1 or min(plane.plane_shape) >= _LEAST_SIDE * p]


def glances(maps: TileMaps, places: Sequence[tuple[float, float]]) -> np.ndarray:
    """``(places, 352)``: the texture around middles of places; those that are one place at this pitch are seen once."""
    cores = dict.fromkeys((_around(y, maps.shape[0]), _around(x, maps.shape[1])) for y, x in places)
    return np.stack([maps.glance((slice(*y), slice(*x))) for y, x in cores])


def said(seen: Mapping[int, np.ndarray], model: MicroD1, between: tuple[float, float] = (0.0, np.inf)) -> Scale:
    """What all glances say together of sizes ``between`` two; ``seen`` is pitch -> ``(places, 352)``."""
    octaves, target = np.array(model.size.OCTAVES), model.config.diameter_px
    diameters = target * 2**_SIZES
    total = np.where((diameters >= between[0]) & (diameters <= between[1]), 0.0, -_NEVER)
    for pitch, textures in seen.items():
        with torch.inference_mode():
            p = model.size(torch.from_numpy(textures)).exp().mean(0).numpy()
        total += np.interp(_SIZES - np.log2(pitch / 2), octaves, np.log((1 - _DOUBT) * p + _DOUBT / len(octaves)))
    best = int(total.argmax())
    diameter = float(diameters[best])
    share = np.exp(total - total[best])
    sure = share[np.abs(_SIZES - _SIZES[best]) < _NEAR].sum() / share.sum()
    return Scale(pitch_for(diameter, target), round(diameter, 2), "predicted", round(float(sure), 3))


def telling(plane: MicroImage) -> Sequence[tuple[float, float]]:
    """Middles of places that stand for a plane, in shares of it; of a large one, spread evenly over those of much contrast."""
    if plane.plane_shape[0] * plane.plane_shape[1] <= LARGE:
        return _FIXED
    middles, seen = zip(*windows(plane), strict=True)
    contrast = np.array([_contrast(pixels) for pixels in seen])
    shows = np.flatnonzero(contrast >= _SHOWS * np.percentile(contrast, _BEST))
    chosen = shows[np.linspace(0, len(shows) - 1, _CHOSEN + 2).round().astype(int)[1:-1]]
    return [middles[k] for k in dict.fromkeys(chosen.tolist())]


def _contrast(pixels: np.ndarray) -> float:
    """Standard deviation of the grey values of a window; where some are missing, of the others."""
    grey = pixels.astype(np.float32).reshape(-1, *pixels.shape[-2:]).mean(0)
    there = grey[np.isfinite(grey)]
    return float(there.std()) if there.size else 0.0


def _around(share: float, n: int) -> tuple[int, int]:
    start = int(np.clip(share * n - _SIDE / 2, 0, max(0, n - _SIDE))) // 2 * 2
    return start, min(n, start + _SIDE)
