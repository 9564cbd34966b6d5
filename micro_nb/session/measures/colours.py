"""Colours and channels of a picture, measured: colours by name, the main ones of a place or objects, background, and what that is
consistent with, never more; whether two channels show the same places, and how a signal is shared with the nucleus."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...analysis.colocalisation import colocalisation as compare
from ...analysis.statistics import bootstrap
from ...data.image import MicroImage
from ...errors import EvidenceError
from ...tiles.polygons import numbered
from ..language import Call, Node
from ..words.tables import listed, table
from .appearance import PLAIN, colour_named, look
from .evaluation import selection
from .eyes import FLOOR, everything, made_by
from .measurement import Measurement
from .pixels import means, one_plane
from .registry import measurement
from .results import Found
from .scene import ANYWHERE, Place, Scene, is_place, pixel_box
from .selecting import channel_named, colour_channel

_SAID, _HARDLY, _MOST = 5.0, 0.1, 3  # % from which a colour is said, and below which there is hardly any; how many are said
_MOST_PIXELS = 1 << 24
_STAINED = 0.4  # place of the median between the darkest and the brightest grey values, above which a picture is no fluorescence
_RING = 0.35  # width of the ring of cytoplasm, of the diameter of the nucleus
_GAP_PX = 1  # pixels between nucleus and ring, where the two signals mix
_NUCLEAR, _EQUAL = 1.2, 1 / 1.2
_STRONG, _WEAK, _APART = 0.7, 0.3, -0.1
_STAINS = ("dapi", "hoechst", "dna", "draq", "nuc", "h2b", "propidium", "syto", "histone", "to-pro")
_TOLERANCE = re.compile(r"\s*[\d.]+\s*(?:px|um|nm|µm)\s*")


def recognised(scene: Scene) -> dict[str, Measurement]:
    """Modality, stain and specimen as the model recognises them, each with its probability, and how."""
    eyes = scene.look.eyes
    if eyes == FLOOR:
        return {}
    found = everything(scene.image, scene.look)
    seen, how = found.made_by.get("recognised", {}), {**made_by(found), "eyes": eyes}
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
        return _shown(scene)
    return _main(of if what is None or told in ("what", "share", "main", "image") else what, where, scene)


def _main(what: Any, where: Place, scene: Scene) -> Found:
    mask, words, are = (None, "picture", "is") if where.everywhere else (where.over(scene.image), "place", "is")
    if isinstance(what, str | Call):
        objects = selection(what, scene)
        objects.need_some()
        mask, words, are = objects.filled(), objects.phrase(len(objects)), "is" if len(objects) == 1 else "are"
    if not look(scene).seen.coloured:
        return Found.of({}, ("kind of picture", "grey"), says="grey")
    shares = look(scene).shares(mask)
    first = [n for n, s in shares.items() if s >= _SAID][:_MOST]
    # on a dark ground what shows is meant
    signal = next((n for n in shares if n not in PLAIN), "") if first == ["black"] and words == "picture" else ""
    rows = ((f"share of {n}", shares[n], "%") for n in [*first, *([signal] if signal else [])])
    more = {"it": f"{words} {are}", "each": listed([f"{n} ({{{k}}})" for k, n in enumerate(first, 1)]), "signal": signal}
    main, says = ("main colours", " and ".join(first)), "signal" if signal else "is"
    return Found.of({}, main, *rows, says=says, value=signal or first[0], unit="", more=more)


def _share(of: str, where: Place, scene: Scene) -> Found:
    name, picture = colour_named(of), look(scene)
    if name is None:
        raise EvidenceError(f"{of or 'that'} is no colour that I can measure; ask for example for the share of brown")
    if not picture.seen.coloured and name not in PLAIN:
        raise EvidenceError(f"this is a grey picture, so nothing in it is {of}")
    percent = picture.shares(None if where.everywhere else where.over(scene.image)).get(name, 0.0)
    how = {"colours_by": "hue and chroma of each pixel", "taken_as": name}
    ground = "picture" if where.everywhere else f"area {where.words}".rstrip()
    return Found.of(how, (f"share of {name}", percent, "%"), says="share", colour=of, ground=ground)


def _meaning(colour: str, scene: Scene) -> Found:
    """What a colour stands for: the channel shown in it, or the stains that give it."""
    name = colour_named(colour) or colour
    channel, stains = colour_channel(scene.image, name), table("looks")["stain"]
    if channel is not None:
        return Found.of({"colour": colour}, ("channel", channel), says="channel", colour=colour)
    percent = look(scene).shares().get(name, 0.0)
    if percent < _HARDLY or name not in stains:
        raise EvidenceError(f"I see hardly anything {colour} here that a stain would explain")
    more = {"colour": colour, "stain": stains[name]}
    return Found.of({}, (f"share of {name}", percent, "%"), says="stain", value=name, unit="", more=more)


def _shown(scene: Scene) -> Found:
    """The channels and the colours they are shown in."""
    colours = ("orange", "yellow", "magenta", "cyan", "blue", "green", "red")
    shown = {channel: name for name in colours if (channel := colour_channel(scene.image, name))}
    parts = ", ".join(f"{c.name} in {shown.get(c.name, 'another colour')}" for c in scene.image.channels)
    return Found.of({}, ("channels as shown", parts), says="channels")


@measurement("colocalise", group="channels")
def colocalise(scene: Scene, a: str = "", b: str = "", *, within: Node = None, where: Place = ANYWHERE) -> Found:
    """Whether two channels show the same places: Pearson's correlation with what scrambled images give, and Manders' M1 and M2
    (%), in the picture or inside objects."""
    img = one_plane(scene.image)
    one, other = _two(img, a, b)
    rows, cols = pixel_box(img, where.region)
    if (rows.stop - rows.start) * (cols.stop - cols.start) > _MOST_PIXELS:
        raise EvidenceError("this image is too large to be compared as a whole; ask about a part: Session(img.sel(region=...))")
    first, second = (_plane(img, name)[rows, cols] for name in (one, other))
    _refuse_stained(img, first + second)
    inside, words = where.block(rows, cols), ""
    if isinstance(within, str) and _TOLERANCE.fullmatch(within):
        why = f"channels are compared pixel by pixel here, without a tolerance of {within}"
        raise EvidenceError(f"{why}; name objects to look inside, or ask how far their spots lie apart")
    if within is not None:
        objects = selection(within, scene)
        inside, words = inside & objects.filled()[rows, cols], f" inside the {objects.many}"
    seen = compare(first, second, mask=None if inside.all() else inside)
    verdict = "strongly" if seen.pearson >= _STRONG else "partly"
    chance = seen.p_value >= 0.05 or seen.pearson <= 0
    if chance or (seen.pearson < _WEAK and max(seen.m1, seen.m2) < 0.5):
        verdict = "apart" if seen.pearson < min(seen.random[0], _APART) else "not"
    how = {"first": one, "second": other, "thresholds": list(seen.thresholds), "thresholding": seen.thresholding, **seen.made}
    tail = "; {2} of the {first} signal lies where {second} is, and {3} of the {second} signal where {first} is"
    return Found.of(
        how,
        ("Pearson correlation", seen.pearson),
        ("how they go together", verdict),
        ("Manders M1", 100 * seen.m1, "%"),
        ("Manders M2", 100 * seen.m2, "%"),
        ("p-value", seen.p_value),
        ("correlation of scrambled images", float(np.mean(seen.random)), "", seen.random),
        ("pixels compared", seen.pixels, "px"),
        says=verdict,
        first="{0.found.first}",
        second="{0.found.second}",
        inside=words + "{where}",
        tail=tail if seen.pearson > 0 else "",
    )


@measurement("compartments", group="channels")
def compartments(scene: Scene, first: Call | str = "", second: Call | str = "", *, signal: str = "", of: Node = None) -> Found:
    """Mean grey value of a signal in each nucleus over that in a ring of cytoplasm around it, less the background: the median
    over nuclei, and how many are brighter.

    The signal and the objects are given in either order; nuclei are looked for in the channel of the nuclear stain.
    """
    img = one_plane(scene.image)
    shown, objects = _signal_and_objects(img, [n for n in (first, second, of) if n not in ("", None)], signal)
    stain, measured_in = _stain_and_signal(img, shown)
    narrowing = {k: v for k, v in objects.given if k != "channel"} if isinstance(objects, Call) else {}  # nuclei stand for cells
    nuclei = selection(Call.of("obj", "nucleus", **narrowing, channel=stain), scene)
    nuclei.need_all("the ratio of every nucleus")
    ratios = _ratios(_plane(img, measured_in), nuclei.label_plane(), nuclei.own)
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        raise EvidenceError("no nucleus with cytoplasm around it was found, so the two cannot be compared")
    made = bootstrap(ratios, np.median) if len(ratios) > 1 else None
    how = {**nuclei.found, "signal": measured_in, "nuclear": stain, "ring_share_of_diameter": _RING, "brighter_above": _NUCLEAR}
    how |= nuclei.spread(made) if made is not None else {}
    middle, interval = float(np.median(ratios)), made.interval if made is not None else None
    verdict = "mainly nuclear" if middle >= _NUCLEAR else "mainly cytoplasmic" if middle <= _EQUAL else "shared evenly"
    return Found.of(
        how,
        ("nucleus over cytoplasm", middle, "times", interval),
        ("localisation", verdict),
        ("nuclei brighter than their cytoplasm", int((ratios >= _NUCLEAR).sum()), "count"),
        ("nuclei darker than their cytoplasm", int((ratios <= _EQUAL).sum()), "count"),
        ("number of nuclei measured", len(ratios), "count"),
        says="one" if len(ratios) == 1 else "is",
        shown=nuclei,
        signal="{0.found.signal}",
    )


def _stain_and_signal(img: MicroImage, shown: str | None) -> tuple[str, str]:
    """The channel of the nuclear stain, by its name or as the one shown in blue, and that of the signal."""
    names = _names(img)
    stain = next((n for n in names if any(s in n.lower() for s in _STAINS) and n != shown), None) or colour_channel(img, "blue")
    if stain is None and img.rgb and "blue" in names:
        _refuse_stained(img, img.read().astype(float).mean(axis=0))
        stain = "blue"
    if len(names) < 2 or stain is None or stain == shown:
        why = "a channel of a nuclear stain and another of the signal are needed, and this image has no two such"
        raise EvidenceError(f"{why}; its channels may want names, for example DAPI and GFP")
    return stain, shown or next(n for n in names if n != stain)


def _signal_and_objects(img: MicroImage, given: list[Node], signal: str) -> tuple[str | None, Node]:
    """Which of the arguments names a channel, and which the objects."""
    if signal:
        return channel_named(signal, img), given[0] if given else None
    shown = next((n for n in given if isinstance(n, str) and _is_channel(n, img)), None)
    if shown is None and len(given) > 1:
        channel_named(str(given[0]), img)
    return channel_named(shown, img) if shown else None, next((node for node in given if node != shown), None)


def _is_channel(name: str, img: MicroImage) -> bool:
    try:
        return channel_named(name, img) is not None
    except EvidenceError:
        return False


def _names(img: MicroImage) -> list[str]:
    return [c.name for c in img.channels] if "c" in img.axes else []


def _two(img: MicroImage, a: str, b: str) -> tuple[str, str]:
    """The names of both channels; the first two where none are named."""
    names = _names(img)
    if len(names) < 2:
        why = "this image has a single channel, and colocalisation compares two channels of the same field"
        raise EvidenceError(f"{why}; open one that has both")
    other = channel_named(b, img) if b else None
    one = channel_named(a, img) if a else next(n for n in names if n != other)
    other = other or next(n for n in names if n != one)
    if one is None or one == other:
        raise EvidenceError(f"a channel cannot be compared with itself; name two of {', '.join(names)}")
    return one, other


def _refuse_stained(img: MicroImage, grey: np.ndarray) -> None:
    """The colours of a stained, bright picture are no channels."""
    low, middle, high = (float(v) for v in np.percentile(grey, (0.1, 50, 99.9)))
    if img.rgb and middle - low > _STAINED * (high - low):
        raise EvidenceError("the colours of a stained picture are no channels of fluorescence, so they cannot be colocalised")


def _plane(img: MicroImage, name: str) -> np.ndarray:
    return np.asarray(img.sel(c=name).read(), float).squeeze()


def _ratios(grey: np.ndarray, labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Nucleus over ring of cytoplasm for each label that is wanted; nan where there is no ring."""
    from skimage.segmentation import expand_labels

    ids, labels = numbered(labels)
    across = 2 * float(np.sqrt(np.median(np.bincount(labels.ravel())[1:]) / np.pi)) if len(ids) else 0.0
    inner, outer = (expand_labels(labels, d) for d in (_GAP_PX, _GAP_PX + max(_RING * across, 2)))  # type: ignore[no-untyped-call]
    background = float(np.percentile(grey[outer == 0], 10)) if (outer == 0).any() else float(grey.min())
    inside, around = (
        means(at.ravel(), grey.ravel(), len(ids) + 1) - background for at in (labels, np.where(inner > 0, 0, outer))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        found = dict(zip(ids.tolist(), np.where(around > 0, inside / around, np.nan)[1:], strict=True))
    return np.array([found.get(k, np.nan) for k in wanted.tolist()])
