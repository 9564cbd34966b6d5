"""Answers and conversations as plain text and Markdown. All text is escaped: what a question or a file says is shown, never
rendered."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...data.region import Region
from ...render.markdown import markdown_text, mime, table
from ..answer import Answer, Turn
from ..evidence import Evidence
from ..words.printing import print_number, unit_words

HEADS = ("measured", "value", "where", "by", "with")
_HASH = re.compile(r"[0-9a-f]{64}")
_INTERNAL = frozenset((
    "expression", "histogram", "eyes", "weights", "rows", "label", "objects_in_image", "of_one", "grey_bounds", "standing",
    "marked", "album", "groups",
))  # fmt: skip


def answer_markdown(answer: Answer, *, picture: bool = False) -> str:
    """Prose, a table of the evidence, and, where asked for, the picture (inside the text, as data)."""
    lines = [markdown_text(answer.text)]
    if answer.table is not None:
        lines += ["", table_markdown(answer)]
    if answer.evidence:
        lines += ["", table(HEADS, cells(answer.evidence))]
    if picture and answer.png:
        lines += ["", f"![where](data:image/png;base64,{base64.b64encode(answer.png).decode()})"]
    return "\n".join(lines) + "\n"


def table_markdown(answer: Answer, most: int = 20) -> str:
    """What an answer lists, the first rows."""
    assert answer.table is not None
    shown = answer.table.head(most).reset_index()
    rows = [[print_number(v) if isinstance(v, float) else str(v) for v in row] for row in shown.itertuples(index=False)]
    return table([str(c) for c in shown.columns], rows)


def transcript_markdown(turns: Sequence[Turn]) -> str:
    """A whole conversation."""
    return "\n".join(f"**{markdown_text(t.question)}**\n\n{answer_markdown(t.answer)}" for t in turns)


def transcript_text(turns: Sequence[Turn]) -> str:
    """A whole conversation as plain text."""
    return "\n\n".join(f"> {t.question}\n{t.answer.text}" for t in turns)


def evidence_lines(evidence: Sequence[Evidence]) -> str:
    """Each fact as a line of a list, short: for other programs that read answers."""
    return "\n".join(f"- {markdown_text(' '.join(part for part in row[:3] if part))}" for row in cells(evidence))


def for_assistants(answer: Answer, multimodal: bool) -> Mapping[str, str]:
    """Text and evidence as short Markdown, and the picture where they see pictures."""
    return mime(f"{markdown_text(answer.text)}\n\n{evidence_lines(answer.evidence)}", png=answer.png if multimodal else None)


def cells(evidence: Sequence[Evidence]) -> list[tuple[str, str, str, str, str]]:
    """A row a fact as plain text: what, how much, where, by which expression, with which parameters (once, where they repeat)."""
    made = [_parameters(e) for e in evidence]
    told = [text if text != before or not text else "as above" for before, text in zip([None, *made], made, strict=False)]
    return [
        (e.quantity, value_text(e), place_text(e.region), str(e.parameters.get("expression", e.function)), how)
        for e, how in zip(evidence, told, strict=True)
    ]


def described(fact: Evidence) -> dict[str, str]:
    """What is known of a measurement, in the order it is read; nothing that is empty."""
    _, value, where, expression, parameters = cells([fact])[0]
    certainty = "in brackets the 95 % interval" if fact.interval else "measured on all of it" if fact.value is not None else ""
    known = {
        "value": value, "certainty": certainty, "where": where, "expression": expression,
        "function": f"{fact.function}, micro_nb {fact.version}", "parameters": parameters, "level": str(fact.level),
        "image": fact.image_id or "", "weights": fact.weights or "", "evidence": fact.id,
    }  # fmt: skip
    return {name: text for name, text in known.items() if text}


def summary(e: Evidence) -> str:
    """One line: what, how much, where, by what."""
    where, by = f", {place_text(e.region)}" if e.region else "", e.parameters.get("expression", e.function or "the question")
    return f"{e.quantity}: {value_text(e)}{where}, by {by} (evidence {e.id})"


def understood_text(answer: Answer) -> str:
    """What was understood, as the expressions that were evaluated."""
    return "; ".join(map(str, answer.calls))


def value_text(e: Evidence) -> str:
    """Value, interval and unit as people read them."""
    if isinstance(e.value, tuple):
        return "(" + ", ".join(print_number(v) for v in e.value) + ")" + unit_words(e.unit)
    if isinstance(e.value, bool):
        return "yes" if e.value else "no"
    if not isinstance(e.value, int | float):
        return str(e.value)
    spread = f" ({print_number(e.interval[0])} to {print_number(e.interval[1])})" if e.interval else ""
    return print_number(e.value) + spread + unit_words(e.unit)


def place_text(region: Region | None) -> str:
    """A place in words; "whole image" for none."""
    if region is None:
        return "whole image"
    return region.name or f"x {region.x0:g} to {region.x1:g}, y {region.y0:g} to {region.y1:g} {region.unit}"


def _parameters(e: Evidence) -> str:
    return ", ".join(f"{k.replace('_', ' ')} {_shown(v)}" for k, v in e.parameters.items() if k not in _INTERNAL)


def _shown(value: Any) -> str:
    """A parameter without the signs of a program."""
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{k} {_shown(v)}" for k, v in value.items()) + ")"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value[:12]}…" if isinstance(value, str) and _HASH.fullmatch(value) else str(value)
