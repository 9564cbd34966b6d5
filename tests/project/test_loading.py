"""Micro-D1 is loaded behind one line that goes away, and without what takes long to import."""

import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from micro_nb import progress
from micro_nb.progress import Progress, loading
from micro_nb.settings import settings

SLOW = ("transformers", "scipy.stats", "scipy.optimize", "sklearn", "torch._dynamo", "IPython", "matplotlib")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=shown, modules=sys.modules))
    monkeypatch.setattr(settings, "progress", True)
    return shown


def test_a_line_says_what_is_loaded_and_is_erased(terminal):
    with loading("loading Micro-D1"):
        assert terminal.getvalue().endswith("loading Micro-D1 ...")
    assert terminal.getvalue().endswith("\r\x1b[2K")


def test_nothing_is_said_where_progress_is_off_or_other_work_is_shown(terminal):
    settings.progress = False
    with loading("loading Micro-D1"):
        pass
    assert terminal.getvalue() == ""
    settings.progress = True
    with Progress("looking", 1):
        before = terminal.getvalue()
        with loading("loading Micro-D1"):
            pass
        assert terminal.getvalue() == before


def test_an_error_while_loading_ends_the_line_and_later_work_is_shown(terminal):
    with pytest.raises(RuntimeError), loading("loading Micro-D1"):
        raise RuntimeError
    with Progress("looking", 1):
        assert "looking: 0 of 1" in terminal.getvalue()


def test_looking_takes_nothing_that_is_slow_to_import():
    code = f"import sys, micro_nb as mnb; mnb.parse; mnb.load_model(); print([m for m in {SLOW!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
