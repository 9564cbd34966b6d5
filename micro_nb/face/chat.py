"""``ChatPanel``: a conversation in the notebook whose numbers lead to the pixels they were measured on.

What is asked here is the session's: ``chat.turns`` holds it, the log keeps it, and the saved notebook keeps the transcript.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from textwrap import shorten
from typing import Any

import traitlets

from ..data.region import Region
from ..errors import EvidenceError, MicroNBError
from ..progress import Progress, watched
from ..session.answer import Answer, Turn
from ..session.language import Call, parse
from ..session.session import Session
from ..session.views.html import transcript_html
from ..session.views.text import described, transcript_text, value_text
from ..session.words.asking import asked
from ..session.words.printing import print_number
from .live import Live, web
from .pointing import about_pointed

_log = logging.getLogger(__name__)
_ROWS, _LONGEST = 12, 2000
_FIRST = ("How many nuclei are there?", "Is the image good enough to measure?", "Describe the image")
_AFTER = (("How was it measured?", "how"), ("How certain is it?", "sure"))


class Stopped(BaseException):
    """A person stopped a measurement; no error of the measurement."""


class ChatPanel(Live):
    """A line to ask in and the answers above it; every number is a button that shows where it comes from.

    Parameters
    ----------
    chat : the conversation, or an image, or anything :func:`open_image` opens, for a new one.
    viewer : a :class:`Viewer`, or an object whose ``show(answer, evidence)`` is called when a number is clicked. A region drawn
        in a Viewer is "this" in the next question, a clicked object "it".

    Raises
    ------
    MissingExtraError : anywidget is not installed.

    Examples
    --------
    >>> import numpy as np, micro_nb as mnb
    >>> panel = ChatPanel(mnb.Session(mnb.open_image(np.zeros((8, 8), "uint8")), log=False))
    >>> panel.ask('image("bit_depth")').value
    8
    """

    _esm = traitlets.Unicode(web("parts.js", "chat.js")).tag(sync=True)
    _css = traitlets.Unicode(web("chat.css")).tag(sync=True)
    _height = traitlets.Int(480).tag(sync=True)

    def __init__(self, chat: Any, viewer: Any = None, *, height: int = 480) -> None:
        super().__init__(_height=int(height))
        self.viewer = viewer
        self.chat: Session = chat if isinstance(chat, Session) else _session(chat, viewer)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="micro-nb-chat")
        self._stop = False
        self._said = 0.0
        self._waiting: dict[int, str] = {}
        self._next = 0
        self.chat.watchers.append(self._added)
        if hasattr(viewer, "watch"):
            viewer.watch(self._seen)

    def ask(self, question: str) -> Answer:
        """Asks, and shows question and answer in the panel."""
        return self._asked(question, None)

    def handlers(self) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
        return {
            "hello": self._hello, "ask": self._ask, "stop": self._halt, "card": self._card, "again": self._again,
            "show": self._show, "go_on": self._go_on,
            "markdown": lambda m: self.tell("file", [self.chat.to_markdown().encode()], name="conversation.md", to=m.get("to")),
        }  # fmt: skip

    def _hello(self, message: Mapping[str, Any]) -> None:
        about = self.chat.img.name if self.chat.img is not None else ""
        self.tell("begin", about=about, still=self._name, linked=self.viewer is not None)
        for k in range(len(self.chat.turns)):
            self._tell_turn(k)
        for number, question in self._waiting.items():
            self.tell("asked", n=number, question=question)
        self._thread.submit(self._suggest)
        self._seen("pointed", self._pointed)

    def _ask(self, message: Mapping[str, Any]) -> None:
        question = " ".join(str(message["text"]).split())[:_LONGEST]
        if not question:
            return
        calls = tuple(parse(str(c)) for c in message.get("calls") or ()) or None
        self._next += 1
        self._waiting[self._next] = question
        n = self._next
        self.tell("asked", n=n, question=question)
        self._thread.submit(
            self._guarded, n, lambda: self._asked(question, calls), lambda text: self.tell("failed", n=n, text=text)
        )

    def _guarded(self, number: int, work: Callable[[], Any], failed: Callable[[str], None]) -> None:
        """Work, on the thread of the panel, that shows its progress and can be stopped; what went wrong is said."""
        self._stop = False
        try:
            with watched(self._progress):
                work()
        except Stopped:
            failed("Stopped.")
        except MicroNBError as error:
            failed(str(error))
        except Exception as error:
            _log.exception("work of the panel failed")
            failed(f"That went wrong inside ({type(error).__name__}); the log of the kernel says more.")
        finally:
            self._waiting.pop(number, None)
            self.tell("ended", n=number)
            self._suggest()

    def _asked(self, question: str, calls: tuple[Call, ...] | None) -> Answer:
        region = self._pointed
        if calls is None and region is not None:
            calls = self._about_pointed(question)
        return self.chat.ask(question, region=region, calls=calls)

    def _about_pointed(self, question: str) -> tuple[Call, ...] | None:
        from ..session.reader.understanding import understand

        read = understand(question, [t.calls for t in self.chat.turns])
        return about_pointed(question, read.calls, kind=getattr(self.viewer, "pointed_kind", None))

    def _go_on(self, message: Mapping[str, Any]) -> None:
        def take_up() -> None:
            self.chat.go_on()
            self._hello(message)
            self.settle()

        self._thread.submit(self._guarded, 0, take_up, lambda text: self.tell("notice", text=text))

    def _progress(self, progress: Progress) -> None:
        if self._stop:
            raise Stopped
        now = time.monotonic()
        if now - self._said > 0.2:
            self._said = now
            self.tell("progress", what=progress.what, done=progress.done, total=progress.total, unit=progress.unit)

    def _halt(self, message: Mapping[str, Any]) -> None:
        self._stop = True

    def _card(self, message: Mapping[str, Any]) -> None:
        turn, k = int(message["turn"]), int(message["e"])
        fact = self.chat.turns[turn].answer.evidence[k]
        try:
            code = fact.code()
        except EvidenceError as error:
            code = f"# {error}"
        self.tell("card", turn=turn, e=k, title=fact.quantity, rows=[*described(fact).items()], code=code)
        self._show(message)

    def _show(self, message: Mapping[str, Any]) -> None:
        if self.viewer is not None:
            e = message.get("e")
            self.viewer.show(self.chat.turns[int(message["turn"])].answer, None if e is None else int(e))

    def _again(self, message: Mapping[str, Any]) -> None:
        turn, k = int(message["turn"]), int(message["e"])
        fact = self.chat.turns[turn].answer.evidence[k]

        def verdict(verdict: str, value: str) -> None:
            self.tell("verdict", turn=turn, e=k, verdict=verdict, value=value)

        def measure() -> None:
            outcome, again = fact.recompute(dict(self.chat.images))
            verdict(outcome, value_text(again))

        self._thread.submit(self._guarded, 0, measure, lambda text: verdict("not measured", text))

    @property
    def _pointed(self) -> Region | None:
        return getattr(self.viewer, "pointed", None)

    def _seen(self, what: str, of: Any) -> None:
        """Something happened in the viewer."""
        if what == "pointed":
            kind = getattr(self.viewer, "pointed_kind", None)
            self.tell("pointed", name=(of.name or "the drawn region") if of is not None else "", word="it" if kind else "this")
        elif what == "drawn" and of is not None:
            self.tell("pointed", name=of.name or "the drawn region", word="this")
        elif what == "corrected" and self.viewer.objects is not None:
            self.chat.take(self.viewer.objects)

    def _added(self, turn: Turn) -> None:
        self._tell_turn(len(self.chat.turns) - 1)
        if self.viewer is not None and not turn.answer.declined:
            self.viewer.show(turn.answer)
        self.settle()

    def _tell_turn(self, k: int) -> None:
        turn = self.chat.turns[k]
        answer = turn.answer
        chart = any("histogram" in e.parameters for e in answer.evidence)
        picture = answer.png if self.viewer is None or chart else None
        self.tell(
            "turn", [picture] if picture else [], k=k, question=turn.question, parts=_parts(answer),
            declined=bool(answer.declined), remedy=answer.remedy or "", understood="; ".join(map(str, answer.calls)),
            table=_table(answer),
            alternatives=[[asked(calls), [str(c) for c in calls]] for calls in answer.alternatives], facts=len(answer.evidence),
        )  # fmt: skip

    def _suggest(self) -> None:
        last = next((t for t in reversed(self.chat.turns) if t.answer.evidence and t.calls), None)
        call = last.calls[0] if last is not None else None
        found: list[dict[str, Any]] = []
        if call is None and self.chat.img is not None:
            found = [{"text": text, "calls": []} for text in _FIRST]
        elif call is not None and call.name not in ("how", "sure"):
            found = [{"text": text, "calls": [str(Call.of(name, call))]} for text, name in _AFTER]
        if (earlier := self.chat.earlier()) is not None:
            when = datetime.fromisoformat(earlier.turns[-1].asked).astimezone()
            last_asked = shorten(earlier.turns[-1].question, 60, placeholder=" …")
            found.insert(0, {"text": f"Go on from “{last_asked}” ({when:%d %b, %H:%M})", "go_on": True})
        self.tell("suggest", suggestions=found)

    def still(self) -> dict[str, Any]:
        told = transcript_text(self.chat.turns) or repr(self)
        return {"text/html": transcript_html(self.chat.turns), "text/plain": told}

    def __repr__(self) -> str:
        return f"<ChatPanel of {self.chat!r}>"


def _session(image: Any, viewer: Any) -> Session:
    from ..data.image import MicroImage
    from ..data.open import open_image

    img = image if isinstance(image, MicroImage) else open_image(image)
    return Session(img, objects=getattr(viewer, "objects", None))


def _parts(answer: Answer) -> list[dict[str, Any]]:
    """The text in pieces; those that state a measurement say which."""
    out: list[dict[str, Any]] = []
    at = 0
    for span in sorted(answer.spans, key=lambda s: s.start):
        if span.start > at:
            out.append({"text": answer.text[at : span.start]})
        out.append({"text": answer.text[span.start : span.end], "e": span.index})
        at = span.end
    return [*out, {"text": answer.text[at:]}]


def _table(answer: Answer) -> dict[str, Any] | None:
    if answer.table is None or not len(answer.table):
        return None
    few = answer.table.head(_ROWS).reset_index()
    rows = [[print_number(v) if isinstance(v, float) else str(v) for v in row] for row in few.itertuples(index=False)]
    return {"columns": [str(c) for c in few.columns], "rows": rows, "more": max(len(answer.table) - _ROWS, 0)}
