"""From what a model wrote to text and tool calls, in the forms that open models write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .protocol import ToolCall

MAX_TEXT = 20_000
MAX_CALLS = 16
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_MARKED = re.compile(r"</?tool_calls?>|\[/?TOOL_CALLS\]|<\|?python_tag\|?>|<\|[a-z_]+\|>|```(?:json)?", re.IGNORECASE)


def spoken(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    """What is meant for people, and the calls written into it as JSON; thoughts are left out.

    >>> spoken('<tool_call>{"name": "measure", "arguments": {"expression": "kinds()"}}</tool_call>')
    ('', (ToolCall(name='measure', arguments={'expression': 'kinds()'}, id='call0'),))
    >>> spoken("There are {e1} nuclei.")
    ('There are {e1} nuclei.', ())
    """
    text = _THOUGHT.sub("", text[:MAX_TEXT])
    calls, rest, at = list[ToolCall](), "", 0
    for start, end, value in _objects(text):
        found = one_call(value)
        if found is not None and len(calls) < MAX_CALLS:
            calls.append(ToolCall(found.name, found.arguments, f"call{len(calls)}"))
            rest, at = rest + text[at:start], end
    rest = _MARKED.sub("", rest + text[at:]).strip(" \n\t[],;")
    return (rest if not calls else ""), tuple(calls)


def one_call(value: Any) -> ToolCall | None:
    """A call out of ``{"name": ..., "arguments" or "parameters": {...} or JSON text}``; None where it is none."""
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        return None
    given = value.get("arguments", value.get("parameters"))
    if isinstance(given, str):
        try:
            given = json.loads(given or "{}")
        except (ValueError, RecursionError):
            return None
    if not isinstance(given, Mapping):
        return None
    return ToolCall(value["name"][:64], {str(k): v for k, v in given.items()})


def _objects(text: str) -> Iterator[tuple[int, int, Any]]:
    """JSON objects in a text with their places; none inside another."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        yield at, end, value
        at = text.find("{", end)
