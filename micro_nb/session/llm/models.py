"""From what ``Session(llm=...)`` was given to a chat model."""

from __future__ import annotations

import os
from typing import Any

from .assistant import Assistant
from .endpoint import Endpoint
from .expressions import schema_validator
from .protocol import ChatModel


def assistant(llm: Any) -> Assistant | None:
    """What stands behind a session.

    Parameters
    ----------
    llm : None; an object with ``reply(messages, tools)``; an :class:`Endpoint` or ``"http://host/v1#model"``; a folder, a GGUF
        file or a hub id of a transformers model; a pair ``(model, tokenizer or processor)``, or a transformers pipeline.

    Raises
    ------
    TypeError : none of these.
    ChatError : the model cannot be loaded; says why.
    """
    if llm is None:
        return None
    schema_validator()
    return Assistant(_model(llm))


def _model(llm: Any) -> ChatModel:
    if isinstance(llm, ChatModel) and not isinstance(llm, type):
        return llm
    if isinstance(llm, str) and llm.startswith(("http://", "https://")):
        return Endpoint.parse(llm)
    if isinstance(llm, str | os.PathLike):
        from .local import LocalChat  # transformers are loaded where a model is, not before

        return LocalChat.load(llm)
    pair = llm if isinstance(llm, tuple) and len(llm) == 2 else (getattr(llm, "model", None), _reader(llm))
    if all(part is not None for part in pair) and hasattr(pair[0], "generate"):
        from .local import LocalChat

        return LocalChat(*pair)
    raise TypeError(
        f"llm={type(llm).__name__}: give an object with reply(messages, tools), an Endpoint or 'http://host/v1#model', a folder "
        "or hub id of a transformers model, or (model, tokenizer)"
    )


def _reader(pipeline: Any) -> Any:
    return getattr(pipeline, "processor", None) or getattr(pipeline, "tokenizer", None)
