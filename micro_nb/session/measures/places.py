"""Places: parts of the image by name, boxes, points, and what lies inside, near or outside of other objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...data.region import Region
from ...errors import EvidenceError
from ..language import Call
from .scene import Scene
from .units import Length

_NAMES = {
    "left": "left half", "right": "right half", "top": "top half", "bottom": "bottom half", "centre": "center",
    "middle": "center", "upper left": "top left",
    "upper right": "top right", "lower left": "bottom left", "lower right": "bottom right", "upper": "top half",
    "lower": "bottom half", "everywhere": "whole image",
    "left edge": "left edge", "whole": "whole image",
}  # fmt: skip
_RIM = 0.15
"""The border, where it is a place: this share of the image's shorter side, all around."""
_WORDS = {"center": "the center", "border": "the rim of the image", "whole image": "the whole image", "this": "the marked region"}
ON_PLANES = ("z", "t", "well", "image")
PARTS = (
    "left half",
    "right half",
    "top half",
    "bottom half",
    "top left",
    "top right",
    "bottom left",
    "bottom right",
    "center",
    "whole image",
)


@dataclass(frozen=True)
class Place:
    """Where to look: a region of the image, or a mask over its pixels; neither for the whole image.

    Attributes
    ----------
    region : a box or polygon; None where the place is no region.
    mask : ``(y, x)`` booleans; None where it is a region.
    words : how it is called in a sentence, e.g. ``"in the left half"``.
    """

    region: Region | None = None
    mask: np.ndarray | None = None
    words: str = ""

    def holds(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Which points ``(n,)``, in pixels, lie in it."""
        inside = self.region.contains(y, x) if self.region is not None else np.ones(np.shape(y), bool)
        if self.mask is None:
            return inside
        rows, cols = (np.clip(np.round(v).astype(int), 0, n - 1) for v, n in zip((y, x), self.mask.shape, strict=True))
        return np.asarray(inside & self.mask[rows, cols])

    def __and__(self, other: Place) -> Place:
        """Where both are; boxes are cut with one another."""
        masks = [m for m in (self.mask, other.mask) if m is not None]
        mask = masks[0] & masks[1] if len(masks) == 2 else masks[0] if masks else None
        words = " and ".join(w for w in (self.words, other.words) if w)
        if self.region is None or other.region is None:
            return Place(self.region or other.region, mask, words)
        a, b = self.region, other.region
        region = Region(
            max(a.y0, b.y0),
            max(a.x0, b.x0),
            min(a.y1, b.y1),
            min(a.x1, b.x1),
            name=f"{a.name or ''} {b.name or ''}".strip() or None,
        )
        return Place(region, mask, words)


ANYWHERE = Place()


def region_words(region: Region | None) -> str:
    """ "in the left half", or nothing for the whole image."""
    if region is None or region.name == "whole image":
        return ""
    name = region.name or "marked region"
    return f"in {_WORDS[name]}" if name in _WORDS else f"in the {name}"


def named_place(text: str, scene: Scene) -> Place:
    """A part of the image by its name.

    Raises
    ------
    EvidenceError : there is no such part, or none is marked.
    """
    name = _NAMES.get(text.lower().strip(), text.lower().strip())
    if name == "this":
        if scene.marked is None:
            raise EvidenceError(
                "no region is marked; draw one in the viewer, or say which part: the left half, the top right ..."
            )
        region = scene.marked.to("px", scene.image.pixel_size)
        return Place(region, None, "in the marked region")
    height, width = scene.image.plane_shape
    if name == "border":
        rim = int(_RIM * min(height, width))
        mask = np.ones((height, width), bool)
        mask[rim : height - rim, rim : width - rim] = False
        return Place(None, mask, "at the rim of the image")
    if name == "corners":
        mask = np.zeros((height, width), bool)
        for rows in (slice(0, height // 4), slice(height - height // 4, height)):
            for cols in (slice(0, width // 4), slice(width - width // 4, width)):
                mask[rows, cols] = True
        return Place(None, mask, "in the corners")
    if name not in PARTS:
        raise EvidenceError(f"the image has no part called {text!r}; name a half, a quadrant, the center or the border, or a box")
    region = Region.part(name, (height, width))
    return Place(region, None, region_words(region))


def drawn_place(node: Call, scene: Scene) -> Place:
    """``point(x, y)`` or ``box(x0, y0, x1, y1)``, in pixels.

    Raises
    ------
    EvidenceError : it is neither.
    """
    numbers = [float(v) for v in node.args if isinstance(v, int | float)]
    if node.name == "point" and len(numbers) >= 2:
        x, y = numbers[:2]
        return Place(Region.around((y, x), 3.0, name=f"point ({x:g}, {y:g})"), None, f"at the point ({x:g}, {y:g})")
    if node.name == "box" and len(numbers) == 4:
        x0, y0, x1, y1 = numbers
        region = Region(y0, x0, y1, x1, name=f"box {x0:g}, {y0:g}, {x1:g}, {y1:g}").clip(scene.image.plane_shape)
        return Place(region, None, f"in the box from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g})")
    raise EvidenceError(f"{node} is no place; write point(x, y) or box(x0, y0, x1, y1) in pixels")


def near_place(place: Place, reach: Length, scene: Scene) -> Place:
    """Within a distance of the middle of a part, or of the pixels of the rim."""
    pixels, words = (
        reach.pixels(scene.image.pixel_size, scene.image.name),
        f"within {reach.value:g} {reach.unit.replace('um', 'µm')} of",
    )
    height, width = scene.image.plane_shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    if place.region is None:  # the rim: the distance to the nearest edge
        return Place(
            None, np.minimum(np.minimum(y, height - y), np.minimum(x, width - x)) <= pixels, f"{words} the edge of the image"
        )
    cy, cx = place.region.center
    return Place(None, np.hypot(y - cy, x - cx) <= pixels, f"{words} {place.words.removeprefix('in ').removeprefix('at ')}")


def mask_of(place: Place, scene: Scene) -> np.ndarray:
    """``(y, x)``, true where a place is."""
    height, width = scene.image.plane_shape
    inside = np.ones((height, width), bool)
    if place.region is not None:
        y, x = np.mgrid[0:height, 0:width]
        inside = place.region.contains(y.ravel() + 0.5, x.ravel() + 0.5).reshape(height, width)
    return inside if place.mask is None else inside & place.mask


def is_place(text: str) -> bool:
    """Whether a text names a part of the image."""
    name = _NAMES.get(text.lower().strip(), text.lower().strip())
    return name in PARTS or name in ("border", "this", "corners")
