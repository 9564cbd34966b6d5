"""Chat models behind an OpenAI-compatible address: Ollama, vLLM, llama.cpp, or a remote one; only where it was named.

Nothing is sent before a question is asked. Keys are read from the environment when they are needed, and are neither kept, shown
nor logged; what a server says in an error is not repeated, as it might hold one.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .protocol import ChatError, Message, Reply, ToolCall, one_call, spoken

_BLOCK = 1 << 14
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
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"the address of a language model starts with http:// or https://; got {parts.scheme or 'none'}")
        if parts.username or parts.password or parts.query:
            raise ValueError(
                "the address of a language model holds no user, password or query; name the key's variable: key_env="
            )
        if not self.model:
            raise ValueError(
                "which model? write it behind the address, 'http://localhost:11434/v1#model', or as Endpoint(url, model)"
            )
        if self.key_env and parts.scheme == "http" and not _is_here(parts.hostname):
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
    def key(self) -> str | None:
        """The key, read now.

        Raises
        ------
        ChatError : the variable is not set.
        """
        if self.key_env is None:
            return None
        value = os.environ.get(self.key_env, "").strip()
        if not value:
            raise ChatError(f"the environment variable {self.key_env} is not set, so {self.model} cannot be asked")
        return value

    def reply(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> Reply:
        """Asks the server once, or again where it failed for a passing reason.

        Raises
        ------
        ChatError : no answer in time, an error, or an answer that cannot be read. Says which, without the server's words.
        """
        body = json.dumps(self._body(messages, tools)).encode()
        end = time.monotonic() + self.timeout_s
        for left in reversed(range(max(1, self.tries))):
            status, data = self._ask(body, end)
            if status == 200 and data is not None:
                return _read(data)
            if not left or status not in _AGAIN or time.monotonic() + _PAUSE_S > end:
                break
            time.sleep(_PAUSE_S)
        raise ChatError(f"{self.model} answered with status {status}" if status else f"{self.model} could not be reached")

    def _body(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model, "messages": [as_openai(m) for m in messages], "temperature": 0, "stream": False,
            "max_tokens": self.max_tokens,
        }  # fmt: skip
        keep = ("name", "description", "parameters")
        offered = [{"type": "function", "function": {k: t[k] for k in keep if k in t}} for t in tools]
        return body | ({"tools": offered} if offered else {})

    def _ask(self, body: bytes, end: float) -> tuple[int, bytes | None]:
        """Status and bytes; status 0 where nothing came. A thread of its own, so that a server that drips cannot hold us."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "micro_nb"}
        if key := self.key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(f"{self.url.rstrip('/')}/chat/completions", body, headers, method="POST")
        got: queue.SimpleQueue[tuple[int, bytes | None] | ChatError] = queue.SimpleQueue()
        threading.Thread(target=self._fetch, args=(request, end, got), daemon=True).start()
        try:
            found = got.get(timeout=max(end - time.monotonic(), 0.01))
        except queue.Empty:
            raise ChatError(f"{self.model} gave no answer within {self.timeout_s:g} s") from None
        if isinstance(found, ChatError):
            raise found
        return found

    def _fetch(self, request: urllib.request.Request, end: float, got: queue.SimpleQueue[Any]) -> None:
        host = urlsplit(self.url).hostname or ""
        proxies = [urllib.request.ProxyHandler({})] if _is_here(host) else []
        opener = urllib.request.build_opener(_NoRedirect(), *proxies)
        try:
            with opener.open(request, timeout=max(end - time.monotonic(), 0.01)) as response:
                got.put((response.status, self._within(response, end)))
        except urllib.error.HTTPError as error:
            got.put((error.code, None))
        except ChatError as error:
            got.put(error)
        except TimeoutError:
            got.put(ChatError(f"{self.model} gave no answer within {self.timeout_s:g} s"))
        except Exception:  # whatever a broken server or a proxy causes; the words may hold what was sent
            got.put((0, None))

    def _within(self, response: Any, end: float) -> bytes:
        """The body, where it ends in time and is not too long."""
        data = b""
        while block := response.read1(_BLOCK):
            data += block
            if len(data) > self.max_bytes:
                raise ChatError(f"{self.model} sent more than {self.max_bytes} bytes")
            if time.monotonic() > end:
                raise ChatError(f"{self.model} gave no answer within {self.timeout_s:g} s")
        return data


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key goes to the server that was named and to no other."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """None, so that a redirection is an error."""


def as_openai(m: Message) -> dict[str, Any]:
    """A message as the chat-completions interface writes it."""
    content: Any = m.text
    if m.picture is not None:
        url = f"data:image/png;base64,{base64.b64encode(m.picture).decode()}"
        content = [{"type": "text", "text": m.text}, {"type": "image_url", "image_url": {"url": url}}]
    out: dict[str, Any] = {"role": m.role, "content": content}
    if m.calls:
        out["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(dict(c.arguments))}}
            for c in m.calls
        ]
    return out | ({"tool_call_id": m.call} if m.role == "tool" else {})


def _read(data: bytes) -> Reply:
    """The reply in the bytes of a response; whatever is wrong with them is said without repeating them."""
    try:
        message = json.loads(data)["choices"][0]["message"]
        text, listed = message.get("content"), message.get("tool_calls")
        calls = tuple(_call(k, c) for k, c in enumerate(listed or ()))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise ChatError("the language model's server sent something that is no chat completion") from None
    if text is not None and not isinstance(text, str):
        raise ChatError("the language model's server sent a text that is none")
    plain, written = spoken(text or "")
    return Reply(plain, calls or written)


def _call(number: int, call: Mapping[str, Any]) -> ToolCall:
    given = call["function"].get("arguments") or {}
    made = one_call({"name": call["function"]["name"], "arguments": given})
    if made is None:
        raise ValueError("no call")
    return ToolCall(made.name, made.arguments, str(call.get("id") or f"call{number}")[:64])


def _is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
