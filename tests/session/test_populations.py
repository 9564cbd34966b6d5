"""Counts over parts that are fit to be measured, doubts of a count, and sizes that nothing has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.session.registry import run


def test_a_size_no_nucleus_has_raises_the_question_of_the_pixel_size():
    chat = mnb.Session(discs(pixel_size=0.02), log=False)
    answer = chat.ask("mean diameter of the nuclei?")
    assert "is the pixel size right?" in answer.text
    told = chat.ask("is that size plausible for nuclei?")
    assert told.value is False
    fit = next(e for e in told.evidence if e.quantity == "pixel size that would fit")
    assert 0.3 < fit.value < 2


def test_sizes_that_nuclei_have_raise_none():
    chat = mnb.Session(discs(pixel_size=0.7), log=False)
    assert "pixel size right" not in chat.ask("mean diameter of the nuclei?").text
    assert chat.ask("does the pixel size make sense for nuclei?").value is True


def test_without_a_pixel_size_nothing_is_called_implausible():
    answer = mnb.Session(discs(), log=False).ask("is that size plausible for nuclei?")
    assert answer.declined
    assert "pixel size" in answer.text


def test_what_makes_a_count_uncertain_is_counted():
    img = discs()
    facts = {m.quantity: m for m in run("count_with_doubts", img, target="nuclei")}
    assert facts["number of nuclei"].value == 8
    assert facts["objects cut by the border"].value == 0
    assert facts["objects that touch another"].value == 0
    answer = mnb.Session(img, log=False).ask("how reliable is the count of nuclei?")
    assert answer.declined is None
    assert "border" in answer.text


@given(st.floats(0.1, 1e6), st.floats(0.1, 1e6))
def test_a_difference_is_the_same_both_ways_round(a, b):
    one, other = (run("difference", None, a=x, b=y, unit="um") for x, y in ((a, b), (b, a)))
    assert one[0].value == other[0].value == abs(a - b)
    assert one[1].value == pytest.approx(max(a, b) / min(a, b))


def test_the_interval_of_a_difference_holds_that_of_either():
    gap = run("difference", None, a=10.0, b=4.0, a_interval=(9.0, 11.0), b_interval=(3.0, 5.0))[0]
    low, high = gap.found["signed_interval"]
    assert low == pytest.approx(6 - np.sqrt(2))
    assert high == pytest.approx(6 + np.sqrt(2))
