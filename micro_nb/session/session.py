"""``Session``: a conversation about an image in which every number is a measurement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..data.image import MicroImage
from ..data.open import open_image
from ..errors import EvidenceError, MicroNBError
from .answer import Answer, Span
from .compose import compose
from .declines import DECLINES, Decline, not_understood
from .evidence import Evidence
from .eyes import MICRO_D1, resolve
from .memory import Context
from .planner import Call, Plan, plan
from .prose import numerals
from .query import Query
from .registry import get, run
from .show import transcript_html, transcript_text
from .understand import understand


@dataclass(frozen=True)
class Turn:
    """One exchange."""

    question: str
    query: Query
    answer: Answer


class Session:
    """A conversation.

    Parameters
    ----------
    img : the image it is about; None for questions that need none.
    eyes : what finds the objects: ``"micro_d1"``, the built-in model; ``"floor"``, segmentation without trained weights; a model
        folder, or what :func:`micro_nb.load_model` gave. The floor also serves where the weights are missing, the image is too
        large to be looked at whole, or it has several planes.

    Attributes
    ----------
    turns : what was asked and answered, oldest first.
    looks_with : which eyes look at this image.

    Examples
    --------
    >>> import numpy as np, micro_nb as mnb
    >>> chat = Session(mnb.open_image(np.full((40, 60), 7, "uint8")))
    >>> chat.ask("What is the largest grey value?").text
    'The largest grey value of the image is 7.'
    >>> chat.ask("and the mean?").value
    7.0
    """

    def __init__(self, img: MicroImage | None = None, *, eyes: Any = MICRO_D1) -> None:
        if img is not None and not isinstance(img, MicroImage):
            raise TypeError(f"Session takes an image from open_image, not {type(img).__name__}")
        self.img, self._eyes = img, eyes
        self.looks_with = resolve(eyes, img)
        self.turns: list[Turn] = []
        self._measured: dict[str, tuple[Evidence, ...]] = {}

    def ask(self, question: str) -> Answer:
        """Answers from measurements, or declines and says why.

        Parameters
        ----------
        question : in the person's own words; follow-ups may leave out what was said before.
        """
        query = understand(str(question), self._context())
        if query.pixel_size is not None and self.img is not None:
            self.img = open_image(self.img, pixel_size=query.pixel_size)
            self.looks_with = resolve(self._eyes, self.img)
            self._measured.clear()
        answer = self._answer(query)
        self.turns.append(Turn(str(question), query, answer))
        return answer

    @property
    def history(self) -> tuple[tuple[str, str], ...]:
        """Questions and answers as text."""
        return tuple((turn.question, turn.answer.text) for turn in self.turns)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All facts stated so far, each once."""
        return tuple({e.id: e for turn in self.turns for e in turn.answer.evidence}.values())

    def measure(self, call: Call) -> tuple[Evidence, ...]:
        """The evidence of one tool call; measured once per session."""
        key = repr(call)
        if key not in self._measured:
            given = dict(call.parameters)
            eyes = get(call.tool).arguments.get("eyes")
            if eyes is not None and eyes.default != self.looks_with:
                given["eyes"] = self.looks_with
            measured = run(call.tool, self.img, region=call.region, **given)
            self._measured[key] = tuple(
                Evidence.of(m, call.tool, self.img, region=call.region, parameters=given) for m in measured
            )
        return self._measured[key]

    def _context(self) -> Context:
        understood = [turn for turn in self.turns if turn.query.task != "unknown"]
        last = understood[-1] if understood else None
        place = str(last.answer.value) if last is not None and isinstance(last.answer.value, str) else None
        channels = tuple(c.name for c in self.img.channels) if self.img is not None else ()
        shape = self.img.plane_shape if self.img is not None else None
        return Context(shape, last.query if last is not None else None, place, channels)

    def _answer(self, query: Query) -> Answer:
        answers = [self._one(q) for q in (replace(query, also=()), *query.also)]
        main, *others = answers
        for extra in others:
            if extra.declined is None or main.declined is None:
                main = _joined(main, extra)
        return replace(main, query=query)

    def _one(self, query: Query) -> Answer:
        planned = plan(query, self.img, self.looks_with)
        if isinstance(planned, Decline):
            return _declined(planned)
        try:
            evidence = tuple(e for call in planned.calls for e in self.measure(call))
        except MicroNBError as error:
            return _failed(error)
        return self._worded(planned, query, evidence)

    def _worded(self, planned: Plan, query: Query, evidence: tuple[Evidence, ...]) -> Answer:
        try:
            draft = compose(planned.wording, query, evidence)
        except EvidenceError as error:  # a sentence that states what was not measured is never shown
            return replace(_declined(DECLINES["wording"]), declined=str(error), evidence=evidence)
        prose = draft.prose
        return Answer(prose.text, draft.value, draft.unit, evidence, tuple(prose.spans), image=self.img)

    def __iter__(self) -> Iterator[Turn]:
        return iter(self.turns)

    def __len__(self) -> int:
        return len(self.turns)

    def __repr__(self) -> str:
        about = self.img.name if self.img is not None else "no image"
        return f"<Session about {about}: {len(self.turns)} turns>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": transcript_html(self.turns), "text/plain": transcript_text(self.turns) or repr(self)}


def _declined(why: Decline) -> Answer:
    if numerals(f"{why.reason} {why.remedy}"):  # a number word quoted from the question
        why = not_understood(())
    return Answer(f"{why.reason} {why.remedy}", declined=why.reason, remedy=why.remedy)


def _failed(error: MicroNBError) -> Answer:
    """A tool's own reason, where it carries no number of its own."""
    message = str(error)
    if numerals(message):
        return replace(_declined(DECLINES["failed"]), declined=message)
    reason = message[:1].upper() + message[1:] + ("" if message.endswith(".") else ".")
    return Answer(reason, declined=reason)


def _joined(first: Answer, second: Answer) -> Answer:
    """Two answers as one; the first gives the value."""
    shift, offset = len(first.text) + 1, len(first.evidence)
    moved = tuple(Span(s.start + shift, s.end + shift, s.index + offset, s.field) for s in second.spans)
    return replace(
        first, text=f"{first.text} {second.text}", evidence=first.evidence + second.evidence, spans=first.spans + moved,
    )  # fmt: skip
