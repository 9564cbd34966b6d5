"""Answers and conversations as HTML. All text is escaped; nothing from a question or a file becomes markup."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any

from ..answer import Answer, Turn
from ..evidence import Evidence
from ..words.asking import asked
from .pictures import WIDTH
from .text import HEADS, cells, summary, understood_text

_FONT = "font:14px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif"
_NUMBER = "border-bottom:1px dotted #2a7f9e;cursor:help;font-variant-numeric:tabular-nums"
_CELL = "padding:2px 14px 2px 0;text-align:left;vertical-align:top;color:inherit"
_MUTED = "opacity:.7"
_NO_FORMULAS = "tex2jax_ignore mathjax_ignore"
_ROWS = 12


def bundle(answer: Answer) -> dict[str, Any]:
    """MIME types of one answer."""
    shown: dict[str, Any] = {"text/html": answer_html(answer), "text/plain": answer.text}
    return shown | ({"image/png": base64.b64encode(answer.png).decode()} if answer.png else {})


def answer_html(answer: Answer) -> str:
    """The prose with its numbers linked to evidence, what was understood, other readings, the table, the evidence, and the
    picture."""
    image = ""
    if answer.png:
        data = base64.b64encode(answer.png).decode()
        image = f'<img alt="where" width="{WIDTH}" style="max-width:100%;margin-top:8px" src="data:image/png;base64,{data}">'
    return framed(f"{body_html(answer)}{image}")


def body_html(answer: Answer) -> str:
    """An answer without its picture."""
    return f"{prose_html(answer)}{_understood(answer)}{_readings(answer)}{_table(answer)}{evidence_html(answer.evidence)}"


def framed(inner: str) -> str:
    """HTML of ours in the frame of a conversation; dollar signs in it are no formulas."""
    return f'<div class="{_NO_FORMULAS}" style="{_FONT};max-width:70ch">{inner}</div>'


def prose_html(answer: Answer) -> str:
    """The text as a paragraph; each number carries its evidence as a tooltip."""
    out, at = "", 0
    for span in sorted(answer.spans, key=lambda s: s.start):
        title = html.escape(summary(answer.evidence[span.index]), quote=True)
        out += html.escape(answer.text[at : span.start])
        out += f'<span style="{_NUMBER}" title="{title}">{html.escape(answer.text[span.start : span.end])}</span>'
        at = span.end
    mark = "border-left:3px solid #c98a1b;padding-left:10px;" if answer.declined else ""
    return f'<p style="margin:0;{mark}">{out}{html.escape(answer.text[at:])}</p>'


def _understood(answer: Answer) -> str:
    """One grey line: the expressions that the question was read as."""
    text = understood_text(answer)
    return f'<div style="{_MUTED};font-size:12px"><code>{html.escape(text)}</code></div>' if text else ""


def _readings(answer: Answer) -> str:
    if not answer.alternatives:
        return ""
    said = ((asked(calls), "; ".join(map(str, calls))) for calls in answer.alternatives)
    listed = ", or ".join(f'<span title="{html.escape(code, quote=True)}">{html.escape(words)}</span>' for words, code in said)
    return f'<div style="{_MUTED};font-size:12px">did you mean {listed}?</div>'


def _table(answer: Answer) -> str:
    if answer.table is None or not len(answer.table):
        return ""
    rest = len(answer.table) - _ROWS
    more = f'<div style="{_MUTED};font-size:12px">and {rest} more rows</div>' if rest > 0 else ""
    return answer.table.head(_ROWS).to_html(escape=True, border=0, float_format="{:.4g}".format) + more


def evidence_html(evidence: Sequence[Evidence]) -> str:
    """A table with a row a fact, folded away."""
    if not evidence:
        return ""
    lines = ("".join(f'<td style="{_CELL}">{html.escape(c)}</td>' for c in row) for row in cells(evidence))
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    heads = "".join(f'<th style="{_CELL};{_MUTED};font-weight:500">{h}</th>' for h in HEADS)
    count = f"{len(evidence)} measurement{'s' if len(evidence) > 1 else ''}"
    return (
        f'<details style="margin-top:4px;font-size:12px"><summary style="{_MUTED};cursor:pointer">{count}</summary>'
        f'<table style="border-collapse:collapse;margin-top:4px;font-size:inherit"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></details>"
    )


def transcript_html(turns: Sequence[Turn]) -> str:
    """A whole conversation."""
    if not turns:
        return f'<div style="{_FONT};{_MUTED}">Nothing was asked yet: <code>chat.ask("What is this?")</code></div>'
    asked = '<p style="margin:0 0 2px;font-weight:600">{}</p>'
    blocks = (f"{asked.format(html.escape(t.question))}{body_html(t.answer)}" for t in turns)
    return framed("".join(f'<div style="margin:0 0 14px">{block}</div>' for block in blocks))
