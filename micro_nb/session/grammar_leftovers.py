"""What a clause leaves over: words and numbers that changed nothing in its Query are asked back; two wishes are two questions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Literal, cast

from .dimensions import fits
from .grammar_relations import ranked_filter
from .query import Pick, Query, Statistic
from .reading import Clause, Item
from .slots import OBJECT_QUANTITIES

_MANNER = ("don't", "dont", "do")  # "don't measure, just guess" is an order, not a condition
_SIZE_WORDS = ("large", "big")
"""Of objects that are counted: from what size on, nobody said."""
_BEFORE_A_SIZE = ("the", "of", "all", "only")
_SHAPE_WORDS = ("round", "elongated", "irregular", "spherical", "circular", "elliptical")


def unplaced(query: Query, c: Clause) -> Query:
    """Words that would narrow the question and changed nothing in it are asked back, never passed over."""
    if query.task not in ("count", "fraction", "measure", "compare", "locate", "presence"):
        return query
    sized = any(isinstance(f.value, float) for f in query.filters)
    counted = query.task in ("count", "presence") and query.quantity is None
    loose = {
        "not": c.has("negation")
        and not c.has("border")
        and not c.has("relation")
        and c.words[0] not in _MANNER
        and not sized
        and query.quantity != "rest",
        "than": counted
        and c.has("operator", ">", "<", "between")
        and not c.numbers
        and not c.says("between"),  # "at least?" is no condition
        "each": counted and c.has("division") and c.says("each", "per", "every"),
        "third": c.has("rank") and not c.has("superlative") and c.has("ask", "count"),
        "shape": query.task == "count"
        and not sized
        and c.says(*_SHAPE_WORDS)
        and c.says("many", "count", "number")
        and not c.says("how round"),
        "large": not sized
        and any(
            b in _SIZE_WORDS and (a in _BEFORE_A_SIZE if query.task == "measure" else query.task == "count" and a != "how")
            for a, b in pairwise(c.words)
        ),
        "several": any(_several(a, b) for a, b in zip(c.items, c.items[1:], strict=False)) and not ranked_filter(c),
    }
    return replace(query, unread=(*query.unread, *(word for word, holds in loose.items() if holds)))


def _several(number: Item, named: Item) -> bool:
    """ "The three largest": only one object can be spoken of."""
    return number.number is not None and any(k == "superlative" for k, _ in named.meanings)


def loose_number(query: Query, c: Clause) -> bool:
    """Whether a number stands in the clause that changes nothing in the query ("how many in an area of 100 µm²?")."""
    figures = any(i.number is not None and i.words[0][0].isdigit() for i in c.items)
    if not figures or query.task not in ("count", "fraction", "measure", "compare", "locate", "presence"):
        return False
    if query.quantity == "density" and str(query.unit).startswith("per "):
        return False
    if query.claim is not None:  # "how many are larger than 60?": of what, nobody said
        return query.task == "count" and c.says("many") and not (c.starts_yes_no or c.tag or c.has("ask", "sure"))
    used = query.quantity in ("channels", "share_at", "bit_depth", "saturation") or "channel" in c.words
    return not used and not any(isinstance(f.value, float) for f in query.filters)


def unrelated(query: Query, c: Clause) -> Query:
    """A relation to something that was not understood ("the cells above the ...") is asked back, and so is the background."""
    loose = [w for w in ("above", "below", "under", "beneath", "compare") if c.says(w)]
    if loose and query.task in ("count", "measure", "locate") and not c.numbers:
        return replace(query, unread=(*query.unread, *loose))
    if c.has("ask", "rest") and query.quantity not in ("rest", "coverage", "polarity") and query.task != "unknown":
        return replace(query, unread=(*query.unread, "background"))
    return query


def doubled(query: Query, c: Clause) -> Query:
    """ "Mean and median", "the largest and the smallest": the second becomes a question of its own."""
    if query.task not in ("measure", "locate") or query.also:
        return query
    quantities = [q for q in dict.fromkeys(c.values("quantity")) if q in OBJECT_QUANTITIES - {"size", "shape", "intensity"}]
    if len(quantities) > 1 and query.quantity in quantities and not query.filters:
        main = quantities[0]
        query = replace(query, quantity=main, unit=_unit_for(main, c))
        return replace(query, also=tuple(replace(query, quantity=q, unit=_unit_for(q, c)) for q in quantities[1:]))
    statistics = list(dict.fromkeys(c.values("statistic")))
    if len(statistics) > 1 and query.statistic == statistics[0]:
        return replace(query, also=tuple(replace(query, statistic=cast(Statistic, s)) for s in statistics[1:]))
    named = list(dict.fromkeys(c.values("superlative")))
    if len(named) > 1 and query.pick is not None:
        picks = [(by, cast(Literal["max", "min"], order)) for by, order in (n.split() for n in named[1:])]
        return replace(query, also=tuple(replace(query, pick=Pick(by, order)) for by, order in picks))
    return query


def _unit_for(quantity: str, c: Clause) -> str | None:
    """Of the units named beside several quantities, the one this quantity can have."""
    return next((u for u in c.values("unit") if fits(quantity, u)), None)
