"""What size objects of a kind usually have, and whether a measured one is far from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...models.ontology import Size, ontology
from ..eyes import concept_of

FAR_OFF = 3.0
"""Times beyond the typical range from which a size is called implausible."""


def typical_size(found: Mapping[str, Any], target: str) -> Size | None:
    """What objects usually measure that were asked for by the word ``target``; None where none is typical.

    Parameters
    ----------
    found : how they were found; a model says there which concept it took the word for.
    """
    concept = concept_of(str(found["kind"]) if found.get("weights") and found.get("kind") else target)
    return ontology().size_um(concept) if concept is not None else None


def expected(typical: Size) -> dict[str, Any]:
    """A typical size as JSON values."""
    return {"typical_um": [typical.low_um, typical.high_um], "typical_of": typical.of, "source": typical.source}


def fits_typical(size_um: float, typical: Size) -> bool:
    """Whether a size is not far outside of what is typical."""
    return typical.low_um / FAR_OFF <= size_um <= typical.high_um * FAR_OFF
