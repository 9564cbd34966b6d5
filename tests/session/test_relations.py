"""Relations between objects, words that point, and what a person tells: understood, measured and said."""

import numpy as np
import pytest
from scenes import on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.session.memory import Context
from micro_nb.session.query import Filter, Pick
from micro_nb.session.tools.contact import touching_pairs
from micro_nb.session.understand import understand

SHAPE = (100, 200)


def read(*questions, **more):
    query = None
    for text in questions:
        query = understand(text, Context(SHAPE, query, spoken=query, **more))
    return query


def squares(*corners, side=20, shape=(200, 240)):
    """Bright squares on dark, by their top left corners (y, x)."""
    picture = np.full(shape, 20.0)
    for y, x in corners:
        picture[y : y + side, x : x + side] = 160
    picture += np.random.default_rng(1).normal(0, 2, shape)
    return mnb.open_image(picture.round().clip(0, 255).astype("uint8"))


@pytest.fixture(scope="module")
def scene():
    """Four discs apart, one of them large."""
    y, x = np.mgrid[:200, :240]
    picture = np.full((200, 240), 20.0)
    for cy, cx, r in ((30, 40, 10), (40, 190, 10), (150, 60, 18), (165, 200, 10)):
        picture[(y - cy) ** 2 + (x - cx) ** 2 <= r**2] = 160
    picture += np.random.default_rng(0).normal(0, 2, picture.shape)
    return mnb.open_image(picture.round().clip(0, 255).astype("uint8"), pixel_size=1.0)


def test_labels_touch_with_at_most_one_pixel_between():
    labels = np.zeros((8, 12), int)
    labels[2:6, 0:3], labels[2:6, 4:7], labels[2:6, 9:12] = 1, 2, 3
    assert touching_pairs(labels) == [(1, 2)]


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("where are the three largest nuclei", (Filter("area", "max", 3.0),)),
        ("2 cells are way bigger than the rest. where are they?", (Filter("area", "max", 2.0),)),
        ("how many nuclei overlap", (Filter("touches_other", "is", True),)),
        ("count cells that do not touch any other", (Filter("touches_other", "is", False),)),
        ("how many cells of 80 µm² or more", (Filter("area", ">=", 80.0, "um2"),)),
    ],
)
def test_a_relation_narrows_the_objects(text, filters):
    query = read(text)
    assert query.filters == filters
    assert not query.unread


def test_a_group_has_a_size():
    query = read("is there a group of three or more touching nuclei?")
    assert (query.quantity, query.claim.op, query.claim.value) == ("group", ">=", 3.0)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("mitos per 10 µm²", "per 10 um2"), ("cells/100 µm²", "per 100 um2"), ("how many cells per 50 x 50 µm", "per 2500 um2")],
)
def test_a_density_may_be_per_any_area(text, unit):
    query = read(text)
    assert (query.task, query.quantity, query.unit, query.unread) == ("measure", "density", unit, ())


def test_pronouns_keep_what_was_spoken_of():
    two = ("two particles are far larger than the rest. where are they?",)
    assert read(*two, "are they about the same size?").filters == (Filter("area", "max", 2.0),)
    assert read(*two, "area of the smaller").pick == Pick("area", "min")
    assert read("find the white blood cell", "how many such cells?").target == "white blood cell"
    assert read("how many cells in the left half?", "the other half?").region.name == "right half"
    assert read("mean area of the nuclei", "and the diameter?").statistic == "mean"
    assert read("where is the brightest cell?", "box it for me").pick == Pick("intensity", "max")
    assert read("is there a white blood cell?", "is it near the middle?").quantity == "position"


def test_a_place_may_be_beside_what_was_pointed_at():
    above = read("where is the largest cell?", "how many cells above it?", box=(50.0, 40.0, 80.0, 60.0)).region
    assert (above.y0, above.y1, above.x1) == (0, 40.0, 200)
    assert read("how many cells above it?").unread  # nothing was pointed at


@pytest.mark.parametrize(
    "text", ["the pixel size is 0.5 µm", "1 px = 0.5 µm", "0.5 µm per pixel", "it has 0.5 µm pixels", "it was 500 nm per pixel"]
)
def test_a_pixel_size_is_taken_in_many_wordings(text):
    assert read("mean area of the nuclei", text).pixel_size == pytest.approx(0.5)


def test_the_places_of_few_objects_are_all_told(scene):
    answer = mnb.Session(scene).ask("where are the objects?")
    assert all(place in answer.text for place in ("top left", "top right", "bottom left", "bottom right"))


def test_objects_that_differ_are_not_alike(scene):
    chat = mnb.Session(scene)
    assert chat.ask("are the cells all the same size?").value is False
    assert mnb.Session(squares((20, 20), (20, 180), (150, 20))).ask("are the particles the same size?").value is True


def test_groups_are_counted_by_what_touches():
    chat = mnb.Session(squares((20, 20), (20, 180), (150, 20)))
    assert chat.ask("do any particles touch each other?").value is False
    assert "0 of 3" in chat.ask("how many clumps of particles?").text


def test_the_edge_that_cuts_is_named():
    chat = mnb.Session(squares((0, 100), (90, 30), (150, 180)))
    chat.ask("which particle is nearest the top?")
    assert chat.ask("which edge cuts it?").value == "top"


def test_a_region_may_come_with_the_question(scene):
    chat = mnb.Session(scene)
    left = mnb.Region.part("left half", scene.plane_shape)
    assert chat.ask("how many cells?", region=left).value == 2
    assert chat.ask("how many cells in the whole picture?").value == 4


def test_undo_goes_back_to_the_answer_and_the_scale_before(scene):
    chat = mnb.Session(scene)
    first = chat.ask("mean area of the cells")
    chat.ask("the pixel size is 2 µm")
    assert chat.ask("mean area of the cells").value == pytest.approx(4 * first.value)
    chat.ask("undo")
    assert chat.ask("undo").value == first.value
    assert chat.ask("mean area of the cells").value == first.value


def test_an_order_for_all_answers_holds():
    chat = mnb.Session(squares((0, 100), (90, 30), (150, 180)))
    chat.ask("always ignore the border ones")
    assert chat.ask("how many particles?").value == 2
    assert chat.ask("include them again. how many particles?").value == 3


def test_a_part_without_a_centre_in_it_is_empty(scene):
    assert mnb.Session(scene).ask("is the middle of the image empty?").value is True


def test_uncertainty_is_told_from_what_touches_and_is_cut(scene):
    answer = mnb.Session(scene).ask("how reliable is the cell count?")
    assert "touch the border" in answer.text
    assert answer.evidence


def test_what_was_understood_is_said_when_the_rest_is_asked_back(scene):
    answer = mnb.Session(scene).ask("mean area of the zorbled cells in the left half")
    assert "“zorbled”" in answer.text
    assert "the mean area of cells in the left half" in answer.text
