# ruff: noqa: D103
"""The model card says what was measured, marks what was trained on, and shows failures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "tests/learn"))  # its labelled folders

from labelled_sets import Oracle, boxes_folder, masks_folder
from words.card import About, Source, write_card

from micro_nb.errors import WriteError
from micro_nb.learn.evaluate import evaluate

ABOUT = About("Micro-D1 nano", "Eyes for microscopy.", ("Counting nuclei.",), ("Thick sections.",), facts={"parameters": "3 M"})
SOURCES = [Source("plates", "fluorescence", "masks", "8", "CC0 1.0", "some|where <b>")]


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    smears, plates = boxes_folder(root), masks_folder(root)
    return [evaluate(plates, parse=Oracle(lost=1), prompts="disc"), evaluate(smears, parse=Oracle(lost=1), against=[plates])]


def test_a_card_holds_data_figures_intervals_failures_and_the_warning(tmp_path, evaluations):
    text = write_card(tmp_path, evaluations, about=ABOUT, sources=SOURCES, pictures=3).read_text()
    assert text.startswith("---\nlicense: bsd-3-clause\n")
    assert "Not for diagnosis" in text
    assert "CC0 1.0" in text
    main = evaluations[0].figures["ap50"]
    assert f"{main.value:.3f} [{main.low:.3f}, {main.high:.3f}]" in text
    assert "red blood cell" in text
    assert "AUROC" in text
    pictures = sorted(p.name for p in (tmp_path / "failures").iterdir())
    assert pictures == ["plates_0.png", "plates_1.png", "smears_0.png"]
    assert all(f"(failures/{name})" in text for name in pictures)
    assert "It was not checked" in text


def test_text_of_files_cannot_break_the_card(tmp_path, evaluations):
    text = write_card(tmp_path, evaluations[:1], about=ABOUT, sources=SOURCES).read_text()
    assert r"some\|where \<b\>" in text
    assert "<b>" not in text.replace(r"\<b\>", "")


def test_contaminated_figures_are_marked_on_the_card(tmp_path, evaluations):
    from dataclasses import replace

    from micro_nb.learn.evaluation import Contamination

    dirty = replace(evaluations[0], contamination=Contamination(True, "list", ("images/0.png",)))
    text = write_card(tmp_path, [dirty], about=ABOUT, sources=SOURCES).read_text()
    assert "| plates (!) |" in text
    assert "**(!)** marks figures on pictures that were trained on (plates)" in text


def test_a_card_without_figures_or_folder_is_refused(tmp_path, evaluations):
    with pytest.raises(ValueError, match="at least one evaluation"):
        write_card(tmp_path, [], about=ABOUT, sources=SOURCES)
    with pytest.raises(WriteError, match="no such folder"):
        write_card(tmp_path / "none", evaluations, about=ABOUT, sources=SOURCES)
