"""Tools about how far a number may be trusted: doubts of a count, tiles unfit to be counted in, sizes that nothing has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.quality import quality as judge
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .contact import groups
from .counting import number_of
from .found import Selection, is_large, select, values
from .frame import place_words
from .typical import expected, fits_typical, typical_size

Filters = Sequence[Mapping[str, Any]]
SATURATED = 1.0  # % of a tile's pixels from which it is left out
DOUBTFUL = 0.6  # score below which an object is one the model is not sure of
_NORMAL = 1.96
_FEW = 3


@tool("count_with_doubts", unit="count", quantity="number of objects, and what makes it uncertain")
def count_with_doubts(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """The count with a 95 % interval from the scores of the objects (each taken as the probability that it is right), and how
    many of them the border cuts, touch another (where two may be one, or one two), or have a low score.
    """
    chosen = select(img, region=region, filters=filters, channel=channel, eyes=eyes, target=target)
    n = number_of(chosen, target)
    if chosen.drawn is None and len(chosen):
        n = _scored(n, chosen)
    cut = int(chosen.table["touches_border"].sum())
    found = dict(chosen.found) | {"doubtful_below": DOUBTFUL}
    doubts = [Measurement("objects cut by the border", cut, "count", found=found)]
    if chosen.drawn is None:
        labels = set(chosen.table["label"].to_numpy(int).tolist())
        together = sum(len(labels & set(g)) for g in groups(chosen.objects))
        doubts.append(Measurement("objects that touch another", together, "count", found=found))
    if _has_scores(chosen):
        unsure = int((chosen.table["score"].to_numpy(float) < DOUBTFUL).sum())
        doubts.append(Measurement("objects with a low score", unsure, "count", found=found))
    return (n, *doubts)


@tool("gated_count", unit="count", quantity="number of objects in tiles that are fit to be measured")
def gated_count(
    img: MicroImage,
    *,
    filters: Filters = (),
    channel: str | None = None,
    target: str = "objects",
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """How many objects lie in tiles that are in focus and not saturated, and how many in all; the share of the image (%) that is
    left out, why, and where; and the density relative to that of the whole image (times).
    """
    if is_large(img):
        raise EvidenceError(
            "this image is too large to be gated tile by tile; ask about a part of it: Session(img.sel(region=...))"
        )
    chosen = select(img, filters=filters, channel=channel, eyes=eyes, target=target)
    tiles = unfit_tiles(img, channel)
    out = tiles[tiles["unfit"] != ""]
    dropped = np.zeros(len(chosen), bool)
    y, x = (chosen.table[f"centroid_{a}_px"].to_numpy(float) for a in "yx")
    boxes = out[["y0_px", "x0_px", "y1_px", "x1_px"]].to_numpy(float)
    for y0, x0, y1, x1 in boxes:
        dropped |= (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
    areas = (tiles["y1_px"] - tiles["y0_px"]) * (tiles["x1_px"] - tiles["x0_px"])
    lost = float(areas[tiles["unfit"] != ""].sum() / areas.sum())
    kept = int((~dropped).sum())
    found = dict(chosen.found) | {"saturated_percent": SATURATED, "tiles": len(tiles)}
    places = list(dict.fromkeys(place_words(img, (y0 + y1) / 2, (x0 + x1) / 2) for y0, x0, y1, x1 in boxes))
    named = (Measurement("where", ", ".join(places[:_FEW]), found=found), Measurement("why", _reasons(out), found=found))
    dense = kept / (1 - lost) / len(chosen) if lost < 1 and len(chosen) else None
    return (
        Measurement(f"number of {target} in fit tiles", kept, "count", found=found),
        Measurement(f"number of {target}", len(chosen), "count", found=found),
        Measurement("tiles left out", len(out), "count", found=found),
        Measurement("area left out", 100 * lost, "%", found=found),
        *(named if len(out) else ()),
        *((Measurement("relative density", dense, "times", found=found),) if dense is not None and len(out) else ()),
    )


@tool("plausible_size", quantity="whether sizes fit what objects of a kind have")
def plausible_size(
    img: MicroImage, *, channel: str | None = None, target: str = "objects", eyes: str = FLOOR
) -> tuple[Measurement, ...]:
    """Whether the median diameter (µm) of whole objects lies in the range that is typical of their kind, or within three times of
    it, and the pixel size (µm) that would bring it to the middle of that range.
    """
    chosen = select(img, channel=channel, eyes=eyes, target=target)
    typical = typical_size(chosen.found, target)
    if img.pixel_size is None:
        raise EvidenceError("this image has no pixel size, so it cannot be said whether it fits; pass pixel_size= to open_image")
    if typical is None:
        raise EvidenceError(f"I know no typical size of {target}, so I cannot say whether the pixel size fits")
    whole = chosen.table[~chosen.table["touches_border"].to_numpy(bool)]
    if not len(whole):
        raise EvidenceError(f"I find no whole {target}, so nothing can be compared with what is typical")
    size, _ = values(whole, "diameter" if typical.of == "diameter" else "width", img=img, unit="um")
    median = float(np.median(size))
    found = dict(chosen.found) | expected(typical)
    return (
        Measurement("plausible", fits_typical(median, typical), found=found),
        Measurement("median size", median, "um", found=found),
        Measurement("least typical size", typical.low_um, "um", found=found),
        Measurement("greatest typical size", typical.high_um, "um", found=found),
        Measurement("pixel size", img.pixel_size["x"], "um", found=found),
        Measurement("pixel size that would fit", img.pixel_size["x"] * typical.typical_um / median, "um", found=found),
        Measurement(f"number of whole {target}", len(whole), "count", found=found),
    )


def unfit_tiles(img: MicroImage, channel: str | None) -> pd.DataFrame:
    """The tiles of the quality map, a row each, with ``unfit``: why a tile is not to be measured in, "" where it is."""
    table = judge(img, channel=channel).table
    blurred = (table["focus_ok"] == False) & ~table["empty"].astype(bool)  # noqa: E712 - it may be missing
    saturated = table["saturated_percent"].fillna(0) >= SATURATED
    why = np.where(blurred, "out of focus", np.where(saturated, "saturated", ""))
    tiles = table.assign(unfit=why).sort_values("unfit", ascending=False)
    return tiles.drop_duplicates(["row", "col"]).reset_index(drop=True)


def _reasons(out: pd.DataFrame) -> str:
    return " and ".join(sorted(set(out["unfit"])))


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
