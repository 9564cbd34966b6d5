"""What of a question was understood, in words without numbers: said when the rest has to be asked back."""

from __future__ import annotations

from .dimensions import STATISTICS, named
from .lexicon import target
from .query import Query

_TASKS = {
    "count": "the number of", "filter": "the number of", "presence": "the presence of", "locate": "the place of",
    "compare": "a comparison of", "fraction": "a share of", "describe": "a description of", "classify": "the kind of",
}  # fmt: skip
_SAID = frozenset(
    ["area", "diameter", "perimeter", "length", "width", "spacing", "aspect_ratio", "eccentricity", "solidity", "roundness",
     "intensity", "density", "coverage"]
)  # fmt: skip


def heard(query: Query) -> str:
    """ "the mean area of nuclei in the left half"; empty where not even a task was understood.

    >>> heard(Query("measure", "nucleus", "area", "mean"))
    'the mean area of nuclei'
    >>> heard(Query("unknown"))
    ''
    """
    if query.task == "unknown" or (query.target is None and query.quantity is None):
        return ""
    many = target(query.target).many if query.target else "the image"
    if query.quantity in _SAID and query.task in ("measure", "fraction", "compare"):
        statistic = "" if query.statistic == "value" else f"{STATISTICS.get(query.statistic, query.statistic)} "
        what = f"the {statistic}{named(query.quantity)} of {many}"
    elif query.task in _TASKS and query.target is not None:
        what = f"{_TASKS[query.task]} {many}"
    else:
        return ""
    where = f" in the {query.region.name}" if query.region is not None and query.region.name else ""
    return what + where
