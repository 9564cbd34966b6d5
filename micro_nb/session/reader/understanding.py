"""``understand``: what a question means, with other readings and how sure the reader is. No pixel is looked at."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LanguageError, MicroNBError
from ..knowledge.notes import nearest
from ..language import Call, parse, same_form
from ..language.forms import as_objects, kind_of, objects_at, with_objects
from ..measures.evaluation import check, check_meaning
from ..measures.eyes import concept_of
from ..measures.quantities import POWER, QUANTITIES
from ..measures.registry import Measure, measures
from ..measures.scene import is_place, plain_place
from ..words.tables import table
from .reading import readings

if TYPE_CHECKING:
    from .beam import Reading

_AREA = re.compile(r"\b(?:diameter|width|length|feret)(\s*[<>=]+\s*[\d.]+\s*(?:nm2|um2|mm2|px2)\b)")
_LENGTH = re.compile(r"\barea(\s*[<>=]+\s*[\d.]+\s*(?:nm|um|mm)\b(?!2))")
_PIXELS = re.compile(r"\b(area\s*[<>=]+\s*[\d.]+\s*)px\b(?!2)")
OFFERED = 3
_FREE = frozenset(["explain", "advise", "find", "adjust", "decline"])
"""Calls whose words are free: readings that differ only in these words are one."""
_NEAR = 0.6
"""Likeness of a question to an example of another package's measurement, from which it is read as that."""
_BEYOND = 0.9
"""Likeness of a question to one that no pixels answer, from which it is declined as that."""
_LONGEST = 600
_MEANINGLESS = 2.0
"""Nats that a reading loses which names a quantity, condition or choice that there is not."""


@dataclass(frozen=True)
class Understood:
    """What a question may mean.

    Attributes
    ----------
    calls : the likeliest reading; empty where there is none.
    confidence : its probability, 0 to 1.
    alternatives : the next readings, likeliest first, each a tuple of calls; ``odds`` : their probabilities.
    """

    calls: tuple[Call, ...]
    confidence: float
    alternatives: tuple[tuple[Call, ...], ...] = ()
    odds: tuple[float, ...] = ()


def understand(question: str, before: Sequence[Sequence[Call | str]] = ()) -> Understood:
    """Reads a question into expressions.

    Parameters
    ----------
    question : in the person's own words, or an expression.
    before : the expressions of the turns before it, oldest first.

    Examples
    --------
    >>> understand('count("nucleus")').calls[0].name
    'count'
    """
    written = _expression(question)
    if written is not None:
        return Understood((written,), 1.0)
    earlier = _recalled([[c if isinstance(c, Call) else parse(c) for c in turn] for turn in before if turn][::-1])
    read = _ranked(readings(question[:_LONGEST], earlier))
    own = _of_others(question, read[0][0] if read else ()) or _beyond_pixels(question)
    if own is not None:
        read.insert(0, (own, math.log(0.9)))
    if not read:
        return Understood((), 0.0)
    (calls, logp), *rest = read[:OFFERED]
    return Understood(calls, min(math.exp(logp), 1.0), tuple(c for c, _ in rest), tuple(min(math.exp(p), 1.0) for _, p in rest))


def _recalled(earlier: list[list[Call]]) -> list[list[Call]]:
    """Of the turns before, last one first, the two that a follow-up leans on: the last, and the one before it, or the last that
    was about objects where neither is."""
    about = next((t for t in earlier if any(kind_of(c) for call in t for c in call.walk())), None)
    return earlier[:2] if about is None or about in earlier[:2] else [earlier[0], about]


def _ranked(found: Sequence[Reading]) -> list[tuple[tuple[Call, ...], float]]:
    """Readings that can be taken, likeliest first; one that no image could answer counts less. Each is there once, with what all
    that differ from it only in free words or in their order weigh together."""
    out: dict[tuple[str, ...], tuple[tuple[Call, ...], float]] = {}
    for reading in found:
        calls = tuple(dict.fromkeys(map(settled, reading.calls)))
        if not _sound(calls, check):
            continue
        logp = reading.logp - _MEANINGLESS * (not _sound(calls, check_meaning))
        form = tuple(sorted(str(c.map(lambda c: Call(c.name) if c.name in _FREE else c)) for c in calls))
        first, before = out.get(form, (calls, -math.inf))
        out[form] = first, float(np.logaddexp(before, logp))
    return sorted(out.values(), key=lambda item: -item[1])


def settled(call: Call) -> Call:
    """A call in its one form, as it is meant."""
    return same_form(call.map(_of_its_dimension).map(_of_places).map(lambda c: with_objects(c, _looking_so)))


def _of_its_dimension(call: Call) -> Call:
    """A size in the quantity that its unit belongs to: "bigger than 80 µm²" is of the area, "over 20 µm" of the diameter; an area
    in the square of a unit of length, as that of "100 px" is."""
    having = call.get("having")
    if call.name == "obj" and isinstance(having, str):
        text = _PIXELS.sub(r"\1px2", _AREA.sub(r"area\1", _LENGTH.sub(r"diameter\1", having)))
        return call.but(having=text) if text != having else call
    at = {"convert": 1, "check": 3}.get(call.name, 0)
    unit, inner = (call.args[at], call.args[0]) if at and len(call.args) > at else (None, None)
    if not isinstance(unit, str) or not isinstance(inner, Call) or inner.name != "stat" or len(inner.args) < 3:
        return call
    quantity = str(inner.args[0])
    if call.name == "convert" and quantity in QUANTITIES and not POWER.get(quantity, 0):
        return inner  # "and the circularity?" after an area in um2
    if unit.endswith("2") and quantity in ("diameter", "width", "length"):
        return call.with_args(inner.with_args("area", *inner.args[1:]), *call.args[1:])
    if unit in ("nm", "um", "mm", "px") and quantity == "area":  # "mean area in px": as people say it
        return call.with_args(*(f"{a}2" if a == unit else a for a in call.args))
    return call


def _looking_so(objects: Call) -> Call:
    """A look in the name of a kind as a condition: a "violet cell" is a cell that is violet, once."""
    first, _, rest = kind_of(objects).partition(" ")
    words, having = table("looks"), str(objects.get("having") or "")
    look, colour = first in words["relative"] | words["look"], first in words["colour"] | words["colour_alias"]
    if not (look or colour) or concept_of(f"{first} {rest}") or not concept_of(rest):
        return objects
    told = f'is "{first}"' if look else f'color == "{first}"'
    both = having if told in having else " and ".join(filter(None, (having and f"({having})", told)))
    return objects.with_args(rest).but(having=both)


def _of_places(call: Call) -> Call:
    """A choice among parts of the image as where the objects are; the sharpest plane as that of them all."""
    choices, of = call.get("into"), call.args[0] if call.args else None
    if call.name == "which" and isinstance(of, Call) and of.name == "quality" and call.get("among") in ("slices", "frames"):
        return of.but(where=call.get("among"))
    if call.name != "classify" or not isinstance(choices, tuple) or not all(is_place(str(c)) for c in choices):
        return call
    return Call.of("which", Call("count", call.args), among=tuple(plain_place(str(c)) for c in choices))


def _expression(text: str) -> Call | None:
    """The expression that a text already is."""
    if "(" not in text or not text.rstrip().endswith(")"):
        return None
    try:
        call = parse(text)
        check(call)
    except LanguageError:
        return None
    return call


def _sound(calls: Sequence[Call], checked: Callable[[Call], None]) -> bool:
    """Whether every call passes."""
    try:
        for call in calls:
            checked(call)
    except MicroNBError:
        return False
    return bool(calls)


def _of_others(question: str, read: Sequence[Call]) -> tuple[Call, ...] | None:
    """A measurement of another package that a question asks for, by likeness to its examples; of the objects that were read."""
    theirs = {example: m for m in measures().values() if not m.own for example in m.examples}
    near = nearest(question, tuple(theirs), _NEAR) if theirs else []
    return (_filled(theirs[near[0]], read),) if near else None


def _beyond_pixels(question: str) -> tuple[Call, ...] | None:
    """The decline of a question that no pixels answer, by likeness to such questions."""
    reasons = {phrase: reason for reason, phrases in table("talking")["beyond"].items() for phrase in phrases}
    near = nearest(question, tuple(reasons), _BEYOND) if question.strip() else []
    return (Call.of("decline", reasons[near[0]]),) if near else None


def _filled(measure: Measure, read: Sequence[Call]) -> Call:
    """The call of a measurement about the objects that were read."""
    about = (c.args[at] for call in read for c in call.walk() if (at := objects_at(c)) is not None)
    objects = next((node for node in about if as_objects(node) is not None), "object")
    needs = any(p.default is p.empty for p in measure.parameters.values())
    return same_form(Call(measure.name, (objects,) if needs else ()))
