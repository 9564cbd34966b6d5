"""What is known rather than seen: explanations, advice, and formulas worked out with the numbers given."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import EvidenceError, MicroNBError
from ..knowledge import Note, Worked, look_up, work_out
from ..knowledge.notes import SURE
from ..language import Call, parse
from ..words.prose import Quoted, Stated, sentence
from ..words.tables import table
from .evaluation import evaluate, term
from .measurement import Measurement
from .registry import measurement
from .results import Found, Result
from .scene import Scene

_AGAINST = re.compile(r"\s+(?:versus|vs\.?|compared (?:to|with)|against)\s+", re.IGNORECASE)
_DIFFERENCE = re.compile(r"^(?:the )?differences? between (.+?) and (.+)$", re.IGNORECASE)
_OPS: Mapping[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_SAME = 0.8  # likeness at which a note on two things is on these two
_NUMBER = re.compile(r"\{([^{}]*)\}")
_NAMED = re.compile(r"\{([a-z]\w*|\d+)\}")


@measurement("explain")
def explain(topic: str, *, scene: Scene) -> Found:
    """What is written of a general matter: what it is, why, how, what goes wrong; of two that are compared, both."""
    question = str(scene.told.get("question", ""))  # topic and question tell more together than either
    found = look_up(topic, question)
    if not found:
        return _no_note(topic)
    two = _two(topic, found[0])
    if two:
        return _written([(note, note.side("what")) for note in two], 1.0)
    said, sides = f"{topic} {question}".lower(), table("talking")["sides"]
    wanted = next((side for word, side in sides.items() if re.search(rf"\b{word}", said)), ())
    likeness, note = found[0]
    return _written([(note, note.side(*wanted, "what"))], likeness)


@measurement("advise")
def advise(topic: str, *, scene: Scene) -> Found:
    """What to do: imaging, staining, controls, sample size, next step; with what the open image shows of it, where that can be
    measured."""
    found = look_up(topic, str(scene.told.get("question", "")), advice=True)
    if not found:
        return _no_note(topic)
    likeness, note = found[0]
    here = _here(note, scene)
    good = _good(note, here)
    lead = "" if good is None else f"{note.texts['yes' if good else 'no']} "
    return _written([(note, lead + note.side("do", "how", "advice"))], likeness, here, good)


def _two(topic: str, best: tuple[float, Note]) -> list[Note]:
    """The notes on two things that are compared, where no one note is on both."""
    match = _DIFFERENCE.match(topic)
    parts = list(match.groups()) if match else _AGAINST.split(topic)
    if len(parts) != 2 or (" vs " in best[1].key and best[0] >= _SAME):
        return []
    both = [found[0][1] for part in parts if (found := look_up(part, floor=SURE))]
    return both if len({note.key for note in both}) == 2 else []


def _no_note(topic: str) -> Found:
    remedy = "ask about optics, staining, cameras, segmentation or statistics, or open an image and ask what is in it"
    return Found(declined=f"I have no note on {topic}, and would only be guessing", remedy=remedy)


def _written(texts: Sequence[tuple[Note, str]], likeness: float, here: Result | None = None, good: bool | None = None) -> Found:
    """Texts of notes as sentences, every number in them a fact with its source; then what the open image shows."""
    facts = [Measurement(f"note on {n.key}", n.key, found={"source": n.source, "likeness": round(likeness, 3)}) for n, _ in texts]
    said = [] if likeness >= SURE else [f"The nearest note that I have is on {texts[0][0].key}."]
    said += [_stated(note, text, facts) for note, text in texts]
    said += [retold(here, facts)] if here is not None else []
    first = {note.source: k for k, (note, _) in reversed(list(enumerate(texts)))}
    sources = "; ".join(f"{{{k}.found.source}}" for k in sorted(first.values()))
    return Found(tuple(facts), f"{' '.join(said)} (Source: {sources}.)", value=good, unit="" if good is not None else None)


def _stated(note: Note, text: str, facts: list[Measurement]) -> str:
    """A text with a place for every number that it states; the numbers join the facts."""

    def place(match: re.Match[str]) -> str:
        number, _, unit = match[1].partition(" ")
        value = match[1].strip('"') if match[1].startswith('"') else float(number) if "." in number else int(number)
        facts.append(Measurement(f"{note.key}, stated {len(facts)}", value, unit, found={"source": note.source}))
        return f"{{{len(facts) - 1}}}"

    return _NUMBER.sub(place, text)


def _here(note: Note, scene: Scene) -> Result | None:
    """What the note measures on the open image; None where none is open, or it cannot be measured there."""
    if not note.measure or scene.open_image is None:
        return None
    try:
        result = evaluate(parse(note.measure), scene)
    except MicroNBError:
        return None
    return result if result.found.declined is None and result.measured else None


def _good(note: Note, here: Result | None) -> bool | None:
    """Whether what was measured is as the note wants it."""
    if here is None or not note.good:
        return None
    op, limit = note.good.split()
    return _OPS[op](here.main.number, float(limit))


def retold(result: Result, facts: list[Measurement]) -> str:
    """What another result says, as a template over facts; its own join them."""
    said = ""
    for part in sentence(result):
        if isinstance(part, str):
            said += part
            continue
        fact = part.fact if isinstance(part, Stated) else Measurement(f"number given {len(facts)}", part.text)
        if isinstance(part, Quoted) or fact not in facts:
            facts.append(fact)
        said += f"{{{facts.index(fact)}.{part.field if isinstance(part, Stated) else 'value'}}}"
    return said


@measurement("formula")
def formula(name: str, *, scene: Scene, **given: Any) -> Found:
    """Optics, sampling, statistics and counting chambers: the result of a formula for the values given; usual values stand in
    for what may be left out."""
    measured: dict[str, Measurement] = {}
    values = {k: _given(k, node, scene, measured) for k, node in given.items() if node is not None}
    worked = work_out(name, values)
    facts = [*worked.results, *worked.inputs.values()]
    return Found((*facts, *(m for m in measured.values() if m not in facts)), _says(worked))


def _given(key: str, node: Any, scene: Scene, measured: dict[str, Measurement]) -> float | str:
    """A value as it was given; another measurement is made first."""
    if not isinstance(node, Call):
        return node if isinstance(node, int | float) and not isinstance(node, bool) else str(node)
    main = measured[key] = term(node, scene).main
    if not isinstance(main.value, int | float):
        raise EvidenceError(f"{node} gives no number to calculate with")
    return f"{main.number!r} {main.unit}" if main.unit not in ("", "count") else main.number


def _says(worked: Worked) -> str:
    """The sentences of which everything that they name is there, with places for facts."""
    at = {str(k): k for k in range(len(worked.results))} | {name: len(worked.results) + k for k, name in enumerate(worked.inputs)}
    said = [s for s in worked.says if all(name in at for name in _NAMED.findall(s))]
    return " ".join(_NAMED.sub(lambda m: f"{{{at[m[1]]}}}", s) for s in said)
