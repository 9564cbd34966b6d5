"""Labelled folders as they are evaluated: which pictures, what is labelled in them, and by which prompt it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
    prompt : what its label images show.
    modality : pictures of one modality are the hard case of "is it there?".
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
    coverage : share of the objects that is labelled, 0..1, where known.
    """

    path: Path
    name: str
    label: Path | None = None
    prompt: str | None = None
    boxes: Boxes | None = None
    points: np.ndarray | None = None
    group: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    coverage: float | None = None

    @property
    def labelled(self) -> bool:
        """Whether there is anything to compare with."""
        return self.label is not None or self.boxes is not None or self.points is not None

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
    folder: Path
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
        return LabelledSet(self.name, self.folder, tuple(self.images[k] for k in chosen), self.notes, self.classes)


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
    notes = KNOWN.get(root.name, Notes())
    names = _class_prompts(boxes, prompts, root, masks="label" in index or points is not None)
    shown = _mask_prompt(prompts, notes, names, root)
    images = [i for i in _images(root, index, boxes, points, names, shown) if i.labelled]
    if not images:
        raise CorruptImageError(f"{root}: no image of index.csv has a label image, boxes or points, so nothing can be compared")
    return LabelledSet(root.name, root, tuple(images), notes, tuple(dict.fromkeys(names.values())))


def _table(root: Path, name: str, needed: str) -> pd.DataFrame | None:
    path = root / f"{name}.csv"
    if not path.exists():
        return None
    table = pd.read_csv(path, dtype={"group": str, "class": str})
    if "image" not in table or needed not in table or (name == "index" and not len(table)):
        raise CorruptImageError(f"{path}: needs a row an image with the columns image and {needed}; it has {list(table.columns)}")
    return table


def _class_prompts(boxes: pd.DataFrame | None, prompts: Prompts, root: Path, *, masks: bool) -> dict[str, str]:
    """Class of the boxes -> prompt, for the classes that are asked for."""
    if boxes is None:
        return {}
    known = {str(c): CLASS_PROMPTS.get(str(c), str(c)) for c in boxes["class"].unique()}
    if isinstance(prompts, Mapping):
        known = {c: prompts[c] for c in known if c in prompts}
    elif prompts is not None:
        wanted = _listed(prompts)
        known = {c: p for c, p in known.items() if c in wanted or p in wanted}
    if not known and not masks:
        raise ValueError(f"{root}: the prompts {prompts!r} name none of its classes {sorted(map(str, boxes['class'].unique()))}")
    return known


def _mask_prompt(prompts: Prompts, notes: Notes, names: Mapping[str, str], root: Path) -> str | None:
    """What the label images show: the one prompt that is no class of the boxes, else what the table of known folders says."""
    if isinstance(prompts, Mapping):
        return prompts.get(MASKS, notes.prompt)
    wanted = [] if prompts is None else [p for p in _listed(prompts) if p not in names and p not in names.values()]
    if len(wanted) > 1:
        raise ValueError(f"{root}: label images show one kind of object, but {wanted} are prompts for it; give one")
    return wanted[0] if wanted else notes.prompt


def _listed(prompts: str | Sequence[str]) -> list[str]:
    wanted = [prompts] if isinstance(prompts, str) else list(prompts)
    if not wanted or not all(isinstance(p, str) and p.strip() for p in wanted):
        raise ValueError(f"prompts={prompts!r} must be words such as 'nucleus', or a list of them")
    return wanted


def _images(
    root: Path,
    index: pd.DataFrame,
    boxes: pd.DataFrame | None,
    points: pd.DataFrame | None,
    names: Mapping[str, str],
    shown: str | None,
) -> Iterator[LabelledImage]:
    for row in index.to_dict("records"):
        name = str(row["image"])
        label = root / row["label"] if isinstance(row.get("label"), str) and row["label"] else None
        yield LabelledImage(
            root / name, name, label, _text(row, "class") or shown,
            _boxes_of(name, boxes, names, None if label is not None or "label" not in row else shown),
            None if points is None else points.loc[points["image"] == name, ["y", "x"]].to_numpy(float),
            _text(row, "group"), {k: str(row[k]) for k in FACTS if _text(row, k)},
            float(row["label_coverage_est"]) if "label_coverage_est" in row else None,
        )  # fmt: skip


def _text(row: Mapping[Any, Any], column: str) -> str | None:
    value = row.get(column)
    return None if value is None or value != value or value == "" else str(value)


def _boxes_of(name: str, boxes: pd.DataFrame | None, names: Mapping[str, str], unlabelled: str | None) -> Boxes | None:
    """Boxes of one image, named by prompt. What its missing label image would have shown is not judged."""
    if boxes is None or not names:
        return None
    mine = boxes[(boxes["image"] == name) & boxes["class"].isin(list(names))]
    judged = [p for p in names.values() if p != unlabelled]
    return Boxes(mine[["ymin", "xmin", "ymax", "xmax"]].to_numpy(float), mine["class"].map(names).to_numpy(), judged=judged)
