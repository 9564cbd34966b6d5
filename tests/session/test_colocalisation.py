"""Two channels are compared with what scrambled images give; a nuclear signal is told from a cytoplasmic one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import CENTRES, on_the_floor  # noqa: F401
from scipy.ndimage import gaussian_filter
from skimage import data

import micro_nb as mnb
from micro_nb.analysis.colocalisation import colocalisation
from micro_nb.errors import PlanError


def textured(seed, shape=(160, 160)):
    return gaussian_filter(np.random.default_rng(seed).random(shape), 3)


def cells(nuclear):
    """DAPI in nuclei, and a signal in the nuclei or in the cytoplasm around them."""
    y, x = np.mgrid[:180, :200]
    dapi, signal = np.full((180, 200), 20.0), np.full((180, 200), 20.0)
    for cy, cx in CENTRES:
        far = (y - cy) ** 2 + (x - cx) ** 2
        dapi[far <= 7**2] = 150
        signal[(far <= 7**2) if nuclear else (far > 8**2) & (far <= 13**2)] = 120
    noise = np.random.default_rng(0).normal(0, 2, (2, 180, 200))
    stack = (np.stack([dapi, signal]) + noise).clip(0, 255).astype("uint8")
    return mnb.open_image(mnb.open_image(stack, axes="cyx").to_datatree()["s0"]["image"].assign_coords(c=["DAPI", "GFP"]))


def test_a_channel_colocalises_with_itself_and_not_with_noise():
    a = textured(1)
    same, other = colocalisation(a, 0.5 * a + 0.1 * textured(2)), colocalisation(a, textured(3))
    assert same.pearson > 0.9
    assert same.p_value < 0.01
    assert abs(other.pearson) < 0.2
    assert other.random[0] < other.pearson < other.random[1] + 0.1


@settings(max_examples=4, deadline=None)
@given(st.floats(0.2, 50), st.floats(-100, 100), st.integers(0, 99))
def test_the_correlation_does_not_depend_on_gain_or_offset(gain, offset, seed):
    a, b = textured(seed), textured(seed + 1) + textured(seed)
    one, scaled = colocalisation(a, b, thresholding="otsu"), colocalisation(gain * a + offset, b, thresholding="otsu")
    assert scaled.pearson == pytest.approx(one.pearson, abs=1e-6)
    assert 0 <= one.m1 <= 1
    assert 0 <= one.m2 <= 1


def test_constant_or_unequal_planes_are_refused():
    with pytest.raises(PlanError, match="one grey value"):
        colocalisation(np.ones((160, 160)), textured(1))
    with pytest.raises(PlanError, match="one shape"):
        colocalisation(np.ones((64, 64)), np.ones((32, 32)))


def test_a_single_channel_is_declined_with_what_is_missing():
    answer = mnb.Session(mnb.open_image(data.coins()), log=False).ask("do the two channels colocalise?")
    assert answer.declined
    assert "single channel" in answer.text


def test_a_stained_picture_has_no_channels_to_colocalise():
    answer = mnb.Session(mnb.open_image(data.immunohistochemistry(), axes="yxc"), log=False).ask(
        "what is the Pearson correlation?"
    )
    assert answer.declined
    assert "stained" in answer.text


def test_two_channels_are_compared_in_a_conversation():
    img = cells(nuclear=True)
    answer = mnb.Session(img, log=False).ask("do the channels colocalise?")
    assert answer.value > 0.8
    assert "more than by chance" in answer.text
    assert answer.evidence[0].recompute(img)[0] == "identical"


@pytest.mark.parametrize(("nuclear", "where"), [(True, "nuclear"), (False, "cytoplasmic")])
def test_a_signal_is_found_in_its_compartment(nuclear, where):
    chat = mnb.Session(cells(nuclear), log=False)
    answer = chat.ask("is the signal nuclear or cytoplasmic?")
    assert answer.evidence[0].value == where
    assert (answer.value > 1.2) == nuclear
