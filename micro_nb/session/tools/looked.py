"""Objects as a model sees them: what a word means among them, and whether it is there at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...data.image import MicroImage
from ...tiles.objects import Objects
from ..eyes import concept_of, knows, load, made_by, named

_WIDE = ("object", "particle", "spot", "grain", "cell")
"""Concepts that people use for whatever there is."""


def find_kind(img: MicroImage, target: str, eyes: str, channel: str | None) -> Objects:
    """Objects that a word names; ``made_by["kind"]`` says which concept was taken for it.

    A wide word ("objects", "particles", "cells") means all whole objects, or, where some of these are of that very concept,
    those. Cells are nuclei where nuclei are what shows. A word of which the model knows no kind also means all of them.
    """
    looking = load(eyes)
    concept = concept_of(target) or "object"
    if concept in _WIDE or not knows(looking, target):
        found, kind = _wide(looking.whole(img, channel), concept)
        return _told(found, eyes, {"kind": kind})
    found = looking.kind(img, concept, channel)
    return _told(found, eyes, {"kind": concept, **_presence(found)})


def all_named(img: MicroImage, eyes: str, channel: str | None = None) -> Objects:
    """Everything that the model has a name for, in all layers."""
    return load(eyes).everything(img, channel)


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
