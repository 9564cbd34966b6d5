"""``Query``: what a person wants to know, typed. Understanding makes it from words; planning turns it into tool calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..data.region import Region

Task = Literal[
    "count", "fraction", "measure", "compare", "locate", "filter", "presence", "classify", "describe", "quality",
    "advise", "knowledge", "unknown",
]  # fmt: skip
Statistic = Literal["mean", "median", "min", "max", "sum", "std", "value"]


@dataclass(frozen=True)
class Filter:
    """A condition on objects: ``quantity op value unit``, e.g. ``Filter("area", ">", 80.0, "um2")``.

    With op ``"max"`` (``"min"``) the value is a rank: ``Filter("area", "max", 2.0)`` are the two largest.
    """

    quantity: str
    op: Literal[">", ">=", "<", "<=", "==", "is", "max", "min"]
    value: float | bool | str
    unit: str = ""


@dataclass(frozen=True)
class Pick:
    """One object, chosen by rank: ``Pick("area", "max", 2)`` is the second largest."""

    by: str
    order: Literal["max", "min"] = "max"
    rank: int = 1


@dataclass(frozen=True)
class Claim:
    """A number the person states and wants checked: ``Claim("==", 40.0)`` for "I counted 40, correct?"."""

    op: Literal[">", ">=", "<", "<=", "=="]
    value: float
    unit: str = ""


@dataclass(frozen=True)
class Query:
    """One question.

    Attributes
    ----------
    task : what kind of answer is wanted.
    target : what it is about: an object ("nucleus"), or "image"; None where the question names none.
    quantity : what to measure: "area", "diameter", "intensity", "coverage", "density", "focus" ...
    statistic : how to sum it up over objects.
    region : where; None for the whole image.
    against : the other region of a comparison.
    filters : conditions on objects, all of them to hold.
    channel : channel name or position as text; None for the default.
    unit : the unit asked for; None for the natural one.
    text : the question as it was asked.
    unread : words of the question that understanding could not place.
    pick : the one object the question is about ("the largest"); None for all of them.
    versus : what it is compared with: another object, or "median" for the typical one.
    claim : a number to check the measurement against.
    rival : the other kind of object of a comparison ("are the white cells larger than the red cells?").
    amount : a number that is neither: a percentile, how many to list.
    images : names of the images it is about, where the session holds several.
    topic : for tasks without a measurement: what about ("diagnosis", "focus" ...), a key of the lexicon.
    pixel_size : µm per pixel that the person states in passing.
    also : further things asked in the same breath.
    given : named numbers and words that a calculation or a note needs, e.g. ``(("na", 1.4), ("wavelength_nm", 520.0))``.
    standing : conditions on objects that are to hold from now on ("always ignore those at the border").
    """

    task: Task
    target: str | None = None
    quantity: str | None = None
    statistic: Statistic = "value"
    region: Region | None = None
    against: Region | None = None
    filters: tuple[Filter, ...] = ()
    channel: str | None = None
    unit: str | None = None
    text: str = ""
    unread: tuple[str, ...] = ()
    pick: Pick | None = None
    versus: Pick | Literal["median"] | None = None
    claim: Claim | None = None
    rival: str | None = None
    amount: float | None = None
    images: tuple[str, ...] = ()
    topic: str | None = None
    pixel_size: float | None = None
    also: tuple[Query, ...] = ()
    standing: tuple[Filter, ...] = ()
    given: tuple[tuple[str, float | str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; :meth:`from_dict` reverses it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Query:
        """The query that :meth:`to_dict` described."""
        places = {k: Region.from_dict(d[k]) if d.get(k) else None for k in ("region", "against")}
        picks = {k: Pick(**d[k]) if isinstance(d.get(k), Mapping) else d.get(k) for k in ("pick", "versus")}
        parts = {
            **{k: tuple(Filter(**f) for f in d.get(k, ())) for k in ("filters", "standing")},
            **{k: tuple(d.get(k, ())) for k in ("unread", "images")},
            "claim": Claim(**d["claim"]) if d.get("claim") else None, "also": tuple(cls.from_dict(q) for q in d.get("also", ())),
        }  # fmt: skip
        parts["given"] = tuple((k, v) for k, v in d.get("given", ()))
        return cls(**{**d, **places, **picks, **parts})
