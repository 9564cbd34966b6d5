"""Two channels: whether they show the same places, and how a signal is shared between nucleus and cytoplasm."""

from __future__ import annotations

import re

import numpy as np

from ...analysis.colocalisation import colocalisation as compare
from ...analysis.statistics import bootstrap
from ...data.image import MicroImage
from ...errors import EvidenceError
from ..language import Call, Node
from .conditions import colour_channel
from .evaluation import selection
from .measurement import facts
from .pixels import one_plane
from .places import ANYWHERE, Place, pixel_box
from .profiles import means
from .registry import measurement
from .results import Found
from .scene import Scene
from .selecting import channel_named
from .selection import Selection, spread

_MOST_PIXELS = 1 << 24
_DARK = 0.4  # place of the median between the darkest and the brightest grey values, above which a picture is no fluorescence
_RING = 0.35  # width of the ring of cytoplasm, of the diameter of the nucleus
_GAP_PX = 1  # pixels between nucleus and ring, where the two signals mix
_NUCLEAR, _EQUAL = 1.2, 1 / 1.2
_STRONG, _WEAK, _APART = 0.7, 0.3, -0.1
_STAINS = ("dapi", "hoechst", "dna", "draq", "nuc", "h2b", "propidium", "syto", "histone", "to-pro")
_TOLERANCE = re.compile(r"\s*[\d.]+\s*(?:px|um|nm|µm)\s*")


@measurement("colocalise")
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
    measured = facts(
        how,
        ("Pearson correlation", seen.pearson, ""),
        ("how they go together", verdict),
        ("Manders M1", 100 * seen.m1, "%"),
        ("Manders M2", 100 * seen.m2, "%"),
        ("p-value", seen.p_value, ""),
        ("correlation of scrambled images", float(np.mean(seen.random)), "", seen.random),
        ("pixels compared", seen.pixels, "px"),
    )
    names = {"first": "{0.found.first}", "second": "{0.found.second}", "inside": words + "{where}"}
    tail = "; {2} of the {first} signal lies where {second} is, and {3} of the {second} signal where {first} is"
    return Found(measured, verdict, more={**names, "tail": tail if seen.pearson > 0 else ""})


@measurement("compartments")
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
    return _shared(img, nuclei, measured_in, stain)


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


def _shared(img: MicroImage, nuclei: Selection, signal: str, stain: str) -> Found:
    ratios, labels = _ratios(_plane(img, signal), nuclei.label_plane())
    ratios = ratios[np.isin(labels, list(nuclei.labels)) & np.isfinite(ratios)]
    if not len(ratios):
        raise EvidenceError("no nucleus with cytoplasm around it was found, so the two cannot be compared")
    made = bootstrap(ratios, np.median) if len(ratios) > 1 else None
    how = {**nuclei.found, "signal": signal, "nuclear": stain, "ring_share_of_diameter": _RING, "brighter_above": _NUCLEAR}
    how |= spread(made, nuclei.between_objects) if made is not None else {}
    middle, interval = float(np.median(ratios)), made.interval if made is not None else None
    verdict = "mainly nuclear" if middle >= _NUCLEAR else "mainly cytoplasmic" if middle <= _EQUAL else "shared evenly"
    rows = facts(
        how,
        ("nucleus over cytoplasm", middle, "times", interval),
        ("localisation", verdict),
        ("nuclei brighter than their cytoplasm", int((ratios >= _NUCLEAR).sum()), "count"),
        ("nuclei darker than their cytoplasm", int((ratios <= _EQUAL).sum()), "count"),
        ("number of nuclei measured", len(ratios), "count"),
    )
    return Found(rows, "one" if len(ratios) == 1 else "is", shown=nuclei, more={"signal": "{0.found.signal}"})


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
    if img.rgb and middle - low > _DARK * (high - low):
        raise EvidenceError("the colours of a stained picture are no channels of fluorescence, so they cannot be colocalised")


def _plane(img: MicroImage, name: str) -> np.ndarray:
    return np.asarray(img.sel(c=name).read(), float).squeeze()


def _ratios(grey: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nucleus over ring for each label, and the labels; nan where a nucleus has no ring."""
    from skimage.segmentation import expand_labels

    n = int(labels.max(initial=0)) + 1
    sizes = np.bincount(labels.ravel(), minlength=n)[1:]
    across = 2 * float(np.sqrt(np.median(sizes[sizes > 0]) / np.pi)) if (sizes > 0).any() else 0.0
    inner, outer = (expand_labels(labels, d) for d in (_GAP_PX, _GAP_PX + max(_RING * across, 2)))  # type: ignore[no-untyped-call]
    background = float(np.percentile(grey[outer == 0], 10)) if (outer == 0).any() else float(grey.min())
    inside, around = (means(at.ravel(), grey.ravel(), n) - background for at in (labels, np.where(inner > 0, 0, outer)))
    keep = np.flatnonzero(sizes) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(around > 0, inside / around, np.nan)[keep], keep
