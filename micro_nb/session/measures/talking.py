"""Manners and means of the conversation: greetings, help, showing, exporting, how sure, how measured, and what is declined."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ...data.atomic import writing_file
from ...errors import EvidenceError, MicroNBError
from ...render.overview import overview_png
from ..knowledge.notes import nearest
from ..language import Call, Node
from ..words.prose import numerals
from ..words.tables import table
from .evaluation import evaluate, selection
from .knowing import retold
from .measurement import Measurement, facts
from .objects import few_boxes
from .registry import measurement, measures
from .results import Found, Result
from .scene import Scene

_HELPFUL = ("objects", "statistics", "space", "quality", "recognition", "knowing")
_SUFFIXES = {
    ".geojson": ("qupath", "geojson", "roi", "fiji", "imagej"), ".png": ("figure", "png", "picture", "image"), ".csv": ("",),
}  # fmt: skip
_UNCERTAIN = 0.6  # certainty below which an outline is called little certain
_MANY_CUT = 0.2  # share of objects cut by the border from which that is a reason


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
    key, value = next(iter(given.items()), ("", ""))
    words = key.replace("_", " ")
    fact = Measurement(f"{words} told", str(value), found={"told_by": "the person", "key": key})
    return Found((fact,), table("talking")["settings"].get(key, "is"), more={"key": "value" if numerals(words) else words})


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
    if len(found) != 1:
        return Found((found.number, *few_boxes(found)), "is", shown=found)
    (box,), place = found.boxes(1), facts(found.found, ("place", found.spots[0]))
    return Found((found.number, box, *place), "one", box.value, "px", shown=found)


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
    fact = Measurement("file", path.name, found={"path": str(path), "of": str(call)})
    says, shown = f"Written to {{{len(result.measured)}.value}}, in the working folder.", result.selection
    return Found((*result.measured, fact), says, path.name, "", shown=shown, table=result.found.table)


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
