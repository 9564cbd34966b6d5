from __future__ import annotations

import numpy as np
import pytest
from training_samples import discs

from micro_nb.learn.sample import eight_bit, relabelled, typical_diameter


def test_objects_are_kept_no_larger_than_is_asked_for():
    large = discs(3, edge=200)
    large.diameter_px = 88.0
    back = large.reduced(44)
    assert back.image.shape == (100, 100, 3)
    assert back.diameter_px == pytest.approx(44)
    assert back.labels["object"].shape == (100, 100)
    assert large.reduced(100) is large


def test_numbers_become_consecutive_and_unknown_stays():
    assert relabelled(np.array([[0, 7, -1], [3, 7, 0]], np.int32)).tolist() == [[0, 2, -1], [1, 2, 0]]


def test_specks_do_not_decide_the_typical_diameter():
    labels = np.zeros((60, 60), np.int32)
    labels[:20, :20] = 1
    labels[30, ::6] = np.arange(2, 12)
    assert typical_diameter([labels]) > 10


def test_a_sixteen_bit_picture_is_stretched_and_two_channels_are_refused(rng):
    out = eight_bit(rng.integers(100, 4000, (32, 32)).astype(np.uint16))
    assert out.shape == (32, 32, 3)
    assert (int(out.min()), int(out.max())) == (0, 255)
    with pytest.raises(ValueError, match="choose channels"):
        eight_bit(np.zeros((2, 8, 8), np.uint8))
