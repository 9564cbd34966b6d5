"""One question put to several images: the same measurement in each, side by side, and what sets them apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import EvidenceError
from .answer import Answer, Span
from .dimensions import named
from .evidence import Evidence
from .lexicon import target
from .printing import unit_words
from .prose import Fact, Parts, Prose
from .query import Query
from .reading import clauses
from .registry import Value, run

_FEWER = re.compile(r"\b(?:fewer|fewest|less|least|smaller|smallest|darker|darkest|dimmer|sparser|lower|lowest|emptier)\b")
_ASKED = (
    (re.compile(r"\b(?:larger|largest|bigger|biggest|smaller|smallest)\b"), "mean area of the {many}"),
    (re.compile(r"\b(?:rounder|roundest|most round)\b"), "mean roundness of the {many}"),
    (re.compile(r"\b(?:more elongated|longer|most elongated)\b"), "mean aspect ratio of the {many}"),
    (re.compile(r"\b(?:denser|densest|sparser|more crowded|higher density|lower density)\b"), "density of the {many}"),
    (re.compile(r"\b(?:more confluent|higher confluence|higher coverage|more coverage|fuller|emptier|more covered)\b"),
     "what % of the area do the {many} cover"),
    (re.compile(r"\b(?:brighter|brightest|darker|darkest|dimmer)\b"), "mean {bright}"),
    (re.compile(r"\b(?:more|most|fewer|fewest|less|least|numerous)\b"), "how many {many}"),
)  # fmt: skip
_YES_NO = re.compile(r"^\W*(?:is|are|does|do|has|have|did)\b")


@dataclass(frozen=True)
class Measured:
    """What one image gave: its name, its answer, and the evidence of the number (with how many objects it stands on)."""

    name: str
    answer: Answer
    main: Evidence | None
    n: Evidence | None

    @property
    def value(self) -> float | None:
        """The number; None where there is none."""
        v = self.main.value if self.main is not None else None
        return float(v) if isinstance(v, int | float) and not isinstance(v, bool) else None


def core_question(rest: str, before: Query | None) -> str:
    """What is to be measured in each image, as a question about one.

    >>> core_question("has more nuclei?", None), core_question("is brighter?", None)
    ('how many nuclei', 'mean grey value')
    """
    read = clauses(rest)
    key = next((c.first("target") for c in read if c.has("target")), None)
    many = target(key or (before.target if before is not None else None)).many
    if any(c.has("ask", "count") or c.has("quantity") for c in read) and not re.search(r"\bmore\b|\bfewer\b", rest):
        return re.sub(
            r"\b(?:what is|compare[ds]?|difference|(?:a )?table|with|between|than|list|from)\b|\bthe\s*[?.]*$", " ", rest
        ).strip()
    for pattern, question in _ASKED:
        if pattern.search(rest):
            return question.format(many=many, bright=f"brightness of the {many}" if key is not None else "grey value")
    alone = key is not None and not any(c.has("ask", "describe", "presence", "fraction", "quality", "classify") for c in read)
    return f"how many {many}" if alone else rest


def measured_in(name: str, answer: Answer) -> Measured:
    """Marks the number of an answer, and how many objects it stands on, as a row of a table about this image."""
    numbers = [e for e in answer.evidence if isinstance(e.value, int | float) and not isinstance(e.value, bool)]
    main = next((e for e in numbers if e.value == answer.value), next(iter(numbers), None))
    n = next((e for e in numbers if e.quantity.startswith("number of") and e is not main), None)
    return Measured(name, answer, _row(main, name), _row(n, name))


def side_by_side(query: Query, said_which: bool, rest: str, measured: Sequence[Measured]) -> Answer:
    """The answer over several images.

    Parameters
    ----------
    query : what was measured in each.
    said_which : whether it was asked which image has more (or less).
    rest : the question without the images' names.
    measured : what each gave.
    """
    good = [m for m in measured if m.value is not None]
    if not good:
        first = measured[0].answer
        return replace(first, declined=first.declined or "None of the images gives a number for this.", query=query)
    evidence: list[Evidence] = [e for m in good for e in (m.main, m.n) if e is not None]
    between = _between(good)
    prose = Prose([*evidence, *between])
    _say_each(prose, query, good)
    value, unit = _say_between(prose, good, len(evidence), said_which, query.text.lower())
    if len(good) < len(measured):
        prose.say("The other images give no number for this.")
    if len({m.main.unit for m in good if m.main is not None}) > 1:
        prose.say("The units differ, so the numbers cannot be set against each other: open all images with their pixel size.")
    prose.say("Each image is a single field, and objects in one field are no replicates: this says nothing about conditions.")
    spans = tuple(Span(s.start, s.end, s.index, s.field) for s in prose.spans)
    return Answer(prose.text, value, unit, (*evidence, *between), spans, query=query, image=good[0].answer.image)


def _row(e: Evidence | None, name: str) -> Evidence | None:
    if e is None:
        return None
    return replace(e, parameters={**e.parameters, "row": name, "column": re.sub(r" of .*", "", e.quantity)})


def _between(good: Sequence[Measured]) -> tuple[Evidence, ...]:
    """Difference and ratio of the two, where there are two of one unit."""
    if len(good) != 2 or good[0].main is None or good[1].main is None or good[0].main.unit != good[1].main.unit:
        return ()
    a, b = good[0].main, good[1].main
    given: dict[str, Any] = {"a": good[0].value, "b": good[1].value, "unit": a.unit}
    if a.interval and b.interval:
        given |= {"a_interval": a.interval, "b_interval": b.interval}
    try:
        return tuple(Evidence.of(m, "difference", None, region=None, parameters=given) for m in run("difference", None, **given))
    except EvidenceError:
        return ()


def _say_each(prose: Prose, query: Query, good: Sequence[Measured]) -> None:
    rows: list[str | Fact] = []
    at = 0
    for m in good:
        assert m.main is not None
        noun = f" {target(query.target).many}" if m.main.unit == "count" else ""
        rows += [
            "; " if rows else "",
            Fact(at, "parameters.row"),
            ": ",
            Fact(at),
            f"{unit_words(m.main.unit)}{noun}",
            *_spread(m.main, at),
        ]
        at += 1 + (m.n is not None)
    what = f"The {_called(good[0].main)}, image by image: " if good[0].main is not None and good[0].main.unit != "count" else ""
    prose.say("{what}{rows}.", what=what, rows=tuple(rows))


def _called(e: Evidence | None) -> str:
    """The quantity in words, without a number."""
    words = re.sub(r"\b(\w+)\b", lambda m: named(m[1]), e.quantity if e is not None else "")
    return words if not re.search(r"\d", words) else "value"


def _spread(e: Evidence, at: int) -> Parts:
    if e.interval is None or "confidence_percent" not in e.parameters:
        return ()
    return (" (", Fact(at, "parameters.confidence_percent"), " % interval ", Fact(at, "interval.0"), " to ",
            Fact(at, "interval.1"), f"{unit_words(e.unit)})")  # fmt: skip


def _say_between(prose: Prose, good: Sequence[Measured], at: int, which: bool, rest: str) -> tuple[Value, str]:
    """Which has more, or less; the value of the answer."""
    fewer = _FEWER.search(rest) is not None
    order: Callable[..., Measured] = min if fewer else max
    best = order(good, key=lambda m: m.value)
    place = next(k for k, e in enumerate(prose.evidence) if e.parameters.get("row") == best.name)
    ties = [m for m in good if m.value == best.value]
    if len(ties) == len(good) and len(good) > 1:
        prose.say("They are equal.")
        return ("equal" if which else False if _asked_yes_no(rest) else 0.0), ""
    name: Parts = (Fact(place, "parameters.row"),)
    summed = good[0].main is not None and (good[0].main.unit in ("count", "%") or good[0].main.unit.startswith("per "))
    more = ("There is less" if fewer else "There is more") if summed else ("It is smaller" if fewer else "It is larger")
    told = True
    if len(prose.evidence) > at:
        gap = prose.evidence[at]
        ratio: Parts = (", which is ", Fact(at + 1), " times as much") if len(prose.evidence) > at + 1 and not fewer else ()
        prose.say("{more} in {name}, by {gap}{unit}{ratio}.", more=more, name=name, gap=(Fact(at),), ratio=ratio,
                  unit=unit_words(gap.unit))  # fmt: skip
        told = _say_distinct(prose, at)
    elif len(good) > 1:
        prose.say("{more} in {name} than in any other.", more=more, name=name)
    if which:
        return best.name, ""
    if _asked_yes_no(rest):
        return best is good[0] and told, ""
    if len(prose.evidence) > at and re.search(r"\b(?:differen|how many more|how much more|by how)", rest):
        return prose.evidence[at].value, prose.evidence[at].unit
    first = good[0].main
    return (first.value, first.unit) if first is not None else (None, "")


def _say_distinct(prose: Prose, at: int) -> bool:
    """Whether the intervals keep the two apart; says so where they do not."""
    bounds = prose.evidence[at].parameters.get("signed_interval")
    if not bounds or not bounds[0] < 0 < bounds[1]:
        return True
    prose.say("The variation between objects alone explains this: the difference may be anything from {low} to {high}{unit}.",
              low=(Fact(at, "parameters.signed_interval.0"),), high=(Fact(at, "parameters.signed_interval.1"),),
              unit=unit_words(prose.evidence[at].unit))  # fmt: skip
    return False


def _asked_yes_no(rest: str) -> bool:
    return bool(_YES_NO.match(rest)) and "than" in rest.split()
