"""Counting, statistics, places, comparisons: values against known truth, and the sentences that say them."""

import numpy as np
import pytest
from scenes import BIG, CENTRES, discs

import micro_nb as mnb
from micro_nb.errors import EvidenceError, LanguageError, UnitsError
from micro_nb.session.language import parse
from micro_nb.session.measures.evaluation import check, check_meaning, evaluate
from micro_nb.session.measures.registry import measures
from micro_nb.session.measures.scene import Scene
from micro_nb.session.words.asking import asked
from micro_nb.session.words.prose import plain, sentence
from micro_nb.tiles.labels import layer_array
from micro_nb.tiles.objects import Objects


@pytest.fixture(scope="module")
def scene():
    img = discs(pixel_size=0.5)
    return Scene({"discs": img}, "discs", "floor")


def value(scene, text):
    return evaluate(parse(text), scene).value


def said(scene, text):
    return plain(sentence(evaluate(parse(text), scene)))


LEFT = sum(x < 100 for _, x in CENTRES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('count("object")', 8), ('count(obj("object", where="left"))', LEFT), ('count(obj("object", where=["left", "top"]))', 3),
        ('exists(obj("object", having="area > 60 um2"))', True), ('exists(obj("object", having="area > 400 um2"))', False),
        ('count(obj("object", having="area > 60 um2"))', 1), ('count(obj("object", having="not (area > 60 um2)"))', 7),
        ('count(obj("object", having="area in top 25 %"))', 2), ('count(obj("object", having=\'is "round"\'))', 8),
        ('count(obj("object", where=near(obj("object", by="area"), "20 um")))', 2),
        ('which(count("object"), among=["top left", "top right"])', "top left"),
        ('check(count("object"), ">", 5)', True), ('check(count("object"), "==", 8)', True),
        ('check(count("object"), "between", [9, 12])', False),
        ('compare(count(obj("object", where="top left")), count(obj("object", where="top right")))', 2),
        ('compare(count("object"), count(obj("object", where="left")), how="greater")', True),
        ('compare(count(obj("object", where="left")), count("object"), how="less")', True),
        ('compare(count(obj("object", where="left")), count("object"))', 8 - LEFT),  # "fewer", by so many
        ('count(obj("blob", having=\'is "bright"\'))', 8),
        ('convert(compare(count(obj("object", where="left")), count("object"), how="ratio"), "%")', 100 * LEFT / 8),
        ('calc("/", count("object"), 2)', 4.0), ('share(obj("object", where="left"), of="object")', 100 * LEFT / 8),
        ('stat(each(count("object"), per="quadrant"), "sum")', 8.0), ('count(obj("object", where=near("center", "15 um")))', 1),
        ('count(obj("object", where=point(160, 100)))', 1), ('count(obj("object", where=near(point(30, 30), "8 um")))', 1),
        ('stat("feret", "value", obj("object", by="area"))', 12.5),
        ('count(obj("object", where=above(box(0, 90, 200, 110))))', 4),
        ('count(obj("object", where=left_of(obj("object", by="y"))))', 6),
        ('which(stat("area", "value", "cell"), among="cell")', "cell 5 (right)"),
        ('count(obj("object", having=\'is "whole"\'))', 8),
    ],
)  # fmt: skip
def test_values_are_those_of_the_picture(scene, text, expected):
    assert (
        value(scene, text) == pytest.approx(expected, rel=0.03)
        if not isinstance(expected, str | bool)
        else value(scene, text) is expected or value(scene, text) == expected
    )


def test_the_largest_is_where_it_was_drawn(scene):
    x0, y0, x1, y1 = value(scene, 'locate(obj("object", by="area"))')
    assert x0 < BIG[1] < x1
    assert y0 < BIG[0] < y1
    assert value(scene, 'stat("diameter", "value", obj("object", by="area"))') == pytest.approx(12.0, rel=0.1)


def test_one_alone_has_no_spread(scene):
    with pytest.raises(EvidenceError, match="no coefficient of variation of the diameter"):
        value(scene, 'stat("diameter", "cv", obj("object", by="area"))')


def test_units_are_converted_and_refused(scene):
    um, px = (
        value(scene, 'stat("diameter", "median", "object")'),
        value(scene, 'convert(stat("diameter", "median", "object"), "px")'),
    )
    assert px == pytest.approx(2 * um)
    with pytest.raises(UnitsError):
        value(scene, 'convert(count("object"), "um")')
    with pytest.raises(UnitsError, match="needs its unit"):
        value(scene, 'count(obj("object", having="area > 60"))')
    unscaled = Scene({"d": discs()}, "d", "floor")
    with pytest.raises(UnitsError, match="no pixel size"):
        value(unscaled, 'density("object", per="um2")')


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('count("object")', "I count 8 objects."), ('count(obj("object", having="area > 60 um2"))',
        "I count 1 object larger than 60 µm²."),
        ('count(obj("object", having="area > 400 um2"))', "I see no objects larger than 400 µm²."), ('exists("object")',
        "Yes, 8 objects."),
        ('check(count("object"), ">", 40)', "No, I count 8 objects."),
        ('compare(count(obj("object", where="top left")), count(obj("object", where="top right")))',
        "2 more: 3 objects in the top left against 1 object in the top right."),
        ('which(count("object"), among=["top left", "top right"])',
        "The top left has more: 3, against 1 in the top right."),
        ('share(obj("object", where="left"), of="object")', "50 % of the objects: 4 of 8."), ('calc("*", 12, 7)',
        "That makes 84: 12 times 7."),
    ],
)  # fmt: skip
def test_sentences_are_plain_and_agree_in_number(scene, text, sentence):
    assert said(scene, text) == sentence


def test_a_word_that_claims_a_number_is_held_against_its_limit(scene):
    result = evaluate(parse('check(coverage("object"), "is", "confluent")'), scene)
    assert result.value is False
    assert [m.value for m in result.measured[1:]] == [pytest.approx(4.0, abs=0.5), 80.0]
    assert plain(sentence(result)).startswith("No: area covered by objects is 4")


def test_every_measurement_can_be_said_as_what_is_asked():
    said = {m.name: asked([parse(expression)]) for m in measures().values() for expression in m.examples.values()}
    assert not [text for text in said.values() if "{" in text or not text]
    assert asked([parse('count(obj("nucleus", where="left"))')]) == "the number of nuclei in the left half"


def test_a_state_that_was_not_learned_is_not_guessed(scene):
    with pytest.raises(EvidenceError, match="cannot tell which objects are budding"):
        value(scene, 'count(obj("object", having=\'is "budding"\'))')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('cuont("object")', "did you mean count"), ('count("object", wher="left")', "takes no wher="), ("count()",
        "needs its objects"),
        ('stat("weight", "mean", "object")', "no quantity 'weight'"), ('stat("area", "mode2", "object")', "no statistic"),
        ('which(count("object"), among="moons")', "among='moons' is not known"), ('check(undo(), ">", 1)', "stands alone"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_remedy(scene, text, message):
    def measured():
        check(parse(text))
        return value(scene, text)

    with pytest.raises((LanguageError, EvidenceError), match=message):
        measured()


def test_conditions_of_several_images_are_compared_image_by_image():
    def field(n, seed):
        y, x = np.mgrid[:120, :160]
        picture = np.full((120, 160), 20.0)
        for k in range(n):
            picture[(y - 20 - 25 * (k // 6)) ** 2 + (x - 15 - 25 * (k % 6)) ** 2 <= 36] = 150
        return mnb.open_image((picture + np.random.default_rng(seed).normal(0, 2, picture.shape)).clip(0, 255).astype("uint8"))

    chat = mnb.Session(
        {"control": [field(n, n) for n in (6, 7, 8)], "treated": [field(n, n) for n in (11, 12, 13)]}, eyes="floor", log=False
    )
    control = chat.measure('count(obj("object", where=image("control")))')
    assert control.value == pytest.approx(7.0)
    assert control.evidence[0].parameters["by_image"] == {"control 1": 6.0, "control 2": 7.0, "control 3": 8.0}
    tested = chat.measure('test(count(obj("object", where=image("control"))), count(obj("object", where=image("treated"))))')
    assert tested.value is True
    assert tested.evidence[0].parameters["method"] == "Welch's t-test over images"
    assert chat.measure('which(count("object"), among="images")').value == "treated"
    effect = chat.measure('compare(count(obj("object", where=image("treated"))), count(obj("object", where=image("control"))))')
    assert effect.value == pytest.approx(5.0)
    assert effect.evidence[0].interval == pytest.approx((2.733, 7.267), abs=1e-3)  # Welch: two samples of three with variance 1
    assert effect.text.startswith("5 (2.73–7.27) more: 12 ")
    fewer = chat.measure('compare(count(obj("object", where=image("control"))), count(obj("object", where=image("treated"))))')
    assert fewer.text.startswith("5 (2.73–7.27) fewer: 7 ")
    assert fewer.evidence[0].interval == pytest.approx((-7.267, -2.733), abs=1e-3)
    assert fewer.evidence[0].recompute(chat.images)[0] == "identical"
    rows = chat.measure('each(count("object"), per="image")').table
    assert list(rows.index) == ["control 1", "control 2", "control 3", "treated 1", "treated 2", "treated 3"]
    assert list(chat.measure('each(count("object"), per="condition")').table.index) == ["control", "treated"]


def test_a_condition_may_bear_numbers_in_its_name():
    pictures = [mnb.open_image(np.pad(np.full((20, 20), 200, "uint8"), 20 + k)) for k in range(2)]
    chat = mnb.Session({"2 uM": pictures, "0 uM": pictures}, eyes="floor", log=False)
    assert (
        chat.measure('count(obj("object", where=image("2 uM")))').text
        == "In 2 uM the number of objects is 1 on average over 2 images."
    )


def test_every_example_of_a_declaration_is_an_expression_that_can_be_taken():
    for measure in measures().values():
        assert measure.examples, f"{measure.name} has no example question"
        assert measure.describes, f"{measure.name} is not documented"
        for expression in measure.examples.values():
            check(parse(expression))


def test_inside_every_object_anything_is_measured() -> None:
    chat = mnb.Session(discs())
    areas = chat.measure('each(stat("area", "value", "object"), per="object")').table.iloc[:, 0]
    one_by_one = chat.measure('table("object", by="area", n=8)').table
    assert sorted(areas) == pytest.approx(sorted(one_by_one["area_px2"]))
    covered = chat.measure('each(coverage("object"), per="object")')
    assert set(covered.table.iloc[:, 0].round(3)) == {100.0}
    assert covered.text.startswith("On average 100 % per object")


@pytest.fixture(scope="module")
def named():
    """Five nuclei, three of which touch in a row and two elsewhere, and a platelet alone."""
    labels = np.zeros((120, 240), np.int32)
    for k, (y, x) in enumerate([(10, 10), (10, 30), (10, 50), (70, 180), (70, 200), (20, 200)], 1):
        labels[y : y + 20, x : x + (20 if k < 6 else 8)] = k
    img = mnb.open_image(np.where(labels > 0, 200, 10).astype("uint8"))
    table = mnb.measure(img, layer_array(labels, (), pixel_size=None))
    table["name"] = ["nucleus"] * 5 + ["platelet"]
    return Scene({"named": img}, "named", "floor", given={"named": Objects(table, layer_array(labels, (), pixel_size=None))})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('count("cell and platelet")', 1),
        ('count("nucleus and platelet")', 6),
        ('count("group of nucleus")', 2),
        ('count("clump")', 2),
        ('count("group of clump")', 2),
        ('count(obj("nucleus", where=near(obj("nucleus", by="x", order="min"), "0 um")))', 1),
        ('count(obj("platelet", where=near("nucleus", "0 px")))', 0),
        ('share("nucleus", where="left")', 60.0),
        ('stat("area", "value", obj("group of nucleus", by="count(nucleus)"))', 1200.0),
        ('count(obj("group of nucleus", having="coverage(nucleus) > 99 %"))', 2),
        ('count(obj("nucleus", having="distance(platelet) < 60 px"))', 2),
        ('locate(obj("nucleus", by="distance(platelet)", order="min"))', (200.0, 70.0, 220.0, 90.0)),
        ('exists(obj("nucleus", by="x", where="right"))', True),
        ('exists(obj("nucleus", by="x", having="border"))', False),
        ('count(obj("nucleus", having="x >= p50"))', 3),
        ('count(obj("group of nucleus", where=holding("nucleus", ">= 3")))', 1),
        ('count(obj("group of nucleus", where="left third"))', 1),
        ('stat(each(count("nucleus"), per="group of nucleus"), "max")', 3.0),
        ('count(obj("nucleus", where=inside("group of nucleus")))', 5),
        ('stat("area", "value", obj("group of nucleus", by="area"))', 1200.0),
        ('stat("area", "sum", "nucleus and platelet")', 2160.0),
        ('stat("nearest_neighbour", "max", "nucleus and platelet")', pytest.approx(50.4, abs=0.1)),
        ('which(count("nucleus"), among="group of nucleus")', "group of nuclei 1 (top left)"),
        ('which(count("nucleus"), among="thirds")', "left third"),
        ('which(count("nucleus"), among="thirds", n=2, rank=True)', "right third"),
        ('which(count("nucleus"), among="thirds", n=2)', "left third and right third"),
    ],
)  # fmt: skip
def test_kinds_are_made_of_others_and_parts_are_ranked(named, text, expected):
    assert value(named, text) == expected


def test_quantities_of_another_kind_are_said(named):
    inside = 'count(obj("nucleus", where=inside(obj("group of nucleus", by="area"))))'
    assert said(named, inside) == "I count 3 nuclei in the largest group of nuclei."
    assert said(named, 'count(obj("group of nucleus", having="count(nucleus) >= 3"))') == (
        "I count 1 group of nuclei with a number of nuclei of at least 3."
    )
    assert said(named, 'locate(obj("nucleus", by="distance(platelet)", order="min"))').startswith(
        "The nucleus with the least distance to the nearest platelet is"
    )
    rows = 'relate("area", "distance(object)", "object")'
    assert said(Scene({"discs": discs()}, "discs", "floor"), rows).startswith("Area and distance to the nearest object")


def test_how_many_of_each_kind_is_said_of_several_together(named):
    assert said(named, 'count("nucleus and platelet")') == "I count 6 nuclei and platelets: 5 nuclei and 1 platelet."
    rows = 'distribution(each(stat("area", "value", "nucleus"), per="nucleus"))'
    assert said(named, rows).startswith("The median value per nucleus is 400 px²")
    assert said(named, 'share("platelet", of="nucleus")') == "The platelets are not among the nuclei: 1 to 5, 20 %."
    assert said(named, 'share("nucleus", of="nucleus and platelet")') == "83.3 % of the nuclei and platelets: 5 of 6."
    with pytest.raises(EvidenceError, match="only 3 to compare"):
        value(named, 'which(count("nucleus"), among="thirds", n=4, rank=True)')


def test_no_kind_is_taken_beside_itself():
    check_meaning(parse('count("cell and platelet")'))
    with pytest.raises(LanguageError, match="twice"):
        check_meaning(parse('share("cell and cell", of="nucleus")'))
    with pytest.raises(LanguageError, match="all of itself"):
        check_meaning(parse('coverage("nucleus", of="nucleus")'))


def test_a_ratio_in_per_cent_is_said_as_one(scene):
    text = 'convert(compare(count(obj("object", where="left")), count("object"), how="ratio"), "%")'
    assert said(scene, text) == "That is 50 %."
