"""What is rare among a row's objects is kept, and a text that names it finds the row."""

import numpy as np
import pytest

from micro_nb.tasks.search.concept_space import implied
from micro_nb.tasks.search.query import read_text, told_apart
from micro_nb.tasks.search.terms import read_terms
from micro_nb.tasks.search.vectors import KEPT, best_cosines, exemplars, object_grades


def crowd(rng, n, rare=0, d=32):
    """Unit vectors of one kind, the last ``rare`` of another."""
    v = np.eye(d)[np.r_[np.zeros(n - rare, int), np.ones(rare, int)]] + rng.normal(0, 0.05, (n, d))
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def test_the_one_that_differs_is_kept():
    kept = exemplars(crowd(np.random.default_rng(0), 200, rare=1))
    assert kept.shape == (KEPT, 32)
    assert (kept.astype(float) @ np.eye(32)[1]).max() > 0.9


def test_rows_without_objects_are_known_and_come_last():
    rng = np.random.default_rng(0)
    kept = np.stack([exemplars(crowd(rng, 50, rare=5)), exemplars(crowd(rng, 50)), exemplars(np.zeros((0, 32)))])
    grades = object_grades(kept, kept, np.eye(32)[[1]])
    assert np.isnan(best_cosines(kept, np.eye(32)[[1]])[2, 0])
    assert grades[0] > 2 * grades[1] > grades[2]


def test_an_index_of_no_objects_at_all_grades_all_alike():
    kept = np.zeros((3, KEPT, 8), np.float16)
    grades = object_grades(kept, kept, np.eye(8)[:1])
    assert len(set(grades)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("target cells", ("target cells",)),
        ("echinocytes / burr cells", ("echinocytes burr cells",)),
        ("a smear with WBCs", ("WBCs",)),
        ("phase contrast bacteria", ()),
        ("brown stained tissue", ()),
    ],
)
def test_words_for_what_the_model_tells_apart(text, words):
    assert told_apart(text, {"target cell", "burr cell", "white blood cell"}) == words


@pytest.mark.parametrize(
    ("text", "modality"),
    [
        ("DAPI", "fluorescence"),
        ("Hoechst stained nuclei", "fluorescence"),
        ("DAPI in confocal microscopy", None),
        ("nuclei", None),
    ],
)
def test_a_stain_says_how_was_looked(text, modality):
    query = read_text(text, lambda texts: np.ones((len(texts), 4), np.float32))
    assert (modality in implied(query.concepts, "modality")) if modality else not implied(query.concepts, "modality")


@pytest.mark.parametrize("text", ["cells with a pale centre", "dark rims", "red cells, pale center", "cells with a bright halo"])
def test_the_look_of_a_part_is_not_that_of_the_object(text):
    assert not read_terms(text)


@pytest.mark.parametrize(("text", "words"), [("pale cells", ["pale"]), ("pale erythrocytes", []), ("faint nuclei", ["faint"])])
def test_a_look_that_is_part_of_a_name_is_not_measured(text, words):
    query = read_text(text, lambda texts: np.ones((len(texts), 4), np.float32))
    assert [t.words for t in query.terms] == words
