"""The corpus: conversations with their meanings, as examples to learn from. Whole lots are held out, never sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from micro_nb.session.language import Call, parse, same_form

HERE = Path(__file__).parent
HELD_OUT = ("l", "m", "ha", "hb")
_LESS = re.compile(
    r"\b(fewer|less|smaller|darker|shorter|narrower|thinner|lower|dimmer|fainter|weaker|sparser|closer|nearer|rarer)\b", re.I
)
_MORE = re.compile(r"\b(more|most|greater|larger|bigger|brighter|longer|wider|thicker|higher|stronger|denser)\b", re.I)


@dataclass(frozen=True)
class Example:
    """A turn: what was asked, what it means, and the meanings of the turns before, the last one first."""

    question: str
    calls: tuple[Call, ...]
    before: tuple[tuple[Call, ...], ...] = ()
    first: bool = True


@dataclass
class Talk:
    """A conversation of one author."""

    author: str
    turns: list[tuple[str, tuple[Call, ...]]] = field(default_factory=list)

    def examples(self) -> Iterable[Example]:
        """Its turns, each with the meanings before it."""
        for k, (question, calls) in enumerate(self.turns):
            yield Example(question, calls, tuple(c for _, c in self.turns[:k][::-1])[:2], k == 0)


def lots(letters: Iterable[str] | None = None, folder: Path = HERE / "asked") -> list[Talk]:
    """Conversations of these lots; all there are where none is named."""
    paths = sorted(folder.glob("*.jsonl"))
    chosen = [p for p in paths if letters is None or p.stem in set(letters)]
    return [_talk(json.loads(line)) for p in chosen for line in p.read_text(encoding="utf8").splitlines() if line.strip()]


def _talk(d: dict) -> Talk:
    turns, falling = [], False
    for turn in d["turns"]:
        falling = bool(_LESS.search(turn["q"]) or falling) and not _MORE.search(turn["q"])
        calls = (settled(same_form(parse(c))) for c in turn["calls"])
        turns.append((turn["q"], tuple(c.map(_fallen) if falling else c for c in calls)))
    return Talk(d["author"], turns)


def _fallen(call: Call) -> Call:
    """Whether the second is greater, which is how lots put "fewer" and "darker", as whether the first is less."""
    if call.name != "compare" or call.get("how") != "greater":
        return call
    return Call(call.name, call.args[::-1], (("how", "less"),))


def settled(call: Call) -> Call:
    """Where two forms mean the same, the settled one; the hands that wrote the lots differ in these."""
    return call.map(_settled)


def _settled(call: Call) -> Call:
    if call.name == "formula":
        known = [(k, v) for k, v in call.given]
        return Call(call.name, call.args, tuple(sorted(known)))
    return Call(call.name, tuple(map(_text, call.args)), tuple((k, _text(v)) for k, v in call.given))


def _text(node: object) -> object:
    """Conditions with single spaces around operators and double quotes inside."""
    if isinstance(node, str):
        return re.sub(r"\s*(>=|<=|==|!=|>|<)\s*", r" \1 ", node).strip() if re.search(r"[<>=]", node) else node
    return tuple(map(_text, node)) if isinstance(node, tuple) else node


def texts_in(calls: Sequence[Call]) -> list[str]:
    """Every text argument of some calls."""
    out: list[str] = []

    def gather(node: object) -> None:
        if isinstance(node, str):
            out.append(node)
        elif isinstance(node, tuple):
            for part in node:
                gather(part)

    for call in calls:
        for inner in call.walk():
            for node in (*inner.args, *(v for _, v in inner.given)):
                gather(node)
    return out
