"""p-values keep what they promise under the null, and calibrated probabilities say how often they are right."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from micro_nb.tasks.calibrate import (
    Isotonic,
    Platt,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    null_sample,
    null_threshold,
    p_value,
    probabilities,
)  # fmt: skip

numbers = st.floats(-100, 100, allow_nan=False)


@settings(max_examples=50, deadline=None)
@given(numbers, st.lists(numbers, min_size=1, max_size=30))
def test_a_p_value_counts_the_null_that_is_as_high(score, null):
    assert p_value(score, null) == (1 + sum(v >= score for v in null)) / (1 + len(null))
    assert p_value(np.array([score]), null).tolist() == [p_value(score, null)]


@settings(max_examples=50, deadline=None)
@given(st.lists(numbers, min_size=2, max_size=10), st.lists(numbers, min_size=1, max_size=30))
def test_p_values_fall_as_scores_rise(scores, null):
    assert (np.diff(p_value(np.sort(scores), null)) <= 0).all()


def test_p_values_are_valid_under_the_null(rng):
    null, fresh = rng.normal(size=(400, 99)), rng.normal(size=400)
    p = np.array([p_value(float(x), sample) for x, sample in zip(fresh, null, strict=True)])
    for level in (0.05, 0.1, 0.3):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / len(p))


@pytest.mark.parametrize("null", [[], [np.nan, 1.0], [[1.0, 2.0]]])
def test_a_faulty_null_sample_is_refused(null):
    with pytest.raises(ValueError, match="null sample"):
        p_value(0.0, null)


@pytest.mark.parametrize("tries", [1, 8, 40])
def test_the_best_of_several_draws_passes_the_threshold_as_often_as_said(rng, tries):
    threshold = null_threshold(null_sample(rng.normal(size=20_000)), 0.05, tries=tries)
    share = (rng.normal(size=(8_000, tries)).max(1) > threshold).mean()
    assert share == pytest.approx(0.05, abs=0.025)


def test_a_kept_null_sample_gives_the_same_p_values(rng):
    null = rng.normal(size=30_000)
    kept = json.loads(json.dumps(null_sample(null)))
    assert len(kept) == 1001
    assert null_sample([3.0, 1.0]) == [1.0, 3.0]
    x = np.linspace(-3, 3, 50)
    np.testing.assert_allclose(p_value(x, kept), p_value(x, null), atol=0.002)


def test_temperature_undoes_overconfidence(rng):
    honest = rng.normal(size=(4_000, 3))
    truth = np.array([rng.choice(3, p=p) for p in probabilities(honest)])
    assert fit_temperature(7 * honest, truth) == pytest.approx(7, rel=0.1)
    assert probabilities(7 * honest, 7).sum(1) == pytest.approx(1)


def test_platt_and_isotonic_recover_the_probability(rng):
    score = rng.normal(50, 20, 8_000)
    truth = rng.random(8_000) < expit(0.1 * score - 5)
    platt, isotonic = fit_platt(score, truth), fit_isotonic(score, truth)
    assert (platt.slope, platt.offset) == (pytest.approx(0.1, rel=0.1), pytest.approx(-5, rel=0.1))
    x = np.linspace(20, 80, 20)
    np.testing.assert_allclose(isotonic(x), expit(0.1 * x - 5), atol=0.08)
    assert (np.diff(isotonic(x)) >= 0).all()
    assert Platt(**json.loads(json.dumps(asdict(platt)))) == platt
    assert Isotonic(**asdict(isotonic)) == isotonic


def test_two_separable_examples_do_not_end_in_certainty():
    assert fit_platt([0.0, 1.0], [False, True])([0.0, 1.0]).tolist() == pytest.approx([1 / 3, 2 / 3], abs=1e-3)
    with pytest.raises(ValueError, match="both values"):
        fit_platt([0.0, 1.0], [True, True])
