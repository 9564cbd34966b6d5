"""The panel shows what is asked in it, shares one conversation with the session, and is readable without a kernel."""

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import micro_nb as mnb
from micro_nb.face.widgets import VIEW


@pytest.fixture
def chat():
    pixels = np.full((60, 80), 20, "uint8")
    pixels[20:40, 20:40] = 200
    return mnb.Session(mnb.open_image(pixels), eyes="floor", log=False)


def shown(panel):
    return "".join(child.value for child in panel._turns.children)


def test_typing_a_question_adds_question_and_answer(chat):
    panel = mnb.ChatPanel(chat)
    panel._line.value = "What is the largest grey value?"
    assert panel._line.value == ""
    assert not panel._line.disabled
    assert "What is the largest grey value?" in shown(panel)
    assert ">200<" in shown(panel)
    assert len(chat) == 1


def test_both_ways_of_asking_are_one_conversation(chat):
    chat.ask("What is the largest grey value?")
    panel = mnb.ChatPanel(chat)
    chat.ask("bit depth?")
    panel.ask("and the mean grey value?")
    assert len(panel._turns.children) == len(chat.turns) == 3


def test_hostile_questions_are_shown_as_text(chat):
    panel = mnb.ChatPanel(chat)
    panel.ask("<script>alert(1)</script><img src=x onerror=alert(2)>")
    assert "<script" not in shown(panel)
    assert "<img src=x" not in shown(panel)


def test_a_viewer_is_told(chat):
    class Viewer:
        def show(self, answer):
            self.told = answer

    viewer = Viewer()
    assert mnb.ChatPanel(chat, viewer=viewer).ask("bit depth?") is viewer.told


def test_without_a_kernel_the_transcript_is_read(chat):
    panel = mnb.ChatPanel(chat)
    panel.ask("How many objects are there?")
    data = panel._repr_mimebundle_()
    assert {VIEW, "text/html", "text/plain", "image/png"} <= set(data)
    assert "How many objects" in data["text/plain"]
    with pytest.raises(TypeError, match="takes a Session"):
        mnb.ChatPanel(chat.img)


def test_a_report_shows_the_conversation(tmp_path):
    code = (
        "import numpy as np, micro_nb as mnb\n"
        "panel = mnb.ChatPanel(mnb.Session(mnb.open_image(np.zeros((8, 8), 'uint8')), eyes='floor', log=False))\n"
        "panel.ask('bit depth?')\npanel"
    )
    nbformat.write(new_notebook(cells=[new_code_cell(code)]), tmp_path / "n.ipynb")
    page = mnb.report(tmp_path / "n.ipynb", tmp_path / "n.html").read_text()
    assert "bit depth?" in page
    assert "8</span> bits" in page or "8 bits" in page
