"""At which scale to look: from the weight-free estimate of the object diameter, corrected by what the network itself then finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..analysis.scale import find_recipe
from ..data.image import MicroImage
from ..tiles.plan import Slices
from .decode import Decoding, objects_of
from .network import TileMaps

_LOOKS = 3
_SIDE = 384
_LARGEST_PITCH = 64


@dataclass(frozen=True)
class Scale:
    """The scale that an image was looked at.

    Attributes
    ----------
    pitch : pixels of level 0 along a map pixel; the network sees ``2 / pitch`` of its pixels along a pixel of level 0.
    diameter_px : typical object diameter in pixels of level 0.
    source : ``"argument"``, ``"estimated"`` (without weights) or ``"looked"`` (by the network, at ``tried`` pitches).
    tried : pitches that were looked at.
    """

    pitch: int
    diameter_px: float
    source: str
    tried: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"tried": list(self.tried)}


def pitch_for(diameter_px: float, target: float) -> int:
    """The pitch at which objects of this diameter are nearest to ``target`` pixels of the network."""
    return int(np.clip(round(2 * diameter_px / target), 1, _LARGEST_PITCH))


def find_scale(
    plane: MicroImage, maps_at: Callable[[int], TileMaps], decoding: Decoding, *, target: float, diameter_px: float | None = None
) -> Scale:
    """The scale for a plane.

    Parameters
    ----------
    maps_at : pitch -> the plane as the network sees it.
    target : diameter in pixels of the network that it was trained for.
    diameter_px : a known diameter in pixels of level 0, which ends the search.
    """
    if diameter_px is not None:
        return Scale(pitch_for(diameter_px, target), float(diameter_px), "argument")
    recipe = find_recipe(plane)
    diameter, tried = recipe.diameter_px, []
    pitch = pitch_for(diameter, target)
    for _ in range(_LOOKS):
        tried.append(pitch)
        found = _diameter(maps_at(pitch), decoding)
        if found is None:
            break
        diameter = found * pitch
        pitch = pitch_for(diameter, target)
        if pitch in tried or abs(pitch - tried[-1]) <= 0.2 * pitch:
            return Scale(pitch, diameter, "looked", tuple(tried))
    return Scale(pitch, diameter, "looked" if len(tried) > 1 else "estimated", tuple(tried))


def _diameter(maps: TileMaps, decoding: Decoding) -> float | None:
    """Typical diameter, in map pixels, of the objects in a few places: their median, weighed by diameter; None where there are none."""
    places = [maps.geometry(tile.core) for tile in maps.grid] if len(maps.grid) == 1 else [maps.look(c).geometry for c in _spots(maps.shape)]
    areas = np.concatenate([np.bincount(objects_of(geometry[:4], decoding).ravel())[1:] for geometry in places])
    if areas.size == 0:
        return None
    diameters = np.sort(2 * np.sqrt(areas / np.pi))
    weight = np.cumsum(diameters)
    return float(diameters[np.searchsorted(weight, weight[-1] / 2)])


def _spots(shape: tuple[int, int]) -> list[Slices]:
    """Four squares along the diagonal and beside it."""
    found = []
    for v, u in ((0.2, 0.3), (0.4, 0.7), (0.6, 0.2), (0.8, 0.6)):
        y, x = (int(np.clip(share * n - _SIDE / 2, 0, max(0, n - _SIDE))) // 2 * 2 for share, n in ((v, shape[0]), (u, shape[1])))
        found.append((slice(y, min(shape[0], y + _SIDE)), slice(x, min(shape[1], x + _SIDE))))
    return found
