"""How large objects are, said in one cheap pass: strided glances at a picture, each of which knows the sizes near its own.

    python glance.py --shards work/nano/shards --weights work/nano/run/tile.safetensors

Prints, for each source of the held-out pictures, the share whose typical diameter is said right within a factor of 1.4, and the
median error in octaves.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from evaluate import held_out
from network import STRIDE, TileNetwork
from shards import read_shards
from tensors import load

Glance = Callable[[torch.Tensor], torch.Tensor]
"""Pixels ``(1, 3, H, W)`` to sizes ``(L, 2, H/16, W/16)``."""
STRIDES = (0.5, 1, 2, 4, 8, 16)
"""Pixels of the picture along a pixel of a glance; below 1 it is enlarged."""
_EDGE, _LEAST = 384, 32
"""Pixels of a glance that are looked at, in the picture's middle and corners where it is larger; and the fewest."""
_TRUST = 0.8
"""Octaves around the network's own size within which a glance is trusted."""


def glances_with(network: TileNetwork) -> Glance:
    """Glances with a network as it is."""
    network.eval()

    def glance(pixels: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return network.glance(pixels)[0].float().clone()

    return glance


def glances(image: np.ndarray) -> Iterator[tuple[float, torch.Tensor]]:
    """Strides, and parts ``(1, 3, h, w)`` of the picture ``(h, w[, 3])`` at each."""
    plain = torch.from_numpy(np.atleast_3d(image).transpose(2, 0, 1).astype(np.float32))[None]
    low, high = np.percentile(image[:: max(1, image.shape[0] // 512), :: max(1, image.shape[1] // 512)], [0.5, 99.5])
    plain = ((plain - low) / max(high - low, 1.0)).expand(-1, 3, -1, -1)
    for stride in STRIDES:
        shape = [round(n / stride) for n in image.shape[:2]]
        if min(shape) < _LEAST or (stride < 1 and max(shape) > 2 * _EDGE):
            continue
        small = F.interpolate(plain, size=shape, mode="area" if stride > 1 else "bilinear")
        for part in _parts(small):
            yield stride, F.pad(part, (0, -part.shape[3] % STRIDE, 0, -part.shape[2] % STRIDE), mode="replicate").contiguous()


def _parts(picture: torch.Tensor) -> Iterator[torch.Tensor]:
    """The whole of a small picture; the middle and two corners of a larger one."""
    h, w = picture.shape[2:]
    edge = [min(n, _EDGE) for n in (h, w)]
    starts = {((h - edge[0]) * k // 4, (w - edge[1]) * k // 4) for k in (1, 2, 3)}
    for top, left in sorted(starts):
        yield picture[..., top : top + edge[0], left : left + edge[1]]


def typical_diameter(glance: Glance, image: np.ndarray, *, layer: int = 0, unit: float = 22.0) -> tuple[float, float]:
    """The typical diameter in the picture's pixels, and how much there is of it, 0 to 1.

    Each place of each glance says a size; it counts as far as an object is there and its size is near the glance's own.
    """
    said, weights = [np.zeros(0)], [np.zeros(0)]
    for stride, pixels in glances(image):
        found = glance(pixels)[layer].numpy()
        sure = 1 / (1 + np.exp(-found[1])) * np.exp(-((found[0] / _TRUST) ** 2) / 2)
        said.append(found[0].ravel() + np.log2(stride))
        weights.append(sure.ravel() / sure.size)
    values, weight = np.concatenate(said), np.concatenate(weights)
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    if not len(total) or total[-1] <= 0:
        return unit, 0.0
    return float(unit * 2 ** values[order][np.searchsorted(total, total[-1] / 2)]), float(min(1.0, total[-1]))


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, nargs="+", default=[Path("work/nano/shards")])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--leave-out", nargs="*", default=[])
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network = TileNetwork()
    network.load_state_dict(load(args.weights))
    errors: dict[str, list[float]] = {}
    for sample in held_out(read_shards(*args.shards), args.leave_out):
        mine = errors.setdefault(sample.source, [])
        if len(mine) < args.limit and "object" in sample.labels:
            mine.append(abs(float(np.log2(typical_diameter(glances_with(network), sample.image)[0] / sample.diameter_px))))
    for source, octaves in sorted(errors.items()):
        if octaves:
            row = {"right": np.mean(np.array(octaves) < 0.5), "octaves": np.median(octaves), "pictures": len(octaves)}
            print(source, json.dumps({k: round(float(v), 3) for k, v in row.items()}))


if __name__ == "__main__":
    main()
