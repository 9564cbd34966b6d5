"""What is seen: the kind of picture, what type objects are, shapes, other pictures like it; and captions, composed of what was
measured and recognised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...analysis.quality import quality
from ...analysis.white_cells import kind as kind_of_nucleus
from ...analysis.white_cells import nucleus
from ...analysis.whole import whole
from ...data.region import Region
from ...errors import EvidenceError, MicroNBError
from ...models.ontology import ontology
from ...models.wording import plural
from ..words.phrases import article
from ..words.tables import listed, table
from .appearance import Appearance, look
from .choosing import SHAPES, by_shape, by_words, packed, shape_of, usual_shape
from .colours import recognised
from .evaluation import selection
from .eyes import FLOOR, concept_of, everything
from .measurement import Measurement
from .objects import covered
from .quantities import box
from .registry import measurement
from .results import Found
from .scene import ANYWHERE, Scene
from .selecting import by_look
from .selection import Selection

What = Literal["modality", "stain", "specimen", "organism", "magnification", "all"]
_SPECIES = ("yeast culture", "bacteria culture", "Drosophila", "C. elegans", "zebrafish", "mouse", "human", "Arabidopsis")
_OBJECTIVES, _CAMERA_UM = (2.5, 4, 5, 10, 20, 40, 63, 100), 6.5
_MARGIN = 0.15  # around a white cell, of its size
_CHOICE = "give me the choice between some kinds, or ask for the shape"
_LISTED = 4
_COUNTED = ("smear", "section", "culture", "monolayer", "plate", "assay", "leaf", "stem")


@measurement("recognise")
def recognise(what: What = "all", *, scene: Scene) -> Found:
    """What kind of picture it is: modality, stain, specimen, organism, magnification; as far as the model recognises it, with
    the probability."""
    if what == "magnification":
        return _magnification(scene)
    seen, picture = recognised(scene), look(scene)
    if what == "organism":
        return _organism(seen.get("specimen"))
    given = [seen[k] for k in (("modality", "stain", "specimen") if what == "all" else (what,)) if k in seen]
    like = Measurement("consistent with", picture.likeness, found={"background": picture.background})
    if not given and what == "stain":
        return _stain_by_colour(picture, like)
    if not given and what == "specimen":
        why = f"I do not recognise the {what} here with any certainty"
        return Found(declined=why, remedy="tell me what it is, or give me the choice between some")
    names = ["picture" if m.quantity == "modality" else m.quantity for m in given]
    said = listed([f"the {name} looks like {{{k}.value}}" for k, name in enumerate(names)])
    sure = " (probability {0.found.probability})" if len(given) == 1 else ""
    return Found((*given, like), f"{said[:1].upper()}{said[1:]}{sure}." if given else "unsure")


def _stain_by_colour(picture: Appearance, like: Measurement) -> Found:
    """The stains that the colours are consistent with."""
    stains = table("looks")["stain"]
    told = [stains[c] for c in picture.main if c in stains] if picture.coloured else []
    if not told:
        why = "the picture has no colours, so no stain can be told from it"
        return Found(declined=why, remedy="the channel names or the protocol tell the dye")
    how = {"source": "colours of common stains in transmitted light"}
    return Found.of(how, ("main colours", " and ".join(picture.main)), like, says="stain", told=" while ".join(told))


def _organism(specimen: Measurement | None) -> Found:
    if specimen is None or specimen.value not in _SPECIES:
        why = "I have not learned to tell species apart from pictures, so I cannot name the organism"
        return Found(declined=why, remedy=_CHOICE)
    return Found.of(specimen.found, ("organism", str(specimen.value).removesuffix(" culture")), says="likely")


def _magnification(scene: Scene) -> Found:
    """As recorded; else what the size of something known suggests."""
    recorded = scene.told.get("magnification") or scene.image.metadata.get("magnification")
    if recorded:
        return Found.of({"from": "metadata"}, ("magnification", str(recorded)), says="recorded")
    pixel, how = _pixel_um(scene)
    nearest = min(_OBJECTIVES, key=lambda m: abs(np.log(m / (_CAMERA_UM / pixel))))
    camera = Measurement("camera pixel taken", _CAMERA_UM, "um")
    return Found.of(how, ("objective, about", nearest), ("pixel size", pixel, "um"), camera, says="magnification")


def _pixel_um(scene: Scene) -> tuple[float, dict[str, Any]]:
    """The pixel size in µm: as known, or from the usual size of the commonest kind."""
    if scene.pixel_um is not None:
        return scene.pixel_um, {"from": "pixel size"}
    names = everything(scene.image, scene.look).table["name"].value_counts().index[:1] if scene.look.eyes != FLOOR else ()
    for name in map(str, names):
        usual = ontology().size_um(name) if name in ontology() else None
        if usual is not None:
            across = float(np.median(selection(name, scene).values("diameter", "px")[0]))
            how = {"from": f"usual size of a {name}", "typical_um": usual.typical_um, "across_px": round(across, 1)}
            return usual.typical_um / across, how
    why = "pixels do not record the magnification, and nothing of a known size is recognised"
    raise EvidenceError(f"{why}; tell me the pixel size or the objective")


@measurement("classify")
def classify(objects: Selection | None = None, *, into: Any = None, scene: Scene) -> Found:
    """What type objects, or the image, are; with `into` which of the choices fits better: by a measured shape where that
    decides, else by the model."""
    choices = [str(c) for c in into] if isinstance(into, tuple | list) else [str(into)] if into else []
    if objects is not None and concept_of(objects.kind) == "white blood cell" and objects.image.rgb:
        return _leukocyte(objects)
    if len(choices) > 1:
        found = by_shape(objects, choices) if objects is not None else None
        return found or by_words(objects, choices, scene)
    return _kind_of(objects, scene) if objects is not None else _picture(scene)


def _leukocyte(objects: Selection) -> Found:
    """What the nucleus of a white cell is consistent with: the largest of them, by its segments, its share of the cell, and
    the rest's stain."""
    objects.need_some()
    row = objects.table.iloc[int(objects.ranked(objects.values("area")[0], "max")[0])]
    seen, (x0, y0, x1, y1) = whole(objects.image), box(row)
    margin, sides = _MARGIN * max(x1 - x0, y1 - y0), ((y0, y1), (x0, x1))
    rows, cols = (slice(max(round((a - margin) / seen.factor), 0), round((b + margin) / seen.factor)) for a, b in sides)
    found = nucleus(seen.colours[:, rows, cols], np.percentile(seen.colours, 80, axis=(1, 2)))
    if found is None:
        raise EvidenceError("the nucleus of the white cell does not stand out, so its type cannot be judged")
    name, why = kind_of_nucleus(found)
    how = {"source": "B. J. Bain, Blood Cells: A Practical Guide, 5th ed.", "label": int(row["label"])}
    parts = (("segments of the nucleus", found.segments, "count"), ("share of the cell that is nucleus", 100 * found.share, "%"))
    rows_ = (("type of the white cell", name), ("reason", why), *parts, ("box", box(row), "px"))
    return Found.of(how, *rows_, says="white_cell")


def _kind_of(objects: Selection, scene: Scene) -> Found:
    """The name that most of the objects have; a narrower one where what is said, or their shape, is its look."""
    said = str(scene.told.get("question", ""))
    if not len(objects) and (narrow := by_look(objects.kind, said)):
        return Found((_look_of(narrow),), "look", narrow, "", more={"narrow": plural(narrow)})
    objects.need_some()
    if "look" in objects.found:
        return _of_objects(objects, scene)
    if scene.look.eyes == FLOOR or "name" not in objects.table:
        raise EvidenceError("without a trained model I outline objects but cannot tell kinds apart")
    counts, one = _names(objects.table), len(objects) == 1
    if not len(counts):
        return Found(declined=f"I have no name for {'this' if one else 'these'}", remedy=_CHOICE)
    kind, n, shape = str(counts.index[0]), int(counts.iloc[0]), usual_shape(objects)
    narrow = by_look(kind, said, *([f"{shape} {kind}"] if shape != "round" else []))
    rows = [("most frequent kind", kind), (f"number of {plural(kind)}", n, "count"), ("number looked at", len(objects), "count")]
    looks = [_look_of(narrow)] if narrow else []
    also = f" Such a look, {{3.value}}, is that of {plural(narrow)}." if narrow else ""
    says = "one" if one else "kinds"
    return Found.of(objects.found, *rows, *looks, says=says, kind=f"a {kind}", many=plural(kind), also=also)


def _names(table: pd.DataFrame) -> pd.Series[int]:
    """Name -> how many objects have it, the most frequent first; nothing where the eyes know no names."""
    names = table["name"].astype(str) if "name" in table else pd.Series([], dtype=str)
    return names[~names.isin(["", "object"])].value_counts()


def _look_of(kind: str) -> Measurement:
    return Measurement(f"look of a {kind}", ontology()[kind].looks[0])


def _picture(scene: Scene) -> Found:
    seen = recognised(scene)
    one = seen.get("specimen") or seen.get("modality")
    if one is None:
        return Found(declined="I do not recognise what kind of picture this is", remedy="give me the choice between some kinds")
    return Found.of(one.found, ("kind of picture", one.value), says="likely")


@measurement("shape")
def shape(objects: Selection) -> Found:
    """The shape in a word, with medians of the ratio of length to width, roundness (1 for a disc) and solidity (1 without
    dents); whole objects only."""
    whole = objects.whole if len(objects.whole) else objects
    whole.need_some()
    words, word = shape_of(whole), usual_shape(whole)
    medians = {"ratio of length to width": "aspect_ratio", "roundness": "roundness", "solidity": "solidity"}
    rows = ((f"median {name}", float(np.nanmedian(whole.finite(q)[0]))) for name, q in medians.items())
    number, same = ("whole objects looked at", len(whole), "count"), (f"number that are {word}", words.count(word), "count")
    how = {**objects.found, "shapes": {w: words.count(w) for w in SHAPES if w in words}}
    return Found.of(how, ("shape", word), *rows, number, same, says="one" if len(objects) == 1 else "is")


@measurement("similar")
def similar(objects: Selection | None = None, *, scene: Scene) -> Found:
    """Pictures of an index that look most like this one, or like an object of it."""
    if objects is None or not len(objects):
        return _searched(scene.image, "this picture", scene)
    x0, y0, x1, y1 = (int(v) for v in box(objects.table.iloc[0]))
    return _searched(scene.image.sel(region=Region(y0, x0, y1, x1)), f"the {objects.kind}", scene)


@measurement("find")
def find(text: str, *, scene: Scene) -> Found:
    """Pictures of an index that fit a description best."""
    return _searched(text, "that", scene)


def _searched(query: Any, words: str, scene: Scene) -> Found:
    index = scene.told.get("index")
    if index is None:
        remedy = 'build one and give it: Session(img, index=mnb.Index.build("images/", "index/"))'
        return Found(declined="there is no collection of pictures to search in this session", remedy=remedy)
    result = index.search(query, k=5)
    if not len(result):
        return Found(declined=f"nothing in the collection is like {words}")
    best, score = str(result["path"].iloc[0]), float(result["score"].iloc[0])
    rows = (("pictures listed", len(result), "count"), ("best match", best), ("score of the best", score))
    return Found.of({"index": str(index.folder)}, *rows, says="is", value=best, unit="", table=result, words=words)


@measurement("describe")
def describe(objects: Selection | None = None, *, scene: Scene) -> Found:
    """A caption of the image in two or three sentences: the kind of picture, its colours, kinds and counts, size and
    condition; or of objects."""
    if objects is not None:
        return _of_objects(objects, scene)
    caption = _Caption(scene)
    said = (caption.setting(), caption.contents(), caption.condition())
    return Found(tuple(caption.measured), " ".join(s for s in said if s))


class _Caption:
    """Sentences under construction, and the facts that they state."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.measured: list[Measurement] = []

    def place(self, fact: Measurement, path: str = ".value") -> str:
        """A fact joined, and its place in a template."""
        self.measured.append(fact)
        return f"{{{len(self.measured) - 1}{path}}}"

    def setting(self) -> str:
        """The kind of picture, its specimen, stain and colours."""
        seen, picture = recognised(self.scene), look(self.scene)
        like = Measurement("consistent with", picture.likeness)
        shown = self.place(seen.get("modality", like))
        lead = f"This looks like {article(str(seen['modality'].value))}{shown} picture" if "modality" in seen else ""
        lead = lead or f"By its look this is consistent with {shown}"
        if "specimen" in seen:
            name = str(seen["specimen"].value)
            counted = name.rsplit(" ", 1)[-1] in _COUNTED  # nothing stands before "human" or "cultured cells"
            lead += f" of {article(name) if counted else ''}{self.place(seen['specimen'])}"
        if "stain" in seen:
            stained = ", with a" if str(seen["stain"].value).endswith("stain") else ", stained with"
            lead += f"{stained} {self.place(seen['stain'])}"
        colours = f"mainly {' and '.join(picture.main)}" if picture.coloured else f"on a {picture.background} background"
        return f"{lead}, {colours}."

    def contents(self) -> str:
        """The kinds there are, how many, and how large."""
        counted = _counted(self.scene)
        if not counted:
            return "No single objects stand out."
        numbers = {k if n == 1 else plural(k): Measurement(f"number of {plural(k)}", n, "count") for k, n in counted}
        parts, kind = listed([f"{self.place(number)} {words}" for words, number in numbers.items()]), counted[0][0]
        try:
            found = selection(kind, self.scene)
            sizes, unit, _ = found.finite("diameter")
            shape = Measurement("shape", usual_shape(found))
            full = packed(covered(found).number / 100)
        except MicroNBError:
            return f"It shows {parts}."
        across = Measurement(f"median diameter of {plural(kind)}", float(np.median(sizes)), unit)
        return f"It shows {parts}, {full}; a typical {kind} is {self.place(across, '')} across and {self.place(shape)}."

    def condition(self) -> str:
        """What is technically wrong with it, or that nothing is."""
        try:
            problems = [str(p) for p in quality(self.scene.image).facts["problems"]]
        except MicroNBError:
            return ""
        self.measured.append(Measurement("technical problems", len(problems), "count", found={"problems": problems}))
        told = [self.place(Measurement("technical problem", p)) for p in problems]
        if told:
            return f"Look at its quality before you measure: {' and '.join(told)}."
        return "Technically nothing stands out against measuring it."


def _counted(scene: Scene) -> list[tuple[str, int]]:
    """Kinds and how many of each, as named with the whole picture in mind, else one by one; else all objects."""
    objects, eyes = selection("object", scene), scene.look.eyes
    for rows in [objects.table] if eyes == FLOOR else [everything(scene.image, scene.look).table, objects.table]:
        kinds = [(str(k), int(n)) for k, n in _names(rows).items()][:_LISTED]
        if kinds:
            return kinds
    n = int(objects.number.number)
    return [("object", n)] if n else []


def _of_objects(objects: Selection, scene: Scene) -> Found:
    """Number, size, shape and colour of objects; of what was asked for as mere objects also the name that most have."""
    objects.need_some()
    sizes, unit, _ = objects.finite("diameter")
    size, form = ("median diameter", float(np.median(sizes)), unit), ("shape", usual_shape(objects))
    tinted = look(scene).coloured and objects.drawn is None and "look" not in objects.found
    tints = look(scene).shares(objects.filled()) if tinted else {}
    colour, says = f" and {next(iter(tints))}" if tints else "", "one" if len(objects) == 1 else "objects"
    rows, like = [objects.n(), size, form], ""
    if says == "one" and form[1] == "elongated":
        says, rows = "long", [*rows, *((q, float(objects.finite(q)[0][0]), unit) for q in ("length", "width"))]
    if objects.kind == "object" and len(names := _names(objects.table)):
        name = str(names.index[0])
        rows.append(("most frequent kind", name))
        like = f"; it looks like {article(name)}{name}" if len(objects) == 1 else f"; most look like {plural(name)}"
    if "look" in objects.found:
        share, spot, one = covered(replace(objects, place=ANYWHERE)), objects.commonest_spot, len(objects) == 1
        rows += [("share of the picture", share.number, "%"), ("place of most", spot)]
        covers, most = ("It covers", "") if one else ("Together they cover", "most of it ")
        like = f". {covers} {{{len(rows) - 2}}} of the picture, {most}{'in' if spot == 'center' else 'at'} the {spot}"
    return Found.of(objects.found, *rows, says=table("measures")["describe"]["says"][says], colour=colour, like=like)
