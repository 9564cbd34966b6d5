"""Results into an answer: sentences one after another, evidence behind them, and the law that no number is unsupported: every
span is printed as its field is, and no number stands outside of a span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..data.image import MicroImage
from ..errors import EvidenceError
from .answer import Answer, Span
from .evidence import Evidence
from .language import Call
from .measures.eyes import FLOOR
from .measures.measurement import Measurement
from .measures.results import Result
from .measures.scene import Scene
from .words.printing import print_number
from .words.prose import Quoted, Stated, numerals, sentence

EXPRESSION = "parameters.expression"
"""The field of a number that is not measured but said: a limit, a rank."""


def answer_of(results: Sequence[Result], calls: tuple[Call, ...], scene: Scene) -> Answer:
    """The answer that results make, the first one's value being its value.

    Raises
    ------
    EvidenceError : a sentence states what was not measured.
    """
    facts, evidence = _evidence(results, scene)
    told = Paragraph(evidence)
    for result in results:
        told.begin()
        for part in sentence(result):
            if isinstance(part, Stated):
                same = [k for k, m in enumerate(facts) if m is part.fact] or [k for k, m in enumerate(facts) if m == part.fact]
                if not same:
                    raise EvidenceError(f"{part.fact.quantity!r} is stated but is no evidence")
                told.add(part.text, same[0], part.field.replace("found.", "parameters."))
            elif isinstance(part, Quoted):
                told.add(part.text, _holder(part.text, evidence), EXPRESSION)
            else:
                told.add(part)
    main = next((r for r in results if r.value is not None), results[0])
    found, shown = [r.found for r in results], next((r.selection for r in results if r.selection is not None), None)
    return Answer(
        told.text, main.value, main.unit, tuple(evidence), tuple(told.spans),
        found[0].declined if all(f.declined for f in found) else None,
        next((f.remedy for f in found if f.remedy is not None), None),
        calls,
        image=shown.image if shown is not None else scene.open_image,
        objects=shown.as_objects() if shown is not None else None,
        table=next((f.table for f in found if f.table is not None), None),
    )  # fmt: skip


@dataclass
class Paragraph:
    """Sentences under construction, and where they state which evidence."""

    evidence: list[Evidence]
    text: str = ""
    spans: list[Span] = field(default_factory=list)

    def begin(self) -> None:
        """Begins a sentence."""
        self.text += " " if self.text and not self.text.endswith(" ") else ""

    def add(self, words: str, index: int | None = None, path: str = "value") -> None:
        """Adds words, which hold no number, or what a field of the evidence with this index prints."""
        if index is not None:
            self.spans.append(Span(len(self.text), len(self.text) + len(words), index, path))
        elif numerals(words):
            raise EvidenceError(f"the number in {words!r} is not covered by evidence")
        self.text += words


def _holder(words: str, evidence: Sequence[Evidence]) -> int:
    """The evidence whose expression, or a parameter, holds a number of the words."""
    held = [k for k, e in enumerate(evidence) if says(e, words)]
    with suppress(ValueError):
        number = float(words.replace(",", ""))
        found = [[v for v in e.parameters.values() if isinstance(v, int | float)] for e in evidence]
        held += [k for k, values in enumerate(found) if number in values]
    if not held:
        raise EvidenceError(f"the number {words} is in no expression that was measured")
    return held[0]


def _evidence(results: Sequence[Result], scene: Scene) -> tuple[list[Measurement], list[Evidence]]:
    """Facts and evidence side by side: those of each result first, then those they were made from."""
    first: dict[int, tuple[Measurement, Result]] = {}
    for part in (part for result in results for part in result.every()):
        for m in part.measured:
            first.setdefault(id(m), (m, part))
    return [m for m, _ in first.values()], [_tied(m, _owner(m, part), scene) for m, part in first.values()]


def _owner(m: Measurement, result: Result) -> Result:
    """The innermost result that measured a fact."""
    return next((_owner(m, inner) for inner in result.inner if any(m is x for r in inner.every() for x in r.measured)), result)


def _tied(m: Measurement, result: Result, scene: Scene) -> Evidence:
    """The fact with the image, the place and the eyes it comes from, and the conditions that hold for all objects."""
    looked = [r.selection for r in result.every() if r.selection is not None]
    at = looked[0].scene if looked else result.scene
    image = at.open_image if result.measure.group != "knowing" else None
    eyes = {"eyes": at.look.eyes} if looked and image is not None and at.look.eyes != FLOOR else {}
    standing = {"standing": list(scene.standing)} if scene.standing else {}
    told = Measurement(m.quantity, m.value, m.unit, m.interval, {**m.found, **eyes, **standing}, m.level)
    images, groups = _stands_on(result, scene) if image is not None and len(scene.images) > 1 else ({}, {})
    region = result.selection.place.region if result.selection is not None else None
    return Evidence.of(told, result.call, image, region=region, marked=scene.marked, images=images, groups=groups)


def _stands_on(result: Result, scene: Scene) -> tuple[Mapping[str, MicroImage], Mapping[str, Sequence[str]]]:
    """Of several images those that a result was measured on, and the conditions they belong to."""
    calls = list(result.call.walk())
    over_all = any(c.get("among") == "images" or c.get("per") == "image" or "images" in c.args for c in calls)
    looked = {(r.selection.scene if r.selection is not None else r.scene).about for r in result.every()}
    names = set(scene.images) if over_all else looked
    groups = {g: of for g, of in scene.groups.items() if names & set(of) and (len(names) > 1 or f'"{g}"' in str(result.call))}
    every = names.union(*groups.values())
    return {name: img for name, img in scene.images.items() if name in every}, groups


def field_value(evidence: Evidence, path: str) -> Any:
    """What a span's field holds, e.g. ``"interval.1"``, ``"parameters.threshold"``.

    Raises
    ------
    EvidenceError : the evidence has no such field.
    """
    head, *rest = path.split(".")
    try:
        value = getattr(evidence, head)
        for key in rest:
            value = value[key] if isinstance(value, Mapping) else value[int(key)]
    except (AttributeError, KeyError, IndexError, ValueError, TypeError):
        raise EvidenceError(f"evidence {evidence.quantity!r} has no field {path!r}") from None
    return value


def print_field(evidence: Evidence, path: str) -> str:
    """The one way a field is written in prose.

    Raises
    ------
    EvidenceError : it holds what no sentence can state.
    """
    value = field_value(evidence, path)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise EvidenceError(f"field {path!r} of {evidence.quantity!r} is {value}, which cannot stand in prose")
    return value if isinstance(value, str) else print_number(value)


def said_numbers(expression: str) -> dict[float, int]:
    """The numbers that an expression holds, and where each stands.

    >>> list(said_numbers('count(obj("nucleus", having="area > 80 um2"))'))
    [80.0]
    """
    found: dict[float, int] = {}
    for start, end in numerals(expression):
        with suppress(ValueError):  # a number in words stands in no condition
            found.setdefault(float(expression[start:end].replace(",", "").replace("−", "-")), start)
    return found


def verify(text: str, spans: Sequence[Span], evidence: Sequence[Evidence]) -> None:
    """Refuses a text that states what evidence does not.

    Raises
    ------
    EvidenceError : a span whose evidence prints otherwise, or whose expression holds no such number; or a number outside every
        span.
    """
    for s in spans:
        if not 0 <= s.index < len(evidence):
            raise EvidenceError(f"a span points to evidence {s.index} of {len(evidence)}")
        fact, words = evidence[s.index], text[s.start : s.end]
        if not says(fact, words) if s.field == EXPRESSION else print_field(fact, s.field) != words:
            raise EvidenceError(f"the text says {words!r}, which {s.field} of {fact.quantity!r} does not")
    for start, end in numerals(text):
        if not any(s.start <= start and end <= s.end for s in spans):
            raise EvidenceError(f"the number {text[start:end]!r} in {text!r} is not covered by evidence")


def says(fact: Evidence, words: str) -> bool:
    """Whether the expression, or the name of the fact, holds a number of the words."""
    plain, expression = words.replace(",", "").replace("−", "-"), str(fact.parameters.get("expression", ""))
    if plain in expression or plain in fact.quantity.replace(",", ""):
        return True
    try:
        return float(plain) in said_numbers(expression)
    except ValueError:
        return False
