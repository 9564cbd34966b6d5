"""``refine``: objects that were found by any means, outlined anew by a segmenter that is shown their boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from zarr.storage import LocalStore

from ..data.image import MicroImage
from ..models.adapters import Prompts, Segmenter
from ..progress import track
from ..tiles.labels import ZarrLabels, enlarge
from ..tiles.objects import Objects
from ..tiles.plan import Slices, TileGrid
from ..tiles.polygons import BOX
from .adapted import Pixels, Working, made_by, measured

_ROOM = 0.25  # what lies farther outside an object's box than this share of its sides is not taken for the object


def refine(
    plane: MicroImage, found: Objects, segmenter: Segmenter, *, tile: int = 1024, diameter_px: float | None = None,
    folder: Path | None = None,
) -> Objects:  # fmt: skip
    """The same objects with new outlines; names, scores and presence stay as they were.

    Parameters
    ----------
    plane : what they were found on.
    found : of Micro-D1, of the weight-free floor (``Objects.from_labels(img, mnb.segment(img))``), or from a file. Of nested
        layers the whole objects are taken.
    segmenter : is shown each object's box, all of a window at a time; an object that it does not find keeps no outline.
    tile : changes memory of the measuring only.
    diameter_px : typical object diameter in pixels of level 0; by default the median of ``found``.

    Returns
    -------
    Objects whose ``made_by`` says by what they were found and by what they were outlined; rows in the order of their labels.
    """
    table = found.table
    layers = table["layer"].unique()
    table = table[table["layer"] == ("object" if "object" in layers or not len(layers) else layers[0])].reset_index(drop=True)
    boxes = table[list(BOX)].to_numpy(float).reshape(-1, 4)
    if diameter_px is None and len(boxes):
        diameter_px = float(np.median(np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))))
    source = Pixels.of(plane, Working.of(plane, segmenter, diameter_px))
    labels = np.zeros(plane.plane_shape, np.int32) if folder is None else ZarrLabels(LocalStore(folder), plane.plane_shape).labels
    order = np.lexsort((boxes[:, 1], boxes[:, 0]))
    boxes, table = boxes[order], table.iloc[order]
    for place, mine in track(list(_windows(boxes, source)), f"outlining by {segmenter.name}", unit="windows"):
        _write(labels, place, mine, source, segmenter, boxes)
    how = made_by(segmenter, source, found.made_by.get("prompts"))
    how |= {"function": "refine", "found_by": {k: v for k, v in found.made_by.items() if k != "prompts"}}
    names, scores = table["name"].tolist(), table["score"].to_numpy(float)
    return measured(plane, labels, names, scores, how, presence=found.presence, tile=tile)


def _windows(boxes: np.ndarray, source: Pixels) -> Iterator[tuple[Slices, np.ndarray]]:
    """Working pixels that are looked at, and which objects are outlined there: those whose middle they hold, all of each."""
    working, shape = source.working, source.shape
    small = boxes / working.reduction
    at = ((small[:, :2] + small[:, 2:]) / 2 // working.window).astype(int)
    for tile in TileGrid(shape, tile=working.window):
        core = tile.core
        mine = np.flatnonzero((at[:, 0] == core[0].start // working.window) & (at[:, 1] == core[1].start // working.window))
        if not mine.size:
            continue
        place = [_around(core[k], small[mine, k], small[mine, k + 2], working.margin, shape[k]) for k in (0, 1)]
        yield (place[0], place[1]), mine


def _around(core: slice, starts: np.ndarray, ends: np.ndarray, margin: int, n: int) -> slice:
    room = np.ceil((ends - starts).max() * _ROOM) + 1
    start, stop = min(core.start - margin, int(starts.min() - room)), max(core.stop + margin, int(np.ceil(ends.max() + room)))
    return slice(max(0, start), min(n, stop))


def _write(labels: Any, place: Slices, mine: np.ndarray, source: Pixels, segmenter: Segmenter, boxes: np.ndarray) -> None:
    """Outlines a window's objects; a pixel that has an object keeps it."""
    working, corner = source.working, np.array([s.start for s in place] * 2)
    shown = (boxes[mine] / working.reduction - corner) * working.zoom
    found = segmenter.segment(source.magnified(source.read(place)), Prompts(boxes=shown))
    kept = np.zeros_like(found.labels)
    for k, box in enumerate(shown):
        rows, cols = (_within(box[i], box[i + 2], n) for i, n in enumerate(kept.shape))
        part = found.labels[rows, cols] == k + 1
        kept[rows, cols][part] = mine[k] + 1
    place, outlines = enlarge(place, source.reduced(kept), working.reduction, source.plane.plane_shape)
    before = np.asarray(labels[place])
    labels[place] = np.where(before == 0, outlines, before)


def _within(low: float, high: float, n: int) -> slice:
    room = _ROOM * (high - low) + 1
    return slice(max(0, int(low - room)), min(n, int(np.ceil(high + room))))
