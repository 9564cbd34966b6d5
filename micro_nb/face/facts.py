"""Measurements as texts for people: in the card of the chat panel and in the appendix of a paper."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..session.evidence import Evidence
from ..session.views.text import place_text, value_text

_INTERNAL = ("histogram", "album", "groups", "marked", "grey_bounds", "expression", "weights")
_TOLD = {"function": "objects by", "version": "its version"}
_HASH = re.compile(r"[0-9a-f]{64}")


def described(fact: Evidence) -> tuple[dict[str, str], dict[str, str]]:
    """What is known of a measurement, and the parameters it was made with; nothing that is empty."""
    known = {
        "value": value_text(fact), "certainty": _certainty(fact), "where": place_text(fact.region),
        "expression": str(fact.parameters.get("expression", "")), "function": f"{fact.function}, micro_nb {fact.version}",
        "level": str(fact.level), "image": plain(fact.image_id or ""), "weights": plain(fact.weights or ""), "evidence": fact.id,
    }  # fmt: skip
    parameters = {_TOLD.get(k, k.replace("_", " ")): plain(v) for k, v in fact.parameters.items() if k not in _INTERNAL}
    return {k: v for k, v in known.items() if v}, {k: v for k, v in parameters.items() if v}


def plain(value: Any) -> str:
    """A value in few characters: numbers in four digits, long hashes cut."""
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {plain(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return _HASH.sub(lambda m: f"{m[0][:12]}…", str(value))


def _certainty(fact: Evidence) -> str:
    if fact.interval is None:
        return "measured on all of it" if fact.value is not None else ""
    low, high = fact.interval
    return f"95 % interval {plain(low)} to {plain(high)}"
