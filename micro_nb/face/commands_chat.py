"""``micro-nb ask``, ``chat`` and ``mcp``: questions on the command line, and the measuring language for assistants."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..session.answer import Answer
from ..session.log.book import Choice
from ..session.session import Session
from ..session.views.text import summary, understood_text
from ..session.words.asking import asked
from .commands import _open, _plane, _print_json

if TYPE_CHECKING:
    from ..data.image import MicroImage

_PROMPT = "? "
_ROWS = 12
_LEAVE = frozenset({"quit", "exit", "bye", ":q"})
_HELP = "Ask in your own words. methods: the methods paragraph; evidence: the measurements of the last answer; quit: leave."


def ask(args: argparse.Namespace) -> None:
    """Answers, each standing on evidence."""
    chat = _session(args)
    answers = [chat.ask(question) for question in args.question]
    if args.json:
        found = [a.to_dict() for a in answers]
        _print_json(found[0] if len(found) == 1 else found)
        return
    for answer in answers:
        print(_told(answer))


def chat(args: argparse.Namespace) -> None:
    """A conversation about an image."""
    converse(_session(args))


def mcp(args: argparse.Namespace) -> None:
    """Serves assistants over standard input and output until they leave."""
    from ..session.mcp import serve  # the SDK is loaded where it serves, not before

    serve(args.folder, eyes=args.eyes)


def converse(talk: Session) -> None:
    """Asks and answers until the input ends or the person leaves."""
    person = sys.stdin.isatty()
    if person:
        print(f"{talk!r}\n{_HELP}")
    for question in _questions(person):
        print(_reply(talk, question), flush=True)  # what is shown stands in the log
    if person and talk.turns:
        print(f"kept as {talk.id}; go on with it: micro-nb chat IMAGE --session {talk.id}")


def _reply(talk: Session, question: str) -> str:
    if question == "help":
        return _HELP
    if question == "methods":
        return str(talk.methods())
    if question == "evidence":
        return "\n".join(f"- {line}" for line in _facts(talk)) or "nothing was measured"
    return _told(talk.ask(question))


def _told(answer: Answer) -> str:
    """The answer, the table it lists, and in grey what was understood and other readings."""
    lines = [answer.text]
    if answer.table is not None and len(answer.table):
        lines.append(answer.table.head(_ROWS).to_string(float_format="{:.4g}".format))
    read = understood_text(answer)
    lines += [_grey(read)] if read else []
    lines += [_grey(f"or did you mean: {asked(calls)}  ({'; '.join(map(str, calls))})") for calls in answer.alternatives]
    return "\n".join(lines)


def _grey(text: str) -> str:
    """Grey on a terminal, plain in a pipe."""
    return f"\033[90m{text}\033[0m" if sys.stdout.isatty() else f"  [{text}]"


def _facts(talk: Session) -> Iterator[str]:
    return map(summary, talk.turns[-1].answer.evidence if talk.turns else ())


def _questions(person: bool) -> Iterator[str]:
    """Lines of the terminal, with history where there is one, or of a pipe; Ctrl-D ends, Ctrl-C leaves out a line."""
    if person:
        import contextlib

        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 -- gives input() its history
    while True:
        try:
            line = input(_PROMPT) if person else sys.stdin.readline()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            continue
        if not person and not line:
            return
        line = line.strip()
        if line.lower() in _LEAVE:
            return
        if line:
            yield line


def _session(args: argparse.Namespace) -> Session:
    log: Choice = False if args.no_log else Path(args.log) if args.log else None
    img = _image(args)
    if args.session:
        return Session.resume(args.session, img=img, eyes=args.eyes, log=log)
    return Session(img, **({"eyes": args.eyes} if args.eyes else {}), log=log)


def _image(args: argparse.Namespace) -> MicroImage:
    return _plane(args) if args.t is not None or args.z is not None or args.project else _open(args)
