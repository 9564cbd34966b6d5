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
            from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
        except ImportError:
            raise MissingExtraError("language models need transformers; try pip install 'micro-nb[llm]'") from None
        path = Path(where)
        if not path.exists() and os.fspath(where).count("/") != 1:
            what = "neither a folder, a .gguf file, a hub id (who/what) nor an http address"
            raise ChatError(f"llm={os.fspath(where)!r} is {what}")
        try:
            if path.suffix == ".gguf":
                model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name)
                return cls(model, AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name), path.stem)
            seeing = _is_image_text(where)
            kind, reader = (AutoModelForImageTextToText, AutoProcessor) if seeing else (AutoModelForCausalLM, AutoTokenizer)
            return cls(kind.from_pretrained(where, use_safetensors=True), reader.from_pretrained(where), path.name)  # type: ignore[no-untyped-call]
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise ChatError(f"the language model {path.name!r} cannot be loaded: {str(error)[:300]}") from error

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
        pad, end = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        with torch.inference_mode():
            out = self.model.generate(
                **inputs, max_new_tokens=self.max_new_tokens, max_time=self.max_seconds, do_sample=False, temperature=None,
                top_p=None, top_k=None, pad_token_id=end if pad is None else pad,
            )  # fmt: skip
        return Reply(*spoken(self.tokenizer.decode(out[0, length:], skip_special_tokens=True)))

    def _inputs(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Any:
        """Token ids (and pixels) of the conversation; tools that the template does not know stand in the rules."""
        if tools and not self.plans:
            how = 'To measure, write only a call such as {"name": "measure", "arguments": {"expression": "kinds()"}}.'
            known = [how, *(f"{t['name']}: {t['description']}" for t in tools)]
            messages = [Message(messages[0].role, "\n".join([messages[0].text, *known])), *messages[1:]]
        text = self._rendered(messages, tools if self.plans else ())
        if not self.sees:
            return self.tokenizer(text, return_tensors="pt", add_special_tokens=False)
        pictures = [Image.open(io.BytesIO(m.picture)).convert("RGB") for m in messages if m.picture]
        return self.reader(text=text, images=[pictures] if pictures else None, return_tensors="pt", add_special_tokens=False)

    def _rendered(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> str:
        """The text of the conversation; a template that cannot take it is given all as one message of the person."""
        if self.template is None:
            return "\n\n".join(f"{m.role}: {m.text}" for m in messages) + "\n\nassistant:"
        given: dict[str, Any] = {"tools": [{"type": "function", "function": dict(t)} for t in tools]} if tools else {}
        whole = "\n\n".join(m.text if m.role in ("system", "user") else f"{m.role}: {m.text}" for m in messages)
        one = Message("user", whole, picture=next((m.picture for m in messages if m.picture), None))
        last: Exception | None = None
        for form in (messages, [one]):
            try:
                chat = [m.to_dict(self._content(m), dict) for m in form]
                return str(self.reader.apply_chat_template(chat, add_generation_prompt=True, tokenize=False, **given))
            except Exception as error:  # templates raise what they like: roles they do not know, or must alternate
                last = error
        raise ChatError(f"the chat template of {self.name} does not take the conversation: {type(last).__name__}")

    def _content(self, m: Message) -> Any:
        return [*([{"type": "image"}] if m.picture else []), {"type": "text", "text": m.text}] if self.sees else m.text


def _is_image_text(where: str | os.PathLike[str]) -> bool:
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    return type(AutoConfig.from_pretrained(where)) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
