"""Sentences about several objects together, and about how sure an answer is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .dimensions import named
from .draft import Draft, Subject
from .prose import Fact, Parts
from .say_comparisons import held
from .say_objects import SUPERLATIVES, which

FEW = 6  # objects whose places are all told
_ALIKE = {"area": 25.0, "aspect_ratio": 10.0, "intensity": 15.0}  # % of the mean within which people call things alike


def locate_all(d: Draft, s: Subject) -> None:
    """Where the objects are, when none is singled out: the one there is, each of a few, or where most of them lie."""
    n = int(s.number(s.index("number of")))
    d.take(s.index("box"))
    if n == 1:
        d.prose.say("The only {one}{where}{narrowed} is at the {place}.", one=s.one, where=s.where, narrowed=s.narrowed(0),
                    place=_place(s, 1))  # fmt: skip
    elif n <= FEW:
        d.prose.say("The {0} {most}{many}{where}{narrowed} are at the {places}.", most=_most(s), many=s.many, where=s.where,
                    narrowed=() if _most(s) else s.narrowed(0), places=_places(s, n))  # fmt: skip
    else:
        most = s.index("most")
        d.take(most)
        d.prose.say("Of {n} {many}{narrowed}, more lie at the {most} than in any other quadrant: {held}.", n=(Fact(0),),
                    many=s.many, narrowed=s.narrowed(0), most=(Fact(most),), held=(Fact(held(s, most)),))  # fmt: skip


def groups(d: Draft, s: Subject) -> None:
    """Whether objects touch, and how many groups they form."""
    n, apart = s.number(0), s.query.topic == "separated"
    d.take(0)
    if s.query.task == "presence":
        d.value, d.unit = (2 * s.number(2) <= s.number(3)) if apart else n > 0, ""
    least: Parts = (" of at least ", Fact(0, "parameters.least"), f" {s.many}") if s.query.claim is not None else ()
    lead = "" if s.query.task != "presence" else "Yes: " if d.value else "No: "
    there = "there is" if n == 1 else "there are"
    there = there if lead else there.capitalize()
    d.prose.say("{lead}{there} {0} group{s}{least}{where} that touch one another.", lead=lead, there=there,
                s="" if n == 1 else "s", least=least, where=s.where)  # fmt: skip
    d.prose.say("In all {2} of {3} {many} touch another, and the largest group holds {1}.", many=s.many)


def satellites(d: Draft, s: Subject) -> None:
    """Whether small objects stick to larger ones."""
    d.take(0)
    if s.query.task == "presence":
        d.value, d.unit = s.number(0) > 0, ""
    lead = "" if s.query.task != "presence" else "Yes: " if d.value else "No: "
    d.prose.say("{lead}{0} of {2} {many}{where} touch a larger one and have at most a share of {share} of its area; "
                "{1} have such a satellite.", lead=lead, many=s.many, where=s.where,
                share=(Fact(0, "parameters.largest_share_of_area"),))  # fmt: skip


def alike(d: Draft, s: Subject) -> None:
    """Whether objects are of the same size, shape or brightness."""
    quantity = str(s.evidence[0].parameters["quantity"])
    d.value = s.number(0) <= _ALIKE.get(quantity, 25.0)
    yes = "Yes, they are about the same" if d.value else "No, they differ"
    what = named(quantity)
    d.prose.say("{yes}: the {what} of the {3} {many}{where}{narrowed} runs from {1} to {2}{unit}.", yes=yes, what=what,
                many=s.many, where=s.where, narrowed=s.narrowed(3), unit=s.unit(2))  # fmt: skip
    d.prose.say("Its spread is {0} % of its mean.")


def edges(d: Draft, s: Subject) -> None:
    """Which edge of the image cuts an object."""
    d.take(0)
    if s.evidence[0].value == "none":
        d.value = "none"
        d.prose.say("None: the {which} {one} lies inside the image.", which=which(s), one=s.one)
        return
    d.prose.say("The {which} {one} reaches the {0} edge of the image.", which=which(s), one=s.one)


def position(d: Draft, s: Subject) -> None:
    """Whether an object lies in, or near, a part of the image."""
    centre = s.evidence[s.index("centre")].value
    x, y = (float(v) for v in centre) if isinstance(centre, tuple) else (0.0, 0.0)
    region = s.query.region
    d.value = region is not None and bool(region.contains(np.array([y]), np.array([x]))[0])
    part = region.name or "marked region" if region is not None else "image"
    at: Parts = () if part == "center" else (" at the ", Fact(s.index("place")), ",")
    d.prose.say("{yes}, the {which} {one} lies {in_}side the {part}: it is{at} centred at x = {x} px, y = {y} px.",
                yes="Yes" if d.value else "No", which=which(s), one=s.one, in_="in" if d.value else "out", part=part, at=at,
                x=(Fact(s.index("centre"), "value.0"),), y=(Fact(s.index("centre"), "value.1"),))  # fmt: skip


def uncertainty(d: Draft, s: Subject) -> None:
    """Why a number is uncertain: what of it can be miscounted."""
    touching, total = s.index("objects that touch"), 0
    d.take(total)
    d.prose.say("Of {0} {many}{where}{narrowed}, {1} touch the border of the image, where only a part shows, and {touching} "
                "touch or overlap another, where one may be taken for several or several for one.", many=s.many, where=s.where,
                narrowed=s.narrowed(0), touching=(Fact(touching),))  # fmt: skip
    scored = next((k for k, e in enumerate(s.evidence) if e.function == "count_with_doubts" and e.interval), None)
    if scored is not None:
        d.prose.say("The scores of the objects give an interval of {low} to {high} {many} ({percent} %).", many=s.many,
                    low=(Fact(scored, "interval.0"),), high=(Fact(scored, "interval.1"),),
                    percent=(Fact(scored, "parameters.confidence_percent"),))  # fmt: skip
    eyes = "the model" if s.evidence[0].weights else "the segmentation, which was not trained on this image"
    d.prose.say("The count itself is what {eyes} finds: faint or very small {many} can be missed, and debris taken for them.",
                eyes=eyes, many=s.many)  # fmt: skip
    if "p_value" in s.evidence[0].parameters:
        d.prose.say("A picture without {many} would look as much as if it had them with probability {p}.", many=s.many,
                    p=(Fact(0, "parameters.p_value"),))  # fmt: skip


def channel_contents(d: Draft, s: Subject) -> None:
    """What each channel shows, as far as the nuclei tell."""
    most = s.index("channel with the most")
    d.take(most)
    counted = [k for k, e in enumerate(s.evidence) if e.function == "channel_contents" and k != most]
    what = str(s.evidence[counted[0]].parameters["what"])
    parts: list[str | Fact] = []
    for at, k in enumerate(counted):
        joint = "" if not at else " and " if at == len(counted) - 1 else ", "
        parts += [joint, Fact(k), f" {what} in ", Fact(k, "parameters.channel")]
    d.prose.say("I find {parts}.", parts=tuple(parts))
    d.prose.say("So {most} is the channel of the nuclei (DNA); what the others label, such as cytoplasm or actin, the picture "
                "does not tell.", most=(Fact(most),))  # fmt: skip


def counted(d: Draft, s: Subject) -> None:
    """Whether what was pointed at is among the objects that were counted."""
    d.value = s.number(0) > 0
    if d.value:
        d.prose.say("Yes: {0} {noun} with its centre there is among those I count.", noun=s.noun(s.number(0)))
    else:
        d.prose.say("No: none of the {many} that I count has its centre there ({0}).", many=s.many)


def fact(d: Draft, s: Subject) -> None:
    """What the person told is kept; it is no measurement."""
    if s.query.standing:
        d.prose.say("Noted: from now on I leave out what does not meet your condition; each answer says so.")
    else:
        d.prose.say("Noted. It changes no measurement: I go by the pixels. Ask me to count, measure, locate or describe.")


def _most(s: Subject) -> str:
    """ "largest " where a rank is the only condition."""
    ranked = [f for f in s.query.filters if f.op in ("max", "min")]
    return (
        f"{SUPERLATIVES.get((ranked[0].quantity, ranked[0].op), '')} ".lstrip()
        if ranked == list(s.query.filters) and ranked
        else ""
    )


def _places(s: Subject, n: int) -> Parts:
    parts: list[str | Fact] = []
    for rank in range(1, n + 1):
        parts += ["" if rank == 1 else " and at the " if rank == n else ", at the ", *_place(s, rank)]
    return tuple(parts)


def _place(s: Subject, rank: int) -> Parts:
    place, centre = (s.index(f"{name}, rank {rank}") for name in ("place", "centre"))
    return (Fact(place), " (centred at x = ", Fact(centre, "value.0"), " px, y = ", Fact(centre, "value.1"), " px)")


SEVERAL_WORDINGS: dict[str, Callable[[Draft, Subject], None]] = {
    f.__name__: f for f in (locate_all, groups, satellites, alike, edges, position, uncertainty, channel_contents, counted, fact)
}
