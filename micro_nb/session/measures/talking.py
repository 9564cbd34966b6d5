"""Manners and means of the conversation: greetings, help, showing, exporting, how sure, how measured, and what is declined."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ...data.atomic import writing_file
from ...errors import EvidenceError, MicroNBError
from ..knowledge.notes import nearest
from ..language import Call, Node
from .evaluation import evaluate, selection
from .frame import place_words
from .knowing import retold
from .measurement import Measurement, facts
from .objects import boxes_of
from .quantities import box
from .registry import measurement, measures
from .results import Found, Result
from .scene import Scene
from .selection import Selection

DECLINES: Mapping[str, str] = {
    "diagnosis": "A picture alone makes no diagnosis, and I do not make one; I can describe, count and measure what is "
        "visible, for a specialist to judge.",
    "treatment": "Treatment is for those who know the patient or the crop; I cannot advise on it. What I can give you is "
        "what the picture shows, in numbers.",
    "identity": "Who made, owns or handled this cannot be seen in the pixels, so I cannot say.",
    "prediction": "I cannot foresee what will happen; one picture shows a single moment. With frames over time I can "
        "measure what has changed so far.",
    "time": "When this happened, or how old it is, is not recorded in the picture, so I cannot tell.",
    "cause": "The picture shows what is there, not what caused it, so I cannot name a cause; a controlled comparison could.",
    "off_topic": "That is outside what I can answer: I measure and explain microscope images.",
    "instruction": "I only state what I measure, so I will not follow that. Ask me what you want to know about the image.",
    "unmeasurable": "That cannot be measured from these pixels: they show shape, number, place and brightness, not composition, "
        "function or origin.",
    "chemistry": "Composition cannot be seen in a picture of this kind; it needs spectroscopy, for example EDS.",
}  # fmt: skip
_SETTINGS = {
    "pixel_size": "I take one pixel as {said} from now on.", "ignore": "I leave out what touches the {said} from now on.",
    "scale_bar": "Noted: the scale bar is {said}. Tell me its length in pixels, or the size of a pixel, to measure in µm.",
    "sample": "Noted: this is {said}.", "magnification": "Noted: the magnification is {said}.",
}  # fmt: skip


_GREETINGS: Mapping[str, str] = {
    "hello": "Hello! Ask me about this image: how many, how big, where, how sharp.",
    "thank you": "You are welcome.", "goodbye": "Goodbye; this conversation is kept in the log.",
}  # fmt: skip
_LANGUAGE = re.compile(
    "german|french|spanish|italian|portuguese|chinese|japanese|polish|hungarian|arabic|hindi|russian|dutch|turkish|language"
)


@measurement("greet", examples={"hello": "greet()", "thanks!": "greet()"})
def greet(*, scene: Scene) -> Found:
    """A greeting, a thank you, a goodbye."""
    said = str(scene.told.get("question", "hello"))
    return Found(says=_GREETINGS[nearest(said, tuple(_GREETINGS), floor=-1.0)[0]])


@measurement("help", examples={"what can you do?": "help()", "help": "help()"})
def overview_of_questions() -> Found:
    """What can be asked."""
    groups: dict[str, list[str]] = {}
    for m in measures().values():
        groups.setdefault(m.group, []).extend(list(m.examples)[:1])
    own = [
        f"“{q}”"
        for group, asked in groups.items()
        if group in ("objects", "statistics", "space", "quality", "recognition", "knowing")
        for q in asked[:2]
    ]
    more = [f"“{q}”" for m in measures().values() if not m.own for q in list(m.examples)[:1]]
    listed = ", ".join([*(q for q in own if not any(c.isdigit() for c in q)), *more])
    return Found(
        says=f"I count, measure, compare, locate and describe what is in the image, judge its quality, and explain "
        f"microscopy. Ask for example: {listed}."
    )


@measurement(
    "say",
    examples={
        "shorter please": 'say("shorter")',
        "in one sentence": 'say("one sentence")',
        "auf Deutsch bitte": 'say("in German")',
    },
)
def style(style: str) -> Found:
    """How to answer: shorter, in one sentence, as a table, in another language (answers are in English)."""
    if _LANGUAGE.search(style.lower()):
        return Found(says="I answer in English; questions may be asked in simple words.")
    return Found(says="I will keep that in mind.")


@measurement("undo", examples={"undo that": "undo()", "forget the last one": "undo()"})
def undo() -> Found:
    """Takes the last turn back."""
    return Found(says="There is nothing to take back yet.")


@measurement("again", examples={"again": "again()", "measure that once more": "again()"})
def again() -> Found:
    """The last question once more."""
    return Found(says="There is nothing to repeat yet.")


@measurement(
    "set",
    examples={
        "one pixel is 0.5 µm": 'set(pixel_size="0.5 um")',
        "ignore what touches the border from now on": 'set(ignore="border")',
    },
)
def told(**given: Node) -> Found:
    """What the person tells: pixel_size, ignore, sample, magnification, scale_bar ..."""
    key, value = next(iter(given.items()), ("", ""))
    fact = Measurement(f"{key.replace('_', ' ')} told", str(value), found={"told_by": "the person", "key": key})
    template = _SETTINGS.get(key, "Noted: the {key} is {said}.")
    words = key.replace("_", " ")
    return Found(
        (fact,), template.replace("{key}", words if not any(c.isdigit() for c in words) else "value"), more={"said": "{0.value}"}
    )


@measurement(
    "adjust",
    examples={
        "leave out everything smaller than 4 px²": 'adjust(what="leave out area < 4 px2")',
        "split the touching ones": 'adjust(what="split touching")',
    },
)
def adjust(*, what: str, of: str = "") -> Found:
    """Looks again otherwise: leaves out what meets a condition; other changes of the segmentation are declined with what to
    do."""
    return Found(
        says="I cannot redo the outlines that way. You can correct them in the viewer and ask again, or name what to leave "
        "out, for example everything below a size.",
        declined="the segmentation is not changed by words",
        remedy="correct the outlines, or name a condition to leave out",
    )


@measurement(
    "show",
    says="Outlined in the picture: {0:objects}.",
    examples={"show me the nuclei": 'show("nucleus")', "circle the largest one": 'show(obj("object", by="area"))'},
)
def show(what: Node, *, where: Node = None, scene: Scene) -> Found:
    """Makes objects, or what a measurement is about, visible in the picture."""
    if isinstance(what, Call) and what.name != "obj":
        result = evaluate(what, scene)
        return Found(
            result.measured,
            _template(result),
            shown=result.selection,
            table=result.found.table,
            more=result.found.more,
            value=result.value,
            unit=result.unit,
        )
    if what == "image":
        return Found(says="Here is the picture.")
    found = selection(what if isinstance(what, str | Call) else "object", scene)
    if len(found) != 1:
        return Found((found.number, *boxes_of(found)), shown=found)
    row = found.table.iloc[0]
    place = place_words(found.image, float(row["centroid_y_px"]), float(row["centroid_x_px"]))
    where = facts(found.found, ("box", box(row), "px"), ("place", place))
    return Found(
        (found.number, *where),
        "Outlined in the picture: the {object}, at the {2.value}.",
        shown=found,
        value=where[0].value,
        unit="px",
    )


def _template(result: Result) -> str | None:
    says = result.found.says if result.found.says is not None else result.measure.says
    text = says(result) if callable(says) else says
    if "{where}" in text and result.call.get("where") is None:
        text = text.replace("{where}", "")
    return text if "{of" not in text and "{where}" not in text else "{0}." if result.measured else None


@measurement("how", examples={"how did you get that?": 'how(count("object"))', "how was this measured": 'how(count("object"))'})
def how(a: Node, *, scene: Scene) -> Found:
    """How a number was measured: what outlined the objects, what was counted, with which parameters."""
    result = evaluate(a, scene) if isinstance(a, Call) and a.name != "obj" else evaluate(Call.of("count", a), scene)
    main = result.main
    made = _made(main, result.selection)
    doc = result.measure.describes
    return Found(
        (main, *result.measured[1:3]), f"{{0}} comes from {result.call.name}. {_clean(doc)} {made}", shown=result.selection
    )


def _clean(text: str) -> str:
    """Documentation without numbers, as a sentence."""
    from ..words.prose import numerals

    return "" if numerals(text) else text


def _made(main: Measurement, found: Selection | None) -> str:
    method = str(main.found.get("method", ""))
    if found is None:
        return "It was read from the stored pixels." if method == "" else f"Method: {_clean(method)}."
    if method == "Micro-D1":
        return (
            "The objects were outlined by Micro-D1 and belong where their center lies; thresholds and scale stand in the "
            "evidence."
        )
    if method == "objects given":
        return "The objects are those that were given to this session."
    return (
        "The objects were outlined by a threshold and a watershed that need no training; their parameters stand in the evidence."
    )


@measurement("sure", examples={"are you sure?": 'sure(count("object"))', "how certain is that": 'sure(count("object"))'})
def sure(a: Node, *, scene: Scene) -> Found:
    """How certain a result is: measured again, with its interval and what the model itself is unsure of."""
    call = a if isinstance(a, Call) and a.name != "obj" else Call.of("count", a)
    result = evaluate(call, scene)
    main, found = result.main, result.selection
    if found is None or "score" not in found.table or not len(found) or found.drawn is not None:
        doubt = "{0.interval}" if main.interval is not None else ""
        said = _template(result)
        again = (
            f"Measured again it is the same. {said}"
            if said
            else f"Measured again it is {{0}}{doubt}."
            if not isinstance(main.value, bool)
            else _again(result)
        )
        return Found(
            (main, *result.measured[1:]), again, value=result.value, unit=result.unit, shown=found, more=result.found.more
        )
    unsure = int((found.table["score"].to_numpy(float) < 0.6).sum())
    border = int(found.table["touches_border"].sum())
    more = (
        Measurement("outlined with little certainty", unsure, "count", found={"certainty_below": 0.6}),
        Measurement("cut by the border", border, "count"),
    )
    at = len(result.measured)
    faint = f"{{{at}.value}}" if unsure else "none"
    doubts = f"{faint} of the {{objects}} {'are' if unsure > 1 else 'is'} outlined with little certainty"
    doubts += f", {{{at + 1}.value}} {'are' if border > 1 else 'is'} cut by the border" if border else ""
    value = "It is " + ("{0}{0.interval}" if not isinstance(main.value, bool) else ("so" if main.value else "not so"))
    return Found(
        (*result.measured, *more), f"{value} by my measurement; {doubts}.", value=result.value, unit=result.unit, shown=found
    )


def _again(result: Result) -> str:
    return "Yes, measured again it is so." if result.value else "Yes, measured again it is not so."


@measurement("why", examples={"why so many?": 'why(count("object"))', "why is that so low": 'why(count("object"))'})
def why(a: Node, *, scene: Scene) -> Found:
    """Why a result is as it is: what can push it up or down, as far as the picture shows it."""
    call = a if isinstance(a, Call) and a.name != "obj" else Call.of("count", a)
    result = evaluate(call, scene)
    reasons = []
    facts: list[Measurement] = [*result.measured]
    for aspect in ("focus", "saturation", "noise"):
        try:
            judged = evaluate(Call.of("quality", aspect), scene)
        except MicroNBError:
            continue
        if judged.measured and judged.measured[0].value is False:
            reasons.append(f"the {aspect} is not as it should be")
    found = result.selection
    if found is not None and len(found) and float(found.table["touches_border"].mean()) > 0.2:
        reasons.append("many are cut by the border")
    text = (
        retold(evaluate(Call.of("quality", "exposure"), scene), facts)
        if call.name == "pixels"
        else f"What may have moved it: {' and '.join(reasons)}."
        if reasons
        else "Nothing in the picture's quality speaks against it; the cause itself cannot be seen in one picture."
    )
    said = _template(result) or ""
    return Found(
        tuple(facts), f"{said} {text}".strip(), value=result.value, unit=result.unit, shown=found, more=result.found.more
    )


@measurement(
    "export",
    examples={
        "save that as csv": 'export(count("object"), to="csv")',
        "send the outlines to QuPath": 'export(show("object"), to="QuPath")',
    },
)
def export(a: Node, *, to: str = "csv", scene: Scene) -> Found:
    """Writes a file into the working folder: a table as CSV, objects for QuPath (GeoJSON), a picture (PNG); nothing is
    overwritten."""
    call = a if isinstance(a, Call) and a.name not in ("obj", "image") else Call.of("show", a)
    result = evaluate(call, scene)
    kind = to.lower()
    suffix = (
        ".geojson"
        if any(w in kind for w in ("qupath", "geojson", "roi", "fiji", "imagej"))
        else ".png"
        if any(w in kind for w in ("figure", "png", "picture", "image"))
        else ".csv"
    )
    path = _free(f"{call.name}-{_stem(scene)}", suffix)
    _write(result, path, suffix)
    fact = Measurement("file", path.name, found={"path": str(path), "of": str(call)})
    return Found(
        (*result.measured, fact),
        f"Written to {{{len(result.measured)}.value}}, in the working folder.",
        value=path.name,
        unit="",
        shown=result.selection,
        table=result.found.table,
    )


def _stem(scene: Scene) -> str:
    name = (scene.about or "session").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:40] or "image"


def _free(stem: str, suffix: str) -> Path:
    path, k = Path(f"{stem}{suffix}"), 1
    while path.exists():
        k += 1
        path = Path(f"{stem}-{k}{suffix}")
    return path


def _write(result: Result, path: Path, suffix: str) -> None:
    import pandas as pd

    if suffix == ".csv":
        table = result.found.table
        if table is None and result.selection is not None:
            table = result.selection.table
        if table is None:
            table = pd.DataFrame([{"quantity": m.quantity, "value": m.value, "unit": m.unit} for m in result.measured])
        with writing_file(path) as partial:
            table.to_csv(partial)
        return
    if result.selection is None:
        raise EvidenceError('that is about no objects, so there are no outlines to write; ask for a table instead, to="csv"')
    if suffix == ".geojson":
        result.selection.as_objects().save(path)
        return
    from ...render.overview import overview_png

    with writing_file(path) as partial:
        partial.write_bytes(overview_png(result.scene.image))


@measurement(
    "decline", examples={"do I have cancer?": 'decline("diagnosis")', "what will the weather be": 'decline("off_topic")'}
)
def decline(reason: str = "unmeasurable") -> Found:
    """What pixels cannot answer, and why."""
    text = DECLINES.get(reason.lower().strip(), DECLINES["unmeasurable"])
    return Found(says=text, declined=text)
