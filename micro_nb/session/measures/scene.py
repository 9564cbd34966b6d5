"""``Scene``: what expressions are evaluated on: the images, the eyes, the marked place, and what was agreed before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import AxesError, EvidenceError
from ...tiles.objects import Objects
from ..language import Call, Node
from .eyes import FLOOR, resolve
from .finding import Look


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
    ignored : kinds and places that are left out.
    tiles : how many tiles of the image are looked at; None for all.
    told : what the person said of the sample and the microscope.
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
        """The image that is looked at, at the chosen plane.

        Raises
        ------
        EvidenceError : there is none.
        """
        if self.about is None or self.about not in self.images:
            raise EvidenceError(
                "no image is open in this session, so there is nothing to measure; open one: Session(mnb.open_image(path))"
            )
        img = self.images[self.about]
        key = ("plane", img.content_id, self.plane)
        if self.plane and key not in self.kept:
            self.kept[key] = img.isel(**dict(self.plane))  # type: ignore[arg-type]
        return self.kept[key] if self.plane else img  # type: ignore[no-any-return]

    @property
    def open_image(self) -> MicroImage | None:
        """The image that is spoken of, with all its planes; None where there is none."""
        return self.images[self.about] if self.about is not None and self.about in self.images else None

    @property
    def look(self) -> Look:
        """The eyes that can look at this image, and at how much of it."""
        return Look(resolve(self.eyes, self.image), self.tiles)

    def on(self, name: str) -> Scene:
        """The same, looking at another image.

        Raises
        ------
        EvidenceError : no image is called so.
        """
        return replace(self, about=self.named(name), plane=())

    def named(self, text: str) -> str:
        """The full name of the image a text names: its name, its file's stem, "first", "other", or its place in the row.

        Raises
        ------
        EvidenceError : none is called so.
        """
        names, asked = list(self.images), str(text).strip().lower()
        for name in names:
            if asked in (name.lower(), name.lower().rsplit(".", 1)[0]):
                return name
        order = {
            "first": 0,
            "second": 1,
            "third": 2,
            "fourth": 3,
            "last": -1,
            "this": names.index(self.about) if self.about in names else 0,
        }
        at = order.get(asked, int(asked) - 1 if asked.isdigit() else None)
        if asked in ("other", "other one", "the other") and len(names) == 2 and self.about in names:
            at = 1 - names.index(self.about)
        if at is not None and -len(names) <= at < len(names):
            return names[at]
        near = [n for n in names if asked and (asked in n.lower() or n.lower().rsplit(".", 1)[0] in asked)]
        if len(near) == 1:
            return near[0]
        raise EvidenceError(
            f"no image is called {text!r} here; there {'is' if len(names) == 1 else 'are'} {', '.join(names) or 'none'}"
        )

    def at(self, node: Node) -> Scene:
        """The same at the planes and images that a ``where=`` names: ``z(5)``, ``t("first")``, ``image("control")``,
        ``well("B03")``."""
        scene = self
        for part in node if isinstance(node, tuple) else (node,):
            if isinstance(part, Call) and part.name in ("z", "t"):
                scene = scene._at_plane(part)
            elif isinstance(part, Call) and part.name in ("image", "well") and part.args:
                scene = scene.on(str(part.args[0]))
        return scene

    def _at_plane(self, part: Call) -> Scene:
        axis, img = part.name, self.images[self.about] if self.about else self.image
        if axis not in img.axes:
            raise AxesError(f"{img.name} has no {'slices in z' if axis == 'z' else 'frames in time'}: it is a single plane")
        n, asked = img.sizes[axis], part.args[0] if part.args else "first"
        words = {"first": 0, "start": 0, "last": n - 1, "end": n - 1, "middle": n // 2}
        if isinstance(asked, str) and not asked.lstrip("-").isdigit():
            index = words.get(asked.lower())
            if index is None:
                raise EvidenceError(
                    f"{part} names no {'slice' if axis == 'z' else 'frame'}; say a number from 1 to {n}, first or last"
                )
        else:
            index = int(asked) - 1 if int(asked) > 0 else 0
        if not 0 <= index < n:
            raise EvidenceError(f"{img.name} has {n} {'slices' if axis == 'z' else 'frames'}, so there is no number {asked}")
        return replace(self, plane=tuple(sorted({**dict(self.plane), axis: index}.items())))

    @property
    def state(self) -> tuple[Any, ...]:
        """What results depend on beside the expression; equal states give equal results."""
        img = self.open_image
        scale = tuple(sorted(img.pixel_size.items())) if img is not None and img.pixel_size else None
        return self.about, self.plane, self.standing, self.tiles, scale, self.marked, id(self.given.get(self.about or ""))
