"""Follow-ups: what a clause leaves unsaid is taken from the query before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ..data.region import Region
from .lexicon import parts
from .memory import Context
from .pointing import beside, opposite, shown, side_asked
from .query import Claim, Filter, Pick, Query
from .reading import Clause
from .slots import OBJECT_QUANTITIES, SIZES, part

_FLIP: dict[str, Literal[">", ">=", "<", "<="]] = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_ANY = ("cell", "object", "particle")
_MEASURED = ("count", "fraction", "measure", "compare", "locate", "filter", "presence")


def follow(query: Query, clause: Clause, before: Query | None, context: Context) -> Query:
    """``query`` completed from ``before``: pronouns, "and the right?", "in µm²?", "and below?"."""
    query = beside(query, clause, context.box, context.shape, before)
    if query.quantity == "counted":
        return _counted(query, before, context)
    spoken = context.spoken or before if before is context.previous else before  # of the same breath first
    if spoken is not None and (shown(query, clause) or side_asked(query, clause)):
        query = replace(query, region=None) if side_asked(query, clause) else query
        return _shown(query, spoken, clause)
    if before is not None and before.quantity == "saturation" and clause.has("unit", "%") and query.quantity is None:
        return replace(before, task="fraction", unit="%", unread=query.unread, also=())
    if before is None or before.task not in _MEASURED or query.topic in ("diagnosis", "identity", "time", "elsewhere"):
        return query
    if _against_another(query, clause, before):
        quantity = query.quantity if query.quantity in OBJECT_QUANTITIES else "area"
        return Query("compare", before.target, quantity, rival=query.target, region=query.region or before.region)
    other = opposite(clause, before, context.shape)
    if other is not None and query.region is None:
        query = replace(query, region=other, unread=tuple(w for w in query.unread if w != "other"))
    if query.task == "unknown" and query.topic is None:
        query = _fragment(query, clause, before)
    elif query.task in _MEASURED:
        query = _carried(query, clause, before, context)
    return query


def _against_another(query: Query, clause: Clause, before: Query) -> bool:
    """ "Compare its size with the red cells": what was spoken of, and another kind of object."""
    two = query.target is not None and before.target is not None and query.target != before.target
    spoken = clause.has("reference", "one", "many") and clause.has("ask", "compare") and query.rival is None
    return two and spoken and not query.filters and not set(query.unread) - {"compare"}


def _fragment(query: Query, clause: Clause, before: Query) -> Query:
    """A clause without a task of its own changes one thing of the question before."""
    again = _asked_again(query, clause, before) or _limited(query, clause, before) or _elsewhere(query, clause, before)
    return again or _otherwise(query, clause, before) or query


def _asked_again(query: Query, clause: Clause, before: Query) -> Query | None:
    """ "Are you sure?", "where?", "in total?", "and the rest?"."""
    unread = query.unread
    if clause.has("ask", "sure") or clause.tag:
        return replace(before, claim=_claim(clause), unread=unread, topic="recheck")
    if clause.has("ask", "locate"):
        return replace(before, task="locate", quantity=None, claim=None, unread=unread, also=(), topic=None)
    if clause.has("ask", "total"):
        return replace(before, filters=(), region=None, against=None, claim=None, unread=unread, also=())
    if clause.has("ask", "rest") and before.quantity == "coverage":
        return replace(before, quantity="rest", unread=unread)
    return None


def _limited(query: Query, clause: Clause, before: Query) -> Query | None:
    """ "And above 80?", "is that more than 100?", "by how much?"."""
    sized = next((f for f in before.filters if f.op in _FLIP), None)
    if query.claim is not None and not query.claim.unit and sized is not None and not clause.starts_yes_no:
        again = replace(sized, op=query.claim.op, value=query.claim.value)  # "and above 80?" after "above 60 µm²"
        return replace(before, filters=merged(before.filters, (again,)), unread=query.unread, also=())
    if query.claim is not None and not query.filters:
        return _claimed(query, before)
    if clause.has("ask", "compare") and clause.says("by") and before.against is not None:
        return replace(before, topic="difference", unread=query.unread)
    return None


def _elsewhere(query: Query, clause: Clause, before: Query) -> Query | None:
    """ "And the smallest?", "and in the left half?"."""
    unread = query.unread
    if query.pick is not None:
        return replace(
            before, pick=query.pick, task="measure" if before.quantity in OBJECT_QUANTITIES else "locate", unread=unread
        )
    if query.region is not None:
        return replace(before, region=query.region, against=None, unread=unread, claim=None, also=())
    return None


def _otherwise(query: Query, clause: Clause, before: Query) -> Query | None:
    """ "And below?", "and the median?", "in µm²?", "and the cells?"."""
    unread = query.unread
    flipped = _flipped(clause, before)
    if flipped is not None:
        return replace(flipped, unread=unread)
    if query.filters:
        return replace(before, filters=merged(before.filters, query.filters), unread=unread, also=())
    if query.statistic != "value" and before.quantity is not None:
        return replace(before, statistic=query.statistic, unread=unread, also=())
    if query.unit is not None and before.quantity is not None:
        return replace(before, unit=query.unit, unread=unread, also=())
    if query.target is not None and clause.question:
        return replace(before, target=query.target, unread=unread, also=())
    return None


def _carried(query: Query, clause: Clause, before: Query, context: Context) -> Query:
    """A clause with a task of its own may still speak of "it", "those" or "that side"."""
    one, many = clause.has("reference", "one"), clause.has("reference", "many")
    of_image = before.quantity in ("image_size", "field", "field_area") and one and query.target is None
    if of_image and query.quantity in SIZES:
        return replace(query, quantity="field_area" if query.quantity == "area" else "image_size", pick=None)
    target = query.target or before.target
    if many and query.target in _ANY and before.target is not None:
        target = before.target  # "how many such cells?", of the white ones that were spoken of
        query = replace(query, target=target)
    if _measure_again(query, before) and not clause.has("statistic"):
        query = replace(query, statistic=before.statistic)
    meant = one or (query.target is None and query.quantity is not None and query.statistic == "value")
    about_one = query.task == "locate" or query.quantity in OBJECT_QUANTITIES | {"ratio", "position"}
    if query.pick is None and before.pick is not None and not many and meant and about_one:
        among = merged(before.filters, query.filters)  # the one that was chosen among those
        query = replace(query, pick=before.pick, filters=among, region=query.region or _place(before))
    if query.pick is not None and _ranked(before) and not query.filters and not clause.has("ask", "total"):
        query = replace(query, filters=before.filters)  # "area of the smaller", of the two that were spoken of
    if many and not clause.has("ask", "total"):
        query = replace(query, filters=merged(before.filters, query.filters), region=query.region or _place(before))
    if (
        clause.has("reference", "that")
        and (clause.has("division") or clause.says("there"))
        and context.place is not None
        and context.place in parts()
    ):
        query = replace(query, region=part(context.place, context.shape))
    if query.task == "count" and query.claim is not None and query.target is None and not query.filters:
        query = replace(query, region=query.region or before.region)
    return replace(query, target=target, also=tuple(replace(q, target=q.target or target) for q in query.also))


def _measure_again(query: Query, before: Query) -> bool:
    """ "And the diameter?" after a mean area asks for the mean."""
    both = query.task == before.task == "measure" and query.quantity in OBJECT_QUANTITIES and before.quantity in OBJECT_QUANTITIES
    return both and query.target is None and query.pick is None and before.pick is None


def _place(before: Query) -> Region | None:
    """The region that is still meant; not the one a place was only checked against."""
    return before.region if before.quantity != "position" else None


def _ranked(query: Query) -> bool:
    return any(f.op in ("max", "min") for f in query.filters)


def _counted(query: Query, before: Query | None, context: Context) -> Query:
    """Whether what the last answer pointed at is among the objects; asked back where it pointed at nothing."""
    if context.box is None:
        return replace(query, unread=(*query.unread, "it"))
    x0, y0, x1, y1 = context.box
    return replace(
        query, target=query.target or (before.target if before else None), region=Region(y0, x0, y1, x1, name="place of it")
    )


def _described(spoken: Query, clause: Clause) -> Pick | None:
    """The object that "what is that big round thing?" spoke of: the largest, else the one least like the others."""
    if spoken.task not in ("unknown", "classify", "describe") or spoken.quantity == "kind" or clause.has("reference", "many"):
        return None
    return Pick("area" if spoken.quantity == "size" else "oddness", "max")


def _shown(query: Query, spoken: Query, clause: Clause) -> Query:
    """Where what was spoken of is: "box it", "show them", "where exactly?"."""
    pick = query.pick or spoken.pick or _described(spoken, clause)
    region = query.region or (spoken.region if spoken.quantity != "position" else None)
    target, unread = query.target or spoken.target, query.unread
    return Query("locate", target, region=region, filters=spoken.filters, channel=spoken.channel, pick=pick, unread=unread)


def _claim(clause: Clause) -> Claim | None:
    return Claim("==", clause.numbers[0]) if clause.numbers else None


def _claimed(query: Query, before: Query) -> Query:
    """ "Is that more than 100?" checks the answer before."""
    return replace(before, claim=query.claim, unread=query.unread, also=())


def _flipped(clause: Clause, before: Query) -> Query | None:
    op = clause.first("operator")
    sized = [f for f in before.filters if f.op in _FLIP]
    if op is None or clause.numbers or not sized:
        return None
    towards = op[0]
    turned = tuple(replace(f, op=_FLIP[f.op]) if f.op in _FLIP and not f.op.startswith(towards) else f for f in before.filters)
    return replace(before, filters=turned, also=())


def merged(old: tuple[Filter, ...], new: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """Both, where the newer of two on one quantity wins."""
    named = {f.quantity for f in new}
    return tuple(f for f in old if f.quantity not in named) + new
