"""The methods paragraph of a conversation, written from its evidence and the image's metadata, and what is missing in it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..data.image import MicroImage
from ..render.markdown import markdown_text
from . import dimensions, show
from .answer import Answer, Span
from .evidence import Evidence
from .printing import unit_words
from .prose import Fact, Parts, Prose, numerals
from .registry import run

_WORDS = {">": "above", ">=": "of at least", "<": "below", "<=": "of at most", "==": "of exactly"}
_STATISTICS = {"sum": "total", "std": "standard deviation", "min": "smallest value", "max": "largest value"}
_BORDER = {True: "contact with the border", False: "no contact with the border"}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "the microscope": ("microscope", "instrument"),
    "the objective": ("objective", "magnification"),
    "the numerical aperture": ("na",),
    "the exposure time": ("exposure", "exposure_s", "exposure_ms"),
    "the camera or detector": ("camera", "detector"),
    "the date of the acquisition": ("acquired",),
}
_ALWAYS = (
    "specimen, preparation and staining",
    "sample size: how many independent samples and fields there were, and how the fields were chosen",
    "how well the counts agree with counts by hand on images of this kind",
)


@dataclass(frozen=True)
class Methods:
    """A methods paragraph.

    Attributes
    ----------
    text : the paragraph; every number in it is evidence.
    missing : what a reader would need and neither the log nor the metadata hold.
    evidence, spans : as of an :class:`~micro_nb.session.answer.Answer`.
    """

    text: str
    missing: tuple[str, ...]
    evidence: tuple[Evidence, ...] = field(repr=False)
    spans: tuple[Span, ...] = field(repr=False)

    def to_markdown(self) -> str:
        """Paragraph and list, escaped."""
        return markdown_text(self.text) + "\n\nMissing:\n\n" + "".join(f"- {markdown_text(m)}\n" for m in self.missing)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        spans = [[s.start, s.end, s.index, s.field] for s in self.spans]
        return {
            "text": self.text,
            "missing": list(self.missing),
            "evidence": [e.to_dict() for e in self.evidence],
            "spans": spans,
        }

    def __str__(self) -> str:
        return self.text + "\n\nMissing:\n" + "".join(f"- {m}\n" for m in self.missing)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        prose = show.prose_html(Answer(self.text, evidence=self.evidence, spans=self.spans))
        items = "".join(f"<li>{html.escape(m)}</li>" for m in self.missing)
        return {"text/html": show.framed(f"{prose}<p>Missing:</p><ul>{items}</ul>"), "text/plain": str(self)}


def methods(img: MicroImage | None, evidence: Sequence[Evidence], *, worded_by: Iterable[str] = ()) -> Methods:
    """The paragraph of what was measured.

    Parameters
    ----------
    img : the image the conversation is about.
    evidence : all facts stated in it.
    worded_by : language models that worded answers.
    """
    prose = Prose(list(evidence))
    if img is not None:
        _image(prose, img)
        _acquisition(prose, img)
    for found in _distinct(evidence, ("method", "weights", "kind", "channel", "found_channel")):
        _finding(prose, found)
    _measuring(prose, evidence)
    _sampling(prose, evidence)
    _software(prose)
    for name in dict.fromkeys(filter(None, worded_by)):
        model = _added(prose, Evidence("language model", name))
        prose.say("Some answers were worded by the language model {model}; it measured nothing.", model=(model,))
    return Methods(prose.text, tuple(_missing(img, evidence)), tuple(prose.evidence), tuple(prose.spans))


def _image(prose: Prose, img: MicroImage) -> None:
    size, depth = _measured(prose, "image_size", img), _measured(prose, "bit_depth", img)
    name = _stated(prose, img, "name of the image", img.name)
    prose.say("The image {name} has {width} x {height} px of type {dtype}.", name=(name,),
              width=(size["width"],), height=(size["height"],), dtype=(depth["dtype"],))  # fmt: skip
    if img.pixel_size is None:
        prose.say("Its pixel size is not known, so lengths and areas are in pixels.")
    else:
        scale = _measured(prose, "pixel_size", img)
        stated = img.pixel_size_source == "argument"
        who: Parts = ("as stated by the user",) if stated else ("as the file records (", scale["source of the pixel size"], ")")
        prose.say("Its pixel size is {size} µm, {who}.", size=(scale["pixel size"],), who=who)
    if "c" in img.axes and not img.rgb:
        channels = _measured(prose, "channels", img)
        prose.say("Its channels are {names}.", names=(channels["names of the channels"],))
    if img.rgb:
        prose.say("It is a colour picture of red, green and blue.")


def _acquisition(prose: Prose, img: MicroImage) -> None:
    """What the file says of the microscope, as it says it."""
    said: list[str | Fact] = []
    for words, key in (("microscope", "microscope"), ("objective", "objective"), ("magnification", "magnification"),
                       ("numerical aperture", "na"), ("immersion", "immersion"), ("acquired", "acquired")):  # fmt: skip
        if img.metadata.get(key) not in (None, ""):
            fact = _measured(prose, "metadata", img, key=key)[key]
            said += ["; " if said else "", f"{words} ", fact]
    if said:
        prose.say("The file records: {said}.", said=tuple(said))


def _finding(prose: Prose, at: int) -> None:
    """By what, and with which settings, objects were found."""
    e = prose.evidence[at]
    many: Parts = (Fact(at, "parameters.target"),) if e.parameters.get("target") else ("objects",)
    channel = _channel(e, at)
    if e.weights:
        versions = _measured(prose, "software", None, weights=e.weights)
        settings = _settings(at, e, {"score_threshold": "at a score threshold of"})
        model, weights = (Fact(at, "parameters.method"),), (versions["weights of the model"],)
        prose.say("Objects ({many}) were found with {model} (weights {weights}){channel}{settings}.", many=many, model=model,
                  weights=weights, channel=channel, settings=settings)  # fmt: skip
    else:
        settings = _settings(at, e, {"threshold": "at an intensity threshold of", "diameter_px": "for a typical width of"})
        prose.say("Objects ({many}) were found by segmentation without trained weights{channel}{settings}.", many=many,
                  channel=channel, settings=settings)  # fmt: skip


def _settings(at: int, e: Evidence, words: Mapping[str, str]) -> Parts:
    parts: list[str | Fact] = []
    for key, phrase in words.items():
        if isinstance(e.parameters.get(key), int | float):
            parts += [f", {phrase} ", Fact(at, f"parameters.{key}"), " px" if key.endswith("_px") else ""]
    return tuple(parts)


def _channel(e: Evidence, at: int) -> Parts:
    key = next((k for k in ("channel", "found_channel") if e.parameters.get(k)), None)
    return (" in ", Fact(at, f"parameters.{key}")) if key else ("",)


def _measuring(prose: Prose, evidence: Sequence[Evidence]) -> None:
    """How many objects, which statistics, which conditions, which intervals."""
    for at in _most(evidence):
        prose.say("Number of {many} measured: {n}.", n=(Fact(at),), many=(Fact(at, "parameters.target"),))
    taken = dict.fromkeys(str(s) for e in evidence if (s := e.parameters.get("statistic")))
    if taken:
        prose.say("Statistics over objects: {which}.", which=_listed([_STATISTICS.get(s, s) for s in taken]))
    for at in _distinct(evidence, ("filters",), needed="filters"):
        prose.say("Some figures are of objects with {conditions} only.", conditions=_conditions(evidence[at], at))
    for at in _distinct(evidence, ("interval_by", "confidence_percent"), needed="interval_by"):
        prose.say("Intervals are {percent} % intervals by {how}.", percent=(Fact(at, "parameters.confidence_percent"),),
                  how=(Fact(at, "parameters.interval_by"),))  # fmt: skip
    places = dict.fromkeys(
        e.region.name for e in evidence if e.region is not None and e.region.name and not numerals(e.region.name)
    )
    if places:
        prose.say("Parts of the image that were measured on their own: {places}.", places=", ".join(places))


def _conditions(e: Evidence, at: int) -> Parts:
    parts: list[str | Fact] = []
    for k, f in enumerate(e.parameters["filters"]):
        parts.append(" and " if k else "")
        if isinstance(f["value"], bool) or f["op"] not in _WORDS:
            parts.append("another property" if f["quantity"] != "touches_border" else _BORDER[bool(f["value"])])
        else:
            words = f"{dimensions.named(f['quantity'])} {_WORDS[f['op']]} "
            parts += [words, Fact(at, f"parameters.filters.{k}.value"), unit_words(f.get("unit", ""))]
    return tuple(parts)


def _sampling(prose: Prose, evidence: Sequence[Evidence]) -> None:
    for at in _distinct(evidence, ("tiles_drawn", "tiles_in_all"), needed="tiles_in_all"):
        if "tiles_drawn" in evidence[at].parameters:
            prose.say("Figures were estimated from {drawn} of {tiles} tiles drawn at random.",
                      drawn=(Fact(at, "parameters.tiles_drawn"),), tiles=(Fact(at, "parameters.tiles_in_all"),))  # fmt: skip


def _software(prose: Prose) -> None:
    facts = _measured(prose, "software", None)
    said: list[str | Fact] = []
    for quantity, fact in facts.items():
        said += [", " if said else "", quantity.removeprefix("version of ") + " ", fact]
    prose.say("Measured with {said}.", said=tuple(said))


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
    for what, keys in _NEEDED.items():
        if not any(img.metadata.get(k) not in (None, "") for k in keys):
            yield what
    if not img.rgb and any(c.emission_nm is None for c in img.channels) and len(img.channels) > 1:
        yield "excitation and emission of the channels"
    if len({e.image_id for e in evidence if e.image_id}) > 1:
        yield "a description of the other images of this conversation; the paragraph describes the last one"
    yield from _ALWAYS


def _measured(prose: Prose, name: str, img: MicroImage | None, **parameters: Any) -> dict[str, Fact]:
    """Runs a tool and adds what it measured to the evidence; quantity -> where it stands."""
    facts = {}
    for m in run(name, img, **parameters):
        facts[m.quantity] = _added(prose, Evidence.of(m, name, img, region=None, parameters=parameters))
    return facts


def _stated(prose: Prose, img: MicroImage, quantity: str, value: str) -> Fact:
    return _added(prose, Evidence(quantity, value, image_id=img.content_id))


def _added(prose: Prose, e: Evidence) -> Fact:
    evidence = prose.evidence
    assert isinstance(evidence, list)
    evidence.append(e)
    return Fact(len(evidence) - 1)


def _distinct(evidence: Sequence[Evidence], keys: Sequence[str], needed: str = "method") -> list[int]:
    """Positions of facts that differ in some parameters, the first of each kind; those that lack ``needed`` are left out."""
    found: dict[str, int] = {}
    for k, e in enumerate(evidence):
        if e.parameters.get(needed):
            found.setdefault(repr([e.parameters.get(key) for key in keys]), k)
    return list(found.values())


def _most(evidence: Sequence[Evidence]) -> list[int]:
    """For each kind of object the largest number that was measured."""
    best: dict[str, int] = {}
    for k, e in enumerate(evidence):
        if e.quantity.startswith("number of ") and e.unit == "count" and isinstance(e.value, int) and "target" in e.parameters:
            name = str(e.parameters["target"])
            if name not in best or e.value > evidence[best[name]].value:  # type: ignore[operator]
                best[name] = k
    return list(best.values())


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
