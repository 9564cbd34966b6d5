"""``Objects`` as OME-Zarr labels with their table beside the pixels: in an image's store, or in a store of their own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from ..data.atomic import writing, writing_file
from ..data.location import Location
from ..data.save import save_labels
from ..data.sources.ngff_attrs import label_attributes
from ..data.sources.stores import put_bytes, put_group
from ..errors import CorruptImageError, WriteError
from .labels import label_info, layer_array
from .objects import Objects
from .polygons import layer_names
from .records import about, described, plain, typed

_NOTE = "objects.json"
_CHUNK = 1024


def save_zarr(objects: Objects, path: Path, *, name: str, overwrite: bool) -> Path:
    """Into ``path/labels/name`` where ``path`` is an OME-Zarr image, else as a new store.

    Raises
    ------
    WriteError : the objects have no labels, or the place is taken or cannot be written.
    """
    if objects.labels is None:
        raise WriteError(f"{path}: these objects have no labels to write as OME-Zarr; save the table as .csv or .parquet")
    if _is_image(path):
        folder = save_labels(objects.labels, path, name=name, overwrite=overwrite)
        try:
            with writing_file(folder / _NOTE) as partial:
                partial.write_bytes(_note(objects))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder
    with writing(Location.of(path), overwrite=overwrite) as store:
        _write_alone(store, objects, path.name.removesuffix(".zarr").removesuffix(".ome"))
    return path


def load_zarr(path: Path, *, name: str) -> Objects:
    """What :func:`save_zarr` wrote; labels stay lazy on disk until they are asked for.

    Raises
    ------
    CorruptImageError : no objects are there; says what is.
    """
    folder = path if (path / _NOTE).is_file() else path / "labels" / name
    if not (folder / _NOTE).is_file():
        there = sorted(p.parent.name for p in path.glob(f"labels/*/{_NOTE}"))
        raise CorruptImageError(f"{path}: holds no objects named {name!r}" + (f"; there are {', '.join(there)}" if there else ""))
    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        array = zarr.open_array(str(folder / "0"), mode="r")
        tables = {key: _table(note[key]) if note[key] else None for key in ("table", "presence")}
        labels = layer_array(array, note["layers"] or (), pixel_size=note["pixel_size"])
    except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
        raise CorruptImageError(f"{folder}: its objects cannot be read ({type(error).__name__}: {error})") from error
    if tables["table"] is None:
        raise CorruptImageError(f"{folder}: its table is missing")
    return Objects(tables["table"], labels, tables["presence"], note["pixel_size"], note["image_id"], note["made_by"])


def _write_alone(store: Any, objects: Objects, name: str) -> None:
    labels = objects.labels
    assert labels is not None
    layered = labels.ndim == 3
    shape = tuple(int(n) for n in labels.shape)
    axes = ("c", "y", "x") if layered else ("y", "x")
    chunks = ((1,) if layered else ()) + tuple(min(_CHUNK, n) for n in shape[-2:])
    array = zarr.create_array(store, name="0", shape=shape, chunks=chunks, dtype=labels.dtype, dimension_names=axes)
    for y in range(0, shape[-2], _CHUNK):
        for x in range(0, shape[-1], _CHUNK):
            place = (..., slice(y, min(y + _CHUNK, shape[-2])), slice(x, min(x + _CHUNK, shape[-1])))
            array[place] = np.asarray(labels[place])
    info, layers = label_info(array, objects.pixel_size), layer_names(labels) if layered else ()
    attributes = label_attributes(info, paths=["0"], factor=2, name=name, layers=layers)
    attributes["ome"]["image-label"] = {}
    put_bytes(store, _NOTE, _note(objects))
    put_group(store, "", attributes)


def _note(objects: Objects) -> bytes:
    labels = objects.labels
    named = labels is not None and "layer" in labels.coords and labels.ndim == 3
    note = about(objects) | {
        "table": _text(objects.table), "presence": _text(objects.presence) if objects.presence is not None else None,
        "layers": layer_names(labels) if named else None,
    }  # fmt: skip
    return json.dumps(note, ensure_ascii=False).encode()


def _text(table: pd.DataFrame) -> dict[str, Any]:
    return {"dtypes": described(table), "columns": {str(c): plain(table[c].to_numpy()) for c in table.columns}}


def _table(note: Mapping[str, Any]) -> pd.DataFrame:
    return typed(pd.DataFrame(note["columns"], columns=list(note["dtypes"])), note["dtypes"])


def _is_image(path: Path) -> bool:
    document = path / "zarr.json"
    if not document.is_file() or (path / _NOTE).is_file():
        return False
    ome = json.loads(document.read_text(encoding="utf-8")).get("attributes", {}).get("ome", {})
    return "multiscales" in ome and "image-label" not in ome
