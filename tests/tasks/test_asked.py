"""Prompts as people write them: the concept among its words, and what narrows it down."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import micro_nb as mnb
from micro_nb.tasks.asked import read
from micro_nb.tasks.names import Vocabulary

WORDS = (
    "nuclei",
    "cells",
    "of",
    "and",
    "large",
    "red",
    "white",
    "blood",
    "GFP+",
    "in",
    "no",
    "HeLa",
    "the",
    "steel",
    "(WBC)",
    ",",
)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.of(mnb.load_model())


@pytest.mark.parametrize("prompt", [
    "nuclei", "HeLa nuclei", "nuclei of HeLa cells", "the DAPI-stained nuclei", "nuclei in this image", "segment the nuclei",
    "Where are the cell nuclei?", "human nuclei", "individual nuclei", "nucleus (DAPI)", "nuclei, please", "DAPI stained nucelus",
])  # fmt: skip
def test_words_around_a_name_change_nothing(prompt: str, vocabulary: Vocabulary) -> None:
    asked = read(prompt, vocabulary)
    assert (asked.concept, asked.known, asked.unread) == ("nucleus", True, ())


@pytest.mark.parametrize(("prompt", "concept", "unread"), [
    ("large nuclei", "nucleus", ("large",)),
    ("apoptotic nuclei", "nucleus", ("apoptotic",)),
    ("nuclei that are touching", "nucleus", ("touching",)),
    ("tumour nuclei", "nucleus", ("tumour",)),
    ("Ki-67 positive nuclei", "nucleus", ("positive",)),
    ("GFP+ nuclei", "nucleus", ("GFP+",)),
    ("nucleus of a white blood cell", "nucleus", ("white blood cell",)),
    ("cells without nuclei", "cell", ("without", "nuclei")),
    ("cells with two nuclei", "cell", ("two", "nuclei")),
    ("mitochondria in neurons", "mitochondrion", ("neurons",)),
])  # fmt: skip
def test_a_word_that_narrows_it_down_is_said_to_be_unread(
    prompt: str, concept: str, unread: tuple[str, ...], vocabulary: Vocabulary
) -> None:
    asked = read(prompt, vocabulary)
    assert (asked.concept, asked.unread) == (concept, unread)


@pytest.mark.parametrize(("prompt", "concept"), [
    ("stained white blood cells in the smear", "white blood cell"),
    ("segment the white blod cells in this smear", "white blood cell"),
    ("carbides in steel", "carbide particle"),
    ("mitochondria in EM", "mitochondrion"),
    ("everything", "object"),
    ("myelinated axons in SEM", "myelinated axon"),
])  # fmt: skip
def test_the_head_of_a_phrase_is_what_is_asked_for(prompt: str, concept: str, vocabulary: Vocabulary) -> None:
    asked = read(prompt, vocabulary)
    assert (asked.concept, asked.unread) == (concept, ())


@pytest.mark.parametrize(
    "prompt", ["nuclei and mitochondria", "red and white blood cells", "nuclei, mitochondria", "foo bar", "no nuclei"]
)
def test_two_things_in_one_prompt_and_no_thing_are_no_concept(prompt: str, vocabulary: Vocabulary) -> None:
    asked = read(prompt, vocabulary)
    assert (asked.concept, asked.known) == (None, False)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)))
def test_any_text_is_read_and_nothing_is_said_of_words_that_are_not_there(vocabulary: Vocabulary, text: str) -> None:
    asked = read(text, vocabulary)
    assert asked.prompt == text
    assert all(word in text for word in asked.unread)
    assert asked.words in (text, "object") or asked.words in text


def test_parse_finds_the_same_objects_and_says_what_it_did_not_read() -> None:
    img = mnb.samples.fluorescence((256, 256), seed=3).image
    prompts = ("nuclei", "the DAPI-stained nuclei", "large nuclei", "cells and nuclei")
    plain, framed, large, two = (mnb.parse(img, [p]) for p in prompts)
    assert len(plain)
    assert np.array_equal(plain.labels, framed.labels)
    assert np.array_equal(plain.labels, large.labels)
    assert [p.presence["status"].iloc[0] for p in (plain, framed, large)] == ["present", "present", "not trained on this"]
    assert [p.presence["unread"].iloc[0] for p in (plain, framed, large)] == ["", "", "large"]
    assert two.presence[["read_as", "count"]].iloc[0].tolist() == ["", 0]
