"""Micro-D1 with a language model behind a projector (LLaVA style): what it saw becomes a prefix that any causal model reads.

    thumbnail tokens (B, 64, D) ─┐
    object vectors   (B, N, D)   ├─ projector ─ prefix (B, 64 + N, E) ─┐
    input_ids        (B, T) ──── embeddings of the language model ─────┴─ language model ─ logits (B, 64 + N + T, V)

The prefix says what kind of picture it is and which objects were found; it carries no number that an answer may state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils.generic import ModelOutput

from .configuration_micro_d1 import MicroD1Config
from .modeling_micro_d1 import MicroD1Model, MicroD1PreTrainedModel

IGNORED = -100


@dataclass
class MicroD1LanguageOutput(ModelOutput):  # type: ignore[no-untyped-call]
    """What :class:`MicroD1ForConditionalGeneration` gives.

    Attributes
    ----------
    loss : cross entropy of ``labels``, where they were given.
    logits : ``(B, P + T, V)``; the first P places are those of the prefix.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None


class Projector(nn.Module):
    """Points of the joint space to embeddings of the language model; two layers, as in LLaVA 1.5 (Liu et al. 2024)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs)
        self.body = nn.Sequential(nn.Linear(inputs, outputs), nn.GELU(), nn.Linear(outputs, outputs))
        self.kind = nn.Embedding(2, outputs)  # a token of the picture, or an object
        nn.init.normal_(self.kind.weight, std=0.02)

    def forward(self, tokens: torch.Tensor, objects: torch.Tensor | None) -> torch.Tensor:  # (B, M, D), (B, N, D)
        prefix = self.body(self.norm(tokens)) + self.kind.weight[0]
        if objects is None or not objects.shape[1]:
            return prefix
        return torch.cat([prefix, self.body(self.norm(objects)) + self.kind.weight[1]], 1)  # (B, M + N, E)


class MicroD1ForConditionalGeneration(MicroD1PreTrainedModel):
    """Micro-D1, a projector, and a causal language model.

    Parameters
    ----------
    config : with ``text_config``, the configuration of any causal model of transformers as a dictionary.

    Examples
    --------
    >>> text = {"model_type": "llama", "vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
    ...         "num_attention_heads": 2, "num_key_value_heads": 2}
    >>> model = MicroD1ForConditionalGeneration(MicroD1Config(text_config=text))
    >>> out = model(input_ids=torch.zeros(1, 5, dtype=torch.long), thumbnail=torch.zeros(1, 3, 256, 256))
    >>> tuple(out.logits.shape)
    (1, 69, 32)
    """

    base_model_prefix = "vision"
    main_input_name = "input_ids"

    def __init__(self, config: MicroD1Config) -> None:
        super().__init__(config)
        if not config.text_config:
            raise ValueError("MicroD1ForConditionalGeneration needs text_config, the configuration of a causal language model")
        text = text_config(config)
        self.vision = MicroD1Model(config)
        self.projector = Projector(config.embed_dim, text.hidden_size)
        self.language = AutoModelForCausalLM.from_config(text)
        self.post_init()

    @classmethod
    def joined(cls, vision: MicroD1Model, language: Any) -> MicroD1ForConditionalGeneration:
        """Trained eyes and a trained language model, with a projector that has yet to learn; both are used, not copied."""
        config = MicroD1Config(**{**vision.config.to_dict(), "text_config": language.config.to_dict()})
        with torch.device("meta"):
            model = cls(config)
        model.projector = Projector(config.embed_dim, text_config(config).hidden_size)
        model.vision, model.language = vision, language
        return model

    def get_input_embeddings(self) -> nn.Module:
        """Those of the language model."""
        return self.language.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        """Those of the language model."""
        return self.language.get_output_embeddings()

    def prefix(self, seen: torch.Tensor, pooled: torch.Tensor | None = None) -> torch.Tensor:
        """Embeddings ``(B, M + N, E)`` of thumbnail features ``(B, M, 1280)`` and of pooled objects ``(B, N, D)``."""
        with torch.no_grad():  # the eyes stay as they were trained
            tokens = self.vision.thumb(seen)
            objects = self.vision.joint.objects(pooled, tokens) if pooled is not None and pooled.shape[1] else None
        return self.projector(tokens, objects)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        thumbnail: torch.Tensor | None = None,
        seen: torch.Tensor | None = None,
        pooled: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> MicroD1LanguageOutput:
        """Logits of the words behind the picture.

        Parameters
        ----------
        input_ids : ``(B, T) int64``.
        thumbnail : ``(B, 3, 256, 256) float32``; or ``seen``, ``(B, 64, 1280)``, what the eyes made of it.
        pooled : ``(B, N, D) float32`` mean pixel embeddings of objects.
        attention_mask : ``(B, T)``, 0 for padding.
        labels : ``(B, T) int64``; -100 where nothing is to be learnt.
        """
        words = self.get_input_embeddings()(input_ids)
        if seen is None and thumbnail is not None:
            seen = self.vision.thumb.look(thumbnail)
        if seen is not None:
            before = self.prefix(seen, pooled).to(words.dtype)
            width = before.shape[1]
            words = torch.cat([before, words], 1)  # (B, P + T, E)
            attention_mask = _widened(attention_mask, input_ids, width)
            if labels is not None:
                labels = torch.cat([labels.new_full((len(labels), width), IGNORED), labels], 1)
        out = self.language(inputs_embeds=words, attention_mask=attention_mask, labels=labels, **kwargs)
        return MicroD1LanguageOutput(loss=out.loss, logits=out.logits)

    @torch.inference_mode()
    def say(
        self, input_ids: torch.Tensor, *, seen: torch.Tensor, pooled: torch.Tensor | None = None, max_new_tokens: int = 48
    ) -> torch.Tensor:
        """Token ids ``(B, up to max_new_tokens)`` that follow, greedily."""
        before = self.prefix(seen, pooled)
        words = torch.cat([before, self.get_input_embeddings()(input_ids)], 1)
        mask = torch.ones(words.shape[:2], dtype=torch.long, device=words.device)
        return self.language.generate(
            inputs_embeds=words, attention_mask=mask, max_new_tokens=max_new_tokens, do_sample=False,
            pad_token_id=self.language.config.eos_token_id,
        )  # fmt: skip


def text_config(config: MicroD1Config) -> Any:
    """The configuration of the language model as an object."""
    given = dict(config.text_config or {})
    kind = given.pop("model_type", None)
    if kind is None:
        raise ValueError("text_config lacks model_type, such as 'llama'")
    return AutoConfig.for_model(kind, **given)


def _widened(mask: torch.Tensor | None, input_ids: torch.Tensor | None, width: int) -> torch.Tensor:
    """The mask of prefix and words."""
    assert input_ids is not None
    own = torch.ones_like(input_ids) if mask is None else mask
    return torch.cat([own.new_ones((len(own), width)), own], 1)
