"""Tools that compare parts of an image by what lies in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .counting import coverage
from .found import need_all, select
from .pixels import intensity
from .sizing import object_statistic

Filters = Sequence[Mapping[str, Any]]
Parts = Literal["halves", "sides", "quadrants"]
_PARTS: dict[str, tuple[str, ...]] = {
    "sides": ("left half", "right half"),
    "halves": ("top half", "bottom half"),
    "quadrants": ("top left", "top right", "bottom left", "bottom right"),
}


@tool("compare_regions", quantity="the same measurement in two regions")
def compare_regions(
    img: MicroImage,
    *,
    against: Mapping[str, Any],
    region: Region | None = None,
    quantity: str = "count",
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Count (or coverage, intensity, mean area, diameter ...) in `region` and in the region `against`, their difference, and
    which has more.
    """
    other = Region.from_dict(against)
    here = region or Region.part("whole image", img.plane_shape)
    if (here.name or "") == (other.name or ""):
        raise EvidenceError(f"{here.name or 'the region'} cannot be compared with itself; name two regions")
    a, unit = _amount(img, here, quantity, filters, channel, target, eyes)
    b, _ = _amount(img, other, quantity, filters, channel, target, eyes)
    amount = quantity if quantity in ("count", "coverage") else f"mean {quantity}"
    winner = "equal" if a == b else _name(here) if a > b else _name(other)
    return (
        Measurement("where there is more", winner),
        Measurement(f"{amount} in the {_name(here)}", a, unit),
        Measurement(f"{amount} in the {_name(other)}", b, unit),
        Measurement("difference", abs(a - b), unit),
    )


@tool("busiest_part", quantity="the part of the image with most objects")
def busiest_part(
    img: MicroImage,
    *,
    parts: Parts = "quadrants",
    least: bool = False,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Which quadrant (or side, or upper/lower half) holds most objects, or the fewest with `least`, with the counts of all."""
    shape = img.plane_shape
    given: dict[str, Any] = {"filters": filters, "channel": channel, "eyes": eyes, "target": target}
    need_all(select(img, **given), "which part holds most")
    counts = {name: len(select(img, region=Region.part(name, shape), **given)) for name in _PARTS[parts]}
    total = sum(counts.values())
    if not total:
        raise EvidenceError(f"no {target} were found, so no part holds more of them than another")
    best = (min if least else max)(counts, key=lambda name: counts[name])
    return (
        Measurement("fewest" if least else "most", best, found={"parts": parts}),
        *(Measurement(f"number of {target}, {name}", n, "count") for name, n in counts.items()),
        Measurement(f"number of {target}", total, "count"),
    )


def _amount(
    img: MicroImage, place: Region, quantity: str, filters: Filters, channel: str | None, target: str, eyes: str
) -> tuple[float, str]:
    if quantity == "count":
        chosen = select(img, region=place, filters=filters, channel=channel, eyes=eyes, target=target)
        need_all(chosen, "small differences")
        return len(chosen), "count"
    if quantity == "coverage":
        share = coverage(img, region=place, filters=filters, channel=channel, target=target, eyes=eyes)
        assert isinstance(share, Measurement)
        return float(share.value or 0.0), "%"  # type: ignore[arg-type]
    if quantity == "grey":
        grey = intensity(img, region=place, statistic="mean", channel=channel)
        first = grey[0] if isinstance(grey, tuple) else grey
        return float(first.value), first.unit  # type: ignore[arg-type]
    over = object_statistic(img, quantity=quantity, region=place, filters=filters, channel=channel, target=target, eyes=eyes)
    first = over[0] if isinstance(over, tuple) else over
    return float(first.value), first.unit  # type: ignore[arg-type]


def _name(place: Region) -> str:
    return place.name or "marked region"
