"""Which objects meet a condition: quantities against limits, the border, touching, colours, looks and states in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ...data.image import MicroImage
from ...errors import EvidenceError, UnitsError
from ..knowledge.notes import nearest
from ..language.conditions import Both, Color, Comparison, Condition, Flag, Is, Not
from .contact import groups
from .kinds import of_state
from .quantities import ALIASES, QUANTITIES, named, statistic
from .selection import Selection

_OPS: Mapping[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "==": np.isclose,
}  # fmt: skip
COLOURS = {
    "red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "cyan": (0, 1, 1), "magenta": (1, 0, 1), "yellow": (1, 1, 0),
    "white": (1, 1, 1),
    "grey": (1, 1, 1), "gray": (1, 1, 1), "orange": (1, 0.6, 0), "purple": (0.6, 0, 1), "violet": (0.6, 0, 1), "pink": (1, 0.4,
    0.7),
}  # fmt: skip
"""Colours that a channel may be shown in, as red, green and blue."""

LOOKS: Mapping[str, tuple[str, str, float]] = {
    "round": ("roundness", ">=", 0.8), "circular": ("roundness", ">=", 0.8), "spherical": ("roundness", ">=", 0.8),
    "elongated": ("aspect_ratio", ">=", 2.0),
    "rod-shaped": ("aspect_ratio", ">=", 2.0), "oval": ("aspect_ratio", "oval", 1.15), "elliptical": ("aspect_ratio", "oval",
    1.15),
    "irregular": ("solidity", "<", 0.88), "deformed": ("solidity", "<", 0.88), "smooth": ("solidity", ">=", 0.93),
    "angular": ("roundness", "<", 0.75),
    "straight": ("solidity", ">=", 0.9), "lobed": ("solidity", "<", 0.88), "spindle-shaped": ("aspect_ratio", ">=", 2.5),
    "flat": ("aspect_ratio", ">=", 2.0),
    "needle-shaped": ("aspect_ratio", ">=", 4.0), "thin": ("aspect_ratio", ">=", 3.0), "vertical": ("orientation", "near 0",
    30.0),
    "horizontal": ("orientation", "near 90", 30.0),
}  # fmt: skip
"""Words for a shape, with the quantity that decides them."""
RELATIVE: Mapping[str, tuple[str, str]] = {
    "large": ("area", ">"), "big": ("area", ">"), "small": ("area", "<"), "tiny": ("area", "<"), "giant": ("area", ">"),
    "bright": ("intensity", ">"),
    "dim": ("intensity", "<"), "dark": ("intensity", "<"), "pale": ("intensity", ">"), "faint": ("intensity", "<"),
    "light": ("intensity", ">"),
    "long": ("length", ">"), "short": ("length", "<"), "thick": ("width", ">"), "wide": ("width", ">"),
    "isolated": ("nearest_neighbour", ">"),
    "lone": ("nearest_neighbour", ">"), "single": ("nearest_neighbour", ">"),
}  # fmt: skip
"""Words that compare with the others: beyond half as much again as the median, or below two thirds of it."""
_MORE, _LESS = 1.5, 2 / 3
_FEW = 2**22  # pixels that tell the ground
_LIKE = 0.85
"""Likeness, a cosine, from which an unknown word for a look is taken for one that is known ("huge" for "big")."""


def meets(found: Selection, condition: Condition) -> np.ndarray:
    """Which rows meet a condition.

    Raises
    ------
    EvidenceError : a look or state that pixels do not show, or that the eyes have not learned.
    """
    match condition:
        case Both(parts, how):
            masks = [meets(found, part) for part in parts]
            return np.asarray(np.all(masks, axis=0) if how == "and" else np.any(masks, axis=0))
        case Not(part):
            return ~meets(found, part)
        case Flag(name):
            return _flagged(found, name)
        case Comparison():
            return _tested(found, condition)
        case Color(name):
            return _coloured(found, name.lower())
        case Is(text):
            return _looks(found, text.lower().strip())


def _flagged(found: Selection, name: str) -> np.ndarray:
    if name == "border":
        return found.table["touches_border"].to_numpy(bool)
    if name == "touching":
        together = {label for group in groups(found.objects) for label in group}
        return np.asarray(found.table["label"].isin(together))
    if name == "saturated":
        top = float(np.iinfo(found.image.dtype).max) if found.image.dtype.kind in "iu" else 1.0
        columns = [c for c in found.table.columns if c.startswith("max_intensity")]
        return np.asarray(found.table[columns].to_numpy(float).max(axis=1) >= top)
    return _sharp(found)


def _sharp(found: Selection) -> np.ndarray:
    """Objects whose steepest edges are not much wider than the sharpest of the picture."""
    spread = [c for c in found.table.columns if c.startswith("std_intensity")]
    values = found.table[spread].to_numpy(float).mean(axis=1)
    return values >= 0.5 * np.percentile(values, 75) if len(values) else np.zeros(0, bool)


def _tested(found: Selection, test: Comparison) -> np.ndarray:
    name = ALIASES.get(test.quantity, test.quantity)
    if name not in QUANTITIES:
        return _looks(found, f"{test.quantity} {test.op} {test.limit.value:g}")
    asked = f"{name}({test.channel})" if test.channel else name
    limit = test.limit
    if test.op in ("top", "bottom"):
        measured, _ = found.values(asked)
        n = round(len(measured) * limit.value / 100) if limit.unit == "%" else int(limit.value)
        chosen = np.zeros(len(measured), bool)
        chosen[found.ranked(measured, "max" if test.op == "top" else "min")[: max(n, 0)]] = True
        return chosen
    unit = "" if limit.unit in ("grey", "deg", "%") else limit.unit
    measured, natural = found.values(asked, unit)
    if not unit and natural in ("um", "um2", "um3") and not limit.of:
        raise UnitsError(
            f"{named(name)} {test.op} {limit.value:g} needs its unit: {limit.value:g} µm{natural[2:]} or {limit.value:g} "
            f"px{natural[2:]}?"
        )
    value = limit.value / 100 if limit.unit == "%" and name in ("score", "solidity", "roundness", "eccentricity") else limit.value
    finite = measured[np.isfinite(measured)]
    if limit.of and len(finite):
        value = limit.value * statistic(finite, limit.of) + limit.spread * statistic(finite, "sd")
    return np.asarray(_OPS[test.op](measured, value) & np.isfinite(measured))


def _coloured(found: Selection, name: str) -> np.ndarray:
    """Objects of a colour: by their mean red, green and blue, or, in a channel shown in that colour, all of it."""
    if not found.image.rgb:
        if found.channel is not None or name in ("white", "grey", "gray"):
            return np.ones(len(found), bool)
        if name in ("black", "dark"):
            return _looks(found, "dark")
        raise EvidenceError(f"{found.image.name} is a grey picture, so nothing in it is {name}")
    columns = [[c for c in found.table.columns if c.startswith("mean_intensity")][k] for k in range(3)]
    top = float(np.iinfo(found.image.dtype).max) if found.image.dtype.kind in "iu" else 1.0
    return np.array([name in colour_names(rgb / top) for rgb in found.table[columns].to_numpy(float)], bool)


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
    r, g, b = rgb
    hue = np.degrees(np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b)) % 360
    pale = (high - low) / high < 0.35
    for end, names in (
        (15, ("red", "pink") if pale else ("red",)),
        (42, ("orange", "brown", "tan")),
        (70, ("yellow",)),
        (165, ("green",)),
        (200, ("cyan", "turquoise", "blue")),
        (252, ("blue",)),
        (300, ("purple", "violet", "blue")),
        (345, ("magenta", "pink", "purple", "red") if pale else ("magenta", "pink", "purple")),
        (361, ("red", "pink")),
    ):
        if hue < end:
            return set(names) | ({"dark"} if high < 0.35 else set())
    return {"red"}


def colour_channel(img: MicroImage, colour: str) -> str | None:
    """The channel that is shown in a colour; None where none is, or the picture is a colour picture."""
    if img.rgb or "c" not in img.axes or colour not in COLOURS:
        return None
    wanted = np.array(COLOURS[colour], float)
    near = [(float(np.abs(_rgb(c.color) - wanted).max()), c.name) for c in img.channels if c.color is not None]
    best = min(near, default=(1.0, ""))
    return best[1] if best[0] < 0.35 else None


def _rgb(text: str) -> np.ndarray:
    """``#rrggbb`` as red, green and blue from 0 to 1."""
    return np.array([int(text.lstrip("#")[k : k + 2], 16) for k in (0, 2, 4)]) / 255


def _looks(found: Selection, text: str) -> np.ndarray:
    """A look or state in words: a shape that a quantity decides, a comparison with the others, or a kind the model knows."""
    plain = text.replace(" shaped", "-shaped")
    if plain in LOOKS:
        return _shaped(found, *LOOKS[plain])
    if plain in RELATIVE:
        return _among_others(found, *RELATIVE[plain])
    if plain in ("touching", "clumped", "in contact", "overlapping"):
        return _flagged(found, "touching")
    if plain in ("cut", "cut off", "incomplete", "at the border"):
        return _flagged(found, "border")
    try:
        return of_state(found, plain)
    except EvidenceError:
        like = nearest(f"{plain} object", tuple(f"{word} object" for word in (*LOOKS, *RELATIVE)), _LIKE)
        if not like:
            raise
        return _looks(found, like[0].removesuffix(" object"))


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


def _shaped(found: Selection, quantity: str, op: str, value: float) -> np.ndarray:
    measured, _ = found.values(quantity)
    if op == "oval":
        return np.asarray((measured >= value) & (measured < 2.5))
    if op.startswith("near"):
        target = float(op.split()[1])
        off = np.abs((measured - target + 90) % 180 - 90)
        return np.asarray(off <= value)
    return np.asarray(_OPS[op](measured, value))
