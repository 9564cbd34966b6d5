"""Micro-D1 follows the conventions of transformers, and its tile path sees a pixel's surroundings alone."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoProcessor

from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model, MicroD1Processor
from micro_nb.models.network import MicroD1

SMALL = {"decoder_widths": (16, 16, 8), "embed_dim": 16, "text_width": 16, "heads": 2, "text_buckets": 256}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return MicroD1Model(MicroD1Config(**SMALL)).eval()


@pytest.fixture(scope="module")
def processor():
    return MicroD1Processor(text_buckets=256)


def test_a_model_is_saved_and_loaded_through_the_auto_classes(model, processor, tmp_path):
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}
    again, prepared = AutoModel.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), MicroD1Config)
    assert isinstance(prepared, MicroD1Processor)
    assert prepared.text_buckets == 256
    inputs = prepared(text=["nuclei"])
    with torch.inference_mode():
        torch.testing.assert_close(model(**inputs).text_embeds, again.eval()(**inputs).text_embeds)


def test_grey_and_colour_pictures_become_three_channels_padded_to_multiples_of_sixteen(processor):
    grey = processor(images=np.arange(70 * 90, dtype="uint16").reshape(70, 90))
    colour = processor(images=np.zeros((3, 70, 90), "uint8"))
    assert grey["pixel_values"].shape == colour["pixel_values"].shape == (1, 3, 80, 96)
    assert grey["thumbnail"].shape == (1, 3, 256, 256)
    low, high = np.percentile(grey["pixel_values"].numpy()[:, :, :70, :90], [0.5, 99.5])
    assert abs(low) < 0.01
    assert abs(high - 1) < 0.01


def test_two_channels_are_refused_with_what_to_do(processor):
    with pytest.raises(ValueError, match="choose channels first"):
        processor(images=np.zeros((2, 16, 16)))


def test_unknown_keyword_arguments_are_refused_by_name(model, processor):
    with pytest.raises(TypeError, match="colour"):
        processor(images=np.zeros((16, 16)), colour=True)
    with pytest.raises(TypeError, match="labels"):
        model(labels=1)


def test_pixels_that_are_no_multiple_of_the_stride_are_refused_with_their_shape(model):
    with pytest.raises(ValueError, match=r"\(1, 3, 20, 32\)"):
        model(pixel_values=torch.zeros(1, 3, 20, 32))


def test_what_lies_far_away_changes_nothing(model):
    torch.manual_seed(1)
    x = torch.rand(1, 3, 64, 640)
    y = x.clone()
    y[..., 480:] = 0
    with torch.inference_mode():
        a, b = (model(pixel_values=v).geometry[..., :100] for v in (x, y))
    assert torch.allclose(a, b, atol=1e-5)


def test_prompts_are_unit_vectors_whatever_their_neighbours_in_the_batch(model, processor):
    with torch.inference_mode():
        alone = model(**processor(text=["white blood cell"])).text_embeds
        together = model(**processor(text=["nuclei", "white blood cell", ""])).text_embeds
    assert torch.allclose(alone[0], together[1], atol=1e-5)
    assert torch.allclose(together.norm(dim=1), torch.ones(3), atol=1e-5)


def test_objects_are_placed_with_and_without_the_global_tokens(model):
    pooled, seen = torch.randn(1, 5, 16), torch.randn(1, 64, 1280)
    with torch.inference_mode():
        for tokens in (None, model.thumb(seen)):
            assert torch.allclose(model.joint.objects(pooled, tokens).norm(dim=-1), torch.ones(1, 5), atol=1e-5)
        for parts in ((seen, torch.randn(1, 32)), (None, torch.randn(1, 32)), (seen, None)):
            assert model.joint.images(*parts).shape == (1, 16)


def test_what_is_loaded_to_look_is_the_model_of_transformers(model, tmp_path):
    model.save_pretrained(tmp_path / "whole")
    light = MicroD1.read(tmp_path / "whole").eval()
    state = light.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    light.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / "config.json").read_text() == (tmp_path / "whole" / "config.json").read_text()
    back = AutoModel.from_pretrained(tmp_path / "again").state_dict()
    assert all(torch.equal(tensor, back[name]) for name, tensor in state.items())


def test_loading_leaves_the_random_numbers_of_the_caller_alone(model, tmp_path):
    model.save_pretrained(tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    MicroD1.read(tmp_path)
    assert torch.equal(torch.rand(2), expected)
