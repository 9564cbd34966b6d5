"""The one tool of a language model: an expression is checked, then measured, or refused with a reason it can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ...errors import LanguageError, MicroNBError
from ..answer import Answer
from ..composing import said_numbers
from ..language import Call, Node, parse
from ..language.forms import PARTS, kind_of
from ..measures.documentation import LONGEST
from ..measures.evaluation import check
from ..measures.eyes import FLOOR, WIDE, concept_of, knows, load
from ..measures.registry import Measure, measures
from ..measures.scene import Scene
from .grounding import medical
from .protocol import ToolCall

_WHERE_AND_WHICH = frozenset(["box", "point", "z", "t", "well", "image"])  # what is there is measured
_NAMES = frozenset(["rank", "channel", "image"])
_SOME_OR_NONE = frozenset([">= 1", ">=1", "> 0", "== 0", "==0"])
_MOST_RANKED, _LONGEST_REASON = 20, 240


class Refusal(MicroNBError, ValueError):
    """An expression is not measured; the message is for the model."""


def offered() -> list[Measure]:
    """The measurements that a model may ask for: all but those of the conversation, which tell, change, or write files."""
    return [m for m in measures().values() if m.group != "talking"]


def checked(call: ToolCall, question: str, scene: Scene, known: Sequence[float]) -> Call:
    """The expression that a model's call means.

    Parameters
    ----------
    call : as the model wrote it.
    question, scene : what was asked, and of which images.
    known : numbers that a person said or that were measured; the expression may hold no others.

    Raises
    ------
    Refusal : it is none, or holds a measurement, a kind or a number that it may not.
    """
    if call.name != "measure":
        raise Refusal(f"there is no tool {call.name[:40]!r}; there is measure, which takes an expression")
    written = call.arguments.get("expression")
    if set(call.arguments) != {"expression"} or not isinstance(written, str | Mapping) or len(str(written)) > LONGEST:
        given = ", ".join(map(str, call.arguments))[:40] or "nothing"
        raise Refusal(
            f"measure takes an expression of at most {LONGEST} characters as text or as JSON, and only that, not {given}"
        )
    try:
        expression = parse(written) if isinstance(written, str) else Call.from_dict(written)
        check(expression)
    except (LanguageError, RecursionError, TypeError) as error:
        raise Refusal(str(error)[:_LONGEST_REASON]) from None
    names = {m.name for m in offered()} | set(PARTS)
    if other := next((c.name for c in expression.walk() if c.name not in names), None):
        raise Refusal(f"{other} is of the conversation, not of the image; it may not be asked for")
    if word := medical(" ".join(_texts(expression))):
        raise Refusal(f"{word!r}: nothing is measured of diagnosis or treatment")
    for number in _numbers(expression):  # a model sets no thresholds
        if not any(abs(number - k) <= 5e-4 * abs(k) for k in known):
            raise Refusal(f"the number {number:g} was neither said by the person nor measured; leave it out or measure first")
    for kind in _kinds(expression):
        if kind.lower() not in question.lower() and not _told_apart(kind, scene):
            why = "is no kind of objects that can be told apart here; try object, cell or nucleus, or the person's own word"
            raise Refusal(f"{kind[:40]!r} {why}")
    return expression


def measured(call: Call, measure: Callable[[Call], Answer], by: str) -> Answer:
    """The composed answer to an expression, its evidence marked as asked for by a language model.

    Raises
    ------
    Refusal : it could not be measured; says why.
    """
    found = measure(call)
    if found.declined is not None or not found.evidence:
        raise Refusal(found.text[:_LONGEST_REASON])
    return replace(found, evidence=tuple(replace(e, environment={**e.environment, "planned_by": by}) for e in found.evidence))


def _numbers(node: Node) -> Iterator[float]:
    """The numbers of an expression that set something; not those that say where, or which in a row."""
    if isinstance(node, Call):
        if node.name not in _WHERE_AND_WHICH:
            yield from (n for a in node.args if a not in _SOME_OR_NONE for n in _numbers(a))
            yield from (n for k, v in node.given if k not in _NAMES and not (k == "n" and _is_rank(v)) for n in _numbers(v))
    elif isinstance(node, tuple):
        yield from (n for part in node for n in _numbers(part))
    elif isinstance(node, str):
        yield from said_numbers(node)
    elif not isinstance(node, bool):
        yield float(node)


def _is_rank(value: Node) -> bool:
    return isinstance(value, int) and 1 <= value <= _MOST_RANKED


def _kinds(expression: Call) -> Iterator[str]:
    """The kinds of objects that an expression names."""
    for call in expression.walk():
        nodes = [kind_of(call), *(v for k, v in call.given if k in ("of", "to"))]
        yield from (n for n in nodes if isinstance(n, str) and n not in ("", "image"))


def _texts(expression: Call) -> Iterator[str]:
    """What an expression holds as text, but for names in the image."""
    for call in expression.walk():
        nodes = (*call.args, *(v for k, v in call.given if k not in _NAMES)) if call.name != "image" else ()
        yield from (n for n in nodes if isinstance(n, str))


def _told_apart(kind: str, scene: Scene) -> bool:
    concept, eyes = concept_of(kind), scene.look.eyes
    return concept is not None and (concept in (*WIDE, "nucleus") or (eyes != FLOOR and knows(load(eyes), kind)))
