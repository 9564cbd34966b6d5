"""Sentences about what is no ordinary object: marks, rims, gaps, areas, one thing described by its look, and what it may be."""

from __future__ import annotations

from collections.abc import Callable

from .draft import Draft, Subject
from .eyes import is_kind
from .prose import Fact, Parts
from .say_image import _say_recognised
from .say_objects import listing
from .tools.cell_shapes import PALE

_KIND = {"scale bar": "scale bar", "text": "text", "pointer": "pointer or arrow", "scribble": "drawn mark", "debris": "debris",
         "any": "drawn mark or debris"}  # fmt: skip
_LIMIT = (Fact(0, "parameters.pale_from"),)
_ROUNDED = 1.6  # median ratio of long to short axis below which objects are rounded
_OPEN = 2.0  # % of the picture from which the largest gap counts as open
_DENSE, _CLOSE = 30.0, 1.6  # % covered, and distance of neighbours in diameters, of a dense culture
_EVEN, _APART = 25.0, 50.0  # %: deviation of the brightness of evenly stained cells; share of cells that lie apart


def marks(d: Draft, s: Subject) -> None:
    """Whether there is a mark of a kind, what it looks like and where."""
    kind = str(s.evidence[0].parameters.get("kind", "any"))
    what, n = _KIND.get(kind, kind), s.number(0)
    if not n:
        d.value = False if s.query.task != "locate" else None
        d.prose.say("No, I find no {what} in the picture ({0}).", what=what)
        return
    if s.query.task == "measure":
        box = s.index("box")
        d.take(box)
        d.prose.say("The {what} reaches from x = {x0} px to x = {x1} px; what length it stands for is written beside it, and I "
                    "do not read text.", what=what, x0=(Fact(box, "value.0"),), x1=(Fact(box, "value.2"),))  # fmt: skip
        return
    d.value = True if s.query.task != "locate" else s.evidence[s.index("place")].value
    start = "Yes, there is" if s.query.task != "locate" else "There is"
    d.prose.say("{start} a {what}: it looks like a {like}, at the {place}, with a contrast of {contrast} % of the range.",
                start=start, what=what, like=(Fact(s.index("what it looks like")),), place=_place(s),
                contrast=(Fact(s.index("contrast")),))  # fmt: skip


def edge_band(d: Draft, s: Subject) -> None:
    """Along which edge a dark band runs, and what it may be."""
    if s.evidence[0].value == "none":
        d.prose.say("I find no dark band along an edge: the edge with a dark band is {0}.")
        return
    d.take(0)
    d.prose.say("A dark band runs along the {0} edge: it is {darker} % darker than the rest, {thick} px thick and seen along "
                "{spans} % of the edge.", darker=(Fact(s.index("darker")),), thick=(Fact(s.index("thickness")),),
                spans=(Fact(s.index("share of the edge")),))  # fmt: skip
    d.prose.say("It is not a cell; a straight band along an edge looks like the wall or edge of a chamber, channel or plate.")


def dark_corners(d: Draft, s: Subject) -> None:
    """Which corners are dark, and what that means."""
    d.take(0)
    if s.evidence[0].value == "none":
        d.value = False
        d.prose.say("No corner is dark: the darkest has {1} % of the brightness of the lit field (dark corners: {0}).")
        return
    if s.query.task != "locate":
        d.value = True
    d.prose.say("The dark corners are: {0}; the darkest has {1} % of the brightness of the lit field.")
    d.prose.say("That is no defect of the data: the light ends there in a smooth edge, as at the border of a well, a field "
                "stop or an aperture (vignetting). Measure inside the lit field and mask the corners.")  # fmt: skip


def gap(d: Draft, s: Subject) -> None:
    """Whether a scratched layer is open, where the gap is or how wide."""
    share = s.find("share of the largest gap")
    if share is None:
        d.value = s.query.topic == "closed"
        d.prose.say(
            "{yes}: no area free of cells is left ({0} % of the picture).",
            yes="Yes, it is closed" if d.value else "No, it is not open",
        )
        return
    if s.query.task == "measure":
        at = s.index("mean breadth")
        d.take(at)
        d.prose.say("The gap is {at} px wide on average, and {0} % of the picture is free of cells.", at=(Fact(at),))
        return
    is_open = s.number(share) >= _OPEN
    if s.query.task == "locate":
        d.take(s.index("place"))
        d.prose.say("The gap is at the {place}, and is {share} % of the picture.", place=_place(s), share=(Fact(share),))
        return
    d.value = is_open if s.query.topic != "closed" else not is_open
    state = "the gap is open" if is_open else "the gap is closed"
    d.prose.say("{yes}, {state}: {0} % of the picture is free of cells; the largest gap is {share} % and lies at the {place}.",
                yes="Yes" if d.value else "No", state=state, share=(Fact(share),), place=(Fact(s.index("place")),))  # fmt: skip


def gap_share(d: Draft, s: Subject) -> None:
    """Share of the picture that is free of cells."""
    d.take(0)
    d.prose.say("{0} % of the picture is gap, i.e. smooth and free of cells; the rest is {times} times as rough.",
                times=(Fact(s.index("roughness")),))  # fmt: skip


def lawn_gaps(d: Draft, s: Subject) -> None:
    """Whether there are empty places between cells."""
    n = s.index("number of gaps")
    if not s.number(n):
        d.value = False
        d.prose.say("No, I find no empty gaps ({n}).", n=(Fact(n),))
        return
    if s.query.task == "locate":
        d.take(s.index("place"))
        d.prose.say("The largest gap is at the {place}.", place=_place(s))
        return
    d.value = True
    d.prose.say("Yes, there are empty gaps: {n}, covering {0} % of the picture; the largest lies at the {place}.", n=(Fact(n),),
                place=(Fact(s.index("place")),))  # fmt: skip


def where_tissue(d: Draft, s: Subject) -> None:
    """In which quadrant most of the specimen lies."""
    d.take(0)
    here = s.index(f"specimen in the {s.evidence[0].value}")
    d.prose.say("Most of it lies at the {0}: there it covers {here} % of the quadrant, and {whole} % of the whole picture.",
                here=(Fact(here),), whole=(Fact(s.index("specimen in the whole")),))  # fmt: skip


def membrane_share(d: Draft, s: Subject) -> None:
    """Share of the picture that is membrane."""
    d.take(0)
    d.prose.say("About {0} % of the picture is membrane, taken as what is darker than the ground around it; other dark bodies "
                "are counted with it.")  # fmt: skip


def crowding(d: Draft, s: Subject) -> None:
    """Dense or sparse."""
    dense = s.number(0) >= _DENSE or s.number(2) < _CLOSE
    d.value = "dense (crowded)" if dense else "sparse"
    d.prose.say("It is {word}: {1} objects cover {0} % of the picture, and the nearest neighbour is {2} diameters away (median).",
                word=str(d.value))  # fmt: skip


def halos(d: Draft, s: Subject) -> None:
    """Bright halos: which technique gives them."""
    d.prose.say("Bright halos around dark objects are the mark of phase contrast: bright rims lie {0} % of the range above the "
                "background, dark parts {1} % below it.")  # fmt: skip
    at = s.find("modality")
    d.value = "phase contrast"
    if at is not None:
        _say_recognised(d, s, "To the model the picture")


def two_stains(d: Draft, s: Subject) -> None:
    """Colours and the stains that give them."""
    d.take(0)
    d.prose.say("Measured, the stained colours are {0}.")
    d.prose.say("{1}.")
    if s.find("modality") is not None:
        _say_recognised(d, s, "To the model it")
    d.prose.say("Colours cannot prove a stain; the protocol does.")


def signal_colour(d: Draft, s: Subject) -> None:
    """Colour of the signal."""
    d.take(0)
    if s.evidence[0].value == "none":
        d.prose.say("It is a grey picture without a recorded colour ({0}), so the colour of the signal is not in the file.")
        return
    d.prose.say("The signal is {0}: {share} % of the bright pixels have this colour.", share=(Fact(1),))


def white_cell_type(d: Draft, s: Subject) -> None:
    """Type of a white cell by its nucleus."""
    d.take(0)
    name = str(s.evidence[0].value)
    asked = s.query.topic
    lead = "" if asked is None else "Yes: by" if asked in name else "No: by"
    d.value = name if asked is None else asked in name
    d.prose.say("{lead} its nucleus the white blood cell at the {place} is consistent with a {0}: {reason}.", lead=lead or "By",
                place=(Fact(s.index("place")),), reason=(Fact(s.index("reason")),))  # fmt: skip
    d.prose.say("The nucleus has {n} {noun}, fills a share of {solid} of its convex outline and {share} % of the cell.",
                n=(Fact(s.index("segments")),), noun="segment" if s.number(s.index("segments")) == 1 else "segments",
                solid=(Fact(s.index("share of its convex")),), share=(Fact(s.index("share of the cell")),))  # fmt: skip
    d.prose.say("This is a description of what is visible, not a differential count.")


def pallor(d: Draft, s: Subject) -> None:
    """Whether red cells have a pale centre."""
    d.value = s.number(0) >= PALE
    if d.value:
        d.prose.say("Yes, they are visible: the median pallor of {1} red cells is {0} (visible from {limit}).", limit=_LIMIT)
        return
    d.prose.say("No, most lack it: the median pallor of {1} red cells is {0} (visible from {limit}).", limit=_LIMIT)
    d.prose.say("Round, dense cells without central pallor are called spherocytes.")


def stained_evenly(d: Draft, s: Subject) -> None:
    """Evenly stained, and separated."""
    even, apart = s.number(0) <= _EVEN, s.number(1) >= _APART
    asks = s.query.text.lower()
    wanted = [holds for word, holds in (("stain", even), ("colo", even), ("separat", apart)) if word in asks]
    d.value = all(wanted) if wanted else even
    d.prose.say("{yes}: the brightness of {2} cells varies by {0} % of their contrast, and {1} % of them lie apart from their "
                "neighbours.", yes="Yes" if d.value else "No")  # fmt: skip


def thing(d: Draft, s: Subject) -> None:
    """One thing described by its look: what it looks like, or where."""
    name = str(s.evidence[0].value)
    if s.query.task == "measure":
        box = s.index("box")
        d.take(box)
        d.prose.say("It reaches from x = {x0} px, y = {y0} px to x = {x1} px, y = {y1} px.",
                    **{k: (Fact(box, f"value.{n}"),) for n, k in enumerate(("x0", "y0", "x1", "y1"))})  # fmt: skip
        return
    d.take(s.index("box") if s.query.task == "locate" else 0)
    d.prose.say("It looks like a {0}; it lies at the {place}.", place=_place(s))
    if "area that has no name" in name:
        d.prose.say("What it is cannot be told from the pixels alone.")
    elif any(word in name for word in ("debris", "mark", "pointer", "scale bar", "text", "band")):
        d.prose.say("It is not a cell.")
    else:
        d.prose.say("The model gives it this name; a look by an expert would settle it.")
    kind = s.find("type of the white cell")
    if kind is not None:
        d.prose.say("By its nucleus it is consistent with a {kind}.", kind=(Fact(kind),))


def thing_counted(d: Draft, s: Subject) -> None:
    """Whether the thing was counted as a cell."""
    name = str(s.evidence[0].value)
    cell = "cell" in name.split(":")[0] and "not a cell" not in name
    d.value = cell
    if cell:
        d.prose.say("Yes: the model names it {0}, and it is counted among those.")
    else:
        d.prose.say("No: it looks like a {0}, which is not counted as a cell.")


def oddities(d: Draft, s: Subject) -> None:
    """What is not as the rest."""
    n = s.number(0)
    if not n:
        d.value = False
        d.prose.say("No: I find no marks, debris, dark bands or dark corners, and no object of a rare kind ({0}).")
        return
    if s.query.task == "locate":
        d.take(s.index("box of oddity"))
        d.prose.say("It is at the {place}: a {what}.", place=(Fact(s.index("place of oddity")),), what=(Fact(s.index("oddity")),))
        return
    d.value = True
    d.prose.say("Yes, something stands out that is no ordinary part of the specimen, an artefact or unusual: {listed}.",
                listed=_odd_ones(s))  # fmt: skip


def _odd_ones(s: Subject) -> Parts:
    parts: list[str | Fact] = []
    for k in (k for k, e in enumerate(s.evidence) if e.quantity.startswith("oddity ")):
        place = next(i for i, e in enumerate(s.evidence) if e.quantity == f"place of {s.evidence[k].quantity}")
        parts += ["; " if parts else "", "a ", Fact(k), " at the ", Fact(place)]
    return tuple(parts)


def recognise(d: Draft, s: Subject) -> None:
    """What the model recognises, with its probability; which of two named candidates is likelier."""
    likelier = s.find("likelier of the words")
    if likelier is not None:
        d.take(likelier)
        d.prose.say("To the model {it} is likelier (probability {p} among the words of the question).", it=(Fact(likelier),),
                    p=(Fact(likelier, "parameters.probability_among"),))  # fmt: skip
        ratio = next((k for k, e in enumerate(s.evidence) if e.quantity.startswith("median aspect_ratio")), None)
        if ratio is not None and any(w in str(s.query.topic) for w in ("yeast", "bacteri")):
            form = "rounded, as budding yeast is" if s.number(ratio) < _ROUNDED else "elongated, as rods are"
            d.prose.say("The objects have a median long axis of {r} times the short one: {form}.", r=(Fact(ratio),), form=form)
    _say_recognised(d, s, "To the model it")
    counted = [k for k, e in enumerate(s.evidence) if "called" in e.parameters]
    if counted:
        d.prose.say("It finds {listed}.", listed=listing(s, counted))
    specimen = s.find("specimen")
    if specimen is not None and s.evidence[specimen].value == "agar plate":
        d.prose.say("Separate dots on an {plate} are as a rule colonies.", plate=(Fact(specimen),))
    if likelier is None:
        at = s.find("specimen")
        d.take(at if at is not None else 0)
    d.prose.say("What it is made of, or which species, cannot be settled from grey values; the protocol tells.")


def microscope_image(d: Draft, s: Subject) -> None:
    """Whether a microscope made the picture."""
    at = s.find("modality")
    if at is None or "probability" not in s.evidence[at].parameters:
        d.prose.say("I cannot settle that: it is {look}, and no kind of imaging is recognised.", look=_look_of(s))
        return
    macro = is_kind(str(s.evidence[at].value), "macroscopy")
    d.value = not macro
    start = (
        "No, it looks like a photograph (a camera's picture, as of a plate or dish): to the model it"
        if macro
        else "Yes: to the model it"
    )
    _say_recognised(d, s, start)


def _look_of(s: Subject) -> Parts:
    return ("a ", Fact(s.index("kind of picture")), " picture with a ", Fact(s.index("background")), " background")


def _place(s: Subject) -> Parts:
    centre = s.index("centre")
    return (Fact(s.index("place")), ", centred at x = ", Fact(centre, "value.0"), " px, y = ", Fact(centre, "value.1"), " px")


SEEN_WORDINGS: dict[str, Callable[[Draft, Subject], None]] = {
    f.__name__: f
    for f in (
        marks, edge_band, dark_corners, gap, gap_share, lawn_gaps, where_tissue, membrane_share, crowding, halos, two_stains,
        signal_colour, white_cell_type, pallor, stained_evenly, thing, thing_counted, oddities, recognise, microscope_image,
    )
}  # fmt: skip
