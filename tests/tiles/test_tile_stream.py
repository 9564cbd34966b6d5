"""Streaming: the right pixels, each chunk decoded once, threads that end, errors that surface once."""

from __future__ import annotations

import copy
import math
import threading
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

import micro_nb as mnb
from micro_nb.data.image import MicroImage
from micro_nb.data.source import ImageInfo, Level, Source
from micro_nb.data.sources.arrays import ArraySource
from micro_nb.errors import AxesError, CorruptImageError, PlanError
from micro_nb.tiles.plan import TileGrid


@dataclass
class Counting(Source):
    """An array that counts how often each of its chunks is decoded, and can be broken at one of them."""

    array: np.ndarray
    chunk: int = 32
    broken: tuple[int, int] | None = None
    decoded: Counter = field(default_factory=Counter)

    @property
    def info(self):
        shape = self.array.shape
        axes = ("c", "y", "x")[-len(shape) :]
        chunks = (*shape[:-2], self.chunk, self.chunk)
        level = Level(shape, chunks, (1.0,) * len(shape), (0.0,) * len(shape))
        return ImageInfo(axes=axes, dtype=self.array.dtype, levels=(level,))

    def read(self, level, index):
        index = self.check(level, index)
        rows, cols = (range(s.start // self.chunk, math.ceil(s.stop / self.chunk)) for s in index[-2:])
        for at in ((r, c) for r in rows for c in cols):
            if at == self.broken:
                raise CorruptImageError(f"chunk {at} is broken")
            self.decoded[at] += 1
        return self.array[index]

    def stored_bytes(self, *, full):
        yield self.array.tobytes()


def ours():
    """Threads of a run; the pool in which TIFF readers decode is shared and stays."""
    return [t for t in threading.enumerate() if t.name.startswith("micro_nb") and "decode" not in t.name]


def expected(plane, tile, halo):
    """The padded tile, by plain NumPy where mirroring reaches no further than the plane."""
    n = plane.shape[-2:]
    rows, cols = (np.arange(c.start - halo, c.start + len(range(n[k])[c]) + halo) for k, c in enumerate(tile.core))
    rows, cols = (np.where(i < 0, -i, np.where(i >= m, 2 * (m - 1) - i, i)) for i, m in zip((rows, cols), n, strict=True))
    return plane[..., rows[:, None], cols]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_tiles_hold_the_image_and_around_it_its_mirror_image_whatever_the_chunks(data):
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(24, 90), st.integers(24, 90)))
    halo, edge = data.draw(st.integers(0, 12)), data.draw(st.integers(13, 40))
    array = np.random.default_rng(0).integers(0, 60000, shape).astype(np.uint16)
    img = MicroImage(Counting(array, chunk=data.draw(st.integers(5, 50))))
    seen = 0
    for batch in mnb.stream(img, tile=edge, halo=halo, batch_size=3, normalise="none", threads=2):
        for tile, pixels in zip(batch.tiles, batch.pixels.numpy(), strict=True):
            want = expected(array, tile, halo)
            np.testing.assert_array_equal(pixels[:, : want.shape[1], : want.shape[2]], want)
            seen += 1
    assert seen == -(-shape[1] // edge) * -(-shape[2] // edge)


@pytest.mark.parametrize(
    ("chunk", "edge", "halo"), [(256, 256, 32), (256, 512, 64), (300, 256, 32), (512, 128, 16), (512, 512, 200)]
)
def test_each_chunk_is_decoded_once_however_the_tiles_overlap(chunk, edge, halo):
    source = Counting(np.zeros((2048, 2300), np.uint8), chunk=chunk)
    for _ in mnb.stream(MicroImage(source), tile=edge, halo=halo, normalise="none"):
        pass
    assert set(source.decoded.values()) == {1}
    assert len(source.decoded) == math.ceil(2048 / chunk) * math.ceil(2300 / chunk)


def test_a_crop_that_begins_inside_a_chunk_still_decodes_each_chunk_once():
    source = Counting(np.zeros((2048, 2048), np.uint8), chunk=256)
    crop = MicroImage(source).isel(y=slice(100, 1900), x=slice(300, 2000))
    for _ in mnb.stream(crop, tile=256, halo=32, normalise="none"):
        pass
    assert set(source.decoded.values()) == {1}


def test_a_wide_image_is_read_in_lanes_and_decodes_at_most_one_twentieth_more():
    source = Counting(np.broadcast_to(np.uint8(0), (600, 120_000)), chunk=256)
    for _ in mnb.stream(MicroImage(source), tile=256, halo=32, normalise="none", batch_size=64):
        pass
    needed = math.ceil(600 / 256) * math.ceil(120_000 / 256)
    assert len(source.decoded) == needed
    assert sum(source.decoded.values()) <= 1.05 * needed


def test_a_sample_of_tiles_decodes_only_their_chunks_each_once():
    source = Counting(np.zeros((4096, 4096), np.uint8), chunk=256)
    grid = TileGrid((4096, 4096), tile=256, halo=16).sample(9, seed=1)
    seen = [t.index for b in mnb.stream(MicroImage(source), grid=grid, normalise="none") for t in b.tiles]
    assert tuple(seen) == grid.indices
    assert set(source.decoded.values()) == {1}
    assert len(source.decoded) <= 9 * 9


def test_grey_values_do_not_depend_on_tile_batch_halo_or_threads(rng):
    array = rng.normal(900, 200, (2, 600, 400)).astype(np.float32)

    def whole(**how):
        out = np.zeros(array.shape, np.float32)
        for batch in mnb.stream(mnb.open_image(array, axes="cyx"), **how):
            for tile, pixels in zip(batch.tiles, batch.pixels.numpy(), strict=True):
                out[(..., *tile.core)] = pixels[(..., *tile.inner)]
        return out

    first = whole(tile=512, halo=64, batch_size=8, threads=2)
    np.testing.assert_array_equal(first, whole(tile=100, halo=7, batch_size=3, threads=1))
    low, high = np.percentile(array[0].astype(np.float32), (0.1, 99.9))
    np.testing.assert_allclose(first[0], (array[0] - low) / (high - low), atol=1e-4)


def test_the_normalisation_is_stated_and_can_be_used_again(rng):
    img = mnb.open_image(rng.integers(0, 4000, (300, 300)).astype(np.uint16))
    s = mnb.stream(img, tile=128)
    assert s.normalisation.kind == "percentile"
    assert s.normalisation.level == 0
    assert s.normalisation.pixels == 90000
    assert mnb.stream(img, tile=64, normalise=s.normalisation).normalisation == s.normalisation
    dtype = next(iter(mnb.stream(img, tile=128, normalise="dtype"))).pixels
    assert 0 <= float(dtype.min()) <= float(dtype.max()) < 4000 / 65535


def test_pixels_that_are_not_finite_become_zero_and_are_counted(rng):
    array = rng.normal(10, 1, (64, 64)).astype(np.float32)
    array[3, 4], array[40, 41] = np.nan, np.inf
    batch = next(iter(mnb.stream(array, tile=32, halo=0, batch_size=4)))
    assert torch.isfinite(batch.pixels).all()
    assert batch.not_finite == (1, 0, 0, 1)
    assert batch.pixels[0, 0, 3, 4] == 0
    assert batch.normalisation.not_finite == 2


def test_a_batch_is_never_overwritten_while_anything_looks_at_it(rng):
    array = rng.integers(0, 255, (512, 512)).astype(np.uint8)
    views = [(b.tiles, b.pixels[:1].numpy()) for b in mnb.stream(array, tile=64, halo=4, batch_size=2, normalise="none")]
    for tiles, pixels in views:
        np.testing.assert_array_equal(pixels[0, 0][tiles[0].inner], array[tiles[0].core])


def test_leaving_early_closing_and_errors_end_all_threads():
    img = mnb.open_image(np.zeros((2048, 2048), np.uint8))
    for _ in mnb.stream(img, tile=64):
        break
    assert not ours()
    with mnb.stream(img, tile=64) as s:
        running = iter(s)
        next(running)
        assert ours()
    assert not ours()
    with pytest.raises(ZeroDivisionError):
        [1 / 0 for _ in mnb.stream(img, tile=64)]
    assert not ours()


def test_an_error_in_a_reading_thread_surfaces_once_and_ends_the_stream():
    source = Counting(np.zeros((1024, 1024), np.uint8), chunk=256, broken=(2, 1))
    batches = iter(mnb.stream(MicroImage(source), tile=256, halo=0, batch_size=1, normalise="none"))
    good = [next(batches) for _ in range(8)]
    assert len(good) == 8
    with pytest.raises(CorruptImageError, match="broken"):
        next(batches)
    assert list(batches) == []
    assert not ours()


def test_a_stack_is_refused_until_a_plane_is_chosen_or_projected():
    img = mnb.open_image(np.arange(3 * 40 * 40).reshape(3, 40, 40).astype(np.uint16), axes="zyx")
    with pytest.raises(AxesError, match="project"):
        mnb.stream(img)
    top = next(iter(mnb.stream(img, project="max", normalise="none", tile=40, halo=0)))
    assert float(top.pixels.max()) == 3 * 40 * 40 - 1


def test_channels_are_chosen_by_name_and_colours_keep_their_hue(rng):
    rgb = mnb.open_image(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8), axes="yxc")
    s = mnb.stream(rgb, tile=32)
    assert next(iter(s)).pixels.shape == (4, 3, 160, 160)
    assert len(set(s.normalisation.low)) == 1
    assert next(iter(mnb.stream(rgb, channels="green", tile=32))).pixels.shape[1] == 1


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"prefetch": -1}, {"threads": 0}, {"level": 3}, {"normalise": "zscore"}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(PlanError):
        mnb.stream(np.zeros((8, 8), np.uint8), **wrong)


def test_a_grid_for_another_plane_is_refused():
    with pytest.raises(PlanError, match="plane"):
        mnb.stream(np.zeros((8, 8), np.uint8), grid=TileGrid((9, 9), tile=4))


def test_an_image_in_memory_says_that_it_cannot_travel():
    with pytest.raises(TypeError, match="save_image"):
        ArraySource.of(np.zeros((4, 4))).__reduce__()


def test_a_dataset_gives_what_the_stream_gives(rng):
    array = rng.integers(0, 255, (256, 200)).astype(np.uint8)
    dataset = mnb.TileDataset(array, tile=64, halo=8, batch_size=3)
    loaded = list(DataLoader(dataset, batch_size=None))
    streamed = list(mnb.stream(array, tile=64, halo=8, batch_size=3))
    assert len(loaded) == len(dataset) == len(streamed)
    for a, b in zip(loaded, streamed, strict=True):
        assert a.tiles == b.tiles
        assert torch.equal(a.pixels, b.pixels)


def test_forked_workers_share_an_image_in_memory_and_are_told_to_spawn_for_one_on_disk(rng, tmp_path):
    array = rng.integers(0, 255, (128, 128)).astype(np.uint8)
    shared = DataLoader(mnb.TileDataset(array, tile=32, halo=4), batch_size=None, num_workers=2, multiprocessing_context="fork")
    assert sorted(t.index for batch in shared for t in batch.tiles) == list(range(16))
    zarr.create_array(tmp_path / "a.zarr", data=array, chunks=(32, 32), dimension_names=("y", "x"))
    stored = mnb.TileDataset(tmp_path / "a.zarr", tile=32, halo=4)
    with pytest.raises(PlanError, match="spawn"):
        list(DataLoader(stored, batch_size=None, num_workers=1, multiprocessing_context="fork"))
    elsewhere = copy.deepcopy(stored)  # as a spawned worker gets it: opened again by its address
    assert elsewhere.normalisation == stored.normalisation
    assert torch.equal(next(iter(elsewhere)).pixels, next(iter(stored)).pixels)
