import gc
import weakref

import numpy as np
import pytest
from IPython.core.error import UsageError

import micro_nb as mnb
from micro_nb.face.magics import Asker, load


class Shell:
    """The part of IPython's shell that the magic touches."""

    def __init__(self, **names):
        self.user_ns = names
        self.magics = {}

    def register_magic_function(self, function, magic_kind, magic_name):
        self.magics[magic_name] = (function, magic_kind)


def image(value=7):
    return mnb.open_image(np.full((40, 60), value, np.uint8))


def test_loading_registers_one_line_and_cell_magic():
    shell = Shell()
    load(shell)
    function, kind = shell.magics["ask"]
    assert kind == "line_cell"
    assert callable(function)


def test_a_question_goes_to_the_named_image_and_its_session_is_kept():
    asker = Asker(Shell(a=image(7), b=image(9)))
    assert asker.ask("a", 'pixels("max")').value == 7
    assert asker.ask('b pixels("max")').value == 9
    assert asker.ask("a", 'pixels("mean")').value == 7


def test_the_only_image_needs_no_name():
    img = image()
    assert Asker(Shell(img=img, same=img, _hidden=image(), n=3)).ask('pixels("max")').value == 7


def test_a_plain_name_in_braces_is_filled_in_and_nothing_else():
    asker = Asker(Shell(which="largest"))
    assert asker.fill("the {which} value") == "the largest value"
    for text in ("{1 + 1}", "{which.upper()}", "{unknown}", "{__import__('os')}"):
        with pytest.raises(UsageError, match="plain names"):
            asker.fill(text)


@pytest.mark.parametrize(("line", "cell"), [("nope", "How many?"), ("", ""), ("How many?", None)])
def test_an_unclear_request_says_how_it_is_done(line, cell):
    with pytest.raises(UsageError, match="%%ask"):
        Asker(Shell(a=image(), b=image())).ask(line, cell)


def test_a_session_given_by_name_is_used():
    chat = mnb.Session(image())
    Asker(Shell(chat=chat)).ask("chat", 'pixels("max")')
    assert len(chat.turns) == 1


def test_an_image_that_is_gone_is_let_go():
    shell = Shell(img=image())
    asker = Asker(shell)
    asker.ask('pixels("max")')
    gone = weakref.ref(shell.user_ns.pop("img"))
    gc.collect()
    assert gone() is None
