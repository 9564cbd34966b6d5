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
from .conditions import colour_channel, meets
from .eyes import FLOOR
from .finding import draw, find, is_large
from .places import ON_PLANES, Place, drawn_place, is_place, mask_of, named_place, near_place
from .quantities import ALIASES, column
from .scene import Scene
from .selection import Selection
from .terms import Evaluate
from .units import Length

_FILLS, _ALIKE = 0.08, 0.75
"""Outlines are plainly one kind of thing where they cover this share of the image and their diameters spread by no more than
this share."""


def place_of(node: Node, scene: Scene, evaluate: Evaluate) -> Place:
    """The place a ``where=`` argument means on the image that is looked at.

    Raises
    ------
    EvidenceError : there is no such place, or none is marked.
    """
    if node is None:
        return Place()
    if isinstance(node, tuple):
        place = Place()
        for part in node:
            place = place & place_of(part, scene, evaluate)
        return place
    if isinstance(node, str):
        return named_place(node, scene)
    if node.name in ("box", "point"):
        return drawn_place(node, scene)
    if node.name in ("inside", "outside", "near"):
        return _related(node, scene, evaluate)
    if node.name in ON_PLANES:
        return Place()  # chosen before: the scene looks at that plane or image
    return _result(node, scene, evaluate)


def select(node: Node, scene: Scene, evaluate: Evaluate) -> Selection:
    """The objects an ``obj(...)`` means on a scene.

    Raises
    ------
    EvidenceError : they cannot be told: a state that is not measured, a kind that is plainly another.
    """
    call = node if isinstance(node, Call) else Call.of("obj", str(node))
    key = ("select", scene.state, call)
    if key not in scene.kept:
        scene.kept[key] = _select(call, scene, evaluate)
    return scene.kept[key]  # type: ignore[no-any-return]


def _select(call: Call, scene: Scene, evaluate: Evaluate) -> Selection:
    if call.name != "obj" or not call.args:
        raise EvidenceError(f'{call} names no objects; write for example obj("nucleus", where="left")')
    scene = scene.at(call.get("where"))
    if call.get("image") is not None:
        scene = scene.on(str(call.get("image")))
    where = _places_only(call.get("where"))
    relations = tuple(p for p in where if isinstance(p, Call) and p.name == "holding")
    points = tuple(p for p in where if isinstance(p, Call) and p.name == "point")
    place = place_of(tuple(p for p in where if p not in (*relations, *points)) or None, scene, evaluate)
    condition = parse_condition(str(call.get("having"))) if call.get("having") is not None else None
    found = _found(call, scene, place, condition)
    for point in points:
        found = _at_point(found, point)
    for relation in relations:
        found = _holding(found, select(relation.args[0], found.scene, evaluate), relation)
    for text in scene.standing:
        found = found.rows(meets(found, parse_condition(text)))
    if condition is not None:
        found = found.rows(meets(found, condition))
    return _ranked(found, call)


def _places_only(where: Node) -> tuple[Node, ...]:
    parts = where if isinstance(where, tuple) else () if where is None else (where,)
    return tuple(p for p in parts if not (isinstance(p, Call) and p.name in ON_PLANES))


def _found(call: Call, scene: Scene, place: Place, condition: Condition | None) -> Selection:
    """All objects of the kind at the place."""
    img, kind = scene.image, call.args[0]
    if not isinstance(kind, str):
        raise EvidenceError(f"{call} names no kind of objects")
    channel, told = _channel(call, img, condition)
    look = scene.look
    given = scene.given.get(scene.about or "")
    if given is None and (is_large(img) or look.tiles is not None):
        drawn = draw(img, kind, look, place.region, channel)
        objects = Objects(drawn.sample.table, pixel_size=img.pixel_size, image_id=img.content_id, made_by=drawn.made_by)
        return Selection(
            scene, call, kind, objects.table, objects, {**drawn.made_by, **drawn.recipe, **told}, place, channel, drawn
        )
    objects = _given(given, kind) if given is not None else find(img, kind, look, channel)
    _refuse_unlearned(objects, kind, img)
    table = objects.table
    if place.region is not None or place.mask is not None:
        table = table[place.holds(table["centroid_y_px"].to_numpy(float), table["centroid_x_px"].to_numpy(float))]
    eyes = {} if look.eyes == FLOOR else {"eyes": look.eyes}
    found = {**objects.made_by, "objects_in_image": len(objects), **told, **eyes}
    return Selection(scene, call, kind, table, objects, found, place, channel)


def _channel(call: Call, img: MicroImage, condition: Condition | None) -> tuple[str | None, dict[str, Any]]:
    """The channel to look in: the one named, or the one shown in the colour that is asked for."""
    asked = call.get("channel")
    if asked is not None:
        name = channel_named(str(asked), img)
        return name, {"channel": name} if name else {}
    colour = condition.name if isinstance(condition, Color) else None
    name = colour_channel(img, colour) if colour else None
    return name, {"channel": name} if name else {}


def channel_named(text: str, img: MicroImage) -> str | None:
    """The channel that a text names: by its name, its number, or the colour it is shown in; None for colour pictures.

    Raises
    ------
    EvidenceError : there is no such channel.
    """
    names = [c.name for c in img.channels]
    asked = re.sub(r"\s*channel\s*", "", text.strip().lower())
    for name in names:
        if name.lower() == asked:
            return name
    if img.rgb and asked in ("red", "green", "blue"):
        return next((n for n in names if n.lower().startswith(asked[0])), None)
    order = {"first": 1, "second": 2, "third": 3, "fourth": 4}
    number = order.get(asked) or (int(asked) if asked.isdigit() else None)
    if number is not None and 1 <= number <= len(names):
        return names[number - 1]
    by_colour = colour_channel(img, asked)
    if by_colour is not None:
        return by_colour
    near = [n for n in names if asked and (asked in n.lower() or n.lower() in asked)]
    if len(near) == 1:
        return near[0]
    if len(names) == 1 and not img.rgb:
        return names[0] if asked in ("grey", "gray", "only", "") else None
    raise EvidenceError(f"{img.name} has no channel {text!r}; it has {', '.join(names)}")


def _given(objects: Objects, kind: str) -> Objects:
    """Of the objects that were given, those of the kind; all where none is named so."""
    from .eyes import concept_of, named

    own = named(objects.table, concept_of(kind) or kind)
    table = objects.table[own].reset_index(drop=True) if own.any() else objects.table
    return replace(
        objects, table=table, made_by={**objects.made_by, "method": "objects given", "kind": kind if own.any() else "object"}
    )


def _refuse_unlearned(objects: Objects, kind: str, img: MicroImage) -> None:
    """A name that was not learned, where what is outlined plainly is something else, or is not plainly one kind of thing.

    Raises
    ------
    EvidenceError : says which.
    """
    if not objects.made_by.get("not_learned"):
        return
    mostly = str(objects.made_by.get("mostly", ""))
    if mostly:
        raise EvidenceError(
            f"what I see here are {plural(mostly)}; I have not learned to recognise {plural(kind)}, so I cannot tell whether "
            f"there are any"
        )
    across = column(objects.table, "equivalent_diameter")
    scale = float(np.sqrt(img.pixel_size["y"] * img.pixel_size["x"])) if img.pixel_size else 1.0
    covered = float(np.sum(np.pi / 4 * (across / scale) ** 2)) / (img.plane_shape[0] * img.plane_shape[1])
    if len(across) < 2 or covered < _FILLS or float(np.std(across)) > _ALIKE * float(np.mean(across)):
        raise EvidenceError(
            f"I have not learned to recognise {plural(kind)}, and what is outlined here is not plainly one kind of thing, so "
            f"I would only guess"
        )


def _at_point(found: Selection, point: Call) -> Selection:
    """The object that a point lies in."""
    x, y, *_ = (int(v) for v in point.args if isinstance(v, int | float))
    plane = found.label_plane()
    if not (0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]):
        raise EvidenceError(f"{point} lies outside the image, which is {plane.shape[1]} by {plane.shape[0]} px")
    return found.rows(found.table["label"].to_numpy(int) == int(plane[y, x]))


def _holding(found: Selection, others: Selection, relation: Call) -> Selection:
    """Objects that hold so many others: whose outlines their centres lie in."""
    rest = relation.args[1:]
    match = re.fullmatch(r"\s*(>=|<=|==|>|<)?\s*(\d+)\s*", str(rest[0]) if rest else ">= 1")
    if match is None:
        raise EvidenceError(f'{relation} is not understood; write holding("spot", ">= 1")')
    counts = held(found, others)
    at = counts[found.table["label"].to_numpy(int)] if len(found) else np.zeros(0)
    ops = {">=": np.greater_equal, "<=": np.less_equal, "==": np.equal, ">": np.greater, "<": np.less}
    return found.rows(ops[match[1] or ">="](at, int(match[2])))


def held(holders: Selection, others: Selection) -> np.ndarray:
    """How many of ``others`` have their centre in each label of ``holders``; indexed by label."""
    holders.need_all("what lies in each of them")
    labels = holders.label_plane()
    y, x = others.centres
    rows = np.clip(np.round(y).astype(int), 0, labels.shape[0] - 1)
    cols = np.clip(np.round(x).astype(int), 0, labels.shape[1] - 1)
    return np.bincount(labels[rows, cols], minlength=int(labels.max(initial=0)) + 1)


def _ranked(found: Selection, call: Call) -> Selection:
    """Those that rank first by a quantity, where a rank is asked for."""
    by, n = call.get("by"), call.get("n")
    if by is None and n is None:
        return found
    found.need_all("which of all objects that is")
    by = ALIASES.get(str(by), str(by)) if by is not None else "area"
    count = int(n) if isinstance(n, int | float) else 1
    if not len(found):
        raise EvidenceError(f"I find no {found.many} there, so none can be pointed at")
    measured, _ = found.values(by)
    order = found.ranked(measured, str(call.get("order", "max")))
    if call.get("rank") is True:
        if count > len(order):
            raise EvidenceError(f"only {len(order)} {found.many} were found, so none ranks number {count} by {by}")
        order = order[count - 1 : count]
    chosen = order[:count]
    return replace(found, table=found.table.iloc[chosen])


def _related(node: Call, scene: Scene, evaluate: Evaluate) -> Place:
    """Inside, outside or near other objects, or a place."""
    inner, *more = node.args
    reach = str(more[0]) if more else str(node.get("within", ""))
    if (
        node.name == "near"
        and reach
        and ((isinstance(inner, str) and is_place(inner)) or (isinstance(inner, Call) and inner.name in ("point", "box")))
    ):
        return near_place(place_of(inner, scene, evaluate), Length.read(reach), scene)
    if isinstance(inner, str) and is_place(inner):
        inside = place_of(inner, scene, evaluate)
        mask = mask_of(inside, scene)
        return Place(None, ~mask, f"outside {inside.words.removeprefix('in ')}") if node.name == "outside" else inside
    if isinstance(inner, Call) and inner.name in ("near", "inside", "box", "point"):
        inside = place_of(inner, scene, evaluate)
        mask = mask_of(inside, scene)
        return Place(
            None, ~mask if node.name == "outside" else mask, f"not {inside.words}" if node.name == "outside" else inside.words
        )
    others = select(inner, scene, evaluate)
    mask = filled(others)
    if node.name == "near":
        return _within(mask, others, reach, scene)
    word = "in" if node.name == "inside" else "outside"
    return Place(None, mask if node.name == "inside" else ~mask, f"{word} the {others.phrase()}")


def _within(mask: np.ndarray, others: Selection, reach: str, scene: Scene) -> Place:
    """Within a distance of the outlines, those themselves left out; one typical diameter where none is given."""
    from scipy.ndimage import distance_transform_edt

    if reach:
        length = Length.read(reach)
        pixels, said = (
            length.pixels(scene.image.pixel_size, scene.image.name),
            f"within {length.value:g} {length.unit.replace('um', 'µm')} of",
        )
    else:
        sizes = others.values("diameter", "px")[0]
        pixels, said = float(np.median(sizes)) if len(sizes) else 0.0, "near"
    near = (distance_transform_edt(~mask) <= pixels) & ~mask if mask.any() else np.zeros_like(mask)
    return Place(None, near, f"{said} the {others.phrase()}")


def filled(others: Selection) -> np.ndarray:
    """``(y, x)``, true where one of the objects is."""
    others.need_all("what lies in or around each of them")
    labels = others.label_plane()
    wanted = np.zeros(int(labels.max(initial=0)) + 1, bool)
    wanted[others.table["label"].to_numpy(int)] = True
    return np.asarray(wanted[labels])


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
