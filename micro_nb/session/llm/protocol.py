"""What a conversation needs of a language model: one method, the messages it is given, and its answer taken apart: text and tool
calls, in the forms that open models write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from ...errors import MicroNBError

MAX_TEXT, MAX_CALLS = 20_000, 16
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_MARKED = re.compile(r"</?tool_calls?>|\[/?TOOL_CALLS\]|<\|?python_tag\|?>|<\|[a-z_]+\|>|```(?:json)?", re.IGNORECASE)


class ChatError(MicroNBError, RuntimeError):
    """A language model could not be asked, or gave nothing that can be read."""


@dataclass(frozen=True)
class ToolCall:
    """A tool that a model asks for, not yet checked.

    Attributes
    ----------
    name, arguments : as the model wrote them.
    id : what the result refers to, where the model's interface wants that.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True)
class Message:
    """One message to a model, or of it.

    Attributes
    ----------
    role : ``"system"`` (the rules), ``"user"``, ``"assistant"`` (the model itself), ``"tool"`` (the result of a call).
    text : what it says.
    calls : tools an assistant's message asks for.
    call : of a tool's message, the ``id`` of the call that it answers.
    picture : PNG of a thumbnail of the image, for models that see.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[ToolCall, ...] = ()
    call: str = ""
    picture: bytes | None = field(default=None, repr=False)

    def to_dict(self, content: Any, arguments: Any) -> dict[str, Any]:
        """As chat completions and chat templates have it: with this content, and arguments written by this function."""
        calls = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": arguments(dict(c.arguments))}}
            for c in self.calls
        ]
        about = ({"tool_calls": calls} if calls else {}) | ({"tool_call_id": self.call} if self.role == "tool" else {})
        return {"role": self.role, "content": content, **about}


@dataclass(frozen=True)
class Reply:
    """What a model gives back: text, or tools it wants called first."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


@runtime_checkable
class ChatModel(Protocol):
    """Any object with this method can stand behind a conversation.

    The attribute ``sees`` is read where it exists (default False): whether messages may carry a picture.

    Examples
    --------
    >>> class Echo:
    ...     def reply(self, messages, tools):
    ...         return Reply("Measured: {e1}.")
    >>> isinstance(Echo(), ChatModel)
    True
    """

    def reply(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Reply:
        """The next message of the model.

        Parameters
        ----------
        messages : the conversation so far; the first holds the rules.
        tools : JSON schemas of the tools it may ask for: ``name``, ``description``, ``parameters``; empty where it may not.
        """
        ...


def spoken(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    """What is meant for people, or the calls written into it as JSON; thoughts are left out.

    >>> spoken('<tool_call>{"name": "measure", "arguments": {"expression": "kinds()"}}</tool_call>')
    ('', (ToolCall(name='measure', arguments={'expression': 'kinds()'}, id='call0'),))
    >>> spoken("There are {e1} nuclei.")
    ('There are {e1} nuclei.', ())
    """
    text = _THOUGHT.sub("", text[:MAX_TEXT])
    found = (tool_call(value, f"call{k}") for k, value in enumerate(_objects(text)))
    calls = tuple(call for call in found if call is not None)[:MAX_CALLS]
    return ("" if calls else _MARKED.sub("", text).strip(" \n\t[],;")), calls


def tool_call(value: Any, name: str = "") -> ToolCall | None:
    """A call out of ``{"name": ..., "arguments" or "parameters": {...} or JSON text}``; None where it is none."""
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        return None
    given = value.get("arguments", value.get("parameters"))
    try:
        given = json.loads(given or "{}") if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return None
    return ToolCall(value["name"][:64], {str(k): v for k, v in given.items()}, name) if isinstance(given, Mapping) else None


def _objects(text: str) -> Iterator[Any]:
    """JSON objects in a text; none inside another."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        yield value
        at = text.find("{", end)
