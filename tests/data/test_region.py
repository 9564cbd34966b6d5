"""Regions: units, levels, parts and polygons agree with one another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_nb import Region
from micro_nb.errors import RegionError, UnitsError

quick = settings(max_examples=50, deadline=None)
edges = st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), st.floats(0.01, 1e5), st.floats(0.01, 1e5))
boxes = edges.map(lambda e: Region(e[0], e[1], e[0] + e[2], e[1] + e[3]))
sizes = st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)).map(lambda s: {"y": s[0], "x": s[1]})
PARTS = ("left half", "right half", "top half", "bottom half", "top left", "top right", "bottom left", "bottom right")


@quick
@given(boxes, sizes)
def test_px_to_um_and_back_is_the_same_place(region, pixel_size):
    back = region.to("um", pixel_size).to("px", pixel_size)
    assert back.box == pytest.approx(region.box, rel=1e-9, abs=1e-6)


@quick
@given(boxes)
def test_a_region_survives_its_dict(region):
    assert Region.from_dict(region.to_dict()) == region
    assert Region.from_dict(Region.from_polygon([(0, 0), (0, 5), (5, 5)], name="a").to_dict()).polygon[2] == (5.0, 5.0)


@quick
@given(boxes, st.sampled_from([1.0, 2.0, 3.7, 16.0]))
def test_slices_at_a_level_cover_the_box_and_no_more_than_a_pixel_beyond(region, scale):
    rows, cols = region.at((scale, scale))
    for low, high, s in ((region.y0, region.y1, rows), (region.x0, region.x1, cols)):
        assert low - scale - 1e-3 < s.start * scale <= low + 1e-3
        assert high - 1e-3 <= s.stop * scale < high + scale + 1e-3


@quick
@given(st.integers(1, 999), st.integers(1, 999))
def test_halves_and_quadrants_cover_the_image_once(h, w):
    y, x = np.mgrid[0:h:7, 0:w:7] + 0.5
    for parts in (PARTS[:2], PARTS[2:4], PARTS[4:]):
        covered = sum(Region.part(p, (h, w)).contains(y.ravel(), x.ravel()).astype(int) for p in parts)
        assert (covered == 1).all()


def test_a_mask_of_a_polygon_is_its_area():
    triangle = Region.from_polygon([(0, 0), (0, 100), (100, 0)])
    assert triangle.mask().sum() == pytest.approx(5000, rel=0.02)
    assert triangle.mask((2, 2)).sum() == pytest.approx(1250, rel=0.04)


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (5, 0, 1, 5), (0, 0, float("nan"), 5), (0, 0, float("inf"), 5)])
def test_an_empty_or_endless_region_is_refused(box):
    with pytest.raises(RegionError):
        Region(*box)


def test_places_that_make_no_sense_are_refused_with_the_remedy():
    with pytest.raises(UnitsError, match="pass pixel_size="):
        Region(0, 0, 1, 1, unit="um").to("px", None)
    with pytest.raises(UnitsError, match=r"convert it first"):
        Region(0, 0, 1, 1, unit="um").at()
    with pytest.raises(RegionError, match="lies outside the image"):
        Region(100, 100, 200, 200).clip((50, 50))
    with pytest.raises(RegionError, match="left half"):
        Region.part("middle", (5, 5))
    with pytest.raises(RegionError, match="at least 3"):
        Region.from_polygon([(0, 0), (1, 1)])
    with pytest.raises(RegionError, match="'px' or 'um'"):
        Region(0, 0, 1, 1, unit="mm")
