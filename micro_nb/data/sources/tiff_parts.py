"""Where the parts of a TIFF lie: byte ranges of its files, local or remote, read from any thread without a shared position; and
each axis of a series, in the order of pages or inside a page. No pixels here."""

from __future__ import annotations

import math
import mmap
import os
import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import IO, Any, Literal, cast

from ...errors import AxesError, CorruptImageError
from ..axes import AXES, canonical, check_axes
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
        self._others = lru_cache(_OPEN_FILES)(lambda path: ByteRanges(Location.of(path)))  # closed once no thread reads it

    def of(self, path: str | None) -> ByteRanges:
        """The file at a local path; None means the main file."""
        return self.main if path is None else self._others(path)

    def close(self) -> None:
        """Closes all of them."""
        self.main.close()
        self._others.cache_clear()


def header_file(location: Location) -> Any:
    """What tifffile parses headers from: a path, or a remote file that fetches small blocks and keeps the last few."""
    if location.is_local:
        return str(location.path)
    return location.fs.open(
        location.key, "rb", block_size=_HEADER_BLOCK, cache_type="blockcache", cache_options={"maxblocks": 64}
    )


Kind = Literal["lead", "sep", "depth", "y", "x", "contig", "palette"]
_MEANING = {"T": "t", "C": "c", "Z": "z", "D": "z", "Y": "y", "X": "x", "S": "c"}


@dataclass(frozen=True)
class Dim:
    """One stored dimension: tifffile's letter, length, where it lies, the axis it means, and the stride in frames if it leads."""

    letter: str
    size: int
    kind: Kind
    axis: str = ""
    stride: int = 0


@dataclass(frozen=True)
class Layout:
    """All dimensions of a level in stored order, singletons dropped but y and x."""

    dims: tuple[Dim, ...]
    frames: int

    @property
    def axes(self) -> tuple[str, ...]:
        """Canonical axes."""
        return canonical(d.axis for d in self.dims)

    @property
    def sizes(self) -> dict[str, int]:
        """Axis -> length; channels times colour samples where both are stored."""
        sizes: dict[str, int] = {}
        for d in self.dims:
            sizes[d.axis] = sizes.get(d.axis, 1) * d.size
        return sizes


def arrange(series: Any, axes: tuple[str, ...] | None, *, samples: int | None, palette: bool, uri: str) -> Layout:
    """The layout of a series.

    Parameters
    ----------
    series : a ``tifffile.TiffPageSeries``.
    axes : the user's statement, one per dimension of the squeezed series; None takes what the file says.
    samples : how many colour samples to keep; None keeps all.
    palette : whether indices become three colours.

    Raises
    ------
    AxesError : the file does not say what an axis means; repeats the shape and suggests a statement.
    """
    stored = _stored_dims(series, uri)
    frames = math.prod(d.size for d in stored if d.kind == "lead")
    dims = _strided([d for d in stored if d.size > 1 or d.kind in ("y", "x")])
    dims = _named(dims, axes, uri)
    if samples is not None:
        dims = [replace(d, size=min(d.size, samples)) if d.kind in ("sep", "contig") else d for d in dims]
    if palette:
        dims.append(Dim("S", 3, "palette", "c"))
    return Layout(tuple(dims), frames)


def _stored_dims(series: Any, uri: str) -> list[Dim]:
    letters, shape = series.get_axes(squeeze=False), tuple(int(n) for n in series.get_shape(squeeze=False))
    sep, depth, length, width, contig = (int(n) for n in series.keyframe.shaped)
    inside, k = math.prod((sep, depth, length, width, contig)), len(shape)
    while k and not ({"Y", "X"} <= set(letters[k:]) and math.prod(shape[k:]) == inside):
        k -= 1
    inner = [(c, n) for c, n in zip(letters[k:], shape[k:], strict=True) if n > 1 or c in "YX"]
    expected: list[tuple[Kind, int]] = [("sep", sep), ("depth", depth), ("y", length), ("x", width), ("contig", contig)]
    kinds = [(kind, n) for kind, n in expected if n > 1 or kind in ("y", "x")]
    if min(shape) < 1 or [n for _, n in inner] != [n for _, n in kinds]:
        raise CorruptImageError(
            f"{uri}: pages of shape {series.keyframe.shape} do not make up the declared axes {letters} of shape {shape}"
        )
    lead = [Dim(c, n, "lead") for c, n in zip(letters[:k], shape[:k], strict=True)]
    return lead + [Dim(c, n, kind) for (c, n), (kind, _) in zip(inner, kinds, strict=True)]


def _strided(dims: list[Dim]) -> list[Dim]:
    out, stride = [], 1
    for d in reversed(dims):
        if d.kind == "lead":
            d, stride = replace(d, stride=stride), stride * d.size
        out.append(d)
    return out[::-1]


def _named(dims: list[Dim], axes: tuple[str, ...] | None, uri: str) -> list[Dim]:
    shape = tuple(d.size for d in dims)
    if axes is not None:
        names: tuple[str, ...] = check_axes(axes, shape, uri)
    else:
        names = tuple(_MEANING.get(d.letter, "") for d in dims)
        doubled = {n for n in names if n and n != "c" and names.count(n) > 1}
        if "" in names or doubled or names.count("c") > 2:
            raise AxesError(
                f"{uri}: stores shape {shape} and does not say what each axis is; state it with letters from 't c z y x': "
                f"open_image(path, axes={_suggest(dims, 'z')!r}) for a stack, axes={_suggest(dims, 't')!r} for a time series"
            )
    return [replace(d, axis=name) for d, name in zip(dims, names, strict=True)]


def _suggest(dims: list[Dim], first: str) -> str:
    taken = {_MEANING[d.letter] for d in dims if d.letter in _MEANING}
    free = [a for a in dict.fromkeys((first, "z", "t", "c")) if a not in taken]
    names, used = [], set()
    for d in dims:
        name = _MEANING.get(d.letter, "")
        if not name or name in used:
            name = free.pop(0) if free else next(a for a in AXES if a not in used)
        used.add(name)
        names.append(name)
    return "".join(names)
