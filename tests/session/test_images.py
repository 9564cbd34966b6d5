"""Several images in one conversation: each is spoken of by its name, and the same question is put to all."""

import numpy as np
import pytest
from scenes import discs, on_the_floor  # noqa: F401
from test_spatial import dots, lattice

import micro_nb as mnb
from micro_nb.errors import EvidenceError
from micro_nb.session.images import Album


@pytest.fixture
def chat():
    return mnb.Session({"control": discs(pixel_size=0.5), "treated": dots(lattice(60), radius=9, pixel_size=0.5)}, log=False)


@pytest.mark.parametrize(
    ("question", "mode", "names"),
    [
        ("How many nuclei?", "here", ("control",)),
        ("how many nuclei in the treated image?", "one", ("treated",)),
        ("and in the second one?", "one", ("treated",)),
        ("switch to treated", "switch", ("treated",)),
        ("go back to the first image", "switch", ("control",)),
        ("compare with treated", "across", ("control", "treated")),
        ("compare the two images", "across", ("control", "treated")),
        ("how many nuclei in each image?", "across", ("control", "treated")),
        ("which image has more nuclei?", "which", ("control", "treated")),
        ("which of the pictures is brighter?", "which", ("control", "treated")),
        ("what about the other one?", "one", ("treated",)),
        ("is the control denser than the treated one?", "across", ("control", "treated")),
    ],
)
def test_a_question_says_which_images_it_is_about(chat, question, mode, names):
    said = chat.images.read(question, "control")
    assert (said.mode, said.names) == (mode, names)


def test_an_image_named_in_passing_stays_the_subject(chat):
    assert chat.ask("How many nuclei are there?").value == 8
    assert chat.ask("and in the treated one?").value == 25
    assert chat.about == "treated"
    assert chat.ask("how many are in the left half?").value < 25
    assert chat.ask("switch to the control").value == 200
    assert chat.ask("how many nuclei?").value == 8


def test_named_parts_are_those_of_each_image(chat):
    assert chat.ask("how many nuclei in the left half?").value == 4
    other = chat.ask("and in the treated image?")
    assert other.evidence[0].region.x1 == 150
    assert "left half" in other.text


def test_images_are_set_side_by_side_with_their_difference(chat):
    answer = chat.ask("which image has more nuclei?")
    assert answer.value == "treated"
    assert list(answer.table.index) == ["control", "treated"]
    assert list(answer.table["number"]) == [8, 25]
    assert chat.ask("how many more nuclei are in treated than in control?").value == 17
    assert chat.ask("does the control have more nuclei than treated?").value is False
    assert chat.ask("which image has fewer nuclei?").value == "control"
    assert "no replicates" in answer.text
    assert all(e.recompute(chat.images[e.parameters["row"]])[0] == "identical" for e in answer.evidence if "row" in e.parameters)


def test_a_difference_within_the_variation_of_objects_is_said_to_be_none():
    same = mnb.Session([discs(pixel_size=0.5), discs(pixel_size=0.5)], log=False)
    assert list(same.images) == ["array", "array (2)"]
    answer = same.ask("which image has larger nuclei?")
    assert answer.value == "equal"
    assert "equal" in answer.text


def test_a_bare_comparison_repeats_the_question_before(chat):
    chat.ask("mean area of the nuclei?")
    answer = chat.ask("compare with treated")
    assert [e.unit for e in answer.evidence[::2][:2]] == ["um2", "um2"]
    assert "mean area" in answer.text


def test_images_are_added_later_and_undone_again(chat):
    alone = mnb.Session(discs(), log=False)
    assert "chat.add" in alone.ask("compare with the control").text
    alone.ask("how many nuclei?")
    alone.add(dots(lattice(60), radius=9), name="mutant")
    assert alone.ask("and in the mutant?").value == 25
    assert alone.ask("undo").value == 8
    assert alone.about == "array"
    with pytest.raises(EvidenceError, match="already"):
        alone.add(discs(), name="mutant")
    with pytest.raises(TypeError, match="open_image"):
        alone.add(np.zeros((4, 4)))


def test_an_image_that_is_not_there_is_named_in_the_error(chat):
    with pytest.raises(EvidenceError, match="control, treated"):
        chat.use("nonsense")
    assert Album.of(None).first is None


def test_answers_carry_the_objects_they_speak_of_and_export_them(tmp_path, chat):
    chat.ask("how many nuclei are larger than 60 µm²?")
    layer = chat.annotate()
    assert len(layer) == 1
    saved = layer.save(tmp_path / "large.geojson")
    assert '"Polygon"' in saved.read_text()
    assert mnb.overview(chat.img, objects=layer).png[:4] == b"\x89PNG"
    assert mnb.Session(discs(), log=False).ask("what is the bit depth?").objects is None


def test_a_stated_scale_belongs_to_its_image(chat):
    chat.ask("it was 0.25 µm per pixel. mean area of the nuclei?")
    assert chat.img.pixel_size["x"] == 0.25
    chat.use("treated")
    assert chat.img.pixel_size["x"] == 0.5
    chat.use("control")
    assert chat.img.pixel_size["x"] == 0.25
