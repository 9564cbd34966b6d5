"""Language models behind a conversation: they choose and word, and never measure.

A model may write expressions of the measuring language and put the measured facts into sentences. What it writes is shown only
where every number in it, and every place, kind of object and verdict, is what the evidence says; otherwise the composed answer
stands. It runs no code, reads no file and reaches no network; it is asked for text, and the text is checked.
"""

from __future__ import annotations

from .endpoint import Endpoint
from .protocol import ChatError, ChatModel, Message, Reply, ToolCall

__all__ = ["ChatError", "ChatModel", "Endpoint", "Message", "Reply", "ToolCall"]
