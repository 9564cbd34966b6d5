"""``save_image``: OME-NGFF 0.5, sharded, with a pyramid, in bounded memory; a valid file or no file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store

from ..progress import Progress
from .atomic import writing
from .image import MicroImage
from .location import Location
from .open import open_image
from .pyramid import PyramidPlan, PyramidWalk, create_levels
from .save_labels import LabelImage
from .source import ImageInfo
from .sources.ngff_attrs import VERSION, image_attributes
from .sources.stores import put_group

_RANGE_PIXELS = 2**22


def save_image(
    img: Any,
    path: str | os.PathLike[str],
    *,
    chunk: int = 512,
    shard: int | None = None,
    levels: int | None = None,
    labels: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path | str:
    """Writes OME-NGFF 0.5: a file that is whole, or none.

    The pyramid is recomputed from level 0: each pixel is the mean of 2 x 2, integers rounded half up, NaN left out. Memory stays
    a few shards whatever the size, and equal input gives equal bytes on any number of threads.

    Parameters
    ----------
    img : a MicroImage, or whatever :func:`open_image` takes.
    path : folder to make (``x.ome.zarr``), or an address such as ``s3://bucket/x.ome.zarr``.
    chunk, shard : edges in pixels of the squares that are compressed, and of the files that hold them (default 4 chunks).
    levels : how many, level 0 included; by default until the coarsest fits one chunk.
    labels : label images by name, ``(y, x)`` or ``(layer, y, x)`` integers; None keeps the image's own, ``{}`` writes none.
    overwrite : replace an existing zarr store; the old one stays until the new one is complete.

    Returns
    -------
    The path, or the address where it is remote.

    Raises
    ------
    WriteError : the target exists or cannot be written; nothing half-written is left.
    PlanError : chunk and shard do not fit.

    Examples
    --------
    >>> import tempfile, micro_nb as mnb
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = mnb.save_image(np.zeros((64, 48), "uint16"), folder + "/a.ome.zarr")
    ...     mnb.open_image(out).sizes
    {'y': 64, 'x': 48}
    """
    image = img if isinstance(img, MicroImage) else open_image(img)
    target = Location.of(path)
    kept = {name: LabelImage.of(v, image, name) for name, v in (image.labels if labels is None else labels).items()}
    with writing(target, overwrite=overwrite) as store:
        together = (image.axes.index("c"),) if image.rgb else ()
        plan = PyramidPlan.of(image.shape, chunk=chunk, shard=shard, levels=levels, together=together)
        attributes = _write_pixels(image, store, plan)
        for name, label in kept.items():
            path_in, alike = f"labels/{name}", plan.levels if label.info.shape[-2:] == image.plane_shape else None
            put_group(store, path_in, label.write(store, path_in, chunk=chunk, shard=shard, levels=alike))
        if kept:
            put_group(store, "labels", {"ome": {"version": VERSION, "labels": list(kept)}})
        put_group(store, "", attributes)  # last: where there is no rename, nothing is seen before this
    return target.path if target.is_local else target.uri


def _write_pixels(image: MicroImage, store: Store, plan: PyramidPlan) -> dict[str, Any]:
    """Writes all levels; returns the attributes of their group."""
    info, arrays = image.info, create_levels(store, plan, dtype=image.dtype, axes=image.axes)
    with Progress(f"saving {image.name}", math.prod(image.shape) / 1e6, "MPx") as progress:
        PyramidWalk(plan, lambda place: image.read(0, place), arrays, "mean", lambda n: progress.advance(n / 1e6)).run()
    paths, name = [str(k) for k in range(plan.levels)], str(image.metadata.get("name") or _stem(image.name))
    ranges = list(_grey_ranges(info, arrays[-1])) if _says_channels(info) else None
    return image_attributes(info, paths=paths, factor=2, name=name, ranges=ranges)


def _says_channels(info: ImageInfo) -> bool:
    """Whether the channels say more than their count."""
    plain = all(replace(c, name="") == replace(c, name="", color=None, window=None, emission_nm=None, excitation_nm=None)
                and c.name == f"channel {i}" for i, c in enumerate(info.channels))  # fmt: skip
    return not plain or "c" in info.axes


def _grey_ranges(info: ImageInfo, coarsest: zarr.Array[Any]) -> Iterator[tuple[float, float]]:
    """Smallest and largest finite grey value per channel of the coarsest level (its first planes, where it is large)."""
    for i in range(len(info.channels)):
        index = tuple(
            slice(i, i + 1) if a == "c" else slice(0, min(n, _RANGE_PIXELS if a in "tz" else 2048))
            for a, n in zip(info.axes, coarsest.shape, strict=True)
        )
        index = tuple(slice(0, 1) if a in "tz" and math.prod(coarsest.shape) > _RANGE_PIXELS else s
                      for a, s in zip(info.axes, index, strict=True))  # fmt: skip
        pixels = np.asarray(coarsest[index])
        finite = pixels[np.isfinite(pixels)]
        yield (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _stem(name: str) -> str:
    """A file's name without what only says its format.

    >>> _stem("slide.ome.zarr")
    'slide'
    """
    return name.split(".ome.")[0].removesuffix(".zarr") or name
