"""Answers and transcripts as HTML, PNG and plain text. All text is escaped; nothing from a question or a file becomes markup."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..data.region import Region
from ..errors import MicroNBError
from ..render.overview import Layers, PointLayer, overview_png
from .layers import chart_of, objects_of
from .printing import print_number, unit_words

if TYPE_CHECKING:
    from .answer import Answer
    from .evidence import Evidence
    from .session import Turn

_WIDTH = 420
_OBJECT_TOOLS = frozenset(
    [
        "count",
        "density",
        "coverage",
        "share_of_objects",
        "object_statistic",
        "locate",
        "object_value",
        "object_ratio",
        "compare_regions",
        "busiest_part",
        "clustering",
        "packing",
        "distance_between",
        "around",
        "ranking",
        "outliers",
        "percentile",
        "count_with_doubts",
        "gated_count",
        "plausible_size",
        "locate_each",
        "groups",
        "alike",
        "edges_met",
        "satellites",
    ]
)
_FONT = "font:14px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif"
_NUMBER = "border-bottom:1px dotted #2a7f9e;cursor:help;font-variant-numeric:tabular-nums"
_CELL = "padding:2px 14px 2px 0;text-align:left;vertical-align:top;color:inherit"
_HASH = re.compile(r"[0-9a-f]{64}")
_MUTED = "opacity:.7"
_NO_FORMULAS = "tex2jax_ignore mathjax_ignore"


def bundle(answer: Answer) -> dict[str, Any]:
    """MIME types of one answer."""
    shown: dict[str, Any] = {"text/html": answer_html(answer), "text/plain": answer.text}
    return shown | ({"image/png": base64.b64encode(answer.png).decode()} if answer.png else {})


def answer_html(answer: Answer) -> str:
    """The prose with its numbers linked to evidence, a table of the evidence, and a picture of the place."""
    image = ""
    if answer.png:
        data = base64.b64encode(answer.png).decode()
        image = f'<img alt="where" width="{_WIDTH}" style="max-width:100%;margin-top:8px" src="data:image/png;base64,{data}">'
    return framed(f"{prose_html(answer)}{evidence_html(answer.evidence)}{image}")


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


def evidence_html(evidence: Sequence[Evidence]) -> str:
    """A table with a row a fact, folded away."""
    if not evidence:
        return ""
    rows = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{html.escape(c)}</td>' for c in row) + "</tr>" for row in cells(evidence)
    )
    heads = "".join(
        f'<th style="{_CELL};{_MUTED};font-weight:500">{h}</th>' for h in ("measured", "value", "where", "by", "with")
    )
    count = f"{len(evidence)} measurement{'s' if len(evidence) > 1 else ''}"
    return (
        f'<details style="margin-top:4px;font-size:12px"><summary style="{_MUTED};cursor:pointer">{count}</summary>'
        f'<table style="border-collapse:collapse;margin-top:4px;font-size:inherit"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></details>"
    )


def cells(evidence: Sequence[Evidence]) -> list[tuple[str, str, str, str, str]]:
    """A row a fact as plain text: what, how much, where, by what, with which parameters (once, where they repeat)."""
    made = [_parameters(e) for e in evidence]
    told = [text if text != before or not text else "as above" for before, text in zip([None, *made], made, strict=False)]
    return [(e.quantity, value_text(e), _place(e.region), e.function, how) for e, how in zip(evidence, told, strict=True)]


def transcript_html(turns: Sequence[Turn]) -> str:
    """A whole conversation."""
    if not turns:
        return f'<div style="{_FONT};{_MUTED}">Nothing was asked yet: <code>chat.ask("What is this?")</code></div>'
    blocks = "".join(
        f'<div style="margin:0 0 14px"><p style="margin:0 0 2px;font-weight:600">{html.escape(t.question)}</p>'
        f"{prose_html(t.answer)}{evidence_html(t.answer.evidence)}</div>"
        for t in turns
    )
    return framed(blocks)


def transcript_text(turns: Sequence[Turn]) -> str:
    """A whole conversation as plain text."""
    return "\n\n".join(f"> {t.question}\n{t.answer.text}" for t in turns)


def summary(e: Evidence) -> str:
    """One line: what, how much, where, by what."""
    where = f", {_place(e.region)}" if e.region else ""
    return f"{e.quantity}: {value_text(e)}{where}, by {e.function or 'the question'} (evidence {e.id})"


def picture(answer: Answer) -> bytes | None:
    """The image with the objects the answer counted, or around the box it names; None for facts no picture shows."""
    if answer.image is None or not answer.evidence:
        return None
    chart = chart_of(answer, _WIDTH)
    if chart is not None:
        return chart
    main = answer.evidence[0]
    if main.function not in _OBJECT_TOOLS:
        return _small(overview_png(answer.image, width=_WIDTH, plain=True)) if main.function == "appearance" else None
    try:
        box = next((e.value for e in answer.evidence if e.quantity == "box" and isinstance(e.value, tuple)), None)
        return _small(overview_png(answer.image, width=_WIDTH, layers=_objects(answer, box)))
    except MicroNBError:
        return None


def _small(png: bytes) -> bytes:
    """The picture in 128 colours: a thumbnail in a notebook, a third of the bytes."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def _objects(answer: Answer, box: tuple[float, ...] | None) -> Layers:
    """Points on the objects: all that were measured, or the one in the box."""
    assert answer.image is not None
    found = objects_of(answer)
    assert found is not None
    made = answer.evidence[0].parameters
    y, x = (found.table[f"centroid_{axis}_px"].to_numpy(float) for axis in "yx")
    if box is not None:
        inside = Region(box[1], box[0], box[3], box[2]).contains(y, x)
        y, x = y[inside], x[inside]
    return Layers(points=(PointLayer(y, x, name=str(made.get("target", "objects")) if box is None else "found"),))


def value_text(e: Evidence) -> str:
    """Value, interval and unit as people read them."""
    if isinstance(e.value, tuple):
        return "(" + ", ".join(print_number(v) for v in e.value) + ")" + unit_words(e.unit)
    if isinstance(e.value, bool) or not isinstance(e.value, int | float):
        return str(e.value)
    spread = f" ({print_number(e.interval[0])} to {print_number(e.interval[1])})" if e.interval else ""
    return print_number(e.value) + spread + unit_words(e.unit)


def _place(region: Region | None) -> str:
    if region is None:
        return "whole image"
    return region.name or f"x {region.x0:g} to {region.x1:g}, y {region.y0:g} to {region.y1:g} {region.unit}"


def _parameters(e: Evidence) -> str:
    shown = {k: v for k, v in e.parameters.items() if k not in ("target",)}
    return ", ".join(f"{k} {_shown(v)}" for k, v in shown.items())


def _shown(value: Any) -> str:
    """A parameter without the signs of a program."""
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{k} {_shown(v)}" for k, v in value.items()) + ")"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value[:12]}…" if isinstance(value, str) and _HASH.fullmatch(value) else str(value)
