"""The numbers of ``quality``: what is read of each tile and measured in it, what all tiles together say, and one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.image import MicroImage
from ..errors import PlanError
from ..progress import Progress
from ..tiles.plan import Tile, TileGrid
from .background import unevenness_percent
from .focus import luminance, typical_sharpness

if TYPE_CHECKING:
    import pandas as pd

_ALL_PX = 1 << 26  # images up to 64 megapixels are measured whole
_SAMPLE_PX = 1 << 25  # of larger ones this many are read, a window a tile
_MOST_TILES = 1024
_BLOCK_PX = 1 << 21
_BLURRED = 1.8  # a tile whose edges are this many times wider than the image's sharpest ones is out of focus
_SOFT_PX = 11.0  # nothing in a well sampled image has its sharpest edges wider than this
_CEILINGS = (255, 1023, 4095, 16383, 65535)

_Slices = tuple[slice, slice]
_Job = tuple[_Slices, list[tuple[Tile, _Slices]]]


def planned(shape: tuple[int, int], tile: int | None, sample: float | None) -> tuple[TileGrid, int]:
    """The tiles, and the edge of the window that is read of each."""
    pixels = shape[0] * shape[1]
    if tile is None:
        tile = 256
        while pixels / tile**2 > _MOST_TILES * 1.6:
            tile *= 2
    if tile < 32:
        raise PlanError(f"tile={tile} is too small to judge; take at least 32 px")
    share = (1.0 if pixels <= _ALL_PX else min(0.5, _SAMPLE_PX / pixels)) if sample is None else sample
    if not 0 < share <= 1:
        raise PlanError(f"sample={sample} must be a share above 0 and at most 1")
    return TileGrid(shape, tile=tile), tile if share == 1 else max(32, round(tile * share**0.5))


def measured(plane: MicroImage, grid: TileGrid, window: int, *, threads: int, seed: int) -> list[dict[str, Any]]:
    """A row a tile and channel; memory is a few bands, whatever the image."""
    lead = (slice(None),) * (len(plane.axes) - 2)

    def work(job: _Job) -> list[dict[str, Any]]:
        (rows, cols), wanted = job
        pixels = plane.read(0, (*lead, rows, cols))
        found = []
        for one, (y, x) in wanted:
            part = pixels[..., y.start - rows.start : y.stop - rows.start, x.start - cols.start : x.stop - cols.start]
            found += _tile_rows(plane, one, part)
        return found

    jobs = list(_jobs(plane, grid, window, seed))
    out: list[dict[str, Any]] = []
    bar = Progress("judging quality", len(grid), "tiles", scale=window**2 / 1e6, rate_unit="MPx")
    with bar, ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(jobs), 4 * threads):  # so that an interrupt is heard soon
            for found in pool.map(work, jobs[start : start + 4 * threads]):
                out += found
                bar.advance(len(found) / max(_n_channels(plane), 1))
    return out


def _jobs(plane: MicroImage, grid: TileGrid, window: int, seed: int) -> Iterator[_Job]:
    """What is read at once, and which tiles are cut from it."""
    if window >= grid.tile:
        rows = max(1, plane.info.levels[0].chunks[-2] // grid.tile)  # whole chunks, so that none is decoded twice
        for block in grid.blocks(shape=(rows, max(rows, _BLOCK_PX // (rows * grid.tile**2)))):
            yield block.read, [(t, t.core) for t in block.tiles]
        return
    rng = np.random.default_rng(seed)
    steps = max(grid.tile // window, 1)
    for t, (a, b) in zip(grid, rng.integers(0, steps, (len(grid), 2)), strict=True):
        place = tuple(_window(s, int(k) * window, window) for s, k in zip(t.core, (a, b), strict=True))
        yield (place[0], place[1]), [(t, (place[0], place[1]))]


def _window(core: slice, offset: int, window: int) -> slice:
    start = core.start + min(offset, max(core.stop - core.start - window, 0))
    return slice(start, min(start + window, core.stop))


def _n_channels(plane: MicroImage) -> int:
    return 1 if plane.rgb else plane.sizes.get("c", 1)


def _tile_rows(plane: MicroImage, tile: Tile, pixels: np.ndarray) -> list[dict[str, Any]]:
    """Raw numbers of one tile, a dict a channel."""
    if plane.rgb:
        return [{**_tile_numbers(tile, luminance(pixels), pixels.max(0), pixels.min(0)), "channel": "luminance"}]
    stack = pixels[None] if pixels.ndim == 2 else pixels
    return [{**_tile_numbers(tile, p, p, p), "channel": c.name} for p, c in zip(stack, plane.channels, strict=True)]


def _middle(plane: np.ndarray) -> float:
    """The median of what is finite, which pixels that are not are taken for."""
    finite = plane[np.isfinite(plane)]
    return float(np.median(finite)) if finite.size else 0.0


def _tile_numbers(tile: Tile, grey: np.ndarray, high: np.ndarray, low: np.ndarray) -> dict[str, Any]:
    broken = 0 if high.dtype.kind in "biu" else int((~np.isfinite(high)).sum())
    if broken:
        grey, high, low = (np.where(np.isfinite(a), a, _middle(a)) for a in (grey, high, low))
    sharp = typical_sharpness(grey)
    top, bottom = high.max(), low.min()
    dark, middle, bright = np.quantile(grey[::2, ::2], (0.1, 0.5, 0.9))
    return {
        "row": tile.row, "col": tile.col, "y0_px": tile.core[0].start, "x0_px": tile.core[1].start, "y1_px": tile.core[0].stop,
        "x1_px": tile.core[1].stop, "edge_width_px": sharp.edge_px, "snr": sharp.snr, "noise_sd": sharp.noise,
        "contrast": sharp.contrast, "empty": sharp.empty, "n": high.size, "top": float(top), "n_top": int((high == top).sum()),
        "bottom": float(bottom), "n_bottom": int((low == bottom).sum()), "not_finite": broken,
        "dark": float(dark), "middle": float(middle), "bright": float(bright),
    }  # fmt: skip


def judged(plane: MicroImage, raw: pd.DataFrame, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A channel's table and facts: what is sharp, empty or saturated can only be told from all tiles together."""
    ceiling, floor = _limits(plane.dtype, float(raw["top"].max()), float(raw["bottom"].min()))
    table = raw[["channel", "row", "col", "y0_px", "x0_px", "y1_px", "x1_px", "edge_width_px"]].copy()
    empty = raw["empty"] | raw["edge_width_px"].isna()
    empty |= raw["contrast"] < 0.25 * raw["contrast"][~empty].quantile(0.75)  # texture of the ground, next to that of objects
    widths = raw["edge_width_px"][~empty]
    best = float(widths.quantile(0.1)) if len(widths) else float("nan")
    table["focus"] = (best / raw["edge_width_px"]).where(~empty).clip(upper=1.5)
    table["focus_ok"] = ~empty & (raw["edge_width_px"] <= min(_BLURRED * best, _SOFT_PX))
    table["saturated_percent"] = 100.0 * raw["n_top"] * (raw["top"] == ceiling) / raw["n"]
    table["clipped_low_percent"] = 100.0 * raw["n_bottom"] * (raw["bottom"] == floor) / raw["n"]
    table["snr"], table["noise_sd"] = raw["snr"], raw["noise_sd"]
    bright = _bright_background(plane, raw)
    table["background"] = raw["bright"] if bright else raw["dark"]
    table["empty"] = empty
    table["reason"] = np.select(
        [empty, ~table["focus_ok"], table["saturated_percent"] > 1], ["empty", "blurred", "saturated"], ""
    )
    uneven = unevenness_percent(table, bright=bright)
    return table, _channel_facts(table, raw, best, uneven, ceiling, plane)


def _bright_background(plane: MicroImage, raw: pd.DataFrame) -> bool:
    """Whether objects are dark on light: always for RGB, else where most of the image lies nearer to its bright end."""
    low, high = float(raw["dark"].min()), float(raw["bright"].max())
    return plane.rgb or float(raw["middle"].median()) > (low + high) / 2


def _limits(dtype: np.dtype[Any], top: float, bottom: float) -> tuple[float | None, float | None]:
    """Grey values at which the detector clips: the dtype's, or those of a 10, 12 or 14 bit camera filled to the brim."""
    if dtype.kind not in "iu":
        return None, None
    info = np.iinfo(dtype)
    ceiling = next((float(c) for c in _CEILINGS if top == c <= info.max), float(info.max))
    return ceiling, float(info.min) if bottom >= info.min else None


def _channel_facts(
    table: pd.DataFrame, raw: pd.DataFrame, best: float, uneven: float | None, ceiling: float | None, plane: MicroImage
) -> dict[str, Any]:
    full = ~table["empty"]
    pixels, top = float(raw["n"].sum()), float(raw["top"].max())
    facts: dict[str, Any] = {
        "in_focus_percent": _percent(table["focus_ok"][full]), "edge_width_px": _finite(best),
        "empty_percent": _percent(table["empty"]),
        "saturated_percent": float((table["saturated_percent"] * raw["n"]).sum() / pixels),
        "clipped_low_percent": float((table["clipped_low_percent"] * raw["n"]).sum() / pixels),
        "snr": _finite(float(table["snr"][full].median())) if full.any() else None,
        "noise_sd": _finite(float(table["noise_sd"].median())), "background_unevenness_percent": uneven,
        "dynamic_range_used_percent": None if not ceiling else 100.0 * (top - float(raw["bottom"].min())) / ceiling,
        "not_finite_pixels": int(raw["not_finite"].sum()),
    }  # fmt: skip
    if plane.pixel_size and facts["edge_width_px"]:
        facts["edge_width_um"] = facts["edge_width_px"] * plane.pixel_size["x"]
    return facts | {"problems": _problems(facts, plane)}


def _problems(facts: Mapping[str, Any], plane: MicroImage) -> list[str]:
    """What a person should look at before measuring, in words."""
    found = []
    width, uneven = facts["edge_width_px"], facts["background_unevenness_percent"]
    if width is None:
        found.append("nothing stands out from the noise")
    elif width > _SOFT_PX:
        found.append(f"no edge is sharper than {width:.0f} px, so it is out of focus or oversampled")
    elif facts["in_focus_percent"] < 90:
        found.append(f"{100 - facts['in_focus_percent']:.0f} % of the tiles with content are out of focus")
    if facts["saturated_percent"] > 0.5 and not plane.rgb:
        found.append(f"{facts['saturated_percent']:.2g} % of the pixels are saturated")
    if facts["snr"] is not None and facts["snr"] < 8:
        found.append(f"the signal is only {facts['snr']:.1f} times the noise")
    if uneven is not None and uneven > 25:
        found.append(f"the background varies by {uneven:.0f} %")
    if facts["not_finite_pixels"]:
        found.append(f"{facts['not_finite_pixels']} pixels are NaN or infinite")
    return found


def worst(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One dict for all channels: the least of what should be high, the most of what should be low."""
    each = list(facts.values())
    keys = {k: min if k in ("in_focus_percent", "snr", "dynamic_range_used_percent") else max for k in each[0] if k != "problems"}
    out: dict[str, Any] = {}
    for key, choose in keys.items():
        known = [f[key] for f in each if f.get(key) is not None]
        out[key] = choose(known) if known else None
    several = len(facts) > 1
    out["problems"] = [f"{name}: {p}" if several else p for name, f in facts.items() for p in f["problems"]]
    return out | ({"channels": {name: dict(f) for name, f in facts.items()}} if several else {})


def sentence(plane: MicroImage, facts: Mapping[str, Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """The verdict for people."""
    worst = "" if len(facts) == 1 else " (the worst of its channels)"
    parts = [f"{100 - summary['empty_percent']:.0f} % of the tiles ({summary['tiles']:,}) hold content"]
    if summary["edge_width_px"] is not None:
        parts.append(
            f"{summary['in_focus_percent']:.0f} % of these are in focus (sharpest edges {summary['edge_width_px']:.1f} px)"
        )
    parts.append(f"{summary['saturated_percent']:.2g} % of the pixels are saturated")
    if summary["snr"] is not None:
        parts.append(f"signal to noise is {summary['snr']:.0f}")
    if summary["background_unevenness_percent"] is not None:
        parts.append(f"the background varies by {summary['background_unevenness_percent']:.0f} %")
    lead = "Fit to measure" if not summary["problems"] else f"Look before measuring, as {'; '.join(summary['problems'])}"
    read = "" if summary["exact"] else f" Read: {summary['measured_percent']:.3g} % of the pixels, a window in every tile."
    know = f" To know: {'; '.join(plane.info.cautions)}." if plane.info.cautions else ""
    return f"{lead}{worst}: {', '.join(parts)}.{read}{know}"


def _percent(flags: pd.Series) -> float:
    return 100.0 * float(flags.mean()) if len(flags) else 0.0


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
