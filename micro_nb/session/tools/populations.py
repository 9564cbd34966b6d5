"""A tool that asks whether objects form one population or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...analysis.populations import LEAST
from ...analysis.populations import populations as mixture
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .distribution import histogram
from .found import select, values

Filters = Sequence[Mapping[str, Any]]


@tool("populations", quantity="whether objects form one population or two")
def populations(
    img: MicroImage,
    *,
    quantity: str = "area",
    region: Region | None = None,
    filters: Filters = (),
    unit: str = "",
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Whether a quantity (area, diameter, intensity ...) has one population over whole objects or two: means and shares (%) of
    the two, how much better two explain it (Bayesian information criterion), and how far they are apart (Ashman's D).
    """
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    whole = chosen.table[~chosen.table["touches_border"].to_numpy(bool)]  # what the border cuts would be a population of its own
    measured, unit = values(whole, quantity, img=img, unit=unit, channel=channel)
    measured = measured[np.isfinite(measured) & (measured > 0)]
    if len(measured) < LEAST:
        raise EvidenceError(f"too few {target} were found there to tell two populations from one")
    seen = mixture(measured)
    found = dict(chosen.found) | {"histogram": histogram(measured, np.ones(len(measured))), "quantity": quantity, "least": LEAST}
    (small, large), (few, many) = seen.means, seen.shares
    return (
        Measurement("two populations", seen.two, found=found),
        Measurement("smaller population", small, unit, found=found),
        Measurement("larger population", large, unit, found=found),
        Measurement("share of the smaller population", 100 * few, "%", found=found),
        Measurement("share of the larger population", 100 * many, "%", found=found),
        Measurement("gain of two over one", seen.gain, found=found),
        Measurement("separation", seen.apart, found=found),
        Measurement(f"number of {target} measured", seen.n, "count", found=chosen.found),
    )
