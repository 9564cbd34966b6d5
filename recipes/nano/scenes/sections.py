"""Generated sections of colon: glands, which are large and catch the eye, and the nuclei that they are made of, which are meant.

    python -m scenes.sections --out work/nano/scenes --count 200

The tissue is that of :func:`micro_nb.samples.histology`, at any enlargement between those of a 5x and a 40x scan.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from shards import Sample, write_shards

from micro_nb.data.samples.histology import histology
from micro_nb.learn.sample import typical_diameter

_EDGE = 640
_FINEST_UM, _COARSEST_UM = 0.25, 1.3


def sections(count: int, seed: int = 0) -> Iterator[Sample]:
    """Sections with every nucleus labelled."""
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        pixel_size = float(np.exp(rng.uniform(np.log(_FINEST_UM), np.log(_COARSEST_UM))))
        made = histology((_EDGE, _EDGE), seed=seed * 10_000 + k, pixel_size=pixel_size, stain=rng.uniform(0.6, 1.4), glass=False)
        labels = made.labels.read(0)
        layers = {"object": labels, "nucleus": labels}
        names = {layer: {int(n): "nucleus" for n in np.unique(labels[labels > 0])} for layer in layers}
        image = made.image.read(0).transpose(1, 2, 0)
        name = f"section_{seed}_{k}"
        yield Sample(image, layers, names, "generated", "tissue", name, name, "train", typical_diameter([labels]))


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("work/nano/scenes"))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for path in write_shards(sections(args.count, args.seed), args.out, f"sections_{args.seed}"):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
