"""Scenes of stained specimens: tissue with glands, stroma, lymphocytes and fat; smears of blood."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi

from .bodies import Body
from .fields import noise
from .placing import inside, kept, scattered
from .shapes import Stamp, blob, crescent, disc, lobes, rod


def along(angle: float, sharp: float) -> Stamp:
    """Spindles that lie about one way."""

    def stamp(rng: np.random.Generator, diameter: float) -> np.ndarray:
        ratio, turn = np.exp(rng.uniform(0.4, 1.6)), angle + rng.normal(0, 0.4)
        half = diameter / 2 * np.sqrt(ratio)
        n = int(half) + 3
        y, x = np.mgrid[-n : n + 1, -n : n + 1].astype(float)
        u, v = y * np.cos(turn) - x * np.sin(turn), y * np.sin(turn) + x * np.cos(turn)
        u = u - rng.normal(0, 0.06) / half * v**2
        return np.asarray((np.abs(v) / half) ** sharp + (np.abs(u) * ratio / half) ** 2 < 1)

    return stamp


def tissue(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """A section of tissue: epithelium around lumens, stroma between, lymphocytes here and there, now and then fat."""
    land = noise(rng, edge, edge * rng.uniform(0.2, 0.7))
    split = rng.uniform(-1.5, 1.5)
    epithelium = land > split
    lumen = (land > split + rng.uniform(0.7, 1.8)) & (rng.random() < 0.5)
    fat = np.zeros((edge, edge), bool)
    if rng.random() < 0.25:
        wide = diameter * rng.uniform(3, 6)
        drops = scattered(rng, edge, blob, lambda: wide * rng.uniform(0.7, 1.3), count=int(3 * (edge / wide) ** 2), overlap=0.02)
        fat = ndi.binary_erosion(drops > 0, iterations=2) & ~epithelium
    aspect, angle = rng.uniform(1.15, 2.0), rng.uniform(0, np.pi)
    plump: Stamp = lambda r, d: blob(r, d, aspect, 0.06)  # noqa: E731
    crowd = np.exp(rng.uniform(np.log(0.25), np.log(2.2), 3)) * [1, 0.5, rng.choice([0.0, 0.3, 1.0])]
    spread = rng.uniform(0.08, 0.35)
    kinds = (
        (plump, epithelium & ~lumen, diameter, crowd[0], "even"),
        (along(angle, rng.uniform(1.7, 3.0)), ~epithelium & ~fat, 0.85 * diameter, crowd[1], "even"),
        (disc, ~lumen & ~fat, 0.7 * diameter, crowd[2], "clumps"),
    )  # fmt: skip
    labels = np.zeros((edge, edge), np.int32)
    for stamp, where, wide, many, pattern in kinds:
        size = lambda wide=wide: float(wide * np.exp(rng.normal(0, spread)))  # noqa: E731
        found = scattered(
            rng, edge, stamp, size, count=int(many * (edge / wide) ** 2), pattern=pattern, overlap=rng.choice([0.0, 0.1, 0.3]),
            gap=int(rng.choice([0, 0, 1])),
        )  # fmt: skip
        middle = np.array(ndi.center_of_mass(found > 0, found, np.arange(1, found.max() + 1))).reshape(-1, 2).astype(int)
        allowed = np.concatenate([[False], where[middle[:, 0], middle[:, 1]]])
        new = allowed[found] & (labels == 0)
        labels[new] = found[new] + labels.max()
    labels = kept(labels, least=int(0.06 * diameter**2))
    extra = {"epithelium": epithelium, "open": (lumen | fat) & (labels == 0), "angle": np.array(angle)}
    return Body({"object": labels, "nucleus": labels}, {"object": "nucleus", "nucleus": "nucleus"}, diameter, extra=extra)


def smear(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """A blood smear: red cells, some of odd shape, white cells with their nuclei, platelets."""
    odd = rng.random() < 0.3

    def red(r: np.random.Generator, d: float) -> np.ndarray:
        stamp = r.choice(4) if odd and r.random() < 0.5 else 0
        return (blob(r, d, 1.25, 0.03), rod(r, d, (1.3, 2.5)), crescent(r, d), blob(r, d, 1.8, 0.12))[stamp]

    crowd = np.exp(rng.uniform(np.log(0.1), np.log(1.6)))
    size = lambda: float(diameter * np.exp(rng.normal(0, 0.1)))  # noqa: E731
    count, overlap = int(crowd * (edge / diameter) ** 2) + 1, rng.choice([0.02, 0.1, 0.3])
    reds = scattered(rng, edge, red, size, count=count, overlap=overlap, above=rng.random() < 0.5)
    ratio = rng.uniform(1.4, 2.4)
    whites = scattered(rng, edge, lambda r, d: blob(r, d, 1.3, 0.06), lambda: ratio * size(), count=int(rng.integers(0, 6)))
    grow: Stamp = lobes if rng.random() < 0.5 else (lambda r, d: blob(r, d, 1.5, 0.12))
    share = rng.uniform(0.5, 0.92)
    cores = inside(rng, whites, grow, lambda d: share * d, each=1)
    speck: Stamp = lambda r, d: blob(r, d, 1.6, 0.15)  # noqa: E731
    bits = scattered(rng, edge, speck, lambda: diameter * rng.uniform(0.18, 0.5), count=int(rng.integers(0, 30)))
    labels, names = np.zeros((edge, edge), np.int32), {}
    for found, name in ((whites, "white blood cell"), (bits, "platelet"), (reds, "red blood cell")):
        if name == "platelet":
            found = _apart(found, ndi.binary_dilation(reds > 0, iterations=1))
        new = (found > 0) & (labels == 0)
        start = int(labels.max())
        labels[new] = found[new] + start
        names |= {start + k: name for k in range(1, int(found.max()) + 1)}
    labels, kinds = _numbered(labels, names)
    return Body({"object": labels, "nucleus": cores}, {"object": kinds, "nucleus": "nucleus"}, diameter)


def _apart(labels: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Without the objects that meet ``other``."""
    return np.where(np.isin(labels, np.unique(labels[other])), 0, labels)


def _numbered(labels: np.ndarray, names: dict[int, str]) -> tuple[np.ndarray, dict[int, str]]:
    numbers, flat = np.unique(labels, return_inverse=True)
    if numbers[0] != 0:
        numbers, flat = np.concatenate([[0], numbers]), flat + 1
    return flat.reshape(labels.shape).astype(np.int32), {k: names[int(n)] for k, n in enumerate(numbers) if n}
