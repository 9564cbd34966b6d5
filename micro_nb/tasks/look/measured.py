"""Objects of a look, measured and drawn: what does not depend on the prompt is worked out once and kept beside the look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from zarr.storage import MemoryStore

from ...analysis.measure import measure, nearest
from ...data.atomic import writing_file
from ...data.image import MicroImage
from .seen import KEEP_BYTES, Seen

_CONSTANT = ("layer", "name", "score")


def measured(plane: MicroImage, seen: Seen, layer: str, tile: int) -> pd.DataFrame:
    """Measurements of all objects of a layer: of a look, in blocks of ``tile`` pixels, they are taken once."""
    key = ("measured", layer, tile)
    if key in seen.derived:
        kept: pd.DataFrame = seen.derived[key]
        return kept
    path = seen.folder / f"{layer}.{tile}.npz" if seen.folder is not None and seen.folder.is_dir() else None
    table = None if path is None else _read(path, layer)
    if table is None:
        table = measure(plane, seen.layers[layer].labels, layer=layer, tile=tile)
        if path is not None:
            _write(table, path)
    if path is None or table.memory_usage().sum() <= KEEP_BYTES:  # else it is read again from there
        seen.derived[key] = table
    return table


def chosen_rows(table: pd.DataFrame, wanted: np.ndarray, plane: MicroImage) -> pd.DataFrame:
    """The rows of the objects whose number is ``wanted (N,) bool``, as if they alone had been measured."""
    rows = table[wanted[table["label"].to_numpy() - 1]].reset_index(drop=True)
    unit, size = ("um", plane.pixel_size) if plane.pixel_size else ("px", {"y": 1.0, "x": 1.0})
    y, x = (rows[f"centroid_{axis}_px"].to_numpy() * size[axis] for axis in ("y", "x"))
    rows[f"nearest_neighbour_{unit}"] = nearest(y, x)
    known: pd.DataFrame = rows.drop(columns=[c for c in rows if c.startswith("nan_px_") and not rows[c].any()])
    return known


def _write(table: pd.DataFrame, path: Path) -> None:
    try:
        with writing_file(path) as partial, partial.open("wb") as file:
            np.savez(file, **{name: column.to_numpy() for name, column in table.items() if name not in _CONSTANT})  # type: ignore[arg-type]
    except OSError:  # a full or read-only disk must not cost the answer
        path.unlink(missing_ok=True)


def _read(path: Path, layer: str) -> pd.DataFrame | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            columns: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        return pd.DataFrame({"label": columns.pop("label"), "layer": layer, "name": "object", "score": 1.0, **columns})
    except (OSError, ValueError, KeyError, BadZipFile):  # none was written, or it is damaged
        return None


def in_memory(labels: Any) -> bool:
    """Whether labels are there for as long as they are held."""
    return isinstance(labels, np.ndarray) or isinstance(labels.store, MemoryStore)


@dataclass(frozen=True)
class Drawn:
    """Labels ``(layer, y, x) int32`` of chosen objects, drawn where they are looked at; every other object is background.

    Of each layer there are ``labels (y, x)`` and ``numbers (N + 1,) int32``: what to draw for each label.
    """

    labels: Sequence[Any]
    numbers: Sequence[np.ndarray]
    dtype = np.dtype(np.int32)
    ndim = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, rows, columns."""
        return len(self.labels), *self.labels[0].shape

    def __getitem__(self, index: tuple[Any, ...]) -> np.ndarray:
        of_layers, *place = index
        chosen = range(len(self.labels))[of_layers]
        if isinstance(chosen, int):
            return self._drawn(chosen, tuple(place))
        return np.stack([self._drawn(k, tuple(place)) for k in chosen])

    def _drawn(self, k: int, place: tuple[Any, ...]) -> np.ndarray:
        return np.asarray(self.numbers[k][np.asarray(self.labels[k][place])])
