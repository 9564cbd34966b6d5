"""Quantities as people type them: "6.5 µm camera, 20x/0.75 at 520 nm" becomes numbers with names and fixed units."""

from __future__ import annotations

import re
from collections.abc import Mapping

Amounts = dict[str, float]

_N = r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_UM = r"(um|nm|mm|microns?|micrometers?|micrometres?|nanometers?|nanometres?|millimeters?|millimetres?)\b"
_NA = r"([01]?\.\d+|1(?:\.\d+)?)(?![\d.])"
_IS = r"\s*(?:is|are|was|of|=|:|at|about|around|~)?\s*"
_SENSOR = r"(?:camera|sensor|chip|detector|s?cmos|ccd|emccd|physical)"
_RELAY = r"(?:relay|adapter|adaptor|c.?mount|coupler|optovar|tube lens|reducer|intermediate|magnification changer)"
_IN_UM = {"n": 1e-3, "u": 1.0, "m": 1.0}
_THINGS = (
    "samples?|replicates?|animals?|mice|rats|wells?|dishes|cultures|experiments?|measurements?|values|fields?|images?|cells|nuclei|objects|"
    "donors?|patients|slides?|particles"
)
_EMISSION = {  # peak of emission, nm
    "dapi": 461,
    "hoechst": 461,
    "gfp": 509,
    "egfp": 507,
    "fitc": 519,
    "alexa 488": 519,
    "yfp": 527,
    "cy3": 570,
    "tritc": 576,
    "rfp": 584,
    "mcherry": 610,
    "texas red": 615,
    "alexa 568": 603,
    "alexa 594": 617,
    "cy5": 666,
    "alexa 647": 668,
}
_MEDIA = {"oil": 1.515, "silicone": 1.405, "glycerol": 1.47, "water": 1.333, "air": 1.0, "dry": 1.0}

_PLAIN: tuple[tuple[str, str], ...] = (
    ("relay", rf"{_N}\s*x?\s*{_RELAY}"),
    ("relay", rf"{_RELAY}{_IS}{_N}\s*x?"),
    ("eyepiece", rf"{_N}\s*x\s*(?:eye ?pieces?|oculars?)"),
    ("eyepiece", rf"(?:eye ?pieces?|oculars?){_IS}{_N}\s*x"),
    ("binning", rf"{_N}\s*x\s*\d\s*bin"),
    ("binning", rf"bin(?:ning|ned)?{_IS}(?:by\s*)?{_N}"),
    ("na", rf"\d+\s*x\s*/\s*{_NA}"),
    ("na", rf"(?<![\d.]){_NA}\s*(?:na|n\.a\.|numerical aperture)(?![a-z])"),
    ("na", rf"\b(?:na|n\.a\.|numerical aperture){_IS}{_NA}"),
    ("index", rf"(?:refractive )?index{_IS}{_N}"),
    ("index", r"\bn\s*=\s*(1\.[0-6]\d*)(?!\d)"),
    ("field_number", rf"^(?!.*\btp).*?(?:\bfn|field number){_IS}{_N}"),
    ("effect", rf"(?:effect size|cohen'?s d|\bd){_IS}(?:d\s*=\s*)?{_N}(?!\s*%)"),
    ("effect", rf"\beffect{_IS}([0-3](?:\.\d+)?)(?![\d.]|\s*%)"),
    ("power", rf"power{_IS}{_N}"),
    ("power", rf"{_N}\s*%?\s*power"),
    ("alpha", rf"(?:alpha|significance(?: level)?|p\s*<){_IS}{_N}"),
    ("sd", rf"(?:\bsd|s\.d\.|standard deviation|std|stdev){_IS}{_N}"),
    ("sd", rf"{_N}\s*%?\s*(?:sd|standard deviation)"),
    ("cv", rf"(?:\bcv|coefficient of variation){_IS}{_N}"),
    ("difference", rf"(?:difference|effect|change|increase|decrease|drop){_IS}{_N}"),
    ("difference", rf"{_N}\s*%\s*(?:difference|effect|change|increase|decrease|drop)"),
    ("margin", rf"(?:within|\+/?-|±|margin(?: of error)?|precision|relative error){_IS}(?:±|\+/?-)?\s*{_N}"),
    ("mean", rf"\b(?:mean|average){_IS}{_N}"),
    ("n", rf"\bn{_IS}{_N}(?!\s*[.]\d)"),
    ("n", rf"{_N}\s*(?:independent |biological |random )?(?:{_THINGS})\b"),
    ("true_positives", rf"{_N}\s*(?:tps?\b|true positives?)"),
    ("true_positives", rf"(?:\btp|true positives?){_IS}{_N}"),
    ("false_positives", rf"{_N}\s*(?:fps?\b|false positives?)"),
    ("false_positives", rf"(?:\bfp|false positives?){_IS}{_N}"),
    ("false_negatives", rf"{_N}\s*(?:fns?\b|false negatives?|missed)"),
    ("false_negatives", rf"(?:\bfn|false negatives?|missed){_IS}{_N}"),
    ("iou", rf"(?:\biou|jaccard){_IS}{_N}"),
    ("dice", rf"\bdice(?: score| coefficient)?{_IS}{_N}"),
    ("squares", rf"{_N}\s*(?:large |big |corner )?squares?"),
    ("counted", rf"count(?:ed)?{_IS}{_N}"),
    ("counted", rf"{_N}\s*cells?\s*(?:in|over|per|on)\b"),
    ("dilution", rf"(?:diluted?|dilution)(?: factor)?{_IS}1\s*(?::|to|in|/)\s*{_N}"),
    ("dilution", r"\b1\s*:\s*(\d+(?:\.\d+)?)"),
    ("dilution", rf"dilut(?:ion|ed)(?: factor)?{_IS}{_N}(?!\s*(?::|/))"),
    ("slices", rf"{_N}\s*(?:z.?)?(?:slices|planes|sections)"),
    ("frames", rf"{_N}\s*(?:frames|time ?points)"),
    ("channels", rf"{_N}\s*(?:channels?|colou?rs)"),
    ("bits", rf"{_N}\s*-?\s*bits?\b"),
    ("rpm", rf"{_N}\s*rpm"),
    ("radius_cm", rf"radius{_IS}{_N}\s*cm"),
    ("radius_cm", rf"{_N}\s*cm\s*(?:rotor|radius)"),
    ("hours", rf"{_N}\s*(?:h|hrs?|hours?)\b"),
    ("length_px", rf"{_N}\s*(?:px|pixels?)\b(?!\s*(?:size|wide|camera|sensor))"),
)
_LENGTHS: tuple[tuple[str, str], ...] = (
    ("pixel_um", rf"{_N}\s*{_UM}\s*(?:per|/|a)\s*(?:px|pixel|pix)"),
    ("pixel_um", rf"1\s*(?:px|pixel)\s*(?:is|=)\s*{_N}\s*{_UM}"),
    ("camera_um", rf"{_SENSOR}(?:'s)?(?:\W+[a-z']+){{0,4}}?\W+{_N}\s*{_UM}"),
    ("camera_um", rf"{_N}\s*{_UM}(?:\s+[a-z]+){{0,2}}?\s+{_SENSOR}"),
    ("bar_um", rf"{_N}\s*-?{_UM}\s*(?:long\s*)?(?:scale\s*)?bar"),
    ("bar_um", rf"(?:scale ?)?bar{_IS}{_N}\s*{_UM}"),
    ("pixel_um", rf"pixel ?size{_IS}{_N}\s*{_UM}"),
    ("pixel_um", rf"pixels?{_IS}{_N}\s*{_UM}"),
    ("pixel_um", rf"{_N}\s*-?{_UM}\s*(?:wide\s*)?pixels?"),
    ("wavelength_um", rf"(?:wavelength|emission|excitation|lambda|light){_IS}{_N}\s*{_UM}"),
)


def parse(text: str) -> Amounts:
    """The quantities of a text, in µm (lengths), nm (wavelength) or as they stand.

    >>> parse("Camera pixels are 6.5 µm and I use a 20x/0.75 objective at 520 nm")
    {'camera_um': 6.5, 'na': 0.75, 'wavelength_nm': 520.0, 'magnification': 20.0}
    """
    rest, found = _plain(text), Amounts()
    for name, pattern in _LENGTHS:
        rest = _lengths(name, pattern, rest, found)
    if "wavelength_um" in found:
        found["wavelength_nm"] = found.pop("wavelength_um") * 1e3
    rest = _share(_sensor(rest, found), found)
    for name, pattern in _PLAIN:
        m = re.search(pattern, rest)
        if m and name not in found:
            found[name] = float(m.group(1))
            if name != "na" or "/" not in m.group():
                rest = f"{rest[: m.start()]} , {rest[m.end() :]}"
    _wavelength(rest, found)
    _magnification(rest, found)
    _camera(rest, found)
    for name, value in _MEDIA.items():
        if "index" not in found and re.search(rf"\b{name}\b", rest):
            found["index"] = value
    return _settled(found)


def converted(text: str) -> tuple[float, str, str] | None:
    """A conversion of units that is asked for: ``(value, from, to)`` with units of :data:`UNITS`.

    >>> converted("convert 2500 nm to µm"), converted("what is 0.4 mm² in µm2?")
    ((2500.0, 'nm', 'um'), (0.4, 'mm2', 'um2'))
    """
    plain = _plain(text)
    m = re.search(rf"{_N}\s*([a-z]+2?)\s+(?:in|into|to|as|equals?|is how many|=)\s+(?:how many\s+)?([a-z]+2?)\b", plain)
    if m is None:
        back = re.search(
            rf"how many\s+([a-z]+2?)\s+(?:is|are|make|equals?)?\s*(?:there\s+)?(?:in\s+)?(?:an?\s+)?{_N}\s*([a-z]+2?)\b", plain
        )
        found = (float(back.group(2)), back.group(3), back.group(1)) if back else None
    else:
        found = float(m.group(1)), m.group(2), m.group(3)
    if found is None:
        return None
    value, old, new = found[0], _unit(found[1]), _unit(found[2])
    return (value, old, new) if old in UNITS and new in UNITS and UNITS[old][0] == UNITS[new][0] and old != new else None


UNITS: Mapping[str, tuple[str, float]] = {
    "pm": ("m", 1e-12),
    "nm": ("m", 1e-9),
    "um": ("m", 1e-6),
    "mm": ("m", 1e-3),
    "cm": ("m", 1e-2),
    "m": ("m", 1.0),
    "angstrom": ("m", 1e-10),
    "nm2": ("m2", 1e-18),
    "um2": ("m2", 1e-12),
    "mm2": ("m2", 1e-6),
    "cm2": ("m2", 1e-4),
    "ul": ("l", 1e-6),
    "ml": ("l", 1e-3),
    "l": ("l", 1.0),
    "nl": ("l", 1e-9),
    "ms": ("s", 1e-3),
    "s": ("s", 1.0),
    "min": ("s", 60.0),
    "h": ("s", 3600.0),
}
"""Units that can be converted: their dimension and size."""
_SPOKEN = {
    "micron": "um",
    "microns": "um",
    "micrometer": "um",
    "micrometers": "um",
    "micrometre": "um",
    "micrometres": "um",
    "nanometers": "nm",
    "nanometer": "nm",
    "nanometres": "nm",
    "nanometre": "nm",
    "millimeters": "mm",
    "millimetres": "mm",
    "millimeter": "mm",
    "millimetre": "mm",
    "angstroms": "angstrom",
    "hours": "h",
    "hour": "h",
    "minutes": "min",
    "seconds": "s",
    "microliters": "ul",
    "microlitres": "ul",
    "milliliters": "ml",
    "millilitres": "ml",
}


def _unit(word: str) -> str:
    return _SPOKEN.get(word, word)


def _plain(text: str) -> str:
    text = text.lower().replace("µ", "u").replace("μ", "u").replace("×", "x").replace("²", "2").replace("å", "angstrom")
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return re.sub(r"(?<=\d),(?=\d)", ".", text)


def _um(value: str, unit: str) -> float:
    milli = unit == "mm" or unit.startswith("milli")
    return float(value) * (1e3 if milli else _IN_UM[unit[0]])


def _lengths(name: str, pattern: str, rest: str, found: Amounts) -> str:
    m = re.search(pattern, rest)
    if m is None or name in found:
        return rest
    found[name] = _um(m.group(1), m.group(2))
    return f"{rest[: m.start()]} , {rest[m.end() :]}"


def _sensor(rest: str, found: Amounts) -> str:
    """ "2048 x 2048 pixels" is a sensor; "20x 40x" is not."""
    m = re.search(r"(\d{3,5})\s*(?:px|pixels?)?\s*(?:x|by)\s*(\d{3,5})", rest) or re.search(
        r"(\d{3,5})()\s*(?:px|pixels?)\s*(?:wide|across|camera|sensor|chip)", rest
    )
    if m is None:
        return rest
    found["width_px"] = float(m.group(1))
    found["height_px"] = float(m.group(2) or m.group(1))
    return f"{rest[: m.start()]} , {rest[m.end() :]}"


def _wavelength(rest: str, found: Amounts) -> None:
    m = re.search(rf"{_N}\s*(?:nm|nanomet\w+)\b(?!\s*(?:per|/)\s*p)", rest)
    if m and "wavelength_nm" not in found and 200 <= float(m.group(1)) <= 1600:
        found["wavelength_nm"] = float(m.group(1))
    for dye, peak in _EMISSION.items():
        if "wavelength_nm" not in found and re.search(rf"\b{dye}\b", rest.replace("fluor ", "").replace("-", " ")):
            found["wavelength_nm"] = float(peak)


def _magnification(rest: str, found: Amounts) -> None:
    m = re.search(rf"(?<![\w.]){_N}\s*-?x(?![a-z0-9])", rest) or re.search(rf"(?<![a-z0-9])x\s?{_N}\b", rest)
    m = (
        m
        or re.search(rf"magnification{_IS}{_N}", rest)
        or re.search(rf"{_N}\s*(?:times|fold)\s*(?:objective|magnification|lens)", rest)
    )
    if m:
        found["magnification"] = float(m.group(1))


def _camera(rest: str, found: Amounts) -> None:
    """A bare length of some µm beside a magnification is the camera's pixel."""
    m = re.search(rf"{_N}\s*{_UM}", rest)
    if (
        m
        and "magnification" in found
        and not {"camera_um", "pixel_um", "bar_um"} & set(found)
        and 1.5 <= _um(m.group(1), m.group(2)) <= 30
    ):
        found["camera_um"] = _um(m.group(1), m.group(2))


def _share(rest: str, found: Amounts) -> str:
    """ "12 of 80", "from 300 to 75": two numbers that belong together."""
    m = re.search(rf"{_N}\s*(?:out\s+)?of\s+(?:the\s+)?{_N}", rest) or re.search(rf"from\s+{_N}\s*\S*\s+to\s+{_N}", rest)
    if m is None:
        return rest
    found["first"], found["second"] = float(m.group(1)), float(m.group(2))
    return f"{rest[: m.start()]} , {rest[m.end() :]}"


def _settled(found: Amounts) -> Amounts:
    """What the numbers must be, given each other: µm pixels beside a magnification are the camera's; 80 (power) is 0.8."""
    if "pixel_um" in found and "camera_um" not in found and "magnification" in found and found["pixel_um"] > 1.5:
        found["camera_um"] = found.pop("pixel_um")
    for share in ("power", "alpha"):
        if found.get(share, 0) > 1:
            found[share] /= 100
    return found
