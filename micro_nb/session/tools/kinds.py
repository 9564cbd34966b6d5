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
from ..eyes import FLOOR, MICRO_D1, concept_of, load, made_by, named
from ..registry import Measurement, tool
from .found import select, values
from .looked import all_named

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
    counts = table["name"].value_counts().head(_SHOWN)
    if not len(counts):
        return (
            Measurement("most frequent kind", "none that I know", found=how),
            Measurement("number of named objects", 0, "count", found=how),
        )
    return (
        Measurement("most frequent kind", str(counts.index[0]), found=how),
        Measurement("number of named objects", len(table), "count", found=how),
        *(
            Measurement(
                f"number of {plural(str(n))}",
                int(k),
                "count",
                found=how | {"kind": str(n), "called": str(n) if k == 1 else plural(str(n))},
            )
            for n, k in counts.items()
        ),
    )


@tool("recognised", quantity="modality, stain and specimen")
def recognised(img: MicroImage, *, channel: str | None = None, eyes: str = MICRO_D1) -> tuple[Measurement, ...]:
    """Modality, stain and specimen as the model recognises them, each with its probability; "not recognised" below one half."""
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


@tool("compare_kinds", quantity="one kind of object against another")
def compare_kinds(
    img: MicroImage,
    *,
    against: str,
    target: str = "objects",
    quantity: str = "diameter",
    region: Region | None = None,
    channel: str | None = None,
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Mean quantity (or "count") of the kind `target` and of the kind `against`, and how many times the first is the second."""
    both = [select(img, region=region, channel=channel, eyes=eyes, target=word) for word in (target, against)]
    if quantity == "count":
        numbers, unit = [float(len(chosen)) for chosen in both], "count"
    else:
        for chosen, word in zip(both, (target, against), strict=True):
            if not len(chosen):
                raise EvidenceError(f"I find no {word} there, so there is nothing to compare")
        measured = [values(chosen.table, quantity, img=img, channel=channel) for chosen in both]
        numbers, unit = [float(np.nanmean(v)) for v, _ in measured], measured[0][1]
    a, b = ((int(n) if unit == "count" else n) for n in numbers)
    stem = "number" if unit == "count" else f"mean {quantity}"
    times = (Measurement("ratio of the two", numbers[0] / numbers[1], "times", found=both[0].found),) if numbers[1] else ()
    return (
        Measurement("which is more", "equal" if a == b else target if a > b else against, found=both[0].found),
        Measurement(f"{stem} of {target}", a, unit, found=both[0].found),
        Measurement(f"{stem} of {against}", b, unit, found=both[1].found),
        *times,
    )


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
