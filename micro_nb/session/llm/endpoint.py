"""Chat models behind an OpenAI-compatible address: Ollama, vLLM, llama.cpp, or a remote one; only where it was named.

Nothing is sent before a question is asked. Keys are read from the environment when they are needed, and are neither kept, shown
nor logged; what a server says in an error is not repeated, as it might hold one.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ...errors import MissingExtraError
from .protocol import ChatError, Message, Reply, ToolCall, spoken, tool_call

_AGAIN = frozenset([408, 425, 429, 500, 502, 503, 504])  # worth a second try
_PAUSE_S = 0.5


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible server.

    Parameters
    ----------
    url : its base, as ``"http://localhost:11434/v1"``.
    model : name of the model there.
    key_env : name of the environment variable that holds the key; None where the server wants none.
    sees : whether the model takes pictures; then a thumbnail of the image is sent along.
    timeout_s : the longest wait for a whole reply.
    tries : how often a request is made that failed for a passing reason.
    max_bytes : the longest reply that is read.
    max_tokens : the longest answer asked for.

    Raises
    ------
    ValueError : the address is not http(s), holds a user name or password, or a key would travel unencrypted.

    Examples
    --------
    >>> Endpoint.parse("http://localhost:11434/v1#llama3.2")
    Endpoint(url='http://localhost:11434/v1', model='llama3.2', key_env=None, sees=False)
    """

    url: str
    model: str
    key_env: str | None = None
    sees: bool = False
    timeout_s: float = field(default=60.0, repr=False)
    tries: int = field(default=2, repr=False)
    max_bytes: int = field(default=1 << 20, repr=False)
    max_tokens: int = field(default=512, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        where = "the address of a language model"
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{where} starts with http:// or https://; got {parts.scheme or 'none'}")
        if parts.username or parts.password or parts.query:
            raise ValueError(f"{where} holds no user, password or query; name the key's variable: key_env=")
        if not self.model:
            raise ValueError("which model? write it behind the address, 'http://host/v1#model', or as Endpoint(url, model)")
        if self.key_env and parts.scheme == "http" and not self._here:
            raise ValueError(f"a key is not sent unencrypted to {parts.hostname}; use https")

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """``"http://host/v1#model"``."""
        url, _, model = text.partition("#")
        return cls(url, model)

    @property
    def name(self) -> str:
        """The model, for the record."""
        return self.model

    @property
    def _here(self) -> bool:
        """Whether the server is this machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def reply(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Reply:
        """Asks the server once, or again where it failed for a passing reason.

        Raises
        ------
        ChatError : no answer in time, an error, or an answer that cannot be read. Says which, without the server's words.
        """
        headers, body, end = self._headers(), self._body(messages, tools), time.monotonic() + self.timeout_s
        for left in reversed(range(max(1, self.tries))):
            status, data = self._ask(headers, body, end)
            if status == 200:
                return _read(data)
            if not left or status not in _AGAIN or time.monotonic() + _PAUSE_S > end:
                break
            time.sleep(_PAUSE_S)
        raise ChatError(f"{self.model} answered with status {status}" if status else f"{self.model} could not be reached")

    def _headers(self) -> dict[str, str]:
        """With the key, which is read now."""
        key = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        if self.key_env and not key:
            raise ChatError(f"the environment variable {self.key_env} is not set, so {self.model} cannot be asked")
        return {"User-Agent": "micro_nb"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def _body(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        said = [m.to_dict(_content(m), json.dumps) for m in messages]
        asked = {"model": self.model, "messages": said, "temperature": 0, "stream": False, "max_tokens": self.max_tokens}
        return asked | ({"tools": [{"type": "function", "function": dict(t)} for t in tools]} if tools else {})

    def _ask(self, headers: Mapping[str, str], body: Mapping[str, Any], end: float) -> tuple[int, bytes]:
        """Status and bytes, where they end in time and are not too many; status 0 where nothing came. Redirections are errors: a
        key goes to the server that was named and to no other."""
        try:
            import httpx
        except ImportError:
            raise MissingExtraError("servers of language models need httpx; try pip install 'micro-nb[llm]'") from None
        address, data, wait = f"{self.url.rstrip('/')}/chat/completions", b"", max(end - time.monotonic(), 0.01)
        late = ChatError(f"{self.model} gave no answer within {self.timeout_s:g} s")
        try:
            with httpx.Client(trust_env=not self._here, timeout=wait, headers=headers) as client, \
                    client.stream("POST", address, json=body) as response:  # fmt: skip
                for block in response.iter_bytes():
                    data += block
                    if len(data) > self.max_bytes:
                        raise ChatError(f"{self.model} sent more than {self.max_bytes} bytes")
                    if time.monotonic() > end:
                        raise late
                return response.status_code, data
        except httpx.TimeoutException:
            raise late from None
        except (httpx.HTTPError, OSError):  # its words may hold what was sent
            return 0, b""


def _content(m: Message) -> Any:
    """The text of a message, with the picture where there is one."""
    if m.picture is None:
        return m.text
    url = f"data:image/png;base64,{base64.b64encode(m.picture).decode()}"
    return [{"type": "text", "text": m.text}, {"type": "image_url", "image_url": {"url": url}}]


def _read(data: bytes) -> Reply:
    """The reply in the bytes of a response; whatever is wrong with them is said without repeating them."""
    try:
        message = json.loads(data)["choices"][0]["message"]
        text, written = spoken(message.get("content") or "")
        calls = tuple(_call(k, c) for k, c in enumerate(message.get("tool_calls") or ()))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise ChatError("the language model's server sent something that is no chat completion") from None
    return Reply(text, calls or written)


def _call(number: int, call: Mapping[str, Any]) -> ToolCall:
    asked = {"name": call["function"]["name"], "arguments": call["function"].get("arguments") or {}}
    made = tool_call(asked, str(call.get("id") or f"call{number}")[:64])
    if made is None:
        raise ValueError("no call")
    return made
