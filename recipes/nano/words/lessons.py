"""Questions and answers about labelled scenes, for language models: numbers stand as places to fill, never as digits.

A language model must not learn to count; it learns to read what Micro-D1 saw, and to word evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from micro_nb.models.ontology import ontology
from micro_nb.models.wording import plural

from .features import Features

_COUNTS = ("How many {many} are there?", "Count the {many}.", "number of {many}", "what is the {one} count?")
_COUNTED = ("There are {{e{k}.value}} {many}.", "I count {{e{k}.value}} {many}.", "The picture shows {{e{k}.value}} {many}.")
_PRESENT = ("Are there any {many}?", "Is there a {one}?", "Do you see {many}?")
_KINDS = ("What kind of picture is it?", "Which microscopy is this?", "modality?")
_DESCRIBED = ("What is to be seen?", "Describe the image.", "caption this", "What is this?")
_MOST = ("Which kind is the most frequent?", "What is most common here?")
_ABSENT = 3  # kinds asked about that are not there, of those the training names


@dataclass(frozen=True)
class Lesson:
    """One question about one view of a scene.

    Attributes
    ----------
    prompt : the evidence and the question.
    answer : with ``{e1.value}`` where a number stands.
    view : which view of the scenes it is about.
    """

    prompt: str
    answer: str
    view: int


def lessons(views: Sequence[Features], *, seed: int = 0) -> list[Lesson]:
    """Questions about views whose objects are labelled; same seed, same questions.

    Parameters
    ----------
    views : what the eyes saw, with the facts that are known of each.
    """
    rng = np.random.default_rng(seed)
    kinds = sorted({name for view in views for name in view.names})
    return [lesson for k, view in enumerate(views) for lesson in _about(view, k, kinds, rng)]


def prompted(evidence: Sequence[tuple[str, str]], question: str) -> str:
    """How a question is put: the evidence on a line each, then the question.

    >>> print(prompted([("number of nuclei", "8")], "How many nuclei?"))
    Evidence:
    e1: number of nuclei = 8
    Question: How many nuclei?
    Answer:
    """
    facts = "".join(f"e{k}: {quantity} = {value}\n" for k, (quantity, value) in enumerate(evidence, 1))
    return f"Evidence:\n{facts}Question: {question}\nAnswer:"


def _about(view: Features, number: int, kinds: Sequence[str], rng: np.random.Generator) -> Iterator[Lesson]:
    counted = Counter(view.names).most_common()
    absent = [k for k in kinds if k in set(kinds) - set(view.facts.present) - set(view.facts.unknown)]
    asked = [*counted, *((kind, 0) for kind in absent[: int(rng.integers(_ABSENT + 1))])]
    evidence = [(f"number of {plural(name)}", str(n)) for name, n in asked]
    for k, (name, n) in enumerate(asked, 1):
        words = {"one": name, "many": plural(name) if n != 1 else name, "k": k}
        ask = {"one": name, "many": plural(name)}
        yield Lesson(prompted(evidence, _one(rng, _COUNTS).format(**ask)), _one(rng, _COUNTED).format(**words), number)
        yes = f"Yes, there are {{e{k}.value}} {words['many']}." if n else f"No, I find no {plural(name)} ({{e{k}.value}})."
        yield Lesson(prompted(evidence, _one(rng, _PRESENT).format(**ask)), yes, number)
    yield from _of_picture(view, number, evidence, counted, rng)


def _of_picture(
    view: Features, number: int, evidence: Sequence[tuple[str, str]], counted: Sequence[tuple[str, int]], rng: np.random.Generator
) -> Iterator[Lesson]:
    listed = " and ".join(f"{{e{k}.value}} {plural(name)}" for k, (name, _) in enumerate(counted[:2], 1))
    kind = _narrowest(view, "modality")
    if kind:
        yield Lesson(prompted(evidence, _one(rng, _KINDS)), f"It looks like {kind}.", number)
    if kind and listed:
        yield Lesson(prompted(evidence, _one(rng, _DESCRIBED)), f"It looks like {kind}, with {listed}.", number)
    if len(counted) > 1 and counted[0][1] > counted[1][1]:
        yield Lesson(prompted(evidence, _one(rng, _MOST)), f"Most are {plural(counted[0][0])}: {{e1.value}}.", number)


def _narrowest(view: Features, kind: str) -> str:
    """The most specific concept of a kind that is known to be there."""
    onto = ontology()
    there = sorted(c for c in view.facts.present if c in onto and onto[c].kind == kind)
    above = {a for c in there for a in onto.ancestors(c)}
    return next((c for c in there if c not in above), "")


def _one(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]
