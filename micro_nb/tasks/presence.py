"""Whether what a prompt names is in an image at all: present, absent with a p-value, or a thing the model was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..models.network import MicroD1
from .calibrate import p_value

Status = Literal["present", "absent", "not trained on this"]
ALPHA = 0.05
_NOTHING = -12.0
_BEST = 3


@dataclass(frozen=True)
class Presence:
    """What is said of one prompt.

    Attributes
    ----------
    name : the prompt. ``status``, ``present`` and ``p_value`` never disagree: present is p <= 0.05, absent is p > 0.05.
    status : ``"not trained on this"`` where the ontology has no concept for it, has one that no training image showed, or where a
        word of it was not read.
    present : whether it is there; None where that is not known.
    p_value : how often an image without it scores as high; None where the model has no null for it. What the image as a whole
        suggests is half an answer where no object was found: p is then brought halfway to 1, so above 0.5, which keeps order.
    count : objects that were found for it.
    read_as : the concept that was looked for; ``""`` where none was recognised.
    unread : words that would narrow it down, which nothing was done about: "large" of "large nuclei"; or, where nothing was
        looked for, the several things that one prompt names.
    """

    name: str
    status: Status
    present: bool | None
    p_value: float | None
    count: int
    read_as: str = ""
    unread: str = ""


def parts(image_cosine: float, object_odds: np.ndarray, model: MicroD1) -> tuple[float, float]:
    """Log odds of a prompt for an image, from the cosine of their vectors, and for its best objects, from those ``(n,)`` of the
    objects that were taken for it."""
    image = image_cosine * float(model.joint.image_scale.exp()) + float(model.joint.image_bias)
    best = float(np.sort(object_odds)[-_BEST:].mean()) if len(object_odds) else _NOTHING
    return max(image, _NOTHING), max(best, _NOTHING)


def statistic(image_odds: float, object_odds: float, weights: tuple[float, ...] = (1.0, 1.0)) -> float:
    """One number that is higher where a prompt is present; the weights were fitted on validation images."""
    return float(weights[0] * image_odds + weights[1] * object_odds)


def judge(name: str, score: float, count: int, *, trained: bool, calibration: Mapping[str, Any]) -> Presence:
    """Presence of a prompt from its statistic; ``trained`` says whether training images showed the concept.

    Of a model's calibration, ``presence["null"]`` holds statistics of absent prompts on validation images.
    """
    null = calibration.get("presence", {}).get("null")
    if not trained or not null:
        return Presence(name, "not trained on this", None, None, count)
    p = float(p_value(score, null))
    p = p if count else (1 + p) / 2  # larger than it need be, so still a p-value
    there = p <= ALPHA
    return Presence(name, "present" if there else "absent", there, p, count)
