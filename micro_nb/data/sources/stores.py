"""A zarr store for any place: a folder, a zip, an address. Opening touches metadata only; fsspec is used for what is remote."""

from __future__ import annotations

import errno
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import zarr
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore, ZipStore

from ...errors import CorruptImageError, ImageNotFoundError, MissingExtraError, UnsafeImageError
from ..location import Location

METADATA = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
MAX_METADATA = 64 * 2**20
_ZIPPED = (".zip", ".ozx")
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)


def open_store(location: Location) -> tuple[Store, str]:
    """A read-only store and the path of its root node inside it (a zip may hold one folder).

    Raises
    ------
    ImageNotFoundError, CorruptImageError, UnsafeImageError, MissingExtraError
    """
    try:
        with _unzipping(location.uri):
            store, names = _zip_store(location) if location.name.lower().endswith(_ZIPPED) else (_folder_store(location), None)
            root = _root_of(names) if names is not None else ""
            for name in METADATA:  # documents that no image needs are refused before they are parsed
                size = size_of(store, join(root, name))
                if size is not None and size > MAX_METADATA:
                    said = f"{name} is {size / 2**20:.0f} MiB; metadata over {MAX_METADATA // 2**20} MiB is not read"
                    raise UnsafeImageError(f"{location.uri}: {said}")
    except FileNotFoundError:
        raise ImageNotFoundError(f"{location.uri}: nothing is there; check the path") from None
    return store, root


@contextmanager
def _unzipping(what: str) -> Iterator[None]:
    """Turns the many ways in which a damaged archive fails into one error."""
    try:
        yield
    except (*_BAD_ZIP, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise CorruptImageError(f"{what}: the zip archive is damaged or truncated ({error})") from None


def get_bytes(store: Store, key: str, part: ByteRequest | None = None) -> bytes | None:
    """Stored bytes of ``key``, or a part of them; None where the store has no such key."""
    with _unzipping(f"{store}: {key}"):
        found = sync(store.get(key, prototype=default_buffer_prototype(), byte_range=part))
    return found.to_bytes() if found is not None else None


def put_group(store: Store, path: str, attributes: Mapping[str, Any]) -> None:
    """Writes (or replaces) a zarr v3 group's metadata document."""
    document = {"attributes": dict(attributes), "zarr_format": 3, "node_type": "group"}
    put_bytes(store, join(path, "zarr.json"), json.dumps(document, indent=2, ensure_ascii=False).encode())


def put_bytes(store: Store, key: str, data: bytes) -> None:
    """Stores bytes under ``key``."""
    sync(store.set(key, default_buffer_prototype().buffer.from_bytes(data)))


def size_of(store: Store, key: str) -> int | None:
    """Stored bytes under ``key``; None where the store has no such key."""
    try:
        with _unzipping(f"{store}: {key}"):
            return sync(store.getsize(key))
    except (FileNotFoundError, KeyError):
        return None


def join(*parts: str) -> str:
    """Path inside a store.

    >>> join("", "labels", "nuclei")
    'labels/nuclei'
    """
    return "/".join(p.strip("/") for p in parts if p.strip("/"))


def children(group: zarr.Group) -> list[str]:
    """Names below a group, where the store can list; empty where it cannot."""
    try:
        return sorted(group.keys())
    except (OSError, NotImplementedError, ValueError):
        return []


def _folder_store(location: Location) -> Store:
    if location.is_local:
        return LocalStore(location.path.absolute(), read_only=True)  # lazy reads outlive a chdir
    try:
        return FsspecStore.from_url(location.uri, read_only=True)
    except (ImportError, ValueError) as error:
        raise MissingExtraError(f"{location.uri}: {error}; try pip install 'micro-nb[remote]'") from None


def _zip_store(location: Location) -> tuple[Store, list[str]]:
    if location.is_local:
        store = ZipStore(location.path.absolute(), mode="r")
        store._sync_open()
        return store, store._zf.namelist()
    from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
    from fsspec.implementations.zip import ZipFileSystem

    inner: Any = ZipFileSystem(fo=location.fs.open(location.key, "rb"))
    return FsspecStore(AsyncFileSystemWrapper(inner, asynchronous=True), read_only=True, path=""), inner.zip.namelist()


def _root_of(names: list[str]) -> str:
    """The folder of the topmost metadata document in an archive."""
    roots = [n.rsplit("/", 1)[0] if "/" in n else "" for n in names if n.rsplit("/", 1)[-1] in METADATA]
    return min(roots, key=lambda r: (r.count("/") + bool(r), r), default="")
