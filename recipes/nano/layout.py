"""Readers of labelled folders (``index.csv``, ``images/``, ``labels/``, ``boxes.csv``, ``points.csv``) as training samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage as ndi
from weak import dark_nuclei, masks_from_boxes, masks_from_points

from micro_nb.learn import sample
from micro_nb.learn.sample import UNKNOWN, relabelled, typical_diameter

BLOOD = {"RBC": "red blood cell", "WBC": "white blood cell", "Platelets": "platelet"}
_TISSUE = {
    "fluorescence": "fluorescence", "histology_he_purple": "histology", "histology_he_purple_on_white": "histology",
    "brightfield_grey": "brightfield",
}  # fmt: skip


@dataclass
class Sample(sample.Sample):
    """As it was read; ``jpeg`` is the file that the image was decoded from, where that was a JPEG: nothing keeps it smaller."""

    jpeg: bytes | None = field(default=None, repr=False)


def picture(path: Path) -> np.ndarray:
    """``(h, w, 3) uint8`` of a file; one channel becomes three equal ones."""
    return np.asarray(Image.open(path).convert("RGB"))


def jpeg(path: Path) -> bytes | None:
    """The bytes of a JPEG, None of another file."""
    return path.read_bytes() if path.suffix.lower() in (".jpg", ".jpeg") else None


def mask(path: Path) -> np.ndarray:
    """A 16-bit label image."""
    return np.asarray(Image.open(path)).astype(np.int32)


def _rows(root: Path) -> Iterator[Any]:
    """Rows of a data set's index, with the columns as attributes."""
    yield from pd.read_csv(root / "index.csv").itertuples()


def _named(labels: np.ndarray, concept: str) -> dict[int, str]:
    return {int(k): concept for k in np.unique(labels[labels > 0])}


def _empty(shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape[:2], np.int32)


def nuclei(root: Path) -> Iterator[Sample]:
    """DSB2018: nuclei in fluorescence, stained tissue and grey brightfield."""
    for row in _rows(root):
        image, lab = picture(root / row.image), mask(root / row.label)
        layers = {"object": lab, "nucleus": lab}
        facts = {"modality": _TISSUE[row.type], "type": row.type}
        names = {k: _named(lab, "nucleus") for k in layers}
        yield Sample(image, layers, names, root.name, row.image, str(row.group), typical_diameter([lab]), facts)


def phase(root: Path) -> Iterator[Sample]:
    """Adherent cells in phase contrast."""
    for k, row in enumerate(_rows(root)):
        lab = mask(root / row.label)
        yield Sample(
            picture(root / row.image), {"object": lab}, {"object": _named(lab, "adherent cell")}, root.name, row.image,
            f"block{k // 2}", typical_diameter([lab]), {"modality": "phase contrast"},
        )  # fmt: skip


def steel(root: Path) -> Iterator[Sample]:
    """Carbide particles in steel; what the frame cuts was not labelled."""
    for row in _rows(root):
        lab = rim(mask(root / row.label), 14)
        layers = {"object": lab, "nucleus": _empty(lab.shape)}
        names = {"object": _named(lab, "carbide particle")}
        yield Sample(
            picture(root / row.image), layers, names, root.name, row.image, row.image.rsplit("_size", 1)[0],
            typical_diameter([lab]), {"modality": "scanning electron microscopy"},
        )  # fmt: skip


def powder(root: Path) -> Iterator[Sample]:
    """Metal powder with satellites on its particles; half of the images have only the satellites."""
    for row in _rows(root):
        image = picture(root / row.image)
        small = mask(root / row.label_satellites)
        layers = {"organelle": np.where(small > 0, small, -1), "nucleus": _empty(small.shape)}
        names = {"organelle": _named(small, "satellite")}
        if isinstance(row.label, str):
            layers["object"] = mask(root / row.label)
            names["object"] = _named(layers["object"], "powder particle")
        wide = typical_diameter([layers["object"]]) if "object" in layers else 3.0 * typical_diameter([small])
        facts = {"modality": "scanning electron microscopy"}
        yield Sample(image, layers, names, root.name, row.image, row.image.split("Tile")[0], wide, facts)


def sections(root: Path) -> Iterator[Sample]:
    """Serial-section TEM of a nerve cord: mitochondria, and neurite profiles as what lies between membranes."""
    for row in _rows(root):
        mito, tissue = mask(root / row.label), mask(root / row.semantic)
        neurites = components(tissue != 1, 150)
        neurites[(tissue != 1) & (neurites == 0)] = -1
        neurites[np.isin(neurites, np.flatnonzero(np.bincount(neurites[neurites > 0]) > 40000))] = -1
        layers = {"object": neurites, "organelle": mito, "nucleus": _empty(mito.shape)}
        names = {"object": _named(neurites, "neurite"), "organelle": _named(mito, "mitochondrion")}
        z = int("".join(c for c in Path(row.image).stem.split("z")[-1] if c.isdigit()))
        facts = {"modality": "transmission electron microscopy"}
        yield Sample(picture(root / row.image), layers, names, root.name, row.image, f"z{z // 3}", 40.0, facts)


def smears_with_boxes(root: Path) -> Iterator[Sample]:
    """Blood smears with boxes of red cells, white cells and platelets."""
    boxes = pd.read_csv(root / "boxes.csv")
    for k, row in enumerate(_rows(root)):
        image, mine = picture(root / row.image), boxes[boxes.image == row.image]
        lab = masks_from_boxes(image, mine[["xmin", "ymin", "xmax", "ymax"]].to_numpy(int))
        names = {i + 1: BLOOD[c] for i, c in enumerate(mine["class"])}
        white = np.where(np.isin(lab, [i for i, n in names.items() if n == "white blood cell"]), lab, 0)
        dark = dark_nuclei(image, white)
        red = [np.where(np.isin(lab, [i for i, n in names.items() if n == "red blood cell"]), lab, 0)]
        layers = {"object": lab, "nucleus": np.where((lab == -1) & (dark == 0), -1, dark)}
        facts = {"modality": "brightfield", "specimen": "blood smear"}
        yield Sample(
            image, layers, {"object": names, "nucleus": _named(dark, "nucleus")}, root.name, row.image, f"block{k // 12}",
            typical_diameter(red if red[0].any() else [lab]), facts, jpeg(root / row.image),
        )  # fmt: skip


def smears_with_points(root: Path) -> Iterator[Sample]:
    """Blood smears with a type at the centre of some red cells."""
    points = pd.read_csv(root / "points.csv")
    for k, row in enumerate(_rows(root)):
        image, mine = picture(root / row.image), points[points.image == row.image]
        lab = masks_from_points(image, mine[["x", "y"]].to_numpy(int))
        names = {i + 1: n for i, n in enumerate(mine["class"])}
        facts = {"modality": "brightfield", "specimen": "blood smear", "coverage": str(row.label_coverage_est)}
        yield Sample(
            image, {"object": lab}, {"object": names}, root.name, row.image, f"block{k // 10}", typical_diameter([lab]), facts,
            jpeg(root / row.image),
        )  # fmt: skip


def rim(labels: np.ndarray, width: int) -> np.ndarray:
    """The same with background within ``width`` of the frame not known: for sets that leave out what the frame cuts."""
    out = labels.copy()
    inner = np.zeros(labels.shape, bool)
    inner[width:-width, width:-width] = True
    out[~inner & (labels == 0)] = UNKNOWN
    return out


def components(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Connected components of at least ``smallest`` pixels."""
    found, _ = ndi.label(mask)
    sizes = np.bincount(found.ravel())
    found[sizes[found] < smallest] = 0
    return relabelled(found)


READERS: dict[str, Callable[[Path], Iterator[Sample]]] = {
    "dsb2018": nuclei, "usiigaci_phase": phase, "ampis_spheroidite_sem": steel, "ampis_powder_sem": powder, "sstem_vnc": sections,
    "bccd": smears_with_boxes, "chula_rbc12": smears_with_points,
}  # fmt: skip


def read_folder(root: str | os.PathLike[str]) -> Iterator[Sample]:
    """The labelled samples of a data set folder, or of every known data set in a folder of them."""
    here = Path(root)
    if here.name in READERS:
        yield from READERS[here.name](here)
        return
    known = [name for name in READERS if (here / name / "index.csv").exists()]
    if not known:
        raise FileNotFoundError(f"{here}: none of the known data sets {sorted(READERS)} is here")
    for name in known:
        yield from READERS[name](here / name)
