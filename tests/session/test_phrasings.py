"""Phrasings of many people: most of every part must become exactly the Query that was meant."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
understanding = pytest.importorskip("understanding")
sys.path.pop(0)


def test_there_are_enough_families_and_wordings():
    families = list(understanding.families())
    assert len(families) >= 60
    assert min(len(f["wordings"]) for f in families) >= 8
    assert 0.3 <= sum(f["held_out"] for f in families) / len(families) <= 0.5


def test_the_grammar_reads_almost_all_of_them():
    for part, (right, n) in understanding.measured(understanding.understand).items():
        assert right / n >= 0.85, part
