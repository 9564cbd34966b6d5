"""Sentences about several objects together, and about how sure an answer is."""

from __future__ import annotations

from collections.abc import Callable

from .dimensions import named
from .draft import Draft, Subject
from .prose import Fact, Parts
from .say_objects import held, which

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
        d.prose.say("The {0} {many}{where}{narrowed} are at the {places}.", many=s.many, where=s.where, narrowed=s.narrowed(0),
                    places=_places(s, n))  # fmt: skip
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
    d.prose.say("{lead}{there} {0} group{s}{least}{where} that touch one another.", lead=lead, there=there if lead else there.capitalize(),
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
    d.value = region is not None and bool(region.contains(y, x))
    part = region.name or "marked region" if region is not None else "image"
    d.prose.say("{yes}, it lies {in_}side the {part}: it is at the {place}, centred at x = {x} px, y = {y} px.",
                yes="Yes" if d.value else "No", in_="in" if d.value else "out", part=part, place=(Fact(s.index("place")),),
                x=(Fact(s.index("centre"), "value.0"),), y=(Fact(s.index("centre"), "value.1"),))  # fmt: skip


def uncertainty(d: Draft, s: Subject) -> None:
    """Why a number is uncertain: what of it can be miscounted."""
    touching, total = s.index("objects that touch"), 0
    d.take(total)
    d.prose.say("Of {0} {many}{where}{narrowed}, {1} touch the border of the image, where only a part shows, and {touching} touch "
                "or overlap another, where one may be taken for several or several for one.", many=s.many, where=s.where,
                narrowed=s.narrowed(0), touching=(Fact(touching),))  # fmt: skip
    eyes = "the model" if s.evidence[0].weights else "the segmentation, which was not trained on this image"
    d.prose.say("The count itself is what {eyes} finds: faint or very small {many} can be missed, and debris taken for them.",
                eyes=eyes, many=s.many)  # fmt: skip
    if "p_value" in s.evidence[0].parameters:
        d.prose.say("A picture without {many} would look as much as if it had them with probability {p}.", many=s.many,
                    p=(Fact(0, "parameters.p_value"),))  # fmt: skip


def _places(s: Subject, n: int) -> Parts:
    parts: list[str | Fact] = []
    for rank in range(1, n + 1):
        parts += ["" if rank == 1 else " and at the " if rank == n else ", at the ", *_place(s, rank)]
    return tuple(parts)


def _place(s: Subject, rank: int) -> Parts:
    place, centre = (s.index(f"{name}, rank {rank}") for name in ("place", "centre"))
    return (Fact(place), " (centred at x = ", Fact(centre, "value.0"), " px, y = ", Fact(centre, "value.1"), " px)")


SEVERAL_WORDINGS: dict[str, Callable[[Draft, Subject], None]] = {
    f.__name__: f for f in (locate_all, groups, satellites, alike, edges, position, uncertainty)
}
