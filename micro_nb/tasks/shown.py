"""What a model was shown: its training pictures as witnesses. What is said of them is believed of pictures that look like them.

The joint space is sure of itself far from anything that it was trained on: it knows one comet assay, and what shines in the dark
may be called one. Here a picture's thumbnail, as features that no label has shaped, is compared with those of the training
pictures. A concept is vouched for by how much nearer the nearest of those that show it is than the nearest of those that do not,
or of which it is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from ..models.ontology import ontology

FILE = "shown.npz"
_SAME = 0.95
"""Pictures nearer than this are of one field or of one beside it; against these, one of which nothing is known says nothing."""
_WEIGHTS = Path(__file__).parent.parent / "models" / "weights"


@dataclass(frozen=True)
class Shown:
    """Training pictures.

    Attributes
    ----------
    centre, axes : ``(F,)`` and ``(A, F)``: mean of the features, every source alike, and directions along which they differ most.
    pictures : ``(N, A)`` unit vectors.
    concepts : ``C`` names in the ontology.
    present : ``(N, C) bool``: which picture is known to show which concept.
    lines : kind of concept -> slope and intercept, from a difference of cosines to log odds.
    """

    centre: np.ndarray
    axes: np.ndarray
    pictures: np.ndarray
    concepts: tuple[str, ...]
    present: np.ndarray
    lines: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, model: Any) -> Shown | None:
        """Those of a model whose calibration names them; None where it names none."""
        said = (getattr(model, "calibration", None) or {}).get("recognition")
        if not said:
            return None
        return _read(_WEIGHTS / said["shown"] / FILE, tuple((k, *map(float, line)) for k, line in sorted(said["lines"].items())))

    def vouched(self, thumbnail: np.ndarray, kind: str) -> dict[str, float]:
        """How probable each concept is by likeness of a picture with features ``(M, F)`` alone.

        Concepts of one ``kind`` are asked about; every one that a training picture shows is answered.
        """
        slope, intercept = self.lines[kind]
        cosine = self.placed(thumbnail) @ self.pictures.T
        ahead = np.where(self._nearest(cosine) >= _SAME, self.ahead(np.where(self._told(kind), cosine, -1.0)), self.ahead(cosine))
        return dict(zip(self.concepts, expit(slope * ahead + intercept).tolist(), strict=True))

    def placed(self, thumbnail: np.ndarray) -> np.ndarray:
        """``(A,)`` unit vector of a picture with features ``(M, F)``."""
        place = self.axes @ (np.asarray(thumbnail, np.float32).mean(0) - self.centre)
        return np.asarray(place / max(float(np.linalg.norm(place)), 1e-9))

    def ahead(self, cosine: np.ndarray) -> np.ndarray:
        """``(C,)`` by how much the nearest picture that shows each concept is nearer, of cosines ``(N,)`` with a picture."""
        return np.asarray(self._nearest(cosine) - np.where(self.present, -1.0, cosine[:, None]).max(0))

    def _nearest(self, cosine: np.ndarray) -> np.ndarray:
        """``(C,)`` of the nearest picture that shows each concept."""
        return np.asarray(np.where(self.present, cosine[:, None], -1.0).max(0))

    def _told(self, kind: str) -> np.ndarray:
        """``(N,) bool``: pictures of which some concept of a kind is known."""
        known = ontology()
        return np.asarray(self.present[:, [known[c].kind == kind for c in self.concepts]].any(1))


@lru_cache(maxsize=4)
def _read(path: Path, lines: tuple[tuple[str, float, float], ...]) -> Shown | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        wide = {name: arrays[name].astype(np.float32) for name in ("centre", "axes", "pictures")}
        concepts, present = tuple(str(name) for name in arrays["concepts"]), arrays["present"]
    return Shown(**wide, concepts=concepts, present=present, lines={kind: (a, b) for kind, a, b in lines})
