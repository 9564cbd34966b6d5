import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from micro_nb.data.source import Channel
from micro_nb.render.composite import channel_colors, composite
from micro_nb.render.contrast import find_window, is_sane, stretch


@settings(max_examples=60, deadline=None)
@given(arrays(st.sampled_from(["u1", "u2", "i2", "f4", "f8", "?"]), array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_every_array_has_a_window_and_a_picture(values):
    low, high = find_window(values)
    assert np.isfinite([low, high]).all()
    assert low < high
    shown = stretch(values, (low, high))
    assert shown.dtype == np.uint8
    assert shown.shape == values.shape


def test_nothing_finite_still_has_a_window():
    assert find_window(np.full((3, 3), np.nan)) == (0.0, 1.0)


def test_infinities_and_holes_do_not_set_the_contrast(rng):
    values = rng.uniform(10, 20, (100, 100))
    values[0, :3] = np.inf, -np.inf, np.nan
    low, high = find_window(values)
    assert 9 < low < high < 21


def test_the_table_of_large_integer_planes_agrees_with_arithmetic(rng):
    plane = rng.integers(0, 65536, (300, 300), dtype=np.uint16)
    assert np.array_equal(stretch(plane, (100, 5000)), stretch(plane.astype(np.float32), (100, 5000)))


def test_stretch_keeps_order(rng):
    values = np.sort(rng.normal(size=1000))
    assert (np.diff(stretch(values, find_window(values)).astype(int)) >= 0).all()


@pytest.mark.parametrize("window", [None, (5, 5), (0, float("nan")), (0, 65535), (10_000, 20_000)])
def test_a_window_that_hides_the_picture_is_not_used(window):
    assert not is_sane(window, np.arange(300))


def test_one_channel_is_grey_and_two_differ():
    assert channel_colors([Channel("GFP", color="#00ff00")]) == ((255, 255, 255),)
    blue, green = channel_colors([Channel("Hoechst 33342"), Channel("FITC")])
    assert blue[2] > blue[1]
    assert green[1] > green[2]


def test_channels_of_one_stored_colour_are_told_apart():
    colors = channel_colors([Channel(f"ch{i}", color="#ffffff") for i in range(5)])
    assert len(set(colors)) == 5


def test_stored_colours_that_differ_are_kept():
    assert channel_colors([Channel("a", color="#010203"), Channel("b", color="#0a0b0c")]) == ((1, 2, 3), (10, 11, 12))


def test_a_composite_adds_light_and_does_not_wrap():
    full = np.full((2, 2), 255, np.uint8)
    assert (composite([full, full], [(255, 0, 0), (255, 255, 0)]) == [255, 255, 0]).all()
    assert (composite([full // 2], [(255, 255, 255)]) == 127).all()
