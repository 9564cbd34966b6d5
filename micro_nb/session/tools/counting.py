"""Tools that count: objects, their density, the area they cover."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError, UnitsError
from ..registry import Measurement, facts
from .chosen import TILES_ONLY, Selection, spread
from .frame import area_um2, pixel_box
from .object_tool import object_tool

_BAND = 1024


@object_tool("count", unit="count", quantity="number of objects")
def count(chosen: Selection) -> Measurement:
    """Counts objects whose centre lies in the region and that meet all filters.

    A filter is {"quantity": "area" | "diameter" | "intensity" | "touches_border" | ..., "op": ">" | "<" | "is", "value": ...,
    "unit": "um2" | "px2" | ...}. `target` is the word for the objects; `eyes` "micro_d1" knows kinds, "floor" none.
    """
    return chosen.number


@object_tool("density", unit="per mm2", quantity="objects per area")
def density(chosen: Selection, *, per: float = 1.0, unit: str = "mm2") -> tuple[Measurement, ...]:
    """Objects per area: how many per `per` x `unit` (mm2, um2, or px2 where no pixel size is known), with count and area."""
    area = _area(chosen.img, chosen.meant.region, unit)
    name = f"per {unit}" if per == 1 else f"per {per:g} {unit}"
    n = chosen.number
    interval = (n.interval[0] / area * per, n.interval[1] / area * per) if n.interval else None
    dense = Measurement(f"density of {chosen.target}", float(n.value or 0) / area * per, name, interval, n.found)  # type: ignore[arg-type]
    return dense, n, Measurement("area", area, unit)


@object_tool("coverage", unit="%", quantity="share of the area that objects cover")
def coverage(chosen: Selection, *, rest: bool = False) -> Measurement:
    """Share of the pixels of the region that lie in objects, in %; with `rest`, the share that lies in none."""
    quantity = f"area outside {chosen.target}" if rest else f"area covered by {chosen.target}"
    if chosen.drawn is not None:
        return _estimated_coverage(chosen, quantity, rest)
    covered, seen = _covered(chosen)
    share = 100 * covered / seen
    return Measurement(quantity, 100 - share if rest else share, "%", found=chosen.found)


@object_tool("share_of_objects", unit="%", quantity="share of the objects that lie in the region or meet the filters")
def share_of_objects(chosen: Selection) -> tuple[Measurement, ...]:
    """How many objects lie in the region and meet the filters, of how many in all, and the share in %."""
    everything = chosen.instead(region=None, filters=())
    if chosen.drawn is not None and chosen.meant.region is None and len(everything):
        return (_estimated_share(chosen, everything),)
    chosen.need_all("a share exactly")
    if not len(everything):
        raise EvidenceError("no objects were found, so there is no share of them")
    return facts(
        chosen.found,
        (f"share of {chosen.target}", 100 * len(chosen) / len(everything), "%"),
        (f"number of {chosen.target}", len(chosen), "count"),
        (f"number of {chosen.target} in the image", len(everything), "count"),
    )


def _estimated_share(chosen: Selection, everything: Selection) -> Measurement:
    assert chosen.drawn is not None
    meets = everything.table.index.isin(chosen.table.index).astype(float)
    share = chosen.drawn.mean(everything.table, 100 * meets)
    found = {**chosen.found, **spread(share, TILES_ONLY)}
    return Measurement(f"share of {chosen.target}", share.value, "%", (max(share.low, 0.0), min(share.high, 100.0)), found)


def _estimated_coverage(chosen: Selection, quantity: str, rest: bool) -> Measurement:
    assert chosen.drawn is not None
    areas, _ = chosen.values("area", unit="px2")
    total, whole = chosen.drawn.total(chosen.table, areas), chosen.drawn.area_px
    share, low, high = (100 * v / whole for v in (total.value, total.low, total.high))
    if rest:
        share, low, high = 100 - share, 100 - high, 100 - low
    return Measurement(quantity, share, "%", (low, high), {**chosen.found, **spread(total, TILES_ONLY)})


def _covered(chosen: Selection) -> tuple[int, int]:
    """Pixels of the region in chosen objects, and all of its pixels; label bands are read one at a time."""
    labels, region = chosen.objects.labels, chosen.meant.region
    if labels is None:
        raise EvidenceError("the label image was not kept, so covered pixels cannot be counted")
    # cut at the region's edge where only the place narrows the choice; conditions choose whole objects
    table = chosen.table if chosen.meant.filters else chosen.objects.table
    wanted = np.zeros(int(chosen.objects.table["label"].max()) + 1 if len(chosen.objects) else 1, bool)
    wanted[table["label"].to_numpy(int)] = True
    rows, cols = pixel_box(chosen.img, region)
    covered = seen = 0
    for top in range(rows.start, rows.stop, _BAND):
        band = slice(top, min(top + _BAND, rows.stop))
        inside = wanted[_band(labels, band, cols)]
        if region is not None and region.polygon:
            inside = inside[_polygon_band(region, band, cols)]
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
