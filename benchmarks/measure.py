"""``measure`` beside scikit-image's ``regionprops_table`` with the same columns, on a plane full of objects.

python benchmarks/measure.py [--size 4096] [--repeats 3]
"""

from __future__ import annotations

import argparse

import numpy as np
from common import interleaved
from skimage.measure import label, regionprops_table

import micro_nb as mnb

PROPERTIES = (
    "label", "area", "perimeter", "equivalent_diameter_area", "axis_major_length", "axis_minor_length", "eccentricity",
    "feret_diameter_max", "solidity", "orientation", "centroid", "bbox", "intensity_mean", "intensity_max", "intensity_min",
    "intensity_std",
)  # fmt: skip


def field(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A grey plane ``uint16`` and its labels: discs of 8 to 20 px radius on a loose lattice."""
    rng = np.random.default_rng(0)
    mask = np.zeros((size, size), bool)
    for cy in range(24, size - 24, 48):
        for cx in range(24, size - 24, 48):
            r = int(rng.integers(8, 21))
            y, x = np.mgrid[-r : r + 1, -r : r + 1]
            mask[cy - r : cy + r + 1, cx - r : cx + r + 1] |= y * y + x * x * rng.uniform(1, 3) < r * r
    return rng.integers(0, 4096, mask.shape).astype("uint16"), label(mask).astype("int32")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    mnb.settings.progress = False
    pixels, labels = field(chosen.size)
    img, part = mnb.open_image(pixels), np.s_[: chosen.size // 4, :]
    ours_mpx, theirs_mpx = pixels.size / 1e6, pixels[part].size / 1e6
    seconds = interleaved(
        {"measure": lambda: mnb.measure(img, labels),
         "regionprops": lambda: regionprops_table(labels[part], pixels[part], properties=PROPERTIES)},
        repeats=chosen.repeats,
    )  # fmt: skip
    ours, theirs = ours_mpx / seconds["measure"], theirs_mpx / seconds["regionprops"]
    print(f"{labels.max():,} objects, {chosen.size}^2: measure {ours:.1f} MPx/s, regionprops_table {theirs:.2f} MPx/s "
          f"(on a quarter of the plane), {ours / theirs:.1f} x")  # fmt: skip
