"""Evaluating expressions: arguments are read by the types a measurement declares, then it measures."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from typing import Any, Literal

import numpy as np
from scipy.special import stdtrit

from ...errors import LanguageError
from ..language import Call, Node, same_form
from ..language.conditions import parse_condition
from ..language.forms import PARTS
from .measurement import Measurement
from .places import Place
from .quantities import POWER, plain_quantity
from .registry import Measure, get
from .results import Found, Result
from .scene import Scene
from .selecting import place_of, select
from .selection import Selection
from .terms import Term
from .units import Length


def evaluate(call: Call, scene: Scene) -> Result:
    """Measures what an expression means on a scene.

    Raises
    ------
    LanguageError : there is no such measurement, or an argument is not one that it takes.
    MicroNBError : it cannot be measured here; says why.
    """
    call = same_form(call)
    key = ("result", scene.state, call, scene.told.get("question") if get(call.name).group in ("talking", "knowing") else None)
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
    group = _group(call, scene)
    if group is not None:
        return _over_images(call, group, measure, scene)
    scene = scene.at(call.get("where"))
    if call.get("image") is not None and "image" not in measure.parameters:
        scene = scene.on(str(call.get("image")))
        call = call.but(image=None)
    bound = bind(call, measure, scene)
    if measure.needs_scene:
        bound["scene"] = scene
    objects = next((v for v in bound.values() if isinstance(v, Selection)), None)
    found = _as_found(measure.function(**_spread(bound, measure)), measure, objects)
    terms = [t for v in bound.values() for t in (v if isinstance(v, tuple) else (v,)) if isinstance(t, Term)]
    return Result(
        call,
        measure,
        scene,
        found,
        found.shown or objects,
        tuple(r for t in terms for r in t.results if isinstance(t.node, Call)),
    )


def check(call: Call) -> None:
    """Refuses an expression that no measurement can take, without looking at any image.

    Raises
    ------
    LanguageError : what is wrong, and what is meant perhaps.
    """
    for inner in call.walk():
        if inner.name in PARTS and not (inner is call and inner.name == "image"):
            continue
        measure = get(inner.name)
        unknown = [k for k, _ in inner.given if k not in measure.keywords | {"image", "where"} and not measure.free]
        if unknown:
            raise LanguageError(
                f"{inner.name} takes no {unknown[0]}=; it takes {', '.join(sorted(measure.keywords)) or 'nothing by name'}"
            )
        if inner is not call and measure.group == "talking" and inner.name != "show":
            raise LanguageError(f"{inner.name} is of the conversation and stands alone, not in {call.name}")
        _bound_nodes(inner, measure)


def _group(call: Call, scene: Scene) -> str | None:
    """The condition of several images that a call is about: ``image("control")``; its parts are measured image by image."""
    measure = get(call.name)
    if measure.group in ("talking", "knowing") or any(Term in _options(h) for h in measure.hints.values()):
        return None  # its parts are measured so, one by one
    named = [str(c.args[0]) for c in call.walk() if c.name == "image" and c.args] + [
        str(v) for c in call.walk() for k, v in c.given if k == "image"
    ]
    known = {g.lower(): g for g in scene.groups}
    return next((known[n.lower()] for n in named if n.lower() in known), None)


def _over_images(call: Call, group: str, measure: Measure, scene: Scene) -> Result:
    """The mean over the images of a condition, with the interval that they as replicates give."""
    names = scene.groups[group]
    parts = [evaluate(_on(call, group, name), scene.on(name)) for name in names]
    values = np.array([p.main.number for p in parts])
    mean = float(values.mean())
    half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    found = {
        **parts[0].main.found,
        "by_image": dict(zip(names, values.tolist(), strict=True)),
        "images": len(names),
        "confidence_percent": 95,
        "interval_covers": "the variation between images",
    }
    quantity = parts[0].main.quantity.replace(f" in {names[0]}", "")
    main = Measurement(
        f"{quantity}, mean of the images of {group}", mean, parts[0].unit, (mean - half, mean + half) if half else None, found
    )
    says = "In {group} the {quantity} is {0}{0.interval} on average over {1.value} images."
    told = Found(
        (main, Measurement(f"images of {group}", len(names), "count")), says, more={"group": group, "quantity": quantity}
    )
    return Result(call, measure, scene, told, parts[0].selection, tuple(parts))


def _on(call: Call, group: str, name: str) -> Call:
    """The call about one image of the condition."""

    def change(c: Call) -> Call:
        if c.name == "image" and c.args and str(c.args[0]).lower() == group.lower():
            return c.with_args(name)
        return c.but(image=name) if str(c.get("image", "")).lower() == group.lower() else c

    return call.map(change)


def check_meaning(call: Call) -> None:
    """Refuses an expression that no image could answer: a quantity, statistic, condition, place or choice that there is not, a
    thing compared with itself, objects inside themselves, a choice of one.

    Raises
    ------
    LanguageError, EvidenceError : which.
    """
    for inner in call.walk():
        if (
            inner.name in ("compare", "test", "calc", "relate", "colocalise")
            and len(inner.args) > 1
            and inner.args[-1] == inner.args[-2]
        ):
            raise LanguageError(f"{inner} sets something beside itself")
        if (
            inner.name in ("compare", "test")
            and len({_dimension(a) for a in inner.args if isinstance(a, Call) and a.name == "stat"}) > 1
        ):
            raise LanguageError(f"{inner} compares what has not the same dimension")
        choices = inner.get("among") if inner.name == "which" else inner.get("into")
        if isinstance(choices, tuple) and len(set(choices)) < 2:
            raise LanguageError(f"{inner} leaves nothing to choose from")
        if inner.name == "obj":
            if any(p.name == "inside" and p.args == inner.args for p in inner.walk() if p is not inner):
                raise LanguageError(f"{inner} lie inside themselves")
            if inner.get("having") is not None:
                parse_condition(str(inner.get("having")))
            if isinstance(inner.get("by"), str):
                plain_quantity(inner.get("by"))
            continue
        if inner.name in PARTS:
            continue
        measure = get(inner.name)
        for key, node in _bound_nodes(inner, measure).items():
            options = _options(measure.hints.get(key, Any))
            if not isinstance(node, Call | tuple) and Selection not in options and Place not in options and Term not in options:
                _plain(node, options, key, measure)
        if inner.name in ("stat", "distribution") and inner.args and isinstance(inner.args[0], str):
            plain_quantity(inner.args[0])


def _dimension(stat: Call) -> object:
    """The power of a length that a statistic has, or "grey" of a brightness."""
    name = plain_quantity(str(stat.args[0]))[0] if stat.args and isinstance(stat.args[0], str) else ""
    return "grey" if name in ("intensity", "integrated", "contrast") else POWER.get(name, 0)


def bind(call: Call, measure: Measure, scene: Scene) -> dict[str, Any]:
    """The arguments of a call as a function takes them."""
    return {k: _value(node, measure.hints.get(k, Any), k, measure, scene) for k, node in _bound_nodes(call, measure).items()}


def _bound_nodes(call: Call, measure: Measure) -> dict[str, Node]:
    """The arguments by the names of the parameters they are for."""
    names = [k for k, p in measure.parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((k for k, p in measure.parameters.items() if p.kind is p.VAR_POSITIONAL), None)
    out: dict[str, Node] = dict(zip(names, call.args, strict=False))
    if len(call.args) > len(names):
        if rest is None:
            raise LanguageError(f"{call.name} takes {len(names)} arguments, not {len(call.args)}: {call}")
        out[rest] = call.args[len(names) :]
    for key, node in call.given:
        if key in out:
            raise LanguageError(f"{call.name} is given {key} twice")
        if key not in measure.parameters and not measure.free:
            if key in ("where", "image"):
                continue  # a plane or an image: the scene has looked there
            near = difflib.get_close_matches(key, measure.keywords, 1)
            raise LanguageError(
                f"{call.name} takes no {key}={'; did you mean ' + near[0] + '=?' if near else ''}; it takes "
                f"{', '.join(measure.keywords) or 'nothing by name'}"
            )
        out[key] = node
    missing = [
        k
        for k, p in measure.parameters.items()
        if k not in out and p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if missing:
        raise LanguageError(f"{call.name} needs its {missing[0]}: {call}")
    return out


def _spread(bound: dict[str, Any], measure: Measure) -> dict[str, Any]:
    """Arguments without those for ``*rest``, which no built-in takes by name."""
    rest = [k for k, p in measure.parameters.items() if p.kind is p.VAR_POSITIONAL]
    if rest and rest[0] in bound:
        raise LanguageError(f"{measure.name} takes its arguments by position only; declare them one by one")
    return bound


def _value(node: Node, hint: Any, name: str, measure: Measure, scene: Scene) -> Any:
    """An argument as the type says."""
    options = _options(hint)
    if Selection in options and not (node == "image" and type(None) in options):
        return selection(_objects(node, measure), scene)
    if Selection in options and node == "image":
        return None
    if Term in options:
        return tuple(term(n, scene) for n in node) if isinstance(node, tuple) else term(node, scene)
    if Place in options:
        return place_of(node, scene, evaluate)
    if Length in options and isinstance(node, str):
        return Length.read(node)
    if isinstance(node, Call) and Call not in options and hint is not Any:
        return _plain(term(node, scene).main.value, options, name, measure)
    return _plain(node, options, name, measure)


def _options(hint: Any) -> tuple[Any, ...]:
    """The types that a type lets through."""
    return typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def _objects(node: Node, measure: Measure) -> Node:
    if isinstance(node, str) or (isinstance(node, Call) and node.name == "obj"):
        return node
    raise LanguageError(f'{measure.name} is of objects, not of {node}; write for example {measure.name}("nucleus")')


def _plain(node: Node, options: tuple[Any, ...], name: str, measure: Measure) -> Any:
    literal = next((o for o in options if typing.get_origin(o) is Literal), None)
    if literal is not None:
        choices = typing.get_args(literal)
        if node in choices:
            return node
        text = str(node).strip().lower()
        if text in choices:
            return text
        near = difflib.get_close_matches(text, [str(c) for c in choices], 1, 0.75)
        if near:
            return next(c for c in choices if str(c) == near[0])
        if str in options:
            return node
        raise LanguageError(f"{name} of {measure.name} must be one of {', '.join(map(str, choices))}, not {node!r}")
    if float in options and isinstance(node, int) and not isinstance(node, bool):
        return float(node)
    return node


def _as_found(given: Any, measure: Measure, objects: Selection | None) -> Found:
    """What a function gave back, in the one shape."""
    if isinstance(given, Found):
        return given
    if isinstance(given, Measurement):
        return Found((given,))
    if isinstance(given, tuple) and given and all(isinstance(m, Measurement) for m in given):
        return Found(given)
    of = f" of {objects.phrase()}" if objects is not None else ""
    return Found(
        (
            Measurement(
                f"{measure.name.replace('_', ' ')}{of}", given, measure.unit, found=objects.found if objects is not None else {}
            ),
        )
    )


def defaults(measure: Measure) -> dict[str, Any]:
    """The arguments that may be left out, with what they are then."""
    return {k: p.default for k, p in measure.parameters.items() if p.default is not inspect.Parameter.empty}
