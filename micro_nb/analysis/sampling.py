"""``sample_objects``: how many objects a huge image holds, and what they are like, from a random sample of its tiles."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..data.image import MicroImage
from ..data.region import Region
from ..progress import Progress
from ..settings import settings
from ..tiles.objects import Objects
from ..tiles.plan import Tile, TileGrid
from .scale import Recipe, find_recipe
from .segment import segment, segmented_plane
from .stains import signal
from .statistics import Estimate, estimate_total

_LATTICE = 128
_COARSE_PX, _STEP = 1 << 22, 4


@dataclass(frozen=True)
class ObjectSample:
    """Objects of the sampled tiles, and what they say about the whole image.

    Attributes
    ----------
    table : a row an object whose centroid lies in a sampled core; columns as in :func:`measure`, positions in the whole image,
        ``tile`` is the index of the tile.
    grid : the sampled tiles.
    recipe : how objects were found; fixed once for the image.
    sizes : for each sampled tile, how much of it looks like objects in a coarse level (or its area where there is none).
    whole : the number of all tiles, and the sum of their sizes.
    """

    table: pd.DataFrame
    grid: TileGrid
    recipe: Recipe
    sizes: tuple[float, ...]
    whole: tuple[int, float]

    @property
    def count(self) -> Estimate:
        """Objects in the whole image, with a 95 % interval."""
        return self.total(self.table)

    def total(self, table: pd.DataFrame, weights: np.ndarray | None = None) -> Estimate:
        """How many objects all tiles hold that are like ``table``, rows of :attr:`table`; or the sum of their ``weights``."""
        each = pd.Series(np.ones(len(table)) if weights is None else weights).groupby(table["tile"].to_numpy()).sum()
        per_tile = each.reindex([t.index for t in self.grid], fill_value=0.0)
        return estimate_total(per_tile.to_numpy(), self.whole[0], areas=self.sizes, total_area=self.whole[1])

    def __repr__(self) -> str:
        return f"<ObjectSample: {len(self.table):,} objects in {len(self.grid)} tiles; {self.count}>"


def sample_objects(
    img: MicroImage,
    *,
    tiles: int = 32,
    tile: int = 768,
    region: Region | None = None,
    channel: int | str | None = None,
    find: Callable[[MicroImage], Objects] | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> ObjectSample:
    """Segments and measures a random sample of tiles; with all tiles, the count is exact for this method.

    An object belongs to the tile that holds its centroid; each tile is read with a margin, so objects at its rim are whole. Where
    the image has a pyramid, the total is a ratio estimate: how much of each tile looks like objects is read from a coarse level
    of the whole image, and the sampled tiles say how many objects that stands for. The interval covers the sampling alone.

    Parameters
    ----------
    img : a plane or colour picture of any size.
    tiles : how many tiles to draw without replacement; memory is that of ``threads`` tiles.
    tile : edge of a core in pixels of level 0.
    region : only tiles that meet it, objects in it; None for the whole image.
    channel : as in :func:`segment`.
    find : finds the objects of a tile, such as ``lambda tile: mnb.parse(tile, "nucleus", diameter_px=20)``, with everything
        fixed that is to be the same in all tiles; by default :func:`segment`.
    seed : of the draw.

    Raises
    ------
    AxesError, PlanError : as :func:`segment`; fewer than two tiles of several give no interval.

    References
    ----------
    Ratio estimation: W. G. Cochran, Sampling Techniques (1977), chapter 6.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> scene = mnb.samples.fluorescence((1024, 1024), seed=1)
    >>> found = sample_objects(scene.image, tiles=4, tile=512)
    >>> found.count.n == found.count.N and abs(found.count.value / scene.count() - 1) < 0.1
    True
    """
    plane, _ = segmented_plane(img, channel, None)
    recipe = find_recipe(plane)
    full = TileGrid(plane.plane_shape, tile=tile, halo=_margin(recipe))
    place = region.to("px", img.pixel_size).clip(plane.plane_shape) if region else None
    grid = full.within(place) if place else full
    drawn = grid.sample(tiles, seed=seed)

    def by_segment(part: MicroImage) -> Objects:
        return Objects.from_labels(part, segment(part, channel=channel, recipe=recipe, threads=1))

    with ThreadPoolExecutor(threads or settings.threads) as pool, Progress("sampling tiles", len(drawn), "tiles") as progress:
        tables = []
        for found in pool.map(lambda t: _objects(img, t, find or by_segment), drawn):
            tables.append(found)
            progress.advance()
    return drawn_of(pd.concat(tables, ignore_index=True), plane, recipe, grid, drawn, place)


def drawn_of(
    table: pd.DataFrame, plane: MicroImage, recipe: Recipe, grid: TileGrid, drawn: TileGrid, place: Region | None
) -> ObjectSample:
    """What objects of the ``drawn`` tiles of a ``grid`` over a plane, or over a place in it (in px), say about all of them."""
    sizes = {t.index: size for t, size in zip(grid, _sizes(plane, recipe, grid, place), strict=True)}
    whole = len(grid), sum(sizes.values())
    if place is not None:
        inside = place.contains(table["centroid_y_px"].to_numpy(), table["centroid_x_px"].to_numpy())
        table = table[inside].reset_index(drop=True)
    return ObjectSample(table, drawn, recipe, tuple(sizes[t.index] for t in drawn), whole)


def _margin(recipe: Recipe) -> int:
    """Pixels around a core within which its objects and their surroundings lie, in whole cells of the recipe's grids."""
    step = recipe.reduction * recipe.edges.cell
    return -(-round(3 * recipe.diameter_px + recipe.halo * recipe.reduction) // step) * step


def _objects(img: MicroImage, tile: Tile, find: Callable[[MicroImage], Objects]) -> pd.DataFrame:
    """The objects of one tile, placed in the whole image."""
    rows, cols = tile.read
    table = find(img.isel(y=rows, x=cols)).table.copy()
    for axis, start in (("y", rows.start), ("x", cols.start)):
        for column in (f"centroid_{axis}_px", f"bbox_{axis}0_px", f"bbox_{axis}1_px"):
            table[column] += start
        if img.pixel_size and f"centroid_{axis}_um" in table:
            table[f"centroid_{axis}_um"] += start * img.pixel_size[axis]
    y, x = table["centroid_y_px"].to_numpy(), table["centroid_x_px"].to_numpy()
    (cy, cx) = tile.core
    inside = (y >= cy.start) & (y < cy.stop) & (x >= cx.start) & (x < cx.stop)
    kept: pd.DataFrame = table[inside].assign(tile=tile.index)
    return kept


def _sizes(plane: MicroImage, recipe: Recipe, grid: TileGrid, place: Region | None) -> list[float]:
    """For each tile how much object it seems to hold, from a coarse level; its area where there is none to read."""
    areas = [_area(t, place) for t in grid]
    level = plane.level_for(_COARSE_PX)
    coarse = plane.info.levels[level]
    if level == 0 or coarse.shape[-1] * coarse.shape[-2] > 4 * _COARSE_PX:
        return areas
    stain = signal(plane.read(level), recipe.kind, recipe.polarity, recipe.white)
    stain = np.maximum(stain - np.median(stain[::_STEP, ::_STEP]), 0)
    means = [float(stain[_at(t.core[0], coarse.scale[-2]), _at(t.core[1], coarse.scale[-1])].mean()) for t in grid]
    least = 0.02 * float(np.mean(means)) or 1.0  # a tile that looks empty may still hold something
    return [area * (mean + least) for area, mean in zip(areas, means, strict=True)]


def _at(core: slice, scale: float) -> slice:
    start = int(core.start / scale)
    return slice(start, max(start + 1, int(core.stop / scale)))


def _area(tile: Tile, place: Region | None) -> float:
    """Pixels of a core inside the region; for a polygon from a lattice of points."""
    (y, x) = tile.core
    if place is None:
        return float((y.stop - y.start) * (x.stop - x.start))
    height = min(y.stop, place.y1) - max(y.start, place.y0)
    width = min(x.stop, place.x1) - max(x.start, place.x0)
    if place.polygon is None:
        return float(height * width)
    at = np.meshgrid(*(np.linspace(s.start, s.stop, _LATTICE, endpoint=False) for s in tile.core), indexing="ij")
    return float(place.contains(*at).mean() * (y.stop - y.start) * (x.stop - x.start))
