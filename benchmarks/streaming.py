"""Streaming tiles of a 16,384 x 16,384 uint16 image: micro_nb beside its peers and beside reading and decoding alone.

python benchmarks/streaming.py [--repeats 3] [--slow-share 0.25]

Every contender makes float32 batches of eight 640 x 640 tiles (512 and a halo of 64). The slow ones do a share of the rows and
are scaled up. The limit reads and decodes every chunk once, on two threads, and makes nothing of them.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask.array
import numpy as np
import torch
import xarray as xr
import xbatcher
import zarr
from common import CHUNK, SIZE, interleaved, plane, show
from numcodecs import blosc
from torch.utils.data import DataLoader, Dataset
from xbatcher.loaders.torch import MapDataset

import micro_nb as mnb

TILE, HALO, BATCH, THREADS = 512, 64, 8, 2


def limit(path: Path) -> None:
    """Reads and decodes each chunk once on two threads."""
    names = [os.path.join(path, "c", str(y), str(x)) for y in range(SIZE // CHUNK) for x in range(SIZE // CHUNK)]

    def decode(name: str) -> None:
        with open(name, "rb") as file:
            blosc.decompress(file.read())

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(decode, names):
            pass


def ours(path: Path, **how: object) -> int:
    tiles = 0
    for batch in mnb.stream(path, tile=TILE, halo=HALO, batch_size=BATCH, threads=THREADS, **how):
        tiles += len(batch)
    return tiles


def first_batch(path: Path) -> float:
    """Milliseconds from the call to the first batch, normalisation included."""
    start = time.perf_counter()
    for _ in mnb.stream(path, tile=TILE, halo=HALO, batch_size=BATCH, threads=THREADS):
        return (time.perf_counter() - start) * 1e3
    raise AssertionError


class Slices(Dataset):
    """What most people write: a slice of a zarr array for each tile."""

    def __init__(self, path: Path, rows: int) -> None:
        self.array = zarr.open_array(path, mode="r")
        n = SIZE // TILE
        self.corners = [(y * TILE, x * TILE) for y in range(rows) for x in range(n)]

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, index: int) -> torch.Tensor:
        y, x = self.corners[index]
        y0, x0, y1, x1 = max(y - HALO, 0), max(x - HALO, 0), min(y + TILE + HALO, SIZE), min(x + TILE + HALO, SIZE)
        tile = self.array[y0:y1, x0:x1].astype(np.float32)
        pad = ((HALO - y + y0, y + TILE + HALO - y1), (HALO - x + x0, x + TILE + HALO - x1))
        return torch.from_numpy(np.pad((tile - 150.0) * (1 / 1800.0), pad, mode="reflect"))[None]


def slicing(path: Path, rows: int) -> None:
    for _ in DataLoader(Slices(path, rows), batch_size=BATCH):
        pass


def xbatched(path: Path, rows: int) -> None:
    """Overlapping windows on Dask, cut from the padded height of ``rows`` tiles."""
    lazy = dask.array.from_zarr(str(path))[: rows * TILE + 2 * HALO]
    da = xr.DataArray(lazy, dims=("y", "x"))
    edge = TILE + 2 * HALO
    windows = xbatcher.BatchGenerator(
        da, input_dims={"y": edge, "x": edge}, input_overlap={"y": 2 * HALO, "x": 2 * HALO}, preload_batch=False
    )
    for batch in DataLoader(MapDataset(windows), batch_size=BATCH):
        (batch.to(torch.float32) - 150.0) * (1 / 1800.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slow-share", type=float, default=0.25, help="share of the rows that the slow peers do")
    args = parser.parse_args()
    mnb.settings.progress = False
    path, rows = plane(), SIZE // TILE
    slow_rows = max(1, round(rows * args.slow_share))
    assert ours(path) == rows * rows
    runs = {
        "read+decode limit": lambda: limit(path),
        "micro_nb.stream": lambda: ours(path),
        "micro_nb.stream, not normalised": lambda: ours(path, normalise="none"),
        "zarr-python slices": lambda: slicing(path, slow_rows),
        "xbatcher on Dask": lambda: xbatched(path, max(1, slow_rows // 4)),
    }
    seconds = interleaved(runs, repeats=args.repeats)
    seconds["zarr-python slices"] *= rows / slow_rows
    seconds["xbatcher on Dask"] *= rows / max(1, slow_rows // 4)
    first = sorted(first_batch(path) for _ in range(5))[2]
    base = seconds["micro_nb.stream"]
    table = {
        name: {"seconds": s, "MPx/s": SIZE * SIZE / 1e6 / s, "times micro_nb": s / base} for name, s in seconds.items()
    }  # fmt: skip
    show("streaming 16384 x 16384 uint16, tile 512, halo 64, batch 8, 2 threads", table)
    ratios = {
        "of the read+decode limit": (seconds["read+decode limit"] / base, ">= 0.40"),
        "slices": (seconds["zarr-python slices"] / base, ">= 9"),
        "xbatcher": (seconds["xbatcher on Dask"] / base, ">= 25"),
        "first batch, ms": (first, "<= 50"),
    }
    for name, (value, wanted) in ratios.items():
        print(f"{name:<28}{value:>8.2f}   ({wanted})")


if __name__ == "__main__":
    main()
