"""Tools about how far a number may be trusted: doubts of a count, tiles unfit to be counted in, sizes that nothing has."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...analysis.quality import quality as judge
from ...data.image import MicroImage
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, facts, tool
from .chosen import Filters, Selection, select
from .contact import groups
from .found import is_large
from .frame import place_words
from .object_tool import object_tool
from .typical import expected, fits_typical, typical_size

SATURATED = 1.0  # % of a tile's pixels from which it is left out
DOUBTFUL = 0.6  # score below which an object is one the model is not sure of
_NORMAL = 1.96
_FEW = 3


@object_tool("count_with_doubts", unit="count", quantity="number of objects, and what makes it uncertain")
def count_with_doubts(chosen: Selection) -> tuple[Measurement, ...]:
    """The count with a 95 % interval from the scores of the objects (each taken as the probability that it is right), and how
    many of them the border cuts, touch another (where two may be one, or one two), or have a low score.
    """
    seen_whole = chosen.drawn is None
    n = _scored(chosen.number, chosen) if seen_whole and len(chosen) else chosen.number
    doubts: list[tuple[str, int, str]] = [("objects cut by the border", int(chosen.table["touches_border"].sum()), "count")]
    if seen_whole:
        together = sum(len(chosen.labels & set(g)) for g in groups(chosen.objects))
        doubts.append(("objects that touch another", together, "count"))
    if _has_scores(chosen):
        unsure = int((chosen.table["score"].to_numpy(float) < DOUBTFUL).sum())
        doubts.append(("objects with a low score", unsure, "count"))
    return n, *facts({**chosen.found, "doubtful_below": DOUBTFUL}, *doubts)


@tool("gated_count", unit="count", quantity="number of objects in tiles that are fit to be measured")
def gated_count(
    img: MicroImage, *, filters: Filters = (), channel: str | None = None, target: str = "objects", eyes: str = FLOOR
) -> tuple[Measurement, ...]:
    """How many objects lie in tiles that are in focus and not saturated, and how many in all; the share of the image (%) that is
    left out, why, and where; and the density relative to that of the whole image (times).
    """
    if is_large(img):
        raise EvidenceError(
            "this image is too large to be gated tile by tile; ask about a part of it: Session(img.sel(region=...))"
        )
    chosen = select(img, filters=filters, channel=channel, target=target, eyes=eyes)
    tiles = unfit_tiles(img, channel)
    out = tiles[tiles["unfit"] != ""]
    lost = _area(out) / _area(tiles)
    kept = len(chosen) - int(_inside(chosen, out).sum())
    rows = [
        (f"number of {target} in fit tiles", kept, "count"),
        (f"number of {target}", len(chosen), "count"),
        ("tiles left out", len(out), "count"),
        ("area left out", 100 * lost, "%"),
    ]
    more: list[tuple[str, object, str]] = [
        ("where", _places(img, out), ""),
        ("why", " and ".join(sorted(set(out["unfit"]))), ""),
    ]
    if lost < 1 and len(chosen):
        more.append(("relative density", kept / (1 - lost) / len(chosen), "times"))
    return facts({**chosen.found, "saturated_percent": SATURATED, "tiles": len(tiles)}, *rows, *(more if len(out) else ()))


@object_tool("plausible_size", quantity="whether sizes fit what objects of a kind have", takes=("channel", "target", "eyes"))
def plausible_size(chosen: Selection) -> tuple[Measurement, ...]:
    """Whether the median diameter (µm) of whole objects lies in the range that is typical of their kind, or within three times of
    it, and the pixel size (µm) that would bring it to the middle of that range.
    """
    typical, scale = typical_size(chosen.found, chosen.target), chosen.img.pixel_size
    if scale is None:
        raise EvidenceError("this image has no pixel size, so it cannot be said whether it fits; pass pixel_size= to open_image")
    if typical is None:
        raise EvidenceError(f"I know no typical size of {chosen.target}, so I cannot say whether the pixel size fits")
    if not len(chosen.whole):
        raise EvidenceError(f"I find no whole {chosen.target}, so nothing can be compared with what is typical")
    size, _ = chosen.whole.values("diameter" if typical.of == "diameter" else "width", "um")
    median = float(np.median(size))
    return facts(
        {**chosen.found, **expected(typical)},
        ("plausible", fits_typical(median, typical)),
        ("median size", median, "um"),
        ("least typical size", typical.low_um, "um"),
        ("greatest typical size", typical.high_um, "um"),
        ("pixel size", scale["x"], "um"),
        ("pixel size that would fit", scale["x"] * typical.typical_um / median, "um"),
        (f"number of whole {chosen.target}", len(size), "count"),
    )


def unfit_tiles(img: MicroImage, channel: str | None) -> pd.DataFrame:
    """The tiles of the quality map, a row each, with ``unfit``: why a tile is not to be measured in, "" where it is."""
    table = judge(img, channel=channel).table
    blurred = (table["focus_ok"] == False) & ~table["empty"].astype(bool)  # noqa: E712 - it may be missing
    saturated = table["saturated_percent"].fillna(0) >= SATURATED
    why = np.where(blurred, "out of focus", np.where(saturated, "saturated", ""))
    tiles = table.assign(unfit=why).sort_values("unfit", ascending=False)
    return tiles.drop_duplicates(["row", "col"]).reset_index(drop=True)


def _area(tiles: pd.DataFrame) -> float:
    return float(((tiles["y1_px"] - tiles["y0_px"]) * (tiles["x1_px"] - tiles["x0_px"])).sum())


def _boxes(tiles: pd.DataFrame) -> np.ndarray:
    """``(n, 4)``: y0, x0, y1, x1."""
    return tiles[["y0_px", "x0_px", "y1_px", "x1_px"]].to_numpy(float)


def _inside(chosen: Selection, tiles: pd.DataFrame) -> np.ndarray:
    """Which objects have their centre in one of these tiles."""
    y, x = chosen.centres
    inside = np.zeros(len(chosen), bool)
    for y0, x0, y1, x1 in _boxes(tiles):
        inside |= (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
    return inside


def _places(img: MicroImage, tiles: pd.DataFrame) -> str:
    """Where tiles lie, the first few places in words."""
    places = (place_words(img, (y0 + y1) / 2, (x0 + x1) / 2) for y0, x0, y1, x1 in _boxes(tiles))
    return ", ".join(list(dict.fromkeys(places))[:_FEW])


def _has_scores(chosen: Selection) -> bool:
    return bool(chosen.found.get("weights")) and "score" in chosen.table


def _scored(n: Measurement, chosen: Selection) -> Measurement:
    """The count with the interval that the scores give; what the model overlooked is not in it."""
    if not _has_scores(chosen):
        return n
    p = np.clip(np.nan_to_num(chosen.table["score"].to_numpy(float), nan=1.0), 0, 1)
    half = _NORMAL * float(np.sqrt((p * (1 - p)).sum()))
    bounds = max(round(len(chosen) - half), 0), round(len(chosen) + half)
    how = {"confidence_percent": 95, "interval_by": "scores of the objects, independent of each other, normal approximation",
           "interval_covers": "the model's doubt about each object it found; not objects cut in two or overlooked"}  # fmt: skip
    return Measurement(n.quantity, n.value, n.unit, bounds, dict(n.found) | how)
