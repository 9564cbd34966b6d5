"""``micro-nb sessions``: conversations that were logged are listed, shown, gone on with, exported and measured again."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from ..data.open import open_image
from ..errors import EvidenceError, LogError
from ..session.log.book import LoggedSession, damage, load
from ..session.log.book import sessions as logged_sessions
from ..session.log.export import export, to_dict
from ..session.log.verify import Check, verify
from ..session.session import Session
from ..session.views.text import value_text
from .commands import _print_json
from .commands_chat import converse


def sessions(args: argparse.Namespace) -> None:
    """Does it."""
    if args.action not in ("list", "verify") and not args.id:
        raise LogError(f"which session? say micro-nb sessions {args.action} ID, or 'last'")
    {"list": _list, "show": _show, "resume": _resume, "export": _export, "verify": _verify}[args.action](args)


def _list(args: argparse.Namespace) -> None:
    found = logged_sessions(_log(args))
    if args.json:
        _print_json([{"id": s.id, "started": s.started, "image": _about(s), "turns": len(s.turns)} for s in found])
        return
    for s in found:
        first = s.turns[0].question if s.turns else ""
        print(f"{s.id}  {s.started[:16].replace('T', ' ')}  {len(s.turns):>3} turns  {_about(s)}  {_short(first)}")


def _show(args: argparse.Namespace) -> None:
    logged = load(args.id, _log(args))
    if args.json:
        _print_json(to_dict(logged))
        return
    print(f"{logged.id}, {logged.started}, about {_about(logged)}\n")
    for turn in logged.turns:
        print(f"> {turn.question}\n{turn.answer.text}\n")


def _resume(args: argparse.Namespace) -> None:
    img = open_image(args.image) if args.image else None
    converse(Session.resume(args.id, img=img, log=_log(args)))


def _export(args: argparse.Namespace) -> None:
    logged = load(args.id, _log(args))
    print(export(logged, Path(args.out or f"{logged.id}.ipynb")))


def _verify(args: argparse.Namespace) -> None:
    """The log's bytes, then every fact; what differs is an error."""
    broken = damage(_log(args))
    chosen = [load(args.id, _log(args))] if args.id else logged_sessions(_log(args))
    img = open_image(args.image) if args.image else None
    checks = {s.id: verify(s, img=img) for s in chosen}
    if args.json:
        _print_json({"damage": broken, "sessions": {key: [_row(c) for c in found] for key, found in checks.items()}})
    else:
        print("\n".join(f"damaged: {line}" for line in broken) or "the log is whole")
        for name, found in checks.items():
            _told(name, found)
    if broken:
        raise LogError("the log is damaged; what is said above was changed outside of micro_nb")
    if any(c.outcome == "differs" for found in checks.values() for c in found):
        raise EvidenceError("some measurements differ from what was logged; they are listed above")


def _told(name: str, checks: list[Check]) -> None:
    counts = Counter(c.outcome for c in checks)
    print(f"{name}: " + (", ".join(f"{n} {outcome}" for outcome, n in counts.items()) or "nothing was measured"))
    for c in checks:
        if c.outcome != "identical":
            now = f", now {c.value}" if c.value is not None else ""
            print(f"  {c.outcome}: {c.evidence.quantity} = {value_text(c.evidence)}{now} ({c.reason})")


def _row(c: Check) -> dict[str, object]:
    return {"question": c.question, "quantity": c.evidence.quantity, "value": c.evidence.value, "unit": c.evidence.unit,
            "evidence": c.evidence.id, "outcome": c.outcome, "now": c.value, "reason": c.reason}  # fmt: skip


def _log(args: argparse.Namespace) -> Path | None:
    return Path(args.log) if args.log else None


def _about(s: LoggedSession) -> str:
    return str(s.image["name"]) if s.image else "no image"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
