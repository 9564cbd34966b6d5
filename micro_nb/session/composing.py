"""Results into an answer: sentences one after another, evidence behind them, and the law that no number is unsupported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..data.image import MicroImage
from ..errors import EvidenceError
from .answer import Answer, Span
from .evidence import Evidence
from .language import Call
from .measures.eyes import FLOOR
from .measures.measurement import Measurement
from .measures.results import Result
from .measures.scene import Scene
from .words.prose import Part, Quoted, Stated, numerals, sentence


def answer_of(results: Sequence[Result], calls: tuple[Call, ...], scene: Scene) -> Answer:
    """The answer that results make, the first one's value being its value.

    Raises
    ------
    EvidenceError : a sentence states what was not measured.
    """
    facts, evidence = _evidence(results, scene)
    text, spans = "", list[Span]()
    for result in results:
        said, more = placed(sentence(result), facts, evidence, len(text) + bool(text))
        text, spans = f"{text} {said}".strip(), [*spans, *more]
    main = next((r for r in results if r.value is not None), results[0])
    declined = (
        next((r.found.declined for r in results if r.found.declined is not None), None)
        if all(r.found.declined for r in results)
        else None
    )
    shown = next((r.selection for r in results if r.selection is not None), None)
    table = next((r.found.table for r in results if r.found.table is not None), None)
    remedy = next((r.found.remedy for r in results if r.found.remedy is not None), None)
    image = shown.image if shown is not None else scene.open_image
    objects = shown.as_objects() if shown is not None else None
    return Answer(
        text,
        main.value,
        main.unit,
        tuple(evidence),
        tuple(spans),
        declined,
        remedy,
        calls,
        image=image,
        objects=objects,
        table=table,
    )


def placed(
    parts: Sequence[Part], facts: Sequence[Measurement], evidence: Sequence[Evidence], start: int = 0
) -> tuple[str, list[Span]]:
    """The text of parts, and where it states what.

    Raises
    ------
    EvidenceError : a number that no evidence holds.
    """
    text, spans = "", []
    for part in parts:
        at = start + len(text)
        if isinstance(part, Stated):
            index = next((k for k, m in enumerate(facts) if m is part.fact), None)
            if index is None:
                index = next((k for k, m in enumerate(facts) if m == part.fact), None)
            if index is None:
                raise EvidenceError(f"{part.fact.quantity!r} is stated but is no evidence")
            spans.append(Span(at, at + len(part.text), index, part.field.replace("found.", "parameters.")))
            text += part.text
        elif isinstance(part, Quoted):
            spans.append(Span(at, at + len(part.text), _holder(part.text, evidence), "parameters.expression"))
            text += part.text
        else:
            if numerals(part):
                raise EvidenceError(f"the number in {part!r} is not covered by evidence")
            text += part
    return text, spans


def _holder(text: str, evidence: Sequence[Evidence]) -> int:
    """The evidence whose expression holds a number of the words."""
    plain = text.replace(",", "")
    for k, e in enumerate(evidence):
        if plain in str(e.parameters.get("expression", "")) or plain in e.quantity.replace(",", ""):
            return k
    for k, e in enumerate(evidence):
        if float(plain.replace("−", "-")) in _numbers(str(e.parameters.get("expression", ""))):
            return k
    for k, e in enumerate(evidence):
        if any(float(plain) == v for v in e.parameters.values() if isinstance(v, int | float) and not isinstance(v, bool)):
            return k
    raise EvidenceError(f"the number {text} is in no expression that was measured")


def _numbers(expression: str) -> set[float]:
    out = set()
    for start, end in numerals(expression):
        try:
            out.add(float(expression[start:end].replace(",", "")))
        except ValueError:
            continue
    return out


def _evidence(results: Sequence[Result], scene: Scene) -> tuple[list[Measurement], list[Evidence]]:
    """Facts and evidence side by side: those of each result first, then those they were made from."""
    facts: list[Measurement] = []
    evidence: list[Evidence] = []
    for result in results:
        for part in result.every():
            for m in part.measured:
                if any(m is known for known in facts):
                    continue
                facts.append(m)
                evidence.append(_tied(m, _owner(m, part), scene))
    return facts, evidence


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
    over_all = any(
        call.get("among") == "images" or call.get("per") == "image" or "images" in call.args for call in result.call.walk()
    )
    looked = {(r.selection.scene if r.selection is not None else r.scene).about for r in result.every()}
    names = set(scene.images) if over_all else looked
    groups = {
        g: members
        for g, members in scene.groups.items()
        if names & set(members) and (len(names) > 1 or f'"{g}"' in str(result.call))
    }
    return {n: i for n, i in scene.images.items() if n in names or any(n in members for members in groups.values())}, groups
