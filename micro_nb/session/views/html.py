"""Answers and conversations as HTML, and the picture of an answer: the objects it speaks of, or the chart of a distribution.

All text is escaped; nothing from a question or a file becomes markup.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

from ...data.region import Region
from ...errors import MicroNBError
from ...render.histogram import histogram_png
from ...render.overview import Layers, PointLayer, overview_png
from ..answer import Answer, Turn
from ..evidence import Evidence
from ..measures.quantities import named
from ..words.asking import asked
from ..words.printing import unit_words
from .text import HEADS, cells, summary, understood_text

_FONT = "font:14px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif"
_NUMBER = "border-bottom:1px dotted #2a7f9e;cursor:help;font-variant-numeric:tabular-nums"
_CELL = "padding:2px 14px 2px 0;text-align:left;vertical-align:top;color:inherit"
_MUTED = "opacity:.7"
_NO_FORMULAS = "tex2jax_ignore mathjax_ignore"
_ROWS, WIDTH = 12, 420
_SEEN = frozenset(["describe", "recognise", "show", "color"])


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


def picture(answer: Answer) -> bytes | None:
    """The image with the objects the answer counted, or around the box it names; None for facts no picture shows."""
    if answer.image is None or not answer.calls:
        return None
    chart = chart_of(answer, WIDTH)
    if chart is not None:
        return chart
    counted = any("objects_in_image" in e.parameters for e in answer.evidence)  # places of an answer of the log are lost
    if answer.objects is None and not counted and answer.calls[0].name not in _SEEN:
        return None
    shown: dict[str, Any] = {"layers": _objects(answer)} if answer.objects is not None else {"plain": True}
    try:
        return _small(overview_png(answer.image, width=WIDTH, **shown))
    except MicroNBError:
        return None


def chart_of(answer: Answer, width: int) -> bytes | None:
    """The histogram of the distribution an answer gives; None where it gives none."""
    made = next((e for e in answer.evidence if "histogram" in e.parameters), None)
    if made is None:
        return None
    shown = made.parameters["histogram"]
    quantity = named(str(made.parameters.get("quantity", made.quantity)))
    marks = {name.removeprefix("percentile ") + " %": float(e.value) for e in answer.evidence  # type: ignore[arg-type]
             for name in [e.quantity] if name in ("percentile 10", "percentile 90")}  # fmt: skip
    return histogram_png(
        shown["edges"], shown["counts"], title=quantity, unit=unit_words(made.unit).strip(), marks=marks, width=width
    )


def _objects(answer: Answer) -> Layers:
    """Points on the objects: all that were measured, or the one in the box."""
    assert answer.objects is not None
    y, x = (answer.objects.table[f"centroid_{axis}_px"].to_numpy(float) for axis in "yx")
    box = next((e.value for e in answer.evidence if e.quantity == "box" and isinstance(e.value, tuple)), None)
    if box is not None:
        inside = Region(box[1], box[0], box[3], box[2]).contains(y, x)
        y, x = y[inside], x[inside]
    return Layers(points=(PointLayer(y, x, name="found"),))


def _small(png: bytes) -> bytes:
    """The picture in 128 colours: a thumbnail in a notebook, a third of the bytes."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
