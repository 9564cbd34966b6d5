from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from micro_nb.analysis.distance import distance


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 90), st.floats(0.01, 0.99), st.floats(0, 4))
def test_distances_are_exactly_those_of_scipy(seed, height, width, share, smooth):
    noise = ndi.gaussian_filter(np.random.default_rng(seed).random((height, width)), smooth)
    mask = noise > np.quantile(noise, share)
    if not mask.all():
        np.testing.assert_array_equal(distance(mask), ndi.distance_transform_edt(mask).astype(np.float32))


@pytest.mark.parametrize("size", [60, 200, 400])
def test_large_objects_are_exact_too(size):
    mask = np.zeros((size + 20, size + 33), bool)
    mask[8 : 8 + size, 9 : 9 + size] = True
    np.testing.assert_array_equal(distance(mask), ndi.distance_transform_edt(mask).astype(np.float32))
