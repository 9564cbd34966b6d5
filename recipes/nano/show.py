"""Outlines drawn over pictures, to be looked at by eye.

    python show.py --weights work/nano/run/tile.safetensors --shards work/nano/shards --source tnbc_he_nuclei --out tnbc.png
    python show.py --weights work/nano/run/tile.safetensors --pictures a.png b.png --diameter 20 --out both.png

Found objects are yellow; where there are labels, they are drawn in cyan beside them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from evaluate import Look, looks_shipped, looks_with, maps_of
from PIL import Image
from shards import Sample, nearest, read_shards
from skimage.segmentation import find_boundaries
from tensors import load

from micro_nb.models.tile_network import Sizes, TileNetwork
from micro_nb.tasks.look.decode import Decoding, objects_of

EDGE = 512


def outlined(sample: Sample, labels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The picture, enlarged to about :data:`EDGE`, with the rims of labels."""
    scale = max(1, round(EDGE / max(sample.image.shape[:2])))
    image = np.broadcast_to(np.atleast_3d(sample.image), (*sample.image.shape[:2], 3))
    low, high = np.percentile(image, [0.5, 99.5])
    shown = np.clip((image - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    shown = np.kron(shown, np.ones((scale, scale, 1), np.uint8))
    shown[find_boundaries(np.kron(np.maximum(labels, 0), np.ones((scale, scale), np.int32)), mode="inner")] = colour
    return shown[:EDGE, :EDGE]


def framed(picture: np.ndarray) -> np.ndarray:
    """The same on a black square of :data:`EDGE`."""
    out = np.zeros((EDGE, EDGE, 3), np.uint8)
    out[: picture.shape[0], : picture.shape[1]] = picture
    return out


def pair(look: Look, sample: Sample, layer: str, number: int) -> np.ndarray:
    """What is found, beside what is labelled."""
    maps, _ = maps_of(look, sample)
    found = nearest(objects_of(maps[number], Decoding()), sample.image.shape[:2])
    truth = sample.labels.get(layer, np.zeros_like(found))
    return np.concatenate([framed(outlined(sample, found, (255, 230, 0))), framed(outlined(sample, truth, (0, 230, 255)))])


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--shards", type=Path, nargs="+", default=[Path("work/nano/shards")])
    parser.add_argument("--source", nargs="*", default=[])
    parser.add_argument("--part", default="val")
    parser.add_argument("--pictures", type=Path, nargs="*", default=[])
    parser.add_argument("--diameter", type=float, default=22.0, help="of objects in the pictures, px")
    parser.add_argument("--layer", default="object")
    parser.add_argument("--count", type=int, default=4, help="pictures of a source")
    parser.add_argument("--out", type=Path, default=Path("shown.png"))
    args = parser.parse_args()
    network = TileNetwork()
    if args.weights:
        network.load_state_dict(load(args.weights))
    look = looks_with(network) if args.weights else looks_shipped()[0]
    samples = [
        Sample(np.asarray(Image.open(path).convert("RGB")), {}, {}, "", "", path.name, "", "val", args.diameter)
        for path in args.pictures
    ]  # fmt: skip
    if args.source:
        every = [s for s in read_shards(*args.shards) if s.part == args.part]
        samples += [s for source in args.source for s in [e for e in every if e.source.startswith(source)][: args.count]]
    with torch.inference_mode():
        cells = [pair(look, sample, args.layer, Sizes().layers.index(args.layer)) for sample in samples]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % 4)
    Image.fromarray(np.concatenate([np.concatenate(cells[k : k + 4], 1) for k in range(0, len(cells), 4)])).save(args.out)


if __name__ == "__main__":
    main()
