"""A caption: what a picture or objects look like, in two or three sentences composed of what was measured and recognised."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...errors import MicroNBError
from ...models.wording import plural
from .appearance import look, recognised
from .evaluation import selection
from .eyes import FLOOR
from .finding import everything
from .measurement import Measurement, facts
from .objects import coverage
from .registry import measurement
from .results import Found
from .scene import Scene
from .selecting import filled
from .selection import Selection
from .shapes import packed, shape_of

_LISTED = 4


@measurement(
    "describe",
    group="recognition",
    examples={"Describe the picture": 'describe("image")', "what do the cells look like": 'describe("cell")'},
)
def describe(objects: Selection | None = None, *, scene: Scene) -> Found:
    """A caption of the image in two or three sentences: the kind of picture, its colours, kinds and counts, size and
    condition; or of objects."""
    if objects is not None:
        return _of_objects(objects, scene)
    measured: list[Measurement] = []
    said = [_setting(scene, measured), _contents(scene, measured), _condition(scene, measured)]
    return Found(tuple(measured), " ".join(s for s in said if s))


def _place(measured: list[Measurement], fact: Measurement, path: str = "") -> str:
    """A fact joined, and its place in a template."""
    measured.append(fact)
    return f"{{{len(measured) - 1}{path}}}"


def _setting(scene: Scene, measured: list[Measurement]) -> str:
    seen, how = recognised(scene)
    picture = look(scene)
    named = {
        k: _place(measured, Measurement(k, str(v["name"]), found={**how, "probability": float(v["probability"])}), ".value")
        for k, v in seen.items()
    }
    subject = f" of {_article(str(seen['specimen']['name']))}{named['specimen']}" if "specimen" in named else ""
    stain = (
        ""
        if "stain" not in named
        else f", with a {named['stain']}"
        if str(seen["stain"]["name"]).endswith("stain")
        else f", stained with {named['stain']}"
    )
    colours = f", mainly {' and '.join(picture.main)}" if picture.coloured else f", on a {picture.background} background"
    if "modality" in named:
        return (
            f"This looks like {'an' if str(seen['modality']['name'])[0] in 'aeio' else 'a'} {named['modality']} "
            f"picture{subject}{stain}{colours}."
        )
    like = _place(measured, Measurement("consistent with", picture.likeness), ".value")
    return f"By its look this is consistent with {like}{subject}{stain}{colours}."


def _article(specimen: str) -> str:
    """ "a " before what is counted, nothing before "human" or "cultured cells"."""
    counted = specimen.rsplit(" ", 1)[-1] in ("smear", "section", "culture", "monolayer", "plate", "assay", "leaf", "stem")
    return ("an " if specimen[0] in "aeiou" else "a ") if counted else ""


def _contents(scene: Scene, measured: list[Measurement]) -> str:
    """The kinds there are, how many, and how large."""
    counted = _counted(scene)
    if not counted:
        return "No single objects stand out."
    parts = [
        f"{_place(measured, Measurement(f'number of {plural(kind)}', n, 'count'), '.value')} {kind if n == 1 else plural(kind)}"
        for kind, n in counted
    ]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    try:
        found = selection(counted[0][0], scene)
        sizes, unit, _ = found.finite("diameter")
        across = _place(measured, Measurement(f"median diameter of {plural(counted[0][0])}", float(np.median(sizes)), unit))
        shape = _place(measured, Measurement("shape", _usual_shape(found)), ".value")
    except MicroNBError:
        return f"It shows {listed}."
    full = packed(coverage(found).number / 100)
    return f"It shows {listed}, {full}; a typical {counted[0][0]} is {across} across and {shape}."


def _usual_shape(objects: Selection) -> str:
    return str(pd.Series(shape_of(objects)).value_counts().index[0])


def _counted(scene: Scene) -> list[tuple[str, int]]:
    """Kinds and how many of each, as named with the whole picture in mind, else one by one; else all objects."""
    objects = selection("object", scene)
    tables = [objects.table] if scene.look.eyes == FLOOR else [everything(scene.image, scene.look.eyes).table, objects.table]
    for table in (t for t in tables if "name" in t):
        counts = table["name"].astype(str).value_counts()
        kinds = [(str(k), int(n)) for k, n in counts.items() if k not in ("", "object")][:_LISTED]
        if kinds:
            return kinds
    number = objects.number.value
    return [("object", int(number))] if isinstance(number, int | float) and number else []


def _condition(scene: Scene, measured: list[Measurement]) -> str:
    """What is technically wrong with it, or that nothing is."""
    from ...analysis.quality import quality

    try:
        problems = quality(scene.image).facts["problems"]
    except MicroNBError:
        return ""
    measured.append(Measurement("technical problems", len(problems), "count", found={"problems": [str(p) for p in problems]}))
    if not problems:
        return "Technically nothing stands out against measuring it."
    told = [_place(measured, Measurement("technical problem", str(p)), ".value") for p in problems]
    return f"Look at its quality before you measure: {' and '.join(told)}."


def _of_objects(objects: Selection, scene: Scene) -> Found:
    """Number, size, shape and colour of objects."""
    objects.need_some()
    sizes, unit, _ = objects.finite("diameter")
    word = _usual_shape(objects)
    rows = facts(
        objects.found,
        (f"number of {objects.many}", len(objects), "count"),
        ("median diameter", float(np.median(sizes)), unit),
        ("shape", word),
    )
    tints = look(scene).shares(filled(objects)) if look(scene).coloured and objects.drawn is None else {}
    colour = f" and {next(iter(tints))}" if tints else ""
    if len(objects) == 1:
        return Found(rows, f"The {{object}} is {{1}} across, {{2.value}}{colour}.")
    return Found(rows, f"There are {{0:objects}}, typically {{1}} across, {{2.value}}{colour}.")
