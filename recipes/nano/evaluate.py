"""How well objects are found: AP at IoU 0.5 of held-out pictures, looked at once at their true scale.

    python evaluate.py --shards work/nano/shards --weights work/nano/run/tile.safetensors
    python evaluate.py --shards work/nano/shards --shipped --diameter 30

AP is TP / (TP + FP + FN) of a picture, mean over pictures; objects found mostly where nothing is known are not counted. The
second line looks with the weights of the package, as large as ``parse`` looks. Where people drew boxes, the found objects' boxes
are compared with them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage as ndi
from shards import Sample, nearest, read_shards
from tensors import load

from micro_nb.models.tile_network import OFFSET_UNIT, TileNetwork
from micro_nb.tasks.look.decode import Decoding, objects_of

Look = Callable[[torch.Tensor], torch.Tensor]
"""Pixels ``(1, 3, H, W)`` to geometry ``(L, 6, H/2, W/2)``."""
_LARGEST = 1600
"""Pixels of the network along a picture; of larger ones the middle is judged."""


def looks_with(network: TileNetwork, *, narrow: bool = False) -> Look:
    """Looks with a network as it is."""

    def look(pixels: torch.Tensor) -> torch.Tensor:
        device = next(network.parameters()).device
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=narrow):
            found = network(pixels.to(device, memory_format=torch.channels_last)).geometry[0]
        return found.float().cpu().clone()

    network.eval()
    return look


def looks_shipped() -> tuple[Look, tuple[str, ...]]:
    """Looks with the weights of the package."""
    from micro_nb import load_model

    model: Any = load_model()

    def look(pixels: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            found = model.tile(pixels).geometry[0]
        return torch.Tensor(found.clone())

    return look, tuple(model.config.layers)


def maps_of(look: Look, sample: Sample, diameter: float = 22.0) -> tuple[np.ndarray, tuple[int, int]]:
    """Geometry ``(L, 6, h, w)`` of a picture, and the shape that it was looked at in."""
    image = torch.from_numpy(np.atleast_3d(sample.image).transpose(2, 0, 1).astype(np.float32))[None]
    sparse = sample.image[:: max(1, sample.image.shape[0] // 512), :: max(1, sample.image.shape[1] // 512)]
    low, high = np.percentile(sparse, [0.5, 99.5])
    scale = diameter / sample.diameter_px
    shape = [max(16, round(n * scale)) for n in image.shape[2:]]
    small = F.interpolate(image, size=shape, mode="area" if scale < 1 else "bilinear")
    ready = ((small - low) / max(high - low, 1.0)).expand(-1, 3, -1, -1)
    ready = F.pad(ready, (0, -shape[1] % 16, 0, -shape[0] % 16), mode="replicate")
    maps = look(ready.contiguous())
    maps[:, [0, 4, 5]] = torch.sigmoid(maps[:, [0, 4, 5]])
    maps[:, 2:4] *= OFFSET_UNIT
    half = (-(-shape[0] // 2), -(-shape[1] // 2))
    return maps[..., : half[0], : half[1]].numpy(), half


def middle(sample: Sample, diameter: float) -> Sample:
    """The middle of a picture that is too large to be judged whole."""
    most = int(_LARGEST * sample.diameter_px / diameter)
    place = tuple(slice(max(0, (n - most) // 2), max(0, (n - most) // 2) + most) for n in sample.image.shape[:2])
    if sample.boxes or all(n <= most for n in sample.image.shape[:2]):
        return sample
    labels = {k: v[place] for k, v in sample.labels.items()}
    return Sample(**{**sample.__dict__, "image": np.ascontiguousarray(sample.image[place]), "labels": labels})


def ap_of_masks(truth: np.ndarray, found: np.ndarray, iou: float = 0.5) -> float:
    """TP / (TP + FP + FN); found objects that lie mostly on unknown pixels are left out."""
    n, m = int(truth.max(initial=0)), int(found.max(initial=0))
    pairs = np.bincount((truth.ravel() + 1).astype(np.int64) * (m + 1) + found.ravel(), minlength=(n + 2) * (m + 1))
    shared = pairs.reshape(n + 2, m + 1)
    true, seen = shared[2:].sum(1), shared[:, 1:].sum(0)
    union = true[:, None] + seen[None] - shared[2:, 1:]
    hits = int((shared[2:, 1:] > iou * np.maximum(union, 1)).sum())
    counted = int(((seen > 0) & (shared[0, 1:] < 0.5 * seen)).sum())
    total = int((true > 0).sum()) + max(counted, hits) - hits
    return hits / total if total else 1.0


def ap_of_boxes(boxes: np.ndarray, truth: np.ndarray, found: np.ndarray, iou: float = 0.5) -> float:
    """The same of boxes ``(n, 4)``, one to one, best pairs first; what lies mostly on unknown pixels is left out."""
    mine = np.array([[c.start, r.start, c.stop, r.stop] for r, c in ndi.find_objects(found)], float).reshape(-1, 4)
    overlap = box_iou(boxes, mine)
    used = np.zeros(len(boxes), bool), np.zeros(len(mine), bool)
    for k in np.argsort(-overlap, axis=None):
        i, j = np.unravel_index(k, overlap.shape)
        if overlap[i, j] <= iou:
            break
        if not used[0][i] and not used[1][j]:
            used[0][i] = used[1][j] = True
    unknown = np.bincount(found.ravel(), (truth == -1).ravel(), len(mine) + 1)[1:]
    strange = used[1] | (unknown < 0.5 * np.maximum(np.bincount(found.ravel(), minlength=len(mine) + 1)[1:], 1))
    hits = int(used[0].sum())
    total = len(boxes) + int(strange.sum()) - hits
    return hits / total if total else 1.0


def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``(n, m)`` of boxes x0, y0, x1, y1."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    area = [np.prod(v[:, 2:] - v[:, :2], axis=1) for v in (a, b)]
    return np.asarray(shared / np.maximum(area[0][:, None] + area[1][None] - shared, 1e-9))


def judge(look: Look, layers: Sequence[str], sample: Sample, decoding: Decoding, diameter: float = 22.0) -> dict[str, float]:
    """Layer -> AP of one picture."""
    sample = middle(sample, diameter)
    maps, _ = maps_of(look, sample, diameter)
    row = {}
    for layer, truth in sample.labels.items():
        if layer not in layers or layer == "nucleus" or not (truth > 0).any():
            continue
        found = nearest(objects_of(maps[layers.index(layer)], decoding), truth.shape)
        boxed = sample.boxes and layer == "object"
        row[layer] = ap_of_boxes(np.array(sample.boxes), truth, found) if boxed else ap_of_masks(truth, found)
    return row


def evaluate(
    look: Look,
    layers: Sequence[str],
    samples: Iterable[Sample],
    *,
    decoding: Decoding | None = None,
    limit: int = 10**9,
    diameter: float = 22.0,
) -> dict[str, float]:
    """``source:layer`` -> mean AP of at most ``limit`` pictures of each source, and their mean, ``mean``."""
    rows: dict[str, list[float]] = {}
    seen: dict[str, int] = {}
    for sample in samples:
        seen[sample.source] = seen.get(sample.source, 0) + 1
        if seen[sample.source] <= limit and sample.dataset != "chula_rbc12":
            for layer, ap in judge(look, layers, sample, decoding or Decoding(), diameter).items():
                rows.setdefault(f"{sample.source}:{layer}", []).append(ap)
    found = {key: round(float(np.mean(values)), 4) for key, values in sorted(rows.items())}
    return found | {"mean": round(float(np.mean(list(found.values()))), 4)}


def held_out(samples: Iterable[Sample], left_out: Sequence[str]) -> list[Sample]:
    """What is for validation: the held-out groups, and all of the data sets that are left out."""
    return [s for s in samples if s.part == "val" or s.dataset in left_out]


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, nargs="+", default=[Path("work/nano/shards")])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--shipped", action="store_true", help="look with the weights of the package")
    parser.add_argument("--leave-out", nargs="*", default=[], help="data sets that are judged whole")
    parser.add_argument("--limit", type=int, default=10**9, help="pictures of a source")
    parser.add_argument("--diameter", type=float, default=22.0, help="that typical objects are scaled to, px")
    parser.add_argument("--threads", type=int, default=1)
    for name, value in vars(Decoding()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network = TileNetwork()
    if not args.shipped:
        weights = load(args.weights)
        network.load_state_dict({k: weights[k] for k in network.state_dict()})
    look, layers = looks_shipped() if args.shipped else (looks_with(network), network.sizes.layers)
    decoding = Decoding(**{name: getattr(args, name) for name in vars(Decoding())})
    start = time.perf_counter()
    samples = held_out(read_shards(*args.shards), args.leave_out)
    found = evaluate(look, layers, samples, decoding=decoding, limit=args.limit, diameter=args.diameter)
    print(json.dumps(found | {"seconds": round(time.perf_counter() - start)}, indent=1))


if __name__ == "__main__":
    main()
