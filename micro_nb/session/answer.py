"""``Answer`` and ``Turn``: text whose every number points to the evidence it came from, and one exchange of a conversation."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..data.image import MicroImage
from ..errors import LanguageError
from ..tiles.objects import Objects
from .evidence import Evidence
from .language import Call, parse
from .measures.measurement import Value

if TYPE_CHECKING:
    import pandas as pd

_VIEWS = "micro_nb.session.views"  # what is above is looked up by name when something is shown


@dataclass(frozen=True)
class Span:
    """``text[start:end]`` states ``field`` (``value``, ``interval.0``, ``parameters.expression`` ...) of ``evidence[index]``."""

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
    calls : the expressions that the question was read as.
    alternatives : other readings of it, each a tuple of expressions; given where the reader was unsure.
    worded_by : the language model whose words these are; empty where they are composed.
    image, objects, table : what it is about, the objects it speaks of and what it lists, so that the answer can show them; not
    part of its data.
    """

    text: str
    value: Value = None
    unit: str = ""
    evidence: tuple[Evidence, ...] = ()
    spans: tuple[Span, ...] = ()
    declined: str | None = None
    remedy: str | None = None
    calls: tuple[Call, ...] = ()
    alternatives: tuple[tuple[Call, ...], ...] = ()
    worded_by: str = ""
    image: MicroImage | None = field(default=None, repr=False, compare=False)
    objects: Objects | None = field(default=None, repr=False, compare=False)
    table: pd.DataFrame | None = field(default=None, repr=False, compare=False)

    @cached_property
    def png(self) -> bytes | None:
        """A picture of the place the answer speaks of, or the chart it gives; None where a picture shows nothing. Drawn when
        first asked for."""
        return pkgutil.resolve_name(f"{_VIEWS}.html:picture")(self)  # type: ignore[no-any-return]

    def behind(self, words: str) -> Answer:
        """The same answer with words before it."""
        spans = tuple(replace(s, start=s.start + len(words), end=s.end + len(words)) for s in self.spans)
        return replace(self, text=words + self.text, spans=spans)

    def __add__(self, other: Answer) -> Answer:
        """This answer with what another says behind it, and its evidence."""
        at, k = len(self.text) + bool(self.text), len(self.evidence)
        spans = (replace(s, start=s.start + at, end=s.end + at, index=s.index + k) for s in other.spans)
        text, evidence = f"{self.text} {other.text}".strip(), (*self.evidence, *other.evidence)
        return replace(self, text=text, evidence=evidence, spans=(*self.spans, *spans))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; :meth:`from_dict` reverses it."""
        return {
            "text": self.text,
            "value": list(self.value) if isinstance(self.value, tuple) else self.value,
            "unit": self.unit,
            "evidence": [e.to_dict() for e in self.evidence],
            "spans": [[s.start, s.end, s.index, s.field] for s in self.spans],
            "declined": self.declined,
            "remedy": self.remedy,
            "calls": [str(c) for c in self.calls],
            **({"alternatives": [[str(c) for c in calls] for calls in self.alternatives]} if self.alternatives else {}),
            **({"worded_by": self.worded_by} if self.worded_by else {}),
        }

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Answer:
        """The answer that :meth:`to_dict` described; answers of versions without expressions have none."""
        value, evidence = d["value"], tuple(Evidence.from_dict(e) for e in d["evidence"])
        said = (
            d["text"],
            tuple(value) if isinstance(value, list) else value,
            d["unit"],
            evidence,
            tuple(Span(*s) for s in d["spans"]),
        )
        others = tuple(calls_from(calls) for calls in d.get("alternatives", ()))
        return cls(*said, d["declined"], d["remedy"], calls_from(d.get("calls", ())), others, d.get("worded_by", ""))

    def to_html(self) -> str:
        """Prose with its numbers linked to evidence, the evidence, and the picture; all text is escaped."""
        return pkgutil.resolve_name(f"{_VIEWS}.html:answer_html")(self)  # type: ignore[no-any-return]

    def to_markdown(self, *, picture: bool = False) -> str:
        """Prose, a table of the evidence, and, where asked for, the picture (as data in the text); all text is escaped."""
        return pkgutil.resolve_name(f"{_VIEWS}.text:answer_markdown")(self, picture=picture)  # type: ignore[no-any-return]

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2, default=str)

    def __str__(self) -> str:
        return self.text

    def _ai_repr_(self, *, multimodal: bool = False, **hints: Any) -> Mapping[str, str]:
        """For assistants: the text and the evidence as short Markdown, and the picture where they see pictures."""
        return pkgutil.resolve_name(f"{_VIEWS}.text:for_assistants")(self, multimodal)  # type: ignore[no-any-return]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return pkgutil.resolve_name(f"{_VIEWS}.html:bundle")(self)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Turn:
    """One exchange.

    Attributes
    ----------
    question : as it was typed.
    calls : what it was read as.
    answer : what was answered.
    takes_back : whether it takes the turn before it back.
    """

    question: str
    calls: tuple[Call, ...]
    answer: Answer

    @property
    def takes_back(self) -> bool:
        """Whether it takes the turn before it back."""
        return any(c.name == "undo" for c in self.calls)


def holding(turns: list[Turn]) -> list[Turn]:
    """The turns that were not taken back."""
    held: list[Turn] = []
    for turn in turns:
        if not turn.takes_back:
            held.append(turn)
        elif held:
            held.pop()
    return held


def calls_from(texts: Any) -> tuple[Call, ...]:
    """Expressions from their texts; what cannot be read any more is left out."""
    out = []
    for text in texts or ():
        try:
            out.append(parse(str(text)))
        except LanguageError:
            continue
    return tuple(out)
