"""Sentences about statistics over objects: how they lie, how a quantity is spread, which stand out, how far to trust a number."""

from __future__ import annotations

from collections.abc import Callable

from .dimensions import named
from .draft import Draft, Subject
from .lexicon import target
from .prose import Fact, Parts

_SPREAD = {"clustered": "clustered", "random": "spread at random", "regular": "spaced evenly"}
_SIDES = {"above": "above", "below": "below", "left": "to the left of", "right": "to the right of"}
_LISTED = 10  # rows in prose; the table holds all
_TOP = {"max": "greatest", "min": "least"}


def clustering(d: Draft, s: Subject) -> None:
    """Clustered, random or even, with the index that says so."""
    spread, index, chance = (s.index(q) for q in ("spread", "index of Clark", "index by chance"))
    found, even = str(s.evidence[spread].value), bool(s.evidence[s.index("evenly spread")].value)
    d.take(spread)
    holds = {"even": even, "clustered": found == "clustered", "random": found == "random"}.get(str(s.query.topic))
    start = "The" if holds is None else "Yes, the" if holds else "No, the"
    if holds is not None:
        d.value, d.unit = holds, ""
    n = (Fact(s.index("number of")),)
    d.prose.say("{start} {many}{where} are {how}: the index of Clark and Evans is {index}, where chance gives {low} to {high} "
                "for {n} {many}.", start=start, many=s.many, where=s.where, how=_SPREAD[found], index=(Fact(index),),
                low=(Fact(chance, "interval.0"),), high=(Fact(chance, "interval.1"),), n=n)  # fmt: skip
    at = s.find("distance of most crowding")
    if found == "clustered" and at is not None:
        d.prose.say("They crowd most within {at}{unit} of each other.", at=(Fact(at),), unit=s.unit(at))
    parts = s.find("p-value over parts")
    if parts is not None and not even and found != "clustered":
        d.prose.say("Yet some parts hold more than others, with a p-value of {p}.", p=(Fact(parts),))


def packing(d: Draft, s: Subject) -> None:
    """Dense or sparse, and by what."""
    d.take(0)
    found = str(s.evidence[0].value)
    if s.query.topic in ("dense", "sparse"):
        d.value = found == s.query.topic
    start = "" if not isinstance(d.value, bool) else "Yes, they are " if d.value else "No, they are "
    words = {"dense": "dense (crowded)", "sparse": "sparse"}.get(found, "moderately dense, neither crowded nor sparse")
    words = f"{start}{words}" if start else f"The {s.many} are {words}"
    covered, near = s.find("covered share"), s.find("share that touches another")
    if covered is None or near is None:
        d.prose.say("{words}: there are {1} {many}{where}.", words=words, many=s.many, where=s.where)
        return
    d.prose.say("{words}: {1} {many} cover {covered} % of the field{where}, and {near} % of them touch another.", words=words,
                many=s.noun(s.number(1)), covered=(Fact(covered),), near=(Fact(near),), where=s.where)  # fmt: skip


def distance_between(d: Draft, s: Subject) -> None:
    """How far one object lies from another."""
    d.take(0)
    other = target(s.query.rival).one if s.query.rival else s.one
    unit, gap, n = s.unit(0), s.find("distance between outlines"), s.index("number of")
    if gap is None:
        d.prose.say("On average the nearest {other} is {0}{unit} away, centre to centre, over {n} {many}.", other=other,
                    unit=unit, n=(Fact(n),), many=s.many)  # fmt: skip
        return
    if s.query.amount:
        d.prose.say("The two are {0}{unit} apart, centre to centre.", unit=unit)
    else:
        d.prose.say("The nearest {other} is {0}{unit} away, centre to centre.", other=other, unit=unit)
    if s.number(gap) > 0:
        d.prose.say("Between their outlines lie {gap}{unit}.", gap=(Fact(gap),), unit=unit)
    else:
        d.prose.say("Their outlines touch.")


def around(d: Draft, s: Subject) -> None:
    """How many lie around one, or on one side of it."""
    d.take(0)
    centre, reach = target(s.query.rival or s.query.target).one, s.find("reach")
    pick = s.query.pick
    which = "largest " if pick is None or (pick.by, pick.order) == ("area", "max") else f"chosen ({_TOP[pick.order]} {pick.by}) "
    verb = "is" if s.number(0) == 1 else "are"
    if s.query.topic:
        d.prose.say("There {verb} {0} {noun} {side} the {which}{centre}.", verb=verb, noun=s.noun(s.number(0)),
                    side=_SIDES[s.query.topic], which=which, centre=centre)  # fmt: skip
    elif reach is not None:
        d.prose.say("There {verb} {0} {noun} around the {which}{centre}, within {reach} px of it, which is its own diameter.",
                    verb=verb, noun=s.noun(s.number(0)), which=which, centre=centre, reach=(Fact(reach),))  # fmt: skip


def distribution(d: Draft, s: Subject) -> None:
    """Percentiles and variation."""
    d.take(s.index("percentile 50"))
    unit, quantity = s.unit(d.main), named(str(s.query.topic or "area"))
    low, middle, high = (s.index(f"percentile {p}") for p in (10, 50, 90))
    d.prose.say("Of {n} {many}{where} the median {quantity} is {middle}{unit}; {ten} % lie below {low}{unit}, and {ninety} % "
                "below {high}{unit}.", n=(Fact(s.index("number of")),), many=s.many, where=s.where, quantity=quantity, unit=unit,
                middle=(Fact(middle),), low=(Fact(low),), high=(Fact(high),), ten=(Fact(low, "parameters.percent"),),
                ninety=(Fact(high, "parameters.percent"),))  # fmt: skip
    cv = s.find("coefficient of variation")
    if cv is not None:
        d.prose.say("The coefficient of variation is {cv} %.", cv=(Fact(cv),))


def variation(d: Draft, s: Subject) -> None:
    """The coefficient of variation."""
    cv = s.index("coefficient of variation")
    d.take(cv)
    low, high = s.index("percentile 10"), s.index("percentile 90")
    d.prose.say("The coefficient of variation of the {quantity} is {cv} % over {n} {many}{where}.", cv=(Fact(cv),), where=s.where,
                quantity=named(str(s.query.topic or "area")), n=(Fact(s.index("number of")),), many=s.many)  # fmt: skip
    d.prose.say("Between the percentiles {a} and {b} it runs from {low} to {high}{unit}.", a=(Fact(low, "parameters.percent"),),
                b=(Fact(high, "parameters.percent"),), low=(Fact(low),), high=(Fact(high),), unit=s.unit(low))  # fmt: skip


def percentile(d: Draft, s: Subject) -> None:
    """One percentile."""
    d.take(0)
    e = s.evidence[0]
    interval: Parts = ()
    if e.interval is not None and "confidence_percent" in e.parameters:
        interval = (" (", Fact(0, "parameters.confidence_percent"), " % interval ", Fact(0, "interval.0"), " to ",
                    Fact(0, "interval.1"), f"{s.unit(0)})")  # fmt: skip
    d.prose.say("The {p}{th} percentile of the {quantity} of the {many}{where} is {0}{unit}{interval}, over {1} {many}.",
                p=(Fact(0, "parameters.percent"),), th=_th(s), quantity=named(str(s.query.topic or "area")), many=s.many,
                where=s.where, unit=s.unit(0), interval=interval)  # fmt: skip


def _th(s: Subject) -> str:
    """ "th", "st" ... behind the percentile."""
    percent = float(s.query.amount or 0)
    if not percent.is_integer() or percent in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(int(percent) % 10, "th")


def populations(d: Draft, s: Subject) -> None:
    """One population or two."""
    two = bool(s.evidence[0].value)
    d.value, n = two, (Fact(s.index("number of")),)
    small, large, few, many_share, apart = (s.index(q) for q in (
        "smaller population", "larger population", "share of the smaller", "share of the larger", "separation"))  # fmt: skip
    of, unit = named(str(s.query.topic or "area")), s.unit(small)
    if two:
        d.prose.say("Yes, by {of} there are two populations among {n} whole {many}{where}: {few} % around {small}{unit} and "
                    "{most} % around {large}{unit}.", of=of, n=n, many=s.many, where=s.where, few=(Fact(few),),
                    most=(Fact(many_share),),
                    small=(Fact(small),), large=(Fact(large),), unit=unit)  # fmt: skip
    else:
        d.prose.say("No, by {of} one population explains the {n} whole {many}{where} as well as two.", of=of, n=n, many=s.many,
                    where=s.where)  # fmt: skip
    d.prose.say("Their separation is {apart} (Ashman), and the gain of two over one is {gain} (Bayesian information criterion).",
                apart=(Fact(apart),), gain=(Fact(s.index("gain of two")),))  # fmt: skip


def ranking(d: Draft, s: Subject) -> None:
    """The first few by a quantity; all of them are in the table."""
    by, order = (str(s.evidence[0].parameters[k]) for k in ("by", "order"))
    first = next(k for k, e in enumerate(s.evidence) if e.parameters.get("column") == by)
    d.take(first)
    rows: list[str | Fact] = []
    for k, e in enumerate(s.evidence):
        if e.parameters.get("column") == by and int(e.parameters["row"]) <= _LISTED:
            rows += ["; " if rows else "", Fact(k), s.unit(k), " at x = ", Fact(k + 1), " px, y = ", Fact(k + 2), " px (",
                     Fact(k + 3), ")"]  # fmt: skip
    more = " (all of them in the table, the first here)" if s.number(0) > _LISTED else ""
    d.prose.say("Of {1} {many}{where}, the {0} of {order} {by}{more}: {rows}.", many=s.many, where=s.where, order=_TOP[order],
                by=named(by), more=more, rows=tuple(rows))  # fmt: skip


def outliers(d: Draft, s: Subject) -> None:
    """Which objects are unlike the others, in what and where."""
    n = s.number(0)
    d.take(0)
    if s.query.task == "presence":
        d.value, d.unit = n > 0, ""
    limit = (Fact(0, "parameters.least_deviations"),)
    if not n:
        d.prose.say("No, none ({0}) of {1} whole {many}{where} lies more than {limit} robust deviations from the typical one.",
                    many=s.many, where=s.where, limit=limit)  # fmt: skip
        return
    d.prose.say("{yes}{0} of {1} whole {many}{where} lie more than {limit} robust deviations from the typical one.",
                yes="Yes, " if s.query.task == "presence" else "", many=s.many, where=s.where, limit=limit)  # fmt: skip
    rows: list[str | Fact] = []
    for k, e in enumerate(s.evidence):
        if e.parameters.get("column") == "unusual" and len(rows) < 3 * 9:
            rows += ["; one at the " if rows else "", Fact(k + 3), f" is {e.value} (", Fact(k - 1), " deviations; x = ",
                     Fact(k + 1), " px, y = ", Fact(k + 2), " px)"]  # fmt: skip
    d.prose.say("The one at the {rows}.", rows=tuple(rows))
    if s.query.task == "locate":
        d.take(next(k for k, e in enumerate(s.evidence) if e.quantity.startswith("box")))


def per_part(d: Draft, s: Subject) -> None:
    """The count of every part."""
    d.take(len(s.evidence) - 1)
    parts = [k for k, e in enumerate(s.evidence) if ", " in e.quantity]
    rows: list[str | Fact] = []
    for k in parts:
        rows += [", " if rows else "", Fact(k), f" in the {s.evidence[k].quantity.rpartition(', ')[2]}"]
    d.prose.say("{rows}: {all} {many} in all.", rows=tuple(rows), all=(Fact(d.main),), many=s.many)


def gated(d: Draft, s: Subject) -> None:
    """With and without the tiles that are not fit to be measured in."""
    out = s.index("tiles left out")
    if s.query.task == "locate":
        _where_unfit(d, s, out)
        return
    d.take(0)
    if not s.number(out):
        d.prose.say("Nothing needs to be left out ({out} tiles): all that have content are in focus and not saturated, so it is "
                    "{0} {noun}.", out=(Fact(out),), noun=s.noun(s.number(0)))  # fmt: skip
        return
    d.prose.say("Without the tiles that are {why} there are {0} {noun}; with them {1}.", why=(Fact(s.index("why")),),
                noun=s.noun(s.number(0)))  # fmt: skip
    d.prose.say("Left out are {out} tiles, {share} % of the image ({where}).", out=(Fact(out),),
                share=(Fact(s.index("area left out")),), where=(Fact(s.index("where")),))  # fmt: skip


def _where_unfit(d: Draft, s: Subject, out: int) -> None:
    if not s.number(out):
        d.value = "nowhere"
        d.prose.say("Nowhere: all tiles that have content are in focus and not saturated ({out} left out).", out=(Fact(out),))
        return
    where = s.index("where")
    d.take(where)
    d.prose.say("At the {where}: {out} tiles are {why}, {share} % of the image.", where=(Fact(where),), out=(Fact(out),),
                why=(Fact(s.index("why")),), share=(Fact(s.index("area left out")),))  # fmt: skip


def plausible(d: Draft, s: Subject) -> None:
    """Whether the sizes are such as their kind has."""
    d.value = bool(s.evidence[0].value)
    low, high, median = s.index("least typical"), s.index("greatest typical"), s.index("median size")
    d.prose.say("{yes}: the median size of {n} whole {many} is {median} µm, and {low} to {high} µm is typical.",
                yes="Yes, that is plausible" if d.value else "No, that is not plausible", n=(Fact(s.index("number of")),),
                many=s.many, median=(Fact(median),), low=(Fact(low),), high=(Fact(high),))  # fmt: skip
    if not d.value:
        d.prose.say("Is the pixel size right? It is {given} µm, and {fit} µm would bring them to the middle of that range.",
                    given=(Fact(s.find("pixel size") or 0),), fit=(Fact(s.index("pixel size that")),))  # fmt: skip


def colocalisation(d: Draft, s: Subject) -> None:
    """Correlation and overlap of two channels."""
    d.take(0)
    e, chance = s.evidence[0], s.index("correlation of scrambled")
    one, other = (str(e.parameters.get(f"found_{k}") or e.parameters[k]) for k in ("first", "second"))
    holds = bool(s.evidence[s.index("colocalised")].value)
    inside = f" within the {s.many}" if s.query.target else ""
    plain = one.isalpha() and other.isalpha()
    one, other = (f"“{one}”", f"“{other}”") if plain else ("the first channel", "the second channel")
    start = "They colocalise more than by chance" if holds else "They do not colocalise more than by chance"
    d.prose.say("{start}: the Pearson correlation of {one} and {other}{inside}{where} is {0}, where scrambled images give {low} "
                "to {high}.", start=start, one=one, other=other, inside=inside, where=s.where, low=(Fact(chance, "interval.0"),),
                high=(Fact(chance, "interval.1"),))  # fmt: skip
    d.prose.say("{1} % of the signal of {one} lies where {other} is above its threshold, and {2} % of that of the other where it "
                "is (Manders).", one=one, other=other)  # fmt: skip


def compartments(d: Draft, s: Subject) -> None:
    """Nucleus against cytoplasm."""
    d.take(1)
    found = {"nuclear": "mostly in the nucleus", "cytoplasmic": "mostly in the cytoplasm"}
    where = found.get(str(s.evidence[0].value), "shared evenly by both")
    d.prose.say(
        "The signal is {where}: the median ratio of nucleus to cytoplasm is {1} times ({c} % interval {1.interval.0} to "
        "{1.interval.1} times), over {4} nuclei.",
        where=where,
        c=(Fact(1, "parameters.confidence_percent"),),
    )
    d.prose.say("{2} nuclei are brighter than their cytoplasm, {3} are darker.")


def grey_histogram(d: Draft, s: Subject) -> None:
    """How grey values are spread."""
    d.take(0)
    d.prose.say("Grey values{where} run from {2} to {3}, with mean {0} and standard deviation {1}.", where=s.where)


STATISTICS_WORDINGS: dict[str, Callable[[Draft, Subject], None]] = {
    f.__name__: f
    for f in (
        clustering, packing, distance_between, around, distribution, variation, percentile, populations, ranking, outliers,
        per_part, gated, plausible, colocalisation, compartments, grey_histogram,
    )
}  # fmt: skip
