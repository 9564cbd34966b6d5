"""From measured evidence to sentences. Every number is a :class:`~micro_nb.session.prose.Fact`; words carry none."""

from __future__ import annotations

from .draft import Draft, Subject
from .evidence import Evidence
from .prose import Fact, Prose
from .query import Query
from .say_advice import advise
from .say_calculators import CALCULATOR_WORDINGS
from .say_comparisons import COMPARISON_WORDINGS
from .say_image import IMAGE_WORDINGS
from .say_knowledge import KNOWLEDGE_WORDINGS
from .say_objects import OBJECT_WORDINGS
from .say_seen import SEEN_WORDINGS
from .say_several import SEVERAL_WORDINGS
from .say_statistics import STATISTICS_WORDINGS

WORDINGS = (
    OBJECT_WORDINGS
    | COMPARISON_WORDINGS
    | IMAGE_WORDINGS
    | SEVERAL_WORDINGS
    | SEEN_WORDINGS
    | STATISTICS_WORDINGS
    | KNOWLEDGE_WORDINGS
    | CALCULATOR_WORDINGS
    | {"advise": advise}
)


def compose(wording: str, query: Query, evidence: tuple[Evidence, ...]) -> Draft:
    """The draft of an answer.

    Raises
    ------
    EvidenceError : a sentence states a number that the evidence does not hold.
    """
    draft = Draft(Prose(evidence))
    WORDINGS[wording](draft, Subject(query, evidence))
    _sampled(draft)
    _implausible(draft)
    return draft


def _sampled(draft: Draft) -> None:
    """Says that a sample was looked at, how large it was, and what an interval then covers."""
    for k, e in enumerate(draft.prose.evidence):
        drawn, tiles = e.parameters.get("tiles_drawn"), e.parameters.get("tiles_in_all")
        if drawn is not None and tiles is not None and drawn < tiles:
            draft.prose.say("That is estimated from {drawn} of {tiles} tiles drawn at random.",
                            drawn=(Fact(k, "parameters.tiles_drawn"),), tiles=(Fact(k, "parameters.tiles_in_all"),))  # fmt: skip
            if any(e.interval for e in draft.prose.evidence):
                whose = "the model" if e.parameters.get("weights") else "the untrained segmentation"
                draft.prose.say("The interval covers this sampling only, not the errors of {whose}.", whose=whose)
            return


def _implausible(draft: Draft) -> None:
    """Asks about the pixel size where objects are of a size that nothing of their kind has."""
    for k, e in enumerate(draft.prose.evidence):
        if "implausible_um" in e.parameters:
            draft.prose.say("With this pixel size they measure {size} µm in the middle, where {low} to {high} µm is typical of "
                            "{kind}: is the pixel size right?", size=(Fact(k, "parameters.implausible_um"),),
                            low=(Fact(k, "parameters.typical_um.0"),), high=(Fact(k, "parameters.typical_um.1"),),
                            kind=str(e.parameters.get("target", "objects")))  # fmt: skip
            return
