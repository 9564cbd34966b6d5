"""Pictures and prompts to what Micro-D1 takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin

from ..pictures import Preparation, normalise, padded, three_channels


class MicroD1Processor(ProcessorMixin, Preparation):
    """Prepares pictures and prompts.

    Parameters
    ----------
    thumbnail_px : edge of the square thumbnail.
    text_buckets, text_grams, text_words : as in :class:`MicroD1Config`.

    Examples
    --------
    >>> processor = MicroD1Processor()
    >>> processor(text=["nuclei"])["input_ids"].shape
    torch.Size([1, 16, 24])
    """

    attributes: ClassVar[list[str]] = []

    def __init__(
        self, thumbnail_px: int = 256, text_buckets: int = 8192, text_grams: int = 24, text_words: int = 16, **kwargs: Any
    ) -> None:
        Preparation.__init__(self, thumbnail_px, text_buckets, text_grams, text_words)
        ProcessorMixin.__init__(self, **kwargs)

    def __call__(
        self, images: np.ndarray | Sequence[np.ndarray] | None = None, text: str | Sequence[str] | None = None, **kwargs: Any
    ) -> BatchFeature:
        """Tensors for :class:`MicroD1Model`.

        Parameters
        ----------
        images : ``(y, x)`` or ``(c, y, x)`` with one or three channels, any real dtype; or several of one shape.
        text : prompts.

        Returns
        -------
        ``pixel_values (B, 3, H, W)`` padded to multiples of 16, ``thumbnail (B, 3, T, T)``, ``input_ids (P, W, G)``.
        """
        if kwargs:
            raise TypeError(f"MicroD1Processor does not know {sorted(kwargs)}")
        out: dict[str, torch.Tensor] = {}
        if images is not None:
            several = [images] if isinstance(images, np.ndarray) else list(images)
            planes = torch.stack([torch.from_numpy(three_channels(normalise(np.asarray(image)))) for image in several])
            out["pixel_values"] = padded(planes)
            out["thumbnail"] = self.thumbnail(planes)
        if text is not None:
            out["input_ids"] = self.encode([text] if isinstance(text, str) else text)
        return BatchFeature(out)
