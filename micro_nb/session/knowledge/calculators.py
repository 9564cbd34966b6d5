"""Which calculator a question asks for, and which of its quantities are still missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .amounts import Amounts, converted

_CAMERA = ("camera_um", "magnification")
_OPTICS = ("wavelength_nm",)


@dataclass(frozen=True)
class Calculator:
    """One calculation.

    Attributes
    ----------
    tool : the tool that does it.
    asks : pattern of the questions that want it.
    needs : quantities it cannot do without; a tuple of tuples are choices, of which one must be complete.
    takes : quantities it may also use.
    sure : quantities of which one must stand in the question itself, so that it is a calculation and no measurement.
    """

    tool: str
    asks: str
    needs: tuple[tuple[str, ...], ...]
    takes: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()

    def missing(self, amounts: Amounts) -> tuple[str, ...]:
        """Quantities that are still needed, of the choice nearest to complete; empty where it can be computed."""
        lacking = [(tuple(name for name in choice if name not in amounts), len(choice)) for choice in self.needs]
        return min(lacking, key=lambda c: (len(c[0]), len(c[0]) - c[1]))[0]

    def arguments(self, amounts: Amounts) -> Iterator[tuple[str, float]]:
        """What of the amounts it uses."""
        choice = next((c for c in self.needs if all(name in amounts for name in c)), ())
        yield from ((name, amounts[name]) for name in (*choice, *self.takes) if name in amounts)


CALCULATORS: tuple[Calculator, ...] = (
    Calculator(
        "data_size",
        (
            r"file size|how (?:many|much) (?:gb|gigabytes?|mb|megabytes?|memory|disk|storage|space)|how (?:big|large) "
            r"(?:is|will|would|are) .*(?:stack|file|data|bit)|storage|disk space|gigabyte"
        ),
        (("width_px", "height_px"),),
        ("bits", "channels", "slices", "frames"),
        ("width_px",),
    ),
    Calculator("spin_force", r"\brcf\b|g.?force|centrifug|\brpm\b", (("rpm", "radius_cm"),), (), ("rpm",)),
    Calculator(
        "chamber_concentration",
        r"per ml|cells/ml|concentration|ha?emocytometer|neubauer|counting chamber|cell density in the",
        (("n", "squares"),),
        ("dilution",),
        ("squares", "dilution"),
    ),
    Calculator("doubling_time", r"doubling", (("first", "second", "hours"),), (), ("hours", "first")),
    Calculator("closure", r"clos(?:ure|ed|ing)|healed|wound|scratch|\bgap\b", (("first", "second"),), (), ("first",)),
    Calculator(
        "detection_scores",
        r"\bf.?1\b|f.?score|precision|recall|sensitivity|\bap\b",
        (("true_positives", "false_positives", "false_negatives"),),
        (),
        ("true_positives", "false_positives"),
    ),
    Calculator("overlap_scores", r"dice|iou|jaccard", (("iou",), ("dice",)), (), ("iou", "dice")),
    Calculator(
        "measurements_needed",
        (
            r"how many (?!.*(?:groups?|effect|power)).*(?:within|±|\+/?-|margin|precision|relative error)|to (?:get|"
            r"reach|have|know|estimate) .*(?:within|±|margin|precision)"
        ),
        (("margin", "sd"), ("margin", "cv")),
        (),
        ("margin", "cv"),
    ),
    Calculator(
        "achieved_power",
        r"(?:what|which|how much) (?:statistical )?power|power (?:do|would|will|is|of|have|with|for)\b(?!.*how many)",
        (("n", "effect"), ("n", "difference", "sd")),
        ("alpha",),
        ("effect", "difference", "n"),
    ),
    Calculator(
        "sample_size",
        (
            r"sample size|how many (?:independent |biological )?(?:samples|replicates|animals|mice|rats|wells|dishes|"
            r"cultures|experiments|donors|subjects|n\b|do i need|per group)|n per group|power|replicates (?:do|are|would)"
        ),
        (("effect",), ("difference", "sd")),
        ("power", "alpha"),
        ("effect", "difference", "sd"),
    ),
    Calculator(
        "mean_interval", r"standard error|\bsem\b|\bci\b|confidence|error bars?|interval", (("sd", "n"),), ("mean",), ("sd",)
    ),
    Calculator(
        "share_interval",
        r"interval|confidence|\bci\b|uncertain|error|what percent|percentage|how sure|precise",
        (("first", "second"),),
        (),
        ("first",),
    ),
    Calculator(
        "count_error",
        (
            r"(?:error|uncertainty|precision|accura\w+|how (?:sure|precise|certain|exact)).*count|poisson|count(?:ing|"
            r"ed)?.*(?:error|uncertain|precis)"
        ),
        (("n",),),
        (),
        ("n",),
    ),
    Calculator(
        "length_in_pixels",
        r"how (?:many|long).*(?:px|pixels?)|scale ?bar|bar in (?:px|pixels)|in (?:px|pixels)\b",
        (("bar_um", "pixel_um"),),
        (),
        ("bar_um",),
    ),
    Calculator("calibrated_pixel", r"pixel size|um per|calibrat|um/px", (("bar_um", "length_px"),), (), ("length_px", "bar_um")),
    Calculator(
        "pixels_in_um",
        r"in (?:um|microns|micromet)|how (?:long|wide|big|large|many um|many microns)|what length",
        (("length_px", "pixel_um"),),
        (),
        ("length_px",),
    ),
    Calculator("total_magnification", r"total magnification|magnification", (("magnification", "eyepiece"),), (), ("eyepiece",)),
    Calculator("eyepiece_field", r"field|fov|see", (("field_number", "magnification"),), (), ("field_number",)),
    Calculator(
        "camera_field",
        (
            r"field of view|\bfov\b|field (?:size|width|area)|how (?:big|large|wide|much).*(?:field|view|image|see|area)|"
            r"area (?:do|will|can) i"
        ),
        (("width_px", "pixel_um"),),
        ("height_px",),
        ("width_px", "camera_um"),
    ),
    Calculator(
        "needed_magnification",
        (
            r"(?:which|what|how much|minimum|lowest|smallest|needed?|necessary|required?) (?:\w+ ){0,2}magnification|"
            r"magnification (?:do|is|should|would|needed|required)"
        ),
        (("na", "camera_um"),),
        (*_OPTICS, "binning"),
        ("na", "camera_um"),
    ),
    Calculator(
        "nyquist",
        (
            r"nyquist|over.?sampl|under.?sampl|sampl(?:ed|ing)|fine enough|small enough|pixel size (?:do|should|is "
            r"needed|needed|required|for)|(?:pixels?|camera) (?:\w+ )?(?:suit|match|fit)"
        ),
        (("na",),),
        (*_OPTICS, "pixel_um"),
        ("na",),
    ),
    Calculator(
        "axial_resolution",
        (
            r"z.?step|z.?spacing|z.?interval|step size|slice spacing|z.?stack|axial|resolution (?:in|along) z|"
            r"z.?resolution|depth resolution"
        ),
        (("na",),),
        (*_OPTICS, "index"),
        ("na",),
    ),
    Calculator(
        "depth_of_field", r"depth of (?:field|focus)|\bdof\b|focal depth", (("na",),), (*_OPTICS, "index", "pixel_um"), ("na",)
    ),
    Calculator(
        "resolution",
        (
            r"resol|abbe|rayleigh|diffraction|airy|smallest (?:distance|detail|structure|thing|feature|object)|(?:can|"
            r"could) i (?:see|separate|distinguish)|how (?:small|fine)"
        ),
        (("na",),),
        _OPTICS,
        ("na", "wavelength_nm"),
    ),
    Calculator(
        "camera_pixel_size",
        (
            r"pixel.?size|um (?:per|/) ?(?:px|pixel)|size of (?:a|one|the) pixel|how (?:big|large) is (?:a|one) pixel|"
            r"pixel(?:s)? (?:be|in the (?:image|sample))|sampling|effective pixel|microns? per pixel|calibration"
        ),
        (_CAMERA,),
        ("relay", "binning"),
        ("camera_um", "magnification"),
    ),
)
_BY_TOOL = {c.tool: c for c in CALCULATORS}


def by_tool(tool: str) -> Calculator | None:
    """The calculator of this tool; None where it is none."""
    return _BY_TOOL.get(tool)


def wanted(text: str, new: Amounts, amounts: Amounts) -> Calculator | None:
    """The calculator a text asks for, given what it states (``new``) and all that is known (``amounts``); None where none.

    >>> wanted("Nyquist pixel for NA 1.4?", {"na": 1.4}, {"na": 1.4}).tool
    'nyquist'
    """
    plain = text.lower().replace("µ", "u").replace("μ", "u")
    asked = [c for c in CALCULATORS if re.search(c.asks, plain) and any(name in new for name in c.sure)]
    asked += [c for c in CALCULATORS if c not in asked and re.search(c.asks, plain) and any(n in amounts for n in c.sure)]
    return min(asked, key=lambda c: bool(c.missing(completed(amounts))), default=None)


def unstated(text: str) -> Calculator | None:
    """The calculator for a question about one's own instrument that states no number ("resolution of my objective?")."""
    plain = text.lower()
    own = re.search(r"\b(?:my|our) (?:\w+ )?(?:objective|lens|camera|microscope|setup|system)\b", plain)
    own = own and re.search(
        (
            r"\bwhat|\bwhich|\bcalculate|\bcompute|\bhow (?:big|large|small|fine)|^\s*(?:theoretical )?(?:resolution|"
            r"pixel size|nyquist)"
        ),
        plain,
    )
    return next((c for c in CALCULATORS if re.search(c.asks, plain) and {"na", "camera_um"} & set(c.sure)), None) if own else None


def completed(amounts: Amounts) -> Amounts:
    """The amounts with those that follow from others: the pixel size in the sample from camera and magnification."""
    if (
        "pixel_um" in amounts
        or not all(name in amounts for name in _CAMERA)
        or not amounts["magnification"] * amounts.get("relay", 1.0)
    ):
        return amounts
    pixel = amounts["camera_um"] * amounts.get("binning", 1.0) / (amounts["magnification"] * amounts.get("relay", 1.0))
    return amounts | {"pixel_um": pixel}


def conversion(text: str) -> tuple[tuple[str, float | str], ...] | None:
    """The arguments of a conversion of units, where one is asked for."""
    found = converted(text)
    return None if found is None else (("amount", found[0]), ("old", found[1]), ("new", found[2]))
