"""Plans for questions about several objects together, and about the conversation: touching, alike, cut off, uncertain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..data.image import MicroImage
from .plans import Call, Plan, objects_given, picked
from .query import Filter, Pick, Query

_NUCLEAR = frozenset(["dna", "dapi", "hoechst", "nuclear", "nuclei", "nucleus", "draq5", "sytox"])
ALIKE = {"size": "area", "area": "area", "shape": "aspect_ratio", "intensity": "intensity"}


def is_nuclear(channel: str, img: MicroImage) -> bool:
    """Whether a channel that has no such name may be found by the nuclei in it."""
    return channel.lower() in _NUCLEAR and len(img.channels) > 1 and not img.rgb


def several(query: Query) -> Plan | None:
    """The plan for a query of this module; None for any other."""
    if query.quantity == "group":
        return _groups(query)
    if query.topic == "alike":
        return Plan(
            (Call("alike", {"quantity": ALIKE.get(query.quantity or "", "area")} | objects_given(query), query.region),), "alike"
        )
    if query.quantity == "edges":
        return Plan(
            (Call("edges_met", picked(query.pick or Pick("from_border", "min")) | objects_given(query), query.region),), "edges"
        )
    if query.quantity == "position":
        return _position(query)
    if query.quantity == "uncertainty":
        return _uncertainty(query)
    if query.quantity == "counted":
        return Plan((Call("count", objects_given(query), query.region),), "counted")
    if query.quantity == "fact":
        return Plan((), "fact")
    if query.quantity == "channel contents":
        return Plan((Call("channels"), Call("channel_contents")), "channel_contents")
    return None


def _groups(query: Query) -> Plan:
    if query.topic == "satellites":
        return Plan((Call("satellites", objects_given(query), query.region),), "satellites")
    least: dict[str, Any] = {}
    if query.claim is not None and query.claim.op in (">", ">=", "=="):
        least = {"least": int(query.claim.value) + (query.claim.op == ">")}
    return Plan((Call("groups", least | objects_given(query), query.region),), "groups")


def _position(query: Query) -> Plan:
    """Whether one object lies in a part of the image."""
    pick = query.pick or Pick("area")
    return Plan((Call("locate", picked(pick) | objects_given(query)),), "position")


def _uncertainty(query: Query) -> Plan:
    """What makes a count uncertain: how many are cut off, how many touch, and on how many it stands."""
    cut = (*query.filters, Filter("touches_border", "is", True))
    calls = (
        Call("count", objects_given(query), query.region),
        Call("count", objects_given(replace(query, filters=cut)), query.region),
        Call("groups", objects_given(query), query.region),
        Call("count_with_doubts", objects_given(query), query.region),
    )
    return Plan(calls, "uncertainty")
