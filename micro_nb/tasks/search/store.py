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
  nearest.faiss            of 100,000 rows or more; made from the vectors
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...data.atomic import swap_in, writing_file
from ...errors import CorruptImageError, MicroNBError, WriteError
from ...tiles.records import described, plain
from .exemplars import KEPT
from .manifest import MANIFEST, Manifest, Part
from .vectors import Rows

CONCEPTS, NEAREST = "concepts.npy", "nearest.faiss"
_EXEMPLARS = "exemplars.npy"
_VECTORS, _SOURCES, _THUMBNAILS, _CHECKSUMS = "vectors.npy", "sources.json", "thumbnails", "checksums.json"


@dataclass
class Batch:
    """Rows to be written: unit vectors ``(n, D)``, a table of n rows, the images they come from, thumbnails by row, exemplars."""

    vectors: np.ndarray
    table: pd.DataFrame
    sources: list[dict[str, Any]]
    thumbnails: dict[int, bytes] = field(default_factory=dict)
    exemplars: np.ndarray | None = None


@dataclass(frozen=True)
class Store:
    """An index folder that is open for reading; :meth:`added` gives the store with one more part."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path) -> Store:
        """See :meth:`Manifest.read` for what is raised."""
        return cls(folder, Manifest.read(folder))

    @classmethod
    def create(cls, folder: Path, manifest: Manifest, concepts: np.ndarray, batch: Batch, *, overwrite: bool = False) -> Store:
        """Writes a new index next to its place, then renames it.

        Raises
        ------
        WriteError : the place is taken, or cannot be written; nothing was left behind.
        """
        folder = folder.absolute()
        check_place(folder, overwrite=overwrite)
        partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            partial.mkdir(parents=True)
            np.save(partial / CONCEPTS, concepts.astype(np.float16), allow_pickle=False)
            part = _write_part(partial / "part-0000", batch)
            manifest = replace(manifest, parts=(part,), concepts_sha256=_sha256(partial / CONCEPTS))
            (partial / MANIFEST).write_text(manifest.to_json(), "utf-8")
            swap_in(partial, folder)
        except OSError as error:
            if isinstance(error, MicroNBError):
                raise
            raise WriteError(f"{folder}: could not be written ({error.strerror or error}); nothing was left behind") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return cls(folder, manifest)

    def added(self, batch: Batch, skipped: tuple[Mapping[str, str], ...] = ()) -> Store:
        """The store with one more part; files that are there stay as they are, and the manifest is replaced last.

        Raises
        ------
        WriteError : it could not be written, or the index was changed by someone else since it was opened.
        """
        if Manifest.read(self.folder) != self.manifest:
            raise WriteError(f"{self.folder}: was changed since it was opened; open it again, then append")
        name = f"part-{len(self.manifest.parts):04d}"
        partial = self.folder / f".{name}.{uuid.uuid4().hex[:8]}.partial"
        try:
            part = replace(_write_part(partial, batch), name=name)
            swap_in(partial, self.folder / name)
            manifest = replace(self.manifest, parts=(*self.manifest.parts, part), skipped=(*self.manifest.skipped, *skipped))
            with writing_file(self.folder / MANIFEST) as file:
                file.write_text(manifest.to_json(), "utf-8")
        except OSError as error:
            if isinstance(error, MicroNBError):
                raise
            raise WriteError(
                f"{self.folder}: could not be written ({error.strerror or error}); the index is as it was"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return Store(self.folder, manifest)

    def vectors(self) -> Rows:
        """All vectors, memory-mapped."""
        return Rows([self._array(f"{p.name}/{_VECTORS}", (p.rows, self.manifest.dimension)) for p in self.manifest.parts])

    def exemplars(self) -> Rows | None:
        """Vectors of some objects of each row ``(E, D)``, memory-mapped; None where a part was written without."""
        paths = [(self.folder / p.name / _EXEMPLARS, p.rows) for p in self.manifest.parts]
        if not all(path.is_file() for path, _ in paths):
            return None
        return Rows(
            [self._array(f"{path.parent.name}/{_EXEMPLARS}", (rows, KEPT, self.manifest.dimension)) for path, rows in paths]
        )

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
            table["source"] += first
            first += images
            tables.append(table)
        whole = pd.concat(tables, ignore_index=True)
        counts = [c for c in whole.columns if c.startswith("n_")]
        return whole.fillna(dict.fromkeys(counts, 0)).astype(dict.fromkeys(counts, "int64"))  # not seen in a part: none there

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

    def differences(self) -> Iterator[str]:
        """What is not as it was written: missing files and other checksums."""
        wanted = {CONCEPTS: self.manifest.concepts_sha256}
        for part in self.manifest.parts:
            list_of_files = self.folder / part.name / _CHECKSUMS
            said = json.loads(list_of_files.read_text("utf-8")) if _is(list_of_files, part.sha256) else {}
            wanted |= {f"{part.name}/{_CHECKSUMS}": part.sha256, **{f"{part.name}/{name}": sha for name, sha in said.items()}}
        for name, sha in wanted.items():
            path = self.folder / name
            if not path.is_file():
                yield f"{path}: is missing"
            elif not _is(path, sha):
                yield f"{path}: is not what was written (its checksum differs)"

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        path = self.folder / name
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise CorruptImageError(f"{path}: cannot be read ({error}); build the index anew") from None
        if array.shape != shape or array.dtype != np.float16:
            raise CorruptImageError(f"{path}: holds {array.dtype} {array.shape}, expected float16 {shape}; build the index anew")
        return np.asarray(array) if not array.size else array

    def _table(self, part: Part) -> pd.DataFrame:
        path = self.folder / part.name / part.table
        try:
            if path.suffix == ".parquet":
                table = pd.read_parquet(path)
            else:
                table = _typed(pd.read_csv(path, dtype=str, keep_default_na=False), part.dtypes)
        except (OSError, ValueError, ImportError) as error:
            raise CorruptImageError(f"{path}: cannot be read ({error})") from None
        if len(table) != part.rows:
            raise CorruptImageError(f"{path}: holds {len(table)} rows, expected {part.rows}; build the index anew")
        return table

    def _sources(self, part: Part) -> list[dict[str, Any]]:
        path = self.folder / part.name / _SOURCES
        try:
            return list(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CorruptImageError(f"{path}: cannot be read ({error}); build the index anew") from None


def check_place(folder: Path, *, overwrite: bool) -> None:
    """Refuses a place that holds something else, or an index where ``overwrite`` is not said."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        if not (folder / MANIFEST).is_file():
            raise WriteError(f"{folder}: exists and is no index, so it is not overwritten; choose another name")
        if not overwrite:
            raise WriteError(f"{folder}: holds an index; add to it with Index.open(...).append(paths), or say overwrite=True")


def _write_part(folder: Path, batch: Batch) -> Part:
    (folder / _THUMBNAILS).mkdir(parents=True)
    np.save(folder / _VECTORS, np.asarray(batch.vectors, np.float16), allow_pickle=False)
    if batch.exemplars is not None:
        np.save(folder / _EXEMPLARS, batch.exemplars.astype(np.float16), allow_pickle=False)
    (folder / _SOURCES).write_text(json.dumps(plain(batch.sources), indent=1, ensure_ascii=False) + "\n", "utf-8")
    name = "table.parquet" if find_spec("pyarrow") else "table.csv"
    buffer = io.BytesIO()
    (batch.table.to_parquet if name.endswith("parquet") else batch.table.to_csv)(buffer, index=False)
    (folder / name).write_bytes(buffer.getvalue())
    for row, data in batch.thumbnails.items():
        (folder / _THUMBNAILS / f"{row:06d}.jpg").write_bytes(data)
    written = sorted(p for p in folder.rglob("*") if p.is_file())
    checks = {p.relative_to(folder).as_posix(): _sha256(p) for p in written}
    (folder / _CHECKSUMS).write_text(json.dumps(checks, indent=1) + "\n", "utf-8")
    return Part(folder.name, len(batch.table), name, described(batch.table), _sha256(folder / _CHECKSUMS))


def _typed(text: pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Columns of text as the dtypes that were noted; numbers exactly, nothing written is NaN."""
    return pd.DataFrame({c: _as_dtype(text[c], dtype) for c, dtype in dtypes.items()}, index=text.index)


def _as_dtype(column: pd.Series, dtype: str) -> pd.Series:
    if dtype == "bool":
        return column == "True"
    if dtype.startswith(("int", "uint", "float")):
        numbers = [float(v) if v else float("nan") for v in column] if dtype.startswith("float") else [int(v) for v in column]
        return pd.Series(numbers, index=column.index, dtype=dtype)
    return column


def _is(path: Path, sha: str) -> bool:
    return path.is_file() and _sha256(path) == sha


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
