"""``Scene``: what expressions are evaluated on: the images, the eyes, the marked place, and what was agreed before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import AxesError, EvidenceError
from ...tiles.objects import Objects
from ..language import Call, Node
from .eyes import FLOOR, resolve
from .finding import Look

PLANES = {"z": ("slice", "slices"), "t": ("frame", "frames")}
"""What planes along an axis are called, one and several."""
_ORDER = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}


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
    tiles : how many tiles of the image are looked at; None for all.
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
        img = self.open_image
        return float(np.sqrt(img.pixel_size["y"] * img.pixel_size["x"])) if img is not None and img.pixel_size else None

    @property
    def pixel(self) -> tuple[float, str]:
        """The length of a pixel with its unit: µm where known, else px."""
        return (self.pixel_um, "um") if self.pixel_um is not None else (1.0, "px")

    @property
    def look(self) -> Look:
        """The eyes that can look at this image, and at how much of it."""
        return Look(resolve(self.eyes, self.image), self.tiles)

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
        at = {**_ORDER, "this": now}.get(asked, int(asked) - 1 if asked.isdigit() else None)
        if asked in ("other", "other one", "the other") and len(names) == 2 and self.about in names:
            at = 1 - now
        if at is not None and -len(names) <= at < len(names):
            return names[at]
        near = [n for n, stem in zip(names, stems, strict=True) if asked and (asked in n.lower() or stem in asked)]
        if len(near) == 1:
            return near[0]
        there = f"there {'is' if len(names) == 1 else 'are'} {', '.join(names) or 'none'}"
        raise EvidenceError(f"no image is called {text!r} here; {there}")

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
        return self.about, self.plane, self.standing, self.tiles, scale, self.marked, id(self.given.get(self.about or ""))


def need_planes(img: MicroImage, axis: str) -> None:
    """Refuses an image without planes along ``"z"`` or ``"t"``."""
    if axis not in img.axes:
        raise AxesError(f"{img.name} has no {PLANES[axis][1]} in {'z' if axis == 'z' else 'time'}: it is a single plane")
