"""The words of :mod:`~micro_nb.tasks.search.terms` and what they ask of which measurement. Thresholds are shares of the view.

Columns: ``n_objects``; ``area_percent`` (of the view that objects cover); ``relative_size`` (diameter over the view's shorter
side, or over the median object); ``spacing`` (distance to the nearest neighbour in diameters); ``elongation`` (major over minor
axis); ``solidity``; ``object_contrast`` (-1..1 of the display range, dark objects below 0) and ``object_visibility`` (its size);
``background`` (0..1); ``<colour>_percent``; ``n_colors``; ``edge_width_px``.
"""

from __future__ import annotations

from typing import Literal

from .grades import Grade, above, below, highest, level_above, level_below, lowest, near, within

View = Literal["field", "object"]
Parts = tuple[tuple[str, Grade], ...]

NUMBERS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
    "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100, "single": 1, "lone": 1,
    "solitary": 1, "dozen": 12,
}  # fmt: skip
AMOUNTS: dict[str, Grade] = {
    "a couple of": near(2), "a couple": near(2), "a pair of": near(2), "pair of": near(2), "couple of": near(2),
    "a few": within(2, 6), "few": within(1, 8), "several": within(3, 12), "some": above(1.5), "multiple": above(1.5),
    "a handful of": within(3, 8), "dozens of": within(24, 100), "dozens": within(24, 100), "hundreds of": above(100, 1.5),
    "hundreds": above(100, 1.5), "many": above(25, 2.5), "numerous": above(25, 2.5), "lots of": above(25, 2.5),
    "a lot of": above(25, 2.5), "plenty of": above(20, 2.5), "abundant": above(25, 2.5), "countless": above(60, 2.0),
    "no": below(0.5), "without": below(0.5), "free of": below(0.5), "lacking": below(0.5), "devoid of": below(0.5),
    "absence of": below(0.5), "the most": highest(), "the fewest": lowest(),
}  # fmt: skip
NEGATIONS = ("no", "without", "free of", "lacking", "devoid of", "absence of")
FEWER = (
    "fewer than", "less than", "under", "below", "at most", "no more than", "up to", "not more than", "smaller than", "maximum",
)  # fmt: skip
AT_MOST = ("at most", "no more than", "not more than", "up to", "maximum")
MORE = (
    "more than", "over", "above", "at least", "no fewer than", "exceeding", "greater than", "larger than", "bigger than",
    "minimum",
)  # fmt: skip
AT_LEAST = ("at least", "no fewer than", "minimum")
ABOUT = ("about", "around", "roughly", "approximately", "some", "circa", "exactly", "only", "just")

_SPARSE: Parts = (("area_percent", below(10.0, 2.0)), ("spacing", above(2.4, 1.5)))
_CROWDED: Parts = (("spacing", below(1.7, 1.3)), ("n_objects", above(25, 2.0)))
_CLUSTERED: Parts = (("spacing", below(1.5, 1.25)),)
_FULL: Parts = (("area_percent", above(28.0, 1.5)),)
_EMPTY: Parts = (("n_objects", below(1, 2.0)), ("area_percent", below(1.0, 2.0)))
_LONG: Parts = (("elongation", above(1.7, 1.2)),)
_OVAL: Parts = (("elongation", within(1.2, 1.9, 1.12)),)
_ROUND: Parts = (("elongation", below(1.25, 1.1)),)
_RAGGED: Parts = (("solidity", level_below(0.88, 0.04)),)
_BRIGHT: Parts = (("object_contrast", level_above(0.12, 0.08)),)
_DARK: Parts = (("object_contrast", level_below(-0.12, 0.08)),)
_FAINT: Parts = (("object_visibility", level_below(0.18, 0.06)),)
_BLURRED: Parts = (("edge_width_px", above(9.0, 1.3)),)
_SHARP: Parts = (("edge_width_px", below(9.0, 1.3)),)
_MANY_COLORS: Parts = (("n_colors", above(1.9, 1.15)),)

DESCRIPTIONS: dict[str, Parts] = {
    **dict.fromkeys(("sparse", "sparsely", "scattered", "isolated", "widely spaced", "low density", "well separated"), _SPARSE),
    **dict.fromkeys(
        ("crowded", "dense", "densely", "packed", "high density", "overcrowded", "close together", "crammed", "teeming"), _CROWDED
    ),
    **dict.fromkeys(("clustered", "clustering", "clumped", "clumps", "aggregated", "touching", "overlapping"), _CLUSTERED),
    **dict.fromkeys(("filling", "fills", "fill", "confluent", "covering", "full of", "covered with", "covered by"), _FULL),
    **dict.fromkeys(("empty", "blank", "nothing"), _EMPTY),
    **dict.fromkeys(("elongated", "elongate", "long", "spindle", "spindly", "rod", "stretched", "fibrous", "filamentous"), _LONG),
    **dict.fromkeys(("oval", "ovals", "elliptical", "elliptic", "ellipsoid", "ovoid", "egg shaped"), _OVAL),
    **dict.fromkeys(("round", "rounded", "circular", "spherical", "spheres", "disc shaped"), _ROUND),
    **dict.fromkeys(("irregular", "irregularly", "ragged", "lobed", "branched", "star shaped"), _RAGGED),
    **dict.fromkeys(("bright", "brightly", "glowing", "intense", "luminous"), _BRIGHT),
    **dict.fromkeys(("dark", "darkly"), _DARK),
    **dict.fromkeys(("faint", "faintly", "dim", "weak", "weakly", "pale", "low contrast"), _FAINT),
    **dict.fromkeys(("blurred", "blurry", "out of focus", "defocused", "unsharp", "unfocused"), _BLURRED),
    **dict.fromkeys(("sharp", "in focus", "crisp", "well focused"), _SHARP),
    **dict.fromkeys(("multichannel", "multi channel", "multicolor", "multi color", "multicolored"), _MANY_COLORS),
    "largest": (("relative_size", highest()),), "biggest": (("relative_size", highest()),),
    "smallest": (("relative_size", lowest()),), "densest": (("spacing", lowest()),), "sparsest": (("area_percent", lowest()),),
    "brightest": (("object_contrast", highest()),), "darkest": (("object_contrast", lowest()),),
    "longest": (("elongation", highest()),), "roundest": (("elongation", lowest()),),
    "sharpest": (("edge_width_px", lowest()),), "blurriest": (("edge_width_px", highest()),),
}  # fmt: skip
SIZES: dict[View, dict[str, Grade]] = {
    "field": {"tiny": below(0.03, 1.5), "small": below(0.06, 1.5), "large": above(0.1, 1.5), "huge": above(0.2, 1.5)},
    "object": {"tiny": below(0.5, 1.25), "small": below(0.75, 1.25), "large": above(1.35, 1.25), "huge": above(2.0, 1.25)},
}
SIZE_WORDS = {
    "tiny": "tiny", "minute": "tiny", "minuscule": "tiny", "small": "small", "little": "small", "smallish": "small",
    "large": "large", "big": "large", "sizeable": "large", "huge": "huge", "giant": "huge", "enormous": "huge",
}  # fmt: skip
COLORS = ("red", "pink", "purple", "violet", "magenta", "blue", "cyan", "green", "yellow", "orange", "brown", "gray")
SAME_COLOR = {"violet": "purple", "magenta": "pink", "cyan": "blue", "orange": "brown"}
NOT_A_COLOR = {"blood", "cell", "cells", "corpuscle", "corpuscles", "matter", "pulp", "count", "series"}
LIGHT = {
    "black": level_below(0.25, 0.06), "dark": level_below(0.3, 0.06), "white": level_above(0.75, 0.06),
    "bright": level_above(0.65, 0.06), "clear": level_above(0.65, 0.06), "light": level_above(0.6, 0.06),
    "gray": within(0.25, 0.75),
}  # fmt: skip
GROUND = {"background", "backgrounds", "ground", "backdrop"}
PARTS_OF_OBJECTS = {
    "centre", "center", "centres", "centers", "core", "cores", "middle", "pallor", "rim", "rims", "edge", "edges", "border",
    "borders", "halo", "halos",
}  # fmt: skip
"""After a look these say what part of an object looks so: a cell with a pale centre is not a pale cell."""
LIGHT_COLUMNS = ("object_contrast", "object_visibility")
VIEW_NOUNS = {"field", "fields", "frame", "image", "picture", "view", "photo", "micrograph", "plane", "panel", "tile"}
END = {
    *",;:./()", "in", "with", "on", "of", "and", "or", "filling", "per", "along", "at", "near", "inside", "under", "from", "but",
    "that",
    "which", "is", "are", "to", "by", "around", "between", "among", "next", "beside", "within", "without", "plus", "minus",
    "visible",
    "seen", "only",
}  # fmt: skip
UNITS = {
    "um": "um", "µm": "um", "micron": "um", "microns": "um", "micrometer": "um", "micrometers": "um", "px": "px", "pixels": "px",
}  # fmt: skip
