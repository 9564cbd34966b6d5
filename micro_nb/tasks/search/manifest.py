"""What an index folder holds, as JSON: format, version, what a row is, weights, concepts, parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ...errors import CorruptImageError, ImageNotFoundError, MicroNBError

Of = Literal["images", "tiles", "objects"]
FORMAT, VERSION = "micro_nb.index", 1
MANIFEST = "manifest.json"


class IndexMismatchError(MicroNBError, ValueError):
    """An index was made with other weights, or by another version, than the one that reads it."""


@dataclass(frozen=True)
class Part:
    """Rows that were written together.

    Attributes
    ----------
    name : its folder.
    rows : how many.
    table : file of the table.
    dtypes : columns of the table.
    sha256 : checksum of its ``checksums.json``, which holds those of all its files.
    """

    name: str
    rows: int
    table: str
    dtypes: Mapping[str, str]
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What the folder holds.

    Attributes
    ----------
    of : what a row is.
    dimension : of the vectors.
    weights : hash of the weights that made them.
    concepts : name and kind of each row of ``concepts.npy``.
    concepts_sha256 : its checksum.
    parts : in the order they were added.
    skipped : files that were not taken, with the reason.
    """

    of: Of
    dimension: int
    weights: str
    concepts: tuple[tuple[str, str], ...] = ()
    concepts_sha256: str = ""
    parts: tuple[Part, ...] = ()
    skipped: tuple[Mapping[str, str], ...] = ()

    @property
    def rows(self) -> int:
        """Of all parts."""
        return sum(p.rows for p in self.parts)

    def to_json(self) -> str:
        """As it is written."""
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """From a folder.

        Raises
        ------
        ImageNotFoundError : no index is there.
        IndexMismatchError : it was written by a version this one does not read.
        CorruptImageError : it cannot be read.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise ImageNotFoundError(
                f"{folder}: holds no index (no {MANIFEST}); make one with Index.build(paths, {str(folder)!r})"
            )
        try:
            said = json.loads(path.read_text("utf-8"))
            found = said.pop("format"), said.pop("version")
            if found != (FORMAT, VERSION):
                raise IndexMismatchError(f"{folder}: is {found[0]} {found[1]}; this reads {FORMAT} {VERSION}; build it anew")
            parts = tuple(Part(**p) for p in said.pop("parts"))
            concepts = tuple((str(n), str(k)) for n, k in said.pop("concepts"))
            return cls(**said | {"parts": parts, "concepts": concepts, "skipped": tuple(said["skipped"])})
        except (ValueError, TypeError, KeyError) as error:
            if isinstance(error, MicroNBError):
                raise
            raise CorruptImageError(f"{path}: is not the manifest of an index ({error}); build it anew") from None
