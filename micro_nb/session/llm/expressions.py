"""The one tool of a language model: an expression is checked, then measured, or refused with a reason it can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from ...errors import LanguageError, MicroNBError, MissingExtraError
from ..answer import Answer
from ..composing import said_numbers
from ..language import Call, Node, parse
from ..language.forms import PARTS, kind_of
from ..measures.evaluation import check
from ..measures.eyes import FLOOR, concept_of, knows, load
from ..measures.finding import WIDE
from ..measures.registry import Measure, measures
from ..measures.scene import Scene
from ..measures.schema import Json, tool
from ..reader.numbers import find_numbers
from .grounding import medical
from .prompts import Asked
from .protocol import ToolCall

_WHERE_AND_WHICH = frozenset(["box", "point", "z", "t", "well", "image"])  # what is there is measured
_NAMES = frozenset(["rank", "channel", "image"])
_SOME_OR_NONE = frozenset([">= 1", ">=1", "> 0", "== 0", "==0"])
_MOST_RANKED = 20
_LONGEST = 240


class Refusal(MicroNBError, ValueError):
    """An expression is not measured; the message is for the model."""


def offered() -> list[Measure]:
    """The measurements that a model may ask for: all but those of the conversation, which tell, change, or write files."""
    return [m for m in measures().values() if m.group != "talking"]


def offered_tool() -> Json:
    """The tool as a model is shown it."""
    return tool(offered())


def checked(call: ToolCall, asked: Asked, known: Sequence[float]) -> Call:
    """The expression that a model's call means.

    Parameters
    ----------
    call : as the model wrote it.
    known : numbers that a person said or that were measured; the expression may hold no others.

    Raises
    ------
    Refusal : it is none, or holds a measurement, a kind or a number that it may not.
    """
    if call.name != "measure":
        raise Refusal(f"there is no tool {call.name[:40]!r}; there is measure, which takes an expression")
    wrong = next(iter(schema_validator()(offered_tool()["parameters"]).iter_errors(dict(call.arguments))), None)
    if wrong is not None:
        raise Refusal(f"measure: {wrong.message[-_LONGEST:]}")
    written = call.arguments["expression"]
    try:
        expression = parse(written) if isinstance(written, str) else Call.from_dict(written)
        check(expression)
        _only_offered(expression)
    except (LanguageError, RecursionError) as error:
        raise Refusal(str(error)[:_LONGEST]) from None
    _not_medical(expression)
    _only_known(expression, known)
    for kind in _kinds(expression):
        _named(kind, asked)
    return expression


def measured(call: Call, asked: Asked, by: str) -> Answer:
    """The composed answer to an expression, its evidence marked as asked for by a language model.

    Raises
    ------
    Refusal : it could not be measured; says why.
    """
    try:
        found = asked.measure(call)
    except MicroNBError as error:
        raise Refusal(str(error)[:_LONGEST]) from None
    except Exception as error:  # a measurement that a model's arguments upset is no reason to lose the turn
        raise Refusal(f"{call.name} could not be measured with these arguments ({type(error).__name__})") from None
    if found.declined is not None or not found.evidence:
        raise Refusal(found.text[:_LONGEST])
    return replace(found, evidence=tuple(replace(e, environment={**e.environment, "planned_by": by}) for e in found.evidence))


def numbers_said(asked: Asked) -> list[float]:
    """The numbers that the person said in this session."""
    return [n.value for text in [*(q for q, _ in asked.history), asked.question] for n in find_numbers(text)]


@cache
def schema_validator() -> Any:
    """jsonschema's validator.

    Raises
    ------
    MissingExtraError : it is not installed.
    """
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        raise MissingExtraError("language models need jsonschema; try pip install 'micro-nb[llm]'") from None
    return Draft202012Validator


def _only_offered(expression: Call) -> None:
    names = {m.name for m in offered()} | set(PARTS)
    other = next((c.name for c in expression.walk() if c.name not in names), None)
    if other is not None:
        raise Refusal(f"{other} is of the conversation, not of the image; it may not be asked for")


def _only_known(expression: Call, known: Sequence[float]) -> None:
    """Refuses numbers that neither a person said nor a measurement gave: a model sets no thresholds."""
    for number in _numbers(expression):
        if not any(number == k or abs(number - k) <= 5e-4 * abs(k) for k in known):
            raise Refusal(f"the number {number:g} was neither said by the person nor measured; leave it out or measure first")


def _numbers(node: Node) -> Iterator[float]:
    """The numbers of an expression that set something; not those that say where, or which in a row."""
    if isinstance(node, Call):
        if node.name in _WHERE_AND_WHICH:
            return
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


def _not_medical(expression: Call) -> None:
    words = [
        n
        for c in expression.walk()
        for n in (*c.args, *(v for k, v in c.given if k not in _NAMES))
        if isinstance(n, str) and c.name != "image"
    ]
    if word := medical(" ".join(words)):
        raise Refusal(f"{word!r}: nothing is measured of diagnosis or treatment")


def _named(kind: str, asked: Asked) -> None:
    """Refuses a kind that the person did not name and that the eyes cannot tell from others."""
    if kind.lower() in asked.question.lower() or _knows(kind, asked.scene):
        return
    raise Refusal(
        f"{kind[:40]!r} is no kind of objects that can be told apart here; try object, cell or nucleus, or the person's own word"
    )


def _knows(kind: str, scene: Scene) -> bool:
    concept = concept_of(kind)
    if concept is None:
        return False
    eyes = scene.look.eyes
    return concept in (*WIDE, "nucleus") or (eyes != FLOOR and knows(load(eyes), kind))
