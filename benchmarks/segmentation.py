"""How well and how fast ``segment`` finds objects without weights, beside Otsu's threshold with a distance watershed.

python benchmarks/segmentation.py [--every 1] [--size 4096]

AP is TP / (TP + FP + FN) at IoU > 0.5, averaged over images; the same images and labels for both. Parameters were chosen on one
half of the groups of DSB2018 ("tuned on"); the other half ("held out") was only ever reported. Data: $MICRO_NB_SHARED or
../shared.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from common import ROOT
from PIL import Image
from scipy import ndimage as ndi
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

import micro_nb as mnb
from micro_nb.learn.metrics.instances import average_precision

SHARED = Path(os.environ.get("MICRO_NB_SHARED", ROOT.parent / "shared")) / "data" / "train_val"
SETS = ("dsb2018", "usiigaci_phase", "ampis_powder_sem", "ampis_spheroidite_sem", "sstem_vnc")


def plain(pixels: np.ndarray) -> np.ndarray:
    """Otsu's threshold and a watershed of the distance map: what one writes in ten lines."""
    grey = ndi.gaussian_filter(pixels.astype(float) if pixels.ndim == 2 else pixels[..., :3].mean(2), 1)
    mask = grey > threshold_otsu(grey)
    mask = ~mask if mask.mean() > 0.5 else mask
    depth = ndi.distance_transform_edt(mask)
    peaks = peak_local_max(ndi.gaussian_filter(depth, 1), min_distance=5, labels=ndi.label(mask)[0], exclude_border=False)
    seeds = np.zeros(mask.shape, int)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-depth, seeds, mask=mask)


def ours(pixels: np.ndarray) -> np.ndarray:
    colour = pixels.ndim == 3
    return mnb.segment(mnb.open_image(pixels[..., :3] if colour else pixels, axes="yxc" if colour else None)).values


def pictures(name: str, every: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """``(row of the table, pixels, labels)``."""
    with (SHARED / name / "index.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if float(row["n_objects"] or 0) > 0]
    half = {group: k % 2 for k, group in enumerate(sorted({row["group"] for row in rows if "group" in row}))}
    for row in rows[::every]:
        pixels, labels = (np.asarray(Image.open(SHARED / name / row[key])) for key in ("image", "label"))
        kinds = [name]
        if "group" in row:
            part = "held out" if half[row["group"]] else "tuned on"
            kinds = [f"{name} {part}: all", f"{name} {part}: {row['type']}"]
        for kind in kinds:
            yield kind, pixels, labels


def accuracy(every: int) -> None:
    print("| images | n | Otsu + watershed | segment |\n|---|---:|---:|---:|")
    for name in SETS:
        if not (SHARED / name).is_dir():
            continue
        scores: dict[str, list[tuple[float, float]]] = defaultdict(list)
        known: dict[int, tuple[float, float]] = {}
        for kind, pixels, labels in pictures(name, every):
            if id(pixels) not in known:
                known = {id(pixels): (average_precision(labels, plain(pixels)), average_precision(labels, ours(pixels)))}
            scores[kind].append(known[id(pixels)])
        for kind, values in sorted(scores.items()):
            base, mine = np.mean(values, axis=0)
            print(f"| {kind} | {len(values)} | {base:.3f} | {mine:.3f} |", flush=True)


def rate(run: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray) -> float:
    start = time.perf_counter()
    run(pixels)
    return pixels.size / 1e6 / (time.perf_counter() - start)


def speed(size: int) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512]
    block = np.full((512, 512), 200.0)
    for cy, cx in rng.uniform(20, 492, (120, 2)):
        block += 2500 * (np.hypot(y - cy, x - cx) < rng.uniform(8, 14))
    block = rng.poisson(ndi.gaussian_filter(block, 1.2)).astype("uint16")
    pixels = np.tile(block, (size // 512, size // 512))
    ours(pixels[:1024, :1024])
    print(f"\nnuclei, {size} x {size} uint16, {mnb.settings.threads} threads: segment {rate(ours, pixels):.1f} MPx/s, "
          f"Otsu + watershed {rate(plain, pixels[:2048, :2048]):.1f} MPx/s")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--size", type=int, default=4096, help="edge of the plane for the rate")
    chosen = parser.parse_args()
    mnb.settings.progress = False
    accuracy(chosen.every)
    speed(chosen.size)
