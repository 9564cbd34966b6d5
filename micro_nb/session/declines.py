"""Why a question is not answered, and what would make it answerable: data and one type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """A question that is not answered.

    Attributes
    ----------
    reason : why, as a sentence without numbers.
    remedy : what would make it answerable, as a sentence without numbers.
    """

    reason: str
    remedy: str


ABILITIES = (
    "I can count objects, measure their size, shape and brightness, give coverage and density, compare halves and quadrants, say "
    "where the largest or brightest object lies, and report grey values, focus, saturation and the facts of the file."
)

_SCALE = "Pass the size of a pixel when you open the image, open_image(path, pixel_size=...) in µm, or ask in pixels."
_LAB = "That needs the protocol or a further experiment; I can measure what is visible, such as counts, sizes and intensities."

DECLINES: Mapping[str, Decline] = {
    "no image": Decline("There is no image in this session, so nothing can be measured.", "Open one: Session(open_image(path))."),
    "no pixel size": Decline("This image has no pixel size, so I cannot give physical units.", _SCALE),
    "pixel size unknown": Decline("The pixel size of this image is not recorded, so its scale is not known.", _SCALE),
    "diagnosis": Decline(
        "I cannot give a diagnosis, clinical values or treatment advice from a picture.",
        "Please ask a physician or pathologist; I can measure what is visible, such as counts, sizes and shapes.",
    ),
    "identity": Decline("What a label, molecule, material or organism is cannot be determined from grey values.", _LAB),
    "time": Decline(
        "A single image cannot show how something changes in time.", "Open a time series of several frames and ask again."
    ),
    "cell cycle": Decline("The state of a cell cannot be determined from this picture alone.", _LAB),
    "significance": Decline(
        "I cannot test significance: a single picture holds no groups to compare, and objects of one field are not independent.",
        "Measure several fields of independent samples and compare their means.",
    ),
    "elsewhere": Decline("I cannot answer that; I only speak about microscope images.", ABILITIES),
    "advice": Decline("I cannot advise on this: I have no note on it to stand behind, and I do not make one up.", ABILITIES),
    "knowledge": Decline("I cannot explain this: I have no note on it to stand behind, and I do not make one up.", ABILITIES),
    "planes": Decline(
        "This image has several planes, and I cannot tell which one you mean.",
        "Choose a plane, Session(img.sel(z=...)), or a projection, Session(img.sel(project='max')).",
    ),
    "metadata": Decline("The file does not record this, so I cannot say it.", "Look it up in the acquisition protocol."),
    "bare number": Decline(
        "I do not know what the number in your question stands for.",
        "Name the quantity and the unit, for example an area above so many µm² or a diameter below so many µm.",
    ),
    "one image": Decline(
        "This session holds a single image, so there is no other to look at.",
        "Add one: chat.add(open_image(path), name='control'), then ask again.",
    ),
    "nothing before": Decline("There is no earlier answer to go back to.", ABILITIES),
    "unmeasured": Decline("I do not have a measurement for this.", ABILITIES),
    "wording": Decline("I measured this, but cannot word it safely.", "Read the evidence in answer.evidence."),
    "failed": Decline("This could not be measured.", "Read answer.declined for the cause."),
}  # fmt: skip


def kinds_unknown(many: str) -> Decline:
    """One kind of object among others, without trained weights."""
    return Decline(
        f"I cannot tell {many} from other objects: the segmentation at hand was not trained and knows no kinds.",
        "Ask for all objects, or narrow them by size or brightness; recognition by kind needs the trained model.",
    )


def not_trained(many: str) -> Decline:
    """A kind of object that the model at hand never saw."""
    return Decline(
        f"I cannot tell {many} from other objects: the model was not trained on them, and I do not guess.",
        "Ask for all objects, or narrow them by size or brightness; a model that was trained on such labels could be passed: "
        "Session(img, eyes=model).",
    )


_MEASURED = {"large", "small", "big", "tiny", "shape"}
_LIMIT = "please say from where on: an area above so many µm², an axis ratio above so much. "


def not_understood(words: tuple[str, ...], heard: str = "") -> Decline:
    """Words that could not be read, and what was; words with digits are not repeated."""
    shown = [w for w in dict.fromkeys(words) if w.isalpha() and len(w) <= 24][:4]
    quoted = ", ".join(f"“{w}”" for w in shown)
    rest = _LIMIT if set(shown) & _MEASURED else "please say the rest in other words. "
    told = f"I did understand that you ask for {heard}; {rest}" if heard else ""
    return Decline(f"I do not understand {quoted or 'this question'}, so I cannot answer it.", f"{told}{ABILITIES}")


def wrong_dimension(quantity: str) -> Decline:
    """A unit that the quantity cannot have."""
    if quantity == "area":
        return Decline(
            "An area cannot be given in that unit; it needs a square one.", "Ask for it in µm², or for the diameter in µm."
        )
    return Decline(f"The {quantity} cannot be given in that unit.", "Ask for a length in µm or px, or for the area in µm².")


def no_channel(asked: str) -> Decline:
    """A channel the image does not have."""
    name = f"“{asked}”" if asked.isalpha() and len(asked) <= 24 else "of that name"
    return Decline(f"This image has no such channel {name}.", "Ask for one of its channels by name.")
