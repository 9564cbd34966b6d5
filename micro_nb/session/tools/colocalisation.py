"""Tools about two channels: whether they show the same places, and how a signal is shared between nucleus and cytoplasm."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import expand_labels

from ...analysis.colocalisation import Thresholding
from ...analysis.colocalisation import colocalisation as compare
from ...analysis.statistics import bootstrap
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .appearance import look_at
from .chosen import Filters, select, spread
from .contact import plane_of
from .frame import pixel_box

_MOST_PIXELS = 1 << 24
_RING = 0.35  # width of the ring of cytoplasm, of the diameter of the nucleus
_GAP_PX = 1  # pixels between nucleus and ring, where the two signals mix
_NUCLEAR, _EQUAL = 1.2, 1 / 1.2
_STAINS = ("dapi", "hoechst", "dna", "draq", "nuc", "h2b", "propidium", "syto")


@tool("colocalisation", quantity="whether two channels show the same places")
def colocalisation(
    img: MicroImage,
    *,
    first: str = "",
    second: str = "",
    thresholding: Thresholding = "costes",
    within: str = "",
    region: Region | None = None,
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Correlation (Pearson) of two channels with what scrambled images give, and Manders' M1 and M2 (%): the share of the signal
    of each channel that lies where the other is above its automatic threshold. `within` restricts it to objects ("cells").
    """
    one, other = _two(img, first, second)
    rows, cols = pixel_box(img, region)
    a, b = (_plane(img, name)[rows, cols] for name in (one, other))
    mask = None
    if within:
        chosen = select(img, target=within, eyes=eyes)
        chosen.need_all("what lies in objects")
        mask = plane_of(chosen.objects)[rows, cols] > 0
    if a.size > _MOST_PIXELS:
        raise EvidenceError("this image is too large to be compared as a whole; ask about a part: Session(img.sel(region=...))")
    seen = compare(a, b, mask=mask, thresholding=thresholding)
    found = {"first": one, "second": other, "within": within, **seen.made}
    found |= {"thresholds": list(seen.thresholds), "thresholding": seen.thresholding}
    return (
        Measurement("Pearson correlation", seen.pearson, found=found),
        Measurement("Manders M1", 100 * seen.m1, "%", found=found),
        Measurement("Manders M2", 100 * seen.m2, "%", found=found),
        Measurement("p-value", seen.p_value, found=found),
        Measurement("correlation of scrambled images", 0.0, interval=seen.random, found=found),
        Measurement("colocalised", seen.p_value < 0.05 and seen.pearson > 0, found=found),
        Measurement("pixels compared", seen.pixels, "px", found=found),
    )


@tool("compartments", unit="times", quantity="signal in the nucleus over that in the cytoplasm")
def compartments(
    img: MicroImage,
    *,
    signal: str = "",
    nuclear: str = "",
    region: Region | None = None,
    filters: Filters = (),
    eyes: str = FLOOR,
) -> tuple[Measurement, ...]:
    """Mean grey value of a channel in each nucleus over that in a ring of cytoplasm around it, background subtracted; the median
    over nuclei with its bootstrap interval, and how many nuclei are brighter (darker) than their cytoplasm.
    """
    stain = channel_of(img, nuclear) if nuclear else nuclear_channel(img)
    names = _names(img)
    if stain is None or len(names) < 2:
        raise EvidenceError(
            "a channel that shows nuclei and another that shows the signal are needed, and this image has no two such"
        )
    measured_in = channel_of(img, signal) if signal else next(n for n in names if n != stain)
    chosen = select(img, region=region, filters=filters, channel=stain, eyes=eyes, target="nuclei")
    chosen.need_all("the ratio of every nucleus")
    ratios, labels = _ratios(img, plane_of(chosen.objects), measured_in)
    ratios = ratios[np.isin(labels, chosen.table["label"].to_numpy(int))]
    ratios = ratios[np.isfinite(ratios)]
    if len(ratios) < 2:
        raise EvidenceError("too few nuclei with cytoplasm around them were found to compare the two")
    made = bootstrap(ratios, np.median)
    found = dict(chosen.found) | spread(made, chosen.between_objects) | {
        "signal": measured_in, "nuclear": stain, "ring_share_of_diameter": _RING, "brighter_above": _NUCLEAR}  # fmt: skip
    middle = float(np.median(ratios))
    where = "nuclear" if middle >= _NUCLEAR else "cytoplasmic" if middle <= _EQUAL else "evenly shared"
    return (
        Measurement("localisation", where, found=found),
        Measurement("nucleus over cytoplasm", middle, "times", made.interval, found),
        Measurement("nuclei brighter than their cytoplasm", int((ratios >= _NUCLEAR).sum()), "count", found=found),
        Measurement("nuclei darker than their cytoplasm", int((ratios <= _EQUAL).sum()), "count", found=found),
        Measurement("number of nuclei measured", len(ratios), "count", found=found),
    )


def nuclear_channel(img: MicroImage) -> str | None:
    """The channel whose name is that of a nuclear stain; None where none is."""
    return next((n for n in _names(img) if any(s in n.lower() for s in _STAINS)), None)


def channel_of(img: MicroImage, asked: str) -> str:
    """The channel of this name, whatever its case.

    Raises
    ------
    EvidenceError : there is none.
    """
    found = next((n for n in _names(img) if n.lower() == asked.lower()), None)
    if found is None:
        raise EvidenceError(f"this image has no channel {asked!r}; it has {', '.join(_names(img))}")
    return found


def _names(img: MicroImage) -> list[str]:
    return [c.name for c in img.channels] if "c" in img.axes else []


def _two(img: MicroImage, first: str, second: str) -> tuple[str, str]:
    names = _names(img)
    if len(names) < 2:
        raise EvidenceError(
            "this image has a single channel, and colocalisation compares two channels of the same field; open one that has both"
        )
    if img.rgb and look_at(img).background != "dark":
        raise EvidenceError("the colours of a stained picture are no channels of fluorescence, so they cannot be colocalised")
    one = channel_of(img, first) if first else names[0] if not second or names[0].lower() != second.lower() else names[1]
    other = channel_of(img, second) if second else next(n for n in names if n != one)
    if one == other:
        raise EvidenceError("a channel cannot be compared with itself; name two channels")
    return one, other


def _plane(img: MicroImage, name: str) -> np.ndarray:
    return np.asarray(img.sel(c=name).plane().read(), float).squeeze()


def _ratios(img: MicroImage, labels: np.ndarray, signal: str) -> tuple[np.ndarray, np.ndarray]:
    """Nucleus over ring for each label, and the labels; nan where a nucleus has no ring."""
    grey = _plane(img, signal)
    sizes = np.bincount(labels.ravel())[1:]
    across = 2 * float(np.sqrt(np.median(sizes[sizes > 0]) / np.pi)) if (sizes > 0).any() else 0.0
    inner, outer = (expand_labels(labels, d) for d in (_GAP_PX, _GAP_PX + max(_RING * across, 2)))  # type: ignore[no-untyped-call]
    ring = np.where(inner > 0, 0, outer)
    background = float(np.percentile(grey[outer == 0], 10)) if (outer == 0).any() else float(grey.min())
    n = int(labels.max()) + 1
    inside, around = (_means(grey, where, n) - background for where in (labels, ring))
    keep = np.flatnonzero(np.bincount(labels.ravel(), minlength=n))
    keep = keep[keep > 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(around > 0, inside / around, np.nan)
    return ratio[keep], keep


def _means(grey: np.ndarray, labels: np.ndarray, n: int) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        total, count = np.bincount(labels.ravel(), grey.ravel(), n), np.bincount(labels.ravel(), minlength=n)
        return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
