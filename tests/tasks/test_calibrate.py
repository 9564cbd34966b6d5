"""p-values keep what they promise under the null, and calibrated probabilities say how often they are right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from micro_nb.tasks.calibrate import fit_temperature, p_value

numbers = st.floats(-100, 100, allow_nan=False)


@settings(max_examples=50, deadline=None)
@given(numbers, st.lists(numbers, min_size=1, max_size=30))
def test_a_p_value_counts_the_null_that_is_as_high(score, null):
    assert p_value(score, null) == (1 + sum(v >= score for v in null)) / (1 + len(null))


@settings(max_examples=50, deadline=None)
@given(st.lists(numbers, min_size=2, max_size=10), st.lists(numbers, min_size=1, max_size=30))
def test_p_values_fall_as_scores_rise(scores, null):
    assert (np.diff([p_value(score, null) for score in sorted(scores)]) <= 0).all()


def test_p_values_are_valid_under_the_null(rng):
    null, fresh = rng.normal(size=(400, 99)), rng.normal(size=400)
    p = np.array([p_value(float(x), sample) for x, sample in zip(fresh, null, strict=True)])
    for level in (0.05, 0.1, 0.3):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / len(p))


@pytest.mark.parametrize("null", [[], [np.nan, 1.0], [[1.0, 2.0]]])
def test_a_faulty_null_sample_is_refused(null):
    with pytest.raises(ValueError, match="null sample"):
        p_value(0.0, null)


def test_temperature_undoes_overconfidence(rng):
    honest = rng.normal(size=(4_000, 3))
    truth = np.array([rng.choice(3, p=p) for p in softmax(honest, axis=1)])
    assert fit_temperature(7 * honest, truth) == pytest.approx(7, rel=0.1)


def test_two_separable_examples_do_not_end_in_certainty():
    logits = np.array([[9.0, 0.0], [0.0, 9.0]])
    assert softmax(logits / fit_temperature(logits, [0, 1]), axis=1)[0].tolist() == pytest.approx([3 / 4, 1 / 4], abs=1e-3)
