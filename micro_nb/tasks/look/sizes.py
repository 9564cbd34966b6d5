"""How large objects can be in pixels: a known pixel size, and what colours show, leave few scales to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...analysis.stains import Kind
from ...models.ontology import ontology

_SHOWN = {"histology": ("nucleus",), "ihc": ("nucleus",), "blood": ("platelet", "red blood cell", "white blood cell")}
"""What is outlined in a picture of these colours."""
_WIDER = 1.5
"""Sizes of the ontology are widened by this factor both ways: sections shrink, and cells spread."""
_FINEST_UM = 0.065
"""Width of a pixel of a light microscope at its finest: a camera's 6.5 µm, a hundredfold enlarged."""


def sizes_px(pixel_size: Mapping[str, float] | None, kind: Kind | None, concepts: Iterable[str]) -> tuple[float, float] | None:
    """The least and the largest diameter that objects can have, in pixels of level 0; None where nothing is known.

    Parameters
    ----------
    pixel_size : µm by axis, where it is known.
    kind : what the picture's colours show; it then says what is outlined.
    concepts : what is outlined in other pictures: all that the model was trained on.
    """
    widths = [width for axis, width in (pixel_size or {}).items() if axis in ("y", "x")]
    sizes = [s for c in (_SHOWN[kind] if kind else concepts) if (s := ontology().size_um(c)) is not None]
    if not sizes or not (widths or kind):
        return None
    low, high = min(s.low_um for s in sizes) / _WIDER, max(s.high_um for s in sizes) * _WIDER
    return (low / max(widths), high / min(widths)) if widths else (0.0, high / _FINEST_UM)
