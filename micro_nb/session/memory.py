"""What a session remembers when the next question comes: the turns that still hold, and what they spoke of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..data.image import MicroImage
from ..data.region import Region
from .answer import Answer
from .query import Query
from .slots import Shape


@dataclass(frozen=True)
class Context:
    """What understanding may know of the session.

    Attributes
    ----------
    shape : ``(y, x)`` of the image, so that "left half" becomes a region; None without an image.
    previous : the query of the last turn that was understood.
    place : the part of the image that turn answered with ("left half"), for "how many on that side?".
    channels : names of the image's channels.
    spoken : the last query that named or singled out an object, whatever came of it, for "box it".
    box : ``(x0, y0, x1, y1)`` in px of the last thing that was pointed at, for "above it".
    marked : the place handed over with the question, for "this region".
    """

    shape: Shape = None
    previous: Query | None = None
    place: str | None = None
    channels: tuple[str, ...] = ()
    spoken: Query | None = None
    box: tuple[float, ...] | None = None
    marked: Region | None = None


class Said(Protocol):
    """One exchange, as far as memory needs it."""

    @property
    def query(self) -> Query: ...

    @property
    def answer(self) -> Answer: ...


def context(turns: Sequence[Said], img: MicroImage | None, marked: Region | None = None) -> Context:
    """What understanding may know: the last question that was understood, what it pointed at, and the image's shape."""
    held = holding(turns)
    understood = [t for t in held if t.query.task != "unknown" and t.query.quantity != "fact"]
    last = understood[-1] if understood else None
    previous = replace(last.query, standing=held[-1].query.standing) if last is not None else None
    if previous is None and held and held[-1].query.standing:
        previous = held[-1].query
    return Context(
        img.plane_shape if img is not None else None, previous, _place(last),
        tuple(c.name for c in img.channels) if img is not None else (), _spoken(held), _box(held), marked,
    )  # fmt: skip


def holding(turns: Sequence[Said]) -> list[Said]:
    """The turns that were not taken back."""
    held: list[Said] = []
    for turn in turns:
        if turn.query.topic != "undo":
            held.append(turn)
        elif held:
            held.pop()
    return held


def pixel_size(turns: Sequence[Said]) -> float | None:
    """The µm per pixel that was stated last and not taken back."""
    return next((t.query.pixel_size for t in reversed(holding(turns)) if t.query.pixel_size is not None), None)


def _place(last: Said | None) -> str | None:
    return str(last.answer.value) if last is not None and isinstance(last.answer.value, str) else None


def _spoken(held: list[Said]) -> Query | None:
    queries = (q for t in reversed(held) for q in (*reversed(t.query.also), t.query))
    return next((q for q in queries if q.target is not None or q.pick is not None), None)


def _box(held: list[Said]) -> tuple[float, ...] | None:
    """The box that the last answer pointed at."""
    for turn in reversed(held):
        boxes = [e.value for e in turn.answer.evidence if e.quantity.startswith("box") and isinstance(e.value, tuple)]
        if len(boxes) == 1:
            return boxes[0]
        if turn.query.task != "unknown":
            return None
    return None
