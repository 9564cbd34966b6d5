"""The objects a tool speaks of: chosen by word, place and conditions, and what tools ask of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.statistics import Estimate
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ...tiles.objects import Objects
from ..eyes import FLOOR
from ..registry import Measurement
from .contact import groups
from .drawn import Drawn
from .found import draw, find, in_tiles, is_large, nuclear_channel
from .quantities import RANKS, meets, values

Filters = Sequence[Mapping[str, Any]]
TILES_ONLY = "the draw of tiles; not the errors of the untrained segmentation"


@dataclass(frozen=True)
class Meant:
    """Which objects are meant: the arguments that tools about objects share.

    Attributes
    ----------
    img : the image.
    region : their centres lie in it; None for the whole image.
    filters : conditions ``{"quantity", "op", "value", "unit"}`` that they meet, all of them.
    channel : what they are looked for in, and what their brightness is measured in.
    target : the word for them.
    eyes : what finds them; ``"micro_d1@8"`` looks at a random sample of so many tiles.
    """

    img: MicroImage
    region: Region | None = None
    filters: Filters = ()
    channel: str | None = None
    target: str = "objects"
    eyes: str = FLOOR


@dataclass(frozen=True)
class Selection:
    """The objects that are meant, and how they were found.

    Attributes
    ----------
    meant : what was asked for.
    table : a row an object.
    objects : all objects they were chosen from, with their labels.
    found : how they were found, JSON values.
    drawn : the tiles that were looked at where the image is too large to be looked at whole; None elsewhere.
    """

    meant: Meant
    table: pd.DataFrame
    objects: Objects
    found: Mapping[str, Any]
    drawn: Drawn | None = None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def img(self) -> MicroImage:
        """The image they lie in."""
        return self.meant.img

    @property
    def target(self) -> str:
        """The word for them."""
        return self.meant.target

    @cached_property
    def labels(self) -> set[int]:
        """Their labels."""
        return set(self.table["label"].to_numpy(int).tolist())

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """y and x of their centres, in pixels of level 0."""
        return self.table["centroid_y_px"].to_numpy(float), self.table["centroid_x_px"].to_numpy(float)

    @property
    def whole(self) -> Selection:
        """Those that the border does not cut."""
        return replace(self, table=self.table[~self.table["touches_border"].to_numpy(bool)])

    @property
    def number(self) -> Measurement:
        """How many there are; an estimate with its interval where only a sample was looked at."""
        name = f"number of {self.target}"
        if self.drawn is None:
            return Measurement(name, len(self), "count", found=self.found)
        total = self.drawn.total(self.table)
        found = {**self.found, **spread(total, TILES_ONLY)}
        return Measurement(name, round(total.value), "count", (round(total.low), round(total.high)), found)

    @property
    def between_objects(self) -> str:
        """What an interval over them covers, and what it leaves out."""
        trained = self.found.get("weights")
        return f"the variation between objects; not the errors of the {'model' if trained else 'untrained segmentation'}"

    def values(self, quantity: str, unit: str = "") -> tuple[np.ndarray, str]:
        """One number an object, and its unit; see :func:`~micro_nb.session.tools.quantities.values`."""
        return values(self.table, quantity, img=self.img, unit=unit, channel=self.meant.channel)

    def instead(self, **changes: Any) -> Selection:
        """The objects that another question means: the same but for these arguments."""
        return select(**vars(replace(self.meant, **changes)))

    def need_all(self, what: str) -> None:
        """Refuses a sample where only all objects can tell.

        Raises
        ------
        EvidenceError : only a sample was looked at.
        """
        if self.drawn is not None and not self.drawn.complete:
            raise EvidenceError(
                f"this image is so large that I looked at a sample of its tiles, which cannot tell {what}; "
                "ask about a part of it: Session(img.sel(region=...))"
            )

    def ranked(self, by: str, order: str, rank: int) -> tuple[pd.Series, float, str]:
        """The object that ranks so by a quantity, its value and unit.

        Raises
        ------
        EvidenceError : there are not so many, or only a sample was looked at.
        """
        self.need_all("which of all objects that is")
        measured, unit = self.values(by)
        if not len(measured):
            raise EvidenceError(f"I find no {self.target} there, so none can be pointed at")
        if not 1 <= rank <= len(measured):
            raise EvidenceError(f"only {len(measured)} {self.target} were found, so none ranks {rank} by {by}")
        at = int(self.by_value(measured, order)[rank - 1])
        return self.table.iloc[at], float(measured[at]), unit

    def by_value(self, measured: np.ndarray, order: str) -> np.ndarray:
        """Positions of the largest (``"max"``) or smallest values first; ties go to the smaller label, always the same one."""
        return np.lexsort((self.table["label"].to_numpy(), -measured if order == "max" else measured))


def select(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> Selection:
    """The objects whose centre lies in ``region`` and that meet every filter ``{"quantity", "op", "value", "unit"}``."""
    meant = Meant(img, region, filters, channel, target, eyes)
    told: dict[str, Any] = {}
    if channel is not None and channel not in {c.name for c in img.channels}:
        channel = nuclear_channel(img, eyes)  # "the DNA channel", of channels without names
        told = {"channel_taken": channel}
    looks, tiles = in_tiles(eyes)
    if is_large(img) or tiles is not None:
        return _sampled(meant, channel, tiles, looks)
    objects = find(img, channel=channel, eyes=eyes, target=target)
    table = objects.table
    if region is not None:
        place = region.to("px", img.pixel_size)
        table = table[place.contains(table["centroid_y_px"].to_numpy(), table["centroid_x_px"].to_numpy())]
    for condition in sorted(filters, key=lambda f: f["op"] in RANKS):  # a rank is among those that meet the others
        table = table[_meets(table, condition, objects, img)]
    found = dict(objects.made_by) | {"objects_in_image": len(objects)} | told
    return Selection(meant, table, objects, found)


def spread(estimate: Estimate, covers: str) -> dict[str, Any]:
    """What evidence says of an interval: how sure, how made, and what it leaves out."""
    percent = round(100 * estimate.confidence)
    return {"confidence_percent": percent, "interval_by": estimate.method, "interval_covers": covers}


def _meets(table: pd.DataFrame, condition: Mapping[str, Any], objects: Objects, img: MicroImage) -> np.ndarray:
    if condition["quantity"] != "touches_other":
        return meets(table, condition, img)
    together = {label for group in groups(objects) for label in group}
    return np.asarray(table["label"].isin(together) == bool(condition["value"]))


def _sampled(meant: Meant, channel: str | None, tiles: int | None, eyes: str) -> Selection:
    """Objects of a random sample of the tiles."""
    img = meant.img
    drawn = draw(img, meant.region, channel, tiles, eyes, meant.target)
    table = drawn.sample.table
    objects = Objects(table, pixel_size=img.pixel_size, image_id=img.content_id, made_by=drawn.made_by)
    for condition in meant.filters:
        table = table[meets(table, condition, img)]
    return Selection(meant, table, objects, drawn.made_by | drawn.recipe, drawn)
