"""How a quantity is spread over objects: percentiles, variation, populations, those that stand out, and lists of them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes import BIG, discs, on_the_floor  # noqa: F401
from test_spatial import dots, lattice

import micro_nb as mnb
from micro_nb.analysis.populations import populations
from micro_nb.session.tools.distribution import histogram, weighted


@pytest.fixture(scope="module")
def chat():
    return mnb.Session(discs(pixel_size=0.5), log=False)


def two_sizes():
    at = lattice(30)
    y, x = np.mgrid[:300, :300]
    picture = np.full((300, 300), 20.0)
    for k, (cy, cx) in enumerate(at):
        picture[(y - cy) ** 2 + (x - cx) ** 2 <= (3.5 if k % 2 else 8) ** 2] = 160
    return mnb.open_image((picture + np.random.default_rng(1).normal(0, 2, picture.shape)).clip(0, 255).astype("uint8"))


def test_percentiles_are_those_of_the_areas_that_were_found(chat):
    areas = chat.ask("list the 8 largest nuclei with their positions").table["area_um2"].to_numpy()
    assert len(areas) == 8
    assert chat.ask("what is the 75th percentile of the nuclear areas?").value == pytest.approx(np.percentile(areas, 75))
    answer = chat.ask("D90 of the nuclei?")
    assert answer.unit == "um"
    assert answer.value == pytest.approx(np.percentile(2 * np.sqrt(areas / np.pi), 90), rel=1e-6)
    three = chat.ask("give me D10, D50 and D90 of the nuclei")
    assert [e.parameters["percent"] for e in three.evidence if e.quantity.startswith("percentile")] == [10, 50, 90]


def test_a_histogram_holds_every_object_once_and_is_drawn(chat):
    answer = chat.ask("show me a histogram of the nuclear areas")
    shown = answer.evidence[0].parameters["histogram"]
    assert sum(shown["counts"]) == 8
    assert len(shown["edges"]) == len(shown["counts"]) + 1
    assert answer.png[:4] == b"\x89PNG"
    assert chat.ask("histogram of the grey values").png[:4] == b"\x89PNG"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(0.1, 1e4), min_size=2, max_size=40))
def test_bins_hold_all_values_and_equal_weights_change_nothing(values):
    v = np.array(values)
    assert sum(histogram(v, np.ones(len(v)))["counts"]) == len(v)
    assert weighted(v, 50, np.full(len(v), 3.0)) == pytest.approx(np.median(v))
    assert v.min() <= weighted(v, 90, v**3) <= v.max()


def test_the_largest_are_listed_in_order_with_their_places(chat):
    answer = chat.ask("list the three largest nuclei with positions")
    table = answer.table
    assert list(table.index) == [1, 2, 3]
    assert table["area_um2"].is_monotonic_decreasing
    assert (table.loc[1, "y_px"], table.loc[1, "x_px"]) == (pytest.approx(BIG[0], abs=1), pytest.approx(BIG[1], abs=1))
    assert len(answer.objects) == 3
    assert len(chat.ask("top 5 nuclei by area").table) == 5


def test_the_one_that_is_unlike_the_others_is_named_with_how_and_where():
    centres = lattice(40)
    picture = dots(centres, radius=6).read().copy()
    y, x = np.mgrid[:300, :300]
    picture[(y - 175) ** 2 + (x - 135) ** 2 <= 13**2] = 160
    chat = mnb.Session(mnb.open_image(picture), log=False)
    answer = chat.ask("are there any outliers among the objects?")
    assert answer.value is True
    assert answer.table.loc[1, "unusual"] == "larger"
    assert (answer.table.loc[1, "y_px"], answer.table.loc[1, "x_px"]) == (pytest.approx(175, abs=2), pytest.approx(135, abs=2))
    calm = mnb.Session(dots(centres, radius=6), log=False).ask("any outliers among the objects?")
    assert calm.value is False


def test_variation_is_small_where_all_are_equal_and_large_where_not(chat):
    equal = mnb.Session(dots(lattice(40), radius=6), log=False).ask("coefficient of variation of the areas of the objects?")
    assert equal.unit == "%"
    assert equal.value < 10
    assert chat.ask("how uniform are the nuclei in size?").value > equal.value


def test_two_sizes_are_two_populations_and_one_is_one():
    answer = mnb.Session(two_sizes(), log=False).ask("are there two populations of particles?")
    assert answer.value is True
    assert 35 < next(e for e in answer.evidence if e.quantity == "share of the smaller population").value < 65
    assert mnb.Session(dots(lattice(30), radius=6), log=False).ask("is the size distribution bimodal?").value is False


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_a_normal_sample_is_one_population(seed):
    values = np.random.default_rng(seed).lognormal(3, 0.25, 80)
    assert not populations(values).two


def test_what_was_not_understood_is_asked_back(chat):
    assert chat.ask("are the fancy nuclei outliers of the zorblax?").declined
    assert chat.ask("D90 of the nuclei in mm, per litre of the frobnicator?").declined


def test_unusually_large_ones_are_not_the_small_ones():
    centres = lattice(40)
    picture = dots(centres, radius=7).read().copy()
    y, x = np.mgrid[:300, :300]
    cleared = (y - 175) ** 2 + (x - 135) ** 2 <= 12**2
    picture[cleared] = 20
    picture[(y - 175) ** 2 + (x - 135) ** 2 <= 3**2] = 160
    chat = mnb.Session(mnb.open_image(picture), log=False)
    assert chat.ask("are there unusually small objects?").value is True
    assert chat.ask("are there unusually large objects?").value is False


def test_a_table_of_all_holds_all_and_prose_only_the_first(chat):
    many = mnb.Session(dots(lattice(30), radius=6), log=False)
    answer = many.ask("give me a table of all objects by area")
    assert len(answer.table) == answer.evidence[1].value > 10
    assert "in the table" in answer.text
