"""``parse`` through another segmenter: its scale, its windows, our tiles, seams, measurements and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage as ndi
from zarr.storage import LocalStore

from .. import __version__
from ..analysis.foreground import shrink
from ..analysis.measure import measure
from ..analysis.scale import find_recipe
from ..data.image import MicroImage
from ..errors import PlanError
from ..models.adapters import Segmenter
from ..models.pictures import normalise
from ..progress import Progress
from ..settings import settings
from ..tiles.assemble import Joined, Window, ordered
from ..tiles.labels import MemoryLabels, ZarrLabels, layer_array
from ..tiles.objects import Objects
from ..tiles.plan import Slices, Tile, TileGrid
from .look.measured import Drawn
from .look.network import plane_bounds
from .presence import Presence

_MOST_ZOOM = 8
_LEAST_WINDOW = 32


@dataclass(frozen=True)
class Working:
    """At which scale a segmenter sees a plane.

    Attributes
    ----------
    reduction : pixels of level 0 along a working pixel, where objects are larger than it handles best.
    zoom : its pixels along a working pixel, where they are smaller.
    window, margin : of its windows, in working pixels.
    diameter_px : object diameter in pixels of level 0; None where the segmenter takes pixels as they are.
    """

    reduction: int
    zoom: int
    window: int
    margin: int
    diameter_px: float | None = None

    @classmethod
    def of(cls, plane: MicroImage, segmenter: Segmenter, diameter_px: float | None = None) -> Working:
        """From ``diameter_px``, else from the weight-free estimate, which looks at the whole plane once."""
        reduction = zoom = 1
        if segmenter.diameter_px is not None:
            diameter_px = float(diameter_px or find_recipe(plane).diameter_px)
            times = diameter_px / segmenter.diameter_px
            reduction, zoom = max(1, round(times)), min(_MOST_ZOOM, max(1, round(1 / times)))
        window = max(_LEAST_WINDOW, segmenter.window // zoom)
        return cls(reduction, zoom, window, -(-segmenter.halo // zoom), diameter_px)


@dataclass(frozen=True)
class Pixels:
    """A plane in working pixels; its grey values ``bounds``, found once for the whole plane, become 0 and 1."""

    plane: MicroImage
    working: Working
    bounds: tuple[float, float]

    @classmethod
    def of(cls, plane: MicroImage, working: Working) -> Pixels:
        return cls(plane, working, plane_bounds(plane))

    @property
    def shape(self) -> tuple[int, int]:
        """``(y, x)`` working pixels."""
        height, width = self.plane.plane_shape
        return -(-height // self.working.reduction), -(-width // self.working.reduction)

    def read(self, place: Slices) -> np.ndarray:
        """``(c, h, w) float32``; a pixel is the same whatever it is read with."""
        k = self.working.reduction
        rows, cols = (slice(s.start * k, min(s.stop * k, n)) for s, n in zip(place, self.plane.plane_shape, strict=True))
        lead = (slice(None),) * (len(self.plane.axes) - 2)
        found = normalise(self.plane.read(0, (*lead, rows, cols)), self.bounds)
        planes = found[None] if found.ndim == 2 else found
        return np.stack([shrink(one, k) for one in planes]).astype(np.float32)

    def magnified(self, pixels: np.ndarray) -> np.ndarray:
        """A window as the segmenter wants it, ``(c, zoom h, zoom w)``; bilinear."""
        if self.working.zoom == 1:
            return pixels
        return np.asarray(ndi.zoom(pixels, (1, *(self.working.zoom,) * 2), order=1, mode="nearest", grid_mode=True))

    def reduced(self, labels: np.ndarray) -> np.ndarray:
        """Its labels in working pixels again: each takes what lies at its middle."""
        half = self.working.zoom // 2
        return labels[half :: self.working.zoom, half :: self.working.zoom]


def _decided(segmenter: Segmenter, source: Pixels, tile: Tile) -> tuple[Window, np.ndarray]:
    """What a segmenter finds in a window; of each object of its core the sum of its score over its pixels, and how many."""
    found = segmenter.segment(source.magnified(source.read(tile.read)))
    labels = source.reduced(found.labels)
    expected = tuple(s.stop - s.start for s in tile.read)
    if labels.shape != expected:
        raise ValueError(f"{segmenter.name} gave labels {found.labels.shape} of a window of {expected} working pixels")
    score, window = np.concatenate([[0.0], found.scores])[labels][tile.within_read], Window.of(labels, tile, source.shape[1])
    numbers, n = window.core.ravel(), len(window.first) + 1
    return window, np.column_stack([np.bincount(numbers, score.ravel(), n), np.bincount(numbers, minlength=n)])[1:]


def parse_adapted(
    plane: MicroImage, prompts: Sequence[str] | None, segmenter: Segmenter, *, tile: int = 1024, diameter_px: float | None = None,
    folder: Path | None = None,
) -> Objects:  # fmt: skip
    """All objects that a segmenter finds on a plane; ``folder`` holds the labels where memory should not.

    At most one prompt says what all that it finds is called, as it knows no words; its presence stays open, and several, which it
    cannot tell apart, are a PlanError.
    """
    if prompts is not None and len(prompts) > 1:
        raise PlanError(
            f"{segmenter.name} knows no words and cannot tell {', '.join(prompts)} apart; ask for one, or use an adapter that is "
            "shown objects, such as SamSegmenter(..., prompts='objects'): Micro-D1 then names them"
        )
    source = Pixels.of(plane, Working.of(plane, segmenter, diameter_px))
    k, grid = source.working.reduction, TileGrid(source.shape, tile=source.working.window, halo=source.working.margin)
    shape = plane.plane_shape
    sink = MemoryLabels(shape, factor=k) if folder is None else ZarrLabels(LocalStore(folder), shape, factor=k)
    joined, sums = Joined(grid), [np.zeros((1, 2))]
    with Progress(f"finding objects by {segmenter.name}", len(grid), "windows") as progress:
        for _, (window, scored) in ordered(partial(_decided, segmenter, source), grid, threads=settings.threads):
            joined.write(window, sink)
            sums.append(scored)
            progress.advance()
    numbers, count = joined.numbers()
    sink.relabel(numbers)
    total = np.zeros((count + 1, 2))
    np.add.at(total, numbers, np.concatenate(sums))
    scores = (total[:, 0] / np.maximum(total[:, 1], 1))[1:]  # the mean over an object's pixels
    name = prompts[0] if prompts else "object"
    unjudged = Presence(name, "not trained on this", None, None, count)
    return measured(plane, sink.labels, [name] * count, scores, made_by(segmenter, source, prompts),
                    presence=pd.DataFrame([asdict(unjudged)]) if prompts else None, tile=tile)  # fmt: skip


def measured(
    plane: MicroImage, labels: Any, names: Sequence[str], scores: np.ndarray, how: dict[str, Any], *,
    presence: pd.DataFrame | None, tile: int,
) -> Objects:  # fmt: skip
    """Objects of one layer; ``names`` and ``scores`` are of labels 1..n."""
    layers = labels[None] if isinstance(labels, np.ndarray) else Drawn([labels], [np.arange(len(names) + 1, dtype=np.int32)])
    stacked = layer_array(layers, ["object"], pixel_size=plane.pixel_size)
    table = measure(plane, stacked, tile=max(tile, 256))
    numbers = table["label"].to_numpy(int) - 1
    table["name"] = np.array([*names], object)[numbers]
    table["score"] = np.round(np.asarray(scores, float)[numbers], 4)
    return Objects(table, stacked, presence, plane.pixel_size, plane.content_id, how)


def made_by(segmenter: Segmenter, source: Pixels, prompts: Sequence[str] | None) -> dict[str, Any]:
    """How it was found, for evidence."""
    return {
        "function": "parse", "version": __version__, "prompts": None if prompts is None else list(prompts),
        "model": segmenter.name, "weights": segmenter.weights_id, "scale": asdict(source.working),
        "grey_bounds": list(source.bounds),
    }  # fmt: skip
