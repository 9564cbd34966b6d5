"""A random sample of the tiles of a large image: from the objects in it to all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.sampling import ObjectSample
from ...analysis.statistics import Estimate, bootstrap, estimate_total
from ...data.region import Region


@dataclass(frozen=True)
class Drawn:
    """A random sample of the tiles of a large image, and the arithmetic from it to the whole.

    Attributes
    ----------
    sample : the tiles and the objects in them.
    region : the place it stands for; None for the whole plane, ``shape (y, x)``.
    made_by : how it was drawn and what looked at it, JSON values.
    """

    sample: ObjectSample
    region: Region | None
    shape: tuple[int, int]
    made_by: dict[str, Any]

    @property
    def recipe(self) -> dict[str, Any]:
        """How objects were found, JSON values."""
        return {str(k): plain(v) for k, v in self.sample.recipe.to_dict().items()}

    def total(self, table: pd.DataFrame, weights: np.ndarray | None = None) -> Estimate:
        """Objects of ``table`` (or the sum of their weights) in all tiles, with its interval."""
        return self.sample.total(table, weights)

    def mean(self, table: pd.DataFrame, values: np.ndarray) -> Estimate:
        """Mean over all objects from those of the drawn tiles. Neighbours resemble each other: tiles were drawn, not objects."""
        tiles = pd.DataFrame({"tile": table["tile"].to_numpy(), "sum": values, "n": 1.0}).groupby("tile").sum()
        drawn, tiles_in_all = len(self.sample.grid), self.sample.whole[0]
        if len(tiles) < 2:
            return bootstrap(values)
        holding = max(round(tiles_in_all * len(tiles) / drawn), len(tiles))
        objects = holding * float(tiles["n"].mean())
        total = estimate_total(tiles["sum"].to_numpy(), holding, areas=tiles["n"].to_numpy(), total_area=objects)
        by = "ratio by tiles, t interval, finite population"
        return replace(total, value=total.value / objects, low=total.low / objects, high=total.high / objects, method=by)

    @property
    def complete(self) -> bool:
        """Whether every tile was looked at."""
        return len(self.sample.grid) == self.sample.whole[0]

    @property
    def area_px(self) -> float:
        """Pixels of the place that the sample stands for."""
        if self.region is None:
            return float(self.shape[0] * self.shape[1])
        return (self.region.y1 - self.region.y0) * (self.region.x1 - self.region.x0)


def plain(value: Any) -> Any:
    """A JSON value of an attribute."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | type(None) | list | dict) else str(value)
