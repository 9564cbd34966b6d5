"""How objects lie is measured against chance, and one of them can be asked about its neighbours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import BIG, discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.analysis.spatial import pattern
from micro_nb.errors import PlanError
from micro_nb.session.registry import run


def dots(centres, shape=(300, 300), radius=4, **kwargs):
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = np.full(shape, 20.0)
    for cy, cx in centres:
        picture[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = 160
    picture += np.random.default_rng(0).normal(0, 2, shape)
    return mnb.open_image(picture.round().clip(0, 255).astype("uint8"), **kwargs)


def lattice(step=30):
    at = np.arange(15, 300, step)
    return [(y, x) for y in at for x in at]


def clumps():
    rng = np.random.default_rng(3)
    around = [
        (cy + dy, cx + dx) for cy, cx in ((70, 80), (210, 220)) for dy in (-22, -11, 0, 11, 22) for dx in (-22, -11, 0, 11, 22)
    ]
    return [(y + rng.integers(-1, 2), x + rng.integers(-1, 2)) for y, x in around]


@pytest.fixture(scope="module")
def chat():
    return mnb.Session(discs(pixel_size=0.5), log=False)


def test_a_lattice_is_regular_a_pair_of_clumps_is_clustered():
    even, clustered = (mnb.Session(dots(c), log=False) for c in (lattice(), clumps()))
    assert even.ask("Are the objects spread evenly?").value is True
    assert even.ask("clustered or random?").value == "regular"
    assert clustered.ask("are the particles randomly distributed?").value is False
    answer = clustered.ask("do the particles cluster together?")
    assert answer.value is True
    assert "crowd most within" in answer.text


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 120))
def test_points_thrown_at_random_are_seldom_called_anything_else(seed, n):
    y, x = np.random.default_rng(seed).random((2, n)) * 100
    seen = pattern(y, x, height=100, width=100)
    low, high = seen.chance
    assert low < 1.05
    assert high > 0.95
    assert 0 < seen.p_value <= 1
    assert seen.spread == "random" or seen.p_value < 0.06 or (seen.p_excess or 1) < 0.03


def test_the_pattern_does_not_depend_on_the_unit():
    y, x = np.random.default_rng(5).random((2, 60)) * 200
    a, b = pattern(y, x, height=200, width=200), pattern(y * 0.325, x * 0.325, height=65, width=65)
    assert a.index == pytest.approx(b.index)
    assert a.spread == b.spread
    assert a.p_value == b.p_value


def test_too_few_points_are_declined():
    with pytest.raises(PlanError, match="at least 8"):
        pattern(np.arange(5.0), np.arange(5.0), height=10, width=10)


def test_the_nearest_neighbour_of_one_is_told_apart_from_the_mean(chat):
    answer = chat.ask("how far is the largest nucleus from its nearest neighbour?")
    y, x = BIG
    truth = min(np.hypot(y - cy, x - cx) for cy, cx in ((60, 150), (140, 160))) * 0.5
    assert answer.value == pytest.approx(truth, abs=0.3)
    assert answer.unit == "um"
    gap = next(e for e in answer.evidence if e.quantity == "distance between outlines")
    assert gap.value == pytest.approx(truth - (12 + 7) * 0.5, abs=0.8)
    two = chat.ask("what is the distance between the two largest nuclei?")
    assert two.value > 0
    assert "apart" in two.text


def test_what_lies_around_or_beside_one_is_counted(chat):
    assert chat.ask("how many nuclei lie to the left of the largest nucleus?").value == 5
    assert chat.ask("how many nuclei are above the largest one?").value == 4
    answer = chat.ask("how many nuclei around the largest nucleus?")
    assert answer.value <= 2
    assert next(e for e in answer.evidence if e.quantity == "reach").value == pytest.approx(24, abs=2)


def test_parts_are_counted_side_by_side(chat):
    answer = chat.ask("how many nuclei in each quadrant?")
    assert answer.value == 8 == answer.table["number of nuclei"].sum()
    assert len(answer.table) == 4


def test_dense_and_sparse_are_told_by_the_area_that_is_covered():
    at = range(13, 300, 25)
    dense, thin = (run("packing", i, target="nuclei") for i in (dots([(y, x) for y in at for x in at], radius=10), discs()))
    assert (dense[0].value, thin[0].value) == ("dense", "sparse")
    assert dense[2].quantity == thin[2].quantity == "covered share"
    assert dense[2].value > 45 > 12 > thin[2].value


def test_evidence_of_a_pattern_can_be_measured_again():
    img = dots(lattice())
    answer = mnb.Session(img, log=False).ask("are the objects evenly distributed?")
    verdict, _ = answer.evidence[0].recompute(img)
    assert verdict == "identical"
    with pytest.raises(mnb.errors.EvidenceError, match="too few"):
        run("clustering", dots([(50, 50), (100, 100)]))
