"""Counting statistics and power: the arithmetic agrees with independent computations, and nonsense is refused."""

import math

import numpy as np
import pytest
from scipy import stats

import micro_nb as mnb
from micro_nb.errors import EvidenceError
from micro_nb.session.prose import verify
from micro_nb.session.registry import run
from micro_nb.session.tools.design import least_difference, t_power

ANSWERS = [
    ("sample size for effect size 0.8 with 80% power?", 26, "count"),
    ("how many replicates per group for a difference of 20 % with an sd of 15 %?", 10, "count"),
    ("what power do I have with n = 26 and an effect size of 0.8?", 80.75, "%"),
    ("sd 12, n = 25: what is the standard error?", 2.4, ""),
    ("12 of 80 nuclei are positive, what is the confidence interval?", 15, "%"),
    ("how many fields to know the mean within 10 % with a cv of 40 %?", 62, "count"),
    ("how accurate is a count of 100 cells?", 10, "%"),
    ("I counted 85 cells in 4 squares at a dilution of 1:2. concentration?", 425_000, "per ml"),
    ("tp 80, fp 10, fn 20: what is the F1?", 160 / 190, ""),
    ("what is the dice if the iou is 0.7", 1.4 / 1.7, ""),
    ("from 20000 to 160000 cells in 48 h, doubling time?", 16, "h"),
    ("the gap went from 1200 to 300 µm, closure in %?", 75, "%"),
]


@pytest.mark.parametrize(("text", "value", "unit"), ANSWERS, ids=[text for text, _, _ in ANSWERS])
def test_the_arithmetic_is_right_and_shown(text, value, unit):
    answer = mnb.Session(log=False).ask(text)
    assert answer.value == pytest.approx(value, rel=1e-3)
    assert answer.unit == unit
    verify(answer.text, answer.spans, answer.evidence)


def test_power_agrees_with_a_simulation():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (4000, 17)), rng.normal(1, 1, (4000, 17))
    simulated = (stats.ttest_ind(a, b, axis=1).pvalue < 0.05).mean()
    assert t_power(1.0, 17, 0.05) == pytest.approx(simulated, abs=0.02)


@pytest.mark.parametrize("d", [0.2, 0.5, 0.8, 1.3, 3.0])
def test_the_sample_size_is_the_smallest_that_suffices(d):
    n = run("sample_size", None, effect=d)[0].value
    assert t_power(d, n, 0.05) >= 0.8
    assert n == 2 or t_power(d, n - 1, 0.05) < 0.8
    assert least_difference(1.0, n) <= d * 1.001


def test_the_wilson_interval_is_scipys():
    share = run("share_interval", None, first=12, second=80)[0]
    low, high = stats.binomtest(12, 80).proportion_ci(0.95, "wilson")
    assert share.interval == pytest.approx((100 * low, 100 * high))


def test_a_follow_up_changes_power_or_effect():
    chat = mnb.Session(log=False)
    first = chat.ask("sample size for effect size 0.8 with 80% power").value
    assert chat.ask("and with 90% power?").value > first
    assert chat.ask("what if the effect is 0.5?").value > 60


def test_the_missing_scatter_is_asked_back():
    asked = mnb.Session(log=False).ask("how many replicates do I need to see a difference of 20 %?")
    assert asked.declined
    assert "standard deviation" in asked.text


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("sample_size", {"effect": 0.0}),
        ("sample_size", {"effect": 1e-9}),
        ("achieved_power", {"n": 1, "effect": 1.0}),
        ("mean_interval", {"sd": 1.0, "n": 1}),
        ("share_interval", {"first": 9.0, "second": 3.0}),
        ("doubling_time", {"first": 5.0, "second": 4.0, "hours": 1.0}),
        ("chamber_concentration", {"n": 5.0, "squares": 0.0}),
        ("converted", {"amount": 1.0, "old": "um", "new": "h"}),
        ("closure", {"first": 0.0, "second": 1.0}),
    ],
)
def test_nonsense_is_refused(tool, given):
    with pytest.raises(EvidenceError):
        run(tool, None, **given)


def test_the_error_of_a_count_is_its_root():
    relative, absolute = run("count_error", None, n=400)
    assert (relative.value, absolute.value) == (5.0, 20.0)
    assert math.isclose(relative.value, 100 * absolute.value / 400)
