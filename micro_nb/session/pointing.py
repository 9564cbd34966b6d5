"""Words that point: "above it", "the other half", "this region", "show them", "undo"."""

from __future__ import annotations

from dataclasses import replace

from ..data.region import Region
from .query import Query
from .reading import Clause
from .slots import Shape, part

_SWAPPED = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
_DIRECTIONS = ("above", "below", "left of", "right of")
_RELATIVE = frozenset(["above", "below", "over", "under", "beneath", "than"])


def shown(query: Query, clause: Clause) -> bool:
    """Whether the clause only asks to be shown what was spoken of."""
    asks = clause.has("ask", "locate") or clause.has("pointing", "show")
    bare = query.task in ("unknown", "locate") and query.quantity is None and query.pick is None and query.topic is None
    alone = not (query.filters or query.region or query.claim or clause.has("target") or clause.has("division"))
    return asks and bare and alone and not clause.has("ask", "count", "most", "least", "total", "presence", "describe")


def side_asked(query: Query, clause: Clause) -> bool:
    """ "Which half, upper or lower?": only the place of what was spoken of is asked for."""
    asked = clause.has("division") and clause.asks and query.quantity is None and query.pick is None and query.against is None
    other = (
        clause.has("ask", "count", "most", "least", "compare", "empty", "presence")
        or clause.has("relation")
        or clause.has("border")
    )
    return asked and not other and not clause.has("target") and not query.unread


def beside(query: Query, clause: Clause, box: tuple[float, ...] | None, shape: Shape, before: Query | None) -> Query:
    """ "How many above it?": the part of the image on that side of what was pointed at."""
    way = next((d for d in _DIRECTIONS if clause.has("pointing", d)), None)
    if way is None:
        return query
    region = _beside(way, box, shape) or _rest_of(way, before, shape)
    if region is None:
        return replace(query, unread=(*query.unread, *(w for w in ("above", "below", "left", "right") if w in way)))
    return replace(query, region=region, against=None, unread=tuple(w for w in query.unread if w not in _RELATIVE))


def opposite(clause: Clause, before: Query, shape: Shape) -> Region | None:
    """The half, or the quadrant across, when "the other one" is asked for."""
    if not clause.has("pointing", "other") or before.region is None or not before.region.name:
        return None
    words = [_SWAPPED.get(w, w) for w in before.region.name.split()]
    return part(" ".join(words), shape) if words[0] in _SWAPPED else None


def _beside(way: str, box: tuple[float, ...] | None, shape: Shape) -> Region | None:
    if box is None or shape is None:
        return None
    (x0, y0, x1, y1), (height, width) = box, shape
    bounds = {"above": (0, 0, y0, width), "below": (y1, 0, height, width), "left of": (0, 0, height, x0),
              "right of": (0, x1, height, width)}[way]  # fmt: skip
    empty = bounds[2] <= bounds[0] or bounds[3] <= bounds[1]
    return None if empty else Region(*bounds, name=f"part {way} it")


def _rest_of(way: str, before: Query | None, shape: Shape) -> Region | None:
    """Where only the half that was spoken of is known, what lies on that side of it."""
    name = before.region.name if before is not None and before.region is not None else None
    across = {("above", "bottom half"): "top half", ("below", "top half"): "bottom half", ("left of", "right half"): "left half",
              ("right of", "left half"): "right half"}.get((way, name or ""))  # fmt: skip
    return part(across, shape) if across else None
