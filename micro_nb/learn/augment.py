"""Changes to a crop that keep its biology: pose, scale, a little warping; exposure, stain, blur and noise."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage as ndi

from .sample import UNKNOWN

_NEGATIVE, _GREYED, _SHUFFLED, _TURNED = 0.08, 0.12, 0.05, 0.2
"""How often a grey crop is inverted, a coloured one made grey, its channels shuffled, or its hues turned to another stain's."""
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def sampling_grid(
    rng: np.random.Generator, edge: int, scale: float, centre: tuple[float, float], *, warp: float = 0.02
) -> np.ndarray:
    """Where each pixel of a crop comes from: ``(2, edge, edge)`` of y, x in the image; rotated, flipped, scaled, slightly warped.

    Parameters
    ----------
    scale : pixels of the crop along one pixel of the image. centre : y, x of the crop's centre in the image.
    warp : size of elastic displacements as a share of the crop's edge.
    """
    angle, flip = rng.uniform(0, 2 * np.pi), rng.choice([-1.0, 1.0])
    stretch = np.exp(rng.normal(0, 0.06))
    at = (np.arange(edge) - (edge - 1) / 2) / scale
    y, x = np.meshgrid(at * stretch, at * flip / stretch, indexing="ij")
    c, s = np.cos(angle), np.sin(angle)
    grid = np.stack([c * y - s * x + centre[0], s * y + c * x + centre[1]])
    if rng.random() < 0.5:
        coarse = torch.from_numpy(rng.normal(0, warp * edge / scale / 2, (1, 2, 6, 6)))
        grid = grid + F.interpolate(coarse, size=(edge, edge), mode="bicubic", align_corners=True)[0].numpy()
    return grid


def sample_image(image: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """``(c, h, w) float32`` of an image ``(h, w, c)`` at a grid, mirrored beyond its frame, interpolated linearly.

    Only the part that the grid touches is read, so that crops of large images cost no more than those of small ones.
    """
    at = [_mirrored(g, n) for g, n in zip(grid, image.shape[:2], strict=True)]
    low = [int(g.min()) for g in at]
    high = [min(int(g.max()) + 2, n) for g, n in zip(at, image.shape[:2], strict=True)]
    part = image[low[0] : high[0], low[1] : high[1]].astype(np.float32)
    scaled = [(g - start) * 2 / max(1, n - 1) - 1 for g, start, n in zip(at, low, part.shape[:2], strict=True)]
    where = torch.from_numpy(np.stack(scaled[::-1], -1).astype(np.float32))
    planes = torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1)))
    found = F.grid_sample(planes[None], where[None], mode="bilinear", padding_mode="border", align_corners=True)
    return found[0].numpy()


def _mirrored(at: np.ndarray, n: int) -> np.ndarray:
    """Positions beyond ``0 .. n - 1`` folded back about the middles of the outermost pixels."""
    span = max(1, n - 1)
    folded = span - np.abs(np.abs(at) % (2 * span) - span)
    return np.asarray(np.minimum(folded, n - 1))


def sample_labels(labels: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Labels at a grid; beyond the frame nothing is known."""
    h, w = labels.shape
    y, x = np.rint(grid[0]).astype(int), np.rint(grid[1]).astype(int)
    inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
    return np.where(inside, labels[y.clip(0, h - 1), x.clip(0, w - 1)], UNKNOWN)


def recolour(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Gamma, stain, channel shuffle, contrast, blur, noise and shading of a crop ``(3, h, w) float32`` in about 0..1.

    A crop whose channels are equal stays grey.
    """
    grey = bool(np.ptp(x, axis=0).max() < 1e-3)
    if rng.random() < 0.8:
        x = np.clip(x, 1e-3, None) ** np.exp(rng.normal(0, 0.25))
    if not grey:
        if rng.random() < 0.6:
            x = x * np.exp(rng.normal(0, 0.08, (3, 1, 1))) + rng.normal(0, 0.03, (3, 1, 1))
        if rng.random() < _GREYED:
            x = np.repeat(x.mean(0, keepdims=True), 3, 0)
        elif rng.random() < _SHUFFLED:
            x = x[rng.permutation(3)]
        elif rng.random() < _TURNED:
            x = _turned(x, rng.uniform(0, 2 * np.pi))
    elif rng.random() < _NEGATIVE:
        x = 1 - x
    x = (x - 0.5) * np.exp(rng.normal(0, 0.15)) + 0.5 + rng.normal(0, 0.06)
    if rng.random() < 0.25:
        x = ndi.gaussian_filter(x, (0, *[rng.uniform(0.4, 1.5)] * 2))
    if rng.random() < 0.35:
        noise = rng.normal(0, rng.uniform(0.01, 0.08), (1 if grey else 3, *x.shape[1:]))
        x = x + noise
    if rng.random() < 0.15:
        y, col = np.meshgrid(*[np.linspace(-1, 1, n) for n in x.shape[1:]], indexing="ij")
        x = x * (1 + rng.normal(0, 0.2) * y + rng.normal(0, 0.2) * col)
    return np.asarray(np.clip(x, -0.3, 1.5), np.float32)


def _turned(x: np.ndarray, angle: float) -> np.ndarray:
    """Hues of ``(3, h, w)`` turned by an angle; brightness stays."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.linalg.inv(_YIQ) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ _YIQ
    return np.asarray(np.einsum("ij,jhw->ihw", turn, x))
