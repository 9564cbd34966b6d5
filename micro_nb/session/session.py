"""``Session``: a conversation about an image in which every number is a measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..data.image import MicroImage
from ..data.open import open_image
from ..data.region import Region
from ..errors import EvidenceError, MicroNBError
from ..render.markdown import mime
from ..tiles.objects import Objects
from . import memory
from .answer import Answer, Span
from .compose import compose
from .declines import DECLINES, Decline, not_understood
from .evidence import Evidence
from .eyes import MICRO_D1, resolve
from .images import Album, Given, Said, refit
from .llm.assistant import Asked
from .llm.models import assistant
from .log.book import Choice, Writer, new_id, serials
from .log.resume import answer_about, recalled
from .markdown import transcript_markdown
from .methods import Methods, methods
from .pace import SAMPLED, Pace
from .planner import plan
from .plans import Call, Plan
from .prose import numerals
from .query import Query
from .registry import get, run
from .show import transcript_html, transcript_text
from .side_by_side import core_question, measured_in, side_by_side
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
    img : the image it is about; several as a list, or as a mapping from names ("control", "treated"); None for questions that
        need none.
    eyes : what finds the objects: ``"micro_d1"``, the built-in model; ``"floor"``, segmentation without trained weights; a model
        folder, or what :func:`micro_nb.load_model` gave. The floor also serves where the weights are missing, the image is too
        large to be looked at whole, or it has several planes.
    llm : a language model that may plan measurements and word answers, and is held to the same law: a transformers model (a
        folder, a hub id, or ``(model, tokenizer)``), an OpenAI-compatible server (``"http://localhost:11434/v1#model"``, or
        :class:`micro_nb.session.llm.Endpoint`), or any object with ``reply(messages, tools)``. None: answers are composed.
    log : where every turn is kept, before it is shown: a file; True, the log in the user's data folder; False, nowhere. Left out,
        ``settings.log`` decides: it is kept unless the environment says ``MICRO_NB_LOG=0``. A session that was asked nothing
        leaves no trace.

    Attributes
    ----------
    id : its name in the log; ``Session.resume(id)`` goes on with it.
    turns : what was asked and answered, oldest first.
    images : the images by name; ``img`` is the one it is about now, ``about`` its name.
    llm : the language model; ``llm.notes`` says what of its last turn was refused.
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

    def __init__(self, img: Given = None, *, eyes: Any = MICRO_D1, llm: Any = None, log: Choice = None) -> None:
        self.images = Album.of(img)
        self.about, self._eyes = self.images.first, eyes
        self.img = self._given = self.images[self.about] if self.about is not None else None
        self.looks_with = resolve(eyes, self.img)
        self.turns: list[Turn] = []
        self._measured: dict[str, tuple[Evidence, ...]] = {}
        self._budget: float | None = None
        self._pace = Pace()
        self.llm = assistant(llm)
        self.id, self._log = new_id(), Writer.of(log)

    def ask(self, question: str, *, region: Region | None = None, budget: float | None = None) -> Answer:
        """Answers from measurements, or declines and says why.

        Parameters
        ----------
        question : in the person's own words; follow-ups may leave out what was said before.
        region : the place it is about, "this region", unless it names another.
        budget : seconds to spend on looking for objects. Counts and statistics are then estimated from a random sample of tiles
            (two at least), with an interval; asked again, from twice as many, until the image was looked at whole.
        """
        self._budget = budget
        said = self.images.read(str(question), self.about)
        if said.mode == "missing":
            return self._kept(str(question), Query("unknown", text=str(question)), _declined(DECLINES["one image"]))
        if said.mode in ("across", "which"):
            return self._kept(str(question), *self._across(str(question), said, region))
        if said.mode != "here":
            self.use(said.names[0])
        query = self._understood(str(question), said, region)
        if query.topic == "undo":
            return self._undo(str(question), query)
        if query.pixel_size is not None and self.img is not None:
            self._scale(query.pixel_size)
        return self._kept(str(question), query, self._in_words(str(question), query, self._answer(query)))

    def add(self, img: MicroImage, name: str | None = None) -> Session:
        """Takes another image into the conversation: "compare with the control", "which image has more nuclei?".

        Parameters
        ----------
        img : the image.
        name : how it is spoken of; its own name by default.

        Raises
        ------
        EvidenceError : the name is taken.
        """
        name = self.images.add(img, name)
        if self.img is None:
            self.use(name)
        return self

    def use(self, name: str) -> None:
        """Makes an image the one that is spoken of.

        Raises
        ------
        EvidenceError : no image has this name.
        """
        self.img, self._given, self.about = self.images[name], self.images.original(name), name
        self.looks_with = resolve(self._eyes, self.img)

    @classmethod
    def resume(cls, name: str = "last", *, img: Given = None, eyes: Any = None, log: Choice = None, llm: Any = None) -> Session:
        """Goes on with a logged conversation.

        Parameters
        ----------
        name : its :attr:`id`, the beginning of one, or ``"last"``.
        img : the image or images, where they were arrays in memory; others are opened where they were. Contents are compared,
            and a warning names the images that are not there any more.
        eyes, log, llm : as for a new session; left out, the eyes that were used, and the log in the user's data folder.

        Raises
        ------
        LogError : no such session, or the image that was spoken of last is not there or not the same.
        """
        logged, images, path = recalled(name, img, log)
        chat = cls(images, eyes=eyes or logged.eyes, log=path, llm=llm)
        if logged.about is not None:
            chat.use(logged.about)
        chat.id = logged.id
        chat.turns = [Turn(t.question, t.query, answer_about(t, logged, images)) for t in logged.turns]
        chat._log.known(chat.turns, serials(logged.id, path))
        return chat

    def annotate(self) -> Objects:
        """The objects the last answer spoke of, as a layer: ``mnb.overview(img, objects=chat.annotate())``, or its ``save``.

        Raises
        ------
        EvidenceError : no answer spoke of objects yet.
        """
        for turn in reversed(memory.holding(self.turns)):
            if turn.answer.objects is not None:
                return turn.answer.objects
        raise EvidenceError("no answer of this session spoke of objects yet; ask how many there are, for example")

    def methods(self) -> Methods:
        """The methods paragraph of what was measured here, and what is missing for one that is complete."""
        return methods(self.img, self.evidence, worded_by=[turn.answer.worded_by for turn in self.turns])

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
        looks = self.looks_with
        if self._budget is not None and self.img is not None and call.tool in SAMPLED:
            looks = self._pace.eyes(self.img, looks, call, self._budget)
        key = f"{self.about} {looks} {call!r}"
        if key not in self._measured:
            given = dict(call.parameters)
            eyes = get(call.tool).arguments.get("eyes")
            if eyes is not None and eyes.default != looks:
                given["eyes"] = looks
            measured = run(call.tool, self.img, region=call.region, **given)
            self._measured[key] = tuple(
                Evidence.of(m, call.tool, self.img, region=call.region, parameters=given) for m in measured
            )
        return self._measured[key]

    def _scale(self, pixel_size: float | None) -> None:
        """Opens the image anew with the µm per pixel that a person states; None for what it had in the beginning."""
        self.img = self._given if pixel_size is None or self._given is None else open_image(self._given, pixel_size=pixel_size)
        if self.about is not None and self.img is not None:
            self.images.put(self.about, self.img)
        self.looks_with = resolve(self._eyes, self.img)
        self._measured.clear()

    def _kept(self, question: str, query: Query, answer: Answer) -> Answer:
        self.turns.append(Turn(question, query, answer))
        self._log.keep(self)  # before it is shown
        return answer

    def _understood(self, question: str, said: Said, region: Region | None) -> Query:
        """The query of a question; the one before again where only an image was named."""
        context = memory.context(self.turns, self.img, region)
        if said.mode != "here" and said.bare:
            first = Query("count") if said.mode in ("across", "which") else Query("measure", quantity="image_size")
            query = first if said.mode == "switch" or context.previous is None else replace(context.previous, also=())
        else:
            query = understand(said.rest, context)
        query = replace(query, text=question, images=said.names if len(self.images) > 1 else ())
        return refit(query, self.img.plane_shape) if len(self.images) > 1 and self.img is not None else query

    def _across(self, question: str, said: Said, region: Region | None) -> tuple[Query, Answer]:
        """One question put to several images."""
        here, before, queries, measured = self.about, memory.context(self.turns, self.img, region).previous, [], []
        asked = replace(said, rest=core_question(said.rest, before))
        for name in said.names:
            self.use(name)
            queries.append(replace(self._understood(question, asked, region), also=(), claim=None))
            measured.append(measured_in(name, self._answer(queries[-1])))
        if here is not None:
            self.use(here)
        return queries[0], side_by_side(queries[0], said.mode == "which", said.rest, measured)

    def _undo(self, question: str, query: Query) -> Answer:
        """Takes the last turn back and gives the answer before it again."""
        taken = Turn(question, query, _declined(DECLINES["nothing before"]))
        held = memory.holding([*self.turns, taken])
        if held:
            taken = replace(taken, answer=held[-1].answer)
            before = held[-1].query.images or tuple(self.images)[:1]  # asked while there was but one
            if len(before) == 1 and before[0] != self.about and before[0] in self.images:
                self.use(before[0])
        self.turns.append(taken)
        if memory.pixel_size(self.turns) != memory.pixel_size(self.turns[:-1]):
            self._scale(memory.pixel_size(self.turns))
        self._log.keep(self)
        return taken.answer

    def _in_words(self, question: str, query: Query, base: Answer) -> Answer:
        """The composed answer, or what a language model makes of it, verified."""
        if self.llm is None:
            return base
        return self.llm.answer(Asked(question, query, base, self.img, self.looks_with, self.history, self.measure))

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
        for call in planned.more:
            with suppress(EvidenceError):
                evidence += self.measure(call)
        return self._worded(planned, query, evidence)

    def _worded(self, planned: Plan, query: Query, evidence: tuple[Evidence, ...]) -> Answer:
        try:
            draft = compose(planned.wording, query, evidence)
        except EvidenceError as error:  # a sentence that states what was not measured is never shown
            return replace(_declined(DECLINES["wording"]), declined=str(error), evidence=evidence)
        prose = draft.prose
        return Answer(prose.text, draft.value, draft.unit, evidence, tuple(prose.spans), image=self.img)

    def to_markdown(self) -> str:
        """The whole conversation, escaped."""
        return transcript_markdown(self.turns)

    def to_html(self) -> str:
        """The whole conversation, escaped."""
        return transcript_html(self.turns)

    def _ai_repr_(self, **hints: Any) -> Mapping[str, str]:
        """For assistants: the conversation as Markdown."""
        return mime(self.to_markdown())

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
