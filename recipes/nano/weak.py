"""Masks of blood cells from boxes and points, where nobody drew outlines: what the picture says, held by box or point.

Cells are looked for against the glass. Each box gets the closed outline inside it that best parts cell from glass; each point
gets the blob it lies in, parted from its neighbours. Foreground that nobody labelled is "not known": boxes and points are
incomplete.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from micro_nb.learn.sample import UNKNOWN, relabelled, typical_diameter

_RAYS = 64
_SHARES = np.linspace(0.55, 1.12, 39)
"""Where an outline may cross a ray, as shares of the way from the middle of the box to its ellipse; boxes are drawn loosely."""
_REACHED = 0.9
"""An outline reaches at least this share of the way to each side of its box: that of what is small and soft is read too near."""
_STEP = 3
"""An outline moves by at most this many shares from one ray to the next."""
_CELL = 0.3
"""Contrast above which a pixel belongs to a cell: low, so that pale cells which nobody labelled are not taken for background."""


def contrast(image: np.ndarray) -> np.ndarray:
    """How far each pixel of a smear is from the glass: 0 the glass, 1 a cell, saturated so that nuclei stand out no further.

    Parameters
    ----------
    image : ``(h, w, 3) uint8``, brightfield; the glass is brighter than the cells and may be shaded.

    Returns
    -------
    ``(h, w) float32`` in 0..1.
    """
    smooth = ndi.gaussian_filter(image.astype(np.float32), (1.2, 1.2, 0))
    green = smooth[..., 1]
    glass = green > threshold_otsu(green)  # type: ignore[no-untyped-call]
    for _ in range(3):  # what is pale but not glass leaves the estimate
        shade = _surface(smooth, glass)
        away = np.sqrt(((smooth - shade) ** 2).sum(-1))
        level = np.median(away[glass])
        glass = away < 2.5 * level
    cells = away[away > 4 * level]
    high = np.median(cells) if cells.size else 8 * level
    return np.asarray(np.clip((away - 1.5 * level) / max(0.6 * high - 1.5 * level, 2.0), 0, 1), np.float32)


def _surface(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Quadratic surface through the pixels of a mask, for each channel."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in mask.shape], indexing="ij")
    terms = np.stack([np.ones_like(y), y, x, y * y, x * x, x * y], -1)
    some = np.flatnonzero(mask)[:: max(1, int(mask.sum()) // 20000)]
    fit, *_ = np.linalg.lstsq(terms.reshape(-1, 6)[some], pixels.reshape(-1, 3)[some], rcond=None)
    return np.asarray(terms @ fit, np.float32)


def smear_foreground(seen: np.ndarray) -> np.ndarray:
    """The rims and bodies of the cells of a smear, from its :func:`contrast`; the pallor inside pale rings is not filled."""
    mask = ndi.binary_closing(np.pad(seen > _CELL, 6, mode="reflect"), iterations=1)[6:-6, 6:-6]
    return np.asarray(ndi.binary_opening(mask, iterations=2))


def _filled(fore: np.ndarray, points: np.ndarray | None = None) -> np.ndarray:
    """Foreground with its holes smaller than a cell filled; with points ``(n, 2)`` of x, y only those in the middle of one.

    A hole may be the pallor of a cell or glass that a clump encloses; the points tell.
    """
    blobs, _ = ndi.label(ndi.binary_fill_holes(fore))
    cell = typical_diameter([blobs])
    holes, n = ndi.label(~fore)
    small = np.bincount(holes.ravel(), minlength=n + 1) < 0.4 * cell**2
    small[0] = False
    if points is not None:
        middles = np.array(ndi.center_of_mass(holes, holes, np.arange(1, n + 1))).reshape(-1, 2)
        away = np.hypot(*(middles[:, None] - points[None, :, ::-1]).transpose(2, 0, 1)).min(1, initial=np.inf)
        small[1:] &= away < 0.35 * cell
    return np.asarray(fore | small[holes])


def masks_from_boxes(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Instances inside boxes.

    Parameters
    ----------
    image : ``(h, w, 3) uint8``.
    boxes : ``(n, 4) int`` of x0, y0, x1, y1.

    Returns
    -------
    Labels ``(h, w) int32``: box ``k`` is object ``k + 1``; other foreground is not known.
    """
    seen = contrast(image)
    nearest = np.full(seen.shape, np.inf, np.float32)
    owner = np.zeros(seen.shape, np.int32)
    for k, box in enumerate(boxes):
        place, reach = _reach(box, outline(seen, box), seen.shape)
        mine = (reach <= 1) & (reach < nearest[place])
        owner[place][mine] = k + 1
        nearest[place][mine] = reach[mine]
    rest = ndi.binary_dilation(_filled(smear_foreground(seen)), iterations=2) & (owner == 0)
    thin = rest & ~ndi.binary_opening(rest, iterations=3)  # the soft edge of cells that have an outline is background
    owner[rest & ~(thin & ndi.binary_dilation(owner > 0, iterations=5))] = UNKNOWN
    return owner


def outline(seen: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The closed outline in a box across which contrast falls most, as a share of the box's ellipse on each ray.

    A shortest closed path over rays from the middle of the box (dynamic programming); where neighbours touch there is no fall,
    and the outline keeps to the box.

    Returns
    -------
    ``(_RAYS,) float``; 1 is the ellipse.
    """
    (cy, cx), (ry, rx) = _ellipse(box)
    angle = np.arange(_RAYS) * 2 * np.pi / _RAYS
    width = 2.5 / max(min(ry, rx), 2.5)
    sides = []
    for share in (_SHARES - width, _SHARES + width):
        at = cy + np.outer(np.sin(angle), share) * ry, cx + np.outer(np.cos(angle), share) * rx
        sides.append(ndi.map_coordinates(seen, at, order=1, mode="nearest"))
    gain = sides[0] - sides[1] - 0.1 * ((_SHARES - 0.97) / 0.2) ** 2  # (rays, shares)
    return np.asarray(_SHARES[_closed_path(gain)])


def _closed_path(gain: np.ndarray) -> np.ndarray:
    """The column of each row, rows in a ring, with the greatest sum where neighbours differ by at most ``_STEP``."""
    rows, cols = gain.shape
    twice = np.concatenate([gain, gain])
    moves = np.arange(-_STEP, _STEP + 1)
    cost = 0.02 * moves[:, None] ** 2
    total, came = twice[0], np.zeros((2 * rows, cols), int)
    for k in range(1, 2 * rows):
        wide = np.pad(total, _STEP, constant_values=-np.inf)
        choices = np.stack([wide[m + _STEP : m + _STEP + cols] for m in moves]) - cost
        best = choices.argmax(0)
        total, came[k] = choices[best, np.arange(cols)] + twice[k], np.arange(cols) + moves[best]
    path = np.empty(2 * rows, int)
    path[-1] = total.argmax()
    for k in range(2 * rows - 1, 0, -1):
        path[k - 1] = came[k, path[k]]
    half = rows // 2  # the middle of two rounds knows nothing of where they begin and end
    return np.roll(path[half : half + rows], half)


def _ellipse(box: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    x0, y0, x1, y1 = (float(v) for v in box)
    return ((y0 + y1 - 1) / 2, (x0 + x1 - 1) / 2), (max(1.0, (y1 - y0) / 2), max(1.0, (x1 - x0) / 2))


def _reach(box: np.ndarray, shares: np.ndarray, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], np.ndarray]:
    """A window around a box, and how far its pixels are from the middle: 1 on the outline."""
    (cy, cx), (ry, rx) = _ellipse(box)
    top, left = max(0, int(cy - 1.2 * ry)), max(0, int(cx - 1.2 * rx))
    place = slice(top, min(shape[0], int(cy + 1.2 * ry) + 2)), slice(left, min(shape[1], int(cx + 1.2 * rx) + 2))
    y, x = np.mgrid[place]
    angle = np.arange(_RAYS) * 2 * np.pi / _RAYS
    v, u = _pulled((y - cy) / ry, np.sin(angle) * shares), _pulled((x - cx) / rx, np.cos(angle) * shares)
    turn = np.arctan2(v, u) % (2 * np.pi) / (2 * np.pi) * _RAYS
    edge = np.interp(turn, np.arange(_RAYS + 1), np.append(shares, shares[0]))
    return place, np.hypot(v, u) / edge


def _pulled(at: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Where to look along an axis of a box, so that its ``outline`` reaches :data:`_REACHED` of the way to both sides."""
    reached = np.where(at >= 0, outline.max(), -outline.min())
    return np.asarray(at * np.minimum(1.0, reached / _REACHED))


def masks_from_points(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Instances around points.

    Parameters
    ----------
    image : ``(h, w, 3) uint8``.
    points : ``(n, 2) int`` of x, y.

    Returns
    -------
    Labels ``(h, w) int32``: point ``k`` is object ``k + 1``. Foreground is parted into cells; cells without a point, points that
    share a cell, and shapes too odd to be one cell are not known.
    """
    seen = smear_foreground(contrast(image))
    fore = _filled(seen, points)
    cells = _parted(fore)
    out = np.where(_filled(fore), UNKNOWN, 0).astype(np.int32)
    h, w = fore.shape
    at = cells[points[:, 1].clip(0, h - 1), points[:, 0].clip(0, w - 1)] if len(points) else np.zeros(0, int)
    sane = _sane(cells)
    for k, cell in enumerate(at):
        if cell and sane[cell] and (at == cell).sum() == 1:
            out[cells == cell] = k + 1
    missed = np.ones(fore.shape, bool)  # a point on what looks like glass: something pale is there
    missed[points[at == 0, 1].clip(0, h - 1), points[at == 0, 0].clip(0, w - 1)] = False
    around = ndi.distance_transform_edt(missed) < 14 if (at == 0).any() else ~missed
    out[around & (out == 0)] = UNKNOWN
    return out


def _parted(fore: np.ndarray) -> np.ndarray:
    """Blobs cut at their necks."""
    depth = ndi.gaussian_filter(ndi.distance_transform_edt(np.pad(fore, 8, mode="edge"))[8:-8, 8:-8], 1.5)
    typical = typical_diameter([ndi.label(fore)[0]]) / 2.4  # depth in the middle of a cell, smoothed
    apart = max(3, int(0.7 * typical))
    peaks = peak_local_max(  # type: ignore[no-untyped-call]
        depth, min_distance=apart, threshold_abs=0.4 * typical, exclude_border=False
    )
    markers = np.zeros(fore.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-depth, markers, mask=fore), np.int32)  # type: ignore[no-untyped-call]


def _sane(cells: np.ndarray) -> np.ndarray:
    """Of each number, whether it has the size of a cell of this picture and no deep dents."""
    areas = np.bincount(cells.ravel())
    typical = np.pi / 4 * typical_diameter([cells]) ** 2
    ok = (areas > 0.25 * typical) & (areas < 2.2 * typical)
    ok[0] = False
    for k, place in enumerate(ndi.find_objects(cells), start=1):
        if place is not None and ok[k]:
            mine = np.pad(cells[place] == k, 1)
            perimeter = float(np.count_nonzero(mine & ~ndi.binary_erosion(mine)))
            ok[k] = 4 * np.pi * mine.sum() / max(perimeter, 1.0) ** 2 > 0.62
    return ok


def dark_nuclei(image: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """The dark purple inside each white cell ``cells (h, w)`` of a smear: its nucleus, numbered from 1."""
    red = ndi.gaussian_filter(255.0 - image[..., 0], 1)
    out = np.zeros(cells.shape, np.int32)
    for k, place in enumerate(ndi.find_objects(np.maximum(cells, 0)), start=1):
        if place is None:
            continue
        cell = cells[place] == k
        values = red[place][cell]
        if values.size > 50 and np.ptp(values) > 40:
            out[place][cell & (red[place] > threshold_otsu(values))] = k  # type: ignore[no-untyped-call]
    return relabelled(out)
