"""Answers in a given time: how many tiles of an image are looked at first, and how many when it is asked again."""

from __future__ import annotations

import time

from ..data.image import MicroImage
from .plans import Call
from .tools.chosen import select
from .tools.found import tiles_of

SAMPLED = frozenset(["count", "density", "coverage", "share_of_objects", "object_statistic", "distribution", "percentile"])
"""Tools that can estimate from a sample of the tiles."""
_PILOT, _LEAST = 2, 6  # tiles that are timed first; images of fewer tiles than this are looked at whole


class Pace:
    """Remembers how many tiles were looked at, so that the next time it is twice as many."""

    def __init__(self) -> None:
        self._tiles: dict[tuple[str, str, str], int] = {}

    def eyes(self, img: MicroImage, looks: str, call: Call, budget: float) -> str:
        """The eyes for a call: ``"micro_d1@8"`` looks at a random sample of so many tiles; the plain name at all.

        Parameters
        ----------
        budget : seconds.
        """
        whole, target = tiles_of(img), str(call.parameters.get("target", "objects"))
        if whole < _LEAST:
            return looks
        key = (img.content_id, looks, f"{target} {call.parameters.get('channel')} {call.region}")
        tiles = 2 * self._tiles[key] if key in self._tiles else self._affordable(img, looks, call, target, budget)
        self._tiles[key] = tiles = min(tiles, whole)
        return looks if tiles >= whole else f"{looks}@{tiles}"

    def _affordable(self, img: MicroImage, looks: str, call: Call, target: str, budget: float) -> int:
        """How many tiles fit into the budget, after the time that a few of them take."""
        start = time.perf_counter()
        select(img, region=call.region, channel=call.parameters.get("channel"), eyes=f"{looks}@{_PILOT}", target=target)
        each = (time.perf_counter() - start) / _PILOT
        return max(int(budget / max(each, 1e-6)), _PILOT)
