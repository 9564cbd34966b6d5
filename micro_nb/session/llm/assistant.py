"""A turn with a language model: it may measure more and word the answer, and what it writes is verified before it is shown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...data.image import MicroImage
from ...errors import EvidenceError
from ...render.overview import overview_png
from ..answer import Answer, Span
from ..declines import DECLINES, not_understood
from ..evidence import Evidence
from ..plans import Call
from ..printing import unit_words
from ..prose import Fact, Prose
from ..query import Query
from ..reading import clauses
from . import prompts
from .grounding import caveats, ground, medical
from .offered import offered
from .planned import Refusal, checked, measured
from .protocol import ChatError, ChatModel, Message, Reply, ToolCall
from .wording import placed, worded

ROUNDS, CALLS, FACTS, THUMBNAIL_PX = 5, 8, 40, 336
_LONGEST_REPLY = 20_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What a turn is about.

    Attributes
    ----------
    question, query : as asked and as understood.
    base : the composed answer, or the decline.
    img, eyes : the image, and what looks at it.
    history : questions and answers before.
    measure : runs a tool call.
    """

    question: str
    query: Query
    base: Answer
    img: MicroImage | None
    eyes: str
    history: Sequence[tuple[str, str]]
    measure: Callable[[Call], tuple[Evidence, ...]]


@dataclass
class Assistant:
    """A chat model behind a session.

    Attributes
    ----------
    model : what answers.
    notes : what of the last turn was refused or failed, oldest first.
    """

    model: ChatModel
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How the model is called in the record."""
        return str(getattr(self.model, "name", None) or type(self.model).__name__)[:80]

    def answer(self, asked: Asked) -> Answer:
        """The composed answer, in the model's words where they hold; for what was not understood, what it measured."""
        self.notes = []
        base = asked.base
        if _never(asked) or not (_to_word(base) or _to_plan(asked)):
            return base
        try:
            return _Turn(self, asked).run()
        except Exception as error:  # of the model, its adapter or its server: never the user's
            self.note(f"the language model gave no answer: {error}" if str(error) else f"it failed: {type(error).__name__}")
            _log.warning("%s; the composed answer stands", self.notes[-1])
            return base

    def note(self, text: str) -> None:
        """Keeps what happened, briefly."""
        self.notes.append(text[:300])


class _Turn:
    """The state of one turn."""

    def __init__(self, assistant: Assistant, asked: Asked) -> None:
        self.assistant, self.asked = assistant, asked
        self.understood = _to_word(asked.base)
        self.evidence = list(asked.base.evidence)
        self.calls = 0
        planner = not self.understood or getattr(assistant.model, "plans", True)
        self.tools = offered(asked.img) if planner else {}
        self.messages = self._opening()

    def run(self) -> Answer:
        """Rounds of calls, then the wording; a wording that does not hold is retried once."""
        refused = 0
        for _ in range(ROUNDS):
            reply = _valid(self.assistant.model.reply(tuple(self.messages), tuple(self.tools.values())))
            if reply.calls:
                if not self._measure(reply):
                    break
                continue
            if not reply.text.strip() or _declines(reply.text):
                break
            try:
                return self._worded(reply.text)
            except EvidenceError as error:
                self.assistant.note(f"refused {reply.text[:120]!r}: {error}")
                refused += 1
                if refused > 1:
                    break
                self.messages += [Message("assistant", reply.text), Message("user", prompts.refused(str(error)))]
        else:
            self.assistant.note("asked for measurements in every round and never answered")
        return self._plainly()

    def _opening(self) -> list[Message]:
        asked, model = self.asked, self.assistant.model
        rules = prompts.RULES + (f"\n{prompts.PLANS}" if self.tools else "")
        composed = placed(asked.base) if self.understood else ""
        text = prompts.user_message(asked.question, asked.img, asked.history, self.evidence, composed)
        return [Message("system", rules), Message("user", text, picture=_thumbnail(asked.img) if _sees(model) else None)]

    def _measure(self, reply: Reply) -> bool:
        """Runs the calls of a reply and tells their results; False where the model goes on asking beyond its budget."""
        if self.calls >= CALLS or not self.tools:
            self.assistant.note("asked for more measurements than a turn may take")
            return False
        calls = tuple(replace(c, id=c.id or f"call{self.calls + k}") for k, c in enumerate(reply.calls))
        self.messages.append(Message("assistant", reply.text[:1000], calls=calls))
        for call in calls:
            self.messages.append(Message("tool", self._result(call), call=call.id))
        return True

    def _result(self, call: ToolCall) -> str:
        self.calls += 1
        if self.calls > CALLS or len(self.evidence) >= FACTS:
            return "refused: no more measurements in this turn; answer now"
        asked = self.asked
        try:
            typed = checked(call, self.tools, asked.img, asked.eyes, self._known())
            found = measured(typed, asked.measure, self.assistant.name)
        except Refusal as error:
            self.assistant.note(f"refused {call.name[:40]}: {error}")
            return f"refused: {error}"
        known = {_fact(e): k for k, e in enumerate(self.evidence)}
        self.evidence += [e for e in found if _fact(e) not in known]
        at = {_fact(e): k for k, e in enumerate(self.evidence)}
        return prompts.listed({at[_fact(e)] + 1: e for e in found})

    def _known(self) -> list[float]:
        """Numbers that the person said in this session, and those that were measured in this turn."""
        said = [q for q, _ in self.asked.history] + [self.asked.question]
        numbers = [n for text in said for clause in clauses(text) for n in clause.numbers]
        for e in self.evidence:
            values = e.value if isinstance(e.value, tuple) else (e.value,)
            numbers += [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        return numbers

    def _worded(self, text: str) -> Answer:
        """The answer in the model's words.

        Raises
        ------
        EvidenceError : they do not hold.
        """
        base = self.asked.base if self.understood else None
        shown, spans = worded(text, self.evidence, base.spans if base is not None else ())
        ground(shown, spans, self.evidence, base)
        if not any(s.field.startswith("value") for s in spans):
            raise EvidenceError("the answer states no measured value; cite one, such as {e1.value}")
        answer = base or self._planned(spans)
        shown += caveats(base, shown) if base is not None else f" {_CHOSEN}"
        kept = len(base.evidence) if base is not None else 0
        evidence, spans = _cited(self.evidence, spans, kept)
        return replace(answer, text=shown, evidence=evidence, spans=tuple(spans), worded_by=self.assistant.name)

    def _planned(self, spans: Sequence[Span]) -> Answer:
        """An answer to what was not understood, from what the model measured."""
        main = self.evidence[next(s for s in spans if s.field.startswith("value")).index]
        return Answer("", main.value, main.unit, query=self.asked.base.query, image=self.asked.img)

    def _plainly(self) -> Answer:
        """Without words of the model: the composed answer, or the measurements it asked for, one by one."""
        base = self.asked.base
        if self.understood or not self.evidence:
            return base
        prose, said = Prose(self.evidence), False
        for k, e in enumerate(self.evidence):
            said = _say(prose, k, e) or said
        if not said:
            return base
        main = self.evidence[prose.spans[0].index]
        text, shift = f"{_UNREAD} {prose.text}", len(_UNREAD) + 1
        spans = tuple(replace(s, start=s.start + shift, end=s.end + shift) for s in prose.spans)
        return Answer(text, main.value, main.unit, tuple(self.evidence), spans, query=base.query, image=self.asked.img)


_CHOSEN = "(I did not understand all of the question; the language model chose what to measure.)"
_UNREAD = "I did not understand all of the question; the language model chose these measurements."


def _to_word(base: Answer) -> bool:
    """Whether there is an answer to be put into words: measured, not declined; a bare verdict stays as it is."""
    verdict = isinstance(base.value, bool) and not base.text.startswith(("Yes", "No"))
    return base.declined is None and bool(base.evidence) and bool(base.spans) and not verdict


def _to_plan(asked: Asked) -> bool:
    """Whether a decline is of a question that was not understood, and not of one that no picture answers."""
    query, base = asked.query, asked.base
    open_question = query.topic is None and (query.task == "unknown" or bool(query.unread))
    unread = base.declined is not None and base.declined == not_understood(query.unread).reason
    return unread and open_question and asked.img is not None


def _never(asked: Asked) -> bool:
    """What a model has no say in: medical questions, those that no picture answers, and answers of several parts."""
    return bool(asked.query.also) or asked.query.topic in DECLINES or medical(asked.question) is not None


def _valid(reply: Any) -> Reply:
    """A reply of the right types, whoever made it."""
    typed = isinstance(reply, Reply) and isinstance(reply.text, str) and isinstance(reply.calls, tuple)
    if not typed or not all(
        isinstance(c, ToolCall) and isinstance(c.name, str) and isinstance(c.arguments, Mapping) for c in reply.calls
    ):
        raise ChatError(f"reply() must give a Reply of text and ToolCalls, not {type(reply).__name__}")
    return Reply(reply.text[:_LONGEST_REPLY], reply.calls)


def _declines(text: str) -> bool:
    return text.strip().strip(".\"'` ").lower() in ("decline", "declined", "i decline")


def _cited(evidence: Sequence[Evidence], spans: Sequence[Span], kept: int) -> tuple[tuple[Evidence, ...], list[Span]]:
    """The evidence of the composed answer, and of the rest what the text cites; without a base the first cited comes first."""
    order = [*range(kept), *dict.fromkeys(s.index for s in spans if s.index >= kept)]
    return tuple(evidence[k] for k in order), [replace(s, index=order.index(s.index)) for s in spans]


def _say(prose: Prose, k: int, e: Evidence) -> bool:
    """A fact as a sentence; False where its name cannot be said safely."""
    if isinstance(e.value, bool) or e.value is None:
        return False
    where = f" in the {e.region.name or 'marked region'}" if e.region is not None else ""
    many = len(e.value) if isinstance(e.value, tuple) else 0
    fields = [f"value.{j}" for j in range(many)] or ["value"]
    shown = tuple(part for j, path in enumerate(fields) for part in ((", ",) if j else ()) + (Fact(k, path),))
    try:
        name = e.quantity[:1].upper() + e.quantity[1:]
        prose.say("{name}{where}: {value}{unit}.", name=name, where=where, value=shown, unit=unit_words(e.unit))
    except EvidenceError:
        return False
    return True


def _fact(e: Evidence) -> str:
    """What a fact is, whoever asked for it."""
    return replace(e, environment={}).id


def _sees(model: ChatModel) -> bool:
    return bool(getattr(model, "sees", False))


def _thumbnail(img: MicroImage | None) -> bytes | None:
    if img is None:
        return None
    try:
        return overview_png(img, width=THUMBNAIL_PX, plain=True)
    except Exception:  # a picture helps, and its lack is no reason to lose the turn
        return None
