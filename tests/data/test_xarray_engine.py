"""The xarray engine opens lazily by name and leaves everybody else alone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import micro_nb as mnb
from micro_nb.data.xarray_engine import MicroNBBackend


@pytest.fixture
def stored(tmp_path, rng):
    pixels = rng.integers(0, 4000, (2, 70, 90)).astype("uint16")
    image = mnb.open_image(pixels, axes="cyx", pixel_size=0.5)
    return mnb.save_image(image, tmp_path / "a.ome.zarr", chunk=16), pixels


def test_a_tree_holds_every_level(stored):
    path, pixels = stored
    tree = xr.open_datatree(path, engine="micro_nb")
    assert list(tree.children) == ["s0", "s1", "s2", "s3"]
    np.testing.assert_array_equal(tree["s0/image"].values, pixels)
    assert tree["s0/image"].x.attrs["units"] == "micrometer"
    assert mnb.MicroImage.from_datatree(tree).pixel_size == {"y": 0.5, "x": 0.5}
    tree.close()


def test_a_dataset_holds_one_level_and_reads_only_what_is_asked(stored, monkeypatch):
    path, pixels = stored
    asked = []
    from micro_nb.data.sources.zarr_source import ZarrSource

    read = ZarrSource.read
    monkeypatch.setattr(ZarrSource, "read", lambda self, level, index: asked.append(index) or read(self, level, index))
    dataset = xr.open_dataset(path, engine="micro_nb", level=0)
    assert asked == []
    np.testing.assert_array_equal(dataset.image[1, 3:5, 7:9].values, pixels[1, 3:5, 7:9])
    assert asked == [(slice(1, 2), slice(3, 5), slice(7, 9))]
    assert xr.open_dataset(path, engine="micro_nb", level=1, drop_variables="image").data_vars == {}
    with pytest.raises(ValueError, match=r"level 9 is not one of 0\.\.3"):
        xr.open_dataset(path, engine="micro_nb", level=9)


def test_groups_are_the_same_tree(stored):
    groups = xr.open_groups(stored[0], engine="micro_nb", pixel_size=2.0)
    assert sorted(groups) == ["/", "/s0", "/s1", "/s2", "/s3"]
    assert float(groups["/s0"].x[1] - groups["/s0"].x[0]) == 2.0


def test_nothing_is_claimed_by_guessing(stored):
    assert not MicroNBBackend().guess_can_open(str(stored[0]))
    assert not MicroNBBackend().guess_can_open("slide.zarr")


def test_registering_costs_strangers_nothing():
    script = (
        "import sys, xarray as xr; before = set(sys.modules); xr.backends.list_engines(); "
        "assert 'micro_nb' in xr.backends.list_engines(); import micro_nb.data.xarray_engine; "
        "print(sorted(m for m in set(sys.modules) - before if m.startswith('micro_nb')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['micro_nb', 'micro_nb.data', 'micro_nb.data.xarray_engine', 'micro_nb.settings']"
