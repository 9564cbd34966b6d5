"""Labelled folders as they are evaluated: which pictures, what is labelled in them, and by which prompt it is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.image import MicroImage
from ..data.open import open_image
from ..errors import CorruptImageError, ImageNotFoundError
from .metrics.boxes import Boxes
from .metrics.instances import UNKNOWN

Prompts = str | Sequence[str] | Mapping[str, str] | None
FACTS = ("type", "modality", "stain", "source", "specimen", "organism", "microscope", "magnification", "image_class")
"""Columns of index.csv that figures are told apart by."""
CLASS_PROMPTS = {"RBC": "red blood cell", "WBC": "white blood cell", "Platelets": "platelet"}
MASKS = "labels"
"""The key of a prompt mapping that stands for the label images."""


@dataclass(frozen=True)
class Notes:
    """What has to be known of a data set beside its files.

    Attributes
    ----------
    prompt : what its label images show. modality : pictures of one modality are the hard case of "is it there?".
    incomplete : prompts of which not every object is labelled.
    rim_px : objects cut by the frame are not labelled; background this near to it is not known.
    unsure : prompts that nobody can say to be present or absent there.
    """

    prompt: str | None = None
    modality: str = ""
    incomplete: tuple[str, ...] = ()
    rim_px: int = 0
    unsure: tuple[str, ...] = ()


_SMEAR = ("nucleus", "cell", "white blood cell", "platelet")
KNOWN: dict[str, Notes] = {
    "dsb2018": Notes("nucleus", "mixed", unsure=("cell",)),
    "usiigaci_phase": Notes("cell", "phase contrast", unsure=("nucleus",)),
    "ampis_spheroidite_sem": Notes("carbide particle", "SEM", rim_px=14),
    "ampis_powder_sem": Notes("powder particle", "SEM", incomplete=("satellite",)),
    "sstem_vnc": Notes("mitochondrion", "TEM", unsure=("cell", "nucleus")),
    "bccd": Notes(None, "blood smear", incomplete=("red blood cell",), unsure=("nucleus", "cell")),
    "chula_rbc12": Notes("red blood cell", "blood smear", incomplete=("red blood cell",), unsure=_SMEAR),
    "chula_rbc_disease": Notes("red blood cell", "blood smear", unsure=_SMEAR),
}


@dataclass(frozen=True)
class LabelledImage:
    """One picture and what is labelled in it.

    Attributes
    ----------
    path : the picture. name : its path as index.csv gives it. label : the label image, None where there is none.
    prompt : what the label image shows; None asks for everything.
    boxes : labelled boxes, named by prompt; None where the set has none.
    points : ``(n, 2)`` y, x of labelled points in px; None where the set has none.
    group : what is split and drawn together. facts : values of :data:`FACTS`.
    """

    path: Path
    name: str
    label: Path | None = None
    prompt: str | None = None
    boxes: Boxes | None = None
    points: np.ndarray | None = None
    group: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> MicroImage:
        """The picture, one plane; a longer z or t is projected by its maximum."""
        img = open_image(self.path)
        return img.plane(project="max") if {"t", "z"} & set(img.axes) else img

    def masks(self, rim_px: int = 0) -> np.ndarray | None:
        """The label image ``(y, x) int32``; background within ``rim_px`` of the frame becomes -1, not known."""
        if self.label is None:
            return None
        lab = np.asarray(open_image(self.label).read()).astype(np.int32)
        if rim_px:
            inner = np.zeros(lab.shape, bool)
            inner[rim_px:-rim_px, rim_px:-rim_px] = True
            lab[~inner & (lab == 0)] = UNKNOWN
        return lab


@dataclass(frozen=True)
class LabelledSet:
    """A folder of labelled pictures.

    Attributes
    ----------
    name : of the folder. images : those that are labelled. notes : see :class:`Notes`.
    classes : prompts of its boxes, in the order of their classes; empty where it has none.
    """

    name: str
    images: tuple[LabelledImage, ...]
    notes: Notes
    classes: tuple[str, ...] = ()

    @property
    def prompts(self) -> list[str] | None:
        """Everything that is asked at once; None where everything is looked for."""
        masks = dict.fromkeys(i.prompt for i in self.images if i.label is not None or i.points is not None)
        asked = [*masks, *self.classes]
        return list(dict.fromkeys(p for p in asked if p is not None)) if asked and None not in asked else None

    @property
    def modality(self) -> str:
        """What the table of known folders says, else what index.csv says, else the folder's name."""
        told = [i.facts["modality"] for i in self.images if "modality" in i.facts]
        return self.notes.modality or (max(told, key=told.count) if told else self.name)

    @property
    def groups(self) -> list[str] | None:
        """Group of each image; None where the set names none."""
        return [str(i.group) for i in self.images] if all(i.group is not None for i in self.images) else None

    def few(self, limit: int | None) -> LabelledSet:
        """At most ``limit`` images, evenly spaced."""
        if limit is None or limit >= len(self.images):
            return self
        if limit < 1:
            raise ValueError(f"limit={limit} leaves no image of {self.name}; give at least 1")
        chosen = np.linspace(0, len(self.images) - 1, limit).round().astype(int)
        return replace(self, images=tuple(self.images[k] for k in chosen))


def read_set(folder: str | os.PathLike[str], *, prompts: Prompts = None) -> LabelledSet:
    """Reads the tables of a labelled folder; pictures stay on disk.

    Parameters
    ----------
    folder : holds ``index.csv`` (a row an image, column ``image``; ``label``, ``group``, ``class`` and :data:`FACTS` where they
        are known) and perhaps ``boxes.csv`` (image, class, xmin, ymin, xmax, ymax) and ``points.csv`` (image, x, y). An empty
        ``label`` means that the image has none.
    prompts : what the label images show, and classes of the boxes to keep to; or class -> prompt, with the key ``"labels"``
        for the label images. By default the column ``class``, a small table of known folders (:data:`KNOWN`), and the
        classes of the boxes.

    Raises
    ------
    ImageNotFoundError : there is no index.csv.
    CorruptImageError : a table lacks a column or is empty.
    ValueError : the prompts name none of the labelled classes.
    """
    root = Path(folder)
    index, boxes, points = (_table(root, n, c) for n, c in (("index", "image"), ("boxes", "class"), ("points", "x")))
    if index is None:
        raise ImageNotFoundError(
            f"{root}: no index.csv here; a labelled folder holds index.csv (a row an image), images/, labels/"
        )
    notes, said = KNOWN.get(root.name, Notes()), [] if prompts is None else [prompts] if isinstance(prompts, str) else prompts
    if prompts is not None and (not said or not all(isinstance(p, str) and p.strip() for p in said)):
        raise ValueError(f"prompts={prompts!r} must be words such as 'nucleus', or a list of them")
    classes = [] if boxes is None else [str(c) for c in boxes["class"].unique()]
    names = {c: CLASS_PROMPTS.get(c, c) for c in classes}
    if isinstance(said, Mapping):
        names, shown = {c: said[c] for c in classes if c in said}, said.get(MASKS, notes.prompt)
    else:
        kinds = [p for p in said if p not in names and p not in names.values()]  # no class of the boxes: what label images show
        names = {c: p for c, p in names.items() if not said or c in said or p in said}
        shown = kinds[0] if kinds else notes.prompt
    if classes and not names and "label" not in index and points is None:
        raise ValueError(f"{root}: the prompts {prompts!r} name none of its classes {sorted(classes)}")
    if not isinstance(said, Mapping) and len(kinds) > 1:
        raise ValueError(f"{root}: label images show one kind of object, but {kinds} are prompts for it; give one")
    made = (_image(root, row, boxes, points, names, shown) for row in index.to_dict("records"))
    images = tuple(i for i in made if i.label is not None or i.boxes is not None or i.points is not None)
    if not images:
        raise CorruptImageError(f"{root}: no image of index.csv has a label image, boxes or points, so nothing can be compared")
    return LabelledSet(root.name, images, notes, tuple(dict.fromkeys(names.values())))


def _table(root: Path, name: str, needed: str) -> pd.DataFrame | None:
    path = root / f"{name}.csv"
    if not path.exists():
        return None
    table = pd.read_csv(path, dtype={"group": str, "class": str})
    if "image" not in table or needed not in table or (name == "index" and not len(table)):
        raise CorruptImageError(f"{path}: needs a row an image with the columns image and {needed}; it has {list(table.columns)}")
    return table


def _image(
    root: Path, row: Mapping[Any, Any], boxes: pd.DataFrame | None, points: pd.DataFrame | None, names: Mapping[str, str],
    shown: str | None,
) -> LabelledImage:  # fmt: skip
    """One row of index.csv. What a missing label image would have shown is not judged by boxes."""
    name = str(row["image"])
    text = {k: str(v) for k, v in row.items() if v == v and v is not None and v != ""}
    label, mine = root / text["label"] if "label" in text else None, None
    if boxes is not None and names:
        some = boxes[(boxes["image"] == name) & boxes["class"].isin(list(names))]
        judged = [p for p in names.values() if label is not None or "label" not in row or p != shown]
        mine = Boxes(some[["ymin", "xmin", "ymax", "xmax"]].to_numpy(float), some["class"].map(names).to_numpy(), judged=judged)
    return LabelledImage(
        root / name, name, label, text.get("class", shown), mine,
        None if points is None else points.loc[points["image"] == name, ["y", "x"]].to_numpy(float), text.get("group"),
        {k: text[k] for k in FACTS if k in text},
    )  # fmt: skip
