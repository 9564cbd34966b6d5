"""One labelled picture to learn from, and what is done to pictures and label images on the way there.

In a label image 0 is background, ``-1`` is "not known here" and is never counted against anyone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from ..tiles.polygons import numbered

UNKNOWN = -1
LARGEST_PX = 96.0
"""Typical objects are kept at no more than this many pixels across, so that what is a quarter of their size is seen sharp."""


@dataclass
class Sample:
    """One labelled image.

    Attributes
    ----------
    image : ``(h, w, 3) uint8``; grey pictures have three equal channels.
    labels : layer -> ``(h, w) int32``; a layer that is missing is not known anywhere.
    names : layer -> object number -> concept.
    dataset, name, group : where it comes from; what belongs together has one group.
    diameter_px : typical diameter of its objects in its pixels. facts : what else is known, such as its modality.
    """

    image: np.ndarray
    labels: dict[str, np.ndarray]
    names: dict[str, dict[int, str]]
    dataset: str
    name: str
    group: str
    diameter_px: float
    facts: dict[str, str] = field(default_factory=dict)

    def reduced(self, largest: float = LARGEST_PX) -> Sample:
        """The same with objects no larger than ``largest`` pixels."""
        scale = largest / self.diameter_px
        if scale >= 1:
            return self
        shape = tuple(max(1, round(n * scale)) for n in self.image.shape[:2])
        labels = {layer: nearest(lab, shape) for layer, lab in self.labels.items()}
        return replace(self, image=resized(self.image, shape), labels=labels, diameter_px=self.diameter_px * scale)


def typical_diameter(labels: Iterable[np.ndarray]) -> float:
    """Median diameter of discs of the objects' areas; objects are weighed by their diameter, so that specks do not decide."""
    areas = np.concatenate([np.bincount(lab[lab > 0].ravel())[1:] for lab in labels] or [np.zeros(0, int)])
    diameters = np.sort(2 * np.sqrt(areas[areas > 0] / np.pi))
    if diameters.size == 0:
        return 22.0
    weight = np.cumsum(diameters)
    return float(diameters[np.searchsorted(weight, weight[-1] / 2)])


def eight_bit(pixels: np.ndarray) -> np.ndarray:
    """``(h, w, 3) uint8`` of a picture ``(y, x)`` or of one or three channels ``(c, y, x)``, any real dtype.

    What is not uint8 is stretched between its 0.1 and 99.9 percentiles over all channels; training looks at percentiles within.
    """
    planes = pixels[None] if pixels.ndim == 2 else pixels
    if planes.ndim != 3 or len(planes) not in (1, 3):
        raise ValueError(f"a picture has one channel (y, x) or three (3, y, x); got {pixels.shape}: choose channels first")
    if planes.dtype != np.uint8:
        low, high = np.percentile(planes, [0.1, 99.9])
        planes = np.clip((planes - low) * (255 / max(high - low, 1e-12)), 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(planes, (3, *planes.shape[1:])).transpose(1, 2, 0))


def resized(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``(h, w, c) uint8`` by area averages."""
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BOX))


def nearest(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels at the centres of a coarser grid."""
    rows = ((np.arange(shape[0]) + 0.5) * labels.shape[0] / shape[0]).astype(int)
    cols = ((np.arange(shape[1]) + 0.5) * labels.shape[1] / shape[1]).astype(int)
    return np.asarray(labels[rows[:, None], cols[None]])


def relabelled(labels: np.ndarray) -> np.ndarray:
    """Consecutive numbers from 1; ``-1`` and 0 stay."""
    return np.where(labels < 0, UNKNOWN, numbered(labels)[1]).astype(np.int32)
