"""What a search text says of numbers, crowding, size, shape, light and colour is graded by what was measured."""

import numpy as np
import pandas as pd
import pytest

from micro_nb.tasks.search.facts import look_facts, view_facts, with_derived
from micro_nb.tasks.search.grades import grade
from micro_nb.tasks.search.terms import FLOOR, measured_score, read_terms


def best(text, column, values, **other):
    """The value whose row the text likes best."""
    table = pd.DataFrame({column: values, **other})
    score, used = measured_score(read_terms(text), table)
    assert used, f"nothing of {text!r} was read"
    return values[int(score.argmax())]


def read(text):
    return [(t.words, t.noun) for t in read_terms(text)]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("exactly two cells", 2), ("a single cell", 1), ("one nucleus", 1), ("a pair of cells", 2), ("seven cells", 7),
        ("fewer than ten nuclei", 4), ("at most 3 nuclei", 1), ("more than a hundred cells", 250), ("over 100 cells", 250),
        ("hundreds of cells", 250), ("several cells", 7), ("numerous particles", 250), ("between 5 and 9 cells", 7),
        ("at least 100 cells", 250), ("no cells", 0), ("without any cells", 0), ("about 40 cells", 40), ("dozens of cells", 40),
        ("zero cells", 0),
    ],
)  # fmt: skip
def test_numbers_in_words_and_digits_ask_for_counts(text, right):
    counted = [0, 1, 2, 4, 7, 40, 250]
    table = pd.DataFrame({"n_objects": counted})
    score, _ = measured_score(read_terms(text), table)
    assert score[counted.index(right)] == pytest.approx(score.max(), abs=0.02)


def test_a_number_counts_what_it_names_where_that_is_known():
    table = pd.DataFrame({"n_objects": [2, 30], "n_white_blood_cell": [0, 2]})
    score, _ = measured_score(
        read_terms("two leukocytes in one field"), table, column_of={"leukocytes": "n_white_blood_cell"}.get
    )
    assert score[1] > 0.9 > 0.2 > score[0]


def test_words_that_are_no_counts_are_not_counted():
    assert read("40x objective, 20 nm gold, one field of view, 3 hours") == []
    assert read("no, long ones")[0][0] == "long"
    assert ("three color", None) in read("three-colour fluorescence")


def test_without_something_unknown_is_no_count_of_everything():
    table = pd.DataFrame({"n_objects": [0, 50]})
    score, used = measured_score(read_terms("red cells without pallor"), table)
    assert not used
    assert score.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "column", "values", "right"),
    [
        ("large cells", "relative_size", [0.02, 0.3], 0.3), ("tiny specks", "relative_size", [0.01, 0.3], 0.01),
        ("crowded", "spacing", [1.1, 4.0], 1.1), ("densely packed", "spacing", [1.1, 4.0], 1.1),
        ("scattered", "spacing", [1.1, 4.0], 4.0), ("filling the frame", "area_percent", [2, 60], 60),
        ("elongated", "elongation", [1.1, 2.6], 2.6), ("spherical", "elongation", [1.05, 2.6], 1.05),
        ("oval", "elongation", [1.0, 1.45, 3.0], 1.45), ("dark nuclei", "object_contrast", [-0.5, 0.5], -0.5),
        ("bright spots", "object_contrast", [-0.5, 0.5], 0.5), ("black background", "background", [0.05, 0.9], 0.05),
        ("white background", "background", [0.05, 0.9], 0.9), ("brown staining", "brown_percent", [0, 40], 40),
        ("blurred", "edge_width_px", [3, 20], 20), ("not blurred", "edge_width_px", [3, 20], 3),
        ("cells of about 20 µm", "median_diameter_um", [5, 20, 60], 20),
        ("larger than 50 um", "median_diameter_um", [5, 20, 60], 60),
        ("the largest cells", "relative_size", [0.1, 0.2, 0.25], 0.25), ("sharpest", "edge_width_px", [3.0, 3.2, 9.0], 3.0),
    ],
)  # fmt: skip
def test_descriptions_prefer_what_they_describe(text, column, values, right):
    assert best(text, column, values) == right


def test_red_and_white_blood_cells_are_no_colours():
    assert read("red blood cells and white cells") == []
    assert [t.parts[0][0] for t in read_terms("pink and red tissue")] == ["pink_percent", "red_percent"]


def test_one_side_of_an_or_is_enough():
    table = pd.DataFrame({"purple_percent": [0.0, 80.0], "elongation": [2.5, 1.0]})
    score, _ = measured_score(read_terms("purple or elongated"), table)
    assert score.min() >= 0.45


def test_what_was_not_measured_neither_helps_nor_forbids():
    table = pd.DataFrame({"spacing": [np.nan, 1.0, 6.0], "n_objects": [np.nan, 60, 60]})
    score, _ = measured_score(read_terms("crowded"), table)
    assert score[1] > score[0] > score[2]
    assert score.min() >= FLOOR


def test_a_text_that_asks_for_nothing_measured_uses_no_term():
    score, used = measured_score(read_terms("blood smear"), pd.DataFrame({"n_objects": [1, 2]}))
    assert (score.tolist(), used) == ([1, 1], ())


def test_size_of_an_object_is_relative_to_its_image():
    table = pd.DataFrame({"relative_size": [0.5, 1.0, 2.0]})
    score, _ = measured_score(read_terms("large", view="object"), table)
    assert score[2] > 0.9
    assert score[1] < 0.3


@pytest.mark.parametrize(
    "how",
    [
        ("above", 10), ("below", 10), ("near", 10), ("within", 5, 10), ("some_below", 10), ("level_below", 10, 2), ("highest",),
        ("lowest",),
    ],
)  # fmt: skip
def test_grades_lie_between_0_and_1_and_keep_what_is_unknown(how):
    values = np.array([0, 1, 5, 10, 100, 1e9])
    assert ((grade(*how)(values) >= 0) & (grade(*how)(values) <= 1)).all()
    assert np.isnan(grade(*how)(np.array([np.nan, 1.0]))[0])


def test_facts_of_a_view_come_from_the_table():
    table = pd.DataFrame(
        {
            "label": [1, 2, 3], "layer": ["object", "object", "nucleus"],
            "name": ["white blood cell", "red blood cell", "nucleus"],
            "solidity": 1.0, "object_contrast": [-0.4, -0.2, 0.5],
            "equivalent_diameter_px": np.sqrt(4 / np.pi * np.array([400.0, 100.0, 50.0])),
            "major_axis_px": [40.0, 12.0, 8.0], "minor_axis_px": [20.0, 10.0, 8.0],
            "bbox_y0_px": 0, "bbox_x0_px": 0, "bbox_y1_px": 20, "bbox_x1_px": 20, "nearest_neighbour_px": [30.0, 30.0, np.nan],
        }
    )  # fmt: skip
    facts = view_facts(with_derived(table), shape=(100, 100))
    assert (facts["n_objects"], facts["n_white_blood_cell"], facts["n_nucleus"]) == (2, 1, 1)
    assert facts["area_percent"] == pytest.approx(5.0)
    assert facts["elongation"] == pytest.approx(1.6)
    assert (facts["object_contrast"], facts["object_visibility"]) == pytest.approx((-0.3, 0.3))
    nothing = view_facts(with_derived(table[:0]), shape=(100, 100))
    assert {name: n for name, n in nothing.items() if name.startswith("n_")} == {"n_objects": 0}


def test_physical_sizes_are_carried():
    lengths = {"equivalent_diameter_um": [11.28], "major_axis_um": 12.0, "minor_axis_um": 10.0, "nearest_neighbour_um": 20.0}
    table = pd.DataFrame({"layer": "object", "name": "cell", "solidity": 1.0, "object_contrast": 0.5, **lengths})
    size = {"y": 0.5, "x": 0.5}
    facts = view_facts(with_derived(table, pixel_size=size), shape=(64, 64), pixel_size=size)
    assert facts["median_diameter_um"] == pytest.approx(11.28, abs=0.01)
    assert facts["median_diameter_px"] == pytest.approx(22.56, abs=0.01)
    assert facts["spacing"] == pytest.approx(20 / 11.28)


def test_colours_and_light_are_those_a_person_sees():
    def flat(*rgb):
        return np.broadcast_to(np.array(rgb, np.uint8), (16, 16, 3))

    for name, rgb in {
        "green": (20, 200, 30), "brown": (140, 90, 40), "purple": (130, 70, 170), "pink": (240, 180, 200), "blue": (30, 40, 220),
        "red": (200, 20, 20),
    }.items():  # fmt: skip
        facts = look_facts(flat(*rgb))
        assert max((k for k in facts if k.endswith("_percent") and k != "gray_percent"), key=facts.get) == f"{name}_percent"
    assert look_facts(flat(90, 90, 90))["gray_percent"] == 100
    assert look_facts(flat(0, 0, 0))["background"] < 0.1 < 0.9 < look_facts(flat(255, 255, 255))["background"]
