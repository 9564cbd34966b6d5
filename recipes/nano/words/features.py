"""What the eyes see of training images, computed once: the joint space is trained on these, so that it takes minutes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse

from micro_nb.learn.augment import recolour
from micro_nb.learn.sample import Sample
from micro_nb.models.micro_d1 import MicroD1Model
from micro_nb.models.pictures import normalise
from micro_nb.progress import Progress
from micro_nb.tasks.look.decode import Decoding, objects_of
from micro_nb.tasks.look.network import CHANNELS, resampled, run
from micro_nb.tasks.look.scale import pitch_for

from .facts import Facts, facts_of

STRAY = ""
"""The name of what is found where nothing is labelled: it is none of the things that are labelled wherever they are."""
_LARGEST = 2048
_BARE = 0.8
"""Least share of a stray that lies outside labels."""


@dataclass(frozen=True)
class Features:
    """One view of one image.

    Attributes
    ----------
    key : data set and name.
    facts : what is there.
    seen : ``(M, 1280) float16`` features of the thumbnail.
    detail : ``(2 D,) float32`` mean and deviation of pixel embeddings.
    pooled : ``(N, D) float32`` of labelled objects, and of strays.
    names : their names, :data:`STRAY` for strays.
    """

    key: str
    facts: Facts
    seen: np.ndarray
    detail: np.ndarray
    pooled: np.ndarray
    names: tuple[str, ...]


def views(samples: Sequence[Sample], model: MicroD1Model, *, copies: int, seed: int = 0) -> list[Features]:
    """A plain view of every image, and ``copies`` in which exposure, stain, pose and scale differ."""
    found = []
    with Progress("looking at training images", len(samples) * (1 + copies), "views") as progress:
        for k, sample in enumerate(samples):
            facts = facts_of(sample)
            for copy in range(1 + copies):
                found.append(view(sample, facts, model, np.random.default_rng([seed, k, copy]) if copy else None))
                progress.advance()
    return found


def view(sample: Sample, facts: Facts, model: MicroD1Model, rng: np.random.Generator | None = None) -> Features:
    """One view; changed where ``rng`` is given."""
    turn, flip = (int(rng.integers(4)), bool(rng.integers(2))) if rng is not None else (0, False)
    image = normalise(np.ascontiguousarray(_turned(sample.image, turn, flip).transpose(2, 0, 1)))
    diameter = sample.diameter_px
    if rng is not None:
        image, diameter = recolour(rng, image), diameter * float(np.exp(rng.normal(0, 0.25)))
    pitch = max(pitch_for(diameter, model.config.diameter_px), -(-max(image.shape[1:]) // _LARGEST))
    planes = torch.from_numpy(image)[None]
    rows, cols = (n // pitch * pitch for n in planes.shape[2:])
    pixels = resampled(F.pad(planes[:, :, :rows, :cols], (0, pitch, 0, pitch), mode="replicate"), pitch)
    geometry, embedding = (found.float().numpy() for found in run(model.eyes[0], pixels))
    coarse = {k: _coarse(_turned(lab, turn, flip), pitch, geometry.shape[1:]) for k, lab in sample.labels.items()}
    bare = {k: (lab <= 0 if facts.labelled else lab == 0) for k, lab in coarse.items()}
    found = {k: strays_of(_found(geometry, model.config.layers.index(k)), free) for k, free in bare.items()}
    pooled, names = _objects(coarse, sample.names, found, embedding)
    with torch.inference_mode():
        seen = model.thumb.look(model.processor.thumbnail(planes))[0].numpy().astype(np.float16)
    cells = embedding.reshape(len(embedding), -1)
    detail = np.concatenate([cells.mean(1), cells.std(1)]).astype(np.float32)
    return Features(f"{sample.dataset}/{sample.name}", facts, seen, detail, pooled, names)


def _turned(image: np.ndarray, turn: int, flip: bool) -> np.ndarray:
    turned = np.rot90(image, turn)
    return turned[:, ::-1] if flip else turned


def _coarse(labels: np.ndarray, pitch: int, shape: tuple[int, ...]) -> np.ndarray:
    """Labels at the map pixels ``shape``."""
    return labels[pitch // 2 :: pitch, pitch // 2 :: pitch][: shape[0], : shape[1]]


def _objects(
    layers: Mapping[str, np.ndarray], named: Mapping[str, Mapping[int, str]], strays: Mapping[str, np.ndarray],
    embedding: np.ndarray,
) -> tuple[np.ndarray, tuple[str, ...]]:  # fmt: skip
    """Mean embedding and name of every labelled object and of every stray."""
    parts, names = [np.zeros((0, len(embedding)), np.float32)], list[str]()
    for layer, labels in layers.items():
        known = named.get(layer, {})
        for number, mean in _pooled(labels, embedding):
            if number in known:
                parts.append(mean[None])
                names.append(known[number])
        for _, mean in _pooled(strays[layer], embedding):
            parts.append(mean[None])
            names.append(STRAY)
    return np.concatenate(parts), tuple(names)


def _found(geometry: np.ndarray, layer: int) -> np.ndarray:
    """Objects of a layer, as they are found."""
    return objects_of(geometry[CHANNELS * layer : CHANNELS * (layer + 1)], Decoding())


def strays_of(found: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Those of the objects ``found`` that lie where it is ``free`` of labels."""
    bare = np.bincount(found.ravel(), free.ravel()) >= _BARE * np.bincount(found.ravel())
    bare[0] = False
    return np.where(bare[found], found, 0)


def _pooled(labels: np.ndarray, embedding: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    y, x = np.nonzero(labels > 0)
    present, row = np.unique(labels[y, x], return_inverse=True)
    cells = (y // 2) * embedding.shape[2] + x // 2
    weights = sparse.csr_array((np.ones(row.size, np.float32), (row, cells)), shape=(present.size, embedding[0].size))
    means = (weights @ embedding.reshape(len(embedding), -1).T) / np.maximum(np.bincount(row, minlength=present.size)[:, None], 1)
    yield from zip((int(k) for k in present), means.astype(np.float32), strict=True)


def concepts_seen(features: Iterable[Features]) -> tuple[list[str], list[str]]:
    """Names that objects have, and concepts that are present in an image, sorted."""
    features = list(features)
    return sorted({n for f in features for n in f.names if n != STRAY}), sorted({c for f in features for c in f.facts.present})
