"""Images with known truth for the tests of conversations."""

from __future__ import annotations

import numpy as np
import pytest

import micro_nb as mnb

RADIUS = 7
CENTRES = [(30, 30), (30, 90), (80, 40), (130, 30), (60, 150), (140, 160), (100, 100)]
BIG, BIG_RADIUS = (100, 160), 12


@pytest.fixture(autouse=True, scope="module")
def on_the_floor():
    """Conversations whose matter is not the model are held on the floor, which needs no weights and is fast.

    A test module imports this; a test that names its eyes gets them.
    """
    defaults = mnb.Session.__init__.__kwdefaults__
    before, defaults["eyes"] = defaults["eyes"], "floor"
    yield
    defaults["eyes"] = before


def discs(**kwargs):
    """Eight bright discs on dark: five centres left of x = 100, one disc larger than the others."""
    y, x = np.mgrid[:180, :200]
    picture = np.full((180, 200), 20.0)
    for cy, cx in CENTRES:
        picture[(y - cy) ** 2 + (x - cx) ** 2 <= RADIUS**2] = 150
    picture[(y - BIG[0]) ** 2 + (x - BIG[1]) ** 2 <= BIG_RADIUS**2] = 150
    picture += np.random.default_rng(0).normal(0, 2, picture.shape)
    return mnb.open_image(picture.round().clip(0, 255).astype("uint8"), **kwargs)
