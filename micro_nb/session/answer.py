"""``Answer``: text whose every number points to the evidence it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..data.image import MicroImage
from . import show
from .evidence import Evidence
from .query import Query
from .registry import Value


@dataclass(frozen=True)
class Span:
    """``text[start:end]`` states ``field`` (``value``, ``interval``, ``parameters.min_area`` ...) of ``evidence[index]``."""

    start: int
    end: int
    index: int
    field: str = "value"


@dataclass(frozen=True)
class Answer:
    """What the person reads, and what it stands on.

    Attributes
    ----------
    text : plain prose.
    value, unit : the answer as data, where there is one; a box is ``(x0, y0, x1, y1)`` in px.
    evidence : the measured facts, the main one first.
    spans : which characters state which fact.
    declined : why it was not answered; None where it was.
    remedy : what would make a declined question answerable.
    query : how the question was understood.
    image : what it is about, so that the answer can show where; not part of its data.
    """

    text: str
    value: Value = None
    unit: str = ""
    evidence: tuple[Evidence, ...] = ()
    spans: tuple[Span, ...] = ()
    declined: str | None = None
    remedy: str | None = None
    query: Query | None = None
    image: MicroImage | None = field(default=None, repr=False, compare=False)

    @cached_property
    def png(self) -> bytes | None:
        """A picture of the place the answer speaks of; None where a picture shows nothing. Drawn when first asked for."""
        return show.picture(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; :meth:`from_dict` reverses it."""
        return {
            "text": self.text, "value": list(self.value) if isinstance(self.value, tuple) else self.value, "unit": self.unit,
            "evidence": [e.to_dict() for e in self.evidence],
            "spans": [[s.start, s.end, s.index, s.field] for s in self.spans],
            "declined": self.declined, "remedy": self.remedy, "query": self.query.to_dict() if self.query else None,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Answer:
        """The answer that :meth:`to_dict` described."""
        value = tuple(d["value"]) if isinstance(d["value"], list) else d["value"]
        return cls(
            d["text"], value, d["unit"], tuple(Evidence.from_dict(e) for e in d["evidence"]),
            tuple(Span(*s) for s in d["spans"]), d["declined"], d["remedy"], Query.from_dict(d["query"]) if d["query"] else None,
        )  # fmt: skip

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return show.bundle(self)
