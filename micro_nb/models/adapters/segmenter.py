"""The one interface that another segmenter implements: the pixels of a window in, its instances out.

What it need not know: files, tiles, seams, physical sizes, tables. ``mnb.parse(img, model=segmenter)`` brings the plane to the
segmenter's preferred scale, calls it on windows of a grid that belongs to the segmenter (never to the caller's ``tile``), joins
objects across seams and measures them.

    class Threshold:                          # all that is needed; no base class
        name, weights_id, prompted = "threshold", "", False
        diameter_px, window, halo = None, 512, 64

        def segment(self, pixels, prompts=None):
            return Instances.of(skimage.measure.label(pixels.mean(0) > 0.5))

    mnb.parse(img, ["bright blob"], model=Threshold())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Prompts:
    """Where objects are, in pixels of a window; every prompt asks for one object.

    Attributes
    ----------
    boxes : ``(n, 4) float``: y0, x0, y1, x1, half open.
    points : ``(n, k, 2) float``: y, x of k points for each object; None where boxes say enough.
    inside : ``(n, k) bool``: whether each point lies on the object; None where all do.
    """

    boxes: np.ndarray | None = None
    points: np.ndarray | None = None
    inside: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.boxes is None and self.points is None:
            raise ValueError("prompts are boxes (n, 4), points (n, k, 2), or both; got neither")
        for name, ndim in (("boxes", 2), ("points", 3), ("inside", 2)):
            given = getattr(self, name)
            if given is not None and np.ndim(given) != ndim:
                raise ValueError(f"{name} have {ndim} axes; got {np.shape(given)}")
        if self.boxes is not None and self.points is not None and len(self.boxes) != len(self.points):
            raise ValueError(f"{len(self.boxes)} boxes but points for {len(self.points)} objects; give one of each an object")

    def __len__(self) -> int:
        return len(self.boxes if self.boxes is not None else self.points)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Instances:
    """What was found in a window.

    Attributes
    ----------
    labels : ``(h, w) int32``; 0 is background. With prompts, label k is the object of prompt k - 1, and may be missing.
    scores : ``(n,) float32`` 0..1 of labels 1..n.
    """

    labels: np.ndarray
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def of(cls, labels: np.ndarray, scores: Sequence[float] | np.ndarray | None = None) -> Instances:
        """Labels of a segmenter that gives no scores score 1."""
        numbers = np.asarray(labels, np.int32)
        if numbers.ndim != 2:
            raise ValueError(f"labels of a window are (h, w); got {numbers.shape}")
        n = int(numbers.max(initial=0))
        found = np.ones(n, np.float32) if scores is None else np.asarray(scores, np.float32)
        if len(found) < n:
            raise ValueError(f"labels go up to {n}, but there are {len(found)} scores")
        return cls(numbers, found)


@runtime_checkable
class Segmenter(Protocol):
    """A segmenter of any origin.

    Attributes
    ----------
    name : what evidence calls it. weights_id : SHA-256 of its weights or another text that changes with them.
    diameter_px : object diameter that it handles best, in its own pixels; None where it takes pixels of level 0 as they are.
    window, halo : edge of the square it decides about, and what it sees around it, in its own pixels. An object wider than
        ``halo`` may be cut at a seam and is then joined from its parts.
    prompted : whether it needs to be shown objects; ``parse`` then lets Micro-D1 find and name them, and has it outline them.
    """

    @property
    def name(self) -> str: ...

    @property
    def weights_id(self) -> str: ...

    @property
    def diameter_px(self) -> float | None: ...

    @property
    def window(self) -> int: ...

    @property
    def halo(self) -> int: ...

    @property
    def prompted(self) -> bool: ...

    def segment(self, pixels: np.ndarray, prompts: Prompts | None = None) -> Instances:
        """Instances of a window.

        Parameters
        ----------
        pixels : ``(c, h, w) float32``, one or three channels; 0 and 1 are the plane's dark and bright percentiles, and values
            may lie outside. At the plane's rim windows are smaller than ``window + 2 * halo``.
        prompts : objects to outline; None to find all.

        Notes
        -----
        Must depend on its arguments alone, or results would depend on tiles and threads.
        """
