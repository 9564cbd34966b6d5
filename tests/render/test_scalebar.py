from hypothesis import given, settings
from hypothesis import strategies as st

from micro_nb.render.scalebar import Ruler, nice_below, ticks


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-6, 1e9))
def test_a_nice_length_is_round_and_at_least_two_fifths(value):
    nice = nice_below(value)
    assert 0.399 * value <= nice <= value * 1.0001
    assert float(f"{nice:.0e}") == nice


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1e6), st.floats(1, 1e6), st.integers(2, 12))
def test_ticks_lie_inside_and_are_not_too_many(low, extent, most):
    marks = ticks(low, low + extent, most)
    assert len(marks) <= most + 1
    slack = 1e-6 * (low + extent)
    assert all(low - slack <= m <= low + extent + slack for m in marks)


def test_the_unit_follows_the_extent():
    size = {"y": 0.5, "x": 0.5}
    assert [Ruler.of(size, extent_px=n).unit for n in (2, 100, 100_000)] == ["nm", "µm", "mm"]
