"""Plans for questions about what is no ordinary object; see :mod:`~micro_nb.session.grammar_seen`."""

from __future__ import annotations

from ..data.image import MicroImage
from .declines import DECLINES, Decline, kinds_unknown
from .eyes import FLOOR
from .grammar_seen import SEEN
from .plans import Call, Plan
from .query import Query


def seen(query: Query, img: MicroImage, eyes: str) -> Plan | Decline | None:
    """The plan for a query of this family; None for any other."""
    if query.quantity not in SEEN:
        return None
    if query.quantity in ("white cell type", "pallor") and eyes == FLOOR:
        return kinds_unknown("white blood cells" if query.quantity == "white cell type" else "red blood cells")
    if query.quantity == "thing":
        return _thing(query)
    if query.quantity == "marks":
        return Plan((Call("marks", {"kind": query.topic or "any"}),), "marks")
    if query.quantity == "recognise":
        return _recognise(query, eyes)
    if query.quantity == "microscope image":
        return Plan((Call("appearance"), *_recognised(eyes)), "microscope_image")
    if query.quantity == "halos":
        return Plan((Call("halos"), Call("appearance"), *_recognised(eyes)), "halos")
    if query.quantity == "two stains":
        return Plan(
            (Call("stains_by_colour", {"colours": query.topic.split()} if query.topic else {}), *_recognised(eyes)), "two_stains"
        )
    tool, wording = _SIMPLE[query.quantity or ""]
    return Plan((Call(tool),), wording)


_SIMPLE = {
    "edge band": ("edge_band", "edge_band"), "dark corners": ("dark_corners", "dark_corners"), "gap": ("gap", "gap"),
    "gap share": ("gap", "gap_share"), "lawn gaps": ("gap", "lawn_gaps"), "where tissue": ("specimen_place", "where_tissue"),
    "membrane share": ("membrane_share", "membrane_share"), "white cell type": ("white_cell_type", "white_cell_type"),
    "pallor": ("central_pallor", "pallor"), "crowding": ("crowding", "crowding"),
    "signal colour": ("signal_colour", "signal_colour"),
    "oddities": ("oddities", "oddities"), "stained evenly": ("even_stain", "stained_evenly"),
}  # fmt: skip


def _recognised(eyes: str) -> tuple[Call, ...]:
    return () if eyes == FLOOR else (Call("recognised"),)


def _thing(query: Query) -> Plan:
    look = query.topic or ""
    if look.startswith("counted|"):
        return Plan((Call("described_thing", {"look": look.removeprefix("counted|")}),), "thing_counted")
    return Plan((Call("described_thing", {"look": look}),), "thing")


def _recognise(query: Query, eyes: str) -> Plan | Decline:
    """What the model recognises; between rivals also how long the objects are."""
    if eyes == FLOOR:
        return DECLINES["identity"]
    calls = [Call("recognised"), Call("kinds")]
    if query.topic not in (None, "organism"):
        calls += [
            Call("object_statistic", {"quantity": "aspect_ratio", "statistic": "median"}),
            Call("likelier", {"words": query.topic}),
        ]
    return Plan(tuple(calls), "recognise")
