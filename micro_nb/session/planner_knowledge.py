"""Plans for questions that want knowledge, a calculation, a name or advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..data.image import MicroImage
from .declines import DECLINES, Decline
from .eyes import FLOOR
from .grammar_knowledge import texts_of
from .knowledge.calculators import by_tool, completed
from .knowledge.topics import topic
from .lexicon import target
from .plans import Call, Plan
from .query import Query

_SPOKEN = {
    "camera_um": "the camera's own pixel size in µm",
    "magnification": "the magnification of the objective",
    "na": "the numerical aperture",
    "wavelength_nm": "the wavelength in nm",
    "pixel_um": "the pixel size in the sample (or the camera's pixel and the magnification)",
    "bar_um": "the length in µm",
    "length_px": "the length in pixels",
    "width_px": "the width of the sensor in pixels",
    "height_px": "its height in pixels",
    "field_number": "the field number of the eyepiece",
    "eyepiece": "the magnification of the eyepiece",
    "n": "how many there are (n)",
    "squares": "over how many large squares they were counted",
    "effect": "the effect size (or the difference and the SD between replicates)",
    "difference": "the smallest difference that matters",
    "sd": "the standard deviation between replicates",
    "cv": "the coefficient of variation",
    "margin": "the precision wanted",
    "first": "the first number",
    "second": "the second number",
    "hours": "the time in hours",
    "rpm": "the speed in rpm",
    "radius_cm": "the radius in cm",
    "true_positives": "the true positives",
    "false_positives": "the false positives",
    "false_negatives": "the false negatives (missed ones)",
    "iou": "the IoU",
    "dice": "the Dice coefficient",
}


def consulted(query: Query, img: MicroImage | None, eyes: str = FLOOR) -> Plan | Decline | None:
    """The plan of a query that is no measurement of what the picture shows; None where it is one."""
    planner = _PLANNERS.get(query.topic or "")
    return planner(query, img, eyes) if planner is not None else None


def _explain(query: Query, img: MicroImage | None, eyes: str) -> Plan | Decline:
    calls = tuple(Call("knowledge", {"about": key, "facets": list(facets)}) for key, facets in texts_of(query))
    return Plan(calls, "explain") if calls else DECLINES["knowledge"]


def _term(query: Query, img: MicroImage | None, eyes: str) -> Plan | Decline:
    known = topic(query.quantity or "")
    blood = known is None or known.area == "haematology"
    if img is not None and blood and not img.rgb:
        return DECLINES["identity"]
    if known is not None:
        look = (Call("appearance"),) if img is not None else ()
        return Plan((Call("knowledge", {"about": known.key, "facets": ["what"]}), *look), "term")
    if img is None:
        return DECLINES["no image"]
    return Plan((Call("red_cell_shape"),), "pallor" if query.quantity == "pallor" else "red_cell_shape")


def _calculate(query: Query, img: MicroImage | None, eyes: str) -> Plan | Decline:
    given: dict[str, Any] = dict(query.given)
    calculator = by_tool(query.quantity or "")
    if calculator is None:
        return Plan((Call("converted", given),), "converted")
    if img is not None and img.pixel_size is not None and "pixel_um" not in given and "camera_um" not in given:
        given["pixel_um"] = img.pixel_size["x"]
    amounts = completed(given)
    missing = calculator.missing(amounts)
    if missing:
        return _asked_back(missing)
    return Plan((Call(calculator.tool, dict(calculator.arguments(amounts))),), calculator.tool)


def _asked_back(missing: tuple[str, ...]) -> Decline:
    names = [_SPOKEN.get(name, name.replace("_", " ")) for name in missing]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return Decline(f"To compute this I still need {listed}.", "Tell me, and I compute it from what you gave already.")


_OF_OBJECTS = {
    "otsu": "otsu_fit",
    "touching": "touching",
    "border": "cut_by_border",
    "variation": "field_variation",
    "coverage": "area_share",
    "count": "how_many",
    "poisson": "how_many",
    "diameter": "span",
}
_OF_IMAGE = {
    "focus": Call("fitness"),
    "noise": Call("fitness"),
    "background": Call("fitness"),
    "empty": Call("fitness"),
    "appearance": Call("appearance"),
    "channels": Call("channels"),
    "planes": Call("planes"),
    "bit depth": Call("bit_depth"),
    "range": Call("intensity", {"statistic": "range"}),
    "saturation": Call("share_at"),
    "scale": Call("scale_of"),
}


def _advise(query: Query, img: MicroImage | None, eyes: str) -> Plan | Decline:
    known = topic(query.quantity or "")
    if known is None:
        return DECLINES["advice"]
    note = Call("knowledge", {"about": known.key, "facets": list(known.texts)})
    if img is None:
        return Plan((note,), "advise")
    calls = {repr(call): call for fact in known.facts for call in _measured(fact, query)}
    return Plan((note, *calls.values()), "advise")


def _measured(fact: str, query: Query) -> tuple[Call, ...]:
    """The calls that measure one fact of the situation."""
    many = {"target": target("cell" if fact == "coverage" and query.target is None else query.target).many}
    if fact in _OF_OBJECTS:
        return (Call(_OF_OBJECTS[fact], many),)
    return (_OF_IMAGE[fact],) if fact in _OF_IMAGE else ()


_PLANNERS: Mapping[str, Callable[[Query, MicroImage | None, str], Plan | Decline]] = {
    "explain": _explain,
    "term": _term,
    "calculate": _calculate,
    "advise": _advise,
}
