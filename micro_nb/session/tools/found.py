"""The objects of an image, found once and kept: all of them, or those of a random sample of its tiles."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from ...analysis.measure import measure
from ...analysis.sampling import ObjectSample, sample_objects
from ...analysis.segment import segment
from ...data.image import MicroImage
from ...data.region import Region
from ...tiles.objects import Objects
from .. import eyes as eyes_of
from ..eyes import FLOOR
from .drawn import Drawn, plain
from .looked import find_kind

METHOD = "weight-free segmentation"
WHOLE_PIXELS = eyes_of.WHOLE_PIXELS
TILES, TILE, SEED = 32, 768, 0
SMALL_TILE = 512  # of images that could be looked at whole, when a question is given little time
_KEPT_SAMPLES = 32
_KEPT_PIXELS = 1 << 28
_lock = threading.Lock()
_drawn: OrderedDict[tuple[Any, ...], Drawn] = OrderedDict()
_kept: OrderedDict[tuple[Any, ...], Objects] = OrderedDict()


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


def nuclear_channel(img: MicroImage, eyes: str) -> str:
    """The name of the channel that shows the most nuclei."""
    shown = {c.name: len(find(img, channel=c.name, eyes=eyes, target="nuclei")) for c in img.channels}
    return max(shown, key=lambda name: shown[name])


def is_large(img: MicroImage) -> bool:
    """Whether objects are looked for in a sample of the tiles only."""
    return img.plane_shape[0] * img.plane_shape[1] > WHOLE_PIXELS


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


def draw(img: MicroImage, region: Region | None, channel: str | None, tiles: int | None, eyes: str, target: str) -> Drawn:
    """Objects of a random sample of the tiles, kept for the next question; large images are looked at without weights."""
    looks, tiles = FLOOR if is_large(img) else eyes, tiles or TILES
    scale = tuple(sorted(img.pixel_size.items())) if img.pixel_size else None
    place = (region.box, region.polygon) if region else None
    key = (img.content_id, scale, channel, place, tiles, looks, target if looks != FLOOR else "")
    with _lock:
        if key in _drawn:
            return _drawn[key]
    sample = _sample(img, region, channel, tiles, looks, target)
    drawn = Drawn(sample, region, img.plane_shape, _made_by(sample, looks))
    with _lock:
        _drawn[key] = drawn
        while len(_drawn) > _KEPT_SAMPLES:
            _drawn.popitem(last=False)
    return drawn


def _made_by(sample: ObjectSample, eyes: str) -> dict[str, Any]:
    method = {"method": METHOD} if eyes == FLOOR else {"method": "Micro-D1, tile by tile", "weights": eyes}
    return method | {"seed": SEED, "tiles_drawn": len(sample.grid), "tiles_in_all": sample.whole[0]}


def _sample(img: MicroImage, region: Region | None, channel: str | None, tiles: int, eyes: str, target: str) -> ObjectSample:
    edge = TILE if is_large(img) else SMALL_TILE
    if eyes == FLOOR:
        return sample_objects(img, tiles=tiles, tile=edge, region=region, channel=channel, seed=SEED)

    def by_eyes(part: MicroImage) -> Objects:
        return find_kind(part, target, eyes, channel)

    return sample_objects(img, tiles=tiles, tile=edge, region=region, channel=channel, find=by_eyes, seed=SEED, threads=1)
