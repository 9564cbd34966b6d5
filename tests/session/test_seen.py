"""Questions about what is no ordinary object are told from those about objects, and are answered from pixels."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

import micro_nb as mnb
from micro_nb.session.tools.oddities import look_words
from micro_nb.session.understand import understand


def film(seed=0):
    """A pink film with round cells on a grey-blue background, 320 x 400."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:320, :400]
    picture = np.empty((320, 400, 3))
    picture[:] = (170, 180, 185)
    for cy, cx in rng.uniform(20, 300, (24, 2)):
        picture[(y - cy) ** 2 + (x - cx * 1.2) ** 2 < 144] = (150, 90, 110)
    return (picture + rng.normal(0, 2, picture.shape)).clip(0, 255).astype("uint8")


def with_bar():
    picture = film()
    picture[295:298, 300:370] = (30, 200, 40)
    return mnb.open_image(picture, axes="yxc")


@pytest.mark.parametrize(
    ("question", "task", "quantity"),
    [
        ("is there a scale bar?", "presence", "marks"),
        ("can you find a scalebar anywhere", "locate", "marks"),
        ("Which corner has the arrow?", "locate", "marks"),
        ("any text written on the picture?", "presence", "marks"),
        ("is there dust on the slide", "presence", "marks"),
        ("a dark band runs along one side. Which side?", "locate", "edge band"),
        ("why... no: the corners are dark, is my data broken?", "quality", "dark corners"),
        ("Is the scratch closed?", "presence", "gap"),
        ("what percentage of the picture is wound", "fraction", "gap share"),
        ("which side is the tissue on", "locate", "where tissue"),
        ("share of membrane, in %", "fraction", "membrane share"),
        ("what kind of white blood cell is this, from its nucleus?", "classify", "white cell type"),
        ("is that a neutrophil or a lymphocyte?", "classify", "white cell type"),
        ("what is the green thing at the left?", "classify", "thing"),
        ("black speck near the bottom: is it a cell or dirt?", "classify", "thing"),
        ("which organism is this?", "classify", "recognise"),
        ("is it really a microscope picture?", "classify", "microscope image"),
        ("is anything strange in this image?", "quality", "oddities"),
    ],
)
def test_what_is_no_object_is_understood(question, task, quantity):
    query = understand(question)
    assert (query.task, query.quantity) == (task, quantity)


@pytest.mark.parametrize(
    "question",
    [
        "How many nuclei are there?", "What is the mean area of the white cells?", "where is the largest nucleus?",
        "How many cells are in the dark half?", "what is the diameter of the red cells?", "count the purple cells",
        "should I remove the dust before segmentation?", "mean intensity of the bright one",
    ],
)  # fmt: skip
def test_questions_about_objects_are_left_to_their_grammar(question):
    query = understand(question)
    assert query.quantity not in ("marks", "thing", "oddities", "gap", "edge band")


def test_a_scale_bar_is_found_and_placed_and_its_absence_is_said():
    chat = mnb.Session(with_bar(), eyes="floor")
    there = chat.ask("Is there a scale bar?")
    assert there.value is True
    assert there.evidence
    where = chat.ask("in which corner is it?")
    assert where.value == "bottom right"
    assert mnb.Session(mnb.open_image(film(), axes="yxc"), eyes="floor").ask("is there a scale bar?").value is False


def test_a_described_thing_is_named_and_then_boxed():
    picture = film()
    picture[40:70, 30:70] = (250, 250, 10)
    chat = mnb.Session(mnb.open_image(picture, axes="yxc"), eyes="floor")
    named = chat.ask("what is the yellow thing?")
    assert "drawn mark" in named.text
    x0, y0, x1, y1 = chat.ask("box it for me").value
    assert x0 <= 50 <= x1
    assert y0 <= 55 <= y1


def test_words_for_a_look_come_in_one_order_whatever_the_process():
    assert look_words("the bright white hole") == ("white", "bright")
    assert look_words("the burst cell with red dots") == ()


def test_a_picture_without_marks_has_no_oddities_on_the_floor():
    assert mnb.Session(mnb.open_image(data.coins()), eyes="floor").ask("any text drawn on the image?").value is False


def test_every_tool_of_this_family_gives_facts_that_can_be_measured_again():
    answer = mnb.Session(with_bar(), eyes="floor").ask("is there a scale bar?")
    verdict, _ = answer.evidence[0].recompute(answer.image)
    assert verdict == "identical"
