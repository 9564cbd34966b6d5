"""Tools for what is no specimen: scale bars, text, pointers, scribbles, debris, bands along an edge, dark corners."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from ...analysis.field_edges import dark_corners, edge_bands
from ...analysis.marks import Mark, marks
from ...analysis.whole import Whole, whole
from ...data.image import MicroImage
from ...errors import EvidenceError
from ..registry import Measurement, tool
from .frame import place_words

WANTED: dict[str, tuple[str, ...]] = {
    "scale bar": ("scale bar",), "text": ("text",), "pointer": ("pointer", "drawn patch"), "scribble": ("drawn patch",),
    "debris": ("debris",), "any": ("scale bar", "text", "pointer", "drawn patch", "debris"),
}  # fmt: skip
CALLED = {
    "scale bar": "scale bar", "text": "text (letters drawn into the picture)", "pointer": "pointer (a dark straight line)",
    "drawn patch": "drawn mark, such as an arrow or a marker, or another artefact (its colour is no stain's)",
    "debris": "debris or dirt (black, without colour)",
}  # fmt: skip
_kept: OrderedDict[str, tuple[Mark, ...]] = OrderedDict()
_lock = threading.Lock()


def marks_of(img: MicroImage, seen: Whole | None = None) -> tuple[Mark, ...]:
    """The marks of an image, kept for the next question."""
    with _lock:
        if img.content_id in _kept:
            return _kept[img.content_id]
    found = marks(seen or whole(img))
    with _lock:
        _kept[img.content_id] = found
        while len(_kept) > 64:
            _kept.popitem(last=False)
    return found


def placed(img: MicroImage, box: tuple[float, float, float, float], found: dict[str, Any]) -> tuple[Measurement, ...]:
    """Place in words, centre and box, as measurements."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (
        Measurement("place", place_words(img, min(y, img.plane_shape[0] - 1), min(x, img.plane_shape[1] - 1)), found=found),
        Measurement("centre", (x, y), "px", found=found),
        Measurement("box", box, "px", found=found),
    )


@tool("marks", unit="count", quantity="things drawn into or lying on the picture")
def find_marks(img: MicroImage, *, kind: str = "any") -> tuple[Measurement, ...]:
    """How many marks of a kind (scale bar, text, pointer, scribble, debris, or any) are seen; of the most conspicuous: what it
    looks like, where, and its contrast. Scale bars are straight lines along pixel rows; drawn colours are brighter than the
    background in a way no stain is; debris and pointers take away all colours alike.
    """
    if kind not in WANTED:
        raise EvidenceError(f"kind {kind!r} is not one of {', '.join(WANTED)}")
    found = [m for m in marks_of(img) if m.kind in WANTED[kind]]
    how = {"method": "straight lines, colours no stain has, black things", "kinds": list(WANTED[kind])}
    number = Measurement(f"number of marks ({kind})", len(found), "count", found=how)
    if not found:
        return (number,)
    best = found[0]
    named = Measurement("what it looks like", CALLED[best.kind], found=how)
    return (number, named, *placed(img, best.box, how), Measurement("contrast", round(100 * best.contrast, 1), "%", found=how))


@tool("edge_band", quantity="a dark band along an edge")
def edge_band(img: MicroImage) -> tuple[Measurement, ...]:
    """Along which edge of the picture a dark band runs ("none" where none does), how much darker than the rest it is (%), along
    how much of the edge it is seen (%), its thickness and its box.
    """
    bands = edge_bands(whole(img))
    how = {"method": "dark rows near an edge, against the middle of the picture"}
    if not bands:
        return (Measurement("edge with a dark band", "none", found=how),)
    band = bands[0]
    thick = band.box[3] - band.box[1] if band.edge in ("top", "bottom") else band.box[2] - band.box[0]
    return (
        Measurement("edge with a dark band", band.edge, found=how),
        Measurement("darker than the rest", 100 * band.contrast, "%", found=how),
        Measurement("share of the edge", 100 * band.spans, "%", found=how),
        Measurement("thickness of the band", thick, "px", found=how),
        *placed(img, band.box, how),
    )


@tool("dark_corners", quantity="corners the light does not reach")
def corners(img: MicroImage) -> tuple[Measurement, ...]:
    """Which corners are dark against a bright field, and their brightness as a share of that of the lit field (%)."""
    found = dark_corners(whole(img))
    how = {"method": "corners against the lit middle", "darker_than": 0.45}
    return (
        Measurement("dark corners", ", ".join(found.names) or "none", found=how),
        Measurement("brightness of the darkest corner", 100 * found.ratio, "%", found=how),
    )
