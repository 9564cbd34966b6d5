"""Objects of an image, found once and kept: what a kind means to the eyes, all of them or those of a random sample of the
tiles."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ...analysis.measure import measure
from ...analysis.sampling import ObjectSample, sample_objects
from ...analysis.segment import segment
from ...analysis.statistics import Estimate, bootstrap, estimate_total
from ...data.image import MicroImage
from ...data.region import Region
from ...tiles.objects import Objects
from .eyes import FLOOR, WHOLE_PIXELS, concept_of, knows, load, made_by, named
from .measurement import plain_value

METHOD = "weight-free segmentation"
TILES, TILE, SEED = 32, 768, 0
SMALL_TILE = 512  # of images that could be looked at whole, when a question is given little time
WIDE = ("object", "particle", "spot", "grain", "cell", "thing")
"""Concepts that people use for whatever there is."""
_KEPT_PIXELS, _SAMPLE = 1 << 28, 1 << 23  # what is kept at most, and what a sample of tiles counts for
_Found = TypeVar("_Found", Objects, "Drawn")
_lock = threading.Lock()
_kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()


@dataclass(frozen=True)
class Look:
    """Which eyes look, and at how many tiles of the image; None for all of it."""

    eyes: str = FLOOR
    tiles: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A random sample of the tiles of a large image, and the arithmetic from it to the whole.

    Attributes
    ----------
    sample : the tiles and the objects in them.
    region : the place it stands for; None for the whole plane, ``shape (y, x)``.
    made_by : how it was drawn and what looked at it, JSON values.
    """

    sample: ObjectSample
    region: Region | None
    shape: tuple[int, int]
    made_by: dict[str, Any]

    @property
    def recipe(self) -> dict[str, Any]:
        """How objects were found, JSON values."""
        return {str(k): _json(v) for k, v in self.sample.recipe.to_dict().items()}

    def total(self, table: pd.DataFrame, weights: np.ndarray | None = None) -> Estimate:
        """Objects of ``table`` (or the sum of their weights) in all tiles, with its interval."""
        return self.sample.total(table, weights)

    def mean(self, table: pd.DataFrame, values: np.ndarray) -> Estimate:
        """Mean over all objects from those of the drawn tiles. Neighbours resemble each other: tiles were drawn, not objects."""
        tiles = pd.DataFrame({"tile": table["tile"].to_numpy(), "sum": values, "n": 1.0}).groupby("tile").sum()
        if len(tiles) < 2:
            return bootstrap(values)
        holding = max(round(self.sample.whole[0] * len(tiles) / len(self.sample.grid)), len(tiles))
        objects = holding * float(tiles["n"].mean())
        total = estimate_total(tiles["sum"].to_numpy(), holding, areas=tiles["n"].to_numpy(), total_area=objects)
        by = "ratio by tiles, t interval, finite population"
        return replace(total, value=total.value / objects, low=total.low / objects, high=total.high / objects, method=by)

    @property
    def complete(self) -> bool:
        """Whether every tile was looked at."""
        return len(self.sample.grid) == self.sample.whole[0]

    @property
    def area_px(self) -> float:
        """Pixels of the place that the sample stands for."""
        place = self.region or Region(0, 0, *self.shape)
        return float((place.y1 - place.y0) * (place.x1 - place.x0))


def find(img: MicroImage, kind: str, look: Look, channel: str | None = None) -> Objects:
    """Objects that a kind means; ``made_by["kind"]`` says which concept was taken for it."""
    if look.eyes == FLOOR:
        return _remembered((*_key(img), channel, FLOOR), lambda: _floor(img, channel))
    return _remembered((*_key(img), channel, look.eyes, kind), lambda: of_kind(img, kind, look.eyes, channel))


def everything(img: MicroImage, eyes: str, channel: str | None = None) -> Objects:
    """Everything that the model has a name for, in all layers."""
    return _remembered((*_key(img), channel, eyes, "everything", None), lambda: load(eyes).everything(img, channel))


def draw(img: MicroImage, kind: str, look: Look, region: Region | None, channel: str | None) -> Drawn:
    """Objects of a random sample of the tiles; large images are looked at without weights."""
    eyes, tiles = FLOOR if is_large(img) else look.eyes, look.tiles or TILES

    def made() -> Drawn:
        sample = _sample(img, kind, eyes, tiles, region, channel)
        method = {"method": METHOD} if eyes == FLOOR else {"method": "Micro-D1, tile by tile", "weights": eyes}
        told = method | {"seed": SEED, "tiles_drawn": len(sample.grid), "tiles_in_all": sample.whole[0]}
        return Drawn(sample, region, img.plane_shape, told)

    place = (region.box, region.polygon) if region else None
    return _remembered((*_key(img), channel, place, tiles, eyes, kind if eyes != FLOOR else ""), made)


def is_large(img: MicroImage) -> bool:
    """Whether objects are looked for in a sample of the tiles only."""
    return img.plane_shape[0] * img.plane_shape[1] > WHOLE_PIXELS


def tiles_of(img: MicroImage) -> int:
    """How many tiles a sample is drawn from."""
    edge = TILE if is_large(img) else SMALL_TILE
    return -(-img.plane_shape[0] // edge) * -(-img.plane_shape[1] // edge)


def of_kind(img: MicroImage, kind: str, eyes: str, channel: str | None) -> Objects:
    """Objects that a kind names, as a model sees them.

    A wide word ("objects", "particles", "cells") means all whole objects, or, where some of these are of that very concept,
    those. Cells are nuclei where nuclei are what shows. A word of which the model knows no kind also means all of them.
    """
    looking, concept = load(eyes), concept_of(kind)
    if concept is not None and concept not in WIDE and knows(looking, kind):
        found = looking.kind(img, concept, channel)
        return _told(found, eyes, {"kind": concept, **_presence(found)})
    found, taken = _wide(looking.whole(img, channel), concept or "object")
    known = concept in WIDE or kind in WIDE or knows(looking, kind)
    return _told(found, eyes, {"kind": taken} | ({} if known else {"not_learned": kind, "mostly": _mostly(found)}))


def _remembered(key: tuple[Any, ...], made: Callable[[], _Found]) -> _Found:
    """What was made under a key before, or now; the oldest is forgotten where much is kept."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]  # type: ignore[no-any-return]
    found = made()
    with _lock:
        _kept[key] = found
        while len(_kept) > 1 and sum(map(_weight, _kept.values())) > _KEPT_PIXELS:
            _kept.popitem(last=False)
    return found


def _weight(found: Objects | Drawn) -> int:
    if isinstance(found, Drawn):
        return _SAMPLE
    return int(found.labels.size) if found.labels is not None else 0


def _mostly(found: Objects) -> str:
    """The name that most of the objects have; empty where most have none, or no one name prevails."""
    if not len(found):
        return ""
    counts = found.table["name"].value_counts()
    name, n = str(counts.index[0]), int(counts.iloc[0])
    return name if name and name != "object" and 2 * n > len(found) else ""


def _key(img: MicroImage) -> tuple[Any, ...]:
    return img.content_id, tuple(sorted(img.pixel_size.items())) if img.pixel_size else None


def _floor(img: MicroImage, channel: str | None) -> Objects:
    """All objects, found without trained weights."""
    labels = segment(img, channel=channel)
    told = {"method": METHOD, **{str(k): _json(v) for k, v in labels.attrs.items()}}
    return Objects(measure(img, labels), labels, pixel_size=img.pixel_size, image_id=img.content_id, made_by=told)


def _sample(img: MicroImage, kind: str, eyes: str, tiles: int, region: Region | None, channel: str | None) -> ObjectSample:
    edge = TILE if is_large(img) else SMALL_TILE
    if eyes == FLOOR:
        return sample_objects(img, tiles=tiles, tile=edge, region=region, channel=channel, seed=SEED)

    def by_eyes(part: MicroImage) -> Objects:
        return of_kind(part, kind, eyes, channel)

    return sample_objects(img, tiles=tiles, tile=edge, region=region, channel=channel, find=by_eyes, seed=SEED, threads=1)


def _wide(whole: Objects, concept: str) -> tuple[Objects, str]:
    own = named(whole.table, concept)
    if concept == "cell":
        nuclei = named(whole.table, "nucleus")
        if nuclei.sum() > own.sum():
            return _rows(whole, nuclei), "nucleus"
        return (_rows(whole, own), "cell") if own.any() else (whole, "object")
    if concept != "object" and 2 * own.sum() >= len(own) > 0:
        return _rows(whole, own), concept
    return whole, "object"


def _rows(found: Objects, wanted: np.ndarray) -> Objects:
    return replace(found, table=found.table[wanted].reset_index(drop=True))


def _presence(found: Objects) -> Mapping[str, Any]:
    """Status and p-value of the one prompt."""
    if found.presence is None or not len(found.presence):
        return {}
    row = found.presence.iloc[0]
    status = "present" if len(found) else "absent" if row["present"] is not None else str(row["status"])
    p = row["p_value"]
    return {"presence": status} | ({"p_value": float(p)} if p is not None and np.isfinite(p) else {})


def _told(found: Objects, eyes: str, more: Mapping[str, Any]) -> Objects:
    labels = found.labels
    if labels is not None and len(found):
        kept = np.zeros(int(labels.max()) + 1, labels.dtype)
        kept[found.table["label"].to_numpy(int)] = found.table["label"].to_numpy(int)
        labels = labels.copy(data=kept[np.asarray(labels.values)])
    return replace(found, labels=labels, made_by={**made_by(eyes, found), **more})


def _json(value: Any) -> Any:
    """A JSON value of an attribute."""
    value = value.tolist() if isinstance(value, np.ndarray) else plain_value(value)
    return value if isinstance(value, str | int | float | bool | type(None) | list | dict) else str(value)
