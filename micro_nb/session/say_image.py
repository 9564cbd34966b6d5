"""Sentences about the image itself: grey values, size, scale, channels, look, quality."""

from __future__ import annotations

from collections.abc import Callable

from ..models.ontology import ontology
from .draft import Draft, Subject, lead, verdict
from .eyes import is_kind
from .prose import Fact, Parts
from .say_objects import listing, outline

_SATURATED = 0.01  # % of samples at the top from which a picture is called saturated
_COLOURED = 0.5  # % of the pixels from which a colour counts as there
_DARK = 0.5  # share of the storable range below which a picture is called dark
_LIKE = {"fluorescence": "fluorescence", "stained": "stained", "grey": "phase"}  # topic of the lexicon -> start of the likeness
_QUALITIES = {
    "tiles in focus": "{it} % of the tiles with content are in focus.", "saturated pixels": "{it} % of the pixels are saturated.",
    "signal to noise": "The contrast is {it} times the noise.",
    "unevenness of the background": "The background varies by {it} %.", "empty tiles": "{it} % of the tiles are empty.",
}  # fmt: skip
_GREY = {"min": "smallest", "max": "largest", "std": "standard deviation of the"}


def grey(d: Draft, s: Subject) -> None:
    """A grey value."""
    d.take(0)
    statistic = str(s.evidence[0].parameters["statistic"])
    where = s.where or " of the image"
    channel = (" in channel ", Fact(0, "parameters.channel")) if "channel" in s.evidence[0].parameters else ()
    d.prose.say(
        "The {name} grey value{where}{channel} is {0}.", name=_GREY.get(statistic, statistic), where=where, channel=channel
    )


def share_at(d: Draft, s: Subject) -> None:
    """Share of pixels at a grey value."""
    d.take(0)
    op = str(s.evidence[0].parameters.get("op", "=="))
    words = {
        ">": "a grey value above",
        ">=": "a grey value of at least",
        "<": "a grey value below",
        "<=": "a grey value of at most",
    }
    a = words.get(op, "the grey value")
    d.prose.say("{0} % of the samples{where} have {a} {2}, that is {1} px.", where=s.where, a=a)


def colour_share(d: Draft, s: Subject) -> None:
    """How much of the picture has a colour; whether any to speak of."""
    d.take(0)
    if s.query.task == "presence":
        d.value, d.unit = s.number(0) >= _COLOURED, ""
        lead = "Yes" if d.value else "No, none to speak of"
        d.prose.say("{lead}: {0} % of the pixels are {colour}.", lead=lead, colour=str(s.query.topic))
    else:
        d.prose.say("{0} % of the pixels are {colour}.", colour=str(s.query.topic))


def saturation(d: Draft, s: Subject) -> None:
    """Whether pixels sit at the largest storable value."""
    d.value = s.number(0) > 0
    if not d.value:
        d.prose.say("No, nothing is saturated: the largest grey value is {3.value.1} where {2} could be stored.")
        return
    some = "some are saturated" if s.number(0) >= _SATURATED else "but hardly any are saturated"
    d.prose.say("Yes, {some}: {0} % of the samples have the largest storable grey value, {2}.", some=some)


def exposure(d: Draft, s: Subject) -> None:
    """Whether the grey values use their range."""
    bounds, storable = s.evidence[0].value, s.number(2)
    low, high = bounds if isinstance(bounds, tuple) else (0.0, 0.0)
    d.value = high > low
    d.prose.say("Grey values run from {0.value.0} to {0.value.1} where {2} could be stored, with mean {3}.")
    share = s.index("share of pixels")
    if not d.value:
        d.prose.say("No, there is no signal: all grey values are equal.")
    elif high < _DARK * storable:
        d.prose.say(
            "Yes, there is signal, but the picture is dark: it uses only the low end of the range, and a longer exposure fits."
        )
    else:
        clipped = "is partly saturated" if s.number(share) >= _SATURATED else "is not saturated"
        d.prose.say("The range is used and the picture {clipped}: {share} % of the samples are at its top.", clipped=clipped,
                    share=(Fact(share),))  # fmt: skip


def focus(d: Draft, s: Subject) -> None:
    """Sharp or not."""
    edge = s.find("width of the sharpest edges")
    if edge is None:
        d.prose.say("Nothing stands out from the noise, so focus cannot be judged: signal to noise was not measurable.")
        return
    sharp = s.index("in focus")
    d.value = bool(s.evidence[sharp].value)
    lead = "Yes, it is in focus" if d.value else "No, it is blurred or soft, at least in part"
    d.prose.say("{lead}: {tiles} % of the tiles with content are as sharp as its best, the sharpest edges are {edge} px wide.",
                lead=lead, tiles=(Fact(s.index("tiles in focus")),), edge=(Fact(edge),))  # fmt: skip


def noise(d: Draft, s: Subject) -> None:
    """Signal to noise."""
    ratio = s.find("signal to noise")
    d.take(s.index("noise") if ratio is None else ratio)
    if ratio is None:
        d.prose.say(
            "There is no content to compare with the noise, which is {noise} grey values.", noise=(Fact(s.index("noise")),)
        )
    else:
        d.prose.say("The contrast is {ratio} times the noise, which is {noise} grey values.", ratio=(Fact(ratio),),
                    noise=(Fact(s.index("noise")),))  # fmt: skip


def quality(d: Draft, s: Subject) -> None:
    """All of it, in one verdict."""
    d.value = bool(s.evidence[0].value)
    d.prose.say("The image looks fit to be measured." if d.value else "Look before you measure: there are problems.")
    for name, sentence in _QUALITIES.items():
        at = s.find(name)
        if at is not None:
            d.prose.say(sentence, it=(Fact(at),))


def image_size(d: Draft, s: Subject) -> None:
    """Width and height."""
    d.take(1 if s.query.topic == "height" else 0)
    unit, both, holds = s.unit(0), len(s.evidence) > 3, verdict(s.number(0), s, s.evidence[0].unit)
    the = f"{lead(holds)}the" if lead(holds) else "The"
    if s.evidence[0].unit != "px":
        d.prose.say("{the} image is {0}{unit} wide and {1}{unit} high, at {2} µm per pixel.", the=the, unit=unit)
    elif both:
        d.prose.say(
            "{the} image is {0} px wide and {1} px high, that is {2}{um} by {3}{um} at {4} µm per pixel.", the=the, um=s.unit(2)
        )
    else:
        d.prose.say("{the} image is {0} px wide and {1} px high.", the=the)
    if holds is not None:
        d.value, d.unit = holds, ""


def field_area(d: Draft, s: Subject) -> None:
    """Area of the picture."""
    d.take(0)
    d.prose.say("The image covers an area of {0}{unit}.", unit=s.unit(0))


def bit_depth(d: Draft, s: Subject) -> None:
    """Bits per sample."""
    d.take(0)
    d.prose.say("Each sample is stored with {0} bits ({1}).")


def channels(d: Draft, s: Subject) -> None:
    """How many channels."""
    d.take(0)
    many = s.number(0) > 1
    kind = "the colours of one picture" if s.evidence[2].value else "multi-channel" if many else "single channel"
    d.prose.say("The image has {0} {noun} ({kind}): {1}.", noun="channels" if many else "channel", kind=kind)


def planes(d: Draft, s: Subject) -> None:
    """Slices and time points."""
    d.take(0)
    d.prose.say("z-slices: {0}; time points: {1}.")


def pixel_size(d: Draft, s: Subject) -> None:
    """µm per pixel."""
    d.take(0)
    d.prose.say("A pixel is {0} µm wide; the source of this is: {2}.")


def value_range(d: Draft, s: Subject) -> None:
    """Smallest and largest grey value."""
    d.take(0)
    d.prose.say("Grey values run from {0.value.0} to {0.value.1}; {2} could be stored.")


def one_fact(d: Draft, s: Subject) -> None:
    """A fact that speaks for itself."""
    d.take(0)
    d.prose.say("{name}: {0}.", name=s.evidence[0].quantity.capitalize())


def colour(d: Draft, s: Subject) -> None:
    """Main colours."""
    kind, colours = s.index("kind of picture"), s.index("main colours")
    d.take(colours)
    if s.evidence[colours].value == "none":
        d.prose.say("It is a {kind} picture: no colour stands out.", kind=(Fact(kind),))
    else:
        d.prose.say("It is a {kind} picture; the main colours are {colours}.", kind=(Fact(kind),), colours=(Fact(colours),))


def appearance(d: Draft, s: Subject) -> None:
    """What the look is consistent with; yes or no where a likeness was named."""
    likeness = s.index("consistent with")
    d.take(likeness)
    lead, modality = "It is", s.find("modality")
    if modality is not None:
        d.take(modality)
    if s.query.topic in _LIKE:
        fits = _recognised_as(s)
        d.value = str(s.evidence[likeness].value).startswith(_LIKE[s.query.topic]) if fits is None else fits
        lead = "Yes, that fits: it is" if d.value else "No, it does not look so: it is"
    if modality is not None:
        start = "To the model it" if lead == "It is" else "Yes, to the model it" if d.value else "No, to the model it"
        _say_recognised(d, s, start)
        lead = "Measured, it is"
    d.prose.say("{lead} {look}, which is consistent with {likeness}.", lead=lead, look=_look(s), likeness=(Fact(likeness),))
    on = "grey values alone" if modality is None else "pixels alone"
    d.prose.say("This likeness rests on {on}; the protocol or the file's metadata would settle it.", on=on)


def describe(d: Draft, s: Subject) -> None:
    """What is to be seen: look, size, objects."""
    likeness, width, height = (s.index(q) for q in ("consistent with", "width", "height"))
    size: Parts = (Fact(width), " x ", Fact(height), " px")
    d.prose.say(
        "This is {look}, {size} in size; it is consistent with {likeness}.", look=_look(s), size=size, likeness=(Fact(likeness),)
    )
    median = next((k for k, e in enumerate(s.evidence) if e.quantity.startswith("median")), None)
    if s.find("modality") is not None:
        _describe_kinds(d, s, median)
        return
    n = s.index("number of objects")
    if median is None:
        d.prose.say("The segmentation finds no objects in it ({n}).", n=(Fact(n),))
        return
    noun = "object" if s.number(n) == 1 else "objects"
    size = (Fact(median), s.unit(median))
    d.prose.say(
        "The segmentation finds {about}{n} {noun} (nuclei, cells ...), median diameter {size}.",
        about="about " if s.evidence[n].interval else "",
        n=(Fact(n),),
        noun=noun,
        size=size,
    )


def _describe_kinds(d: Draft, s: Subject, median: int | None) -> None:
    """What the model recognises: the kind of picture, and how many objects of which kind."""
    _say_recognised(d, s, "To the model it")
    counted = [k for k, e in enumerate(s.evidence) if "called" in e.parameters]
    if counted:
        d.prose.say("It finds {listed}.", listed=listing(s, counted))
    else:
        d.prose.say("It finds nothing that it has a name for ({n}).", n=(Fact(s.index("number of named objects")),))
    if median is not None:
        d.prose.say("The median diameter of all whole objects is {m}{unit}.", m=(Fact(median),), unit=s.unit(median))
        ratio, solidity = s.index("mean aspect_ratio"), s.index("mean solidity")
        d.prose.say(
            "On average they are {words}: their long axis is {ratio} times the short one.",
            words=outline(s.number(ratio), s.number(solidity)),
            ratio=(Fact(ratio),),
        )


def _say_recognised(d: Draft, s: Subject, start: str) -> None:
    """ "To the model it looks like serial-section TEM (electron microscopy), specimen neural tissue"."""
    named = [k for k, e in enumerate(s.evidence) if "probability" in e.parameters]
    if not named:
        d.prose.say("{start} looks like no kind of picture that it knows.", start=start)
        return
    wider = s.find("kind of microscopy")
    parts: list[str | Fact] = []
    for at, k in enumerate(named):
        kind = s.evidence[k].quantity
        above: Parts = (", a kind of ", Fact(wider)) if kind == "modality" and wider is not None else ()
        parts += [", " if at else "", "" if kind == "modality" else f"{kind} ", Fact(k), *above, " (probability ",
                  Fact(k, "parameters.probability"), ")"]  # fmt: skip
    d.prose.say("{start} looks like {parts}.", start=start, parts=tuple(parts))


def _recognised_as(s: Subject) -> bool | None:
    """Whether the picture is what the question names; None where the model does not say."""
    known = ontology()
    asked = {known[m.id].kind: m.id for m in known.sentence_concepts(s.query.text)}
    for kind in ("stain", "modality", "specimen"):
        at = s.find(kind)
        if kind in asked and at is not None and "probability" in s.evidence[at].parameters:
            name = str(s.evidence[at].value)
            if is_kind(name, asked[kind]):
                return True
            if not is_kind(asked[kind], name):
                return False
    return None


def _look(s: Subject) -> tuple[str | Fact, ...]:
    """ "a colour picture with a bright background, mainly pink and purple"."""
    kind, background, colours = (s.index(q) for q in ("kind of picture", "background", "main colours"))
    tint = () if s.evidence[colours].value == "none" else (", mainly ", Fact(colours))
    return ("a ", Fact(kind), " picture with a ", Fact(background), " background", *tint)


IMAGE_WORDINGS: dict[str, Callable[[Draft, Subject], None]] = {
    "grey": grey, "share_at": share_at, "saturation": saturation, "exposure": exposure, "image_size": image_size,
    "field_area": field_area,
    "bit_depth": bit_depth, "channels": channels, "planes": planes, "pixel_size": pixel_size, "range": value_range,
    "format": one_fact, "levels": one_fact, "metadata": one_fact, "colour": colour, "colour_share": colour_share,
    "appearance": appearance,
    "describe": describe, "focus": focus, "noise": noise, "quality": quality,
}  # fmt: skip
