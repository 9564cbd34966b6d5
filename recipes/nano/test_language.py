# ruff: noqa: D103
"""A language model is taught on labelled scenes: the loss falls, and adapter and projector come back from disk."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from words.features import views
from words.language import ADAPTER, LanguageRecipe, LanguageTrainer, encoded, load_language, told
from words.lessons import lessons

from micro_nb.learn.loop import RecipeError
from micro_nb.learn.scenes import generated
from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model
from micro_nb.tasks.load import prepared

WORDS = 300
RECIPE = LanguageRecipe(language="tiny", steps=30, batch=4, rank=4, alpha=8, dropout=0.0, tokens=400, objects=8, rate=0.02,
                        projector_rate=0.02, warmup=3, save_every=1000)  # fmt: skip


@pytest.fixture(scope="module")
def eyes():
    torch.manual_seed(0)
    return prepared(MicroD1Model(MicroD1Config()))


@pytest.fixture(scope="module")
def seen(eyes):
    scenes = list(generated({"blood": 1, "fluorescence": 1}, edge=256, seed=1))
    return told(scenes, views(scenes, eyes, copies=1))


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bytewise = Tokenizer(models.BPE(vocab={w: k for k, w in enumerate(words)}, merges=[], unk_token="<unk>"))
    bytewise.pre_tokenizer, bytewise.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


def tiny():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=WORDS,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            initializer_range=0.3,
        )
    )


def test_answers_of_lessons_hold_places_and_no_numbers(seen):
    taught = lessons(seen, seed=3)
    assert taught == lessons(seen, seed=3)
    assert len(taught) > 10
    assert any(lesson.answer.startswith("It looks like fluorescence, with {e1.value}") for lesson in taught)
    for lesson in taught:
        evidence = dict(re.findall(r"^e(\d+): .* = (\d+)$", lesson.prompt, re.MULTILINE))
        places = re.findall(r"\{e(\d+)\.value\}", lesson.answer)
        assert not re.search(r"\d", re.sub(r"\{e\d+\.value\}", "", lesson.answer))
        assert set(places) <= set(evidence)
    yes = [lesson for lesson in taught if lesson.answer.startswith("Yes")]
    assert yes
    for lesson in yes:
        number = re.search(r"\{e(\d+)\.", lesson.answer)[1]
        assert int(dict(re.findall(r"^e(\d+): .* = (\d+)$", lesson.prompt, re.MULTILINE))[number]) > 0


def test_counts_of_lessons_are_the_labels(seen):
    for lesson in lessons(seen):
        for name, n in re.findall(r"^e\d+: number of (nuclei|red blood cells) = (\d+)$", lesson.prompt, re.MULTILINE):
            one = {"nuclei": "nucleus", "red blood cells": "red blood cell"}[name]
            assert seen[lesson.view].names.count(one) == int(n)


def test_only_answers_are_learnt(seen, tokenizer):
    lesson = lessons(seen)[0]
    ids, start = encoded(lesson, tokenizer, 400)
    assert tokenizer.decode(ids[start:-1]).strip() == lesson.answer
    assert ids[-1] == tokenizer.eos_token_id
    assert len(encoded(lesson, tokenizer, 60)[0]) <= 60


def test_the_loss_falls_and_what_was_learnt_is_saved_and_loaded(eyes, seen, tokenizer, tmp_path):
    language = tiny()
    before = {k: v.clone() for k, v in language.state_dict().items()}
    sight = {k: v.clone() for k, v in eyes.state_dict().items()}
    trainer = LanguageTrainer(RECIPE, seen, eyes=eyes, language=language, tokenizer=tokenizer)
    losses = [line["loss"] for line in trainer.run(tmp_path).lines]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert all(torch.equal(v, eyes.state_dict()[k]) for k, v in sight.items())
    assert (tmp_path / ADAPTER / "adapter_model.safetensors").stat().st_size < 200_000

    again = load_language(tmp_path, eyes=eyes, language=tiny())
    base = again.language.get_base_model().state_dict()
    assert all(torch.equal(v, base[k.replace("_proj.", "_proj.base_layer.") if k not in base else k]) for k, v in before.items())
    batch = trainer.draw(0)
    with torch.no_grad():
        assert torch.allclose(again(**batch).logits, trainer.model.eval()(**batch).logits, atol=1e-5)
    assert again.say(batch["input_ids"][:1], seen=batch["seen"][:1], pooled=batch["pooled"][:1], max_new_tokens=4).shape[0] == 1


def test_a_training_that_was_stopped_goes_on_along_the_same_curve(eyes, seen, tokenizer, tmp_path):
    def lines(steps, folder):
        recipe = replace(RECIPE, steps=steps, cooldown=1e-6, warmup=1, dropout=0.1)
        return LanguageTrainer(recipe, seen, eyes=eyes, language=tiny(), tokenizer=tokenizer).run(tmp_path / folder).lines

    lines(2, "stopped")
    whole, stopped = lines(4, "whole"), lines(4, "stopped")
    assert [line["loss"] for line in stopped] == pytest.approx([line["loss"] for line in whole], abs=2e-3)


def test_the_recipe_of_small_can_be_read():
    small = Path(__file__).parent / "words" / "small.yaml"
    recipe = LanguageRecipe.load(small, steps=5)
    assert (recipe.steps, recipe.eyes, recipe.name) == (5, "nano", "small")
    with pytest.raises(RecipeError, match="colour is no part"):
        LanguageRecipe.load(small, colour=1)
