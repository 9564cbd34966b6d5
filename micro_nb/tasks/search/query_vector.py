"""The vector of a query that is no text: an image, a crop, or a place in the indexed image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...data.open import open_image
from ...data.region import Region
from ...errors import RegionError
from ..embed import embed
from .object_facts import BOX
from .rows import PLACE
from .store import Of
from .vectors import Rows, unit


def image_vector(query: Any, of: Of, model: Any) -> np.ndarray:
    """``(D,)`` unit float32 of an image or crop; for an index of objects, of the object nearest its middle.

    Raises
    ------
    ValueError : an object is asked for and none was found.
    """
    img = open_image(query)
    seen = embed(img, model=model)
    if of != "objects":
        return unit(seen.image)
    if not len(seen.found.table):
        raise ValueError(f"no object was found in {img.name}; give a crop with an object at its middle, or search by text")
    y0, x0, y1, x1 = (seen.found.table[c].to_numpy(float) for c in BOX)
    height, width = img.plane_shape
    distance = np.hypot((y0 + y1) / 2 - height / 2, (x0 + x1) / 2 - width / 2)
    return unit(seen.objects[int(distance.argmin())])


def region_vector(region: Region, of: Of, sources: Sequence[Mapping[str, Any]], table: pd.DataFrame, rows: Rows) -> np.ndarray:
    """``(D,)`` of a place, from what the index already holds: its objects' mean, or that of its tiles by how much they share.

    Raises
    ------
    RegionError : rows are whole images, there are several images, or nothing of the index lies there.
    """
    if of == "images" or len(sources) != 1:
        raise RegionError(
            f"a Region names no image, and this is an index of {of} of {len(sources)}; search with a crop, img.sel(region=...)"
        )
    place = region.to("px", sources[0]["pixel_size"])
    y0, x0, y1, x1 = (table[c].to_numpy(float) for c in PLACE)
    if of == "objects":
        weight = place.contains((y0 + y1) / 2, (x0 + x1) / 2).astype(np.float32)
    else:
        height = np.minimum(y1, place.y1) - np.maximum(y0, place.y0)
        width = np.minimum(x1, place.x1) - np.maximum(x0, place.x0)
        weight = (np.maximum(height, 0) * np.maximum(width, 0)).astype(np.float32)
    chosen = np.flatnonzero(weight)
    if not len(chosen):
        raise RegionError(f"no {of} of the index lie in y {place.y0:g}..{place.y1:g}, x {place.x0:g}..{place.x1:g} px")
    return unit(weight[chosen] @ rows.take(chosen))
