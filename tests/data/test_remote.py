"""Images at an address: http by byte ranges without listing, s3 by the standard environment; nothing remote unless named."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import fsspec
import numpy as np
import pytest

import micro_nb as mnb
from micro_nb.errors import CorruptImageError, ImageNotFoundError, UnknownFormatError, WriteError


@pytest.fixture
def stored(tmp_path, rng):
    pixels = rng.integers(0, 4000, (2, 300, 200)).astype("uint16")
    image = mnb.open_image(pixels, axes="cyx", pixel_size=0.5)
    labels = {"cells": (pixels[0] > 2000).astype("uint8")}
    return mnb.save_image(image, tmp_path / "served" / "a.ome.zarr", chunk=32, labels=labels), pixels


def test_a_folder_opens_over_http_without_listing(stored, http_root):
    path, pixels = stored
    url = http_root(path.parent)
    img = mnb.open_image(f"{url}/a.ome.zarr")
    assert not any("/c/" in line for line in http_root.log), "opening read pixels"
    np.testing.assert_array_equal(img.read(), pixels)
    np.testing.assert_array_equal(img.labels["cells"].read(), pixels[0] > 2000)
    assert img.pixel_size == {"y": 0.5, "x": 0.5}
    assert img.content_id == mnb.open_image(f"{url}/a.ome.zarr").content_id


def test_a_small_crop_moves_few_bytes(stored, http_root):
    path, pixels = stored
    img = mnb.open_image(f"{http_root(path.parent)}/a.ome.zarr")
    http_root.log.clear()
    np.testing.assert_array_equal(img.read(0, (slice(0, 1), slice(5, 9), slice(5, 9))), pixels[:1, 5:9, 5:9])
    gets = [line for line in http_root.log if line.startswith("GET")]
    assert len(gets) <= 3
    assert all("bytes=" in line for line in gets), "a shard was fetched whole"


def test_a_level_array_and_a_zip_open_over_http(stored, http_root):
    path, pixels = stored
    shutil.make_archive(str(path.parent / "b.ome.zarr"), "zip", path)
    url = http_root(path.parent)
    assert mnb.open_image(f"{url}/a.ome.zarr/1").shape == (2, 150, 100)
    img = mnb.open_image(f"{url}/b.ome.zarr.zip")
    np.testing.assert_array_equal(img.read(), pixels)
    assert list(img.labels) == ["cells"]


def test_what_is_not_there_is_said_so(stored, http_root):
    url = http_root(stored[0].parent)
    for missing in ("gone.ome.zarr", "gone.tif", "a.ome.zarr/77"):
        with pytest.raises(ImageNotFoundError, match=missing):
            mnb.open_image(f"{url}/{missing}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ImageNotFoundError, match="could not be reached"):
        mnb.open_image(f"http://127.0.0.1:{port}/a.ome.zarr")
    (stored[0].parent / "page.html").write_text("<html>")
    with pytest.raises(UnknownFormatError, match=r"page\.html.*<html>"):
        mnb.open_image(f"{url}/page.html")


def test_a_damaged_remote_chunk_is_named(stored, http_root):
    path, _ = stored
    shard = path / "0/c/0/0/0"
    shard.write_bytes(shard.read_bytes()[:200])
    img = mnb.open_image(f"{http_root(path.parent)}/a.ome.zarr")
    with pytest.raises(CorruptImageError, match=r"a\.ome\.zarr/0/c/0/0/0"):
        img.read()


def test_an_image_lives_on_s3(stored, s3_bucket):
    path, pixels = stored
    address = f"{s3_bucket}/deep/a.ome.zarr"
    assert mnb.save_image(mnb.open_image(path), address, chunk=32) == address
    img = mnb.open_image(address)
    np.testing.assert_array_equal(img.read(), pixels)
    np.testing.assert_array_equal(img.labels["cells"].read(), pixels[0] > 2000)
    assert img.content_id == mnb.open_image(address).content_id
    with pytest.raises(WriteError, match="already exists"):
        mnb.save_image(pixels[0], address)
    mnb.save_image(pixels[0], address, chunk=32, overwrite=True)
    np.testing.assert_array_equal(mnb.open_image(address).read(), pixels[0])
    with pytest.raises(ImageNotFoundError, match="nothing"):
        mnb.open_image(f"{s3_bucket}/nothing.ome.zarr")


def test_a_stopped_write_leaves_nothing_on_s3(s3_bucket):
    class Stops:
        shape, dtype, ndim = (400, 400), np.dtype("uint8"), 2

        def __init__(self):
            self.reads = 0

        def transpose(self, *order):
            return self

        def __getitem__(self, index):
            self.reads += 1
            if self.reads > 3:
                raise KeyboardInterrupt
            return np.ones([s.stop - s.start for s in index], "uint8")

    with pytest.raises(KeyboardInterrupt):
        mnb.save_image(Stops(), f"{s3_bucket}/half.ome.zarr", chunk=16)
    fs = fsspec.filesystem("s3")
    fs.invalidate_cache()
    assert fs.find(s3_bucket) == []


def test_a_scheme_nobody_knows_is_refused():
    with pytest.raises(ImportError, match="nosuch"):
        mnb.open_image("nosuch://bucket/a.ome.zarr")


def test_local_paths_touch_no_network(stored, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a local image opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    img = mnb.open_image(Path(stored[0]))
    assert img.read().any()
    assert img.content_id
