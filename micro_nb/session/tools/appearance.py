"""What a picture looks like, measured: colour, background, contrast, and what that is consistent with. Never more than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...data.image import MicroImage
from ...errors import EvidenceError
from ..registry import Measurement, tool

_GLANCE_PIXELS = 1 << 20
_PATCH = 256
_COLOURFUL = 0.06  # mean distance of the colour channels, as a share of the range: camera noise stays below it
_TINTED = 0.12  # chroma from which a single pixel has a colour that people would name
_DARK, _BRIGHT = 0.25, 0.6  # place of the median between the darkest and the brightest pixels

_HUES = (  # upper end of the hue in degrees, name for vivid, name for pale or dark tints
    (15, "red", "pink"), (40, "orange", "brown"), (70, "yellow", "yellow"), (160, "green", "green"), (200, "cyan", "cyan"),
    (255, "blue", "blue"), (300, "purple", "purple"), (345, "magenta", "pink"), (361, "red", "pink"),
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """Numbers a glance at a picture gives; all between 0 and 1.

    Attributes
    ----------
    median : place of the median brightness between the 0.1 and 99.9 percentiles.
    chroma : mean spread of red, green and blue; 0 for grey pictures and single channels.
    hues : share of all pixels by colour name, largest first; pixels that are near to grey have none.
    """

    median: float
    chroma: float
    hues: tuple[tuple[str, float], ...]

    @property
    def tinted(self) -> float:
        """Share of the pixels that have a colour."""
        return sum(share for _, share in self.hues)

    @property
    def coloured(self) -> bool:
        """Whether a person would call it a colour picture."""
        return self.chroma > _COLOURFUL

    @property
    def background(self) -> str:
        """dark, mid-grey or bright, from where the median lies."""
        return "dark" if self.median < _DARK else "bright" if self.median > _BRIGHT else "mid-tone"

    @property
    def likeness(self) -> str:
        """What the measured look is consistent with, in one word of the vocabulary below."""
        if self.background == "dark":
            return "fluorescence or another dark-field contrast"
        if self.coloured:
            return "stained brightfield (transmitted light)"
        return "phase contrast, unstained brightfield or electron microscopy"


@tool("appearance", quantity="colour, background and what they are consistent with")
def appearance(img: MicroImage) -> tuple[Measurement, ...]:
    """Colour or grey, dark or bright background, main colours, and the kind of imaging these are consistent with. Read from a
    coarse level; it measures grey values only and cannot tell which stain or instrument was used.
    """
    look = look_at(img)
    found = {"median_between_darkest_and_brightest": round(look.median, 3), "chroma": round(look.chroma, 3)}
    colours = [name for name, share in look.hues if share >= 0.1 * look.tinted][:3] if look.coloured else []
    return (
        Measurement("kind of picture", "colour" if look.coloured else "grey", found=found),
        Measurement("background", look.background, found=found),
        Measurement("main colours", " and ".join(colours) or "none", found=found),
        Measurement("consistent with", look.likeness, found=found),
    )


@tool("colour_share", unit="%", quantity="share of the pixels of a colour")
def colour_share(img: MicroImage, *, colour: str) -> Measurement:
    """Share of the pixels (%) that a person would call red, orange, brown, yellow, green, cyan, blue, purple, magenta or pink;
    read from a coarse level.
    """
    known = sorted({name for _, *names in _HUES for name in names})
    if colour not in known:
        raise EvidenceError(f"colour {colour!r} is not one of {', '.join(known)}")
    return Measurement(f"{colour} pixels", 100 * dict(look_at(img).hues).get(colour, 0.0), "%")


def look_at(img: MicroImage) -> Look:
    """Measures a glance of the picture."""
    pixels = _glance(img)
    low, high = np.percentile(pixels, (0.1, 99.9))
    scaled = np.clip((pixels - low) / max(high - low, 1e-9), 0, 1)
    if not img.rgb:
        return Look(float(np.median(scaled)), 0.0, ())
    top = float(np.iinfo(img.dtype).max) if img.dtype.kind in "iu" else 1.0
    chroma = (pixels.max(axis=0) - pixels.min(axis=0)) / top
    return Look(float(np.median(scaled.mean(axis=0))), float(chroma.mean()), _hue_shares(pixels / top, chroma))


def _hue_shares(rgb: np.ndarray, chroma: np.ndarray) -> tuple[tuple[str, float], ...]:
    tinted = chroma > _TINTED
    if not tinted.any():
        return ()
    r, g, b = (plane[tinted] for plane in rgb)
    hue = np.degrees(np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b)) % 360
    brightest = np.maximum(np.maximum(r, g), b)
    vivid = chroma[tinted] / np.maximum(brightest, 1e-9) > 0.5
    band = np.searchsorted([end for end, _, _ in _HUES], hue, side="right").clip(0, len(_HUES) - 1)
    shares: dict[str, float] = {}
    for k, (_, strong, pale) in enumerate(_HUES):
        for name, mask in ((strong, vivid), (pale, ~vivid)):
            shares[name] = shares.get(name, 0.0) + float(np.sum((band == k) & mask)) / tinted.size
    return tuple(sorted(shares.items(), key=lambda item: -item[1]))


def _glance(img: MicroImage) -> np.ndarray:
    """Float pixels ``(c, n)`` (or ``(1, n)``) that stand for the whole plane, at most about a megapixel."""
    flat = img.isel(**{axis: img.sizes[axis] // 2 for axis in ("t", "z") if axis in img.axes})  # type: ignore[arg-type]
    level = flat.level_for(_GLANCE_PIXELS)
    height, width = flat.info.levels[level].shape[-2:]
    side = max(1, round((_GLANCE_PIXELS / _PATCH**2) ** 0.5))
    if height * width <= 4 * _GLANCE_PIXELS:
        return _flat(flat.read(level))
    parts = []
    for y in np.linspace(0, max(height - _PATCH, 0), side).astype(int):
        for x in np.linspace(0, max(width - _PATCH, 0), side).astype(int):
            window = (slice(None),) * (len(flat.axes) - 2) + (slice(int(y), int(y) + _PATCH), slice(int(x), int(x) + _PATCH))
            parts.append(_flat(flat.read(level, tuple(_bounded(window, flat.info.levels[level].shape)))))
    return np.concatenate(parts, axis=1)


def _bounded(window: tuple[slice, ...], shape: tuple[int, ...]) -> list[slice]:
    return [slice(*s.indices(n)) for s, n in zip(window, shape, strict=True)]


def _flat(pixels: np.ndarray) -> np.ndarray:
    planes = pixels.reshape(-1, pixels.shape[-2] * pixels.shape[-1]) if pixels.ndim > 2 else pixels.reshape(1, -1)
    return np.nan_to_num(planes.astype(np.float32), posinf=0.0, neginf=0.0)


_STAIN_OF = {
    "brown": "brown is what DAB (diaminobenzidine) gives", "blue": "blue to purple is what hematoxylin gives",
    "purple": "blue to purple is what hematoxylin gives, or a Giemsa type stain in blood", "pink": "pink is what eosin gives",
    "red": "red is what eosin, Sirius red or Oil Red O gives", "orange": "orange to brown is what DAB gives",
    "magenta": "magenta is what the Schiff reagent (PAS) gives", "green": "green is what light green or fast green gives",
}  # fmt: skip


@tool("stains_by_colour", quantity="stained colours and the stains that give them")
def stains_by_colour(img: MicroImage, *, colours: Sequence[str] = ()) -> tuple[Measurement, ...]:
    """The colours of a stained picture by their share of its coloured pixels, and which common stains give them: what a colour is
    consistent with, never a proof. With `colours` of these.
    """
    look = look_at(img)
    shares = {name: share for name, share in look.hues if share >= 0.03 * look.tinted}
    if not shares or not look.coloured:
        raise EvidenceError("the picture has no colours, so no stain can be told by its colour")
    found = {"source": "colours of common stains in transmitted light"} | {n: round(100 * s, 1) for n, s in shares.items()}
    named = [_STAIN_OF[name] for name in (colours or shares) if name in _STAIN_OF]
    text = "; ".join(dict.fromkeys(named)) or "none of these is the colour of a common stain"
    return (
        Measurement("stained colours", " and ".join(shares), found=found),
        Measurement("consistent stains", text[:1].upper() + text[1:], found=found),
    )


@tool("signal_colour", quantity="colour of the signal")
def signal_colour(img: MicroImage) -> tuple[Measurement, ...]:
    """The commonest colour of the brightest pixels and the share of them that has it (%); of a grey channel the recorded colour.
    "none" where there is neither.
    """
    pixels = _glance(img).astype(float)
    if img.rgb and len(pixels) == 3:
        top = float(np.iinfo(img.dtype).max) if img.dtype.kind in "iu" else 1.0
        bright = pixels.max(axis=0)
        wanted = bright >= max(float(np.percentile(bright, 99)), float(np.median(bright)) + 0.02 * top)
        rgb = pixels[:, wanted] / top
        chroma = rgb.max(axis=0) - rgb.min(axis=0) if wanted.any() else np.zeros(1)
        hues = dict(_hue_shares(rgb, chroma)) if wanted.any() and (chroma > _TINTED).any() else {}
        if hues:
            name = max(hues, key=lambda k: hues[k])
            return Measurement("colour of the signal", name), Measurement("share of the bright pixels", 100 * hues[name], "%")
    return (Measurement("colour of the signal", "none"),)
