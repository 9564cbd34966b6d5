"""A tool that looks up what is written down: every number a topic states becomes evidence with its source."""

from __future__ import annotations

from collections.abc import Sequence

from ...data.image import MicroImage
from ...errors import EvidenceError
from ..knowledge.topics import Stated, pieces, topic
from ..registry import Measurement, tool


@tool("knowledge", quantity="what is written of a topic", needs_image=False)
def knowledge(img: MicroImage | None = None, *, about: str, facets: Sequence[str] = ("what",)) -> tuple[Measurement, ...]:
    """What is known of a topic: its name with the source, then each number its texts state, in order."""
    known = topic(about)
    if known is None:
        raise EvidenceError("there is no note on this topic")
    source = {"source": known.source}
    stated = [
        (f"{about}, {facet}, stated {k}", piece)
        for facet in facets
        if facet in known.texts
        for k, piece in enumerate(p for p in pieces(known.texts[facet]) if isinstance(p, Stated))
    ]
    head = Measurement(f"note on {about}", known.term or about, found=source)
    return head, *(Measurement(name, s.value, s.unit, found=source) for name, s in stated)
