"""From a question to a :class:`Query`: a grammar over what the clauses say, and the memory that follow-ups need.

The grammar fills the slots of a Query from words; it knows nothing of pixels. A question with a content word it could not
read is not guessed at: the word stays in ``Query.unread`` and the planner asks back.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..data.region import Region
from .facts import is_fact, standing
from .follow_ups import follow
from .grammar import query_of
from .grammar_knowledge import consult
from .grammar_seen import seen_in
from .memory import Context
from .query import Pick, Query
from .reading import Clause, clauses
from .slots import stated_pixel_size, without_scale

_COLOURS = ("red", "green", "blue")


def understand(text: str, context: Context | None = None) -> Query:
    """What a question asks, in the light of what was asked before.

    Examples
    --------
    >>> q = understand("How many nuclei are larger than 80 µm²?")
    >>> q.task, q.target, q.filters[0].value, q.filters[0].unit
    ('count', 'nucleus', 80.0, 'um2')
    >>> understand("and in the left half?", Context((100, 100), q)).region.name
    'left half'
    """
    context = context or Context()
    asked = clauses(text)
    if any(c.has("pointing", "undo") for c in asked) and len(asked) == 1:
        return Query("unknown", topic="undo", text=text)
    seen = seen_in(text, asked, context)
    if seen is not None:
        seen = replace(seen, text=text)
        return seen if seen.quantity == "white cell type" else consult(seen, text, context)
    said = _said(asked, context)
    if said.told and not said.read:
        return Query("describe", quantity="fact", text=text, pixel_size=said.pixel_size)
    main = standing(_main(said.read), [c for c, _ in said.read], context)
    if said.pixel_size is not None and main.task == "unknown" and main.topic is None:
        main = Query("measure", quantity="pixel_size")
    if context.marked is not None:
        main = in_marked(main, context.marked)
    return consult(replace(main, text=text, pixel_size=said.pixel_size), text, context)


@dataclass
class _Said:
    """What the clauses of a turn say: each that asks with its query, a pixel size, and whether anything was told besides."""

    read: list[tuple[Clause, Query]] = field(default_factory=list)
    pixel_size: float | None = None
    told: bool = False


def _said(asked: tuple[Clause, ...], context: Context) -> _Said:
    """Clause after clause, each in the light of those before it."""
    said, before, mentioned = _Said(), context.previous, None
    for clause in asked:
        size = stated_pixel_size(clause)
        if size is not None:
            said.pixel_size, clause = size, without_scale(clause)
            if not _asks(clause):
                continue
        if is_fact(clause):
            said.told = True
            continue
        query = query_of(clause, context.shape)
        if mentioned is not None and clause.has("ask", "locate") and query.task == "unknown" and query.topic is None:
            query = located(query, mentioned)  # "One cell is purple. Where is it?"
        else:
            query = follow(query, clause, before, context)
        query = _in_channel(_counted(query, clause), clause, context.channels)
        said.read.append((clause, query))
        mentioned = described(query, clause) if query.task == "unknown" and query.target is not None else None
        before = query if query.task != "unknown" else before
    return said


def in_marked(query: Query, marked: Region) -> Query:
    """The query about the place that was handed over with it, unless it names another."""
    here = replace(query, region=query.region or marked, also=tuple(in_marked(q, marked) for q in query.also))
    return here if query.task not in ("unknown", "advise", "knowledge") else query


def described(query: Query, clause: Clause) -> Query:
    """What a statement says of one object, as a choice: "one cell is stained dark purple" is the darkest."""
    pick = next((p for words, p in _LOOKS if clause.says(*words)), None)
    return replace(query, pick=query.pick or (pick if clause.words[:1] in (("one",), ("a",), ("there",), ("the",)) else None))


def located(query: Query, mentioned: Query) -> Query:
    """Where the thing is that was mentioned before; what could not be read of it stays unread."""
    unread = (*mentioned.unread, *query.unread)
    return replace(
        query, task="locate", target=mentioned.target, pick=query.pick or mentioned.pick, filters=mentioned.filters, unread=unread
    )


_LOOKS = (
    (("dark", "darker", "purple", "blue", "black"), Pick("intensity", "min")),
    (("bright", "brighter", "glowing", "white"), Pick("intensity", "max")),
    (("big", "large", "huge", "bigger", "larger", "giant"), Pick("area", "max")),
    (("small", "tiny", "little", "smaller"), Pick("area", "min")),
    (("elongated", "long", "thin", "rod"), Pick("aspect_ratio", "max")),
    (("odd", "strange", "weird", "unusual", "different", "irregular"), Pick("oddness", "max")),
)


def _counted(query: Query, clause: Clause) -> Query:
    """ "Nuclei in the left half" by itself, with nothing before it to change, asks how many."""
    bare = query.task == "unknown" and query.topic is None and query.quantity is None and query.pick is None
    named = query.target is not None and (query.region is not None or query.filters)
    return replace(query, task="count") if bare and named and not clause.has("ask") and not query.unread else query


def _in_channel(query: Query, clause: Clause, names: tuple[str, ...]) -> Query:
    """A channel named in the clause: the name itself, or any word beside "channel", which may then not exist."""
    words = clause.words
    beside = "channel" in words and "how" not in words and query.quantity != "channels"
    spoken_of = [n for n in names if len(n) > 1 and (beside or n not in _COLOURS)]  # "red blood cells" are no channel
    named = next((n for n in spoken_of if _contains(words, n.lower().replace("-", " ").split())), None)
    if named is None and beside:
        at = words.index("channel")
        around = [w for w in (*words[at + 1 : at + 2], *words[max(at - 1, 0) : at]) if w.isdigit() or w in query.unread]
        named = around[0] if around else None
    if named is None or (not beside and query.task == "unknown"):
        return query
    spoken = {"channel", *named.lower().replace("-", " ").split()}
    return replace(query, channel=named, unread=tuple(w for w in query.unread if w not in spoken))


def _contains(words: tuple[str, ...], name: list[str]) -> bool:
    return bool(name) and any(list(words[k : k + len(name)]) == name for k in range(len(words)))


def _main(read: list[tuple[Clause, Query]]) -> Query:
    """The clause that is the question; others it asks beside, or context.

    "What are the sizes? Give me the biggest" asks for the biggest; "How many? And how large?" asks both, the first first.
    """
    if not read:
        return Query("unknown")
    first = next((q for _, q in read if q.task != "unknown" or q.topic is not None), None)
    if first is not None and first.task == "unknown":
        return first
    asked = [(c, q) for c, q in read if q.task != "unknown" or q.topic is not None]
    unread = tuple(w for c, q in read for w in q.unread if q.task != "unknown" or c.restricting or not asked)
    if not asked:
        return replace(read[-1][1], unread=unread)
    plain = [(c, q) for c, q in asked if _asks(c)] or asked
    narrowed = next((q for c, q in reversed(asked[1:]) if c.has("report") or (c.has("negation") and q.filters)), None)
    if narrowed is not None and narrowed.task != "unknown":
        return replace(narrowed, unread=unread)
    first = plain[0][1]
    if first.task == "unknown":
        return replace(first, unread=unread)
    also = tuple(q for _, q in plain[1:] if _what(q) != _what(first) and q.topic != "recheck")
    return replace(first, also=first.also + also, unread=unread)


def _asks(clause: Clause) -> bool:
    """Whether the clause asks or orders, rather than states."""
    return clause.question or clause.asks or clause.has("report") or clause.has("ask", "count", "locate", "describe", "fraction")


def _what(query: Query) -> tuple[object, ...]:
    return query.task, query.topic, query.target, query.quantity, query.statistic, query.region, query.filters, query.pick
