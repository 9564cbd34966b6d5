# ruff: noqa: D103
"""What the recipe promises: maps that depend on a fixed neighbourhood, truth that decodes to itself, batches that repeat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from concepts import CONCEPTS, parents
from data import Batch, Crops
from evaluate import ap_of_boxes, ap_of_masks
from losses import Naming, losses_of
from scenes.make import SCENES, scene
from shards import UNKNOWN, read_shards, write_shards
from tensors import load, save

from micro_nb.learn.targets import targets
from micro_nb.models.tile_network import OFFSET_UNIT, RADIUS, STRIDE, Sizes, TileNetwork
from micro_nb.tasks.look.decode import Decoding, objects_of


@pytest.fixture(scope="module")
def samples() -> list:
    return [scene(5, k, edge=192) for k in range(12)]


def crops(samples: list) -> Crops:
    return Crops(samples, {"generated": 1.0}, Sizes().layers, CONCEPTS, size=2, edge=96, seed=3)


def test_what_is_said_of_a_pixel_depends_on_the_radius_around_it_alone() -> None:
    torch.manual_seed(0)
    network, edge = TileNetwork().eval(), 2 * (-(-RADIUS // STRIDE) + 2) * STRIDE
    pixels = torch.rand(1, 3, edge, edge, requires_grad=True)
    seen = network(pixels)
    middle = [slice(edge // step // 2, edge // step // 2 + STRIDE // step) for step in (2, 4)]
    sum(part[..., at, at].square().sum() for part, at in zip(seen, middle, strict=True)).backward()
    rows = (pixels.grad.abs().sum((0, 1, 3)) > 0).nonzero()[:, 0]
    assert edge // 2 - int(rows.min()) <= RADIUS
    assert int(rows.max()) - (edge // 2 + STRIDE - 1) <= RADIUS


def test_true_maps_decode_to_the_objects_they_were_made_of(samples: list) -> None:
    scores = []
    for sample in samples:
        labels = np.maximum(sample.labels["object"], 0).astype(np.int32)
        maps, _ = targets(labels)
        geometry = np.concatenate([maps[:2], maps[2:4] * OFFSET_UNIT, 0 * maps[:2]])
        scores.append(ap_of_masks(labels, objects_of(geometry, Decoding())))
    assert np.mean(scores) > 0.9


def test_a_batch_is_the_same_whenever_it_is_drawn(samples: list) -> None:
    first, again = crops(samples)[7], crops(samples)[7]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_losses_are_finite_and_have_gradients_where_nothing_is_named(samples: list) -> None:
    batch = crops(samples)[0]
    silent = Batch(*batch._replace(names=torch.full_like(batch.names, -1)))
    network, naming = TileNetwork(), Naming(CONCEPTS, parents())
    losses = losses_of(network(silent.pixels), silent, naming)
    torch.stack(list(losses.values())).sum().backward()
    assert all(torch.isfinite(v) for v in losses.values())
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_shards_and_tensors_come_back_as_they_were_written(samples: list, tmp_path: Path) -> None:
    samples[0].labels["object"][:9] = UNKNOWN
    write_shards(samples, tmp_path, "some")
    for before, after in zip(samples, read_shards(tmp_path), strict=True):
        assert np.array_equal(before.image, after.image)
        assert before.names == after.names
        assert all(np.array_equal(lab, after.labels[layer]) for layer, lab in before.labels.items())
    weights = TileNetwork().state_dict()
    save(weights, tmp_path / "tile.safetensors")
    assert all(torch.equal(v, weights[k]) for k, v in load(tmp_path / "tile.safetensors").items())


def test_objects_that_lie_where_nothing_is_known_are_not_counted() -> None:
    truth = np.zeros((20, 20), np.int32)
    truth[2:8, 2:8], truth[12:, :] = 1, UNKNOWN
    found = np.where(truth == 1, 1, 0)
    found[13:18, 3:9] = 2
    assert ap_of_masks(truth, found) == 1
    assert ap_of_boxes(np.array([[2, 2, 8, 8]]), truth, found) == 1


def test_every_kind_of_scene_can_be_made() -> None:
    assert {scene(0, k, edge=96).kind for k in range(80)} == set(SCENES)
