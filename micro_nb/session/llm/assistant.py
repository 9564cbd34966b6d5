"""A turn with a language model: it words the answer, and may choose what to measure where the question was not understood.

What it writes is verified before it is shown; where it does not hold, the composed answer stands.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...data.image import MicroImage
from ...errors import EvidenceError
from ...render.overview import overview_png
from ..answer import Answer, Span
from ..evidence import Evidence
from ..language import Call
from ..measures.registry import get
from . import prompts
from .endpoint import Endpoint
from .expressions import Refusal, checked, measured, numbers_said, offered_tool, schema_validator
from .grounding import caveats, ground, medical
from .prompts import Asked
from .protocol import ChatError, ChatModel, Message, Reply, ToolCall
from .wording import with_places, worded

ROUNDS, CALLS, FACTS, THUMBNAIL_PX = 5, 8, 40, 336
_LONGEST_REPLY = 20_000
_CHOSEN = "(I did not understand all of the question; the language model chose what to measure.)"
_log = logging.getLogger(__name__)


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
        if _never(asked) or not (_to_word(asked.base) or _to_choose(asked)):
            return asked.base
        try:
            return _Turn(self, asked).run()
        except Exception as error:  # of the model, its adapter or its server: never the user's
            self.note(f"the language model gave no answer: {error}" if str(error) else f"it failed: {type(error).__name__}")
            _log.warning("%s; the composed answer stands", self.notes[-1])
            return asked.base

    def note(self, text: str) -> None:
        """Keeps what happened, briefly."""
        self.notes.append(text[:300])


class _Turn:
    """The state of one turn; ``base`` is what may be worded, None once the model chose what to measure."""

    def __init__(self, assistant: Assistant, asked: Asked) -> None:
        self.assistant, self.asked = assistant, asked
        self.base = asked.base if _to_word(asked.base) else None
        self.evidence = list(self.base.evidence) if self.base is not None else []
        self.chosen: dict[Call, Answer] = {}
        self.calls = 0
        self.tools = (offered_tool(),) if _to_choose(asked) else ()
        self.messages = self._opening()

    def run(self) -> Answer:
        """Rounds of calls, then the wording; a wording that does not hold is retried once."""
        refused = 0
        for _ in range(ROUNDS):
            reply = _valid(self.assistant.model.reply(tuple(self.messages), self.tools))
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
        asked, image = self.asked, self.asked.image
        rules = prompts.RULES + (f"\n{prompts.CHOOSES}" if self.tools else "")
        composed = with_places(self.base) if self.base is not None and not self.tools else ""
        text = prompts.user_message(asked.question, image, asked.history, self.evidence, composed)
        return [
            Message("system", rules),
            Message("user", text, picture=_thumbnail(image) if _sees(self.assistant.model) else None),
        ]

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
        try:
            expression = checked(call, self.asked, [*numbers_said(self.asked), *_measured_numbers(self.evidence)])
            found = measured(expression, self.asked, self.assistant.name)
        except Refusal as error:
            self.assistant.note(f"refused {call.name[:40]}: {error}")
            return f"refused: {error}"
        self.base, self.chosen[expression] = None, found
        known = {_fact(e) for e in self.evidence}
        self.evidence += [e for e in found.evidence if _fact(e) not in known]
        at = {_fact(e): k for k, e in enumerate(self.evidence, 1)}
        return prompts.listed({at[_fact(e)]: e for e in found.evidence})

    def _worded(self, text: str) -> Answer:
        """The answer in the model's words.

        Raises
        ------
        EvidenceError : they do not hold.
        """
        shown, spans = worded(text, self.evidence, [self.base] if self.base is not None else list(self.chosen.values()))
        ground(shown, spans, self.evidence, self.base)
        main = next((s for s in spans if s.field.startswith("value")), None)
        if main is None:
            raise EvidenceError("the answer states no measured value; cite one, such as {e1.value}")
        if self.base is not None:
            return replace(self.base, text=shown + caveats(self.base, shown), spans=tuple(spans), worded_by=self.assistant.name)
        cited = list(dict.fromkeys([main.index, *(s.index for s in spans)]))
        spans = [replace(s, index=cited.index(s.index)) for s in spans]
        fact, evidence = self.evidence[main.index], tuple(self.evidence[k] for k in cited)
        more = "".join(caveats(found, shown) for found in self.chosen.values())
        return replace(
            self._chosen_answer(), text=f"{shown}{more} {_CHOSEN}", value=fact.value, unit=fact.unit, evidence=evidence,
            spans=tuple(spans),
            worded_by=self.assistant.name,
        )  # fmt: skip

    def _plainly(self) -> Answer:
        """Without words of the model: the composed answer, or those to the expressions it chose, one after another."""
        if self.base is not None or not self.chosen:
            return self.asked.base
        text, spans, evidence = "", list[Span](), list[Evidence]()
        for found in self.chosen.values():
            start = len(text) + bool(text)
            spans += [replace(s, start=s.start + start, end=s.end + start, index=s.index + len(evidence)) for s in found.spans]
            text, evidence = f"{text} {found.text}".strip(), [*evidence, *found.evidence]
        first = next(iter(self.chosen.values()))
        return replace(
            self._chosen_answer(),
            text=f"{text} {_CHOSEN}",
            value=first.value,
            unit=first.unit,
            evidence=tuple(evidence),
            spans=tuple(spans),
        )

    def _chosen_answer(self) -> Answer:
        """The first answer to what the model chose, with all its expressions; other readings stay on offer."""
        first = next(iter(self.chosen.values()), self.asked.base)
        return replace(first, calls=tuple(self.chosen), alternatives=self.asked.base.alternatives)


def _to_word(base: Answer) -> bool:
    """Whether there is an answer to be put into words: measured, not declined; a bare verdict stays as it is."""
    verdict = isinstance(base.value, bool) and not base.text.startswith(("Yes", "No"))
    return base.declined is None and bool(base.evidence) and bool(base.spans) and not verdict


def _to_choose(asked: Asked) -> bool:
    """Whether the question was not understood, and there is an image to measure in."""
    return asked.unsure and asked.image is not None


def _never(asked: Asked) -> bool:
    """What a model has no say in: medical questions, what no picture answers, the conversation itself, several parts."""
    calls, lost = asked.understood.calls, asked.base.declined == "not understood"
    own = not lost and any(get(c.name).group == "talking" for c in (*calls, *asked.base.calls))
    several = len(calls) > 1 and not asked.unsure
    return several or own or any(c.name == "decline" for c in calls) or medical(asked.question) is not None


def _measured_numbers(evidence: Sequence[Evidence]) -> list[float]:
    values = [v for e in evidence for v in (e.value if isinstance(e.value, tuple) else (e.value,))]
    return [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]


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


def assistant(llm: Any) -> Assistant | None:
    """What stands behind a session.

    Parameters
    ----------
    llm : None; an object with ``reply(messages, tools)``; an :class:`Endpoint` or ``"http://host/v1#model"``; a folder, a GGUF
        file or a hub id of a transformers model; a pair ``(model, tokenizer or processor)``, or a transformers pipeline.

    Raises
    ------
    TypeError : none of these.
    ChatError : the model cannot be loaded; says why.
    """
    if llm is None:
        return None
    schema_validator()
    return Assistant(_model(llm))


def _model(llm: Any) -> ChatModel:
    if isinstance(llm, ChatModel) and not isinstance(llm, type):
        return llm
    if isinstance(llm, str) and llm.startswith(("http://", "https://")):
        return Endpoint.parse(llm)
    if isinstance(llm, str | os.PathLike):
        from .local import LocalChat  # transformers are loaded where a model is, not before

        return LocalChat.load(llm)
    pair = llm if isinstance(llm, tuple) and len(llm) == 2 else (getattr(llm, "model", None), _reader(llm))
    if all(part is not None for part in pair) and hasattr(pair[0], "generate"):
        from .local import LocalChat

        return LocalChat(*pair)
    raise TypeError(
        f"llm={type(llm).__name__}: give an object with reply(messages, tools), an Endpoint or 'http://host/v1#model', a folder "
        "or hub id of a transformers model, or (model, tokenizer)"
    )


def _reader(pipeline: Any) -> Any:
    return getattr(pipeline, "processor", None) or getattr(pipeline, "tokenizer", None)
