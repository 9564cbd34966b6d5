"""Answers and conversations as Markdown. All text is escaped: what a question or a file says is shown, never rendered."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .show import cells

if TYPE_CHECKING:
    from .answer import Answer
    from .evidence import Evidence
    from .session import Turn

_HEADS = ("measured", "value", "where", "by", "with")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "@": "&#64;"}
_ACTIVE = re.compile(r"[\\`*_{}\[\]#|~!]|^[-+=]|^\d+(?=[.)])")
_LINKED = re.compile(r"(?<=\w):(?=//|\w)|(?<=www)\.", re.IGNORECASE)  # what Markdown would turn into links by itself


def markdown_text(text: str) -> str:
    r"""Text as Markdown that shows just this text, on one line.

    >>> print(markdown_text("a *b* <script> ![x](http://y) $z$"))
    a \*b\* &lt;script&gt; \!\[x\](http&#58;//y) &#36;z&#36;
    """
    text = " ".join(text.split())
    text = "".join(_ENTITIES.get(c, c) for c in text)
    text = _ACTIVE.sub(lambda m: re.sub(r"([^\w])", r"\\\1", m[0]) if not m[0].isdigit() else f"{m[0]}\\", text)
    return _LINKED.sub(lambda m: "&#58;" if m[0] == ":" else "&#46;", text)


def answer_markdown(answer: Answer, *, picture: bool = False) -> str:
    """Prose, a table of the evidence, and, where asked for, the picture (inside the text, as data)."""
    lines = [("> " if answer.declined else "") + markdown_text(answer.text)]
    if answer.evidence:
        lines += ["", table(_HEADS, cells(answer.evidence))]
    if picture and answer.png:
        lines += ["", f"![where](data:image/png;base64,{base64.b64encode(answer.png).decode()})"]
    return "\n".join(lines) + "\n"


def transcript_markdown(turns: Sequence[Turn]) -> str:
    """A whole conversation."""
    return "\n".join(f"**{markdown_text(t.question)}**\n\n{answer_markdown(t.answer)}" for t in turns)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table of plain texts."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([markdown_text(c) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def evidence_lines(evidence: Sequence[Evidence]) -> str:
    """Each fact as a line of a list, short: for other programs that read answers."""
    return "\n".join(f"- {markdown_text(' '.join(part for part in row[:3] if part))}" for row in cells(evidence))
