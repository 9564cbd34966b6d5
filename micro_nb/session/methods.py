"""The methods paragraph of a conversation, written from its evidence and the image's metadata, and what is missing in it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from .. import __version__
from ..data.image import MicroImage
from ..data.persons import without_persons
from ..render.markdown import markdown_text
from .answer import Answer
from .composing import EXPRESSION, Paragraph, print_field, says, verify
from .evidence import SOFTWARE, Evidence
from .measures.eyes import METHOD
from .measures.quantities import STATISTIC_WORDS
from .views.html import framed, prose_html
from .words.phrases import objects_phrase
from .words.prose import Quoted, numerals, quoted

_RECORDED: Mapping[str, tuple[str, ...]] = {
    "microscope": ("microscope", "instrument"), "objective": ("objective", "magnification"), "numerical aperture": ("na",),
    "exposure time": ("exposure", "exposure_s", "exposure_ms"), "camera or detector": ("camera", "detector"),
    "date of the acquisition": ("acquired",),
}  # fmt: skip
_FILED = ("microscope", "objective", "magnification", "na", "immersion", "acquired")
_SETTINGS = {
    "threshold": ", at an intensity threshold of {0.threshold}",
    "score_threshold": ", at a score threshold of {0.score_threshold}",
    "diameter_px": ", for a typical width of {0.diameter_px} px",
}  # fmt: skip
_ALWAYS = (
    "specimen, preparation and staining",
    "sample size: how many independent samples and fields there were, and how the fields were chosen",
    "how well the counts agree with counts by hand on images of this kind",
)


@dataclass(frozen=True)
class Methods(Answer):
    """A methods paragraph: an answer whose every number is evidence.

    Attributes
    ----------
    missing : what a reader would need and neither the log nor the metadata hold.
    """

    missing: tuple[str, ...] = ()

    def to_markdown(self, *, picture: bool = False) -> str:
        """Paragraph and list, escaped."""
        return markdown_text(self.text) + "\n\nMissing:\n\n" + "".join(f"- {markdown_text(m)}\n" for m in self.missing)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return super().to_dict() | {"missing": list(self.missing)}

    def to_html(self) -> str:
        """Paragraph and list; all text is escaped."""
        items = "".join(f"<li>{html.escape(m)}</li>" for m in self.missing)
        return framed(f"{prose_html(self)}<p>Missing:</p><ul>{items}</ul>")

    def __str__(self) -> str:
        return self.text + "\n\nMissing:\n" + "".join(f"- {m}\n" for m in self.missing)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/plain": str(self)}


class _Told(Paragraph):
    def say(self, template: str, *facts: Evidence, of: Evidence | None = None) -> None:
        """Adds a sentence: ``{0}`` is the value of the first fact, ``{0.seed}`` one of its parameters; numbers of the sentence
        itself stand in the expression of ``of``."""
        self.begin()
        for k, piece in enumerate(re.split(r"\{(\d+(?:\.\w+)?)\}", template)):
            if k % 2:
                index, _, parameter = piece.partition(".")
                path, fact = f"parameters.{parameter}" if parameter else "value", facts[int(index)]
                self.add(print_field(fact, path), self._at(fact), path)
                continue
            for part in quoted(piece):
                index = self._at(of) if of is not None and isinstance(part, Quoted) else None
                self.add(part if isinstance(part, str) else part.text, index, EXPRESSION)

    def _at(self, e: Evidence) -> int:
        if e not in self.evidence:
            self.evidence.append(e)
        return self.evidence.index(e)


def methods(img: MicroImage | None, evidence: Sequence[Evidence], *, worded_by: Iterable[str] = ()) -> Methods:
    """The paragraph of what was measured.

    Parameters
    ----------
    img : the image the conversation is about.
    evidence : all facts stated in it.
    worded_by : language models that worded answers.
    """
    told = _Told(list(evidence))
    if img is not None:
        _image(told, img)
    for e in _distinct(evidence, ("method", "weights", "kind", "channel", "threshold", "score_threshold"), needed="method"):
        _finding(told, e)
    _measuring(told, evidence)
    software = {"micro_nb": __version__, **{name: version(name) for name in SOFTWARE}}
    stated = [_stated(f"version of {name}", v, img) for name, v in software.items()]
    told.say(f"Measured with {', '.join(f'{name} {{{k}}}' for k, name in enumerate(software))}.", *stated)
    for name in dict.fromkeys(filter(None, worded_by)):
        by = _stated("language model", name, img)
        told.say("Some answers were worded by the language model {0}; it measured nothing.", by)
    verify(told.text, told.spans, told.evidence)
    facts, spans = tuple(told.evidence), tuple(told.spans)
    return Methods(told.text, evidence=facts, spans=spans, image=img, missing=tuple(_missing(img, evidence)))


def _image(told: _Told, img: MicroImage) -> None:
    height, width = img.plane_shape
    facts = {"name": img.name, "width": width, "height": height, "dtype": str(img.dtype)}
    described = [_stated(f"{k} of the image", v, img) for k, v in facts.items()]
    told.say("The image {0} has {1} x {2} px of type {3}.", *described)
    if img.pixel_size is None:
        told.say("Its pixel size is not known, so lengths and areas are in pixels.")
    else:
        size = _stated("pixel size", float(img.pixel_size["x"]), img, "um")
        source = _stated("source of the pixel size", str(img.pixel_size_source), img)
        by = "as stated by the user" if img.pixel_size_source == "argument" else "as the file records ({1})"
        told.say(f"Its pixel size is {{0}} µm, {by}.", size, source)
    if "c" in img.axes and not img.rgb:
        told.say("Its channels are {0}.", _stated("names of the channels", ", ".join(c.name for c in img.channels), img))
    if img.rgb:
        told.say("It is a colour picture of red, green and blue.")
    recorded = {k: img.metadata[k] for k in _FILED if img.metadata.get(k) not in (None, "")}
    if recorded:
        named = "; ".join(f"{'numerical aperture' if k == 'na' else k} {{{n}}}" for n, k in enumerate(recorded))
        told.say(f"The file records: {named}.", *(_stated(k, without_persons(v, k), img) for k, v in recorded.items()))
    if img.info.cautions:
        told.say("Of its values: {0}.", _stated("what is to be known of values", "; ".join(img.info.cautions), img))


def _finding(told: _Told, e: Evidence) -> None:
    """By what, and with which settings, objects were found."""
    given = e.parameters
    if "objects_in_image" not in given and "tiles_in_all" not in given:
        return
    settings = " in {0.channel}" if isinstance(given.get("channel"), str) else ""
    settings += "".join(words for key, words in _SETTINGS.items() if isinstance(given.get(key), int | float))
    if given["method"] == METHOD:
        told.say(f"Objects were found by segmentation without trained weights{settings}.", e)
    elif e.weights:
        weights = _stated("weights of the model", e.weights[:12], None)
        told.say(f"Objects were found with {{0.method}} (weights {{1}}){settings}.", e, weights)
    else:
        told.say("The objects were given to the session, found or corrected before.")
    if "tiles_drawn" in given:
        told.say("Figures were estimated from {0.tiles_drawn} of {0.tiles_in_all} tiles drawn at random.", e)


def _measuring(told: _Told, evidence: Sequence[Evidence]) -> None:
    """How many objects, under which conditions, with which intervals, and where."""
    most: dict[str, Evidence] = {}
    for e in evidence:
        counted = e.unit == "count" and e.quantity.startswith("number of ") and "objects_in_image" in e.parameters
        kind = e.quantity.removeprefix("number of ").removesuffix(" measured")
        if counted and isinstance(e.value, int) and (kind not in most or e.value > most[kind].value):  # type: ignore[operator]
            most[kind] = e
    for kind, e in most.items():
        told.say(f"Number of {_bare(kind)} measured: {{0}}.", e, of=e)
    calls = [c for e in evidence if "expression" in e.parameters for c in e.call.walk()]
    taken = dict.fromkeys(_statistic(str(c.args[1])) for c in calls if c.name == "stat" and len(c.args) > 1)
    if taken and not any(map(numerals, taken)):
        told.say(f"Statistics over objects: {' and '.join(taken)}.")
    for phrase, e in _conditions(evidence).items():
        told.say(f"Some figures are of {_bare(phrase)} only.", of=e)
    for e in _distinct(evidence, ("interval_by", "confidence_percent"), needed="interval_by"):
        told.say("Intervals are {0.confidence_percent} % intervals by {0.interval_by}.", e)
    places = dict.fromkeys(e.region.name for e in evidence if e.region is not None and e.region.name)
    named = [name for name in places if name and not numerals(name)]
    if named:
        told.say(f"Parts of the image that were measured on their own: {_bare(', '.join(named))}.")


def _conditions(evidence: Sequence[Evidence]) -> dict[str, Evidence]:
    """What the objects had to be, in words, with a fact whose expression says so."""
    found: dict[str, Evidence] = {}
    for e in evidence:
        for call in e.call.walk() if "expression" in e.parameters else ():
            if call.name == "obj" and call.get("having") is not None:
                found.setdefault(objects_phrase(call.but(where=None, image=None)), e)
    return {phrase: e for phrase, e in found.items() if all(says(e, phrase[a:b]) for a, b in numerals(phrase))}


def _bare(words: str) -> str:
    """Words of a person without what would be a place in a template."""
    return words.replace("{", "(").replace("}", ")")


def _statistic(name: str) -> str:
    return STATISTIC_WORDS.get(name, "percentile" if name[1:].isdigit() else name).removesuffix(" of the") or "value"


def _missing(img: MicroImage | None, evidence: Sequence[Evidence]) -> Iterable[str]:
    if not evidence:
        yield "measurements: nothing was asked yet that could be measured"
    if img is None:
        yield "an image"
        return
    if img.pixel_size is None:
        yield "the pixel size, and what it was calibrated with"
    elif img.pixel_size_source == "argument":
        yield "what the stated pixel size was calibrated with"
    for what, keys in _RECORDED.items():
        if not any(img.metadata.get(k) not in (None, "") for k in keys):
            yield f"the {what}"
    if not img.rgb and any(c.emission_nm is None for c in img.channels) and len(img.channels) > 1:
        yield "excitation and emission of the channels"
    if len({e.image_id for e in evidence if e.image_id}) > 1:
        yield "a description of the other images of this conversation; the paragraph describes the last one"
    yield from _ALWAYS


def _stated(quantity: str, value: Any, img: MicroImage | None, unit: str = "") -> Evidence:
    """A fact that is read, not measured by an expression."""
    value = value if isinstance(value, int | float) else str(value)
    return Evidence(quantity, value, unit, version=__version__, image_id=img.content_id if img is not None else None)


def _distinct(evidence: Sequence[Evidence], keys: Sequence[str], *, needed: str) -> list[Evidence]:
    """Facts that differ in some parameters, the first of each kind; those that lack ``needed`` are left out."""
    found: dict[str, Evidence] = {}
    for e in evidence:
        if e.parameters.get(needed):
            found.setdefault(repr([e.parameters.get(key) for key in keys]), e)
    return list(found.values())
