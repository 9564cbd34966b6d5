"""``parse`` of generated fluorescence: a first look, a further prompt, its labels, peak memory; and the floor without weights.

python benchmarks/parsing.py [--sizes 1024 2048 4096] [--threads 2]

The image is in memory and was never looked at; nuclei are about 30 px wide, some of them a third of it. "As trained" is the tile
network of tile_network.py on a window of the size that ``parse`` looks at, beside the same maps from the network as it looks
(eyes.py), in bfloat16 where that is the faster.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch
from common import interleaved, peak_mib, show

import micro_nb as mnb
from micro_nb.models.network import fast_bfloat16
from micro_nb.tasks.look.network import HALO, WINDOW, looking
from micro_nb.tasks.look.seen import Look
from micro_nb.tasks.parse import parse_seen

IMPORTS = """
import numpy as np, torch, micro_nb as mnb
from micro_nb.tasks.look.seen import Look
from micro_nb.tasks.parse import parse_seen
torch.set_num_threads({threads})
model, scene = mnb.load_model(), mnb.samples.fluorescence(shape=({size}, {size}))
image = mnb.open_image(np.asarray(scene.image.read(0)))
"""
WORK = "parse_seen(image, Look(model, image).run(), ['nucleus'], model)"


def timed(run: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


def row(size: int, threads: int) -> dict[str, float]:
    model = mnb.load_model()
    image = mnb.open_image(np.asarray(mnb.samples.fluorescence(shape=(size, size)).image.read(0)))
    first, seen = timed(lambda: Look(model, image).run())
    outlined, _ = timed(lambda: parse_seen(image, seen, ["nucleus"], model))  # type: ignore[arg-type]
    further, found = timed(lambda: parse_seen(image, seen, ["cell nuclei"], model))  # type: ignore[arg-type]
    drawn, _ = timed(lambda: found.labels.values)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        floor, _ = timed(lambda: mnb.measure(image, mnb.segment(image, out=f"{folder}/labels.zarr")))
    return {
        "MPx/s": size * size / 1e6 / (first + outlined),
        "further prompt, %": 100 * further / (first + outlined),
        "its labels, %": 100 * drawn / (first + outlined),
        "floor, MPx/s": size * size / 1e6 / floor,
        "peak MiB": peak_mib(IMPORTS.format(size=size, threads=threads), WORK),
    }


def network() -> dict[str, dict[str, float]]:
    """A window's network pixels per second, as trained and as it looks."""
    model, side = mnb.load_model(), 2 * (WINDOW + 2 * HALO)
    pixels = torch.rand(1, 3, side, side).to(memory_format=torch.channels_last)
    with looking(pixels) as pixels:
        seconds = interleaved({"as trained": lambda: model.tile(pixels), "as it looks": lambda: model.eyes[0](pixels)})
    return {name: {"network MPx/s": side * side / 1e6 / s} for name, s in seconds.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096])
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    mnb.settings.progress, mnb.settings.threads = False, chosen.threads
    torch.set_num_threads(chosen.threads)
    row(256, chosen.threads)  # what is loaded once
    fast = "bfloat16" if fast_bfloat16() else "float32"
    show(f"the tile network, {fast}, {chosen.threads} threads", network())
    show(f"parse, {fast}, {chosen.threads} threads", {f"{n} x {n}": row(n, chosen.threads) for n in chosen.sizes})
