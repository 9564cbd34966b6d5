"""How even the light is: a smooth surface through the background of an image's tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_LEAST_TILES = 9


def smooth_surface(y: np.ndarray, x: np.ndarray, values: np.ndarray, *, rounds: int = 4) -> np.ndarray:
    """Coefficients of ``1, y, x, y², yx, x²`` fitted to points, those far off the surface left out round by round.

    Parameters
    ----------
    y, x : ``(n,)`` coordinates, about -1..1.
    values : ``(n,)`` grey values.
    """
    terms = surface_terms(y, x)
    keep = np.ones(len(values), bool)
    fit = np.zeros(terms.shape[1])
    for _ in range(rounds):
        fit = np.linalg.lstsq(terms[keep], values[keep], rcond=None)[0]
        off = values - terms @ fit
        limit = 2.5 * 1.4826 * np.median(np.abs(off[keep])) + 1e-9
        nearer = np.abs(off) <= limit
        if nearer.sum() < _LEAST_TILES or np.array_equal(nearer, keep):
            break
        keep = nearer
    return np.asarray(fit)


def surface_terms(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The six terms at points, ``(n, 6)``."""
    return np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], 1)


def unevenness_percent(table: pd.DataFrame, *, bright: bool) -> float | None:
    """By how much the background falls from its brightest to its darkest place, in % of the brightest.

    Parameters
    ----------
    table : tiles with ``y0_px`` ... ``x1_px``, ``background`` and ``empty``.
    bright : whether the background is the bright part; then only empty tiles show it, as tissue may fill the others.

    Returns
    -------
    None where fewer than 9 tiles show any background.
    """
    tiles = table[table["empty"]] if bright else table
    if len(tiles) < _LEAST_TILES:
        return None
    y, x = ((tiles[f"{a}0_px"] + tiles[f"{a}1_px"]).to_numpy(float) / 2 for a in "yx")
    y, x = (2 * a / table[f"{n}1_px"].max() - 1 for a, n in ((y, "y"), (x, "x")))
    terms = surface_terms(y, x)
    if np.linalg.matrix_rank(terms) < terms.shape[1]:
        return None
    light = terms @ smooth_surface(y, x, tiles["background"].to_numpy(float))
    return float(100 * (light.max() - light.min()) / light.max()) if light.max() > 0 else None
