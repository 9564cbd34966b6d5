"""What is shown is escaped, carries its evidence, and has a picture and plain text beside the HTML."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.data.source import Channel
from micro_nb.errors import EvidenceError
from micro_nb.render.overview import overview_png
from micro_nb.session.evidence import Evidence
from micro_nb.session.prose import Prose, numerals, verify

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def test_an_answer_is_html_png_and_plain_text():
    shown = mnb.Session(discs()).ask("how many nuclei?")._repr_mimebundle_()
    assert set(shown) == {"text/html", "text/plain", "image/png"}
    assert base64.b64decode(shown["image/png"])[:4] == b"\x89PNG"
    assert 'title="number of nuclei: 8' in shown["text/html"]
    assert shown["text/plain"] == "There are 8 nuclei."


def test_facts_no_picture_shows_have_none():
    assert "image/png" not in mnb.Session(discs()).ask("bit depth?")._repr_mimebundle_()


def test_hostile_text_is_shown_as_text():
    from dataclasses import replace

    img = discs()
    info = replace(img.source.info, channels=(Channel(HOSTILE),))
    object.__setattr__(img.source, "described", info)
    chat = mnb.Session(img)
    for question in (HOSTILE, f"how many {HOSTILE}", "how many channels?", "channel names"):
        chat.ask(question)
    page = chat._repr_mimebundle_()["text/html"] + "".join(t.answer._repr_mimebundle_()["text/html"] for t in chat)
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page


def test_an_unasked_session_says_how_to_ask():
    assert "chat.ask" in mnb.Session()._repr_mimebundle_()["text/html"]


def fact(value, **kwargs):
    return Evidence("a quantity", value, **kwargs)


@pytest.mark.parametrize("sentence", ["There are 12 of them.", "There are twelve of them.", "There are {0} or 13.", "µm3 {0}"])
def test_a_number_that_no_evidence_covers_is_refused(sentence):
    with pytest.raises(EvidenceError, match="not covered"):
        Prose([fact(11)]).say(sentence)


def test_fields_of_evidence_fill_sentences():
    prose = Prose([fact((1.0, 2.5), interval=(0.5, 3.25), parameters={"filters": [{"value": 80.0}]})])
    prose.say("From {0.value.0} to {0.value.1}, at most {0.interval.1}, above {0.parameters.filters.0.value}.")
    assert prose.text == "From 1 to 2.5, at most 3.25, above 80."
    assert [prose.text[s.start : s.end] for s in prose.spans] == ["1", "2.5", "3.25", "80"]


def test_a_forged_span_is_refused():
    prose = Prose([fact(32)])
    prose.say("There are {0}.")
    with pytest.raises(EvidenceError, match="says '32'"):
        verify(prose.text.replace("32", "33"), prose.spans, prose.evidence)


def test_what_is_not_in_the_evidence_cannot_be_said():
    for place in ("{1}", "{0.parameters.none}", "{0.value.3}"):
        with pytest.raises((EvidenceError, IndexError)):
            Prose([fact(1)]).say(f"It is {place}.")


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(10**9), 10**9))
def test_any_number_prints_as_one_numeral_that_verifies(value):
    prose = Prose([fact(value)])
    prose.say("It is {0} of something.")
    assert len(numerals(prose.text)) == 1


def test_pictures_are_drawn_only_when_looked_at(monkeypatch):
    calls = []
    monkeypatch.setattr("micro_nb.session.show.overview_png", lambda *a, **k: calls.append(1) or overview_png(*a, **k))
    answer = mnb.Session(discs()).ask("how many nuclei?")
    assert not calls
    assert answer.png is answer.png
    assert len(answer.png) < 60_000  # a thumbnail, even of noise
    assert len(calls) == 1
    assert np.isfinite(answer.value)
