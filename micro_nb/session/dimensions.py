"""Which unit fits which quantity: the law that an area is never given in µm, nor a diameter called an area."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Dimension = Literal["length", "area", "ratio", "share", "grey", "count"]

LENGTH_UNITS = frozenset({"px", "nm", "um", "mm"})
AREA_UNITS = frozenset({"px2", "nm2", "um2", "mm2"})
PHYSICAL_UNITS = (LENGTH_UNITS | AREA_UNITS) - {"px", "px2"}

QUANTITIES: Mapping[str, Dimension] = {
    "area": "area", "diameter": "length", "perimeter": "length", "length": "length", "width": "length", "height": "length",
    "spacing": "length", "aspect_ratio": "ratio", "eccentricity": "ratio", "solidity": "ratio", "roundness": "ratio",
    "intensity": "grey", "coverage": "share", "count": "count", "oddness": "ratio",
    **{f"from_{place}": "length" for place in ("top", "bottom", "left", "right", "center", "border")},
}  # fmt: skip

NAMES: Mapping[str, str] = {
    "length": "length (long axis)", "width": "width (short axis)", "spacing": "distance to the nearest neighbour",
    "aspect_ratio": "ratio of long to short axis", "intensity": "brightness", "oddness": "deviation from the typical object",
    "from_center": "distance from the middle of the image", "from_border": "distance from the nearest edge of the image",
    **{f"from_{side}": f"distance from the {side} edge of the image" for side in ("top", "bottom", "left", "right")},
}  # fmt: skip
STATISTICS: Mapping[str, str] = {"sum": "total", "std": "standard deviation of the", "min": "smallest", "max": "largest"}

_MEASURED = re.compile(
    rf"(?:(?P<statistic>mean|median|min|max|sum|std|next) )?(?P<quantity>{'|'.join(QUANTITIES)})(?P<of>$| of | in the )"
)


def dimension_of(unit: str) -> Dimension | None:
    """Dimension of a unit; None for units that stand for themselves ("per mm2", "times", "bit").

    >>> dimension_of("um2"), dimension_of("mm"), dimension_of("per mm2")
    ('area', 'length', None)
    """
    if unit in LENGTH_UNITS:
        return "length"
    if unit in AREA_UNITS:
        return "area"
    named: Mapping[str, Dimension] = {"%": "share", "grey value": "grey", "count": "count", "": "ratio"}
    return named.get(unit)


def quantity_of(measured: str) -> tuple[str, str] | None:
    """``(statistic, quantity)`` that the name of a measurement says; None where it is not one of :data:`QUANTITIES`.

    >>> quantity_of("mean area of nuclei"), quantity_of("diameter"), quantity_of("area covered by nuclei")
    (('mean', 'area'), ('', 'diameter'), None)
    """
    found = _MEASURED.match(measured)
    return (found["statistic"] or "", found["quantity"]) if found else None


def fits(quantity: str, unit: str) -> bool:
    """Whether a value of this quantity may carry the unit; unknown quantities carry any.

    >>> fits("area", "um2"), fits("area", "mm"), fits("diameter", "px")
    (True, False, True)
    """
    return quantity not in QUANTITIES or dimension_of(unit) == QUANTITIES[quantity]


def named(quantity: str) -> str:
    """How a quantity is called in prose."""
    return NAMES.get(quantity, quantity)
