"""Answers agree with the exact truth of generated scenes, within what the untrained segmentation is known to miss.

Known errors on these scenes: counts fall short where objects touch or are faint (fluorescence 4 %; particles 15 %: satellites;
histology and blood 15 to 25 %: platelets, lymphocytes in clumps); covered areas agree within 3 % of the field.
"""

import numpy as np
import pytest
from scenes import on_the_floor  # noqa: F401

import micro_nb as mnb

QUADRANTS = ("top left", "top right", "bottom left", "bottom right")
SCENES = {
    "fluorescence": (mnb.samples.fluorescence, 0.06), "particles": (mnb.samples.particles, 0.2),
    "histology": (mnb.samples.histology, 0.2), "blood": (mnb.samples.blood, 0.25),
}  # fmt: skip


@pytest.fixture(scope="module", params=SCENES)
def world(request):
    """A scene, a conversation about it, and the share of its objects that may be missed."""
    make, miss = SCENES[request.param]
    scene = make((768, 768), seed=5)
    return scene, mnb.Session(scene.image), miss


@pytest.fixture(scope="module")
def sparse():
    """Nuclei that hardly touch, so that one object is one nucleus."""
    scene = mnb.samples.fluorescence((768, 768), seed=11, density=0.3)
    return scene, mnb.Session(scene.image)


def number(chat, question):
    answer = chat.ask(question)
    assert not answer.declined, answer.text
    return answer.value


def test_counts_agree_with_the_truth(world):
    scene, chat, miss = world
    assert number(chat, "how many objects are there?") == pytest.approx(scene.count(), rel=miss)


@pytest.mark.parametrize("parts", [("left half", "right half"), ("top half", "bottom half"), QUADRANTS])
def test_parts_add_up_to_the_whole(world, parts):
    scene, chat, miss = world
    counts = [number(chat, f"how many objects in the {part}?") for part in parts]
    assert sum(counts) == number(chat, "count all objects")
    for part, n in zip(parts, counts, strict=True):
        truth = scene.count(part)
        assert abs(n - truth) <= miss * truth + 3


def test_above_and_below_make_all(world):
    scene, chat, _ = world
    middle = float(scene.table["area_um2"].median())
    above = number(chat, f"how many objects are larger than {middle:.2f} µm²?")
    below = number(chat, "and below?")
    assert below == number(chat, f"how many objects have an area of at most {middle:.2f} um2")
    assert above + below == number(chat, "how many objects are there in total?")


def test_border_and_inside_make_all(world):
    scene, chat, miss = world
    touching = number(chat, "how many objects touch the border?")
    inside = number(chat, "how many objects are completely inside?")
    assert touching + inside == number(chat, "number of objects")
    labels = scene.labels.read()
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    assert abs(touching - np.count_nonzero(rim)) <= 2 * miss * len(rim) + 4


def test_coverage_agrees_with_the_truth(world):
    scene, chat, _ = world
    covered = 100 * float((scene.labels.read() > 0).mean())
    assert number(chat, "what percentage of the area is covered by objects?") == pytest.approx(covered, abs=3)
    assert number(chat, "and the rest?") == pytest.approx(100 - covered, abs=3)


def test_median_areas_agree_with_the_truth(world):
    scene, chat, miss = world
    assert number(chat, "median area of the objects in um2") == pytest.approx(scene.table["area_um2"].median(), rel=miss)


def test_the_busiest_quadrant_is_one_of_the_fullest(world):
    scene, chat, miss = world
    truth = {part: scene.count(part) for part in QUADRANTS}
    assert truth[number(chat, "which quadrant has the most objects?")] >= (1 - miss) * max(truth.values())


def test_left_and_right_are_compared_by_their_counts(world):
    _, chat, _ = world
    answer = chat.ask("are there more objects on the left or on the right?")
    left, right = (number(chat, f"count objects in the {side} half") for side in ("left", "right"))
    assert [e.value for e in answer.evidence[1:3]] == [left, right]
    assert answer.value == ("equal" if left == right else "left half" if left > right else "right half")


def test_sizes_of_nuclei_that_do_not_touch_agree_with_the_truth(sparse):
    scene, chat = sparse
    truth = scene.table["area_um2"]
    assert number(chat, "how many nuclei") == pytest.approx(len(truth), rel=0.03)
    assert number(chat, "mean nuclear area") == pytest.approx(truth.mean(), rel=0.05)
    assert number(chat, "total area of the nuclei in um2") == pytest.approx(truth.sum(), rel=0.05)
    diameter = 2 * np.sqrt(truth / np.pi)
    assert number(chat, "median diameter in um") == pytest.approx(np.median(diameter), rel=0.03)
    for limit in (50, 70, 90):
        n = number(chat, f"how many nuclei above {limit} um2")
        assert (truth > 1.06 * limit).sum() - 3 <= n <= (truth > limit / 1.06).sum() + 3  # areas are known to 6 %


@pytest.mark.parametrize("seed", [4, 8, 11, 12, 13])
def test_the_largest_nucleus_is_the_true_one_or_is_said_to_be_several_that_touch(seed):
    scene = mnb.samples.fluorescence((768, 768), seed=seed, density=0.3)
    truth, chat = scene.table, mnb.Session(scene.image)
    answer = chat.ask("where is the largest nucleus?")
    x0, y0, x1, y1 = answer.value
    inside = truth[truth["centroid_x_px"].between(x0, x1) & truth["centroid_y_px"].between(y0, y1)]
    if "may be several" in answer.text and len(inside) > 1:
        return
    assert inside["area_um2"].max() >= 0.95 * truth["area_um2"].max()
    assert number(chat, "its area in um2?") == pytest.approx(inside["area_um2"].max(), rel=0.1)


FOLLOW_UPS = [
    ("how many nuclei?", "and in the left half?", "how many nuclei are in the left half?"),
    ("how many nuclei in the left half?", "and the right?", "how many nuclei are in the right half?"),
    ("how many nuclei above 60 um2", "and below?", "how many nuclei have an area of at most 60 um2"),
    ("how many nuclei above 60 um2", "and above 80?", "how many nuclei above 80 um2"),
    ("mean area of the nuclei", "and the median?", "median area of the nuclei"),
    ("mean area of the nuclei", "in px²?", "mean area of the nuclei in px²"),
    ("how big are the nuclei", "in µm?", "how big are the nuclei in µm"),
    ("where is the largest nucleus", "how large is it?", "area of the largest nucleus"),
    ("where is the largest nucleus", "and the smallest?", "where is the smallest nucleus"),
    ("where is the largest nucleus", "its diameter in um?", "diameter of the largest nucleus in um"),
    ("how many nuclei touch the border?", "what is their mean area?", "mean area of the nuclei touching the border"),
    ("what fraction is covered by nuclei?", "and in the top half?", "what fraction of the top half is covered by nuclei?"),
    ("how large is the image?", "and in mm?", "how large is the image in mm?"),
    ("how large is the image?", "what is its area in mm2?", "area of the image in mm2"),
    ("how many nuclei in the top left", "how many in total?", "how many nuclei?"),
]


@pytest.mark.parametrize(("before", "then", "direct"), FOLLOW_UPS)
def test_a_follow_up_equals_the_direct_question(sparse, before, then, direct):
    chat = mnb.Session(sparse[0].image)
    chat.ask(before)
    follow, alone = chat.ask(then), mnb.Session(sparse[0].image).ask(direct)
    assert not alone.declined, alone.text
    assert (follow.value, follow.unit) == (alone.value, alone.unit)
    assert [e.quantity for e in follow.evidence][:1] == [e.quantity for e in alone.evidence][:1]


def test_a_sampled_image_states_intervals_that_hold_the_truth_but_for_missed_objects(monkeypatch):
    for name, value in (("WHOLE_PIXELS", 1000), ("TILE", 256), ("TILES", 10)):
        monkeypatch.setattr(f"micro_nb.session.tools.found.{name}", value)
    scene = mnb.samples.fluorescence((1280, 1280), seed=3)
    chat, truth = mnb.Session(scene.image), scene.table["area_um2"]
    questions = {
        "how many nuclei are there?": len(truth),
        "mean area of the nuclei": truth.mean(),
        "total area of the nuclei": truth.sum(),
        "what share of the nuclei is larger than 40 µm²?": 100 * (truth > 40).mean(),
        "how much of the image is covered by nuclei?": 100 * float((scene.labels.read() > 0).mean()),
    }
    for question, expected in questions.items():
        answer = chat.ask(question)
        (low, high), parameters = answer.evidence[0].interval, answer.evidence[0].parameters
        assert low <= answer.value <= high
        assert 0.93 * low <= expected <= 1.07 * high, question
        assert "errors of the untrained segmentation" in answer.text
        assert "untrained segmentation" in parameters["interval_covers"]
        assert (parameters["tiles_drawn"], parameters["tiles_in_all"]) == (10, 25)


def test_parts_are_compared_in_the_direction_that_was_asked(sparse):
    scene, chat = sparse
    left, right = (number(chat, f"how many nuclei in the {side} half") for side in ("left", "right"))
    assert left != right
    assert number(chat, "are there fewer nuclei on the left than on the right?") is (left < right)
    assert number(chat, "are there more nuclei on the left than on the right") is (left > right)
    assert number(chat, "which side has fewer nuclei, left or right?") == ("left half" if left < right else "right half")
    assert number(chat, "how many more nuclei are on the left than on the right?") == abs(left - right)
    x0, _, x1, _ = number(chat, "where is the largest nucleus in the left half?")
    assert (x0 + x1) / 2 < 384
    assert number(chat, "what fraction of pixels is above 2000?") == pytest.approx(100 * (scene.image.read() > 2000).mean())
    assert number(chat, "is it true that there are more than 10 nuclei?") is True
