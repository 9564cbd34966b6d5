"""``Scene``: what expressions are evaluated on: the images, the eyes, the marked place, and what was agreed before; ``Place``:
where in an image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...data.image import MicroImage
from ...data.region import PARTS, Region
from ...errors import AxesError, EvidenceError, UnknownNameError
from ...tiles.objects import Objects
from ..language import Call, Node
from ..words.phrases import place_phrase
from ..words.tables import table
from .eyes import FLOOR, Look
from .quantities import pixel_um

PLANES = {"z": ("slice", "slices"), "t": ("frame", "frames")}
"""What planes along an axis are called, one and several."""
ORDER = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_RIM = 0.15
"""The border, where it is a place: this share of the image's shorter side, all around."""
_EDGES = ("left edge", "right edge", "top edge", "bottom edge")


@dataclass(frozen=True)
class Scene:
    """What is looked at, and how.

    Attributes
    ----------
    images : by name; ``about`` names the one that is looked at.
    eyes : what finds objects, as given to the session.
    given : objects that were given with the image, or corrected by hand; they are taken as they are.
    marked : the place that is "this".
    groups : conditions, each with the names of its images.
    standing : conditions that hold for all objects from now on, as ``having`` text.
    tiles : how many tiles of the image are looked at; None for all, of large images for some.
    told : what the person said of the sample and the microscope.
    plane : the chosen slice and frame, ``(axis, index)``.
    kept : results of expressions, for the next time.
    """

    images: Mapping[str, MicroImage] = field(default_factory=dict)
    about: str | None = None
    eyes: Any = FLOOR
    given: Mapping[str, Objects] = field(default_factory=dict)
    marked: Region | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    standing: tuple[str, ...] = ()
    tiles: int | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    plane: tuple[tuple[str, int], ...] = ()
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def image(self) -> MicroImage:
        """The image that is looked at, at the chosen plane."""
        img = self.open_image
        if img is None:
            raise EvidenceError("no image is open in this session, so there is nothing to measure: Session(mnb.open_image(path))")
        key = ("plane", img.content_id, self.plane)
        if self.plane and key not in self.kept:
            self.kept[key] = img.isel(**dict(self.plane))  # type: ignore[arg-type]
        return self.kept[key] if self.plane else img  # type: ignore[no-any-return]

    @property
    def open_image(self) -> MicroImage | None:
        """The image that is spoken of, with all its planes; None where there is none."""
        return self.images[self.about] if self.about is not None and self.about in self.images else None

    @property
    def pixel_um(self) -> float | None:
        """µm per pixel; None where it is not known."""
        return pixel_um(self.open_image.pixel_size) if self.open_image is not None else None

    @property
    def pixel(self) -> tuple[float, str]:
        """The length of a pixel with its unit: µm where known, else px."""
        return (self.pixel_um, "um") if self.pixel_um is not None else (1.0, "px")

    @property
    def look(self) -> Look:
        """The eyes that can look at this image, and at how much of it."""
        return Look.of(self.eyes, self.image, self.tiles)

    def on(self, name: str) -> Scene:
        """The same, looking at another image."""
        return replace(self, about=self.named(name), plane=())

    def named(self, text: str) -> str:
        """The full name of the image a text names: its name, its file's stem, "first", "other", or its place in the row."""
        names, asked = list(self.images), str(text).strip().lower()
        stems = [n.lower().rsplit(".", 1)[0] for n in names]
        for name, stem in zip(names, stems, strict=True):
            if asked in (name.lower(), stem):
                return name
        now = names.index(self.about) if self.about in names else 0
        at = {**{word: k - 1 for word, k in ORDER.items()}, "last": -1, "this": now}.get(asked)
        if asked.isdigit():
            at = int(asked) - 1
        if asked in ("other", "other one", "the other") and len(names) == 2 and self.about in names:
            at = 1 - now
        if at is not None and -len(names) <= at < len(names):
            return names[at]
        near = [n for n, stem in zip(names, stems, strict=True) if asked and (asked in n.lower() or stem in asked)]
        if len(near) == 1:
            return near[0]
        there = f"there {'is' if len(names) == 1 else 'are'} {', '.join(names) or 'none'}"
        raise UnknownNameError(f"no image is called {text!r} here; {there}")

    def at(self, node: Node) -> Scene:
        """The same at the planes and images that a ``where=`` names: ``z(5)``, ``t("first")``, ``image("control")``,
        ``well("B03")``."""
        scene = self
        for part in node if isinstance(node, tuple) else (node,):
            if isinstance(part, Call) and part.name in PLANES:
                scene = scene._at_plane(part)
            elif isinstance(part, Call) and part.name in ("image", "well") and part.args:
                scene = scene.on(str(part.args[0]))
        return scene

    def _at_plane(self, part: Call) -> Scene:
        axis, img = part.name, self.open_image or self.image
        need_planes(img, axis)
        one, many = PLANES[axis]
        n, asked = img.sizes[axis], part.args[0] if part.args else "first"
        words = {"first": 1, "start": 1, "last": n, "end": n, "middle": n // 2 + 1}
        number = words.get(str(asked).lower(), asked)
        if isinstance(number, str) and not number.lstrip("-").isdigit():
            raise EvidenceError(f"{part} names no {one}; say a number from 1 to {n}, first or last")
        index = max(int(number) - 1, 0)
        if index >= n:
            raise EvidenceError(f"{img.name} has {n} {many}, so there is no number {asked}")
        return replace(self, plane=tuple(sorted({**dict(self.plane), axis: index}.items())))

    @property
    def state(self) -> tuple[Any, ...]:
        """What results depend on beside the expression; equal states give equal results."""
        img = self.open_image
        scale = tuple(sorted(img.pixel_size.items())) if img is not None and img.pixel_size else None
        tiles, given = self.look.tiles if img is not None else None, id(self.given.get(self.about or ""))
        return self.about, self.plane, self.standing, tiles, scale, self.marked, given


def need_planes(img: MicroImage, axis: str) -> None:
    """Refuses an image without planes along ``"z"`` or ``"t"``."""
    if axis not in img.axes:
        raise AxesError(f"{img.name} has no {PLANES[axis][1]} in {'z' if axis == 'z' else 'time'}: it is a single plane")


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
        return inside if self.mask is None else np.asarray(inside & at_points(self.mask, y, x))

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


def at_points(plane: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Values of a plane ``(y, x)`` at points, the nearest within it."""
    rows, cols = (np.clip(np.round(v).astype(int), 0, n - 1) for v, n in zip((y, x), plane.shape, strict=True))
    return np.asarray(plane[rows, cols])


def pixel_box(img: MicroImage, region: Region | None) -> tuple[slice, slice]:
    """``(y, x)`` slices of the pixels whose centres lie in the region's box, so that two halves add up to the whole."""
    if region is None:
        return slice(0, img.plane_shape[0]), slice(0, img.plane_shape[1])
    place = region.to("px", img.pixel_size).clip(img.plane_shape)
    top, left, bottom, right = (math.ceil(v - 0.5) for v in place.box)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


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


def is_place(text: str) -> bool:
    """Whether a text names a part of the image."""
    return plain_place(text) in {*PARTS, *_EDGES, "border", "this", "corners"}


def named_place(text: str, scene: Scene) -> Place:
    """A part of the image by its name."""
    name, (height, width) = plain_place(text), scene.image.plane_shape
    if name == "this":
        if scene.marked is None:
            which = "draw one in the viewer, or say which part: the left half, the top right ..."
            raise EvidenceError(f"no region is marked; {which}")
        return Place(scene.marked.to("px", scene.image.pixel_size), None, place_phrase("this"))
    if name in ("border", "corners"):
        y, x = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in (height, width))  # pixels to the nearest edge
        rim = int(_RIM * min(height, width))
        sides = (y < rim)[:, None] | (x < rim) if name == "border" else (y < height // 4)[:, None] & (x < width // 4)
        return Place(None, sides, place_phrase(name))
    if name in _EDGES:
        side, wide = name.split()[0], _RIM * min(height, width)
        y0, x0 = height - wide if side == "bottom" else 0.0, width - wide if side == "right" else 0.0
        y1, x1 = wide if side == "top" else float(height), wide if side == "left" else float(width)
        return Place(Region(y0, x0, y1, x1, name=name), None, place_phrase(name))
    if name not in PARTS:
        raise EvidenceError(
            f"the image has no part called {text!r}; name a half, a third, a quadrant, the center or the border, or a box"
        )
    return Place(Region.part(name, (height, width)), None, "" if name == "whole image" else place_phrase(name))


def plain_place(text: str) -> str:
    """The plain name of a part: upper left is top left."""
    name = text.lower().strip()
    return str(table("looks")["place_alias"].get(name, name))
