"""What a session looks through: Micro-D1, or the weight-free floor. A name stands for either, so that evidence can repeat it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ...analysis.measure import measure
from ...data.image import MicroImage
from ...errors import EvidenceError
from ...models.ontology import ontology
from ...tiles.labels import layer_array
from ...tiles.objects import Objects

FLOOR, MICRO_D1 = "floor", "micro_d1"
WHOLE_PIXELS = 1 << 26
"""Larger planes are looked at through a random sample of their tiles, without weights."""
_WEIGHTS = Path(__file__).parents[2] / "models" / "weights" / "nano" / "model.safetensors"
_given: dict[str, Eyes] = {}


class Eyes(Protocol):
    """What conversations need of a model that finds and names objects."""

    @property
    def concepts(self) -> Sequence[str]:
        """Object concepts that it was trained to tell apart."""

    @property
    def threshold(self) -> float:
        """The least probability at which it gives an object a name."""

    def whole(self, img: MicroImage, channel: str | None) -> Objects:
        """All whole objects; those it has no name for are named ``""``."""

    def everything(self, img: MicroImage, channel: str | None) -> Objects:
        """All objects it has a name for, in all layers; ``made_by["recognised"]`` says what kind of picture it is."""

    def kind(self, img: MicroImage, concept: str, channel: str | None) -> Objects:
        """Objects of one concept, in one layer, and a row of ``presence``."""


@dataclass(frozen=True)
class Trained:
    """Eyes that are a Micro-D1 model."""

    model: Any

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """What it was trained to tell apart, and names it was fine-tuned on."""
        return (*self.model.calibration.get("object_concepts", ()), *(getattr(self.model.config, "extra_concepts", None) or {}))

    @property
    def threshold(self) -> float:
        """The least probability at which it gives an object a name."""
        from ...tasks.names import LEAST

        return LEAST

    @cached_property
    def judges(self) -> bool:
        """Whether its null sample is long enough for an absence to be told from a presence."""
        from ...tasks.presence import ALPHA  # torch is loaded where a model looks, not before

        return 1 / (1 + len(self.model.calibration.get("presence", {}).get("null", ()))) <= ALPHA

    def whole(self, img: MicroImage, channel: str | None) -> Objects:
        """The layer "object", whether named or not."""
        from ...tasks.look.looking import look_at, object_vectors
        from ...tasks.names import Vocabulary

        _, seen = look_at(img, self.model, channel=channel)
        found = seen.layers["object"]
        labels = layer_array(np.asarray(found.labels), (), pixel_size=img.pixel_size)
        table = measure(img, labels)
        vocabulary, vectors = Vocabulary.of(self.model, coloured=seen.coloured), object_vectors(seen, "object", self.model)
        names = np.array(vocabulary.names(vectors, "object")[0], object)
        at = table["label"].to_numpy(int) - 1
        table["name"], table["score"] = names[at], found.certainty[at]
        return Objects(table, labels, None, img.pixel_size, img.content_id, seen.to_dict())

    def everything(self, img: MicroImage, channel: str | None) -> Objects:
        """Everything that has a name."""
        from ...tasks.parse import parse

        return parse(img, None, model=self.model, channel=channel)

    def kind(self, img: MicroImage, concept: str, channel: str | None) -> Objects:
        """What the prompt means; where presence cannot be judged, what the model names so."""
        from ...tasks.parse import parse

        own = [name for name in self.concepts if is_kind(name, concept)]
        found = parse(img, [concept] if concept in own else own or [concept], model=self.model, channel=channel)
        found = Objects(found.table, found.labels, _likeliest(found.presence), img.pixel_size, img.content_id, found.made_by)
        if len(found) or found.presence is None or not found.presence["count"].iloc[0]:
            return _one_layer(found, img)
        everything = self.everything(img, channel)
        named = everything.table[[is_kind(name, concept) for name in everything.table["name"]]]
        in_layer = everything.table[everything.table["layer"] == named["layer"].mode().iloc[0]] if len(named) else named
        if self.judges and 2 * len(named) < max(len(in_layer), 1):
            return _one_layer(found, img)  # an absence that is not contradicted by most of what is there
        return _one_layer(Objects(named, everything.labels, found.presence, img.pixel_size, img.content_id, found.made_by), img)


def resolve(eyes: Any, img: MicroImage | None) -> str:
    """The name of the eyes that can look at an image: what was asked for, or the floor.

    Parameters
    ----------
    eyes : ``"micro_d1"``, ``"floor"``, a folder or hub id, or a loaded model.
    """
    if not isinstance(eyes, str | os.PathLike):
        if not (hasattr(eyes, "calibration") or hasattr(eyes, "kind")):
            raise EvidenceError(f"eyes={eyes!r} must be 'micro_d1', 'floor', a model folder or what load_model gives")
        name = str(getattr(eyes, "weights_id", type(eyes).__name__))
        _given[name] = eyes if hasattr(eyes, "kind") else Trained(eyes)
    else:
        name = os.fspath(eyes)
    if name == FLOOR or img is None or (name == MICRO_D1 and not _WEIGHTS.is_file()):
        return FLOOR
    large = img.plane_shape[0] * img.plane_shape[1] > WHOLE_PIXELS
    return FLOOR if large or any(axis in img.axes for axis in "tz") else name


def load(name: str) -> Eyes:
    """The eyes of a name that :func:`resolve` gave."""
    if name in _given:
        return _given[name]
    from ...tasks.load import load_model

    if len(name) == 64 and not Path(name).exists():
        raise EvidenceError(
            f"the model with weights {name[:12]} is not loaded here; make a Session(img, eyes=model) with it first"
        )
    return Trained(load_model("nano" if name == MICRO_D1 else name))


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
    return Objects(table, labels, found.presence, img.pixel_size, img.content_id, found.made_by)


def made_by(eyes: str, found: Objects) -> Mapping[str, Any]:
    """How a model found objects, as JSON values for evidence."""
    scale, how = dict(found.made_by.get("scale") or {}), found.made_by
    grey = {"grey_bounds": how["grey_bounds"]} if "grey_bounds" in how else {}
    return {"method": "Micro-D1", "weights": how.get("weights"), "scale": scale, "score_threshold": load(eyes).threshold} | grey


def named(table: pd.DataFrame, concept: str) -> np.ndarray:
    """Which rows are of a concept."""
    return np.array([is_kind(str(name), concept) for name in table["name"]], bool)
