"""Places: parts of the image by name, boxes, points and the rim, and the pixels that lie in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..language import Call
from ..words.phrases import place_phrase
from ..words.tables import table
from .scene import Scene
from .units import Length

_RIM = 0.15
"""The border, where it is a place: this share of the image's shorter side, all around."""
ON_PLANES = ("z", "t", "well", "image")
_PARTS = (
    "left half", "right half", "top half", "bottom half", "top left", "top right", "bottom left", "bottom right", "center",
    "whole image",
)  # fmt: skip


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

    @property
    def everywhere(self) -> bool:
        """Whether it is the whole image."""
        return self.region is None and self.mask is None

    def holds(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Which points ``(n,)``, in pixels, lie in it."""
        inside = self.region.contains(y, x) if self.region is not None else np.ones(np.shape(y), bool)
        if self.mask is None:
            return inside
        rows, cols = (np.clip(np.round(v).astype(int), 0, n - 1) for v, n in zip((y, x), self.mask.shape, strict=True))
        return np.asarray(inside & self.mask[rows, cols])

    def block(self, rows: slice, cols: slice) -> np.ndarray:
        """Which pixels of a block within its box lie in it, by their centres."""
        inside = np.ones((rows.stop - rows.start, cols.stop - cols.start), bool)
        if self.region is not None and self.region.polygon is not None:
            y, x = np.mgrid[rows, cols]
            inside = self.region.contains(y.ravel() + 0.5, x.ravel() + 0.5).reshape(inside.shape)
        return inside if self.mask is None else inside & self.mask[rows, cols]

    def over(self, img: MicroImage) -> np.ndarray:
        """``(y, x)``, true where it is."""
        plane = np.zeros(img.plane_shape, bool)
        rows, cols = pixel_box(img, self.region)
        plane[rows, cols] = self.block(rows, cols)
        return plane

    def outside(self, img: MicroImage, words: str) -> Place:
        """All but it."""
        return Place(None, ~self.over(img), words)

    def __and__(self, other: Place) -> Place:
        """Where both are; boxes are cut with one another."""
        masks = [m for m in (self.mask, other.mask) if m is not None]
        mask = np.logical_and.reduce(masks) if masks else None
        words = " and ".join(w for w in (self.words, other.words) if w)
        a, b = self.region, other.region
        if a is None or b is None:
            return Place(a or b, mask, words)
        name = f"{a.name or ''} {b.name or ''}".strip() or None
        region = Region(max(a.y0, b.y0), max(a.x0, b.x0), min(a.y1, b.y1), min(a.x1, b.x1), name=name)
        return Place(region, mask, words)


ANYWHERE = Place()


def pixel_box(img: MicroImage, region: Region | None) -> tuple[slice, slice]:
    """``(y, x)`` slices of the pixels whose centres lie in the region's box, so that two halves add up to the whole."""
    if region is None:
        return slice(0, img.plane_shape[0]), slice(0, img.plane_shape[1])
    place = region.to("px", img.pixel_size).clip(img.plane_shape)
    return _centres(place.y0, place.y1), _centres(place.x0, place.x1)


def _centres(start: float, stop: float) -> slice:
    first, last = math.ceil(start - 0.5), math.ceil(stop - 0.5)
    return slice(first, max(last, first + 1))


def place_words(img: MicroImage, y: float, x: float) -> str:
    """Where a point lies, in words of a three by three grid: ``"top left"``, ``"right"``, ``"center"`` ...

    >>> import numpy as np, micro_nb as mnb
    >>> img = mnb.open_image(np.zeros((90, 90), "uint8"))
    >>> place_words(img, 10, 80), place_words(img, 45, 45)
    ('top right', 'center')
    """
    height, width = img.plane_shape
    row, col = ("top", "", "bottom")[min(int(3 * y / height), 2)], ("left", "", "right")[min(int(3 * x / width), 2)]
    return f"{row} {col}".strip() or "center"


def _plain(text: str) -> str:
    name = text.lower().strip()
    return str(table("looks")["place_alias"].get(name, name))


def is_place(text: str) -> bool:
    """Whether a text names a part of the image."""
    return _plain(text) in {*_PARTS, "border", "this", "corners"}


def named_place(text: str, scene: Scene) -> Place:
    """A part of the image by its name."""
    name, (height, width) = _plain(text), scene.image.plane_shape
    if name == "this":
        if scene.marked is None:
            raise EvidenceError(
                "no region is marked; draw one in the viewer, or say which part: the left half, the top right ..."
            )
        return Place(scene.marked.to("px", scene.image.pixel_size), None, place_phrase("this"))
    if name in ("border", "corners"):
        y, x = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in (height, width))  # pixels to the nearest edge
        rim, corner = int(_RIM * min(height, width)), np.ix_(y < height // 4, x < width // 4)
        mask = np.zeros((height, width), bool)
        if name == "corners":
            mask[corner] = True
        else:
            mask[y < rim], mask[:, x < rim] = True, True
        return Place(None, mask, place_phrase(name))
    if name not in _PARTS:
        raise EvidenceError(f"the image has no part called {text!r}; name a half, a quadrant, the center or the border, or a box")
    return Place(Region.part(name, (height, width)), None, "" if name == "whole image" else place_phrase(name))


def drawn_place(node: Call, scene: Scene) -> Place:
    """``point(x, y)`` or ``box(x0, y0, x1, y1)``, in pixels."""
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
    pixels, words = reach.pixels(scene.image.pixel_size, scene.image.name), f"within {reach} of"
    height, width = scene.image.plane_shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    if place.region is None:  # the rim: the distance to the nearest edge
        away = np.minimum(np.minimum(y, height - y), np.minimum(x, width - x))
        return Place(None, away <= pixels, f"{words} the edge of the image")
    cy, cx = place.region.center
    return Place(None, np.hypot(y - cy, x - cx) <= pixels, f"{words} {place.words.removeprefix('in ').removeprefix('at ')}")
