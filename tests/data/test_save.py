"""What is written reads back the same, is valid to independent tools, and is whole or absent."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from conftest import SHARED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from images import DTYPES, images, pixels
from source_contract import Case, SourceContract
from yaozarrs import validate_zarr_store

import micro_nb as mnb
from micro_nb.data.location import Location
from micro_nb.data.pyramid import PyramidPlan, PyramidWalk, create_levels, halve
from micro_nb.data.save import save_image, save_labels
from micro_nb.data.sources.zarr import open_zarr
from micro_nb.errors import AxesError, PlanError, WriteError

some = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def gradient(*shape: int, dtype: str = "uint16") -> np.ndarray:
    return (np.arange(np.prod(shape)).reshape(shape) * 7 % 60013).astype(dtype)


def files_of(path: Path) -> dict[str, str]:
    return {str(f.relative_to(path)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(path.rglob("*")) if f.is_file()}


class TestSavedImage(SourceContract):
    @pytest.fixture
    def case(self, tmp_path):
        stored = gradient(2, 3, 77, 91)
        image = mnb.open_image(stored, axes="tcyx", pixel_size=0.25)
        path = save_image(image, tmp_path / "a.ome.zarr", chunk=16)
        half = halve(stored)

        def change():
            stored[0, 0, 0, 0] += 1
            save_image(image, path, chunk=16, overwrite=True)

        return Case(
            lambda: open_zarr(Location.of(path)), stored.copy(), "tcyx", coarser=(half, halve(half)), n_levels=4,
            pixel_size={"y": 0.25, "x": 0.25}, channels=("channel 0", "channel 1", "channel 2"), change=change,
        )  # fmt: skip


@some
@given(image=images())
def test_a_round_trip_keeps_pixels_and_metadata(image):
    with tempfile.TemporaryDirectory() as folder:
        path = save_image(image, Path(folder) / "a.ome.zarr", chunk=16)
        again = mnb.open_image(path)
        assert (again.axes, again.shape, again.dtype) == (image.axes, image.shape, image.dtype)
        np.testing.assert_array_equal(again.read(), image.read())
        assert again.channels == image.channels
        assert (again.pixel_size is None) == (image.pixel_size is None)
        assert dict(again.pixel_size or {}) == pytest.approx(
            {a: s for a, s in (image.pixel_size or {}).items() if a in image.axes}
        )
        assert again.pixel_size_source == image.pixel_size_source
        assert {k: v for k, v in again.metadata.items() if k != "name"} == dict(image.metadata)
        assert all(level.translation == (0.0,) * len(image.axes) for level in again.info.levels)
        validate_zarr_store(path)


@some
@given(data=st.data(), dtype=st.sampled_from(DTYPES))
def test_halving_is_the_exact_mean(data, dtype):
    block = data.draw(pixels("yx", dtype))
    got = halve(block)
    h, w = block.shape
    assert got.shape == (-(-h // 2), -(-w // 2))
    assert got.dtype == block.dtype
    for i, j in {(0, 0), (got.shape[0] - 1, got.shape[1] - 1), (got.shape[0] // 2, got.shape[1] // 2)}:
        part = block[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel()
        if dtype.startswith("float"):
            assert got[i, j] == pytest.approx(part.mean(), rel=1e-5, abs=1e-3)
        else:
            values = [int(v) for v in part]
            assert int(got[i, j]) == (2 * sum(values) + len(values)) // (2 * len(values))


@some
@given(shape=st.tuples(st.integers(1, 150), st.integers(1, 150)), levels=st.none() | st.integers(1, 5), threads=st.integers(1, 4))
def test_the_walk_equals_halving_level_by_level(shape, levels, threads):
    from zarr.storage import MemoryStore

    image = gradient(*shape)
    plan = PyramidPlan.of(shape, chunk=16, shard=32, levels=levels)
    store = MemoryStore()
    arrays = create_levels(store, plan, dtype=image.dtype, axes="yx")
    seen = []
    PyramidWalk(plan, lambda place: image[place], arrays, advance=seen.append).run(threads=threads)
    expected = image
    for level in range(plan.levels):
        np.testing.assert_array_equal(arrays[level][...], expected)
        expected = halve(expected)
    assert sum(seen) == image.size


def test_bytes_do_not_depend_on_threads(tmp_path, monkeypatch):
    image = mnb.open_image(np.random.default_rng(1).poisson(90, (3, 300, 200)).astype("uint16"), axes="cyx")
    seen = []
    for threads in (1, 4):
        monkeypatch.setattr(mnb.settings, "threads", threads)
        seen.append(files_of(save_image(image, tmp_path / str(threads) / "a.ome.zarr", chunk=32)))
    assert seen[0] == seen[1]
    assert any("/c/" in name for name in seen[0])


def test_independent_readers_see_the_same_image(tmp_path):
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    image = mnb.open_image(gradient(2, 90, 64), axes="cyx", pixel_size=0.5)
    path = save_image(image, tmp_path / "a.ome.zarr", chunk=16, labels={"cells": np.ones((90, 64), "int32")})
    nodes = list(Reader(parse_url(path))())
    np.testing.assert_array_equal(np.asarray(nodes[0].data[0]), image.read())
    assert len(nodes[0].data) == 4
    for place in (path, path / "labels" / "cells"):
        validate_zarr_store(place)


def test_colour_stays_colour(tmp_path):
    image = mnb.open_image(gradient(40, 50, 3, dtype="uint8"), axes="yxc")
    assert image.rgb
    again = mnb.open_image(save_image(image, tmp_path / "a.ome.zarr", chunk=16))
    assert again.rgb
    assert [c.name for c in again.channels] == ["red", "green", "blue"]
    np.testing.assert_array_equal(again.read(), image.read())


def test_labels_travel_with_their_image(tmp_path):
    samples = sorted((SHARED / "formats").glob("dsb*v0?.ome.zarr"))
    for sample in samples:
        image = mnb.open_image(sample)
        again = mnb.open_image(save_image(image, tmp_path / sample.name))
        np.testing.assert_array_equal(again.labels["nuclei"].read(), image.labels["nuclei"].read())
        assert again.labels["nuclei"].dtype == image.labels["nuclei"].dtype
        validate_zarr_store(tmp_path / sample.name)
        assert mnb.open_image(save_image(image, tmp_path / "bare" / sample.name, labels={})).labels == {}


def test_layers_of_labels_come_back_with_their_names(tmp_path):
    path = save_image(gradient(60, 80), tmp_path / "a.ome.zarr", chunk=16)
    labels = xr.DataArray(gradient(2, 60, 80, dtype="int32"), dims=("layer", "y", "x"), coords={"layer": ["cell", "nucleus"]})
    where = save_labels(labels, path, name="objects")
    assert where == path / "labels" / "objects"
    got = mnb.open_image(path).labels["objects"]
    assert [c.name for c in got.channels] == ["cell", "nucleus"]
    np.testing.assert_array_equal(got.read(), labels.values)
    validate_zarr_store(path)
    one = labels.isel(layer=[1])
    save_labels(one, path, name="second")
    again = mnb.open_image(path)
    assert list(again.labels) == ["objects", "second"]
    assert [c.name for c in again.labels["second"].channels] == ["nucleus"]
    with pytest.raises(WriteError, match="already exists"):
        save_labels(one, path, name="second")
    save_labels(labels.isel(layer=0, drop=True), path, name="second", overwrite=True)
    np.testing.assert_array_equal(mnb.open_image(path).labels["second"].read(), labels.values[0])


def test_coarse_labels_hold_no_invented_label(tmp_path):
    labels = np.zeros((64, 64), "uint16")
    labels[10:30, 10:30], labels[30:50, 10:30] = 1, 9
    path = save_image(gradient(64, 64), tmp_path / "a.ome.zarr", chunk=16, labels={"cells": labels})
    got = mnb.open_image(path).labels["cells"]
    assert len(got.levels) == len(mnb.open_image(path).levels) == 3
    for k in range(3):
        assert set(np.unique(got.read(k))) == {0, 1, 9}


def test_labels_that_do_not_fit_are_refused(tmp_path):
    path = save_image(gradient(60, 80), tmp_path / "a.ome.zarr")
    with pytest.raises(AxesError, match=r"\(60, 80\)"):
        save_labels(xr.DataArray(np.zeros((60, 81), int), dims=("y", "x")), path)
    with pytest.raises(AxesError, match="float64"):
        save_labels(xr.DataArray(np.zeros((60, 80)), dims=("y", "x")), path)
    with pytest.raises(AxesError, match="dimensions"):
        save_labels(xr.DataArray(np.zeros((60, 80), int), dims=("a", "b")), path)
    with pytest.raises(WriteError, match="named"):
        save_labels(xr.DataArray(np.zeros((60, 80), int), dims=("y", "x")), path, name="../x")
    with pytest.raises(WriteError, match="there is none"):
        save_labels(xr.DataArray(np.zeros((60, 80), int), dims=("y", "x")), tmp_path / "nowhere.ome.zarr")
    assert not (path / "labels").exists()


def test_nothing_is_overwritten_unasked(tmp_path):
    path = save_image(gradient(20, 20), tmp_path / "a.ome.zarr")
    before = files_of(path)
    with pytest.raises(WriteError, match=r"already exists.*overwrite=True"):
        save_image(gradient(30, 30), path)
    assert files_of(path) == before
    save_image(gradient(30, 30), path, overwrite=True)
    assert mnb.open_image(path).shape == (30, 30)
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_a_folder_that_is_no_image_is_never_replaced(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(WriteError, match="not a zarr store"):
        save_image(gradient(20, 20), tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter1.txt").exists()


def test_an_image_may_replace_itself(tmp_path):
    path = save_image(gradient(60, 50), tmp_path / "a.ome.zarr", chunk=16)
    save_image(mnb.open_image(path).isel(y=slice(10, 40)), path, overwrite=True)
    np.testing.assert_array_equal(mnb.open_image(path).read(), gradient(60, 50)[10:40])


class _Stops:
    """An array whose reading fails after some blocks."""

    def __init__(self, error: BaseException) -> None:
        self.shape, self.dtype, self.ndim, self.error, self.reads = (400, 400), np.dtype("uint8"), 2, error, 0

    def transpose(self, *order):
        return self

    def __getitem__(self, index):
        self.reads += 1
        if self.reads > 3:
            raise self.error
        return np.ones([s.stop - s.start for s in index], "uint8")


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(28, "No space left on device"), WriteError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (ValueError("odd"), ValueError),
    ],
    ids=["disk full", "Ctrl-C", "anything"],
)
def test_what_stops_halfway_leaves_nothing(tmp_path, error, raised):
    old = save_image(gradient(20, 20), tmp_path / "old.ome.zarr")
    before = files_of(tmp_path)
    for target, overwrite in ((tmp_path / "new.ome.zarr", False), (old, True)):
        with pytest.raises(raised):
            save_image(_Stops(error), target, chunk=16, overwrite=overwrite)
        assert files_of(tmp_path) == before


def test_an_unwritable_place_is_a_write_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match=r"file/a\.ome\.zarr: could not be written"):
        save_image(gradient(20, 20), tmp_path / "file" / "a.ome.zarr")


def test_ctrl_c_in_a_script_leaves_nothing(tmp_path):
    script = (
        "import numpy as np, micro_nb as mnb, signal, threading, time, _thread\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background\n"
        "def press():  # now and again, as a person does where one press is lost\n"
        "    for pause in (0.3, *[8] * 20):\n"
        "        time.sleep(pause)\n"
        "        _thread.interrupt_main()\n"
        "class Endless:\n"
        "    shape, dtype, ndim = (200000, 200000), np.dtype('uint8'), 2\n"
        "    def transpose(self, *a): return self\n"
        "    first = iter([True])\n"
        "    def __getitem__(self, i):\n"
        "        if next(self.first, False): threading.Thread(target=press, daemon=True).start()\n"
        "        return np.ones([s.stop - s.start for s in i], 'uint8')\n"
        "mnb.settings.progress = False\n"
        "mnb.save_image(Endless(), 'big.ome.zarr')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert "KeyboardInterrupt" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kwargs", [{"chunk": 0}, {"chunk": 100, "shard": 150}, {"levels": 0}, {"levels": 99}])
def test_plans_that_cannot_be_are_refused(tmp_path, kwargs):
    with pytest.raises(PlanError):
        save_image(gradient(20, 20), tmp_path / "a.ome.zarr", **kwargs)
    assert os.listdir(tmp_path) == []


def test_empty_regions_cost_no_files(tmp_path):
    image = np.zeros((256, 256), "uint16")
    image[:20, :20] = 5
    path = save_image(image, tmp_path / "a.ome.zarr", chunk=16)
    assert [str(f.relative_to(path)) for f in path.glob("0/c/*/*")] == ["0/c/0/0"]
    np.testing.assert_array_equal(mnb.open_image(path).read(), image)
    shutil.rmtree(path)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_labels_of_another_resolution_keep_their_size_and_place(tmp_path, factor):
    pixels = np.arange(60 * 81, dtype="u2").reshape(60, 81)
    coarse = np.zeros((-(-60 // factor), -(-81 // factor)), "u2")
    coarse[4 // factor : 24 // factor, 8 // factor : 40 // factor] = 3
    labels = mnb.open_image(coarse, pixel_size=0.5 * factor)
    img = mnb.open_image(pixels, pixel_size=0.5)
    again = mnb.open_image(save_image(img, tmp_path / "a.ome.zarr", labels={"cells": labels}))
    kept = again.labels["cells"]
    np.testing.assert_array_equal(kept.read(), coarse)
    assert kept.pixel_size == {"y": 0.5 * factor, "x": 0.5 * factor}
    row = mnb.measure(again, kept).iloc[0]
    assert (row.area_um2, row.bbox_y0_px, row.bbox_x1_px) == (20 * 32 * 0.25, 4, 40)
    part = again.isel(y=slice(0, 24), x=slice(0, 40)).labels["cells"]
    np.testing.assert_array_equal(part.read(), coarse[: 24 // factor, : 40 // factor])
    with pytest.raises(AxesError, match="do not fit"):
        save_image(img, tmp_path / "b.ome.zarr", labels={"cells": mnb.open_image(np.zeros((60, 40), "u2"))})


def test_what_is_converted_is_valid_for_a_second_tool_and_read_by_another(tmp_path):
    models, reader = pytest.importorskip("ome_zarr_models"), pytest.importorskip("ome_zarr.reader")
    from ome_zarr.io import parse_url

    pixels = np.arange(2 * 3 * 70 * 90, dtype="u2").reshape(2, 3, 70, 90)
    img = mnb.open_image(pixels, axes="czyx", pixel_size={"z": 1.0, "y": 0.5, "x": 0.25})
    path = save_image(img, tmp_path / "a.ome.zarr", chunk=16, labels={"cells": (pixels[0, 0] > 99).astype("u1")})
    group = models.open_ome_zarr(zarr.open_group(path, mode="r"))
    assert group.ome_attributes.multiscales[0].ndim == 4
    node = next(iter(reader.Reader(parse_url(path))()))
    np.testing.assert_array_equal(np.asarray(node.data[0]), pixels)
    scale = node.metadata["coordinateTransformations"][0][0]["scale"]
    assert scale == [1.0, 1.0, 0.5, 0.25]
