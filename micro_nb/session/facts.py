"""What a person tells rather than asks: how the sample was made, and conditions that are to hold from now on."""

from __future__ import annotations

from dataclasses import replace

from .follow_ups import merged
from .memory import Context
from .query import Filter, Query
from .reading import Clause
from .slots import IMAGE_QUANTITIES, border_of

_TELLS = frozenset(["it", "its", "it's", "they", "these", "this", "those", "i", "we", "the", "stained", "sample", "all", "cells"])
_OF_OBJECTS = ("count", "fraction", "measure", "compare", "locate", "presence")


def is_fact(c: Clause) -> bool:
    """Whether the clause only states how the picture was made ("it's phase contrast", "they are Giemsa stained")."""
    if c.question or c.tag or c.asks or c.starts_yes_no or not c.words or c.words[0] not in _TELLS:
        return False
    wants = c.has("quantity") or c.has("superlative") or c.has("part") or c.has("topic") or c.has("report") or c.has("colour")
    asks = set(c.values("ask")) - {"classify"}
    return (c.has("fact", "stain") or c.has("likeness") or c.has("ask", "classify")) and not (wants or asks or c.numbers)


def standing(query: Query, said: list[Clause], context: Context) -> Query:
    """``query`` under the conditions that were to hold from now on, and with those it adds to them."""
    held = context.previous.standing if context.previous is not None else ()
    if any(c.has("fact", "again") for c in said):
        held = ()
    ordered = next((c for c in said if c.has("fact", "always")), None)
    if ordered is not None:
        held = merged(held, query.filters or border_of(ordered))
    if query.task == "unknown" and query.topic is None and held and not query.unread and ordered is not None:
        return Query("describe", quantity="fact", standing=held)
    return _under(query, held)


def _under(query: Query, held: tuple[Filter, ...]) -> Query:
    of_objects = query.task in _OF_OBJECTS and query.quantity not in IMAGE_QUANTITIES
    filters = merged(held, query.filters) if of_objects else query.filters
    return replace(query, filters=filters, standing=held, also=tuple(_under(q, held) for q in query.also))
