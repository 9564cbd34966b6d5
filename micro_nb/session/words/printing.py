"""The one way numbers and units are written for people."""

from __future__ import annotations

import math

from .tables import table

_DIGITS = 3  # significant digits shown of what is no whole number
UNIT_WORDS: dict[str, str] = table("quantities")["unit"]


def print_number(value: float) -> str:
    """A number in about three significant digits; whole numbers whole, thousands grouped.

    >>> [print_number(v) for v in (32, 97.8512, 12345, 0.0044, 2145.3, 28.40, 1e-9, 0.325, 999.96)]
    ['32', '97.9', '12,345', '0.0044', '2145', '28.4', '1e-09', '0.325', '1000']
    """
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}" if abs(value) >= 10_000 else f"{int(value)}"
    if abs(value) < 1e-4 or abs(value) >= 1e15:
        return f"{value:.3g}"
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    printed = f"{value:,.{decimals}f}" if abs(value) >= 9_999.5 else f"{value:.{decimals}f}"
    return printed.rstrip("0").rstrip(".") if "." in printed else printed


def unit_words(unit: str) -> str:
    """A unit as people read it, with the space before it; nothing for counts.

    >>> unit_words("um2"), unit_words("%"), unit_words("count"), unit_words("per mm2"), unit_words("deg")
    (' µm²', ' %', '', ' per mm²', '°')
    """
    head, space, last = unit.rpartition(" ")
    shown = UNIT_WORDS.get(unit, head + space + UNIT_WORDS.get(last, last))
    return "" if not shown else shown if shown == "°" else f" {shown}"
