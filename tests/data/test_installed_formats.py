"""Formats of other packages: asked for once a process, before the built-in ones."""

import numpy as np
import pytest

from micro_nb.data import formats
from micro_nb.data.open import open_image


class Point:
    """An entry point as ``importlib.metadata`` gives it."""

    def load(self):
        return formats.Format("mine", lambda location, head: head.startswith(b"MINE"), f"{__name__}:never")


@pytest.fixture
def asked(monkeypatch):
    calls = []
    monkeypatch.setattr(formats, "entry_points", lambda group: calls.append(group) or [Point()])
    formats._installed.cache_clear()
    yield calls
    formats._installed.cache_clear()


def test_what_is_installed_is_read_once_and_goes_first(asked):
    assert [f.name for f in formats.formats()] == ["mine", *(f.name for f in formats.BUILTIN)]
    list(formats.formats())
    assert asked == ["micro_nb.formats"]


def test_a_format_that_claims_nothing_leaves_the_others_alone(asked, tmp_path):
    from PIL import Image

    Image.fromarray(np.zeros((5, 4), np.uint8)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").plane_shape == (5, 4)
