"""Tools for areas that are no objects: gaps, tissue beside empty glass, membranes, crowding, halos."""

from __future__ import annotations

import numpy as np

from ...analysis.gaps import gaps, specimen
from ...analysis.membranes import DEVIATIONS, SIGMA, membranes
from ...analysis.whole import whole
from ...data.image import MicroImage
from ...errors import EvidenceError
from ..registry import Measurement, facts, tool
from .chosen import Selection
from .marks import placed
from .object_tool import object_tool

_QUADRANTS = ("top left", "top right", "bottom left", "bottom right")


@tool("gap", unit="%", quantity="share of the picture that is free of cells")
def gap(img: MicroImage) -> tuple[Measurement, ...]:
    """Share of the picture (%) that is smooth, i.e. free of cells; of the largest gap its share, mean width across its long axis
    and place; and how many times rougher the rest is.
    """
    found = gaps(whole(img))
    how = {"method": "local standard deviation, Otsu's threshold", "pixels_of_the_map": list(found.mask.shape)}
    areas = found.areas()
    facts = [
        Measurement("share free of cells", found.percent, "%", found=how),
        Measurement("number of gaps", len(areas), "count", found=how),
        Measurement("roughness of the rest, as a multiple", found.contrast, "times", found=how),
    ]
    if areas:
        share, place = areas[0]
        width = float(np.mean(found.widths_px(place)))
        facts += [
            Measurement("share of the largest gap", float(share), "%", found=how),
            Measurement("mean breadth of the largest gap", width, "px", found=how),
            *placed(img, found.box(place), how),
        ]
    return tuple(facts)


@tool("specimen_place", quantity="where the specimen lies")
def specimen_place(img: MicroImage) -> tuple[Measurement, ...]:
    """In which quadrant most of the specimen lies, where the commonest colour is that of the empty glass; and its share there and
    in the whole picture (%).
    """
    mask, apart = specimen(whole(img))
    how = {"method": "distance from the commonest colour, Otsu's threshold", "mean_colour_distance": round(apart, 3)}
    if not mask.any():
        raise EvidenceError("nothing stands out from the background, so no specimen can be placed")
    height, width = mask.shape
    parts = (mask[: height // 2, : width // 2], mask[: height // 2, width // 2 :],
             mask[height // 2 :, : width // 2], mask[height // 2 :, width // 2 :])  # fmt: skip
    shares = [100 * float(part.mean()) for part in parts]
    rows, cols = np.nonzero(mask)
    scale = img.plane_shape[1] / width
    box = tuple(float(v * scale) for v in (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1))
    return (
        Measurement("quadrant with most of it", _QUADRANTS[int(np.argmax(shares))], found=how),
        *(Measurement(f"specimen in the {name}", share, "%", found=how) for name, share in zip(_QUADRANTS, shares, strict=True)),
        Measurement("specimen in the whole picture", 100 * float(mask.mean()), "%", found=how),
        Measurement("box", box, "px", found=how),
    )


@tool("membrane_share", unit="%", quantity="share of the picture that is membrane")
def membrane_share(img: MicroImage) -> Measurement:
    """Share of the picture (%) that is darker than the ground around it, as membranes are in stained sections; other dark
    structures count as well.
    """
    found = {"method": "darker than the local ground", "smoothing_px": SIGMA, "deviations": DEVIATIONS}
    return Measurement("share of dark lines and bodies", 100 * float(membranes(whole(img, 1 << 23)).mean()), "%", found=found)


@object_tool("crowding", quantity="how densely the cells lie", takes=("channel", "eyes"), all_for="how densely the cells lie")
def crowding(chosen: Selection) -> tuple[Measurement, ...]:
    """Share of the picture (%) that objects cover, their number, and the median distance between the centres of neighbours in
    diameters: about one where they touch.
    """
    if not len(chosen):
        raise EvidenceError("I find no objects there, so there is no density")
    (areas, _), (spacing, _), (across, _) = (chosen.values(q) for q in ("area", "spacing", "diameter"))
    scale = chosen.img.pixel_size
    covered = 100 * float(areas.sum()) / (scale["y"] * scale["x"] if scale else 1.0) / float(np.prod(chosen.img.plane_shape))
    return facts(
        chosen.found,
        ("area covered by objects", min(covered, 100.0), "%"),
        ("number of objects", len(chosen), "count"),
        ("distance of neighbours in diameters", _times(spacing, across) if len(chosen) > 1 else 0.0),
    )


def _times(spacing: np.ndarray, across: np.ndarray) -> float:
    return float(np.nanmedian(spacing)) / float(np.median(across))


@tool("halos", quantity="bright rims beside dark ones")
def halos(img: MicroImage) -> tuple[Measurement, ...]:
    """By how much the brightest and the darkest pixels depart from the background (the median), in % of the range: in phase
    contrast cells are dark and have bright halos, so both do.
    """
    grey = whole(img).grey
    low, middle, high = (float(v) for v in np.percentile(grey, (0.5, 50, 99.5)))
    spread = max(float(np.ptp(grey)), 1e-6)
    return (
        Measurement("bright rims above the background", 100 * (high - middle) / spread, "%"),
        Measurement("dark parts below the background", 100 * (middle - low) / spread, "%"),
    )
