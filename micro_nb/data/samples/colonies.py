"""Colonies of rods that grow, divide and push each other apart, as bacteria do in one layer under agarose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

_GROWTH = 0.09
"""Of a rod's length at division, a step."""
_WHILE_GROWING, _AT_THE_END = 6, 25
_DIGITS = 4
"""Places are rounded to these in every step, so that processors which differ in the last bit grow the same colony."""


@dataclass(frozen=True)
class Rods:
    """Rods around the middle of their colony, all ``(n,)``: middles, angle of the axis (radians), length with its caps."""

    y: np.ndarray
    x: np.ndarray
    angle: np.ndarray
    length: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


def grown(rng: np.random.Generator, cells: int, *, width: float, length: float) -> Rods:
    """A colony grown from one rod until it has at least ``cells``.

    Parameters
    ----------
    width, length : of a rod, and its length at division, px.

    Notes
    -----
    Rods are chains of discs half a width apart that repel where they overlap, moved and turned by the mean of the pushes, after
    T. J. Rudge et al., ACS Synth. Biol. 1 (2012) 345-352, without their constraint solver.
    """
    middle, angle = np.zeros((1, 2)), rng.uniform(0, np.pi, 1)
    long, divides = rng.uniform(0.55, 1, 1) * length, length * rng.uniform(0.9, 1.1, 1)
    while len(middle) < cells:
        long = long + length * _GROWTH * rng.uniform(0.7, 1.3, len(long))
        ready = np.flatnonzero(long > divides)
        along = np.stack([np.sin(angle[ready]), np.cos(angle[ready])], 1) * (long[ready] / 4)[:, None]
        middle = np.concatenate([np.delete(middle, ready, 0), middle[ready] + along, middle[ready] - along])
        turned = np.concatenate([angle[ready]] * 2) + rng.normal(0, 0.12, 2 * len(ready))
        angle = np.concatenate([np.delete(angle, ready), turned])
        long = np.concatenate([np.delete(long, ready), long[ready] / 2, long[ready] / 2])
        divides = np.concatenate([np.delete(divides, ready), length * rng.uniform(0.85, 1.2, 2 * len(ready))])
        middle, angle = _apart(middle, angle, long, width, _WHILE_GROWING)
    middle, angle = _apart(middle, angle, long, width, _AT_THE_END)
    middle = middle - np.round(middle.mean(0))
    return Rods(middle[:, 0], middle[:, 1], angle, long)


def _apart(
    middle: np.ndarray, angle: np.ndarray, long: np.ndarray, width: float, rounds: int
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Middles and angles after the rods have pushed each other at most so often."""
    for _ in range(rounds):
        discs, owner = _discs(middle, angle, long, width)
        pairs = cKDTree(discs).query_pairs(width, output_type="ndarray")
        pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
        if not len(pairs):
            break
        away = discs[pairs[:, 0]] - discs[pairs[:, 1]]
        gap = np.hypot(away[:, 0], away[:, 1]) + 1e-6
        push = away * (0.3 * (width - gap) / gap)[:, None]
        shift, turn, pushes = np.zeros_like(middle), np.zeros(len(middle)), np.full(len(middle), 1e-9)
        for sign, side in ((1, 0), (-1, 1)):
            rod = owner[pairs[:, side]]
            arm = discs[pairs[:, side]] - middle[rod]
            np.add.at(shift, rod, sign * push)
            np.add.at(pushes, rod, 1)
            np.add.at(turn, rod, sign * 6 * (arm[:, 1] * push[:, 0] - arm[:, 0] * push[:, 1]) / long[rod] ** 2)
        middle = np.round(middle + shift / np.sqrt(pushes)[:, None], _DIGITS)
        angle = np.round(angle + np.clip(turn, -0.15, 0.15), _DIGITS)
    return middle, angle


def _discs(middle: np.ndarray, angle: np.ndarray, long: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """The chains of discs ``(m, 2)``, and whose each is."""
    straight = np.maximum(long - width, 0)
    count = np.maximum(2, np.ceil(straight / (width / 2)).astype(int) + 1)
    owner = np.repeat(np.arange(len(middle)), count)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    at = (nth / (count[owner] - 1) - 0.5) * straight[owner]
    return middle[owner] + np.stack([np.sin(angle[owner]) * at, np.cos(angle[owner]) * at], 1), owner
