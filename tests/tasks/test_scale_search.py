from __future__ import annotations

import numpy as np
import pytest

from micro_nb.data.open import open_image
from micro_nb.tasks.load import load_model
from micro_nb.tasks.look import network, seen
from micro_nb.tasks.look.decode import Decoding
from micro_nb.tasks.look.network import TileMaps, plane_bounds
from micro_nb.tasks.look.places import FIXED, LARGE, telling
from micro_nb.tasks.look.scale import find_scales
from micro_nb.tasks.look.seen import Look

BLOOD = ("platelet", "red blood cell", "white blood cell")


class Clump:
    """A plane that shows one disc of 240 px, and in it a lattice of discs 24 px wide, of which the network is less sure."""

    def __init__(self, pitch: int) -> None:
        self.pitch, self.shape = pitch, (640 // pitch, 640 // pitch)

    def glance(self, core: tuple[slice, slice], halo: int) -> np.ndarray:
        y, x = np.mgrid[: self.shape[0], : self.shape[1]] * self.pitch + self.pitch / 2
        large = np.hypot(y - 320, x - 320) < 120
        small = (np.hypot(y % 120 - 80, x % 120 - 80) < 12) & large
        seen = large if self.pitch >= 16 else small
        middle = (320.0, 320.0) if self.pitch >= 16 else (y // 120 * 120 + 80, x // 120 * 120 + 80)
        sure = np.where(seen, 0.99 if self.pitch >= 16 else 0.57, 0.0)
        offsets = [np.where(seen, (m - at) / self.pitch, 0.0) for m, at in zip(middle, (y, x), strict=True)]
        return np.stack([sure, sure, *offsets])[(slice(None), *core)].astype(np.float32)


def scale_of_clump(sizes: tuple[float, float] | None) -> float:
    found = find_scales(Clump, {"object": Decoding()}, shape=(640, 640), target=22.0, sizes=sizes)  # type: ignore[arg-type]
    return found["object"].diameter_px


def test_what_is_larger_than_objects_can_be_does_not_decide_the_scale() -> None:
    assert scale_of_clump(None) == pytest.approx(240, rel=0.1)
    assert scale_of_clump((5.0, 100.0)) < 30


def test_sizes_that_nothing_has_are_not_believed() -> None:
    assert scale_of_clump((1.0, 2.0)) == scale_of_clump(None)


def test_a_pixel_size_and_the_sizes_of_the_ontology_bound_the_diameter_in_pixels() -> None:
    low, high = seen.sizes_px({"y": 0.5, "x": 0.5}, "histology", BLOOD) or (0, 0)  # a nucleus: 5 to 20 µm
    assert (low, high) == pytest.approx((5 / 1.5 / 0.5, 20 * 1.5 / 0.5))
    assert seen.sizes_px({"y": 0.1, "x": 0.1}, None, BLOOD) == pytest.approx((1.5 / 1.5 / 0.1, 20 * 1.5 / 0.1))
    assert seen.sizes_px({"z": 1.0, "y": 1.0, "x": 2.0}, "blood", ()) == pytest.approx((1.5 / 1.5 / 2, 20 * 1.5 / 1))


def test_without_a_pixel_size_only_what_colours_show_bounds_it() -> None:
    assert seen.sizes_px(None, None, BLOOD) is None
    assert seen.sizes_px({"y": 1.0, "x": 1.0}, None, ()) is None
    low, high = seen.sizes_px(None, "histology", ()) or (1, 1)
    assert low == 0
    assert 300 < high < 600  # pixels of 65 nm


def test_a_large_plane_is_looked_at_where_something_shows() -> None:
    side = int(np.sqrt(LARGE)) + 600
    plane = np.full((side, side), 200, np.uint8)
    tissue = np.s_[side // 2 :, : side // 2]
    plane[tissue] = np.random.default_rng(0).integers(0, 255, plane[tissue].shape)
    found = telling(open_image(plane))
    assert len(found) > 1
    assert all(y > 0.45 and x < 0.55 for y, x in found)
    assert telling(open_image(plane[:900, :900])) == FIXED


def test_an_empty_large_plane_is_looked_at_all_the_same() -> None:
    side = int(np.sqrt(LARGE)) + 600
    assert len(telling(open_image(np.full((side, side), 7, np.uint8)))) > 1
    missing = np.full((side, side), np.nan, np.float32)
    missing[: side // 2] = 1.0
    assert len(telling(open_image(missing))) > 1


def test_a_large_plane_goes_through_the_network_once_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "WINDOW", 64)
    monkeypatch.setattr(seen, "WINDOW", 64)
    monkeypatch.setattr(network, "_KEPT", 16)  # of 25 windows
    monkeypatch.setattr(seen, "_KEEP_BYTES", 16 * 12 * 64 * 64 * 2)
    looked: list[tuple[slice, slice]] = []
    look = TileMaps.look

    def counted(self: TileMaps, core: tuple[slice, slice], halo: int = network.HALO) -> network.Tiled:
        if halo:
            looked.append(core)
        return look(self, core, halo)

    monkeypatch.setattr(TileMaps, "look", counted)
    plane = open_image(np.random.default_rng(0).integers(0, 255, (610, 620)).astype(np.uint8))
    found = Look(load_model(), plane, 22.0).run()
    assert found.scale.pitch == 2
    assert len(looked) == len(TileMaps(load_model(), plane, 2, plane_bounds(plane)).grid) == 25
