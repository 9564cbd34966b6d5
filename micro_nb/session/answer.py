"""``Answer``: text whose every number points to the evidence it came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..data.image import MicroImage
from ..render.markdown import markdown_text, mime
from ..tiles.objects import Objects
from . import layers, markdown, show
from .evidence import Evidence
from .query import Query
from .registry import Value

if TYPE_CHECKING:
    import pandas as pd


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
    worded_by : the language model whose words these are; empty where they are composed.
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
    worded_by: str = ""
    image: MicroImage | None = field(default=None, repr=False, compare=False)

    @cached_property
    def table(self) -> pd.DataFrame | None:
        """What the answer lists, a row a thing, units in the names of the columns; None where it lists nothing."""
        return layers.table_of(self.evidence)

    @cached_property
    def objects(self) -> Objects | None:
        """The objects the answer speaks of, as a layer for :func:`micro_nb.overview`; None where it speaks of none."""
        return layers.objects_of(self)

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
            **({"worded_by": self.worded_by} if self.worded_by else {}),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Answer:
        """The answer that :meth:`to_dict` described."""
        value = tuple(d["value"]) if isinstance(d["value"], list) else d["value"]
        return cls(
            d["text"], value, d["unit"], tuple(Evidence.from_dict(e) for e in d["evidence"]),
            tuple(Span(*s) for s in d["spans"]), d["declined"], d["remedy"], Query.from_dict(d["query"]) if d["query"] else None,
            d.get("worded_by", ""),
        )  # fmt: skip

    def to_html(self) -> str:
        """Prose with its numbers linked to evidence, a table of the evidence, and the picture; all text is escaped."""
        return show.answer_html(self)

    def to_markdown(self, *, picture: bool = False) -> str:
        """Prose, a table of the evidence, and, where asked for, the picture (as data in the text); all text is escaped."""
        return markdown.answer_markdown(self, picture=picture)

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, default=str)

    def __str__(self) -> str:
        return self.text

    def _ai_repr_(self, *, multimodal: bool = False, **hints: Any) -> Mapping[str, str]:
        """For assistants: the text and the evidence as short Markdown, and the picture where they see pictures."""
        return mime(
            f"{markdown_text(self.text)}\n\n{markdown.evidence_lines(self.evidence)}", png=self.png if multimodal else None
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return show.bundle(self)
