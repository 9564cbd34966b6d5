"""What there is in a scene: labels in layers, names, and what is drawn without being labelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage as ndi

from .fields import Fields, noise
from .placing import inside, kept, scattered, tiles
from .shapes import STAMPS, Stamp, blob, disc, facet, lobes, rod, spindle, spread, thread

PATTERNS = ("even", "even", "clumps", "rows")


@dataclass
class Body:
    """A scene before anyone looks at it.

    Attributes
    ----------
    layers : layer -> labels ``(edge, edge)``; a layer that is missing is not known, one of zeros is known to be empty.
    names : layer -> concept of all its objects, or of each number.
    diameter : typical diameter of the objects, px.
    shell : walls, sheaths: drawn around objects, part of none.
    """

    layers: dict[str, np.ndarray]
    names: dict[str, str | dict[int, str]]
    diameter: float
    shell: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def edge(self) -> int:
        return len(next(iter(self.layers.values())))


def sizes(rng: np.random.Generator, diameter: float, widest: float = 0.45) -> Callable[[], float]:
    """Diameters about a typical one: nearly alike, widely spread, or of two kinds."""
    width, two = rng.uniform(0.05, widest), rng.random() < 0.2
    ratio = rng.uniform(0.25, 0.6)
    return lambda: float(diameter * np.exp(rng.normal(0, width)) * (ratio if two and rng.random() < 0.5 else 1))


def population(
    rng: np.random.Generator, edge: int, diameter: float, stamp: Stamp, *, crowd: float | None = None, above: bool | None = None
) -> np.ndarray:
    """Shapes of a kind, from a few to as many as find room."""
    crowd = crowd if crowd is not None else float(np.exp(rng.uniform(np.log(0.06), np.log(2.5))))
    count = max(2, int(crowd * (edge / diameter) ** 2))
    return scattered(
        rng, edge, stamp, sizes(rng, diameter), count=count, pattern=PATTERNS[rng.integers(len(PATTERNS))],
        overlap=rng.choice([0.0, 0.08, 0.25, 0.4]), gap=int(rng.choice([0, 0, 1, 2])),
        above=rng.random() < 0.5 if above is None else above,
    )  # fmt: skip


def nuclei(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """Nuclei alone, of one kind or two; now and then lobed, or with micronuclei beside them."""
    stamp: Stamp = (blob, blob, blob, spindle, lobes)[rng.integers(5)]
    if stamp is blob:
        aspect, rough = rng.uniform(1.1, 2.4), rng.uniform(0.02, 0.12)
        stamp = lambda r, d: blob(r, d, aspect, rough)  # noqa: E731
    labels = population(rng, edge, diameter, stamp)
    return Body({"object": labels, "nucleus": labels}, {"object": "nucleus", "nucleus": "nucleus"}, diameter)


def particles(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """Particles, beads, droplets, grains: any size ratio, each on or under the other."""
    named = ((disc, "bead"), (disc, "droplet"), (facet, "grain"), (blob, "powder particle"), (blob, "vesicle"))
    stamp, name = named[rng.integers(len(named))]
    ratio = np.exp(rng.uniform(0, np.log(6)))
    wide = lambda: float(diameter * ratio ** (rng.random() ** 2 * 2 - 0.7))  # noqa: E731
    crowd = np.exp(rng.uniform(np.log(0.1), np.log(4)))
    labels = scattered(
        rng, edge, stamp, wide, count=int(crowd * (edge / diameter) ** 2) + 2, pattern=PATTERNS[rng.integers(4)],
        overlap=rng.choice([0.0, 0.1, 0.5]), above=rng.random() < 0.5,
    )  # fmt: skip
    return Body({"object": labels, "nucleus": np.zeros_like(labels)}, {"object": name}, _typical(labels, diameter))


def rods(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """Bacteria: rods that bend, divide and lie side by side in colonies; or cocci, or threads."""
    low = rng.uniform(1.1, 2.5)
    long = (low, low * rng.uniform(1.2, 2.5))
    stamp: Stamp = (lambda r, d: rod(r, d, long)) if rng.random() < 0.85 else (disc if rng.random() < 0.5 else thread)
    if rng.random() < 0.5:
        labels = population(rng, edge, diameter, stamp, above=False)
    else:
        labels = colony(rng, edge, diameter, np.mean(long))
    return Body({"object": labels, "nucleus": np.zeros_like(labels)}, {"object": "bacterium"}, _typical(labels, diameter))


def colony(rng: np.random.Generator, edge: int, diameter: float, ratio: float) -> np.ndarray:
    """Rods packed side by side: strips of a bent plane, cut across at places of their own, in patches."""
    width = diameter * np.sqrt(np.pi / 4 / ratio)
    y, x = np.mgrid[:edge, :edge].astype(float)
    turn = rng.uniform(0, np.pi) + rng.uniform(0.05, 0.5) * noise(rng, edge, edge * rng.uniform(0.25, 0.6))
    u = y * np.cos(turn) - x * np.sin(turn) + 0.3 * width * noise(rng, edge, 6 * width)
    v = y * np.sin(turn) + x * np.cos(turn)
    row = np.floor(u / width).astype(int)
    shift = rng.uniform(0, 9, int(row.max() - row.min()) + 1)[row - row.min()]
    length = width * ratio * np.exp(rng.normal(0, 0.15, len(np.unique(row)) + 8))[(row - row.min()) % (len(np.unique(row)) + 8)]
    place = v / length + shift
    cell = np.floor(place).astype(int)
    across, along = np.abs(u / width - row - 0.5), np.abs(place - cell - 0.5) * length / width
    cap = np.maximum(along - (length / width / 2 - 0.5), 0)
    solid = np.hypot(across, cap) < rng.uniform(0.42, 0.5)
    patch = noise(rng, edge, edge * rng.uniform(0.15, 0.5)) > rng.uniform(-0.8, 0.8)
    _, labels = np.unique(row * 100003 + cell, return_inverse=True)
    labels = kept(np.where(solid, labels.reshape(edge, edge) + 1, 0).astype(np.int32), least=int(0.2 * diameter**2))
    stays = np.asarray(ndi.mean(patch, labels, np.arange(labels.max() + 1))) > 0.5
    area = np.bincount(labels.ravel())
    stays[0], stays[area > 2 * np.median(area)] = False, False
    return kept(np.where(stays[labels], labels, 0).astype(np.int32))


def tissue_cells(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """Cells that fill the plane, with walls, and mostly a nucleus in each: epithelium, plant cells, a monolayer."""
    labels = tiles(rng, edge, diameter, wall=rng.uniform(0.6, 0.16 * diameter), regular=rng.uniform(0, 1))
    if rng.random() < 0.3:
        labels = np.where(noise(rng, edge, edge / 3) > rng.uniform(-1.2, 0), labels, 0)
        labels = kept(labels.astype(np.int32))
    return celled(rng, labels, diameter, "epithelial cell" if rng.random() < 0.6 else "plant cell")


def single_cells(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """Cells beside one another, round, spread or with arms, each with its nucleus and what floats in it."""
    stamp = (spread, spread, blob, spindle)[rng.integers(4)]
    labels = population(rng, edge, diameter, stamp, crowd=float(np.exp(rng.uniform(np.log(0.15), np.log(2.0)))))
    return celled(rng, labels, diameter, "adherent cell" if stamp is spread else "cell")


def celled(rng: np.random.Generator, cells: np.ndarray, diameter: float, name: str) -> Body:
    """Cells with nuclei, and sometimes organelles around these."""
    share = rng.uniform(0.3, 0.65)
    core = inside(rng, cells, lambda r, d: blob(r, d, 1.5, 0.05), lambda d: share * d, each=1, spare=rng.choice([0.0, 0.0, 0.2]))
    layers, names = {"object": cells, "nucleus": core}, {"object": name, "nucleus": "nucleus"}
    if rng.random() < 0.5:
        room = np.where(core > 0, 0, cells)
        small = rng.uniform(0.08, 0.22)
        stamp, said = ((rod, "mitochondrion"), (disc, "vesicle"), (blob, "chloroplast"))[rng.integers(3)]
        size = lambda d: max(3.0, small * d * rng.uniform(0.6, 1.4))  # noqa: E731
        layers["organelle"] = inside(rng, room, stamp, size, each=int(rng.integers(1, 9)))
        names["organelle"] = said
    return Body(layers, names, _typical(cells, diameter))


def axons(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """Axons in their myelin: rings in rings, of widely different widths, packed; the axon is the object."""
    width = rng.uniform(0.3, 0.8)
    wide = lambda: float(diameter * 1.4 * np.exp(rng.normal(0, width)))  # noqa: E731
    stamp = lambda r, d: blob(r, d, 1.7, 0.1)  # noqa: E731
    count = int(rng.uniform(0.8, 4) * (edge / diameter) ** 2)
    outer = scattered(rng, edge, stamp, wide, count=count, overlap=rng.choice([0.0, 0.05, 0.15]))
    fields = Fields(rng, outer)
    ratio = rng.uniform(0.15, 0.5)
    inner = np.where(fields.depth > fields.each(0.7 * ratio, 1.3 * ratio), outer, 0)
    labels = kept(np.where(ndi.binary_erosion(outer > 0, iterations=1), inner, 0).astype(np.int32), least=8)
    layers = {"object": labels, "nucleus": np.zeros_like(labels)}
    return Body(layers, {"object": "axon"}, _typical(labels, diameter), shell=(outer > 0) & (labels == 0))


def profiles(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """A section through neurites: profiles of every size that fill the plane, with mitochondria and vesicles."""
    coarse = tiles(rng, edge, diameter * rng.uniform(1.5, 3), wall=0.5, regular=0.2)
    fine = tiles(rng, edge, diameter * 0.7, wall=0.5, regular=0.2)
    large = np.isin(coarse, np.flatnonzero(rng.random(int(coarse.max()) + 1) < rng.uniform(0.3, 0.7))) & (coarse > 0)
    both = np.where(large, coarse, fine + int(coarse.max()) + 1)
    meet = ndi.maximum_filter(both, 3) != ndi.minimum_filter(both, 3)
    wall = ndi.gaussian_filter(meet.astype(float), rng.uniform(0.5, 1.2)) > rng.uniform(0.15, 0.4)
    labels = kept(np.where(wall, 0, both).astype(np.int32), least=int(0.05 * diameter**2) + 6)
    size = lambda d: float(np.clip(0.35 * d * rng.uniform(0.6, 1.3), 5, 0.8 * diameter))  # noqa: E731
    mito = inside(rng, labels, lambda r, d: rod(r, d, (1.0, 2.5)), size, each=1, spare=rng.uniform(0.4, 0.85))
    layers = {"object": labels, "nucleus": np.zeros_like(labels), "organelle": mito}
    return Body(layers, {"object": "neurite", "organelle": "mitochondrion"}, _typical(labels, diameter))


def anything(rng: np.random.Generator, edge: int, diameter: float) -> Body:
    """Shapes of any kind, without a name."""
    stamp = list(STAMPS.values())[rng.integers(len(STAMPS))]
    labels = population(rng, edge, diameter, stamp)
    return Body({"object": labels}, {}, _typical(labels, diameter))


def _typical(labels: np.ndarray, otherwise: float) -> float:
    """Median diameter, weighed by diameter, so that specks do not decide."""
    area = np.bincount(labels.ravel())[1:]
    wide = np.sort(2 * np.sqrt(area[area > 0] / np.pi))
    return float(wide[np.searchsorted(np.cumsum(wide), wide.sum() / 2)]) if wide.size else otherwise
