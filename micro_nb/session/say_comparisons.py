"""Sentences that set one against another: parts of an image, kinds of objects, one object and the typical one."""

from __future__ import annotations

from collections.abc import Callable

from .dimensions import named, quantity_of
from .draft import Draft, Subject, lead, verdict
from .lexicon import target
from .prose import Fact, Parts
from .say_objects import which


def busiest(d: Draft, s: Subject) -> None:
    """Which part holds most, or fewest."""
    d.take(0)
    more = "Fewer" if s.query.statistic == "min" else "More"
    d.prose.say("{more} {many} lie at the {0} than in any other part: {held} of {total}.", more=more, many=s.many,
                held=(Fact(held(s, 0)),), total=(Fact(len(s.evidence) - 1),))  # fmt: skip


def compare(d: Draft, s: Subject) -> None:
    """Two regions: which has more, whether one has, or by how much."""
    here, there = (r.name or "marked region" if r else "whole image" for r in (s.query.region, s.query.against))
    unit = s.unit(1) + (f" {s.many}" if s.evidence[1].unit == "count" else "")
    both: Parts = (Fact(1), f"{unit} in the {here}, ", Fact(2), f"{unit} in the {there}")
    statistic, quantity = quantity_of(s.evidence[1].quantity) or ("", "")
    what = f"the {statistic} {named(quantity)} is " if statistic else ""
    d.take(3 if s.query.topic == "difference" else 0)
    if s.query.topic == "difference":
        d.prose.say("By {3}{unit}: {both}.", unit=s.unit(3), both=both)
    elif s.query.topic == "fewer" and s.evidence[0].value != "equal":
        d.value = there if s.evidence[0].value == here else here
        d.prose.say("There is less in the {less}: {what}{both}.", less=str(d.value), what=what, both=both)
    elif s.query.topic in ("yes or no", "fewer, yes or no"):
        d.value = s.evidence[0].value == (here if s.query.topic == "yes or no" else there)
        d.prose.say("{yes}: {both}.", yes="Yes" if d.value else "No", both=both)
    elif s.evidence[0].value == "equal":
        d.prose.say("They are equal: {what}{both}.", what=what, both=both)
    elif what:
        d.prose.say("It is larger in the {0}: {what}{both}.", what=what, both=both)
    else:
        d.prose.say("There is more in the {0}: {both}.", both=both)


def compare_kinds(d: Draft, s: Subject) -> None:
    """One kind of object against another."""
    d.take(0)
    other, winner = target(s.query.rival).many, str(s.evidence[0].value)
    unit = s.unit(1)
    if s.evidence[1].unit == "count":
        both: Parts = (Fact(1), f" {s.many} and ", Fact(2), f" {other}")
    else:
        what = named(str(s.evidence[1].parameters["quantity"]))
        both = (f"the mean {what} of the {s.many} is ", Fact(1), f"{unit}, that of the {other} ", Fact(2), unit)
    ratio = s.find("ratio of the two")
    times: Parts = (", so ", Fact(ratio), " times as much") if ratio is not None and s.evidence[1].unit != "count" else ()
    smaller = s.query.topic in ("smaller", "smaller, yes or no")
    if str(s.query.topic).endswith("yes or no"):
        d.value = winner == (other if smaller else s.many)
        start = "Yes, " if d.value else "No, "
    else:
        start = (
            "They are equal: "
            if winner == "equal"
            else f"The {winner} are {'more' if s.evidence[1].unit == 'count' else 'larger'}: "
        )
    d.prose.say("{start}{both}{times}.", start=start, both=both, times=times)


def ratio(d: Draft, s: Subject) -> None:
    """One object against another."""
    d.take(0)
    holds = verdict(s.number(0), s, "times")
    other = "the typical (median) one" if s.query.versus in ("median", None) else "the next in rank"
    d.prose.say("{lead}{the} {which} {one} has {0} times the area of {other}: {1}{unit} against {2}{unit}.", lead=lead(holds),
                the="the" if lead(holds) else "The", which=which(s), one=s.one, other=other, unit=s.unit(1))  # fmt: skip
    if holds is not None:
        d.value, d.unit = holds, ""


def held(s: Subject, part: int) -> int:
    """The evidence that counts the part which evidence ``part`` names."""
    return next(k for k, e in enumerate(s.evidence) if e.quantity.endswith(f", {s.evidence[part].value}"))


COMPARISON_WORDINGS: dict[str, Callable[[Draft, Subject], None]] = {
    f.__name__: f for f in (busiest, compare, compare_kinds, ratio)
}
