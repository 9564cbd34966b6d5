"""An exported conversation is a notebook that measures the same again, or JSON that holds it all."""

import json

import nbformat
import pytest
import tifffile
from nbclient import NotebookClient
from scenes import discs, on_the_floor  # noqa: F401

import micro_nb as mnb
from micro_nb.errors import LogError
from micro_nb.session.answer import Answer
from micro_nb.session.log.book import load
from micro_nb.session.log.export import export


@pytest.fixture
def talk(tmp_path):
    tifffile.imwrite(tmp_path / "discs.tif", discs().read())
    chat = mnb.Session(mnb.open_image(tmp_path / "discs.tif", pixel_size=0.5), log=tmp_path / "log.sqlite")
    for question in ('count(obj("nucleus", where="left"))', 'stat("area", "mean", "nucleus")', 'decline("diagnosis")'):
        chat.ask(question)
    return chat, load(chat.id, tmp_path / "log.sqlite")


def test_the_notebook_measures_again_what_it_says(talk, tmp_path):
    chat, logged = talk
    out = export(logged, tmp_path / "talk.ipynb")
    book = nbformat.read(out, as_version=4)
    nbformat.validate(book)
    told = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert 'count(obj("nucleus", where="left"))' in told
    assert "| measured | value |" in told
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    printed = "".join(o.get("text", "") for c in book.cells if c.cell_type == "code" for o in c.outputs)
    for turn in chat.turns:
        for e in turn.answer.evidence:
            assert f"{e.quantity} {e.value} {e.unit}" in printed


def test_json_holds_answers_that_can_be_read_back(talk, tmp_path):
    chat, logged = talk
    found = json.loads(export(logged, tmp_path / "talk.json").read_text())
    assert found["session"] == chat.id
    assert [Answer.from_dict(t["answer"]) for t in found["turns"]] == [t.answer for t in chat.turns]


def test_only_these_two(talk, tmp_path):
    with pytest.raises(LogError, match=r"\.ipynb or \.json"):
        export(talk[1], tmp_path / "talk.txt")


def test_answers_have_the_same_content_in_every_form(talk):
    answer = talk[0].turns[0].answer
    assert answer.text in answer.to_markdown()
    assert answer.to_json() == json.dumps(answer.to_dict(), ensure_ascii=False, indent=2)
    assert "data:image/png;base64," in answer.to_markdown(picture=True)
    assert "data:image/png;base64," not in answer.to_markdown()
    assert "number of nuclei" in answer.to_html()


def test_assistants_read_short_markdown(talk):
    chat, _ = talk
    told = chat.turns[0].answer._ai_repr_()
    assert set(told) == {"text/plain", "text/markdown"}
    assert f"- number of nuclei {chat.turns[0].answer.value} left half" in told["text/plain"]
    assert "image/png" in chat.turns[0].answer._ai_repr_(multimodal=True)
    assert 'count(obj("nucleus"' in chat._ai_repr_()["text/plain"]
    assert "0.5 µm" in chat.img._ai_repr_()["text/plain"]
    assert "image/png" in chat.img._ai_repr_(multimodal=True)
    objects = mnb.Objects.from_labels(chat.img, mnb.segment(chat.img))
    assert "| label | layer |" in objects._ai_repr_()["text/plain"]
