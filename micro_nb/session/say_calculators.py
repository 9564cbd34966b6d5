"""Sentences that calculate: the result, and the arithmetic with what was given, step by step."""

from __future__ import annotations

import re
from collections.abc import Callable

from .draft import Draft, Subject
from .printing import unit_words

_NAME = re.compile(r"\{([a-z]\w*)\}")
Wording = Callable[[Draft, Subject], None]


def _say(d: Draft, *parts: str) -> None:
    """A sentence in which ``{0}`` is the value of evidence 0 and ``{na}`` what its tool was given, or took, as ``na``."""
    d.prose.say(_NAME.sub(r"{0.parameters.\1}", "".join(parts)))


def _if_given(s: Subject, name: str, words: str) -> str:
    """Words about an argument that was given, or taken; nothing without it."""
    return words if name in s.evidence[0].parameters else ""


def _calculated(*sentences: str) -> Wording:
    """The first evidence is the answer, and these sentences say how it came about."""

    def say(d: Draft, s: Subject) -> None:
        d.take(0)
        for sentence in sentences:
            _say(d, sentence)

    return say


def _in_light(*sentences: str) -> Wording:
    """As :func:`_calculated`; says last what light and medium were taken where none were given."""
    calculated = _calculated(*sentences)

    def say(d: Draft, s: Subject) -> None:
        calculated(d, s)
        _say_taken(d, s)

    return say


def _say_taken(d: Draft, s: Subject) -> None:
    given = s.evidence[0].parameters
    if "wavelength_nm" not in given:
        _say(d, "No wavelength was given, so green light of {used_wavelength_nm} nm is taken.")
    if "used_index" in given and "index" not in given:
        _say(d, "The medium is taken from the NA as that of index {used_index}.")


def _camera_pixel_size(d: Draft, s: Subject) -> None:
    d.take(0)
    binned = _if_given(s, "binning", " x {binning} (binning)")
    through = "magnification {magnification}"
    if relay := _if_given(s, "relay", " x {relay} (relay)"):
        through = f"({through}{relay})"
    _say(d, "The pixel size in the image is {0} µm: camera pixel {camera_um} µm", binned, " / ", through, ".")


def _axial_resolution(d: Draft, s: Subject) -> None:
    """Axial resolution and the z-step of half of it; the step first where it was asked for."""
    light = "{factor} x n {used_index} x {used_wavelength_nm} nm / (NA {na})²"
    resolved = f"The axial resolution of a widefield microscope is {{0}} nm: {light}."
    if any(word in s.query.text.lower() for word in ("step", "stack", "spacing")):
        d.take(1)
        _say(d, "The z-step should be at most {1} µm, half the axial resolution.")
        _say(d, resolved)
    else:
        d.take(0)
        _say(d, resolved)
        _say(d, "A z-stack samples it with steps of at most {1} µm, half of that.")
    _say_taken(d, s)


def _depth_of_field(d: Draft, s: Subject) -> None:
    """Wave and detector term."""
    d.take(0)
    detector = _if_given(s, "pixel_um", " + n x pixel {pixel_um} µm / NA")
    _say(d, "The depth of field is {0} µm: n {used_index} x {used_wavelength_nm} nm / (NA {na})²", detector, ".")
    _say_taken(d, s)


def _nyquist(d: Draft, s: Subject) -> None:
    """Largest pixel; and whether a given one is fine enough."""
    d.take(0)
    sampled = s.find("sampled at Nyquist")
    if sampled is not None:
        d.value, d.unit = bool(s.evidence[sampled].value), ""
        lead = "Yes, the sampling is fine enough" if d.value else "No, the sampling is too coarse for the optics"
        _say(
            d, lead, ": {1} pixels of {1.parameters.used_pixel_um} µm fall on the smallest resolvable distance, "
            "where at least {least} are needed.",
        )  # fmt: skip
    _say(
        d, "Nyquist sampling needs pixels of at most {0} µm: {used_wavelength_nm} nm / ({divisor} x NA {used_na}).",
    )  # fmt: skip
    _say_taken(d, s)


def _data_size(d: Draft, s: Subject) -> None:
    """Bytes of raw data."""
    d.take(0)
    names = {"width_px": " px", "height_px": " px", "channels": " channels", "slices": " slices", "frames": " frames"}
    factors = " x ".join(f"{{{name}}}{word}" for name, word in names.items() if _if_given(s, name, word))
    _say(d, "Uncompressed that is {0} MB: ", factors, " x {stored_bits} bits, in bytes.")


def _sample_size(d: Draft, s: Subject) -> None:
    """Power analysis."""
    d.take(0)
    effect = _if_given(s, "difference", " (difference {difference} / SD {sd})")
    _say(
        d, "You need {0} independent samples per group: for an effect size of {1}", effect, ", a power of {used_power_percent} % "
        "and a significance level of {used_alpha}, in a two-sided t-test of two groups, by the noncentral t distribution "
        "(power reached: {2} %).",
    )  # fmt: skip
    _say(d, "n counts independent replicates, and the SD is that between them, not between cells.")


def _mean_interval(d: Draft, s: Subject) -> None:
    """Standard error and interval."""
    d.take(0)
    _say(d, "The standard error of the mean is {0}: SD {sd} / sqrt({n}).")
    at, interval = s.find("stated mean"), "The {confidence_percent} % confidence interval is "
    if at is None:
        _say(d, interval, "the mean ± {1}: t {t} x standard error.")
    else:
        _say(d, interval, f"{{{at}.interval.0}} to {{{at}.interval.1}}: {{{at}}} ± {{t}} x standard error.")


def _detection_scores(d: Draft, s: Subject) -> None:
    """Precision, recall, F and AP."""
    word = next((w for w in ("precision", "recall") if w in s.query.text.lower()), "F score")
    d.take(s.index(word))
    _say(
        d, "The F score is {0}, precision {1} (TP / (TP + FP)), recall {2} (TP / (TP + FN)), and TP / (TP + FP + FN) is {3}, "
        "for TP {true_positives}, FP {false_positives} and FN {false_negatives}.",
    )  # fmt: skip


def _converted(d: Draft, s: Subject) -> None:
    d.take(0)
    _say(d, "{amount}", unit_words(str(s.evidence[0].parameters["old"])), " are {0}", s.unit(0), ".")


def _overlap_scores(d: Draft, s: Subject) -> None:
    d.take(0)
    of_iou, of_dice = (
        "An IoU of {iou} is a Dice of {0}: twice the IoU over one plus it.",
        "A Dice of {dice} is an IoU of {0}: Dice over two minus it.",
    )
    _say(d, _if_given(s, "iou", of_iou) or of_dice)


CALCULATOR_WORDINGS: dict[str, Wording] = {
    "camera_pixel_size": _camera_pixel_size,
    "axial_resolution": _axial_resolution,
    "depth_of_field": _depth_of_field,
    "nyquist": _nyquist,
    "data_size": _data_size,
    "sample_size": _sample_size,
    "mean_interval": _mean_interval,
    "detection_scores": _detection_scores,
    "converted": _converted,
    "overlap_scores": _overlap_scores,
    "resolution": _in_light(
        "The theoretical lateral resolution is {0} nm by Abbe: wavelength {used_wavelength_nm} nm / ({divisor} x NA {na}).",
        "By Rayleigh's criterion it is {1} nm: {1.parameters.factor} x {used_wavelength_nm} nm / {na}.",
    ),
    "needed_magnification": _calculated(
        "A magnification of at least {0} is needed: camera pixel {camera_um} µm / Nyquist pixel {1} µm, the latter being "
        "{1.parameters.used_wavelength_nm} nm / ({1.parameters.divisor} x NA {na})."
    ),
    "camera_field": _calculated(
        "The field of view is {0} µm wide and {1} µm high ({2} mm²): {width_px} px x {pixel_um} µm per pixel."
    ),
    "achieved_power": _calculated(
        "The power is {0} %: {n} independent samples per group, effect size {1}, significance level {used_alpha}, "
        "two-sided t-test of two groups."
    ),
    "share_interval": _calculated(
        "{first} of {second} is {0} % ({confidence_percent} % interval {0.interval.0} to {0.interval.1} %, Wilson).",
        "That holds if they are independent; objects of one sample are not.",
    ),
    "measurements_needed": _calculated("About {0} independent measurements: ({z} x {spread} / {margin})²."),
    "count_error": _calculated(
        "A count of {n} randomly placed objects has a standard deviation of {1} (its square root), "
        "that is {0} %; clustering makes it larger."
    ),
    "chamber_concentration": _calculated(
        "The concentration is {0} cells per ml: {n} cells / {squares} squares x {per_square} per square x "
        "dilution {used_dilution}."
    ),
    "eyepiece_field": _calculated("The field is {0} mm across: field number {field_number} / magnification {magnification}."),
    "total_magnification": _calculated("The total magnification is {0}: objective {magnification} x eyepiece {eyepiece}."),
    "length_in_pixels": _calculated("It is {0} px long: {bar_um} µm / {pixel_um} µm per pixel."),
    "pixels_in_um": _calculated("That is {0} µm: {length_px} px x {pixel_um} µm per pixel."),
    "calibrated_pixel": _calculated("The pixel size is {0} µm: {bar_um} µm / {length_px} px."),
    "doubling_time": _calculated(
        "The doubling time is {0} h: {hours} h x ln two / ln({second} / {first}), for exponential growth."
    ),
    "closure": _calculated("The gap has closed by {0} %: ({first} - {second}) / {first}."),
    "spin_force": _calculated("The relative centrifugal force is {0} x g: {factor} x radius {radius_cm} cm x ({rpm} rpm)²."),
}
