"""What is seen: the kind of picture, which of some choices fits, shapes, and other pictures like it; see also colours and
captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...analysis.white_cells import kind, nucleus
from ...analysis.whole import whole
from ...data.region import Region
from ...errors import EvidenceError
from ...models.ontology import ontology
from ...models.wording import plural
from . import captions, colours
from .appearance import STAINS, Appearance, look, recognised
from .choosing import by_shape, by_words
from .evaluation import selection
from .eyes import FLOOR, concept_of
from .finding import everything
from .kinds import by_look
from .measurement import Measurement, facts
from .quantities import box
from .registry import measurement
from .results import Found, Result
from .scene import Scene
from .selection import Selection
from .shapes import SHAPES, shape_of

__all__ = ["captions", "classify", "colours", "find", "recognise", "shape", "similar"]

What = Literal["modality", "stain", "specimen", "organism", "magnification", "all"]
_SPECIES = ("yeast culture", "bacteria culture", "Drosophila", "C. elegans", "zebrafish", "mouse", "human", "Arabidopsis")
_OBJECTIVES = (2.5, 4, 5, 10, 20, 40, 63, 100)
_CAMERA_UM = 6.5


def _says_recognised(result: Result) -> str:
    names = {m.quantity: k for k, m in enumerate(result.measured)}
    known = [q for q in ("modality", "stain", "specimen") if q in names]
    if not known and "consistent with" not in names:
        return "I do not recognise it: nothing in the picture tells me for certain."
    if not known:
        return (
            f"I do not recognise it for certain; by its measured look it is consistent with {{{names['consistent with']}.value}}."
        )
    parts = [f"the {'picture' if q == 'modality' else q} looks like {{{names[q]}.value}}" for q in known]
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    sure = f" (probability {{{names[known[0]]}.found.probability}})" if len(known) == 1 else ""
    return f"{text[:1].upper()}{text[1:]}{sure}."


@measurement(
    "recognise", says=_says_recognised,
    examples={"What microscope made this?": 'recognise("modality")', "which stain is this": 'recognise("stain")',
              "what organ is it from": 'recognise("specimen")'},
)  # fmt: skip
def recognise(what: What = "all", *, scene: Scene) -> Found:
    """What kind of picture it is: modality, stain, specimen, organism, magnification; as far as the model recognises it, with
    the probability."""
    if what == "magnification":
        return _magnification(scene)
    seen, how = recognised(scene)
    if what == "organism":
        return _organism(seen, how)
    kinds = ("modality", "stain", "specimen") if what == "all" else (what,)
    given = [
        Measurement(k, str(seen[k]["name"]), found={**how, "probability": float(seen[k]["probability"])})
        for k in kinds
        if k in seen
    ]
    picture = look(scene)
    given += [Measurement("consistent with", picture.likeness, found={"background": picture.background})]
    if len(given) > 1 or what in ("all", "modality"):
        return Found(tuple(given))
    if what == "stain":
        return _stain_by_colour(picture, given[0])
    return Found(
        declined=f"I do not recognise the {what} here with any certainty",
        remedy="tell me what it is, or give me the choice between some",
    )


def _stain_by_colour(picture: Appearance, like: Measurement) -> Found:
    """The stains that the colours are consistent with."""
    told = [STAINS[c] for c in picture.main if c in STAINS] if picture.coloured else []
    if not told:
        return Found(
            declined="the picture has no colours, so no stain can be told from it",
            remedy="the channel names or the protocol tell which dye it is",
        )
    name = Measurement(
        "main colours", " and ".join(picture.main), found={"source": "colours of common stains in transmitted light"}
    )
    return Found(
        (name, like),
        "I do not recognise the stain for certain; the colours are {0.value}, and {told}.",
        more={"told": " while ".join(told)},
    )


def _organism(seen: Mapping[str, Mapping[str, Any]], how: Mapping[str, Any]) -> Found:
    specimen = seen.get("specimen")
    name = str(specimen["name"]) if specimen else ""
    if specimen is None or name not in _SPECIES:
        return Found(
            declined="I have not learned to tell species apart from pictures, so I cannot name the organism",
            remedy="give me the choice between some kinds, or ask for the shape",
        )
    fact = Measurement("organism", name.removesuffix(" culture"), found={**how, "probability": float(specimen["probability"])})
    return Found((fact,), "It looks like {0.value} (probability {0.found.probability}).")


def _magnification(scene: Scene) -> Found:
    """As recorded; else what the size of something known suggests."""
    recorded = scene.told.get("magnification") or scene.image.metadata.get("magnification")
    if recorded:
        return Found(
            (Measurement("magnification", str(recorded), found={"from": "metadata"}),),
            "It was taken at magnification {0.value}, as is recorded with it.",
        )
    pixel, how = _pixel_um(scene)
    nearest = min(_OBJECTIVES, key=lambda m: abs(np.log(m / (_CAMERA_UM / pixel))))
    camera = Measurement("camera pixel taken", _CAMERA_UM, "um")
    fact = Measurement("objective, about", nearest, found=how)
    says = (
        "A pixel is about {1}, as with an objective of about {0} times and camera pixels of {2}; pixels alone do not "
        "record the magnification."
    )
    return Found((fact, Measurement("pixel size", pixel, "um", found=how), camera), says)


def _pixel_um(scene: Scene) -> tuple[float, dict[str, Any]]:
    """The pixel size in µm: as known, or from the usual size of the commonest kind."""
    size = scene.image.pixel_size
    if size is not None:
        return float(np.sqrt(size["x"] * size["y"])), {"from": "pixel size"}
    if scene.look.eyes != FLOOR:
        names = everything(scene.image, scene.look.eyes).table["name"].value_counts()
        for name in names.index[:1]:
            usual = ontology().size_um(str(name)) if str(name) in ontology() else None
            if usual is not None:
                across = float(np.median(selection(str(name), scene).values("diameter", "px")[0]))
                return usual.typical_um / across, {
                    "from": f"usual size of a {name}",
                    "typical_um": usual.typical_um,
                    "across_px": round(across, 1),
                }
    raise EvidenceError(
        "pixels do not record the magnification, and nothing of a known size is recognised; tell me the pixel size or the "
        "objective"
    )


@measurement(
    "classify",
    examples={"Are the bacteria rods or cocci?": 'classify("bacterium", into=["rod", "coccus"])',
              "what kind of cells are these": 'classify("cell")'},
)  # fmt: skip
def classify(objects: Selection | None = None, *, into: Any = None, scene: Scene) -> Found:
    """What type objects, or the image, are; with `into` which of the choices fits better: by a measured shape where that
    decides, else by the model."""
    choices = [str(c) for c in into] if isinstance(into, tuple | list) else [str(into)] if into else []
    if objects is not None and concept_of(objects.kind) == "white blood cell" and objects.image.rgb:
        return leukocyte(objects)
    if len(choices) > 1:
        found = by_shape(objects, choices) if objects is not None else None
        return found or by_words(objects, choices, scene)
    return _kind_of(objects, scene) if objects is not None else _picture(scene)


def leukocyte(objects: Selection) -> Found:
    """What the nucleus of a white cell is consistent with: the largest of them, by its segments, its share of the cell, and
    the rest's stain."""
    objects.need_some()
    row = objects.table.iloc[int(objects.ranked(objects.values("area")[0], "max")[0])]
    seen, (x0, y0, x1, y1) = whole(objects.image), box(row)
    margin = 0.15 * max(x1 - x0, y1 - y0)
    rows, cols = (
        slice(max(round((a - margin) / seen.factor), 0), round((b + margin) / seen.factor)) for a, b in ((y0, y1), (x0, x1))
    )
    found = nucleus(seen.colours[:, rows, cols], np.percentile(seen.colours, 80, axis=(1, 2)))
    if found is None:
        raise EvidenceError("the nucleus of the white cell does not stand out, so its type cannot be judged")
    name, why = kind(found)
    how = {"source": "B. J. Bain, Blood Cells: A Practical Guide, 5th ed.", "label": int(row["label"])}
    measured = facts(
        how,
        ("type of the white cell", name),
        ("reason", why),
        ("segments of the nucleus", found.segments, "count"),
        ("share of the cell that is nucleus", 100 * found.share, "%"),
        ("box", box(row), "px"),
    )
    return Found(measured, "The nucleus looks like that of a {0.value}: {1.value}.")


def _kind_of(objects: Selection, scene: Scene) -> Found:
    """The name that most of the objects have; a narrower one where what is said, or their shape, is its look."""
    said = str(scene.told.get("question", ""))
    if not len(objects) and (narrow := by_look(objects.kind, said)):
        says = "I find no {objects} by measurement; such a look, {0.value}, is that of {narrow}."
        return Found((_look_of(narrow),), says, value=narrow, unit="", more={"narrow": plural(narrow)})
    objects.need_some()
    if scene.look.eyes == FLOOR or "name" not in objects.table:
        raise EvidenceError("without a trained model I outline objects but cannot tell kinds apart")
    names = objects.table["name"].astype(str)
    counts = names[~names.isin(["", "object"])].value_counts()
    if not len(counts):
        return Found(
            declined=f"I have no name for {'this' if len(objects) == 1 else 'these'}",
            remedy="give me the choice between some kinds, or ask for the shape",
        )
    kind, n = str(counts.index[0]), int(counts.iloc[0])
    rows = facts(
        objects.found,
        ("most frequent kind", kind),
        (f"number of {plural(kind)}", n, "count"),
        ("number looked at", len(objects), "count"),
    )
    says = "It looks like {kind}." if len(objects) == 1 else "{1} of {2.value} look like {many}."
    shape = str(pd.Series(shape_of(objects)).value_counts().index[0])
    narrow = by_look(kind, said, *([f"{shape} {kind}"] if shape != "round" else []))
    if narrow:
        rows, says = (*rows, _look_of(narrow)), says + " Such a look, {3.value}, is that of {narrow}."
    return Found(rows, says, more={"kind": f"a {kind}", "many": plural(kind), "narrow": plural(narrow)})


def _look_of(kind: str) -> Measurement:
    return Measurement(f"look of a {kind}", ontology()[kind].looks[0])


def _picture(scene: Scene) -> Found:
    seen, how = recognised(scene)
    one = seen.get("specimen") or seen.get("modality")
    if one is None:
        return Found(declined="I do not recognise what kind of picture this is", remedy="give me the choice between some kinds")
    fact = Measurement("kind of picture", str(one["name"]), found={**how, "probability": float(one["probability"])})
    return Found((fact,), "It looks like {0.value} (probability {0.found.probability}).")


def _says_shape(result: Result) -> str:
    if result.selection is not None and len(result.selection) == 1:
        return "The {object} is {0.value}: {1} times as long as wide, with a roundness of {2} and a solidity of {3}."
    return (
        "The {objects} are most often {0.value} ({5.value} of {4.value}): {1} times as long as wide in the median, "
        "roundness {2}, solidity {3}."
    )


@measurement(
    "shape",
    says=_says_shape,
    examples={
        "What shape are the particles?": 'shape("particle")',
        "describe the form of the largest cell": 'shape(obj("cell", by="area"))',
    },
)
def shape(objects: Selection) -> tuple[Measurement, ...]:
    """The shape in a word, with medians of the ratio of length to width, roundness (1 for a disc) and solidity (1 without
    dents); whole objects only."""
    whole = objects.whole if len(objects.whole) else objects
    whole.need_some()
    words = shape_of(whole)
    word = str(pd.Series(words).value_counts().index[0])
    medians = [float(np.nanmedian(whole.finite(q)[0])) for q in ("aspect_ratio", "roundness", "solidity")]
    found = {**objects.found, "shapes": {w: words.count(w) for w in SHAPES if w in words}}
    rows = zip(("median ratio of length to width", "median roundness", "median solidity"), medians, strict=True)
    return facts(
        found,
        ("shape", word),
        *rows,
        ("whole objects looked at", len(whole), "count"),
        (f"number that are {word}", words.count(word), "count"),
    )


@measurement(
    "similar",
    examples={
        "Are there other pictures like this one?": 'similar("image")',
        "find cells like the marked one": 'similar(obj("cell", where="this"))',
    },
)
def similar(objects: Selection | None = None, *, scene: Scene) -> Found:
    """Pictures of an index that look most like this one, or like an object of it."""
    if objects is None or not len(objects):
        return _searched(scene.image, "this picture", scene)
    row = objects.table.iloc[0]
    y0, x0, y1, x1 = (int(row[f"bbox_{k}_px"]) for k in ("y0", "x0", "y1", "x1"))
    return _searched(scene.image.sel(region=Region(y0, x0, y1, x1)), f"the {objects.one}", scene)


@measurement("find", examples={"find pictures with small dark nuclei": 'find("small dark nuclei")'})
def find(text: str, *, scene: Scene) -> Found:
    """Pictures of an index that fit a description best."""
    return _searched(text, "that", scene)


def _searched(query: Any, words: str, scene: Scene) -> Found:
    index = scene.told.get("index")
    if index is None:
        return Found(
            declined="there is no collection of pictures to search in this session",
            remedy='build one and give it: Session(img, index=mnb.Index.build("images/", "index/"))',
        )
    result = index.search(query, k=5)
    if not len(result):
        return Found(declined=f"nothing in the collection is like {words}")
    rows = facts(
        {"index": str(index.folder)},
        ("pictures listed", len(result), "count"),
        ("best match", str(result["path"].iloc[0])),
        ("score of the best", float(result["score"].iloc[0])),
    )
    return Found(
        rows,
        "The nearest to {words} is {1.value} (score {2}); {0.value} are listed.",
        value=str(result["path"].iloc[0]),
        unit="",
        table=result,
        more={"words": words},
    )
