"""From measured evidence to sentences. Every number is a :class:`~micro_nb.session.prose.Fact`; words carry none."""

from __future__ import annotations

from .draft import Draft, Subject
from .evidence import Evidence
from .prose import Fact, Prose
from .query import Query
from .say_advice import advise
from .say_image import IMAGE_WORDINGS
from .say_knowledge import KNOWLEDGE_WORDINGS
from .say_objects import OBJECT_WORDINGS
from .say_several import SEVERAL_WORDINGS
from .say_statistics import STATISTICS_WORDINGS

WORDINGS = OBJECT_WORDINGS | IMAGE_WORDINGS | SEVERAL_WORDINGS | STATISTICS_WORDINGS | KNOWLEDGE_WORDINGS | {"advise": advise}


def compose(wording: str, query: Query, evidence: tuple[Evidence, ...]) -> Draft:
    """The draft of an answer.

    Raises
    ------
    EvidenceError : a sentence states a number that the evidence does not hold.
    """
    draft = Draft(Prose(evidence))
    WORDINGS[wording](draft, Subject(query, evidence))
    _sampled(draft)
    return draft


def _sampled(draft: Draft) -> None:
    """Says that a sample was looked at, how large it was, and what an interval then covers."""
    for k, e in enumerate(draft.prose.evidence):
        drawn, tiles = e.parameters.get("tiles_drawn"), e.parameters.get("tiles_in_all")
        if drawn is not None and tiles is not None and drawn < tiles:
            draft.prose.say("That is estimated from {drawn} of {tiles} tiles drawn at random.",
                            drawn=(Fact(k, "parameters.tiles_drawn"),), tiles=(Fact(k, "parameters.tiles_in_all"),))  # fmt: skip
            if any(e.interval for e in draft.prose.evidence):
                draft.prose.say("The interval covers this sampling only, not the errors of the untrained segmentation.")
            return
