"""Which objects meet a condition: quantities against limits, the border, touching, colours, and looks, states and kinds in
words: what a quantity decides or the model has learned, or an honest no."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ...data.image import MicroImage
from ...errors import EvidenceError, UnitsError
from ...models.ontology import ontology
from ...models.wording import plural
from ..knowledge.notes import likenesses, nearest
from ..language.conditions import Both, Color, Comparison, Condition, Flag, Is, Not
from ..words.tables import table
from .eyes import FLOOR, concept_of, knows, load, named
from .finding import everything
from .quantities import ALIASES, QUANTITIES, statistic
from .quantities import named as called
from .selection import Selection

OPS: Mapping[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "==": np.isclose,
}  # fmt: skip
_MORE, _LESS, _OVAL = 1.5, 2 / 3, 2.5
_FEW = 2**22  # pixels that tell the ground
_LIKE = 0.85
"""Likeness, a cosine, from which an unknown word for a look is taken for one that is known ("huge" for "big")."""
_NEAR, _LONGEST, _LONGER = 0.65, 5, 0.03
"""Likeness from which a few words are taken for the look of a kind; how many words at most; and what each more counts among
several."""


def meeting(found: Selection, condition: Condition) -> Selection:
    """The objects that meet a condition; words that were taken for others are kept in ``found["words_taken"]``."""
    taken: dict[str, str] = {}
    rows = found.rows(_meets(found, condition, taken))
    if not taken:
        return rows
    told = {**found.found, "words_taken": {**found.found.get("words_taken", {}), **taken}}
    return replace(rows, found=told)


def _meets(found: Selection, condition: Condition, taken: dict[str, str]) -> np.ndarray:
    match condition:
        case Both(parts, how):
            masks = [_meets(found, part, taken) for part in parts]
            return np.asarray(np.all(masks, axis=0) if how == "and" else np.any(masks, axis=0))
        case Not(part):
            return ~_meets(found, part, taken)
        case Flag(name):
            return _flagged(found, name)
        case Comparison():
            return _tested(found, condition, taken)
        case Color(name):
            return _coloured(found, name.lower(), taken)
        case Is(text):
            return _looks(found, text.lower().strip(), taken)


def _flagged(found: Selection, name: str) -> np.ndarray:
    if name == "border":
        return found.table["touches_border"].to_numpy(bool)
    if name == "touching":
        return np.asarray(found.table["label"].isin({label for group in found.groups() for label in group}))
    stem = "max_intensity" if name == "saturated" else "std_intensity"
    values = found.table[[c for c in found.table.columns if c.startswith(stem)]].to_numpy(float)
    if name == "saturated":
        return np.asarray(values.max(axis=1) >= _top(found.image))
    sharp = values.mean(axis=1)  # edges not much less steep than those of the sharpest objects
    return sharp >= 0.5 * np.percentile(sharp, 75) if len(sharp) else np.zeros(0, bool)


def _top(img: MicroImage) -> float:
    return float(np.iinfo(img.dtype).max) if img.dtype.kind in "iu" else 1.0


def _tested(found: Selection, test: Comparison, taken: dict[str, str]) -> np.ndarray:
    name, limit = ALIASES.get(test.quantity, test.quantity), test.limit
    if name not in QUANTITIES:
        return _looks(found, f"{test.quantity} {test.op} {limit.value:g}", taken)
    asked = f"{name}({test.channel})" if test.channel else name
    measured, natural = found.values(asked, "" if limit.unit in ("grey", "deg", "%") else limit.unit)
    if test.op in ("top", "bottom"):
        n = round(len(measured) * limit.value / 100) if limit.unit == "%" else int(limit.value)
        chosen = np.zeros(len(measured), bool)
        chosen[found.ranked(measured, "max" if test.op == "top" else "min")[: max(n, 0)]] = True
        return chosen
    if limit.unit in ("", "grey", "deg", "%") and natural in ("um", "um2", "um3") and not limit.of:
        units = " or ".join(f"{limit.value:g} {unit}{natural[2:]}" for unit in ("µm", "px"))
        raise UnitsError(f"{called(name)} {test.op} {limit.value:g} needs its unit: {units}?")
    value = limit.value / 100 if limit.unit == "%" and name in ("score", "solidity", "roundness", "eccentricity") else limit.value
    finite = measured[np.isfinite(measured)]
    if limit.of and len(finite):
        value = limit.value * statistic(finite, limit.of) + limit.spread * statistic(finite, "sd")
    return np.asarray(OPS[test.op](measured, value) & np.isfinite(measured))


def _coloured(found: Selection, name: str, taken: dict[str, str]) -> np.ndarray:
    """Objects of a colour: by their mean red, green and blue, or, in a channel shown in that colour, all of it."""
    if not found.image.rgb:
        if found.channel is not None or name in ("white", "grey", "gray"):
            return np.ones(len(found), bool)
        if name in ("black", "dark"):
            return _looks(found, "dark", taken)
        raise EvidenceError(f"{found.image.name} is a grey picture, so nothing in it is {name}")
    columns = [c for c in found.table.columns if c.startswith("mean_intensity")][:3]
    return np.array([name in colour_names(rgb / _top(found.image)) for rgb in found.table[columns].to_numpy(float)], bool)


def colour_names(rgb: np.ndarray) -> set[str]:
    """What people call a colour ``(3,)`` of 0 to 1: purple is also violet, a dark one also black.

    >>> sorted(colour_names(np.array([0.8, 0.1, 0.1])))
    ['red']
    """
    low, high = float(rgb.min()), float(rgb.max())
    if high < 0.2:
        return {"black", "dark"}
    if high - low < 0.08:
        return {"white", "pale"} if low > 0.85 else {"grey", "gray"}
    names = next(names for end, names in table("looks")["near_hue"].items() if hue_of(rgb) < float(end))
    pale = (high - low) / high < 0.35
    said = (names.replace("(", "").replace(")", "") if pale else re.sub(r"\(.*\)", "", names)).split()
    return {*said, "dark"} if high < 0.35 else set(said)


def hue_of(rgb: np.ndarray) -> np.ndarray:
    """Hue in degrees of red, green and blue ``(3, ...)``."""
    red, green, blue = rgb
    return np.asarray(np.degrees(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)) % 360)


def colour_channel(img: MicroImage, colour: str) -> str | None:
    """The channel that is shown in a colour; None where none is, or the picture is a colour picture."""
    colours = table("looks")["colour"]
    if img.rgb or "c" not in img.axes or colour not in colours:
        return None
    wanted = np.array(colours[colour])
    near = [(float(np.abs(_rgb(c.color) - wanted).max()), c.name) for c in img.channels if c.color is not None]
    best = min(near, default=(1.0, ""))
    return best[1] if best[0] < 0.35 else None


def _rgb(text: str) -> np.ndarray:
    """``#rrggbb`` as red, green and blue from 0 to 1."""
    return np.array([int(text.lstrip("#")[k : k + 2], 16) for k in (0, 2, 4)]) / 255


def _looks(found: Selection, text: str, taken: dict[str, str]) -> np.ndarray:
    """A look or state in words: a shape that a quantity decides, a comparison with the others, or a kind the model knows."""
    plain, words = text.replace(" shaped", "-shaped"), table("looks")
    if plain in words["look"]:
        return _shaped(found, *words["look"][plain])
    if plain in words["relative"]:
        return _among_others(found, *words["relative"][plain])
    flag = next((flag for flag, said in words["flag"].items() if plain in said), None)
    if flag is not None:
        return _flagged(found, flag)
    try:
        return _of_state(found, plain)
    except EvidenceError:
        like = nearest(f"{plain} object", tuple(f"{word} object" for word in (*words["look"], *words["relative"])), _LIKE)
        if not like:
            raise
        taken[plain] = like[0].removesuffix(" object")
        return _looks(found, taken[plain], taken)


def _shaped(found: Selection, quantity: str, op: str, value: float) -> np.ndarray:
    measured, _ = found.values(quantity)
    if op == "oval":
        return np.asarray((measured >= value) & (measured < _OVAL))
    if op.startswith("near"):
        return np.asarray(np.abs((measured - float(op.split()[1]) + 90) % 180 - 90) <= value)
    return np.asarray(OPS[op](measured, value))


def _among_others(found: Selection, quantity: str, op: str) -> np.ndarray:
    """Objects that stand out from the others; all of them where none does but they are so against what lies around them, as the
    dark nuclei of a bright picture are."""
    measured, _ = found.values(quantity)
    middle = float(np.nanmedian(measured)) if len(measured) else 0.0
    apart = np.asarray(measured > _MORE * middle if op == ">" else measured < _LESS * middle)
    if quantity != "intensity" or apart.any() or not len(measured):
        return apart
    ground = float(np.nanmedian(found.image.read(found.image.level_for(_FEW))))
    return np.full(len(measured), middle > ground if op == ">" else middle < ground)


def _of_state(found: Selection, text: str) -> np.ndarray:
    """Which of the objects are what a word says, where the model has learned it: no pixels are asked, and nothing is guessed."""
    if "name" in found.table:  # of corrected or given tables
        names = found.table["name"].astype(str).str.lower()
        own = np.asarray((names == text) | (names == f"{text} {found.kind}"))
        if own.any():
            return own
    eyes = str(found.found.get("eyes", FLOOR))
    for name in (f"{text} {found.kind}", text, by_look(found.kind, text)):
        concept = concept_of(name) if name else None
        if concept is None or eyes == FLOOR or not knows(load(eyes), name):
            continue
        own = named(found.table, concept)
        return own if own.any() else _overlapping(found, concept, eyes)
    why = f"I cannot tell which {found.many} are {text}: that is neither a shape nor a brightness, and I have not learned it"
    raise EvidenceError(
        f"{why}. A condition that can be measured would do, for example larger, brighter or rounder than something"
    )


def by_look(kind: str, *said: str) -> str:
    """The narrower kind whose look is what is said ("spiky" of red cells: burr cell); empty where none is near.

    >>> by_look("red blood cell", "bullseye pattern"), by_look("red blood cell", "who made this")
    ('target cell', '')
    """
    known = ontology()
    looks = {look: name for name in known.descendants(concept_of(kind) or "cell") for look in known[name].looks}
    general = {*kind.split(), *plural(kind).split(), "cell", "cells", "type", "kind"}
    words = [re.findall(r"[\w'-]+", text.lower()) for text in said]
    parts = [w[k : k + n] for w in words for n in range(1, _LONGEST + 1) for k in range(len(w) - n + 1)]
    parts = [p for p in parts if not {p[0], p[-1]} & general]
    if not looks or not parts:
        return ""
    likeness = likenesses([" ".join(p) for p in parts], tuple(looks))
    length = np.array([[len(p)] for p in parts])
    at, best = np.unravel_index(int((likeness + _LONGER * length).argmax()), likeness.shape)
    return list(looks.values())[best] if likeness[at, best] >= _NEAR else ""


def _overlapping(found: Selection, concept: str, eyes: str) -> np.ndarray:
    """Which objects hold the centre of something the model names so, or lie where it sees it."""
    seen = everything(found.image, eyes, found.channel)
    rows = seen.table[named(seen.table, concept)]
    if not len(rows):
        return np.zeros(len(found), bool)
    plane = found.label_plane()
    at = (np.clip(np.round(rows[f"centroid_{a}_px"]).astype(int), 0, n - 1) for a, n in zip("yx", plane.shape, strict=True))
    return np.asarray(found.table["label"].isin(set(plane[tuple(at)].tolist()) - {0}))
