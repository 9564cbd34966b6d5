"""Objects and places in words: ``obj("nucleus", having="area > 80 um2")`` is "nuclei larger than 80 µm²"."""

from __future__ import annotations

from ...models.wording import plural
from ..language import Call, Node
from ..language.conditions import Both, Color, Comparison, Condition, Flag, Is, Not, parse_condition
from ..measures.quantities import ALIASES, STATISTIC_WORDS, named
from .printing import print_number, unit_words

_PLACES = {
    "left": "in the left half", "right": "in the right half", "top": "in the top half", "bottom": "in the bottom half",
    "center": "in the center",
    "border": "at the rim of the image", "this": "in the marked region", "corners": "in the corners",
}  # fmt: skip
_MORE = {
    "area": ("larger than", "smaller than"),
    "diameter": ("more than", "less than"),
    "length": ("longer than", "shorter than"),
    "width": ("wider than", "narrower than"),
    "intensity": ("brighter than", "darker than"),
}
_FLAGS = {
    "border": ("that touch the border", "that do not touch the border"), "touching": ("that touch another",
    "that touch no other"),
    "in_focus": ("that are in focus", "that are out of focus"), "saturated": ("that hold saturated pixels",
    "without saturated pixels"),
}  # fmt: skip
_RANKS = {
    ("area", "max"): "largest", ("area", "min"): "smallest", ("diameter", "max"): "largest", ("diameter", "min"): "smallest",
    ("length", "max"): "longest",
    ("length", "min"): "shortest", ("feret", "max"): "longest", ("feret", "min"): "shortest", ("width", "max"): "widest",
    ("width", "min"): "narrowest",
    ("intensity", "max"): "brightest", ("intensity", "min"): "darkest", ("roundness", "max"): "roundest", ("roundness",
    "min"): "least round",
    ("aspect_ratio", "max"): "most elongated", ("aspect_ratio", "min"): "least elongated", ("oddness", "max"): "most unusual",
    ("eccentricity", "max"): "most elongated", ("eccentricity", "min"): "least elongated", ("distance_to_centre",
    "min"): "most central",
    ("distance_to_centre", "max"): "outermost", ("volume", "max"): "largest", ("volume", "min"): "smallest",
    ("nearest_neighbour", "max"): "most isolated",
    ("y", "min"): "topmost", ("y", "max"): "lowest", ("x", "min"): "leftmost", ("x", "max"): "rightmost", ("distance_to_border",
    "min"): "nearest to the border",
}  # fmt: skip
_ORDINALS = ("", "", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ", "ninth ", "tenth ")


def objects_phrase(call: Call | str, n: float = 2, *, places: bool = True) -> str:
    """What an argument for objects means, in the singular where ``n`` is 1.

    >>> from micro_nb.session.language import parse
    >>> objects_phrase(parse('obj("nucleus", having="area > 80 um2 and not border", where="left")'))
    'nuclei larger than 80 µm² that do not touch the border in the left half'
    >>> objects_phrase(parse('obj("cell", by="area", n=3)')), objects_phrase(parse('obj("cell", by="length", n=2, rank=True)'))
    ('3 largest cells', 'second longest cell')
    """
    if isinstance(call, str):
        return call if n == 1 else plural(call)
    kind = str(call.args[0]) if call.args else "object"
    rank, single = _rank(call)
    noun = kind if single or n == 1 else plural(kind)
    before, after = _conditions(call.get("having"), n == 1 or single)
    channel = f"in channel {call.get('channel')}" if call.get("channel") is not None else ""
    image = f"in {call.get('image')}" if call.get("image") is not None else ""
    where = place_phrase(call.get("where")) if places else ""
    return " ".join(part for part in (rank, before, noun, after, channel, where, image) if part)


def place_phrase(node: Node) -> str:
    """A ``where=`` argument in words.

    >>> from micro_nb.session.language import parse
    >>> place_phrase("top left"), place_phrase(parse('inside("cell")')), place_phrase(parse('near("vessel", "20 um")'))
    ('in the top left', 'in cells', 'within 20 µm of vessels')
    """
    if node is None:
        return ""
    if isinstance(node, tuple):
        return " and ".join(p for p in map(place_phrase, node) if p)
    if isinstance(node, str):
        return _PLACES.get(node, f"in the {node}")
    inner = node.args[0] if node.args else ""
    if node.name in ("z", "t"):
        return (
            f"in {'slice' if node.name == 'z' else 'frame'} {inner}"
            if not isinstance(inner, str)
            else f"in the {inner} {'slice' if node.name == 'z' else 'frame'}"
        )
    if node.name in ("image", "well"):
        return f"in {'well ' if node.name == 'well' else ''}{inner}"
    if node.name == "holding":
        return _holding(node)
    if node.name == "box":
        return f"in the box ({', '.join(map(_short, node.args))})"
    if node.name == "point":
        return f"at ({', '.join(map(_short, node.args))})"
    what = (
        objects_phrase(inner)
        if isinstance(inner, str) or (isinstance(inner, Call) and inner.name == "obj")
        else place_phrase(inner)
    )
    if node.name == "near":
        reach = str(node.args[1]).replace("um", "µm") if len(node.args) > 1 else ""
        return f"within {reach} of {what}" if reach else f"near {what}"
    if node.name == "outside" and isinstance(inner, Call) and inner.name == "near":
        return f"not {what}"
    return f"{'in' if node.name == 'inside' else 'outside'} {what.removeprefix('in ')}"


def _short(value: Node) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _holding(node: Call) -> str:
    kind, limit = node.args[0], str(node.args[1]) if len(node.args) > 1 else ">= 1"
    limit = limit.replace(" ", "")
    if limit in (">=1", ">0"):
        return f"with {objects_phrase(kind)}"
    if limit in ("==0", "<1"):
        return f"without {objects_phrase(kind)}"
    words = {">=": "at least ", "<=": "at most ", ">": "more than ", "<": "fewer than ", "==": ""}
    op = next((o for o in (">=", "<=", "==", ">", "<") if limit.startswith(o)), "")
    number = limit.removeprefix(op)
    return f"with {words.get(op, '')}{number} {objects_phrase(kind, 1 if number == '1' else 2)}"


def _rank(call: Call) -> tuple[str, bool]:
    """ "3 largest", "second longest"; and whether a single object is meant."""
    by, n = call.get("by"), call.get("n")
    if by is None and n is None:
        return "", False
    quantity = ALIASES.get(str(by), str(by)) if by is not None else "area"
    order = str(call.get("order", "max"))
    word = _RANKS.get((quantity, order), f"{'greatest' if order == 'max' else 'least'} by {named(quantity)},")
    count = int(n) if isinstance(n, int | float) else 1
    if call.get("rank") is True:
        return f"{_ORDINALS[count] if count < len(_ORDINALS) else f'number {count} '}{word}", True
    return (word, True) if count == 1 else (f"{count} {word}", False)


def _conditions(having: Node, single: bool) -> tuple[str, str]:
    """Words before and behind the noun."""
    if not isinstance(having, str):
        return "", ""
    condition = parse_condition(having)
    if isinstance(condition, Both) and condition.how == "and":
        both = [_condition(p, single) for p in condition.parts]
        return " ".join(b for b, _ in both if b), _joined([a for _, a in both if a])
    if isinstance(condition, Both):
        texts = [" ".join(filter(None, _condition(p, single))) for p in condition.parts]
        return "", f"that are {' or '.join(t.removeprefix('that are ') for t in texts)}"
    return _condition(condition, single)


def _joined(texts: list[str]) -> str:
    """Several things said behind a noun: "larger than 80 µm² and smaller than 90 µm² that touch another"."""
    plain, clauses = [t for t in texts if not t.startswith("that ")], [t for t in texts if t.startswith("that ")]
    return " ".join(
        [
            *([" and ".join(plain)] if plain else []),
            *([" and ".join([clauses[0], *(c.removeprefix("that ") for c in clauses[1:])])] if clauses else []),
        ]
    )


def _condition(condition: Condition, single: bool) -> tuple[str, str]:
    match condition:
        case Not(Flag(name)):
            return "", _singular(_FLAGS[name][1], single)
        case Flag(name):
            return "", _singular(_FLAGS[name][0], single)
        case Not(part):
            before, after = _condition(part, single)
            return (f"not {before}" if before else ""), after.replace("that ", "not ", 1) if after.startswith(
                "that "
            ) else f"not {after}" if after else ""
        case Is(text):
            return text, ""
        case Color(name):
            return name, ""
        case Comparison():
            return "", _test(condition)
    return "", f"({condition})"


def _singular(text: str, single: bool) -> str:
    return (
        text.replace("that touch ", "that touches ")
        .replace("that do not", "that does not")
        .replace("that are", "that is")
        .replace("that hold", "that holds")
        if single
        else text
    )


def _test(test: Comparison) -> str:
    name = ALIASES.get(test.quantity, test.quantity)
    of = f" in {test.channel}" if test.channel else ""
    limit = test.limit
    if test.op in ("top", "bottom"):
        end = "highest" if test.op == "top" else "lowest"
        return f"among the {end} {print_number(limit.value)}{unit_words(limit.unit)} by {named(name)}{of}"
    number = f"{print_number(limit.value)}{unit_words(limit.unit)}"
    if limit.of:
        number = f"{'' if limit.value == 1 else print_number(limit.value) + ' times '}the {limit.of}"
        if limit.spread:
            number += f" {'plus' if limit.spread > 0 else 'minus'} {print_number(abs(limit.spread))} standard deviations"
    if name in _MORE and test.op in (">", "<"):
        more, less = _MORE[name]
        tail = " across" if name == "diameter" else ""
        return f"{more if test.op == '>' else less} {number}{tail}{of}"
    words = {">": "above", ">=": "of at least", "<": "below", "<=": "of at most", "==": "of"}
    return f"with {_article(named(name))}{of} {words[test.op]} {number}"


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeio" else f"a {name}"


def statistic_phrase(statistic: str, quantity: str) -> str:
    """ "mean area", "standard deviation of the diameter", "value": "area".

    >>> statistic_phrase("sd", "diameter"), statistic_phrase("p90", "length")
    ('standard deviation of the diameter', '90th percentile of the length')
    """
    name = named(quantity)
    if statistic.startswith("p") and statistic[1:].isdigit():
        n = int(statistic[1:])
        ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
        return f"{n}{ending} percentile of the {name}"
    return f"{STATISTIC_WORDS.get(statistic, statistic)} {name}".strip()
