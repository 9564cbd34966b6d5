"""Light, colour and sharpness of a picture as people see it, from a small version of it. No model and no objects are needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from skimage.color import rgb2hsv

from ...analysis.focus import luminance, typical_sharpness
from ...data.image import MicroImage
from ...data.region import Region
from ...render.frame import Frame
from ...render.look import Look

_SIDE = 256
_SHARPNESS_PX = 1 << 20
_HUES = {  # degrees, half open; pink and brown are parted from red, purple and orange by how pale or dark they are
    "red": ((345, 361), (0, 15)), "brown": ((15, 48),), "yellow": ((48, 70),), "green": ((70, 165),), "blue": ((165, 250),),
    "purple": ((250, 315),), "pink": ((315, 345),),
}  # fmt: skip
_COLORFUL, _SEEN = 0.16, 0.12
"""Least saturation and value of a pixel that has a colour."""
_PALE = 0.5
_ALIKE = 0.93
"""Two channels that correlate more say the same."""


def picture_facts(img: MicroImage) -> dict[str, Any]:
    """Facts of a whole plane.

    Returns
    -------
    ``mean_intensity`` and ``background`` (most frequent grey) 0..1 of the display range; ``<colour>_percent`` for red, pink,
    purple, blue, green, yellow and brown (share of all colour, 0 in a grey picture) and ``gray_percent`` (of the pixels);
    ``n_colors`` (channels that differ); ``edge_width_px`` and ``snr`` (:func:`~micro_nb.analysis.focus.typical_sharpness`).
    """
    look = Look.of(img)
    frame = Frame.of_region(Region.part("whole image", img.plane_shape), width=_SIDE, height=_SIDE, max_zoom=1.0)
    picture = look.draw(frame)
    return light_facts(picture) | color_facts(picture) | {"n_colors": _channels(look, picture)} | _sharpness(look)


def light_facts(picture: np.ndarray) -> dict[str, float]:
    """``mean_intensity`` and ``background`` of a ``(y, x, 3)`` uint8 picture, 0..1."""
    grey = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    counts, edges = np.histogram(grey, bins=32, range=(0, 256))
    smooth = np.convolve(counts, (1, 2, 1), mode="same")
    return {"mean_intensity": float(grey.mean() / 255), "background": float((edges[int(smooth.argmax())] + 4) / 255)}


def color_facts(picture: np.ndarray) -> dict[str, float]:
    """Shares of the colours of a ``(y, x, 3)`` uint8 picture, in percent.

    >>> green = np.zeros((8, 8, 3), np.uint8); green[..., 1] = 200
    >>> color_facts(green)["green_percent"], color_facts(green)["gray_percent"]
    (100.0, 0.0)
    """
    hue, saturation, value = np.moveaxis(rgb2hsv(picture), -1, 0)
    hue = hue * 360
    colorful = (saturation >= _COLORFUL) & (value >= _SEEN)
    weight = np.where(colorful, saturation * value, 0.0)
    total = max(float(weight.sum()), 0.005 * weight.size)  # a few stray pixels do not colour a grey picture
    facts = {}
    for name in _HUES:
        facts[f"{name}_percent"] = round(100 * float(weight[_of(name, hue, saturation, value)].sum()) / total, 2)
    facts["gray_percent"] = round(100 * float((~colorful).mean()), 2)
    return facts


def _of(name: str, hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Which pixels a person would call so: pale red is pink, and bright brown yellow."""
    inside = np.zeros(hue.shape, bool)
    for low, high in _HUES[name]:
        inside |= (hue >= low) & (hue < high)
    pale_red = _between(hue, _HUES["red"]) & (saturation < _PALE) & (value > 0.6)
    if name == "pink":
        return inside | pale_red
    return inside & ~pale_red if name == "red" else inside


def _between(hue: np.ndarray, spans: tuple[tuple[int, int], ...]) -> np.ndarray:
    return np.asarray(np.any([(hue >= low) & (hue < high) for low, high in spans], axis=0))


def _channels(look: Look, picture: np.ndarray) -> int:
    """Channels that are not copies of one another; of a picture, colours that vary by themselves."""
    planes = [picture[..., k].astype(float).ravel() for k in range(3)] if look.rgb else None
    if planes is None:
        return len(look.plane.channels)
    different: list[np.ndarray] = []
    for plane in planes:
        if plane.std() > 3 and all(abs(np.corrcoef(plane, other)[0, 1]) < _ALIKE for other in different):
            different.append(plane)
    return max(len(different), 1)


def _sharpness(look: Look) -> dict[str, float]:
    """Of a window in the middle, at level 0."""
    height, width = look.plane.plane_shape
    side = int(_SHARPNESS_PX**0.5)
    rows, cols = (slice(max((n - side) // 2, 0), min((n + side) // 2, n)) for n in (height, width))
    lead = (slice(None),) * (len(look.plane.axes) - 2)
    pixels = look.plane.read(0, (*lead, rows, cols))
    grey = pixels.astype(np.float32) if pixels.ndim == 2 else luminance(pixels) if look.rgb else pixels.mean(0, dtype=np.float32)
    found = typical_sharpness(grey)
    return {"edge_width_px": found.edge_px, "snr": found.snr}


def object_contrast(img: MicroImage, table: pd.DataFrame) -> np.ndarray:
    """How far objects stand out: mean grey value over the background's, in shares of the display range; dark ones are negative.

    Parameters
    ----------
    table : with ``mean_intensity_<channel>``; channels that were not measured are left out.

    Returns
    -------
    ``(len(table),)``, -1..1; NaN where no grey values were measured.
    """
    look, found = Look.of(img), []
    for position, channel in enumerate(look.plane.channels):
        column = f"mean_intensity_{channel.name}"
        if column not in table.columns:
            continue
        ground, reach = _ground(look.sample(position))
        if reach > 0:
            found.append((table[column].to_numpy(float) - ground) / reach)
    return np.clip(np.mean(found, axis=0), -1, 1) if found else np.full(len(table), np.nan)


def _ground(values: np.ndarray) -> tuple[float, float]:
    """The most frequent grey value, and the distance between the 0.5 % and 99.5 % quantiles."""
    finite = values[np.isfinite(values)].astype(np.float32)
    if not finite.size:
        return 0.0, 0.0
    low, high = (float(v) for v in np.quantile(finite, (0.005, 0.995)))
    if high <= low:
        return low, 0.0
    counts, edges = np.histogram(finite, bins=64, range=(low, high))
    smooth = np.convolve(counts, (1, 2, 1), mode="same")
    best = int(smooth.argmax())
    return float((edges[best] + edges[best + 1]) / 2), high - low
