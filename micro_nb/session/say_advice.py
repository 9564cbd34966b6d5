"""Advice in sentences: first what was measured on this image, then the verdict that follows, then what to do and its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .draft import Draft, Subject
from .knowledge.topics import topic
from .prose import Fact
from .say_knowledge import say_source, say_text

_AGREES, _DISAGREES = 0.7, 0.5  # IoU of a global threshold with the objects: good from, bad below
_JOINED = 20.0  # % of the objects that a mask may join
_ENOUGH = 20  # objects that make an image worth training on
_SPARSE = 50.0  # % of empty tiles from which an image is mostly background
_SATURATED = 0.1  # % of saturated samples that biases intensities
_UNEVEN = 20.0  # % by which the background may vary
_NOISY = 5.0  # signal to noise below which smoothing is needed
_LOW, _FULL = 70.0, 95.0  # % confluence: too low to passage below, overdue from
_FEW_PX = 10.0
_GREY = ("phase contrast", "electron")


def advise(d: Draft, s: Subject) -> None:
    """The advice the question asked for."""
    key = str(s.query.quantity)
    known = topic(key)
    judge = _VERDICTS.get(key)
    says = judge(d, s) if judge is not None else None
    said = says in known.texts if known is not None and says is not None else False
    if says is not None and said:
        say_text(d, s, key, says)
    for fact in known.facts if known is not None else ():
        _MEASURED.get(fact, _nothing)(d, s)
    for more in _MORE.get(key, _none)(s):
        say_text(d, s, key, more)
    if says not in _WHOLE:
        say_text(d, s, key, "do")
    say_source(d, s)


_WHOLE = ("time", "protocol", "groups")  # parts that need nothing more said


def _nothing(d: Draft, s: Subject) -> None:
    """No sentence."""


def _none(s: Subject) -> tuple[str, ...]:
    return ()


def _value(s: Subject, quantity: str) -> float | None:
    at = s.find(quantity)
    return s.number(at) if at is not None else None


def _say(d: Draft, s: Subject, template: str, **named: str) -> None:
    """A sentence whose places are evidence by quantity; nothing where one was not measured."""
    at = {name: s.find(quantity) for name, quantity in named.items()}
    if all(k is not None for k in at.values()):
        d.prose.say(template, **{name: (Fact(k),) for name, k in at.items() if k is not None})


def _otsu(d: Draft, s: Subject) -> None:
    _say(
        d,
        s,
        "Tried on this image, Otsu's threshold of {t} grey values gives a mask that agrees with the objects "
        "I find by an IoU of {iou} and joins {j} % of them with a neighbour.",
        t="global threshold",
        iou="IoU of a global threshold with the objects",
        j="objects joined by the threshold",
    )


def _touching(d: Draft, s: Subject) -> None:
    _say(
        d,
        s,
        "Of {n} objects found here, {k} touch another one ({share} %).",
        n="number of objects looked at",
        k="number of touching objects",
        share="share of touching objects",
    )


def _count(d: Draft, s: Subject) -> None:
    at = s.find("objects found")
    if at is not None:
        d.prose.say("I find {n} {noun} in this image.", n=(Fact(at),), noun=s.noun(s.number(at)))


def _poisson(d: Draft, s: Subject) -> None:
    _say(d, s, "Counting alone leaves an error of {p} % on that number, one over its square root.", p="counting error")


def _variation(d: Draft, s: Subject) -> None:
    at = s.find("fields needed")
    if at is None:
        return
    mean, sd, half = (s.index(q) for q in ("objects per tile", "SD between tiles", "half width of the interval of the count"))
    d.prose.say(
        "Cut into {tiles} tiles, it holds {m} objects per tile with an SD of {sd}, so the count of one such field "
        "is known to ± {half} % "
        "({z} x {sd} / {m} / square root of the number of tiles).",
        tiles=(Fact(at, "parameters.tiles"),),
        m=(Fact(mean),),
        sd=(Fact(sd),),
        half=(Fact(half),),
        z=(Fact(at, "parameters.z"),),
    )
    d.prose.say(
        "To know the mean to ± {want} % it takes about {n} such fields: (that half width / {want} %)².",
        want=(Fact(at, "parameters.wanted_percent"),),
        n=(Fact(at),),
    )


def _scale(d: Draft, s: Subject) -> None:
    at = s.find("pixel size")
    if at is not None:
        d.prose.say("The pixel size here is {p} µm.", p=(Fact(at),))
    elif s.find("pixel size known") is not None:
        d.prose.say("This image has no pixel size.")


def _channels(d: Draft, s: Subject) -> None:
    at = s.find("number of channels")
    if at is not None:
        d.prose.say(
            "This image has {n} {noun}: {names}.",
            n=(Fact(at),),
            noun="channel" if s.number(at) == 1 else "channels",
            names=(Fact(s.index("names of the channels")),),
        )


_MEASURED: Mapping[str, Callable[[Draft, Subject], None]] = {
    "otsu": _otsu,
    "touching": _touching,
    "count": _count,
    "poisson": _poisson,
    "variation": _variation,
    "scale": _scale,
    "channels": _channels,
    "focus": lambda d, s: _say(d, s, "{p} % of the tiles with content are in focus.", p="tiles in focus"),
    "noise": lambda d, s: _say(d, s, "The contrast here is {r} times the noise.", r="signal to noise"),
    "background": lambda d, s: _say(d, s, "The background here varies by {u} %.", u="unevenness of the background"),
    "empty": lambda d, s: _say(d, s, "{e} % of the tiles are empty.", e="empty tiles"),
    "saturation": lambda d, s: _say(
        d, s, "{p} % of the samples here sit at the largest storable grey value, {v}.", p="share of pixels", v="grey value"
    ),
    "coverage": lambda d, s: _coverage(d, s),
    "range": lambda d, s: _range(d, s),
    "border": lambda d, s: _say(d, s, "{n} of the objects are cut by the border of the image.", n="objects at the border"),
    "diameter": lambda d, s: _say(d, s, "A typical object spans {p} px.", p="pixels across a typical object"),
    "planes": lambda d, s: _say(
        d, s, "This image has z-slices: {z}; time points: {t}.", z="number of z-slices", t="number of time points"
    ),
    "bit depth": lambda d, s: _say(d, s, "It is stored with {b} bits per sample.", b="bits per sample"),
}


def _coverage(d: Draft, s: Subject) -> None:
    at = next((k for k, e in enumerate(s.evidence) if e.quantity.startswith("area covered by")), None)
    if at is not None:
        d.prose.say("They cover {c} % of this field.", c=(Fact(at),))


def _range(d: Draft, s: Subject) -> None:
    at = s.find("range of grey values")
    if at is not None:
        d.prose.say(
            "Grey values here run from {low} to {high}, where {top} could be stored.",
            low=(Fact(at, "value.0"),),
            high=(Fact(at, "value.1"),),
            top=(Fact(s.index("largest storable grey value")),),
        )


def _threshold(d: Draft, s: Subject) -> str | None:
    likeness = s.find("consistent with")
    iou, joined = _value(s, "IoU of a global threshold with the objects"), _value(s, "objects joined by the threshold")
    grey = likeness is not None and str(s.evidence[likeness].value).startswith(_GREY)
    if iou is None:
        return "phase" if grey else None
    if grey and iou < _AGREES:
        d.value = False
        return "phase"
    d.value = iou >= _AGREES
    return "yes" if iou >= _AGREES else "no" if iou < _DISAGREES or (joined or 0) > _JOINED else None


def _training(d: Draft, s: Subject) -> str | None:
    n, empty, focus = _value(s, "objects found"), _value(s, "empty tiles"), _value(s, "tiles in focus")
    if n is None:
        return "unknown"
    good = n >= _ENOUGH and (empty or 0) <= _SPARSE and (focus is None or focus >= 50) and (_value(s, "share of pixels") or 0) < 1
    d.value = good
    return "yes" if good else "no"


def _passage(d: Draft, s: Subject) -> str | None:
    covered = next((s.number(k) for k, e in enumerate(s.evidence) if e.quantity.startswith("area covered by")), None)
    if covered is None:
        return None
    d.value = covered >= _LOW
    return "no" if covered < _LOW else "over" if covered >= _FULL else "yes"


def _colocalisation(d: Draft, s: Subject) -> str | None:
    n, colour = _value(s, "number of channels"), s.find("colour picture")
    if n is None:
        return None
    if colour is not None and s.evidence[colour].value:
        return "colour"
    d.value = n > 1
    return "yes" if n > 1 else "no"


def _statistics(d: Draft, s: Subject) -> str | None:
    if s.find("objects found") is None:
        return None
    d.value = False
    return "no"


def _intensity(d: Draft, s: Subject) -> str | None:
    saturated, uneven = _value(s, "share of pixels"), _value(s, "unevenness of the background")
    if saturated is None:
        return None
    d.value = saturated < _SATURATED and (uneven or 0) < _UNEVEN
    return "yes" if d.value else "no"


def _retake(d: Draft, s: Subject) -> str | None:
    fit = s.find("fit to measure")
    if fit is None:
        return None
    return "yes" if s.evidence[fit].value else "no"


def _needs(d: Draft, s: Subject) -> str | None:
    """What is missing follows from what was asked before."""
    told = dict(s.query.given)
    before, unit = str(told.get("before", "")), str(told.get("unit", ""))
    known = s.find("pixel size known")
    scaled = known is not None and bool(s.evidence[known].value)
    if before in ("time", "tracking here"):
        return "time"
    if before in ("identity", "cell cycle", "diagnosis"):
        return "protocol"
    if before == "significance":
        return "groups"
    if str(told.get("quantity", "")).startswith("colocalisation"):
        return "second"
    return "known" if scaled and not unit.startswith("x") else "pixel"


_VERDICTS: Mapping[str, Callable[[Draft, Subject], str | None]] = {
    "threshold here": _threshold,
    "segment here": _threshold,
    "training here": _training,
    "passage here": _passage,
    "colocalisation here": _colocalisation,
    "enough for statistics": _statistics,
    "intensity here": _intensity,
    "retake": _retake,
    "what is needed": _needs,
}


def _preprocessing(s: Subject) -> tuple[str, ...]:
    ratio, uneven = _value(s, "signal to noise"), _value(s, "unevenness of the background")
    noise = () if ratio is None else ("noisy" if ratio < _NOISY else "clean",)
    return (*noise, *(() if uneven is None else ("uneven" if uneven >= _UNEVEN else "even",)))


def _sampling(s: Subject) -> tuple[str, ...]:
    across = _value(s, "pixels across a typical object")
    return () if across is None else ("fine" if across >= _FEW_PX else "coarse",)


_MORE: Mapping[str, Callable[[Subject], tuple[str, ...]]] = {"preprocessing": _preprocessing, "sampling here": _sampling}
