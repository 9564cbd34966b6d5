"""The raw numbers of ``quality``: which tiles are looked at, which window of each is read, and what is measured in it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..data.image import MicroImage
from ..errors import PlanError
from ..progress import Progress
from ..tiles.plan import Tile, TileGrid
from .focus import luminance, typical_sharpness

_ALL_PX = 1 << 26  # images up to 64 megapixels are measured whole
_SAMPLE_PX = 1 << 25  # of larger ones this many are read, a window a tile
_MOST_TILES = 1024
_BLOCK_PX = 1 << 21

_Slices = tuple[slice, slice]
_Job = tuple[_Slices, list[tuple[Tile, _Slices]]]


def planned(shape: tuple[int, int], tile: int | None, sample: float | None) -> tuple[TileGrid, int]:
    """The tiles, and the edge of the window that is read of each."""
    pixels = shape[0] * shape[1]
    if tile is None:
        tile = 256
        while pixels / tile**2 > _MOST_TILES * 1.6:
            tile *= 2
    if tile < 32:
        raise PlanError(f"tile={tile} is too small to judge; take at least 32 px")
    share = (1.0 if pixels <= _ALL_PX else min(0.5, _SAMPLE_PX / pixels)) if sample is None else sample
    if not 0 < share <= 1:
        raise PlanError(f"sample={sample} must be a share above 0 and at most 1")
    return TileGrid(shape, tile=tile), tile if share == 1 else max(32, round(tile * share**0.5))


def measured(plane: MicroImage, grid: TileGrid, window: int, *, threads: int, seed: int) -> list[dict[str, Any]]:
    """A row a tile and channel; memory is a few bands, whatever the image."""
    lead = (slice(None),) * (len(plane.axes) - 2)

    def work(job: _Job) -> list[dict[str, Any]]:
        (rows, cols), wanted = job
        pixels = plane.read(0, (*lead, rows, cols))
        found = []
        for one, (y, x) in wanted:
            part = pixels[..., y.start - rows.start : y.stop - rows.start, x.start - cols.start : x.stop - cols.start]
            found += _tile_rows(plane, one, part)
        return found

    jobs = list(_jobs(plane, grid, window, seed))
    out: list[dict[str, Any]] = []
    bar = Progress("judging quality", len(grid), "tiles", scale=window**2 / 1e6, rate_unit="MPx")
    with bar, ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(jobs), 4 * threads):  # so that an interrupt is heard soon
            for found in pool.map(work, jobs[start : start + 4 * threads]):
                out += found
                bar.advance(len(found) / max(_n_channels(plane), 1))
    return out


def _jobs(plane: MicroImage, grid: TileGrid, window: int, seed: int) -> Iterator[_Job]:
    """What is read at once, and which tiles are cut from it."""
    if window >= grid.tile:
        rows = max(1, plane.info.levels[0].chunks[-2] // grid.tile)  # whole chunks, so that none is decoded twice
        for block in grid.blocks(shape=(rows, max(rows, _BLOCK_PX // (rows * grid.tile**2)))):
            yield block.read, [(t, t.core) for t in block.tiles]
        return
    rng = np.random.default_rng(seed)
    steps = max(grid.tile // window, 1)
    for t, (a, b) in zip(grid, rng.integers(0, steps, (len(grid), 2)), strict=True):
        place = tuple(_window(s, int(k) * window, window) for s, k in zip(t.core, (a, b), strict=True))
        yield (place[0], place[1]), [(t, (place[0], place[1]))]


def _window(core: slice, offset: int, window: int) -> slice:
    start = core.start + min(offset, max(core.stop - core.start - window, 0))
    return slice(start, min(start + window, core.stop))


def _n_channels(plane: MicroImage) -> int:
    return 1 if plane.rgb else plane.sizes.get("c", 1)


def _tile_rows(plane: MicroImage, tile: Tile, pixels: np.ndarray) -> list[dict[str, Any]]:
    """Raw numbers of one tile, a dict a channel."""
    if plane.rgb:
        return [{**_tile_numbers(tile, luminance(pixels), pixels.max(0), pixels.min(0)), "channel": "luminance"}]
    stack = pixels[None] if pixels.ndim == 2 else pixels
    return [{**_tile_numbers(tile, p, p, p), "channel": c.name} for p, c in zip(stack, plane.channels, strict=True)]


def _middle(plane: np.ndarray) -> float:
    """The median of what is finite, which pixels that are not are taken for."""
    finite = plane[np.isfinite(plane)]
    return float(np.median(finite)) if finite.size else 0.0


def _tile_numbers(tile: Tile, grey: np.ndarray, high: np.ndarray, low: np.ndarray) -> dict[str, Any]:
    broken = 0 if high.dtype.kind in "biu" else int((~np.isfinite(high)).sum())
    if broken:
        grey, high, low = (np.where(np.isfinite(a), a, _middle(a)) for a in (grey, high, low))
    sharp = typical_sharpness(grey)
    top, bottom = high.max(), low.min()
    dark, middle, bright = np.quantile(grey[::2, ::2], (0.1, 0.5, 0.9))
    return {
        "row": tile.row, "col": tile.col, "y0_px": tile.core[0].start, "x0_px": tile.core[1].start, "y1_px": tile.core[0].stop,
        "x1_px": tile.core[1].stop, "edge_width_px": sharp.edge_px, "snr": sharp.snr, "noise_sd": sharp.noise,
        "contrast": sharp.contrast, "empty": sharp.empty, "n": high.size, "top": float(top), "n_top": int((high == top).sum()),
        "bottom": float(bottom), "n_bottom": int((low == bottom).sum()), "not_finite": broken,
        "dark": float(dark), "middle": float(middle), "bright": float(bright),
    }  # fmt: skip
