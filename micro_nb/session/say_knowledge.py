"""Sentences that explain or name: what is written of a topic, with its source, and what the look of red cells is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .draft import Draft, Subject
from .grammar_knowledge import texts_of
from .knowledge.topics import Stated, pieces, topic
from .printing import unit_words
from .prose import Fact, Parts
from .tools.red_cells import NO_PALLOR


def explain(d: Draft, s: Subject) -> None:
    """What is written of one topic, or of two that are compared."""
    for key, facets in texts_of(s.query):
        for facet in facets:
            say_text(d, s, key, facet)
    say_source(d, s)


def term(d: Draft, s: Subject) -> None:
    """The name of what was described."""
    d.take(0)
    known = topic(str(s.query.quantity))
    blood = known is not None and known.area == "haematology"
    kind = s.find("kind of picture")
    if blood and kind is not None:
        d.prose.say("In a stained blood film the name for this look is: {0}. (This is {look}.)", look=_look(s, kind))
    elif blood:
        d.prose.say("In a stained blood film the name for this look is: {0}.")
    else:
        d.prose.say("What you describe is typical of {0}.")
    say_text(d, s, str(s.query.quantity), "what")
    if blood:
        d.prose.say("That is a description of shape, not a diagnosis.")
    say_source(d, s)


def _look(s: Subject, kind: int) -> Parts:
    background = s.index("background")
    return ("a ", Fact(kind), " picture with a ", Fact(background), " background")


def red_cell_shape(d: Draft, s: Subject) -> None:
    """The name of the commonest measured look of red cells."""
    d.take(0)
    d.prose.say("By their measured look most of these red cells are called {0}.")
    d.prose.say(
        "Over {3} whole red cells the long axis is {1} times the short one, and the centre is paler than the ring around it by a "
        "share of {2} of its absorbance (none in a spherocyte)."
    )
    d.prose.say("That is a description of shape, not a diagnosis.")


def pallor(d: Draft, s: Subject) -> None:
    """Whether the red cells have a pale centre."""
    d.value = s.number(2) >= NO_PALLOR
    lead = "Yes, a pale centre (central pallor) is visible" if d.value else "No, most lack a pale centre (central pallor)"
    d.prose.say(
        "{lead}: over {3} whole red cells the centre is paler than the ring around it by a share of {2} of its absorbance.",
        lead=lead,
    )
    d.prose.say("By their measured look most are called {0}.")


def say_text(d: Draft, s: Subject, key: str, facet: str) -> None:
    """One text of a topic; its numbers are those the tool stated."""
    known = topic(key)
    if known is None or facet not in known.texts:
        return
    d.prose.say("{text}", text=tuple(_parts(s, key, facet, known.texts[facet])))


def _parts(s: Subject, key: str, facet: str, text: str) -> Iterator[str | Fact]:
    k = 0
    for piece in pieces(text):
        if isinstance(piece, Stated):
            yield Fact(s.index(f"{key}, {facet}, stated {k}"))
            yield unit_words(piece.unit)
            k += 1
        else:
            yield piece


def say_source(d: Draft, s: Subject) -> None:
    """Where it is written."""
    sourced = [k for k, e in enumerate(s.evidence) if e.function == "knowledge" and e.quantity.startswith("note on ")]
    shown: list[str | Fact] = []
    for k in sourced:
        if s.evidence[k].parameters["source"] not in [s.evidence[j].parameters["source"] for j in sourced[: sourced.index(k)]]:
            shown += ["; " if shown else "", Fact(k, "parameters.source")]
    d.prose.say("(Source: {shown}.)", shown=tuple(shown))


KNOWLEDGE_WORDINGS: dict[str, Callable[[Draft, Subject], None]] = {
    "explain": explain,
    "term": term,
    "red_cell_shape": red_cell_shape,
    "pallor": pallor,
}
