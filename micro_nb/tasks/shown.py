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

FILE = "shown.npz"
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
        """How probable each concept is by likeness alone.

        Parameters
        ----------
        thumbnail : ``(M, F)`` features of a picture.
        kind : which concepts are asked about; every one that a training picture shows is answered.
        """
        slope, intercept = self.lines[kind]
        ahead = self.ahead(self.placed(thumbnail) @ self.pictures.T)
        return dict(zip(self.concepts, expit(slope * ahead + intercept).tolist(), strict=True))

    def placed(self, thumbnail: np.ndarray) -> np.ndarray:
        """``(A,)`` unit vector of a picture with features ``(M, F)``."""
        place = self.axes @ (np.asarray(thumbnail, np.float32).mean(0) - self.centre)
        return np.asarray(place / max(float(np.linalg.norm(place)), 1e-9))

    def ahead(self, cosine: np.ndarray) -> np.ndarray:
        """``(C,)`` by how much the nearest picture that shows each concept is nearer, of cosines ``(N,)`` with a picture."""
        with_it = np.where(self.present, cosine[:, None], -1.0).max(0)
        without = np.where(self.present, -1.0, cosine[:, None]).max(0)
        return np.asarray(with_it - without)


@lru_cache(maxsize=4)
def _read(path: Path, lines: tuple[tuple[str, float, float], ...]) -> Shown | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        wide = {name: arrays[name].astype(np.float32) for name in ("centre", "axes", "pictures")}
        concepts, present = tuple(str(name) for name in arrays["concepts"]), arrays["present"]
    return Shown(**wide, concepts=concepts, present=present, lines={kind: (a, b) for kind, a, b in lines})
