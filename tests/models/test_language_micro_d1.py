"""Any causal language model of transformers stands behind Micro-D1's projector, and is saved and loaded with it."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from micro_nb.models.micro_d1 import MicroD1Config, MicroD1ForConditionalGeneration, MicroD1Model
from micro_nb.models.micro_d1.language_micro_d1 import IGNORED, text_config

LLAMA = {
    "model_type": "llama", "vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True,
}  # fmt: skip
GPT2 = {"model_type": "gpt2", "vocab_size": 64, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 256}
WORDS = torch.arange(6)[None]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return MicroD1ForConditionalGeneration(MicroD1Config(text_config=LLAMA)).eval()


def given(seed=0, objects=3):
    make = torch.Generator().manual_seed(seed)
    return {"seen": torch.rand(1, 64, 1280, generator=make), "pooled": torch.rand(1, objects, 128, generator=make)}


def test_the_picture_stands_before_the_words(model):
    with torch.no_grad():
        out = model(input_ids=WORDS, labels=WORDS, **given())
        plain = model(input_ids=WORDS)
    assert out.logits.shape == (1, 64 + 3 + 6, 64)
    assert plain.logits.shape == (1, 6, 64)
    assert out.loss.isfinite()


def test_words_depend_on_the_picture_and_on_the_objects(model):
    with torch.no_grad():
        words = [
            model(input_ids=WORDS, **g).logits[:, -6:] for g in (given(0), given(1), {**given(0), "pooled": given(1)["pooled"]})
        ]
        none = model(input_ids=WORDS, seen=given(0)["seen"], pooled=torch.zeros(1, 0, 128)).logits[:, -6:]
    assert not torch.allclose(words[0], words[1])
    assert not torch.allclose(words[0], words[2], atol=1e-6)
    assert none.shape == words[0].shape


def test_padding_and_ignored_labels_teach_nothing(model):
    padded = torch.cat([WORDS, torch.zeros(1, 4, dtype=torch.long)], 1)
    mask = torch.cat([torch.ones(1, 6), torch.zeros(1, 4)], 1).long()
    labels = torch.where(mask > 0, padded, IGNORED)
    with torch.no_grad():
        loss = model(input_ids=WORDS, labels=WORDS, **given()).loss
        assert torch.allclose(loss, model(input_ids=padded, attention_mask=mask, labels=labels, **given()).loss, atol=1e-5)


def test_only_the_projector_and_the_language_model_learn(model):
    model(input_ids=WORDS, labels=WORDS, **given()).loss.backward()
    assert all(p.grad is None for p in model.vision.parameters())
    assert all(p.grad is not None for p in model.projector.parameters())
    model.zero_grad()


def test_it_is_saved_and_loaded_whole(model, tmp_path):
    model.save_pretrained(tmp_path)
    again = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert type(again) is MicroD1ForConditionalGeneration
    assert again.language.lm_head.weight is again.language.get_input_embeddings().weight
    with torch.no_grad():
        assert torch.equal(model(input_ids=WORDS, **given()).logits, again(input_ids=WORDS, **given()).logits)
    assert [p.name for p in tmp_path.glob("model*")] == ["model.safetensors"]


@pytest.mark.parametrize("text", [LLAMA, GPT2])
def test_trained_parts_are_joined_as_they_are(text):
    vision = MicroD1Model(MicroD1Config()).eval()
    language = AutoModelForCausalLM.from_config(text_config(MicroD1Config(text_config=text))).eval()
    model = MicroD1ForConditionalGeneration.joined(vision, language).eval()
    assert model.language is language
    assert model.vision is vision
    assert vision.config.text_config is None
    assert not any(p.is_meta for p in model.parameters())
    assert model.say(WORDS, **given(), max_new_tokens=5).shape[1] <= 5


def test_a_thumbnail_is_looked_at(model):
    with torch.no_grad():
        out = model(input_ids=WORDS, thumbnail=torch.rand(1, 3, 256, 256))
    assert out.logits.shape == (1, 70, 64)


@pytest.mark.parametrize(("text", "reason"), [(None, "needs text_config"), ({"hidden_size": 4}, "model_type")])
def test_a_language_model_must_be_described(text, reason):
    with pytest.raises(ValueError, match=reason):
        MicroD1ForConditionalGeneration(MicroD1Config(text_config=text))
