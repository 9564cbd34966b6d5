"""Measurements of measurements: compared, checked, calculated with, converted, and repeated over parts, images, planes or
kinds."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ...errors import EvidenceError, LanguageError, MicroNBError
from ...models.ontology import ontology
from ..language import Call
from .conditions import COLOURS
from .evaluation import evaluate, selection
from .eyes import concept_of
from .measurement import Measurement
from .places import is_place
from .quantities import ALIASES, statistic
from .registry import measurement
from .results import Found, Result
from .scene import Scene
from .selecting import held
from .terms import Term
from .units import convert as in_unit
from .units import plain_unit

_AMONG = {
    "left/right": ("left", "right"), "top/bottom": ("top", "bottom"), "quadrants": ("top left", "top right", "bottom left",
    "bottom right"),
    "corners": ("top left", "top right", "bottom left", "bottom right"), "halves": ("left", "right", "top", "bottom"),
    "edges": ("left", "right", "top", "bottom"), "center/border": ("center", "border"), "sides": ("left", "right"),
}  # fmt: skip
WELCH: Mapping[str, object] = {
    "confidence_percent": 95,
    "interval_by": "Welch's t over images",
    "interval_covers": "the variation between images",
}
_SAME = 0.1  # two numbers are about the same within this share, or within one object
_OPS = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most", "==": "", "about": "about", "between": "between"}


def _shared(a: Term, b: Term) -> tuple[Measurement, Measurement]:
    """Both facts, the second in the unit of the first."""
    first, second = a.main, b.main
    if first.unit == second.unit or isinstance(second.value, str) or not first.unit or not second.unit:
        return first, second
    pixel = a.scene.image.pixel_size if a.scene.about is not None else None
    value = in_unit(second.number, second.unit, first.unit, float(np.sqrt(pixel["y"] * pixel["x"])) if pixel else None)
    return first, Measurement(second.quantity, value, first.unit, found=second.found)


def _apart(first: Measurement, second: Measurement) -> bool:
    """Whether two values are more apart than counting and rounding may make them."""
    a, b = first.number, second.number
    if "by_image" in first.found or first.interval is None or second.interval is None:
        return abs(a - b) > (1.0 if first.unit == "count" else 0.0) and abs(a - b) > _SAME * max(abs(a), abs(b))
    return first.interval[0] > second.interval[1] or second.interval[0] > first.interval[1]


_COMPARED: Mapping[str, tuple[str, str, str]] = {
    "count": ("many", "more", "fewer"), "coverage": ("much", "more", "less"), "share": ("much", "more", "less"),
    "density": ("dense", "denser", "sparser"), "distance": ("far apart", "farther apart", "closer together"),
    "area": ("large", "larger", "smaller"), "diameter": ("large", "larger", "smaller"), "length": ("long", "longer", "shorter"),
    "volume": ("large", "larger", "smaller"), "width": ("wide", "wider", "narrower"), "feret": ("long", "longer", "shorter"),
    "roundness": ("round", "rounder", "less round"), "aspect_ratio": ("elongated", "more elongated", "less elongated"),
    "intensity": ("bright", "brighter", "darker"), "pixels": ("bright", "brighter", "darker"),
}  # fmt: skip
"""Of what is compared: how it is said of one, and of two that differ."""


def _says_compare(result: Result) -> str:
    how = str(result.call.get("how", "difference"))
    both = f"{_side(result, 0)} against {_side(result, 1)}"
    positive, more, less = _comparatives(result)
    first, second = (m.number if not isinstance(m.value, str) else 0.0 for m in result.measured[1:3])
    word = more if first > second else less
    if how == "same" or result.measured[0].quantity == "the same":
        return f"{'Yes, about the same' if result.value else 'No, they differ'}: {both}."
    if how == "ratio":
        return f"{{0.value}} times as {positive}: {both}."
    if first == second:
        return f"{'No, the same' if how == 'greater' else 'No difference'}: {both}."
    if how == "greater":
        return f"{'Yes' if result.value else 'No'}, {word}: {both}."
    return f"{{size}} {word}: {both}."


def _comparatives(result: Result) -> tuple[str, str, str]:
    """Large, larger, smaller; of what was compared."""
    call = result.inner[0].call if result.inner else result.call
    of = call.args[0] if call.name == "stat" and call.args else call.name
    name = "intensity" if str(of).startswith("intensity") else ALIASES.get(str(of), str(of))
    return _COMPARED.get(name, ("great", "greater", "less"))


def _side(result: Result, k: int) -> str:
    """One of the two values with what it is of."""
    if k < len(result.inner):
        inner = result.inner[k]
        if inner.call.name == "count" and inner.selection is not None and "by_image" not in inner.main.found:
            return f"{{of{k}.0:objects}}"
        return f"{{{k + 1}}} ({{of{k}.what}})"
    return f"{{{k + 1}}}"


@measurement(
    "compare", says=_says_compare,
    examples={"How many more nuclei are on the left than on the right?": 'compare(count(obj("nucleus", where="left")), '
        'count(obj("nucleus", where="right")))',
              "red to white cells": 'compare(count("red blood cell"), count("white blood cell"), how="ratio")'},
)  # fmt: skip
def compare(a: Term, b: Term, *, how: Literal["difference", "ratio", "percent", "greater", "same"] = "difference") -> Found:
    """Two measurements: the first minus the second, over it, its change in per cent, whether it is greater, or whether they
    are the same."""
    first, second = _shared(a, b)
    if isinstance(first.value, str) or isinstance(second.value, str):
        same = first.value == second.value
        return Found((Measurement("the same", same), first, second), value=same, unit="")
    x, y = first.number, second.number
    if how in ("ratio", "percent") and y == 0:
        raise EvidenceError(f"the {second.quantity} is zero, so nothing can be given as a multiple of it")
    found = {"how": how}
    if how == "ratio":
        main = Measurement(f"ratio of {first.quantity} to {second.quantity}", x / y, "times", found=found)
    elif how == "percent":
        main = Measurement(f"change from {second.quantity} to {first.quantity}", 100 * (x - y) / abs(y), "%", found=found)
    elif how == "greater":
        main = Measurement(f"{first.quantity} greater than {second.quantity}", x > y, found=found)
    elif how == "same":
        main = Measurement(
            f"{first.quantity} about the same as {second.quantity}",
            not _apart(first, second),
            found={**found, "same_within": _SAME},
        )
    else:
        between = _between_images(a.main, b.main)
        main = Measurement(
            f"{first.quantity} minus {second.quantity}",
            round(x - y) if first.unit == second.unit == "count" and x == int(x) and y == int(y) else x - y,
            first.unit,
            between,
            {**found, **(WELCH if between else {})},
        )
    turned = main.interval if x >= y or main.interval is None else (-main.interval[1], -main.interval[0])
    size = (
        [Measurement("size of the difference", abs(main.number), main.unit, turned, main.found)]
        if how in ("difference", "percent")
        else []
    )
    return Found((main, first, second, *size), more={"size": "{3}{3.interval}"})


def _between_images(a: Measurement, b: Measurement) -> tuple[float, float] | None:
    """The 95 % interval of the difference of two conditions, whose images are the replicates; None where they are no
    conditions of several images."""
    values = [np.array(list(m.found.get("by_image", {}).values()), float) for m in (a, b)]
    if a.unit != b.unit or not all(len(v) > 1 for v in values):
        return None
    errors = [float(v.var(ddof=1)) / len(v) for v in values]
    if not sum(errors):
        return None
    freedom = sum(errors) ** 2 / sum(e**2 / (len(v) - 1) for e, v in zip(errors, values, strict=True))
    half, middle = float(stdtrit(freedom, 0.975)) * math.sqrt(sum(errors)), float(values[0].mean() - values[1].mean())
    return middle - half, middle + half


def _says_which(result: Result) -> str:
    first, *others = result.measured[1:]
    rest = ", against {2} {second}" if others else ""
    if others and first.value == others[0].value:
        return "{name} and {other} tie, with {1} each."
    of = result.inner[0].call.name if result.inner else str(result.call.args[0]).partition("(")[0]
    least, two = result.call.get("order") == "min", len(others) == 1
    if of in ("count", "coverage", "share", "density", "exists"):
        few = "fewer" if of == "count" else "less"
        word = (few if least else "more") if two else f"the {'fewest' if of == 'count' else 'least'}" if least else "the most"
        return f"{{name}} has {word}: {{1}}{rest}."
    return f"{{name}}, with {'the least' if least else 'the most'}: {{1}}{rest}."


def _called(name: str, among: object) -> str:
    """A part, plane, image or kind as it is spoken of."""
    if name in ("left", "right", "top", "bottom"):
        return f"the {name} half"
    plane = {"frames": "frame", "slices": "slice", "channels": "channel"}.get(str(among), "")
    return f"the {name}" if is_place(name) else f"{plane} {name.removeprefix(f'{plane} ')}".strip()


@measurement(
    "which", says=_says_which,
    examples={"Which half has more nuclei?": 'which(count("nucleus"), among="halves")',
              "which channel is brightest": 'which(pixels("mean"), among="channels")',
              "are there more on the left or on the right": 'which(count("object"), among="left/right")'},
)  # fmt: skip
def which(a: Term, *, among: object, order: Literal["max", "min"] = "max", scene: Scene) -> Found:
    """For which part, image, channel, plane or kind a measurement is greatest or least, with the runner-up."""
    values: dict[str, Measurement] = {}
    problem: MicroNBError | None = None
    for name, term in _among(a, among, scene):
        try:
            values[name] = _numeric(term)
        except MicroNBError as error:
            problem = error
    numbers = {k: m.number for k, m in values.items() if not isinstance(m.value, str | bool)}
    if not numbers:
        raise problem or EvidenceError(f"there is nothing to compare among {among}")
    ranked = sorted(numbers, key=lambda k: -numbers[k] if order == "max" else numbers[k])
    best = ranked[0]
    quantity = next(iter(values.values())).quantity
    table = pd.DataFrame(
        {quantity: list(numbers.values())}, index=pd.Index(list(numbers), name=str(among) if isinstance(among, str) else "of")
    )
    rows = tuple(
        Measurement(f"{values[k].quantity}, {k}", numbers[k], values[k].unit, found={**values[k].found, "where": k})
        for k in ranked
    )
    winner = Measurement(
        f"where {quantity} is {'greatest' if order == 'max' else 'least'}", best, found={"among": list(numbers), "order": order}
    )
    names = [_called(k, among) for k in ranked]
    where = [f"in {n}" if is_place(k) else f"for {n}" for n, k in zip(names, ranked, strict=True)]
    more = {
        "name": names[0][:1].upper() + names[0][1:],
        "other": names[1] if len(names) > 1 else "",
        "second": where[1] if len(where) > 1 else "",
    }
    return Found((winner, *rows), table=table, more=more)


def _numeric(term: Term) -> Measurement:
    """Its answer, or, where that is a yes or no, the number it was decided by."""
    main = term.main
    if not isinstance(main.value, bool):
        return main
    return next((m for m in term.result.measured if isinstance(m.value, int | float) and not isinstance(m.value, bool)), main)


def _among(a: Term, among: object, scene: Scene) -> list[tuple[str, Term]]:
    """The measurement for every one of what is compared."""
    if isinstance(among, str):
        key = among.lower()
        if key in _AMONG:
            return [(p, a.where(p)) for p in _AMONG[key]]
        planes = {"frames": "t", "frame": "t", "slices": "z", "slice": "z", "time": "t"}.get(key)
        if planes is not None:
            n = scene.images[scene.about].sizes.get(planes, 1) if scene.about else 1
            return [(str(k), a.at(Call.of(planes, k))) for k in range(1, n + 1)]
        if key in ("images", "image", "wells", "well", "files"):
            names = list(scene.groups) or list(scene.images)
            return [(n, a.where(Call.of("image", n))) if n in scene.groups else (n, a.on(n)) for n in names]
        if key in ("channels", "channel"):
            return [(c.name, _in_channel(a, c.name)) for c in scene.image.channels]
        if key in ("kinds", "kind"):
            counted = evaluate(Call.of("kinds"), scene)
            names = [str(m.found["kind"]) for m in counted.measured[1:]]
            return [(n, a.of_kind(n)) for n in names]
        raise LanguageError(
            f"among={among!r} is not known; say halves, left/right, top/bottom, quadrants, channels, images, frames, slices, "
            f"kinds, or a list"
        )
    return [(str(n), _variant(a, n, scene)) for n in (among if isinstance(among, tuple) else (among,))]


def _in_channel(a: Term, name: str) -> Term:
    if isinstance(a.node, Call) and a.node.name in ("pixels", "quality", "profile"):
        return a.given(channel=name)

    def change(c: Call) -> Call:
        return c.but(channel=name) if c.name in ("obj", "pixels") else c

    node = a.node.map(change) if isinstance(a.node, Call) else a.node
    if node == a.node and isinstance(node, Call):
        node = node.with_args(
            *(Call.of("obj", v, channel=name) if k == 0 and isinstance(v, str) else v for k, v in enumerate(node.args))
        )
    return Term(node, a.scene, a.evaluate)


def _variant(a: Term, item: object, scene: Scene) -> Term:
    """The measurement of a place, an image, a colour, a kind, or a state."""
    if not isinstance(item, str):
        return a.where(item) if isinstance(item, Call) else a
    if is_place(item):
        return a.where(item)
    if item in scene.images or item in scene.groups:
        return a.where(Call.of("image", item))
    if item.lower() in (*COLOURS, "brown", "black"):
        return _having(a, f'color == "{item.lower()}"')
    kind = concept_of(item)
    if kind is not None and kind in ontology() and ontology()[kind].countable:
        return a.of_kind(item)
    return _having(a, f'is "{item}"')


def _having(a: Term, text: str) -> Term:
    from ..language.forms import OBJECTS_AT, OBJECTS_FIRST

    if not isinstance(a.node, Call):
        return a
    at = 0 if a.node.name in OBJECTS_FIRST else OBJECTS_AT.get(a.node.name, 0)
    objects = a.node.args[at] if len(a.node.args) > at else "object"
    objects = Call.of("obj", objects) if isinstance(objects, str) else objects
    both = f"({objects.get('having')}) and {text}" if objects.get("having") is not None else text
    return Term(a.node.with_args(*a.node.args[:at], objects.but(having=both), *a.node.args[at + 1 :]), a.scene, a.evaluate)


def _says_check(result: Result) -> str:
    yes = "Yes" if result.value else "No"
    if len(result.measured) < 2 or isinstance(result.measured[1].value, str):
        seen = str(result.measured[1].value) if len(result.measured) > 1 else ""
        return f"{yes}: it is {{1.value}}." if seen and not any(c.isdigit() for c in seen) else f"{yes}."
    inner = result.inner[0] if result.inner else None
    if inner is not None and inner.call.name == "count" and inner.selection is not None:
        return f"{yes}, I count {{of0.0:objects}}{{of0.0.interval}}."
    if inner is not None and inner.call.name == "exists":
        return f"{yes}: {{of0.1:objects}}."
    return f"{yes}: {{of0.what}} is {{1}}." if inner is not None else f"{yes}: {{1}}."


@measurement(
    "check", says=_says_check,
    examples={"Are there more than 100 cells?": 'check(count("cell"), ">", 100)',
              "I counted 40 nuclei, correct?": 'check(count("nucleus"), "==", 40)',
              "is the mean area over 80 µm²": 'check(stat("area", "mean", "object"), ">", 80, "um2")'},
)  # fmt: skip
def check(a: Term, op: str, claim: object, unit: str = "") -> Found:
    """Whether a claim about a measurement holds: more, less, equal (within a tenth, or one object), about, between; or a claim
    in words."""
    if op in ("is", "is not") or isinstance(claim, str):
        return _named(a, str(claim), op)
    main = a.main
    if isinstance(main.value, bool):
        holds = main.value == bool(claim)
        return Found((Measurement(f"{main.quantity}: as claimed", holds), main))
    if isinstance(main.value, str):
        return _named(a, str(claim), op)
    value = _in_claimed(a, main, plain_unit(unit))
    limits = [float(c) for c in claim] if isinstance(claim, tuple) else [float(str(claim))]  # type: ignore[arg-type]
    holds = _holds(value.number, op, limits, value.unit == "count")
    stated = tuple(
        Measurement("value claimed" if len(limits) == 1 else f"limit claimed, number {k}", v, value.unit)
        for k, v in enumerate(limits, 1)
    )
    words = _OPS.get(op, op)
    return Found(
        (Measurement(f"{main.quantity} {words} what is claimed", holds, found={"op": op, "agrees_within": _SAME}), value, *stated)
    )


def _in_claimed(a: Term, main: Measurement, unit: str) -> Measurement:
    """The value in the unit of the claim."""
    if not unit or unit in (main.unit, "count") or main.unit in ("grey value",) or unit == "grey value":
        return main
    pixel = a.scene.image.pixel_size if a.scene.about is not None else None
    value = in_unit(main.number, main.unit, unit, float(np.sqrt(pixel["y"] * pixel["x"])) if pixel else None)
    return Measurement(main.quantity, value, unit, found=main.found)


def _holds(value: float, op: str, limits: list[float], counted: bool) -> bool:
    limit = limits[0]
    if op == "between":
        return min(limits) <= value <= max(limits)
    if op in ("==", "=") and limit in (0, 100) and not counted:
        return abs(value - limit) < 0.5  # all or none is meant, not nearly all
    if op in ("==", "about", "="):
        return abs(value - limit) <= max(1.0 if counted else 0.0, (_SAME if op != "about" else 2 * _SAME) * abs(limit))
    if op == "!=":
        return not _holds(value, "==", limits, counted)
    return {">": value > limit, ">=": value >= limit, "<": value < limit, "<=": value <= limit}.get(op, False)


def _named(a: Term, claim: str, op: str) -> Found:
    """A claim in words: what is recognised or classified is that, or a kind of it."""
    main, said = a.main, claim.lower().strip()
    words = [str(m.value).lower() for r in a.results for m in r.measured if isinstance(m.value, str)] or [str(main.value).lower()]
    holds = any(_means(said, seen) for seen in words) != (op == "is not")
    return Found((Measurement(f"{main.quantity} is {claim}", holds, found={"claimed": claim, **main.found}), main))


def _means(said: str, seen: str) -> bool:
    """Whether what is seen is what is said, or a kind of it."""
    known, ids = ontology(), [concept_of(t) or t for t in (said, seen)]
    return said in seen or seen in said or (ids[1] in known and ids[0] in known and known.is_a(ids[1], ids[0]))


def _says_calc(result: Result) -> str:
    sides = [
        f"{{{k + 1}}} ({{of{k}.what}})" if isinstance(n, Call) else f"{{{k + 1}}}" for k, n in enumerate(result.call.args[1:])
    ]
    inner = [k for k, n in enumerate(result.call.args[1:]) if isinstance(n, Call)]
    shown = [f"{{{k + 1}}} ({{of{inner.index(k)}.what}})" if k in inner else side for k, side in enumerate(sides)]
    words = {"+": " plus ", "-": " minus ", "*": " times ", "/": " divided by ", "^": " to the power of "}
    op = str(result.call.args[0])
    return f"That makes {{0}}: {'the root of ' + shown[0] if op == 'sqrt' else words.get(op, ' and ').join(shown)}."


@measurement(
    "calc",
    says=_says_calc,
    examples={
        "foci per nucleus, all divided by all": 'calc("/", count("focus"), count("nucleus"))',
        "what is 12 times 7": 'calc("*", 12, 7)',
    },
)
def calc(op: str, a: Term, b: Term | None = None) -> Found:
    """``+ - * / ^ sqrt`` over measurements and numbers; units go along where they can."""
    first = a.main
    if op == "sqrt":
        return Found((Measurement(f"root of {first.quantity}", math.sqrt(first.number)), first))
    if b is None:
        raise LanguageError(f"calc({op!r}) needs two values")
    second = _shared(a, b)[1] if op in "+-" else b.main
    x, y = first.number, second.number
    if op == "/" and y == 0:
        raise EvidenceError(f"{second.quantity} is nothing, and nothing can be divided by it")
    ops = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": operator.pow, "**": operator.pow}
    if op not in ops:
        raise LanguageError(f"calc knows + - * / ^ and sqrt, not {op!r}")
    unit = first.unit or second.unit if op in "+-" else _unit(op, first.unit, second.unit)
    words = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}.get(op, "to the power of")
    return Found((Measurement(f"{first.quantity} {words} {second.quantity}", float(ops[op](x, y)), unit), first, second))


def _unit(op: str, a: str, b: str) -> str:
    if op == "*":
        return a if b in ("", "count", "times") else b if a in ("", "count", "times") else ""
    if op == "/":
        return "" if a == b else a if b in ("", "count", "times") else ""
    return ""


@measurement(
    "convert",
    examples={
        "in microns please": 'convert(stat("diameter", "mean", "object"), "um")',
        "field of view in mm": 'convert(image("field"), "mm")',
    },
)
def convert(a: Term, unit: str) -> Found:
    """The same measurement in another unit."""
    inner = a.result
    unit = plain_unit(unit)
    unit = f"{unit}2" if unit in ("px", "um", "nm", "mm") and inner.unit in ("px2", "um2", "nm2", "mm2") else unit
    size = a.scene.image.pixel_size if a.scene.about is not None else None
    pixel = float(np.sqrt(size["y"] * size["x"])) if size else None
    main = inner.main
    rest = tuple(_converted(m, unit, pixel) if m.unit == main.unit else m for m in inner.measured[1:])
    says = inner.found.says if inner.found.says is not None else inner.measure.says
    template = says(inner) if callable(says) else says
    return Found(
        (_converted(main, unit, pixel), *rest),
        template or None,
        shown=inner.selection,
        table=inner.found.table,
        more=inner.found.more,
    )


def _converted(m: Measurement, unit: str, pixel: float | None) -> Measurement:
    if isinstance(m.value, tuple | str | bool) or m.value is None:
        return m
    factor = in_unit(1.0, m.unit, unit, pixel)
    interval = (m.interval[0] * factor, m.interval[1] * factor) if m.interval else None
    return Measurement(m.quantity, m.number * factor, unit, interval, {**m.found, "converted_from": m.unit}, m.level)


def _says_each(result: Result) -> str:
    if result.measured[0].found.get("of_kind"):
        return (
            "On average {0.value} per {per} (median {1.value}, from {2.value} to {3.value}, over {4.value}); the table "
            "has a row for each."
        )
    return "The table has {n} rows: from {1} to {2}, on average {0}."


@measurement(
    "each",
    says=_says_each,
    examples={
        "spots per nucleus, one row each": 'each(count("spot"), per="nucleus")',
        "count the cells in every quadrant": 'each(count("cell"), per="quadrant")',
    },
)
def each(a: Term, *, per: str, scene: Scene) -> Found:
    """The same measurement for every image, well, frame, slice, quadrant, channel or kind, or for every object of another
    kind: a table."""
    plural = {
        "quadrant": "quadrants",
        "half": "halves",
        "frame": "frames",
        "slice": "slices",
        "image": "images",
        "well": "wells",
        "channel": "channels",
        "kind": "kinds",
        "corner": "corners",
    }
    key = per.lower().strip()
    if key in plural or key in plural.values() or key in ("file", "condition", "type"):
        among = plural.get(key, {"file": "images", "condition": "images", "type": "kinds"}.get(key, key))
        every = key in ("image", "images", "file")  # of conditions too, whose means are per="condition"
        rows = {n: a.on(n) for n in scene.images} if every else dict(_among(a, among, scene))
        values = {name: _number(term) for name, term in rows.items()}
        unit = next((t.unit for n, t in rows.items() if values[n] is not None), "")
        return _rows(values, unit, a, per)
    return _per_object(a, per, scene)


def _number(term: Term) -> float | None:
    try:
        return term.number
    except MicroNBError:
        return None


def _rows(values: dict[str, float | None], unit: str, a: Term, per: str) -> Found:
    numbers = np.array([v for v in values.values() if v is not None], float)
    if not len(numbers):
        raise EvidenceError(f"{a.node} could be measured for no {per}")
    name = str(a.node)
    found = {"rows": values, "per": per}
    table = pd.DataFrame(
        {f"{name}{f' ({unit})' if unit not in ('', 'count') else ''}": list(values.values())},
        index=pd.Index(list(values), name=per),
    )
    measured = tuple(
        Measurement(f"{word} per {per}", float(v), unit, found=found)
        for word, v in (("mean", numbers.mean()), ("least", numbers.min()), ("most", numbers.max()))
    )
    return Found(
        (
            *measured,
            Measurement("rows", len(values), "count"),
            *(Measurement(f"{per} {k}", v, unit) for k, v in values.items() if v is not None),
        ),
        table=table,
        more={"n": "{3.value}"},
    )


def _per_object(a: Term, per: str, scene: Scene) -> Found:
    """Of objects held by others: how many in each, or a statistic of those in each."""
    if not isinstance(a.node, Call) or a.node.name not in ("count", "exists"):
        raise EvidenceError(f'for every single {per} I can count what lies in it: each(count("spot"), per="{per}")')
    holders, others = selection(per, scene), selection(a.node.args[0], scene)
    holders.need_some()
    labels = holders.table["label"].to_numpy(int)
    counts = held(holders, others)[labels]
    found = {
        **holders.found,
        "rows": {str(k): int(v) for k, v in zip(labels, counts, strict=True)},
        "per": per,
        "of_kind": others.kind,
    }
    rows = (
        ("mean", float(counts.mean())),
        ("median", statistic(counts.astype(float), "median")),
        ("least", int(counts.min())),
        ("most", int(counts.max())),
    )
    measured = tuple(Measurement(f"{word} number of {others.many} per {per}", v, "", found=found) for word, v in rows)
    table = pd.DataFrame({f"number of {others.many}": counts}, index=pd.Index(labels, name=per))
    n = Measurement(f"number of {holders.many}", len(holders), "count", found=holders.found)
    return Found((*measured, n), shown=holders, table=table, more={"per": holders.one})
