"""The objects the tools speak of: found once per image and kept, then narrowed by place and by conditions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.measure import measure
from ...analysis.sampling import ObjectSample, sample_objects
from ...analysis.segment import segment
from ...analysis.statistics import Estimate
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError, UnitsError
from ...tiles.objects import Objects
from .. import eyes as eyes_of
from ..eyes import FLOOR
from .contact import groups
from .drawn import Drawn, plain
from .looked import find_kind
from .placing import FROM, distance, ranks_among, unlikeness

TILES_ONLY = "the draw of tiles; not the errors of the untrained segmentation"
METHOD = "weight-free segmentation"
WHOLE_PIXELS = eyes_of.WHOLE_PIXELS
TILES, TILE, SEED = 32, 768, 0
SMALL_TILE = 512  # of images that could be looked at whole, when a question is given little time
_KEPT_SAMPLES = 32
_KEPT_PIXELS = 1 << 28
_lock = threading.Lock()
_drawn: OrderedDict[tuple[Any, ...], Drawn] = OrderedDict()
_kept: OrderedDict[tuple[Any, ...], Objects] = OrderedDict()

_OPS = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "==": np.equal, "is": np.equal}
_RANKS = ("max", "min")
_LENGTHS = {"equivalent_diameter", "perimeter", "major_axis", "minor_axis", "nearest_neighbour"}
_POWER = {"um": 1.0, "nm": 1e-3, "mm": 1e3, "um2": 1.0, "nm2": 1e-6, "mm2": 1e6}
_NAMES = {"diameter": "equivalent_diameter", "spacing": "nearest_neighbour", "length": "major_axis", "width": "minor_axis"}


@dataclass(frozen=True)
class Selection:
    """Objects that meet a place and conditions (``filtered``), and how they were found.

    ``drawn`` holds the tiles that were looked at where the image is too large to be looked at whole; None elsewhere.
    """

    table: pd.DataFrame
    objects: Objects
    found: Mapping[str, Any]
    filtered: bool = False
    drawn: Drawn | None = None

    def __len__(self) -> int:
        return len(self.table)


def find(img: MicroImage, *, channel: str | None = None, eyes: str = FLOOR, target: str = "objects") -> Objects:
    """Objects of an image, kept for the next question: on the floor all there are, through a model those that ``target`` means.

    Raises
    ------
    AxesError : the image has more than one plane.
    """
    scale = tuple(sorted(img.pixel_size.items())) if img.pixel_size else None
    key = (img.content_id, scale, channel, eyes, target if eyes != FLOOR else "")
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    objects = _segmented(img, channel) if eyes == FLOOR else find_kind(img, target, eyes, channel)
    with _lock:
        _kept[key] = objects
        while len(_kept) > 1 and sum(o.labels.size for o in _kept.values() if o.labels is not None) > _KEPT_PIXELS:
            _kept.popitem(last=False)
    return objects


def _segmented(img: MicroImage, channel: str | None) -> Objects:
    """All objects, found without trained weights."""
    labels = segment(img, channel=channel)
    table = measure(img, labels)
    made_by = {"method": METHOD, **{str(k): plain(v) for k, v in labels.attrs.items()}}
    return Objects(table, labels, pixel_size=img.pixel_size, image_id=img.content_id, made_by=made_by)


def select(
    img: MicroImage,
    *,
    region: Region | None = None,
    filters: Sequence[Mapping[str, Any]] = (),
    channel: str | None = None,
    eyes: str = FLOOR,
    target: str = "objects",
) -> Selection:
    """The objects whose centre lies in ``region`` and that meet every filter ``{"quantity", "op", "value", "unit"}``."""
    told: dict[str, Any] = {}
    if channel is not None and channel not in {c.name for c in img.channels}:
        channel = nuclear_channel(img, eyes)  # "the DNA channel", of channels without names
        told = {"channel_taken": channel}
    looks, tiles = in_tiles(eyes)
    if is_large(img) or tiles is not None:
        return _sampled(img, region, filters, channel, tiles, looks, target)
    objects = find(img, channel=channel, eyes=eyes, target=target)
    table = objects.table
    if region is not None:
        place = region.to("px", img.pixel_size)
        table = table[place.contains(table["centroid_y_px"].to_numpy(), table["centroid_x_px"].to_numpy())]
    for condition in sorted(filters, key=lambda f: f["op"] in _RANKS):  # a rank is among those that meet the others
        if condition["quantity"] == "touches_other":
            together = {label for group in groups(objects) for label in group}
            table = table[table["label"].isin(together) == bool(condition["value"])]
        else:
            table = table[_meets(table, condition, img)]
    return Selection(table, objects, summary(objects) | told, bool(filters))


def nuclear_channel(img: MicroImage, eyes: str) -> str:
    """The name of the channel that shows the most nuclei."""
    shown = {c.name: len(find(img, channel=c.name, eyes=eyes, target="nuclei")) for c in img.channels}
    return max(shown, key=lambda name: shown[name])


def is_large(img: MicroImage) -> bool:
    """Whether objects are looked for in a sample of the tiles only."""
    return img.plane_shape[0] * img.plane_shape[1] > WHOLE_PIXELS


def objects_only(chosen: Selection) -> str:
    """What an interval over objects covers, and what it leaves out."""
    trained = chosen.found.get("weights")
    return f"the variation between objects; not the errors of the {'model' if trained else 'untrained segmentation'}"


def spread(estimate: Estimate, covers: str) -> dict[str, Any]:
    """What evidence says of an interval: how sure, how made, and what it leaves out."""
    percent = round(100 * estimate.confidence)
    return {"confidence_percent": percent, "interval_by": estimate.method, "interval_covers": covers}


def need_all(chosen: Selection, what: str) -> None:
    """Refuses a sample where only all objects can tell.

    Raises
    ------
    EvidenceError : only a sample was looked at.
    """
    if chosen.drawn is not None and not chosen.drawn.complete:
        raise EvidenceError(
            f"this image is so large that I looked at a sample of its tiles, which cannot tell {what}; ask about a part of it: "
            "Session(img.sel(region=...))"
        )


def in_tiles(eyes: str) -> tuple[str, int | None]:
    """The name of the eyes, and how many tiles they are to look at where only a sample is wanted.

    >>> in_tiles("micro_d1@8"), in_tiles("floor")
    (('micro_d1', 8), ('floor', None))
    """
    name, mark, tiles = eyes.rpartition("@")
    return (name, int(tiles)) if mark and tiles.isdigit() else (eyes, None)


def tiles_of(img: MicroImage) -> int:
    """How many tiles a sample is drawn from."""
    edge = TILE if is_large(img) else SMALL_TILE
    return -(-img.plane_shape[0] // edge) * -(-img.plane_shape[1] // edge)


def _sampled(
    img: MicroImage, region: Region | None, filters: Sequence[Mapping[str, Any]], channel: str | None, tiles: int | None,
    eyes: str, target: str,
) -> Selection:  # fmt: skip
    looks = FLOOR if is_large(img) else eyes
    drawn = _draw(img, region, channel, tiles or TILES, looks, target)
    table = drawn.sample.table
    for condition in filters:
        table = table[_meets(table, condition, img)]
    method = {"method": METHOD} if looks == FLOOR else {"method": "Micro-D1, tile by tile", "weights": looks}
    found = method | {"seed": SEED, "tiles_drawn": len(drawn.sample.grid), "tiles_in_all": drawn.sample.whole[0]}
    objects = Objects(drawn.sample.table, pixel_size=img.pixel_size, image_id=img.content_id, made_by=found)
    return Selection(table, objects, found | drawn.recipe, bool(filters), drawn)


def _draw(img: MicroImage, region: Region | None, channel: str | None, tiles: int, eyes: str, target: str) -> Drawn:
    scale = tuple(sorted(img.pixel_size.items())) if img.pixel_size else None
    place = (region.box, region.polygon) if region else None
    key = (img.content_id, scale, channel, place, tiles, eyes, target if eyes != FLOOR else "")
    with _lock:
        if key in _drawn:
            return _drawn[key]
    drawn = Drawn(_sample(img, region, channel, tiles, eyes, target), region, img.plane_shape)
    with _lock:
        _drawn[key] = drawn
        while len(_drawn) > _KEPT_SAMPLES:
            _drawn.popitem(last=False)
    return drawn


def _sample(img: MicroImage, region: Region | None, channel: str | None, tiles: int, eyes: str, target: str) -> ObjectSample:
    edge = TILE if is_large(img) else SMALL_TILE
    if eyes == FLOOR:
        return sample_objects(img, tiles=tiles, tile=edge, region=region, channel=channel, seed=SEED)

    def by_eyes(part: MicroImage) -> Objects:
        return find_kind(part, target, eyes, channel)

    return sample_objects(img, tiles=tiles, tile=edge, region=region, channel=channel, find=by_eyes, seed=SEED, threads=1)


def values(
    table: pd.DataFrame, quantity: str, *, img: MicroImage, unit: str = "", channel: str | None = None
) -> tuple[np.ndarray, str]:
    """One number an object, and its unit.

    Parameters
    ----------
    quantity : ``area diameter perimeter length width spacing eccentricity solidity roundness aspect_ratio intensity oddness``, or
        a distance from the middle or an edge of the image, ``from_top from_bottom from_left from_right from_center from_border``.
    unit : of the result: um um2 nm nm2 mm mm2 px px2, or ``""`` for the natural one.

    Raises
    ------
    UnitsError : a physical unit on an image without a pixel size.
    EvidenceError : no such quantity.
    """
    name = _NAMES.get(quantity, quantity)
    if name in FROM:
        return distance(table, name, img), "px"
    if name == "oddness":
        return unlikeness(table), ""
    if name == "area" or name in _LENGTHS:
        return _sized(table, name, img, unit)
    if name == "aspect_ratio":
        major, minor = (_column(table, n) for n in ("major_axis", "minor_axis"))
        return np.where(minor > 0, major / np.maximum(minor, 1e-9), np.nan), ""  # a single pixel has no shape
    if name == "roundness":
        area, around = _column(table, "area"), _column(table, "perimeter")
        return np.clip(4 * np.pi * area / np.maximum(around, 1e-9) ** 2, 0, 1), ""
    if name == "intensity":
        return _column(table, "mean_intensity", channel), "grey value"
    if name in ("eccentricity", "solidity"):
        return table[name].to_numpy(float), ""
    raise EvidenceError(f"objects have no quantity {quantity!r}")


def box(row: pd.Series) -> tuple[float, float, float, float]:
    """``(x0, y0, x1, y1)`` of an object in pixels of level 0."""
    return tuple(float(row[f"bbox_{k}_px"]) for k in ("x0", "y0", "x1", "y1"))  # type: ignore[return-value]


def summary(objects: Objects) -> dict[str, Any]:
    """How the objects were found, in a few JSON values."""
    return dict(objects.made_by) | {"objects_in_image": len(objects)}


def _sized(table: pd.DataFrame, name: str, img: MicroImage, unit: str) -> tuple[np.ndarray, str]:
    power = 2 if name == "area" else 1
    suffix = "2" if power == 2 else ""
    natural = ("um" if img.pixel_size else "px") + suffix
    unit = unit or natural
    raw = _column(table, name)
    if unit.startswith("px"):
        if img.pixel_size is None:
            return raw, "px" + suffix
        edge = (img.pixel_size["y"] * img.pixel_size["x"]) ** 0.5
        return raw / edge**power, "px" + suffix
    if unit not in _POWER or (unit.endswith("2") != (power == 2)):
        raise UnitsError(f"{name} cannot be given in {unit!r}")
    if img.pixel_size is None:
        raise UnitsError(f"{img.name} has no pixel size, so {name} cannot be given in {unit}; pass pixel_size= to open_image")
    return raw / _POWER[unit], unit


def _column(table: pd.DataFrame, stem: str, channel: str | None = None) -> np.ndarray:
    """The column of this stem, whatever the unit in its name; the mean over channels for intensities without a channel."""
    if channel is not None and f"{stem}_{channel}" in table.columns:
        return table[f"{stem}_{channel}"].to_numpy(float)
    names = [c for c in table.columns if c == stem or c.startswith(stem + "_")]
    if not names:
        raise EvidenceError(f"objects have no column {stem!r}; they have {', '.join(table.columns)}")
    return table[names].to_numpy(float).mean(axis=1) if len(names) > 1 else table[names[0]].to_numpy(float)


def _meets(table: pd.DataFrame, condition: Mapping[str, Any], img: MicroImage) -> np.ndarray:
    quantity, op, value = condition["quantity"], condition["op"], condition["value"]
    if op not in _OPS and op not in _RANKS:
        raise EvidenceError(f"filter operator {op!r} is not one of {', '.join(_OPS)}")
    if quantity == "touches_border":
        return np.asarray(table["touches_border"].to_numpy(bool) == bool(value))
    measured, _ = values(table, quantity, img=img, unit=condition.get("unit", "") if op not in _RANKS else "")
    if op in _RANKS:
        return ranks_among(measured, op, float(value))
    return np.asarray(_OPS[op](measured, float(value)))
