from __future__ import annotations

import numpy as np
import pytest
import torch
from training_samples import discs

from micro_nb.learn.augment import _turned, recolour, sample_image, sample_labels, sampling_grid
from micro_nb.learn.crops import Crops, bounds
from micro_nb.learn.targets import KNOWN

LAYERS = ("object", "nucleus", "organelle")


@pytest.fixture
def crops() -> Crops:
    return Crops([discs(1), discs(2, colour=True)], {"discs": 1.0}, LAYERS, edge=64)


def test_a_batch_depends_on_its_seed_and_step_alone(crops):
    other = Crops([discs(1), discs(2, colour=True)], {"discs": 1.0}, LAYERS, edge=64)
    crops.batch(0, 2)
    a, b = crops.batch(7, 2), other.batch(7, 2)
    assert torch.equal(a.pixels, b.pixels)
    assert a.names == b.names
    assert not torch.equal(a.pixels, crops.batch(8, 2).pixels)


def test_shapes_are_those_of_the_network_and_a_layer_without_labels_is_not_known(crops):
    batch = crops.batch(0, 2)
    assert batch.pixels.shape == (2, 3, 64, 64)
    assert batch.targets.shape == (2, 3, 8, 32, 32)
    assert batch.labels.shape == (2, 3, 32, 32)
    assert batch.targets[:, 2, KNOWN].sum() == 0
    assert batch.targets[:, :2, KNOWN].sum() > 0


def test_every_name_asked_for_is_of_an_object_in_sight(crops):
    batch = crops.batch(0, 4)
    assert batch.names
    for crop, layer, number, name in batch.names:
        assert (batch.labels[crop, layer] == number).any()
        assert name == "nucleus"


def test_hues_turn_and_brightness_stays():
    x = np.random.default_rng(0).uniform(0.2, 0.8, (3, 8, 8))
    turned = _turned(x, 2.0)
    weights = np.array([0.299, 0.587, 0.114])[:, None, None]
    assert np.allclose((x * weights).sum(0), (turned * weights).sum(0), atol=1e-6)
    assert np.abs(turned - x).max() > 0.05
    assert np.allclose(_turned(_turned(x, 2.0), -2.0), x)


def test_a_weight_without_images_is_refused_by_name():
    with pytest.raises(ValueError, match=r"moon.*there is discs"):
        Crops([discs(1)], {"discs": 1.0, "moon": 1.0}, LAYERS)


def test_a_type_of_a_data_set_can_have_its_own_share():
    dark, bright = discs(1), discs(2)
    dark.facts, bright.facts = {"type": "dark"}, {"type": "bright"}
    crops = Crops([dark, bright], {"discs/dark": 1.0}, LAYERS, edge=64)
    assert crops.sources == {"discs/dark": [dark]}


def test_a_grid_without_scale_or_warp_finds_the_pixels_themselves(rng):
    image = rng.integers(0, 255, (20, 30, 3)).astype(np.uint8)
    grid = np.stack(np.meshgrid(np.arange(5, 15), np.arange(8, 18), indexing="ij")).astype(float)
    assert np.allclose(sample_image(image, grid), image[5:15, 8:18].transpose(2, 0, 1), atol=1e-3)


def test_beyond_its_frame_an_image_is_mirrored_and_its_labels_are_unknown(rng):
    image = rng.integers(0, 255, (20, 30, 3)).astype(np.uint8)
    grid = np.stack(np.meshgrid([-3.0, 0.0, 22.0], [4.0, 5.0], indexing="ij"))
    found = sample_image(image, grid)
    assert np.allclose(found[:, 0, 0], image[3, 4], atol=1e-2)
    assert np.allclose(found[:, 2, 1], image[16, 5], atol=1e-2)
    assert sample_labels(np.ones((20, 30), np.int32), grid).tolist() == [[-1, -1], [1, 1], [-1, -1]]


def test_crops_of_small_images_are_drawn_too(rng):
    small = discs(4, edge=40)
    batch = Crops([small], {"discs": 1.0}, LAYERS, edge=64).batch(0, 3)
    assert torch.isfinite(batch.pixels).all()


def test_recolouring_leaves_a_grey_picture_grey(rng):
    grey = np.repeat(rng.random((1, 32, 32)).astype(np.float32), 3, 0)
    for _ in range(20):
        assert np.ptp(recolour(rng, grey), axis=0).max() < 1e-5


def test_a_grid_turns_but_keeps_scale(rng):
    grid = sampling_grid(rng, 33, 2.0, (50.0, 60.0), warp=0.0)
    assert np.allclose(grid[:, 16, 16], (50, 60), atol=1e-6)
    step = np.hypot(*(grid[:, 17, 16] - grid[:, 16, 16]))
    assert 0.35 < step < 0.7


def test_a_flat_picture_has_grey_values_apart():
    low, high = bounds(np.full((8, 8, 3), 7, np.uint8))
    assert (low, high) == (7, 8)
