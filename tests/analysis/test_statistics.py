"""Estimates cover the truth as often as they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_nb.analysis.statistics import bootstrap, clark_evans, estimate_total
from micro_nb.errors import PlanError


def _coverage(draw, truth, trials=1500):
    return np.mean([draw().contains(truth) for _ in range(trials)])


def test_a_95_percent_interval_covers_the_total_95_times_of_100(rng):
    tiles = rng.negative_binomial(12, 0.25, 256)

    def draw():
        return estimate_total(tiles[rng.choice(256, 24, replace=False)], 256)

    assert 0.92 <= _coverage(draw, tiles.sum()) <= 0.98


def test_tiles_of_unequal_area_are_weighed_by_their_area(rng):
    areas = rng.uniform(0.2, 1.0, 300)
    tiles = rng.poisson(40 * areas)

    def draw(weighed):
        i = rng.choice(300, 30, replace=False)
        return estimate_total(tiles[i], 300, areas=areas[i] if weighed else None, total_area=areas.sum() if weighed else None)

    assert 0.92 <= _coverage(lambda: draw(True), tiles.sum()) <= 0.98
    widths = [np.mean([np.subtract(*draw(w).interval[::-1]) for _ in range(200)]) for w in (True, False)]
    assert widths[0] < 0.6 * widths[1]


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=60))
@settings(max_examples=60, deadline=None)
def test_looking_at_everything_leaves_no_doubt(counts):
    found = estimate_total(counts, len(counts))
    assert found.value == pytest.approx(sum(counts))
    assert found.low == pytest.approx(found.high)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=60), st.integers(0, 500))
@settings(max_examples=60, deadline=None)
def test_the_interval_holds_the_estimate_and_never_less_than_was_counted(counts, more):
    found = estimate_total(counts, len(counts) + more)
    assert found.low <= found.value * (1 + 1e-12) <= found.high * (1 + 1e-12)
    assert found.low >= sum(counts) * (1 - 1e-12)


def test_a_sample_that_cannot_be_extrapolated_is_refused():
    for counts, total in (([5], 10), ([], 10), ([1, 2, 3], 2), ([1.0, math.nan], 9)):
        with pytest.raises(PlanError):
            estimate_total(counts, total)
    with pytest.raises(PlanError, match="both or neither"):
        estimate_total([1, 2], 4, areas=[1, 1])
    with pytest.raises(PlanError, match="confidence"):
        estimate_total([1, 2], 4, confidence=95)


def test_a_bootstrap_is_seeded_and_covers_the_median(rng):
    sizes = rng.lognormal(3, 0.5, 80)
    one, same = (bootstrap(sizes, np.median, seed=4, resamples=400) for _ in range(2))
    assert one == same
    hits = [bootstrap(rng.lognormal(3, 0.5, 60), np.median, resamples=300).contains(math.exp(3)) for _ in range(120)]
    assert 0.88 <= np.mean(hits) <= 1.0


def test_clark_evans_tells_clusters_from_chance_from_order(rng):
    y, x = np.meshgrid(np.arange(5, 200, 10.0), np.arange(5, 200, 10.0), indexing="ij")
    ordered = clark_evans(y.ravel(), x.ravel(), height=200, width=200)
    chance = clark_evans(rng.uniform(0, 200, 400), rng.uniform(0, 200, 400), height=200, width=200)
    centre = rng.uniform(20, 180, (20, 2)).repeat(20, 0) + rng.normal(0, 2, (400, 2))
    clustered = clark_evans(centre[:, 0], centre[:, 1], height=200, width=200)
    assert clustered.index < 0.7 < chance.index < 1.3 < ordered.index
    assert clustered.p_value < 1e-6
    with pytest.raises(PlanError, match="at least 8"):
        clark_evans([1, 2], [1, 2], height=5, width=5)


def test_clark_evans_raises_false_alarms_as_rarely_as_it_says(rng):
    alarms = [
        clark_evans(rng.uniform(0, 100, 60), rng.uniform(0, 300, 60), height=100, width=300).p_value < 0.05 for _ in range(600)
    ]
    assert np.mean(alarms) < 0.09
