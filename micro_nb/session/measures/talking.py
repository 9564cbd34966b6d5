"""What is known rather than seen: explanations, advice, formulas worked out with the numbers given. And manners and means of the
conversation: greetings, help, showing, exporting, how sure, how measured, and what is declined."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...data.atomic import writing_file
from ...errors import EvidenceError, MicroNBError
from ...render.overview import overview_png
from ..knowledge import Note, Worked, look_up, work_out
from ..knowledge.notes import SURE, nearest
from ..language import Call, Node, parse
from ..words.prose import Quoted, Stated, numerals, sentence
from ..words.tables import table
from .evaluation import evaluate, selection, term
from .measurement import Measurement
from .objects import few_boxes
from .quantities import Length
from .registry import measurement, measures
from .results import Found, Result
from .scene import Scene

_AGAINST = re.compile(r"\s+(?:versus|vs\.?|compared (?:to|with)|against)\s+", re.IGNORECASE)
_DIFFERENCE = re.compile(r"^(?:the )?differences? between (.+?) and (.+)$", re.IGNORECASE)
_OPS: Mapping[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_SAME = 0.8  # likeness at which a note on two things is on these two
_NUMBER = re.compile(r"\{([^{}]*)\}")
_NAMED = re.compile(r"\{([a-z]\w*|\d+)\}")
_HELPFUL = ("objects", "statistics", "space", "quality", "recognition", "knowing")
_SUFFIXES = {
    ".geojson": ("qupath", "geojson", "roi", "fiji", "imagej"), ".png": ("figure", "png", "picture", "image"), ".csv": ("",),
}  # fmt: skip
_UNCERTAIN = 0.6  # certainty below which an outline is called little certain
_MANY_CUT = 0.2  # share of objects cut by the border from which that is a reason


@measurement("explain", group="knowing")
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


@measurement("advise", group="knowing")
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


@measurement("formula", group="knowing")
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


@measurement("greet")
def greet(*, scene: Scene) -> Found:
    """A greeting, a thank you, a goodbye."""
    greetings = table("talking")["greetings"]
    return Found(says=greetings[nearest(str(scene.told.get("question", "hello")), tuple(greetings), floor=-1.0)[0]])


@measurement("help")
def overview_of_questions() -> Found:
    """What can be asked."""
    every = [(m, question) for m in measures().values() for question in list(m.examples)[:1]]
    own = [q for group in _HELPFUL for q in [q for m, q in every if m.own and m.group == group][:2]]
    asked = (f"“{q}”" for q in [*own, *(q for m, q in every if not m.own)] if not numerals(q))
    return Found(says="is", more={"listed": ", ".join(asked)})


@measurement("say")
def style(style: str) -> Found:
    """How to answer: shorter, in one sentence, as a table, in another language (answers are in English)."""
    return Found(says="language" if any(word in style.lower() for word in table("talking")["languages"]) else "is")


@measurement("undo")
def undo() -> Found:
    """Takes the last turn back."""
    return Found(says="is")


@measurement("again")
def again() -> Found:
    """The last question once more."""
    return Found(says="is")


@measurement("set")
def told(**given: Node) -> Found:
    """What the person tells: pixel_size, ignore, sample, magnification, scale_bar ..."""
    size = pixel_size_told(given)
    key, value = ("pixel_size", size) if size else next(iter(given.items()), ("", ""))
    words = key.replace("_", " ")
    how, says = {"told_by": "the person", "key": key}, table("talking")["settings"].get(key, "is")
    return Found.of(how, (f"{words} told", str(value)), says=says, key="value" if numerals(words) else words)


def pixel_size_told(given: Mapping[str, Any]) -> str:
    """The size of a pixel that is told: by itself, or as that of the camera over the magnification; empty where it is not."""
    camera, times = given.get("camera_pixel"), re.match(r"[\d.]+", str(given.get("magnification", "")))
    if "pixel_size" in given or not camera or not times:
        return str(given.get("pixel_size") or "")
    length = Length.read(str(camera))
    return f"{length.value / float(times[0]):g} {length.unit}"


@measurement("adjust")
def adjust(*, what: str, of: str = "") -> Found:
    """Looks again otherwise: leaves out what meets a condition; other changes of the segmentation are declined with what to
    do."""
    remedy = "correct the outlines, or name a condition to leave out"
    return Found(says="is", declined="the segmentation is not changed by words", remedy=remedy)


@measurement("show")
def show(what: Node, *, where: Node = None, scene: Scene) -> Found:
    """Makes objects, or what a measurement is about, visible in the picture."""
    if isinstance(what, Call) and what.name != "obj":
        return _again(evaluate(what, scene), "{said}")
    if what == "image":
        return Found(says="picture")
    found = selection(what if isinstance(what, str | Call) else "object", scene)
    found.need_some(what="to show")
    if len(found) != 1:
        return Found((found.number, *few_boxes(found)), "is", shown=found)
    (box,), place = found.boxes(1), ("place", found.spots[0])
    return Found.of(found.found, found.number, box, place, says="one", value=box.value, unit="px", shown=found)


def _again(result: Result, template: str, *more: Measurement, **words: str) -> Found:
    """Another result as the answer: ``{said}`` is its own sentence, over its own facts; further facts stand behind them."""
    said = result.template
    if "{where}" in said and result.call.get("where") is None:
        said = said.replace("{where}", "")
    said = said if "{of" not in said and "{where}" not in said else "{0}." if result.measured else ""
    told = {**result.found.more, **words}
    measured = (*result.measured, *more)
    text = template.replace("{said}", said).strip()
    return Found(measured, text, result.value, result.unit, result.selection, result.found.table, more=told)


def _meant(a: Node, scene: Scene) -> Result:
    """The result that is asked about; of objects their number."""
    return evaluate(a if isinstance(a, Call) and a.name != "obj" else Call.of("count", a), scene)


@measurement("how")
def how(a: Node, *, scene: Scene) -> Found:
    """How a number was measured: what outlined the objects, what was counted, with which parameters."""
    result = _meant(a, scene)
    method, made = str(result.main.found.get("method", "")), table("talking")["made"]
    if result.selection is not None:
        how_made = made.get(method, made["otherwise"])
    else:
        how_made = f"Method: {'' if numerals(method) else method}." if method else made["pixels"]
    described = "" if numerals(result.measure.describes) else result.measure.describes
    more = {"by": result.call.name, "described": described, "made": how_made}
    return Found(result.measured[:3], "is", shown=result.selection, more=more)


@measurement("sure")
def sure(a: Node, *, scene: Scene) -> Found:
    """How certain a result is: measured again, with its interval and what the model itself is unsure of."""
    result = _meant(a, scene)
    main, found, at = result.main, result.selection, len(result.measured)
    if found is None or "score" not in found.table or not len(found) or found.drawn is not None:
        return _again(result, "Measured again it is the same. {said}")
    unsure, cut = int((found.table["score"].to_numpy(float) < _UNCERTAIN).sum()), int(found.table["touches_border"].sum())
    doubts = Measurement("outlined with little certainty", unsure, "count", found={"certainty_below": _UNCERTAIN})
    value = "{0}{0.interval}" if not isinstance(main.value, bool) else "so" if main.value else "not so"
    faint = f"{{{at}.value}}" if unsure else "none"
    text = f"It is {value} by my measurement; {faint} of the {{objects}} {{{at}:is|are}} outlined with little certainty"
    text += f", {{{at + 1}.value}} {{{at + 1}:is|are}} cut by the border." if cut else "."
    return _again(result, text, doubts, Measurement("cut by the border", cut, "count"))


@measurement("why")
def why(a: Node, *, scene: Scene) -> Found:
    """Why a result is as it is: what can push it up or down, as far as the picture shows it."""
    result, reasons = _meant(a, scene), []
    if result.call.name == "pixels":
        exposed = list(result.measured)
        text = retold(evaluate(Call.of("quality", "exposure"), scene), exposed)
        return _again(result, f"{{said}} {text}", *exposed[len(result.measured) :])
    for aspect in ("focus", "saturation", "noise"):
        try:
            judged = evaluate(Call.of("quality", aspect), scene)
        except MicroNBError:
            continue
        reasons += [f"the {aspect} is not as it should be"] if judged.value is (aspect == "saturation") else []
    found = result.selection
    if found is not None and len(found) and float(found.table["touches_border"].mean()) > _MANY_CUT:
        reasons.append("many are cut by the border")
    text = "Nothing in the picture's quality speaks against it; the cause itself cannot be seen in one picture."
    if reasons:
        text = f"What may have moved it: {' and '.join(reasons)}."
    return _again(result, f"{{said}} {text}")


@measurement("export")
def export(a: Node, *, to: str = "csv", scene: Scene) -> Found:
    """Writes a file into the working folder: a table as CSV, objects for QuPath (GeoJSON), a picture (PNG); nothing is
    overwritten."""
    call = a if isinstance(a, Call) and a.name not in ("obj", "image") else Call.of("show", a)
    result = evaluate(call, scene)
    suffix = next(suffix for suffix, words in _SUFFIXES.items() if any(w in to.lower() for w in words))
    name = (scene.about or "session").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    stem = f"{call.name}-{''.join(c if c.isalnum() or c in '-_' else '_' for c in name)[:40] or 'image'}"
    path, k = Path(f"{stem}{suffix}"), 1
    while path.exists():
        k += 1
        path = Path(f"{stem}-{k}{suffix}")
    _write(result, path)
    file, how = ("file", path.name), {"path": str(path), "of": str(call)}
    says, shown = f"Written to {{{len(result.measured)}.value}}, in the working folder.", result.selection
    return Found.of(how, *result.measured, file, says=says, value=path.name, unit="", shown=shown, table=result.found.table)


def _write(result: Result, path: Path) -> None:
    objects = result.selection
    if path.suffix == ".csv":
        rows = [{"quantity": m.quantity, "value": m.value, "unit": m.unit} for m in result.measured]
        listed = next((t for t in (result.found.table, objects.table if objects is not None else None) if t is not None), None)
        with writing_file(path) as partial:
            (listed if listed is not None else pd.DataFrame(rows)).to_csv(partial)
    elif objects is None:
        raise EvidenceError('that is about no objects, so there are no outlines to write; ask for a table instead, to="csv"')
    elif path.suffix == ".geojson":
        objects.as_objects().save(path)
    else:
        with writing_file(path) as partial:
            partial.write_bytes(overview_png(result.scene.image))


@measurement("decline")
def decline(reason: str = "unmeasurable") -> Found:
    """What pixels cannot answer, and why."""
    declines = table("talking")["declines"]
    text = declines.get(reason.lower().strip(), declines["unmeasurable"])
    return Found(says=text, declined=text)
