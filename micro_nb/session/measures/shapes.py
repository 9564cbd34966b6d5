"""Shapes in words: which word each object deserves, and words that people use for them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .selection import Selection

SHAPES = ("round", "oval", "elongated", "needle-shaped", "irregular")
_OVAL, _LONG, _NEEDLE = 1.25, 2.0, 5.0
_DENTED, _BENT = 0.88, 0.7
_FULL = {0.05: "sparse", 0.25: "loosely spread", 0.5: "dense", np.inf: "densely packed"}
MEANT: Mapping[str, frozenset[str]] = {
    "round": frozenset(("round", "circular", "spherical", "sphere", "ball", "coccus", "disc", "discoid", "spheroid", "amoeboid",
    "stubby", "mushroom", "equiaxed", "globular", "smooth")),
    "elongated": frozenset(("elongated", "rod", "rod-shaped", "bacillus", "long", "stringy", "thread", "filament", "fibre",
    "fiber", "fibrous", "cigar-shaped", "cigar", "spindle", "spindle-shaped",
                            "thin", "needle", "needle-shaped", "acicular", "tubular", "oxea", "style", "plate", "hypha",
                            "pennate", "columnar")),
    "oval": frozenset(("oval", "elliptical", "ellipsoid", "egg-shaped", "ovoid")),
    "irregular": frozenset(("irregular", "angular", "jagged", "ragged", "lobed", "ramified", "branched", "star-shaped",
    "dendritic", "deformed", "fragmented")),
}  # fmt: skip
"""Words for a shape, by the one they come to."""


def shape_of(objects: Selection) -> list[str]:
    """One of ``SHAPES`` for each object, from the ratio of length to width and solidity."""
    ratio, solidity = objects.values("aspect_ratio")[0], objects.values("solidity")[0]
    dented = (solidity < _BENT) | ((solidity < _DENTED) & (ratio < _LONG))
    tests = [dented, ratio >= _NEEDLE, ratio >= _LONG, ratio >= _OVAL]
    return [str(w) for w in np.select(tests, ["irregular", "needle-shaped", "elongated", "oval"], "round")]


def shape_meant(word: str) -> str | None:
    """The shape that a word comes to; None where it is none.

    >>> shape_meant("rods"), shape_meant("cocci"), shape_meant("yeast")
    ('elongated', 'round', None)
    """
    plain = word.strip().lower().replace(" shaped", "-shaped")
    one = {"cocci": "coccus", "bacilli": "bacillus", "hyphae": "hypha"}.get(plain, plain)
    return next((shape for shape, words in MEANT.items() if {one, one.removesuffix("s")} & words), None)


def packed(share: float) -> str:
    """How full of objects a picture is whose area they cover by this share: sparse, loosely spread, dense, densely packed.

    >>> packed(0.02), packed(0.6)
    ('sparse', 'densely packed')
    """
    return next(word for limit, word in _FULL.items() if share < limit)
