"""Colours and looks of a picture, measured: colours by name, the main ones of a place or objects, background, and what that is
consistent with. Never more than that."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...analysis.whole import Whole, whole
from ...data.image import MicroImage
from ...errors import EvidenceError
from ..language import Call
from ..words.tables import listed, table
from .conditions import colour_channel, hue_of
from .evaluation import selection
from .eyes import FLOOR, made_by
from .finding import everything
from .measurement import Measurement, facts
from .places import ANYWHERE, Place, is_place
from .registry import measurement
from .results import Found
from .scene import Scene

NAMES = ("black", "grey", "white", "red", "orange", "brown", "yellow", "green", "cyan", "blue", "purple", "magenta", "pink")
PLAIN = NAMES[:3]
_TINTED, _BLACK, _WHITE = 0.08, 0.15, 0.8
_COLOURFUL = 0.06  # mean spread of red, green and blue from which a person would speak of a colour picture
_CLEAR, _FEW = 0.25, 0.01  # or: a clear tint, on this share of the pixels
_DARK, _BRIGHT = 0.25, 0.6  # place of the median between the darkest and the brightest pixels
_VIVID, _GLOWING = 0.5, 0.75  # chroma against brightness of a vivid tint; brightness below which orange is called brown
_MAIN = 0.05  # share of all that is tinted from which a tint is a main colour
_SAID, _HARDLY, _MOST = 5.0, 0.1, 3  # % from which a colour is said, and below which there is hardly any; how many are said


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

    >>> colour_named("violet"), colour_named("Dark blue"), colour_named("nucleus")
    ('purple', 'blue', None)
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


def recognised(scene: Scene) -> dict[str, Measurement]:
    """Modality, stain and specimen as the model recognises them, each with its probability, and how."""
    eyes = scene.look.eyes
    if eyes == FLOOR:
        return {}
    found = everything(scene.image, eyes)
    seen, how = found.made_by.get("recognised", {}), made_by(eyes, found)
    return {k: Measurement(k, str(v["name"]), found={**how, "probability": float(v["probability"])}) for k, v in seen.items()}


@measurement("color", group="recognition")
def color(what: Any = None, *, where: Place = ANYWHERE, of: Any = None, scene: Scene) -> Found:
    """Main colours of the picture, a place or objects; with "share" how much of it has a colour; of a colour, what it stands
    for."""
    told = what if isinstance(what, str) else ""
    if told == "share" or (told in ("", "what") and isinstance(of, str) and colour_named(of)):
        return _share(str(of or ""), where, scene)
    if colour_named(told) and not is_place(told):
        return _meaning(told, scene)
    if not scene.image.rgb and "c" in scene.image.axes:
        return _channels(scene)
    return _main(of if what is None or told in ("what", "share", "main", "image") else what, where, scene)


def _main(what: Any, where: Place, scene: Scene) -> Found:
    mask, words, are = (None, "picture", "is") if where.everywhere else (where.over(scene.image), "place", "is")
    if isinstance(what, str) and what.lower() in ("background", "ground"):
        mask, words = ~selection("object", scene).filled(), "background"
    elif isinstance(what, str | Call):
        objects = selection(what, scene)
        objects.need_some()
        mask, words, are = objects.filled(), objects.phrase(len(objects)), "are"
    if not look(scene).seen.coloured:
        return Found((Measurement("kind of picture", "grey"),), "grey")
    shares = look(scene).shares(mask)
    first = [n for n, s in shares.items() if s >= _SAID][:_MOST]
    # on a dark ground what shows is meant
    signal = next((n for n in shares if n not in PLAIN), "") if first == ["black"] and words == "picture" else ""
    measured = [Measurement("main colours", " and ".join(first))]
    measured += [Measurement(f"share of {n}", shares[n], "%") for n in [*first, *([signal] if signal else [])]]
    each = listed([f"{n} ({{{k}}})" for k, n in enumerate(first, 1)])
    more, said = {"it": f"{words} {are}", "each": each, "signal": signal}, "signal" if signal else "is"
    return Found(tuple(measured), said, signal or first[0], "", more=more)


def _share(of: str, where: Place, scene: Scene) -> Found:
    name, picture = colour_named(of), look(scene)
    if name is None:
        raise EvidenceError(f"{of or 'that'} is no colour that I can measure; ask for example for the share of brown")
    if not picture.seen.coloured and name not in PLAIN:
        raise EvidenceError(f"this is a grey picture, so nothing in it is {of}")
    percent = picture.shares(None if where.everywhere else where.over(scene.image)).get(name, 0.0)
    rows = facts({"colours_by": "hue and chroma of each pixel", "taken_as": name}, (f"share of {name}", percent, "%"))
    return Found(rows, "share", more={"colour": of, "ground": "picture" if where.everywhere else f"area {where.words}".rstrip()})


def _meaning(colour: str, scene: Scene) -> Found:
    """What a colour stands for: the channel shown in it, or the stains that give it."""
    name = colour_named(colour) or colour
    channel, stains = colour_channel(scene.image, name), table("looks")["stain"]
    if channel is not None:
        return Found(facts({"colour": colour}, ("channel", channel)), "channel", more={"colour": colour})
    percent = look(scene).shares().get(name, 0.0)
    if percent < _HARDLY or name not in stains:
        raise EvidenceError(f"I see hardly anything {colour} here that a stain would explain")
    more = {"colour": colour, "stain": stains[name]}
    return Found(facts({}, (f"share of {name}", percent, "%")), "stain", name, "", more=more)


def _channels(scene: Scene) -> Found:
    """The channels and the colours they are shown in."""
    colours = ("orange", "yellow", "magenta", "cyan", "blue", "green", "red")
    shown = {channel: name for name in colours if (channel := colour_channel(scene.image, name))}
    parts = ", ".join(f"{c.name} in {shown.get(c.name, 'another colour')}" for c in scene.image.channels)
    return Found(facts({}, ("channels as shown", parts)), "channels")
