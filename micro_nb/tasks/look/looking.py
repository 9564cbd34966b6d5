"""Looks at images, kept in a cache; what is seen as unit vectors in the joint space."""

from __future__ import annotations

import numpy as np
import torch

from ... import __version__
from ...analysis.segment import segmented_plane
from ...data.image import MicroImage
from ...data.view import Projection
from ...models.network import MicroD1
from .cache import SeenCache, cache_folder, cache_limit
from .fast import faster
from .seen import DECODING, KEEP_BYTES, Look, Seen

_CACHE = SeenCache()
_REVISION = 4
"""Counts changes in how looks are made; what was kept of earlier ones is not used."""


def look_at(
    img: MicroImage, model: MicroD1, *, channel: int | str | None = None, diameter_px: float | None = None,
    project: Projection | None = None,
) -> tuple[MicroImage, Seen]:  # fmt: skip
    """The plane of an image that is looked at, and what is seen there; from the cache where it has been looked at before."""
    plane, name = segmented_plane(img, channel, project)
    fast = faster(model, plane.plane_shape[0] * plane.plane_shape[1], cache_folder()) if cache_limit() else None
    at = None if diameter_px is None else round(float(diameter_px), 3)
    key = (plane.content_id, name, model.weights_id, at, __version__, _REVISION, DECODING, *([fast.name] if fast else []))
    return plane, _CACHE.get(key, lambda folder: Look(model, plane, diameter_px, folder, fast).run(), plane.plane_shape)


def object_vectors(seen: Seen, layer: str, model: MicroD1) -> np.ndarray:
    """``(N, D)`` unit vectors of a layer's objects, worked out once a look."""
    key = ("vectors", layer, model.weights_id)
    if key in seen.derived:
        return np.asarray(seen.derived[key])
    pooled = torch.from_numpy(np.asarray(seen.layers[layer].pooled, np.float32))
    with torch.inference_mode():
        tokens = model.thumb(torch.from_numpy(seen.thumbnail)[None])
        found = np.asarray(model.joint.objects(pooled[None], tokens)[0].numpy())
    if found.nbytes <= KEEP_BYTES:
        seen.derived[key] = found
    return found


def image_vector(seen: Seen, model: MicroD1) -> np.ndarray:
    """``(D,)`` unit vector of an image."""
    with torch.inference_mode():
        return np.asarray(
            model.joint.images(torch.from_numpy(seen.thumbnail)[None], torch.from_numpy(seen.detail)[None])[0].numpy()
        )


def tile_vectors(seen: Seen, model: MicroD1) -> np.ndarray:
    """``(T, D)`` unit vectors of tiles."""
    with torch.inference_mode():
        return np.asarray(model.joint.images(None, torch.from_numpy(seen.tiles)).numpy())
