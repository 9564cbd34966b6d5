"""What an answer shows beside its prose: a table of what it lists, the objects it speaks of, a chart of a distribution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..render.histogram import histogram_png
from ..tiles.objects import Objects
from .dimensions import named
from .evidence import Evidence
from .printing import unit_words
from .registry import get
from .tools.chosen import select

if TYPE_CHECKING:
    import pandas as pd

    from .answer import Answer

_RANKED = re.compile(r"^(?P<column>.*), rank (?P<row>\d+)$")
_OF_PARTS = re.compile(r"^(?P<column>number of .*), (?P<row>(?:top|bottom|left|right)[ a-z]*)$")
_NOT_SELECTED = frozenset(["kinds", "compare_kinds", "recognised"])


def table_of(evidence: Sequence[Evidence]) -> pd.DataFrame | None:
    """What an answer lists, a row a thing (an object, a kind, a part, an image); None where it lists nothing.

    Units stand in the names of the columns.
    """
    cells: dict[Any, dict[str, Any]] = {}
    for e in evidence:
        placed = _cell(e)
        if placed is not None:
            row, column = placed
            cells.setdefault(row, {})[column] = e.value
    if not cells:
        return None
    import pandas as pd

    table = pd.DataFrame.from_dict(cells, orient="index")
    table.index.name = "rank" if all(isinstance(row, int) for row in cells) else "name"
    return table


def objects_of(answer: Answer) -> Objects | None:
    """The objects an answer speaks of, as a layer: those that were counted or measured, or the few it names; else None."""
    made = next((e for e in answer.evidence if _selects(e)), None)
    if made is None or answer.image is None:
        return None
    given = {k: made.parameters[k] for k in ("filters", "channel", "eyes", "target") if k in made.parameters}
    chosen = select(answer.image, region=made.region, **given)
    single = {int(e.parameters["label"]) for e in answer.evidence if "label" in e.parameters}
    table = chosen.table[chosen.table["label"].isin(single)] if single else chosen.table
    return replace(chosen.objects, table=table.reset_index(drop=True))


def chart_of(answer: Answer, width: int) -> bytes | None:
    """The histogram of the distribution an answer gives; None where it gives none."""
    made = next((e for e in answer.evidence if "histogram" in e.parameters), None)
    if made is None:
        return None
    shown = made.parameters["histogram"]
    quantity = str(made.parameters.get("quantity") or made.parameters.get("found_quantity") or "")
    of = f" of {made.parameters['target']}" if "target" in made.parameters else ""
    marks = {str(e.quantity.removeprefix("percentile ")) + " %": float(e.value) for e in answer.evidence  # type: ignore[arg-type]
             if e.quantity in ("percentile 10", "percentile 50", "percentile 90")}  # fmt: skip
    unit = unit_words(made.unit).strip()
    return histogram_png(shown["edges"], shown["counts"], title=f"{named(quantity)}{of}", unit=unit, marks=marks, width=width)


def _cell(e: Evidence) -> tuple[Any, str] | None:
    """Row and column of a fact in the table; None where it is in none."""
    unit = (
        "" if e.unit in ("", "count", "grey value", "times") else f"_{re.sub('[^a-z0-9]+', '_', e.unit.replace('%', 'percent'))}"
    )
    if "row" in e.parameters and "column" in e.parameters:
        return e.parameters["row"], f"{e.parameters['column']}{unit}"
    if "kind" in e.parameters and "called" in e.parameters:
        return e.parameters["kind"], "count"
    match = _RANKED.match(e.quantity) or _OF_PARTS.match(e.quantity)
    if match is None or (isinstance(e.value, tuple) and match["column"] != "centre"):
        return None
    row = match["row"]
    return (int(row) if row.isdigit() else row), f"{match['column']}{unit}"


def _selects(e: Evidence) -> bool:
    """Whether a fact came from a tool that looks at chosen objects."""
    return bool(e.function) and e.function not in _NOT_SELECTED and "target" in get(e.function).arguments
