from __future__ import annotations

import numpy as np
import pytest

from micro_nb.learn.targets import CHANNELS, KNOWN, targets
from micro_nb.models.tile_network import OFFSET_UNIT


@pytest.fixture
def two() -> np.ndarray:
    """A disc, a square that touches it, and a corner of which nothing is known."""
    y, x = np.mgrid[:48, :64]
    labels = np.where(np.hypot(y - 20, x - 18) < 10, 1, 0)
    labels[12:28, 28:44] = 2
    labels[40:, 50:] = -1
    return labels.astype(np.int32)


def test_the_deepest_pixel_of_every_object_has_distance_one(two):
    distance = targets(two)[0][1]
    assert [distance[two == k].max() for k in (1, 2)] == [1, 1]
    assert distance[two <= 0].max() == 0


def test_distance_falls_to_nearly_nothing_where_two_objects_touch(two):
    distance = targets(two)[0][1]
    assert distance[20, 27:29].max() < 0.2 < distance[20, 18]


def test_offsets_lead_every_pixel_to_the_centre_of_its_object(two):
    maps = targets(two)[0]
    y, x = np.nonzero(two == 1)
    ends = np.stack([y + maps[2][y, x] * OFFSET_UNIT, x + maps[3][y, x] * OFFSET_UNIT])
    assert np.abs(ends - np.array([[20], [18]])).max() < 1


def test_a_thin_tail_does_not_draw_the_centre_of_an_object_out_of_its_body():
    y, x = np.mgrid[:40, :80]
    labels = ((np.hypot(y - 20, x - 15) < 10) | ((np.abs(y - 20) < 2) & (x > 15) & (x < 70))).astype(np.int32)
    maps = targets(labels)[0]
    assert abs(15 + maps[3][20, 15] * OFFSET_UNIT - 15) < 3 < 5 < np.nonzero(labels)[1].mean() - 15


def test_what_is_not_known_is_marked_and_is_no_foreground(two):
    maps = targets(two)[0]
    assert (maps[KNOWN] == (two != -1)).all()
    assert (maps[0] == (two > 0)).all()


def test_an_empty_picture_has_known_background():
    maps = targets(np.zeros((8, 8), np.int32))[0]
    assert maps[KNOWN].all()
    assert not maps[[k for k in range(len(CHANNELS)) if k != KNOWN]].any()


def test_small_objects_and_their_surroundings_count_more_and_what_is_unknown_not_at_all():
    labels = np.zeros((64, 64), np.int32)
    labels[10:13, 10:13], labels[30:50, 30:50], labels[:, 60:] = 1, 2, -1
    counts = targets(labels)[0][KNOWN]
    assert counts[11, 11] == counts[8, 11] == pytest.approx((95 / 9) ** 0.5, rel=1e-5)
    assert counts[40, 40] == counts[5, 40] == 1
    assert not counts[:, 60:].any()


def test_the_boundary_lies_between_objects_that_touch_and_a_seed_on_each_centre(two):
    maps = targets(two)[0]
    boundary, seed = maps[CHANNELS.index("boundary")], maps[CHANNELS.index("seed")]
    assert boundary[20, 27:29].all()
    assert not boundary[20, [18, 43]].any()
    assert seed[20, 18] > 0.9 > seed[20, 25]
