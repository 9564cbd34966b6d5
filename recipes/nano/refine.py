"""Boxes and points become masks by the network's own votes: shards written anew with what it sees inside of them.

    python refine.py --shards work/nano/shards --weights work/nano/run/tile.safetensors --out work/nano/refined

An object that the network finds takes the place of the outline that contrast gave, where it fills its box as well as a hand-drawn
box is filled, or holds one point and no other. What the network sees and nobody labelled is not known. Everything else, and every
validation picture, stays as it was. Repeated after further training, outlines follow the network, and boxes and points hold it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from evaluate import Look, box_iou, looks_with, maps_of
from scipy import ndimage as ndi
from shards import UNKNOWN, Sample, nearest, read_shards, write_shards
from tensors import load

from micro_nb.models.tile_network import Sizes, TileNetwork
from micro_nb.tasks.look.decode import Decoding, objects_of

_FILLS = 0.75
"""Least IoU of a found object's box with the one that people drew."""
_GROWN = 1.06
"""How far a mask may leave its box, as a share of the box."""
_LIKE = (0.4, 2.0)
"""Area of a found object, in areas of a typical one, that a point may stand for."""


def refined(look: Look, sample: Sample) -> Sample:
    """A sample with masks by the network's votes, where boxes or points vouch for them."""
    maps, _ = maps_of(look, sample)
    number = Sizes().layers.index("object")
    shape = sample.image.shape[:2]
    found = nearest(objects_of(maps[number], Decoding()), shape)
    seen = nearest(maps[number, 0], shape) > 0.4
    old = sample.labels["object"].astype(np.int32)
    new = by_boxes(old, found, np.array(sample.boxes)) if sample.boxes else by_overlap(old, found, sample.diameter_px)
    new[(new == 0) & (seen & (old != 0) | (old == UNKNOWN))] = UNKNOWN
    return Sample(**{**sample.__dict__, "labels": sample.labels | {"object": new}})


def by_boxes(old: np.ndarray, found: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Labels in which box ``k`` is object ``k + 1``: the found object that fills it, else what was there."""
    places = ndi.find_objects(found)
    mine = np.array([[c.start, r.start, c.stop, r.stop] for r, c in places], float).reshape(-1, 4)
    overlap = box_iou(boxes, mine)
    new = np.zeros_like(old)
    for k in np.argsort([-(b[2] - b[0]) * (b[3] - b[1]) for b in boxes]):
        best = int(overlap[k].argmax()) if len(mine) else 0
        mask = found == best + 1 if len(mine) and overlap[k, best] > _FILLS else old == k + 1
        new[mask & within(boxes[k], old.shape)] = k + 1
    return new


def by_overlap(old: np.ndarray, found: np.ndarray, diameter: float) -> np.ndarray:
    """Labels in which each known object is the found one that lies on it alone and has a likely size, else what it was."""
    new, typical = old.copy(), np.pi / 4 * diameter**2
    pairs = np.unique(np.stack([old[(old > 0) & (found > 0)], found[(old > 0) & (found > 0)]]), axis=1)
    alone = np.bincount(pairs[1], minlength=int(found.max()) + 1) == 1
    area = np.bincount(found.ravel())
    for k, j in pairs.T:
        both = ((old == k) & (found == j)).sum()
        if alone[j] and _LIKE[0] * typical < area[j] < _LIKE[1] * typical and both > 0.7 * (old == k).sum():
            new[old == k] = 0
            new[(found == j) & (new <= 0)] = k
    return new


def within(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels in a box that is a little grown."""
    x0, y0, x1, y1 = box
    dy, dx = (y1 - y0) * (_GROWN - 1) / 2, (x1 - x0) * (_GROWN - 1) / 2
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((y >= y0 - dy) & (y < y1 + dy) & (x >= x0 - dx) & (x < x1 + dx))


def anew(look: Look, samples: Iterable[Sample]) -> Iterator[Sample]:
    """Samples, those of boxes and points refined."""
    for sample in samples:
        vouched = sample.boxes or sample.dataset == "chula_rbc12"
        yield refined(look, sample) if vouched and sample.part == "train" else sample


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, nargs="+", default=[Path("work/nano/shards")])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("work/nano/refined"))
    args = parser.parse_args()
    network = TileNetwork()
    network.load_state_dict(load(args.weights))
    for path in write_shards(anew(looks_with(network), read_shards(*args.shards)), args.out, "real"):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
