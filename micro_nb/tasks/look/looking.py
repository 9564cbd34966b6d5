"""Looks at images, kept in a cache; what is seen as unit vectors in the joint space."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import __version__
from ...analysis.segment import segmented_plane
from ...data.image import MicroImage
from ...data.view import Projection
from ...models.network import MicroD1
from .cache import SeenCache, cache_folder, cache_limit
from .fast import Compiled, faster
from .parts import DECODING
from .seen import KEEP_BYTES, Draw, Look, Seen

_CACHE = SeenCache()
_REVISION = 9  # counts changes in how looks are made; what was kept of earlier ones is not used


def look_at(
    img: MicroImage, model: MicroD1, *, channel: int | str | None = None, diameter_px: float | None = None,
    project: Projection | None = None, draw: Draw | None = None, client: Any = None,
) -> tuple[MicroImage, Seen]:  # fmt: skip
    """The plane of an image that is looked at, and what is seen there; from the cache where it has been looked at before.

    With a ``draw`` some windows are looked at, all where it is half of them; with a ``dask.distributed.Client`` its workers look.
    """
    plane, name = segmented_plane(img, channel, project)
    fast = _fast(plane, model) if client is None else None
    key = _key(plane, name, model, fast, diameter_px)

    def seen(draw: Draw | None) -> Seen | None:
        def look(folder: Path | None) -> Seen | None:
            return Look(model, plane, diameter_px, folder, fast, draw, client).run()

        return _CACHE.get(key, look, plane.plane_shape, draw)

    found = seen(draw) or seen(None)
    assert found is not None
    return plane, found


def is_kept(img: MicroImage, model: MicroD1) -> bool:
    """Whether all of an image was looked at before, and is kept."""
    plane, name = segmented_plane(img, None, None)
    return _key(plane, name, model, _fast(plane, model)) in _CACHE


def _fast(plane: MicroImage, model: MicroD1) -> Compiled | None:
    return faster(model, plane.plane_shape[0] * plane.plane_shape[1], cache_folder()) if cache_limit() else None


def _key(plane: MicroImage, channel: str, model: MicroD1, fast: Compiled | None, diameter_px: float | None = None) -> Hashable:
    at = None if diameter_px is None else round(float(diameter_px), 3)
    return plane.content_id, channel, model.weights_id, at, __version__, _REVISION, DECODING, fast.name if fast else ""


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
        whole = (torch.from_numpy(features)[None] for features in (seen.thumbnail, seen.detail))
        return np.asarray(model.joint.images(*whole)[0].numpy())


def tile_vectors(seen: Seen, model: MicroD1) -> np.ndarray:
    """``(T, D)`` unit vectors of tiles."""
    with torch.inference_mode():
        return np.asarray(model.joint.images(None, torch.from_numpy(seen.tiles)).numpy())
