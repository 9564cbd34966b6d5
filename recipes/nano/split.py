"""Frozen splits: which image is for training and which is kept for validation, as a file with the hash of each image."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from micro_nb.learn.sample import Sample

SPLITS = Path(__file__).parent
COLUMNS = ("dataset", "name", "group", "split", "sha256")
Part = Literal["train", "val"]
_STACK, _STACK_HELD = "sstem_vnc", ("z3", "z4")
"""Sections of one stack are neighbours: what is held back is its end."""


def stratum(sample: Sample) -> str:
    """Images that are split among themselves: a data set's, by type where it has types."""
    return f"{sample.dataset}/{sample.facts.get('type', '')}"


def held_back(samples: Iterable[Sample]) -> set[tuple[str, str]]:
    """``(stratum, group)`` of what is for validation: every fifth group of a stratum, in the order of the groups' hashes.

    A group (a slide, a specimen, neighbouring images) is never divided, and where it falls does not depend on the order of files.
    """
    groups: dict[str, set[str]] = {}
    for sample in samples:
        groups.setdefault(stratum(sample), set()).add(sample.group)
    held: set[tuple[str, str]] = set()
    for name, members in groups.items():
        if name.startswith(_STACK):
            held |= {(name, g) for g in _STACK_HELD}
        else:
            held |= {(name, g) for g in sorted(members, key=lambda g: _hash(f"{name}/{g}"))[::5]}
    return held


@dataclass(frozen=True)
class Split:
    """Which image is for what.

    Attributes
    ----------
    parts : ``(dataset, name)`` -> ``"train"`` or ``"val"``.
    source : where it was read from.
    """

    parts: dict[tuple[str, str], Part]
    source: str

    @classmethod
    def read(cls, name: str | os.PathLike[str]) -> Split:
        """The split of the recipe (``"nano"``) or a file that :func:`write_split` wrote.

        Raises
        ------
        FileNotFoundError : there is neither; says which are in the package.
        ValueError : the file is not a split.
        """
        path = SPLITS / f"{name}.csv"
        path = path if path.is_file() else Path(name)
        if not path.is_file():
            raise FileNotFoundError(
                f"{name}: neither a file nor a split of the recipe ({', '.join(p.stem for p in SPLITS.glob('*.csv'))})"
            )
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        if not rows or not set(COLUMNS) <= set(rows[0]) or not {r["split"] for r in rows} <= {"train", "val"}:
            raise ValueError(f"{path}: needs the columns {', '.join(COLUMNS)}, and train or val in each row")
        return cls({(r["dataset"], r["name"]): "val" if r["split"] == "val" else "train" for r in rows}, str(path))

    def of(self, sample: Sample) -> Part:
        """Where a sample belongs.

        Raises
        ------
        ValueError : it is not listed, so nobody decided; make a new split, or train without one.
        """
        try:
            return self.parts[sample.dataset, sample.name]
        except KeyError:
            raise ValueError(
                f"{sample.dataset} {sample.name} is not in the split {self.source}; make one with write_split"
            ) from None

    def take(self, samples: Iterable[Sample], part: Part) -> list[Sample]:
        """The samples of one part."""
        return [s for s in samples if self.of(s) == part]


def write_split(samples: Sequence[Sample], root: str | os.PathLike[str], path: str | os.PathLike[str], *, note: str = "") -> Path:
    """Writes the split of labelled folders; whole or absent.

    Parameters
    ----------
    samples : what :func:`layout.read_folder` found in ``root``.
    root : the folder of the data sets, or one data set's, for the hashes of the files.
    note : lines for the head of the file, such as what a leak check found.
    """
    held, target = held_back(samples), Path(path)
    partial = target.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {line}\n" for line in note.splitlines())
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        for s in samples:
            part = "val" if (stratum(s), s.group) in held else "train"
            out.writerow([s.dataset, s.name, s.group, part, hashlib.sha256(image_path(s, root).read_bytes()).hexdigest()])
    partial.replace(target)
    return target


def image_path(sample: Sample, root: str | os.PathLike[str]) -> Path:
    """The file of a sample read from ``root``."""
    folder = Path(root)
    return folder / sample.name if folder.name == sample.dataset else folder / sample.dataset / sample.name


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
