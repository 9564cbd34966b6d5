"""Questions that ask for knowledge, a calculation or a name, recognised in the whole text; what they ask becomes a Query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from .grammar_advice import advised
from .knowledge.amounts import Amounts, parse
from .knowledge.calculators import by_tool, completed, conversion, unstated, wanted
from .knowledge.recall import Found, described, facets, recall
from .knowledge.topics import topic
from .memory import Context
from .query import Query

_CLOSED = ("diagnosis", "elsewhere")  # never answered from notes
_REFUSED = (*_CLOSED, "identity", "time", "cell cycle", "significance", "undo")
_SOFT = ("knowledge", "advice", "bare number")
_GENERAL = re.compile(
    r"\bwhat(?:'?s| is| are) (?:an? |meant by|the (?:difference|meaning|definition|purpose|point|idea|advantage|"
    r"benefit|limit|principle|best (?:way|practice)))|\bdefin|\bexplain\b(?! the image)|\bdoes .{1,40} mean\b|"
    r"\bmeans\b|\bmeaning of\b|\bdifference between\b|\bdiffers?\b|\bwhy (?:use|do|does|would|should|not|is it|are "
    r"there)\b|\bwhen (?:should|do|does|would|is|to)\b|"
    r"\bhow (?:does|do) .{1,40} work|\btell me (?:about|what)|\bwhat do(?:es)? .{1,30}(?:stain|stand for|label|bind|"
    r"show|measure|do)\b|\bis it (?:ok|okay|allowed|fine|better|necessary)|"
    r"\bpros and cons\b|\badvantages?\b|\b(?:versus|vs)\b|\bin general\b|\bgenerally\b|\bshould (?:i|one|we)\b|\bdo "
    r"i (?:really )?(?:need|have)|\bwhich (?:stains?|dyes?|tests?|objective|controls?|threshold|filter|format|camera|"
    r"software|metric)\b|"
    r"\bwhat (?:stains?|dyes?|colou?r (?:is|does))\b|\bhow (?:do|can|should|would) (?:i|you|we|one)\b|\bhow to\b|"
    r"\bwhat happens\b|\bwhat causes\b|\bopinion\b|\bhow many .{1,40} (?:do i need|should i|are needed|is enough)|"
    r"\b(?:can|may) i\b"
)
_DEFINES = re.compile(
    r"^(?:so |ok |and |please |hi |hello |hey )*(?:what(?:'?s| is| are)|explain|define) (?!the\b|this\b|these\b|"
    r"those\b|that\b|my\b|in\b|on\b|there\b|it\b)"
)
_MEASURES = re.compile(
    r"^(?:so |ok |and |please |hi |hello |hey )*(?:how many|how much|count|where|is there|are there|number of|"
    r"describe|show|measure|find)\b"
)
_OTHER = re.compile(
    r"^who\b|\bwhere (?:can|do|could) (?:i|we|you) (?:buy|get|find)|\bprices?\b|\bcosts?\b|\bexpensive\b|\bcheap|"
    r"\binvent(?:ed|or)\b|\bbuy\b"
)
_HERE = re.compile(
    r"\b(?:this|these|those|here|my|our|your|it|its|they|them|their|that (?:image|picture|cell|one|thing)|the "
    r"(?:image|picture|field|slide|smear|scan|photo|left|right|top|bottom)|in the (?:image|picture)|channel \d|did "
    r"(?:they|you|we|he|she))\b"
)
_NAME = re.compile(
    r"\bcalled\b|\bcall (?:it|them|these|this|such|those|that|a cell|cells)\b|\bnames? (?:for|of) (?:such|these|this|"
    r"them|it|those|that|cells?)|\bwhat(?:'?s| is| are) (?:the|its|their) (?:names?|terms?)\b|\b(?:what|which) "
    r"(?:type|kind|sort)\b|"
    r"\b(?:type|kind|name|term)\s*\??\s*$|\bterm for\b|\bwhat(?:'?s| is| are) (?:that|this|these|those|the|such) .{3,"
    r"}|\bhow do you call\b|\bwhat cells? (?:is|are|has|have|look)|\bidentify\b|\bwhat technique gives|\btechnique "
    r"(?:gives|shows|makes|produces)|\bwhat (?:do|would) (?:you|we) call"
)
_PALLOR = re.compile(
    r"^(?:so |ok |and |but )*(?:is|are|do|does|can|have|has|any)\b.{0,60}\b(?:pallors?|(?:pale|light|bright|clear|"
    r"white) (?:cent(?:re|er)s?|middles?|cores?|spots? in the (?:middle|cent)))"
)
_RED_SHAPE = re.compile(
    r"\b(?:predominant|predominating|main|most common|commonest|dominant|typical|usual|general|prevailing)\b.{0,"
    r"20}\b(?:red|rbcs?|erythrocytes?)\b.{0,12}\b(?:shape|form|type|morphology|look)|"
    r"\b(?:morphology|shape) (?:of|do) (?:most of )?(?:the |these |those )?(?:red|rbcs?|erythrocytes?)\b|\b(?:red "
    r"cells?|rbcs?|red blood cells?|erythrocytes?) (?:shape|morphology)\b"
)
_FOLLOWS = re.compile(
    r"^(?:so |ok |okay |and |but |then |hm+ |well )*(?:what|why|when|how|is|does|do|where|which|can|any|are|for|in|"
    r"an?|with|example)\b|^and\b"
)


def consult(query: Query, text: str, context: Context) -> Query:
    """The query, or another in its place where the text asks for a calculation, advice, a name or something to be explained.

    A question that was read as a measurement stays one unless its form is general ("what is a ...", "why use ..."); the topics
    that are declined stay declined unless it is plainly general.
    """
    text = text[:2000]
    if query.topic in _CLOSED or query.topic in ("undo", "alike") or query.quantity == "uncertainty":
        return query
    if context.shape is not None and (query.pixel_size is not None or _tells_scale(text)):
        return _scaled(query, text, context)
    other = _calculation(query, text, context) or _consulted(query, text, context)
    return _of_named(query, context) if other is None else replace(other, text=query.text)


def _of_named(query: Query, context: Context) -> Query:
    """ "How many of them?" after something was named means the objects it was named for."""
    before = context.previous
    meant = (
        before is not None
        and before.topic == "term"
        and query.target is None
        and query.task in ("count", "fraction", "measure", "presence")
    )
    return replace(query, target=before.target) if meant and before is not None else query


def _tells_scale(text: str) -> bool:
    """ "I used a 20x and the camera has 6.5 µm pixels": a statement about the image, not a question."""
    told = re.search(
        (
            r"\b(?:i used|i took|it was|was taken|taken with|my objective (?:is|was)|my camera (?:is|has|was)|the camera|"
            r"imaged with|acquired with)\b"
        ),
        text.lower(),
    )
    return (
        told is not None and "pixel_um" in completed(parse(text)) and not re.search(r"\bwhat|\bwhich|pixel size\b", text.lower())
    )


def _scaled(query: Query, text: str, context: Context) -> Query:
    """The query with the pixel size that camera and magnification give; the question before where it asks none."""
    pixel = query.pixel_size or completed(parse(text)).get("pixel_um")
    measured = query.task not in ("unknown", "knowledge", "advise") and query.quantity not in ("magnification", "pixel_size")
    asked = replace(query, unread=()) if measured else context.previous
    return replace(asked if asked is not None else Query("measure", quantity="pixel_size"), text=query.text, pixel_size=pixel)


def _consulted(query: Query, text: str, context: Context) -> Query | None:
    if query.topic in _REFUSED and _HERE.search(text.lower()) and not _how_to(text):
        return _term(query, text, context) if query.topic == "identity" else None
    advice = advised(query, text, context)
    if advice is not None:
        return advice
    followed = _followed(query, text, context) if query.topic not in _REFUSED else None
    return _term(query, text, context) or followed or _explained(query, text, context)


def _how_to(text: str) -> bool:
    return re.search(r"\bhow (?:should|would|can|could|do) (?:i|we|you)\b|\bhow to\b", text.lower()) is not None


def _open(query: Query) -> bool:
    """Whether measuring has nothing to answer: not understood, or general by the words in it."""
    return query.task in ("unknown", "knowledge", "advise") or bool(query.unread)


def _explained(query: Query, text: str, context: Context) -> Query | None:
    """A topic that the question names, where it asks in general."""
    found = recall(text)
    plain = text.lower().strip()
    if found is None or _OTHER.search(plain) or not (_GENERAL.search(plain) or _asks_plainly(query, plain, found, context)):
        return None
    here = _HERE.search(plain) is not None and context.shape is not None
    if query.topic in _REFUSED and (here or found.covered < 0.75 or not _GENERAL.search(plain)):
        return None
    sure = found.covered >= (0.75 if context.shape is None else 0.85)
    if _open(query) or context.shape is None:
        return _explain(found) if not here or sure or query.topic in _SOFT else None
    compared = (general := _GENERAL.search(plain)) is not None and re.fullmatch(
        r"\s*(?:vs\.?|versus)\s*", general.group()
    ) is not None
    if compared and query.target is not None:  # "area fraction of particles vs background?" measures
        return None
    return _explain(found) if sure and not here and general else None


def _asks_plainly(query: Query, plain: str, found: Found, context: Context) -> bool:
    """A form that can only want knowledge: "what is FRET?" beside an image, nearly anything where there is none."""
    if context.shape is not None:
        return _open(query) and _DEFINES.search(plain) is not None and found.alone
    return _open(query) or not (_HERE.search(plain) or _MEASURES.search(plain))


def _explain(found: Found) -> Query:
    wanted = found.facets or ("what",)
    lead = () if len(found.keys) > 1 else tuple(w for w in wanted if w != "what")
    given = (("facets", ",".join(("what", *lead) if len(found.keys) == 1 and "advice" not in wanted else wanted)),)
    return Query("knowledge", topic="explain", quantity="|".join(found.keys), given=given)


def _followed(query: Query, text: str, context: Context) -> Query | None:
    """ "And when does it fail?" after something was explained."""
    before = context.previous
    asked = facets(text)
    if (
        before is None
        or before.topic not in ("explain", "term")
        or before.quantity is None
        or not asked
        or len(text.split()) > 12
    ):
        return None
    own = recall(text)
    if not _FOLLOWS.search(text.lower()) or (own is not None and own.keys[0] not in before.quantity and own.covered > 0.9):
        return None
    if not _open(query) and not re.search(r"\b(?:it|that|this|they|them|one)\b", text.lower()):
        return None
    return Query("knowledge", topic="explain", quantity=before.quantity, given=(("facets", ",".join(asked)), ("follows", "yes")))


def _term(query: Query, text: str, context: Context) -> Query | None:
    """The name of something whose looks are described, now or a moment ago; or of what red cells look like here."""
    if _PALLOR.search(text.lower()) and context.shape is not None:
        return Query("knowledge", target="red blood cell", topic="term", quantity="pallor")
    if _RED_SHAPE.search(text.lower()) and context.shape is not None:
        return Query("knowledge", target="red blood cell", topic="term", quantity="measured")
    if not _NAME.search(text.lower()) or not (_open(query) or query.task in ("classify", "describe")):
        return None
    asked_measure = query.task == "classify" and query.quantity not in ("kind", None)
    key = described(text)
    if key is not None and not asked_measure:
        return _named(key, query)
    before = context.previous
    if before is None or not re.search(r"\b(?:it|they|these|those|such|them|this|that)\b", text.lower()):
        return None
    told = before.text or ""
    stated = not re.match(r"\s*(?:is|are|do|does|did|can|how|any)\b", told.lower())
    key = described(told) if stated else None
    if key is not None:
        return _named(key, query)
    red = re.search(r"red|rbc|erythro|pallor|pale|cells?", told.lower()) and context.shape is not None
    return Query("knowledge", target=query.target, topic="term", quantity="measured", unread=()) if red else None


def _named(key: str, query: Query) -> Query:
    return Query("knowledge", target=query.target, topic="term", quantity=key)


def _calculation(query: Query, text: str, context: Context) -> Query | None:
    """A calculation with the quantities the text states, or those of the calculation before with some of them changed."""
    units = conversion(text)
    if units is not None and (_open(query) or context.shape is None):
        return Query("knowledge", topic="calculate", quantity="converted", given=units)
    before = context.previous
    known: Amounts = {}
    if before is not None and before.topic == "calculate" and before.quantity != "converted":
        known = {k: float(v) for k, v in before.given}
    new = parse(text)
    chosen = wanted(text, new, known | new) or (unstated(text) if not new and _open(query) else None)
    if chosen is not None and not (known and not new and not _open(query)):
        return _calculate(chosen.tool, known | new)
    if known and before is not None and before.quantity and len(text.split()) <= 12:
        new = new or _answered(text, before.quantity, known)
        if new:
            return _calculate(before.quantity, _without_derived(known, new) | new)
    return None


def _calculate(tool: str, amounts: Amounts) -> Query:
    return Query("knowledge", topic="calculate", quantity=tool, given=tuple(sorted(amounts.items())))


def _without_derived(known: Amounts, new: Amounts) -> Amounts:
    """A new magnification makes a pixel size that was stated for the old one void."""
    changed = "magnification" in new or "camera_um" in new
    return {k: v for k, v in known.items() if not (changed and k == "pixel_um")}


def _answered(text: str, tool: str, known: Amounts) -> Amounts:
    """A bare number given where one quantity was asked for."""
    numbers = re.findall(r"\d+(?:[.,]\d+)?", text)
    calculator = by_tool(tool)
    missing = calculator.missing(known) if calculator else ()
    return {missing[0]: float(numbers[0].replace(",", "."))} if len(numbers) == 1 and len(missing) == 1 else {}


def texts_of(query: Query) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """``(topic, facets)`` that an explanation says, facets that a topic lacks replaced by what it is."""
    asked = tuple(str(dict(query.given).get("facets", "what")).split(","))
    follows = "follows" in dict(query.given)
    said = []
    for key in (query.quantity or "").split("|"):
        known = topic(key)
        if known is None:
            continue
        held = tuple(f for f in asked if f in known.texts)
        if held == ("what",) and len(asked) > 1 and not follows:
            extra = next((f for f in ("how", "fails", "why") if f in known.texts), None)
            held = ("what", extra) if extra else held
        said.append((key, held or _instead(asked, follows, known.texts)))
    return tuple(said)


def _instead(asked: tuple[str, ...], follows: bool, texts: Mapping[str, str]) -> tuple[str, ...]:
    """The nearest sides of a topic to those it says nothing of."""
    wanted = ("how", "why", "fails", "what") if asked[0] in ("advice", "alternative", "why") else ("fails", "how", "what")
    near = next(f for f in wanted if f in texts)
    return (near,) if follows or near == "what" else ("what", near)
