"""The nucleus of a white blood cell in a stained film: into how many segments it is parted, how much of the cell it fills, and
how much of the rest is stained by eosin.

References
----------
B. J. Bain, Blood Cells: A Practical Guide, 5th ed. (Wiley 2015): segmented nuclei and granules of granulocytes, round dense
nuclei of lymphocytes, large indented nuclei of monocytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops

_ROUND, _FULL = 0.88, 0.62  # solidity of an undivided nucleus; share of the cell that a lymphocyte's fills
_PINK, _GRAINY = 3.5, 0.3  # green over red absorbance, and grain, of red granules


@dataclass(frozen=True)
class Nucleus:
    """What the nucleus of a white cell looks like.

    Attributes
    ----------
    segments : parts that remain when it is eroded by a third of its half-width.
    solidity : share of its convex outline that it fills, all segments together.
    share : of the cell that it fills, 0 to 1.
    eosin : mean of green over red absorbance in the rest of the cell; above about 2 it is pink to red.
    grain : deviation of the green absorbance in the rest of the cell, over its mean.
    """

    segments: int
    solidity: float
    share: float
    eosin: float
    grain: float


def nucleus(colours: np.ndarray, background: np.ndarray) -> Nucleus | None:
    """The nucleus in a window ``(3, y, x)`` around one white cell, colours 0 to 1; None where nothing dark and blue is there.

    Parameters
    ----------
    background : ``(3,)``, the colour of the empty film.
    """
    through = np.clip(colours / np.maximum(background[:, None, None], 0.05), 0.02, 1.5)
    red, green, _ = (ndi.gaussian_filter(-np.log10(plane), 1.0) for plane in through)
    if float(red.max()) < 0.08:
        return None
    mask = red > max(float(threshold_otsu(red)), 0.08)  # type: ignore[no-untyped-call]
    mask = _main(ndi.binary_closing(ndi.binary_opening(mask, iterations=2), iterations=2))
    if mask.sum() < 50:
        return None
    deep = ndi.distance_transform_edt(mask)
    cores = ndi.binary_opening(deep > 0.45 * float(np.percentile(deep[mask], 98)), iterations=1)
    parts = [r for r in regionprops(label(cores)) if r.area > 0.02 * mask.sum()]  # type: ignore[no-untyped-call]
    solidity = float(regionprops(mask.astype(np.uint8))[0].solidity)  # type: ignore[no-untyped-call]
    cell = mask | _around(green, mask)
    rest = cell & ~ndi.binary_dilation(mask, iterations=2)
    pink = float(np.mean(green[rest]) / max(float(np.mean(red[rest])), 0.01)) if rest.sum() > 30 else 0.0
    grain = float(np.std(green[rest]) / max(float(np.mean(green[rest])), 0.01)) if rest.sum() > 30 else 0.0
    return Nucleus(max(len(parts), 1), solidity, float(mask.sum() / cell.sum()), pink, grain)


def _main(mask: np.ndarray) -> np.ndarray:
    """The largest part and others of at least a tenth of it that lie within its own diameter."""
    labels, n = ndi.label(mask)
    if not n:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    largest = int(np.argmax(sizes)) + 1
    near = ndi.distance_transform_edt(labels != largest) < 0.6 * np.sqrt(sizes[largest - 1])
    kept = [k + 1 for k in range(n) if sizes[k] >= 0.1 * sizes[largest - 1] and near[labels == k + 1].any()]
    return np.asarray(np.isin(labels, kept))


def _around(green: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Stained pixels next to the nucleus, as far as half its diameter."""
    reach = max(4, int(0.4 * np.sqrt(mask.sum())))
    near = ndi.binary_dilation(mask, iterations=reach)
    stained = near & (green > 0.06)
    labels, _ = ndi.label(stained | mask)
    own = np.unique(labels[mask])
    return np.asarray(np.isin(labels, own[own > 0]))


def kind(seen: Nucleus) -> tuple[str, str]:
    """``(what the cell is consistent with, why)``."""
    if seen.segments >= 2 or seen.solidity < _ROUND:
        if seen.eosin > _PINK or (seen.eosin > 0.65 * _PINK and seen.grain > _GRAINY):
            return "granulocyte with a segmented nucleus and red granules (eosinophil)", "lobed nucleus, reddish grainy cytoplasm"
        return "granulocyte with a segmented nucleus (neutrophil, polymorphonuclear)", "nucleus lobed or parted into segments"
    if seen.share > _FULL:
        return "lymphocyte", "round nucleus that fills most of the cell"
    return "monocyte or large lymphocyte", "undivided nucleus in much cytoplasm"
