"""How sure the eyes must be of an object before it bears a name: debris is seen too, and looks like what it came from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..models.micro_d1 import MicroD1Model
from ..progress import Progress
from ..tasks.look.looking import look_at, object_vectors
from ..tasks.names import Vocabulary
from .metrics.instances import Overlap
from .presence import opened
from .shards import UNKNOWN, Sample

_GRID = np.arange(0.6, 0.91, 0.02)
_GAIN = 0.02
"""A floor is kept where it raises the F1 of objects at IoU 0.5 by at least this."""


def floors(samples: Iterable[Sample], model: MicroD1Model) -> dict[str, float]:
    """The least certainty of objects of each concept, where one helps; for ``model.calibration["least_certainty"]``.

    Parameters
    ----------
    samples : training images whose whole objects are all outlined and all of one name; others are left out.
    """
    model.calibration.pop("least_certainty", None)
    vocabulary, seen = Vocabulary.of(model), dict[str, list[tuple[np.ndarray, np.ndarray, int]]]()
    chosen = [s for s in samples if _complete(s)]
    with Progress("weighing debris", len(chosen), "images") as progress:
        for sample in chosen:
            name = next(iter(sample.names["object"].values()))
            _, look = look_at(opened(sample), model)
            layer = look.layers["object"]
            shared = Overlap.of(sample.labels["object"], np.asarray(layer.labels))
            mine = np.array(vocabulary.names(object_vectors(look, "object", model), "object")[0], object) == name
            right = np.zeros(len(layer), bool)
            right[shared.found[shared.matched()[:, 1], 1] - 1] = True
            seen.setdefault(name, []).append((layer.certainty[mine], right[mine], len(shared.true)))
            progress.advance()
    return {name: best for name, found in seen.items() if (best := _best(found)) is not None}


def _complete(sample: Sample) -> bool:
    labels = sample.labels.get("object")
    names = set(sample.names.get("object", {}).values())
    return labels is not None and len(names) == 1 and not (labels == UNKNOWN).any() and bool(labels.any())


def _best(found: list[tuple[np.ndarray, np.ndarray, int]]) -> float | None:
    certainty, right = (np.concatenate([f[k] for f in found]) for k in (0, 1))
    true = sum(f[2] for f in found)

    def f1(least: float) -> float:
        kept = certainty >= least
        return float(2 * (right & kept).sum() / max(1, true + kept.sum()))

    best = max(_GRID, key=f1)
    return round(float(best), 2) if f1(best) >= f1(0.0) + _GAIN else None
