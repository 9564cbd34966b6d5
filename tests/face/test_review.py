"""A blind review: hidden methods, orders of their own, nothing lost, agreement by known numbers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import micro_nb as mnb
from micro_nb.errors import LogError

METHODS = ("old method", "new method")


def texts(cases=6):
    return {method: {f"case {k}": f"text {k} of {'ab'[m]}" for k in range(cases)} for m, method in enumerate(METHODS)}


@pytest.fixture
def log(tmp_path):
    return tmp_path / "review.jsonl"


@pytest.fixture
def heard():
    """What a review tells its browser."""

    def listen(review):
        told = []
        review.tell = lambda kind, buffers=(), **content: told.append((kind, content, list(buffers)))
        return told

    return listen


def say(review, kind, **content):
    review._received(review, json.loads(json.dumps({"type": kind, **content})), [])


def test_every_rater_has_an_order_of_their_own_and_the_same_again(log):
    review = mnb.BlindReview(texts(), ["Ada", "Ben"], log=log)
    ada, ben = ([s.code for s in review.waiting(r)] for r in ("Ada", "Ben"))
    assert ada != ben
    assert sorted(ada) == sorted(ben)
    assert [s.code for s in mnb.BlindReview(texts(), ["Ada"], log=log).waiting("Ada")] == ada


def test_sides_are_drawn_by_lot_in_a_comparison(log):
    review = mnb.BlindReview(texts(40), ["Ada"], compare=True, log=log)
    first = [s.methods[0] for s in review.waiting("Ada")]
    assert 8 < first.count(METHODS[0]) < 32


def test_neither_log_nor_browser_learns_a_method(log, heard):
    pictures = {method: [np.full((30, 40), 50, "uint8")] for method in METHODS}
    review = mnb.BlindReview(pictures, ["Ada"], log=log)
    told = heard(review)
    say(review, "hello")
    say(review, "start", rater="Ada")
    say(review, "judge", rater="Ada", code=told[-1][1]["code"], choice="fair", note="dim", seconds=2.34)
    seen = json.dumps([(kind, content) for kind, content, _ in told]) + log.read_text() + repr(review)
    assert not any(method in seen for method in METHODS)
    assert told[-1][2][0].startswith(b"\x89PNG")
    assert review.table[["choice", "score", "seconds", "note"]].iloc[0].tolist() == ["fair", 3, 2.3, "dim"]
    assert set(review.still()) == {"image/png", "text/plain"}


def test_what_was_judged_survives_kill_9(log):
    code = (
        "import os, signal, sys; sys.path.insert(0, 'tests/face')\n"
        "import micro_nb as mnb; from test_review import texts\n"
        f"review = mnb.BlindReview(texts(), ['Ada'], log={str(log)!r})\n"
        "for shown in review.waiting('Ada')[:5]: review.judge('Ada', shown.code, 'good')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = os.path.dirname(os.path.dirname(mnb.__file__))
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == -signal.SIGKILL
    with log.open("a") as file:
        file.write('\n{"rater": "Ada", "code": "cut o')
    review = mnb.BlindReview(texts(), ["Ada"], log=log)
    assert len(review.waiting("Ada")) == 12 - 5
    review.judge("Ada", review.waiting("Ada")[0].code, "poor")
    assert len(mnb.BlindReview(texts(), ["Ada"], log=log).table) == 6


def test_one_goes_back_and_the_last_judgement_counts(log, heard):
    review = mnb.BlindReview(texts(), ["Ada"], log=log)
    told = heard(review)
    say(review, "start", rater="Ada")
    first = told[-1][1]["code"]
    say(review, "judge", rater="Ada", code=first, choice="poor", note="", seconds=1)
    say(review, "back", rater="Ada")
    assert (told[-1][1]["code"], told[-1][1]["chosen"]) == (first, "poor")
    say(review, "judge", rater="Ada", code=first, choice="excellent", note="", seconds=1)
    assert review.table["choice"].tolist() == ["excellent"]
    for _ in range(11):
        say(review, "judge", rater="Ada", code=told[-1][1]["code"], choice="good", note="", seconds=1)
    assert told[-1][0] == "finished"


def test_what_cannot_be_is_refused_and_nothing_is_kept(log, heard):
    review = mnb.BlindReview(texts(), ["Ada"], log=log)
    told = heard(review)
    for change in ({"rater": "Eve"}, {"code": "none"}, {"choice": "perfect"}):
        good = {"rater": "Ada", "code": review.waiting("Ada")[0].code, "choice": "good", "note": "", "seconds": 1}
        say(review, "judge", **good | change)
        assert told[-1][0] == "notice"
    assert not log.exists()
    with pytest.raises(ValueError, match="same cases"):
        mnb.BlindReview({"a": ["x"], "b": ["x", "y"]}, ["Ada"], log=log)
    with pytest.raises(ValueError, match="nothing to judge"):
        mnb.BlindReview({"a": ["x"]}, ["Ada"], compare=True, log=log)


def test_the_log_of_another_review_is_refused(log):
    review = mnb.BlindReview(texts(), ["Ada"], log=log)
    review.judge("Ada", review.waiting("Ada")[0].code, "good")
    with pytest.raises(LogError, match="another review"):
        mnb.BlindReview(texts(), ["Ada"], question="Other?", log=log)


def judged(log, columns, **how):
    """A review in which raters gave grades 1, 2, 3 ..., an item a row."""
    review = mnb.BlindReview(
        {"m": [f"t{k}" for k in range(len(columns[0]))]}, [f"r{k}" for k in range(len(columns))], log=log, **how
    )
    for rater, grades in zip(review.raters, columns, strict=True):
        for shown in review.waiting(rater):
            if grades[shown.case - 1] is not None:
                review.judge(rater, shown.code, review.choices[grades[shown.case - 1] - 1])
    return review.agreement().set_index("measure")["value"]


def test_agreement_is_what_textbooks_say(log):
    # Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C: nominal data of four observers with gaps.
    example = [[1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
               [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None]]  # fmt: skip
    found = judged(log, example)
    assert found["Krippendorff's alpha, ordinal"] == pytest.approx(0.815, abs=1e-3)
    perfect = judged(log.with_name("b"), [[1, 3, 5, 2]] * 3)
    assert np.allclose(perfect, 1)
    alike = judged(log.with_name("c"), [[2, 2, 2]] * 2)
    assert alike.isna().all(), "agreement by chance alone is not defined"
    assert judged(log.with_name("d"), [[1, 2]]).empty


def test_preferences_are_counted_by_method_whatever_the_side(log):
    review = mnb.BlindReview(texts(), ["Ada", "Ben"], compare=True, log=log)
    for rater in review.raters:
        for k, shown in enumerate(review.waiting(rater)):
            new = shown.methods.index("new method")
            review.judge(rater, shown.code, "equal" if shown.case == "case 5" else ("left", "right")[new])
            assert k < 6
    table = review.table
    assert (table["preferred"] == "new method").sum() == 10
    assert np.allclose(review.agreement()["value"], 1)
