from __future__ import annotations

import numpy as np
import pytest
import torch
from training_samples import discs

from micro_nb.learn.initial import start_encoder
from micro_nb.learn.pretrain import FEATURES, features, pretrain
from micro_nb.learn.scenes import generated
from micro_nb.models.tile_network import Encoder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    images = [discs(k).image for k in range(4)]
    return pretrain(images, steps=4, batch=4, edge=32, out=tmp_path_factory.mktemp("p") / "encoder.safetensors")


def test_an_encoder_learns_to_know_places_again_and_is_written_for_a_recipe(trained):
    assert len(trained.losses) == 4
    encoder = Encoder(5)
    start_encoder(encoder, trained.file)
    assert all(
        torch.equal(a, b) for a, b in zip(encoder.state_dict().values(), trained.encoder.state_dict().values(), strict=True)
    )


def test_a_crop_has_one_vector(trained):
    found = features(trained.encoder, [discs(k).image for k in range(3)])
    assert found.shape == (3, FEATURES)
    assert np.isfinite(found).all()


def test_images_too_small_for_a_crop_are_refused():
    with pytest.raises(ValueError, match="smaller edge"):
        pretrain([np.zeros((8, 8, 3), np.uint8)], edge=64)


def test_generated_scenes_are_samples_with_exact_names_and_outlines():
    [smear, nuclei] = generated({"blood": 1, "fluorescence": 1}, edge=256, seed=1)
    assert smear.image.shape == (256, 256, 3)
    assert "red blood cell" in smear.names["object"].values()
    assert set(np.unique(smear.labels["object"])) <= {0, *smear.names["object"]}
    assert set(nuclei.names["object"].values()) == {"nucleus"}
    assert nuclei.labels.keys() == {"object", "nucleus"}
    with pytest.raises(ValueError, match="there are bacteria, blood"):
        list(generated({"moon": 1}))
