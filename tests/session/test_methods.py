"""The methods paragraph says how it was measured, with evidence for each number, and lists what a reader will miss."""

from dataclasses import replace

import pytest
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.data.image import MicroImage
from micro_nb.session.composing import verify


def told(img, *questions, **how):
    chat = mnb.Session(img, **how)
    for question in questions:
        chat.ask(question)
    return chat.methods()


def described(img, **changes):
    object.__setattr__(img.source, "described", replace(img.source.info, **changes))
    return MicroImage(img.source)


def test_every_number_is_evidence():
    m = told(
        discs(pixel_size=0.5), 'count("nucleus")', 'stat("area", "mean", "nucleus")',
        'count(obj("nucleus", having="area > 30 um2"))',
        'count(obj("nucleus", where="left"))', 'stat("diameter", "median", "nucleus")', 'quality("focus")',
    )  # fmt: skip
    verify(m.text, m.spans, m.evidence)
    said = [
        "200 x 180 px",
        "0.5 µm, as stated by the user",
        "without trained weights",
        "intensity threshold of",
        "Number of nuclei measured: 8",
        "mean and median",
        "nuclei larger than 30 µm²",
        "left half",
        "micro_nb 0.",
        "scipy",
    ]
    assert [words for words in said if words not in m.text] == []


def test_what_is_not_known_is_listed():
    bare = told(discs(), 'count("nucleus")')
    assert "the pixel size, and what it was calibrated with" in bare.missing
    assert "its pixel size is not known" in bare.text.lower()
    for what in ("the objective", "the numerical aperture", "the exposure time"):
        assert what in bare.missing
    assert any("sample size" in what for what in bare.missing)
    stated = told(discs(pixel_size=0.5), 'count("nucleus")')
    assert "what the stated pixel size was calibrated with" in stated.missing


def test_what_the_file_records_is_said_and_not_missed():
    facts = {"microscope": "Nikon Ti2", "objective": "Plan Apo 20x", "na": 0.75, "operator": "Jane Doe", "acquired": "2024-03-01"}
    m = told(described(discs(), facts=facts), 'count("nucleus")')
    verify(m.text, m.spans, m.evidence)
    assert "microscope Nikon Ti2; objective Plan Apo 20x; numerical aperture 0.75; acquired 2024-03-01" in m.text
    assert "the objective" not in m.missing
    assert "Jane" not in str(m)


def test_nothing_measured_is_said_so():
    assert any("nothing was asked" in what for what in mnb.Session(discs()).methods().missing)
    assert "an image" in mnb.Session().methods().missing


@pytest.mark.parametrize("form", ["to_markdown", "__str__"])
def test_it_reads_as_text_and_markdown(form):
    text = getattr(told(discs(), 'count("nucleus")'), form)()
    assert "Missing:" in text
    assert "- the objective" in text


def test_the_model_is_named_with_its_weights():
    m = told(mnb.open_image("sample:fluorescence?shape=128,128&seed=3"), 'count("nucleus")', eyes="micro_d1")
    verify(m.text, m.spans, m.evidence)
    assert "Micro-D1 (weights " in m.text
    assert "score threshold" in m.text
    assert m.to_dict()["missing"] == list(m.missing)
