"""Which of some choices fits better, decided by a measured shape or arrangement, or by the words that the model has learned; and
shapes in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import EvidenceError
from ...models.ontology import ontology
from ..knowledge.notes import likenesses
from ..words.tables import table
from .appearance import look
from .colours import recognised
from .evaluation import selection
from .eyes import FLOOR, concept_of, is_kind, load
from .measurement import Measurement
from .objects import covered
from .results import Found
from .scene import Scene
from .selection import Selection

SHAPES = ("round", "oval", "elongated", "needle-shaped", "irregular")
_OVAL, _LONG, _NEEDLE = 1.25, 2.0, 5.0
_DENTED, _BENT = 0.88, 0.7
_ALIKE, _PLAINLY = 0.55, 0.04
"""Likeness of words, a cosine, from which a choice says what was measured; and by how much it must be nearer than the others."""
_MOSTLY = 40.0  # % of the objects from which a shape is that of them
_SOLID = 0.9  # between what is rather smooth and what is rather irregular
_ROUND_TO, _OVAL_FROM = 1.4, 1.2  # ratio of length to width between round (1) and long (2); between round and oval
_STRETCHED = 3.0  # spread of the centres of a group along over across, from which it is a chain


def shape_of(objects: Selection) -> list[str]:
    """One of ``SHAPES`` for each object, from the ratio of length to width and solidity."""
    ratio, solidity = objects.values("aspect_ratio")[0], objects.values("solidity")[0]
    dented = (solidity < _BENT) | ((solidity < _DENTED) & (ratio < _LONG))
    tests = [dented, ratio >= _NEEDLE, ratio >= _LONG, ratio >= _OVAL]
    return [str(w) for w in np.select(tests, ["irregular", "needle-shaped", "elongated", "oval"], "round")]


def usual_shape(objects: Selection) -> str:
    """The shape that most of them have."""
    shapes = shape_of(objects)
    return max(SHAPES, key=shapes.count)


def shape_meant(word: str) -> str | None:
    """The shape that a word comes to; None where it is none.

    >>> shape_meant("rods"), shape_meant("cocci"), shape_meant("yeast")
    ('elongated', 'round', None)
    """
    plain = word.strip().lower().replace(" shaped", "-shaped")
    one = {"cocci": "coccus", "bacilli": "bacillus", "hyphae": "hypha"}.get(plain, plain)
    words = {shape: said.split() for shape, said in table("looks")["shape"].items()}
    return next((shape for shape, said in words.items() if one in said or one.removesuffix("s") in said), None)


def packed(share: float) -> str:
    """How full of objects a picture is whose area they cover by this share: sparse, loosely spread, dense, densely packed.

    >>> packed(0.02), packed(0.6)
    ('sparse', 'densely packed')
    """
    return next(str(word) for word, limit in table("looks")["packed"].items() if share < limit)


def by_shape(objects: Selection, choices: Sequence[str]) -> Found | None:
    """The choice that the shapes, or how objects lie to one another, decide; None where the choices are neither."""
    if len(choices) != 2:
        return None
    meant = [shape_meant(c) for c in choices]
    if None not in meant and meant[0] != meant[1]:
        return _by_form(objects, choices, [str(m) for m in meant])
    lie = {how: words.split() for how, words in table("looks")["lie"].items()}
    words = [c.lower().removeprefix("in ").strip() for c in choices]
    if not all(w in (*lie["apart"], *lie["together"]) for w in words):
        one = [k for k, (m, choice) in enumerate(zip(meant, choices, strict=True)) if m or concept_of(choice)]
        return _by_one(objects, choices, one[0], str(meant[one[0]])) if len(one) == 1 and meant[one[0]] else None
    apart, chain = ([w in lie[how] for w in words] for how in ("apart", "chain"))
    return _by_groups(objects, choices, chain) if apart[0] == apart[1] else _by_contact(objects, choices, apart)


def _by_form(objects: Selection, choices: Sequence[str], meant: Sequence[str]) -> Found:
    whole = objects.whole if len(objects.whole) else objects
    whole.need_some()
    if "irregular" in meant:
        quantity, limit, first = "solidity", _SOLID, meant.index("irregular")
    elif "round" in meant:
        quantity, limit, first = "aspect_ratio", _OVAL_FROM if "oval" in meant else _ROUND_TO, 1 - meant.index("round")
    else:
        quantity, limit, first = "aspect_ratio", _LONG, meant.index("elongated")
    values, name = whole.finite(quantity)[0], quantity if quantity == "solidity" else "ratio of length to width"
    share = 100 * float(np.mean(values < limit if quantity == "solidity" else values > limit))
    at, so = (first, share) if share >= 50 else (1 - first, 100 - share)
    rows = (
        ("share that is so", so, "%"),
        (f"median {name}", float(np.median(values))),
        ("number looked at", len(values), "count"),
    )
    how, says = {**objects.found, "limit": limit, "by": name}, "form" if len(values) > 1 else "form_of_one"
    return Found.of(how, ("which fits better", choices[at]), *rows, says=says, name=name)


def _by_one(objects: Selection, choices: Sequence[str], at: int, shape: str) -> Found:
    """Of two choices the one that is a shape, or, where most objects are of another, the other."""
    whole = objects.whole if len(objects.whole) else objects
    whole.need_some()
    share = 100 * float(np.mean([s == shape for s in shape_of(whole)]))
    better = ("which fits better", choices[at if share >= 50 else 1 - at])
    return Found.of(objects.found, better, ("share that is so", share, "%"), whole.n("looked at"), says="one_form", shape=shape)


def _by_contact(objects: Selection, choices: Sequence[str], apart: Sequence[bool]) -> Found:
    """Apart or together by how many touch."""
    objects.need_some(2)
    joined = 100 * float(objects.touching.mean())
    better = ("which fits better", choices[list(apart).index(joined < 50)])
    rows = (("share that touch another", joined, "%"), ("number looked at", len(objects), "count"))
    return Found.of(objects.found, better, *rows, says="contact")


def _by_groups(objects: Selection, choices: Sequence[str], chain: Sequence[bool]) -> Found:
    """Chains or clusters by how the groups are stretched."""
    objects.need_some(2)
    large = [g for g in objects.groups() if len(g) > 2 and set(g) & objects.labels]
    if chain[0] == chain[1] or not large:
        return Found(declined="too few of them lie in groups to tell how the groups are built")
    stretched = float(np.median([_stretch(objects, g) for g in large]))
    better = ("which fits better", choices[list(chain).index(stretched >= _STRETCHED)])
    rows = (("length of a group over its width", stretched), ("number of groups", len(large), "count"))
    return Found.of(objects.found, better, *rows, says="groups")


def _stretch(objects: Selection, group: Sequence[int]) -> float:
    """Length over width of the centres of a group."""
    rows = objects.objects.table[objects.objects.table["label"].isin(list(group))]
    points = rows[["centroid_y_px", "centroid_x_px"]].to_numpy(float)
    along = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return float(along[0] / max(float(along[1]), 1.0))


def by_words(objects: Selection | None, choices: Sequence[str], scene: Scene) -> Found:
    """The choice that the model finds likelier: by the names it gave the objects, else by the joint space of images and words."""
    eyes, concepts = scene.look.eyes, [concept_of(c) for c in choices]
    if eyes == FLOOR:
        raise EvidenceError(f"without a trained model I cannot tell {' from '.join(choices)} apart")
    if objects is not None and "name" in objects.table and all(concepts):
        counts = [sum(is_kind(str(n), str(c)) for n in objects.table["name"]) for c in concepts]
        at = int(np.argmax(counts))
        numbers = (("number named so", counts[at], "count"), ("number named either", sum(counts), "count"))
        if sum(counts):
            return Found.of(objects.found, ("which fits better", choices[at]), *numbers, says="names")
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
    how = {"likeness_of_words": round(float(near[0]), 2), "among": list(choices)}
    return Found.of(how, ("which fits better", choices[order[0]]), fact, says="facts", what_of=fact.quantity)


def _told(objects: Selection | None, scene: Scene) -> dict[str, Measurement]:
    """What is measured of a picture or objects, by the words that say it."""
    seen = objects if objects is not None else selection("object", scene)
    told: dict[str, Measurement] = {}
    if len(seen) and objects is None:
        share = covered(seen)
        told[packed(share.number / 100)] = share
    shapes = np.array(shape_of(seen)) if len(seen) else np.array([])
    for shape in sorted(set(shapes.tolist())):
        percent = 100 * float(np.mean(shapes == shape))
        if percent >= _MOSTLY:
            told[shape] = Measurement(f"share of {seen.many} that are {shape}", percent, "%", found=seen.found)
    n = 1 if scene.image.rgb else scene.image.sizes.get("c", 1)
    told[look(scene).likeness] = Measurement("look of the picture", look(scene).likeness)
    told["several channels" if n > 1 else "a single channel"] = Measurement("number of channels", n, "count")
    return told | {str(fact.value): fact for fact in recognised(scene).values()}


def _by_picture(
    objects: Selection | None, choices: Sequence[str], concepts: Sequence[str | None], eyes: str, scene: Scene
) -> Found:
    from ...tasks.classify import classify

    if scene.look.tiles is not None:
        raise EvidenceError("of this large image I looked at a sample, which cannot tell; ask(..., budget=math.inf) looks at all")
    model, known = load(eyes).model, ontology()
    trained = [t for k in ("image_concepts", "object_concepts") for t in model.calibration.get(k, ()) if t in known]
    pairs = zip(choices, concepts, strict=True)
    unknown = [c for c, concept in pairs if concept is None or not any(is_kind(t, concept) for t in trained)]
    if unknown or len(set(concepts)) < len(concepts):
        measured = _by_facts(objects, choices, scene)
        if measured is not None:
            return measured
        why = f"I have not learned the look of {' or '.join(unknown or choices)}, so I cannot tell"
        raise EvidenceError(f"{why}; a difference in shape, size or colour I can measure")
    odds_of = classify(scene.image, [str(c) for c in concepts], model=model, confidence=0.01).iloc[0]
    odds, none = np.array([float(odds_of[f"p:{c}"]) for c in concepts]), float(odds_of["p:none of these"])
    at = int(odds.argmax())
    how = {"none_of_them": round(none, 3), "among": list(choices), "method": "joint space of images and words", "weights": eyes}
    probability = ("probability among the choices", 100 * float(odds[at] / max(odds.sum(), 1e-9)), "%")
    says = "doubtful" if none > odds[at] else "picture"
    return Found.of(how, ("which fits better", choices[at]), probability, says=says)
