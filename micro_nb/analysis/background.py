"""How even the light is: a smooth surface through the background of an image, by which it can be evened out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..data.image import MicroImage
from ..errors import AxesError

if TYPE_CHECKING:
    import pandas as pd

_LEAST_TILES, _COARSE_PX, _GRID, _WINDOW = 9, 1 << 22, 24, 128


def smooth_surface(y: np.ndarray, x: np.ndarray, values: np.ndarray, *, rounds: int = 4) -> np.ndarray:
    """Coefficients of ``1, y, x, y², yx, x²`` fitted to points, those far off the surface left out round by round.

    Parameters
    ----------
    y, x : ``(n,)`` coordinates, about -1..1.
    values : ``(n,)`` grey values.
    """
    terms = _terms(y, x)
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


def _powers(y: Any, x: Any) -> tuple[Any, ...]:
    return 1.0, y, x, y * y, y * x, x * x


def _terms(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The six terms at points, ``(n, 6)``."""
    return np.stack(np.broadcast_arrays(*_powers(y, x)), 1)


def _fall_percent(light: np.ndarray) -> float:
    return float(100 * (light.max() - light.min()) / light.max())


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
    terms = _terms(y, x)
    if np.linalg.matrix_rank(terms) < terms.shape[1]:
        return None
    light = terms @ smooth_surface(y, x, tiles["background"].to_numpy(float))
    return _fall_percent(light) if light.max() > 0 else None


@dataclass(frozen=True)
class Illumination:
    """The smooth light of a plane: a quadratic surface over the whole image.

    Attributes
    ----------
    shape : ``(y, x)`` px of level 0.
    terms : coefficients of ``1, y, x, y², yx, x²``, y and x from -1 to 1, scaled so that the brightest place is 1.
    offset : grey value of no light (a camera's offset), taken off before dividing.
    """

    shape: tuple[int, int]
    terms: tuple[float, ...]
    offset: float = 0.0

    def at(self, rows: slice, cols: slice) -> np.ndarray:
        """Relative light over pixels of level 0, ``(y, x)`` float32, 0.05..1."""
        y = 2 * (np.arange(rows.start, rows.stop) + 0.5) / self.shape[0] - 1
        x = 2 * (np.arange(cols.start, cols.stop) + 0.5) / self.shape[1] - 1
        light = sum(t * v for t, v in zip(self.terms, _powers(y[:, None], x[None]), strict=True))
        return np.asarray(np.clip(light, 0.05, 1.0), np.float32)

    @property
    def unevenness_percent(self) -> float:
        """Fall from the brightest to the darkest place, % of the brightest."""
        return _fall_percent(_light(self.terms))

    def flatten(self, pixels: np.ndarray, rows: slice, cols: slice) -> np.ndarray:
        """``(..., y, x)`` pixels read at these places of level 0, as float32 with the light evened out."""
        return np.asarray((pixels.astype(np.float32) - self.offset) / self.at(rows, cols) + self.offset)


def estimate_illumination(
    img: MicroImage, *, channel: int | str | None = None, offset: float = 0.0, background: Literal["dark", "bright"] = "dark"
) -> Illumination:
    """The smooth light of a plane, from its coarse level: a quadratic surface fitted robustly to local backgrounds.

    Parameters
    ----------
    img : one plane; several channels need ``channel``, RGB takes the mean of its colours.
    offset : the camera's offset in grey values, where it is known; without it dark images seem more even than they are.
    background : whether the ground between objects is the dark or the bright part.

    Notes
    -----
    A local background is the 10 % (90 %) quantile of one of 24 x 24 fields. The surface follows BaSiC's aim with a simpler model
    (Peng et al. 2017, Nat Commun 8:14836); it needs background in most fields.

    Raises
    ------
    AxesError : z or t is longer than one, or a channel must be chosen.
    """
    plane = img.plane()
    plane = plane.sel(c=channel) if channel is not None else plane
    if "c" in plane.axes and not plane.rgb:
        raise AxesError(f"{img.name} has channels {', '.join(c.name for c in plane.channels)}; say which: channel=...")
    share = 0.1 if background == "dark" else 0.9
    fields = [(y, x, float(np.quantile(pixels, share)) - offset) for y, x, pixels in _fields(plane)]
    y, x, values = (np.array(v) for v in zip(*fields, strict=True))
    terms = smooth_surface(y, x, values)
    brightest = float(_light(tuple(terms)).max())
    return Illumination(plane.plane_shape, tuple(float(t) / max(brightest, 1e-9) for t in terms), offset)


def _light(terms: tuple[float, ...]) -> np.ndarray:
    y, x = (a.ravel() for a in np.meshgrid(np.linspace(-1, 1, 33), np.linspace(-1, 1, 33), indexing="ij"))
    return np.asarray(_terms(y, x) @ np.array(terms))


def _fields(plane: MicroImage) -> Iterator[tuple[float, float, np.ndarray]]:
    """Where each field of a coarse level lies (-1..1), and the pixels at its middle; a few windows, however large the image."""
    level = plane.level_for(_COARSE_PX)
    h, w = plane.info.levels[level].shape[-2:]
    lead = (slice(None),) * (len(plane.axes) - 2)
    rows, cols = (np.linspace(0, n, min(_GRID, n) + 1).astype(int) for n in (h, w))
    for top, bottom in pairwise(rows.tolist()):
        for left, right in pairwise(cols.tolist()):
            y, x = (
                slice(max((a + b - _WINDOW) // 2, a), min((a + b + _WINDOW) // 2, b)) for a, b in ((top, bottom), (left, right))
            )
            pixels = plane.read(level, (*lead, y, x)).astype(np.float32)
            yield (top + bottom) / h - 1, (left + right) / w - 1, pixels.mean(0) if pixels.ndim == 3 else pixels
