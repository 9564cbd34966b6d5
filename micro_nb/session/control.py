"""What a turn changes: what the person tells, what is left out from now on, how the last answer is said again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..errors import LanguageError
from .answer import Answer
from .language import Call
from .language.conditions import parse_condition
from .measures.measurement import Measurement
from .measures.registry import get
from .measures.results import Found, Result
from .measures.scene import Scene

_LEAVE_OUT = r"(?:leave out|ignore|exclude|drop|remove|discard|without|skip)\s+(?:all\s+|those\s+|everything\s+|objects?\s+)*(.*)"
_KEEP = r"(?:keep|only|count only|take only|include only)\s+(.*)"
_BORDER = ("border", "edge", "edges", "frame", "rim", "image border", "touching the border", "border objects")


def adjusted(call: Call, scene: Scene) -> Scene:
    """The scene under what a call tells: conditions that hold from now on, another image, facts of the sample."""
    if call.name == "set":
        told = {k: v for k, v in call.given if k != "pixel_size"}
        ignore = str(told.get("ignore", "")).lower()
        if ignore in _BORDER:
            scene = replace(scene, standing=tuple(dict.fromkeys((*scene.standing, "not border"))))
        image = told.get("image") or told.get("sample")
        if image is not None and any(str(image).lower() in n.lower() for n in scene.images) and len(scene.images) > 1:
            scene = scene.on(str(image))
        return replace(scene, told={**scene.told, **told})
    if call.name == "adjust":
        condition = standing_of(str(call.get("what", "")))
        if condition is not None:
            return replace(scene, standing=tuple(dict.fromkeys((*scene.standing, condition))))
    return scene


def standing_of(what: str) -> str | None:
    """The condition that a change of procedure asks for; None where it asks for something else.

    >>> standing_of("leave out area < 4 px2"), standing_of("split touching")
    ('not (area < 4 px2)', None)
    """
    for pattern, form in ((_LEAVE_OUT, "not ({})"), (_KEEP, "{}")):
        match = re.fullmatch(pattern, what.strip(), re.IGNORECASE)
        if match is None:
            continue
        rest = "border" if match[1].strip().lower() in _BORDER else match[1].strip()
        if not re.search(r"[<>=]|^border$|^touching$|\bis\b", rest):
            return None
        try:
            parse_condition(rest)
        except LanguageError:
            return None
        return form.format(rest)
    return None


def settled(call: Call, scene: Scene) -> Result | None:
    """What is said when something was left out; None where the declared answer stands."""
    condition = standing_of(str(call.get("what", ""))) if call.name == "adjust" else None
    if condition is None:
        return None
    fact = Measurement("condition from now on", condition, found={"told_by": "the person"})
    return Result(call, get("adjust"), scene, Found((fact,), "settled"))


def restyled(call: Call, said: Answer, before: Sequence[Answer]) -> Answer:
    """The last answer said otherwise; what is said of the style itself where there is none, or the style is a language."""
    last = next((a for a in reversed(before) if a.evidence), None)
    style = str(call.args[0]).lower() if call.args else ""
    if last is None or "English" in said.text:
        return said
    if "table" in style and last.table is not None:
        return replace(last, text="As a table:", spans=(), calls=said.calls)
    if any(w in style for w in ("short", "one sentence", "brief", "one line", "figure only", "number only", "single")):
        end = re.search(r"[.!?](?:\s|$)", last.text)
        cut = end.end() if end else len(last.text)
        return replace(last, text=last.text[:cut].strip(), spans=tuple(s for s in last.spans if s.end <= cut), calls=said.calls)
    return replace(last, calls=said.calls)
