"""The panel shows what is asked in it, shares one conversation with the session, and is readable without a kernel."""

import json
import threading
import time

import nbformat
import numpy as np
import pytest
import xarray as xr
from nbformat.v4 import new_code_cell, new_notebook

import micro_nb as mnb
from micro_nb.face.mime import VIEW
from micro_nb.face.pointing import about_pointed
from micro_nb.progress import Progress
from micro_nb.session import Understood, parse

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def pixels():
    made = np.full((60, 80), 20, "uint8")
    made[20:40, 20:40] = 200
    made[5:12, 60:70] = 180
    return made


@pytest.fixture
def chat(pixels):
    return mnb.Session(mnb.open_image(pixels), eyes="floor", log=False)


def listening(panel):
    panel.told = []
    panel.tell = lambda kind, buffers=(), **content: panel.told.append((kind, content))
    return panel


def ask(panel, kind, **content):
    panel._received(panel, json.loads(json.dumps({"type": kind, **content})), [])


def told(panel, kind):
    return [content for k, content in panel.told if k == kind]


def wait(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def asked(panel, question, **more):
    n = len(told(panel, "ended"))
    ask(panel, "ask", text=question, **more)
    wait(lambda: len(told(panel, "ended")) > n)


def test_a_typed_question_is_shown_at_once_and_answered_in_the_session(chat):
    panel = listening(mnb.ChatPanel(chat))
    asked(panel, 'pixels("max")')
    kinds = [kind for kind, _ in panel.told]
    assert kinds.index("asked") < kinds.index("turn") < kinds.index("ended")
    turn = told(panel, "turn")[0]
    assert {"text": "200", "e": 0} in turn["parts"]
    assert turn["understood"] == 'pixels("max")'
    assert [t.answer.value for t in chat] == [200]


def test_both_ways_of_asking_are_one_conversation(chat):
    chat.ask('pixels("max")')
    panel = listening(mnb.ChatPanel(chat))
    ask(panel, "hello")
    chat.ask('image("bit_depth")')
    panel.ask('pixels("mean")')
    assert [t["k"] for t in told(panel, "turn")] == [0, 1, 2]


def test_the_kernel_is_free_while_something_is_measured_and_it_can_be_stopped(chat, monkeypatch):
    begun = threading.Event()

    def slow(question, **more):
        with Progress("finding objects", 1000, "tiles") as progress:
            for _ in range(1000):
                progress.advance()
                begun.set()
                time.sleep(0.02)

    monkeypatch.setattr(chat, "ask", slow)
    panel = listening(mnb.ChatPanel(chat))
    ask(panel, "ask", text="how many?")
    assert begun.wait(5)
    wait(lambda: any(p["done"] > 5 for p in told(panel, "progress")))
    assert told(panel, "progress")[0]["total"] == 1000
    ask(panel, "stop")
    wait(lambda: told(panel, "ended"))
    assert told(panel, "failed")[0]["text"] == "Stopped."
    with Progress("something else", 1) as after:
        assert after._outermost, "what was stopped holds no lock"


def test_what_goes_wrong_is_said_and_the_next_question_is_answered(chat, monkeypatch):
    panel = listening(mnb.ChatPanel(chat))
    with monkeypatch.context() as patch:
        patch.setattr(chat, "ask", lambda *a, **k: 1 / 0)
        asked(panel, "how many?")
    assert "ZeroDivisionError" in told(panel, "failed")[0]["text"]
    asked(panel, 'pixels("max")')
    assert len(told(panel, "turn")) == 1


def test_other_readings_are_asked_as_they_are_under_the_same_words(chat, monkeypatch):
    read = Understood((parse('pixels("max")'),), 0.2, ((parse('image("bit_depth")'),), (parse('pixels("min")'),)))
    monkeypatch.setattr("micro_nb.session.session.understand", lambda question, before=(): read)
    panel = listening(mnb.ChatPanel(chat))
    asked(panel, "how far does it go?")
    offered = told(panel, "turn")[0]["alternatives"]
    assert [calls for _, calls in offered] == [['image("bit_depth")'], ['pixels("min")']]
    assert [words for words, _ in offered] == ["the bit depth of the image", "the min of the grey values"]
    asked(panel, "how far does it go?", calls=['image("bit_depth")'])
    assert [t.question for t in chat] == ["how far does it go?"] * 2
    assert chat.turns[-1].answer.value == 8


def test_a_number_opens_its_card_and_is_measured_again(chat):
    panel = listening(mnb.ChatPanel(chat))
    asked(panel, 'count("object")')
    ask(panel, "card", turn=0, e=0)
    card = told(panel, "card")[0]
    rows = dict(card["rows"])
    assert rows["value"] == "2"
    assert rows["expression"] == 'count("object")'
    assert rows["function"].startswith("count, micro_nb")
    assert "measure('count(\"object\")')" in card["code"]
    ask(panel, "again", turn=0, e=0)
    wait(lambda: told(panel, "verdict"))
    assert told(panel, "verdict")[0]["verdict"] == "identical"


def test_suggestions_go_on_from_the_last_answer(chat):
    panel = listening(mnb.ChatPanel(chat))
    ask(panel, "hello")
    assert told(panel, "suggest")[-1]["suggestions"][0]["text"] == "How many nuclei are there?"
    asked(panel, 'count("object")')
    assert told(panel, "suggest")[-1]["suggestions"][0]["calls"] == ['how(count("object"))']


def test_hostile_questions_are_shown_as_text(chat):
    panel = listening(mnb.ChatPanel(chat))
    asked(panel, HOSTILE)
    assert told(panel, "turn")[0]["question"] == HOSTILE
    assert "<script" not in panel.still()["text/html"]
    assert "<img src=x" not in panel.still()["text/html"]


def test_what_is_no_message_does_nothing(chat):
    panel = listening(mnb.ChatPanel(chat))
    ask(panel, "card", turn=7, e=0)
    ask(panel, "ask", text="   ")
    ask(panel, "nonsense")
    assert {kind for kind, _ in panel.told} == {"notice"}
    assert chat.turns == []


# -- with a viewer ----------------------------------------------------------------------------------------------------------


def test_a_viewer_is_told(chat):
    class Viewer:
        seen = ()

        def show(self, answer, evidence=None):
            self.seen = (*self.seen, (answer, evidence))

    viewer = Viewer()
    panel = listening(mnb.ChatPanel(chat, viewer=viewer))
    answer = panel.ask('image("bit_depth")')
    ask(panel, "card", turn=0, e=0)
    assert viewer.seen == ((answer, None), (answer, 0))


def test_a_drawn_region_is_this(pixels):
    desk = mnb.Desk(pixels, eyes="floor", log=False)
    listening(desk.viewer)
    ask(desk.viewer, "draw", shape={"id": "a", "kind": "box", "name": "corner", "points": [[0, 50], [20, 80]]})
    answer = desk.ask('count(obj("object", where="this"))')
    assert answer.value == 1
    assert desk.ask("How many objects are in this region?").value == 1
    assert told(desk.viewer, "go"), "the viewer went there"


def test_a_clicked_object_is_it(pixels):
    labels = xr.DataArray((pixels > 100).astype("i4") + (np.arange(80) > 50) * (pixels > 100), dims=("y", "x"))
    img = mnb.open_image(pixels)
    desk = mnb.Desk(img, mnb.Objects.from_labels(img, labels), log=False)
    ask(desk.viewer, "pick", rows=[1])
    assert desk.viewer.pointed_kind == "object"
    answer = desk.ask("What is its area?")
    assert answer.value == 70
    assert str(answer.calls[0]) == 'stat("area", "value", obj("object", where="this"))'


def test_a_question_about_something_else_is_left_as_it_is():
    assert about_pointed("How many cells are there?", [parse('count("cell")')], kind="cell") is None
    assert about_pointed("Is this image sharp?", [parse('quality("focus")')], kind="cell") is None
    assert about_pointed("and here?", [parse('count(obj("cell", where="this"))')]) is None
    assert [str(c) for c in about_pointed("how bright is it?", [parse('pixels("mean")')], kind="cell")] == [
        'pixels("mean", where="this")'
    ]


def test_corrected_objects_are_counted_from_then_on(pixels):
    img = mnb.open_image(pixels)
    labels = xr.DataArray((pixels > 100).astype("i4") + (np.arange(80) > 50) * (pixels > 100), dims=("y", "x"))
    desk = mnb.Desk(img, mnb.Objects.from_labels(img, labels), log=False)
    assert desk.ask('count("object")').value == 2
    desk.viewer.delete([0])
    assert desk.ask('count("object")').value == 1


# -- without a kernel -------------------------------------------------------------------------------------------------------


def test_without_a_kernel_the_transcript_is_read(chat):
    panel = mnb.ChatPanel(chat)
    panel.ask('count("object")')
    data, _ = panel._repr_mimebundle_()
    assert {VIEW, "text/html", "text/plain"} <= set(data)
    assert 'count("object")' in data["text/plain"]


def test_an_image_will_do(pixels):
    assert mnb.ChatPanel(mnb.open_image(pixels)).chat.img.sizes == {"y": 60, "x": 80}
    with pytest.raises(TypeError, match="about no image"):
        mnb.Desk(mnb.Session(log=False))


def test_a_report_shows_the_conversation_and_the_picture(tmp_path):
    code = (
        "import numpy as np, micro_nb as mnb\n"
        "desk = mnb.Desk(np.zeros((8, 8), 'uint8'), eyes='floor', log=False)\n"
        "desk.ask('image(\"bit_depth\")')\ndesk"
    )
    nbformat.write(new_notebook(cells=[new_code_cell(code)]), tmp_path / "n.ipynb")
    page = mnb.report(tmp_path / "n.ipynb", tmp_path / "n.html").read_text()
    assert 'image("bit_depth")' in page
    assert "8</span> bits" in page or "8 bits" in page
    assert page.count("data:image/png") == 1
