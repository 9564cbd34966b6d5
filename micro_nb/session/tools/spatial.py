"""Tools about how objects lie: at random, evenly or in clusters; dense or sparse; how far apart; what lies around one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ...analysis.spatial import LEAST, pattern
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ...render.contours import outline
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .contact import groups, plane_of
from .counting import coverage
from .found import Selection, box, need_all, select, values
from .frame import pixel_box
from .sizing import ranked

Filters = Sequence[Mapping[str, Any]]
Side = Literal["above", "below", "left", "right"]
DENSE, SPARSE, CLOSE = 45.0, 12.0, 50.0  # % of the area covered; % of the objects that touch another
_BESIDE = {"above": "above", "below": "below", "left": "to the left of", "right": "to the right of"}


@tool("clustering", quantity="whether objects lie at random, evenly or in clusters")
def clustering(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Whether the centres of objects are "clustered", "random" or "regular": index of Clark and Evans with what chance gives in
    the same field (simulated, so the rim is corrected for), the distance at which they crowd most (Ripley's L), and whether
    parts of the field hold different numbers (chi-squared).
    """
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    need_all(chosen, "how all objects are spread")
    if len(chosen) < LEAST:
        raise EvidenceError(f"too few {target} were found there to show how they are spread")
    rows, cols = pixel_box(img, region)
    py, px, unit = _pitch(img)
    y = (chosen.table["centroid_y_px"].to_numpy(float) - rows.start) * py
    x = (chosen.table["centroid_x_px"].to_numpy(float) - cols.start) * px
    seen = pattern(y, x, height=(rows.stop - rows.start) * py, width=(cols.stop - cols.start) * px)
    found = dict(chosen.found) | {"simulations": seen.simulations, "seed": seen.seed, "least": LEAST, "confidence_percent": 95}
    facts = (("distance of most crowding", seen.radius, unit), ("p-value of crowding", seen.p_excess, ""),
             ("p-value over parts", seen.p_uneven, ""))  # fmt: skip
    return (
        Measurement("spread", seen.spread, found=found),
        Measurement("index of Clark and Evans", seen.index, found=found),
        Measurement("index by chance", 1.0, interval=seen.chance, found=found),
        Measurement("p-value", seen.p_value, found=found),
        Measurement("evenly spread", seen.even, found=found),
        Measurement(f"number of {target}", seen.n, "count", found=found),
        *(Measurement(name, v, u, found=found) for name, v, u in facts if v is not None),
    )


@tool("packing", quantity="whether objects lie dense or sparse")
def packing(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Whether objects are "dense", "moderately dense" or "sparse": share of the area they cover (%), share of them that touch
    another (%), and how many diameters lie between neighbours, centre to centre.
    """
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    need_all(chosen, "how crowded all of them are")
    found = dict(chosen.found) | {"dense_percent": DENSE, "sparse_percent": SPARSE, "touching_percent": CLOSE}
    if not len(chosen):
        return Measurement("packing", "sparse", found=found), Measurement(f"number of {target}", 0, "count", found=found)
    share = coverage(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    assert isinstance(share, Measurement)
    covered, near = float(share.value or 0), 100 * _touching(chosen) / len(chosen)  # type: ignore[arg-type]
    dense = covered >= DENSE or (near >= CLOSE and covered > SPARSE)
    apart, across = (values(chosen.table, q, img=img)[0] for q in ("spacing", "diameter"))
    times = np.nanmedian(apart) / np.nanmedian(across) if np.isfinite(apart).any() else None
    return (
        Measurement("packing", "dense" if dense else "sparse" if covered < SPARSE else "moderately dense", found=found),
        Measurement(f"number of {target}", len(chosen), "count", found=found),
        Measurement("covered share", covered, "%", found=found),
        Measurement("share that touches another", near, "%", found=found),
        *((Measurement("neighbours apart", float(times), "times", found=found),) if times is not None else ()),
    )


@tool("distance_between", quantity="distance from one object to the nearest of a kind")
def distance_between(
    img: MicroImage,
    *,
    against: str = "",
    by: str = "",
    order: Literal["max", "min"] = "max",
    rank: int = 1,
    versus: int = 0,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """How far the object of `target` that ranks first by `by` lies from the nearest of `against` (the same kind where empty), or,
    with `versus`, from the one of that rank; between centres and between outlines. Without `by`, the mean over all of `target`.
    """
    given: dict[str, Any] = {"region": region, "channel": channel, "eyes": eyes}
    near = select(img, target=target, filters=filters, **given)
    need_all(near, "which is the nearest")
    others = select(img, target=against, **given) if against else near
    for chosen, word in ((near, target), (others, against or target)):
        if not len(chosen) or (not against and len(chosen) < 2):
            raise EvidenceError(f"I find too few {word} there to measure a distance between them")
    starts = near.table if not by else near.table.loc[[ranked(near, img, by, order, rank, channel, target)[0].name]]
    ends = others.table
    if versus:
        ends = ends.loc[[ranked(others, img, by or "area", order, versus, channel, against or target)[0].name]]
    pairs = _nearest(img, starts, ends, same=not against)
    if not pairs:
        raise EvidenceError(f"I find no {against or 'other'} there, so no distance can be measured")
    gaps = [_gap(img, near, others, a, b) for a, b, _ in pairs[:1]]
    unit, found = _pitch(img)[2], dict(near.found) | {"measured": len(pairs)}
    first = pairs[0]
    one = by or len(pairs) == 1
    distances = np.array([d for _, _, d in pairs])
    out = [Measurement("distance between centres" if one else "mean distance between centres", float(distances.mean()), unit,
                       found=found)]  # fmt: skip
    if one:
        out += [Measurement("distance between outlines", gaps[0], unit, found=found),
                Measurement("box", box(starts.loc[first[0]]), "px", found=found),
                Measurement("box of the other", box(ends.loc[first[1]]), "px", found=found)]  # fmt: skip
    return (*out, Measurement(f"number of {target} measured", len(pairs), "count", found=found))


@tool("around", unit="count", quantity="objects around one object")
def around(
    img: MicroImage,
    *,
    centre: str,
    by: str = "area",
    order: Literal["max", "min"] = "max",
    rank: int = 1,
    side: Side | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """How many of `target` have their centre within one diameter of the outline of one `centre` (the largest, or as ranked); or,
    with `side`, lie anywhere above, below, left or right of it. With the box of that one.
    """
    middle = select(img, target=centre, channel=channel, eyes=eyes)
    row, _, _ = ranked(middle, img, by, order, rank, channel, centre)
    chosen = select(img, target=target, filters=filters, channel=channel, eyes=eyes)
    need_all(chosen, "what lies around one")
    table = chosen.table
    y, x = (table[f"centroid_{a}_px"].to_numpy(float) for a in "yx")
    (x0, y0, x1, y1) = box(row)
    if side is not None:
        beside = {"above": y < y0, "below": y >= y1, "left": x < x0, "right": x >= x1}[side]
        reach = None
    else:
        across = (x1 - x0 + y1 - y0) / 2
        dy, dx = np.maximum(np.maximum(y0 - y, y - y1), 0), np.maximum(np.maximum(x0 - x, x - x1), 0)
        beside, reach = np.hypot(dy, dx) <= across, across
    own = (y >= y0) & (y < y1) & (x >= x0) & (x < x1) & (np.hypot(y - row["centroid_y_px"], x - row["centroid_x_px"]) < 2)
    found = dict(chosen.found) | {"label": int(row["label"]), "centre": centre}
    n = Measurement(
        f"number of {target} {_BESIDE[side] if side else 'around it'}", int((beside & ~own).sum()), "count", found=found
    )
    more = (Measurement("reach", reach, "px", found=found),) if reach is not None else ()
    return n, Measurement("box", box(row), "px", found=found), *more


def _pitch(img: MicroImage) -> tuple[float, float, str]:
    """Size of a pixel in y and x, and its unit."""
    return (img.pixel_size["y"], img.pixel_size["x"], "um") if img.pixel_size else (1.0, 1.0, "px")


def _touching(chosen: Selection) -> int:
    """How many objects touch another of those chosen."""
    labels = set(chosen.table["label"].to_numpy(int).tolist())
    together = [labels & set(g) for g in groups(chosen.objects)]
    return sum(len(g) for g in together if len(g) > 1)


def _nearest(img: MicroImage, starts: pd.DataFrame, ends: pd.DataFrame, *, same: bool) -> list[tuple[Any, Any, float]]:
    """For each row its nearest other: both indices, and the distance of the centres in physical units where known."""
    py, px, _ = _pitch(img)
    here, there = (t[["centroid_y_px", "centroid_x_px"]].to_numpy(float) * (py, px) for t in (starts, ends))
    k = min(2 if same else 1, len(there))
    distance, at = cKDTree(there).query(here, k=[*range(1, k + 1)])
    out = []
    for row, ds, ks in zip(starts.index, distance, at, strict=True):
        other = next(
            ((ends.index[j], float(d)) for d, j in zip(ds, ks, strict=True) if not (same and ends.index[j] == row)), None
        )
        if other is not None:
            out.append((row, *other))
    return out


def _gap(img: MicroImage, near: Selection, others: Selection, a: Any, b: Any) -> float:
    """Least distance between the outlines of two objects; 0 where they touch."""
    py, px, _ = _pitch(img)
    edges = []
    for chosen, index in ((near, a), (others, b)):
        row = chosen.table.loc[index]
        x0, y0, x1, y1 = (int(v) for v in box(row))
        own = np.pad(plane_of(chosen.objects)[y0:y1, x0:x1] == int(row["label"]), 1)
        edges.append((np.argwhere(outline(own.astype(np.int32)) & own) + (y0 - 1, x0 - 1)) * (py, px))
    gap = float(cKDTree(edges[1]).query(edges[0])[0].min())
    return max(gap - float(np.sqrt(py * px)), 0.0)  # pixels that lie side by side touch
