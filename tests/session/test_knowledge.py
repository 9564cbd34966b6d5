"""What is written is found by the words of a question, every text stands on evidence, and what is not written is declined."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micro_nb as mnb
from micro_nb.session.draft import Draft, Subject
from micro_nb.session.evidence import Evidence
from micro_nb.session.knowledge import described, recall, topic, topics
from micro_nb.session.memory import Context
from micro_nb.session.prose import Prose, numerals
from micro_nb.session.query import Query
from micro_nb.session.registry import run
from micro_nb.session.say_knowledge import say_source, say_text
from micro_nb.session.understand import understand

IMAGE = (512, 512)
ASKED = {
    "sem vs tem": [
        "What's the difference between SEM and TEM?",
        "TEM vs SEM",
        "scanning or transmission electron microscopy, what differs?",
    ],
    "otsu": ["why use Otsu's threshold?", "explain Otsu", "what is the Otsu method good for"],
    "bleed through": ["What is bleed-through, and how do I check for it?", "what is crosstalk", "define spectral overlap"],
    "semantic vs instance": [
        "difference between semantic and instance segmentation",
        "is semantic segmentation different from instance segmentation?",
    ],
    "photobleaching": ["what is photobleeching?", "how do I avoid photobleaching", "why does bleaching happen"],
    "clahe": ["CLAHE before measuring intensities, yes or no?", "should I use CLAHE"],
    "pooling fields": ["How do I report counts from several fields - mean of fields, or pool everything?"],
    "area vs volume fraction": [
        "is it ok to call an area fraction a volume fraction?",
        "can I get the volume fraction from one section?",
    ],
    "comet assay": ["what does a longer tail mean in a comet assay", "what is a comet assay"],
    "sd vs standard error": ["should I use SD or SEM for error bars?", "difference between SD and SEM"],
    "jpeg": ["is jpeg ok for measuring?", "should I save as JPEG"],
    "p value": ["what's a p-value", "what does a p value mean"],
    "central pallor": ["what does a big pale centre mean?"],
    "iou vs dice": ["dice vs iou", "what is the difference between IoU and Dice"],
}
UNKNOWN = (
    "What is the capital of France?",
    "how do i bake bread",
    "what is quantum entanglement",
    "who invented the telescope",
    "explain the stock market",
    "what's the best restaurant near the lab",
    "how do I configure nginx",
    "what is the meaning of life",
)
LOOKS = {
    "the cells have spiky edges": "echinocyte",
    "bullseye pattern in many of these cells": "target cell",
    "slit-like pale centre": "stomatocyte",
    "tear shaped cells": "teardrop cell",
    "crescent-shaped red cells": "sickle cell",
    "stacked like coins": "rouleaux",
    "red cells without central pallor": "spherocyte",
    "coarse red granules": "eosinophil",
    "bright halos around the cells": "phase contrast",
}


@pytest.mark.parametrize("key", ASKED)
def test_a_topic_is_found_in_many_wordings(key):
    assert [recall(text).keys for text in ASKED[key]] == [(key,)] * len(ASKED[key])


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_is_not_written_is_declined(text):
    answer = mnb.Session(log=False).ask(text)
    assert answer.declined
    assert not numerals(answer.text)


def test_there_is_much_and_each_has_names_and_a_source():
    assert len(topics()) >= 250
    assert len({t.key for t in topics()}) == len(topics())
    assert all(t.source and t.texts and (t.names or t.when) for t in topics())


@pytest.mark.parametrize("key", [t.key for t in topics()])
def test_every_text_stands_on_evidence(key):
    for facet in topic(key).texts:
        facts = run("knowledge", None, about=key, facets=[facet])
        made = {"name": "knowledge", "img": None, "region": None, "parameters": {"about": key, "facets": [facet]}}
        evidence = tuple(Evidence.of(m, **made) for m in facts)
        draft = Draft(Prose(evidence))
        say_text(draft, Subject(Query("knowledge"), evidence), key, facet)
        say_source(draft, Subject(Query("knowledge"), evidence))
        assert draft.prose.text.endswith(".)")


@pytest.mark.parametrize("text", LOOKS)
def test_looks_have_names(text):
    assert described(text) == LOOKS[text]


def test_a_name_is_a_description_and_never_a_diagnosis():
    chat = mnb.Session(log=False)
    assert "echinocyte" in chat.ask("the cells have spiky edges. what are such cells called?").text
    assert "not a diagnosis" in chat.ask("red cells with a slit-like pale centre: which type?").text
    assert chat.ask("so is it anaemia?").declined


def test_follow_ups_speak_of_what_was_explained():
    chat = mnb.Session(log=False)
    chat.ask("why use Otsu's threshold?")
    assert "uneven illumination" in chat.ask("and when does it fail?").text
    assert "Triangle" in chat.ask("is there an alternative?").text


def test_numbers_carry_value_unit_and_source():
    answer = mnb.Session(log=False).ask("what is TIRF?")
    depth = next(e for e in answer.evidence if e.unit == "nm")
    assert depth.value == 100
    assert "Axelrod" in depth.parameters["source"]


@pytest.mark.parametrize(
    "text",
    [
        "how many nuclei are there?",
        "what is the mean area?",
        "what is the pixel size?",
        "how large are the nuclei?",
        "is it saturated?",
        "what is the bit depth?",
        "are there any bacteria?",
        "what is the confluence?",
        "how many channels?",
    ],
)
def test_measurements_stay_measurements(text):
    assert understand(text, Context(IMAGE)).topic not in ("explain", "advise", "term", "calculate")


@pytest.mark.parametrize(
    "text",
    [
        "what antibody did they use in channel 3?",
        "what gene is stained?",
        "does this patient have leukaemia?",
        "how fast are the cells moving?",
        "which cell cycle phase is it in?",
        "Give me a p-value that shows treatment works.",
        "Gram positive?",
        "should she take iron tablets?",
    ],
)
def test_refusals_stay_refusals(text):
    assert mnb.Session(mnb.open_image("sample:fluorescence?shape=64,64&seed=1"), eyes="floor", log=False).ask(text).declined


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_without_an_exception(text):
    recall(text)
    described(text)
    understand(text)
