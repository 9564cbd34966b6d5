"""Measurements of measurements: compared, checked, calculated with, converted, and repeated over parts, images, planes or
kinds."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...errors import EvidenceError, LanguageError, MicroNBError
from ...models.ontology import ontology
from ..language import Call
from ..language.forms import is_made_of
from ..words.phrases import article, kind_phrase, objects_phrase, ordinal, place_phrase, quantity_phrase
from ..words.printing import print_number
from ..words.tables import listed as in_a_row
from ..words.tables import table
from .evaluation import between_images, evaluate, selection
from .eyes import concept_of, is_kind
from .measurement import Fact, Measurement
from .quantities import ALIASES, plain_unit, statistic
from .quantities import convert as in_unit
from .registry import measurement
from .results import Found, Term
from .scene import PLANES, Scene, is_place

_WELCH = {
    "confidence_percent": 95, "interval_by": "Welch's t over images", "interval_covers": "the variation between images",
}  # fmt: skip
How = Literal["difference", "ratio", "percent", "greater", "less", "same"]
Between = Callable[[float, float], float]
_FEW_ROWS = 6  # of a table that is said in words
_MOST_HOLDERS = 200  # in each of which something other than a number is measured
_SAME = 0.1  # two numbers are about the same within this share, or within one object
_COMPARE: Mapping[How, tuple[Between, str, str]] = {
    "difference": (operator.sub, "{0} minus {1}", ""), "ratio": (operator.truediv, "ratio of {0} to {1}", "times"),
    "percent": (lambda x, y: 100 * (x - y) / abs(y), "change from {1} to {0}", "%"),
    "greater": (operator.gt, "{0} greater than {1}", ""), "less": (operator.lt, "{0} less than {1}", ""),
    "same": (operator.eq, "{0} about the same as {1}", ""),
}  # fmt: skip
_ORDER = ("greater", "less")
_CALC: Mapping[str, Between] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": operator.pow,
}  # fmt: skip
_OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
_IS: Mapping[str, Between] = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def _in(m: Measurement, unit: str, a: Term) -> Measurement:
    """A fact in another unit, with its interval."""
    if m.unit == unit:
        return m
    value, *ends = (in_unit(v, m.unit, unit, a.scene.pixel_um) for v in (m.number, *(m.interval or ())))
    interval = (ends[0], ends[1]) if ends else None
    return replace(m, value=value, unit=unit, interval=interval, found={**m.found, "converted_from": m.unit})


def _shared(a: Term, b: Term) -> tuple[Measurement, Measurement]:
    """Both facts, the second in the unit of the first."""
    first, second = a.main, b.main
    words = isinstance(second.value, str | bool | tuple) or not first.unit or not second.unit
    return first, second if words else _in(second, first.unit, a)


def _apart(first: Measurement, second: Measurement) -> bool:
    """Whether two values are more apart than counting and rounding may make them."""
    a, b = first.number, second.number
    if "by_image" in first.found or first.interval is None or second.interval is None:
        return abs(a - b) > (1.0 if first.unit == "count" else 0.0) and abs(a - b) > _SAME * max(abs(a), abs(b))
    return first.interval[0] > second.interval[1] or second.interval[0] > first.interval[1]


@measurement("compare")
def compare(a: Term, b: Term, *, how: How = "difference") -> Found:
    """Two measurements: the first minus the second, over it, its change in per cent, whether it is greater or less, or whether
    they are the same. A difference is said by its size and which is more."""
    first, second = _shared(a, b)
    sides = {f"side{k}": _side(term, k) for k, term in enumerate((a, b))}
    if isinstance(first.value, str) or isinstance(second.value, str):
        same = first.value == second.value
        verdict = Measurement("the same", same)
        return Found((verdict, first, second), "same" if same else "unlike", same, "", more=sides)
    x, y = first.number, second.number
    if how in ("ratio", "percent") and y == 0:
        raise EvidenceError(f"the {second.quantity} is zero, so nothing can be given as a multiple of it")
    function, called, unit = _COMPARE[how]
    value, between = function(x, y) if how != "same" else not _apart(first, second), None
    told: dict[str, object] = {"how": how}
    if how == "difference":
        welch, unit = between_images(a.main, b.main), first.unit
        value = round(x - y) if unit == second.unit == "count" and (x - y).is_integer() else value
        if welch is not None:
            between, told = tuple(map(float, welch.confidence_interval())), {**told, **_WELCH}
    main: Fact = (called.format(first.quantity, second.quantity), value, unit, between)
    turned = between if x >= y or between is None else (-between[1], -between[0])
    size = (("size of the difference", abs(value), unit, turned),) if how in ("difference", "percent") else ()
    one, more, less = _comparatives(a)
    says = _compared(how, x, y, bool(value))
    said = abs(value) if size else None  # "15 fewer" is fifteen
    return Found.of(
        told, main, first, second, *size, says=says, value=said, positive=one, word=more if x > y else less, more=sides
    )


def _compared(how: How, x: float, y: float, so: bool) -> str:
    """Which sentence is said of two that are compared."""
    if how == "same":
        return "same" if so else "unlike"
    if how == "ratio":
        return "ratio"
    if x == y:
        return "not_even" if how in _ORDER else "even"
    return ("so" if so else "not_so") if how in _ORDER else "differ"


def _comparatives(a: Term) -> tuple[str, str, str]:
    """Large, larger, smaller; of what is compared."""
    call = a.node if isinstance(a.node, Call) else Call("")
    of = str(call.args[0] if call.name == "stat" and call.args else call.name)
    name = "intensity" if of.startswith("intensity") else ALIASES.get(of, of)
    one, more, less = table("quantities")["compared"].get(name, ("great", "greater", "less"))
    return one, more, less


def _side(term: Term, k: int) -> str:
    """One of two values with what it is of, as a template."""
    if not isinstance(term.node, Call):
        return f"{{{k + 1}}}"
    counted = term.node.name == "count" and term.result.selection is not None and "by_image" not in term.main.found
    return f"{{of{k}.0:objects}}" if counted else f"{{{k + 1}}} ({{of{k}.what}})"


@measurement("which")
def which(
    a: Term, *, among: object, order: Literal["max", "min"] = "max", n: float = 1, rank: bool = False, scene: Scene
) -> Found:
    """For which part, image, channel, plane or kind a measurement is greatest or least, with the runner-up; the first ``n``
    of them; with ``rank`` the one that ranks number ``n``."""
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
    least, ranked = order == "min", sorted(numbers, key=lambda k: -numbers[k] if order == "max" else numbers[k])
    place, many = (int(n), 1) if rank else (1, max(1, min(int(n), len(ranked))))
    if not 0 < place <= len(ranked):
        raise EvidenceError(f"there are only {len(ranked)} to compare, so none ranks number {place}")
    ranked.insert(0, ranked.pop(place - 1))
    tied = [k for k in ranked[1:] if numbers[k] == numbers[ranked[0]]] if many == 1 else []
    beside = tied[0] if tied else _OPPOSITE.get(ranked[0])  # among halves, the one on the other side
    if beside in ranked[2:] and many == place == 1:
        ranked.insert(1, ranked.pop(ranked.index(beside)))
    quantity = next(iter(values.values())).quantity
    winner = (f"where {quantity} is {'least' if least else 'greatest'}", in_a_row(ranked[:many]))
    rows = [(values[k], {**values[k].found, "where": k}, k) for k in ranked]
    facts = [replace(m, quantity=f"{m.quantity}, {k}", interval=None, found=found) for m, found, k in rows]
    index = pd.Index(list(numbers), name=among if isinstance(among, str) else "of")
    shown, names = pd.DataFrame({quantity: list(numbers.values())}, index=index), [_called(k, among) for k in ranked]
    more = {"name": names[0][:1].upper() + names[0][1:], "most": _most(a, least, len(ranked) == 2, place), "rest": ""}
    if many > 1:
        more["first"] = in_a_row([f"{name} ({{{k}}})" for k, name in enumerate(names[:many], 1)])
    elif len(ranked) > 1:
        beside = place_phrase(ranked[1]) if is_place(ranked[1]) else f"for {names[1]}"
        more |= {"other": names[1], "rest": f", {'after' if place > 1 else 'against'} {{2}} {beside}"}
        if len(ranked) > 2 and place == 1 and numbers[ranked[0]] > 0 and not any(numbers[k] for k in ranked[1:]):
            more["rest"] = ", and the others none"
    how = {"among": list(numbers), "order": order}
    return Found.of(how, winner, *facts, says="several" if many > 1 else "tie" if tied else "is", table=shown, more=more)


def _most(a: Term, least: bool, of_two: bool, place: int) -> str:
    """How the winner is said to have it: "has more", "has the second fewest", "with the most"."""
    nth = ordinal(place)
    name = a.node.name if isinstance(a.node, Call) else ""
    if name not in ("count", "coverage", "share", "density", "exists"):
        return f", with the {nth}{'least' if least else 'most'}"
    few, fewest = ("fewer", "fewest") if name == "count" else ("less", "least")
    return f" has {few if least else 'more'}" if of_two and place == 1 else f" has the {nth}{fewest if least else 'most'}"


def _called(name: str, among: object) -> str:
    """A part, plane, image or kind as it is spoken of."""
    if name in ("left", "right", "top", "bottom"):
        return f"the {name} half"
    plane = {"frames": "frame", "slices": "slice", "channels": "channel"}.get(str(among), "")
    return f"the {name}" if is_place(name) else f"{plane} {name.removeprefix(f'{plane} ')}".strip()


def _numeric(term: Term) -> Measurement:
    """Its answer, or, where that is a yes or no, the number it was decided by."""
    main = term.main
    if not isinstance(main.value, bool):
        return main
    return next((m for m in term.result.measured if isinstance(m.value, int | float) and not isinstance(m.value, bool)), main)


def _group(word: str) -> str:
    """What is compared or repeated over, by a word for one of it: a frame, a condition."""
    key = word.lower().strip()
    return str(table("looks")["among_alias"].get(key, key))


def _among(a: Term, among: object, scene: Scene) -> Iterable[tuple[str, Term]]:
    """The measurement for every one of what is compared."""
    if not isinstance(among, str):
        every = among if isinstance(among, tuple) else (among,)
        return [(objects_phrase(n) if isinstance(n, Call) and n.name == "obj" else str(n), _variant(a, n, scene)) for n in every]
    key, parts = _group(among), table("looks")["among"]
    if key in parts:
        return [(p, a.where(p)) for p in parts[key]]
    if key == "images":
        names = list(scene.groups) or list(scene.images)
        return [(n, a.where(Call.of("image", n)) if n in scene.groups else a.on(n)) for n in names]
    if key == "channels":
        return [(c.name, a.in_channel(c.name)) for c in scene.image.channels]
    if key == "kinds":
        counted = evaluate(Call.of("kinds"), scene)
        return [(n, a.of_kind(n)) for n in (str(m.found["kind"]) for m in counted.measured[1:])]
    axis = next((axis for axis, (_, many) in PLANES.items() if many == key), None)
    if axis is None and (kind := among if is_made_of(among) else concept_of(among)) is not None:
        one = kind_phrase(kind, 1)
        spots = selection(kind, scene).spots
        return ((f"{one} {k} ({spot})", term) for spot, (k, term) in zip(spots, _in_each(a, kind, scene), strict=True))
    if axis is None:
        known = "halves, left/right, top/bottom, quadrants, channels, images, frames, slices, kinds, or a list"
        raise LanguageError(f"among={among!r} is not known; say {known}")
    n = scene.open_image.sizes.get(axis, 1) if scene.open_image is not None else 1
    return [(str(k), a.at(Call.of(axis, k))) for k in range(1, n + 1)]


def _variant(a: Term, item: object, scene: Scene) -> Term:
    """The measurement of a place, an image, a colour, a kind, or a state."""
    if isinstance(item, Call):
        return a.of(item) if item.name == "obj" else a.where(item)
    if not isinstance(item, str):
        return a
    if is_place(item):
        return a.where(item)
    if item in scene.images or item in scene.groups:
        return a.where(Call.of("image", item))
    if item.lower() in (*table("looks")["colour"], "brown", "black"):
        return a.having(f'color == "{item.lower()}"')
    kind = concept_of(item)
    countable = kind is not None and kind in ontology() and ontology()[kind].countable
    return a.of_kind(item) if countable else a.having(f'is "{item}"')


@measurement("check")
def check(a: Term, op: str, claim: object, unit: str = "") -> Found:
    """Whether a claim about a measurement holds: more, less, equal (within a tenth, or one object), about, between; or a claim
    in words."""
    main, word = a.main, str(claim).lower().strip()
    looks = table("looks")["claim"].get(a.node.name, {}) if isinstance(a.node, Call) else {}
    if word in looks:
        by, limit = looks[word]
        return _called_so(main, word, by, limit, op)
    if op in ("is", "is not") or isinstance(claim, str) or isinstance(main.value, str):
        return _named(a, str(claim), op)
    if isinstance(main.value, bool):
        return _judged(Measurement(f"{main.quantity}: as claimed", main.value == bool(claim)), a, main)
    unit = plain_unit(unit)
    value = main if unit in ("", "count", "grey value") or main.unit == "grey value" else _in(main, unit, a)
    limits = [float(str(c)) for c in (claim if isinstance(claim, tuple) else (claim,))]
    names = ["value claimed"] if len(limits) == 1 else [f"limit claimed, number {k}" for k in range(1, len(limits) + 1)]
    stated = [Measurement(name, v, value.unit) for name, v in zip(names, limits, strict=True)]
    holds, words = _holds(value.number, op, limits, value.unit == "count"), table("quantities")["operator"].get(op, op)
    verdict = Measurement(f"{main.quantity} {words} what is claimed", holds, found={"op": op, "agrees_within": _SAME})
    return _judged(verdict, a, value, *stated)


def _judged(verdict: Measurement, a: Term, value: Measurement, *stated: Measurement) -> Found:
    """A claim with what it was held against."""
    inner = a.result if isinstance(a.node, Call) else None
    says = "value" if inner is not None else "number"
    if isinstance(value.value, bool | str):
        says = "words" if isinstance(value.value, str) and not any(c.isdigit() for c in value.value) else "bare"
    if inner is not None and inner.call.name in ("count", "exists") and inner.selection is not None:
        says = inner.call.name
    said = concept_of(str(value.value))
    one = article(str(value.value)) if said is not None and said in ontology() and ontology()[said].countable else ""
    return Found((verdict, value, *stated), says, more={"yes": "Yes" if verdict.value else "No", "article": one})


def _holds(value: float, op: str, limits: list[float], counted: bool) -> bool:
    limit = limits[0]
    if op == "between":
        return min(limits) <= value <= max(limits)
    if op == "!=":
        return not _holds(value, "==", limits, counted)
    if op in ("==", "=") and limit in (0, 100) and not counted:
        return abs(value - limit) < 0.5  # all or none is meant, not nearly all
    if op in ("==", "about", "="):
        return abs(value - limit) <= max(1.0 if counted else 0.0, (2 * _SAME if op == "about" else _SAME) * abs(limit))
    return op in _IS and bool(_IS[op](value, limit))


def _called_so(main: Measurement, word: str, by: str, limit: float, op: str) -> Found:
    """A word that is said of a number from a limit on: confluent, of the area that is covered."""
    holds = bool(_IS[by](main.number, limit)) != (op == "is not")
    rows = ((f"{main.quantity}: {word}", holds), main, Measurement(f"limit taken for {word}", limit, main.unit))
    from_on = {">=": "from {2} on", "<": "below {2}", "<=": "up to {2}"}[by]
    how = {"claimed": word, "op": by}
    return Found.of(how, *rows, says="called_so", yes="Yes" if holds else "No", op=from_on, word=word)


def _named(a: Term, claim: str, op: str) -> Found:
    """A claim in words: what is recognised or classified is that, or a kind of it."""
    main, said = a.main, claim.lower().strip()
    words = [str(m.value).lower() for r in a.results for m in r.measured if isinstance(m.value, str)] or [str(main.value).lower()]
    holds = any(said in seen or seen in said or is_kind(concept_of(seen) or seen, concept_of(said) or said) for seen in words)
    holds = holds != (op == "is not")
    return _judged(Measurement(f"{main.quantity} is {claim}", holds, found={"claimed": claim, **main.found}), a, main)


@measurement("calc")
def calc(op: str, a: Term, b: Term | None = None) -> Found:
    """``+ - * / ^ sqrt`` over measurements and numbers; units go along where they can."""
    first, op = a.main, op.replace("**", "^")
    sides = [t for t in (a, b) if t is not None]
    inner = [t for t in sides if isinstance(t.node, Call)]
    more = {f"side{k}": f"{{{k + 1}}}" + (f" ({{of{inner.index(t)}.what}})" if t in inner else "") for k, t in enumerate(sides)}
    if op == "sqrt":
        return Found((Measurement(f"root of {_of(a)}", math.sqrt(first.number)), first), "root", more=more)
    if b is None or op not in _CALC:
        raise LanguageError(f"calc knows + - * / ^ of two values and sqrt of one, not {op!r} of {len(sides)}")
    second = _shared(a, b)[1] if op in "+-" else b.main
    if op == "/" and second.number == 0:
        raise EvidenceError(f"{second.quantity} is nothing, and nothing can be divided by it")
    words = table("quantities")["operator"][op]
    value, quantity = float(_CALC[op](first.number, second.number)), f"{_of(a)} {words} {_of(b)}"
    main = Measurement(quantity, value, _unit(op, first.unit, second.unit))
    return Found((main, first, second), more={**more, "op": words})


def _of(term: Term) -> str:
    """What a value is of; of a number, that number."""
    return term.main.quantity if isinstance(term.node, Call) else print_number(term.main.number)


def _unit(op: str, a: str, b: str) -> str:
    """The unit that a calculation gives."""
    pure = ("", "count", "times")
    if op in "+-":
        return a or b
    if op == "*":
        return a if b in pure else b if a in pure else ""
    return a if op == "/" and a != b and b in pure else ""


@measurement("convert")
def convert(a: Term, unit: str) -> Found:
    """The same measurement in another unit."""
    inner, unit = a.result, plain_unit(unit)
    main = inner.main
    unit = f"{unit}2" if unit in ("px", "um", "nm", "mm") and main.unit in ("px2", "um2", "nm2", "mm2") else unit
    kept = (tuple, str, bool, type(None))
    measured = (_in(m, unit, a) if m.unit == main.unit and not isinstance(m.value, kept) else m for m in inner.measured)
    parts = any("{of" in words for words in (inner.template, *inner.found.more.values()))  # its sentence speaks of its own parts
    says = "That is {0}." if parts else inner.template
    return Found(tuple(measured), says, shown=inner.selection, table=inner.found.table, more=inner.found.more)


@measurement("each")
def each(a: Term, *, per: str, scene: Scene) -> Found:
    """The same measurement for every image, well, frame, slice, quadrant, channel or kind, or for every object of another
    kind: a table."""
    key, known = per.lower().strip(), table("looks")["among_alias"]
    by_object = key not in known and key not in known.values()
    if by_object and isinstance(a.node, Call) and a.node.name in ("count", "coverage") and not a.node.given:
        return _held_in(a.node, per, scene)
    every = key in ("image", "images", "file")  # of conditions too, whose means are per="condition"
    rows = ((n, a.on(n)) for n in scene.images) if every else _in_each(a, per, scene) if by_object else _among(a, key, scene)
    values, unit = dict[str, float | None](), ""
    for name, term in rows:
        try:
            values[name], unit = term.main.number, unit or term.main.unit
        except MicroNBError:
            values[name] = None
    numbers = {k: v for k, v in values.items() if v is not None}
    if not numbers:
        raise EvidenceError(f"{a.node} could be measured for no {per}")
    every_one = [Measurement("rows", len(values), "count"), *(Measurement(f"{per} {k}", v, unit) for k, v in numbers.items())]
    named = [(f"row {k}", name) for k, name in enumerate(values, 1)] if len(numbers) == len(values) <= _FEW_ROWS else []
    said = "; ".join(f"{{{len(named) + k}.value}}: {{{k}}}" for k in range(4, 4 + len(named)))
    says = f"{said}; on average {{0}}." if named else "is"
    name = f"{a.node} ({unit})" if unit not in ("", "count") else str(a.node)
    shown = pd.DataFrame({name: list(values.values())}, index=pd.Index(list(values), name=per))
    summed = ((f"{word} per {per}", v, unit) for word, v in _summed([*numbers.values()]).items() if word != "median")
    return Found.of({"rows": values, "per": per}, *summed, *every_one, *named, says=says, table=shown)


def _summed(values: list[Any]) -> dict[str, Any]:
    """What is said of the rows of a table."""
    numbers = np.array(values)
    return {"mean": float(numbers.mean()), "median": statistic(numbers, "median"), "least": min(values), "most": max(values)}


def _in_each(a: Term, per: str, scene: Scene) -> Iterator[tuple[str, Term]]:
    """The measurement inside every object of a kind, one after the other: what is kept of one goes with it."""
    holders = selection(per, scene)
    holders.need_some()
    holders.need_all("what lies in each of them")
    if len(holders) > _MOST_HOLDERS:
        raise EvidenceError(f"there are {len(holders)} {holders.many}, too many to measure inside each; ask about a part of them")
    plane = holders.label_plane()
    labels, at = np.unique(plane, return_index=True)
    corners = {int(k): divmod(int(i), plane.shape[1]) for k, i in zip(labels, at, strict=True)}
    points = ((k, Call.of("point", x, y)) for k, (y, x) in ((k, corners[k]) for k in holders.own.tolist()))
    for k, point in points:
        alone = replace(a, scene=replace(a.scene, kept=dict(a.scene.kept)))
        yield str(k), alone.where(Call.of("inside", Call.of("obj", per, where=point)))


def _held_in(node: Call, per: str, scene: Scene) -> Found:
    """How many of some objects each of others holds, or how much of it they cover."""
    holders, others = selection(per, scene), selection(node.args[0], scene)
    holders.need_some()
    values, unit = holders.of_others(node.name, others)
    called = quantity_phrase(f"{node.name}({others.kind})")
    rows = dict(zip(map(str, holders.own), values.tolist(), strict=True))
    how = {**holders.found, "rows": rows, "per": per, "of_kind": others.kind}
    summed = ((f"{word} {called} per {per}", v, unit) for word, v in _summed(values.tolist()).items())
    shown = pd.DataFrame({called: values}, index=pd.Index(holders.own, name=per))
    return Found.of(how, *summed, holders.n(), says="objects", shown=holders, table=shown, per=kind_phrase(holders.kind, 1))
