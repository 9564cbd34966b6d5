"""Answers and conversations as Markdown. All text is escaped: what a question or a file says is shown, never rendered."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..render.markdown import markdown_text, table
from .show import cells

if TYPE_CHECKING:
    from .answer import Answer
    from .evidence import Evidence
    from .session import Turn

_HEADS = ("measured", "value", "where", "by", "with")


def answer_markdown(answer: Answer, *, picture: bool = False) -> str:
    """Prose, a table of the evidence, and, where asked for, the picture (inside the text, as data)."""
    lines = [markdown_text(answer.text)]
    if answer.evidence:
        lines += ["", table(_HEADS, cells(answer.evidence))]
    if picture and answer.png:
        lines += ["", f"![where](data:image/png;base64,{base64.b64encode(answer.png).decode()})"]
    return "\n".join(lines) + "\n"


def transcript_markdown(turns: Sequence[Turn]) -> str:
    """A whole conversation."""
    return "\n".join(f"**{markdown_text(t.question)}**\n\n{answer_markdown(t.answer)}" for t in turns)


def evidence_lines(evidence: Sequence[Evidence]) -> str:
    """Each fact as a line of a list, short: for other programs that read answers."""
    return "\n".join(f"- {markdown_text(' '.join(part for part in row[:3] if part))}" for row in cells(evidence))
