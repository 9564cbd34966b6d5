"""The labelled data sets as samples: which layers each knows, what its objects are called, and what is kept for validation.

Data sets that Micro-D1 knew before are read by :mod:`layout` and divided as ``nano.csv`` says; newer ones are read
here, and every fifth of their groups, in the order of the groups' hashes, is for validation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import layout
import numpy as np
import pandas as pd
import weak
from PIL import Image
from scipy import ndimage as ndi
from shards import Sample
from skimage.measure import regionprops
from skimage.segmentation import watershed
from split import Split

from micro_nb.learn.sample import typical_diameter

_CLUMP_SOLIDITY, _CLUMP_AREA = 0.88, 1.4
"""Objects with deeper dents and this much larger than the median are several that touch."""


def known(root: Path) -> Iterator[Sample]:
    """Samples of the data sets of the frozen split."""
    split = Split.read("nano")
    boxes = pd.read_csv(root / "bccd" / "boxes.csv")
    for s in layout.read_folder(root):
        if s.dataset not in layout.READERS:
            continue
        mine = boxes[boxes.image == s.name] if s.dataset == "bccd" else boxes[:0]
        yield Sample(
            s.image, s.labels, s.names, s.dataset, s.facts.get("type", ""), s.name, s.group, split.of(s), s.diameter_px,
            _corners(mine), s.jpeg,
        )  # fmt: skip


def tissue(root: Path) -> Iterator[Sample]:
    """H&E of breast cancer (TNBC): nuclei, where those that touch may share a number and are parted at their necks."""
    for row, image, part in _rows(root):
        lab = layout.mask(root / row.label)
        lab = parted(lab) if part == "train" else lab
        layers = {"object": lab, "nucleus": lab}
        yield _sample(root, row, image, part, layers, dict.fromkeys(layers, "nucleus"))


def smears(root: Path) -> Iterator[Sample]:
    """Blood smears with boxes of nearly all cells (PBC): outlines from boxes and contrast, nuclei from their darkness."""
    boxes = pd.read_csv(root / "boxes.csv")
    for row, image, _ in _rows(root):
        mine = boxes[boxes.image == row.image]
        lab = weak.masks_from_boxes(image, mine[["xmin", "ymin", "xmax", "ymax"]].to_numpy(int))
        said = {k + 1: layout.BLOOD.get(c, str(c)) for k, c in enumerate(mine["class"])}
        white = np.where(np.isin(lab, [k for k, n in said.items() if n == "white blood cell"]), lab, 0)
        red = np.where(np.isin(lab, [k for k, n in said.items() if n == "red blood cell"]), lab, 0)
        dark = weak.dark_nuclei(image, white)
        layers = {"object": lab, "nucleus": np.where((lab == -1) & (dark == 0), -1, dark)}
        part = "val" if row.group == "pbc_val" else "train"
        names = {"object": said, "nucleus": {int(k): "nucleus" for k in np.unique(dark[dark > 0])}}
        yield Sample(
            image, layers, names, root.name, "", row.image, row.group, part, typical_diameter([red if red.any() else lab]),
            _corners(mine), layout.jpeg(root / row.image),
        )  # fmt: skip


def plants(root: Path) -> Iterator[Sample]:
    """Electron microscopy of plants: chloroplasts in sections, pores of sieve plates."""
    for row, image, part in _rows(root):
        lab = layout.mask(root / row.label)
        plate = row.group == "sieve_plate"
        layers = {"object": lab} if plate else {"organelle": lab, "nucleus": np.zeros_like(lab)}
        names = {"object": "pore"} if plate else {"organelle": "chloroplast"}
        yield _sample(root, row, image, part, layers, names, kind="pores" if plate else "chloroplasts")


NEWER: dict[str, Callable[[Path], Iterator[Sample]]] = {
    "tnbc_he_nuclei": tissue, "pbc_blood_boxes": smears, "wsu_plant_em": plants,
}  # fmt: skip


def read(root: Path) -> Iterator[Sample]:
    """All samples of a folder of data sets."""
    yield from known(root)
    for name, reader in NEWER.items():
        if (root / name / "index.csv").exists():
            yield from reader(root / name)


def parted(labels: np.ndarray) -> np.ndarray:
    """Clumps cut at their necks by the watershed of their depth."""
    out, regions = labels.copy(), regionprops(labels)
    typical = np.median([r.area for r in regions]) if regions else 0
    for region in regions:
        if region.solidity < _CLUMP_SOLIDITY and region.area > _CLUMP_AREA * typical:
            mask = np.pad(region.image, 1)
            depth = ndi.gaussian_filter(ndi.distance_transform_edt(mask), 1.5)
            width = int(0.6 * np.sqrt(typical))
            seeds, count = ndi.label((depth == ndi.maximum_filter(depth, width)) & (depth > 0.5 * depth.max()))
            if count > 1:
                pieces = watershed(-depth, seeds, mask=mask)[1:-1, 1:-1]
                place = out[region.slice]
                place[pieces > 1] = pieces[pieces > 1] - 2 + out.max() + 1
    return out


def _rows(root: Path) -> Iterator[tuple[Any, np.ndarray, str]]:
    """Rows of a data set's index with their pictures and the part they are for."""
    table = pd.read_csv(root / "index.csv", dtype={"group": str})
    held = set(sorted(table.group.unique(), key=lambda g: hashlib.sha256(f"{root.name}/{g}".encode()).hexdigest())[::5])
    for row in table.itertuples():
        image = np.asarray(Image.open(root / str(row.image)).convert("RGB"))
        yield row, image, "val" if row.group in held else "train"


def _sample(
    root: Path, row: Any, image: np.ndarray, part: str, layers: dict[str, np.ndarray], names: dict[str, str], kind: str = ""
) -> Sample:
    named = {k: {int(i): n for i in np.unique(layers[k]) if i > 0} for k, n in names.items()}
    wide = typical_diameter([layers[next(iter(names))]])
    return Sample(image, layers, named, root.name, kind, row.image, row.group, part, wide)


def _corners(boxes: pd.DataFrame) -> list[list[float]]:
    return boxes[["xmin", "ymin", "xmax", "ymax"]].to_numpy(float).tolist()
