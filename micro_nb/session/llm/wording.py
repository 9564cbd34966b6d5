"""A model's sentences, with every number tied to evidence: places to fill, or numerals that are what evidence prints."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...errors import EvidenceError
from ..answer import Answer, Span
from ..composing import EXPRESSION, field_value, print_field, said_numbers, verify
from ..evidence import Evidence
from ..words.printing import UNIT_WORDS, unit_words
from ..words.prose import numerals

MAX_WORDS = 1200  # characters of an answer
_PLACE = re.compile(r"\{\s*e(\d{1,3})((?:\.[a-z_]+|\.\d{1,2})*)\s*\}", re.IGNORECASE)
_MARKUP = re.compile(r"<[!/a-z?]|&#?\w{1,8};|\]\s*\(|!\[|://|`|\b(?:javascript|data|www)\s*[:.]|[{}\\]", re.IGNORECASE)
_TRIALS = 64
SAID = ("value claimed", "limit claimed", "number given")
"""Facts that a person stated."""
_GLUED = re.compile(r"[^\W\d_]+\d[\w.]*")
_UNITS = "|".join(
    sorted((re.escape(w.strip()) for w in {*UNIT_WORDS.values(), *UNIT_WORDS, "percent"} if w.strip()), key=len, reverse=True)
)
_UNIT = re.compile(rf"\s*({_UNITS})(?![\w²])")


def with_places(answer: Answer) -> str:
    """The text of an answer with ``{e1.value}`` for each measured number, as a model is shown it; what was said stays."""
    out, at = "", 0
    for s in sorted(answer.spans, key=lambda s: s.start):
        if s.field != EXPRESSION:
            out += answer.text[at : s.start] + f"{{e{s.index + 1}.{s.field}}}"
            at = s.end
    return out + answer.text[at:]


def worded(text: str, evidence: Sequence[Evidence], composed: Sequence[Answer] = ()) -> tuple[str, list[Span]]:
    """The text to be shown and its spans.

    Parameters
    ----------
    text : as the model wrote it; ``{e2.value}`` is a field of the second piece of evidence, ``{e2}`` its value with the unit.
    evidence : what may be spoken of.
    composed : answers of ours to the same; the fields that they print may be printed.

    Raises
    ------
    EvidenceError : a number that no evidence holds or with another unit; a place to fill that does not exist; markup; or text
        that is empty or long. The message says which.
    """
    given = [
        replace(s, index=evidence.index(a.evidence[s.index]))
        for a in composed
        for s in a.spans
        if a.evidence[s.index] in evidence
    ]
    text = _plain(text)
    filled, places = _filled(text, evidence, {(s.index, s.field) for s in given})
    _nothing_glued(filled, places, " ".join(a.text for a in composed))
    free = [(a, b) for a, b in numerals(filled) if not any(s.start <= a and b <= s.end for s in places)]
    wholes = [(a, b) for a, b in free if not any(c <= a and b <= d and (a, b) != (c, d) for c, d in free)]
    choices = [_printed_so(filled, a, b, evidence, given) for a, b in wholes]
    for (a, b), choice in zip(wholes, choices, strict=True):
        if not choice:
            raise EvidenceError(f"the number {filled[a:b]!r} is in no evidence")
    refused = EvidenceError("the numbers fit no evidence")
    for chosen in itertools.islice(itertools.product(*choices), _TRIALS):
        tried = sorted([*places, *chosen], key=lambda s: s.start)
        try:
            verify(filled, tried, evidence)
            for s in tried:
                _right_unit(filled, s, evidence[s.index])
                if s.field == EXPRESSION or evidence[s.index].quantity.startswith(SAID):
                    _as_said(filled, s, composed)
            return filled, tried
        except EvidenceError as error:
            refused = error
    raise refused


def _nothing_glued(text: str, places: Sequence[Span], own: str) -> None:
    """Digits in words, such as CD8, must be those of the composed answer."""
    for found in _GLUED.finditer(text):
        if not any(s.start <= found.start() and found.end() <= s.end for s in places) and found.group() not in own:
            raise EvidenceError(f"{found.group()!r} holds a number without evidence")


def _right_unit(text: str, span: Span, fact: Evidence) -> None:
    """Behind a number stands the unit that its evidence has; an interval may leave it out."""
    behind = text[span.end :]
    if not span.field.startswith(("value", "interval")) or isinstance(field_value(fact, span.field), str):
        return
    wanted, found = unit_words(fact.unit).strip(), _UNIT.match(behind)
    follows = behind.lstrip().startswith(wanted) and not behind.lstrip()[len(wanted) :][:1].isalnum()
    if wanted and follows:
        return
    ranged = re.match(r"\s*(?:to|and|x|by|,|–|-)\s*[\d.,]+\)?\s*" + re.escape(wanted), behind) is not None
    if (found and found[1] != fact.unit) or (wanted and not (ranged or span.field != "value" or fact.unit.startswith("per "))):
        raise EvidenceError(
            f"{text[span.start : span.end]!r} is followed by {behind[:12]!r} where {fact.quantity!r} has the unit {wanted!r}"
        )


def _as_said(text: str, span: Span, composed: Sequence[Answer]) -> None:
    """A number that was said, not measured, stands between the words that the composed answer has around it."""
    for answer in composed:
        for own in answer.spans:
            left, right = answer.text[: own.start].lower().split()[-2:], answer.text[own.end :].lower()[:4]
            same = answer.text[own.start : own.end] == text[span.start : span.end]
            if same and text[: span.start].lower().split()[-len(left) :] == left and text[span.end :].lower().startswith(right):
                return
    raise EvidenceError(
        f"{text[span.start : span.end]!r} was said by the person, not measured; leave it out, or say it as in the right answer"
    )


def _plain(text: str) -> str:
    """One paragraph without control characters and markup."""
    text = " ".join(text.replace("**", "").replace("µ", "µ").split())
    if not text or len(text) > MAX_WORDS:
        raise EvidenceError("the answer is empty" if not text else "the answer is too long")
    if any(unicodedata.category(c)[0] == "C" for c in text):
        raise EvidenceError("the answer holds characters that cannot be seen")
    if found := _MARKUP.search(_PLACE.sub("", text)):
        raise EvidenceError(f"the answer holds markup, an address or an unknown place to fill: {found.group()!r}")
    return text


def _filled(text: str, evidence: Sequence[Evidence], printed: set[tuple[int, str]]) -> tuple[str, list[Span]]:
    """Fills the places; a unit written behind ``{e1}`` already is not written twice."""
    out, spans, at = "", list[Span](), 0
    for found in _PLACE.finditer(text):
        index, path = int(found[1]) - 1, found[2][1:].lower()
        if not 0 <= index < len(evidence):
            raise EvidenceError(f"{found.group()} does not exist; there are e1 to e{len(evidence)}")
        out += text[at : found.start()]
        at = found.end()
        for span, words in _field(evidence[index], index, path, printed, text[at:]):
            if span is not None:
                spans.append(Span(len(out), len(out) + len(words), index, span))
            out += words
    return out + text[at:], spans


def _field(fact: Evidence, index: int, path: str, printed: set[tuple[int, str]], behind: str) -> Iterator[tuple[str | None, str]]:
    """``(field, text)`` for what a place becomes; field None for plain words."""
    if path == "unit":
        yield None, unit_words(fact.unit).strip()
        return
    path = path or "value"
    head = path.split(".")[0]
    if head not in ("value", "interval") and ((index, path) not in printed or path == EXPRESSION):
        raise EvidenceError(f"{{e{index + 1}.{path}}} may not be printed; there is {{e{index + 1}.value}}")
    if path == "interval":
        yield "interval.0", print_field(fact, "interval.0")
        yield None, " to "
        path = "interval.1"
    if path == "value" and isinstance(fact.value, tuple):
        for k in range(len(fact.value)):
            yield from ((None, ", "),) if k else ()
            yield f"value.{k}", print_field(fact, f"value.{k}")
        return
    yield path, print_field(fact, path)
    unit = unit_words(fact.unit)
    number = isinstance(field_value(fact, path), int | float)
    if number and head in ("value", "interval") and unit and not _has_unit(behind, unit):
        if other := _UNIT.match(behind):
            raise EvidenceError(f"{{e{index + 1}.{path}}} has the unit{unit}, not {other[1]}")
        yield None, unit


def _has_unit(behind: str, unit: str) -> bool:
    """Whether the unit stands there already, or the number is the first of a range."""
    bare = unit.strip()
    close = re.match(rf"\s?(?:{re.escape(bare)}|\{{e\d+\.unit\}})", behind)
    return close is not None or re.match(r"\s*(?:to|x|–|-)\s*\{e\d", behind) is not None


def _printed_so(text: str, start: int, end: int, evidence: Sequence[Evidence], spans: Sequence[Span]) -> list[Span]:
    """Fields of evidence that print as these characters, those of the composed answer first; then limits that were said."""
    wanted = text[start:end]
    fields = [(s.index, s.field) for s in spans if s.field != EXPRESSION]
    fields += [(k, path) for k, e in enumerate(evidence) for path in _numbers_of(e)]
    found = []
    for index, path in dict.fromkeys(fields):
        try:
            shown = print_field(evidence[index], path)
        except EvidenceError:
            continue
        if shown == wanted:
            found.append(Span(start, end, index, path))
    try:
        number = float(wanted.replace(",", "").replace("−", "-"))
    except ValueError:
        return found
    said = [k for k, e in enumerate(evidence) if number in said_numbers(str(e.parameters.get("expression", "")))]
    return [*found, *(Span(start, end, k, EXPRESSION) for k in said[:1])]


def _numbers_of(fact: Evidence) -> Iterator[str]:
    """Fields that hold the numbers of a fact."""
    if isinstance(fact.value, tuple):
        yield from (f"value.{k}" for k in range(len(fact.value)))
    elif isinstance(fact.value, int | float) and not isinstance(fact.value, bool):
        yield "value"
    if fact.interval is not None:
        yield from ("interval.0", "interval.1")
