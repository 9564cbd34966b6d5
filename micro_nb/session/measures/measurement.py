"""``Measurement``: one measured fact, before it is tied to an image and a version."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import EvidenceError

Value = float | int | bool | str | tuple[float, ...] | None
Fact = tuple[Any, ...]
"""A fact before it is one: ``(quantity, value, unit, interval)``; it may end after the value."""


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes
    ----------
    quantity : what it is, e.g. ``"number of nuclei"``; unique among the measurements of one call.
    value : a number, True or False, words, or numbers (a box is ``(x0, y0, x1, y1)`` in px); None where nothing could be
    measured.
    unit : ``"count" "um" "um2" "px" "px2" "%" "per mm2" "grey value" "times"`` ...
    interval : 95 % interval of the value, in the same unit; None where none applies.
    found : what the method chose or found on the way (thresholds, scales, sample sizes); JSON values.
    level : pyramid level that was read.
    """

    quantity: str
    value: Value
    unit: str = ""
    interval: tuple[float, float] | None = None
    found: Mapping[str, Any] = field(default_factory=dict)
    level: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", plain_value(self.value))
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise EvidenceError(f"{self.quantity}: the measured value is {self.value}; a fact must be finite")
        if self.interval is not None:
            low, high = (float(v) for v in self.interval)
            object.__setattr__(self, "interval", (low, high) if math.isfinite(low) and math.isfinite(high) else None)

    @property
    def number(self) -> float:
        """The value as a number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise EvidenceError(f"{self.quantity} is {self.value!r}, no number to calculate with")
        return float(self.value)


def facts(found: Mapping[str, Any], *rows: Fact | Measurement) -> tuple[Measurement, ...]:
    """Measurements that were found in one way; what is a measurement already stays as it is.

    >>> [m.unit for m in facts({"seed": 0}, ("spread", "random"), ("radius", 2.5, "um"))]
    ['', 'um']
    """
    return tuple(row if isinstance(row, Measurement) else Measurement(*row, found=found) for row in rows)  # type: ignore[misc]


def plain_value(value: Any) -> Any:
    """NumPy scalars as Python's own, so that facts survive JSON as they are."""
    if isinstance(value, tuple):
        return tuple(plain_value(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value
