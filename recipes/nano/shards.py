"""Shards: labelled images as plain ``.npz`` files of PNG and JPEG bytes, to be read with NumPy and Pillow alone.

In a label image 0 is background and ``-1`` is "not known here", which is never counted against anyone. A layer that an image
lacks is not known anywhere in it.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

UNKNOWN = -1
_STORED = 65535
LARGEST_PX = 96.0
"""Typical objects are kept at no more than this many pixels across."""
SHARD_BYTES = 16 << 20


@dataclass
class Sample:
    """One labelled image.

    Attributes
    ----------
    image : ``(h, w, 3) uint8``, or ``(h, w)`` where it is grey.
    labels : layer -> ``(h, w)`` integers below 32768.
    names : layer -> object number -> concept.
    dataset, kind, name, group, part : where it comes from, and whether it is for ``"train"`` or ``"val"``.
    diameter_px : typical diameter of its objects, in its own pixels.
    boxes : ``(n, 4)`` x0, y0, x1, y1 of hand-drawn boxes, in its own pixels, where that is all that people drew.
    jpeg : the file it was decoded from, where that was a JPEG: nothing keeps it smaller.
    """

    image: np.ndarray
    labels: dict[str, np.ndarray]
    names: dict[str, dict[int, str]]
    dataset: str
    kind: str
    name: str
    group: str
    part: str
    diameter_px: float
    boxes: list[list[float]] = field(default_factory=list)
    jpeg: bytes | None = field(default=None, repr=False)

    @property
    def source(self) -> str:
        """Its data set, and its kind within that."""
        return f"{self.dataset}/{self.kind}" if self.kind else self.dataset

    def reduced(self, largest: float = LARGEST_PX) -> Sample:
        """The same with objects no larger than ``largest`` pixels."""
        scale = largest / self.diameter_px
        if scale >= 1:
            return self
        shape = tuple(max(1, round(n * scale)) for n in self.image.shape[:2])
        small = np.asarray(Image.fromarray(self.image).resize(shape[::-1], Image.Resampling.BOX))
        labels = {layer: nearest(lab, shape) for layer, lab in self.labels.items()}
        boxes = [[v * scale for v in box] for box in self.boxes]
        changed = {"image": small, "labels": labels, "boxes": boxes, "diameter_px": self.diameter_px * scale, "jpeg": None}
        return Sample(**{**self.__dict__, **changed})


def nearest(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels at the centres of another grid."""
    rows, cols = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, labels.shape, strict=True))
    return np.asarray(labels[rows[:, None], cols[None]])


def write_shards(samples: Iterable[Sample], folder: str | os.PathLike[str], stem: str) -> list[Path]:
    """Writes ``folder/STEM_000.npz`` and on, each of about :data:`SHARD_BYTES`; a file is whole or absent."""
    out, packed, paths, size = Path(folder), dict[str, np.ndarray](), list[Path](), 0
    out.mkdir(parents=True, exist_ok=True)
    for k, sample in enumerate(samples):
        mine = {f"{k:05d}/{name}": np.frombuffer(data, np.uint8) for name, data in _packed(sample).items()}
        packed |= mine
        size += sum(data.nbytes for data in mine.values())
        if size > SHARD_BYTES:
            paths.append(_written(packed, out / f"{stem}_{len(paths):03d}.npz"))
            packed, size = {}, 0
    return [*paths, _written(packed, out / f"{stem}_{len(paths):03d}.npz")] if packed else paths


def read_shards(*folders: str | os.PathLike[str]) -> Iterator[Sample]:
    """The samples of folders of shards, in the order of file names."""
    paths = sorted(path for folder in folders for path in Path(folder).glob("*.npz"))
    if not paths:
        raise FileNotFoundError(f"no .npz shards in {', '.join(map(str, folders))}; make them with pack.py and scenes")
    for path in paths:
        with np.load(path, allow_pickle=False) as packed:
            for key in sorted({name.split("/")[0] for name in packed.files}):
                names = [n for n in packed.files if n.startswith(f"{key}/")]
                yield _unpacked({n.removeprefix(f"{key}/"): packed[n].tobytes() for n in names})


def _written(packed: dict[str, np.ndarray], path: Path) -> Path:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **packed)  # type: ignore[arg-type]
    partial.replace(path)
    return path


def _packed(sample: Sample) -> dict[str, bytes]:
    found: dict[str, bytes] = {"image": sample.jpeg or _png(_flat(sample.image))}
    same: dict[str, str] = {}
    for layer, labels in sample.labels.items():
        data = _png(np.where(labels == UNKNOWN, _STORED, labels).astype(np.uint16))
        twin = next((k.removeprefix("labels/") for k, v in found.items() if v == data), None)
        same[layer] = twin or layer
        if twin is None:
            found[f"labels/{layer}"] = data
    fields = ("dataset", "kind", "name", "group", "part", "diameter_px", "boxes")
    meta: dict[str, Any] = {k: getattr(sample, k) for k in fields} | {"same": same}
    meta["names"] = {layer: {str(i): n for i, n in ids.items()} for layer, ids in sample.names.items()}
    return found | {"meta": json.dumps(meta).encode()}


def _unpacked(packed: dict[str, bytes]) -> Sample:
    meta = json.loads(packed["meta"])
    same, names = meta.pop("same"), meta.pop("names")
    read = {n.removeprefix("labels/"): _labels(data) for n, data in packed.items() if n.startswith("labels/")}
    named = {layer: {int(i): n for i, n in ids.items()} for layer, ids in names.items()}
    image = _flat(np.asarray(Image.open(io.BytesIO(packed["image"]))))
    return Sample(image, {layer: read[twin] for layer, twin in same.items()}, named, **meta)


def _flat(image: np.ndarray) -> np.ndarray:
    """``(h, w)`` where the channels are equal."""
    return np.ascontiguousarray(image[..., 0]) if image.ndim == 3 and (image == image[..., :1]).all() else image


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=6)
    return file.getvalue()


def _labels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data))).astype(np.uint16).view(np.int16)  # 65535 is -1
