"""Tools about how objects lie: at random, evenly or in clusters; dense or sparse; how far apart; what lies around one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from ...analysis.spatial import LEAST, pattern
from ...data.image import MicroImage
from ...errors import EvidenceError
from ...render.contours import outline
from ..registry import Measurement, facts
from .chosen import Selection
from .contact import groups, plane_of
from .counting import coverage
from .frame import pixel_box
from .object_tool import object_tool
from .quantities import box

Order = Literal["max", "min"]
Side = Literal["above", "below", "left", "right"]
DENSE, SPARSE, CLOSE = 45.0, 12.0, 50.0  # % of the area covered; % of the objects that touch another
_BESIDE = {"above": "above", "below": "below", "left": "to the left of", "right": "to the right of"}


@object_tool("clustering", quantity="whether objects lie at random, evenly or in clusters",
             all_for="how all objects are spread")  # fmt: skip
def clustering(chosen: Selection) -> tuple[Measurement, ...]:
    """Whether the centres of objects are "clustered", "random" or "regular": index of Clark and Evans with what chance gives in
    the same field (simulated, so the rim is corrected for), the distance at which they crowd most (Ripley's L), and whether
    parts of the field hold different numbers (chi-squared).
    """
    if len(chosen) < LEAST:
        raise EvidenceError(f"too few {chosen.target} were found there to show how they are spread")
    rows, cols = pixel_box(chosen.img, chosen.meant.region)
    (py, px, unit), (y, x) = _pitch(chosen.img), chosen.centres
    height, width = (rows.stop - rows.start) * py, (cols.stop - cols.start) * px
    seen = pattern((y - rows.start) * py, (x - cols.start) * px, height=height, width=width)
    found = {**chosen.found, "simulations": seen.simulations, "seed": seen.seed, "least": LEAST, "confidence_percent": 95}
    more = (("distance of most crowding", seen.radius, unit), ("p-value of crowding", seen.p_excess),
            ("p-value over parts", seen.p_uneven))  # fmt: skip
    return facts(
        found,
        ("spread", seen.spread),
        ("index of Clark and Evans", seen.index),
        ("index by chance", 1.0, "", seen.chance),
        ("p-value", seen.p_value),
        ("evenly spread", seen.even),
        (f"number of {chosen.target}", seen.n, "count"),
        *(row for row in more if row[1] is not None),
    )


@object_tool("packing", quantity="whether objects lie dense or sparse", all_for="how crowded all of them are")
def packing(chosen: Selection) -> tuple[Measurement, ...]:
    """Whether objects are "dense", "moderately dense" or "sparse": share of the area they cover (%), share of them that touch
    another (%), and how many diameters lie between neighbours, centre to centre.
    """
    found = {**chosen.found, "dense_percent": DENSE, "sparse_percent": SPARSE, "touching_percent": CLOSE}
    number = (f"number of {chosen.target}", len(chosen), "count")
    if not len(chosen):
        return facts(found, ("packing", "sparse"), number)
    covered, near = float(coverage(chosen).value or 0), 100 * _touching(chosen) / len(chosen)  # type: ignore[arg-type]
    dense = covered >= DENSE or (near >= CLOSE and covered > SPARSE)
    (apart, _), (across, _) = chosen.values("spacing"), chosen.values("diameter")
    times = np.nanmedian(apart) / np.nanmedian(across) if np.isfinite(apart).any() else None
    return facts(
        found,
        ("packing", "dense" if dense else "sparse" if covered < SPARSE else "moderately dense"),
        number,
        ("covered share", covered, "%"),
        ("share that touches another", near, "%"),
        *([("neighbours apart", float(times), "times")] if times is not None else []),
    )


@object_tool("distance_between", quantity="distance from one object to the nearest of a kind", all_for="which is the nearest")
def distance_between(
    chosen: Selection, *, against: str = "", by: str = "", order: Order = "max", rank: int = 1, versus: int = 0
) -> tuple[Measurement, ...]:
    """How far the object of `target` that ranks first by `by` lies from the nearest of `against` (the same kind where empty), or,
    with `versus`, from the one of that rank; between centres and between outlines. Without `by`, the mean over all of `target`.
    """
    others = chosen.instead(target=against, filters=()) if against else chosen
    for some in (chosen, others):
        if not len(some) or (not against and len(some) < 2):
            raise EvidenceError(f"I find too few {some.target} there to measure a distance between them")
    starts = _only(chosen, by, order, rank) if by else chosen
    ends = _only(others, by or "area", order, versus) if versus else others
    pairs = list(_nearest(starts, ends, same=not against))
    if not pairs:
        raise EvidenceError(f"I find no {against or 'other'} there, so no distance can be measured")
    unit, mean = _pitch(chosen.img)[2], float(np.mean([d for _, _, d in pairs]))
    rows: list[tuple[object, ...]] = [("mean distance between centres", mean, unit)]
    if by or len(pairs) == 1:
        a, b, _ = pairs[0]
        rows = [
            ("distance between centres", mean, unit),
            ("distance between outlines", _gap(starts, ends, a, b), unit),
            ("box", box(starts.table.iloc[a]), "px"),
            ("box of the other", box(ends.table.iloc[b]), "px"),
        ]
    number = (f"number of {chosen.target} measured", len(pairs), "count")
    return facts({**chosen.found, "measured": len(pairs)}, *rows, number)


@object_tool("around", unit="count", quantity="objects around one object", takes=("filters", "channel", "target", "eyes"))
def around(
    chosen: Selection, *, centre: str, by: str = "area", order: Order = "max", rank: int = 1, side: Side | None = None
) -> tuple[Measurement, ...]:
    """How many of `target` have their centre within one diameter of the outline of one `centre` (the largest, or as ranked); or,
    with `side`, lie anywhere above, below, left or right of it. With the box of that one.
    """
    row, _, _ = chosen.instead(target=centre, filters=()).ranked(by, order, rank)
    chosen.need_all("what lies around one")
    (y, x), (x0, y0, x1, y1) = chosen.centres, box(row)
    reach = (x1 - x0 + y1 - y0) / 2
    if side is not None:
        beside = {"above": y < y0, "below": y >= y1, "left": x < x0, "right": x >= x1}[side]
    else:
        dy, dx = np.maximum(np.maximum(y0 - y, y - y1), 0), np.maximum(np.maximum(x0 - x, x - x1), 0)
        beside = np.hypot(dy, dx) <= reach
    own = (y >= y0) & (y < y1) & (x >= x0) & (x < x1) & (np.hypot(y - row["centroid_y_px"], x - row["centroid_x_px"]) < 2)
    return facts(
        {**chosen.found, "label": int(row["label"]), "centre": centre},
        (f"number of {chosen.target} {_BESIDE[side] if side else 'around it'}", int((beside & ~own).sum()), "count"),
        ("box", box(row), "px"),
        *([("reach", reach, "px")] if side is None else []),
    )


def _pitch(img: MicroImage) -> tuple[float, float, str]:
    """Size of a pixel in y and x, and its unit."""
    return (img.pixel_size["y"], img.pixel_size["x"], "um") if img.pixel_size else (1.0, 1.0, "px")


def _touching(chosen: Selection) -> int:
    """How many objects touch another of those chosen."""
    together = (len(chosen.labels & set(group)) for group in groups(chosen.objects))
    return sum(n for n in together if n > 1)


def _only(chosen: Selection, by: str, order: str, rank: int) -> Selection:
    """The one object of this rank."""
    row, _, _ = chosen.ranked(by, order, rank)
    return replace(chosen, table=chosen.table.loc[[row.name]])


def _nearest(starts: Selection, ends: Selection, *, same: bool) -> Iterator[tuple[int, int, float]]:
    """For each object its nearest other: the rows of both, and the distance of the centres in physical units where known."""
    py, px, _ = _pitch(starts.img)
    here, there = (np.stack(chosen.centres, axis=1) * (py, px) for chosen in (starts, ends))
    distance, at = cKDTree(there).query(here, k=[*range(1, min(2 if same else 1, len(there)) + 1)])
    for row, (ds, ks) in enumerate(zip(distance, at, strict=True)):
        for d, k in zip(ds, ks, strict=True):
            if not same or ends.table.index[k] != starts.table.index[row]:
                yield row, int(k), float(d)
                break


def _gap(starts: Selection, ends: Selection, a: int, b: int) -> float:
    """Least distance between the outlines of two objects, given by their rows; 0 where they touch."""
    py, px, _ = _pitch(starts.img)
    edges = [_outline(chosen, row) * (py, px) for chosen, row in ((starts, a), (ends, b))]
    gap = float(cKDTree(edges[1]).query(edges[0])[0].min())
    return max(gap - float(np.sqrt(py * px)), 0.0)  # pixels that lie side by side touch


def _outline(chosen: Selection, at: int) -> np.ndarray:
    """``(n, 2)``: y and x of the pixels of an object's outline."""
    row = chosen.table.iloc[at]
    x0, y0, x1, y1 = (int(v) for v in box(row))
    own = np.pad(plane_of(chosen.objects)[y0:y1, x0:x1] == int(row["label"]), 1)
    return np.argwhere(outline(own.astype(np.int32)) & own) + (y0 - 1, x0 - 1)
