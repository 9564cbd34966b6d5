"""``embed``: what Micro-D1 sees in an image, kept so that every later question about it is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.open import open_image
from ..data.view import Projection
from ..models.network import MicroD1
from ..tiles.objects import Objects
from .load import load_model
from .look.looking import image_vector, look_at, object_vectors, tile_vectors
from .look.seen import Seen
from .parse import parse_seen


@dataclass(frozen=True)
class Embedding:
    """Unit vectors in the joint image-text space, ``float32``.

    Attributes
    ----------
    image : ``(D,)``.
    tiles : ``(T, D)``, one for each of ``boxes (T, 4)``: y0, x0, y1, x1 in pixels of level 0.
    objects : ``(N, D)``, a row for each row of ``found.table``.
    found : everything that was found, named.
    seen : the look behind it.
    scale : pixels of the network along a pixel of level 0.
    image_id : content id.
    """

    image: np.ndarray
    tiles: np.ndarray
    boxes: np.ndarray
    objects: np.ndarray
    found: Objects
    seen: Seen
    scale: float
    image_id: str


def embed(
    img: Any, *, model: MicroD1 | None = None, channel: int | str | None = None, diameter_px: float | None = None,
    project: Projection | None = None,
) -> Embedding:  # fmt: skip
    """Vectors of an image, its tiles and its objects.

    Parameters
    ----------
    img : an image or what :func:`micro_nb.open_image` takes.
    channel : of several that are not a colour picture; as for :func:`micro_nb.segment`.
    diameter_px : typical object diameter in pixels of level 0, where the estimate should not be trusted.
    """
    model = model or load_model()
    opened = open_image(img)
    plane, seen = look_at(opened, model, channel=channel, diameter_px=diameter_px, project=project)
    found = parse_seen(plane, seen, None, model)
    vectors = {name: object_vectors(seen, name, model) for name in seen.layers}
    rows = [vectors[layer][label - 1] for layer, label in zip(found.table["layer"], found.table["label"], strict=True)]
    objects = np.stack(rows) if rows else np.zeros((0, model.config.embed_dim), np.float32)
    image, tiles = image_vector(seen, model), tile_vectors(seen, model)
    return Embedding(image, tiles, seen.boxes, objects, found, seen, 2 / seen.scale.pitch, opened.content_id)
