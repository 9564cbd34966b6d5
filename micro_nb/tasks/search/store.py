"""The folder of an index: a manifest and parts that are never changed. Whole or absent; no pickle.

index/
  manifest.json            format, version, what a row is, weights, the parts with their checksums
  concepts.npy             (C, D) float16: text vectors of the concepts of the ontology
  part-0000/vectors.npy    (n, D) float16, memory-mapped
  part-0000/table.csv      a row a vector (table.parquet where pyarrow is installed)
  part-0000/exemplars.npy  (rows, 16, D) float16, some of each row's objects; not where rows are objects
  part-0000/sources.json   the images: path, content id, sizes
  part-0000/thumbnails/    000000.jpg ...
  part-0000/checksums.json SHA-256 of each of these; its own is in the manifest
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...data.atomic import swap_in, writing_file
from ...errors import CorruptImageError, ImageNotFoundError, MicroNBError, WriteError
from ...tiles.records import described, plain
from .facts import filled
from .vectors import KEPT, Rows

Of = Literal["images", "tiles", "objects"]
FORMAT, VERSION = "micro_nb.index", 1
MANIFEST, CONCEPTS = "manifest.json", "concepts.npy"
_VECTORS, _EXEMPLARS = "vectors.npy", "exemplars.npy"
_SOURCES, _THUMBNAILS, _CHECKSUMS = "sources.json", "thumbnails", "checksums.json"


class IndexMismatchError(MicroNBError, ValueError):
    """An index was made with other weights, or by another version, than the one that reads it."""


@dataclass(frozen=True)
class Batch:
    """Rows to be written: unit vectors ``(n, D)``, a table of n rows, JPEG by row, ``(n, E, D)`` of the rows' objects (None where
    rows are objects), and the images they come from."""

    vectors: np.ndarray
    table: pd.DataFrame
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)
    exemplars: np.ndarray | None = None
    sources: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def joined(cls, parts: Sequence[Batch]) -> Batch:
        """The rows of several images, each a part, below one another; their table says in ``source`` which part they are of."""
        if not parts:
            return cls(np.zeros((0, 0), np.float16), pd.DataFrame())
        firsts = np.cumsum([0, *(len(part.table) for part in parts)]).tolist()
        few = [part.exemplars for part in parts if part.exemplars is not None]
        return cls(
            np.concatenate([part.vectors for part in parts]),
            filled(pd.concat([part.table.assign(source=k) for k, part in enumerate(parts)], ignore_index=True)),
            {first + k: jpeg for first, part in zip(firsts, parts, strict=False) for k, jpeg in part.thumbnails.items()},
            np.concatenate(few) if few else None,
            tuple(source for part in parts for source in part.sources),
        )


@dataclass(frozen=True)
class Part:
    """Rows that were written together: folder, how many, file and columns of the table, checksum of ``checksums.json``."""

    name: str
    rows: int
    table: str
    dtypes: Mapping[str, str]
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What the folder holds: what a row is, the dimension of the vectors and the hash of the weights that made them, name and
    kind of each row of ``concepts.npy``, the parts in the order they were added, files that were not taken with the reason."""

    of: Of
    dimension: int
    weights: str
    concepts: tuple[tuple[str, str], ...] = ()
    concepts_sha256: str = ""
    parts: tuple[Part, ...] = ()
    skipped: tuple[Mapping[str, str], ...] = ()

    def write(self, folder: Path) -> None:
        """As JSON, whole or not at all."""
        said = {"format": FORMAT, "version": VERSION, **asdict(self)}
        with writing_file(folder / MANIFEST) as file:
            file.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """From a folder. ImageNotFoundError where no index is there, IndexMismatchError where another version wrote it,
        CorruptImageError where it cannot be read."""
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
        except IndexMismatchError:
            raise
        except (ValueError, TypeError, KeyError) as error:
            raise CorruptImageError(f"{path}: is not the manifest of an index ({error}); build it anew") from None


@dataclass(frozen=True)
class Store:
    """An index folder that is open for reading; :meth:`added` gives the store with one more part."""

    folder: Path
    manifest: Manifest

    @classmethod
    def create(cls, folder: Path, manifest: Manifest, concepts: np.ndarray, batch: Batch, *, overwrite: bool = False) -> Store:
        """Writes a new index next to its place, then renames it; WriteError where the place is taken or cannot be written."""
        folder = folder.absolute()
        check_place(folder, overwrite=overwrite)
        with _appearing(folder, "nothing was left behind") as partial:
            np.save(partial / CONCEPTS, concepts.astype(np.float16), allow_pickle=False)
            part = _write_part(partial / "part-0000", batch)
            manifest = replace(manifest, parts=(part,), concepts_sha256=_sha256(partial / CONCEPTS))
            manifest.write(partial)
        return cls(folder, manifest)

    def added(self, batch: Batch, skipped: tuple[Mapping[str, str], ...] = ()) -> Store:
        """The store with one more part; files that are there stay as they are, and the manifest is replaced last.

        WriteError where it cannot be written, or the index was changed by someone else since it was opened.
        """
        if Manifest.read(self.folder) != self.manifest:
            raise WriteError(f"{self.folder}: was changed since it was opened; open it again, then append")
        name = f"part-{len(self.manifest.parts):04d}"
        with _appearing(self.folder / name, "the index is as it was") as partial:
            part = replace(_write_part(partial, batch), name=name)
        manifest = replace(self.manifest, parts=(*self.manifest.parts, part), skipped=(*self.manifest.skipped, *skipped))
        manifest.write(self.folder)
        return Store(self.folder, manifest)

    def vectors(self) -> Rows:
        """All vectors, memory-mapped."""
        return Rows([self._array(f"{p.name}/{_VECTORS}", (p.rows, self.manifest.dimension)) for p in self.manifest.parts])

    def exemplars(self) -> Rows | None:
        """Vectors of some objects of each row ``(E, D)``, memory-mapped; None where a part was written without."""
        names = {f"{part.name}/{_EXEMPLARS}": part.rows for part in self.manifest.parts}
        if not all((self.folder / name).is_file() for name in names):
            return None
        return Rows([self._array(name, (rows, KEPT, self.manifest.dimension)) for name, rows in names.items()])

    def concepts(self) -> np.ndarray:
        """``(C, D) float32``."""
        return self._array(CONCEPTS, (len(self.manifest.concepts), self.manifest.dimension)).astype(np.float32)

    def table(self) -> pd.DataFrame:
        """All rows; the column ``source`` is the position in :meth:`sources`."""
        tables, first = [], 0
        for part in self.manifest.parts:
            table, images = self._table(part), len(self._sources(part))
            if len(table) and int(table["source"].max()) >= images:
                path = self.folder / part.name / _SOURCES
                raise CorruptImageError(f"{path}: lists {images} images, fewer than the table names; build the index anew")
            tables.append(table.assign(source=table["source"] + first))
            first += images
        return filled(pd.concat(tables, ignore_index=True))

    def sources(self) -> list[dict[str, Any]]:
        """The images of all parts."""
        return [s for part in self.manifest.parts for s in self._sources(part)]

    def thumbnail(self, row: int) -> bytes | None:
        """The kept JPEG of a row, if there is one."""
        for part in self.manifest.parts:
            if row < part.rows:
                path = self.folder / part.name / _THUMBNAILS / f"{row:06d}.jpg"
                return path.read_bytes() if path.is_file() else None
            row -= part.rows
        return None

    def differences(self) -> Iterator[tuple[Path, str]]:
        """What is not as it was written: missing files and other checksums."""
        wanted = {CONCEPTS: self.manifest.concepts_sha256}
        for part in self.manifest.parts:
            list_of_files = self.folder / part.name / _CHECKSUMS
            said = json.loads(list_of_files.read_text("utf-8")) if _is(list_of_files, part.sha256) else {}
            wanted |= {f"{part.name}/{_CHECKSUMS}": part.sha256, **{f"{part.name}/{name}": sha for name, sha in said.items()}}
        for path, sha in ((self.folder / name, sha) for name, sha in wanted.items()):
            if not path.is_file():
                yield path, "is missing"
            elif not _is(path, sha):
                yield path, "is not what was written (its checksum differs)"

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        path = self.folder / name
        with _reading(path):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.shape != shape or array.dtype != np.float16:
            raise CorruptImageError(f"{path}: holds {array.dtype} {array.shape}, expected float16 {shape}; build the index anew")
        return np.asarray(array) if not array.size else array

    def _table(self, part: Part) -> pd.DataFrame:
        path = self.folder / part.name / part.table
        with _reading(path):
            table = pd.read_parquet(path) if path.suffix == ".parquet" else _read_csv(path, part.dtypes)
        if len(table) != part.rows:
            raise CorruptImageError(f"{path}: holds {len(table)} rows, expected {part.rows}; build the index anew")
        return table

    def _sources(self, part: Part) -> list[dict[str, Any]]:
        path = self.folder / part.name / _SOURCES
        with _reading(path):
            return list(json.loads(path.read_text("utf-8")))


def check_place(folder: Path, *, overwrite: bool) -> None:
    """Refuses a place that holds something else, or an index where ``overwrite`` is not said."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        if not (folder / MANIFEST).is_file():
            raise WriteError(f"{folder}: exists and is no index, so it is not overwritten; choose another name")
        if not overwrite:
            raise WriteError(f"{folder}: holds an index; add to it with Index.open(...).append(paths), or say overwrite=True")


@contextmanager
def _appearing(folder: Path, otherwise: str) -> Iterator[Path]:
    """A hidden sibling to write into; it stands at ``folder`` when the block ends well, and never else."""
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.mkdir(parents=True)
        yield partial
        swap_in(partial, folder)
    except MicroNBError:
        raise
    except OSError as error:
        raise WriteError(f"{folder}: could not be written ({error.strerror or error}); {otherwise}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise CorruptImageError(f"{path}: cannot be read ({error}); build the index anew") from None


def _write_part(folder: Path, batch: Batch) -> Part:
    (folder / _THUMBNAILS).mkdir(parents=True)
    np.save(folder / _VECTORS, batch.vectors.astype(np.float16), allow_pickle=False)
    if batch.exemplars is not None:
        np.save(folder / _EXEMPLARS, batch.exemplars.astype(np.float16), allow_pickle=False)
    (folder / _SOURCES).write_text(json.dumps(plain(batch.sources), indent=1, ensure_ascii=False) + "\n", "utf-8")
    name = "table.parquet" if find_spec("pyarrow") else "table.csv"
    (batch.table.to_parquet if name.endswith("parquet") else batch.table.to_csv)(folder / name, index=False)
    for row, data in batch.thumbnails.items():
        (folder / _THUMBNAILS / f"{row:06d}.jpg").write_bytes(data)
    written = sorted(p for p in folder.rglob("*") if p.is_file())
    checks = {p.relative_to(folder).as_posix(): _sha256(p) for p in written}
    (folder / _CHECKSUMS).write_text(json.dumps(checks, indent=1) + "\n", "utf-8")
    return Part(folder.name, len(batch.table), name, described(batch.table), _sha256(folder / _CHECKSUMS))


def _read_csv(path: Path, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """With the dtypes that were noted; numbers exactly, and only where they are missing NaN."""
    exactly = {column: lambda text: float(text or "nan") for column, dtype in dtypes.items() if dtype.startswith("float")}
    others = {column: dtype for column, dtype in dtypes.items() if column not in exactly}
    return pd.read_csv(path, dtype=others, converters=exactly, keep_default_na=False).astype(dict(dtypes))


def _is(path: Path, sha: str) -> bool:
    return path.is_file() and _sha256(path) == sha


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
