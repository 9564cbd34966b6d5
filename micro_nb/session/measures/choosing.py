"""Which of some choices fits better: decided by a measured shape or arrangement, or by the words that the model has learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import EvidenceError
from ...models.ontology import ontology
from ..knowledge.notes import likenesses
from .appearance import look, recognised
from .contact import groups
from .evaluation import selection
from .eyes import FLOOR, concept_of, is_kind, load
from .measurement import Measurement, facts
from .objects import coverage
from .results import Found
from .scene import Scene
from .selection import Selection
from .shapes import packed, shape_meant, shape_of

_APART = frozenset(
    ["apart", "alone", "isolated", "separated", "separate", "single", "singly", "scattered", "individual", "dispersed", "free"]
)
_TOGETHER = frozenset(
    [
        "together",
        "clustered",
        "clusters",
        "cluster",
        "clumps",
        "clumped",
        "stacked",
        "aggregated",
        "grapes",
        "pairs",
        "chains",
        "cords",
        "connected",
        "touching",
        "confluent",
        "grouped",
        "globi",
    ]
)
_CHAIN = frozenset(["chains", "chain", "cords", "stacked", "rouleaux", "strings"])
_ALIKE, _PLAINLY = 0.55, 0.05
"""Likeness of words, a cosine, from which a choice says what was measured; and by how much it must be nearer than the others."""
_MOSTLY = 40.0  # % of the objects from which a shape is that of them
_ROUND_TO = 1.6  # ratio of length to width between what is rather round and what is rather long
_STRETCHED = 3.0  # spread of the centres of a group along over across, from which it is a chain


def by_shape(objects: Selection, choices: Sequence[str]) -> Found | None:
    """The choice that the shapes, or how objects lie to one another, decide; None where the choices are neither."""
    meant = [shape_meant(c) for c in choices]
    if len(choices) == 2 and None not in meant and meant[0] != meant[1]:
        return _by_form(objects, choices, [str(m) for m in meant])
    words = [c.lower().removeprefix("in ").strip() for c in choices]
    if len(choices) == 2 and all(w in _APART | _TOGETHER for w in words):
        return _by_lie(objects, choices, words)
    return None


def _by_form(objects: Selection, choices: Sequence[str], meant: Sequence[str]) -> Found:
    whole = objects.whole if len(objects.whole) else objects
    whole.need_some()
    if "irregular" in meant:
        values, name, order = whole.finite("solidity")[0], "solidity", -1
        limit, first = 0.9, meant.index("irregular")
    else:
        values, name, order = whole.finite("aspect_ratio")[0], "ratio of length to width", 1
        limit, first = (
            (1.2 if "oval" in meant and "round" in meant else _ROUND_TO if "round" in meant else 2.0),
            meant.index("elongated" if "elongated" in meant else "oval"),
        )
    share = 100 * float(np.mean(order * values > order * limit))
    at = first if share >= 50 else 1 - first
    percent = share if at == first else 100 - share
    rows = facts(
        {**objects.found, "limit": limit, "by": name},
        ("which fits better", choices[at]),
        ("share that is so", percent, "%"),
        (f"median {name}", float(np.median(values))),
        ("number looked at", len(values), "count"),
    )
    if len(values) == 1:
        return Found(rows, "Rather {0.value}: its {name} is {2}.", more={"name": name})
    return Found(rows, "Rather {0.value}: {1} of {3.value} are so, with a median {name} of {2}.", more={"name": name})


def _by_lie(objects: Selection, choices: Sequence[str], words: Sequence[str]) -> Found:
    """Apart or together by how many touch; chains or clusters by how the groups are stretched."""
    objects.need_some(2)
    found = [g for g in groups(objects.objects) if set(g) & objects.labels]
    apart = [w in _APART for w in words]
    if apart[0] != apart[1]:
        joined = 100 * len({label for g in found for label in g} & objects.labels) / len(objects)
        at = apart.index(joined < 50)
        rows = facts(
            objects.found,
            ("which fits better", choices[at]),
            ("share that touch another", joined, "%"),
            ("number looked at", len(objects), "count"),
        )
        return Found(rows, "Rather {0.value}: {1} of {2.value} touch another.")
    chain = [w in _CHAIN for w in words]
    large = [g for g in found if len(g) > 2]
    if chain[0] == chain[1] or not large:
        return Found(declined="too few of them lie in groups to tell how the groups are built")
    stretched = float(np.median([_stretch(objects, g) for g in large]))
    rows = facts(
        objects.found,
        ("which fits better", choices[chain.index(stretched >= _STRETCHED)]),
        ("length of a group over its width", stretched),
        ("number of groups", len(large), "count"),
    )
    return Found(rows, "Rather {0.value}: the {2.value} groups are {1} times as long as wide in the median.")


def _stretch(objects: Selection, group: Sequence[int]) -> float:
    """Length over width of the centres of a group."""
    rows = objects.objects.table[objects.objects.table["label"].isin(list(group))]
    points = rows[["centroid_y_px", "centroid_x_px"]].to_numpy(float)
    along = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return float(along[0] / max(float(along[1]), 1.0))


def by_words(objects: Selection | None, choices: Sequence[str], scene: Scene) -> Found:
    """The choice that the model finds likelier: by the names it gave the objects, else by the joint space of images and words.

    Raises
    ------
    EvidenceError : there is no model to ask, or it has not learned the words.
    """
    eyes = scene.look.eyes
    concepts = [concept_of(c) for c in choices]
    if eyes == FLOOR:
        raise EvidenceError(f"without a trained model I cannot tell {' from '.join(choices)} apart")
    if objects is not None and "name" in objects.table and all(concepts):
        counts = [sum(is_kind(str(n), str(c)) for n in objects.table["name"]) for c in concepts]
        if sum(counts):
            at = int(np.argmax(counts))
            rows = facts(
                objects.found,
                ("which fits better", choices[at]),
                ("number named so", counts[at], "count"),
                ("number named either", sum(counts), "count"),
            )
            return Found(rows, "Rather {0.value}: of {2.value} that I can name as either, {1.value} look so.")
    return _by_picture(objects, choices, concepts, eyes, scene)


def _by_facts(objects: Selection | None, choices: Sequence[str], scene: Scene) -> Found | None:
    """The choice whose words lie nearest to those of something measured: how full the picture is, the shapes, channels, or what
    is recognised; None where none does plainly."""
    told = _told(objects, scene)
    likeness = likenesses(choices, tuple(told))
    order = np.argsort(-likeness.max(axis=1))
    near = likeness[order].max(axis=1)
    if near[0] < _ALIKE or near[0] - near[1] < _PLAINLY:
        return None
    fact = list(told.values())[int(likeness[order[0]].argmax())]
    rows = facts(
        {"likeness_of_words": round(float(near[0]), 2), "among": list(choices)}, ("which fits better", choices[order[0]])
    )
    return Found((*rows, fact), "Rather {0.value}: the {what_of} is {1}.", more={"what_of": fact.quantity})


def _told(objects: Selection | None, scene: Scene) -> dict[str, Measurement]:
    """What is measured of a picture or objects, by the words that say it."""
    seen = objects if objects is not None else selection("object", scene)
    told: dict[str, Measurement] = {}
    if len(seen) and objects is None:
        covered = coverage(seen)
        told[packed(covered.number / 100)] = covered
    if len(seen):
        shapes = np.array(shape_of(seen))
        for shape in sorted(set(shapes.tolist())):
            share = 100 * float(np.mean(shapes == shape))
            if share >= _MOSTLY:
                told[shape] = Measurement(f"share of {seen.many} that are {shape}", share, "%", found=seen.found)
    told[look(scene).likeness] = Measurement("look of the picture", look(scene).likeness)
    n = 1 if scene.image.rgb else scene.image.sizes.get("c", 1)
    told["several channels" if n > 1 else "a single channel"] = Measurement("number of channels", n, "count")
    for what, one in recognised(scene)[0].items():
        told[str(one["name"])] = Measurement(what, str(one["name"]), found={"probability": float(one["probability"])})
    return told


def _by_picture(
    objects: Selection | None, choices: Sequence[str], concepts: Sequence[str | None], eyes: str, scene: Scene
) -> Found:
    from ...tasks.classify import classify

    model = load(eyes).model  # type: ignore[attr-defined]
    trained = {*model.calibration.get("image_concepts", ()), *model.calibration.get("object_concepts", ())}
    unknown = [
        c
        for c, concept in zip(choices, concepts, strict=True)
        if concept is None or not any(is_kind(t, concept) for t in trained if t in ontology())
    ]
    if unknown or len(set(concepts)) < len(concepts):
        measured = _by_facts(objects, choices, scene)
        if measured is not None:
            return measured
        raise EvidenceError(
            f"I have not learned the look of {' or '.join(unknown or choices)}, so I cannot tell; a difference in shape, "
            f"size or colour I can measure"
        )
    table = classify(scene.image, [str(c) for c in concepts], model=model, confidence=0.01)
    odds = np.array([float(table[f"p:{c}"].iloc[0]) for c in concepts])
    at, none = int(odds.argmax()), float(table["p:none of these"].iloc[0])
    found = {"none_of_them": round(none, 3), "among": list(choices), "method": "joint space of images and words", "weights": eyes}
    rows = facts(
        found,
        ("which fits better", choices[at]),
        ("probability among the choices", 100 * float(odds[at] / max(odds.sum(), 1e-9)), "%"),
    )
    doubt = ", though none of them fits well" if none > odds[at] else ""
    return Found(rows, "Rather {0.value}, with a probability of {1} among the choices{doubt}.", more={"doubt": doubt})
