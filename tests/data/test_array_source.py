"""Arrays in memory keep the contract of every source."""

from __future__ import annotations

import pytest
from source_contract import Case, SourceContract

from micro_nb.data.sources.arrays import ArraySource


class TestArraySource(SourceContract):
    @pytest.fixture(params=["yx", "yxc", "tczyx", "xy"])
    def case(self, request, rng):
        axes = request.param
        stored = rng.integers(0, 60000, tuple({"t": 2, "c": 3, "z": 1, "y": 45, "x": 37}[a] for a in axes)).astype("uint16")
        order = "".join(a for a in "tczyx" if a in axes)
        expected = stored.transpose([axes.index(a) for a in order]).copy()

        def change():
            stored[(0,) * stored.ndim] ^= 1

        return Case(lambda: ArraySource.of(stored, axes=axes), expected, order, change=change)
