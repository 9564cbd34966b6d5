"""What beside numbers a model's sentences may claim: verdicts, places, kinds of objects and medical words are checked.

Numbers are checked in :mod:`.wording`. This is stricter than what composed prose needs, as nobody wrote these words on purpose.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ...errors import EvidenceError
from ...models.ontology import ontology
from ..answer import Answer, Span
from ..composing import EXPRESSION, field_value
from ..evidence import Evidence
from ..measures.quantities import QUANTITIES, STATISTIC_WORDS, named
from ..words.tables import table


def _words(name: str, form: str = r"\b(?:{})\b") -> re.Pattern[str]:
    return re.compile(form.format(table("checked")[name]), re.IGNORECASE)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))


_AMOUNTS = (_words("quantifiers"), re.compile(r"\b[IVXLCDM]{2,}\b"), _words("foreign"))
_NONE, _DENIED, _PLACE, _MEDICAL = (_words(name) for name in ("none", "denied", "places", "medical"))
_HEDGE = _words("hedges", r"\b(?:{})\s*$")
_YES, _NO = (_words(name, r"\s*(?:{})\b") for name in ("yes", "no"))
_PLAIN_SIGNS = frozenset("µ²³±×°–—’‘“”…−")
_CLAUSE = re.compile(r"[,;:]|\b(?:and|while|whereas|but|against|versus|than)\b")
_STOP = re.compile(r"\.(?= |$)")
_KINDS = ("object", "structure", "cell type", "stain", "modality", "specimen", "condition", "artefact", "appearance")
_QUANTITY = _any_of(named(q) for q in QUANTITIES if len(q) > 1)
_STATISTIC = _any_of(("mean", "median", "percentile", *(w for w in STATISTIC_WORDS.values() if w)))


def ground(text: str, spans: Sequence[Span], evidence: Sequence[Evidence], base: Answer | None) -> None:
    """Refuses a text that claims what was not measured.

    Parameters
    ----------
    text, spans : as :func:`~micro_nb.session.llm.wording.worded` gave them.
    evidence : what was measured.
    base : the composed answer; None where there is none.

    Raises
    ------
    EvidenceError : says what is claimed without evidence.
    """
    said, own = list(text), base.text if base is not None else ""
    for s in spans:  # what evidence printed may be words of a file
        said[s.start : s.end] = " " * (s.end - s.start)
    _letters(said, own)
    _amounts("".join(said), own, evidence, spans)
    if word := medical("".join(said)):
        raise EvidenceError(f"{word!r}: nothing is said of diagnosis or treatment")
    _verdict(text, spans, evidence, base)
    _concepts(text, own, evidence)
    _beside_their_kind(text, spans, evidence)
    _places(text, spans, evidence, own)
    _names(text, spans, evidence)


def medical(text: str) -> str | None:
    """The first word of diagnosis or treatment in a text."""
    found = _MEDICAL.search(text)
    return found.group().lower() if found else None


def _letters(said: Iterable[str], own: str) -> None:
    """Plain letters only: digits of other scripts, letters that look alike and pictures can hide a number."""
    for c in said:
        if ord(c) > 127 and c not in _PLAIN_SIGNS and c not in own and not "à" <= c.lower() <= "ÿ":
            raise EvidenceError(f"the character {c!r} ({unicodedata.name(c, 'unnamed')}) is not used in answers")


def _amounts(said: str, own: str, evidence: Sequence[Evidence], spans: Sequence[Span]) -> None:
    """Words that are numbers in disguise, where the composed answer has them not."""
    for found in (m for pattern in _AMOUNTS for m in pattern.finditer(said)):
        if found.group().lower() not in own.lower():
            raise EvidenceError(f"{found.group()!r} is an amount without evidence")
    empty = any(field_value(evidence[s.index], s.field) in (0, "none") for s in spans)
    for pattern in (_DENIED,) if empty else (_NONE, _DENIED):
        if (turned := pattern.search(said)) and not pattern.search(own):
            raise EvidenceError(f"{turned.group()!r} denies what was measured")
    for s in spans:
        hedge = _HEDGE.search(said[: s.start]) if not s.field.startswith("parameters.") else None
        if hedge and hedge.group().strip().lower() not in own.lower():
            raise EvidenceError(f"{hedge.group().strip()!r} makes another number of it")


def _verdict(text: str, spans: Sequence[Span], evidence: Sequence[Evidence], base: Answer | None) -> None:
    """Yes stays yes, the winner stays the winner, and the number that was asked for is in the text."""
    if not spans:
        raise EvidenceError("the answer states no measurement; cite one, such as {e1.value}")
    verdict, value = (bool(_YES.match(text)), bool(_NO.match(text))), base.value if base is not None else None
    own = (bool(_YES.match(base.text)), bool(_NO.match(base.text))) if base is not None and isinstance(value, bool) else None
    if own is None and any(verdict):
        raise EvidenceError("a verdict of yes or no was not measured")
    if own is not None and any(own) and verdict != own:
        raise EvidenceError(f"the answer must begin with {'Yes' if own[0] else 'No'}")
    if base is None:
        return
    shown = {str(field_value(evidence[s.index], s.field)).lower() for s in spans}
    if isinstance(value, int | float) and not isinstance(value, bool) and str(value).lower() not in shown:
        raise EvidenceError("the answer leaves out the value that was asked for, {e1.value}")
    if isinstance(value, str) and value != "none" and value.lower() not in text.lower():
        raise EvidenceError(f"the answer leaves out what was found, {value!r}")
    stated = {(s.index, s.field) for s in spans}
    for s in base.spans:  # its interval, its p-value, the sample it comes from
        if s.field != EXPRESSION and not s.field.startswith("value") and (s.index, s.field) not in stated:
            raise EvidenceError(f"the answer leaves out how sure that is, {{e{s.index + 1}.{s.field}}}")


def caveats(base: Answer, text: str) -> str:
    """Sentences of a composed answer behind the first that state no number, such as what was assumed, which the text lacks."""
    starts = [0, *(m.end() for m in re.finditer(r"(?<=\.) (?=[A-Z])", base.text)), len(base.text)]
    kept = ""
    for start, stop in pairwise(starts[1:]):
        sentence = base.text[start:stop].strip()
        if sentence not in text and not any(start <= s.start < stop for s in base.spans):
            kept += f" {sentence}"
    return kept


def _concepts(text: str, own: str, evidence: Sequence[Evidence]) -> None:
    """Kinds of objects, stains, structures ... must be spoken of in the evidence or in the composed answer."""
    onto = ontology()
    told = [v for e in evidence for v in (e.quantity, e.value, e.parameters.get("expression")) if isinstance(v, str)]
    known = {m.id for words in (own, *told) for m in onto.sentence_concepts(words)}
    wider = {a for c in known for a in (c, *onto.ancestors(c))} | {"object"}
    for found in onto.sentence_concepts(text):
        if found.id not in wider and onto[found.id].kind in _KINDS:
            raise EvidenceError(f"{found.id!r} is not what was measured")


def _beside_their_kind(text: str, spans: Sequence[Span], evidence: Sequence[Evidence]) -> None:
    """Where several kinds were measured, a number stands beside its own."""
    quantities = ["" if isinstance(e.value, str) else e.quantity for e in evidence]
    kinds = [next((m.id for m in ontology().sentence_concepts(q)), "") for q in quantities]
    if len({k for k in kinds if k}) < 2:
        return
    said = [(m.start, m.id) for m in ontology().sentence_concepts(text) if m.id in kinds]
    for s in spans:
        if kinds[s.index] and s.field.startswith(("value", "interval")) and not _beside(text, s, said) <= {kinds[s.index]}:
            raise EvidenceError(f"{text[s.start : s.end]!r} is of {kinds[s.index]!r}; the text gives it to another kind")


def _places(text: str, spans: Sequence[Span], evidence: Sequence[Evidence], own: str) -> None:
    """A place is one that was measured, and a number stands beside its own place."""
    said, measured = [(m.start(), _place(m.group())) for m in _PLACE.finditer(text)], [_where(e) for e in evidence]
    whole = " ".join([own, *(str(e.value) for e in evidence), *measured])
    known = {_place(m.group()) for m in _PLACE.finditer(whole)}
    for _, name in said:
        if name not in known:
            raise EvidenceError(f"{name!r} is a place where nothing was measured")
    if len({w for w in measured if w}) < 2:
        return
    for s in spans:
        place = measured[s.index]
        if place and s.field.startswith(("value", "interval")) and _beside(text, s, said) != {place}:
            raise EvidenceError(f"{text[s.start : s.end]!r} was measured in the {place}; the text does not put it there")


def _beside(text: str, span: Span, places: Sequence[tuple[int, str]]) -> set[str]:
    """The places in the clause of a number; without one, the last before it."""
    ends = sorted([0, *(m.end() for pattern in (_CLAUSE, _STOP) for m in pattern.finditer(text)), len(text)])
    start = max(e for e in ends if e <= span.start)
    stop = min((e for e in ends if e > span.start), default=len(text))
    inside = {name for at, name in places if start <= at < stop}
    return inside or set([name for at, name in places if at < span.start][-1:])


def _where(fact: Evidence) -> str:
    """The place that a fact is about, as one name; empty for the whole image."""
    named = re.search(r"(?:, | in the )([a-z ]+)$", fact.quantity)  # the region of a comparison is its first place only
    found = _PLACE.search(named[1]) if named else None
    if found is None and fact.region is not None:
        found = _PLACE.search(fact.region.name or "")
    return _place(found.group()) if found else ""


def _place(words: str) -> str:
    return " ".join(table("checked")["same_place"].get(p, p) for p in re.split(r"[- ]", words.lower()))


def _names(text: str, spans: Sequence[Span], evidence: Sequence[Evidence]) -> None:
    """The last quantity, and the last statistic, named before a number in its sentence are those that its evidence holds."""
    starts = [0, *(m.end() for m in _STOP.finditer(text))]
    for s in spans:
        own = evidence[s.index].quantity
        if s.field != "value" or not _QUANTITY.search(own):
            continue
        before = text[max(at for at in starts if at <= s.start) : s.start]
        for said in (_QUANTITY.findall(before), _STATISTIC.findall(_QUANTITY.sub("", before))):
            if said and said[-1] not in own:
                raise EvidenceError(f"the text calls {own!r} {said[-1]!r}")
