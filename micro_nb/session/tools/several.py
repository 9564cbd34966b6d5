"""Tools about several objects at once: each one's place, groups that touch, whether they are alike, what cuts one off."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from ...errors import EvidenceError
from ..registry import Measurement, facts
from .chosen import Selection
from .contact import groups, plane_of, touching_pairs
from .frame import place_words
from .object_tool import object_tool
from .quantities import box, centre

SATELLITE_SHARE = 0.5  # a smaller object that sticks to a larger one has at most this share of its area


@object_tool("locate_each", quantity="where each of a few objects is", all_for="where each of them is")
def locate_each(
    chosen: Selection, *, by: str = "area", order: Literal["max", "min"] = "max", most: int = 6
) -> tuple[Measurement, ...]:
    """How many objects there are, and box, centre (x, y) and place in words of each of the first `most` by a quantity."""
    if not len(chosen):
        raise EvidenceError(f"I find no {chosen.target} there, so none can be pointed at")
    out = facts(chosen.found, (f"number of {chosen.target}", len(chosen), "count"))
    for rank in range(1, min(len(chosen), most) + 1):
        row, _, _ = chosen.ranked(by, order, rank)
        y, x = centre(row)
        out += facts(
            {"label": int(row["label"]), "rank": rank},
            (f"box, rank {rank}", box(row), "px"),
            (f"centre, rank {rank}", (round(x, 1), round(y, 1)), "px"),
            (f"place, rank {rank}", place_words(chosen.img, y, x)),
        )
    return out


@object_tool("groups", unit="count", quantity="groups of objects that touch", all_for="which objects touch")
def touching_groups(chosen: Selection, *, least: int = 2) -> tuple[Measurement, ...]:
    """Groups of at least `least` objects that touch one another (at most one pixel of background between them): how many groups,
    how many objects the largest holds, how many objects touch another, and of how many in all.
    """
    together = groups(replace(chosen.objects, table=chosen.table))
    return facts(
        {**chosen.found, "least": least},
        ("groups", sum(len(g) >= least for g in together), "count"),
        ("objects in the largest group", max((len(g) for g in together), default=1), "count"),
        ("objects that touch another", sum(map(len, together)), "count"),
        (f"number of {chosen.target}", len(chosen), "count"),
    )


@object_tool("satellites", unit="count", quantity="small objects that stick to a larger one", all_for="which objects touch")
def satellites(chosen: Selection) -> tuple[Measurement, ...]:
    """Objects that touch one at least twice their area, how many objects have such, and of how many in all."""
    areas, _ = chosen.values("area", unit="px2")
    size = dict(zip(chosen.table["label"].to_numpy(int).tolist(), areas.tolist(), strict=True))
    pairs = [sorted(p, key=size.__getitem__) for p in touching_pairs(plane_of(chosen.objects)) if set(p) <= set(size)]
    stuck = [(a, b) for a, b in pairs if size[a] <= SATELLITE_SHARE * size[b]]
    return facts(
        {**chosen.found, "largest_share_of_area": SATELLITE_SHARE},
        ("satellites", len({a for a, _ in stuck}), "count"),
        ("objects that have one", len({b for _, b in stuck}), "count"),
        (f"number of {chosen.target}", len(chosen), "count"),
    )


@object_tool("alike", quantity="how much a quantity varies over objects", all_for="how alike they are")
def alike(chosen: Selection, *, quantity: str = "area") -> tuple[Measurement, ...]:
    """Standard deviation of a quantity over objects in % of its mean, with the least and the greatest value and how many."""
    measured, unit = chosen.values(quantity)
    measured = measured[np.isfinite(measured)]
    if len(measured) < 2:
        raise EvidenceError(f"too few {chosen.target} were found to compare them with one another")
    spread = 100 * float(measured.std()) / max(abs(float(measured.mean())), 1e-9)
    return facts(
        chosen.found,
        (f"variation of {quantity}", spread, "%"),
        (f"min {quantity}", float(measured.min()), unit),
        (f"max {quantity}", float(measured.max()), unit),
        (f"number of {chosen.target}", len(measured), "count"),
    )


@object_tool("edges_met", quantity="which edges of the image an object reaches")
def edges_met(
    chosen: Selection, *, by: str = "area", order: Literal["max", "min"] = "max", rank: int = 1
) -> tuple[Measurement, ...]:
    """Which edges of the image (top, bottom, left, right) one object reaches, "none" where it lies inside, and its box."""
    row, _, _ = chosen.ranked(by, order, rank)
    (x0, y0, x1, y1), (height, width) = box(row), chosen.img.plane_shape
    met = {"top": y0 <= 1, "bottom": y1 >= height - 1, "left": x0 <= 1, "right": x1 >= width - 1}
    edges = [name for name, reached in met.items() if reached]
    found = {**chosen.found, "label": int(row["label"])}
    return facts(found, ("edges", " and ".join(edges) or "none"), ("box", box(row), "px"))
