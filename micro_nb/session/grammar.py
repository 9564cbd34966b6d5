"""The grammar of one clause: which task its words add up to."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from .dimensions import AREA_UNITS
from .grammar_leftovers import doubled, loose_number, unplaced, unrelated
from .grammar_relations import (
    alike,
    channel_contents,
    counted,
    density_per,
    edge,
    lump,
    off_edge,
    placed,
    ranked_filter,
    ranked_place,
    separate,
    touching,
    uncertain,
)  # fmt: skip
from .grammar_statistics import statistics_of, unspoken
from .query import Claim, Pick, Query, Task
from .reading import Clause
from .slots import (
    IMAGE_QUANTITIES,
    OBJECT_QUANTITIES,
    UNIT_QUANTITY,
    Shape,
    border_of,
    compared,
    conditions,
    part,
    pick_of,
    quantity_of,
    region_of,
    scene_of,
    statistic_of,
    unit_of,
)

Rule = Callable[[Query, Clause, Shape], Query | None]


def query_of(clause: Clause, shape: Shape) -> Query:
    """The Query of one clause by itself; task ``"unknown"`` where it names no task."""
    clause = _of_units(clause)
    base = _slots(clause, shape)
    own = _first(_OWN, base, clause, shape)
    if own is not None and not (own.quantity == "crowding" and base.quantity == "density"):
        return own
    base = _unmeasured(base, clause)
    query = _first(_RULES, base, clause, shape) or base
    query = unspoken(unplaced(doubled(query, clause), clause), clause)
    if loose_number(query, clause):
        return replace(query, task="unknown", topic="bare number")
    return unrelated(query, clause)


def _first(rules: tuple[Rule, ...], base: Query, clause: Clause, shape: Shape) -> Query | None:
    """What the first rule makes of a clause that knows it; None where none does."""
    return next((q for q in (rule(base, clause, shape) for rule in rules) if q is not None), None)


def _slots(clause: Clause, shape: Shape) -> Query:
    """What the words of a clause fill in, before it is known what they add up to."""
    found = compared(clause)
    spent = tuple(f.named for f in found if f.named is not None and not f.claimed)  # "with an area above 60" measures nothing
    base = Query(
        "unknown", clause.first("target"), quantity_of(clause.without(spent)), statistic_of(clause), region_of(clause, shape),
        filters=border_of(clause), unit=unit_of(clause), unread=clause.unread, pick=pick_of(clause),
    )  # fmt: skip
    base = conditions(base, clause, found)
    among = ranked_filter(clause)
    return base if among is None else replace(base, pick=None, filters=(*base.filters, among), claim=None)


def _unmeasured(base: Query, clause: Clause) -> Query:
    """Words that ask for what nothing measures are asked back."""
    same = clause.says("same") and clause.says("size", "shape", "sizes", "shapes", "brightness") and not clause.has("relation")
    words = {
        "image": scene_of(clause) and (base.statistic not in ("value", "sum") or base.quantity not in IMAGE_QUANTITIES),
        "height": clause.has("quantity", "height") and base.quantity == "height",
        "same": same,
    }
    return replace(base, unread=(*base.unread, *(word for word, holds in words.items() if holds)))


def _of_units(c: Clause) -> Clause:
    """ "How many microns wide is it?" counts nothing."""
    pairs = itertools.pairwise(c.items)
    asked = tuple(a for a, b in pairs if ("ask", "count") in a.meanings and any(k == "unit" for k, _ in b.meanings))
    return c.without(asked) if c.has("quantity") else c


def _refusals(q: Query, c: Clause, shape: Shape) -> Query | None:
    """Topics no picture answers, or that are not measurements."""
    if c.words[:2] == ("what", "is") and c.says("thing", "things") and not c.has("statistic") and not c.has("superlative"):
        return replace(q, task="unknown", topic="identity", unread=())
    topics = [t for t in c.values("topic") if t not in ("knowledge", "advice", "significance")]
    soft = [t for t in c.values("topic") if t in ("advice", "knowledge", "significance")]
    if topics:
        return replace(q, task="unknown", topic=topics[0], unread=())
    if (
        q.quantity in IMAGE_QUANTITIES | OBJECT_QUANTITIES
        and (q.target or q.quantity in ("exposure", "image_size", "field", "field_area", "pixel_size"))
        and not c.has("topic", "advice")
    ):
        return None
    if soft and not c.has("ask", "count", "locate") and q.pick is None and q.quantity not in ("coverage", "pixel_size"):
        return replace(q, task="knowledge" if soft[0] == "knowledge" else "advise", topic=soft[0], unread=())
    return None


def _kinds(q: Query, c: Clause, shape: Shape) -> Query | None:
    """Which kind of object it is: "what type of cells are these?", "are these cells?"."""
    if not (q.target or c.has("reference", "many")) or q.pick is not None or c.numbers or set(c.values("topic")) - {"knowledge"}:
        return None
    other = set(c.values("ask")) - {"kind", "presence"}
    if c.has("ask", "kind") and not other and not c.has("likeness", "quantity") and (c.asks or c.question):
        return replace(q, task="classify", quantity="kind", filters=())
    alone = {k for i in c.items for k, _ in i.meanings} <= {"target", "reference"}
    if c.starts_yes_no and c.has("reference") and alone and c.items[0].words != ("any",):
        return replace(q, task="classify", quantity="kind", topic="is it")
    return None


def _two_kinds(q: Query, c: Clause, shape: Shape) -> Query | None:
    """One kind of object against another: "is the white cell larger than the red cells?"."""
    named = list(dict.fromkeys(c.values("target")))
    against = c.has("operator", ">", "<") or c.has("ask", "compare")
    if len(named) != 2 or not against or c.numbers or len(set(c.values("part"))) > 1 or c.has("division"):
        return None
    smaller = c.says("smaller", "fewer", "less", "darker")
    grown = c.says("larger", "bigger", "smaller", "size", "big")
    quantity = q.quantity if q.quantity in OBJECT_QUANTITIES else "area" if grown else "count"
    bright = c.says("brighter", "darker")
    asked = "yes or no" if c.starts_yes_no and not c.says("or", "which") else None
    topic = ", ".join(word for word in ("smaller" if smaller else None, asked) if word) or None
    quantity = "intensity" if bright else "area" if quantity == "size" else quantity
    return replace(
        q, task="compare", target=named[0], rival=named[1], quantity=quantity, topic=topic, pick=None, filters=(), claim=None
    )


def _two_parts(q: Query, c: Clause, shape: Shape) -> Query | None:
    parts = [p for p in c.values("part") if p != "whole image"]
    if len(parts) < 2 or parts[0] == parts[1]:
        return None
    against = part(parts[1], shape)
    if not c.numbers and c.says("smaller", "darker", "dimmer", "rounder"):
        return replace(q, task="compare", unread=(*q.unread, "smaller"))
    compared = "area" if c.says("larger", "bigger") else "intensity" if c.says("brighter") else None
    quantity = q.quantity or (compared if q.target or compared != "intensity" else "grey") or "count"
    asked = (c.question or c.starts_yes_no) and "than" in c.words and not c.says("or", "which", "what", "where")
    fewer = c.says("fewer", "less", "lower", "fewest", "least", "emptier")
    topic = ("fewer, yes or no" if fewer else "yes or no") if asked else "fewer" if fewer else None
    topic = (
        "difference"
        if c.says("difference") or (c.has("ask", "count") and c.says("more", "fewer") and not c.starts_yes_no)
        else topic
    )
    return replace(q, task="compare", quantity=quantity, region=part(parts[0], shape), against=against, topic=topic, claim=None)


def _busiest(q: Query, c: Clause, shape: Shape) -> Query | None:
    division = c.first("division")
    crowded = c.has("ask", "most", "least")
    if c.has("ask", "most") and q.region is not None and not c.has("ask", "locate"):
        return replace(q, task="presence", quantity="majority")
    if (division and (crowded or c.has("ask", "compare"))) or (c.has("ask", "locate") and crowded):
        return replace(
            q,
            task="locate",
            quantity="busiest",
            topic=division or "quadrants",
            statistic="min" if c.has("ask", "least") else "max",
        )
    return None


def _ratio(q: Query, c: Clause, shape: Shape) -> Query | None:
    times = c.says("times", "twice", "ratio") and (c.has("operator") or c.has("rank") or q.pick is not None)
    if not times or q.quantity == "aspect_ratio":
        return None
    claim = Claim(">", 2.0) if c.says("twice") else q.claim
    versus: Pick | Literal["median"] = Pick("area", "max", q.pick.rank if q.pick else 2) if c.has("rank") else "median"
    return replace(
        q, task="compare", quantity="ratio", pick=Pick(q.pick.by if q.pick else "area"), versus=versus, claim=claim, filters=()
    )


def _one_object(q: Query, c: Clause, shape: Shape) -> Query | None:
    if q.pick is None:
        return None
    if c.has("quantity", "grey", "exposure") and not c.has("target"):
        return replace(q, task="measure", quantity="grey", statistic="max" if q.pick.order == "max" else "min", pick=None)
    if c.has("ask", "presence") and not c.has("ask", "locate") and q.quantity not in OBJECT_QUANTITIES - {"size"}:
        return replace(q, task="compare", quantity="ratio", versus="median", claim=Claim(">", 2.0))
    wants = q.quantity or (UNIT_QUANTITY.get(q.unit or "") if q.unit else None)
    if c.has("ask", "locate") or (wants is None and c.has("target")):
        return replace(q, task="locate", quantity=None)
    if wants is not None:
        return replace(q, task="measure", quantity=wants)
    return None


def _image_facts(q: Query, c: Clause, shape: Shape) -> Query | None:
    colour, share = c.first("colour"), c.has("ask", "fraction") or c.has("unit", "%")
    if colour is not None and share and q.target is not None:
        return replace(q, unread=(*q.unread, colour))
    if colour is not None and q.target is None and (share or c.has("ask", "presence")):
        return replace(q, task="fraction" if share else "presence", quantity="colour_share", topic=colour)
    if q.quantity == "grey" and c.has("ask", "presence") and not q.target:
        return replace(q, task="quality", quantity="exposure")
    if q.quantity in ("focus", "saturation", "exposure", "noise"):
        share = c.has("ask", "fraction") or c.has("unit", "%") or c.says("percent", "percentage")
        asked: Task = "fraction" if share and q.quantity == "saturation" else "quality"
        return replace(q, task=asked, claim=None, filters=(), unit="%" if asked == "fraction" else None)
    if q.quantity == "channels" and c.numbers:
        return None
    if q.quantity in IMAGE_QUANTITIES:
        claim = q.claim if q.quantity in ("image_size", "field") else None
        unit = None if q.quantity in ("bit_depth", "channels", "pixel_size") else q.unit
        height = "height" if c.has("quantity", "height") else None
        return replace(q, task="measure", filters=(), claim=claim, unit=unit, topic=height)
    at = next((f for f in c.numbers), None)
    if c.has("unit", "px") and c.has("ask", "fraction") and at is not None:
        return replace(q, task="fraction", quantity="share_at", claim=q.claim or Claim("==", at), filters=())
    return None


def _shares(q: Query, c: Clause, shape: Shape) -> Query | None:
    of_objects = c.has("reference", "many") or c.has("border") or q.region is not None or q.filters
    if q.quantity == "confluent":
        return replace(q, task="presence", target=q.target or "cell")
    if (
        c.has("ask", "rest")
        and not c.has("ask", "compare")
        and (q.quantity == "coverage" or c.has("unit", "%") or c.has("ask", "fraction"))
    ):
        return replace(q, task="fraction", quantity="rest", unit=None)
    without = c.has("negation") and c.has("target") and not (c.has("border") or c.has("relation") or q.filters)
    if without and q.region is None and (c.has("ask", "fraction") or q.quantity == "coverage") and not c.has("reference"):
        return replace(q, task="fraction", quantity="rest", unit=None)  # "the share without cells"
    if c.has("ask", "fraction") and of_objects and q.quantity is None:
        return replace(q, task="fraction", quantity="share_of_objects")
    if q.quantity == "coverage" and q.unit in AREA_UNITS:
        return replace(q, task="measure", quantity="area", statistic="sum")
    if q.quantity == "coverage" or c.has("ask", "fraction") or (q.unit == "%" and q.target):
        return replace(q, task="fraction", quantity="coverage", unit=None)
    return None


def _objects_measured(q: Query, c: Clause, shape: Shape) -> Query | None:
    if q.quantity in ("area", "size") and c.has("ask", "count") and not c.says("area", "size", "sizes", "big"):
        return None
    if q.quantity == "density" and not c.says("density", "densities"):
        return replace(q, task="measure")
    if c.has("ask", "count") and q.quantity in OBJECT_QUANTITIES | {"density"} and not q.filters:
        return replace(q, task="count", quantity=None, also=(replace(q, task="measure"),))
    if q.quantity == "shape" and c.starts_yes_no and "or" not in c.words:
        return replace(q, task="measure", topic=_roundness(c))
    if q.quantity == "density" or q.quantity in OBJECT_QUANTITIES:
        return replace(q, task="measure")
    if q.quantity == "grey":
        return replace(q, task="measure", statistic="mean" if q.statistic == "value" else q.statistic)
    return None


def _roundness(c: Clause) -> str | None:
    """What a yes-or-no question about shape asks: round on average, or all of them round."""
    if not c.says("round", "spherical", "spheres", "circular"):
        return None
    return "all round" if c.says("all", "every", "each") else "round"


def _appearance(q: Query, c: Clause, shape: Shape) -> Query | None:
    if c.has("colour") and q.target is None and not c.has("ask", "describe", "count"):
        return replace(q, unread=(*q.unread, *c.values("colour")))
    if c.has("ask", "polarity"):
        return replace(q, task="measure", quantity="polarity", filters=())
    if c.has("ask", "empty") and not c.has("ask", "count"):
        return replace(q, task="presence", quantity="empty")
    if (c.has("ask", "classify") or c.has("likeness")) and not c.has("ask", "count", "locate"):
        named = c.values("likeness")
        alone = c.question and c.starts_yes_no and len(set(named)) == 1 and "or" not in c.words
        return replace(q, task="classify", topic=named[0] if alone else None)
    if c.has("ask", "describe") and not c.has("ask", "count") and q.quantity is None:
        return replace(q, task="describe")
    if c.has("ask", "quality") and not c.has("ask", "count"):
        return replace(q, task="quality", quantity=q.quantity)
    return None


def _counting(q: Query, c: Clause, shape: Shape) -> Query | None:
    if c.starts_yes_no and q.filters and c.has("target") and not c.says("there", "any", "have", "has", "contain"):
        return replace(q, task="fraction", quantity="share_of_objects", topic="all" if c.says("all", "every", "each") else None)
    presence = c.has("ask", "presence") and not c.has("ask", "count", "locate", "total")
    if presence and (q.target or q.filters):
        return replace(q, task="presence")
    if c.has("ask", "count") or (c.has("ask", "total") and c.has("target")):
        look = "looks" if c.has("colour") or c.has("adjective") else None
        return replace(q, task="count", claim=q.claim or _stated(c), topic=look)
    if c.has("ask", "locate") and c.has("target"):
        return replace(q, task="locate", pick=None)
    if c.words[:2] == ("how", "much") and q.target and q.quantity is None and not c.has("topic"):
        return replace(q, task="count")  # "how much platelets are there"
    if (c.tag or c.has("ask", "sure")) and c.numbers and not c.has("unit"):
        return replace(q, task="count", claim=q.claim or _stated(c))
    if q.filters and c.has("target") and c.words[:1] == ("which",):
        return replace(q, task="locate", pick=None)
    if q.filters and c.has("target") and (c.question or c.has("border")):
        return replace(q, task="presence" if c.starts_yes_no else "count")
    return None


def _stated(c: Clause) -> Claim | None:
    """A number someone states as the answer ("my student says 25")."""
    stated = [n for n in c.numbers if (c.tag or c.has("ask", "sure") or c.says("counted"))]
    return Claim("==", stated[0]) if stated else None


_OWN: tuple[Rule, ...] = (separate, uncertain, channel_contents, counted, alike, edge, off_edge, statistics_of)
_RULES: tuple[Rule, ...] = (
    lump, density_per, placed, touching, ranked_place,
    _kinds, _refusals, _two_kinds, _two_parts, _ratio, _busiest, _one_object, _image_facts, _shares, _objects_measured,
    _appearance, _counting,
)  # fmt: skip
