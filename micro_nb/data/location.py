"""Where a file or store lies: a local path or a remote address, behind one small interface over fsspec."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from ..errors import ImageNotFoundError, MissingExtraError

_BLOCK, _SAMPLE = 1 << 20, 1 << 16


@dataclass(frozen=True)
class Location:
    """A place that may hold an image. Nothing remote is touched unless the address names a remote place.

    >>> Location.of("slide.ome.zarr/").name
    'slide.ome.zarr'
    >>> Location.of("s3://bucket/slide.zarr").is_local
    False
    """

    uri: str

    @classmethod
    def of(cls, path: str | os.PathLike[str] | Location) -> Location:
        """From a path, a ``file://``, ``http(s)://``, ``s3://`` ... address, or a Location."""
        if isinstance(path, Location):
            return path
        text = os.fspath(path)
        text = text.removeprefix("file://")
        if "://" not in text:
            text = os.path.expanduser(text)
        return cls(text.rstrip("/") or text)

    @property
    def is_local(self) -> bool:
        """Whether this is a path on this machine."""
        return "://" not in self.uri

    @property
    def path(self) -> Path:
        """The local path."""
        return Path(self.uri)

    @property
    def name(self) -> str:
        """Last part of the path, without a query string."""
        return self.uri.split("?")[0].rsplit("/", 1)[-1]

    @cached_property
    def _fs(self) -> tuple[Any, str]:
        import fsspec

        try:
            return fsspec.core.url_to_fs(self.uri)  # type: ignore[no-any-return]
        except (ImportError, ValueError) as error:
            scheme = self.uri.split("://")[0]
            raise MissingExtraError(
                f"reading {scheme}:// needs a package that is not installed ({error}); try pip install 'micro-nb[remote]'"
            ) from None

    @property
    def fs(self) -> Any:
        """The fsspec filesystem."""
        return self._fs[0]

    @property
    def key(self) -> str:
        """The path inside :attr:`fs`."""
        return self._fs[1]

    @property
    def absolute(self) -> Location:
        """The same place, said so that a process with another working folder finds it."""
        return Location(str(self.path.absolute())) if self.is_local else self

    def child(self, *parts: str) -> Location:
        """A place below this one; a query string stays at the end."""
        address, mark, query = self.uri.partition("?") if not self.is_local else (self.uri, "", "")
        return Location("/".join((address, *parts)) + mark + query)

    def exists(self) -> bool:
        """Whether something is there."""
        return self.path.exists() if self.is_local else bool(self.fs.exists(self.key))

    def is_dir(self) -> bool:
        """Whether a folder (or a key prefix) is there; always False over plain http, which has no folders."""
        if self.is_local:
            return self.path.is_dir()
        return not self.uri.startswith("http") and bool(self.fs.isdir(self.key))

    def open(self) -> IO[bytes]:
        """The file, seekable, for reading; remote files are read by byte ranges."""
        return self.path.open("rb") if self.is_local else self.fs.open(self.key, "rb")  # type: ignore[no-any-return]

    def head(self, n: int = 64) -> bytes:
        """The first bytes of the file; empty for a folder, and for an address that is no file (a store may lie below it)."""
        if self.is_dir():
            return b""
        try:
            if self.is_local:
                with self.open() as file:
                    return file.read(n)
            return bytes(self.fs.cat_file(self.key, start=0, end=n))
        except (FileNotFoundError, IsADirectoryError):
            if self.is_local:
                raise ImageNotFoundError(f"{self.uri}: nothing is there; check the path") from None
            return b""

    def sample(self, *, full: bool) -> Iterator[bytes]:
        """Bytes of the file for content ids: all, or its size and parts that are always the same; a remote tag instead."""
        tag = None if full else self.etag()
        if tag:
            yield tag.encode()
            return
        with self.open() as file:
            size = file.seek(0, 2)
            yield str(size).encode()
            for at in range(0, size, _BLOCK if full else max(_BLOCK, size // 16)):
                file.seek(at)
                yield file.read(_BLOCK if full else _SAMPLE)

    def etag(self) -> str | None:
        """The remote store's own content tag, where it gives one."""
        if self.is_local:
            return None
        info = self.fs.info(self.key)
        tag = info.get("ETag") or info.get("etag")
        return str(tag) if tag else None
