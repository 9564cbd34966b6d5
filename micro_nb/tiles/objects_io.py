"""``Objects`` to files and back; the suffix says the format.

========================== ======================================================= ==============================
suffix                     holds                                                   leaves out
========================== ======================================================= ==============================
``.zarr``                  table, labels, presence, how they were made             nothing
``.csv`` ``.parquet``      table                                                   labels, presence, how made
``.geojson``               table, outlines, how they were made; QuPath opens it    presence
``.json`` (COCO)           table, masks as run lengths, how they were made         presence
``.tif`` (written only)    labels, as ImageJ and Fiji open them                    all else
``.zip`` (written only)    outlines, as regions of ImageJ and Fiji                 all else
========================== ======================================================= ==============================
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.atomic import writing_file
from ..errors import CorruptImageError, ImageNotFoundError, MissingExtraError, UnknownFormatError, WriteError
from .coco import from_coco, to_coco
from .geojson import from_geojson, to_geojson
from .imagej import write_label_tiff, write_rois
from .objects import REQUIRED, Objects
from .objects_zarr import load_zarr, save_zarr
from .records import inferred

_SUFFIXES = (".zarr", ".csv", ".parquet", ".geojson", ".json")
_WRITTEN: dict[str, Callable[[Objects, Path], None]] = {
    ".tif": write_label_tiff, ".tiff": write_label_tiff, ".zip": write_rois,
}  # fmt: skip


def save_objects(objects: Objects, path: str | os.PathLike[str], *, name: str = "objects", overwrite: bool = False) -> Path:
    """Writes objects; whole or absent. See :meth:`Objects.save`."""
    target = Path(path)
    suffix = _suffix(target, (*_SUFFIXES, *_WRITTEN))
    if suffix == ".zarr":
        return save_zarr(objects, target, name=name, overwrite=overwrite)
    if target.exists() and not overwrite:
        raise WriteError(f"{target}: already exists; choose another name or say overwrite=True")
    with writing_file(target) as partial:
        (_WRITTEN.get(suffix) or _FILES[suffix][0])(objects, partial)
    return target


def load_objects(path: str | os.PathLike[str], *, name: str = "objects") -> Objects:
    """Reads objects. See :meth:`Objects.load`."""
    source = Path(path)
    suffix = _suffix(source)
    if not source.exists():
        raise ImageNotFoundError(f"{source}: nothing is there (looked in {source.absolute().parent})")
    if suffix == ".zarr":
        return load_zarr(source, name=name)
    try:
        return _FILES[suffix][1](source)
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        if isinstance(error, MissingExtraError):
            raise
        raise CorruptImageError(f"{source}: does not hold objects as {suffix} ({type(error).__name__}: {error})") from error


def _suffix(path: Path, known: tuple[str, ...] = _SUFFIXES) -> str:
    suffix = path.suffix.lower()
    if suffix not in known:
        raise UnknownFormatError(
            f"{path}: objects are kept as {', '.join(known)} (.json is COCO), not as {suffix or 'a name without suffix'}"
        )
    return suffix


def _write_csv(objects: Objects, path: Path) -> None:
    objects.table.to_csv(path, index=False, encoding="utf-8")


def _read_csv(path: Path) -> Objects:
    with path.open(encoding="utf-8-sig") as file:
        head = file.readline()
    mark = max(",;\t", key=head.count)  # spreadsheets write semicolons where the comma is decimal
    text = pd.read_csv(path, sep=mark, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    return Objects(_checked(inferred(text, decimal="." if mark == "," else ",")))


def _write_parquet(objects: Objects, path: Path) -> None:
    _parquet(lambda: objects.table.to_parquet(path, index=False, engine="pyarrow"))


def _read_parquet(path: Path) -> Objects:
    return Objects(_checked(_parquet(lambda: pd.read_parquet(path, engine="pyarrow"))))


def _parquet(job: Callable[[], Any]) -> Any:
    try:
        return job()
    except ImportError as error:
        raise MissingExtraError(f"Parquet needs pyarrow ({error}); pip install 'micro-nb[tables]', or use .csv") from error


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    missing = [column for column in REQUIRED if column not in table.columns]
    if missing:
        raise ValueError(f"the table lacks the columns {missing}; it has {list(table.columns)}")
    return table


_Pair = tuple[Callable[[Objects, Path], None], Callable[[Path], Objects]]


def _json(document: Callable[[Objects], dict[str, Any]], objects: Callable[[Any], Objects]) -> _Pair:
    """Writes and reads a JSON document."""

    def write(given: Objects, path: Path) -> None:
        path.write_text(json.dumps(document(given), ensure_ascii=False), encoding="utf-8")

    return write, lambda path: objects(json.loads(path.read_text(encoding="utf-8-sig")))


_FILES: dict[str, _Pair] = {
    ".csv": (_write_csv, _read_csv),
    ".parquet": (_write_parquet, _read_parquet),
    ".geojson": _json(to_geojson, from_geojson),
    ".json": _json(to_coco, from_coco),
}
