"""An identity function over every tile, stitched to disk: micro_nb beside a plain loop and beside the codec alone.

python benchmarks/stitching.py [--repeats 3] [--slow-share 0.25]

The ceiling reads, decodes, encodes and writes every chunk once, on two threads. The loop reads each tile with its halo with
zarr-python and writes its core; it does a share of the rows and is scaled up. Peak memory is measured in fresh processes, over
what the imports take, for two widths.
"""

from __future__ import annotations

import argparse
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import zarr
from common import BUILD, CHUNK, SIZE, interleaved, peak_mib, plane, show
from numcodecs import blosc
from zarr.codecs import BloscCodec

import micro_nb as mnb

TILE, HALO, THREADS = 512, 64, 2
IMPORTS = (
    "import numpy, xarray, zarr, zarrs.pipeline, numcodecs.blosc, micro_nb as mnb\nmnb.map_tiles, mnb.open_image, mnb.stream"
)
MAP = """
def same(tile):
    return tile
mnb.map_tiles(same, {path!r}, out={out!r}, threads=2, overwrite=True)
"""


def same(tile: np.ndarray) -> np.ndarray:
    return tile


def ceiling(path: Path, out: Path) -> None:
    """Every chunk read, decoded, encoded as map_tiles encodes it, and written; two threads."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    n = SIZE // CHUNK

    def one(at: int) -> None:
        with open(os.path.join(path, "c", str(at // n), str(at % n)), "rb") as file:
            pixels = blosc.decompress(file.read())
        (out / str(at)).write_bytes(blosc.compress(np.frombuffer(pixels, np.uint16), b"zstd", 1, blosc.SHUFFLE))

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(one, range(n * n)):
            pass


def loop(path: Path, out: Path, rows: int) -> None:
    shutil.rmtree(out, ignore_errors=True)
    source = zarr.open_array(path, mode="r")
    target = zarr.create_array(
        out, shape=(rows * TILE, SIZE), chunks=(CHUNK, CHUNK), dtype="uint16",
        compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle", typesize=2),
    )  # fmt: skip
    for y in range(0, rows * TILE, TILE):
        for x in range(0, SIZE, TILE):
            y0, x0 = max(y - HALO, 0), max(x - HALO, 0)
            tile = same(source[y0 : y + TILE + HALO, x0 : x + TILE + HALO])
            target[y : y + TILE, x : x + TILE] = tile[y - y0 : y - y0 + TILE, x - x0 : x - x0 + TILE]


def ours(path: Path, out: Path) -> None:
    mnb.map_tiles(same, path, out=out, tile=TILE, halo=HALO, threads=THREADS, overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slow-share", type=float, default=0.25, help="share of the rows that the loop does")
    args = parser.parse_args()
    mnb.settings.progress = False
    path, slow_rows = plane(), max(1, round(SIZE // TILE * args.slow_share))
    outs = {name: BUILD / f"out_{name}" for name in ("ceiling", "loop", "ours.zarr")}
    runs = {
        "codec ceiling": lambda: ceiling(path, outs["ceiling"]),
        "micro_nb.map_tiles": lambda: ours(path, outs["ours.zarr"]),
        "read-process-write loop": lambda: loop(path, outs["loop"], slow_rows),
    }
    seconds = interleaved(runs, repeats=args.repeats)
    seconds["read-process-write loop"] *= (SIZE // TILE) / slow_rows
    base = seconds["micro_nb.map_tiles"]
    show(
        "identity over 16384 x 16384 uint16, tile 512, halo 64, 2 threads",
        {name: {"seconds": s, "MPx/s": SIZE * SIZE / 1e6 / s, "times micro_nb": s / base} for name, s in seconds.items()},
    )
    peaks = {}
    for width in (SIZE, 4 * SIZE):
        strip, out = plane(4096, width=width), BUILD / "out_peak.zarr"
        peaks[f"4096 x {width}"] = {"peak MiB": peak_mib(IMPORTS, MAP.format(path=str(strip), out=str(out)))}
        shutil.rmtree(out, ignore_errors=True)
    show("peak memory over imports", peaks)
    for out in outs.values():
        shutil.rmtree(out, ignore_errors=True)
    ratios = {
        "of the codec ceiling": (seconds["codec ceiling"] / base, ">= 0.6"),
        "loop": (seconds["read-process-write loop"] / base, ">= 3"),
        "peak MiB": (max(p["peak MiB"] for p in peaks.values()), "<= 256"),
    }
    for name, (value, wanted) in ratios.items():
        print(f"{name:<28}{value:>8.2f}   ({wanted})")


if __name__ == "__main__":
    main()
