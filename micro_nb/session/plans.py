"""What is to be measured for a question: tool calls, and the wording of what they find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..data.region import Region
from .lexicon import target
from .query import Filter, Pick, Query


@dataclass(frozen=True)
class Call:
    """One tool call."""

    tool: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    region: Region | None = None


@dataclass(frozen=True)
class Plan:
    """What to measure and how to word it; ``wording`` names a function of ``compose``.

    ``more`` is measured where it can be, and left out where there is nothing to measure it on.
    """

    calls: tuple[Call, ...]
    wording: str
    more: tuple[Call, ...] = ()


def objects_given(query: Query) -> dict[str, Any]:
    """The arguments all tools about objects share; defaults are left out."""
    given: dict[str, Any] = {"target": target(query.target).many}
    if query.filters:
        given["filters"] = [_filter(f) for f in query.filters]
    if query.channel:
        given["channel"] = query.channel
    return given


def picked(pick: Pick) -> dict[str, Any]:
    """The arguments that single out one object."""
    return {"by": pick.by, "order": pick.order, "rank": pick.rank}


def _filter(f: Filter) -> dict[str, Any]:
    return {k: v for k, v in asdict(f).items() if v != ""}
