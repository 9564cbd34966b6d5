"""``segment``: objects without trained weights, on a plane of any size."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from .. import __version__
from ..data.atomic import writing
from ..data.image import MicroImage
from ..data.location import Location
from ..data.open import open_image
from ..data.source import Index, Source, SourceOver
from ..data.view import Projection
from ..errors import AxesError, PlanError
from ..settings import settings
from ..tiles.assemble import LabelSink, TiledMaps, assemble
from ..tiles.labels import MEMORY_BOUND, MemoryLabels, ZarrLabels, layer_array, open_labels
from ..tiles.plan import Slices, TileGrid
from .foreground import maps, shrink
from .scale import TUNING, Recipe, find_recipe, spread_samples
from .split import split
from .stains import Kind, signal

_WINDOW = 1024
_NUCLEAR = ("dapi", "hoechst", "nucle", "draq5", "h2b", "sytox", "topro", "to-pro")


def segment(
    img: MicroImage,
    *,
    channel: int | str | None = None,
    tile: int = 1024,
    out: str | os.PathLike[str] | None = None,
    kind: Kind | None = None,
    recipe: Recipe | None = None,
    project: Projection | None = None,
    threads: int | None = None,
) -> xr.DataArray:
    """Finds the objects of a plane: fluorescent nuclei, stained tissue, blood smears, particles, cells in phase contrast.

    Kind, polarity, object size and threshold are found once from the image itself, so the labels depend on neither ``tile``
    nor ``threads``. Touching objects are parted at their necks.

    Parameters
    ----------
    img : a plane or a colour picture of any size; other axes must be selected or projected.
    channel : name or position; by default a nuclear stain by its name, else the first. Colour pictures use all three.
    tile : edge of the blocks that are read, in pixels of level 0; changes speed and memory only.
    out : a new ``.zarr`` path; the labels are written there as an OME-Zarr label image, in memory that does not grow.
    kind : what the picture is, where it should not be guessed.
    recipe : of a larger image that this one is part of, see :func:`~micro_nb.analysis.scale.find_recipe`.
    project : ``"max"`` or ``"mean"`` over a longer z or t.
    threads : windows worked on at a time; default ``settings.threads``.

    Returns
    -------
    ``(y, x) int32`` named ``labels``: 0 is background, objects are numbered in raster order of their first pixel.
    ``attrs`` hold what was found: kind, polarity, ``diameter_px``, threshold, and whether nothing stood out of the noise.

    Raises
    ------
    AxesError : the image is not a plane, or the channel is not known.
    PlanError : without ``out``, labels of more than 2 GiB.
    WriteError : ``out`` exists or cannot be written.

    References
    ----------
    Threshold: N. Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62-66. Splitting: watershed of the distance map, S. Beucher and
    C. Lantuéjoul (1979), with basins merged by the ratio of saddle to peak.

    Examples
    --------
    >>> import numpy as np, micro_nb as mnb
    >>> y, x = np.mgrid[:96, :128]
    >>> discs = sum(np.hypot(y - 48, x - cx) < 12 for cx in (30, 60, 90))
    >>> int(mnb.segment(mnb.open_image((40 + 160 * discs).astype("uint8"))).max())
    3
    """
    plane, name = segmented_plane(open_image(img), channel, project)
    _check(plane, kind, tile, out)
    plane = near_zero(plane)
    recipe = recipe or find_recipe(plane, kind=kind)
    job = _Job(plane, recipe, tile, threads or settings.threads)
    found = {"function": "segment", "version": __version__, "channel": name, "level": 0, **recipe.to_dict()}
    return job.in_memory(found) if out is None else job.on_disk(out, found)


@dataclass(frozen=True)
class _Job:
    """One run: a plane and the recipe for it. Working pixels are block means of ``recipe.reduction`` pixels."""

    plane: MicroImage
    recipe: Recipe
    tile: int
    threads: int

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` in working pixels."""
        height, width = self.plane.plane_shape
        return -(-height // self.recipe.reduction), -(-width // self.recipe.reduction)

    def in_memory(self, found: dict[str, Any]) -> xr.DataArray:
        sink = MemoryLabels(self.plane.plane_shape, factor=self.recipe.reduction)
        count = self.run(sink)
        return layer_array(sink.labels, (), pixel_size=self.plane.pixel_size).assign_attrs({**found, "objects": count})

    def on_disk(self, out: str | os.PathLike[str], found: dict[str, Any]) -> xr.DataArray:
        target = Location.of(out)
        with writing(target) as store:
            sink = ZarrLabels(store, self.plane.plane_shape, factor=self.recipe.reduction, threads=self.threads)
            count = self.run(sink)
            name = target.name.removesuffix(".zarr").removesuffix(".ome")
            sink.finish(name, pixel_size=self.plane.pixel_size, attrs={**found, "objects": count})
        return open_labels(out)

    def run(self, sink: LabelSink) -> int:
        if self.recipe.empty:
            return 0
        grid = TileGrid(self.shape, tile=max(1, self.tile // self.recipe.reduction))
        margin = max(64, round(3 * self.recipe.edges.diameter))
        read = TiledMaps(grid, self.maps).read
        return assemble(read, self.shape, self.decode(), sink, window=_WINDOW, margin=margin, threads=self.threads)

    def maps(self, core: Slices) -> np.ndarray:
        """Foreground and guide of a core, ``(2, y, x) uint8``."""
        rows, cols = (self._reach(s, n) for s, n in zip(core, self.shape, strict=True))
        k, recipe = self.recipe.reduction, self.recipe
        lead = (slice(None),) * (len(self.plane.axes) - 2)
        box = tuple(slice(s.start * k, min(s.stop * k, n)) for s, n in zip((rows, cols), self.plane.plane_shape, strict=True))
        pixels = self.plane.read(0, (*lead, *box))
        working = shrink(signal(pixels, recipe.kind, recipe.polarity, recipe.white), k)
        whole = maps(working, recipe.edges, (rows.start, cols.start))
        (cy, cx) = core
        return whole[:, cy.start - rows.start : cy.stop - rows.start, cx.start - cols.start : cx.stop - cols.start].copy()

    def decode(self) -> Callable[[np.ndarray], np.ndarray]:
        parting = self.recipe.parting

        def objects(window: np.ndarray) -> np.ndarray:
            return split(window[0] > 0, window[1], parting)

        return objects

    def _reach(self, s: slice, n: int) -> slice:
        cell, halo = self.recipe.edges.cell, self.recipe.halo
        start = max(0, s.start - halo)
        return slice(start - start % cell, min(n, s.stop + halo))


def near_zero(plane: MicroImage) -> MicroImage:
    """A plane whose values are far larger than their range, less the least of them; any other as it is.

    What follows is done in ``float32``, which keeps seven digits.
    """
    if plane.dtype.itemsize < 4:
        return plane
    finite = np.concatenate([s[np.isfinite(s)] for s in spread_samples(plane)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return MicroImage(Shifted(plane.source, low)) if abs(low) > 1000 * (high - low) > 0 else plane


class Shifted(SourceOver):
    """A source less a grey value, as ``float32``."""

    def __init__(self, base: Source, low: float) -> None:
        self.base, self.low = base, low
        self._show(replace(base.info, dtype=np.dtype(np.float32)), str(low))

    def read(self, level: int, index: Index) -> np.ndarray:
        return (self.base.read(level, index) - np.float64(self.low)).astype(np.float32)


def segmented_plane(img: MicroImage, channel: int | str | None, project: Projection | None) -> tuple[MicroImage, str]:
    """The plane or colour picture that :func:`segment` looks at, and the name of the channel that was taken."""
    plane = img.plane(project=project)
    if channel is not None:
        plane = plane.sel(c=channel) if "c" in plane.axes else plane
    elif plane.rgb:
        plane = plane.isel(c=[0, 1, 2]) if plane.sizes["c"] > 3 else plane
    elif "c" in plane.axes:
        plane = plane.isel(c=_nuclear([c.name for c in plane.channels]))
    if "c" in plane.axes and not plane.rgb:
        raise AxesError(f"channel={channel!r} leaves {plane.sizes['c']} channels; name one of {[c.name for c in img.channels]}")
    return plane, "red, green, blue" if "c" in plane.axes else plane.channels[0].name


def _nuclear(names: list[str]) -> int:
    return next((i for i, n in enumerate(names) if any(stain in n.lower() for stain in _NUCLEAR)), 0)


def _check(plane: MicroImage, kind: str | None, tile: int, out: Any) -> None:
    """Refuses what cannot be done before anything is read."""
    if kind is not None and kind not in TUNING:
        raise AxesError(f"kind={kind!r} is not one of {', '.join(TUNING)}")
    if kind in ("histology", "ihc", "blood") and "c" not in plane.axes:
        raise AxesError(f"kind={kind!r} needs a colour picture, but {plane.name} has the axes {''.join(plane.axes)!r}")
    if tile < 1:
        raise PlanError(f"tile={tile} must be at least 1")
    height, width = plane.plane_shape
    if out is None and height * width * 4 > MEMORY_BOUND:
        raise PlanError(
            f"labels of {plane.name} ({height} x {width}) need {height * width * 4 / 2**30:.1f} GiB, more than the "
            f"{MEMORY_BOUND / 2**30:.0f} GiB kept in memory; pass out='labels.zarr' to write them to disk"
        )
