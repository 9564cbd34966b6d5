"""Objects and places in words: ``obj("nucleus", having="area > 80 um2")`` is "nuclei larger than 80 µm²"."""

from __future__ import annotations

from ...models.wording import plural
from ..language import Call, Node
from ..language.conditions import Both, Color, Comparison, Condition, Flag, Is, Not, parse_condition
from ..language.forms import AND, GROUP, SIDES, is_contact
from ..measures.quantities import ALIASES, OF_OTHERS, STATISTIC_WORDS, named
from .printing import print_number, unit_words
from .tables import table

_ORDINALS = ("", "", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ", "ninth ", "tenth ")
_LIMITS = {">=": "at least ", "<=": "at most ", "==": "", ">": "more than ", "<": "fewer than "}
_TESTS = {">": "above", ">=": "of at least", "<": "below", "<=": "of at most", "==": "of"}


def objects_phrase(call: Call | str, n: float = 2, *, places: bool = True) -> str:
    """What an argument for objects means, in the singular where ``n`` is 1.

    >>> from micro_nb.session.language import parse
    >>> objects_phrase(parse('obj("nucleus", having="area > 80 um2 and not border", where="left")'))
    'nuclei larger than 80 µm² that do not touch the border in the left half'
    >>> objects_phrase(parse('obj("cell", by="area", n=3)')), objects_phrase(parse('obj("cell", by="length", n=2, rank=True)'))
    ('3 largest cells', 'second longest cell')
    """
    if isinstance(call, str):
        return kind_phrase(call, n)
    kind = call.args[0] if call.args else "object"
    rank, last, single = _rank(kind if isinstance(kind, Call) else call)
    single = single or n == 1
    before, after = _conditions(call.get("having"), single)
    channel = f"in channel {call.get('channel')}" if call.get("channel") is not None else ""
    image = f"in {call.get('image')}" if call.get("image") is not None else ""
    where = place_phrase(call.get("where")) if places else ""
    noun = objects_phrase(kind, n) if isinstance(kind, Call) else kind_phrase(kind, 1 if single else 2)
    rank, last = ("", "") if isinstance(kind, Call) else (rank, last)
    before = " ".join(word for word in before.split() if word not in noun.split())  # a "bright pixel" that is bright
    return " ".join(part for part in (rank, before, noun, last, after, channel, where, image) if part)


def kind_phrase(kind: str, n: float = 2) -> str:
    """A kind, which may be made of others, in the plural, or in the singular where ``n`` is 1.

    >>> kind_phrase("red blood cell and platelet"), kind_phrase("group of nucleus"), kind_phrase("cell", 1)
    ('red blood cells and platelets', 'groups of nuclei', 'cell')
    """
    if kind.startswith(GROUP):
        return f"group{'' if n == 1 else 's'} of {kind_phrase(kind.removeprefix(GROUP))}"
    one = (part if n == 1 else plural(part) for part in kind.split(AND))
    return (" or " if n == 1 else AND).join(one)


def ordinal(rank: int) -> str:
    """ "second ", with a space behind it; empty for the first."""
    return _ORDINALS[rank] if rank < len(_ORDINALS) else f"number {rank} "


def article(noun: str) -> str:
    """The word in front of one of it.

    >>> article("eosinophil") + "eosinophil"
    'an eosinophil'
    """
    return "an " if noun[0] in "aeiou" else "a "


def place_phrase(node: Node) -> str:
    """A ``where=`` argument in words.

    >>> from micro_nb.session.language import parse
    >>> place_phrase("top left"), place_phrase(parse('inside("cell")')), place_phrase(parse('near("vessel", "20 um")'))
    ('in the top left', 'in cells', 'within 20 µm of vessels')
    """
    if isinstance(node, tuple):
        return " and ".join(p for p in map(place_phrase, node) if p)
    if not isinstance(node, Call):
        return "" if node is None else str(table("looks")["place"].get(node, f"in the {node}"))
    inner, *more = node.args or ("",)
    if node.name in ("z", "t"):
        plane = "slice" if node.name == "z" else "frame"
        return f"in the {inner} {plane}" if isinstance(inner, str) else f"in {plane} {inner}"
    if node.name in ("image", "well"):
        return f"in {'well ' if node.name == 'well' else ''}{inner}"
    if node.name == "holding":
        return _holding(inner, str(more[0]).replace(" ", "") if more else ">=1")
    if node.name in ("box", "point"):
        corners = ", ".join(f"{v:g}" if isinstance(v, int | float) else str(v) for v in node.args)
        return f"{'in the box' if node.name == 'box' else 'at'} ({corners})"
    if node.name not in ("inside", "outside", "near", *SIDES):
        return "in that part"  # what another measurement answers with
    of_objects = isinstance(inner, str) or (isinstance(inner, Call) and inner.name == "obj")
    if node.name in SIDES and of_objects:
        return f"{node.name.replace('_', ' ')} the {objects_phrase(inner, 1)}"
    what = objects_phrase(inner) if of_objects else place_phrase(inner)
    what = f"the {what}" if isinstance(inner, Call) and _rank(inner)[2] else what
    if is_contact(node):
        return f"in contact with {what}"
    if node.name == "near":
        return f"within {str(more[0]).replace('um', 'µm')} of {what}" if more else f"near {what}"
    if node.name == "outside" and isinstance(inner, Call) and inner.name == "near":
        return f"not {what}"
    return f"{'in' if node.name == 'inside' else 'outside'} {what.removeprefix('in ')}"


def _holding(kind: Call | str, limit: str) -> str:
    """Objects with so many others."""
    if limit in (">=1", ">0"):
        return f"with {objects_phrase(kind)}"
    if limit in ("==0", "<1"):
        return f"without {objects_phrase(kind)}"
    op = next((o for o in _LIMITS if limit.startswith(o)), "==")
    number = limit.removeprefix(op)
    return f"with {_LIMITS[op]}{number} {objects_phrase(kind, 1 if number == '1' else 2)}"


def _rank(call: Call) -> tuple[str, str, bool]:
    """ "3 largest", "second longest", or, behind the noun, "with the least solidity"; and whether a single object is meant."""
    by, n, least = call.get("by"), call.get("n"), call.get("order") == "min"
    if by is None and n is None:
        return "", "", False
    quantity = ALIASES.get(str(by), str(by)) if by is not None else "area"
    word = str(table("quantities")["rank"].get(quantity, ("", ""))[least])
    count = int(n) if isinstance(n, int | float) else 1
    if call.get("rank") is True:
        nth, many, single = ordinal(count), "", True
    else:
        nth, many, single = "", "" if count == 1 else f"{count} ", count == 1
    if word:
        return f"{many}{nth}{word}", "", single
    return many.strip(), f"with the {nth}{'least' if least else 'greatest'} {quantity_phrase(quantity)}", single


def _conditions(having: Node, single: bool) -> tuple[str, str]:
    """Words before and behind the noun."""
    if not isinstance(having, str):
        return "", ""
    condition = parse_condition(having)
    if not isinstance(condition, Both):
        return _condition(condition, single)
    both = [_condition(p, single) for p in condition.parts]
    if condition.how == "or":
        return "", f"that are {' or '.join(' '.join(filter(None, p)).removeprefix('that are ') for p in both)}"
    behind = [a for _, a in both if a]
    plain, clauses = [t for t in behind if not t.startswith("that ")], [t for t in behind if t.startswith("that ")]
    clauses[1:] = [c.removeprefix("that ") for c in clauses[1:]]
    return " ".join(b for b, _ in both if b), " ".join(filter(None, (" and ".join(plain), " and ".join(clauses))))


def _condition(condition: Condition, single: bool) -> tuple[str, str]:
    match condition:
        case Flag(name) | Not(Flag(name)):
            return "", str(table("looks")["flagged"][name][isinstance(condition, Not) + 2 * single])
        case Not(part):
            before, after = _condition(part, single)
            after = after.replace("that ", "not ", 1) if after.startswith("that ") else f"not {after}" if after else ""
            return (f"not {before}" if before else ""), after
        case Is(text):
            return text, ""
        case Color(name):
            return name, ""
        case Comparison():
            return "", _test(condition)
    return "", f"({condition})"


def _test(test: Comparison) -> str:
    name, limit = ALIASES.get(test.quantity, test.quantity), test.limit
    of = f" in {test.channel}" if test.channel and name not in OF_OTHERS else ""
    called = quantity_phrase(f"{name}({test.channel})") if name in OF_OTHERS else named(name)
    number = f"{print_number(limit.value)}{unit_words(limit.unit)}"
    if test.op in ("top", "bottom"):
        return f"among the {'highest' if test.op == 'top' else 'lowest'} {number} by {called}{of}"
    if limit.of:
        of_all = f"{limit.of[1:].lstrip('0')}th percentile" if limit.of[1:].isdigit() else limit.of
        number = f"{'' if limit.value == 1 else print_number(limit.value) + ' times '}the {of_all}"
        if limit.spread:
            number += f" {'plus' if limit.spread > 0 else 'minus'} {print_number(abs(limit.spread))} standard deviations"
    beyond = table("quantities")["beyond"].get(name)
    if beyond and test.op in (">", "<"):
        return f"{beyond[test.op == '<']} {number}{' across' if name == 'diameter' else ''}{of}"
    return f"with {'an' if called[0] in 'aeio' else 'a'} {called}{of} {_TESTS[test.op]} {number}"


def quantity_phrase(text: str) -> str:
    """A quantity, in a channel or of another kind, in words.

    >>> quantity_phrase("count(lipid droplet)"), quantity_phrase("distance(vessel)"), quantity_phrase("intensity(GFP)")
    ('number of lipid droplets', 'distance to the nearest vessel', 'intensity in GFP')
    """
    name, _, of = text.rstrip(") ").partition("(")
    match ALIASES.get(name, name):
        case "count":
            return f"number of {kind_phrase(of)}"
        case "coverage":
            return f"share covered by {kind_phrase(of)}"
        case "distance":
            return f"distance to the nearest {of}"
        case plain:
            return f"{named(plain)} in {of}" if of else named(plain)


def statistic_phrase(statistic: str, quantity: str) -> str:
    """ "mean area", "standard deviation of the diameter", "value": "area".

    >>> statistic_phrase("sd", "diameter"), statistic_phrase("p90", "length")
    ('standard deviation of the diameter', '90th percentile of the length')
    """
    if statistic.startswith("p") and statistic[1:].isdigit():
        n = int(statistic[1:])
        ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
        return f"{n}{ending} percentile of the {quantity_phrase(quantity)}"
    return f"{STATISTIC_WORDS.get(statistic, statistic)} {quantity_phrase(quantity)}".strip()
