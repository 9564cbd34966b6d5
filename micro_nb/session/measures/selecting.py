"""Choosing the objects that ``obj(...)`` means: kind, channel, place, conditions, standing conditions, rank; the places that
``where=`` means; and which objects meet a condition: quantities against limits, the border, touching, colours, and looks, states
and kinds in words: what a quantity decides or the model has learned, or an honest no."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.measure import measure
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError, UnitsError, UnknownNameError, UnlearnedError
from ...models.ontology import ontology
from ...models.wording import plural
from ...tiles.labels import layer_array
from ...tiles.objects import Objects
from ..knowledge.notes import likenesses, nearest
from ..language import Call, Node
from ..language.conditions import Both, Color, Comparison, Condition, Flag, Is, Not, parse_condition
from ..language.forms import AND, GROUP, RANK, SIDES, is_contact, is_made_of
from ..words.tables import table
from .appearance import FILLED, colour_named, colour_names, look_in, pixels_like, regions
from .eyes import FLOOR, Drawn, concept_of, draw, everything, find, knows, load, named
from .quantities import ALIASES, OF_OTHERS, QUANTITIES, Length, column, statistic
from .quantities import named as called
from .results import Evaluate
from .scene import ANYWHERE, ORDER, Place, Scene, at_points, is_place, named_place
from .selection import REACH_PX, Selection, groups_of, together

OPS: Mapping[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "==": np.isclose,
}  # fmt: skip
_MORE, _LESS, _OVAL = 1.5, 2 / 3, 2.5
_FEW = 2**22  # pixels that tell the ground
_LIKE = 0.88
"""Likeness, a cosine, from which an unknown word for a look is taken for one that is known ("huge" for "big")."""
_NEAR, _LONGEST, _LONGER = 0.65, 5, 0.03
"""Likeness from which a few words are taken for the look of a kind; how many words at most; and what each more counts among
several."""
_POINTED = (None, "object", "thing", "spot")
"""Kinds that what is merely of a colour may be."""
_ON_PLANES = ("z", "t", "well", "image")
_FILLS, _UNIFORM = 0.08, 0.75
"""Outlines are plainly one kind of thing where they cover this share of the image and their diameters spread by no more than
this share."""


def place_of(node: Node, scene: Scene, evaluate: Evaluate) -> Place:
    """The place a ``where=`` argument means on the image that is looked at."""
    if isinstance(node, tuple):
        place = ANYWHERE
        for part in node:
            place = place & place_of(part, scene, evaluate)
        return place
    if isinstance(node, str):
        thing = not is_place(node) and (concept_of(node) is not None or node in table("looks")["ground"]["empty"])
        return place_of(Call.of("inside", node), scene, evaluate) if thing else named_place(node, scene)
    if node is None or node.name in _ON_PLANES:
        return ANYWHERE  # a plane or an image was chosen before: the scene looks at it
    if node.name in ("box", "point"):
        return _drawn(node, scene)
    if node.name in ("inside", "outside", "near", *SIDES):
        return _related(node, scene, evaluate)
    return _result(node, scene, evaluate)


def select(node: Node, scene: Scene, evaluate: Evaluate) -> Selection:
    """The objects an ``obj(...)`` means on a scene."""
    call = node if isinstance(node, Call) else Call.of("obj", str(node))
    key = ("select", scene.state, call)
    if key not in scene.kept:
        scene.kept[key] = _select(call, scene, evaluate)
    return scene.kept[key]  # type: ignore[no-any-return]


def _select(call: Call, scene: Scene, evaluate: Evaluate) -> Selection:
    if call.name != "obj" or not call.args:
        raise EvidenceError(f'{call} names no objects; write for example obj("nucleus", where="left")')
    where, having = call.get("where"), call.get("having")
    scene = scene.at(where)
    if call.get("image") is not None:
        scene = scene.on(str(call.get("image")))
    parts = where if isinstance(where, tuple) else (where,)
    apart = [p for p in parts if isinstance(p, Call) and (p.name in ("holding", "point") or is_contact(p))]
    condition = parse_condition(str(having)) if having is not None else None
    place = place_of(tuple(p for p in parts if p not in apart), scene, evaluate)

    if str(call.args[0]).split()[-1:] == ["pixel"]:
        return _pixels(call, scene, place, condition)

    def narrowed(found: Selection) -> Selection:
        found = replace(found, others=lambda kind: select(kind, scene, evaluate))
        if "rest_of" in found.found:
            return found
        for part in sorted(apart, key=lambda p: p.name, reverse=True):
            found = _BY_OBJECT[part.name](found, part, evaluate)
        asked = () if condition is None else _beside(condition, found) if "look" in found.found else (condition,)
        standing = () if "made_of" in found.found else scene.standing  # which hold for their parts
        for wanted in (*map(parse_condition, standing), *asked):
            found = meeting(found, wanted)
        return found

    found = narrowed(_found(call, scene, place, condition, evaluate))
    told, pointed = look_in(condition), isinstance(call.args[0], str) and concept_of(found.kind) in _POINTED
    coloured = told and told not in table("looks")["relative"]  # any picture has a darkest and a brightest part
    if not len(found) and coloured and pointed and "look" not in found.found:
        found = narrowed(_regions(call, scene, place, told))
    return _ranked(found, call)


def _beside(condition: Condition, found: Selection) -> tuple[Condition, ...]:
    """What is asked of regions beside the look they were outlined by; of a single one no comparison with the others."""
    parts = condition.parts if isinstance(condition, Both) else (condition,)
    words = table("looks")["relative"] if len(found) == 1 else ()
    return tuple(p for p in parts if not look_in(p) and not (isinstance(p, Is) and p.text in words))


def _ground(call: Call, scene: Scene, place: Place, evaluate: Evaluate) -> Selection:
    """What no object covers, as a single one."""
    found = select(Call.of("obj", "object"), scene, evaluate)
    labels = layer_array((~found.filled()).astype(np.int32), (), pixel_size=scene.image.pixel_size)
    objects = replace(found.objects, table=measure(scene.image, labels), labels=labels)
    return Selection(scene, call, str(call.args[0]), objects.table, objects, {**found.found, "rest_of": "object"}, place)


def _made_of_others(call: Call, scene: Scene, evaluate: Evaluate) -> Selection:
    """Several kinds as one set, or groups of touching objects of a kind."""
    kind, grouped = str(call.args[0]), str(call.args[0]).startswith(GROUP)
    kinds = [kind.removeprefix(GROUP)] if grouped else kind.split(AND)
    parts = [select(call.with_args(k).but(**dict.fromkeys(("where", "having", *RANK))), scene, evaluate) for k in kinds]
    return groups_of(call, parts[0]) if grouped else together(call, parts)


def _regions(call: Call, scene: Scene, place: Place, told: str) -> Selection:
    """Regions of the colour or brightness that is asked for, at the place."""
    objects = regions(scene, told)
    every = Selection(scene, call, str(call.args[0]), objects.table, objects, objects.made_by, place)
    return every if place.everywhere else every.rows(place.holds(*every.centres))


def _pixels(call: Call, scene: Scene, place: Place, condition: Condition | None) -> Selection:
    """Pixels that are pointed at, at the place."""
    said = {*re.findall(r"\w+", f"{call.args[0]} {call.get('having', '')} {call.get('order', '')}".lower())}
    known = any(said & {*words} for words in table("looks")["pixel"].values()) or call.get("by") == "intensity"
    if not known or not isinstance(condition, Is | Flag | Color | None):
        raise EvidenceError("of single pixels I know the brightest, the darkest, hot and dead ones; ask else for their share")
    channel = channel_named(str(call.get("channel")), scene.image) if call.get("channel") is not None else None
    name, objects = pixels_like(scene, said, place.over(scene.image), channel)
    plain = call.with_args(name).but(**dict.fromkeys(("having", *RANK)))
    every = Selection(scene, plain, name, objects.table, objects, objects.made_by, place, channel)
    return meeting(every, condition) if isinstance(condition, Flag) else every


def _found(call: Call, scene: Scene, place: Place, condition: Condition | None, evaluate: Evaluate) -> Selection:
    """All objects of the kind at the place."""
    img, kind, look = scene.image, call.args[0], scene.look
    if isinstance(kind, Call):  # "the largest, if it lies on the left"
        first = replace(select(kind, scene, evaluate), call=call, place=place)
        return first if place.everywhere else first.rows(place.holds(*first.centres))
    if not isinstance(kind, str):
        raise EvidenceError(f"{call} names no kind of objects")
    if call.get("channel") is not None:
        channel = channel_named(str(call.get("channel")), img)
    else:  # the one shown in the colour that is asked for
        channel = colour_channel(img, condition.name) if isinstance(condition, Color) else None
    told: dict[str, Any] = {"channel": channel} if channel else {}
    given, ground = scene.given.get(scene.about or ""), table("looks")["ground"]
    learned = kind in (*ground["empty"], *ground["filled"], *ground["group"]) and (
        named(given.table, kind).any() if given is not None else look.eyes != FLOOR and knows(load(look.eyes), kind)
    )
    if kind.removeprefix(GROUP) in ground["group"] and not learned:
        kind, call = f"{GROUP}object", call.with_args(f"{GROUP}object")
    if is_made_of(kind):
        every = _made_of_others(call, scene, evaluate)
        return replace(every if place.everywhere else every.rows(place.holds(*every.centres)), place=place)
    if kind in ground["empty"] and not learned:
        return _ground(call, scene, place, evaluate)
    if kind in ground["filled"] and not learned:
        return _regions(call, scene, place, FILLED)
    eyes = {} if look.eyes == FLOOR else {"eyes": look.eyes}
    drawn = draw(img, kind, look, place.region, channel) if given is None and look.tiles is not None else None
    if isinstance(drawn, Drawn):
        objects = Objects(drawn.sample.table, pixel_size=img.pixel_size, image_id=img.content_id, made_by=drawn.made_by)
        if why := _unlearned(objects, kind, img):
            raise UnlearnedError(why, kind, str(objects.made_by.get("wider", "")))
        return Selection(scene, call, kind, objects.table, objects, {**drawn.made_by, **told, **eyes}, place, channel, drawn)
    objects = drawn or (_given(given, kind) if given is not None else find(img, kind, look, channel))
    if why := _unlearned(objects, kind, img):
        seen = look_in(condition) or look_in(Is(kind.split(" ")[0]))  # also of a "dark band"
        if not seen:
            raise UnlearnedError(why, kind, str(objects.made_by.get("wider", "")))
        return _regions(call, scene, place, seen)
    found = {**objects.made_by, "objects_in_image": len(objects), **told, **eyes}
    every = Selection(scene, call, kind, objects.table, objects, found, place, channel)
    return every if place.everywhere else every.rows(place.holds(*every.centres))


def channel_named(text: str, img: MicroImage) -> str | None:
    """The channel that a text names: by its name, its number, or the colour it is shown in; None for colour pictures."""
    names = [c.name for c in img.channels]
    asked = re.sub(r"\s*channel\s*", "", text.strip().lower())
    same = next((n for n in names if n.lower() == asked), None)
    if same is not None:
        return same
    if img.rgb and asked in ("red", "green", "blue"):
        return next((n for n in names if n.lower().startswith(asked[0])), None)
    number = ORDER.get(asked) or (int(asked) if asked.isdigit() else 0)
    if 1 <= number <= len(names):
        return names[number - 1]
    near = [colour_channel(img, asked)] if colour_channel(img, asked) else []
    near = near or [n for n in names if asked and (asked in n.lower() or n.lower() in asked)]
    if len(near) == 1:
        return near[0]
    if len(names) == 1 and not img.rgb:
        return names[0] if asked in ("grey", "gray", "only", "") else None
    raise UnknownNameError(f"{img.name} has no channel {text!r}; it has {', '.join(names)}")


def _given(objects: Objects, kind: str) -> Objects:
    """Of the objects that were given, those of the kind; all where none is named so."""
    own = named(objects.table, concept_of(kind) or kind)
    told = {**objects.made_by, "method": "objects given", "kind": kind if own.any() else "object"}
    return replace(objects, table=objects.table[own].reset_index(drop=True) if own.any() else objects.table, made_by=told)


def _unlearned(objects: Objects, kind: str, img: MicroImage) -> str:
    """Why a name that was not learned cannot be taken for what is outlined: that plainly is something else, or is not plainly one
    kind of thing; empty where it can."""
    if not objects.made_by.get("not_learned"):
        return ""
    if wider := objects.made_by.get("wider"):
        return f"I have not learned to tell {plural(kind)} from other {plural(str(wider))}"
    mostly, unknown = str(objects.made_by.get("mostly", "")), f"I have not learned to recognise {plural(kind)}"
    if mostly:
        return f"what I see here are {plural(mostly)}; {unknown}, so I cannot tell whether there are any"
    across, size = column(objects.table, "equivalent_diameter"), img.pixel_size or {"y": 1.0, "x": 1.0}
    field = img.plane_shape[0] * size["y"] * img.plane_shape[1] * size["x"]
    field *= objects.made_by.get("tiles_drawn", 1) / objects.made_by.get("tiles_in_all", 1)
    covered = float(np.sum(np.pi / 4 * across**2)) / field
    if len(across) < 2 or covered < _FILLS or float(np.std(across)) > _UNIFORM * float(np.mean(across)):
        return f"{unknown}, and what is outlined here is not plainly one kind of thing, so I would only guess"
    return ""


def _at_point(found: Selection, point: Call, evaluate: Evaluate) -> Selection:
    """The object that a point lies in."""
    x, y, *_ = (int(v) for v in point.args if isinstance(v, int | float))
    plane = found.label_plane()
    if not (0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]):
        raise EvidenceError(f"{point} lies outside the image, which is {plane.shape[1]} by {plane.shape[0]} px")
    return found.rows(found.own == int(plane[y, x]))


def _holding(found: Selection, relation: Call, evaluate: Evaluate) -> Selection:
    """Objects that hold so many others: whose outlines their centres lie in."""
    inner, *rest = relation.args
    match = re.fullmatch(r"\s*(>=|<=|==|>|<)?\s*(\d+)\s*", str(rest[0]) if rest else ">= 1")
    if match is None:
        raise EvidenceError(f'{relation} is not understood; write holding("spot", ">= 1")')
    return found.rows(OPS[match[1] or ">="](found.held(select(inner, found.scene, evaluate)), int(match[2])))


def _in_contact(found: Selection, relation: Call, evaluate: Evaluate) -> Selection:
    """Objects that touch others of another kind, or other ones of their own."""
    from scipy.ndimage import binary_dilation

    plane, mask = found.label_plane(), select(relation.args[0], found.scene, evaluate).filled()
    met = np.isin(found.own, plane[binary_dilation(mask, np.ones((3, 3)), REACH_PX)])
    return found.rows(met & ~at_points(mask, *found.centres))  # not those that are themselves among the others


_BY_OBJECT = {"point": _at_point, "near": _in_contact, "holding": _holding}


def _ranked(found: Selection, call: Call) -> Selection:
    """Those that rank first by a quantity, where a rank is asked for."""
    by, n = call.get("by"), call.get("n")
    if by is None and n is None:
        return found
    found.need_all("which of all objects that is")
    by, count = ALIASES.get(str(by), str(by)) if by is not None else "area", int(n) if isinstance(n, int | float) else 1
    found.need_some(what="to point at")
    order = found.ranked(found.values(by)[0], str(call.get("order", "max")))
    if call.get("rank") is not True:
        return replace(found, table=found.table.iloc[order[:count]])
    if count > len(order):
        raise EvidenceError(f"only {len(order)} {found.many} were found, so none ranks number {count} by {by}")
    return replace(found, table=found.table.iloc[order[count - 1 : count]])


def _drawn(node: Call, scene: Scene) -> Place:
    """``point(x, y)`` or ``box(x0, y0, x1, y1)``, in pixels."""
    numbers = [float(v) for v in node.args if isinstance(v, int | float)]
    if node.name == "point" and len(numbers) >= 2:
        x, y = numbers[:2]
        return Place(Region.around((y, x), 3.0, name=f"point ({x:g}, {y:g})"), None, f"at the point ({x:g}, {y:g})")
    if node.name == "box" and len(numbers) == 4:
        x0, y0, x1, y1 = numbers
        region = Region(y0, x0, y1, x1, name=f"box {x0:g}, {y0:g}, {x1:g}, {y1:g}").clip(scene.image.plane_shape)
        return Place(region, None, f"in the box from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g})")
    raise EvidenceError(f"{node} is no place; write point(x, y) or box(x0, y0, x1, y1) in pixels")


def _related(node: Call, scene: Scene, evaluate: Evaluate) -> Place:
    """Inside, outside or near other objects, or a place."""
    inner, *more = node.args
    reach, img = str(more[0]) if more else str(node.get("within", "")), scene.image
    part, drawn = isinstance(inner, str) and is_place(inner), isinstance(inner, Call) and inner.name in ("point", "box")
    if node.name == "near" and reach and (part or drawn):
        return _near_place(place_of(inner, scene, evaluate), Length.read(reach), img)
    placed = part or (isinstance(inner, Call) and inner.name in ("near", "inside", "box", "point"))
    if node.name in SIDES:
        word = node.name.replace("_", " ")
        if placed:
            inside = place_of(inner, scene, evaluate)
            return Place(None, _beyond(inside.over(img), node.name), f"{word} what is {inside.words}")
        others = select(inner, scene, evaluate)
        others.need_some(what=f"to look {word}")
        return Place(None, _beyond(others.filled(), node.name), f"{word} the {others.phrase(len(others))}")
    if placed:
        inside = place_of(inner, scene, evaluate)
        words = f"outside {inside.words.removeprefix('in ')}" if part else f"not {inside.words}"
        return Place(None, ~inside.over(img), words) if node.name == "outside" else inside
    others = select(inner, scene, evaluate)
    if node.name == "near":
        return _near_objects(others, reach)
    mask, word = (others.filled(), "in") if node.name == "inside" else (~others.filled(), "outside")
    return Place(None, mask, f"{word} the {others.phrase()}")


def _beyond(mask: np.ndarray, side: str) -> np.ndarray:
    """``(y, x)``, true above, below, left or right of what a mask marks: in every column or row up to its first pixel; in those
    without any, up to a line between the others."""
    turned = mask if side in ("above", "below") else mask.T
    turned = turned[::-1] if side in ("below", "right_of") else turned
    lines = np.arange(turned.shape[1])
    first = np.interp(lines, np.flatnonzero(turned.any(axis=0)), turned.argmax(axis=0)[turned.any(axis=0)])
    beyond = np.arange(turned.shape[0])[:, None] < first
    beyond = beyond[::-1] if side in ("below", "right_of") else beyond
    return np.asarray(beyond if side in ("above", "below") else beyond.T)


def _near_place(place: Place, reach: Length, img: MicroImage) -> Place:
    """Within a distance of the middle of a part, or of the pixels of the rim."""
    pixels, words = reach.pixels(img.pixel_size, img.name), f"within {reach} of"
    height, width = img.plane_shape
    y, x = np.ogrid[0:height, 0:width]
    if place.region is None:  # the rim: the distance to the nearest edge
        away = np.minimum(np.minimum(y, height - 1 - y), np.minimum(x, width - 1 - x)) + 0.5
        return Place(None, away <= pixels, f"{words} the edge of the image")
    cy, cx = place.region.center
    away = np.hypot(y + 0.5 - cy, x + 0.5 - cx)
    return Place(None, away <= pixels, f"{words} {place.words.removeprefix('in ').removeprefix('at ')}")


def _near_objects(others: Selection, reach: str) -> Place:
    """Within a distance of the outlines, those themselves left out; one typical diameter where none is given."""
    from scipy.ndimage import distance_transform_edt

    mask, img = others.filled(), others.image
    sizes = others.values("diameter", "px")[0]
    length = Length.read(reach) if reach else Length(float(np.median(sizes)) if len(sizes) else 0.0, "px")
    pixels, said = length.pixels(img.pixel_size, img.name), f"within {length} of" if reach else "near"
    near = (distance_transform_edt(~mask) <= pixels) & ~mask if mask.any() else mask
    return Place(None, near, f"{said} the {others.phrase()}")


def _result(node: Call, scene: Scene, evaluate: Evaluate) -> Place:
    """The place that another measurement answers with: the winning part of ``which``, the box of ``locate``."""
    result = evaluate(node, scene)
    if isinstance(result.value, str) and is_place(result.value):
        return named_place(result.value, scene)
    boxes = [m.value for m in result.measured if isinstance(m.value, tuple) and len(m.value) == 4]
    if not boxes:
        raise EvidenceError(f"{node} gives no place to look in")
    x0, y0, x1, y1 = boxes[0]
    return Place(Region(y0, x0, y1, x1, name="that place"), None, "in that place")


def meeting(found: Selection, condition: Condition) -> Selection:
    """The objects that meet a condition; words that were taken for others are kept in ``found["words_taken"]``."""
    taken: dict[str, str] = {}
    rows = found.rows(_meets(found, condition, taken))
    told = {"words_taken": {**found.found.get("words_taken", {}), **taken}} if taken else {}
    return replace(rows, found={**found.found, **told})


def _meets(found: Selection, condition: Condition, taken: dict[str, str]) -> np.ndarray:
    match condition:
        case Both(parts, how):
            masks = [_meets(found, part, taken) for part in parts]
            return np.asarray(np.all(masks, axis=0) if how == "and" else np.any(masks, axis=0))
        case Not(part):
            return ~_meets(found, part, taken)
        case Flag(name):
            return _flagged(found, name)
        case Comparison():
            return _tested(found, condition, taken)
        case Color(name):
            return _coloured(found, name.lower(), taken)
        case Is(text):
            return _looks(found, text.lower().strip(), taken)


def nearest_to(call: Call, found: Selection, scene: Scene, evaluate: Evaluate) -> Selection:
    """Of several objects that look as it is said the one that is most so, of none the one that comes nearest, by its mean rank in
    what the words mean; the same objects where a limit is a number, or nothing else is there."""
    condition = parse_condition(str(call.get("having"))) if call.name == "obj" and call.get("having") is not None else None
    parts = condition.parts if isinstance(condition, Both) and condition.how == "and" else (condition,)
    words = table("looks")["look"] | table("looks")["relative"]
    looks = [words.get(p.text.lower().strip(), ("", "")) for p in parts if isinstance(p, Is)]
    alone = len(looks) == len(parts) or len(found)
    if not looks or not alone or any(op not in (*OPS, "oval") for _, op, *_ in looks):
        return found
    every = found if len(found) else select(call.but(having=None), scene, evaluate)
    ranks = [pd.Series(every.values(look[0])[0]).rank(pct=True, ascending="<" not in look[1]) for look in looks]
    best = np.argsort(-np.mean(ranks, axis=0), kind="stable")[:1]
    told = {"most_of": len(found)} if len(found) else {"nearest_to": str(call.get("having"))}
    return replace(every, call=call, table=every.table.iloc[best], found={**every.found, **told})


def _flagged(found: Selection, name: str) -> np.ndarray:
    if name == "border":
        return found.table["touches_border"].to_numpy(bool)
    if name == "touching":
        return found.touching
    stem = "max_intensity" if name == "saturated" else "std_intensity"
    values = found.table[[c for c in found.table.columns if c.startswith(stem)]].to_numpy(float)
    if name == "saturated":
        return np.asarray(values.max(axis=1) >= _top(found.image))
    sharp = values.mean(axis=1)  # edges not much less steep than those of the sharpest objects
    return sharp >= 0.5 * np.percentile(sharp, 75) if len(sharp) else np.zeros(0, bool)


def _top(img: MicroImage) -> float:
    return float(np.iinfo(img.dtype).max) if img.dtype.kind in "iu" else 1.0


def _tested(found: Selection, test: Comparison, taken: dict[str, str]) -> np.ndarray:
    name, limit = ALIASES.get(test.quantity, test.quantity), test.limit
    if name not in (*QUANTITIES, *OF_OTHERS):
        return _looks(found, f"{test.quantity} {test.op} {limit.value:g}", taken)
    asked = f"{name}({test.channel})" if test.channel else name
    measured, natural = found.values(asked, "" if limit.unit in ("grey", "deg", "%") else limit.unit)
    if test.op in ("top", "bottom"):
        n = round(len(measured) * limit.value / 100) if limit.unit == "%" else int(limit.value)
        chosen = np.zeros(len(measured), bool)
        chosen[found.ranked(measured, "max" if test.op == "top" else "min")[: max(n, 0)]] = True
        return chosen
    if limit.unit in ("", "grey", "deg", "%") and natural in ("um", "um2", "um3") and not limit.of:
        units = " or ".join(f"{limit.value:g} {unit}{natural[2:]}" for unit in ("µm", "px"))
        raise UnitsError(f"{called(name)} {test.op} {limit.value:g} needs its unit: {units}?")
    value = limit.value / 100 if limit.unit == "%" and name in ("score", "solidity", "roundness", "eccentricity") else limit.value
    finite = measured[np.isfinite(measured)]
    if limit.of and len(finite):
        value = limit.value * statistic(finite, limit.of) + limit.spread * statistic(finite, "sd")
    return np.asarray(OPS[test.op](measured, value) & np.isfinite(measured))


def _coloured(found: Selection, name: str, taken: dict[str, str]) -> np.ndarray:
    """Objects of a colour: by their mean red, green and blue, or, in a channel shown in that colour, all of it."""
    if not found.image.rgb:
        if found.channel is not None or name in ("white", "grey", "gray"):
            return np.ones(len(found), bool)
        if name in ("black", "dark"):
            return _looks(found, "dark", taken)
        raise EvidenceError(f"{found.image.name} is a grey picture, so nothing in it is {name}")
    columns = [c for c in found.table.columns if c.startswith("mean_intensity")][:3]
    said = {name, colour_named(name)}
    return np.array([bool(said & colour_names(rgb / _top(found.image))) for rgb in found.table[columns].to_numpy(float)], bool)


def colour_channel(img: MicroImage, colour: str) -> str | None:
    """The channel that is shown in a colour; None where none is, or the picture is a colour picture."""
    colours = table("looks")["colour"]
    if img.rgb or "c" not in img.axes or colour not in colours:
        return None
    shown = [(np.array([*bytes.fromhex(c.color.lstrip("#")[:6])]) / 255, c.name) for c in img.channels if c.color is not None]
    off, name = min(((float(np.abs(rgb - colours[colour]).max()), name) for rgb, name in shown), default=(1.0, ""))
    return name if off < 0.35 else None


def _looks(found: Selection, text: str, taken: dict[str, str]) -> np.ndarray:
    """A look or state in words: a shape that a quantity decides, a comparison with the others, or a kind the model knows."""
    plain, words = text.replace(" shaped", "-shaped"), table("looks")
    if plain in words["look"]:
        return _shaped(found, *words["look"][plain])
    if plain in words["relative"]:
        return _among_others(found, *words["relative"][plain])
    if colour_named(plain):
        return _coloured(found, plain, taken)
    flag = next((flag for flag, said in words["flag"].items() if plain in said), None)
    if flag is not None:
        return np.asarray(_flagged(found, flag.removeprefix("not ")) != flag.startswith("not "))
    try:
        return _of_state(found, plain)
    except EvidenceError:
        like = nearest(f"{plain} object", tuple(f"{word} object" for word in (*words["look"], *words["relative"])), _LIKE)
        if not like:
            raise
        taken[plain] = like[0].removesuffix(" object")
        return _looks(found, taken[plain], taken)


def _shaped(found: Selection, quantity: str, op: str, value: float) -> np.ndarray:
    measured, _ = found.values(quantity)
    if op == "oval":
        return np.asarray((measured >= value) & (measured < _OVAL))
    if op.startswith("near"):
        return np.asarray(np.abs((measured - float(op.split()[1]) + 90) % 180 - 90) <= value)
    return np.asarray(OPS[op](measured, value))


def _among_others(found: Selection, quantity: str, op: str) -> np.ndarray:
    """Objects that stand out from the others; those that are so against what lies around them where none does, as the dark nuclei
    of a bright picture are, and where they are of no kind, as "bright blobs" are."""
    measured, _ = found.values(quantity)
    middle = float(np.nanmedian(measured)) if len(measured) else 0.0
    apart = np.asarray(measured > _MORE * middle if op == ">" else measured < _LESS * middle)
    of_a_kind = concept_of(found.kind) not in _POINTED
    if quantity != "intensity" or not len(measured) or (apart.any() and of_a_kind):
        return apart
    ground = float(np.nanmedian(found.image.read(found.image.level_for(_FEW))))
    so = np.asarray(OPS[op](measured, ground))
    return np.full(len(measured), so.mean() > 0.5) if of_a_kind else so


def _of_state(found: Selection, text: str) -> np.ndarray:
    """Which of the objects are what a word says, where the model has learned it: no pixels are asked, and nothing is guessed."""
    if "name" in found.table:  # of corrected or given tables
        names = found.table["name"].astype(str).str.lower()
        own = np.asarray((names == text) | (names == f"{text} {found.kind}"))
        if own.any():
            return own
    eyes = str(found.found.get("eyes", FLOOR))
    for name in (f"{text} {found.kind}", text, by_look(found.kind, text)):
        concept = concept_of(name) if name else None
        if concept is None or eyes == FLOOR or not knows(load(eyes), name):
            continue
        own = named(found.table, concept)
        return own if own.any() else _overlapping(found, concept)
    why = f"I cannot tell which {found.many} are {text}: that is neither a shape nor a brightness, and I have not learned it"
    raise EvidenceError(
        f"{why}. A condition that can be measured would do, for example larger, brighter or rounder than something"
    )


def by_look(kind: str, *said: str) -> str:
    """The narrower kind whose look is what is said ("spiky" of red cells: burr cell); empty where none is near.

    >>> by_look("red blood cell", "bullseye pattern"), by_look("red blood cell", "who made this")
    ('target cell', '')
    """
    known = ontology()
    looks = {look: name for name in known.descendants(concept_of(kind) or "cell") for look in known[name].looks}
    general = {*kind.split(), *plural(kind).split(), "cell", "cells", "type", "kind"}
    words = [re.findall(r"[\w'-]+", text.lower()) for text in said]
    parts = [w[k : k + n] for w in words for n in range(1, _LONGEST + 1) for k in range(len(w) - n + 1)]
    parts = [p for p in parts if not {p[0], p[-1]} & general]
    if not looks or not parts:
        return ""
    likeness = likenesses([" ".join(p) for p in parts], tuple(looks))
    length = np.array([[len(p)] for p in parts])
    at, best = np.unravel_index(int((likeness + _LONGER * length).argmax()), likeness.shape)
    return list(looks.values())[best] if likeness[at, best] >= _NEAR else ""


def _overlapping(found: Selection, concept: str) -> np.ndarray:
    """Which objects hold the centre of something the model names so, or lie where it sees it."""
    seen = everything(found.image, found.scene.look, found.channel)
    rows = seen.table[named(seen.table, concept)]
    y, x = (rows[f"centroid_{a}_px"].to_numpy(float) for a in "yx")
    return np.isin(found.own, at_points(found.label_plane(), y, x))
