"""A call that a language model asks for: checked, then measured, or refused with a reason it can read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError, MicroNBError, MissingExtraError
from .. import registry
from ..declines import kinds_unknown, not_trained
from ..evidence import Evidence
from ..eyes import FLOOR, knows, load
from ..lexicon import Target, phrases, target
from ..plans import Call
from .protocol import ToolCall

_WITHOUT_NUMBERS = frozenset(["region", "against", "rank"])  # they say where and which; what is there is measured
_LONGEST = 240


class Refusal(MicroNBError, ValueError):
    """A call is not made; the message is for the model."""


def checked(
    call: ToolCall, tools: Mapping[str, Mapping[str, Any]], img: MicroImage | None, eyes: str, known: Sequence[float]
) -> Call:
    """The typed call that a model's call means.

    Parameters
    ----------
    call : as the model wrote it.
    tools : schemas it was offered.
    img, eyes : the image, and what looks at it.
    known : numbers that a person said or that were measured; an argument may hold these and its defaults.

    Raises
    ------
    Refusal : no such tool or argument, a wrong type, a kind of object that the eyes do not know, a number out of nowhere.
    """
    if call.name not in tools:
        raise Refusal(f"there is no tool {call.name[:40]!r}; there are {', '.join(tools)}")
    schema = tools[call.name]["parameters"]
    _validate(call.name, call.arguments, schema)
    given = dict(call.arguments)
    for name, value in given.items():
        if name not in _WITHOUT_NUMBERS:
            _only_known(name, value, known, registry.get(call.name).arguments)
    for name in ("target", "against"):
        if isinstance(given.get(name), str) and schema["properties"][name].get("type") == "string":
            given[name] = _named(given[name], eyes)
    region = _place(given.pop("region", None), img)
    if "against" in given and "region" in schema["properties"] and schema["properties"]["against"].get("type") != "string":
        given["against"] = (_place(given["against"], img) or _whole(img)).to_dict()
    return Call(call.name, given, region)


def measured(call: Call, measure: Callable[[Call], tuple[Evidence, ...]], by: str) -> tuple[Evidence, ...]:
    """The evidence of a call, marked as asked for by a language model.

    Raises
    ------
    Refusal : it could not be measured; says why.
    """
    try:
        found = measure(call)
    except MicroNBError as error:
        raise Refusal(str(error)[:_LONGEST]) from None
    except Exception as error:  # a tool that a model's arguments upset is no reason to lose the turn
        raise Refusal(f"{call.tool} could not be measured with these arguments ({type(error).__name__})") from None
    return tuple(replace(e, environment={**e.environment, "planned_by": by}) for e in found)


def _validate(name: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    validator = schema_validator()(schema)
    wrong = sorted(validator.iter_errors(dict(arguments)), key=lambda e: len(list(e.path)))
    if wrong:
        at = ".".join(str(p) for p in wrong[0].path) or "arguments"
        raise Refusal(f"{name}: {at}: {wrong[0].message[:_LONGEST]}")


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


def _only_known(name: str, value: Any, known: Sequence[float], arguments: Mapping[str, Any]) -> None:
    """Refuses numbers that neither a person said nor a tool measured: a model sets no thresholds."""
    default = arguments[name].default if name in arguments else None
    for number in _numbers(value):
        if number != default and not any(number == k or abs(number - k) <= 5e-4 * abs(k) for k in known):
            raise Refusal(
                f"{name}: the number {number:g} was neither said by the person nor measured; leave it out or measure first"
            )


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def _named(word: str, eyes: str) -> str:
    """How the objects of a word are called, where these eyes can tell them apart."""
    meant = _target(word)
    if meant.known == "no" and eyes == FLOOR:
        raise Refusal(kinds_unknown(meant.many).reason)
    if meant.known == "no" and not knows(load(eyes), meant.many):
        raise Refusal(not_trained(meant.many).reason)
    return meant.many


def _target(word: str) -> Target:
    meanings = phrases().get(tuple(word.lower().split()), ())
    key = next((value for kind, value in meanings if kind == "target"), None)
    if key is None:
        raise Refusal("target: that is no word for objects that is known here; try objects, cells or nuclei")
    return target(key)


def _place(said: Any, img: MicroImage | None) -> Region | None:
    if said is None or said == "whole image" or img is None:
        return None
    try:
        if isinstance(said, str):
            return Region.part(said, img.plane_shape)
        return Region(float(said["y0"]), float(said["x0"]), float(said["y1"]), float(said["x1"])).clip(img.plane_shape)
    except (MicroNBError, OverflowError) as error:
        raise Refusal(f"region: {error}") from None


def _whole(img: MicroImage | None) -> Region:
    if img is None:
        raise EvidenceError("a region needs an image")
    return Region.part("whole image", img.plane_shape)
