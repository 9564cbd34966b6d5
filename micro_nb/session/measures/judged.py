"""What a judgement of quality looks at, and what it says: ``View`` and ``Judged``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ...analysis.quality import Quality
from ...analysis.quality import quality as judge
from ...analysis.whole import Whole, whole
from ...data.image import MicroImage
from ...errors import EvidenceError
from .frame import pixel_box
from .measurement import Value
from .pixels import EVERYWHERE, Greys, of_channel, read_greys
from .places import Place

_LEAST, _MOST = 32, 256  # edges of tiles, px


@dataclass(frozen=True)
class View:
    """What is judged: the part of an image that a place names, in one channel or all, each look at it made once."""

    img: MicroImage
    place: Place = EVERYWHERE
    channel: str | None = None

    @cached_property
    def part(self) -> MicroImage:
        """The pixels of the place's box."""
        img = of_channel(self.img.plane(), self.channel)
        everything = self.box == (slice(0, img.plane_shape[0]), slice(0, img.plane_shape[1]))
        return img if everything else img.isel(y=self.box[0], x=self.box[1])

    @cached_property
    def box(self) -> tuple[slice, slice]:
        """Its rows and columns in the image."""
        if self.place.mask is not None and self.place.region is None:
            rows, cols = np.nonzero(self.place.mask)
            if not len(rows):
                raise EvidenceError(f"nothing lies {self.place.words or 'there'}, so its quality cannot be judged")
            return slice(int(rows.min()), int(rows.max()) + 1), slice(int(cols.min()), int(cols.max()) + 1)
        return pixel_box(self.img, self.place.region)

    @cached_property
    def quality(self) -> Quality:
        """Focus, noise and saturation, tile by tile."""
        return judge(self.part, tile=self._fine if self.place.mask is not None else None)

    @cached_property
    def light(self) -> Quality:
        """The same in smaller tiles, so that there are enough to see how even the light is."""
        return judge(self.part, tile=self._fine)

    @property
    def _fine(self) -> int:
        return int(np.clip(min(self.part.plane_shape) // 8, _LEAST, _MOST))

    @cached_property
    def tiles(self) -> Any:
        """The table of the tiles whose middle lies in the place."""
        table = self.quality.table
        if self.place.mask is None:
            return table
        y, x = ((table[f"{a}0_px"] + table[f"{a}1_px"]).to_numpy(int) // 2 + s.start for a, s in zip("yx", self.box, strict=True))
        inside = table[self.place.mask[y, x]]
        return inside if len(inside) else table

    @cached_property
    def seen(self) -> Whole:
        """The whole part at a glance."""
        return whole(self.part)

    @cached_property
    def greys(self) -> Greys:
        """Its grey values."""
        return read_greys(self.img, self.place, self.channel)

    def moved(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """A box of the part in pixels of the image."""
        top, left = self.box[0].start, self.box[1].start
        return box[0] + left, box[1] + top, box[2] + left, box[3] + top


@dataclass(frozen=True)
class Judged:
    """An aspect judged.

    Attributes
    ----------
    verdict : in a word or two: ``"in focus"``, ``"noisy"``.
    says : its sentence; ``{0}`` is the figure, ``{1.value}`` the verdict, ``{2}`` and on what else was measured.
    figure : the number that ranks places and images: ``(quantity, value, unit)``.
    more : further numbers.
    value : the answer as data where it is not the figure: whether it is so.
    found : how it was judged. ``boxes`` : where something is, by name.
    """

    verdict: str
    says: str
    figure: tuple[str, float, str]
    more: tuple[tuple[str, Value, str], ...] = ()
    value: Value = None
    found: Mapping[str, Any] = field(default_factory=dict)
    boxes: tuple[tuple[str, tuple[float, float, float, float]], ...] = ()
