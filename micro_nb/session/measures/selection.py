"""The objects that an expression means: chosen by kind, place, conditions and rank, and what measurements ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.statistics import Estimate
from ...data.image import MicroImage
from ...errors import EvidenceError
from ...models.wording import plural
from ...tiles.objects import Objects
from ..language import Call
from ..words.phrases import objects_phrase
from .drawn import Drawn
from .measurement import Measurement
from .places import ANYWHERE, Place
from .quantities import values_of
from .scene import Scene

TILES_ONLY = "the draw of tiles; not the errors of the untrained segmentation"


@dataclass(frozen=True)
class Selection:
    """Objects that are meant, and how they were found.

    Attributes
    ----------
    scene : what was looked at.
    call : the expression that means them.
    kind : the word for them, in the singular.
    table : a row an object.
    objects : all objects they were chosen from, with their labels.
    found : how they were found, JSON values.
    place : where they lie.
    channel : what their brightness is measured in; None for all channels.
    drawn : the tiles that were looked at where the image is too large to be looked at whole; None elsewhere.
    """

    scene: Scene = field(repr=False)
    call: Call
    kind: str
    table: pd.DataFrame = field(repr=False)
    objects: Objects = field(repr=False)
    found: Mapping[str, Any]
    place: Place = ANYWHERE
    channel: str | None = None
    drawn: Drawn | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def image(self) -> MicroImage:
        """The image they lie in."""
        return self.scene.image

    @property
    def one(self) -> str:
        """The word for one of them."""
        return self.kind

    @property
    def many(self) -> str:
        """The word for several of them."""
        return plural(self.kind)

    def phrase(self, n: float = 2) -> str:
        """What they are in words, conditions and all: "nuclei larger than 80 µm²"."""
        return objects_phrase(self.call, n)

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """y and x of their centres, in pixels of level 0."""
        return self.table["centroid_y_px"].to_numpy(float), self.table["centroid_x_px"].to_numpy(float)

    @cached_property
    def labels(self) -> set[int]:
        """Their labels."""
        return set(self.table["label"].to_numpy(int).tolist())

    @property
    def whole(self) -> Selection:
        """Those that the border of the image does not cut."""
        return replace(self, table=self.table[~self.table["touches_border"].to_numpy(bool)])

    @property
    def narrowed(self) -> bool:
        """Whether a condition or a rank chooses among them."""
        return any(self.call.get(k) is not None for k in ("having", "by"))

    @property
    def pixel_um(self) -> float | None:
        """µm per pixel; None where it is not known."""
        size = self.image.pixel_size
        return float(np.sqrt(size["y"] * size["x"])) if size else None

    def rows(self, mask: np.ndarray) -> Selection:
        """Those whose row is true."""
        return replace(self, table=self.table[mask])

    def values(self, quantity: str, unit: str = "") -> tuple[np.ndarray, str]:
        """One number an object, and its unit; see :func:`~.quantities.values_of`."""
        return values_of(self.table, quantity, img=self.image, unit=unit, channel=self.channel)

    def finite(self, quantity: str, unit: str = "") -> tuple[np.ndarray, str, Selection]:
        """The numbers that exist, their unit, and the objects that have one.

        Raises
        ------
        EvidenceError : none has.
        """
        measured, unit = self.values(quantity, unit)
        has = np.isfinite(measured)
        if not has.any():
            size = self.image.pixel_size or {"y": 1.0, "x": 1.0}
            if len(measured) and quantity.startswith(("perimeter", "roundness")) and size["y"] != size["x"]:
                raise EvidenceError(
                    f"the pixels of {self.image.name} are not square, so no {quantity.replace('_', ' ')} can be given"
                )
            raise EvidenceError(f"I find no {self.many} there, so there is no {quantity.replace('_', ' ')} of them")
        return measured[has], unit, self.rows(has)

    def label_plane(self) -> np.ndarray:
        """The labels ``(y, x)`` of all objects they were chosen from.

        Raises
        ------
        EvidenceError : they were not kept.
        """
        labels = self.objects.labels
        if labels is None:
            raise EvidenceError("the outlines were not kept, so it cannot be seen what lies in them")
        return np.asarray((labels.isel(layer=0) if "layer" in labels.dims else labels).values)

    @property
    def number(self) -> Measurement:
        """How many there are; an estimate with its interval where only a sample was looked at."""
        name = f"number of {self.many}"
        if self.drawn is None:
            return Measurement(name, len(self), "count", found=self.found)
        total = self.drawn.total(self.table)
        return Measurement(
            name, round(total.value), "count", (round(total.low), round(total.high)), {**self.found, **spread(total, TILES_ONLY)}
        )

    @property
    def between_objects(self) -> str:
        """What an interval over them covers, and what it leaves out."""
        trained = self.found.get("weights")
        return f"the variation between objects; not the errors of the {'model' if trained else 'untrained segmentation'}"

    def need_all(self, what: str) -> None:
        """Refuses a sample where only all objects can tell.

        Raises
        ------
        EvidenceError : only a sample was looked at.
        """
        if self.drawn is not None and not self.drawn.complete:
            raise EvidenceError(
                f"this image is so large that I looked at a sample of its tiles, which cannot tell {what}; ask about a part "
                f"of it: Session(img.sel(region=...))"
            )

    def need_some(self, least: int = 1) -> None:
        """Refuses too few.

        Raises
        ------
        EvidenceError : there are fewer than so many.
        """
        if len(self) < least:
            raise EvidenceError(f"I find {'no' if not len(self) else 'too few'} {self.many} there to measure that")

    def ranked(self, measured: np.ndarray, order: str) -> np.ndarray:
        """Positions of the largest (``"max"``) or smallest values first; ties go to the smaller label, always the same one."""
        keys = np.where(np.isfinite(measured), measured, -np.inf if order == "max" else np.inf)
        return np.lexsort((self.table["label"].to_numpy(), -keys if order == "max" else keys))

    def as_objects(self) -> Objects:
        """The objects as a layer to draw."""
        return replace(self.objects, table=self.table.reset_index(drop=True))


def spread(estimate: Estimate, covers: str) -> dict[str, Any]:
    """What evidence says of an interval: how sure, how made, and what it leaves out."""
    return {"confidence_percent": round(100 * estimate.confidence), "interval_by": estimate.method, "interval_covers": covers}
