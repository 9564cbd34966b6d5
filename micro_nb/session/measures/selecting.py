"""Choosing the objects that ``obj(...)`` means: kind, channel, place, conditions, standing conditions, rank."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ...models.wording import plural
from ...tiles.objects import Objects
from ..language import Call, Node
from ..language.conditions import Color, Condition, parse_condition
from .conditions import OPS, colour_channel, meeting
from .eyes import FLOOR, concept_of, named
from .finding import draw, find, is_large
from .places import ANYWHERE, ON_PLANES, Place, drawn_place, is_place, named_place, near_place
from .quantities import ALIASES, column
from .results import Evaluate
from .scene import Scene
from .selection import Selection
from .units import Length

_FILLS, _ALIKE = 0.08, 0.75
"""Outlines are plainly one kind of thing where they cover this share of the image and their diameters spread by no more than
this share."""
_ORDER = {"first": 1, "second": 2, "third": 3, "fourth": 4}


def place_of(node: Node, scene: Scene, evaluate: Evaluate) -> Place:
    """The place a ``where=`` argument means on the image that is looked at."""
    if isinstance(node, tuple):
        place = ANYWHERE
        for part in node:
            place = place & place_of(part, scene, evaluate)
        return place
    if isinstance(node, str):
        return named_place(node, scene)
    if node is None or node.name in ON_PLANES:
        return ANYWHERE  # a plane or an image was chosen before: the scene looks at it
    if node.name in ("box", "point"):
        return drawn_place(node, scene)
    if node.name in ("inside", "outside", "near"):
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
    apart = [p for p in parts if isinstance(p, Call) and p.name in ("holding", "point")]
    condition = parse_condition(str(having)) if having is not None else None
    found = _found(call, scene, place_of(tuple(p for p in parts if p not in apart), scene, evaluate), condition)
    for part in sorted(apart, key=lambda p: p.name, reverse=True):
        found = _at_point(found, part) if part.name == "point" else _holding(found, part, evaluate)
    for wanted in (*map(parse_condition, scene.standing), *([condition] if condition is not None else [])):
        found = meeting(found, wanted)
    return _ranked(found, call)


def _found(call: Call, scene: Scene, place: Place, condition: Condition | None) -> Selection:
    """All objects of the kind at the place."""
    img, kind, look = scene.image, call.args[0], scene.look
    if not isinstance(kind, str):
        raise EvidenceError(f"{call} names no kind of objects")
    channel = _channel(call, img, condition)
    told: dict[str, Any] = {"channel": channel} if channel else {}
    given = scene.given.get(scene.about or "")
    if given is None and (is_large(img) or look.tiles is not None):
        drawn = draw(img, kind, look, place.region, channel)
        objects = Objects(drawn.sample.table, pixel_size=img.pixel_size, image_id=img.content_id, made_by=drawn.made_by)
        found = {**drawn.made_by, **drawn.recipe, **told}
        return Selection(scene, call, kind, objects.table, objects, found, place, channel, drawn)
    objects = _given(given, kind) if given is not None else find(img, kind, look, channel)
    _refuse_unlearned(objects, kind, img)
    eyes = {} if look.eyes == FLOOR else {"eyes": look.eyes}
    found = {**objects.made_by, "objects_in_image": len(objects), **told, **eyes}
    every = Selection(scene, call, kind, objects.table, objects, found, place, channel)
    return every if place.everywhere else every.rows(place.holds(*every.centres))


def _channel(call: Call, img: MicroImage, condition: Condition | None) -> str | None:
    """The channel to look in: the one named, or the one shown in the colour that is asked for."""
    if call.get("channel") is not None:
        return channel_named(str(call.get("channel")), img)
    return colour_channel(img, condition.name) if isinstance(condition, Color) else None


def channel_named(text: str, img: MicroImage) -> str | None:
    """The channel that a text names: by its name, its number, or the colour it is shown in; None for colour pictures."""
    names = [c.name for c in img.channels]
    asked = re.sub(r"\s*channel\s*", "", text.strip().lower())
    same = next((n for n in names if n.lower() == asked), None)
    if same is not None:
        return same
    if img.rgb and asked in ("red", "green", "blue"):
        return next((n for n in names if n.lower().startswith(asked[0])), None)
    number = _ORDER.get(asked) or (int(asked) if asked.isdigit() else 0)
    if 1 <= number <= len(names):
        return names[number - 1]
    near = [colour_channel(img, asked)] if colour_channel(img, asked) else []
    near = near or [n for n in names if asked and (asked in n.lower() or n.lower() in asked)]
    if len(near) == 1:
        return near[0]
    if len(names) == 1 and not img.rgb:
        return names[0] if asked in ("grey", "gray", "only", "") else None
    raise EvidenceError(f"{img.name} has no channel {text!r}; it has {', '.join(names)}")


def _given(objects: Objects, kind: str) -> Objects:
    """Of the objects that were given, those of the kind; all where none is named so."""
    own = named(objects.table, concept_of(kind) or kind)
    told = {**objects.made_by, "method": "objects given", "kind": kind if own.any() else "object"}
    return replace(objects, table=objects.table[own].reset_index(drop=True) if own.any() else objects.table, made_by=told)


def _refuse_unlearned(objects: Objects, kind: str, img: MicroImage) -> None:
    """A name that was not learned, where what is outlined plainly is something else, or is not plainly one kind of thing."""
    if not objects.made_by.get("not_learned"):
        return
    mostly, unknown = str(objects.made_by.get("mostly", "")), f"I have not learned to recognise {plural(kind)}"
    if mostly:
        raise EvidenceError(f"what I see here are {plural(mostly)}; {unknown}, so I cannot tell whether there are any")
    across = column(objects.table, "equivalent_diameter")
    scale = float(np.sqrt(img.pixel_size["y"] * img.pixel_size["x"])) if img.pixel_size else 1.0
    covered = float(np.sum(np.pi / 4 * (across / scale) ** 2)) / (img.plane_shape[0] * img.plane_shape[1])
    if len(across) < 2 or covered < _FILLS or float(np.std(across)) > _ALIKE * float(np.mean(across)):
        raise EvidenceError(f"{unknown}, and what is outlined here is not plainly one kind of thing, so I would only guess")


def _at_point(found: Selection, point: Call) -> Selection:
    """The object that a point lies in."""
    x, y, *_ = (int(v) for v in point.args if isinstance(v, int | float))
    plane = found.label_plane()
    if not (0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]):
        raise EvidenceError(f"{point} lies outside the image, which is {plane.shape[1]} by {plane.shape[0]} px")
    return found.rows(found.table["label"].to_numpy(int) == int(plane[y, x]))


def _holding(found: Selection, relation: Call, evaluate: Evaluate) -> Selection:
    """Objects that hold so many others: whose outlines their centres lie in."""
    inner, *rest = relation.args
    match = re.fullmatch(r"\s*(>=|<=|==|>|<)?\s*(\d+)\s*", str(rest[0]) if rest else ">= 1")
    if match is None:
        raise EvidenceError(f'{relation} is not understood; write holding("spot", ">= 1")')
    counts = held(found, select(inner, found.scene, evaluate))
    at = counts[found.table["label"].to_numpy(int)] if len(found) else np.zeros(0)
    return found.rows(OPS[match[1] or ">="](at, int(match[2])))


def held(holders: Selection, others: Selection) -> np.ndarray:
    """How many of ``others`` have their centre in each label of ``holders``; indexed by label."""
    holders.need_all("what lies in each of them")
    labels = holders.label_plane()
    at = (np.clip(np.round(v).astype(int), 0, n - 1) for v, n in zip(others.centres, labels.shape, strict=True))
    return np.bincount(labels[tuple(at)], minlength=int(labels.max(initial=0)) + 1)


def _ranked(found: Selection, call: Call) -> Selection:
    """Those that rank first by a quantity, where a rank is asked for."""
    by, n = call.get("by"), call.get("n")
    if by is None and n is None:
        return found
    found.need_all("which of all objects that is")
    by, count = ALIASES.get(str(by), str(by)) if by is not None else "area", int(n) if isinstance(n, int | float) else 1
    if not len(found):
        raise EvidenceError(f"I find no {found.many} there, so none can be pointed at")
    order = found.ranked(found.values(by)[0], str(call.get("order", "max")))
    if call.get("rank") is not True:
        return replace(found, table=found.table.iloc[order[:count]])
    if count > len(order):
        raise EvidenceError(f"only {len(order)} {found.many} were found, so none ranks number {count} by {by}")
    return replace(found, table=found.table.iloc[order[count - 1 : count]])


def _related(node: Call, scene: Scene, evaluate: Evaluate) -> Place:
    """Inside, outside or near other objects, or a place."""
    inner, *more = node.args
    reach, img = str(more[0]) if more else str(node.get("within", "")), scene.image
    part, drawn = isinstance(inner, str) and is_place(inner), isinstance(inner, Call) and inner.name in ("point", "box")
    if node.name == "near" and reach and (part or drawn):
        return near_place(place_of(inner, scene, evaluate), Length.read(reach), scene)
    if part or (isinstance(inner, Call) and inner.name in ("near", "inside", "box", "point")):
        inside = place_of(inner, scene, evaluate)
        words = f"outside {inside.words.removeprefix('in ')}" if part else f"not {inside.words}"
        return inside.outside(img, words) if node.name == "outside" else inside
    others = select(inner, scene, evaluate)
    mask = others.filled()
    if node.name == "near":
        return _within(mask, others, reach, scene)
    word = "in" if node.name == "inside" else "outside"
    return Place(None, mask if node.name == "inside" else ~mask, f"{word} the {others.phrase()}")


def _within(mask: np.ndarray, others: Selection, reach: str, scene: Scene) -> Place:
    """Within a distance of the outlines, those themselves left out; one typical diameter where none is given."""
    from scipy.ndimage import distance_transform_edt

    sizes = others.values("diameter", "px")[0]
    length = Length.read(reach) if reach else Length(float(np.median(sizes)) if len(sizes) else 0.0, "px")
    pixels, said = length.pixels(scene.image.pixel_size, scene.image.name), f"within {length} of" if reach else "near"
    near = (distance_transform_edt(~mask) <= pixels) & ~mask if mask.any() else np.zeros_like(mask)
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
