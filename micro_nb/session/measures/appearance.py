"""What a picture looks like, measured: colours by name, background, and what that is consistent with. Never more than that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...analysis.whole import Whole, whole
from ...data.image import MicroImage
from .eyes import FLOOR, made_by
from .finding import everything
from .scene import Scene

NAMES = ("black", "grey", "white", "red", "orange", "brown", "yellow", "green", "cyan", "blue", "purple", "magenta", "pink")
SYNONYMS = {
    "gray": "grey", "violet": "purple", "indigo": "blue", "turquoise": "cyan", "teal": "cyan", "tan": "brown", "rose": "pink",
    "dark": "black", "navy": "blue",
    "lilac": "purple", "crimson": "red", "amber": "orange", "apple green": "green", "apple-green": "green", "clear": "white",
    "bright": "white", "colourless": "white",
}  # fmt: skip
STAINS = {
    "brown": "DAB gives brown", "blue": "hematoxylin and methylene blue give blue",
    "purple": "hematoxylin, crystal violet or a Giemsa type stain gives purple",
    "pink": "eosin gives pink", "red": "eosin, safranin, Sirius red or Oil Red O gives red",
    "magenta": "the Schiff reagent (PAS) gives magenta", "green": "light green or fast green gives green",
    "orange": "DAB or orange G gives orange", "cyan": "alcian blue gives cyan",
    "yellow": "picric acid or van Gieson's stain gives yellow",
}  # fmt: skip
"""Colours in transmitted light, and the common stains that give them."""
_HUES = (
    (15, "red", "pink"), (40, "orange", "brown"), (70, "yellow", "yellow"), (160, "green", "green"), (200, "cyan", "cyan"),
    (255, "blue", "blue"), (300, "purple", "purple"),
    (345, "magenta", "pink"), (361, "red", "pink"),
)  # fmt: skip
"""Upper end of the hue in degrees, name of vivid tints, name of pale or dark ones."""
_TINTED, _BLACK, _WHITE = 0.08, 0.15, 0.8
_COLOURFUL = 0.06  # mean spread of red, green and blue from which a person would speak of a colour picture
_CLEAR, _FEW = 0.25, 0.01  # or: a clear tint, on this share of the pixels
_DARK, _BRIGHT = 0.25, 0.6  # place of the median between the darkest and the brightest pixels
_VIVID, _GLOWING = 0.5, 0.75  # chroma against brightness of a vivid tint; brightness below which orange is called brown
_MAIN = 0.05  # share of all that is tinted from which a tint is a main colour


@dataclass(frozen=True)
class Appearance:
    """A plane at a size that can be looked at in one piece, with a colour name for every pixel."""

    seen: Whole

    @classmethod
    def of(cls, img: MicroImage) -> Appearance:
        """The look of an image."""
        return cls(whole(img, 1 << 20))

    @cached_property
    def names(self) -> np.ndarray:
        """``(y, x)``: which of ``NAMES`` a person would call each pixel."""
        rgb, chroma = self.seen.colours, self.seen.chroma
        low, high = rgb.min(axis=0), rgb.max(axis=0)
        red, green, blue = rgb
        hue = np.degrees(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)) % 360
        band = np.searchsorted([end for end, _, _ in _HUES], hue, side="right").clip(0, len(_HUES) - 1)
        vivid, pale = (np.array([NAMES.index(row[k]) for row in _HUES])[band] for k in (1, 2))
        named = np.where((chroma > _VIVID * np.maximum(high, 1e-6)) & ((band != 1) | (high > _GLOWING)), vivid, pale)
        plain = np.select([high < _BLACK, low > _WHITE], [0, 2], 1)
        return np.asarray(np.where((chroma > _TINTED) & self.seen.coloured, named, plain))

    def shares(self, mask: np.ndarray | None = None) -> dict[str, float]:
        """% of the pixels by colour name, the largest first; of those a mask ``(y, x)`` over the full plane marks."""
        names = self.names if mask is None else self.names[self.fitted(mask)]
        counts = np.bincount(names.ravel(), minlength=len(NAMES))
        found = {n: 100 * float(c) / max(int(counts.sum()), 1) for n, c in zip(NAMES, counts, strict=True) if c}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def fitted(self, mask: np.ndarray) -> np.ndarray:
        """A mask of the full plane at the size looked at."""
        rows, cols = (
            np.minimum((np.arange(n) * m / n).astype(int), m - 1) for n, m in zip(self.names.shape, mask.shape, strict=True)
        )
        return np.asarray(mask[np.ix_(rows, cols)])

    @property
    def coloured(self) -> bool:
        """Whether a person would call it a colour picture."""
        chroma = self.seen.chroma
        return self.seen.coloured and (float(chroma.mean()) > _COLOURFUL or float((chroma > _CLEAR).mean()) > _FEW)

    @property
    def background(self) -> str:
        """dark, mid-tone or bright, from where the median lies between the darkest and the brightest pixels."""
        low, middle, high = np.percentile(self.seen.grey, (0.1, 50, 99.9))
        at = float((middle - low) / max(high - low, 1e-9))
        return "dark" if at < _DARK else "bright" if at > _BRIGHT else "mid-tone"

    @property
    def likeness(self) -> str:
        """The kind of imaging that colours and background are consistent with."""
        if self.background == "dark":
            return "fluorescence or another dark-field contrast"
        return "stained brightfield" if self.coloured else "phase contrast, unstained brightfield or electron microscopy"

    @property
    def main(self) -> list[str]:
        """The main colours, three at most: of a colour picture its tints, else its greys."""
        shares = self.shares()
        tints = {n: s for n, s in shares.items() if n not in ("black", "grey", "white")}
        if not self.coloured or not tints:
            return list(shares)[:1]
        return [n for n, s in tints.items() if s >= _MAIN * sum(tints.values())][:3]


def colour_named(text: str) -> str | None:
    """The colour that a word names; None where it names none.

    >>> colour_named("violet"), colour_named("Dark blue"), colour_named("nucleus")
    ('purple', 'blue', None)
    """
    word = text.strip().lower()
    word = SYNONYMS.get(word, word)
    last = word.rsplit(" ", 1)[-1]
    return word if word in NAMES else last if last in NAMES else SYNONYMS.get(last)


def look(scene: Scene) -> Appearance:
    """How the image looks, measured once."""
    key = ("appearance", scene.state)
    if key not in scene.kept:
        scene.kept[key] = Appearance.of(scene.image)
    return scene.kept[key]  # type: ignore[no-any-return]


def recognised(scene: Scene) -> tuple[dict[str, Mapping[str, Any]], dict[str, Any]]:
    """Modality, stain and specimen as the model recognises them, each with its probability, and how."""
    eyes = scene.look.eyes
    if eyes == FLOOR:
        return {}, {"method": "measured look"}
    found = everything(scene.image, eyes)
    return dict(found.made_by.get("recognised", {})), dict(made_by(eyes, found))
