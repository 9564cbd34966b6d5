"""A tool that sets two measured numbers against each other, so that a difference is evidence like any other."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import EvidenceError
from ..registry import Measurement, tool


@tool("difference", quantity="difference and ratio of two measured numbers", needs_image=False)
def difference(
    img: Any, *, a: float, b: float, unit: str = "", a_interval: tuple[float, float] | None = None,
    b_interval: tuple[float, float] | None = None,
) -> tuple[Measurement, ...]:  # fmt: skip
    """How much `a` exceeds `b`, and how many times it is `b`. Where both have an interval, so has the difference: the halves are
    added as those of independent errors are, in squares.
    """
    if not np.isfinite([a, b]).all():
        raise EvidenceError("two finite numbers are needed to set one against the other")
    interval = None
    if a_interval is not None and b_interval is not None:
        down = float(np.hypot(a - a_interval[0], b_interval[1] - b))
        up = float(np.hypot(a_interval[1] - a, b - b_interval[0]))
        interval = (a - b - down, a - b + up)
    gap = Measurement("difference of the two", abs(a - b), unit, None, {"signed": a - b, "signed_interval": interval})
    return (gap, Measurement("ratio of the two", max(a, b) / min(a, b), "times")) if min(a, b) > 0 else (gap,)
