"""The trained reader writes only well-formed queries, whatever its weights say."""

import pytest

from micro_nb.session.memory import Context
from micro_nb.session.query import Claim, Filter, Pick, Query
from micro_nb.session.reader.form import Law, query_of, row, vocabulary_of
from micro_nb.session.reader.phrasings import sampled
from micro_nb.session.reader.pieces import Pieces, words
from micro_nb.session.slots import part

SHAPE = (100, 200)
FAMILIES = [
    {"expect": {"task": "count", "target": "cell", "filters": [["area", ">", 60.0, "um2"]]},
     "wordings": ["how many cells are larger than 60 µm²", "cells above 60 um2?"]},
    {"expect": {"task": "locate", "target": "nucleus", "pick": ["area", "max", 1]}, "wordings": ["where is the largest nucleus"]},
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (Query("count", "cell", filters=(Filter("area", ">", 80.0, "um2"), Filter("touches_border", "is", False))), [80.0]),
        (Query("measure", "nucleus", "area", "mean", unit="um2", pick=Pick("intensity", "max", 2)), []),
        (Query("presence", "cell", "group", claim=Claim(">=", 3.0), region=part("left half", SHAPE)), [3.0]),
    ],
)
def test_a_query_survives_being_written_as_tokens(query, numbers):
    tokens = row(query, numbers)
    assert query_of(tokens, numbers, SHAPE) == query
    law = Law(vocabulary_of([tokens]))
    for k, token in enumerate(tokens):
        assert law.vocabulary.index(token) in law.allowed(tokens[:k], len(numbers))


def test_a_number_that_is_not_in_the_text_cannot_be_written():
    assert row(Query("count", filters=(Filter("area", ">", 80.0),)), [7.0]) is None
    law = Law(vocabulary_of([["task=count", "filter=area >  um2", "#0", "end"]]))
    assert not any(law.vocabulary[k].startswith("filter") for k in law.allowed(["task=count"], 0))


def test_words_fall_into_known_pieces():
    pieces = Pieces.learned(["how many cells", "how many nuclei"] * 3, merges=30)
    assert 1 not in pieces.ids("how many cells")
    assert words("Two cells > 80.5 µm²")[1] == [2.0, 80.5]


def test_drawn_phrasings_keep_their_meaning():
    for text, query in sampled(FAMILIES, 60, seed=2):
        assert row(query, words(text)[1]) is not None, text


def test_even_an_untrained_reader_writes_a_query(tmp_path):
    pytest.importorskip("torch")
    from micro_nb.session.reader.decoder import Decoder, train

    decoder = train(FAMILIES, minutes=0.01, examples=200)
    decoder.save(tmp_path)
    again = Decoder.load(tmp_path)
    for text in ("how many cells above 60 µm²", "", "zzz 12 345 ???"):
        query, sure = again.read(text, Context(SHAPE))
        assert isinstance(query, Query)
        assert 0 <= sure <= 1
