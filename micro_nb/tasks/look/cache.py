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
import zarr
from zarr.core.buffer.cpu import Buffer
from zarr.storage import MemoryStore

from ...data.atomic import writing_file
from .measured import in_memory
from .parts import packed, unpacked
from .scale import Scale
from .seen import Layer, Seen

_IN_MEMORY, _NOTE = 6, "seen.json"
_ON_DISK_PX, _LARGE_PX = 1 << 22, 1 << 26
"""Planes of more pixels are kept window by window while they are looked at, labels on disk; those above the second always."""


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

    def get(
        self, key: Hashable, look: Callable[[Path | None], Seen | None], shape: tuple[int, int], draw: Hashable = None
    ) -> Seen | None:
        """The look of this key; without one ``look(folder)`` is called, with a folder for what is too much for memory.

        A ``draw`` of the windows is kept in memory under both, and what was seen in each of them in the folder.
        """
        name = key if draw is None else (key, draw)
        with self.lock:
            if name in self.kept:
                self.kept.move_to_end(name)
                return self.kept[name]
        folder = _folder(key)
        seen = (_load(folder) if draw is None else None) or self._look(folder, look, shape)
        if seen is None:
            return None
        if shape[0] * shape[1] <= _LARGE_PX:
            seen = replace(seen, layers={k: replace(v, labels=held(v.labels)) for k, v in seen.layers.items()})
        with self.lock:
            self.kept[name] = seen
            while len(self.kept) > _IN_MEMORY:
                self.kept.popitem(last=False)
        return seen

    def __contains__(self, key: Hashable) -> bool:
        return key in self.kept or (_folder(key) / _NOTE).is_file()

    def clear(self) -> None:
        """Forgets what is in memory."""
        with self.lock:
            self.kept.clear()

    def _look(self, folder: Path, look: Callable[[Path | None], Seen | None], shape: tuple[int, int]) -> Seen | None:
        large = shape[0] * shape[1] > (_ON_DISK_PX if cache_limit() else _LARGE_PX)
        if large:
            folder.mkdir(parents=True, exist_ok=True)
        seen = look(folder if large else None)
        if (large or cache_limit()) and seen is not None and seen.drawn is None:
            try:
                _save(seen, folder, large)
                _trim(folder.parent, keep=folder)
                return replace(seen, folder=folder)
            except OSError:  # a full or read-only disk must not cost the answer
                shutil.rmtree(folder, ignore_errors=not large)
        return seen


def held(labels: Any) -> Any:
    """Labels in memory, as compressed as they are on disk: what the folder is trimmed of is not lost to those who hold it."""
    if in_memory(labels):
        return labels
    root = Path(labels.store.root)
    files: dict[str, Any] = {
        p.relative_to(root).as_posix(): Buffer.from_bytes(p.read_bytes()) for p in root.rglob("*") if p.is_file()
    }
    return zarr.open_array(MemoryStore(files), path=labels.path, mode="r")


def _folder(key: Hashable) -> Path:
    return cache_folder() / "seen" / hashlib.sha256(repr(key).encode()).hexdigest()[:32]


def _save(seen: Seen, folder: Path, large: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"detail": seen.detail, "tiles": seen.tiles, "boxes": seen.boxes, "thumbnail": seen.thumbnail.astype(np.float16)}
    shapes = {}
    for name, layer in seen.layers.items():
        arrays |= {f"{name}/pooled": layer.pooled, f"{name}/certainty": layer.certainty}
        if not large:
            shapes[name] = layer.labels.shape
            arrays[f"{name}/labels"] = packed(layer.labels)
    note = {
        "scale": seen.scale.to_dict(), "bounds": seen.bounds, "weights_id": seen.weights_id, "image_id": seen.image_id,
        "coloured": seen.coloured, "engine": seen.engine, "layers": list(seen.layers), "shapes": shapes,
    }  # fmt: skip
    with writing_file(folder / "arrays.npz") as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    with writing_file(folder / _NOTE) as partial:
        partial.write_text(json.dumps(note), encoding="utf-8")
    for parts in folder.glob("parts *"):
        shutil.rmtree(parts, ignore_errors=True)


def _load(folder: Path) -> Seen | None:
    note_path = folder / _NOTE
    if not note_path.is_file():
        return None
    try:
        note = json.loads(note_path.read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            scale, layers, shapes = Scale(**note["scale"]), {}, note["shapes"]
            for name in note["layers"]:
                small = unpacked(arrays[f"{name}/labels"], shapes[name]) if name in shapes else None
                labels = zarr.open_array(folder / f"{name}.zarr", path="0", mode="r") if small is None else small
                layers[name] = Layer(labels, arrays[f"{name}/pooled"], arrays[f"{name}/certainty"])
            seen = Seen(
                layers, scale, arrays["detail"], arrays["tiles"], arrays["boxes"], arrays["thumbnail"].astype(np.float32),
                tuple(note["bounds"]), note["weights_id"], note["image_id"], note["coloured"], None, note["engine"], folder,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a damaged entry is looked at anew
        shutil.rmtree(folder, ignore_errors=True)
        return None
    os.utime(note_path)
    return seen


def _trim(root: Path, *, keep: Path) -> None:
    entries = [p for p in root.iterdir() if p.is_dir()]
    size = {p: sum(f.stat().st_size for f in p.rglob("*") if f.is_file()) for p in entries}
    total = sum(size.values())
    for entry in sorted((p for p in entries if p != keep), key=lambda p: p.stat().st_mtime):
        if total <= cache_limit():
            return
        shutil.rmtree(entry, ignore_errors=True)
        total -= size[entry]
