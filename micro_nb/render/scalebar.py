"""Round numbers for people: ticks along an axis and the length of a scale bar, in µm, mm, nm or px."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Ruler:
    """How lengths along one axis are shown: ``per_px`` units a level-0 pixel.

    >>> Ruler.of({"y": 0.5, "x": 0.5}, extent_px=1000).unit
    'µm'
    >>> Ruler.of(None, extent_px=1000).unit
    'px'
    """

    unit: str
    per_px: float

    @classmethod
    def of(cls, pixel_size: Mapping[str, float] | None, *, extent_px: float, axis: str = "x") -> Ruler:
        """A ruler whose unit suits ``extent_px`` pixels: nm below 2 µm, mm from 10 mm, px where no pixel size is known."""
        if pixel_size is None:
            return cls("px", 1.0)
        um = pixel_size[axis]
        if um * extent_px < 2:
            return cls("nm", um * 1e3)
        return cls("mm", um / 1e3) if um * extent_px >= 10_000 else cls("µm", um)


def nice_below(value: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is not above ``value`` (> 0).

    >>> nice_below(73), nice_below(0.26)
    (50.0, 0.2)
    """
    power = 10.0 ** math.floor(math.log10(value))
    best = max((s * power for s in _STEPS if s * power <= value * (1 + 1e-9)), default=power)
    return float(f"{best:.12g}")


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round positions inside ``[low, high]``, evenly spaced.

    >>> ticks(0, 730, 5)
    [0.0, 200.0, 400.0, 600.0]
    """
    if high <= low or most < 1:
        return []
    step = nice_below((high - low) / most)
    while (high - low) / step >= most:
        step = nice_below(step * 2.5 * (1 + 1e-6))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def show_number(value: float) -> str:
    """A tick label: no needless zeros, thousands separated.

    >>> show_number(12000.0), show_number(0.25)
    ('12,000', '0.25')
    """
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"
