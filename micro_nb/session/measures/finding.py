"""Objects of an image, found once and kept: what a kind means to the eyes, all of them or those of a random sample of the
tiles."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...analysis.measure import measure
from ...analysis.sampling import ObjectSample, sample_objects
from ...analysis.segment import segment
from ...data.image import MicroImage
from ...data.region import Region
from ...tiles.objects import Objects
from .drawn import Drawn, plain
from .eyes import FLOOR, WHOLE_PIXELS, concept_of, knows, load, made_by, named

METHOD = "weight-free segmentation"
TILES, TILE, SEED = 32, 768, 0
SMALL_TILE = 512  # of images that could be looked at whole, when a question is given little time
WIDE = ("object", "particle", "spot", "grain", "cell", "thing")
"""Concepts that people use for whatever there is."""
_KEPT_SAMPLES, _KEPT_PIXELS = 32, 1 << 28
_lock = threading.Lock()
_drawn: OrderedDict[tuple[Any, ...], Drawn] = OrderedDict()
_kept: OrderedDict[tuple[Any, ...], Objects] = OrderedDict()


@dataclass(frozen=True)
class Look:
    """Which eyes look, and at how many tiles of the image; None for all of it."""

    eyes: str = FLOOR
    tiles: int | None = None


def find(img: MicroImage, kind: str, look: Look, channel: str | None = None) -> Objects:
    """Objects that a kind means, kept for the next question; ``made_by["kind"]`` says which concept was taken for it.

    Raises
    ------
    AxesError : the image has more than one plane.
    """
    key = (*_key(img), channel, look.eyes, kind if look.eyes != FLOOR else "")
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    objects = _floor(img, channel) if look.eyes == FLOOR else of_kind(img, kind, look.eyes, channel)
    with _lock:
        _kept[key] = objects
        while len(_kept) > 1 and sum(o.labels.size for o in _kept.values() if o.labels is not None) > _KEPT_PIXELS:
            _kept.popitem(last=False)
    return objects


def everything(img: MicroImage, eyes: str, channel: str | None = None) -> Objects:
    """Everything that the model has a name for, in all layers."""
    key = (*_key(img), channel, eyes, "everything")
    with _lock:
        if key in _kept:
            return _kept[key]
    found = load(eyes).everything(img, channel)
    with _lock:
        _kept[key] = found
    return found


def draw(img: MicroImage, kind: str, look: Look, region: Region | None, channel: str | None) -> Drawn:
    """Objects of a random sample of the tiles, kept for the next question; large images are looked at without weights."""
    eyes, tiles = FLOOR if is_large(img) else look.eyes, look.tiles or TILES
    place = (region.box, region.polygon) if region else None
    key = (*_key(img), channel, place, tiles, eyes, kind if eyes != FLOOR else "")
    with _lock:
        if key in _drawn:
            return _drawn[key]
    sample = _sample(img, kind, eyes, tiles, region, channel)
    method = {"method": METHOD} if eyes == FLOOR else {"method": "Micro-D1, tile by tile", "weights": eyes}
    told = method | {"seed": SEED, "tiles_drawn": len(sample.grid), "tiles_in_all": sample.whole[0]}
    drawn = Drawn(sample, region, img.plane_shape, told)
    with _lock:
        _drawn[key] = drawn
        while len(_drawn) > _KEPT_SAMPLES:
            _drawn.popitem(last=False)
    return drawn


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
    looking = load(eyes)
    concept = concept_of(kind)
    if concept is None or concept in WIDE or not knows(looking, kind):
        found, taken = _wide(looking.whole(img, channel), concept or "object")
        learned = (
            {} if concept in WIDE or kind in WIDE or knows(looking, kind) else {"not_learned": kind, "mostly": _mostly(found)}
        )
        return _told(found, eyes, {"kind": taken, **learned})
    found = looking.kind(img, concept, channel)
    return _told(found, eyes, {"kind": concept, **_presence(found)})


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
    told = {"method": METHOD, **{str(k): plain(v) for k, v in labels.attrs.items()}}
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
