"""Questions about what is no ordinary object: marks, rims, gaps, areas, one thing described by its look, and what it may be.

Read from the words of a whole turn, because people first say what they see and then ask ("something dark runs along one edge -
which edge?"). What is found here takes precedence over the grammar of objects; everything else is left to it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from .grammar_seen_words import ADVICE, CELL_OR, COLOURS, COUNTS, KINDS, MARKS, MEASURED, THING, WHERE
from .memory import Context
from .query import Query, Task
from .reading import Clause

SEEN = frozenset(
    ["marks", "edge band", "dark corners", "gap", "gap share", "lawn gaps", "where tissue", "membrane share", "white cell type",
     "pallor", "thing", "two stains", "recognise", "microscope image", "crowding", "signal colour", "oddities", "halos",
     "stained evenly", "empty part"]
)  # fmt: skip
"""Quantities of the queries this module makes."""


def seen_in(text: str, asked: tuple[Clause, ...], context: Context) -> Query | None:
    """The query of a turn that is about what this module knows; None for any other turn."""
    plain = " ".join(text.lower().replace("’", "'").replace("-", " ").split())
    follow = _follow_up(plain, context.previous)
    if follow is not None:
        return replace(follow, text=text)
    counts = re.search(COUNTS, plain) is not None
    for rule in _RULES:
        query = rule(plain, counts)
        if query is not None:
            return replace(query, text=text)
    return None


def _made(task: Task, quantity: str, topic: str | None = None) -> Query:
    return Query(task, quantity=quantity, topic=topic)


def _where_or(plain: str, other: Task = "presence") -> Task:
    return "locate" if re.search(WHERE, plain) else other


def _follow_up(plain: str, before: Query | None) -> Query | None:
    """ "Box it", "what would you call it?", "did you count it?" after a question of this module."""
    if before is None or before.quantity not in SEEN or len(plain.split()) > 9:
        return None
    locates = re.search(
        r"^(?:and |so |ok )?(?:where|box|which (?:corner|side|edge|quadrant|half)|show|point|coord|in which|position)", plain
    )
    named = any(re.search(words, plain) for words in MARKS.values())
    if locates and not named and not re.search(r"\bcells?\b|\bnucle|\bparticle", plain):
        return replace(before, task="locate", also=())
    if before.quantity == "thing" and re.search(
        r"call(?:ed)? (?:it|that|this)|\bname\b|what (?:is|would|could|might) .*\b(?:it|that)\b|what type|which type|"
        r"identify it",
        plain,
    ):
        return replace(before, task="classify", also=())
    if re.search(r"\bcount(?:ed)? (?:it|that|this|them)\b|\b(?:it|that) counted|\binclude(?:d)? (?:it|that)", plain):
        return replace(before, task="presence", quantity="thing", topic="counted|" + _description(before), also=())
    if re.search(r"how (?:big|large|long|wide)|\bits (?:size|area|width|length)|\bsize\?", plain) and before.quantity in (
        "thing",
        "marks",
        "edge band",
        "gap",
    ):
        return replace(before, task="measure", also=())
    return None


def _description(before: Query) -> str:
    return (before.topic or "").removeprefix("counted|")


def _white_cell(plain: str, counts: bool) -> Query | None:
    """Which white blood cell, by its nucleus."""
    cell = re.search(r"leuk?o?c[yi]te?|\bwbcs?\b|white (?:blood )?cells?|white one|granulocyte", plain)
    kinds = re.search(r"neutrophil|lymphocyte|monocyte|eosinophil|basophil|granulocyte|segmented", plain)
    asks = re.search(
        r"\btypes?\b|\bkinds?\b|\bsubtype|\bwhich (?:white|leuk|wbc)|\bclassif|\bspecies of|\bdifferential|judging by", plain
    )
    if (cell and asks and not counts and not re.search(WHERE, plain)) or (
        kinds and re.search(r"\bor\b|\bis (?:it|this|that|the)\b", plain) and not counts
    ):
        return _made("classify", "white cell type", kinds.group(0) if kinds and not asks and " or " not in plain else None)
    return None


def _marks(plain: str, counts: bool) -> Query | None:
    """Scale bars, text, arrows, scribbles, dirt."""
    if counts or re.search(ADVICE, plain):
        return None
    named = next((kind for kind, words in MARKS.items() if re.search(words, plain)), None)
    if re.search(CELL_OR, plain):
        return _made("classify", "thing", plain)
    if named == "scale bar" and re.search(r"how long|length of|\bwhat does .* (?:say|mean)|\bwhat length", plain):
        return _made("measure", "marks", named)
    if named is None or re.search(r"marker (?:for|of|protein)|label(?:led|ling)? with", plain):
        return None
    return _made(_where_or(plain), "marks", named)


def _oddities(plain: str, counts: bool) -> Query | None:
    """Whether something in the picture is no specimen, or not as the rest."""
    no_cell = (
        r"(?:anything|something|things?|objects?|stuff|structures?)[^.?]*\b(?:is|are|does|which|that|"
        r"not)\b[^.?]*(?:n[o']t|not|no) (?:a |real |really )*(?:cells?|nucle\w+|part of|belong|specimen|sample|tissue|"
        r"biolog\w+)"
    )
    odd = (
        r"\b(?:any ?thing|something|what(?:'s| is)?)\b[^.?]*\b(?:odd|strange|weird|unusual|wrong|funny|suspicious|"
        r"off|abnormal|out of place|stands? out|peculiar)\b"
    )
    if counts or re.search(r"\bcells? (?:that|which) |patient|disease", plain):
        return None
    if re.search(no_cell, plain) or re.search(
        r"besides (?:the )?cells|other than (?:the )?cells|apart from (?:the )?cells|not? cells? (?:in|here)", plain
    ):
        return _made(_where_or(plain, "quality"), "oddities", "no cells")
    if re.search(odd, plain) or re.search(
        r"\bodd(?:ities|ity)\b|\banomal|\bodd one out\b|doesn'?t (?:fit|belong)|does not (?:fit|belong)", plain
    ):
        return _made(_where_or(plain, "quality"), "oddities")
    return None


def _rims(plain: str, counts: bool) -> Query | None:
    """Bands along an edge, dark corners."""
    if (
        re.search(
            r"\bcorners?\b[^.?]*\b(?:black|dark|darker|shaded?|vignett\w*|missing)|\b(?:black|dark|darker|"
            r"shad\w+)\b[^.?]*\bcorners?\b|\bvignett|\bblack (?:border|frame|surround|rim|margin)|\b(?:edges?|"
            r"borders?|rim|surround) (?:is|are) (?:black|dark)",
            plain,
        )
        and not counts
    ):
        return _made(_where_or(plain, "quality"), "dark corners")
    band = r"\b(?:band|stripe|strip|wall|barrier|bar|line|something|thing|structure|edge|streak)\b"
    rim = r"\b(?:edges?|borders?|sides?|margin|rim|top|bottom|left|right)\b"
    dark = r"\b(?:dark|black|thick|shadow\w*)\b"
    along = r"\b(?:runs?|running|along|band|stripe|strip|wall|barrier)\b"
    if (
        not counts
        and all(re.search(p, plain) for p in (band, rim, dark, along))
        and not re.search(r"\bmiddle\b|\bcent(?:re|er)\b", plain)
    ):
        return _made(_where_or(plain, "classify"), "edge band")
    return None


def _gaps(plain: str, counts: bool) -> Query | None:
    """The gap of a scratched layer, holes in a lawn."""
    gap = re.search(
        r"\bwounds?\b|\bscratch(?:ed)?\b|\bgaps?\b|\bcell[- ]?free\b|\bholes? in the (?:lawn|layer|monolayer|culture)|"
        r"\bopen area\b|\bbare (?:area|patch)|\bclearing\b",
        plain,
    )
    if (
        not gap
        or re.search(ADVICE, plain)
        or re.search(r"after \d+ ?h|will be|over time|how fast|how many (?:cells|nuclei)", plain)
    ):
        return None
    if re.search(r"%|percent|fraction|share|how much|area of|proportion|\bsize of the (?:gap|wound)", plain):
        return _made("fraction", "gap share")
    if re.search(r"\bhow (?:wide|broad)|\bwidth\b", plain):
        return _made("measure", "gap")
    if re.search(r"\bgaps\b|\bholes\b|\blawn\b|between", plain) and not re.search(r"\bwound|\bscratch", plain):
        return _made(_where_or(plain), "lawn gaps")
    closed = re.search(r"\bclosed?\b|\bhealed\b|\bclosure\b|\bgone\b|\bconfluent\b", plain)
    return _made(_where_or(plain), "gap", "closed" if closed else "open")


def _areas(plain: str, counts: bool) -> Query | None:
    """Tissue beside empty glass, membranes, crowding, an empty part."""
    if re.search(r"\b(?:tissue|specimen|sample|section|material)\b", plain) and re.search(WHERE, plain) and not counts:
        return _made("locate", "where tissue")
    if re.search(r"\bmembranes?\b|\bmembranous", plain) and re.search(
        r"%|percent|fraction|share|how much|proportion|cover", plain
    ):
        return _made("fraction", "membrane share")
    crowded = r"\b(?:dense|sparse|crowded|packed|thinly|sparsely|densely)\b[^.?]*(?:\bor\b|culture|cells|field|\?|$)"
    judged = r"\bor\b|^is|^are|culture|how (?:dense|crowded)|\blayer\b"
    if re.search(crowded, plain) and not counts and not re.search(WHERE + r"|\bper\b", plain) and re.search(judged, plain):
        return _made("classify", "crowding")
    return None


def _blood(plain: str, counts: bool) -> Query | None:
    """The pale centre of red cells; even staining."""
    if (
        re.search(r"\bpallor\b|\bpale (?:cent(?:re|er)s?|middles?|zones?|areas?)\b", plain)
        and not counts
        and re.search(
            r"\b(?:is|are|do|does|have|has|can|any)\b[^.?]*\b(?:visible|there|see|present|have|has|show|pale|pallor|"
            r"normal|any)\b",
            plain,
        )
        and not re.search(r"what does|mean\b|type|called", plain)
    ):
        return _made("presence", "pallor")
    if re.search(
        r"\b(?:evenly|uniformly|equally|homogen\w+)\b[^.?]*\b(?:stain|separat|spread|distribut|colou?r|spaced)|"
        r"\bwell separated\b|\bevenly\b.*\bseparat",
        plain,
    ) and re.search(r"stain|separat|colou?r", plain):
        return _made("quality", "stained evenly")
    return None


def _looks(plain: str, counts: bool) -> Query | None:
    """Stains by their colours, the colour of the signal, halos."""
    stain = re.search(r"\bstain\w*|\bdyes?\b", plain)
    named = re.findall(r"\b(?:brown|blue|pink|purple|red|green|violet)\b", plain)
    if (
        stain
        and named
        and re.search(r"\bwhich\b|\bwhat\b", plain)
        and not re.search(r"\bis the stain\b|\bcells?\b|\bone (?:cell|nucle)", plain)
        and (len(set(named)) > 1 or re.search(r"what (?:is|does|stain)", plain))
    ):
        return _made("classify", "two stains", " ".join(dict.fromkeys(named)))
    if re.search(r"\bhalo(?:s|es)?\b|\bbright rims?\b", plain) and not counts and not re.search(ADVICE, plain):
        return _made("classify", "halos")
    if re.search(
        r"colou?r\b[^.?]*\b(?:signal|fluoresc\w+|channel|label|glow\w*|light|emission)|(?:signal|fluoresc\w+|glow\w*|"
        r"label)\b[^.?]*\bcolou?r",
        plain,
    ) and not re.search(r"%|share|fraction", plain):
        return _made("describe", "signal colour")
    return None


def _microscope(plain: str, counts: bool) -> Query | None:
    """Whether it is a microscope's picture at all."""
    asked = re.search(r"\b(?:microscop\w*|micrograph)\b", plain) and re.search(r"^(?:is|was|are|does|could)\b", plain)
    taken = (
        r"is (?:this|it|that) (?:really |even |actually )?(?:a |an )?(?:real )?(?:microscop\w+|micrograph)|"
        r"taken (?:with|by|through|under) a microscope|from a microscope"
    )
    if asked and re.search(r"\b(?:this|it|that)\b", plain) and re.search(taken, plain):
        return _made("classify", "microscope image")
    return None


def _nature(plain: str, counts: bool) -> Query | None:
    """What it is: dots, an organism, a material."""
    dots = r"^what (?:are|could) (?:the|these|those|all the) (?:\w+ )?(?:dots|spots|points|blobs|specks|little things)\b"
    if re.search(dots, plain):
        return _made("classify", "recognise")
    alone = re.search(
        r"\bwhat (?:kind of |type of |sort of )?(?:organisms?|animals?|creatures?|plants?|specimens?|materials?|"
        r"samples?|substances?|tissues?|species)\b|\bwhich (?:organism|animal|creature|material|tissue|"
        r"specimen)\b|\b(?:plant|animal) or (?:animal|plant)|\bwhat (?:is|was) (?:imaged|the (?:sample|"
        r"specimen|material|organism|object))\b|what(?:'s| is| are) shown and how|how was it imaged",
        plain,
    )
    if alone and not counts and not re.search(r"alloy|composition|made (?:of|from)|cell line|strain|antibod", plain):
        living = re.search("organism|animal|creature|species|worm|plant", plain)
        return _made("classify", "recognise", "organism" if living else None)
    return None


def _one_or_other(plain: str, counts: bool) -> Query | None:
    """Which of two: "are these yeast or bacteria?"."""
    first, second = KINDS.format(r"\w*"), KINDS.format("")
    rival = rf"\b(?:{first})\b[^.?]* or (?:are (?:they|these) )?(?:a |an )?(?:budding )?(?:{second})"
    asked = re.search(rival, plain) and re.search(r"^(?:is|are|would|do|does|what)", plain)
    if asked and not counts and not re.search(r"\bmore\b|\bthan\b|\blarger|\bbrighter", plain):
        return _made("classify", "recognise", plain)
    return None


def _described(plain: str, counts: bool) -> str | None:
    """A turn that may describe one thing; blood cells bear colours that describe nothing."""
    plain = re.sub(r"\b(?:white|red) (?:blood )?(?:cell|corpuscle)", r"blood cell", plain)
    return None if counts or re.search(ADVICE + MEASURED, plain) else plain


def _what_thing(plain: str, counts: bool) -> Query | None:
    """What one thing is, described by colour, size, shape or place."""
    told = _described(plain, counts)
    if told is None:
        return None
    look = (
        rf"\b(?:the|that|this|those|these|a|an|one|some|theres|there's|is)\b(?: \w+)?(?: \w+)? (?:{COLOURS}|big|"
        rf"large|huge|tiny|small|round|burst|broken|odd|strange|weird|irregular)\b"
    )
    noun = rf"\b(?:{THING}|{COLOURS})\b"
    found = re.search(rf"{look}[^.?]*{noun}", told) or re.search(rf"\b(?:{COLOURS})\b (?:\w+ )?(?:{THING})\b", told)
    asks = r"^(?:and |so |hey |ok )?(?:what|whats|what's)\b|\bwhat(?:'?s| is) (?:that|it|this)\b|\bwhat could|\bwhats that"
    if found and re.search(asks, told) and not re.search(r"\bwhat (?:kind|type|shape|fraction|percent|%)", told):
        return _made("classify", "thing", told)
    return None


def _where_thing(plain: str, counts: bool) -> Query | None:
    """Where one thing is, described by its colour."""
    told = _described(plain, counts)
    if told is None or not re.search(WHERE, told):
        return None
    one = re.search(
        rf"\b(?:one|a|an|single) (?:\w+ )?(?:cell|nucleus|object|particle|thing|spot)\b[^?]*\b(?:stained |is |looks? |"
        rf"very |much )*(?:{COLOURS})",
        told,
    )
    single = re.search(rf"\b(?:the|a) (?:\w+ )?(?:{COLOURS}) (?:\w+ )?(?:cell|thing|spot|blob|patch|object|mark|one)\b", told)
    coloured = r"\b(?:purple|violet|blue|red|pink|green|yellow|brown|orange|magenta|black)\b"
    return _made("locate", "thing", told) if (one or single) and re.search(coloured, told) else None


_RULES = (
    _white_cell, _oddities, _rims, _marks, _gaps, _areas, _blood, _looks, _microscope, _nature, _one_or_other, _what_thing,
    _where_thing,
)  # fmt: skip
