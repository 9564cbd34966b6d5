"""Training shards: labelled images as plain ``.npz`` files that travel, losslessly; read with NumPy and Pillow alone.

Images are reduced to at most :data:`TRAVEL_PX` per typical object, each with a label image for every layer of geometry that is
known. In a label image 0 is background, ``-1`` is "not known here" and is never counted against anyone.

Where a data set has only boxes or points, masks are made from the foreground of the picture and the boxes or points
(:mod:`micro_nb.learn.weak`); foreground that nobody labelled is "not known".
"""

from __future__ import annotations

import io
import json
import lzma
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage as ndi

UNKNOWN = -1
_UNKNOWN_STORED = 65535
LARGEST_PX = 96.0
"""Typical objects are kept at no more than this many pixels across, so that what is a quarter of their size is seen sharp."""
TRAVEL_PX = 38.0
"""In shards, which are to be small, at no more than this; of the crops, one in sixteen shows objects larger."""
SHARD_BYTES = 8 << 20
"""A shard is closed once it holds this much."""


@dataclass
class Sample:
    """One labelled image.

    Attributes
    ----------
    image : ``(h, w, 3) uint8``; grey pictures have three equal channels.
    labels : layer -> ``(h, w) int32``, numbers below 65535; a layer that is missing is not known anywhere.
    names : layer -> object number -> concept.
    dataset, name, group : where it comes from; splits go by group.
    diameter_px : typical diameter of its objects in its pixels.
    facts : what else is known, such as its modality.
    jpeg : the file that the image was decoded from, where that was a JPEG: nothing keeps it smaller.
    """

    image: np.ndarray
    labels: dict[str, np.ndarray]
    names: dict[str, dict[int, str]]
    dataset: str
    name: str
    group: str
    diameter_px: float
    facts: dict[str, str] = field(default_factory=dict)
    jpeg: bytes | None = field(default=None, repr=False)

    def reduced(self, largest: float = LARGEST_PX) -> Sample:
        """The same with objects no larger than ``largest`` pixels."""
        scale = largest / self.diameter_px
        if scale >= 1:
            return self
        shape = tuple(max(1, round(n * scale)) for n in self.image.shape[:2])
        return Sample(
            resized(self.image, shape), {k: nearest(v, shape) for k, v in self.labels.items()}, self.names, self.dataset,
            self.name, self.group, self.diameter_px * scale, self.facts, self.jpeg,
        )  # fmt: skip


def typical_diameter(labels: Iterable[np.ndarray]) -> float:
    """Median diameter of discs of the objects' areas; objects are weighed by their diameter, so that specks do not decide."""
    areas = np.concatenate([np.bincount(lab[lab > 0].ravel())[1:] for lab in labels] or [np.zeros(0, int)])
    diameters = np.sort(2 * np.sqrt(areas[areas > 0] / np.pi))
    if diameters.size == 0:
        return 22.0
    weight = np.cumsum(diameters)
    return float(diameters[np.searchsorted(weight, weight[-1] / 2)])


def eight_bit(pixels: np.ndarray) -> np.ndarray:
    """``(h, w, 3) uint8`` of a picture ``(y, x)`` or of one or three channels ``(c, y, x)``, any real dtype.

    What is not uint8 is stretched between its 0.1 and 99.9 percentiles over all channels; training looks at percentiles within.

    Raises
    ------
    ValueError : another number of channels.
    """
    planes = pixels[None] if pixels.ndim == 2 else pixels
    if planes.ndim != 3 or len(planes) not in (1, 3):
        raise ValueError(f"a picture has one channel (y, x) or three (3, y, x); got {pixels.shape}: choose channels first")
    if planes.dtype != np.uint8:
        low, high = np.percentile(planes, [0.1, 99.9])
        planes = np.clip((planes - low) * (255 / max(high - low, 1e-12)), 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(planes, (3, *planes.shape[1:])).transpose(1, 2, 0))


def resized(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``(h, w, c) uint8`` by area averages."""
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BOX))


def nearest(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels at the centres of a coarser grid."""
    rows = ((np.arange(shape[0]) + 0.5) * labels.shape[0] / shape[0]).astype(int)
    cols = ((np.arange(shape[1]) + 0.5) * labels.shape[1] / shape[1]).astype(int)
    return np.asarray(labels[rows[:, None], cols[None]])


def write_shards(samples: Iterable[Sample], folder: str | os.PathLike[str], *, largest: float = TRAVEL_PX) -> list[Path]:
    """Writes samples, with objects no larger than ``largest`` pixels, to ``folder/shard_000.npz`` and on.

    Nothing else is lost: pixels are kept as reversible JPEG 2000, or as the JPEG they came from; labels as 16-bit differences
    from row to row under LZMA. Layers with equal labels are kept once. A shard is whole or absent.

    Returns
    -------
    The files, each of about :data:`SHARD_BYTES`.
    """
    out, packed, paths = Path(folder), dict[str, np.ndarray](), list[Path]()
    out.mkdir(parents=True, exist_ok=True)
    for k, sample in enumerate(samples):
        packed |= {f"{k:05d}/{name}": np.frombuffer(data, np.uint8) for name, data in _packed(sample.reduced(largest)).items()}
        if sum(data.nbytes for data in packed.values()) > SHARD_BYTES:
            paths.append(_written(packed, out / f"shard_{len(paths):03d}.npz"))
            packed = {}
    if packed:
        paths.append(_written(packed, out / f"shard_{len(paths):03d}.npz"))
    return paths


def read_shards(folder: str | os.PathLike[str]) -> Iterator[Sample]:
    """The samples of a folder of shards, in the order in which they were written.

    Raises
    ------
    FileNotFoundError : there are no shards in the folder.
    """
    paths = sorted(Path(folder).glob("*.npz"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no .npz shards here; make them with micro_nb.learn.shards.write_shards")
    for path in paths:
        with np.load(path, allow_pickle=False) as packed:
            for key in sorted({name.split("/")[0] for name in packed.files}):
                yield _unpacked({n.removeprefix(f"{key}/"): packed[n].tobytes() for n in packed.files if n.startswith(f"{key}/")})


def _written(packed: dict[str, np.ndarray], path: Path) -> Path:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **packed)  # type: ignore[arg-type]  # stubs take the names for options
    partial.replace(path)
    return path


def _packed(sample: Sample) -> dict[str, bytes]:
    """A sample as bytes: ``image``, ``meta``, ``labels/LAYER``."""
    found = {"image": _encoded(sample)}
    same: dict[str, str] = {}
    for layer, labels in sample.labels.items():
        stored = np.where(labels == UNKNOWN, _UNKNOWN_STORED, labels).astype("<u2")
        data = lzma.compress(np.diff(stored, axis=0, prepend=np.zeros((1, stored.shape[1]), "<u2")).tobytes())
        twin = next((k.removeprefix("labels/") for k, v in found.items() if v == data), None)
        if twin is None:
            found[f"labels/{layer}"] = data
        else:
            same[layer] = twin
    meta = {
        "dataset": sample.dataset, "name": sample.name, "group": sample.group, "diameter_px": sample.diameter_px,
        "facts": sample.facts, "names": {layer: {str(i): n for i, n in ids.items()} for layer, ids in sample.names.items()},
        "same": same, "layers": list(sample.labels), "shape": sample.image.shape[:2],
    }  # fmt: skip
    return found | {"meta": lzma.compress(json.dumps(meta).encode())}


def _unpacked(packed: dict[str, bytes]) -> Sample:
    meta = json.loads(lzma.decompress(packed["meta"]))
    same, layers, shape = meta.pop("same"), meta.pop("layers"), tuple(meta.pop("shape"))
    read = {n.removeprefix("labels/"): _labels(data, shape) for n, data in packed.items() if n.startswith("labels/")}
    names = {layer: {int(i): n for i, n in ids.items()} for layer, ids in meta.pop("names").items()}
    return Sample(_decoded(packed["image"], shape), {layer: read[same.get(layer, layer)] for layer in layers}, names, **meta)


def _encoded(sample: Sample) -> bytes:
    if sample.jpeg is not None and np.array_equal(_decoded(sample.jpeg, sample.image.shape[:2]), sample.image):
        return sample.jpeg
    grey = bool((sample.image == sample.image[..., :1]).all())
    file = io.BytesIO()
    Image.fromarray(sample.image[..., 0] if grey else sample.image).save(
        file, "JPEG2000", irreversible=False, mct=0 if grey else 1
    )
    return file.getvalue()


def _decoded(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    image = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return image if image.shape[:2] == tuple(shape) else resized(image, shape)


def _labels(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    steps = np.frombuffer(lzma.decompress(data), "<u2").reshape(shape)
    stored = np.cumsum(steps, axis=0, dtype=np.uint16).astype(np.int32)
    return np.where(stored == _UNKNOWN_STORED, np.int32(UNKNOWN), stored)


def relabelled(labels: np.ndarray) -> np.ndarray:
    """Consecutive numbers from 1; ``-1`` and 0 stay."""
    known = np.unique(labels[labels > 0])
    table = np.zeros(int(labels.max(initial=0)) + 2, np.int32)
    table[known] = np.arange(1, known.size + 1)
    table[-1] = UNKNOWN
    return np.asarray(table[labels])


def rim(labels: np.ndarray, width: int) -> np.ndarray:
    """The same with background within ``width`` of the frame not known: for sets that leave out what the frame cuts."""
    out = labels.copy()
    inner = np.zeros(labels.shape, bool)
    inner[width:-width, width:-width] = True
    out[~inner & (labels == 0)] = UNKNOWN
    return out


def components(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Connected components of at least ``smallest`` pixels."""
    found, _ = ndi.label(mask)
    sizes = np.bincount(found.ravel())
    found[sizes[found] < smallest] = 0
    return relabelled(found)
