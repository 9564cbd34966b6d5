"""Tools that need a model: what kinds of objects there are, what kind of picture it is, one kind against another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ...models.ontology import ontology
from ...models.wording import plural
from ..eyes import MICRO_D1, concept_of, load, made_by, named
from ..registry import Measurement, facts, tool
from .chosen import Selection
from .looked import all_named
from .object_tool import object_tool

_PICTURE = ("modality", "stain", "specimen")
_TOO_WIDE = ("microscopy", "light microscopy")
_SHOWN = 6


@tool("kinds", unit="count", quantity="how many objects of each kind")
def kinds(
    img: MicroImage, *, region: Region | None = None, channel: str | None = None, target: str = "objects", eyes: str = MICRO_D1
) -> tuple[Measurement, ...]:
    """Which kinds of objects the model sees, the most frequent first, and how many of each; of `target` only kinds of that."""
    found = all_named(img, eyes, channel)
    table, how = found.table, dict(made_by(eyes, found))
    if region is not None:
        place = region.to("px", img.pixel_size)
        table = table[place.contains(table["centroid_y_px"].to_numpy(), table["centroid_x_px"].to_numpy())]
    concept = concept_of(target) or "object"
    if concept != "object" and len(table):
        own = table[named(table, concept)]
        table = own if len(own) else table
    counts = {str(n): int(k) for n, k in table["name"].value_counts().head(_SHOWN).items()}
    return (
        *facts(how, ("most frequent kind", next(iter(counts), "none that I know")),
               ("number of named objects", len(table), "count")),
        *(m for name, n in counts.items() for m in _counted(name, n, how)),
    )  # fmt: skip


def _counted(name: str, n: int, how: Mapping[str, Any]) -> tuple[Measurement, ...]:
    """How many there are of a kind, and what so many of it are called."""
    many = plural(name)
    return facts({**how, "kind": name, "called": name if n == 1 else many}, (f"number of {many}", n, "count"))


@tool("recognised", quantity="modality, stain and specimen")
def recognised(img: MicroImage, *, channel: str | None = None, eyes: str = MICRO_D1) -> tuple[Measurement, ...]:
    """Modality, stain and specimen as the model recognises them, each with its probability, or "not recognised"."""
    found = all_named(img, eyes, channel)
    how, seen = dict(made_by(eyes, found)), found.made_by.get("recognised", {})
    parts = [_recognised(kind, seen.get(kind), how) for kind in _PICTURE]
    wider = _wider(str(parts[0].value))
    return (*parts, *((Measurement("kind of microscopy", wider, found=how),) if wider else ()))


def _recognised(kind: str, one: Mapping[str, Any] | None, how: Mapping[str, Any]) -> Measurement:
    if one is None:
        return Measurement(kind, "not recognised", found=how)
    return Measurement(kind, str(one["name"]), found={**how, "probability": float(one["probability"])})


def _wider(modality: str) -> str | None:
    """The widest concept above a modality that still says something."""
    known = ontology()
    above = [a for a in known.ancestors(modality) if a not in _TOO_WIDE] if modality in known else []
    return above[-1] if above else None


@object_tool("compare_kinds", quantity="one kind of object against another", takes=("target", "region", "channel", "eyes"))
def compare_kinds(chosen: Selection, *, against: str, quantity: str = "diameter") -> tuple[Measurement, ...]:
    """Mean quantity (or "count") of the kind `target` and of the kind `against`, and how many times the first is the second."""
    both = (chosen, chosen.instead(target=against))
    stem = "number" if quantity == "count" else f"mean {quantity}"
    (a, unit), (b, _) = ((len(one), "count") if quantity == "count" else _mean(one, quantity) for one in both)
    return (
        *facts(chosen.found, ("which is more", "equal" if a == b else chosen.target if a > b else against),
               (f"{stem} of {chosen.target}", a, unit)),
        *facts(both[1].found, (f"{stem} of {against}", b, unit)),
        *facts(chosen.found, *([("ratio of the two", a / b, "times")] if b else [])),
    )  # fmt: skip


def _mean(chosen: Selection, quantity: str) -> tuple[float, str]:
    """Mean of a quantity over objects, and its unit."""
    if not len(chosen):
        raise EvidenceError(f"I find no {chosen.target} there, so there is nothing to compare")
    measured, unit = chosen.values(quantity)
    return float(np.nanmean(measured)), unit


@tool("likelier", quantity="which of the words of a question fits best")
def likelier(img: MicroImage, *, words: str, eyes: str = MICRO_D1) -> Measurement:
    """Of the specimens, organisms and objects that `words` names, the one that fits the picture best, and its probability among
    them, from the model's joint space of images and words.
    """
    from ...tasks.classify import classify  # torch is loaded where a model looks, not before

    known = ontology()
    named_ids = dict.fromkeys(m.id for m in known.sentence_concepts(words))
    if len(named_ids) > 2:  # "are the cells yeast or bacteria": cells are no rival of either
        named_ids.pop("cell", None)
    pictures = [_AS_SPECIMEN.get(name, name) for name in named_ids]
    if len(set(pictures)) < 2:
        raise EvidenceError("I do not know both of these words, so I cannot say which fits better")
    table = classify(img, list(dict.fromkeys(pictures)), model=load(eyes).model, none_of_these=False, confidence=0.01)  # type: ignore[attr-defined]
    row = table.iloc[0]
    return Measurement(
        "likelier of the words",
        str(row["name"]),
        found={"probability_among": round(float(row["probability"]), 3), "words_read": list(named_ids)},
    )


_AS_SPECIMEN = {
    "yeast cell": "yeast culture", "yeast": "yeast culture", "bacterium": "bacteria culture", "worm": "C. elegans",
    "colony": "agar plate", "tissue": "tissue section",
}  # fmt: skip
"""Objects whose pictures the model knows by the specimen."""
