"""At which scale an image is looked at: what glances say together, and where they are taken."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from micro_nb.data.open import open_image
from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model
from micro_nb.tasks.load import load_model
from micro_nb.tasks.look import network, seen
from micro_nb.tasks.look.network import TileMaps, plane_bounds
from micro_nb.tasks.look.scale import LARGE, glances, pitch_for, possible, said, telling
from micro_nb.tasks.look.seen import Look
from micro_nb.tiles.plan import Tile


class Sizes(torch.nn.Module):
    """Says of a texture ``(N, 1)`` that the typical size is so many octaves from the known one."""

    OCTAVES = tuple(k / 4 for k in range(-24, 25))

    def forward(self, textures: torch.Tensor) -> torch.Tensor:
        return (-(((torch.tensor(self.OCTAVES) - textures) / 0.5) ** 2)).log_softmax(1)


@pytest.fixture
def model() -> MicroD1Model:
    found = MicroD1Model(MicroD1Config(decoder_widths=(16, 16, 8), embed_dim=16, text_width=16, heads=2, text_buckets=256))
    found.size = Sizes()
    return found


def textures(diameter_px: float, pitches: tuple[int, ...] = (1, 2, 4, 8)) -> dict[int, np.ndarray]:
    return {p: np.full((3, 1), np.log2(diameter_px / 22.0) - np.log2(p / 2), np.float32) for p in pitches}


def test_the_pitch_brings_objects_to_the_size_the_network_knows() -> None:
    assert [pitch_for(d, 22.0) for d in (5, 11, 22, 90)] == [1, 1, 2, 6]


@pytest.mark.parametrize("diameter", [7.0, 22.0, 150.0])
def test_glances_of_all_strides_say_one_size(model: MicroD1Model, diameter: float) -> None:
    scale = said(textures(diameter), model)
    assert scale.diameter_px == pytest.approx(diameter, rel=0.08)
    assert (scale.source, scale.pitch) == ("predicted", pitch_for(scale.diameter_px, 22.0))
    assert scale.sure > 0.9


def test_one_glance_that_errs_does_not_decide(model: MicroD1Model) -> None:
    seen = textures(40.0)
    seen[8] = np.full((3, 1), 4.0, np.float32)
    assert said(seen, model).diameter_px == pytest.approx(40.0, rel=0.1)


def test_a_pixel_size_leaves_sizes_that_trained_objects_can_have(model: MicroD1Model) -> None:
    model.calibration = {"object_concepts": ["platelet", "red blood cell", "white blood cell"]}  # 1.5 to 20 µm
    plane = np.zeros((64, 64), np.uint8)
    assert possible(open_image(plane), model) == (0.0, np.inf)
    low, high = possible(open_image(plane, pixel_size=0.5), model)
    assert (low, high) == pytest.approx((1.5 / 1.5 / 0.5, 20 * 1.5 / 0.5))
    assert said(textures(150.0), model, (low, high)).diameter_px <= high


def test_a_large_plane_is_looked_at_where_something_shows() -> None:
    side = int(np.sqrt(LARGE)) + 600
    plane = np.full((side, side), 200, np.uint8)
    tissue = np.s_[side // 2 :, : side // 2]
    plane[tissue] = np.random.default_rng(0).integers(0, 255, plane[tissue].shape)
    found = telling(open_image(plane))
    assert len(found) > 1
    assert all(y > 0.45 and x < 0.55 for y, x in found)
    assert len(telling(open_image(plane[:900, :900]))) == 3


def test_an_empty_large_plane_is_looked_at_all_the_same() -> None:
    side = int(np.sqrt(LARGE)) + 600
    assert len(telling(open_image(np.full((side, side), 7, np.uint8)))) > 1
    missing = np.full((side, side), np.nan, np.float32)
    missing[: side // 2] = 1.0
    assert len(telling(open_image(missing))) > 1


def test_a_large_plane_goes_through_the_network_once_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "WINDOW", 64)
    monkeypatch.setattr(seen, "WINDOW", 64)
    looked: list[Tile] = []
    look = TileMaps.look

    def counted(self: TileMaps, tile: Tile) -> network.Tiled:
        looked.append(tile)
        return look(self, tile)

    monkeypatch.setattr(TileMaps, "look", counted)
    plane = open_image(np.random.default_rng(0).integers(0, 255, (610, 620)).astype(np.uint8))
    found = Look(load_model(), plane, 22.0).run()
    assert found is not None
    assert found.scale.pitch == 2
    assert len(looked) == len(TileMaps(load_model(), plane, 2, plane_bounds(plane)).grid) == 25


def test_a_small_plane_is_glanced_at_once() -> None:
    plane = open_image(np.random.default_rng(0).integers(0, 255, (100, 120)).astype(np.uint8))
    maps = TileMaps(load_model(), plane, 2, plane_bounds(plane))
    assert glances(maps, telling(plane)).shape == (1, 352)
