"""Looks at images, kept in a cache; what is seen as unit vectors in the joint space."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import torch

from ... import __version__
from ...analysis.segment import segmented_plane
from ...data.image import MicroImage
from ...data.view import Projection
from ...models.micro_d1 import MicroD1Model
from .cache import SeenCache
from .parts import DECODING
from .seen import Draw, Look, Seen

_CACHE = SeenCache()
_REVISION = 4
"""Counts changes in how looks are made; what was kept of earlier ones is not used."""


def look_at(
    img: MicroImage, model: MicroD1Model, *, channel: int | str | None = None, diameter_px: float | None = None,
    project: Projection | None = None, draw: Draw | None = None, client: Any = None,
) -> tuple[MicroImage, Seen]:  # fmt: skip
    """The plane of an image that is looked at, and what is seen there; from the cache where it has been looked at before.

    With a ``draw`` some windows are looked at, all where it is half of them; with a ``dask.distributed.Client`` its workers look.
    """
    plane, name = segmented_plane(img, channel, project)
    key = _key(plane, name, model, diameter_px)

    def seen(draw: Draw | None) -> Seen | None:
        return _CACHE.get(
            key, lambda folder: Look(model, plane, diameter_px, folder, draw, client).run(), plane.plane_shape, draw
        )

    found = seen(draw) or seen(None)
    assert found is not None
    return plane, found


def is_kept(img: MicroImage, model: MicroD1Model) -> bool:
    """Whether all of an image was looked at before, and is kept."""
    return _key(*segmented_plane(img, None, None), model) in _CACHE


def _key(plane: MicroImage, channel: str, model: MicroD1Model, diameter_px: float | None = None) -> Hashable:
    at = None if diameter_px is None else round(float(diameter_px), 3)
    return plane.content_id, channel, model.weights_id, at, __version__, _REVISION, DECODING


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
