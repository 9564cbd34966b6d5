"""How a picture looks: a colour name for every pixel, what people call the colour of an object, and regions of one colour or
brightness: what a person points at by its look, a red band, a dark streak, the bright phase, and the eyes have no name for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage as ndi

from ...analysis.measure import measure
from ...analysis.whole import Whole, whole
from ...data.image import MicroImage
from ...errors import EvidenceError
from ...tiles.labels import layer_array
from ...tiles.objects import Objects
from ..language.conditions import Both, Color, Condition, Is
from ..words.tables import table
from .eyes import is_large
from .scene import Scene

NAMES = ("black", "grey", "white", "red", "orange", "brown", "yellow", "green", "cyan", "blue", "purple", "magenta", "pink")
PLAIN = NAMES[:3]
_TINTED, _BLACK, _WHITE = 0.08, 0.15, 0.8
_COLOURFUL = 0.06  # mean spread of red, green and blue from which a person would speak of a colour picture
_CLEAR, _FEW = 0.25, 0.01  # or: a clear tint, on this share of the pixels
_DARK, _BRIGHT = 0.25, 0.6  # place of the median between the darkest and the brightest pixels
_VIVID, _GLOWING = 0.5, 0.75  # chroma against brightness of a vivid tint; brightness below which orange is called brown
_MOST, _MAIN = 3, 0.05  # how many colours are main ones; of what share of all that is tinted
_SHARE = 2e-4
"""Of the picture: smaller regions are specks."""
FILLED = "not empty"
"""A look that all has which is no empty glass and no dark."""
_FULL = 0.1
"""How far, of 1, most pixels lie from the light of an empty place where hardly any is empty."""
_MINOR = 0.5
"""What stands out covers no more than this share of the picture."""
_ALONE, _CLEARLY = 10, 0.05
"""A pixel differs from its neighbours by so many times what pixels do, and by this share of the range."""
_MANY_PIXELS = 10_000


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
        rgb, chroma, hues = self.seen.colours, self.seen.chroma, table("looks")["hue"]
        low, high = rgb.min(axis=0), rgb.max(axis=0)
        band = np.searchsorted([float(end) for end in hues], hue_of(rgb), side="right").clip(0, len(hues) - 1)
        vivid, pale = (np.array([NAMES.index(names[k]) for names in hues.values()])[band] for k in (0, 1))
        clear = (chroma > _VIVID * np.maximum(high, 1e-6)) & ((vivid != NAMES.index("orange")) | (high > _GLOWING))
        plain = np.select([high < _BLACK, low > _WHITE], [0, 2], 1)
        tinted = (chroma > _TINTED) & self.seen.coloured
        return np.asarray(np.where(tinted, np.where(clear, vivid, pale), plain))

    def shares(self, mask: np.ndarray | None = None) -> dict[str, float]:
        """% of the pixels by colour name, the largest first; of those a mask ``(y, x)`` over the full plane marks."""
        names = self.names if mask is None else self.names[self._fitted(mask)]
        counts = np.bincount(names.ravel(), minlength=len(NAMES))
        found = {n: 100 * float(c) / max(int(counts.sum()), 1) for n, c in zip(NAMES, counts, strict=True) if c}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _fitted(self, mask: np.ndarray) -> np.ndarray:
        """A mask of the full plane at the size looked at."""
        sizes = zip(self.names.shape, mask.shape, strict=True)
        return np.asarray(mask[np.ix_(*(np.minimum((np.arange(n) * m / n).astype(int), m - 1) for n, m in sizes))])

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
        tints = {n: s for n, s in shares.items() if n not in PLAIN}
        if not self.coloured or not tints:
            return list(shares)[:1]
        return [n for n, s in tints.items() if s >= _MAIN * sum(tints.values())][:_MOST]


def colour_named(text: str) -> str | None:
    """The colour that a word names; None where it names none.

    >>> colour_named("violet"), colour_named("Dark blue"), colour_named("greenish"), colour_named("nucleus")
    ('purple', 'blue', 'green', None)
    """
    alias = table("looks")["colour_alias"]
    word = text.strip().lower()
    last = word.rsplit(" ", 1)[-1]
    return next((n for n in (alias.get(word, word), last, alias.get(last)) if n in NAMES), None)


def look(scene: Scene) -> Appearance:
    """How the image looks, measured once."""
    key = ("appearance", scene.state)
    if key not in scene.kept:
        scene.kept[key] = Appearance.of(scene.image)
    return scene.kept[key]  # type: ignore[no-any-return]


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


def look_in(condition: Condition | None) -> str:
    """The colour or brightness that a condition asks for; empty where it asks for none."""
    match condition:
        case Color(name):
            return name.lower()
        case Is(text):
            word = text.lower().strip()
            bright = table("looks")["relative"].get(word, ("",))[0] == "intensity"
            return word if bright or word in (*NAMES, *table("looks")["colour_alias"]) else ""
        case Both(parts, "and"):
            return next((told for part in parts if (told := look_in(part))), "")
    return ""


def regions(scene: Scene, told: str) -> Objects:
    """What is of a colour or brightness, a region an object.

    Raises
    ------
    EvidenceError : the picture is too large, or has no colours.
    """
    img, picture = scene.image, look(scene)
    if is_large(img):
        raise EvidenceError("this image is too large for regions of one look to be outlined; ask about a part of it")
    mask = ndi.binary_opening(ndi.binary_closing(_mask(picture, told), np.ones((3, 3))), np.ones((2, 2)))
    small, _ = ndi.label(mask, np.ones((3, 3)))
    sizes = np.bincount(small.ravel())
    small = np.where(sizes[small] >= max(_SHARE * small.size, 9), small, 0)
    _, small = np.unique(small, return_inverse=True)
    small = small.reshape(mask.shape)
    rows, cols = (np.minimum(np.arange(n) * m // n, m - 1) for n, m in zip(img.plane_shape, small.shape, strict=True))
    labels = layer_array(small[np.ix_(rows, cols)].astype(np.int32), (), pixel_size=img.pixel_size)
    made_by = {"method": "regions of one look", "look": told}
    return Objects(measure(img, labels), labels, None, img.pixel_size, img.content_id, made_by)


def pixels_like(scene: Scene, words: set[str], ground: np.ndarray, channel: str | None = None) -> tuple[str, Objects]:
    """Single pixels of a ground ``(y, x)``, by one channel or all, an object each, and what they are called: the brightest or the
    darkest, or such as differ from all around them by far more than pixels do, which are called hot or dead.

    Raises
    ------
    EvidenceError : the picture is too large, or so many are that their share says more.
    """
    img, known = scene.image, table("looks")["pixel"]
    if is_large(img):
        raise EvidenceError("this image is too large for single pixels to be pointed at; ask about a part of it")
    dark, alone = bool(words & {*known["dark"]}), bool(words & {*known["alone"]})
    seen = img.plane() if channel is None else img.plane().sel(c=channel)
    grey = seen.read().reshape(-1, *img.plane_shape).mean(axis=0, dtype=float) * (-1 if dark else 1)
    if alone:
        usual = float(np.median(np.abs(grey - ndi.median_filter(grey, 3))))
        beside = ndi.maximum_filter(grey, footprint=[[1, 1, 1], [1, 0, 1], [1, 1, 1]])
        chosen = grey - beside > max(_ALONE * usual, _CLEARLY * float(np.ptp(grey)))
    else:
        chosen = grey == grey[ground].max(initial=-np.inf)
    chosen &= ground
    name = f"{('dead' if dark else 'hot') if alone else ('darkest' if dark else 'brightest')} pixel"
    if (n := int(chosen.sum())) > _MANY_PIXELS:
        raise EvidenceError(f"{n:,} pixels are the {name}s; ask what share of the pixels that is")
    numbers = np.zeros(img.plane_shape, np.int32)
    numbers[chosen] = np.arange(1, n + 1)
    labels = layer_array(numbers, (), pixel_size=img.pixel_size)
    return name, Objects(
        measure(img, labels), labels, None, img.pixel_size, img.content_id, {"method": "single pixels", "pixels": name}
    )


def _mask(picture: Appearance, told: str) -> np.ndarray:
    """``(y, x)``, true where the picture is so: by hue; black and white where pixels are, else what is darkest or brightest."""
    if told == FILLED:
        return _filled(picture)
    colour, brightness = colour_named(told), table("looks")["relative"].get(told)
    if brightness is None and colour not in (None, *PLAIN):
        if not picture.seen.coloured:
            raise EvidenceError(f"this is a grey picture, so nothing in it is {told}")
        hues = table("looks")["near_hue"]
        said = np.array([bool({told, colour} & {*re.findall(r"\w+", names)}) for names in hues.values()])
        band = np.searchsorted([float(end) for end in hues], hue_of(picture.seen.colours), side="right")
        return _standing_out(picture.seen.chroma, said[band] & (picture.seen.chroma > _TINTED))
    plain = picture.names == NAMES.index(colour or "grey")
    if brightness is None and plain.mean() >= _SHARE:
        return np.asarray(plain)
    grey = ndi.gaussian_filter(picture.seen.grey, 1.0)
    return _standing_out(-grey if colour == "black" or (brightness or "")[-1:] == ["<"] else grey, np.ones(grey.shape, bool))


def _filled(picture: Appearance) -> np.ndarray:
    """``(y, x)``, true where pixels differ from the dark, or from the light of an empty place; where nearly all do, those that do
    half as much as most."""
    from skimage.filters import threshold_triangle

    rgb, dark = ndi.gaussian_filter(picture.seen.colours, (0, 1, 1)), picture.background == "dark"
    away = np.abs(rgb - np.percentile(rgb, 1 if dark else 99, axis=(1, 2))[:, None, None]).max(axis=0)
    counts, edges = np.histogram(away, 64)
    usual = float(edges[counts.argmax()])
    limit = usual / 2 if usual > _FULL else threshold_triangle(away)  # type: ignore[no-untyped-call]
    return np.asarray(ndi.binary_closing(away > limit, np.ones((3, 3)), iterations=2))


def _standing_out(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Of a mask ``(y, x)`` what lies above the threshold of Otsu, again while that is most of the picture."""
    from skimage.filters import threshold_otsu

    while mask.mean() > _MINOR and values[mask].max() > values[mask].min():
        mask = mask & (values > threshold_otsu(values[mask]))  # type: ignore[no-untyped-call]
    return mask
