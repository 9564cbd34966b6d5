"""Values over tiles as colour: a perceptually even map from dark violet to yellow, and its legend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .contrast import Window
from .frame import Frame

# Anchors of a dark-to-light map whose lightness rises evenly, so that it also reads in grey.
_ANCHORS = np.array(
    [(68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129), (92, 200, 99), (170, 220, 50),
     (253, 231, 37)], np.float32,
)  # fmt: skip
RAMP = np.stack(
    [np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, len(_ANCHORS)), _ANCHORS[:, k]) for k in range(3)], axis=1
).astype(np.uint8)


@dataclass(frozen=True)
class ValueMap:
    """One value a tile.

    Attributes
    ----------
    values : ``(row, col)`` floats; NaN where there is none (an empty tile).
    tile_px : edge of a tile in px of level 0; the last row and column may be cut by the image's rim.
    name : what is shown, with its unit, e.g. ``"focus"``.
    """

    values: np.ndarray
    tile_px: float
    name: str = "value"

    @property
    def window(self) -> Window:
        """Smallest and largest finite value; ``(0, 1)`` where there is none."""
        finite = self.values[np.isfinite(self.values)]
        if not finite.size:
            return 0.0, 1.0
        low, high = float(finite.min()), float(finite.max())
        return (low, high) if high > low else (low - 0.5, high + 0.5)


def paint_map(picture: np.ndarray, layer: ValueMap, frame: Frame, *, opacity: float = 0.55) -> None:
    """Tints ``(y, x, 3)`` uint8 in place, keeping the picture's light and dark readable underneath."""
    rows, cols = (
        np.clip(((low + (np.arange(n) + 0.5) * (high - low) / n) // layer.tile_px).astype(np.intp), 0, size - 1)
        for low, high, n, size in zip((frame.y0, frame.x0), (frame.y1, frame.x1), frame.shape, layer.values.shape, strict=True)
    )
    low, high = layer.window
    shade = (layer.values - low) / (high - low)
    known = np.isfinite(shade)
    colors = RAMP[np.clip(np.where(known, shade, 0) * 255, 0, 255).astype(np.uint8)]
    tint, mask = colors[np.ix_(rows, cols)], known[np.ix_(rows, cols)]
    mixed = Image.blend(Image.fromarray(picture), Image.fromarray(tint), opacity)
    np.copyto(picture, np.asarray(mixed), where=mask[..., None])
