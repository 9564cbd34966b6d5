"""Byte ranges of files, local or remote, read from any thread without a shared position."""

from __future__ import annotations

import mmap
import os
import threading
from collections import OrderedDict
from typing import IO, Any, cast

from ...errors import CorruptImageError
from ..location import Location

_HEADER_BLOCK = 1 << 16
_OPEN_FILES = 64


class ByteRanges:
    """Reads ``(offset, n)`` of one file; safe to share between threads and to use after a fork."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = location.path.open("rb") if location.is_local else None
        self._map: mmap.mmap | None = None
        self.size: int = os.fstat(self._file.fileno()).st_size if self._file else int(location.fs.info(location.key)["size"])

    def read(self, offset: int, n: int) -> bytes:
        """Exactly ``n`` bytes; CorruptImageError where the file ends before."""
        self._need(offset, n)
        data = self._remote(offset, n) if self._file is None else self._local(offset, n)
        if len(data) > n:
            raise CorruptImageError(
                f"{self.location.uri}: the server sends whole files, not ranges; download the file and open that"
            )
        if len(data) < n:
            raise CorruptImageError(f"{self.location.uri}: {len(data)} of {n} bytes at {offset} could be read; it has changed")
        return data

    def mapped(self, offset: int, n: int) -> mmap.mmap | None:
        """The whole local file as memory, after a check that the range is in it; None for a remote one."""
        self._need(offset, n)
        if self._file is None:
            return None
        with self._lock:
            if self._map is None:
                self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            return self._map

    def read_many(self, ranges: list[tuple[int, int]]) -> dict[int, bytes]:
        """By offset, the ranges of a remote file, asked for together; empty for a local file, whose reads cost little."""
        if self._file is not None or len(ranges) < 2:
            return {}
        for offset, n in ranges:
            self._need(offset, n)
        keys = [self.location.key] * len(ranges)
        parts = self.location.fs.cat_ranges(keys, [o for o, _ in ranges], [o + n for o, n in ranges], on_error="raise")
        return {offset: bytes(part) for (offset, n), part in zip(ranges, parts, strict=True) if len(part) == n}

    def close(self) -> None:
        """Closes the file."""
        self._map = None  # unmapped once no read uses it
        if self._file is not None:
            self._file.close()

    def _need(self, offset: int, n: int) -> None:
        if offset < 0 or n < 0 or offset + n > self.size:
            raise CorruptImageError(
                f"{self.location.uri}: {n} bytes at {offset} were promised but the file has only {self.size} bytes; "
                "it is truncated or damaged, copy it again"
            )

    def _remote(self, offset: int, n: int) -> bytes:
        return cast(bytes, self.location.fs.cat_file(self.location.key, start=offset, end=offset + n)) if n else b""

    def _local(self, offset: int, n: int) -> bytes:
        assert self._file is not None
        if hasattr(os, "pread"):
            parts = []
            while n and (part := os.pread(self._file.fileno(), n, offset)):  # one call returns at most 2 GiB
                parts.append(part)
                offset, n = offset + len(part), n - len(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)
        with self._lock:
            self._file.seek(offset)
            return self._file.read(n)


class OpenFiles:
    """The files of one image by path, opened when needed; the longest unused is closed beyond 64.

    ``parsing`` is held while headers are parsed, ``process`` is the process that opened them.
    """

    def __init__(self, main: Location) -> None:
        self.main = ByteRanges(main)
        self.parsing = threading.Lock()
        self.process = os.getpid()
        self._others: OrderedDict[str, ByteRanges] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, path: str | None) -> ByteRanges:
        """The file at a local path; None means the main file."""
        if path is None:
            return self.main
        with self._lock:
            if path not in self._others:
                self._others[path] = ByteRanges(Location.of(path))
                if len(self._others) > _OPEN_FILES:
                    self._others.popitem(last=False)  # closed by its finaliser once no thread reads it
            self._others.move_to_end(path)
            return self._others[path]

    def close(self) -> None:
        """Closes all of them."""
        self.main.close()
        for file in self._others.values():
            file.close()


def header_file(location: Location) -> Any:
    """What tifffile parses headers from: a path, or a remote file that fetches small blocks and keeps the last few."""
    if location.is_local:
        return str(location.path)
    return location.fs.open(
        location.key, "rb", block_size=_HEADER_BLOCK, cache_type="blockcache", cache_options={"maxblocks": 64}
    )
