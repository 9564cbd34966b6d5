"""What a language model's words may say: every number is printed evidence, and so is every verdict, place and kind of objects.

This is stricter than what composed prose needs, as nobody wrote these words on purpose.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ...errors import EvidenceError
from ...models.ontology import ontology
from ..answer import Answer, Span
from ..composing import EXPRESSION, field_value, print_field, said_numbers, verify
from ..evidence import Evidence
from ..measures.quantities import QUANTITIES, STATISTIC_WORDS, named
from ..words.printing import UNIT_WORDS, unit_words
from ..words.prose import numerals
from ..words.tables import table

MAX_CHARACTERS = 1200
_PLACE = re.compile(r"\{\s*e(\d{1,3})((?:\.[a-z_]+|\.\d{1,2})*)\s*\}", re.IGNORECASE)
_MARKUP = re.compile(r"<[!/a-z?]|&#?\w{1,8};|\]\s*\(|!\[|://|`|\b(?:javascript|data|www)\s*[:.]|[{}\\]", re.IGNORECASE)
_PLAIN_SIGNS = frozenset("µ²³±×°–—’‘“”…−")
_STATED_BY_PERSONS = ("value claimed", "limit claimed", "number given")
_GLUED = re.compile(r"[^\W\d_]+\d[\w.]*")
_CLAUSE = re.compile(r"[,;:]|\b(?:and|while|whereas|but|against|versus|than)\b|\.(?= |$)")
_RANGE = r"\s*(?:to|and|x|by|,|–|-)\s*[\d.,]+\)?\s*"
_KINDS = ("object", "structure", "cell type", "stain", "modality", "specimen", "condition", "artefact", "appearance")
_NUMBER = "\0"


def _words(name: str, form: str = r"\b(?:{})\b") -> re.Pattern[str]:
    return re.compile(form.format(table("checked")[name]), re.IGNORECASE)


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, {w for w in words if w}), key=len, reverse=True))


_UNIT = re.compile(rf"\s*({_any_of(w.strip() for w in (*UNIT_WORDS.values(), *UNIT_WORDS, 'percent'))})(?![\w²])")
_QUANTITY = re.compile(_any_of(named(q) for q in QUANTITIES if len(q) > 1))
_STATISTIC = re.compile(_any_of(("mean", "median", "percentile", *(w.removesuffix(" of the") for w in STATISTIC_WORDS.values()))))
_WHERE, _MEDICAL = _words("places"), _words("medical")
_YES, _NO = (_words(name, r"\s*(?:{})\b") for name in ("yes", "no"))
_AMOUNT, _DENIAL = "is an amount without evidence", "denies what was measured"
_TELLING = (
    (_words("quantifiers"), _AMOUNT), (re.compile(r"\b[IVXLCDM]{2,}\b"), _AMOUNT), (_words("foreign"), _AMOUNT),
    (_GLUED, "holds a number without evidence"), (_words("hedges", rf"\b(?:{{}})\s*{_NUMBER}"), "makes another number of it"),
    (_words("none"), _DENIAL), (_words("denied"), _DENIAL),
)  # fmt: skip
"""Words that stand only where the composed answer has them, and what they do otherwise."""


def with_places(answer: Answer) -> str:
    """The text of an answer with ``{e1.value}`` for each measured number, as a model is shown it; what was said stays."""
    out, at = "", 0
    for s in sorted(answer.spans, key=lambda s: s.start):
        if s.field != EXPRESSION:
            out += answer.text[at : s.start] + f"{{e{s.index + 1}.{s.field}}}"
            at = s.end
    return out + answer.text[at:]


def worded(text: str, base: Answer, *, complete: bool = True) -> tuple[str, tuple[Span, ...]]:
    """The text to be shown and its spans.

    Parameters
    ----------
    text : as the model wrote it; ``{e2.value}`` is a field of the second piece of evidence, ``{e2}`` its value with the unit.
    base : the composed answer to the same, with the evidence that may be spoken of.
    complete : whether the text must say all that was asked for, and how sure it is.

    Raises
    ------
    EvidenceError : says what is claimed without evidence, or left out.
    """
    text, filled = _filled(_plain(text, base.text), base)
    spans = [_fitting(text, choices, base) for choices in (*([s] for s in filled), *_printed(text, filled, base))]
    spans.sort(key=lambda s: s.start)
    verify(text, spans, base.evidence)
    _nothing_new(text, spans, base)
    _verdict(text, spans, base)
    if complete:
        _complete(text, spans, base)
    return text, tuple(spans)


def medical(text: str) -> str | None:
    """The first word of diagnosis or treatment in a text."""
    found = _MEDICAL.search(text)
    return found.group().lower() if found else None


def caveats(base: Answer, text: str) -> str:
    """Sentences of a composed answer behind the first that state no number, such as what was assumed, which the text lacks."""
    starts = [0, *(m.end() for m in re.finditer(r"(?<=\.) (?=[A-Z])", base.text)), len(base.text)]
    plain = [(a, b) for a, b in pairwise(starts[1:]) if not any(a <= s.start < b for s in base.spans)]
    return "".join(f" {said}" for a, b in plain if (said := base.text[a:b].strip()) not in text)


def _plain(text: str, own: str) -> str:
    """One paragraph of plain letters, as digits of other scripts and letters that look alike can hide a number; no markup."""
    text = " ".join(text.replace("**", "").replace("µ", "µ").split())
    if not text or len(text) > MAX_CHARACTERS:
        raise EvidenceError("the answer is empty" if not text else "the answer is too long")
    for c in text:
        strange = ord(c) > 127 and c not in _PLAIN_SIGNS and c not in own and not "à" <= c.lower() <= "ÿ"
        if strange or unicodedata.category(c)[0] == "C":
            raise EvidenceError(f"the character {c!r} ({unicodedata.name(c, 'unnamed')}) is not used in answers")
    if found := _MARKUP.search(_PLACE.sub("", text)):
        raise EvidenceError(f"the answer holds markup, an address or an unknown place to fill: {found.group()!r}")
    return text


def _filled(text: str, base: Answer) -> tuple[str, list[Span]]:
    """Fills the places; a unit that is written behind already, or behind the end of a range, is not written twice."""
    printed, out, spans, at = {(s.index, s.field) for s in base.spans}, "", list[Span](), 0
    for found in _PLACE.finditer(text):
        k, path = int(found[1]) - 1, found[2][1:].lower() or "value"
        if not 0 <= k < len(base.evidence):
            raise EvidenceError(f"{found.group()} does not exist; there are e1 to e{len(base.evidence)}")
        out, at, fact = out + text[at : found.start()], found.end(), base.evidence[k]
        parts = _fields(fact) if path == "value" and isinstance(fact.value, tuple) else [path]
        parts = [p for p in _fields(fact) if p.startswith("interval")] if path == "interval" else parts
        for n, part in enumerate(parts if path != "unit" else ()):
            if not part.startswith(("value", "interval")) and ((k, part) not in printed or part == EXPRESSION):
                raise EvidenceError(f"{{e{k + 1}.{part}}} may not be printed; there is {{e{k + 1}.value}}")
            out += (" to " if path == "interval" else ", ") if n else ""
            words = print_field(fact, part)
            spans.append(Span(len(out), len(out) + len(words), k, part))
            out += words
        number, unit = isinstance(field_value(fact, parts[-1]), int | float) if parts else False, unit_words(fact.unit)
        if path == "unit":
            out += unit.strip()
        elif number and path.startswith(("value", "interval")) and not _unit_follows(text[at:], unit):
            out += unit
    return out + text[at:], spans


def _fields(fact: Evidence) -> list[str]:
    """The fields that hold the numbers of a fact."""
    number = isinstance(fact.value, int | float) and not isinstance(fact.value, bool)
    own = [f"value.{k}" for k in range(len(fact.value))] if isinstance(fact.value, tuple) else ["value"] * number
    return [*own, *(["interval.0", "interval.1"] if fact.interval is not None else [])]


def _unit_follows(behind: str, unit: str) -> bool:
    """Whether a unit stands there already, or the number is the first of a range."""
    ranged = r"\s?\{e\d+\.unit\}|\s*(?:to|x|–|-)\s*\{e\d"
    return not unit or _UNIT.match(behind) is not None or re.match(ranged, behind) is not None


def _printed(text: str, filled: Sequence[Span], base: Answer) -> Iterator[list[Span]]:
    """For each number that the model wrote itself the fields which print so, those of the composed answer first, and then an
    expression that holds it."""
    fields = [(s.index, s.field) for s in base.spans if s.field != EXPRESSION]
    fields += [(k, path) for k, e in enumerate(base.evidence) for path in _fields(e)]
    free = [(a, b) for a, b in numerals(text) if not any(s.start <= a and b <= s.end for s in filled)]
    for start, end in free:
        if any(a <= start and end <= b and (a, b) != (start, end) for a, b in free):
            continue
        wanted = text[start:end]
        found = [Span(start, end, k, path) for k, path in dict.fromkeys(fields) if print_field(base.evidence[k], path) == wanted]
        number = next(iter(said_numbers(wanted)), None)
        said = [k for k, e in enumerate(base.evidence) if number in said_numbers(str(e.parameters.get("expression", "")))]
        found += [Span(start, end, k, EXPRESSION) for k in said[:1]]
        if not found:
            raise EvidenceError(f"the number {wanted!r} is in no evidence")
        yield found


def _fitting(text: str, choices: Sequence[Span], base: Answer) -> Span:
    """The first reading of a number with which its unit, its kind, its place and its names are those of the evidence."""
    refused = EvidenceError("the number fits no evidence")
    for s in choices:
        try:
            _right_unit(text, s, base.evidence[s.index])
            _beside_its_own(text, s, base.evidence)
            if s.field == EXPRESSION or base.evidence[s.index].quantity.startswith(_STATED_BY_PERSONS):
                _as_said(text, s, base.text)
            return s
        except EvidenceError as error:
            refused = error
    raise refused


def _right_unit(text: str, span: Span, fact: Evidence) -> None:
    """Behind a number stands the unit that its evidence has; an interval may leave it out."""
    value, behind, wanted = field_value(fact, span.field), text[span.end :], unit_words(fact.unit).strip()
    if not span.field.startswith(("value", "interval")) or isinstance(value, str):
        return
    if wanted and re.match(rf"\s*{re.escape(wanted)}(?![^\W_])", behind):
        return
    found, ranged = _UNIT.match(behind), re.match(_RANGE + re.escape(wanted), behind) is not None
    needed = wanted and span.field == "value" and not ranged and not fact.unit.startswith("per ")
    if needed or (found and found[1] != fact.unit):
        number = text[span.start : span.end]
        raise EvidenceError(f"{number!r} is followed by {behind[:12]!r} where {fact.quantity!r} has the unit {wanted!r}")


class _Named(NamedTuple):
    at: int
    name: str


def _kinds(text: str) -> list[_Named]:
    return [_Named(m.start, m.id) for m in ontology().sentence_concepts(text)]


def _places(text: str) -> list[_Named]:
    same = table("checked")["same_place"]
    found = ((m.start(), re.split("[- ]", m.group().lower())) for m in _WHERE.finditer(text))
    return [_Named(at, " ".join(same.get(part, part) for part in parts)) for at, parts in found]


def _quantities(text: str) -> list[_Named]:
    return [_Named(m.start(), m.group()) for m in _QUANTITY.finditer(text)]


def _statistics(text: str) -> list[_Named]:
    rest = _QUANTITY.sub(lambda m: " " * len(m.group()), text)
    return [_Named(m.start(), m.group()) for m in _STATISTIC.finditer(rest)]


def _place_of(fact: Evidence) -> str:
    """The place that a fact is about; empty for the whole image."""
    told = re.search(r"(?:, | in the )([a-z ]+)$", fact.quantity)  # the region of a comparison is its first place only
    region = fact.region.name or "" if fact.region is not None else ""
    return next((m.name for words in (told[1] if told else "", region) for m in _places(words)), "")


def _first(find: Callable[[str], list[_Named]]) -> Callable[[Evidence], str]:
    return lambda fact: next((m.name for m in find(fact.quantity)), "") if not isinstance(fact.value, str) else ""


_SORTS = {
    "kind": (_kinds, _first(_kinds)), "place": (_places, _place_of),
    "quantity": (_quantities, _first(_quantities)), "statistic": (_statistics, _first(_statistics)),
}  # fmt: skip
"""What a number is of: how a text names it, and what it is of a fact."""
_LAST_NAMED = ("quantity", "statistic")  # of several in a clause, the last before a number is the one that is meant


def _beside_its_own(text: str, span: Span, evidence: Sequence[Evidence]) -> None:
    """A number stands in the clause of its own kind, place, quantity and statistic, or behind it; where several places were
    measured, its own is named."""
    ends = [0, *(m.end() for m in _CLAUSE.finditer(text)), len(text)]
    start, stop = max(e for e in ends if e <= span.start), min((e for e in ends if e > span.start), default=len(text))
    for sort, (find, of) in _SORTS.items() if span.field.startswith(("value", "interval")) else ():
        names = [of(e) for e in evidence]
        own, measured = names[span.index], {*names} - {""}
        said = [m for m in find(text) if m.name in measured or sort in _LAST_NAMED]
        inside, last = [m for m in said if start <= m.at < stop], [m for m in said if m.at < span.start][-1:]
        near = {m.name for m in (last if sort in _LAST_NAMED and {*last} & {*inside} else inside or last)}
        if own and (near - {own} or (sort == "place" and not near and len(measured) > 1)):
            raise EvidenceError(f"{text[span.start : span.end]!r} is of {own!r}; the text gives it to another {sort}")


def _as_said(text: str, span: Span, own: str) -> None:
    """A number that a person said, and nobody measured, stands between the words that the composed answer has around it."""
    before = " ".join(text[: span.start].split()[-2:])
    if f"{before} {text[span.start : span.end + 4]}".strip().lower() not in own.lower():
        number = text[span.start : span.end]
        raise EvidenceError(f"{number!r} was said by the person, not measured; leave it out, or say it as in the right answer")


def _blank(text: str, spans: Sequence[Span]) -> str:
    """A text with a sign for each thing that evidence printed, which may be words of a file."""
    out = list(text)
    for s in spans:
        out[s.start : s.end] = [_NUMBER] + [" "] * (s.end - s.start - 1)
    return "".join(out)


def _nothing_new(text: str, spans: Sequence[Span], base: Answer) -> None:
    """No amount, hedge, denial, medical word, place or kind that neither the composed answer nor the evidence has."""
    said, own = _blank(text, spans), _blank(base.text, base.spans)
    for pattern, does in _TELLING:
        known = {m.group().lower() for m in pattern.finditer(own)}
        for found in pattern.finditer(said):
            if found.group().lower() not in known and not (does == _DENIAL and known):
                raise EvidenceError(f"{found.group().strip(_NUMBER + ' ')!r} {does}")
    if word := medical(said):
        raise EvidenceError(f"{word!r}: nothing is said of diagnosis or treatment")
    told = [base.text, *(f"{e.quantity}; {e.value}; {e.parameters.get('expression', '')}; {_place_of(e)}" for e in base.evidence)]
    places = {m.name for words in told for m in _places(words)}
    if other := next((m.name for m in _places(text) if m.name not in places), None):
        raise EvidenceError(f"{other!r} is a place where nothing was measured")
    onto = ontology()
    kinds = {a for words in told for m in _kinds(words) for a in (m.name, *onto.ancestors(m.name))} | {"object"}
    if other := next((m.name for m in _kinds(text) if m.name not in kinds and onto[m.name].kind in _KINDS), None):
        raise EvidenceError(f"{other!r} is not what was measured")


def _verdict(text: str, spans: Sequence[Span], base: Answer) -> None:
    """A measured value is stated, and a yes or no is the one that was measured."""
    if not any(s.field.startswith("value") for s in spans):
        raise EvidenceError("the answer states no measured value; cite one, such as {e1.value}")
    said, own = ((bool(_YES.match(words)), bool(_NO.match(words))) for words in (text, base.text))
    if any(said) and not (isinstance(base.value, bool) and any(own)):
        raise EvidenceError("a verdict of yes or no was not measured")
    if isinstance(base.value, bool) and any(own) and said != own:
        raise EvidenceError(f"the answer must begin with {'Yes' if own[0] else 'No'}")


def _complete(text: str, spans: Sequence[Span], base: Answer) -> None:
    """What was asked for is in the text, with its interval, its p-value, the sample it comes from."""
    shown = {str(field_value(base.evidence[s.index], s.field)).lower() for s in spans}
    asked = str(base.value).lower()
    if isinstance(base.value, int | float) and not isinstance(base.value, bool) and asked not in shown:
        raise EvidenceError("the answer leaves out the value that was asked for, {e1.value}")
    if isinstance(base.value, str) and asked != "none" and asked not in text.lower():
        raise EvidenceError(f"the answer leaves out what was found, {base.value!r}")
    stated = {(s.index, s.field) for s in spans}
    for s in base.spans:
        if s.field != EXPRESSION and not s.field.startswith("value") and (s.index, s.field) not in stated:
            raise EvidenceError(f"the answer leaves out how sure that is, {{e{s.index + 1}.{s.field}}}")
