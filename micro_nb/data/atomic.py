"""Writing a store whole or not at all: a hidden sibling that is renamed, or, remotely, group metadata that comes last."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from zarr.abc.store import Store
from zarr.storage import FsspecStore, LocalStore

from ..errors import MicroNBError, WriteError
from .location import Location

_ZARR = ("zarr.json", ".zgroup", ".zarray", ".zattrs")


@contextlib.contextmanager
def writing(target: Location, *, overwrite: bool = False) -> Iterator[Store]:
    """A store to write into; it appears at ``target`` when the block ends well, and never otherwise.

    Remotely there is no rename: write the group's own metadata last, and readers see nothing before that.

    Raises
    ------
    WriteError : the target exists, is not ours to replace, or could not be written; nothing was left behind.
    """
    _check_target(target, overwrite)
    with _local(target) if target.is_local else _remote(target) as store, _as_write_error(target):
        yield store


def _check_target(target: Location, overwrite: bool) -> None:
    with _as_write_error(target):
        there = target.exists()
        if there and not overwrite:
            raise WriteError(f"{target.uri}: already exists; choose another name or say overwrite=True")
        if there and not any(target.child(name).exists() for name in _ZARR):
            raise WriteError(f"{target.uri}: exists and is not a zarr store, so it is not overwritten; remove it yourself")


@contextlib.contextmanager
def _local(target: Location) -> Iterator[Store]:
    path = target.path.absolute()
    with _as_write_error(target):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
        partial.mkdir()
    try:
        yield LocalStore(partial)
        with _as_write_error(target):
            swap_in(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def _remote(target: Location) -> Iterator[Store]:
    with _as_write_error(target):
        if target.exists():
            target.fs.rm(target.key, recursive=True)
        store = FsspecStore.from_url(target.uri)
    try:
        yield store
    except BaseException:
        with contextlib.suppress(OSError):
            target.fs.rm(target.key, recursive=True)
        raise
    finally:
        target.fs.invalidate_cache()


def swap_in(finished: Path, path: Path) -> None:
    """Renames ``finished`` to ``path``; what stood there goes only once the new one stands."""
    if not path.exists():
        os.replace(finished, path)
        return
    old = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.old")
    os.replace(path, old)
    try:
        os.replace(finished, path)
    except BaseException:
        os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _as_write_error(target: Location) -> Iterator[None]:
    """Turns the system's refusals (disk full, no permission) into a WriteError; errors of micro_nb pass as they are."""
    try:
        yield
    except MicroNBError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise WriteError(f"{target.uri}: could not be written ({reason}); nothing was left behind") from error


@contextlib.contextmanager
def writing_file(path: Path) -> Iterator[Path]:
    """A temporary sibling to write; it replaces ``path`` when the block ends well.

    Raises
    ------
    WriteError : the system refused; ``path`` is as it was.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with _as_write_error(Location.of(path)):
            yield partial
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
