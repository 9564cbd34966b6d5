"""Pictures and prompts to what Micro-D1 takes."""

from __future__ import annotations

import os
import pkgutil
import re
import unicodedata
import zlib
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

PERCENTILES = (0.5, 99.5)
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_GRAMS = (3, 4, 5)


class Preparation:
    """Prepares pictures and prompts.

    Parameters
    ----------
    thumbnail_px : edge of the square thumbnail.
    text_buckets, text_grams, text_words : as in :class:`~micro_nb.models.micro_d1.MicroD1Config`.
    """

    def __init__(self, thumbnail_px: int = 256, text_buckets: int = 8192, text_grams: int = 24, text_words: int = 16) -> None:
        self.thumbnail_px, self.text_buckets = thumbnail_px, text_buckets
        self.text_grams, self.text_words = text_grams, text_words

    def thumbnail(self, planes: torch.Tensor) -> torch.Tensor:  # (B, 3, H, W) -> (B, 3, T, T)
        """The whole picture as a small square, by area averages."""
        return F.interpolate(planes, size=(self.thumbnail_px,) * 2, mode="area")

    def encode(self, prompts: Sequence[str]) -> torch.Tensor:
        """``(P, W, G) int64``: hashed n-grams of each word; 0 where there is none."""
        ids = np.zeros((len(prompts), self.text_words, self.text_grams), np.int64)
        for row, prompt in zip(ids, prompts, strict=True):
            for slot, word in zip(row, words(prompt), strict=False):
                found = [1 + zlib.crc32(gram.encode()) % (self.text_buckets - 1) for gram in ngrams(word)][: self.text_grams]
                slot[: len(found)] = found
        return torch.from_numpy(ids)

    def save_pretrained(self, save_directory: str | os.PathLike[str]) -> None:
        """Writes ``processor_config.json``, as transformers does."""
        pkgutil.resolve_name("micro_nb.models.micro_d1:MicroD1Processor")(**vars(self)).save_pretrained(save_directory)


def words(text: str) -> list[str]:
    """Words of a prompt in lower case, accents taken off.

    >>> words("White blood-cells (WBC)")
    ['white', 'blood', 'cells', 'wbc']
    """
    plain = unicodedata.normalize("NFKD", text.lower())
    return _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))


def ngrams(word: str) -> list[str]:
    """The word itself, then its character n-grams.

    >>> ngrams("wbc")
    ['<wbc>', '<wb', 'wbc', 'bc>', '<wbc', 'wbc>']
    """
    marked = f"<{word}>"
    found = [marked[i : i + n] for n in _GRAMS for i in range(len(marked) - n + 1)]
    return list(dict.fromkeys([marked, *found]))


def normalise(image: np.ndarray, bounds: tuple[float, float] | None = None) -> np.ndarray:
    """``float32`` with 0 and 1 at the picture's 0.5 and 99.5 percentiles over all channels, or at ``bounds``; NaN becomes 0.

    What 32 bits hold or more is brought near 0 before it becomes ``float32``, which keeps seven digits.
    """
    low, high = bounds or grey_bounds(image)
    wide = np.dtype(np.float64 if image.dtype.itemsize >= 4 else np.float32)
    scaled = ((image.astype(wide) - wide.type(low)) * np.float32(1 / (high - low))).astype(np.float32)
    return np.nan_to_num(scaled, copy=False, posinf=1.0, neginf=0.0) if image.dtype.kind == "f" else scaled


def grey_bounds(image: np.ndarray) -> tuple[float, float]:
    """The percentiles that become 0 and 1; at most 512 x 512 pixels of a regular grid are looked at."""
    sparse = image[..., :: max(1, image.shape[-2] // 512), :: max(1, image.shape[-1] // 512)]
    finite = sparse[np.isfinite(sparse)]
    low, high = (float(v) for v in np.percentile(finite, PERCENTILES)) if finite.size else (0.0, 1.0)
    return low, max(high, low + max(1e-6, 1.0 if image.dtype.kind in "iu" else 0.0))


def planes(image: np.ndarray) -> np.ndarray:
    """``(1, y, x)`` or ``(3, y, x)`` of ``(y, x)`` or of one or three channels ``(c, y, x)``."""
    found = image[None] if image.ndim == 2 else image
    if found.ndim != 3 or len(found) not in (1, 3):
        raise ValueError(f"a picture has one channel (y, x) or three (3, y, x); got {image.shape}: choose channels first")
    return found


def three_channels(image: np.ndarray) -> np.ndarray:
    """``(3, y, x)`` of ``(y, x)`` or of one or three channels ``(c, y, x)``."""
    found = planes(image)
    return np.array(np.broadcast_to(found, (3, *found.shape[1:])))


def padded(planes: torch.Tensor, multiple: int = 16) -> torch.Tensor:
    """The rims below and to the right repeated up to a multiple of ``multiple`` pixels."""
    h, w = planes.shape[-2:]
    return F.pad(planes, (0, -w % multiple, 0, -h % multiple), mode="replicate")
