"""Shapes laid into a scene: where, how densely, and who lies on whom; and tilings, which leave no gap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage as ndi
from scipy.spatial import cKDTree

from .fields import noise
from .shapes import Stamp


def places(rng: np.random.Generator, edge: int, count: int, pattern: str) -> np.ndarray:
    """``(count, 2)`` y, x: ``"even"`` (anywhere), ``"clumps"``, or ``"rows"`` (along bent lines)."""
    if pattern == "clumps":
        middles = rng.uniform(0, edge, (int(rng.integers(1, 9)), 2))
        width = rng.uniform(0.04, 0.16, len(middles)) * edge
        k = rng.integers(len(middles), size=count)
        return middles[k] + rng.normal(0, 1, (count, 2)) * width[k, None]
    at = rng.uniform(-0.02, 1.02, (count, 2)) * edge
    if pattern == "rows":
        step, angle = edge / rng.integers(2, 7), rng.uniform(0, np.pi)
        bent = at[:, 1] + rng.uniform(0.05, 0.2) * edge * np.sin(at[:, 0] / edge * rng.uniform(2, 8))
        at[:, 1] += (np.round(bent / step) * step - bent) * rng.uniform(0.8, 1.0)
        c, s = np.cos(angle), np.sin(angle)
        at = (at - edge / 2) @ np.array([[c, -s], [s, c]]) + edge / 2
    return at


def scattered(
    rng: np.random.Generator, edge: int, stamp: Stamp, sizes: Callable[[], float], *, count: int, pattern: str = "even",
    overlap: float = 0.1, gap: int = 0, above: bool = False,
) -> np.ndarray:  # fmt: skip
    """Labels ``(edge, edge)`` of shapes that are laid down one after another.

    Parameters
    ----------
    sizes : draws the diameter of the next.
    count : how many are tried.
    overlap : the share of a shape that may fall on others; ``gap`` pixels around others count as theirs.
    above : whether the later lies on the earlier, or under it.
    """
    labels = np.zeros((edge, edge), np.int32)
    taken = np.zeros((edge, edge), bool)
    for number, (y, x) in enumerate(places(rng, edge, count, pattern), start=1):
        mask = stamp(rng, sizes())
        top, left = int(y) - mask.shape[0] // 2, int(x) - mask.shape[1] // 2
        rows, cols = slice(max(0, top), max(0, top + mask.shape[0])), slice(max(0, left), max(0, left + mask.shape[1]))
        part = mask[rows.start - top :, cols.start - left :][: max(0, edge - rows.start), : max(0, edge - cols.start)]
        here = taken[rows, cols][: part.shape[0], : part.shape[1]]
        if not part.any() or (here & part).sum() > overlap * part.sum():
            continue
        free = part if above else part & (labels[rows, cols][: part.shape[0], : part.shape[1]] == 0)
        labels[rows, cols][: part.shape[0], : part.shape[1]][free] = number
        here |= ndi.binary_dilation(part, iterations=gap) if gap else part
    return kept(labels)


def kept(labels: np.ndarray, least: int = 6) -> np.ndarray:
    """The largest piece of each object, without specks, numbered from 1."""
    out = np.zeros_like(labels)
    number = 0
    for k, place in enumerate(ndi.find_objects(labels), start=1):
        if place is None:
            continue
        pieces, _ = ndi.label(labels[place] == k)
        area = np.bincount(pieces.ravel(), minlength=2)[1:]
        if area.max() >= least:
            number += 1
            out[place][pieces == 1 + int(area.argmax())] = number
    return out


def tiles(rng: np.random.Generator, edge: int, diameter: float, *, wall: float, regular: float = 0.5) -> np.ndarray:
    """Labels of polygons that fill the plane, parted by walls of about ``wall`` pixels."""
    count = max(4, int((edge / diameter) ** 2 * 1.3))
    seeds = rng.uniform(-0.1, 1.1, (count, 2)) * edge
    for _ in range(int(rng.integers(0, 4) * regular * 2)):
        seeds = _spread(seeds, edge)
    y, x = np.mgrid[:edge, :edge].astype(float)
    bend = rng.uniform(0, 0.12) * diameter
    at = np.stack([y + bend * noise(rng, edge, diameter / 2), x + bend * noise(rng, edge, diameter / 2)], -1)
    away, owner = cKDTree(seeds).query(at.reshape(-1, 2), k=2)
    between = (away[:, 1] - away[:, 0]).reshape(edge, edge)
    labels = (owner[:, 0] + 1).reshape(edge, edge).astype(np.int32)
    uneven = 1 + 0.4 * noise(rng, edge, diameter)
    return kept(np.where(between > wall * uneven, labels, 0).astype(np.int32), least=int(0.05 * diameter**2) + 6)


def _spread(seeds: np.ndarray, edge: int) -> np.ndarray:
    """Seeds moved away from their nearest neighbours."""
    away, near = cKDTree(seeds).query(seeds, k=4)
    push = ((seeds[:, None] - seeds[near[:, 1:]]) / np.maximum(away[:, 1:, None], 1) ** 2).sum(1)
    return np.asarray(seeds + push * 0.3 * edge**2 / len(seeds))


def inside(
    rng: np.random.Generator, hosts: np.ndarray, stamp: Stamp, size: Callable[[float], float], *, each: int, spare: float = 0.0
) -> np.ndarray:
    """Labels of shapes that lie within hosts, up to ``each`` in a host; a share ``spare`` of the hosts stays empty.

    ``size`` gives the diameter of a shape from that of its host. Number ``n`` in the labels says nothing of the host.
    """
    labels, number = np.zeros_like(hosts), 0
    for k, place in enumerate(ndi.find_objects(hosts), start=1):
        if place is None or rng.random() < spare:
            continue
        host = hosts[place] == k
        room = ndi.distance_transform_edt(np.pad(host, 1))[1:-1, 1:-1]
        wide = 2 * np.sqrt(host.sum() / np.pi)
        for _ in range(each):
            spots = np.argwhere(room > min(0.45 * size(wide), 0.8 * room.max()))
            if not len(spots):
                break
            y, x = spots[rng.integers(len(spots))]
            mask = stamp(rng, size(wide))
            number += 1
            _lay(labels[place], host & (labels[place] == 0), mask, int(y), int(x), number)
    return kept(labels)


def _lay(labels: np.ndarray, free: np.ndarray, mask: np.ndarray, y: int, x: int, number: int) -> None:
    at = np.argwhere(mask) + [y - mask.shape[0] // 2, x - mask.shape[1] // 2]
    at = at[((at >= 0) & (at < labels.shape)).all(1)]
    at = at[free[at[:, 0], at[:, 1]]]
    labels[at[:, 0], at[:, 1]] = number
