"""What a conversation needs of a language model: one method, and the messages it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from ...errors import MicroNBError

Role = Literal["system", "user", "assistant", "tool"]


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

    role: Role
    text: str
    calls: tuple[ToolCall, ...] = ()
    call: str = ""
    picture: bytes | None = field(default=None, repr=False)


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
