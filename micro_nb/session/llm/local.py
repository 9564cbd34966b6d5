"""Chat models of transformers on this machine: causal ones, and image-text ones that are shown a thumbnail."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ...errors import MissingExtraError
from .protocol import ChatError, Message, Reply, spoken

MAX_NEW_TOKENS, MAX_SECONDS = 256, 120.0


class LocalChat:
    """A transformers model as a chat model; greedy, so that the same question gets the same words.

    Parameters
    ----------
    model : anything with ``generate``.
    reader : its tokenizer, or the processor of an image-text model.
    name : for the record.
    max_new_tokens, max_seconds : the longest reply, and the longest wait for it.
    """

    def __init__(
        self, model: Any, reader: Any, name: str = "", *, max_new_tokens: int = MAX_NEW_TOKENS, max_seconds: float = MAX_SECONDS
    ) -> None:
        self.model, self.reader = model.eval(), reader
        self.tokenizer = getattr(reader, "tokenizer", reader)
        self.name = name or Path(getattr(model, "name_or_path", "") or type(model).__name__).name
        self.max_new_tokens, self.max_seconds = max_new_tokens, max_seconds
        self.template = getattr(reader, "chat_template", None) or getattr(self.tokenizer, "chat_template", None)
        self.sees = hasattr(reader, "image_processor")

    @property
    def plans(self) -> bool:
        """Whether its chat template knows of tools."""
        return "tools" in str(self.template or "")

    @classmethod
    def load(cls, where: str | os.PathLike[str]) -> LocalChat:
        """A folder, a GGUF file, or a hub id, which is fetched over the network. Remote code is never run.

        Raises
        ------
        ChatError : nothing is there, or it cannot be loaded; says why.
        MissingExtraError : transformers are not installed.
        """
        try:
            from transformers import AutoConfig
        except ImportError:
            raise MissingExtraError("language models need transformers; try pip install 'micro-nb[llm]'") from None
        path = Path(where)
        if not path.exists() and os.fspath(where).count("/") != 1:
            raise ChatError(
                f"llm={os.fspath(where)!r} is neither a folder, a .gguf file, a hub id (who/what) nor an http address"
            )
        try:
            if path.suffix == ".gguf":
                return cls(*_causal(path.parent, gguf_file=path.name), name=path.stem)
            config = AutoConfig.from_pretrained(where)
            pair = _seeing(where) if _is_image_text(config) else _causal(where)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise ChatError(f"the language model {path.name!r} cannot be loaded: {str(error)[:300]}") from error
        return cls(*pair, name=path.name)

    def reply(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Reply:
        """Generates the next message.

        Raises
        ------
        ChatError : the conversation is longer than the model can read.
        """
        import torch

        inputs = self._inputs(messages, tools).to(self.model.device)
        length = inputs["input_ids"].shape[1]
        longest = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if longest and length + self.max_new_tokens > longest:
            raise ChatError(f"{self.name} reads {longest} tokens; this conversation has {length}")
        with torch.inference_mode():
            out = self.model.generate(
                **inputs, max_new_tokens=self.max_new_tokens, max_time=self.max_seconds, do_sample=False, temperature=None,
                top_p=None, top_k=None, pad_token_id=self._padding(),
            )  # fmt: skip
        written = self.tokenizer.decode(out[0, length:], skip_special_tokens=True)
        return Reply(*spoken(written))

    def _inputs(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Any:
        """Token ids (and pixels) of the conversation; a template that cannot take it is given it as one message."""
        pictures = [Image.open(io.BytesIO(m.picture)).convert("RGB") for m in messages if m.picture and self.sees]
        if tools and not self.plans:
            messages = _with_listing(messages, tools)
        text = self._rendered(messages, tools if self.plans else ())
        if not self.sees:
            return self.tokenizer(text, return_tensors="pt", add_special_tokens=False)
        return self.reader(text=text, images=[pictures] if pictures else None, return_tensors="pt", add_special_tokens=False)

    def _rendered(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> str:
        if self.template is None:
            return "\n\n".join(f"{m.role}: {m.text}" for m in messages) + "\n\nassistant:"
        given: dict[str, Any] = {"tools": [{"type": "function", "function": dict(t)} for t in tools]} if tools else {}
        last: Exception | None = None
        for form in (messages, _folded(messages)):
            try:
                chat = [self._message(m) for m in form]
                return str(self.reader.apply_chat_template(chat, add_generation_prompt=True, tokenize=False, **given))
            except Exception as error:  # templates raise what they like: roles they do not know, or must alternate
                last = error
        raise ChatError(f"the chat template of {self.name} does not take the conversation: {type(last).__name__}")

    def _message(self, m: Message) -> dict[str, Any]:
        content: Any = m.text
        if self.sees:
            content = [*([{"type": "image"}] if m.picture else []), {"type": "text", "text": m.text}]
        out: dict[str, Any] = {"role": m.role, "content": content}
        if m.calls:
            out["tool_calls"] = [
                {"type": "function", "id": c.id, "function": {"name": c.name, "arguments": dict(c.arguments)}} for c in m.calls
            ]
        return out | ({"tool_call_id": m.call} if m.call else {})

    def _padding(self) -> int | None:
        pad = self.tokenizer.pad_token_id
        found: int | None = pad if pad is not None else self.tokenizer.eos_token_id
        return found


def _causal(where: str | os.PathLike[str], **given: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    safe = {} if given else {"use_safetensors": True}
    return AutoModelForCausalLM.from_pretrained(where, **given, **safe), AutoTokenizer.from_pretrained(where, **given)


def _seeing(where: str | os.PathLike[str]) -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(where)  # type: ignore[no-untyped-call]
    return AutoModelForImageTextToText.from_pretrained(where, use_safetensors=True), processor


def _is_image_text(config: Any) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    return type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def _with_listing(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The tools in the rules, for templates that know none."""
    how = 'To measure, write only a call such as {"name": "measure", "arguments": {"expression": "count(\\"nucleus\\")"}}.'
    first, *rest = messages
    return [Message(first.role, "\n".join([first.text, how, *(f"{t['name']}: {t['description']}" for t in tools)])), *rest]


def _folded(messages: Sequence[Message]) -> list[Message]:
    """The whole conversation as one message of the person."""
    text = "\n\n".join(m.text if m.role in ("system", "user") else f"{m.role}: {m.text}" for m in messages)
    return [Message("user", text, picture=next((m.picture for m in messages if m.picture), None))]
