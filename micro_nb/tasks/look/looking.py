"""Looks at images, kept in a cache; what is seen as unit vectors in the joint space."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ... import __version__
from ...analysis.segment import segmented_plane
from ...data.image import MicroImage
from ...data.view import Projection
from ...models.micro_d1 import MicroD1Model
from ..names import Vocabulary
from .agree import FINER
from .cache import SeenCache
from .familiar import stain_of
from .haematoxylin import DENSER, HaematoxylinSource, haematoxylin_above
from .seen import DECODING, Look, Seen

_CACHE = SeenCache()
_REVISION = 2
"""Counts changes in how looks are made; what was kept of earlier ones is not used."""
_FEW, _MISLED = 10, 0.3
"""Objects like nuclei, and the share of them without haematoxylin, from which colours are taken to mislead."""


def look_at(
    img: MicroImage, model: MicroD1Model, *, channel: int | str | None = None, diameter_px: float | None = None,
    project: Projection | None = None,
) -> tuple[MicroImage, Seen]:  # fmt: skip
    """The plane of an image that is looked at, and what is seen there; from the cache where it has been looked at before."""
    plane, name = segmented_plane(img, channel, project)
    at = None if diameter_px is None else round(float(diameter_px), 3)
    key = (plane.content_id, name, model.weights_id, at, __version__, _REVISION, DECODING, FINER)
    return plane, _CACHE.get(key, lambda folder: _looked(model, plane, diameter_px, folder), plane.plane_shape)


def _looked(model: MicroD1Model, plane: MicroImage, diameter_px: float | None, folder: Path | None) -> Seen:
    """One look, or, where the colours of stained tissue mislead it, another one at its haematoxylin alone."""
    seen = Look(model, plane, diameter_px, folder).run()
    if not _misled(seen, model):
        return seen
    again = Look(model, MicroImage(HaematoxylinSource(plane)), diameter_px, folder).run()
    stain = stain_of(plane)
    layers = {
        k: replace(v, haematoxylin=haematoxylin_above(plane, v.labels, len(v), v.scale.diameter_px, stain))
        for k, v in again.layers.items()
    }
    return replace(seen, layers=layers, scale=again.scale, looked_at="haematoxylin")


def _misled(seen: Seen, model: MicroD1Model) -> bool:
    """Whether many of the objects that look like nuclei are not stained like them."""
    layer = next(iter(seen.layers))
    stain = seen.layers[layer].haematoxylin
    if stain is None:
        return False
    like = Vocabulary.of(model, coloured=bool(seen.stain)).like_nuclei(object_vectors(seen, layer, model))
    return int(like.sum()) >= _FEW and bool((stain[like] < DENSER).mean() > _MISLED)


def object_vectors(seen: Seen, layer: str, model: MicroD1Model) -> np.ndarray:
    """``(N, D)`` unit vectors of a layer's objects."""
    pooled = torch.from_numpy(np.asarray(seen.layers[layer].pooled, np.float32))
    if not len(pooled):
        return np.zeros((0, model.config.embed_dim), np.float32)
    with torch.inference_mode():
        tokens = model.thumb(torch.from_numpy(seen.thumbnail)[None])
        return np.asarray(model.joint.objects(pooled[None], tokens)[0].numpy())


def image_vector(seen: Seen, model: MicroD1Model) -> np.ndarray:
    """``(D,)`` unit vector of an image."""
    with torch.inference_mode():
        return np.asarray(
            model.joint.images(torch.from_numpy(seen.thumbnail)[None], torch.from_numpy(seen.detail)[None])[0].numpy()
        )


def tile_vectors(seen: Seen, model: MicroD1Model) -> np.ndarray:
    """``(T, D)`` unit vectors of tiles."""
    with torch.inference_mode():
        return np.asarray(model.joint.images(None, torch.from_numpy(seen.tiles)).numpy())
