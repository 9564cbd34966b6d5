"""Tools about several objects at once: each one's place, groups that touch, whether they are alike, what cuts one off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ...tiles.objects import Objects
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .contact import groups, plane_of, touching_pairs
from .found import Selection, box, need_all, select, values
from .frame import place_words
from .sizing import ranked

Filters = Sequence[Mapping[str, Any]]
SATELLITE_SHARE = 0.5  # a smaller object that sticks to a larger one has at most this share of its area


@tool("locate_each", quantity="where each of a few objects is")
def locate_each(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    by: str = "area",
    order: Literal["max", "min"] = "max",
    most: int = 6,
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """How many objects there are, and box, centre (x, y) and place in words of each of the first `most` by a quantity."""
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    need_all(chosen, "where each of them is")
    if not len(chosen):
        raise EvidenceError(f"I find no {target} there, so none can be pointed at")
    out = [Measurement(f"number of {target}", len(chosen), "count", found=chosen.found)]
    for rank in range(1, min(len(chosen), most) + 1):
        row, _, _ = ranked(chosen, img, by, order, rank, channel, target)
        y, x = float(row["centroid_y_px"]), float(row["centroid_x_px"])
        found = {"label": int(row["label"]), "rank": rank}
        out += [
            Measurement(f"box, rank {rank}", box(row), "px", found=found),
            Measurement(f"centre, rank {rank}", (round(x, 1), round(y, 1)), "px", found=found),
            Measurement(f"place, rank {rank}", place_words(img, y, x), found=found),
        ]
    return tuple(out)


@tool("groups", unit="count", quantity="groups of objects that touch")
def touching_groups(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    least: int = 2,
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Groups of at least `least` objects that touch one another (at most one pixel of background between them): how many groups,
    how many objects the largest holds, how many objects touch another, and of how many in all.
    """
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    need_all(chosen, "which objects touch")
    together = groups(_kept(chosen))
    found = dict(chosen.found) | {"least": least}
    return (
        Measurement("groups", sum(len(g) >= least for g in together), "count", found=found),
        Measurement("objects in the largest group", max((len(g) for g in together), default=1), "count", found=found),
        Measurement("objects that touch another", sum(map(len, together)), "count", found=found),
        Measurement(f"number of {target}", len(chosen), "count", found=found),
    )


@tool("satellites", unit="count", quantity="small objects that stick to a larger one")
def satellites(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Objects that touch one at least twice their area, how many objects have such, and of how many in all."""
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    need_all(chosen, "which objects touch")
    areas, _ = values(chosen.table, "area", img=img, unit="px2")
    size = dict(zip(chosen.table["label"].to_numpy(int).tolist(), areas.tolist(), strict=True))
    pairs = [sorted(p, key=size.__getitem__) for p in touching_pairs(plane_of(chosen.objects)) if set(p) <= set(size)]
    stuck = [(a, b) for a, b in pairs if size[a] <= SATELLITE_SHARE * size[b]]
    found = dict(chosen.found) | {"largest_share_of_area": SATELLITE_SHARE}
    return (
        Measurement("satellites", len({a for a, _ in stuck}), "count", found=found),
        Measurement("objects that have one", len({b for _, b in stuck}), "count", found=found),
        Measurement(f"number of {target}", len(chosen), "count", found=found),
    )


@tool("alike", quantity="how much a quantity varies over objects")
def alike(
    img: MicroImage,
    *,
    quantity: str = "area",
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Standard deviation of a quantity over objects in % of its mean, with the least and the greatest value and how many."""
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    need_all(chosen, "how alike they are")
    measured, unit = values(chosen.table, quantity, img=img, channel=channel)
    measured = measured[np.isfinite(measured)]
    if len(measured) < 2:
        raise EvidenceError(f"too few {target} were found to compare them with one another")
    spread = 100 * float(measured.std()) / max(abs(float(measured.mean())), 1e-9)
    return (
        Measurement(f"variation of {quantity}", spread, "%", found=chosen.found),
        Measurement(f"min {quantity}", float(measured.min()), unit, found=chosen.found),
        Measurement(f"max {quantity}", float(measured.max()), unit, found=chosen.found),
        Measurement(f"number of {target}", len(measured), "count", found=chosen.found),
    )


@tool("edges_met", quantity="which edges of the image an object reaches")
def edges_met(
    img: MicroImage,
    *,
    by: str = "area",
    order: Literal["max", "min"] = "max",
    rank: int = 1,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Which edges of the image (top, bottom, left, right) one object reaches, "none" where it lies inside, and its box."""
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    row, _, _ = ranked(chosen, img, by, order, rank, channel, target)
    (x0, y0, x1, y1), (height, width) = box(row), img.plane_shape
    edges = [name for name, met in (("top", y0 <= 1), ("bottom", y1 >= height - 1), ("left", x0 <= 1), ("right", x1 >= width - 1))
             if met]  # fmt: skip
    found = dict(chosen.found) | {"label": int(row["label"])}
    return Measurement("edges", " and ".join(edges) or "none", found=found), Measurement("box", box(row), "px", found=found)


def _kept(chosen: Selection) -> Objects:
    """The objects that were chosen, with the labels of all."""
    return replace(chosen.objects, table=chosen.table)
