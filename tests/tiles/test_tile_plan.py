"""The plan: pure arithmetic, proved over many shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_nb.data.region import Region
from micro_nb.errors import PlanError
from micro_nb.tiles.plan import TileGrid

grids = st.builds(
    TileGrid,
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    tile=st.integers(4, 40),
    halo=st.integers(0, 50),
)


@settings(max_examples=50, deadline=None)
@given(grids)
def test_cores_cover_the_plane_exactly_once(grid):
    seen = np.zeros(grid.shape, int)
    for tile in grid:
        seen[tile.core] += 1
    assert (seen == 1).all()


@settings(max_examples=50, deadline=None)
@given(grids)
def test_every_tile_is_padded_to_the_same_square_and_finds_its_core_in_it(grid):
    plane = np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape)
    for tile in grid:
        square = np.pad(plane[tile.read], tile.pad, constant_values=-1)
        assert square.shape == (grid.padded, grid.padded)
        np.testing.assert_array_equal(square[tile.inner], plane[tile.core])


@settings(max_examples=50, deadline=None)
@given(grids, st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.data())
def test_blocks_hold_every_chosen_tile_once_and_nothing_they_called_done_is_read_again(grid, high, wide, lane, data):
    n = len(grid)
    if data.draw(st.booleans()):
        grid = TileGrid(grid.shape, grid.tile, grid.halo, chosen=tuple(data.draw(st.sets(st.integers(0, n - 1), min_size=1))))
    blocks = list(grid.blocks(shape=(high, wide), lane=lane))
    assert sorted(t.index for b in blocks for t in b.tiles) == sorted(grid.indices)
    for k, block in enumerate(blocks):
        assert len(block.tiles) <= high * wide
        for later in blocks[k + 1 :]:
            if later.lane == block.lane:
                assert all(y.start >= block.done[0] or x.start >= block.done[1] for y, x in (t.read for t in later.tiles))


def test_in_one_lane_blocks_of_one_row_keep_the_order_of_the_grid():
    grid = TileGrid((100, 70), tile=16)
    assert [t.index for b in grid.blocks(shape=(1, 3)) for t in b.tiles] == list(grid.indices)


def test_a_region_keeps_the_tiles_whose_cores_it_meets():
    grid = TileGrid((100, 100), tile=25).within(Region(20, 30, 60, 40))
    assert grid.indices == (1, 5, 9)
    assert grid.box == (slice(0, 75), slice(25, 50))


def test_a_sample_is_drawn_once_and_the_same_for_the_same_seed():
    grid = TileGrid((1000, 1000), tile=10)
    assert grid.sample(50, seed=3) == grid.sample(50, seed=3) != grid.sample(50, seed=4)
    assert len(set(grid.sample(50).indices)) == 50


@pytest.mark.parametrize(
    "arguments", [{"tile": 0}, {"halo": -1}, {"chosen": (99,)}, {"chosen": (0, 0)}, {"shape": (0, 5)}, {"shape": (5,)}]
)
def test_impossible_plans_are_refused(arguments):
    with pytest.raises(PlanError):
        TileGrid(**{"shape": (64, 64), "tile": 32} | arguments)
