"""Coarse pictures of planes that have no pyramid, in bounded memory: blocks are read once and averaged as they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..data.source import Source
from ..progress import Progress

BLOCK_PIXELS = 1 << 22
READ_PIXELS = 1 << 29
_TAPS = 4
_QUIET_PIXELS = 1 << 26


@dataclass(frozen=True)
class Reduced:
    """Planes ``(c, y, x)`` averaged over squares of ``factor`` pixels; ``sampled`` where only some chunks were read."""

    pixels: np.ndarray
    factor: int
    sampled: bool


def reduce_plane(
    source: Source, factor: int, *, rows: slice, cols: slice, lead: tuple[slice, ...] = (), level: int = 0
) -> Reduced:
    """Means over squares of ``factor`` pixels of a level, anchored at ``rows.start, cols.start``.

    Where the place holds more than 2^29 pixels, one chunk stands for its neighbourhood and the squares grow accordingly.

    Parameters
    ----------
    rows, cols : the place, in px of ``level``.
    lead : a slice for every axis before y and x; all but the channels of length 1.

    Returns
    -------
    :class:`Reduced` with ``(c, y, x)`` float32 pixels.
    """
    chunk = tuple(source.info.levels[level].chunks[-2:])
    total = (rows.stop - rows.start) * (cols.stop - cols.start)
    every = int(np.ceil(np.sqrt(total / READ_PIXELS))) if total > READ_PIXELS else 1
    if every > 1:
        factor = max(factor, every * max(min(c, 1024) for c in chunk))
    shape = (
        lead[-1].stop - lead[-1].start if lead else 1,
        -(-(rows.stop - rows.start) // factor),
        -(-(cols.stop - cols.start) // factor),
    )
    sums, counts = np.zeros(shape, np.float64), np.zeros(shape[1:], np.float64)
    blocks = list(_sampled(rows, cols, factor, chunk) if every > 1 else _blocks(rows, cols, chunk))
    with Progress(f"reading a coarse picture of {source.uri or 'the array'}", len(blocks), "blocks") as progress:
        for ys, xs in blocks:
            pixels = source.read(level, (*lead, ys, xs)).reshape(shape[0], ys.stop - ys.start, xs.stop - xs.start)
            _add(pixels, ys.start - rows.start, xs.start - cols.start, factor, sums, counts)
            progress.advance()
    return Reduced((sums / np.maximum(counts, 1)).astype(np.float32), factor, every > 1)


def _blocks(rows: slice, cols: slice, chunk: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Whole chunks, several at a time, each chunk in one block only."""
    high, wide = (min(c, 1 << 14) for c in chunk)
    wide *= max(1, min((cols.stop - cols.start) // wide, BLOCK_PIXELS // (high * wide)))
    high *= max(1, BLOCK_PIXELS // (high * wide))
    for y in range(rows.start - rows.start % high, rows.stop, high):
        for x in range(cols.start - cols.start % wide, cols.stop, wide):
            yield (
                slice(max(y, rows.start), min(y + high, rows.stop)),
                slice(max(x, cols.start), min(x + wide, cols.stop)),
            )


def _sampled(rows: slice, cols: slice, factor: int, chunk: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """One chunk-sized block inside each square of ``factor`` pixels."""
    edge_y, edge_x = (min(c, 1024) for c in chunk)
    for y in range(rows.start, rows.stop, factor):
        for x in range(cols.start, cols.stop, factor):
            yield slice(y, min(y + edge_y, rows.stop)), slice(x, min(x + edge_x, cols.stop))


def _add(pixels: np.ndarray, y: int, x: int, factor: int, sums: np.ndarray, counts: np.ndarray) -> None:
    """Adds a ``(c, y, x)`` block whose first pixel lies at ``(y, x)``; four taps a square each way suffice for looking."""
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels, posinf=0.0, neginf=0.0)
    total, row_counts = _tap(pixels, 1, y % factor, factor)
    total, col_counts = _tap(total, 2, x % factor, factor)
    (top, left), (_, h, w) = (y // factor, x // factor), total.shape
    sums[:, top : top + h, left : left + w] += total
    counts[top : top + h, left : left + w] += np.outer(row_counts, col_counts)


def _tap(values: np.ndarray, axis: int, offset: int, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums over runs of ``factor`` along ``axis``, the first run begun ``offset`` before the array; and the taps each took."""
    n = values.shape[axis]
    cells = -(-(offset + n) // factor)
    shape = tuple(cells if k == axis else size for k, size in enumerate(values.shape))
    total, taken = np.zeros(shape, np.float32), np.zeros(cells, np.int64)
    step = -(-factor // _TAPS)
    for tap in range(step // 2, factor, step):
        first = 0 if tap >= offset else 1  # the first run's tap lies before the array
        start = first * factor + tap - offset
        count = len(range(start, n, factor))
        if count > 0:
            lead = (slice(None),) * axis
            total[(*lead, slice(first, first + count))] += values[(*lead, slice(start, None, factor))]
            taken[first : first + count] += 1
    return total, taken
