"""map_tiles: the same result however it is cut, stopped, resumed or spread over workers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage as ndi
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import micro_nb as mnb
from micro_nb.errors import PlanError, WriteError
from micro_nb.tiles.identity import identity
from micro_nb.tiles.workfolder import Layout


def blur(tile):
    return ndi.maximum_filter(tile, (1, 5, 5)).astype(np.float64)


def double(tile):
    return (tile[0].astype(np.int32) * 2)[None]


def bytes_of(path):
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def ours():
    """Threads of a run; the pool in which TIFF readers decode is shared and stays."""
    return [t for t in threading.enumerate() if t.name.startswith("micro_nb") and "decode" not in t.name]


@pytest.fixture
def stored(tmp_path, rng):
    """A plane on disk, 1200 x 900 uint16 in 128 px chunks."""
    path = tmp_path / "plane.zarr"
    data = rng.integers(1, 5000, (1200, 900)).astype(np.uint16)
    zarr.create_array(path, data=data, chunks=(128, 128), dimension_names=("y", "x"))
    return path


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 90), st.integers(2, 30), st.integers(1, 3))
def test_a_local_filter_does_not_see_the_tiles(edge, halo, threads):
    array = np.random.default_rng(1).integers(0, 1000, (2, 83, 71)).astype(np.uint16)
    got = mnb.map_tiles(blur, mnb.open_image(array, axes="cyx"), tile=edge, halo=halo, threads=threads)
    np.testing.assert_array_equal(got.values, ndi.maximum_filter(array, (1, 5, 5), mode="mirror").astype(float))


def test_the_result_on_disk_is_the_result_in_memory_and_carries_the_images_coordinates(stored, tmp_path):
    img = mnb.open_image(stored, pixel_size=0.5)
    lazy = mnb.map_tiles(blur, img, out=tmp_path / "out.zarr", tile=128, halo=8)
    memory = mnb.map_tiles(blur, img, tile=200, halo=8)
    assert lazy.dims == ("k", "y", "x")
    xr.testing.assert_identical(lazy.load(), memory)
    np.testing.assert_array_equal(lazy.x, img.data.x)
    assert lazy.x.attrs["units"] == "micrometer"
    assert mnb.open_image(tmp_path / "out.zarr").sizes == {"y": 1200, "x": 900}
    assert not (tmp_path / "out.zarr.partial").exists()


def test_a_region_gives_its_own_box_from_tiles_that_see_beyond_it(stored):
    whole = mnb.map_tiles(blur, stored, tile=128, halo=4)
    part = mnb.map_tiles(blur, stored, tile=128, halo=4, region=mnb.Region(200, 130, 700, 401))
    xr.testing.assert_identical(part, whole.isel(y=slice(200, 700), x=slice(130, 401)))


def test_two_dimensional_results_and_float_input_are_welcome(stored):
    got = mnb.map_tiles(lambda t: t[0] > 0.5, stored, tile=300, normalise="percentile")
    assert got.dims == ("y", "x")
    assert got.dtype == bool
    assert 0.4 < float(got.mean()) < 0.6


SCRIPT = """
import sys, os
sys.path.insert(0, sys.argv[1])
import micro_nb as mnb, test_map_tiles as t
mnb.settings.progress = False
calls = 0
def double(tile):
    global calls
    calls += 1
    if calls > int(sys.argv[4]): os._exit(9)
    return t.double(tile)
mnb.map_tiles(double, sys.argv[2], out=sys.argv[3], tile=256, halo=8, threads=1, key="double")
"""


def test_a_killed_run_resumes_to_the_same_bytes(stored, tmp_path, monkeypatch):
    monkeypatch.setattr("micro_nb.tiles.workfolder._SHARD_PX", 256)
    mnb.map_tiles(double, stored, out=tmp_path / "whole.zarr", tile=256, halo=8, key="double")
    script = SCRIPT.replace("mnb.settings", "import micro_nb.tiles.workfolder as w; w._SHARD_PX = 256\nmnb.settings")
    here = str(Path(__file__).parent)
    died = subprocess.run(
        [sys.executable, "-c", script, here, stored, tmp_path / "out.zarr", "12"],
        env=os.environ | {"PYTHONPATH": str(Path(mnb.__file__).parents[1])},
        timeout=60,
    )
    assert died.returncode == 9
    assert not (tmp_path / "out.zarr").exists()
    finished = (tmp_path / "out.zarr.partial" / "done.log").read_text().splitlines()
    assert 5 <= len(finished) <= 12
    calls = []
    got = mnb.map_tiles(lambda t: calls.append(1) or double(t), stored, out=tmp_path / "out.zarr", tile=256, halo=8, key="double")
    assert len(calls) == 20 - len(finished)
    assert bytes_of(tmp_path / "out.zarr") == bytes_of(tmp_path / "whole.zarr")
    np.testing.assert_array_equal(got.values[0], mnb.open_image(stored).data.values * 2)


def test_a_damaged_block_of_an_unfinished_run_is_done_again(stored, tmp_path, monkeypatch):
    monkeypatch.setattr("micro_nb.tiles.workfolder._SHARD_PX", 256)
    out, calls = tmp_path / "out.zarr", []

    def stumbling(tile):
        calls.append(1)
        if len(calls) == 15:
            raise RuntimeError("stumbled")
        return double(tile)

    with pytest.raises(RuntimeError, match="stumbled") as caught:
        mnb.map_tiles(stumbling, stored, out=out, tile=256, halo=8, threads=1, key="double")
    assert any("resumes" in note for note in caught.value.__notes__)
    assert any("tile 1" in note for note in caught.value.__notes__)
    assert not ours()
    next((tmp_path / "out.zarr.partial" / "data.zarr" / "c").rglob("0/0/1")).write_bytes(b"torn")
    got = mnb.map_tiles(stumbling, stored, out=out, tile=256, halo=8, threads=1, key="double")
    np.testing.assert_array_equal(got.values[0], mnb.open_image(stored).data.values * 2)


def test_the_bytes_do_not_depend_on_threads_and_a_finished_run_is_not_run_again(stored, tmp_path):
    for threads in (1, 3):
        mnb.map_tiles(double, stored, out=tmp_path / f"{threads}.zarr", tile=256, halo=8, threads=threads)
    assert bytes_of(tmp_path / "1.zarr") == bytes_of(tmp_path / "3.zarr")
    calls = []
    mnb.map_tiles(lambda t: calls.append(1) or double(t), stored, out=tmp_path / "k.zarr", tile=256, key="k")
    n = len(calls)
    mnb.map_tiles(lambda t: calls.append(1) or double(t), stored, out=tmp_path / "k.zarr", tile=256, key="k")
    assert len(calls) == n


def test_other_parameters_are_refused_by_name_and_nothing_is_touched(stored, tmp_path):
    out = tmp_path / "out.zarr"
    mnb.map_tiles(double, stored, out=out, tile=256, halo=8)
    before = bytes_of(out)
    with pytest.raises(WriteError, match="halo: 8 there, 9 now"):
        mnb.map_tiles(double, stored, out=out, tile=256, halo=9)
    with pytest.raises(WriteError, match="function"):
        mnb.map_tiles(blur, stored, out=out, tile=256, halo=8)
    assert bytes_of(out) == before
    assert mnb.map_tiles(blur, stored, out=out, tile=256, halo=8, overwrite=True).dtype == np.float64
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(WriteError, match="not made by map_tiles"):
        mnb.map_tiles(double, stored, out=tmp_path / "mine.zarr")


def test_an_unfinished_run_with_other_parameters_is_refused_until_overwritten(stored, tmp_path):
    def first(tile):
        if tile[0, 8, 8] != mnb.open_image(stored).read(0, (slice(0, 1), slice(0, 1)))[0, 0]:
            raise KeyboardInterrupt
        return tile

    with pytest.raises(KeyboardInterrupt):
        mnb.map_tiles(first, stored, out=tmp_path / "o.zarr", tile=256, halo=8, key="a")
    assert not ours()
    with pytest.raises(WriteError, match="unfinished"):
        mnb.map_tiles(double, stored, out=tmp_path / "o.zarr", tile=256, halo=8, key="b")
    got = mnb.map_tiles(double, stored, out=tmp_path / "o.zarr", tile=256, halo=8, key="b", overwrite=True)
    assert got.shape == (1, 1200, 900)


def test_wrong_results_name_the_tile_and_the_shapes(stored):
    with pytest.raises(PlanError, match=r"tile 0 .* returned shape \(1, 100, 100\); it must return \(272, 272\)"):
        mnb.map_tiles(lambda t: t[:, :100, :100], stored, tile=256, halo=8)
    shapes = iter([1, 2, 2, 2])
    with pytest.raises(PlanError, match=r"tile 1 .*planes \(2,\)"):
        mnb.map_tiles(lambda t: np.repeat(t, next(shapes), 0), np.zeros((64, 64), np.uint8), tile=32, halo=0, threads=1)
    kinds = iter([np.uint8, np.float32, np.float32, np.float32])
    with pytest.raises(PlanError, match="float32"):
        mnb.map_tiles(lambda t: t.astype(next(kinds)), np.zeros((64, 64), np.uint8), tile=32, halo=0, threads=1)


def test_what_would_not_fit_in_memory_names_the_remedy(stored):
    huge = np.broadcast_to(np.uint8(0), (60_000, 60_000))
    with pytest.raises(PlanError, match="out="):
        mnb.map_tiles(lambda t: t, huge, tile=256)


def test_a_cluster_gives_the_same_bytes(stored, tmp_path):
    from distributed import Client

    mnb.map_tiles(double, stored, out=tmp_path / "threads.zarr", tile=128, halo=8)
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        mnb.map_tiles(double, stored, out=tmp_path / "cluster.zarr", tile=128, halo=8, client=client)
        with pytest.raises(PlanError, match="memory"):
            mnb.map_tiles(double, np.zeros((64, 64)), out=tmp_path / "no.zarr", client=client)
        with pytest.raises(PlanError, match="out="):
            mnb.map_tiles(double, stored, client=client)
    assert bytes_of(tmp_path / "cluster.zarr") == bytes_of(tmp_path / "threads.zarr")


def test_a_block_is_a_shard_of_bounded_size_whose_chunks_divide_it():
    for shape, dtype, tile in [
        ((16384, 90000), "u2", 512),
        ((64, 5000, 5000), "f4", 512),
        ((3, 40, 40), "u1", 7),
        ((9, 9), "u1", 3000),
    ]:
        layout = Layout(shape, dtype, tile)
        assert all(s % c == 0 for s, c in zip(layout.shard, layout.chunk, strict=True))
        assert layout.shard[-2] == layout.block[0] * tile
        assert layout.shard[-2] <= max(tile, 256 + tile)


def test_a_function_is_known_by_its_code_and_what_it_holds():
    def make(n, weights):
        return lambda tile: tile * n + weights.sum()

    a = np.arange(3)
    assert identity(make(2, a)) == identity(make(2, a.copy()))
    assert len({identity(make(2, a)), identity(make(3, a)), identity(make(2, a + 1)), identity(blur), identity(double)}) == 5
    with pytest.raises(PlanError, match="key="):
        identity(make(2, threading.Lock()))
    assert identity(make(2, threading.Lock()), key="v1") == "key:v1"


@pytest.mark.parametrize("dtype", ["bool", ">u2", "i1", "f2", "<f4", "i8"])
@pytest.mark.parametrize("planes", [0, 2])
def test_what_is_written_is_what_zarr_reads_and_places_of_zeros_have_no_file(tmp_path, rng, dtype, planes):
    pixels = rng.integers(0, 100, (300, 5000)).astype(np.uint8)
    pixels[:, :4200] = 0
    wanted = pixels.astype(dtype) if not planes else np.stack([pixels.astype(dtype)] * planes)

    def cast(tile):
        return tile[0].astype(dtype) if not planes else np.repeat(tile.astype(dtype), planes, 0)

    got = mnb.map_tiles(cast, mnb.open_image(pixels, axes="yx"), out=tmp_path / "o.zarr", tile=256, halo=8, key="cast")
    np.testing.assert_array_equal(got.values, wanted)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "o.zarr", mode="r")[...], wanted)
    files = [p for p in (tmp_path / "o.zarr" / "c").rglob("*") if p.is_file()]
    assert sorted(p.name for p in files) == ["1", "1"]


def test_a_torn_file_where_zeros_belong_goes_when_the_run_resumes(tmp_path):
    pixels, calls = np.zeros((512, 256), np.uint8), []

    def stumbling(tile):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("stumbled")
        return tile

    with pytest.raises(RuntimeError, match="stumbled"):
        mnb.map_tiles(stumbling, pixels, out=tmp_path / "o.zarr", tile=256, halo=0, threads=1, key="zeros")
    torn = tmp_path / "o.zarr.partial" / "data.zarr" / "c" / "0" / "0" / "0"
    torn.parent.mkdir(parents=True, exist_ok=True)
    torn.write_bytes(b"torn")
    assert not mnb.map_tiles(stumbling, pixels, out=tmp_path / "o.zarr", tile=256, halo=0, threads=1, key="zeros").values.any()
