"""Changes to a crop that keep its biology: pose, scale, a little warping; exposure, stain, focus, noise, compression."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage as ndi
from shards import UNKNOWN

_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
Change = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def sampling_grid(
    rng: np.random.Generator, edge: int, scale: float, centre: tuple[float, float], *, warp: float = 0.02
) -> np.ndarray:
    """Where each pixel of a crop comes from: ``(2, edge, edge)`` of y, x in the image; rotated, flipped, scaled, slightly warped.

    Parameters
    ----------
    scale : pixels of the crop along one pixel of the image.
    centre : y, x of the crop's centre in the image.
    warp : size of elastic displacements as a share of the crop's edge.
    """
    angle, flip = rng.uniform(0, 2 * np.pi), rng.choice([-1.0, 1.0])
    angle = angle if rng.random() < 0.6 else np.pi / 2 * rng.integers(4)
    stretch = np.exp(rng.normal(0, 0.08))
    at = (np.arange(edge) - (edge - 1) / 2) / scale
    y, x = np.meshgrid(at * stretch, at * flip / stretch, indexing="ij")
    c, s = np.cos(angle), np.sin(angle)
    grid = np.stack([c * y - s * x + centre[0], s * y + c * x + centre[1]])
    if rng.random() < 0.5:
        coarse = torch.from_numpy(rng.normal(0, warp * edge / scale / 2, (1, 2, 6, 6)))
        grid = grid + F.interpolate(coarse, size=(edge, edge), mode="bicubic", align_corners=True)[0].numpy()
    return grid


def sample_image(image: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """``(c, h, w) float32`` of an image ``(h, w[, c])`` at a grid, mirrored beyond its frame, interpolated linearly."""
    at = [_mirrored(g, n) for g, n in zip(grid, image.shape[:2], strict=True)]
    low = [int(g.min()) for g in at]
    high = [min(int(g.max()) + 2, n) for g, n in zip(at, image.shape[:2], strict=True)]
    part = np.atleast_3d(image[low[0] : high[0], low[1] : high[1]]).astype(np.float32)
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
    y, x = np.rint(grid[0]).astype(np.int32), np.rint(grid[1]).astype(np.int32)
    inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
    return np.where(inside, labels[y.clip(0, h - 1), x.clip(0, w - 1)], UNKNOWN).astype(np.int32)


def recolour(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Exposure, hue, focus, noise and compression of a crop ``(c, h, w)`` in about 0..1, as ``(3, h, w) float32``."""
    if len(x) == 3 and rng.random() < 0.12:
        x = np.tensordot(rng.dirichlet([2, 2, 2]), x, 1)[None]
    x = _happens(rng, x, 0.7, gamma)
    x = _happens(rng, x, 0.5, hue) if len(x) == 3 else _happens(rng, x, 0.12, inverted)
    x = _happens(rng, x, 0.2, shaded)
    x = (x - 0.5) * np.exp(rng.normal(0, 0.18)) + 0.5 + rng.normal(0, 0.06)
    x = _happens(rng, x, 0.3, unfocused)
    x = _happens(rng, x, 0.1, sharpened)
    x = _happens(rng, x, 0.4, noisy)
    x = _happens(rng, x, 0.12, compressed)
    return np.clip(np.broadcast_to(x, (3, *x.shape[1:])), -0.3, 1.5).astype(np.float32)


def _happens(rng: np.random.Generator, x: np.ndarray, chance: float, change: Change) -> np.ndarray:
    return change(rng, x) if rng.random() < chance else x


def gamma(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Grey values to a power."""
    return np.asarray(np.clip(x, 1e-3, None) ** np.exp(rng.normal(0, 0.35)))


def inverted(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Dark for bright."""
    return 1 - x


def hue(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Channels stronger or weaker; now and then in another order, or all hues turned."""
    x = x * np.exp(rng.normal(0, 0.1, (3, 1, 1))) + rng.normal(0, 0.03, (3, 1, 1))
    chance = rng.random()
    if chance < 0.06:
        return np.asarray(x[rng.permutation(3)])
    if chance < 0.3:
        angle = rng.uniform(0, 2 * np.pi) if chance < 0.14 else rng.normal(0, 0.4)
        c, s = np.cos(angle), np.sin(angle)
        turn = np.linalg.inv(_YIQ) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ _YIQ
        return np.einsum("ij,jhw->ihw", turn, x)
    return x


def shaded(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Light that falls unevenly: a slope and a hill."""
    y, col = np.meshgrid(*[np.linspace(-1, 1, n) for n in x.shape[1:]], indexing="ij")
    cy, cx = rng.uniform(-1, 1, 2)
    hill = np.exp(-((y - cy) ** 2 + (col - cx) ** 2) / rng.uniform(0.3, 2))
    return np.asarray(x * np.clip(1 + rng.normal(0, 0.2) * y + rng.normal(0, 0.2) * col + rng.normal(0, 0.3) * hill, 0.2, 2))


def unfocused(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Gaussian blur, or the disc of a lens out of focus."""
    if rng.random() < 0.6:
        return np.asarray(ndi.gaussian_filter(x, (0, *[rng.uniform(0.4, 2.0)] * 2)))
    reach = rng.uniform(1.0, 3.0)
    y, col = np.mgrid[-3:4, -3:4]
    disc = np.clip(reach + 0.5 - np.hypot(y, col), 0, 1)
    return np.stack([ndi.convolve(plane, disc / disc.sum()) for plane in x])


def sharpened(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Unsharp mask."""
    return np.asarray(x + rng.uniform(0.3, 1.5) * (x - ndi.gaussian_filter(x, (0, *[rng.uniform(0.8, 2.0)] * 2))))


def noisy(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Noise of photons, of electronics, or both; sometimes grainy."""
    if rng.random() < 0.5:
        photons = np.exp(rng.uniform(np.log(15), np.log(600)))
        x = rng.poisson(np.clip(x, 0, 2) * photons) / photons
    noise = rng.normal(0, rng.uniform(0.005, 0.08), x.shape)
    if rng.random() < 0.25:
        noise = ndi.gaussian_filter(noise, (0, *[rng.uniform(0.4, 1.0)] * 2)) * 1.8
    return np.asarray(x + noise)


def compressed(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """JPEG."""
    planes = np.clip(x, 0, 1).transpose(1, 2, 0) * 255
    file = io.BytesIO()
    Image.fromarray(planes.astype(np.uint8).squeeze()).save(file, "JPEG", quality=int(rng.integers(20, 85)))
    found = np.atleast_3d(np.asarray(Image.open(file), np.float32)) / 255
    return found.transpose(2, 0, 1)
