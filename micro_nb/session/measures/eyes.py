"""What a session looks through, Micro-D1 or the weight-free floor, and what it finds there: objects of an image, found once and
kept; of a large image those of a random sample of the tiles. A name stands for eyes, so that evidence can repeat it."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ...analysis.measure import measure
from ...analysis.sampling import ObjectSample, drawn_of, sample_objects
from ...analysis.scale import find_recipe
from ...analysis.segment import segment, segmented_plane
from ...analysis.statistics import Estimate, bootstrap, estimate_total
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ...models.ontology import ontology
from ...tiles.labels import layer_array
from ...tiles.objects import Objects
from ...tiles.plan import TileGrid
from .measurement import plain_value

FLOOR, MICRO_D1 = "floor", "micro_d1"
METHOD = "weight-free segmentation"
WHOLE_PIXELS = 1 << 26
"""Of larger planes a random sample of the tiles is looked at, unless all of it was, or is wanted."""
WIDE = ("object", "particle", "spot", "grain", "cell", "thing")
"""Concepts that people use for whatever there is."""
_TILES, _TILE, _SEED = 32, 768, 0
_KEPT_PIXELS, _SAMPLE = 1 << 28, 1 << 23  # what is kept at most, and what a sample of tiles counts for
_WEIGHTS = Path(__file__).parents[2] / "models" / "weights" / "nano" / "model.safetensors"
_Found = TypeVar("_Found", bound="Drawn | Objects")
_given: dict[str, Eyes] = {}
_lock = threading.Lock()
_kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()


@dataclass(frozen=True)
class Eyes:
    """A Micro-D1 model that looks; with a ``draw`` it may look at a part of the image alone."""

    model: Any
    draw: Any = None

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """What it was trained to tell apart, and names it was fine-tuned on."""
        return (*self.model.calibration.get("object_concepts", ()), *(getattr(self.model.config, "extra_concepts", None) or {}))

    @cached_property
    def judges(self) -> bool:
        """Whether its null sample is long enough for an absence to be told from a presence."""
        from ...tasks.presence import ALPHA  # torch is loaded where a model looks, not before

        return 1 / (1 + len(self.model.calibration.get("presence", {}).get("null", ()))) <= ALPHA

    def whole(self, img: MicroImage, channel: str | None) -> Objects:
        """The layer "object", whether named or not; a name is that which ``parse`` gives."""
        from ...tasks.look.looking import look_at

        _, seen = look_at(img, self.model, channel=channel, draw=self.draw)
        found = seen.layers["object"]
        labels = layer_array(found.labels if is_large(img) else np.asarray(found.labels), (), pixel_size=img.pixel_size)
        table, every = measure(img, labels), self.parsed(img, None, channel).table
        names = every[every["layer"] == "object"].set_index("label")["name"]
        table["name"] = names.reindex(table["label"]).fillna("").to_numpy(object)
        table["score"] = found.certainty[table["label"].to_numpy(int) - 1]
        return Objects(table, labels, None, img.pixel_size, img.content_id, seen.to_dict())

    def parsed(self, img: MicroImage, prompts: Sequence[str] | None, channel: str | None) -> Objects:
        """What prompts mean; without, everything that has a name."""
        from ...tasks.look.looking import look_at
        from ...tasks.parse import parse_seen

        return parse_seen(*look_at(img, self.model, channel=channel, draw=self.draw), prompts, self.model)

    def kind(self, img: MicroImage, concept: str, channel: str | None) -> Objects:
        """What the prompt means; where presence cannot be judged, what the model names so."""
        own = [name for name in self.concepts if is_kind(name, concept)]
        found = self.parsed(img, [concept] if concept in own else own or [concept], channel)
        found = replace(found, presence=_likeliest(found.presence))
        if len(found) or found.presence is None or not found.presence["count"].iloc[0]:
            return _one_layer(found, img)
        everything = self.parsed(img, None, channel)
        table = everything.table[named(everything.table, concept)]
        in_layer = everything.table[everything.table["layer"] == table["layer"].mode().iloc[0]] if len(table) else table
        if self.judges and 2 * len(table) < max(len(in_layer), 1):
            return _one_layer(found, img)  # an absence that is not contradicted by most of what is there
        return _one_layer(replace(everything, table=table, presence=found.presence), img)


@dataclass(frozen=True)
class Look:
    """Which eyes look, and at how many tiles of the image; None for all of it."""

    eyes: str = FLOOR
    tiles: int | None = None

    @classmethod
    def of(cls, eyes: Any, img: MicroImage, tiles: int | None) -> Look:
        """The eyes that can look at an image; of a large one at a sample, unless all of it was looked at before."""
        name = resolve(eyes, img)
        whole = not is_large(img) if tiles is None else name == FLOOR and not is_large(img) and tiles >= tiles_of(img)
        return cls(name, None if whole or (tiles is None and is_seen(name, img)) else tiles or _TILES)


@dataclass(frozen=True)
class Drawn:
    """A random sample of the tiles of a large image, and the arithmetic from it to the whole.

    Attributes
    ----------
    sample : the tiles and the objects in them.
    made_by : how it was drawn and what looked at it, JSON values.
    """

    sample: ObjectSample
    made_by: dict[str, Any]

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


def resolve(eyes: Any, img: MicroImage | None) -> str:
    """The name of the eyes that can look at an image: what was asked for, or the floor.

    Parameters
    ----------
    eyes : ``"micro_d1"``, ``"floor"``, a folder or hub id, or a loaded model.
    """
    if not isinstance(eyes, str | os.PathLike):
        if not hasattr(eyes, "calibration"):
            raise EvidenceError(f"eyes={eyes!r} must be 'micro_d1', 'floor', a model folder or what load_model gives")
        name = str(eyes.weights_id)
        _given[name] = Eyes(eyes)
    else:
        name = os.fspath(eyes)
    if name == FLOOR or img is None or (name == MICRO_D1 and not _WEIGHTS.is_file()):
        return FLOOR
    return FLOOR if any(axis in img.axes for axis in "tz") else name


def load(name: str) -> Eyes:
    """The eyes of a name that :func:`resolve` gave."""
    if name in _given:
        return _given[name]
    from ...tasks.load import load_model

    if len(name) == 64 and not Path(name).exists():
        raise EvidenceError(f"the model with weights {name[:12]} is not loaded; make a Session(img, eyes=model) with it first")
    return Eyes(load_model("nano" if name == MICRO_D1 else name))


def is_kind(name: str, concept: str) -> bool:
    """Whether a name is a concept or a kind of it; names that the ontology does not know are only themselves."""
    known = ontology()
    return name == concept or (name in known and concept in known and known.is_a(name, concept))


def concept_of(word: str) -> str | None:
    """The concept that a word for objects names, singular or plural.

    >>> concept_of("white blood cells"), concept_of("objects"), concept_of("things")
    ('white blood cell', 'object', None)
    """
    match = ontology().find(word)
    return match.id if match is not None else None


def knows(eyes: Eyes, word: str) -> bool:
    """Whether eyes were trained on what a word names, or on a kind of it."""
    concept = concept_of(word) or word
    return any(is_kind(name, concept) for name in eyes.concepts)


def named(table: pd.DataFrame, concept: str) -> np.ndarray:
    """Which rows are of a concept."""
    return np.array([is_kind(str(name), concept) for name in table["name"]], bool)


def made_by(found: Objects) -> Mapping[str, Any]:
    """How a model found objects, as JSON values for evidence."""
    from ...tasks.names import LEAST

    told = {key: found.made_by[key] for key in ("weights", "scale", "grey_bounds", "tile_px") if key in found.made_by}
    return {"method": "Micro-D1", "score_threshold": LEAST, **told}


def find(img: MicroImage, kind: str, look: Look, channel: str | None = None) -> Objects:
    """Objects that a kind means; ``made_by["kind"]`` says which concept was taken for it."""
    if look.eyes == FLOOR:
        return _remembered(img, (channel, FLOOR), lambda: _floor(img, channel))
    return _remembered(img, (channel, look.eyes, kind), lambda: _of_kind(img, kind, load(look.eyes), channel))


def everything(img: MicroImage, look: Look, channel: str | None = None) -> Objects:
    """Everything that the model has a name for, in all layers; of a large image in the drawn tiles."""
    eyes = load(look.eyes) if look.tiles is None else _drawing(look, None)
    return _remembered(img, (channel, look, "everything", None), lambda: eyes.parsed(img, None, channel))


def draw(img: MicroImage, kind: str, look: Look, region: Region | None, channel: str | None) -> Drawn | Objects:
    """Objects of a random sample of the tiles, or all objects, where half of the tiles or more would have been drawn."""
    place = region.to("px", img.pixel_size).clip(img.plane_shape) if region else None
    tiles = look.tiles or _TILES

    def made() -> Drawn | Objects:
        if look.eyes == FLOOR:
            sample = sample_objects(img, tiles=tiles, tile=_TILE, region=region, channel=channel, seed=_SEED)
            told = {"method": METHOD, **_json(sample.recipe.to_dict())}
        else:
            eyes = _drawing(look, place)
            found = _of_kind(img, kind, eyes, channel)
            if "tile_px" not in found.made_by:
                return found
            plane, told = segmented_plane(img, channel, None)[0], dict(found.made_by)
            full = TileGrid(img.plane_shape, tile=told.pop("tile_px"))
            y, x = (found.table[f"centroid_{axis}_px"].to_numpy() for axis in "yx")
            table = found.table.assign(tile=(y // full.tile * full.cols + x // full.tile).astype(int))
            among = full.within(place) if place else full
            sample = drawn_of(table, plane, find_recipe(plane), among, eyes.draw.of(full), place)
        told |= {"seed": _SEED, "tiles_drawn": len(sample.grid), "tiles_in_all": sample.whole[0]}
        return Drawn(sample, told)

    of = (place.box, place.polygon) if place else None
    return _remembered(img, (channel, of, tiles, look.eyes, kind if look.eyes != FLOOR else ""), made)


def _drawing(look: Look, place: Region | None) -> Eyes:
    """Eyes that look at as many tiles as are to be looked at, drawn at random."""
    from ...tasks.look.seen import Draw

    return replace(load(look.eyes), draw=Draw(look.tiles or _TILES, place, _SEED))


def is_seen(eyes: str, img: MicroImage) -> bool:
    """Whether a model looked at all of an image before."""
    if eyes == FLOOR:
        return False
    from ...tasks.look.looking import is_kept

    return is_kept(img, load(eyes).model)


def is_large(img: MicroImage) -> bool:
    """Whether objects are looked for in a sample of the tiles only."""
    return img.plane_shape[0] * img.plane_shape[1] > WHOLE_PIXELS


def tiles_of(img: MicroImage) -> int:
    """How many tiles a sample is drawn from."""
    return -(-img.plane_shape[0] // _TILE) * -(-img.plane_shape[1] // _TILE)


def _remembered(img: MicroImage, of: tuple[Any, ...], made: Callable[[], _Found]) -> _Found:
    """What was made of an image before, or now; the oldest is forgotten where much is kept."""
    key = (img.content_id, tuple(sorted((img.pixel_size or {}).items())), *of)
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
    return int(found.labels.size) if found.labels is not None and found.labels.size <= WHOLE_PIXELS else _SAMPLE  # on disk


def _floor(img: MicroImage, channel: str | None) -> Objects:
    """All objects, found without trained weights."""
    labels = segment(img, channel=channel)
    told = {"method": METHOD, **_json(labels.attrs)}
    return Objects(measure(img, labels), labels, pixel_size=img.pixel_size, image_id=img.content_id, made_by=told)


def _of_kind(img: MicroImage, kind: str, looking: Eyes, channel: str | None) -> Objects:
    """Objects that a kind names, as a model sees them.

    A wide word ("objects", "particles", "cells") means all whole objects, or, where some of these are of that very concept,
    those. Cells are nuclei where nuclei are what shows. A word of which the model knows no kind also means all of them.
    """
    concept = concept_of(kind)
    if concept is not None and concept not in WIDE and knows(looking, kind):
        found = looking.kind(img, concept, channel)
        told = {"kind": concept, **_presence(found)}
    else:
        found, taken = _wide(looking.whole(img, channel), concept or "object")
        known = concept in WIDE or kind in WIDE or knows(looking, kind)
        told = {"kind": taken}
        if not known:
            told |= {"not_learned": kind, "mostly": _mostly(found), "wider": _wider(looking, concept)}
    labels = found.labels
    if labels is not None and len(found) and not is_large(img):  # those that are meant alone
        own = np.isin(labels.values, found.table["label"].to_numpy(int))
        labels = labels.copy(data=np.where(own, labels.values, 0))
    return replace(found, labels=labels, made_by={**made_by(found), **told})


def _wide(whole: Objects, concept: str) -> tuple[Objects, str]:
    """Of all whole objects those that a wide word means, and the concept taken for it."""
    own, nuclei = named(whole.table, concept), named(whole.table, "nucleus")
    if concept == "cell" and nuclei.sum() > own.sum():
        own, concept = nuclei, "nucleus"
    elif not own.any() or concept == "object" or (concept != "cell" and 2 * own.sum() < len(own)):
        return whole, "object"
    return replace(whole, table=whole.table[own].reset_index(drop=True)), concept


def _wider(eyes: Eyes, concept: str | None) -> str:
    """The nearest wider kind that eyes were trained on by its own name; empty where there is none."""
    wider = ontology().ancestors(concept) if concept is not None and concept in ontology() else ()
    return next((w for w in wider if w in eyes.concepts and w not in WIDE), "")


def _mostly(found: Objects) -> str:
    """The name that most of the objects have; empty where most have none, or no one name prevails."""
    if not len(found):
        return ""
    counts = found.table["name"].value_counts()
    name, n = str(counts.index[0]), int(counts.iloc[0])
    return name if name and name != "object" and 2 * n > len(found) else ""


def _presence(found: Objects) -> Mapping[str, Any]:
    """Status and p-value of the one prompt."""
    if found.presence is None or not len(found.presence):
        return {}
    row = found.presence.iloc[0]
    status = "present" if len(found) else "absent" if row["present"] is not None else str(row["status"])
    p = row["p_value"]
    return {"presence": status} | ({"p_value": float(p)} if p is not None and np.isfinite(p) else {})


def _likeliest(presence: pd.DataFrame | None) -> pd.DataFrame | None:
    """Of several prompts the row with the smallest p-value, which is then that of the best of so many (Bonferroni)."""
    if presence is None or len(presence) < 2:
        return presence
    best = presence.sort_values(["p_value", "count"], ascending=[True, False], na_position="last").head(1).copy()
    best["p_value"] = (best["p_value"].astype(float) * len(presence)).clip(upper=1.0)
    best["count"] = presence["count"].sum()
    return best


def _one_layer(found: Objects, img: MicroImage) -> Objects:
    """Objects of the one layer they lie in, with ``(y, x)`` labels and the grey values of all channels."""
    assert found.labels is not None
    layer = found.table["layer"].mode().iloc[0] if len(found) else str(found.labels["layer"].values[0])
    table = found.table[found.table["layer"] == layer].reset_index(drop=True)
    labels = found.labels.sel(layer=layer, drop=True)
    if "c" in img.axes and not img.rgb and len(table):
        names = table.set_index("label")[["name", "score"]]
        table = measure(img, labels)
        table = table[table["label"].isin(names.index)].reset_index(drop=True)
        table["name"], table["score"] = (names[k].loc[table["label"]].to_numpy() for k in ("name", "score"))
    return replace(found, table=table, labels=labels)


def _json(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON values."""
    plain = {str(k): v.tolist() if isinstance(v, np.ndarray) else plain_value(v) for k, v in values.items()}
    kept = (str, int, float, bool, type(None), list, dict)
    return {k: v if isinstance(v, kept) else str(v) for k, v in plain.items()}
