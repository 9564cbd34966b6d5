"""The panel shows what is asked in it, shares one conversation with the session, and is readable without a kernel."""

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import micro_nb as mnb
from micro_nb.face.widgets import VIEW
from micro_nb.session import Understood, parse


@pytest.fixture
def chat():
    pixels = np.full((60, 80), 20, "uint8")
    pixels[20:40, 20:40] = 200
    return mnb.Session(mnb.open_image(pixels), eyes="floor", log=False)


def shown(panel):
    return "".join(child.value if hasattr(child, "value") else child.children[0].value for child in panel._turns.children)


def test_typing_a_question_adds_question_and_answer(chat):
    panel = mnb.ChatPanel(chat)
    panel._line.value = 'pixels("max")'
    assert panel._line.value == ""
    assert not panel._line.disabled
    assert "<code>pixels(&quot;max&quot;)</code>" in shown(panel)
    assert ">200<" in shown(panel)
    assert len(chat) == 1


def test_both_ways_of_asking_are_one_conversation(chat):
    chat.ask('pixels("max")')
    panel = mnb.ChatPanel(chat)
    chat.ask('image("bit_depth")')
    panel.ask('pixels("mean")')
    assert len(panel._turns.children) == len(chat.turns) == 3


def test_hostile_questions_are_shown_as_text(chat):
    panel = mnb.ChatPanel(chat)
    panel.ask("<script>alert(1)</script><img src=x onerror=alert(2)>")
    assert "<script" not in shown(panel)
    assert "<img src=x" not in shown(panel)


def test_what_was_understood_is_said_and_other_readings_are_buttons(chat, monkeypatch):
    read = Understood((parse('pixels("max")'),), 0.2, ((parse('image("bit_depth")'),), (parse('pixels("min")'),)))
    monkeypatch.setattr("micro_nb.session.session.understand", lambda question, before=(): read)
    panel = mnb.ChatPanel(chat)
    panel.ask("how far does it go?")
    assert "<code>pixels(&quot;max&quot;)</code>" in shown(panel)
    buttons = panel._turns.children[0].children[1].children
    assert [b.description for b in buttons] == ['image("bit_depth")', 'pixels("min")']
    monkeypatch.undo()
    buttons[0].click()
    assert [t.question for t in chat] == ["how far does it go?", 'image("bit_depth")']
    assert chat.turns[-1].answer.value == 8
    assert len(panel._turns.children) == 2


def test_a_viewer_is_told(chat):
    class Viewer:
        def show(self, answer):
            self.told = answer

    viewer = Viewer()
    assert mnb.ChatPanel(chat, viewer=viewer).ask('image("bit_depth")') is viewer.told


def test_without_a_kernel_the_transcript_is_read(chat):
    panel = mnb.ChatPanel(chat)
    panel.ask('count("object")')
    data = panel._repr_mimebundle_()
    assert {VIEW, "text/html", "text/plain", "image/png"} <= set(data)
    assert 'count("object")' in data["text/plain"]
    with pytest.raises(TypeError, match="takes a Session"):
        mnb.ChatPanel(chat.img)


def test_a_report_shows_the_conversation(tmp_path):
    code = (
        "import numpy as np, micro_nb as mnb\n"
        "panel = mnb.ChatPanel(mnb.Session(mnb.open_image(np.zeros((8, 8), 'uint8')), eyes='floor', log=False))\n"
        "panel.ask('image(\"bit_depth\")')\npanel"
    )
    nbformat.write(new_notebook(cells=[new_code_cell(code)]), tmp_path / "n.ipynb")
    page = mnb.report(tmp_path / "n.ipynb", tmp_path / "n.html").read_text()
    assert 'image("bit_depth")' in page
    assert "8</span> bits" in page or "8 bits" in page
