"""``quality``: is this image fit to be measured? Focus, saturation, noise, background and emptiness, tile by tile."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.image import MicroImage
from ..data.open import open_image
from ..data.view import Projection
from ..errors import MicroNBError
from ..progress import track
from ..render.heat import ValueMap
from ..render.overview import Layers, overview_png
from ..settings import settings
from ..tiles.plan import TileGrid
from .quality_numbers import judged, measured, planned, sentence, worst

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_METRICS = ("edge_width_px", "focus", "snr", "background", "saturated_percent", "clipped_low_percent")


@dataclass(frozen=True)
class Quality:
    """What was found.

    Attributes
    ----------
    table : a row a tile and channel: ``channel``, ``row``, ``col``, ``y0_px`` ... ``x1_px`` (the tile), ``edge_width_px`` (of its
        sharpest edges), ``focus`` (edge width of the image's sharpest tiles over this tile's: about 1 = as sharp as this image
        gets), ``focus_ok``, ``saturated_percent``, ``clipped_low_percent``, ``snr`` (contrast over noise), ``noise_sd``,
        ``background`` (grey values), ``empty``, ``reason``.
    map : the numbers as ``(metric, row, col)``, or ``(channel, metric, row, col)`` of several channels; coordinates are tile
        centres in µm, or px where the pixel size is unknown.
    verdict : one sentence.
    facts : the same for machines; where there are several channels, the worst of them, and each under ``channels``.
    image : what was looked at.
    tile : edge of a tile, px.
    """

    table: pd.DataFrame
    map: xr.DataArray
    verdict: str
    facts: Mapping[str, Any]
    image: MicroImage = field(repr=False)
    tile: int = 256

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return not self.facts["problems"]

    def png(self, metric: str = "focus", *, width: int = 800) -> bytes:
        """A PNG of the image under its map of one metric; tiles without a value stay untinted."""
        values = self.map.sel(metric=metric)
        values = values.isel(channel=0) if "channel" in values.dims else values
        layer = ValueMap(values.to_numpy().astype(float), self.tile, metric.replace("_", " "))
        return overview_png(self.image, layers=Layers(values=layer), width=width)

    def __repr__(self) -> str:
        return f"<Quality of {self.image.name}: {self.verdict}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(k.replace('_', ' '))}</td><td>{_show(v)}</td></tr>"
            for k, v in self.facts.items()
            if isinstance(v, int | float) and not isinstance(v, bool)
        )
        png = self.png(width=520)
        picture = f"<img alt='map of focus' style='max-width:520px' src='data:image/png;base64,{base64.b64encode(png).decode()}'>"
        page = (
            f"<p style='max-width:60em'>{html.escape(self.verdict)}</p><div style='display:flex;gap:24px;flex-wrap:wrap;"
            f"align-items:flex-start'>{picture}<table>{rows}</table></div>"
        )
        return {"text/plain": repr(self), "text/html": page, "image/png": png}


def quality(
    img: MicroImage,
    *,
    tile: int | None = None,
    channel: int | str | None = None,
    sample: float | None = None,
    project: Projection | None = None,
    threads: int | None = None,
    seed: int = 0,
) -> Quality:
    """Whether an image of any size is fit to be measured, and where it is not.

    Parameters
    ----------
    img : a plane, or ``project`` says how to make one.
    tile : edge of a tile in px; by default 256, or larger so that there are at most about a thousand tiles.
    channel : name or position; by default every channel. RGB is judged by its luminance, and saturated where any colour is.
    sample : share 0..1 of each tile that is read, as one window at a seeded place inside it; by default everything up to 64
        megapixels, and about 32 megapixels of larger images.
    project : ``"max"`` or ``"mean"`` over z and t.
    threads : default ``settings.threads``.
    seed : of the windows.

    Returns
    -------
    Quality; percentages of saturated and clipped pixels are exact where everything was read (``facts["exact"]``).

    Notes
    -----
    Focus: edge width (see :func:`~micro_nb.analysis.focus.sharpness`) relative to the sharpest tenth of the image's tiles. Noise:
    Immerkær 1996. Unevenness: a quadratic surface fitted robustly to the tiles' backgrounds.

    Raises
    ------
    AxesError : z or t is longer than one and no projection was named; or the channel is unknown.
    PlanError : ``tile`` or ``sample`` is impossible.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> q = quality(mnb.samples.fluorescence((512, 512)).image)
    >>> len(q.table), q.facts["exact"]
    (4, True)
    """
    plane = img.plane(project=project)
    plane = plane.sel(c=channel) if channel is not None else plane
    plan = planned(plane.plane_shape, tile, sample)
    rows = measured(plane, *plan, threads=threads or settings.threads, seed=seed)
    return _judge(plane, rows, *plan)


def filter_folder(paths: Iterable[str | os.PathLike[str]], **options: Any) -> pd.DataFrame:
    """The quality of many images, a row each: ``path``, ``ok``, the facts, ``verdict``, ``error`` where one could not be opened.

    Parameters
    ----------
    paths : files and stores.
    **options : as for :func:`quality`.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for path in track(list(paths), "judging images", unit="images"):
        try:
            q = quality(open_image(path), **options)
        except MicroNBError as error:
            rows.append({"path": str(path), "ok": False, "verdict": "could not be judged", "error": str(error)})
            continue
        numbers = {k: v for k, v in q.facts.items() if isinstance(v, int | float)}
        rows.append({"path": str(path), "ok": q.ok, **numbers, "verdict": q.verdict, "error": ""})
    return pd.DataFrame(rows)


def _judge(plane: MicroImage, rows: list[dict[str, Any]], grid: TileGrid, window: int) -> Quality:
    import pandas as pd

    raw = pd.DataFrame(rows)
    parts, facts = [], {}
    for name, part in raw.groupby("channel", sort=False):
        table, found = judged(plane, part.reset_index(drop=True), str(name))
        parts.append(table)
        facts[str(name)] = found
    table = pd.concat(parts, ignore_index=True)
    exact = window >= grid.tile
    share = 100.0 if exact else 100.0 * float(raw["n"].sum()) / (len(facts) * grid.shape[0] * grid.shape[1])
    summary = {"exact": exact, "measured_percent": round(share, 3), "tiles": len(grid), **worst(facts)}
    verdict = sentence(plane, facts, summary)
    return Quality(table, _as_map(plane, table, grid, list(facts)), verdict, summary, plane, grid.tile)


def _as_map(plane: MicroImage, table: pd.DataFrame, grid: TileGrid, channels: list[str]) -> xr.DataArray:
    import xarray as xr

    values = np.full((len(channels), len(_METRICS), grid.rows, grid.cols), np.nan, np.float32)
    for k, name in enumerate(channels):
        part = table[table["channel"] == name]
        values[k][:, part["row"], part["col"]] = part[list(_METRICS)].to_numpy(float).T
    size = plane.pixel_size or {"y": 1.0, "x": 1.0}
    unit = {"units": "micrometer" if plane.pixel_size else "px"}
    coords: dict[str, Any] = {"metric": list(_METRICS), "channel": channels}
    for axis, dim, n, edge in (("y", "row", grid.rows, grid.shape[0]), ("x", "col", grid.cols, grid.shape[1])):
        start = np.arange(n) * grid.tile
        coords[axis] = (dim, (start + np.minimum(start + grid.tile, edge)) / 2 * size[axis], unit)
    out = xr.DataArray(values, dims=("channel", "metric", "row", "col"), coords=coords, name="quality")
    return out if len(channels) > 1 else out.isel(channel=0, drop=True)


def _show(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
