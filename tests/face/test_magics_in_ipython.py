"""``%%ask`` in a real IPython shell: extension, injection, rich output, errors without a traceback."""

import numpy as np
import pytest
from IPython.testing.globalipapp import start_ipython

import micro_nb as mnb


@pytest.fixture(scope="module")
def shell():
    shell = start_ipython()
    shell.run_line_magic("load_ext", "micro_nb")
    return shell


@pytest.fixture
def ip(shell, monkeypatch):
    monkeypatch.setitem(mnb.Session.__init__.__kwdefaults__, "eyes", "floor")
    y, x = np.mgrid[:120, :140]
    pixels = sum(150 * ((y - cy) ** 2 + (x - cx) ** 2 <= 81) for cy, cx in ((30, 30), (30, 100), (80, 40), (85, 110))) + 20
    shell.user_ns["img"] = mnb.open_image(pixels.astype("uint8"))
    yield shell
    shell.user_ns.pop("img")


def run(ip, cell):
    result = ip.run_cell(cell)
    result.raise_error()
    return result.result


def test_a_cell_asks_and_shows_all_forms(ip):
    answer = run(ip, '%%ask img\ncount("nucleus")')
    assert answer.value == 4
    data, _ = ip.display_formatter.format(answer)
    assert set(data) == {"text/html", "text/plain", "image/png"}


def test_a_line_asks_the_only_image_and_follow_ups_share_a_conversation(ip):
    run(ip, '%ask count(obj("nucleus", where="left"))')
    assert run(ip, '%ask count(obj("nucleus", where="right"))').text.endswith("right half.")
    assert ip.run_cell('kept = %ask image("bit_depth")').success
    assert ip.user_ns.pop("kept").value == 8


def test_names_in_braces_are_filled_in_and_nothing_is_run(ip):
    ip.user_ns["least"] = 50
    assert run(ip, '%%ask img\ncount(obj("nucleus", having="area > {least} px2"))').value == 4
    with pytest.raises(Exception, match="plain names"):
        run(ip, "%%ask img\nHow many are larger than {ip.exit()} px²?")
    with pytest.raises(Exception, match="plain names"):
        run(ip, "%ask How many are larger than {1 + 1} px²?")


def test_the_answer_is_kept_like_any_result(ip):
    ip.run_cell('%ask img image("bit_depth")', store_history=True)
    assert ip.user_ns["_"].value == 8


def test_hostile_values_are_shown_as_text(ip):
    ip.user_ns["which"] = "<script>alert(1)</script>"
    page = run(ip, '%%ask img\ncount("{which}")')._repr_mimebundle_()["text/html"]
    assert "<script" not in page


def test_wrong_use_says_how_it_is_done(ip):
    with pytest.raises(Exception, match="is not a variable that holds an image"):
        run(ip, "%%ask nothing\nHow many?")
