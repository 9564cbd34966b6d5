"""Quantities are read as people type them, the arithmetic is right, and one of them can be changed afterwards."""

import math

import pytest

import micro_nb as mnb
from micro_nb.session.knowledge.amounts import converted, parse
from micro_nb.session.prose import verify
from micro_nb.session.registry import run

ANSWERS = [
    ("camera pixels are 6.5 µm and I use a 20x objective. what's my pixel size in the image?", 0.325, "um"),
    ("what pixel size do I get with a 60x and a 6.5 um sCMOS?", 6.5 / 60, "um"),
    ("pixel size with 40x, 0.63x c-mount and a 3.45 micron camera, 2x2 binning", 3.45 * 2 / (40 * 0.63), "um"),
    ("theoretical resolution of a NA 0.75 objective at 520 nm?", 520 / 1.5, "nm"),
    ("what is the smallest detail I can see with 63x/1.4 and GFP", 509 / 2.8, "nm"),
    ("Abbe limit for 0,95 NA at 488nm", 488 / 1.9, "nm"),
    ("Nyquist pixel size for NA 1.4 at 500 nm", 0.5 / 5.6, "um"),
    ("which z-step for NA 1.2 water immersion at 600 nm?", 1.333 * 0.6 / 1.44, "um"),
    ("axial resolution, NA 0.5, 550 nm", 2 * 550 / 0.25, "nm"),
    ("depth of field of NA 0.4 at 550 nm", 0.55 / 0.16, "um"),
    ("what magnification do I need for a 6.5 µm camera with NA 0.95 at 520 nm?", 6.5 / (0.52 / 3.8), ""),
    ("field of view of a 2048 x 2048 camera with 6.5 µm pixels at 20x", 665.6, "um"),
    ("how many pixels long is a 50 µm scale bar at 0.325 µm/px?", 50 / 0.325, "px"),
    ("100 px at 0.5 um per pixel, how many µm?", 50, "um"),
    ("convert 2500 nm to µm", 2.5, "um"),
    ("how many µm² are in 0.3 mm²?", 300_000, "um2"),
    ("field number 22 with a 40x: how big is the field?", 0.55, "mm"),
    ("file size of a 2048 x 2048 stack with 50 slices, 3 channels, 16 bit", 2048 * 2048 * 300 / 1e6, "MB"),
]


@pytest.mark.parametrize(("text", "value", "unit"), ANSWERS, ids=[text for text, _, _ in ANSWERS])
def test_the_arithmetic_is_right_and_shown(text, value, unit):
    answer = mnb.Session(log=False).ask(text)
    assert answer.value == pytest.approx(value, rel=1e-6)
    assert answer.unit == unit
    verify(answer.text, answer.spans, answer.evidence)


def test_a_follow_up_changes_one_quantity():
    chat = mnb.Session(log=False)
    chat.ask("camera pixels are 6.5 µm and I use a 20x objective. what's my pixel size in the image?")
    assert chat.ask("with 60x?").value == pytest.approx(6.5 / 60)
    assert chat.ask("and with 2x2 binning?").value == pytest.approx(13 / 60)
    chat.ask("resolution of NA 0.75 at 520 nm?")
    assert chat.ask("and NA 1.4?").value == pytest.approx(520 / 2.8)
    assert chat.ask("what z-step is that?").unit == "um"


def test_what_is_missing_is_asked_back_and_then_taken():
    chat = mnb.Session(log=False)
    asked = chat.ask("what pixel size do I get with 60x?")
    assert asked.declined
    assert "camera" in asked.text
    assert chat.ask("6.5 µm").value == pytest.approx(6.5 / 60)


def test_nyquist_is_judged():
    judged = mnb.Session(log=False).ask("is a 6.5 µm camera with 20x/0.75 at 520 nm Nyquist sampled?")
    assert judged.value is False
    assert (
        mnb.Session(log=False).ask("is a 6.5 µm camera with 60x and NA 0.75 at 520 nm sampled finely enough for Nyquist?").value
        is True
    )


def test_an_assumed_wavelength_is_said():
    assert "No wavelength was given" in mnb.Session(log=False).ask("resolution of NA 0.5?").text


def test_camera_and_objective_told_beside_an_image_give_its_scale():
    chat = mnb.Session(mnb.open_image("sample:fluorescence?shape=128,128&seed=3"), eyes="floor", log=False)
    chat.img = chat._given = mnb.open_image(chat.img.read(), axes="yx")
    chat.ask("mean area of the nuclei in px²")
    chat.ask("I used a 20x objective and the camera has 6.5 µm pixels")
    assert chat.img.pixel_size["x"] == pytest.approx(0.325)
    assert chat.ask("mean area of the nuclei in µm²?").unit == "um2"


@pytest.mark.parametrize("given", [{"na": 0.0}, {"na": -1.0}, {"na": 1.2, "wavelength_nm": 0.0}])
def test_impossible_optics_are_refused(given):
    with pytest.raises(mnb.errors.EvidenceError):
        run("resolution", None, **given)


def test_parsing_keeps_lengths_apart():
    assert parse("6.5 µm camera, 100x/1.49, 50 µm scale bar at 0.065 µm/px") == {
        "pixel_um": 0.065,
        "camera_um": 6.5,
        "bar_um": 50.0,
        "na": 1.49,
        "magnification": 100.0,
    }
    assert converted("what is 0.4 mm in µm") == (0.4, "mm", "um")
    assert converted("nuclei in the left half") is None


def test_rayleigh_is_wider_than_abbe():
    abbe, rayleigh = run("resolution", None, na=1.0, wavelength_nm=500.0)
    assert math.isclose(rayleigh.value / abbe.value, 1.22)
