"""Sentences about objects: how many, of which kinds, how large, of what shape, where."""

from __future__ import annotations

from collections.abc import Callable

from .dimensions import STATISTICS, named
from .draft import Draft, Subject, article, lead, verdict
from .eyes import concept_of, is_kind
from .lexicon import target
from .prose import Fact, Parts

SUPERLATIVES = {
    ("area", "max"): "largest", ("area", "min"): "smallest", ("intensity", "max"): "brightest", ("intensity", "min"): "darkest",
    ("roundness", "max"): "roundest", ("roundness", "min"): "least round", ("aspect_ratio", "max"): "most elongated",
    ("length", "max"): "longest", ("spacing", "max"): "most isolated", ("diameter", "max"): "widest",
    ("from_top", "min"): "topmost", ("from_bottom", "min"): "bottommost", ("from_left", "min"): "leftmost",
    ("from_right", "min"): "rightmost", ("from_center", "min"): "most central", ("from_center", "max"): "least central",
    ("from_border", "min"): "outermost", ("from_border", "max"): "most central", ("oddness", "max"): "most unusual",
    ("spacing", "min"): "most crowded", ("aspect_ratio", "min"): "least elongated", ("length", "min"): "shortest",
    ("diameter", "min"): "narrowest", ("perimeter", "max"): "longest in outline",
}  # fmt: skip
_LARGE, _INDENTED = {("area", "max"), ("diameter", "max"), ("length", "max")}, 0.935
ALPHA = 0.05  # a p-value above it is no argument for presence
_ORDINALS = {1: "", 2: "second ", 3: "third "}  # ranks people ask for; the grammar knows no higher ones
_REACHED_INTO = 12.0  # % of the area up to which objects that lie elsewhere may reach into a part that is called empty
_ELONGATED, _IRREGULAR, _CONFLUENT, _EMPTY = 1.4, 0.85, 80.0, 2.0  # mean axis ratio, mean solidity, % and % of the area


def count(d: Draft, s: Subject) -> None:
    """How many; about how many, with where that comes from, if a sample was looked at."""
    d.take(0)
    n = s.number(0)
    holds = verdict(n, s)
    there = ("there" if lead(holds) else "There") + (" is" if n == 1 else " are") + (" about" if s.evidence[0].interval else "")
    d.prose.say("{lead}{there} {0} {noun}{where}{narrowed}{interval}.", lead=lead(holds), there=there, noun=s.noun(n),
                where=s.where, narrowed=s.narrowed(0), interval=_interval(s, 0))  # fmt: skip
    if holds is not None and s.query.topic != "recheck":
        d.value, d.unit = holds, ""
    if n == 0:
        _chance(d, s)
    _assumed(d, s)
    _whatever_looks(d, s)
    if "channel_taken" in s.evidence[0].parameters:
        d.prose.say("No channel has that name; I take {taken}, which shows the most nuclei.",
                    taken=(Fact(0, "parameters.channel_taken"),))  # fmt: skip


def presence(d: Draft, s: Subject) -> None:
    """Whether there are any."""
    n = s.number(0)
    d.value = n > 0
    if n:
        there = "there is" if n == 1 else "there are about" if s.evidence[0].interval else "there are"
        d.prose.say(
            "Yes, {there} {0} {noun}{where}{narrowed}.", there=there, noun=s.noun(n), where=s.where, narrowed=s.narrowed(0)
        )
    else:
        d.prose.say("No, I find no {many}{where}{narrowed} ({0}).", many=s.many, where=s.where, narrowed=s.narrowed(0))
    _chance(d, s)
    _assumed(d, s)


def empty(d: Draft, s: Subject) -> None:
    """Whether a part holds next to nothing."""
    d.value = s.number(1) < (_EMPTY if s.number(0) else _REACHED_INTO)
    verdict = "Yes, it is almost empty" if d.value else "No, it is not empty"
    where = s.where or " in the image"
    d.prose.say(
        "{verdict}: {0} {noun}{where}, covering {1} % of its area.", verdict=verdict, noun=s.noun(s.number(0)), where=where
    )


def coverage(d: Draft, s: Subject) -> None:
    """Share of the area."""
    d.take(0)
    if s.query.quantity == "rest":
        d.prose.say("Outside the {many} lies {0} % of the area{where}.", many=s.many, where=s.where)
        return
    holds = verdict(s.number(0), s, "%")
    the = f"{lead(holds)}the" if lead(holds) else "The"
    d.prose.say("{the} {many} cover {0} % of the area{where}{interval}.", the=the, many=s.many, where=s.where,
                interval=_interval(s, 0))  # fmt: skip
    if holds is not None:
        d.value, d.unit = holds, ""


def confluent(d: Draft, s: Subject) -> None:
    """Whether the objects close up."""
    d.value = s.number(0) >= _CONFLUENT
    d.prose.say("{yes}: the {many} cover {0} % of the area{where}.", yes="Yes" if d.value else "No", many=s.many, where=s.where)


def share_of_objects(d: Draft, s: Subject) -> None:
    """Share of the objects."""
    d.take(0)
    if len(s.evidence) == 1:
        d.prose.say("About {0} % of the {many} are those{narrowed}{interval}.", many=s.many, narrowed=s.narrowed(0),
                    interval=_interval(s, 0))  # fmt: skip
        return
    lead = ""
    if s.query.topic == "all":
        d.value, d.unit = s.number(1) == s.number(2), ""
        lead = "Yes, all: " if d.value else "No, not all: "
    d.prose.say("{lead}{1} of {2} {many} are those{where}{narrowed}, that is {0} %.", lead=lead, many=s.many, where=s.where,
                narrowed=s.narrowed(0))  # fmt: skip


def majority(d: Draft, s: Subject) -> None:
    """Whether most objects lie in a part."""
    d.value = s.number(0) > 50
    verdict = "Yes, most do" if d.value else "No, most do not"
    d.prose.say("{verdict}: {1} of {2} {many} lie{where}, that is {0} %.", verdict=verdict, many=s.many, where=s.where)


def density(d: Draft, s: Subject) -> None:
    """Objects per area."""
    d.take(0)
    per: Parts = (s.unit(0),) if "per" not in s.evidence[0].parameters else (" per ", Fact(0, "parameters.per"), s.unit(2))
    d.prose.say(
        "There are {0}{per}{interval}: {1} {many}{where} on {2}{unit}.",
        interval=_interval(s, 0),
        per=per,
        many=s.many,
        where=s.where,
        unit=s.unit(2),
    )


def object_statistic(d: Draft, s: Subject) -> None:
    """A statistic over objects; mean and median together where none was named."""
    d.take(0)
    statistic, quantity = (str(s.evidence[0].parameters[k]) for k in ("statistic", "quantity"))
    holds = verdict(s.number(0), s, s.evidence[0].unit)
    d.prose.say("{lead}{the} {statistic} {quantity} of the {many}{where}{narrowed} is {0}{unit}{interval}, over {n} {many}.",
                lead=lead(holds), the="the" if lead(holds) else "The", statistic=STATISTICS.get(statistic, statistic),
                quantity=named(quantity), many=s.many, where=s.where, narrowed=s.narrowed(0), unit=s.unit(0),
                interval=_interval(s, 0), n=(Fact(s.index("number of")),))  # fmt: skip
    if holds is not None:
        d.value, d.unit = holds, ""
    for k, e in enumerate(s.evidence):
        other = str(e.parameters.get("statistic"))
        if other != statistic and e.quantity.startswith(other):
            d.prose.say("The {other} is {value}{unit}.", other=other, value=(Fact(k),), unit=s.unit(k))


ROUND = "close to round"


def outline(ratio: float, solidity: float) -> str:
    """What a mean axis ratio and a mean solidity look like."""
    found = ["elongated (elliptical)"] * (ratio > _ELONGATED) + ["irregular or spread out"] * (solidity < _IRREGULAR)
    return " and ".join(found) or ROUND


def shape(d: Draft, s: Subject) -> None:
    """Round, elongated or irregular."""
    ratio, solidity = s.index("mean aspect_ratio"), s.index("mean solidity")
    d.value = words = outline(s.number(ratio), s.number(solidity))
    on = "On average the"
    worst = next((k for k, e in enumerate(s.evidence) if e.quantity.startswith("max aspect_ratio")), None)
    if worst is not None:
        d.value = s.number(worst) <= _ELONGATED
        lead = "Yes, all of them" if d.value else "No, not all of them"
        d.prose.say("{lead}: the most elongated has a long axis {worst} times its short one.", lead=lead, worst=(Fact(worst),))
    elif s.query.topic == "round":
        d.value = words == ROUND
        on = "Yes, on average the" if d.value else "No, on average the"
    d.prose.say("{on} {many}{where} are {words}.", on=on, many=s.many, where=s.where, words=words)
    d.prose.say("Their long axis is {ratio} times the short one, and they fill a share of {solidity} of their convex outline.",
                ratio=(Fact(ratio),), solidity=(Fact(solidity),))  # fmt: skip


def polarity(d: Draft, s: Subject) -> None:
    """Darker or brighter than the background."""
    d.take(0)
    d.prose.say("The {many} are {0} than the background.", many=s.many)


def object_value(d: Draft, s: Subject) -> None:
    """A quantity of one object."""
    d.take(0)
    holds = verdict(s.number(0), s, s.evidence[0].unit)
    d.prose.say("{lead}{the} {which} {one}{where} has {a} of {0}{unit}.", lead=lead(holds), where=s.where,
                the="the" if lead(holds) else "The",
                which=which(s), one=s.one, a=article(s.evidence[0].quantity), unit=s.unit(0))  # fmt: skip
    if holds is not None:
        d.value, d.unit = holds, ""


def locate(d: Draft, s: Subject) -> None:
    """Where one object is."""
    d.take(0)
    by = s.index("place") + 1
    size: Parts = (f"{article(s.evidence[by].quantity)} of ", Fact(by), s.unit(by))
    d.prose.say("The {which} {one}{where} is at the {place}, with {size}.", which=which(s), one=s.one, where=s.where,
                place=_place(s), size=size)  # fmt: skip
    _several(d, s)


def _several(d: Draft, s: Subject) -> None:
    """Says that a large object with an indented outline may be several that touch."""
    pick, filled = s.query.pick, s.index("share of the convex")
    if pick is not None and (pick.by, pick.order) in _LARGE and s.number(filled) < _INDENTED:
        d.prose.say(
            "It may be several that touch: it fills only a share of {filled} of its convex outline.", filled=(Fact(filled),)
        )


def which(s: Subject) -> str:
    """How the one object is called: "second largest"."""
    pick = s.query.pick
    if pick is None:
        return "largest"
    return _ORDINALS.get(pick.rank, "") + SUPERLATIVES.get((pick.by, pick.order), f"{pick.order}imal {pick.by}")


def _place(s: Subject) -> Parts:
    centre = s.index("centre")
    return (Fact(s.index("place")), ", centred at x = ", Fact(centre, "value.0"), " px, y = ", Fact(centre, "value.1"), " px")


def _interval(s: Subject, index: int) -> Parts:
    e = s.evidence[index]
    if e.interval is None or "confidence_percent" not in e.parameters:
        return ()
    return (" (", Fact(index, "parameters.confidence_percent"), " % interval ", Fact(index, "interval.0"), " to ",
            Fact(index, "interval.1"), f"{s.unit(index)})")  # fmt: skip


def _whatever_looks(d: Draft, s: Subject) -> None:
    """Says that a colour or brightness in the question did not choose."""
    if s.query.topic == "looks":
        d.prose.say("All of them are counted: colour or brightness was not used to tell them apart.")


def _chance(d: Draft, s: Subject) -> None:
    """The p-value of presence: how often a picture without such objects looks as if it had them."""
    found = s.evidence[0].parameters
    if "p_value" in found and (found.get("presence") == "absent" or found["p_value"] <= ALPHA):
        d.prose.say("A picture without {many} shows as much of them with probability {p}.", many=s.many,
                    p=(Fact(0, "parameters.p_value"),))  # fmt: skip


def kinds(d: Draft, s: Subject) -> None:
    """Which kinds of objects there are, or whether they are of the kind that was asked."""
    d.take(0)
    counted = [k for k, e in enumerate(s.evidence) if "kind" in e.parameters]
    if not counted:
        d.prose.say("The model finds no {many} that it has a name for ({1}).", many=s.many)
        return
    first, most = str(s.evidence[0].value), (Fact(counted[0], "parameters.called"),)
    if s.query.topic == "is it":
        asked = concept_of(s.many) or s.many
        d.value = is_kind(first, asked)
        d.prose.say("{yes}, to the model most are {most}.", yes="Yes" if d.value else "No", most=most)
    else:
        d.prose.say("To the model most are {most}.", most=most)
    d.prose.say("It finds {listed}.", listed=listing(s, counted))


def listing(s: Subject, counted: list[int]) -> Parts:
    """ "23 red blood cells, 2 white blood cells and 1 platelet"."""
    parts: list[str | Fact] = []
    for at, k in enumerate(counted):
        joint = "" if not at else " and " if at == len(counted) - 1 else ", "
        parts += [joint, Fact(k), " ", Fact(k, "parameters.called")]
    return tuple(parts)


def _assumed(d: Draft, s: Subject) -> None:
    """Says what is assumed where the word means more than the segmentation knows."""
    kind = s.evidence[0].parameters.get("kind")
    if kind == "nucleus" and s.query.target == "cell":
        d.prose.say("What shows are nuclei; each is taken for a cell.")
    elif kind is not None:
        if kind == "object" and target(s.query.target).known == "main":
            d.prose.say("Every object is taken for a {one}: the model was not trained on this kind.", one=s.one)
    elif target(s.query.target).known == "main":
        d.prose.say("Every object that the segmentation finds is taken for a {one}; it cannot tell kinds apart.", one=s.one)


OBJECT_WORDINGS: dict[str, Callable[[Draft, Subject], None]] = {
    f.__name__: f
    for f in (
        count, presence, kinds, empty, coverage, confluent, share_of_objects, majority, density, object_statistic, shape,
        polarity, object_value, locate,
    )
}  # fmt: skip
