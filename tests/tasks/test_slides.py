"""Planes of many windows: a look that was interrupted goes on, glass is passed over, a draw stands for all, a cluster looks."""

import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import micro_nb as mnb
from micro_nb.errors import PlanError
from micro_nb.progress import Progress, watched
from micro_nb.tasks.look import cache, looking, network, seen
from micro_nb.tasks.look.looking import look_at
from micro_nb.tasks.look.network import TileMaps
from micro_nb.tasks.look.parts import fill
from micro_nb.tasks.look.seen import Draw
from micro_nb.tiles.kept import Kept

WINDOWS = 25


@pytest.fixture(autouse=True)
def many_small_windows(tmp_path, monkeypatch):
    monkeypatch.setenv("MICRO_NB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(looking, "_CACHE", cache.SeenCache())
    monkeypatch.setattr(cache, "_ON_DISK_PX", 1 << 10)
    for module in (network, seen):
        monkeypatch.setattr(module, "WINDOW", 64)


@pytest.fixture(scope="module")
def slide():
    """Nuclei in the left fifth, and dark elsewhere."""
    pixels = np.full((600, 600), 400, np.uint16)
    pixels[:, :120] = mnb.samples.fluorescence((600, 120), seed=2).image.read()
    return mnb.open_image(pixels + np.random.default_rng(0).integers(0, 20, pixels.shape).astype(np.uint16))


@pytest.fixture
def looked(monkeypatch):
    """The windows that were looked at, and on how many network pixels the network ran for them."""
    tiles, pixels = [], []
    look, run = TileMaps.look, network.run
    monkeypatch.setattr(TileMaps, "look", lambda self, tile: (tiles.append(tile.index), look(self, tile))[1])
    monkeypatch.setattr(network, "run", lambda model, seen: (pixels.append(seen[0, 0].numel()), run(model, seen))[1])
    return tiles, pixels


def parsed(slide, **how):
    return mnb.parse(slide, "nucleus", diameter_px=22, **how)


def assert_same(a, b):
    assert np.array_equal(a.labels, b.labels)
    pd.testing.assert_frame_equal(a.table, b.table)


def test_a_look_that_was_stopped_goes_on_where_it_was(slide, looked):
    def stop(progress: Progress) -> None:
        if progress.what == "looking" and len(list(kept())) >= 5:
            raise KeyboardInterrupt

    def kept():
        return cache.cache_folder().rglob("parts */*.npz")

    with watched(stop), pytest.raises(KeyboardInterrupt):
        parsed(slide)
    there = {int(path.stem) for path in kept()}
    assert 5 <= len(there) < WINDOWS
    looked[0].clear()
    found = parsed(slide)
    assert sorted(looked[0]) == sorted(set(range(WINDOWS)) - there)
    assert not list(kept())  # what is whole needs no parts
    looking._CACHE.clear()
    assert_same(found, parsed(slide))  # from the folder


def test_a_look_that_was_killed_goes_on_where_it_was(tmp_path, slide, looked):
    mnb.save_image(slide, tmp_path / "slide.ome.zarr")
    script = f"""
        import os, signal, numpy as np, micro_nb as mnb
        from micro_nb.tasks.look import cache, network, seen
        from micro_nb.tiles.kept import Kept
        cache._ON_DISK_PX = 1 << 10
        network.WINDOW = seen.WINDOW = 64
        keep = Kept.__setitem__

        def die(self, index, part):
            keep(self, index, part)
            index < 6 or os.kill(os.getpid(), signal.SIGKILL)

        Kept.__setitem__ = die
        mnb.settings.threads = 1
        mnb.parse({str(tmp_path / "slide.ome.zarr")!r}, "nucleus", diameter_px=22)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    found = parsed(tmp_path / "slide.ome.zarr")
    assert sorted(looked[0]) == list(range(7, WINDOWS))
    assert_same(found, parsed(slide))


def test_what_is_dark_is_passed_over_and_objects_do_not_change(slide, looked, monkeypatch):
    found = parsed(slide)
    assert len(found) > 10
    some = sum(looked[1])
    looked[1].clear()
    monkeypatch.setattr(network, "is_blank", lambda pixels: False)
    looking._CACHE.clear()
    monkeypatch.setattr(looking, "_REVISION", -1)
    assert_same(found, parsed(slide))
    assert some < 0.6 * sum(looked[1])


def test_faint_things_are_not_passed_over():
    grey = np.full((64, 64), 0.1, np.float32)
    grey[20:40, 20:40] = 0.16
    pixels = network.torch.from_numpy(np.stack([grey] * 3)[None])
    assert not network.is_blank(pixels)
    assert network.is_blank(pixels[..., 40:])


def test_a_draw_looks_at_some_windows_and_the_whole_at_the_others(slide, looked):
    model = mnb.load_model()
    _, some = look_at(slide, model, diameter_px=22, draw=Draw(6))
    assert sorted(looked[0]) == list(some.drawn.indices)
    assert len(looked[0]) == 6
    drawn = set(looked[0])
    _, more = look_at(slide, model, diameter_px=22, draw=Draw(9))
    assert drawn < set(more.drawn.indices)  # the first are among them, and were not looked at again
    assert len(looked[0]) == 9
    _, whole = look_at(slide, model, diameter_px=22, draw=Draw(13))  # half of them: all
    assert whole.drawn is None
    assert sorted(looked[0]) == list(range(WINDOWS))


def test_objects_of_all_drawn_windows_are_those_of_the_whole(slide):
    model = mnb.load_model()
    _, whole = look_at(slide, model, diameter_px=22)
    maps = TileMaps(model, slide, 2, whole.bounds)
    kept = Kept(None)
    fill(kept, maps, maps.grid)
    for name in whole.layers:
        numbers, count = seen._owned(name, maps.grid, kept)
        assert abs(count - len(whole.layers[name])) <= 0.02 * count
        assert sorted(k for own in numbers for k in own if k) == list(range(1, count + 1))


def test_the_workers_of_a_cluster_see_the_same(slide, tmp_path, monkeypatch):
    from distributed import Client

    mnb.save_image(slide, tmp_path / "slide.ome.zarr")
    here = parsed(tmp_path / "slide.ome.zarr")
    looking._CACHE.clear()
    monkeypatch.setattr(looking, "_REVISION", -1)
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        assert_same(here, parsed(tmp_path / "slide.ome.zarr", client=client))
        with pytest.raises(PlanError, match="memory"):
            parsed(slide, client=client)
