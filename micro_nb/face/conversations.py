"""Commands of ``micro-nb`` about conversations: asked, held, served to assistants, listed, exported and measured again."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

import micro_nb as mnb

from .said import Picture, Said, told

if TYPE_CHECKING:
    from ..session.answer import Answer
    from ..session.log.book import LoggedSession
    from ..session.log.verify import Check
    from ..session.session import Session

_PROMPT = "? "
_ROWS = 12
_LEAVE = frozenset({"quit", "exit", "bye", ":q"})
_HELP = "Ask in your own words. methods: the methods paragraph; evidence: the measurements of the last answer; quit: leave."
Which = Annotated[str, told("its id, the beginning of it, or 'last'")]
Log = Annotated[Path | None, told("the log (default: the one in the user's data folder)")]
Eyes = Annotated[str | None, told("what finds objects: micro_d1 (default), floor (no trained weights), or a folder")]
Moved = Annotated[str | None, told("the image, where it moved")]


@Parameter(name="*")
@dataclass(frozen=True)
class Talk:
    """Which conversation, which eyes, which log."""

    _: KW_ONLY
    session: Annotated[str | None, told("go on with this logged conversation ('last', or the start of its id)")] = None
    eyes: Eyes = None
    log: Log = None
    no_log: Annotated[bool, told("do not keep the conversation")] = False

    def open(self, picture: Picture) -> Session:
        """The conversation about a picture."""
        log, img = False if self.no_log else self.log, picture.open()
        how = {"log": log, **({"eyes": self.eyes} if self.eyes else {})}
        talk: Session = mnb.Session.resume(self.session, img=img, **how) if self.session else mnb.Session(img, **how)
        return talk


def ask(
    picture: Picture, question: Annotated[list[str], told("one or more, each in quotes; or expressions")], *, talk: Talk = Talk(),
) -> Said:  # fmt: skip
    """Ask questions about an image; every number is a measurement."""
    session = talk.open(picture)
    answers = [session.ask(text) for text in question]
    data = [a.to_dict() for a in answers]
    return Said("\n".join(map(_told, answers)), data[0] if len(data) == 1 else data)


def chat(picture: Picture, *, talk: Talk = Talk()) -> None:
    """A conversation about an image in the terminal."""
    _converse(talk.open(picture))


def mcp(
    folder: Annotated[list[str], told("folders whose images may be opened; nothing outside of them, and nothing remote")], /, *,
    eyes: Eyes = None,
) -> None:  # fmt: skip
    """Let assistants measure in images of some folders (Model Context Protocol)."""
    from ..session.mcp import serve

    serve(folder, eyes=eyes)


def list_(*, log: Log = None) -> Said:
    """All logged conversations."""
    from ..session.log.book import sessions

    found = sessions(log)
    row = "{}  {:.16}  {:>3} turns  {}  {}".format
    lines = [row(s.id, s.started, len(s.turns), _about(s), shorten("".join(t.question for t in s.turns[:1]), 60)) for s in found]
    data = [{"id": s.id, "started": s.started, "image": _about(s), "turns": len(s.turns)} for s in found]
    return Said("\n".join(lines), data)


def show(id: Which = "last", /, *, log: Log = None) -> Said:
    """What was asked and answered."""
    from ..session.log.book import load
    from ..session.log.export import to_dict

    logged = load(id, log)
    turns = "".join(f"\n> {turn.question}\n{turn.answer.text}\n" for turn in logged.turns)
    return Said(f"{logged.id}, {logged.started}, about {_about(logged)}\n{turns}", to_dict(logged))


def resume(id: Which = "last", /, *, image: Moved = None, log: Log = None) -> None:
    """Go on with a conversation."""
    _converse(mnb.Session.resume(id, img=mnb.open_image(image) if image else None, log=log))


def export(
    id: Which = "last", /, *, log: Log = None,
    out: Annotated[Path | None, told("the .ipynb or .json to write (default: the id with .ipynb, here)", "-o")] = None,
) -> Said:  # fmt: skip
    """A conversation as a notebook that measures again."""
    from ..session.log.book import load
    from ..session.log.export import export as write

    logged = load(id, log)
    return Said(written=(write(logged, out or Path(f"{logged.id}.ipynb")),))


def verify(id: Annotated[str | None, told("one conversation; all without it")] = None, /, *, image: Moved = None,
           log: Log = None) -> Said:  # fmt: skip
    """The log's bytes, then every fact measured again; what differs is an error."""
    from ..session.log import book
    from ..session.log.verify import verify as checked

    broken, img = book.damage(log), mnb.open_image(image) if image else None
    checks = {s.id: checked(s, img=img) for s in ([book.load(id, log)] if id else book.sessions(log))}
    lines = [f"damaged: {line}" for line in broken] or ["the log is whole"]
    lines += [line for name, found in checks.items() for line in _compared(name, found)]
    failure: Exception | None = mnb.errors.LogError("the log is damaged; what is said above was changed outside of micro_nb")
    if not broken:
        differs = any(c.outcome == "differs" for found in checks.values() for c in found)
        text = "some measurements differ from what was logged; they are listed above"
        failure = mnb.errors.EvidenceError(text) if differs else None
    data = {"damage": broken, "sessions": {key: [_row(c) for c in found] for key, found in checks.items()}}
    return Said("\n".join(lines), data, failure=failure)


COMMANDS: tuple[Any, ...] = (ask, chat, mcp)
SESSIONS: tuple[Any, ...] = (list_, show, resume, export, verify)


def _converse(talk: Session) -> None:
    """Asks and answers until the input ends or the person leaves."""
    person = sys.stdin.isatty()
    if person:
        print(f"{talk!r}\n{_HELP}")
    for question in map(str.strip, _lines(person)):
        if question.lower() in _LEAVE:
            break
        if question:
            print(_reply(talk, question), flush=True)  # what is shown stands in the log
    if person and talk.turns:
        print(f"kept as {talk.id}; go on with it: micro-nb chat IMAGE --session {talk.id}")


def _lines(person: bool) -> Iterator[str]:
    """Lines of a pipe, or of the terminal, with history where there is one; Ctrl-D ends, Ctrl-C leaves out a line."""
    if not person:
        yield from sys.stdin
        return
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 -- gives input() its history
    while True:
        try:
            yield input(_PROMPT)
        except KeyboardInterrupt:
            print()
        except EOFError:
            print()
            return


def _reply(talk: Session, question: str) -> str:
    from ..session.views.text import summary

    if question == "help":
        return _HELP
    if question == "methods":
        return str(talk.methods())
    if question == "evidence":
        facts = talk.turns[-1].answer.evidence if talk.turns else ()
        return "\n".join(f"- {summary(fact)}" for fact in facts) or "nothing was measured"
    return _told(talk.ask(question))


def _told(answer: Answer) -> str:
    """The answer, the table it lists, and in grey what was understood and other readings."""
    from ..session.views.text import understood_text
    from ..session.words.asking import asked

    lines = [answer.text]
    if answer.table is not None and len(answer.table):
        lines.append(answer.table.head(_ROWS).to_string(float_format="{:.4g}".format))
    grey = [understood_text(answer)]
    grey += [f"or did you mean: {asked(calls)}  ({'; '.join(map(str, calls))})" for calls in answer.alternatives]
    form = "\033[90m{}\033[0m" if sys.stdout.isatty() else "  [{}]"  # grey on a terminal, plain in a pipe
    return "\n".join([*lines, *map(form.format, filter(None, grey))])


def _compared(name: str, checks: list[Check]) -> Iterator[str]:
    from ..session.views.text import value_text

    counts = Counter(c.outcome for c in checks)
    yield f"{name}: " + (", ".join(f"{n} {outcome}" for outcome, n in counts.items()) or "nothing was measured")
    for c in (c for c in checks if c.outcome != "identical"):
        now = f", now {c.value}" if c.value is not None else ""
        yield f"  {c.outcome}: {c.evidence.quantity} = {value_text(c.evidence)}{now} ({c.reason})"


def _row(c: Check) -> dict[str, object]:
    return {"question": c.question, "quantity": c.evidence.quantity, "value": c.evidence.value, "unit": c.evidence.unit,
            "evidence": c.evidence.id, "outcome": c.outcome, "now": c.value, "reason": c.reason}  # fmt: skip


def _about(s: LoggedSession) -> str:
    return str(s.image["name"]) if s.image else "no image"
