"""What kind of picture it is: modality, stain, specimen, from the image's own vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from ..models.micro_d1 import MicroD1Model
from ..models.ontology import ontology
from .text import encode_text

KINDS = ("modality", "stain", "specimen")
_LEAST = 0.5
_FAR_ENOUGH = frozenset({"light microscopy", "electron microscopy"})
"""Below their kinds, training images say little of what they are not."""


def recognise(image: np.ndarray, model: MicroD1Model) -> dict[str, dict[str, Any]]:
    """The most specific concept of each kind that is probable.

    Parameters
    ----------
    image : ``(D,)`` unit vector.

    Returns
    -------
    kind -> ``{"name", "probability"}``, of the kinds of which one stands out. From the most probable of the widest concepts the
    way goes down to the most probable of its own kinds, as long as that is probable by itself.
    """
    found = {}
    for kind in KINDS:
        names = [
            name for name in model.calibration.get("image_concepts", ()) if name in ontology() and ontology()[name].kind == kind
        ]
        if not names:
            continue
        odds = encode_text(names, model=model) @ image * float(model.joint.image_scale.exp()) + float(model.joint.image_bias)
        p = dict(zip(names, expit(odds).tolist(), strict=True))
        name = _narrowed(p)
        if name is not None:
            found[kind] = {"name": name, "probability": round(p[name], 3)}
    return found


def _narrowed(p: Mapping[str, float]) -> str | None:
    """The concept at the end of the way down."""
    onto = ontology()
    at, choices = None, [name for name in p if not set(onto.ancestors(name)) & set(p)]
    while choices:
        best = max(choices, key=lambda name: p[name])
        if p[best] < _LEAST:
            break
        at, choices = best, [name for name in p if best in onto[name].parents and not _FAR_ENOUGH & set(onto[best].parents)]
    return at
