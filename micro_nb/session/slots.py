"""The slots of a Query, each filled from the words of one clause."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, cast

from ..data.region import Region
from .dimensions import AREA_UNITS
from .query import Claim, Filter, Pick, Query, Statistic
from .reading import Clause, Item

IMAGE_QUANTITIES = frozenset(
    [
        "focus",
        "saturation",
        "exposure",
        "noise",
        "image_size",
        "field",
        "field_area",
        "bit_depth",
        "channels",
        "pixel_size",
        "magnification",
        "planes",
        "range",
        "format",
        "levels",
        "colour",
    ]
)
OBJECT_QUANTITIES = frozenset(
    [
        "size",
        "area",
        "diameter",
        "perimeter",
        "length",
        "width",
        "aspect_ratio",
        "eccentricity",
        "solidity",
        "roundness",
        "shape",
        "intensity",
        "spacing",
        "orientation",
        "from_border",
        "from_center",
    ]
)
SIZES = ("size", "area", "diameter", "length", "width", "height", "image_size")
_OF_IMAGE = frozenset(SIZES) | (OBJECT_QUANTITIES - {"intensity", "spacing", "shape"})
_HELD_BY = frozenset(["in", "on", "within", "inside", "across", "from", "per", "at", "throughout", "over", "into"])
_PRONOUNS = (("reference", "one"), ("reference", "many"))
_DETERMINERS = frozenset(["the", "this", "that", "my", "our", "your", "a", "an", "one", "whole", "entire", "full", "each"])
UNIT_QUANTITY = {
    "um2": "area",
    "mm2": "area",
    "nm2": "area",
    "px2": "area",
    "px": "area",
    "um": "diameter",
    "nm": "diameter",
    "mm": "diameter",
}
_FLIP: dict[str, Literal[">", ">=", "<", "<=", "=="]] = {">": "<=", "<": ">=", ">=": "<", "<=": ">", "==": "=="}
_PLAIN = {">=": ">", "<=": "<"}
Op = Literal[">", ">=", "<", "<=", "=="]
Shape = tuple[int, int] | None
_VALUE = r"(?P<value>\d+(?:[.,]\d+)?) (?P<unit>um|nm|microns?|micromet(?:er|re)s?|nanomet(?:er|re)s?)"
_SCALES = (
    re.compile(rf"\b{_VALUE} (?:per|a|for each|for a|for one|for every)(?: each| one)? (?:pixels?|px|pix)\b"),
    re.compile(
        r"\b(?:pixel ?size|(?:1|one|a|each|every) (?:pixel|px)|pixels|px size|calibration|scale)"
        rf"(?: \w+| =)?(?: \w+)? {_VALUE}\b(?! per)"
    ),
    re.compile(rf"\b{_VALUE} (?:pixels|pixel ?size|px size)\b"),
)
_OPTICS = re.compile(
    r"\b(?:camera|sensor|chip|objective|larger|smaller|bigger|above|below|than|over|under|between)\b(?!.*per pixel)"
)


def part(name: str, shape: Shape) -> Region:
    """A named part; of a unit square where no image is there."""
    return Region.part(name, shape or (1, 1))


def stated_pixel_size(c: Clause) -> float | None:
    """µm per pixel where the clause states it ("it was 0.325 µm per pixel", "pixel size 0.5 µm", "1 px = 0.5 µm")."""
    found = _scale(c)
    return found[0] if found else None


def without_scale(c: Clause) -> Clause:
    """The clause without the pixel size it states."""
    found = _scale(c)
    if found is None:
        return c
    _, first, last = found
    return replace(
        c, items=tuple(i for i in c.items if not first <= i.at < last and ("quantity", "pixel_size") not in i.meanings)
    )


def _scale(c: Clause) -> tuple[float, int, int] | None:
    """The stated µm per pixel, and the words it stands in."""
    text = " ".join(c.words)
    if _OPTICS.search(text):
        return None
    for pattern in _SCALES:
        found = pattern.search(text)
        value = float(found["value"].replace(",", ".")) if found else 0.0
        if found and value > 0:
            before = len(text[: found.start()].split())
            return value * (1e-3 if found["unit"].startswith("n") else 1.0), before, before + len(found.group().split())
    return None


def quantity_of(c: Clause) -> str | None:
    """What is to be measured."""
    named = c.values("quantity")
    scene = scene_of(c)
    if scene is not None:
        area = "area" in named or c.has("statistic", "sum") or unit_of(c) in AREA_UNITS
        other = next((q for q in named if q not in SIZES and q in OBJECT_QUANTITIES), None)
        return other or ("field_area" if area else scene)
    if not named and c.has("statistic", "sum") and c.says("area"):
        return "area"
    alone = not c.has("target") and not c.has("superlative") and not c.has("reference")
    if alone and ("width" in named or "height" in named):
        return "image_size"
    if "image_size" in named and c.has("target"):
        return "size"
    if "range" in named and any(q in OBJECT_QUANTITIES for q in named):
        named = tuple(q for q in named if q != "range")
    for sure in (*sorted(IMAGE_QUANTITIES), "confluent", "coverage", "density", "spacing"):
        if sure in named:
            return sure
    if "grey" in named and (c.has("target") and not c.says("pixel", "image", "picture")):
        return "intensity"
    exact = [q for q in named if q not in ("area", "shape", "size")]
    return exact[0] if exact else "area" if "area" in named else next(iter(named), None)


def scene_of(c: Clause) -> str | None:
    """``"image_size"`` or ``"field"`` where the size asked for is that of the picture itself, not of something in it."""
    scenes = [i for i in c.items if any(k == "scene" for k, _ in i.meanings) and not _holds(c, i)]
    if not scenes or c.has("superlative") or c.has("rank"):
        return None
    sized = [i for i in c.items if any(k == "quantity" and v in _OF_IMAGE for k, v in i.meanings) or _summed(i)]
    covers = c.has("quantity", "coverage") and unit_of(c) in AREA_UNITS and not c.has("target")
    asked = c.has("scene", "field") and all(i in scenes or _is(i, "unit") for i in c.items)
    if not (sized or covers or asked):
        return None
    first = sized[0].at if sized else -1
    nouns = [i for i in c.items if i in scenes or any(k == "target" or m in _PRONOUNS for m in i.meanings for k in m[:1])]
    after = [i for i in nouns if i.at > first]
    subject = after[0] if after else nouns[-1]
    if subject not in scenes:
        return None
    return "field" if ("scene", "field") in subject.meanings else "image_size"


def _summed(item: Item) -> bool:
    return ("statistic", "sum") in item.meanings and "area" in item.words


def _holds(c: Clause, scene: Item) -> bool:
    """Whether the picture is named as the place of something: "in this image", "per field"."""
    before = [w for w in c.words[: scene.at] if w not in _DETERMINERS]
    return bool(before) and before[-1] in _HELD_BY


def statistic_of(c: Clause) -> Statistic:
    """How it is summed up."""
    named = c.values("statistic")
    if not named and c.has("ask", "total") and c.has("quantity", "area") and (c.has("target") or c.has("reference")):
        return "sum"  # "the total particle area"
    return cast(Statistic, named[0]) if named else "value"


def unit_of(c: Clause) -> str | None:
    """The unit an answer is wanted in: the last one that does not belong to a number."""
    free = [
        v for before, item in zip((None, *c.items), c.items, strict=False) for k, v in item.meanings
        if k == "unit" and (before is None or before.number is None)
    ]  # fmt: skip
    if "%" in free and len(free) > 1:
        free.remove("%")
    return free[-1] if free else None


def region_of(c: Clause, shape: Shape) -> Region | None:
    """Where, if one part is named."""
    parts = c.values("part")
    return part(parts[0], shape) if len(parts) == 1 and parts[0] != "whole image" else None


def border_of(c: Clause) -> tuple[Filter, ...]:
    """Filters about the border; "exclude the ones touching" and "fully inside" are the same wish."""
    named = c.first("border")
    if named is None or c.says("included", "including"):
        return ()
    return (Filter("touches_border", "is", (named == "touch") != c.has("negation")),)


def pick_of(c: Clause) -> Pick | None:
    """Which one object, if one is singled out."""
    named = c.first("superlative")
    rank = int(c.first("rank") or 1)
    if named is None:
        return Pick("area", "max", rank) if rank > 1 else None
    by, order = named.split()
    return Pick(by, cast(Literal["max", "min"], order), rank)


@dataclass(frozen=True)
class Compared:
    """A comparison with a number; ``named`` is the item that says of which quantity ("area" of "with an area above 60")."""

    op: Op
    value: float
    unit: str
    named: Item | None = None
    claimed: bool = False


def conditions(base: Query, c: Clause, found: tuple[Compared, ...]) -> Query:
    """Numbers with an operator: a filter where they carry a size, else a claim about the answer."""
    filters, claim = list(base.filters), base.claim
    of_image = bool(found) and _speaks_of_image(c)
    for f in found:
        quantity, unit = _filter_quantity(base, f), f.unit
        if of_image:
            base = replace(base, quantity="field_area" if f.unit in AREA_UNITS else "image_size", unit=f.unit or None)
            claim = claim or Claim(f.op, f.value, f.unit)
        elif f.claimed or (quantity is not None and c.starts_yes_no and c.has("reference", "one")):
            base = replace(base, quantity=base.quantity or quantity, unit=base.unit or f.unit or None)
            claim = claim or Claim(f.op, f.value, f.unit)
        elif quantity is None or unit == "%":
            claim = claim or Claim(f.op, f.value, unit)
        else:
            unit = "px2" if unit == "px" and quantity == "area" else unit
            op = _FLIP[f.op] if c.has("negation") and not c.has("border") else f.op
            filters.append(Filter(quantity, op, f.value, unit))
    return replace(base, filters=tuple(filters), claim=claim)


def _speaks_of_image(c: Clause) -> bool:
    """ "Is the image wider than 1000 px?" """
    free = any(_is(i, "scene") and not _holds(c, i) for i in c.items)
    return free and c.starts_yes_no and not (c.has("target") or c.has("superlative") or c.has("reference", "one", "many"))


def _filter_quantity(base: Query, f: Compared) -> str | None:
    """What a number is compared with: the quantity named beside it, else what its unit measures."""
    named = next((v for k, v in f.named.meanings if k == "quantity"), None) if f.named else None
    if named == "grey" and base.target is not None:
        named = "intensity"
    if named == "size":
        named = None
    if named in OBJECT_QUANTITIES:
        return named
    return UNIT_QUANTITY.get(f.unit)


def compared(c: Clause) -> tuple[Compared, ...]:
    """Every comparison with a number."""
    items, out = c.items, []
    for k, item in enumerate(items):
        op = next((v for kind, v in item.meanings if kind == "operator"), None)
        if op in (">", "<") and items[k + 1 : k + 2] and items[k + 1].words == ("half",):
            out.append(Compared(cast(Op, op), 50.0, "%"))
            continue
        after = [i for i in range(k + 1, min(k + 7, len(items))) if items[i].number is not None]
        if op is None:
            continue
        behind = _or_more(items, k)
        if behind is not None:  # "80 µm² or more"
            named, claimed = _quantity_beside(c, behind, k)
            out.append(Compared(cast(Op, op), _number(items[behind]), _unit_after(items, behind), named, claimed))
            continue
        op = _PLAIN.get(op, op) if item.words[0] in ("or", "and") else op  # "and larger than 100" sets no limit before it
        if not after:
            continue
        if op == "between" and len(after) > 1:
            named, claimed = _quantity_beside(c, k, after[1])
            unit = _unit_after(items, after[1])
            out.append(Compared(">=", _number(items[after[0]]), unit, named, claimed))
            out.append(Compared("<=", _number(items[after[1]]), unit, named, claimed))
        elif op != "between" and after[0] - k <= 3:
            named, claimed = _quantity_beside(c, k, after[0])
            out.append(Compared(cast(Op, op), _number(items[after[0]]), _unit_after(items, after[0]), named, claimed))
    return tuple(out)


def _or_more(items: tuple[Item, ...], at: int) -> int | None:
    """Where the number stands that "or more" belongs to: before it, with at most a unit between."""
    if items[at].words[0] not in ("or", "and"):
        return None
    return next((k for k in (at - 1, at - 2) if k >= 0 and items[k].number is not None), None)


def _quantity_beside(c: Clause, op: int, number: int) -> tuple[Item | None, bool]:
    """The quantity a comparison is of, and whether a statistic of it is claimed ("is the mean area above 60 µm²?")."""
    items = c.items
    behind = [i for i in items[number + 1 : number + 3] if _is(i, "quantity")]
    if op > 0 and _is(items[op - 1], "quantity"):
        return items[op - 1], op > 1 and _is(items[op - 2], "statistic")
    if c.starts_yes_no and op == 3 and _is(items[0], "statistic") and _is(items[1], "quantity"):
        return items[1], True  # "is the mean area of the nuclei above 60": the objects stand between
    return (behind[0] if behind else None), False


def _is(item: Item, kind: str) -> bool:
    return any(k == kind for k, _ in item.meanings)


def _number(item: Item) -> float:
    return float(item.number or 0.0)


def _unit_after(items: tuple[Item, ...], at: int) -> str:
    nearby = items[at + 1 : at + 2]
    return next((v for item in nearby for kind, v in item.meanings if kind == "unit"), "")
