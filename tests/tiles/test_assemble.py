from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from micro_nb.tiles.assemble import TiledMaps, assemble, ordered
from micro_nb.tiles.labels import MemoryLabels, enlarge
from micro_nb.tiles.plan import TileGrid


def connected(window: np.ndarray) -> np.ndarray:
    return ndi.label(window[0])[0].astype(np.int32)


def labelled(mask: np.ndarray, **plan) -> tuple[np.ndarray, int]:
    sink = MemoryLabels(mask.shape)
    count = assemble(lambda place: mask[None, *place], mask.shape, connected, sink, **plan)
    return sink.labels, count


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(9, 40), st.integers(0, 9), st.integers(1, 3))
def test_small_components_across_seams_are_one_object_each_in_raster_order(seed, window, margin, threads):
    rng = np.random.default_rng(seed)
    mask = np.zeros((rng.integers(1, 90), rng.integers(1, 90)), bool)
    for y, x in zip(rng.integers(0, mask.shape[0], 25), rng.integers(0, mask.shape[1], 25), strict=True):
        mask[y : y + rng.integers(1, 9), x : x + rng.integers(1, 9)] = True
    whole, n = ndi.label(mask)
    found, count = labelled(mask, window=window, margin=margin, threads=threads)
    if margin >= 1 and count == n:
        np.testing.assert_array_equal(found, whole)  # scipy numbers in raster order, too
    first = np.unique(found[found > 0], return_index=True)[0]
    assert first.tolist() == list(range(1, count + 1))
    assert ((found > 0) == mask).all()
    assert count >= n


@pytest.mark.parametrize("window", [16, 33, 64])
def test_an_object_larger_than_any_window_is_one_object(window):
    mask = np.zeros((200, 150), bool)
    mask[5:190, 70:80] = mask[100:110, 3:140] = True
    found, count = labelled(mask, window=window, margin=4)
    assert count == 1
    assert ((found == 1) == mask).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 70))
def test_objects_that_fit_the_margin_come_out_as_in_the_whole_plane(seed, window):
    rng = np.random.default_rng(seed)
    mask = np.zeros((120, 110), bool)
    for y in range(4, 110, 14):
        for x in range(4, 100, 14):
            mask[y : y + rng.integers(1, 13), x : x + rng.integers(1, 13)] = True
    np.testing.assert_array_equal(labelled(mask, window=window, margin=13)[0], ndi.label(mask)[0])


@settings(max_examples=30, deadline=None)
@given(st.integers(6, 80), st.integers(1, 9000))
def test_maps_read_in_any_window_equal_the_whole_and_are_forgotten_when_there_is_no_room(tile, keep):
    plane = np.arange(70 * 50, dtype=np.int32).reshape(70, 50)
    maps = TiledMaps(TileGrid(plane.shape, tile=tile), lambda core: plane[None, *core].copy(), keep_bytes=keep)
    for place in (np.s_[0:70, 0:50], np.s_[13:14, 49:50], np.s_[5:40, 7:33]):
        np.testing.assert_array_equal(maps.read(place)[0], plane[place])
    assert maps._bytes <= max(keep, tile * tile * 4)


def test_a_failing_block_reaches_the_caller_and_stops_the_rest():
    done = []

    def job(k: int) -> int:
        done.append(k)
        if k == 3:
            raise OSError("disk gone")
        return k

    with pytest.raises(OSError, match="disk gone"):
        list(ordered(job, range(100), threads=2))
    assert len(done) < 20


def test_results_come_in_order_whatever_the_threads():
    assert [r for _, r in ordered(lambda k: k * k, range(30), threads=4)] == [k * k for k in range(30)]


def test_working_pixels_cover_the_plane_exactly():
    place, big = enlarge(np.s_[0:3, 0:3], np.arange(9).reshape(3, 3), 4, (10, 11))
    assert place == np.s_[0:10, 0:11]
    assert big.shape == (10, 11)
    assert big[9, 10] == 8


@pytest.mark.parametrize("factor", [2, 3, 4, 7])
def test_a_rounded_outline_takes_the_label_of_most_bilinear_weight(factor, rng):
    labels = rng.integers(0, 4, (9, 11)).astype(np.int32)
    _, big = enlarge(np.s_[0:9, 0:11], labels, factor, (9 * factor, 11 * factor), smooth=True)
    shares = np.stack([ndi.zoom((labels == k).astype(float), factor, order=1, mode="nearest", grid_mode=True) for k in range(4)])
    mine = np.take_along_axis(shares, big[None].astype(int), 0)[0]
    assert (mine >= shares.max(0) - 1e-6).all()
