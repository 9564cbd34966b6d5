"""TIFF pages as boxes of pixels: only the strips and tiles that overlap a box are read and decoded."""

from __future__ import annotations

import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ...errors import CorruptImageError, UnsafeImageError
from ...settings import settings
from ..source import paste
from .library import brief, reading
from .tiff_parts import ByteRanges, OpenFiles

MAX_SEGMENT_BYTES = 1 << 30
_KEEP_BYTES = 64 << 20
_KEEP_FROM = 1 << 20
_KEEP_PAGES = 512
_RANGE_BYTES = 32 << 20
_APERIO_YCBCR = 33003
_JPEG_KIND = {6, 7, 34892, 33007}
Box = tuple[slice, slice, slice, slice]
"""Separate samples, depth, y, x."""


class Frames:
    """The frames (pages) of one pyramid level.

    Parameters
    ----------
    series : a ``tifffile.TiffPageSeries``.
    files : where the bytes come from.
    count : how many frames the series' shape implies.
    uri : named in errors.
    """

    def __init__(self, series: Any, files: OpenFiles, count: int, uri: str) -> None:
        page = series.keyframe
        self.series, self.page, self.files, self.count, self.uri = series, page, files, count, uri
        self.shaped: tuple[int, int, int, int, int] = tuple(int(n) for n in page.shaped)  # type: ignore[assignment]
        self.dtype = np.dtype(page.dtype)
        self.stored = np.dtype(page.parent.byteorder + page.dtype.char)
        if page.is_tiled:
            self.segment = int(page.tiledepth), int(page.tilelength), int(page.tilewidth)
        else:
            self.segment = 1, max(int(page.rowsperstrip), 1), self.shaped[3]
        self.grid = tuple(-(-n // s) for n, s in zip(self.shaped[1:4], self.segment, strict=True))
        self.raw_rows = not page.is_tiled and page.compression == 1 and page.predictor == 1 and page.fillorder == 1 and (
            page.bitspersample in (8, 16, 32, 64) and not page.is_subsampled and page.sampleformat != 5)  # fmt: skip
        self.decode = page.decode
        self._kept = _Recent(_KEEP_BYTES)  # neighbouring reads of a one-strip image do not decode it again
        self._pages = lru_cache(_KEEP_PAGES)(self._parsed)
        self._main = series.parent.filehandle

    def check(self) -> None:
        """Refuses segments that no memory should hold and tables that do not fit the declared size."""
        need, have = self.shaped[0] * int(np.prod(self.grid, dtype=object)), len(self.page.dataoffsets)
        if have != need or len(self.page.databytecounts) < have:
            raise CorruptImageError(
                f"{self.uri}: an image of {self.shaped[2]} x {self.shaped[3]} pixels needs {need} strips or tiles but the file "
                f"lists {have} places and {len(self.page.databytecounts)} lengths; the header is damaged"
            )
        if not all(isinstance(v, int) for v in (*self.page.dataoffsets, *self.page.databytecounts)):
            raise CorruptImageError(f"{self.uri}: places of strips or tiles are not numbers; the header is damaged")
        size = int(np.prod([*self.segment, self.shaped[4]], dtype=object)) * self.dtype.itemsize
        if size > MAX_SEGMENT_BYTES and not self.raw_rows:
            raise UnsafeImageError(
                f"{self.uri}: one strip or tile of this image unpacks to {size / 2**30:.1f} GiB, more than the 1 GiB allowed; "
                "rewrite it with tiles (for example with tifffile or bioformats2raw) where it was made"
            )
        if self.raw_rows:
            stored = self.shaped[0] * self.shaped[1] * self.shaped[2] * self._row_bytes
            if stored > self.files.main.size and all(o for o in self.page.dataoffsets[:64]):
                raise CorruptImageError(
                    f"{self.uri}: the header declares {stored} bytes of uncompressed pixels but the file has "
                    f"{self.files.main.size} bytes; it is truncated or its header is damaged"
                )

    @property
    def chunk(self) -> tuple[int, int]:
        """``(y, x)`` pixels that are read together; thin strips are counted in bundles."""
        _, rows, width = self.segment
        if not self.page.is_tiled and rows < 64:
            rows *= -(-64 // rows)
        if self.raw_rows:
            rows = min(rows, 256)
        return min(rows, self.shaped[2]), min(width, self.shaped[3])

    def read(self, frame: int, box: Box) -> np.ndarray:
        """Pixels ``(s, d, y, x, contiguous samples)`` of one frame."""
        out = np.zeros([b.stop - b.start for b in box] + [self.shaped[4]], self.dtype)
        source, offsets, counts, tables = self._frame(frame)
        if self.raw_rows:
            for run in self._runs(box, offsets, counts):
                self._read_rows(source, out, box, *run)
        else:
            self._read_segments(source, out, box, offsets, counts, tables)
        return out

    def segments(self, frame: int) -> Iterator[tuple[ByteRanges, int, int]]:
        """File, offset and length of every stored strip or tile of a frame."""
        source, offsets, counts, _ = self._frame(frame)
        yield from ((source, o, n) for o, n in zip(offsets, counts, strict=False) if o and n)

    @property
    def _row_bytes(self) -> int:
        return int(self.shaped[3] * self.shaped[4] * self.stored.itemsize)

    def _frame(self, frame: int) -> tuple[ByteRanges, tuple[int, ...], tuple[int, ...], bytes | None]:
        if self.series.is_truncated:  # one page describes a run of planes that follow each other
            shift = frame * int(np.prod(self.shaped, dtype=object)) * self.stored.itemsize
            page = self.page
            return self.files.main, tuple(o + shift for o in page.dataoffsets), page.databytecounts, None
        page = self._page(frame)
        if page is None:
            raise CorruptImageError(f"{self.uri}: plane {frame} of {self.count} is not there; a file of the set is missing")
        handle = page.parent.filehandle
        path = None if handle is self._main else handle.path
        return self.files.of(path), page.dataoffsets, page.databytecounts, page.jpegtables

    def _page(self, frame: int) -> Any:
        """One page's places; tifffile parses pages one thread at a time, through a file position that a fork would share."""
        with self.files.parsing:
            if self.files.process != os.getpid():
                self.files.process = os.getpid()
                if self._main.is_file:
                    self._main.close()
                    self._main.open()
            return self._pages(frame)

    def _parsed(self, frame: int) -> Any:
        with reading(self.uri, "TIFF"):
            return self.series[frame]

    def _runs(self, box: Box, offsets: tuple[int, ...], counts: tuple[int, ...]) -> Iterator[tuple[int, int, int, int, int]]:
        """``(s, d, y, rows, offset)``: rows that lie one after another in the file."""
        rows, row_bytes, (_, depth, length, *_) = self.segment[1], self._row_bytes, self.shaped
        for s in range(box[0].start, box[0].stop):
            for d in range(box[1].start, box[1].stop):
                start, at, end = box[2].start, 0, -1
                y = start
                while y < box[2].stop:
                    strip = y // rows
                    index = (s * depth + d) * self.grid[1] + strip
                    stop = min((strip + 1) * rows, length, box[2].stop)
                    offset = offsets[index] and offsets[index] + (y - strip * rows) * row_bytes
                    if offset != end:
                        if at and y > start:
                            yield s, d, start, y - start, at
                        start, at = y, offset
                    end = offset + (stop - y) * row_bytes if offset else -1
                    y = stop
                if at:
                    yield s, d, start, y - start, at

    def _read_rows(self, source: ByteRanges, out: np.ndarray, box: Box, s: int, d: int, y: int, rows: int, offset: int) -> None:
        width, samples = self.shaped[3:]
        to, across = out[s - box[0].start, d - box[1].start, y - box[2].start :][:rows], box[3]
        mapped = source.mapped(offset, rows * self._row_bytes)
        if mapped is not None:
            to[...] = np.ndarray((rows, width, samples), self.stored, mapped, offset)[:, across]
            return
        step = max(1, _RANGE_BYTES // self._row_bytes)
        for r in range(0, rows, step):
            n = min(step, rows - r)
            data = source.read(offset + r * self._row_bytes, n * self._row_bytes)
            to[r : r + n] = np.frombuffer(data, self.stored).reshape(n, width, samples)[:, across]

    def _read_segments(
        self,
        source: ByteRanges,
        out: np.ndarray,
        box: Box,
        offsets: tuple[int, ...],
        counts: tuple[int, ...],
        tables: bytes | None,
    ) -> None:
        depth, rows, width = self.segment
        wanted = [
            (((s * self.grid[0] + d) * self.grid[1] + y) * self.grid[2] + x, s, d * depth, y * rows, x * width)
            for s in range(box[0].start, box[0].stop)
            for d in range(box[1].start // depth, -(-box[1].stop // depth))
            for y in range(box[2].start // rows, -(-box[2].stop // rows))
            for x in range(box[3].start // width, -(-box[3].stop // width))
        ]

        there = [(index, offsets[index], counts[index]) for index, *_ in wanted if offsets[index] and counts[index]]
        fetched = source.read_many([(offset, n) for _, offset, n in there if (id(source), offset) not in self._kept])

        def place(job: tuple[int, int, int, int, int]) -> None:
            index, s, *corner = job
            offset, n = offsets[index], counts[index]
            if offset and n:
                array = self._segment(source, index, offset, n, tables, fetched)
            elif self.page.nodata:
                array = np.full((*self.segment, self.shaped[4]), self.page.nodata, self.dtype)
            else:
                return
            paste(out[s - box[0].start], box[1:], array, corner)

        if len(wanted) < 4 or settings.threads == 1:
            for job in wanted:
                place(job)
        else:
            list(_pool(settings.threads).map(place, wanted))

    def _segment(
        self, source: ByteRanges, index: int, offset: int, n: int, tables: bytes | None, fetched: dict[int, bytes]
    ) -> np.ndarray:
        key = (id(source), offset)
        kept = self._kept.get(key)
        if kept is None:
            data = fetched.pop(offset, None) or source.read(offset, n)
            kept = self._decoded(data, index, tables)
            if kept.nbytes >= _KEEP_FROM:
                self._kept.put(key, kept)
        return kept

    def _decoded(self, data: bytes, index: int, tables: bytes | None) -> np.ndarray:
        limit = 4 * int(np.prod(self.segment, dtype=object)) + 65536
        pixels = encoded_pixels(data)
        if pixels > limit:
            raise UnsafeImageError(
                f"{self.uri}: strip or tile {index} unpacks to {pixels} pixels where {limit // 4} belong; refused as a bomb"
            )
        more = {"jpegtables": tables, "jpegheader": self.page.jpegheader} if self.page.compression in _JPEG_KIND else {}
        try:
            array = self.decode(data, index, **more)[0]
        except Exception as error:  # each codec has its own exceptions, and damaged bytes reach all of them
            raise CorruptImageError(f"{self.uri}: strip or tile {index} cannot be decoded ({brief(error)})") from error
        return _rgb_of_ycbcr(array) if self.page.compression == _APERIO_YCBCR else array  # type: ignore[no-any-return]


class _Recent:
    """The arrays used last, by key: at most so many bytes, or one; safe to share between threads."""

    def __init__(self, most_bytes: int) -> None:
        self._items: OrderedDict[Any, np.ndarray] = OrderedDict()
        self._most, self._bytes, self._lock = most_bytes, 0, threading.Lock()

    def __contains__(self, key: Any) -> bool:
        return key in self._items

    def get(self, key: Any) -> np.ndarray | None:
        with self._lock:
            return self._items.get(key)

    def put(self, key: Any, array: np.ndarray) -> None:
        with self._lock:
            if key not in self._items:
                self._items[key] = array
                self._bytes += array.nbytes
            while self._bytes > self._most and len(self._items) > 1:
                self._bytes -= self._items.popitem(last=False)[1].nbytes


def encoded_pixels(data: bytes) -> int:
    """Pixels that a JPEG, JPEG 2000 or PNG stream says it holds; 0 where it is none of them."""
    if data[:4] == b"\xff\x4f\xff\x51" and len(data) > 24:
        x1, y1, x0, y0 = struct.unpack(">4I", data[8:24])
        return int(max(x1 - x0, 0) * max(y1 - y0, 0))
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 24:
        return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big")
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 < len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 5 : at + 7], "big") * int.from_bytes(data[at + 7 : at + 9], "big")
        at += 2 + size
    return 0


def _rgb_of_ycbcr(array: np.ndarray) -> np.ndarray:
    """Full-range ITU-R BT.601 YCbCr uint8 ``(..., 3)`` as RGB: Aperio's JPEG 2000 variant leaves this to the reader."""
    y, cb, cr = (array[..., k].astype(np.float32) for k in range(3))
    rgb = np.stack([y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)], axis=-1)
    colors: np.ndarray = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return colors


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="micro_nb-decode")


_forget: Callable[[], None] = _pool.cache_clear
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # a pool's threads do not survive a fork
