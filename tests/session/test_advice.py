"""Advice rests on what this image shows: the same question is answered differently on images that differ."""

import numpy as np
import pytest
from scenes import discs, on_the_floor  # noqa: F401
from skimage import data

import micro_nb as mnb
from micro_nb.session.memory import Context
from micro_nb.session.prose import verify
from micro_nb.session.registry import run
from micro_nb.session.understand import understand

IMAGE = (512, 512)
WISHES = {
    "threshold here": [
        "Would Otsu be ok here?",
        "is a global threshold enough for this?",
        "should I use a simple threshold here",
        "does thresholding work on these nuclei?",
    ],
    "separate touching": [
        "they overlap a lot. how should I separate them?",
        "how do I split touching nuclei?",
        "the nuclei are stuck together, how do I get them apart?",
    ],
    "packed bacteria": ["How would I segment bacteria packed like this?", "which tool can separate the crowded bacteria?"],
    "membrane signal": [
        "How would you outline each big cell when only the walls are bright?",
        "what's the best approach to segment cells from their membranes?",
    ],
    "spots per nucleus": ["How should I count foci per nucleus?", "best way to quantify spots in each nucleus?"],
    "preprocessing": ["which preprocessing before thresholding?", "what preprocessing do you recommend before segmentation?"],
    "avoid saturation": ["how can I avoid saturation next time?", "what should I do about the clipped pixels?"],
    "refocus": ["how can I fix the blur?", "what should I do, it is out of focus?"],
    "training here": ["Should I use this tile for training?", "is this image worth annotating, should I include it?"],
    "passage here": ["can I passage them now?", "should I split the culture today?", "are they ready for passaging?"],
    "colocalisation here": ["how should I measure colocalisation in this image?"],
    "how many fields": ["how many fields should I image?", "how many images do I need to take?"],
    "enough for statistics": ["is that enough for statistics?", "are these enough cells for statistics?"],
    "closure over time": ["how should I quantify closure over time?", "how would you measure wound closure?"],
    "dim objects": ["why are some cells so dim?", "why are a few nuclei much brighter?"],
    "empty regions": ["why is half of the field empty?"],
    "controls here": ["which controls do I need?"],
    "background here": ["should I correct the uneven background?", "do I need to subtract the background?"],
}


@pytest.mark.parametrize("key", WISHES)
def test_a_wish_for_advice_is_understood_in_many_wordings(key):
    assert [understand(text, Context(IMAGE)).quantity for text in WISHES[key]] == [key] * len(WISHES[key])


@pytest.fixture(scope="module")
def separate():
    return mnb.Session(discs(pixel_size=0.5), eyes="floor", log=False)


def phase():
    """A grey picture whose cells are as grey as the background, with bright halos."""
    return mnb.open_image(data.cell()[:256, :256], axes="yx")


def test_a_threshold_is_tried_before_it_is_recommended(separate):
    answer = separate.ask("would a global threshold work here?")
    assert answer.value is True
    fit = next(e for e in answer.evidence if e.function == "otsu_fit")
    assert fit.value > 0.7
    verify(answer.text, answer.spans, answer.evidence)


def test_touching_objects_are_counted_for_the_advice():
    pair = np.zeros((120, 160), "uint8")
    y, x = np.mgrid[:120, :160]
    for cx in (50, 71, 120):
        pair[(y - 60) ** 2 + (x - cx) ** 2 < 11**2] = 200
    share, number, n = run("touching", mnb.open_image(pair, axes="yx"), eyes="floor")
    assert (number.value, n.value) == (2, 3)
    assert share.value == pytest.approx(200 / 3)


def test_confluence_decides_about_passaging():
    sparse = np.zeros((200, 200), "uint8")
    sparse[90:110, 90:110] = sparse[20:40, 20:40] = 200
    answer = mnb.Session(mnb.open_image(sparse, axes="yx"), eyes="floor", log=False).ask("can I passage them now?")
    assert answer.value is False
    assert "not yet" in answer.text


def test_saturation_before_makes_that_speak_of_it():
    bright = np.clip(np.random.default_rng(0).normal(200, 60, (128, 128)), 0, 255).astype("uint8")
    chat = mnb.Session(mnb.open_image(bright, axes="yx"), eyes="floor", log=False)
    chat.ask("any saturated pixels?")
    assert "exposure" in chat.ask("how can I avoid that next time?").text


def test_the_number_of_fields_follows_from_the_scatter_of_this_one(separate):
    answer = separate.ask("how many fields should I image?")
    needed = next(e for e in answer.evidence if e.quantity == "fields needed")
    half = next(e for e in answer.evidence if e.quantity.startswith("half width"))
    assert needed.value == max(1, int(np.ceil((half.value / 10) ** 2)))


def test_what_is_needed_answers_to_what_was_declined():
    chat = mnb.Session(mnb.open_image(np.eye(64, dtype="uint8") * 90, axes="yx"), eyes="floor", log=False)
    chat.ask("give me the mean particle size in mm")
    assert "pixel size" in chat.ask("what would you need from me to do that?").text


def test_one_channel_cannot_colocalise():
    chat = mnb.Session(mnb.open_image(np.eye(64, dtype="uint8") * 90, axes="yx"), eyes="floor", log=False)
    answer = chat.ask("how should I measure colocalisation in this image?")
    assert answer.value is False
    assert "second channel" in answer.text


@pytest.mark.parametrize("key", WISHES)
def test_every_advice_is_worded_on_a_real_picture_without_loose_numbers(key):
    answer = mnb.Session(phase(), eyes="floor", log=False).ask(WISHES[key][0])
    assert not answer.declined
    verify(answer.text, answer.spans, answer.evidence)


def test_red_cells_are_named_by_their_measured_shape():
    y, x = np.mgrid[:480, :480]
    film = np.full((480, 480, 3), 235, "uint8")
    for cy in range(40, 460, 60):
        for cx in range(50, 450, 80):
            film[((y - cy) / 10) ** 2 + ((x - cx) / 20) ** 2 < 1] = (190, 90, 110)
    name, ratio, pallor, _ = run("red_cell_shape", mnb.open_image(film, axes="yxc"), eyes="floor")
    assert "elliptocytes" in name.value
    assert ratio.value == pytest.approx(2, rel=0.15)
    assert abs(pallor.value) < 0.1
