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
from ..evidence import Evidence
from ..measures.quantities import QUANTITIES, STATISTIC_WORDS, named
from ..spans import EXPRESSION, field_value

_QUANTIFIERS = re.compile(
    r"\b(?:zero|nought|nil|two|both|couple|pair|trio|twice|thrice|double|doubled|triple|tripled|halve|halved|quarter of|"
    r"a third|thirds|two-thirds|half (?:of|the|as)|percent|percentage points?|dozens?|scores? of|handful|majority|minority|"
    r"first|second|fourth|fifth|sixth|seventh|eighth|ninth|tenth|[a-z]+teen|[a-z]+illions?)\b",
    re.IGNORECASE,
)
_ONE = re.compile(
    r"\b(?:only|just|exactly|is|are|about|approximately|roughly|contains|shows?|has|have|find|found|see) one\b", re.I
)
_NONE = re.compile(r"\b(?:no|none|nothing|neither|without|absent|zero)\b", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|never|cannot|hardly|barely)\b|n['’]t\b", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:(?:more|fewer|less|greater|larger|smaller|higher|lower) than|at least|at most|over|under|above|below|beyond|up to|"
    r"exceeds?|exceeding|nearly|almost|no fewer|as (?:many|few|much|little) as)\s*$",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"\b[IVXLCDM]{2,}\b")
_FOREIGN = re.compile(
    r"\b(?:null|eins|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|hundert|tausend|"
    r"deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|douze|vingt|cent|mille|"
    r"uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|veinte|cien|ciento|mil|"
    r"due|tre|quattro|cinque|sei|sette|otto|nove|dieci|venti|cento|twee|drie|vijf|zes|zeven|negen|tien)\b",
    re.IGNORECASE,
)
_PLAIN_SIGNS = frozenset("µ²³±×°–—’‘“”…−")
_PLACE = re.compile(
    r"\b(?:(?:top|upper|bottom|lower)[- ](?:left|right)|left|right|top|upper|bottom|lower|cent(?:er|re)|middle)\b", re.IGNORECASE
)
_SAME = {"upper": "top", "lower": "bottom", "centre": "center", "middle": "center"}
_CLAUSE = re.compile(r"[,;:]|\b(?:and|while|whereas|but|against|versus|than)\b")
_YES, _NO = re.compile(r"\s*(?:yes|correct|true)\b", re.IGNORECASE), re.compile(r"\s*(?:no|not|false|incorrect)\b", re.IGNORECASE)
_KINDS = ("object", "structure", "cell type", "stain", "modality", "specimen", "condition", "artefact", "appearance")
_CARE = (
    "anaemia", "anemia", "benign", "biopsy", "cancer", "cancerous", "carcinoma", "carcinomas", "chemo", "chemotherapy",
    "clinical", "cure", "diagnose", "diagnosed", "diagnoses", "diagnosis", "disease", "dosage", "dose", "drug",
    "haemoglobin", "healthy", "hemoglobin", "ill", "infected", "infection", "iron tablets", "leukaemia", "leukemia",
    "lymphoma", "malaria", "malign", "malignancy", "malignant", "medication", "medicine", "metastasis", "metastatic",
    "neoplasm", "pathological", "pathology", "patient", "patients", "physician", "positive for", "prescribe", "prognosis",
    "remission", "risk", "sarcoma", "sick", "surgery", "symptom", "symptoms", "syndrome", "tablets", "thalassaemia",
    "thalassemia", "therapy", "treat", "treated", "treatment", "tumor", "tumors", "tumour", "tumours",
)  # fmt: skip
_MEDICAL = re.compile(rf"\b(?:{'|'.join(sorted(_CARE, key=len, reverse=True))})\b", re.IGNORECASE)
_QUANTITY_WORD = re.compile("|".join(sorted((re.escape(named(q)) for q in QUANTITIES if len(q) > 1), key=len, reverse=True)))
_STATISTIC_WORD = re.compile("|".join(["mean", "median", "percentile", *(re.escape(w) for w in STATISTIC_WORDS.values() if w)]))


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
    said = _outside(text, spans)
    own = base.text if base is not None else ""
    _letters(said, own)
    _amounts(said, own, evidence, spans)
    _medical(said)
    _verdict(text, spans, evidence, base)
    _concepts(text, own, evidence)
    _beside_their_kind(text, spans, evidence)
    _places(text, spans, evidence, own)
    _names(text, spans, evidence)


def medical(text: str) -> str | None:
    """The first word of diagnosis or treatment in a text."""
    found = _MEDICAL.search(text)
    return found.group().lower() if found else None


def _outside(text: str, spans: Sequence[Span]) -> str:
    """The text without what evidence printed, which may be words of a file."""
    out = list(text)
    for s in spans:
        out[s.start : s.end] = " " * (s.end - s.start)
    return "".join(out)


def _letters(said: str, own: str) -> None:
    """Plain letters only: digits of other scripts, letters that look alike and pictures can hide a number."""
    for c in said:
        if ord(c) > 127 and c not in _PLAIN_SIGNS and c not in own and not "à" <= c.lower() <= "ÿ":
            raise EvidenceError(f"the character {c!r} ({unicodedata.name(c, 'unnamed')}) is not used in answers")


def _amounts(said: str, own: str, evidence: Sequence[Evidence], spans: Sequence[Span]) -> None:
    """Words that are numbers in disguise, where the composed answer has them not."""
    for pattern in (_QUANTIFIERS, _ONE, _ROMAN, _FOREIGN):
        for found in pattern.finditer(said):
            if found.group().lower() not in own.lower():
                raise EvidenceError(f"{found.group()!r} is an amount without evidence")
    empty = any(field_value(evidence[s.index], s.field) in (0, "none") for s in spans)
    denied = _NONE.search(said)
    if denied and not empty and not _NONE.search(own):
        raise EvidenceError(f"{denied.group()!r} denies what was measured")
    if (turned := _DENIED.search(said)) and not _DENIED.search(own):
        raise EvidenceError(f"{turned.group()!r} denies what was measured")
    for s in spans:
        hedge = _HEDGE.search(said[: s.start]) if not s.field.startswith("parameters.") else None
        if hedge and hedge.group().strip().lower() not in own.lower():
            raise EvidenceError(f"{hedge.group().strip()!r} makes another number of it")


def _medical(said: str) -> None:
    if word := medical(said):
        raise EvidenceError(f"{word!r}: nothing is said of diagnosis or treatment")


def _verdict(text: str, spans: Sequence[Span], evidence: Sequence[Evidence], base: Answer | None) -> None:
    """Yes stays yes, the winner stays the winner, and the number that was asked for is in the text."""
    if not spans:
        raise EvidenceError("the answer states no measurement; cite one, such as {e1.value}")
    yes, no = bool(_YES.match(text)), bool(_NO.match(text))
    if base is None:
        if yes or no:
            raise EvidenceError("a verdict of yes or no was not measured")
        return
    if isinstance(base.value, bool):
        held = _YES.match(base.text), _NO.match(base.text)
        if any(held) and (yes, no) != (bool(held[0]), bool(held[1])):
            raise EvidenceError(f"the answer must begin with {'Yes' if held[0] else 'No'}")
    elif yes or no:
        raise EvidenceError("a verdict of yes or no was not measured")
    shown = {str(field_value(evidence[s.index], s.field)).lower() for s in spans}
    value = base.value
    if isinstance(value, int | float) and not isinstance(value, bool) and str(value).lower() not in shown:
        raise EvidenceError("the answer leaves out the value that was asked for, {e1.value}")
    if isinstance(value, str) and value != "none" and value.lower() not in text.lower():
        raise EvidenceError(f"the answer leaves out what was found, {value!r}")
    _doubts(spans, base)


def _doubts(spans: Sequence[Span], base: Answer) -> None:
    """How sure a number is stays with it: its interval, its p-value, the sample it comes from."""
    stated = {(s.index, s.field) for s in spans}
    for s in base.spans:
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
    known = {m.id for words in (own, *_words(evidence)) for m in onto.sentence_concepts(words)}
    wider = {a for c in known for a in (c, *onto.ancestors(c))} | {"object"}
    for found in onto.sentence_concepts(text):
        if found.id not in wider and onto[found.id].kind in _KINDS:
            raise EvidenceError(f"{found.id!r} is not what was measured")


def _beside_their_kind(text: str, spans: Sequence[Span], evidence: Sequence[Evidence]) -> None:
    """Where several kinds were measured, a number stands beside its own."""
    kinds = [_kind(e) for e in evidence]
    if len({k for k in kinds if k}) < 2:
        return
    said = [(m.start, m.id) for m in ontology().sentence_concepts(text) if m.id in kinds]
    for s in spans:
        if kinds[s.index] and s.field.startswith(("value", "interval")) and not _beside(text, s, said) <= {kinds[s.index]}:
            raise EvidenceError(f"{text[s.start : s.end]!r} is of {kinds[s.index]!r}; the text gives it to another kind")


def _kind(fact: Evidence) -> str:
    """The concept that a fact is about; empty where it names none."""
    if isinstance(fact.value, str):
        return ""
    found = next(iter(ontology().sentence_concepts(fact.quantity)), None)
    return found.id if found is not None else ""


def _words(evidence: Sequence[Evidence]) -> Iterable[str]:
    """Everything that evidence says in words."""
    for e in evidence:
        yield e.quantity
        yield from (str(v) for v in (e.value, e.parameters.get("expression")) if isinstance(v, str))


def _places(text: str, spans: Sequence[Span], evidence: Sequence[Evidence], own: str) -> None:
    """A place is one that was measured, and a number stands beside its own place."""
    places = [(m.start(), _place(m.group())) for m in _PLACE.finditer(text)]
    measured = [_where(e) for e in evidence]
    whole = " ".join([own, *(str(e.value) for e in evidence), *measured]).lower()
    known = {_place(m.group()) for m in _PLACE.finditer(whole)}
    for _, name in places:
        if name not in known:
            raise EvidenceError(f"{name!r} is a place where nothing was measured")
    if len({w for w in measured if w}) < 2:
        return
    for s in spans:
        own_place = measured[s.index]
        if own_place and s.field.startswith(("value", "interval")):
            near = _beside(text, s, places)
            if near != {own_place}:
                raise EvidenceError(f"{text[s.start : s.end]!r} was measured in the {own_place}; the text does not put it there")


def _beside(text: str, span: Span, places: Sequence[tuple[int, str]]) -> set[str]:
    """The places in the clause of a number; without one, the last before it."""
    ends = [0, *(m.end() for m in _CLAUSE.finditer(text)), *(m.end() for m in re.finditer(r"\.(?= |$)", text)), len(text)]
    ends.sort()
    start = max(e for e in ends if e <= span.start)
    stop = min((e for e in ends if e > span.start), default=len(text))
    inside = {name for at, name in places if start <= at < stop}
    before = [name for at, name in places if at < span.start]
    return inside or set(before[-1:])


def _where(fact: Evidence) -> str:
    """The place that a fact is about, as one name; empty for the whole image."""
    named = re.search(r"(?:, | in the )([a-z ]+)$", fact.quantity)  # the region of a comparison is its first place only
    found = _PLACE.search(named[1]) if named else None
    if found is None and fact.region is not None:
        found = _PLACE.search(fact.region.name or "")
    return _place(found.group()) if found else ""


def _place(words: str) -> str:
    parts = re.split(r"[- ]", words.lower())
    return " ".join(_SAME.get(p, p) for p in parts)


def _names(text: str, spans: Sequence[Span], evidence: Sequence[Evidence]) -> None:
    """The last quantity, and the last statistic, named before a number in its sentence are those that its evidence holds."""
    starts = [0, *(m.end() for m in re.finditer(r"\.(?= |$)", text))]
    for s in spans:
        own = evidence[s.index].quantity
        if s.field != "value" or not _QUANTITY_WORD.search(own):
            continue
        before = text[max(at for at in starts if at <= s.start) : s.start]
        nouns = _QUANTITY_WORD.findall(before)
        if nouns and nouns[-1] not in own:
            raise EvidenceError(f"the text calls {own!r} {nouns[-1]!r}")
        said = _STATISTIC_WORD.findall(_QUANTITY_WORD.sub("", before))
        if said and said[-1] not in own:
            raise EvidenceError(f"the text calls {own!r} {said[-1]!r}")
