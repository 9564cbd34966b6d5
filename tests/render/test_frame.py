import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_nb.data.source import ImageInfo, Level
from micro_nb.render.frame import Frame, LevelBox, level_for

edges = st.floats(0, 900, allow_nan=False)


def pyramid(size, levels):
    return ImageInfo(
        axes=("y", "x"), dtype=np.dtype("u1"),
        levels=tuple(Level((-(-size // 2**k),) * 2, (64, 64), (2.0**k,) * 2, (0.0, 0.0)) for k in range(levels)),
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(edges, edges, st.floats(1, 400), st.floats(1, 400), st.integers(20, 900), st.integers(1, 5))
def test_the_chosen_level_covers_the_frame_and_is_as_coarse_as_it_may_be(y, x, high, wide, width, levels):
    info, frame = pyramid(1400, levels), Frame.fit((y, x, y + high, x + wide), width=width, height=width)
    k = level_for(info, frame)
    assert k == 0 or info.levels[k].scale[0] <= min(frame.scale) * 1.01
    assert k == levels - 1 or info.levels[k + 1].scale[0] > min(frame.scale)
    box = LevelBox.find(info, frame, k)
    left, top, right, bottom = box.inner
    scale = info.levels[k].scale[0]
    assert np.isclose((box.rows.start + top) * scale, y, atol=1e-2 * scale)
    assert np.isclose((box.cols.start + left) * scale, x, atol=1e-2 * scale)
    assert 0 <= left < right <= box.shape[1]
    assert 0 <= top < bottom <= box.shape[0]


@settings(max_examples=60, deadline=None)
@given(st.floats(1, 1e5), st.floats(1, 1e5), st.integers(64, 1200))
def test_a_fitted_frame_stays_inside_and_has_square_pixels(high, wide, width):
    frame = Frame.fit((0, 0, high, wide), width=width, height=width)
    assert min(frame.shape) >= 1
    assert max(frame.shape) <= width + 1
    if min(frame.shape) > 20:
        assert np.isclose(*frame.scale, rtol=0.05)


def test_a_small_image_is_not_blown_up_without_end():
    assert Frame.fit((0, 0, 10, 10), width=900, height=900).shape == (80, 80)
