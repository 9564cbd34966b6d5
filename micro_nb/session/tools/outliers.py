"""A tool that names the objects which differ from the others, in what, and where they lie."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ...errors import EvidenceError
from ..dimensions import named
from ..registry import Measurement, facts
from .chosen import Selection
from .distribution import listed
from .object_tool import object_tool

LIMIT = 3.5
"""Robust deviations beyond which a value is an outlier (Iglewicz & Hoaglin 1993)."""
LEAST = 8
"""Fewer objects than these have no typical one."""
_ON_LOG_SCALE = ("area", "aspect_ratio")
_LEAST_SPREAD = {"area": 0.05, "aspect_ratio": 0.03, "solidity": 0.01, "intensity": 0.02}
_TWICE, _HALF = ("larger", "more elongated", "smoother in outline", "brighter"), (
    "smaller", "less elongated", "more indented in outline", "darker")  # fmt: skip
_WORDS = dict(zip(_LEAST_SPREAD, zip(_TWICE, _HALF, strict=True), strict=True))


@object_tool(
    "outliers", unit="count", quantity="objects that differ from the others", all_for="which objects are unlike the others"
)
def outliers(
    chosen: Selection, *, quantity: str = "", order: Literal["", "max", "min"] = "", limit: float = LIMIT, most: int = 5
) -> tuple[Measurement, ...]:
    """How many whole objects lie more than `limit` robust deviations (median, median absolute deviation) from the typical one in
    area, elongation, outline or brightness (or in one `quantity`; with `order` only above, "max", or below, "min"), and of the
    `most` extreme: in what, by how much, and where.
    """
    whole = chosen.whole
    if len(whole) < LEAST:
        raise EvidenceError(f"too few whole {chosen.target} were found there to say which of them is unusual")
    names = [quantity] if quantity else list(_LEAST_SPREAD)
    scores = np.stack([deviations(whole, name) for name in names])
    sided = {"max": scores, "min": -scores}.get(order, np.abs(scores))
    worst, most_of_all = sided.argmax(axis=0), sided.max(axis=0)
    ranked = [int(k) for k in np.argsort(-most_of_all, kind="stable") if most_of_all[k] > limit]
    out = facts(
        {**chosen.found, "least_deviations": limit, "quantities": names},
        ("outliers", len(ranked), "count"),
        (f"number of whole {chosen.target}", len(whole), "count"),
    )
    for rank, k in enumerate(ranked[:most], 1):
        name, score = names[int(worst[k])], float(scores[worst[k], k])
        first, *rows = listed(whole, k, rank, {"deviations": (abs(score), "")})
        out += (first, *facts({"row": rank, "column": "unusual"}, (f"unusual, rank {rank}", _how(name, score))), *rows)
    return out


def deviations(chosen: Selection, quantity: str) -> np.ndarray:
    """Signed robust deviations of a quantity from its median; of areas and axis ratios on a logarithmic scale."""
    measured, _ = chosen.values(quantity)
    if quantity in _ON_LOG_SCALE:
        measured = np.log(np.maximum(measured, 1e-9))
    middle = np.nanmedian(measured)
    least = _LEAST_SPREAD.get(quantity, 0.02) * (
        1.0 if quantity in (*_ON_LOG_SCALE, "solidity") else max(abs(float(middle)), 1e-9)
    )
    spread = max(float(np.nanmedian(np.abs(measured - middle))) / 0.6745, least)  # 0.6745: quartile of the normal law
    return np.asarray(np.nan_to_num((measured - middle) / spread))


def _how(quantity: str, score: float) -> str:
    above, below = _WORDS.get(quantity, (f"larger in {named(quantity)}", f"smaller in {named(quantity)}"))
    return above if score > 0 else below
