"""Tools that count: objects, their density, the area they cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError, UnitsError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .found import TILES_ONLY, Selection, need_all, select, spread, values
from .frame import area_um2, pixel_box

Filters = Sequence[Mapping[str, Any]]
_BAND = 1024


@tool("count", unit="count", quantity="number of objects")
def count(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> Measurement:
    """Counts objects whose centre lies in the region and that meet all filters.

    A filter is {"quantity": "area" | "diameter" | "intensity" | "touches_border" | ..., "op": ">" | "<" | "is", "value": ...,
    "unit": "um2" | "px2" | ...}. `target` is the word for the objects; `eyes` "micro_d1" knows kinds, "floor" none.
    """
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    return number_of(chosen, target)


@tool("density", unit="per mm2", quantity="objects per area")
def density(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
    per: float = 1.0,
    unit: str = "mm2",
) -> tuple[Measurement, ...]:
    """Objects per area: how many per `per` x `unit` (mm2, um2, or px2 where no pixel size is known), with count and area."""
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    area = _area(img, region, unit)
    name = f"per {unit}" if per == 1 else f"per {per:g} {unit}"
    n = number_of(chosen, target)
    interval = (n.interval[0] / area * per, n.interval[1] / area * per) if n.interval else None
    dense = Measurement(f"density of {target}", float(n.value or 0) / area * per, name, interval, n.found)  # type: ignore[arg-type]
    return dense, n, Measurement("area", area, unit)


@tool("coverage", unit="%", quantity="share of the area that objects cover")
def coverage(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
    rest: bool = False,
) -> Measurement:
    """Share of the pixels of the region that lie in objects, in %; with `rest`, the share that lies in none."""
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    quantity = f"area outside {target}" if rest else f"area covered by {target}"
    if chosen.drawn is not None:
        return _estimated_coverage(chosen, img, quantity, rest)
    rows, cols = pixel_box(img, region)
    covered, seen = _covered(chosen, rows, cols, region if region is not None and region.polygon else None)
    share = 100 * covered / seen
    return Measurement(quantity, 100 - share if rest else share, "%", found=chosen.found)


@tool("share_of_objects", unit="%", quantity="share of the objects that lie in the region or meet the filters")
def share_of_objects(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """How many objects lie in the region and meet the filters, of how many in all, and the share in %."""
    chosen, everything = (
        select(img, region=r, filters=f, channel=channel, eyes=eyes, target=target) for r, f in ((region, filters), (None, ()))
    )
    if chosen.drawn is not None and region is None and len(everything):
        return (_estimated_share(chosen, everything, target),)
    need_all(chosen, "a share exactly")
    if not len(everything):
        raise EvidenceError("no objects were found, so there is no share of them")
    return (
        Measurement(f"share of {target}", 100 * len(chosen) / len(everything), "%", found=chosen.found),
        Measurement(f"number of {target}", len(chosen), "count", found=chosen.found),
        Measurement(f"number of {target} in the image", len(everything), "count", found=chosen.found),
    )


def number_of(chosen: Selection, target: str) -> Measurement:
    """How many were chosen; an estimate with its interval where only a sample was looked at."""
    if chosen.drawn is None:
        return Measurement(f"number of {target}", len(chosen), "count", found=chosen.found)
    total = chosen.drawn.total(chosen.table)
    found = dict(chosen.found) | spread(total, TILES_ONLY)
    bounds = round(total.low), round(total.high)
    return Measurement(f"number of {target}", round(total.value), "count", bounds, found)


def _estimated_share(chosen: Selection, everything: Selection, target: str) -> Measurement:
    assert chosen.drawn is not None
    meets = everything.table.index.isin(chosen.table.index).astype(float)
    share = chosen.drawn.mean(everything.table, 100 * meets)
    found = dict(chosen.found) | spread(share, TILES_ONLY)
    return Measurement(f"share of {target}", share.value, "%", (max(share.low, 0.0), min(share.high, 100.0)), found)


def _estimated_coverage(chosen: Selection, img: MicroImage, quantity: str, rest: bool) -> Measurement:
    assert chosen.drawn is not None
    areas, _ = values(chosen.table, "area", img=img, unit="px2")
    total, whole = chosen.drawn.total(chosen.table, areas), chosen.drawn.area_px
    share, low, high = (100 * v / whole for v in (total.value, total.low, total.high))
    found = dict(chosen.found) | spread(total, TILES_ONLY)
    if rest:
        share, low, high = 100 - share, 100 - high, 100 - low
    return Measurement(quantity, share, "%", (low, high), found)


def _covered(chosen: Selection, rows: slice, cols: slice, polygon: Region | None) -> tuple[int, int]:
    """Pixels in chosen objects, and pixels looked at; label bands are read one at a time."""
    labels = chosen.objects.labels
    if labels is None:
        raise EvidenceError("the label image was not kept, so covered pixels cannot be counted")
    # cut at the region's edge where only the place narrows the choice; conditions choose whole objects
    table = chosen.table if chosen.filtered else chosen.objects.table
    wanted = np.zeros(int(chosen.objects.table["label"].max()) + 1 if len(chosen.objects) else 1, bool)
    wanted[table["label"].to_numpy(int)] = True
    covered = seen = 0
    for top in range(rows.start, rows.stop, _BAND):
        band = slice(top, min(top + _BAND, rows.stop))
        inside = wanted[_band(labels, band, cols)]
        if polygon is not None:
            keep = _polygon_band(polygon, band, cols)
            covered, seen = covered + int(inside[keep].sum()), seen + int(keep.sum())
        else:
            covered, seen = covered + int(inside.sum()), seen + inside.size
    return covered, max(seen, 1)


def _band(labels: xr.DataArray, rows: slice, cols: slice) -> np.ndarray:
    plane = labels.isel(layer=0) if "layer" in labels.dims else labels
    return np.asarray(plane.isel(y=rows, x=cols).values)


def _polygon_band(polygon: Region, rows: slice, cols: slice) -> np.ndarray:
    y, x = np.arange(rows.start, rows.stop) + 0.5, np.arange(cols.start, cols.stop) + 0.5
    return polygon.contains(*np.meshgrid(y, x, indexing="ij"))


def _area(img: MicroImage, region: Region | None, unit: str) -> float:
    rows, cols = pixel_box(img, region)
    if unit == "px2":
        return float((rows.stop - rows.start) * (cols.stop - cols.start))
    if unit not in ("mm2", "um2"):
        raise UnitsError(f"area unit {unit!r} must be mm2, um2 or px2")
    return area_um2(img, rows, cols) / (1e6 if unit == "mm2" else 1.0)
