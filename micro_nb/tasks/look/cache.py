"""Looks at images, kept: the last few in memory, more of them in the user's cache folder, the oldest dropped when it is full."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numcodecs.blosc import Blosc

from ...data.atomic import writing_file
from ...tiles.labels import open_labels
from .scale import Scale
from .seen import Layer, Seen

_IN_MEMORY = 6
_ON_DISK_PX = 1 << 26
"""Planes of more pixels keep their labels on disk from the start."""


def cache_folder() -> Path:
    """``$MICRO_NB_CACHE``, else ``micro_nb`` in the user's cache folder."""
    root = os.environ.get("MICRO_NB_CACHE")
    return Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "micro_nb"


def cache_limit() -> int:
    """Bytes that the folder may hold: ``$MICRO_NB_CACHE_GB``, else 2 GB; 0 keeps nothing."""
    return int(float(os.environ.get("MICRO_NB_CACHE_GB", "2")) * 1e9)


class SeenCache:
    """Looks by key; a key names image, channel, weights and scale."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Hashable, Seen] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: Hashable, look: Callable[[Path | None], Seen], shape: tuple[int, int]) -> Seen:
        """The look of this key; where there is none, ``look(folder)`` is called, with a folder for labels that are too many."""
        with self.lock:
            if key in self.kept:
                self.kept.move_to_end(key)
                return self.kept[key]
        folder = cache_folder() / "seen" / hashlib.sha256(repr(key).encode()).hexdigest()[:32]
        seen = _load(folder) or self._look(folder, look, shape)
        with self.lock:
            self.kept[key] = seen
            while len(self.kept) > _IN_MEMORY:
                self.kept.popitem(last=False)
        return seen

    def clear(self) -> None:
        """Forgets what is in memory."""
        with self.lock:
            self.kept.clear()

    def _look(self, folder: Path, look: Callable[[Path | None], Seen], shape: tuple[int, int]) -> Seen:
        large = shape[0] * shape[1] > _ON_DISK_PX
        if large:
            folder.mkdir(parents=True, exist_ok=True)
        seen = look(folder if large else None)
        if large or cache_limit():
            try:
                _save(seen, folder, large)
                _trim(folder.parent, keep=folder)
                return replace(seen, folder=folder)
            except OSError:  # a full or read-only disk must not cost the answer
                shutil.rmtree(folder, ignore_errors=not large)
        return seen


def _save(seen: Seen, folder: Path, large: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"detail": seen.detail, "tiles": seen.tiles, "boxes": seen.boxes, "thumbnail": seen.thumbnail.astype(np.float16)}
    shapes = {}
    for name, layer in seen.layers.items():
        arrays |= {f"{name}/pooled": layer.pooled, f"{name}/certainty": layer.certainty}
        if not large:
            shapes[name] = layer.labels.shape
            arrays[f"{name}/labels"] = np.frombuffer(Blosc("zstd", 1).encode(np.ascontiguousarray(layer.labels)), np.uint8)
    note = {
        "scale": seen.scale.to_dict(), "bounds": seen.bounds, "weights_id": seen.weights_id, "image_id": seen.image_id,
        "coloured": seen.coloured, "engine": seen.engine,
        "layers": list(seen.layers), "shapes": shapes,
    }  # fmt: skip
    with writing_file(folder / "arrays.npz") as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    with writing_file(folder / "seen.json") as partial:
        partial.write_text(json.dumps(note), encoding="utf-8")


def _load(folder: Path) -> Seen | None:
    note_path = folder / "seen.json"
    if not note_path.is_file():
        return None
    try:
        note = json.loads(note_path.read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            layers = {name: _layer(folder, name, note["shapes"], arrays) for name in note["layers"]}
            scale = Scale(**note["scale"])
            seen = Seen(
                layers, scale, arrays["detail"], arrays["tiles"], arrays["boxes"], arrays["thumbnail"].astype(np.float32),
                tuple(note["bounds"]), note["weights_id"], note["image_id"], note["coloured"], note["engine"], folder,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a damaged entry is looked at anew
        shutil.rmtree(folder, ignore_errors=True)
        return None
    os.utime(note_path)
    return seen


def _layer(folder: Path, name: str, shapes: dict[str, list[int]], arrays: np.lib.npyio.NpzFile) -> Layer:
    labels: Any
    if name in shapes:
        labels = np.frombuffer(Blosc().decode(arrays[f"{name}/labels"].tobytes()), np.int32).reshape(shapes[name])
    else:
        labels = open_labels(folder / f"{name}.zarr")
    return Layer(labels, arrays[f"{name}/pooled"], arrays[f"{name}/certainty"])


def _trim(root: Path, *, keep: Path) -> None:
    entries = [p for p in root.iterdir() if p.is_dir()]
    size = {p: sum(f.stat().st_size for f in p.rglob("*") if f.is_file()) for p in entries}
    total = sum(size.values())
    for entry in sorted((p for p in entries if p != keep), key=lambda p: p.stat().st_mtime):
        if total <= cache_limit():
            return
        shutil.rmtree(entry, ignore_errors=True)
        total -= size[entry]
