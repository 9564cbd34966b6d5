"""Tools that compare parts of an image by what lies in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, facts, tool
from .chosen import Filters, Selection, select
from .counting import coverage
from .object_tool import object_tool
from .pixels import read_greys
from .sizing import object_statistic

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
    here, other = region or Region.part("whole image", img.plane_shape), Region.from_dict(against)
    if (here.name or "") == (other.name or ""):
        raise EvidenceError(f"{here.name or 'the region'} cannot be compared with itself; name two regions")
    given: dict[str, Any] = {"filters": filters, "channel": channel, "target": target, "eyes": eyes}
    (a, unit), (b, _) = (_amount(img, quantity, region=place, **given) for place in (here, other))
    amount = quantity if quantity in ("count", "coverage") else f"mean {quantity}"
    winner = "equal" if a == b else _name(here) if a > b else _name(other)
    return facts(
        {},
        ("where there is more", winner),
        (f"{amount} in the {_name(here)}", a, unit),
        (f"{amount} in the {_name(other)}", b, unit),
        ("difference", abs(a - b), unit),
    )


@object_tool("busiest_part", quantity="the part of the image with most objects", takes=("filters", "channel", "target", "eyes"),
             all_for="which part holds most")  # fmt: skip
def busiest_part(chosen: Selection, *, parts: Parts = "quadrants", least: bool = False) -> tuple[Measurement, ...]:
    """Which quadrant (or side, or upper/lower half) holds most objects, or the fewest with `least`, with the counts of all."""
    shape = chosen.img.plane_shape
    counts = {name: len(chosen.instead(region=Region.part(name, shape))) for name in _PARTS[parts]}
    total = sum(counts.values())
    if not total:
        raise EvidenceError(f"no {chosen.target} were found, so no part holds more of them than another")
    best = (min if least else max)(counts, key=lambda name: counts[name])
    return (
        *facts({"parts": parts}, ("fewest" if least else "most", best)),
        *facts({}, *((f"number of {chosen.target}, {name}", n, "count") for name, n in counts.items())),
        *facts({}, (f"number of {chosen.target}", total, "count")),
    )


def _amount(img: MicroImage, quantity: str, *, region: Region, channel: str | None, **meant: Any) -> tuple[float, str]:
    """What a region holds, and its unit; grey values are read without looking for objects."""
    if quantity == "grey":
        return read_greys(img, region, channel).mean, "grey value"
    chosen = select(img, region=region, channel=channel, **meant)
    if quantity == "count":
        chosen.need_all("small differences")
        return len(chosen), "count"
    first = coverage(chosen) if quantity == "coverage" else object_statistic(chosen, quantity=quantity)[0]
    return float(first.value or 0.0), first.unit  # type: ignore[arg-type]


def _name(place: Region) -> str:
    return place.name or "marked region"
