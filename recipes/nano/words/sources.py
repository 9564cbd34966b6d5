"""What the weights were trained on, for their model card: read from the table of data sets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from micro_nb.errors import CorruptImageError

from .card import COLUMNS, Source


def read_sources(readme: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> list[Source]:
    """The table of data sets in a README.md: columns data set, modality, labels, images, licence, origin.

    Parameters
    ----------
    names : keep these, in the order of the table; default all.

    Raises
    ------
    CorruptImageError : there is no such table, or a name is not in it.
    """
    lines = [_cells(line) for line in Path(readme).read_text().splitlines() if line.lstrip().startswith("|")]
    head = next((k for k, cells in enumerate(lines) if set(COLUMNS) <= set(cells)), None)
    if head is None:
        raise CorruptImageError(f"{readme}: no table with the columns {', '.join(COLUMNS)}")
    place = [lines[head].index(c) for c in COLUMNS]
    rows = takewhile(lambda cells: len(cells) == len(lines[head]), lines[head + 2 :])
    found = [Source(*(row[k] for k in place)) for row in rows]
    missing = set(names or ()) - {s.name for s in found}
    if missing:
        known = ", ".join(s.name for s in found)
        raise CorruptImageError(f"{readme}: no data set {', '.join(sorted(missing))}; there are {known}")
    return [s for s in found if names is None or s.name in names]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
