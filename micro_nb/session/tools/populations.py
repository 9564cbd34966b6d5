"""A tool that asks whether objects form one population or two."""

from __future__ import annotations

import numpy as np

from ...analysis.populations import LEAST
from ...analysis.populations import populations as mixture
from ...errors import EvidenceError
from ..registry import Measurement, facts
from .chosen import Selection
from .distribution import histogram
from .object_tool import object_tool


@object_tool("populations", quantity="whether objects form one population or two")
def populations(chosen: Selection, *, quantity: str = "area", unit: str = "") -> tuple[Measurement, ...]:
    """Whether a quantity (area, diameter, intensity ...) has one population over whole objects or two: means and shares (%) of
    the two, how much better two explain it (Bayesian information criterion), and how far they are apart (Ashman's D).
    """
    measured, unit = chosen.whole.values(quantity, unit)  # what the border cuts would be a population of its own
    measured = measured[np.isfinite(measured) & (measured > 0)]
    if len(measured) < LEAST:
        raise EvidenceError(f"too few {chosen.target} were found there to tell two populations from one")
    seen = mixture(measured)
    found = {**chosen.found, "histogram": histogram(measured, np.ones(len(measured))), "quantity": quantity, "least": LEAST}
    (small, large), (few, many) = seen.means, seen.shares
    return (
        *facts(
            found,
            ("two populations", seen.two),
            ("smaller population", small, unit),
            ("larger population", large, unit),
            ("share of the smaller population", 100 * few, "%"),
            ("share of the larger population", 100 * many, "%"),
            ("gain of two over one", seen.gain),
            ("separation", seen.apart),
        ),
        *facts(chosen.found, (f"number of {chosen.target} measured", seen.n, "count")),
    )
