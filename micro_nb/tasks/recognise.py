"""What kind of picture it is: modality, stain, specimen, or that it is not sure.

Two witnesses are heard, and the less certain one is believed: the joint space of images and words, and the likeness to what the
model was shown (:mod:`~micro_nb.tasks.shown`). From the widest concept the way goes down to the narrowest that both hold for
probable; where there is none, nothing is said of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from ..models.network import MicroD1
from ..models.ontology import ontology
from .shown import Shown
from .text import encode_text

KINDS = ("modality", "stain", "specimen")
_LEAST = 0.6
_FAR_ENOUGH = frozenset({"light microscopy", "electron microscopy"})
"""Below their kinds, training images say little of what they are not."""
_SAYS_NOTHING = frozenset({"microscopy", "light microscopy"})


def recognise(image: np.ndarray, model: MicroD1, thumbnail: np.ndarray | None = None) -> dict[str, dict[str, Any]]:
    """The most specific concept of each kind that is probable: kind -> ``{"name", "probability"}``, where one stands out.

    Parameters
    ----------
    image : ``(D,)`` unit vector.
    thumbnail : ``(M, 1280)`` features of the whole image, small; without it the joint space alone is heard, which is sure of
        itself where it should not be.
    """
    shown, found = Shown.of(model) if thumbnail is not None else None, {}
    for kind in KINDS:
        p = _joint(image, kind, model)
        if shown is not None and thumbnail is not None and kind in shown.lines:
            vouched = shown.vouched(thumbnail, kind)
            p = {name: min(one, vouched.get(name, 0.0)) for name, one in p.items()}
        name = _narrowed(p)
        if name is not None and name not in _SAYS_NOTHING:
            found[kind] = {"name": name, "probability": round(p[name], 3)}
    return found


def _joint(image: np.ndarray, kind: str, model: MicroD1) -> dict[str, float]:
    """How probable each trained concept of a kind is by its words."""
    known = ontology()
    names = [name for name in model.calibration.get("image_concepts", ()) if name in known and known[name].kind == kind]
    if not names:
        return {}
    odds = encode_text(names, model=model) @ image * float(model.joint.image_scale.exp()) + float(model.joint.image_bias)
    return dict(zip(names, expit(odds).tolist(), strict=True))


def _narrowed(p: Mapping[str, float]) -> str | None:
    """The concept at the end of the way down: each time the most probable, as long as that is probable by itself."""
    onto = ontology()
    at, choices = None, [name for name in p if not set(onto.ancestors(name)) & set(p)]
    while choices:
        best = max(choices, key=lambda name: p[name])
        if p[best] < _LEAST:
            break
        at, choices = best, [name for name in p if best in onto[name].parents and not _FAR_ENOUGH & set(onto[best].parents)]
    return at
