"""Where a run keeps its unfinished output: ``x.zarr.partial`` beside ``x.zarr``, with a line in a log for every finished block.

The output appears under its own name by one rename, when all blocks are there. Each block is one shard, one file.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import zarr
from zarr.storage import LocalStore

from ..data.pyramid import create_level_array, encode_shard
from ..errors import WriteError
from .plan import Slices

_SHARD_BYTES, _SHARD_PX, _LEAST_PX, _CHUNK_PX = 32 << 20, 4096, 256, 1024


@dataclass(frozen=True)
class Layout:
    """How an output is stored, decided by the output alone.

    Attributes
    ----------
    shape : ``(k, y, x)``, or ``(y, x)``.
    dtype : NumPy's name of it.
    tile : edge of a core.
    """

    shape: tuple[int, ...]
    dtype: str
    tile: int

    @property
    def block(self) -> tuple[int, int]:
        """Tiles ``(rows, cols)`` that make up a shard: one row of at least 256 px, about 4096 px wide, at most 32 MiB."""
        rows = -(-_LEAST_PX // self.tile)
        edge = rows * self.tile
        fits = _SHARD_BYTES // (edge * edge * int(np.prod(self.shape[:-2], dtype=int)) * np.dtype(self.dtype).itemsize)
        across = -(-self.shape[-1] // edge)
        return rows, rows * max(1, min(_SHARD_PX // edge, fits, across))

    @property
    def shard(self) -> tuple[int, ...]:
        """Pixels of a shard."""
        rows, cols = self.block
        return (*self.shape[:-2], rows * self.tile, cols * self.tile)

    @property
    def chunk(self) -> tuple[int, ...]:
        """Pixels of a chunk inside a shard: the largest square of at most 1024 px that divides a block's height."""
        height = self.shard[-2]
        edge = next((e for e in range(min(height, _CHUNK_PX), _LEAST_PX - 1, -1) if height % e == 0), height)
        return (*(1 for _ in self.shape[:-2]), edge, edge)

    def create(self, path: Path, attributes: Mapping[str, Any]) -> None:
        """An empty sharded zarr v3 array."""
        names = ("c", "y", "x")[-len(self.shape) :]  # c, so that open_image reads a map of several features as channels
        create_level_array(
            LocalStore(path), "", shape=self.shape, dtype=self.dtype, chunks=self.chunk, shards=self.shard, axes=names,
            attributes=attributes,
        )  # fmt: skip


class BlockWriter:
    """Writes whole blocks into an output; safe from several threads, as each block is a file of its own."""

    def __init__(self, path: Path) -> None:
        self._path, self._array = path, zarr.open_array(path, mode="r+")

    def write(self, box: Slices, data: np.ndarray, key: tuple[int, int]) -> str:
        """Writes one block ``(..., y, x)`` and returns what the log says of it; a file the log does not know is no block."""
        array, file, size, crc = self._array, _files(self._path, key)[data.ndim - 2], 0, 0
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            for part in encode_shard(data, array.shards or array.chunks, array.chunks):
                out.write(part)
                size, crc = size + len(part), zlib.crc32(part, crc)
        if not size:
            file.unlink()
        return _line(key, size, crc)


def block_line(path: Path, key: tuple[int, int]) -> str:
    """What the log would say of a block's file as it stands."""
    data = next((file.read_bytes() for file in _files(path, key) if file.is_file()), b"")
    return _line(key, len(data), zlib.crc32(data))


def _line(key: tuple[int, int], size: int, crc: int) -> str:
    """``"row col size crc32"`` of a block's file; size 0 where every pixel is 0 and so there is no file."""
    return f"{key[0]} {key[1]} {size} {crc}"


def _files(path: Path, key: tuple[int, int]) -> tuple[Path, ...]:
    """Where zarr keeps a block of a ``(y, x)`` and of a ``(k, y, x)`` output."""
    row, col = map(str, key)
    return path / "c" / row / col, path / "c" / "0" / row / col


class WorkFolder:
    """The unfinished output of one run, which another call with the same parameters takes up again.

    Parameters
    ----------
    out : where the output will be.
    parameters : JSON values that decide the output's bytes.
    overwrite : throw away what stands at ``out`` or was begun there with other parameters.

    Raises
    ------
    WriteError : ``out`` holds something else, or an unfinished run with other parameters (which are named), or another
        process is at it.
    """

    def __init__(self, out: Path, parameters: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self.out, self.parameters = out, json.loads(json.dumps(dict(parameters)))
        self.folder = out.with_name(out.name + ".partial")
        self.data = self.folder / "data.zarr"
        self.overwrite = overwrite
        self._lock: IO[str] | None = None

    @property
    def finished(self) -> bool:
        """Whether ``out`` already holds the result of these parameters."""
        if not self.out.exists() or self.overwrite:
            return False
        made = _attributes(self.out)
        if made is None or made.get("parameters") != self.parameters:
            raise WriteError(
                f"{self.out} exists already and {_differences(made, self.parameters)}; "
                "choose another out=, delete it, or pass overwrite=True"
            )
        return True

    def take(self) -> Layout | None:
        """Locks the folder; the layout of the run begun there, None for a new one."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "lock").open("w")
        except OSError as error:
            raise WriteError(f"{self.folder}: cannot write there ({error.strerror}); choose another out=") from error
        _hold(self._lock, self.folder)
        try:
            return self._begun()
        except BaseException:
            self.release()
            raise

    def _begun(self) -> Layout | None:
        plan = self.folder / "plan.json"
        if not plan.exists():
            return None
        begun = json.loads(plan.read_text())
        if begun["parameters"] != self.parameters:
            if not self.overwrite:
                raise WriteError(
                    f"{self.folder} holds an unfinished run that {_differences(begun, self.parameters)}; "
                    "call it with those parameters to resume it, or pass overwrite=True to start over"
                )
            plan.unlink()
            return None
        shape, dtype, tile = begun["layout"]
        return Layout(tuple(shape), dtype, tile)

    def begin(self, layout: Layout) -> None:
        """Creates the empty output; the plan is written last, so that a half-made folder is never resumed."""
        shutil.rmtree(self.data, ignore_errors=True)
        self._log.unlink(missing_ok=True)
        layout.create(self.data, {"micro_nb": {"parameters": self.parameters}})
        temporary = self.folder / "plan.json.new"
        temporary.write_text(json.dumps({"parameters": self.parameters, "layout": (layout.shape, layout.dtype, layout.tile)}))
        temporary.replace(self.folder / "plan.json")

    @property
    def _log(self) -> Path:
        return self.folder / "done.log"

    def finished_blocks(self) -> set[tuple[int, int]]:
        """Places of the blocks whose files are there and are what the log says."""
        lines = set(self._log.read_text().splitlines()) if self._log.exists() else set()
        keys = {(int(f[0]), int(f[1])): line for line in lines if len(f := line.split(" ")) == 4}
        return {key for key, line in keys.items() if block_line(self.data, key) == line}

    def note(self, line: str) -> None:
        """Notes a finished block."""
        with self._log.open("a") as log:
            log.write(line + "\n")

    def finish(self) -> None:
        """Gives the output its name."""
        if self.out.exists():
            self.out.rename(self.folder / "replaced")
        self.data.rename(self.out)
        self.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def release(self) -> None:
        """Lets another process take the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _attributes(out: Path) -> dict[str, Any] | None:
    try:
        return json.loads((out / "zarr.json").read_text())["attributes"]["micro_nb"]  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _differences(made: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> str:
    if made is None or not isinstance(made.get("parameters"), dict):
        return "was not made by map_tiles"
    old = made["parameters"]
    names = [k for k in wanted | old if wanted.get(k) != old.get(k)]
    return "was made with other parameters (" + "; ".join(f"{k}: {old.get(k)} there, {wanted.get(k)} now" for k in names) + ")"


def _hold(file: IO[str], folder: Path) -> None:
    """An advisory lock, which the system frees when the process ends, however it ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise WriteError(
            f"{folder}: another process (not {os.getpid()}) is at work there; wait for it, or choose another out="
        ) from None
