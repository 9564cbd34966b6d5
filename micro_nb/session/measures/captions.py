"""A caption: what a picture or objects look like, in two or three sentences composed of what was measured and recognised."""

from __future__ import annotations

import numpy as np

from ...analysis.quality import quality
from ...errors import MicroNBError
from ...models.wording import plural
from ..words.tables import listed
from .choosing import packed, usual_shape
from .colours import look, recognised
from .evaluation import selection
from .eyes import FLOOR
from .finding import everything
from .measurement import Measurement, facts
from .objects import covered
from .registry import measurement
from .results import Found
from .scene import Scene
from .selection import Selection

_LISTED = 4
_COUNTED = ("smear", "section", "culture", "monolayer", "plate", "assay", "leaf", "stem")


@measurement("describe", group="recognition")
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
        lead = f"This looks like {_a(str(seen['modality'].value))}{shown} picture" if "modality" in seen else ""
        lead = lead or f"By its look this is consistent with {shown}"
        if "specimen" in seen:
            name = str(seen["specimen"].value)
            counted = name.rsplit(" ", 1)[-1] in _COUNTED  # nothing stands before "human" or "cultured cells"
            lead += f" of {_a(name) if counted else ''}{self.place(seen['specimen'])}"
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


def _a(noun: str) -> str:
    return "an " if noun[0] in "aeiou" else "a "


def _counted(scene: Scene) -> list[tuple[str, int]]:
    """Kinds and how many of each, as named with the whole picture in mind, else one by one; else all objects."""
    objects, eyes = selection("object", scene), scene.look.eyes
    for table in [objects.table] if eyes == FLOOR else [everything(scene.image, eyes).table, objects.table]:
        counts = table["name"].astype(str).value_counts().to_dict() if "name" in table else {}
        kinds = [(str(k), int(n)) for k, n in counts.items() if k not in ("", "object")][:_LISTED]
        if kinds:
            return kinds
    n = int(objects.number.number)
    return [("object", n)] if n else []


def _of_objects(objects: Selection, scene: Scene) -> Found:
    """Number, size, shape and colour of objects."""
    objects.need_some()
    sizes, unit, _ = objects.finite("diameter")
    size, shape = ("median diameter", float(np.median(sizes)), unit), ("shape", usual_shape(objects))
    rows = facts(objects.found, (f"number of {objects.many}", len(objects), "count"), size, shape)
    tints = look(scene).shares(objects.filled()) if look(scene).coloured and objects.drawn is None else {}
    colour = f" and {next(iter(tints))}" if tints else ""
    return Found(rows, "one" if len(objects) == 1 else "objects", more={"colour": colour})
