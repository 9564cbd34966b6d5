"""Evaluating expressions: arguments are read by the types a measurement declares, then it measures."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from ...errors import AxesError, LanguageError
from ..language import Call, Node, same_form
from ..language.conditions import parse_condition
from ..language.forms import AND, PARTS, kind_of
from .measurement import Measurement
from .quantities import POWER, SPREADS, Length, plain_quantity
from .registry import Measure, choices, get, options
from .results import Found, Result, Term, placed
from .scene import PLANES, Place, Scene
from .selecting import nearest_to, place_of, select
from .selection import Selection

_TALK = ("talking", "knowing")
_POINTING = ("locate", "describe", "classify", "color", "shape")
"""Measurements of what is pointed at."""


def evaluate(call: Call, scene: Scene) -> Result:
    """Measures what an expression means on a scene."""
    call = same_form(call)
    key = ("result", scene.state, call, scene.told.get("question") if get(call.name).group in _TALK else None)
    if key not in scene.kept:
        scene.kept[key] = _evaluated(call, scene)
    return scene.kept[key]  # type: ignore[no-any-return]


def selection(node: Node, scene: Scene) -> Selection:
    """The objects that an argument means."""
    return select(node, scene, evaluate)


def term(node: Node, scene: Scene) -> Term:
    """An argument that is another measurement or a number, to be evaluated when it is asked."""
    return Term(node, scene, evaluate)


def _evaluated(call: Call, scene: Scene) -> Result:
    measure = get(call.name)
    group = _group(call, measure, scene)
    if group is not None:
        return _over_images(call, group, measure, scene)
    scene = scene.at(call.get("where"))
    if call.get("image") is not None and "image" not in measure.parameters:
        scene, call = scene.on(str(call.get("image"))), call.but(image=None)
    given = {k: _value(node, measure.hints.get(k, Any), k, measure, scene, call) for k, node in bound(call, measure).items()}
    objects = next((v for v in given.values() if isinstance(v, Selection)), None)
    found = _as_found(measure.function(**given, **({"scene": scene} if measure.needs_scene else {})), measure, objects)
    terms = [t for v in given.values() for t in (v if isinstance(v, tuple) else (v,)) if isinstance(t, Term)]
    shown = found.shown if found.shown is not None else objects
    return Result(call, measure, scene, found, shown, tuple(r for t in terms for r in _as_it_stands(t)))


def _as_it_stands(term: Term) -> tuple[Result, ...]:
    """The result of an argument; none where it stands for what was measured on every plane, and the image is no single one."""
    try:
        return term.results
    except AxesError:
        return ()


def evaluate_shown(call: Call, scene: Scene) -> Result:
    """Measures an expression; where it needs one plane of a stack and names none, in the one that a viewer shows first."""
    try:
        return evaluate(call, scene)
    except AxesError:
        for planes in _shown(scene):
            with suppress(AxesError):
                return evaluate(placed(call, planes), scene)
        raise


def taken_for(asked: Call, result: Result) -> str:
    """What was taken for what an expression does not name, or does not quite fit, as words in front of its answer: the plane that
    was chosen, the object that comes nearest to a look; empty where nothing was."""
    asked_of, seen = ({c.name for c in call.walk() if c.name in PLANES} for call in (asked, result.call))
    words = {"z": "the middle slice", "t": "the first frame"}
    chosen = [words[axis] for axis in words if axis in seen - asked_of]
    told = dict[str, Any]()
    for r in result.every():
        told |= r.selection.found if r.selection is not None else {}
    near = "None is plainly so; what comes nearest: " if "nearest_to" in told else ""
    most = f"Of {told['most_of']} such, that which is most so: " if "most_of" in told else ""
    return (f"In {' of '.join(chosen)}: " if chosen else "") + (near or most)


def _shown(scene: Scene) -> Iterator[tuple[Call, ...]]:
    """The first frame, the middle slice, both: of the axes that the image has beside those that were chosen."""
    img, chosen = scene.open_image, dict(scene.plane)
    free = [axis for axis in PLANES if img is not None and axis in img.axes and axis not in chosen]
    first = {axis: Call.of(axis, img.sizes[axis] // 2 + 1 if axis == "z" else 1) for axis in free if img is not None}
    yield from ((first[axis],) for axis in reversed(free))
    if len(free) > 1:
        yield tuple(first.values())


def check(call: Call) -> None:
    """Refuses an expression that no measurement can take, without looking at any image."""
    for inner in call.walk():
        if inner.name in PARTS and not (inner is call and inner.name == "image"):
            continue
        measure = get(inner.name)
        if inner is not call and measure.group == "talking" and inner.name != "show":
            raise LanguageError(f"{inner.name} is of the conversation and stands alone, not in {call.name}")
        bound(inner, measure)


def check_meaning(call: Call) -> None:
    """Refuses an expression that no image could answer: a quantity, statistic, condition, place or choice that there is not, a
    thing compared with itself, a kind beside or of itself, objects inside themselves, a choice of one, the spread of one."""
    for inner in call.walk():
        _check_pair(inner)
        chosen = inner.get("among") if inner.name == "which" else inner.get("into")
        if isinstance(chosen, tuple) and len(set(chosen)) < 2:
            raise LanguageError(f"{inner} leaves nothing to choose from")
        kinds = kind_of(inner).split(AND)
        if len(set(kinds)) < len(kinds):
            raise LanguageError(f"{inner} takes the same kind twice")
        if inner.name == "obj":
            if any(p.name == "inside" and p.args == inner.args for p in inner.walk() if p is not inner):
                raise LanguageError(f"{inner} lie inside themselves")
            if inner.get("having") is not None:
                parse_condition(str(inner.get("having")))
            if isinstance(inner.get("by"), str):
                plain_quantity(inner.get("by"))
        if inner.name in PARTS:
            continue
        measure = get(inner.name)
        for key, node in bound(inner, measure).items():
            taken = options(measure.hints.get(key, Any))
            if not isinstance(node, Call | tuple) and not {Selection, Place, Term} & set(taken):
                _plain(node, measure.hints.get(key, Any), key, measure)
        if inner.name in ("stat", "distribution") and inner.args and isinstance(inner.args[0], str):
            plain_quantity(inner.args[0])
        if inner.name == "stat" and len(inner.args) > 2 and inner.args[1] in SPREADS and _is_one(inner.args[2]):
            raise LanguageError(f"{inner} is the spread of a single object")


def _is_one(node: Node) -> bool:
    """Whether objects are the one that ranks first."""
    return isinstance(node, Call) and node.get("by") is not None and node.get("n") in (None, 1)


def _check_pair(call: Call) -> None:
    """Refuses two that are set beside one another and are the same, or of different dimensions."""
    if call.name in ("compare", "test", "calc", "relate", "colocalise") and len(call.args) > 1 and call.args[-1] == call.args[-2]:
        raise LanguageError(f"{call} sets something beside itself")
    if call.name in ("share", "coverage") and call.args and call.get("of") == call.args[0]:
        raise LanguageError(f"{call} is all of itself")
    stats = [a for a in call.args if isinstance(a, Call) and a.name == "stat"] if call.name in ("compare", "test") else []
    if len({_dimension(stat) for stat in stats}) > 1:
        raise LanguageError(f"{call} compares what has not the same dimension")


def _dimension(stat: Call) -> object:
    """The power of a length that a statistic has, or "grey" of a brightness."""
    name = plain_quantity(str(stat.args[0]))[0] if stat.args and isinstance(stat.args[0], str) else ""
    return "grey" if name in ("intensity", "integrated", "contrast") else POWER.get(name, 0)


def _group(call: Call, measure: Measure, scene: Scene) -> str | None:
    """The condition of several images that a call is about: ``image("control")``; its parts are measured image by image."""
    if measure.group in _TALK or any(Term in options(h) for h in measure.hints.values()):
        return None  # its parts are measured so, one by one
    named = [str(c.args[0]) for c in call.walk() if c.name == "image" and c.args]
    named += [str(v) for c in call.walk() for k, v in c.given if k == "image"]
    known = {g.lower(): g for g in scene.groups}
    return next((known[n.lower()] for n in named if n.lower() in known), None)


def _over_images(call: Call, group: str, measure: Measure, scene: Scene) -> Result:
    """The mean over the images of a condition, with the interval that they as replicates give."""

    from scipy.stats import ttest_1samp

    def on(c: Call, name: str) -> Call:
        if c.name == "image" and c.args and str(c.args[0]).lower() == group.lower():
            return c.with_args(name)
        return c.but(image=name) if str(c.get("image", "")).lower() == group.lower() else c

    names = scene.groups[group]
    parts = [evaluate(call.map(lambda c, name=name: on(c, name)), scene.on(name)) for name in names]
    values = [p.main.number for p in parts]
    interval = ttest_1samp(values, 0).confidence_interval() if len(set(values)) > 1 else None
    how = {**parts[0].main.found, "by_image": dict(zip(names, values, strict=True)), "images": len(names)}
    how |= {"confidence_percent": 95, "interval_covers": "the variation between images"}
    quantity = parts[0].main.quantity.replace(f" in {names[0]}", "")
    main = (f"{quantity}, mean of the images of {group}", float(np.mean(values)), parts[0].unit, interval)
    says = "In {group} the {quantity} is {0}{0.interval} on average over {1.value} images."
    number = Measurement(f"images of {group}", len(names), "count")
    told = Found.of(how, main, number, says=says, group=group, quantity=quantity)
    return Result(call, measure, scene, told, parts[0].selection, tuple(parts))


def between_images(a: Measurement, b: Measurement) -> Any:
    """Welch's t-test between two conditions, whose images are the replicates; None where these are no conditions of several
    images, or all values are the same."""
    from scipy.stats import ttest_ind

    values = [list(m.found.get("by_image", {}).values()) for m in (a, b)]
    if a.unit != b.unit or min(map(len, values)) < 2 or not any(np.ptp(v) for v in values):
        return None
    return ttest_ind(*values, equal_var=False)


def bound(call: Call, measure: Measure) -> dict[str, Node]:
    """The arguments by the names of the parameters they are for."""
    names = [k for k, p in measure.parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(call.args) > len(names):
        raise LanguageError(f"{call.name} takes {len(names)} arguments, not {len(call.args)}: {call}")
    out: dict[str, Node] = dict(zip(names, call.args, strict=False))
    for key, node in call.given:
        if key in out:
            raise LanguageError(f"{call.name} is given {key} twice")
        if key in measure.parameters or measure.free:
            out[key] = node
        elif key not in ("where", "image"):  # a plane or an image: the scene has looked there
            near = difflib.get_close_matches(key, measure.keywords, 1)
            hint = f"; did you mean {near[0]}=?" if near else ""
            raise LanguageError(f"{call.name} takes no {key}={hint}; it takes {', '.join(measure.keywords) or 'nothing by name'}")
    needed = (k for k, p in measure.parameters.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD)
    missing = next((k for k in needed if k not in out), None)
    if missing:
        raise LanguageError(f"{call.name} needs its {missing}: {call}")
    return out


def _value(node: Node, hint: Any, name: str, measure: Measure, scene: Scene, of: Call) -> Any:
    """An argument as the type says."""
    taken = options(hint)
    if Selection in taken:
        return None if node == "image" and type(None) in taken else _pointed_at(_objects(node, measure), measure, of, scene)
    if Term in taken:
        return tuple(term(n, scene) for n in node) if isinstance(node, tuple) else term(node, scene)
    if Place in taken:
        return place_of(node, scene, evaluate)
    if Length in taken and isinstance(node, str):
        return Length.read(node)
    if isinstance(node, Call) and Call not in taken and hint is not Any:
        node = term(node, scene).main.value
    return _plain(node, hint, name, measure)


def _objects(node: Node, measure: Measure) -> Node:
    if isinstance(node, str) or (isinstance(node, Call) and node.name == "obj"):
        return node
    raise LanguageError(f'{measure.name} is of objects, not of {node}; write for example {measure.name}("nucleus")')


def _pointed_at(node: Node, measure: Measure, of: Call, scene: Scene) -> Selection:
    """The objects that are meant; where one is pointed at by its look, and none is quite so, or several are, the one that is most
    so."""
    found, one = selection(node, scene), measure.name == "stat" and "value" in of.args
    unclear = (one or measure.name in _POINTING) if not len(found) else one and len(found) > 1
    return nearest_to(node, found, scene, evaluate) if unclear and isinstance(node, Call) else found


def _plain(node: Node, hint: Any, name: str, measure: Measure) -> Any:
    """A value, of a few ones the one that is meant."""
    known = {str(c): c for c in choices(hint)}
    if known and node not in known.values():
        text = str(node).strip().lower()
        near = [text] if text in known else difflib.get_close_matches(text, known, 1, 0.75)
        if near:
            return known[near[0]]
        if str not in options(hint):
            raise LanguageError(f"{name} of {measure.name} must be one of {', '.join(known)}, not {node!r}")
    return float(node) if float in options(hint) and isinstance(node, int) and not isinstance(node, bool) else node


def _as_found(given: Any, measure: Measure, objects: Selection | None) -> Found:
    """What a function gave back, in the one shape."""
    if isinstance(given, Found):
        return given
    if isinstance(given, tuple) and given and all(isinstance(m, Measurement) for m in given):
        return Found(given)
    if isinstance(given, Measurement):
        return Found((given,))
    of, found = (f" of {objects.phrase()}", objects.found) if objects is not None else ("", {})
    return Found((Measurement(f"{measure.name.replace('_', ' ')}{of}", given, measure.unit, found=found),))
