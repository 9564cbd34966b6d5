"""Sentences that explain, name or calculate: what is written of a topic with its source, and arithmetic shown step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .draft import Draft, Subject
from .grammar_knowledge import texts_of
from .knowledge.topics import Stated, pieces, topic
from .printing import unit_words
from .prose import Fact, Parts
from .tools.red_cells import NO_PALLOR


def explain(d: Draft, s: Subject) -> None:
    """What is written of one topic, or of two that are compared."""
    for key, facets in texts_of(s.query):
        for facet in facets:
            say_text(d, s, key, facet)
    say_source(d, s)


def term(d: Draft, s: Subject) -> None:
    """The name of what was described."""
    d.take(0)
    known = topic(str(s.query.quantity))
    blood = known is not None and known.area == "haematology"
    kind = s.find("kind of picture")
    if blood and kind is not None:
        d.prose.say("In a stained blood film the name for this look is: {0}. (This is {look}.)", look=_look(s, kind))
    elif blood:
        d.prose.say("In a stained blood film the name for this look is: {0}.")
    else:
        d.prose.say("What you describe is typical of {0}.")
    say_text(d, s, str(s.query.quantity), "what")
    if blood:
        d.prose.say("That is a description of shape, not a diagnosis.")
    say_source(d, s)


def _look(s: Subject, kind: int) -> Parts:
    background = s.index("background")
    return ("a ", Fact(kind), " picture with a ", Fact(background), " background")


def red_cell_shape(d: Draft, s: Subject) -> None:
    """The name of the commonest measured look of red cells."""
    d.take(0)
    d.prose.say("By their measured look most of these red cells are called {0}.")
    d.prose.say(
        "Over {3} whole red cells the long axis is {1} times the short one, and the centre is paler than the ring around it by a "
        "share of {2} of its absorbance (none in a spherocyte)."
    )
    d.prose.say("That is a description of shape, not a diagnosis.")


def pallor(d: Draft, s: Subject) -> None:
    """Whether the red cells have a pale centre."""
    d.value = s.number(2) >= NO_PALLOR
    lead = "Yes, a pale centre (central pallor) is visible" if d.value else "No, most lack a pale centre (central pallor)"
    d.prose.say(
        "{lead}: over {3} whole red cells the centre is paler than the ring around it by a share of {2} of its absorbance.",
        lead=lead,
    )
    d.prose.say("By their measured look most are called {0}.")


def say_text(d: Draft, s: Subject, key: str, facet: str) -> None:
    """One text of a topic; its numbers are those the tool stated."""
    known = topic(key)
    if known is None or facet not in known.texts:
        return
    d.prose.say("{text}", text=tuple(_parts(s, key, facet, known.texts[facet])))


def _parts(s: Subject, key: str, facet: str, text: str) -> Iterator[str | Fact]:
    k = 0
    for piece in pieces(text):
        if isinstance(piece, Stated):
            yield Fact(s.index(f"{key}, {facet}, stated {k}"))
            yield unit_words(piece.unit)
            k += 1
        else:
            yield piece


def say_source(d: Draft, s: Subject) -> None:
    """Where it is written."""
    sourced = [k for k, e in enumerate(s.evidence) if e.function == "knowledge" and e.quantity.startswith("note on ")]
    shown: list[str | Fact] = []
    for k in sourced:
        if s.evidence[k].parameters["source"] not in [s.evidence[j].parameters["source"] for j in sourced[: sourced.index(k)]]:
            shown += ["; " if shown else "", Fact(k, "parameters.source")]
    d.prose.say("(Source: {shown}.)", shown=tuple(shown))


def _given(s: Subject, name: str) -> Fact:
    return Fact(0, f"parameters.{name}")


def _has(s: Subject, name: str) -> bool:
    return name in s.evidence[0].parameters


def camera_pixel_size(d: Draft, s: Subject) -> None:
    """Camera pixel over magnification."""
    d.take(0)
    times: Parts = (" x ", _given(s, "binning"), " (binning)") if _has(s, "binning") else ()
    relay: Parts = (" x ", _given(s, "relay"), " (relay)") if _has(s, "relay") else ()
    bracket = ("(", ")") if relay else ("", "")
    d.prose.say(
        "The pixel size in the image is {0} µm: camera pixel {camera} µm{times} / {a}magnification {mag}{relay}{b}.",
        camera=(_given(s, "camera_um"),),
        times=times,
        a=bracket[0],
        mag=(_given(s, "magnification"),),
        relay=relay,
        b=bracket[1],
    )


def resolution(d: Draft, s: Subject) -> None:
    """Abbe and Rayleigh."""
    d.take(0)
    d.prose.say(
        "The theoretical lateral resolution is {0} nm by Abbe: wavelength {w} nm / ({0.parameters.divisor} x NA {na}).",
        w=(_given(s, "used_wavelength_nm"),),
        na=(_given(s, "na"),),
    )
    d.prose.say(
        "By Rayleigh's criterion it is {1} nm: {1.parameters.factor} x {w} nm / {na}.",
        w=(_given(s, "used_wavelength_nm"),),
        na=(_given(s, "na"),),
    )
    _assumed(d, s)


def axial_resolution(d: Draft, s: Subject) -> None:
    """Axial resolution and the z-step of half of it; the step first where it was asked for."""
    arithmetic: Parts = (
        _given(s, "factor"),
        " x n ",
        _given(s, "used_index"),
        " x ",
        _given(s, "used_wavelength_nm"),
        " nm / (NA ",
        _given(s, "na"),
        ")²",
    )
    if "step" in s.query.text.lower() or "stack" in s.query.text.lower() or "spacing" in s.query.text.lower():
        d.take(1)
        d.prose.say("The z-step should be at most {1} µm, half the axial resolution.")
        d.prose.say("The axial resolution of a widefield microscope is {0} nm: {arithmetic}.", arithmetic=arithmetic)
    else:
        d.take(0)
        d.prose.say("The axial resolution of a widefield microscope is {0} nm: {arithmetic}.", arithmetic=arithmetic)
        d.prose.say("A z-stack samples it with steps of at most {1} µm, half of that.")
    _assumed(d, s)


def depth_of_field(d: Draft, s: Subject) -> None:
    """Wave and detector term."""
    d.take(0)
    pixel: Parts = (" + n x pixel ", _given(s, "pixel_um"), " µm / NA") if _has(s, "pixel_um") else ()
    d.prose.say(
        "The depth of field is {0} µm: n {n} x {w} nm / (NA {na})²{pixel}.",
        n=(_given(s, "used_index"),),
        w=(_given(s, "used_wavelength_nm"),),
        na=(_given(s, "na"),),
        pixel=pixel,
    )
    _assumed(d, s)


def nyquist(d: Draft, s: Subject) -> None:
    """Largest pixel; and whether a given one is fine enough."""
    d.take(0)
    sampled = s.find("sampled at Nyquist")
    if sampled is not None:
        d.value, d.unit = bool(s.evidence[sampled].value), ""
        lead = "Yes, the sampling is fine enough" if d.value else "No, the sampling is too coarse for the optics"
        d.prose.say(
            "{lead}: {per} pixels of {pixel} µm fall on the smallest resolvable distance, where at least {least} are needed.",
            lead=lead,
            per=(Fact(1),),
            pixel=(Fact(1, "parameters.used_pixel_um"),),
            least=(_given(s, "least"),),
        )
    d.prose.say(
        "Nyquist sampling needs pixels of at most {0} µm: {w} nm / ({0.parameters.divisor} x NA {na}).",
        w=(_given(s, "used_wavelength_nm"),),
        na=(_given(s, "used_na"),),
    )
    _assumed(d, s)


def needed_magnification(d: Draft, s: Subject) -> None:
    """Camera pixel over the Nyquist pixel."""
    d.take(0)
    d.prose.say(
        "A magnification of at least {0} is needed: camera pixel {camera} µm / Nyquist pixel {1} µm, the latter being {w} nm / "
        "({1.parameters.divisor} x NA {na}).",
        camera=(_given(s, "camera_um"),),
        w=(Fact(1, "parameters.used_wavelength_nm"),),
        na=(_given(s, "na"),),
    )


def _assumed(d: Draft, s: Subject) -> None:
    """Says what was taken where nothing was given."""
    if not _has(s, "wavelength_nm"):
        d.prose.say("No wavelength was given, so green light of {w} nm is taken.", w=(_given(s, "used_wavelength_nm"),))
    if _has(s, "used_index") and not _has(s, "index"):
        d.prose.say("The medium is taken from the NA as that of index {n}.", n=(_given(s, "used_index"),))


def camera_field(d: Draft, s: Subject) -> None:
    """Sensor pixels times pixel size."""
    d.take(0)
    d.prose.say(
        "The field of view is {0} µm wide and {1} µm high ({2} mm²): {px} px x {pixel} µm per pixel.",
        px=(_given(s, "width_px"),),
        pixel=(_given(s, "pixel_um"),),
    )


def data_size(d: Draft, s: Subject) -> None:
    """Bytes of raw data."""
    d.take(0)
    names = {"width_px": " px", "height_px": " px", "channels": " channels", "slices": " slices", "frames": " frames"}
    factors: list[str | Fact] = []
    for name, word in names.items():
        if _has(s, name):
            factors += [" x " if factors else "", _given(s, name), word]
    d.prose.say(
        "Uncompressed that is {0} MB: {factors} x {bits} bits, in bytes.",
        factors=tuple(factors),
        bits=(_given(s, "stored_bits"),),
    )


def sample_size(d: Draft, s: Subject) -> None:
    """Power analysis."""
    d.take(0)
    effect: Parts = (" (difference ", _given(s, "difference"), " / SD ", _given(s, "sd"), ")") if _has(s, "difference") else ()
    d.prose.say(
        "You need {0} independent samples per group: for an effect size of {1}{effect}, a power of {p} % and a significance "
        "level of {a}, in "
        "a two-sided t-test of two groups, by the noncentral t distribution (power reached: {2} %).",
        effect=effect,
        p=(_given(s, "used_power_percent"),),
        a=(_given(s, "used_alpha"),),
    )
    d.prose.say("n counts independent replicates, and the SD is that between them, not between cells.")


def achieved_power(d: Draft, s: Subject) -> None:
    """Power of a planned comparison."""
    d.take(0)
    d.prose.say(
        "The power is {0} %: {n} independent samples per group, effect size {1}, significance level {a}, "
        "two-sided t-test of two groups.",
        n=(_given(s, "n"),),
        a=(_given(s, "used_alpha"),),
    )


def mean_interval(d: Draft, s: Subject) -> None:
    """Standard error and interval."""
    d.take(0)
    d.prose.say("The standard error of the mean is {0}: SD {sd} / sqrt({n}).", sd=(_given(s, "sd"),), n=(_given(s, "n"),))
    around = s.find("stated mean")
    if around is None:
        d.prose.say(
            "The {0.parameters.confidence_percent} % confidence interval is the mean ± {1}: t {0.parameters.t} x standard error."
        )
    else:
        d.prose.say(
            "The {0.parameters.confidence_percent} % confidence interval is {low} to {high}: "
            "{m} ± {0.parameters.t} x standard error.",
            low=(Fact(around, "interval.0"),),
            high=(Fact(around, "interval.1"),),
            m=(Fact(around),),
        )


def share_interval(d: Draft, s: Subject) -> None:
    """Wilson interval."""
    d.take(0)
    d.prose.say(
        "{first} of {second} is {0} % ({0.parameters.confidence_percent} % interval {0.interval.0} to {0.interval.1} %, Wilson).",
        first=(_given(s, "first"),),
        second=(_given(s, "second"),),
    )
    d.prose.say("That holds if they are independent; objects of one sample are not.")


def measurements_needed(d: Draft, s: Subject) -> None:
    """n for a margin."""
    d.take(0)
    d.prose.say(
        "About {0} independent measurements: ({z} x {sd} / {margin})².",
        z=(_given(s, "z"),),
        sd=(_given(s, "spread"),),
        margin=(_given(s, "margin"),),
    )


def count_error(d: Draft, s: Subject) -> None:
    """Poisson error."""
    d.take(0)
    d.prose.say(
        "A count of {n} randomly placed objects has a standard deviation of {1} (its square root), "
        "that is {0} %; clustering makes it larger.",
        n=(_given(s, "n"),),
    )


def chamber_concentration(d: Draft, s: Subject) -> None:
    """Counting chamber."""
    d.take(0)
    d.prose.say(
        "The concentration is {0} cells per ml: {n} cells / {squares} squares x {k} per square x dilution {dilution}.",
        n=(_given(s, "n"),),
        squares=(_given(s, "squares"),),
        k=(_given(s, "per_square"),),
        dilution=(_given(s, "used_dilution"),),
    )


def detection_scores(d: Draft, s: Subject) -> None:
    """Precision, recall, F and AP."""
    word = next((w for w in ("precision", "recall") if w in s.query.text.lower()), "F score")
    d.take(s.index(word))
    d.prose.say(
        "The F score is {0}, precision {1} (TP / (TP + FP)), recall {2} (TP / (TP + FN)), "
        "and TP / (TP + FP + FN) is {3}, for TP {tp}, FP {fp} and FN {fn}.",
        tp=(_given(s, "true_positives"),),
        fp=(_given(s, "false_positives"),),
        fn=(_given(s, "false_negatives"),),
    )


def converted(d: Draft, s: Subject) -> None:
    """Units."""
    d.take(0)
    d.prose.say(
        "{amount}{old} are {0}{new}.",
        amount=(_given(s, "amount"),),
        old=unit_words(str(s.evidence[0].parameters["old"])),
        new=s.unit(0),
    )


def _simple(template: str, *names: str) -> Callable[[Draft, Subject], None]:
    """A sentence with parameters of the first evidence by name."""

    def say(d: Draft, s: Subject) -> None:
        d.take(0)
        d.prose.say(template, **{name: (_given(s, name),) for name in names})

    return say


KNOWLEDGE_WORDINGS: dict[str, Callable[[Draft, Subject], None]] = {
    "explain": explain,
    "term": term,
    "red_cell_shape": red_cell_shape,
    "pallor": pallor,
    "camera_pixel_size": camera_pixel_size,
    "resolution": resolution,
    "axial_resolution": axial_resolution,
    "depth_of_field": depth_of_field,
    "nyquist": nyquist,
    "needed_magnification": needed_magnification,
    "camera_field": camera_field,
    "data_size": data_size,
    "sample_size": sample_size,
    "achieved_power": achieved_power,
    "mean_interval": mean_interval,
    "share_interval": share_interval,
    "measurements_needed": measurements_needed,
    "count_error": count_error,
    "detection_scores": detection_scores,
    "chamber_concentration": chamber_concentration,
    "converted": converted,
    "eyepiece_field": _simple(
        "The field is {0} mm across: field number {field_number} / magnification {magnification}.",
        "field_number",
        "magnification",
    ),
    "total_magnification": _simple(
        "The total magnification is {0}: objective {magnification} x eyepiece {eyepiece}.", "magnification", "eyepiece"
    ),
    "length_in_pixels": _simple("It is {0} px long: {bar_um} µm / {pixel_um} µm per pixel.", "bar_um", "pixel_um"),
    "pixels_in_um": _simple("That is {0} µm: {length_px} px x {pixel_um} µm per pixel.", "length_px", "pixel_um"),
    "calibrated_pixel": _simple("The pixel size is {0} µm: {bar_um} µm / {length_px} px.", "bar_um", "length_px"),
    "overlap_scores": lambda d, s: _overlap(d, s),
    "doubling_time": _simple(
        "The doubling time is {0} h: {hours} h x ln two / ln({second} / {first}), for exponential growth.",
        "hours",
        "second",
        "first",
    ),
    "closure": _simple("The gap has closed by {0} %: ({first} - {second}) / {first}.", "first", "second"),
    "spin_force": _simple(
        "The relative centrifugal force is {0} x g: {factor} x radius {radius_cm} cm x ({rpm} rpm)².",
        "factor",
        "radius_cm",
        "rpm",
    ),
}


def _overlap(d: Draft, s: Subject) -> None:
    d.take(0)
    if _has(s, "iou"):
        d.prose.say("An IoU of {iou} is a Dice of {0}: twice the IoU over one plus it.", iou=(_given(s, "iou"),))
    else:
        d.prose.say("A Dice of {dice} is an IoU of {0}: Dice over two minus it.", dice=(_given(s, "dice"),))
